"""Memory with 10,000 secrets in the cache and 1,000 services connected."""

import subprocess
import sys
import time
from pathlib import Path

import grpc

from gateway import Books, Gateway, WrongAnswers

ROOT = Path(__file__).resolve().parent.parent
_BATCH = 100


def read_all(gateway: Gateway, pki: Path, values: dict[str, str]) -> int:
    """Reads every secret once with the stock gRPC library and checks it; returns how many."""
    sys.path.insert(0, str(ROOT / "proto"))
    messages, services = grpc.protos_and_services("postern/v1/secrets.proto")
    credentials = grpc.ssl_channel_credentials(
        *((pki / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")))
    names = list(values)
    with grpc.secure_channel(gateway.grpc_address, credentials) as channel:
        stub = services.SecretServiceStub(channel)
        for start in range(0, len(names), _BATCH):
            batch = names[start:start + _BATCH]
            items = stub.BatchGet(messages.BatchGetRequest(paths=batch), timeout=30).items
            got = [{f.name: f.value.decode() for f in item.secret.fields} for item in items]
            if got != [{"value": values[name]} for name in batch]:
                raise WrongAnswers("BatchGet did not answer with the secrets that were stored")
    return len(names)


def measure(gateway: Gateway, pki: Path, secrets: int, connections: int) -> dict:
    """Stores and reads `secrets`, opens `connections`, and reads the gateway's memory at each step.

    The gateway is started afresh between storing and reading, so that what storing took is not counted.
    """
    values = {f"llm/service-{n}/api_key": f"sk-bench-{n:032d}" for n in range(secrets)}
    gateway.start()
    gateway.store(values)
    gateway.stop()
    gateway.start()
    result = {"started": gateway.server.memory()}

    books = Books(gateway)
    started = time.perf_counter()
    books.settle(read_all(gateway, pki, values))
    result["read_seconds"] = time.perf_counter() - started
    result["answers"], result["records"] = books.answers, books.records
    result["cached"] = gateway.server.memory()

    host, port = gateway.grpc_address.rsplit(":", 1)
    files = [str(pki / name) for name in ("ca.pem", "client.pem", "client.key")]
    command = [sys.executable, str(Path(__file__).with_name("idle.py")), host, port, str(connections), *files]
    clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = clients.stdout.readline()
        if line != f"open {connections}\n":
            raise RuntimeError(f"{connections} connections could not be opened")
        metrics = gateway.metrics()
        result["secrets"] = int(metrics["postern_cache_secrets"])
        result["connections"] = int(metrics["postern_grpc_connections"])
        result["connected"] = gateway.server.memory()
    finally:
        clients.kill()
        clients.wait()
        clients.stdin.close()
        clients.stdout.close()
    gateway.stop()
    found = result["secrets"], result["connections"]
    if found != (secrets, connections):
        raise RuntimeError(f"the gateway had {found[0]} secrets cached and {found[1]} connections")
    return result
