{{- define "vernal.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "vernal.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vernal.labels" -}}
{{ include "vernal.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "vernal.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "vernal.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "vernal.claim" -}}
{{- .Values.persistence.existingClaim | default (include "vernal.fullname" .) -}}
{{- end -}}

{{- define "vernal.refusals" -}}
{{- if and (eq .Values.mode "deployment") (gt (int .Values.replicas) 1) -}}
{{- if not .Values.postgresql.enabled -}}
{{- fail (printf "replicas: got %d, expected 1: several pods need a store that they share. Set postgresql.enabled and `state: postgresql://...` in vernal.yaml." (int .Values.replicas)) -}}
{{- end -}}
{{- if and (not .Values.persistence.existingClaim) (ne .Values.persistence.accessMode "ReadWriteMany") -}}
{{- fail (printf "persistence.accessMode: got %s, expected ReadWriteMany for %d replicas: they share the lake and the inbox." .Values.persistence.accessMode (int .Values.replicas)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.postgresql.enabled (not .Values.postgresql.existingSecret) -}}
{{- fail "postgresql.existingSecret: expected the name of a secret with the password." -}}
{{- end -}}
{{- if and (or .Values.metrics.podMonitor .Values.metrics.serviceMonitor) (not .Values.metrics.open) (not .Values.metrics.tokenSecret) -}}
{{- fail "metrics: a monitor needs metrics.tokenSecret, or metrics.open where a network policy keeps strangers out." -}}
{{- end -}}
{{- if and (or .Values.metrics.podMonitor .Values.metrics.serviceMonitor) (eq .Values.mode "cronjob") -}}
{{- fail "metrics: in mode cronjob no pod runs that could be scraped; let the tick write a file, or use mode deployment." -}}
{{- end -}}
{{- end -}}

{{- define "vernal.podLabels" -}}
{{ include "vernal.selector" . }}
{{- with .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "vernal.environment" -}}
- {name: HOME, value: /tmp}
- {name: VERNAL_LOG_FORMAT, value: {{ .Values.log.format | quote }}}
- {name: VERNAL_LOG_LEVEL, value: {{ .Values.log.level | quote }}}
{{- if .Values.postgresql.enabled }}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.postgresql.existingSecret }}, key: {{ .Values.postgresql.secretKey }}}}
{{- end }}
{{- if .Values.metrics.tokenSecret }}
- name: VERNAL_METRICS_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .Values.metrics.tokenSecret }}, key: token}}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "vernal.container" -}}
name: vernal
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
workingDir: {{ .Values.project.path }}
env:
  {{- include "vernal.environment" . | nindent 2 }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: project
    mountPath: {{ ternary .Values.project.path (printf "%s/.vernal" .Values.project.path) (eq .Values.project.source "volume") }}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "vernal.pod" -}}
serviceAccountName: {{ include "vernal.serviceAccountName" . }}
automountServiceAccountToken: false
# The pause container is process 1 and sees to training jobs whose parent has gone.
shareProcessNamespace: true
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: project
    persistentVolumeClaim: {claimName: {{ include "vernal.claim" . }}}
  - {name: tmp, emptyDir: {}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
