"""Serve the live page to this machine only; no request can change anything."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lsbench.core.errors import LsbenchError, UsageError
from lsbench.core.json_text import to_json
from lsbench.live.snapshot import Snapshots
from lsbench.web.assets import content_policy, environment, static

HOST, PORT = "127.0.0.1", 8642
HTML, JSON = "text/html; charset=utf-8", "application/json"
#: No framing, no guessing of types, no caching without revalidation, no reading by other sites.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class LiveServer(ThreadingHTTPServer):
    """The server of the page, bound to the loopback address."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, snapshots: Snapshots, port: int = PORT) -> None:
        """Bind to a port; 0 takes any free one.

        Raises:
            UsageError: If the port is in use or not permitted.
        """
        self.snapshots = snapshots
        self._report: tuple[tuple[int, ...], bytes] = ((), b"")
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise UsageError(f"--port {port}: {reason}; choose another, or 0 for any free port") from error

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def page(self) -> tuple[bytes, str, str]:
        """Return the page, its content type and its content security policy."""
        script = static("base.js", "live.js")
        text = (
            environment()
            .get_template("live.html")
            .render(style=static("page.css", "live.css"), script=script)
        )
        return text.encode(), HTML, content_policy([script], connect="'self'")

    def status(self) -> tuple[bytes, str, str]:
        """Return the state of all suites as JSON."""
        return to_json(self.snapshots.read()), JSON, "default-src 'none'"

    def report(self) -> tuple[bytes, str, str]:
        """Return the full HTML report of the results so far; it has its own policy."""
        from lsbench.reports.html import render

        summaries = self.snapshots.summaries()
        key = tuple(map(id, summaries))
        if key != self._report[0]:
            self._report = key, render(summaries).encode()
        return self._report[1], HTML, ""


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    server_version, sys_version = "lsbench", ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with a page or an error."""
        if self.headers.get("Host") not in {
            f"{name}:{self.server.server_port}" for name in (HOST, "localhost")
        }:
            # Guards against DNS rebinding: another site's name may not point here to read the results.
            self._refuse(HTTPStatus.FORBIDDEN, "this server answers only to its own address")
            return
        pages: dict[str, Callable[[], tuple[bytes, str, str]]] = {
            "/": self.server.page,
            "/status.json": self.server.status,
            "/report.html": self.server.report,
        }
        make = pages.get(self.path.partition("?")[0])
        if make is None:
            self._refuse(HTTPStatus.NOT_FOUND, f"there are: {', '.join(pages)}")
            return
        try:
            self._answer(*make())
        except LsbenchError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

    def _not_allowed(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this server is read-only", Allow="GET, HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _not_allowed  # noqa: N815

    def _answer(self, body: bytes, kind: str, policy: str) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        is_known = self.headers.get("If-None-Match") == tag
        more = {"ETag": tag, "Content-Type": kind}
        if policy:
            more["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
        self._send(HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK, b"" if is_known else body, more)

    def _refuse(self, status: HTTPStatus, why: str, **more: str) -> None:
        self._send(status, f"{why}\n".encode(), {"Content-Type": "text/plain; charset=utf-8", **more})

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers}.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log requests: the terminal is for the user who started the server."""


def serve(snapshots: Snapshots, port: int, announce: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UsageError: If the port cannot be used.
    """
    with LiveServer(snapshots, port) as server:
        announce(f"{server.url} shows the progress of the suites, to this machine only; Ctrl-C ends it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            announce("ended")
