"""Sends what no gRPC client should, and says how the gateway answered."""

import socket
import ssl
import struct
import urllib.parse

import h2.config
import h2.connection
import h2.events

import common
from common import ADDRESS, PKI, check, load

TIMEOUT = 30
GET = "/postern.v1.SecretService/Get"
messages, services = load("postern/v1/secrets.proto")


def connect():
    context = ssl.create_default_context(cafile=PKI / "ca.pem")
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(PKI / "operator.pem", PKI / "operator.key")
    host, port = ADDRESS.rsplit(":", 1)
    raw = socket.create_connection((host, int(port)), timeout=TIMEOUT)
    return context.wrap_socket(raw, server_hostname="localhost")


def drain(sock):
    """Reads until the gateway closes."""
    said = b""
    try:
        while piece := sock.recv(65536):
            said += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return said


def send(sock, data):
    try:
        sock.sendall(data)
    except (ConnectionError, ssl.SSLError):
        pass


def frame(message, flag=0):
    return bytes([flag]) + struct.pack(">I", len(message)) + message


def http2_frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def works():
    """An ordinary call on a new connection."""
    stub = services.SecretServiceStub(common.channel())
    stub.Put(messages.PutRequest(path="works", fields=[messages.Field(name="value", value=b"x")]), timeout=TIMEOUT)
    check(stub.Get(messages.GetRequest(path="works"), timeout=TIMEOUT).fields[0].value, b"x")


def call(body, path=GET, end=True, **headers):
    """One call by hand. Returns what :status, grpc-status and grpc-message say."""
    sock = connect()
    conn = h2.connection.H2Connection(h2.config.H2Configuration(
        header_encoding="utf-8", validate_outbound_headers=False))
    conn.initiate_connection()
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost", "te": "trailers",
              "content-type": "application/grpc"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    conn.send_headers(1, list(fields.items()))
    rest = body
    got, ended = {}, False
    sent_all = False
    while not ended:
        while rest and (room := min(conn.local_flow_control_window(1), conn.max_outbound_frame_size, len(rest))):
            conn.send_data(1, rest[:room])
            rest = rest[room:]
        if not rest and not sent_all:
            if end:
                conn.end_stream(1)
            sent_all = True
        send(sock, conn.data_to_send())
        data = sock.recv(65536)
        if not data:
            raise AssertionError(f"the connection was closed; so far {got}")
        for event in conn.receive_data(data):
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                got.update(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                ended = True
            elif isinstance(event, h2.events.StreamReset):
                got.setdefault("reset", str(event.error_code))
                ended = True
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise AssertionError(f"GOAWAY {event.error_code}")
    sock.close()
    return got.get(":status"), got.get("grpc-status"), urllib.parse.unquote(got.get("grpc-message", ""))


def refused(answer, code, words=""):
    check(answer[1], str(code), f"{answer}")
    check(words in answer[2], True, f"{answer} says {words!r}")


def case_not_http2():
    host, port = ADDRESS.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), timeout=TIMEOUT)
    plain.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
    drain(plain)
    for junk in (bytes(range(256)) * 20, b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"):
        sock = connect()
        send(sock, junk)
        drain(sock)
    works()


def case_broken_frames():
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b"")
    for junk in (
        http2_frame(6, 0, 0, b"short"), http2_frame(4, 0, 0, b"12345"), http2_frame(8, 0, 0, b"123"),
        http2_frame(0, 0, 7, b"data on an idle stream"), http2_frame(1, 4, 1, b"\xff\xff\xff\xff\xff"),
        http2_frame(1, 4, 2, b"\x82"), http2_frame(9, 4, 1, b"\x82"), b"\xff" * 100,
    ):
        sock = connect()
        send(sock, preface + junk)
        check(b"" != drain(sock), True, "it says GOAWAY")
    works()


def case_continuation_flood():
    sock = connect()
    sock_preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b"")
    send(sock, sock_preface + http2_frame(1, 0, 1, b"\x82"))
    for _ in range(200):
        send(sock, http2_frame(9, 0, 1, b"\x00\x01x\x01y" * 10) * 50)
    drain(sock)
    works()


def case_oversized_header():
    answer = call(frame(b""), x_long="y" * 40_000)
    # Any of these is an answer: a gRPC status, HTTP 431, or a reset of the stream.
    check(answer[1] == "8" or answer[0] == "431", True, f"{answer}")
    works()


def case_oversized_message():
    refused(call(frame(b"x" * 2_000_000), end=False), 8, "larger")
    # A length that never comes.
    refused(call(b"\0\xff\xff\xff\xff", end=False), 8, "larger")
    works()


def case_malformed_message():
    # Truncated protobuf; a field of the wrong type; an unfinished varint.
    for body in (b"\x0a\x7fabc", b"\x0a", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\xff\xff"):
        refused(call(frame(body)), 3, "not a valid")
    refused(call(frame(b"\x0a\x02\xff\xfe")), 3)  # Invalid UTF-8 in a path.
    # Half a frame, none, two.
    for body in (frame(b"abc")[:6], b"\0\0", b"", frame(b"") * 2):
        answer = call(body)
        check(answer[1] in ("3", "12", "13"), True, f"{body}: {answer}")
    works()


def case_unknown_method():
    for path in ("/postern.v1.SecretService/Steal", "/no.such.Service/Get", "/", "/x", "/a/b/c"):
        refused(call(frame(b""), path=path), 12)
    works()


def case_wrong_content_type():
    for kind in ("application/json", "text/plain", "application/grpcx"):
        answer = call(frame(b""), content_type=kind)
        check(answer[0], "415", f"{kind}: {answer}")
    check(call(frame(b""), **{":method": "GET"})[0] in ("405", "200"), True)
    works()


def case_compressed():
    answer = call(frame(b"\x1f\x8b", flag=1), grpc_encoding="gzip")
    refused(answer, 12)
    refused(call(frame(b"", flag=2)), 13)
    works()


def case_deadline():
    for timeout in ("0m", "1n"):
        refused(call(frame(messages.GetRequest(path="works").SerializeToString()), grpc_timeout=timeout), 4)
    for timeout in ("soon", "1", "-1S", "999999999S"):
        answer = call(frame(b""), grpc_timeout=timeout)
        check(answer[1] != "0", True, f"{timeout}: {answer}")
    works()


if __name__ == "__main__":
    common.main(globals())
