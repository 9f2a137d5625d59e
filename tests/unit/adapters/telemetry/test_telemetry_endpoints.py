"""Pages over HTTP: what is answered, to whom, and what a rude client can do."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator

import pytest

from vernal.adapters.telemetry.endpoints import AT_ONCE, Address, Endpoints, Page, parse_address
from vernal.errors import ProjectError

ANY = Address("127.0.0.1", 0)
Serve = Callable[..., Address]


def broken() -> Page:
    message = "postgresql://vernal:secret@db"
    raise RuntimeError(message)


PAGES = {"/ok": lambda: Page(b"{}"), "/no": lambda: Page(b"down", "text/plain", 503), "/broken": broken}


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened: list[Endpoints] = []

    def start(address: Address = ANY, **options: object) -> Address:
        opened.append(Endpoints(address, PAGES, **options))  # type: ignore[arg-type]
        return opened[-1].address

    yield start
    for endpoints in opened:
        endpoints.close()


def get(address: Address, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_a_page_is_answered_with_its_type(serve: Serve) -> None:
    status, headers, body = get(serve(), "/ok?verbose=1")
    assert (status, headers["Content-Type"], body) == (200, "application/json", "{}")


def test_a_page_says_its_status(serve: Serve) -> None:
    assert get(serve(), "/no")[::2] == (503, "down")


def test_an_unknown_path_names_the_known_ones(serve: Serve) -> None:
    assert get(serve(), "/")[::2] == (404, "Not Found: there is /broken, /no, /ok\n")


def test_a_fault_of_a_page_shows_nothing_of_its_inside(serve: Serve) -> None:
    status, _, body = get(serve(), "/broken")
    assert status == 500
    assert "secret" not in body


def test_head_gets_the_headers_alone(serve: Serve) -> None:
    status, headers, body = get(serve(), "/ok", method="HEAD")
    assert (status, headers["Content-Length"], body) == (200, "2", "")


def test_nothing_can_be_posted(serve: Serve) -> None:
    assert get(serve(), "/ok", method="POST")[0] == 501


def test_a_guarded_page_needs_the_token(serve: Serve) -> None:
    address = serve(token="s3cret", guarded=frozenset({"/ok"}))
    assert get(address, "/ok")[0] == 401
    assert get(address, "/ok", Authorization="Bearer other")[0] == 401
    assert get(address, "/ok", Authorization="Bearer s3cret")[0] == 200
    assert get(address, "/no")[0] == 503


def test_a_guarded_page_without_any_token_is_refused_and_says_how_to_open_it(serve: Serve) -> None:
    status, _, body = get(serve(guarded=frozenset({"/ok"})), "/ok")
    assert status == 403
    assert "VERNAL_METRICS_TOKEN" in body


def test_a_crowd_of_silent_clients_costs_a_bounded_number_of_threads(serve: Serve) -> None:
    address = serve()
    silent = [socket.create_connection(address, timeout=60) for _ in range(AT_ONCE + 5)]
    # One after the other they are accepted; those beyond the limit are hung up on at once.
    refused = [client for client in silent[AT_ONCE:] if client.recv(1) == b""]
    assert len(refused) == 5
    for client in silent:
        client.close()


def test_an_address_that_is_taken_is_an_error_with_a_way_out(serve: Serve) -> None:
    taken = serve()
    with pytest.raises(ProjectError, match="cannot be listened on") as raised:
        Endpoints(taken, PAGES)
    assert raised.value.hint is not None
    assert "off" in raised.value.hint


def test_ipv6_can_be_listened_on(serve: Serve) -> None:
    address = serve(parse_address("[::1]:0"))
    assert get(address, "/ok")[0] == 200


@pytest.mark.parametrize("text", ["", "9464", ":9464", "localhost", "localhost:http", "127.0.0.1:65536", "a:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "loopback"), [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("0.0.0.0:1", False)]
)
def test_loopback_is_told_apart(text: str, loopback: bool) -> None:
    assert parse_address(text).is_loopback is loopback
