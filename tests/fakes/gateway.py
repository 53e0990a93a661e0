"""API Gateway on this machine, as far as a test needs it: HTTP in, an event (HTTP API, payload 2.0) to the handler."""

import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def _event(method: str, target: str, headers: list[tuple[str, str]], body: bytes, host: str) -> dict[str, Any]:
    parts = urlsplit(target)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    joined: dict[str, list[str]] = {}
    for name, value in headers:
        joined.setdefault(name.lower(), []).append(value)
    cookies = [cookie.strip() for line in joined.pop("cookie", []) for cookie in line.split(";")]
    path = unquote(parts.path) or "/"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.query,
        "cookies": cookies,
        "headers": {name: ",".join(values) for name, values in joined.items()},
        "queryStringParameters": {name: ",".join(values) for name, values in query.items()} or None,
        "requestContext": {
            "domainName": host,
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
        },
        "body": b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def _serve(handler: Handler) -> type[BaseHTTPRequestHandler]:
    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Translate one request."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            event = _event(self.command, self.path, self.headers.items(), body, self.headers["host"])
            answer = handler(event, None)
            text = answer.get("body") or ""
            payload = b64decode(text) if answer.get("isBase64Encoded") else text.encode()
            self.send_response(answer["statusCode"])
            for name, value in answer.get("headers", {}).items():
                self.send_header(name, value)
            for cookie in answer.get("cookies", ()):
                self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_args: object) -> None:
            """Say nothing: a test reads the answers."""

    return Gateway


@contextmanager
def gateway(handler: Handler) -> Iterator[str]:
    """Host a Lambda handler; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _serve(handler))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
