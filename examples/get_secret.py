#!/usr/bin/env python3
"""Reads a secret from a Postern gateway with the stock gRPC library for Python.

Shows all that a client in any language needs: the .proto file, a client certificate with its key, and the
certificate authority of the gateway.
"""

import argparse
import pathlib
import sys

import grpc

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "proto"))
messages, services = grpc.protos_and_services("postern/v1/secrets.proto")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="the secret's path, as in llm/openai/api_key")
    parser.add_argument("--as", dest="client", default="gateway", help="the client certificate to use")
    parser.add_argument("--address", default="127.0.0.1:7443")
    parser.add_argument("--dev-directory", default=".postern", type=pathlib.Path)
    options = parser.parse_args()

    pki = options.dev_directory / "pki"
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(pki / "ca.pem").read_bytes(),
        private_key=(pki / f"{options.client}.key").read_bytes(),
        certificate_chain=(pki / f"{options.client}.pem").read_bytes(),
    )
    with grpc.secure_channel(options.address, credentials) as channel:
        stub = services.SecretServiceStub(channel)
        try:
            answer = stub.Get(messages.GetRequest(path=options.path), timeout=5)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            return 1
    for field in answer.fields:
        print(f"{field.name}={field.value.decode(errors='backslashreplace')}")
    served_from = messages.ServedFrom.Name(answer.served_from)
    print(f"version={answer.version} etag={answer.etag} {served_from} audit_index={answer.audit.index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
