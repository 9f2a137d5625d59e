"""What every test gets: no network, a seeded search for counterexamples, and a browser where there is one."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
from pathlib import Path

import hypothesis
import pytest

# A deadline measures the machine, and two test workers share this one.
hypothesis.settings.register_profile("vernal", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("vernal")


class NetworkError(RuntimeError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that is neither a Unix socket nor loopback."""
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: tuple[str, int] | str) -> None:
        if isinstance(address, tuple) and not is_loopback(address[0]):
            message = f"a test asked for a connection to {address[0]}; tests talk to this machine only"
            raise NetworkError(message)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)


def is_loopback(host: str) -> bool:
    """Tell whether a host, by name or address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the browser; skip without one, unless VERNAL_REQUIRE_BROWSER says that it must be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        message = "Chromium: not on the path. Hint: on Debian, apt-get install chromium"
        if os.environ.get("VERNAL_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return Path(found)
