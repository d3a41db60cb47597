"""What a stock gRPC client (C-core) sees."""

import concurrent.futures
import queue
import threading

import grpc

import common
from common import Raw, check, wait_until

GOOD = object()


def channel(certificate=True, options=()):
    def read(name):
        with open(f"{common.CERTS}/{name}", "rb") as file:
            return file.read()

    credentials = grpc.ssl_channel_credentials(
        read("ca.pem"), read("client.key") if certificate else None, read("client.pem") if certificate else None)
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.use_local_subchannel_pool", 1),
               ("grpc.enable_retries", 0), *options]
    return grpc.secure_channel(f"127.0.0.1:{common.PORT}", credentials, options)


def unary(chan, name):
    return chan.unary_unary("/echo.Echo/" + name)


def fails(call, code):
    try:
        call()
    except grpc.RpcError as error:
        check(error.code(), code, f"code ({error.details()})")
        return error
    raise AssertionError("the call succeeded")


def case_echo():
    say = unary(channel(), "Say")
    for size in (0, 1, 100, 16_384, 1_280 * 1024):
        message = bytes(i % 251 for i in range(size))
        check(say(message) == message, True, f"{size} bytes")


def case_later():
    later = unary(channel(), "SayLater")
    calls = [later.future(str(i).encode()) for i in range(2_000)]
    for i, call in enumerate(calls):
        check(call.result(), str(i).encode())


def case_more_calls_than_streams():
    later = unary(channel(), "SayLater")
    calls = [later.future(b"x") for _ in range(1_000)]
    check({call.result() for call in calls}, {b"x"})


def case_big_response():
    big = unary(channel(options=[("grpc.max_receive_message_length", -1)]), "Big")
    check(big(b"5000000"), b"\x07" * 5_000_000)


def case_error_details():
    error = fails(lambda: unary(channel(), "Fail")(b"!"), grpc.StatusCode.PERMISSION_DENIED)
    check(error.details(), "Nein: 100 % größer\n")
    trailers = dict(error.trailing_metadata())
    check(trailers["grpc-status-details-bin"], b"details!")
    check(trailers["retry-pushback-ms"], "250")


def case_unknown_method():
    error = fails(lambda: unary(channel(), "Nope")(b""), grpc.StatusCode.UNIMPLEMENTED)
    check("/echo.Echo/Nope" in error.details(), True)
    other = channel().unary_unary("/other.Service/Say")
    fails(lambda: other(b""), grpc.StatusCode.UNIMPLEMENTED)


def case_metadata():
    call = unary(channel(), "Who").with_call
    text = call(b"", metadata=[("x-test", "one"), ("x-test-bin", bytes([0, 255, 7]))], timeout=60)[0].decode()
    method, address, der, attachment, header, binary, left = text.split("|")
    check((method, address, der), ("/echo.Echo/Who", "127.0.0.1", "48"))
    check(attachment.startswith("peer-"), True)
    check((header, binary, left), ("one", "0,255,7", "long"))
    check(call(b"", timeout=3)[0].decode().split("|")[-1], "short")


def case_deadline():
    fails(lambda: unary(channel(), "Slow")(b"", timeout=0.3), grpc.StatusCode.DEADLINE_EXCEEDED)
    Raw().settle("slow_cancelled")


def case_cancel():
    call = unary(channel(), "Slow").future(b"")
    Raw().settle("slow_started")
    call.cancel()
    Raw().settle("slow_cancelled")


def case_too_large():
    error = fails(lambda: unary(channel(), "Say")(b"x" * (1_280 * 1024 + 1)), grpc.StatusCode.RESOURCE_EXHAUSTED)
    check("larger than the limit" in error.details(), True, error.details())


def case_compressed():
    say = unary(channel(), "Say")
    fails(lambda: say(b"x" * 10_000, compression=grpc.Compression.Gzip), grpc.StatusCode.UNIMPLEMENTED)


def case_server_streaming():
    count = channel().unary_stream("/echo.Echo/Count")
    check([int(m) for m in count(b"10000")], list(range(10_000)))
    check([len(m) for m in count(b"20 300000")], [300_000] * 20)
    check(list(count(b"0")), [])


def case_server_streaming_cancelled():
    stream = channel().unary_stream("/echo.Echo/Count")(b"100000000 1000")
    next(stream)
    stream.cancel()
    wait_until(lambda: Raw().counters().get("code_1", 0) >= 1, "the call ends")
    written = Raw().counters()["written"]
    check(written < 100_000_000, True)


def case_busy_calls_do_not_starve_others():
    spin = unary(channel(), "Spin").future(b"")
    stream = channel().unary_stream("/echo.Echo/Count")(b"100000000 10000")
    reader = threading.Thread(target=lambda: [None for _ in swallow(stream)])
    reader.start()
    say = unary(channel(), "Say")
    for _ in range(100):
        check(say(b"x", timeout=20), b"x")
    spin.cancel()
    stream.cancel()
    reader.join()


def swallow(stream):
    try:
        yield from stream
    except grpc.RpcError:
        pass


def case_bidirectional():
    outgoing = queue.Queue()
    stream = channel().stream_stream("/echo.Echo/Chat")(iter(outgoing.get, None))
    for i in range(200):
        outgoing.put(str(i).encode() * (i * 10))
        check(next(stream), str(i).encode() * (i * 10))
    outgoing.put(None)
    check(list(stream), [])
    check(stream.code(), grpc.StatusCode.OK)


def case_bidirectional_bulk():
    messages = [bytes([i % 256]) * 10_000 for i in range(2_000)]  # 20 MB, past the limit on what is held
    stream = channel().stream_stream("/echo.Echo/Chat")(iter(messages))
    check(list(stream) == messages, True)


def case_streaming_fails_late():
    stream = channel().stream_stream("/echo.Echo/FailLate")(iter([b"a", b"b"]))
    got = []
    try:
        for message in stream:
            got.append(message)
    except grpc.RpcError as error:
        check((error.code(), error.details()), (grpc.StatusCode.FAILED_PRECONDITION, "late"))
    check(got, [b"a", b"b"])


def case_streaming_deadline():
    never = queue.Queue()
    stream = channel().stream_stream("/echo.Echo/WaitForMore")(iter(never.get, None), timeout=0.3)
    fails(lambda: list(stream), grpc.StatusCode.DEADLINE_EXCEEDED)
    never.put(None)
    wait_until(lambda: {"reader_failed_4", "reader_failed_1"} & set(Raw().counters()), "the reader is told")


def case_no_certificate():
    fails(lambda: unary(channel(certificate=False), "Say")(b"", timeout=10), grpc.StatusCode.UNAVAILABLE)
    check(Raw().counters()["refused_handshake_failed"] >= 1, True)


def case_refused():
    fails(lambda: unary(channel(), "Say")(b"", timeout=10), grpc.StatusCode.UNAVAILABLE)


def case_revoked_while_open():
    call = unary(channel(), "Slow").future(b"")
    Raw().settle("slow_started")
    check(unary(channel(), "CloseAll")(b"x"), b"x")
    fails(call.result, grpc.StatusCode.UNAVAILABLE)
    Raw().settle("slow_cancelled")


def case_shutdown_lets_calls_finish():
    chan = channel()
    # The handler takes 1.5 s; the shutdown gives it 10.
    call = unary(chan, "IgnoreCancel").future(b"made it")
    wait_until(lambda: call.running(), "the call runs")
    check(unary(chan, "Say")(b"x"), b"x")
    check(unary(chan, "Shutdown")(b"10000"), b"10000")
    check(call.result(), b"made it")
    fails(lambda: unary(chan, "Say")(b"", timeout=5), grpc.StatusCode.UNAVAILABLE)


def case_shutdown_is_bounded():
    chan = channel()
    call = unary(chan, "Slow").future(b"")
    Raw().settle("slow_started")
    unary(chan, "Shutdown")(b"300")
    fails(call.result, grpc.StatusCode.UNAVAILABLE)


def case_age():
    # Connections live for about 200 ms here; a client that goes on calling must not notice.
    say = unary(channel(), "SayLater")
    wait_until(lambda: say(b"x") == b"x" and Raw().counters().get("closed", 0) >= 5, "connections are replaced")


if __name__ == "__main__":
    common.main(globals())
