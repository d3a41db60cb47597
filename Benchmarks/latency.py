"""One call at a time, beside what it cannot do without: the disk's write + fdatasync of one audit record."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from load import Target, run


@dataclass(frozen=True)
class Latency:
    """Milliseconds."""

    count: int
    mean: float
    p50: float
    p99: float

    @staticmethod
    def of(samples: list[float]) -> "Latency":
        ordered = sorted(samples)
        return Latency(len(ordered), fmean(ordered), ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100])


def fdatasync_ms(folder: Path, size: int, seconds: float) -> list[float]:
    """Milliseconds for each write + fdatasync of `size` bytes, one after the other, in a file with its room reserved.

    That is how the audit log writes, without the gateway around it.
    """
    path, block, room, samples = folder / "fdatasync.tmp", os.urandom(size), 32 << 20, []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, room)
        os.fsync(descriptor)
        offset, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end and offset + size < room:
            start = time.perf_counter()
            os.pwrite(descriptor, block, offset)
            os.fdatasync(descriptor)
            samples.append((time.perf_counter() - start) * 1e3)
            offset += size
    finally:
        os.close(descriptor)
        path.unlink()
    return samples


def one_at_a_time(target: Target, folder: Path, record_bytes: int, seconds: float) -> tuple[Latency, Latency, int]:
    """The fdatasync alone, and a call, by turns so that both see the same disk; and how many calls there were."""
    rounds = 4
    warm = run(target, 300, 1, 1)
    answers, calls, syncs = warm.answers, [], []
    for _ in range(rounds):
        syncs += fdatasync_ms(folder, record_bytes, seconds / rounds)
        load = run(target, max(100, int(warm.per_second * seconds / rounds)), 1, 1, latencies=True)
        answers += load.answers
        calls += load.latencies_ms
    return Latency.of(syncs), Latency.of(calls), answers
