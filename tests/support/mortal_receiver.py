"""A web server as a process of its own, to be killed: it keeps the id of whatever it is sent, and only then answers.

Run as ``python mortal_receiver.py PORT FILE [DIE_AFTER]``; with the last one it dies by SIGKILL after that many
requests, having kept the last one's id and answered nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from typing_extensions import override


def main() -> None:
    """Serve until killed."""
    port, book = int(sys.argv[1]), Path(sys.argv[2])
    left = int(sys.argv[3]) if len(sys.argv) > 3 else -1

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal left
            self.rfile.read(int(self.headers["Content-Length"]))
            with book.open("a") as file:
                file.write(f"{self.headers['webhook-id']}\n")
                file.flush()
                os.fsync(file.fileno())
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.send_response(204)
            self.end_headers()

        @override
        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", port), Handler)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
