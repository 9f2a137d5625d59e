"""From the lake to evidence: windows, matured labels, live performance, drift, rollout differences, training sets."""
