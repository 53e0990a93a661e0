"""API Gateway on this machine, as far as a test needs it: HTTP in, an event (HTTP API, payload 2.0) to the handler."""

import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.canaries import watch
from tools.devstack.gateway import Handler, make_context, make_event


def _serve(handler: Handler) -> type[BaseHTTPRequestHandler]:
    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Translate one request."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            event = make_event(
                self.command, self.path, headers=self.headers.items(), body=body, domain=self.headers["host"]
            )
            answer = handler(event, make_context("status"))
            text = answer.get("body") or ""
            payload = b64decode(text) if answer.get("isBase64Encoded") else text.encode()
            watch.look(f"the page {self.path.partition('?')[0]}", repr(answer.get("headers")).encode() + payload)
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
