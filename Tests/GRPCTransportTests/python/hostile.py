"""What no proper client does: each case ends as documented, and the server goes on."""

import socket
import ssl
import struct

import h2.errors

import common
from common import Raw, check, closes, connect_tls, frame, raw_frame, wait_until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + raw_frame(4, 0, 0, b"")


def tcp():
    sock = socket.create_connection(("127.0.0.1", common.PORT))
    sock.settimeout(20)
    return sock


def the_refusal():
    """Waits for a connection to be refused: (reason, address, detail)."""
    raw = Raw()
    refusals = wait_until(raw.refusals, "a connection is refused")
    check(len(refusals), 1, "refusals")
    return refusals[0]


def preface():
    sock = connect_tls()
    sock.sendall(PREFACE)
    return sock


def frames(said):
    """Cuts what the server said into (kind, stream, payload)."""
    cut = []
    while len(said) >= 9:
        end = 9 + int.from_bytes(said[:3], "big")
        cut.append((said[3], int.from_bytes(said[5:9], "big"), said[9:end]))
        said = said[end:]
    return cut


def goaway_code(said):
    """The error code of the last GOAWAY."""
    codes = [struct.unpack(">I", payload[4:8])[0] for kind, _, payload in frames(said) if kind == 7]
    return codes[-1] if codes else None


# A request to Say in HPACK literals without indexing.
def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


REQUEST = b"".join(literal(n, v) for n, v in [
    (b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/echo.Echo/Say"), (b":authority", b"x"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")])


# Requests that HTTP/2 allows and gRPC does not.

def case_content_type():
    raw = Raw()
    for kind in ("application/json", "application/grpc-web", "application/grpc+json", "application/grpcx", ""):
        answer = raw.call("Say", content_type=kind)
        check((answer.headers[":status"], answer.status), ("415", 3), kind)
    answer = raw.call("Say", drop=("content-type",))
    check(answer.headers[":status"], "415")
    for kind in ("application/grpc", "application/grpc+proto", "application/grpc;x=y", "application/grpc+proto; q=1"):
        check(raw.call("Say", content_type=kind).status, 0, kind)


def case_method_not_post():
    check(Raw().call("Say", verb="PUT").headers[":status"], "405")
    raw = Raw()
    check(raw.finish(raw.start("Say", end=True, verb="GET")).headers[":status"], "405")


def case_bad_timeout():
    raw = Raw()
    for value in ("", "5", "S", "123456789S", "1s", "-1S", "1.5S", "1 S"):
        check(raw.call("Say", headers=[("grpc-timeout", value)]).status, 3, repr(value))


def case_deadline_enforced_by_server():
    raw = Raw()
    answer = raw.call("IgnoreCancel", headers=[("grpc-timeout", "100m")])
    check(answer.status, 4)
    check(answer.headers[":status"], "200")
    check(Raw().counters().get("ignored_cancel", 0), 0, "handlers that were waited for")
    check(Raw().call("Say", headers=[("grpc-timeout", "0n")]).status, 4)


def case_default_deadline():
    check(Raw().call("Slow").status, 4)
    Raw().settle("slow_cancelled")


def case_framing():
    raw = Raw()
    cases = {
        "nothing": (b"", 12), "truncated prefix": (b"\0\0\0", 13), "truncated message": (frame(b"hello")[:-1], 13),
        "two messages": (frame(b"a") + frame(b"b"), 12), "trailing garbage": (frame(b"a") + b"\0\0", 13),
        "compressed, no algorithm": (frame(b"a", flag=1), 13), "unknown flag": (frame(b"a", flag=2), 13),
        "empty message": (frame(b""), 0),
    }
    for name, (body, code) in cases.items():
        check(raw.call("Say", body).status, code, name)
    for size in (1, 2, 3, 4, 5, 6, 7):
        stream = raw.start("Say")
        body = frame(b"hello")
        for i in range(0, len(body), size):
            raw.send(stream, body[i:i + size], end=i + size >= len(body))
        check(raw.finish(stream).data, body, f"in pieces of {size}")
    check(raw.finish(raw.start("Say", end=True)).status, 12, "headers alone")


def case_compressed():
    answer = Raw().call("Say", frame(b"a", flag=1), headers=[("grpc-encoding", "gzip")])
    check((answer.status, answer.headers["grpc-accept-encoding"]), (12, "identity"))
    answer = Raw().call("Say", frame(b"a"), headers=[("grpc-encoding", "gzip")])
    check(answer.status, 0)


def case_too_large_is_not_read():
    raw = Raw()
    stream = raw.start("Say")
    raw.send(stream, b"\0" + struct.pack(">I", 2**32 - 1))
    answer = raw.finish(stream)
    check(answer.status, 8)
    raw.pump_until(lambda: answer.reset is not None, "the rest is declined")
    check(answer.reset, 0)


def case_buffered_limit():
    raw = Raw()
    first, second = raw.start("Say"), raw.start("Say")
    raw.send(first, frame(b"x" * 90_000)[:80_000])
    raw.send(second, frame(b"x" * 90_000)[:80_000])
    check(raw.finish(second).status, 8)
    raw.send(first, frame(b"x" * 90_000)[80_000:], end=True)
    check(raw.finish(first).status, 0)


def case_header_limit():
    raw = Raw()
    answer = raw.call("Say", headers=[(f"x-{i}", "v" * 1_000) for i in range(20)])
    check(answer.status, 8)
    stream = raw.start("Say", headers=[("x-a", "v" * 3_000)] + [("x-a", "v" * 3_000)] * 40)
    check(raw.finish(stream).reset, h2.errors.ErrorCodes.INTERNAL_ERROR)


def case_stream_limit():
    raw = Raw()
    streams = [raw.start("Slow") for _ in range(4)]
    for stream in streams:
        raw.send(stream, frame(b""), end=True)
    raw.conn.remote_settings._settings[3][0] = 1_000
    raw.start("Say", end=True)
    raw.until_closed()
    check(raw.goaways[-1][0], h2.errors.ErrorCodes.PROTOCOL_ERROR)
    Raw().settle("slow_cancelled", 4)


# Flow control.

def case_slow_receiver_slows_writer():
    raw = Raw(window=False)
    stream = raw.start("Count")
    raw.send(stream, frame(b"1000 1000"), end=True)
    answer = raw.answers[stream]
    raw.pump_until(lambda: len(answer.data) == 65_535, "the window fills")
    # 64 KiB on the wire, 64 KiB and a message in the queue.
    other = Raw()
    wait_until(lambda: other.counters().get("written", 0) >= 65, "writes")
    check(other.counters()["written"] <= 135, True, "written ahead")
    raw.window = True
    raw.conn.acknowledge_received_data(65_535, stream)
    raw.flush()
    check(len(raw.finish(stream).data), 1_000 * 1_005)


def case_tiny_window():
    raw = Raw(window=False)
    raw.conn.update_settings({4: 3})
    raw.flush()
    raw.pump()
    stream = raw.start("Say")
    raw.send(stream, frame(b"hello"), end=True)
    answer = raw.answers[stream]
    for size in (3, 6, 9, 10):
        raw.pump_until(lambda: len(answer.data) == min(size, 10), f"{size} bytes")
        if size < 10:
            raw.conn.increment_flow_control_window(3, stream)
            raw.flush()
    check(raw.finish(stream).data, frame(b"hello"))


def case_slow_reader_slows_sender():
    raw = Raw()
    stream = raw.start("Stall")
    raw.send(stream, frame(b"first"))
    other = Raw()
    other.settle("stalled")
    while raw.conn.local_flow_control_window(stream) > 0:
        room = min(raw.conn.local_flow_control_window(stream), 1_005)
        raw.conn.send_data(stream, (frame(b"x" * 1_000))[:room])
        raw.flush()
    # The connection's own window is not held back: another call on it goes through, and answers after all of this.
    check(raw.call("Say", frame(b"y" * 200_000)).status, 0)
    check(raw.conn.remote_flow_control_window(stream) > 0, True)
    check(raw.conn.streams[stream].outbound_flow_control_window, 0, "the stalled call's window")


def case_response_blocked_until_deadline():
    raw = Raw(window=False)
    stream = raw.start("Big", headers=[("grpc-timeout", "300m")])
    raw.send(stream, frame(b"1000000"), end=True)
    check(raw.finish(stream).reset, h2.errors.ErrorCodes.CANCEL)


def case_window_overflow():
    sock = preface()
    sock.sendall(raw_frame(8, 0, 0, struct.pack(">I", 2**31 - 1)))
    check(goaway_code(closes(sock)), 3)
    raw = Raw()
    stream = raw.start("Slow")
    raw.sock.sendall(raw_frame(8, 0, stream, struct.pack(">I", 2**31 - 1)))
    check(raw.finish(stream).reset, h2.errors.ErrorCodes.FLOW_CONTROL_ERROR)


def case_more_than_the_window():
    raw = Raw()
    stream = raw.start("Stall")
    raw.send(stream, frame(b"first"))
    try:
        for _ in range(2_000):
            raw.sock.sendall(raw_frame(0, 0, stream, b"\0" * 1_000))
    except (ConnectionError, ssl.SSLError):
        pass
    while not raw.closed and raw.answers[stream].reset is None and not raw.goaways:
        raw.pump()
    check(bool(raw.answers[stream].reset or raw.goaways or raw.closed), True)


# Bytes that are no HTTP/2.

def case_garbage_instead_of_tls():
    sock = tcp()
    sock.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
    closes(sock)
    check(the_refusal(), ("handshake_failed", "127.0.0.1", "HTTP_REQUEST"))


def case_random_bytes_instead_of_tls():
    sock = tcp()
    sock.sendall(bytes([200]) * 100)
    closes(sock)
    check(the_refusal(), ("handshake_failed", "127.0.0.1", "WRONG_VERSION_NUMBER"))


def case_no_certificate():
    closes(connect_tls(certificate=None))
    check(the_refusal(), ("handshake_failed", "127.0.0.1", "PEER_DID_NOT_RETURN_A_CERTIFICATE"))


def case_untrusted_certificate():
    closes(connect_tls(certificate="stranger.pem"))
    check(the_refusal(), ("handshake_failed", "127.0.0.1", "CERTIFICATE_VERIFY_FAILED"))


def case_closed_at_once():
    tcp().close()
    check(the_refusal()[:2], ("closed_in_handshake", "127.0.0.1"))


def case_closed_within_the_hello():
    sock = tcp()
    sock.sendall(bytes([22, 3, 1, 2, 0, 1]))
    sock.close()
    check(the_refusal()[:2], ("closed_in_handshake", "127.0.0.1"))


def case_reset_at_once():
    sock = tcp()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    check(the_refusal()[0], "closed_in_handshake")  # the system may have forgotten the address


def case_garbage_after_tls():
    sock = connect_tls()
    sock.sendall(bytes(range(256)) * 10)
    closes(sock)


def case_bad_preface():
    sock = connect_tls()
    sock.sendall(b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n")
    closes(sock)


def case_no_alpn():
    closes(connect_tls(alpn=()))
    check(Raw().counters()["refused_not_http2"], 1)


def case_connection_dropped_mid_call():
    raw = Raw()
    raw.send(raw.start("Slow"), frame(b""), end=True)
    Raw().settle("slow_started")
    raw.sock.close()
    Raw().settle("slow_cancelled")
    half = preface()
    half.sendall(raw_frame(1, 4, 1, REQUEST) + raw_frame(0, 0, 1, frame(b"hello"))[:12])
    half.close()


def case_reset_cancels():
    raw = Raw()
    stream = raw.start("Slow")
    raw.send(stream, frame(b""), end=True)
    Raw().settle("slow_started")
    raw.conn.reset_stream(stream, 8)
    raw.flush()
    Raw().settle("slow_cancelled")


def case_headers_without_end():
    sock = preface()
    sock.sendall(raw_frame(1, 0, 1, REQUEST) + raw_frame(6, 0, 0, b"12345678"))
    check(goaway_code(closes(sock)), 1)


def case_continuation_flood():
    sock = preface()
    try:
        sock.sendall(raw_frame(1, 0, 1, REQUEST))
        for _ in range(10_000):
            sock.sendall(raw_frame(9, 0, 1, literal(b"x", b"y")))
    except (ConnectionError, ssl.SSLError):
        pass
    closes(sock)


def case_data_on_closed_stream():
    raw = Raw()
    stream = raw.start("Say")
    raw.send(stream, frame(b"hello"), end=True)
    check(raw.finish(stream).status, 0)
    for _ in range(10):
        raw.sock.sendall(raw_frame(0, 0, stream, b"late"))
    # RFC 9113 lets the server ignore them, reset the stream or end the connection.
    try:
        raw.call("Say")
    except AssertionError:
        check(raw.closed, True)


def case_data_on_idle_stream():
    sock = preface()
    sock.sendall(raw_frame(0, 0, 7, b"what"))
    check(goaway_code(closes(sock)), 1)


def case_invalid_frame_sizes():
    for bad, code in [
        (raw_frame(6, 0, 0, b"1234567"), 6), (raw_frame(4, 0, 0, b"12345"), 6), (raw_frame(8, 0, 0, b"123"), 6),
        (raw_frame(3, 0, 1, b"12"), 6), (raw_frame(0, 0, 1, b"", length=1_000_000), 6),
        (raw_frame(5, 4, 1, b"1234"), 1), (raw_frame(1, 4, 2, REQUEST), 1), (raw_frame(1, 4, 0, REQUEST), 1),
        (raw_frame(1, 4, 1, b"\xff\xff\xff\xff\xff"), 9), (raw_frame(1, 12, 1, b"\xff"), 1),
    ]:
        sock = preface()
        sock.sendall(bad)
        check(goaway_code(closes(sock)), code, repr(bad[:20]))


def case_bad_pseudo_headers():
    for block in (REQUEST + literal(b":path", b"/x"), REQUEST + literal(b"Upper", b"x"), literal(b":method", b"POST"),
                  REQUEST + literal(b"connection", b"close"), REQUEST + literal(b"x", b"a\0b")):
        sock = preface()
        sock.sendall(raw_frame(1, 5, 1, block) + raw_frame(1, 4, 3, REQUEST) + raw_frame(0, 1, 3, frame(b"hello")))
        said = b""
        while b"hello" not in said:
            piece = sock.recv(65536)
            check(bool(piece), True, f"open after {block[-20:]!r}")
            said += piece


# Floods.

def flood(make, count, batch=50):
    sock = preface()
    try:
        for i in range(0, count, batch):
            sock.sendall(b"".join(make(j) for j in range(i, i + batch)))
    except (ConnectionError, ssl.SSLError):
        pass
    return sock


def case_rapid_reset():
    sock = flood(lambda i: raw_frame(1, 5, 2 * i + 1, REQUEST) + raw_frame(3, 0, 2 * i + 1, b"\0\0\0\x08"), 5_000)
    check(goaway_code(closes(sock)) in (11, None), True)
    check(Raw().counters()["misbehaved"], 1)


def case_made_you_reset():
    # A window update of zero makes the server reset the stream.
    sock = flood(lambda i: raw_frame(1, 4, 2 * i + 1, REQUEST) + raw_frame(8, 0, 2 * i + 1, b"\0\0\0\0"), 5_000)
    closes(sock)


def case_cancelled_calls_do_not_pile_up():
    raw, other = Raw(), Raw()
    for started in (4, 8):
        streams = [raw.start("IgnoreCancel") for _ in range(4)]
        for stream in streams:
            raw.send(stream, frame(b""), end=True)
        other.settle("ignore_started", started)
        for stream in streams:
            raw.conn.reset_stream(stream, 8)
        raw.flush()
    # Eight run on, though their streams are gone: as many as twice the limit on streams.
    check(raw.call("Say").status, 8)
    other.settle("ignored_cancel", 8)
    check(raw.call("Say").status, 0)


def case_settings_flood():
    # The peer never reads, so that acknowledgements pile up.
    flood(lambda _: raw_frame(4, 0, 0, b""), 200_000, batch=1_000).close()


def case_ping_flood():
    flood(lambda _: raw_frame(6, 0, 0, b"12345678"), 200_000, batch=1_000).close()


def case_many_connections():
    for i in range(1_000):
        sock = preface()
        sock.sendall(raw_frame(1, 4, 1, REQUEST) + raw_frame(0, i % 2, 1, frame(b"hello")))
        if i % 3 == 0:
            sock.recv(100)
        sock.close()
    raw = Raw()
    wait_until(lambda: raw.counters()["connections"] == 1, "all are closed")
    check(raw.counters()["live"], 1, "connections in memory")


# Limits and times of connections.

def case_connection_limit():
    first, second = Raw(), Raw()
    try:
        connect_tls().recv(1)
        raise AssertionError("a third connection was served")
    except (ConnectionError, ssl.SSLError):
        pass
    check(first.counters()["refused_too_many_connections"], 1)
    first.sock.close()
    second.settle("closed")


def case_handshake_timeout():
    closes(tcp())
    check(Raw().counters()["refused_handshake_timeout"], 1)


def case_slow_headers():
    sock = preface()
    sock.sendall(raw_frame(1, 0, 1, REQUEST[:20]))
    check(goaway_code(closes(sock)), 11)


def case_idle():
    raw = Raw()
    raw.until_closed()
    check([code for code, _ in raw.goaways][-1], 0)


def case_keepalive_lost():
    sock = preface()
    said = closes(sock)
    check(6 in [kind for kind, _, _ in frames(said)], True, "pinged")


def case_keepalive_answered():
    raw = Raw()
    pings = 0
    while pings < 5:
        check(raw.pump(), True, "open")
        pings += 1
    check(raw.call("Say").status, 0)


def case_age_is_announced_in_two_steps():
    sock = preface()
    sock.sendall(raw_frame(1, 4, 1, REQUEST.replace(literal(b":path", b"/echo.Echo/Say"), literal(
        b":path", b"/echo.Echo/IgnoreCancel"))) + raw_frame(0, 1, 1, frame(b"made it")))
    said = frames(closes(sock))
    check([payload for kind, _, payload in said if kind == 0 and payload], [frame(b"made it")])
    goaways = [struct.unpack(">II", payload[:8]) for kind, _, payload in said if kind == 7]
    check(goaways, [(2**31 - 1, 0), (1, 0)])


def case_age_grace_is_bounded():
    raw = Raw()
    raw.send(raw.start("Slow"), frame(b""), end=True)
    raw.until_closed()
    Raw().settle("slow_cancelled")


if __name__ == "__main__":
    common.main(globals())
