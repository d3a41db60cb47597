"""What a stock gRPC client (C-core) sees."""

import threading
import time

import grpc

import common
from common import channel, check, refusal

messages, services = common.load("postern/v1/secrets.proto")
TIMEOUT = 30
ended = threading.Event()


def stub(client="operator"):
    return services.SecretServiceStub(channel(client))


def put(secrets, path, value, **more):
    return secrets.Put(
        messages.PutRequest(path=path, fields=[messages.Field(name="value", value=value)], **more), timeout=TIMEOUT)


def case_every_method():
    secrets = stub()
    path = "llm/python"
    every_byte = bytes(range(256))
    check(put(secrets, path, every_byte, expected_version=0).version.version, 1)
    got = secrets.Get(messages.GetRequest(path=path), timeout=TIMEOUT)
    check([(f.name, f.value) for f in got.fields], [("value", every_byte)])
    check(got.served_from != 0, True, "served_from")
    check(bool(got.audit.request_id), True, "request_id")
    check(put(secrets, path, b"2").version.version, 2)
    old = secrets.Get(messages.GetRequest(path=path, version=1), timeout=TIMEOUT)
    check(old.fields[0].value, every_byte)
    changed = secrets.UpdateMetadata(
        messages.UpdateMetadataRequest(path=path, cas_required=True, set_labels={"a": "b"}), timeout=TIMEOUT)
    check((changed.secret.cas_required, dict(changed.secret.labels)), (True, {"a": "b"}))
    code, info, _ = refusal(lambda: put(secrets, path, b"3"))
    check((code, info.reason), (grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"), "a write without CAS")
    check(put(secrets, path, b"3", expected_version=2).version.version, 3)
    secrets.Delete(messages.DeleteRequest(path=path, versions=[1, 3]), timeout=TIMEOUT)
    secrets.Undelete(messages.UndeleteRequest(path=path, versions=[3]), timeout=TIMEOUT)
    secrets.Destroy(messages.DestroyRequest(path=path, versions=[2]), timeout=TIMEOUT)
    described = secrets.Describe(messages.DescribeRequest(path=path), timeout=TIMEOUT).secret
    check([v.state for v in described.versions], [2, 3, 1])
    batch = secrets.BatchGet(messages.BatchGetRequest(paths=[path, "llm/none"]), timeout=TIMEOUT)
    check([item.WhichOneof("result") for item in batch.items], ["secret", "error"])
    pages = list(secrets.List(messages.ListRequest(prefix="llm", recursive=True), timeout=TIMEOUT))
    check([e.key for p in pages for e in p.entries], [path])
    secrets.Remove(messages.RemoveRequest(path=path), timeout=TIMEOUT)
    code, info, _ = refusal(lambda: secrets.Get(messages.GetRequest(path=path), timeout=TIMEOUT))
    check((code, info.reason), (grpc.StatusCode.NOT_FOUND, "not_found"))


def case_error_details():
    secrets = stub()
    put(secrets, "llm/a", b"1")
    put(secrets, "llm/a", b"2")

    code, info, _ = refusal(lambda: put(secrets, "llm/a", b"3", expected_version=1))
    check((code, info.domain, info.reason), (grpc.StatusCode.ABORTED, "postern", "conflict"))
    check(info.metadata["current_version"], "2")
    code, info, _ = refusal(lambda: put(secrets, "llm/none", b"3", expected_version=7))
    check((code, info.reason, info.metadata["current_version"]), (grpc.StatusCode.ABORTED, "conflict", "0"))

    code, info, _ = refusal(lambda: stub("billing").Get(messages.GetRequest(path="llm/a"), timeout=TIMEOUT))
    check((code, info.reason), (grpc.StatusCode.PERMISSION_DENIED, "permission_denied"))
    print(info.metadata["request_id"], info.metadata["audit_index"])


def case_deadline():
    # Without a client's own timer in the way, only the server can end the call.
    call = channel().unary_unary("/postern.v1.SecretService/Get")
    request = messages.GetRequest(path="llm/a").SerializeToString()
    code, info, _ = refusal(lambda: call(request, timeout=0))
    check(code, grpc.StatusCode.DEADLINE_EXCEEDED)


def case_list(count):
    secrets = stub("gateway")
    request = messages.ListRequest(prefix="llm/many", recursive=True, page_size=10)
    keys, pages = [], 0
    for page in secrets.List(request, timeout=120):
        pages += 1
        keys += [entry.key for entry in page.entries]
        if pages <= 3:
            # A reader that is slower than the gateway: flow control must hold the rest back.
            time.sleep(0.2)
    check(keys, [f"llm/many/{i:05}" for i in range(int(count))])
    check(pages, int(count) // 10)
    some = list(secrets.List(messages.ListRequest(
        prefix="llm/many", recursive=True, page_size=1000, max_pages=1, after="llm/many/00009"), timeout=TIMEOUT))
    check((len(some), some[0].entries[0].key), (1, "llm/many/00010"))

    stream = secrets.List(request, timeout=120)
    next(stream)
    stream.cancel()
    check(len(list(secrets.List(messages.ListRequest(prefix="llm"), timeout=TIMEOUT))), 1)


def case_stuck():
    """A call that the gateway cannot end: the client never gives it room for the whole answer."""
    request = messages.ListRequest(prefix="many", page_size=1).SerializeToString()
    small = channel(**{"grpc.http2.lookahead_bytes": 1, "grpc.http2.bdp_probe": 0})
    stream = small.unary_stream("/postern.v1.SecretService/List")(request)
    next(stream)
    print("STUCK", flush=True)
    stream.add_callback(lambda: ended.set())
    ended.wait(120)


class Health:
    """grpc.health.v1.Health."""

    def __init__(self):
        kinds = common.load_messages("grpc/health/v1/health.proto")
        self.request = kinds["grpc.health.v1.HealthCheckRequest"]
        answer = kinds["grpc.health.v1.HealthCheckResponse"]
        how = dict(request_serializer=self.request.SerializeToString, response_deserializer=answer.FromString)
        self.check_method = channel().unary_unary("/grpc.health.v1.Health/Check", **how)
        self.watch_method = channel().unary_stream("/grpc.health.v1.Health/Watch", **how)
        self.name = answer.ServingStatus.Name

    def check(self, service=""):
        return self.name(self.check_method(self.request(service=service), timeout=TIMEOUT).status)

    def watch(self, service=""):
        return self.watch_method(self.request(service=service), timeout=120)


def case_health():
    health = Health()
    for service in ("", "postern.v1.SecretService"):
        check(health.check(service), "SERVING", service)
    code, _, _ = refusal(lambda: health.check("no.such"))
    check(code, grpc.StatusCode.NOT_FOUND)
    watch = health.watch("no.such")
    check(health.name(next(watch).status), "SERVICE_UNKNOWN")
    watch.cancel()


def case_health_status():
    print(Health().check())


def case_watch():
    """Says what Watch says until the stream ends."""
    health = Health()
    try:
        for answer in health.watch():
            print(health.name(answer.status), flush=True)
    except grpc.RpcError as error:
        print("END", error.code().name, flush=True)


def case_reflection():
    kinds = common.load_messages("grpc/reflection/v1/reflection.proto")
    request = kinds["grpc.reflection.v1.ServerReflectionRequest"]
    answer = kinds["grpc.reflection.v1.ServerReflectionResponse"]
    for version in ("v1", "v1alpha"):
        method = channel().stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=request.SerializeToString, response_deserializer=answer.FromString)
        symbol = "postern.v1.SecretService"
        asked = [
            request(list_services=""), request(file_containing_symbol=symbol),
            request(file_by_filename="postern/v1/secrets.proto"), request(file_containing_symbol="no.such.Symbol"),
        ]
        answers = list(method(iter(asked), timeout=TIMEOUT))
        listed = {service.name for service in answers[0].list_services_response.service}
        check({symbol, "grpc.health.v1.Health"} <= listed, True, f"services: {listed}")
        by_symbol = answers[1].file_descriptor_response.file_descriptor_proto
        check(list(by_symbol), list(answers[2].file_descriptor_response.file_descriptor_proto))
        check(b"SecretService" in by_symbol[0], True)
        check(answers[3].error_response.error_code, 5)
        load_everything(method, request, symbol)


def load_everything(method, ask, symbol):
    """What grpcurl and the like do: fetch a file and all that it imports, and build the types."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    seen = set()

    def load(request):
        answer = next(iter(method(iter([request]), timeout=TIMEOUT)))
        check(answer.WhichOneof("message_response"), "file_descriptor_response", str(request))
        for data in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            if file.name in seen:
                continue
            seen.add(file.name)
            for needed in file.dependency:
                load(ask(file_by_filename=needed))
            pool.Add(file)

    load(ask(file_containing_symbol=symbol))
    check(len(pool.FindServiceByName(symbol).methods), 10)


if __name__ == "__main__":
    common.main(globals())
