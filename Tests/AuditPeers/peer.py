"""What the peers that a gateway calls over HTTP share: a server that answers, counts, and misbehaves when told to.

Once it listens it prints one line of JSON with its `url`, and it stops on SIGTERM. Beside its own paths it has
`GET /-/status`, which counts requests and answers, and `PUT /-/fault` with {"fault": NAME, "count": N, "seconds": S}:
the next N requests (all, without count) meet that fault.
"""

import argparse
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_BODY = 512 * 1024
COMMON_FAULTS = {
    "none": "no fault",
    "refuse": "503 and no more",
    "slow": "the right answer, after the seconds",
    "drop": "the connection closed without an answer",
    "garbage": "200 with bytes that mean nothing",
    "empty": "200 with nothing",
    "truncate": "the first half of the right answer",
}


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, kind: str = "text/plain; charset=utf-8"):
        super().__init__(message)
        self.status, self.body, self.kind = status, message.encode(), kind


class Answer:
    """A status, a body and its content type."""

    def __init__(self, status: int, body: bytes, kind: str):
        self.status, self.body, self.kind = status, body, kind


class Faults:
    """Which fault the next requests meet."""

    def __init__(self, known: dict[str, str]):
        self.known, self.lock = COMMON_FAULTS | known, threading.Lock()
        self.fault, self.count, self.seconds = "none", None, 60.0

    def set(self, fault: str, count: int | None = None, seconds: float = 60.0) -> None:
        if fault not in self.known:
            raise ValueError(f"no fault {fault!r}; there are {', '.join(self.known)}")
        with self.lock:
            self.fault, self.count, self.seconds = fault, count, seconds

    def take(self) -> tuple[str, float]:
        """The fault for one request, and its seconds."""
        with self.lock:
            if self.count is not None:
                if self.count == 0:
                    return "none", 0
                self.count -= 1
            return self.fault, self.seconds


class Peer:
    """A service: `answer` is its own part."""

    faults_of_its_own: dict[str, str] = {}

    def __init__(self):
        self.faults = Faults(self.faults_of_its_own)
        self.lock = threading.Lock()
        self.answers: dict[str, int] = {}

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes, fault: str) -> Answer:
        """The answer to a request, or a `Refusal`; `fault` is one of its own, or a common one not of its concern."""
        raise NotImplementedError

    def count(self, status: int) -> None:
        with self.lock:
            self.answers[str(status)] = self.answers.get(str(status), 0) + 1

    def control(self, method: str, path: str, body: bytes) -> Answer:
        """Answers a request from the test rather than from the gateway."""
        if (method, path) == ("GET", "/-/status"):
            with self.lock:
                status = {"requests": sum(self.answers.values()), "answers": self.answers}
                return Answer(200, json.dumps(status).encode(), "application/json")
        if (method, path) == ("PUT", "/-/fault"):
            try:
                self.faults.set(**json.loads(body))
            except (ValueError, TypeError) as error:
                raise Refusal(400, f"{error}\n") from None
            return Answer(204, b"", "text/plain")
        raise Refusal(404, "no such path\n")


def handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    """What the HTTP server calls for each connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120

        def log_message(self, format: str, *arguments: object) -> None:
            """Keeps quiet: `GET /-/status` tells what was answered."""

        def body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                return self.chunks()
            try:
                length = int(self.headers.get("Content-Length", "0"))
            except ValueError:
                raise Refusal(400, "Content-Length is no number\n") from None
            if not 0 <= length <= MOST_BODY:
                # A client that is still sending would see a reset connection instead of the answer.
                while 0 < length <= 128 * MOST_BODY and self.rfile.read(min(length, MOST_BODY)):
                    length -= MOST_BODY
                raise Refusal(413, f"more than {MOST_BODY} bytes\n")
            return self.rfile.read(length)

        def chunks(self) -> bytes:
            data = b""
            while True:
                size = int(self.rfile.readline(64).split(b";")[0], 16)
                if len(data) + size > MOST_BODY:
                    raise Refusal(413, f"more than {MOST_BODY} bytes\n")
                data += self.rfile.read(size)
                self.rfile.readline(8)
                if size == 0:
                    return data

        def respond(self, answer: Answer, most: int | None = None) -> None:
            self.send_response(answer.status)
            if answer.status != 204:
                self.send_header("Content-Type", answer.kind)
                self.send_header("Content-Length", str(len(answer.body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body[:most])

        def own(self, method: str, body: bytes, fault: str) -> Answer:
            try:
                return peer.answer(method, self.path, {k.lower(): v for k, v in self.headers.items()}, body, fault)
            except Refusal as refusal:
                return Answer(refusal.status, refusal.body, refusal.kind)

        def serve(self, method: str) -> None:
            try:
                body = self.body()
                if self.path.startswith("/-/"):
                    return self.respond(peer.control(method, self.path, body))
            except Refusal as refusal:
                self.close_connection = True
                return self.respond(Answer(refusal.status, refusal.body, refusal.kind))
            fault, seconds = peer.faults.take()
            if fault == "slow":
                time.sleep(seconds)
            if fault == "drop":
                peer.count(0)
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
            answer = {
                "refuse": Answer(503, b"not now\n", "text/plain"),
                "garbage": Answer(200, os.urandom(300), "application/octet-stream"),
                "empty": Answer(200, b"", "application/octet-stream"),
            }.get(fault) or self.own(method, body, fault)
            if fault == "garbage":
                answer.kind = self.own(method, body, "none").kind
            peer.count(answer.status)
            self.close_connection |= fault == "truncate"
            self.respond(answer, len(answer.body) // 2 if fault == "truncate" else None)

        def do_GET(self) -> None:
            self.serve("GET")

        def do_POST(self) -> None:
            self.serve("POST")

        def do_PUT(self) -> None:
            self.serve("PUT")

        def do_DELETE(self) -> None:
            self.serve("DELETE")

    return Handler


class Server(ThreadingHTTPServer):
    """Keeps its threads from outliving it, and its standard error free of broken connections."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError, ValueError, OSError)):
            super().handle_error(request, client_address)


def start(peer: Peer, listen: str = "127.0.0.1:0", certificate: str | None = None, key: str | None = None) -> Server:
    """A server that listens, and answers in a thread of its own once `serve_forever` is called."""
    host, _, port = listen.rpartition(":")
    server = Server((host, int(port)), handler(peer))
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # The handshake is left to the connection's own thread, so that a silent client blocks no other one.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    server.url = f"{scheme}://{host}:{server.server_address[1]}"
    return server


def add_options(parser: argparse.ArgumentParser, peer: type[Peer]) -> None:
    """The options of every peer."""
    faults = COMMON_FAULTS | peer.faults_of_its_own
    parser.add_argument("--listen", default="127.0.0.1:0", help="host:port; port 0 takes a free one")
    parser.add_argument("--tls-certificate", help="serve HTTPS with this chain in PEM")
    parser.add_argument("--tls-key", help="its key in PEM")
    parser.add_argument("--fault", choices=faults, default="none", metavar="NAME",
                        help="; ".join(f"{name}: {what}" for name, what in faults.items()))
    parser.add_argument("--fault-count", type=int, metavar="N", help="only the first N requests meet it")
    parser.add_argument("--fault-seconds", type=float, default=60.0, metavar="S", help="how slow slow is")


def serve(peer: Peer, options: argparse.Namespace, facts: dict[str, object]) -> int:
    """Serves until SIGTERM or SIGINT, having printed where, and `facts`."""
    peer.faults.set(options.fault, options.fault_count, options.fault_seconds)
    server = start(peer, options.listen, options.tls_certificate, options.tls_key)

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(json.dumps({"url": server.url} | facts), flush=True)
    server.serve_forever(0.05)
    server.server_close()
    return 0
