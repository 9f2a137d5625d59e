"""A few pages over HTTP for probes and scrapers, from the standard library: nothing to import, one thread a request."""

from __future__ import annotations

import hmac
import ipaddress
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

from vernal.errors import ProjectError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

AT_ONCE = 16
"""Requests that are answered at the same time; further ones are refused, so that no crowd of them costs much."""

_PATIENCE_SECONDS = 10.0


class Page(NamedTuple):
    """What a path answers with."""

    body: bytes
    content_type: str = "application/json"
    status: int = HTTPStatus.OK


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        with suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    @override
    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``HOST:PORT``, with an IPv6 host in brackets.

    Raises
    ------
    ValueError
        If the text is none.

    Examples
    --------
    >>> parse_address("127.0.0.1:9464")
    Address(host='127.0.0.1', port=9464)
    >>> str(parse_address("[::1]:0")), parse_address("[::1]:0").is_loopback
    ('[::1]:0', True)
    """
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise ValueError(f"got {text!r}, expected HOST:PORT such as 127.0.0.1:9464")
    return Address(host, int(port))


_LAST_PORT = 65_535


class Endpoints:
    """Serves pages on an address from threads of its own, until it is closed.

    Parameters
    ----------
    address
        Where to listen; port 0 takes a free one.
    pages
        What answers each path. An exception of a page is told to who asked as 500, without its text.
    token
        What a request for any of the ``guarded`` paths has to bring as its bearer token.
    guarded
        Paths that need the token. Without a token they are refused, which the answer explains.

    Raises
    ------
    ProjectError
        If the address cannot be listened on.
    """

    def __init__(
        self,
        address: Address,
        pages: Mapping[str, Callable[[], Page]],
        *,
        token: str | None = None,
        guarded: frozenset[str] = frozenset(),
    ) -> None:
        handler = type("Handler", (_Handler,), {"pages": dict(pages), "token": token, "guarded": guarded})
        try:
            self._server = _server_class(address)((address.host, address.port), handler)
        except OSError as error:
            raise ProjectError(
                f"--listen {address}: cannot be listened on: {error.strerror or error}",
                hint="Name another address, such as 127.0.0.1:0 for any free port, or `--listen off`.",
            ) from error
        self.address = Address(address.host, self._server.server_address[1])
        self._thread = Thread(target=self._server.serve_forever, name="vernal endpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - whatever the base class takes
        self._slots = BoundedSemaphore(AT_ONCE)
        super().__init__(*arguments)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    @override
    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when somebody hangs up."""


def _server_class(address: Address) -> type[_Server]:
    import socket

    if ":" in address.host:
        return type("_Server6", (_Server,), {"address_family": socket.AF_INET6})
    return _Server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # a connection for each request: none is left open to hold a thread
    server_version = "vernal"
    sys_version = ""
    timeout = _PATIENCE_SECONDS
    pages: Mapping[str, Callable[[], Page]]
    token: str | None
    guarded: frozenset[str]
    connection: socket.socket

    def do_GET(self) -> None:
        page = self._page()
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if page.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_GET  # noqa: N815 - as do_GET

    def _page(self) -> Page:
        path = self.path.partition("?")[0]
        if path not in self.pages:
            return _refusal(HTTPStatus.NOT_FOUND, f"there is {', '.join(sorted(self.pages))}")
        if path in self.guarded and (refusal := self._unauthorised()) is not None:
            return refusal
        try:
            return self.pages[path]()
        except Exception:  # noqa: BLE001 - one page's fault must neither end the thread silently nor show its inside
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "this page could not be made; /readyz may say why")

    def _unauthorised(self) -> Page | None:
        if self.token is None:
            return _refusal(
                HTTPStatus.FORBIDDEN,
                "not on loopback, so a token is needed: set VERNAL_METRICS_TOKEN, or allow all with --open-metrics",
            )
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        return _refusal(HTTPStatus.UNAUTHORIZED, "expected the header `Authorization: Bearer TOKEN`")

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep probes out of the log: there is one every few seconds."""


def _refusal(status: HTTPStatus, text: str) -> Page:
    return Page(f"{status.phrase}: {text}\n".encode(), "text/plain; charset=utf-8", status)


__all__ = ["Address", "Endpoints", "Page", "parse_address"]
