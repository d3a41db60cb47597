"""What the scripts share: where the gateway is, who calls it, and checks."""

import pathlib
import sys

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "proto"))

ADDRESS = sys.argv[1]
PKI = pathlib.Path(sys.argv[2])
ARGUMENTS = sys.argv[3:]


def load(proto):
    """The messages and services of a .proto file."""
    return grpc.protos_and_services(proto)


def load_messages(proto):
    """The messages of a .proto file by name. For files under grpc/, whose modules would hide the library's own."""
    import tempfile

    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from grpc_tools import protoc

    with tempfile.NamedTemporaryFile() as out:
        if protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--descriptor_set_out={out.name}", proto]):
            raise AssertionError(f"{proto} does not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read()).file
    return message_factory.GetMessages(files, pool=descriptor_pool.DescriptorPool())


def channel(client="operator", **options):
    credentials = grpc.ssl_channel_credentials(
        (PKI / "ca.pem").read_bytes(), (PKI / f"{client}.key").read_bytes(), (PKI / f"{client}.pem").read_bytes())
    return grpc.secure_channel(ADDRESS, credentials, [("grpc.enable_retries", 0), *options.items()])


def check(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def refusal(call):
    """What a call fails with: its code, the ErrorInfo of its details, and the error itself."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error_info(error), error
    raise AssertionError("the call succeeded")


def error_info(error):
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    if details is None:
        return None
    messages, _ = load("google/rpc/status.proto")
    status = messages.Status.FromString(details)
    check(status.code, error.code().value[0], "the code in the details")
    check(status.message, error.details(), "the message in the details")
    info = messages.ErrorInfo()
    if not status.details[0].Unpack(info):
        raise AssertionError(f"the first detail is {status.details[0].type_url}")
    return info


def main(cases):
    """Runs the case that the third argument names."""
    cases["case_" + ARGUMENTS[0]](*ARGUMENTS[1:])
