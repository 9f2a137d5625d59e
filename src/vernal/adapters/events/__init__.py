"""Where events go: webhooks and Kafka."""

from vernal.adapters.events.kafka import KafkaSink
from vernal.adapters.events.webhook import WebhookSink

__all__ = ["KafkaSink", "WebhookSink"]
