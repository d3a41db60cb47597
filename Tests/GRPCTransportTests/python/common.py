"""What the test scripts share: the server's address, its counters, and a raw HTTP/2 client."""

import json
import socket
import ssl
import struct
import sys
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

PORT = 0
CERTS = ""


def wait_until(condition, what, seconds=20):
    """Polls until something holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("never happened: " + what)


def frame(message, flag=0):
    """A length-prefixed message."""
    return bytes([flag]) + struct.pack(">I", len(message)) + message


def tls_context(certificate="client.pem", alpn=("h2",)):
    context = ssl.create_default_context(cafile=CERTS + "/ca.pem")
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(f"{CERTS}/{certificate}", CERTS + "/client.key")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def connect_tls(**options):
    raw = socket.create_connection(("127.0.0.1", PORT))
    raw.settimeout(20)
    return tls_context(**options).wrap_socket(raw, server_hostname="localhost")


def closes(sock):
    """Reads until the peer closes; returns what it said."""
    said = b""
    while True:
        try:
            piece = sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return said
        if not piece:
            return said
        said += piece


class Answer:
    def __init__(self):
        self.headers = {}
        self.trailers = {}
        self.data = b""
        self.ended = False
        self.reset = None

    @property
    def status(self):
        return int({**self.headers, **self.trailers}.get("grpc-status", -1))


class Raw:
    """An HTTP/2 client that lets us do what no client should."""

    def __init__(self, auto_ack=True, window=True):
        self.sock = connect_tls()
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False)
        self.conn = h2.connection.H2Connection(config)
        self.window = window
        self.answers = {}
        self.goaways = []
        self.closed = False
        self.conn.initiate_connection()
        self.flush()
        # The server's SETTINGS come first; a client may not assume its limits before.
        self.pump_until(lambda: self.conn.remote_settings.initial_window_size != 65535, "settings")

    def flush(self):
        data = self.conn.data_to_send()
        if data:
            self.sock.sendall(data)

    def pump(self):
        """Reads once. False when the server closed."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.conn.receive_data(data):
            stream = getattr(event, "stream_id", None)
            answer = self.answers.setdefault(stream, Answer()) if stream else None
            if isinstance(event, h2.events.ResponseReceived):
                answer.headers = dict(event.headers)
            elif isinstance(event, h2.events.TrailersReceived):
                answer.trailers = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                answer.data += event.data
                if self.window:
                    self.conn.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, h2.events.StreamEnded):
                answer.ended = True
            elif isinstance(event, h2.events.StreamReset):
                answer.reset = event.error_code
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaways.append((event.error_code, event.last_stream_id))
        try:
            self.flush()
        except (ConnectionError, ssl.SSLError):
            self.closed = True
            return False
        return True

    def pump_until(self, condition, what):
        while not condition():
            if not self.pump() and not condition():
                raise AssertionError("the server closed before: " + what)

    def until_closed(self):
        while not self.closed:
            self.pump()

    def start(self, method, headers=(), end=False, drop=(), **special):
        stream = self.conn.get_next_available_stream_id()
        fields = {
            ":method": "POST", ":scheme": "https", ":path": "/echo.Echo/" + method, ":authority": "localhost",
            "te": "trailers", "content-type": "application/grpc",
        }
        for name, value in special.items():
            fields[{"verb": ":method", "content_type": "content-type", "path": ":path"}[name]] = value
        for name in drop:
            del fields[name]
        self.conn.send_headers(stream, list(fields.items()) + list(headers), end_stream=end)
        self.answers[stream] = Answer()
        self.flush()
        return stream

    def send(self, stream, data, end=False):
        """Sends data as flow control allows."""
        while True:
            room = min(self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size, len(data))
            if len(data) and room <= 0:
                self.pump_until(lambda: self.conn.local_flow_control_window(stream) > 0, "window")
                continue
            self.conn.send_data(stream, data[:room], end_stream=end and room == len(data))
            self.flush()
            data = data[room:]
            if not data:
                return

    def finish(self, stream):
        answer = self.answers[stream]
        self.pump_until(lambda: answer.ended or answer.reset is not None, "answer")
        return answer

    def call(self, method, body=None, headers=(), **special):
        stream = self.start(method, headers, **special)
        self.send(stream, frame(b"hello") if body is None else body, end=True)
        return self.finish(stream)

    def counters(self):
        return json.loads(self.call("Counters").data[5:])

    def refusals(self):
        """Each refusal as (reason, address, detail)."""
        return [tuple(line.split("|", 2)) for line in self.call("Refusals").data[5:].decode().splitlines()]

    def settle(self, name, count=1):
        wait_until(lambda: self.counters().get(name, 0) >= count, name)


def raw_frame(kind, flags, stream, payload, length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def check(actual, expected, what="value"):
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


def main(cases):
    """Runs the case named on the command line, then checks that the server still serves."""
    global PORT, CERTS
    _, port, CERTS, name, *rest = sys.argv
    PORT = int(port)
    sys.modules["common"].PORT, sys.modules["common"].CERTS = PORT, CERTS
    cases["case_" + name]()
    if "last" not in rest:
        answer = Raw().call("Say")
        check((answer.status, answer.data), (0, frame(b"hello")), "the call afterwards")
