"""Loads a server with h2load, and reads its report."""

import os
import re
import resource
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from processes import Server

_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Target:
    """What h2load requests: a URL with headers and a body, by a client with a certificate or without."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    http1: bool = False


@dataclass(frozen=True)
class Load:
    """One run of h2load."""

    answers: int
    connections: int
    streams: int
    seconds: float
    per_second: float
    mean_ms: float
    tls: str
    client_cpu_us: float
    latencies_ms: list[float] = field(default_factory=list, repr=False)


def run(target: Target, requests: int, connections: int, streams: int, latencies: bool = False) -> Load:
    """Makes exactly `requests` requests. Raises unless each of them was answered with an HTTP status of 2xx."""
    argv = ["h2load", "-t1", f"-n{requests}", f"-c{connections}", f"-m{streams}"]
    argv += ["--h1"] if target.http1 else []
    argv += [f"-H{name}: {value}" for name, value in target.headers.items()]
    argv += ["-d", str(target.body)] if target.body else []
    with tempfile.NamedTemporaryFile(dir=os.environ["TMPDIR"]) as log:
        argv += ["--log-file", log.name] if latencies else []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*argv, target.url], env=os.environ | target.environment, capture_output=True, text=True, timeout=90)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = [line.split("\t") for line in Path(log.name).read_text().splitlines()]
    report = done.stdout
    succeeded, answered = re.search(r"(\d+) succeeded", report), re.search(r"status codes: (\d+) 2xx", report)
    if done.returncode != 0 or not succeeded or not answered or {succeeded[1], answered[1]} != {str(requests)}:
        raise RuntimeError(f"not all of {requests} requests to {target.url} succeeded:\n{report}{done.stderr}")
    finished = re.search(r"finished in ([\d.]+)(us|ms|s), ([\d.]+) req/s", report)
    mean = re.search(r"time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)", report)
    protocol = re.search(r"TLS Protocol: (\S+)", report)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Load(
        answers=requests, connections=connections, streams=streams,
        seconds=float(finished[1]) * _MILLISECONDS[finished[2]] / 1e3, per_second=float(finished[3]),
        mean_ms=float(mean[1]) * _MILLISECONDS[mean[2]], tls=protocol[1] if protocol else "none",
        client_cpu_us=cpu / requests * 1e6, latencies_ms=[int(row[2]) / 1e3 for row in rows])


def run_for(target: Target, seconds: float, connections: int, streams: int, rounds: int = 3) -> list[Load]:
    """A short run to warm up and learn the speed, then `rounds` that take about `seconds` together.

    The number of requests is fixed before a run rather than its time: a run that ends by the clock leaves calls
    that were recorded but whose answers nobody counted.
    """
    in_flight = connections * streams
    warm = run(target, max(in_flight * 4, 8_000), connections, streams)
    requests = max(in_flight * 4, int(warm.per_second * seconds / rounds))
    return [warm, *(run(target, requests, connections, streams) for _ in range(rounds))]


def server_cpu_us(server: Server, before: float, loads: list[Load]) -> float:
    """Processor time of `server` for each answer since `before`, in microseconds."""
    return (server.cpu_seconds() - before) / sum(load.answers for load in loads) * 1e6
