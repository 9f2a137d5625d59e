"""A real broker that speaks Kafka's protocol, as a process to be killed. It keeps everything in memory."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from vernal.clock import monotonic, pause

TOPIC = "vernal.events"
SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A broker on one port, which may be started again after it was killed; it then has forgotten everything."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.place = f"127.0.0.1:{free_port()}"

    def start(self) -> None:
        """Start it, and make the topic."""
        url = f"tcp://{self.place}"
        command = [self._program, "broker", "--listener-url", url, "--advertised-listener-url", url]
        self._process = subprocess.Popen(
            [*command, "--storage-engine", "memory://tansu/", "--silent"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        import confluent_kafka.admin

        self._wait()
        kafka: Any = confluent_kafka.admin
        admin = kafka.AdminClient({"bootstrap.servers": self.place})
        for made in admin.create_topics([kafka.NewTopic(TOPIC, 1, 1)]).values():
            made.result(SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def records(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        """Return key, headers and value of that many records, from the first."""
        from confluent_kafka import Consumer, TopicPartition

        # A group would take its time to be joined; a partition that is assigned is read at once.
        consumer: Any = Consumer({"bootstrap.servers": self.place, "group.id": "test", "enable.auto.commit": False})
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        found: list[tuple[str, dict[str, str], bytes]] = []
        until = monotonic() + SECONDS
        while len(found) < count and monotonic() < until:
            record = consumer.poll(0.2)
            if record is not None and record.error() is None:
                headers = {name: value.decode() for name, value in record.headers() or ()}
                found.append((record.key().decode(), headers, record.value()))
        consumer.close()
        return found

    def _wait(self) -> None:
        host, _, port = self.place.partition(":")
        until = monotonic() + SECONDS
        while monotonic() < until:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                pause(0.02)
            else:
                return
        raise AssertionError(f"no broker at {self.place}")
