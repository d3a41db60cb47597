"""Postern in front of OpenBao: what a read that misses the cache costs beside the same read straight from OpenBao."""

from pathlib import Path

import latency
import policies
from gateway import Books, Gateway, WrongAnswers
from load import run, run_for, server_cpu_us
from openbao import PATH, OpenBao, Volatile

# Each call goes through to OpenBao: nothing is remembered, nothing is encrypted on the way.
STORE = """backend:
  kind: vault
envelope:
  enabled: false
cache:
  enabled: false"""
CONNECTIONS, STREAMS = 8, 4


def _opened(gateway: Gateway) -> int:
    """Connections that the gateway has opened to OpenBao since its start."""
    return int(sum(n for name, n in gateway.metrics().items() if name.startswith("postern_vault_connections_opened")))


def measure_reads(
    postern: Path, bao: Path, folder: Path, pki: Path, clientcert: Path, value: str, seconds: float
) -> dict:
    """The same reads by turns: straight from OpenBao, and through Postern; then one at a time."""
    openbao = OpenBao(bao, folder / "openbao", pki, value)
    gateway = Gateway(postern, folder / "gateway", pki, policies.small(), STORE, openbao.environment())
    try:
        gateway.start()
        gateway.check_answer(PATH, value)
        direct, through, books = openbao.target(http1=False), gateway.target(PATH, clientcert), Books(gateway)
        loads, cpu = {}, {}
        for name, target in (("direct", direct), ("through", through), ("direct", direct), ("through", through)):
            entries, before = openbao.audit_entries(), openbao.server.cpu_seconds()
            done = run_for(target, seconds / 2, CONNECTIONS, STREAMS)
            answers = sum(load.answers for load in done)
            if openbao.audit_entries() - entries < 2 * answers:
                raise WrongAnswers(f"OpenBao was asked less often than {answers} times: something was remembered")
            loads.setdefault(name, []).extend(load.per_second for load in done[1:])
            cpu.setdefault(name, []).append(server_cpu_us(openbao.server, before, done))
            if name == "through":
                books.settle(answers)
        opened, reads = _opened(gateway), books.answers

        before = openbao.server.cpu_seconds()
        sync, call, answers = latency.one_at_a_time(through, gateway.folder, gateway.record_bytes(), seconds)
        books.settle(answers)
        alone = run(direct, max(200, answers // 4), 1, 1, latencies=True)
        straight = latency.Latency.of(alone.latencies_ms)
        mean = lambda numbers: sum(numbers) / len(numbers)
        return {
            "in_flight": CONNECTIONS * STREAMS,
            "direct_per_second": mean(loads["direct"]), "through_per_second": mean(loads["through"]),
            "direct_openbao_cpu_us": mean(cpu["direct"]), "through_openbao_cpu_us": mean(cpu["through"]),
            "connections": opened, "reads": reads,
            "direct": vars(straight), "call": vars(call), "fdatasync": vars(sync),
            "added_p50_ms": call.p50 - straight.p50 - sync.p50,
        }
    finally:
        gateway.stop()
        openbao.server.stop()


def measure_list(postern: Path, bao: Path, folder: Path, pki: Path, secrets: int = 100_000) -> dict:
    """All names of a large store, page by page; memory before, at its most, and after."""
    volatile = Volatile(bao, folder / "openbao")
    gateway = Gateway(postern, folder / "gateway", pki, policies.small(), STORE, volatile.environment())
    try:
        volatile.fill([f"many/{n // 1000:03}/{n % 1000:03}" for n in range(secrets)])
        gateway.start()
        # The first pages warm up what is kept for good.
        for _, page in zip(range(5), gateway.pages("many", 1_000)):
            assert page
        before = gateway.server.memory()["rss_mb"]
        most, names, last = before, 0, ""
        for page in gateway.pages("many", 1_000):
            found = [entry["key"] for entry in page["entries"]]
            if found != sorted(found) or (found and found[0] <= last):
                raise WrongAnswers("the pages are not in order")
            names, last = names + len(found), found[-1] if found else last
            most = max(most, gateway.server.memory()["rss_mb"])
        if names != secrets:
            raise WrongAnswers(f"{names} names were listed of {secrets}")
        return {"secrets": secrets, "before_mb": before, "most_mb": most, "growth_mb": most - before}
    finally:
        gateway.stop()
        volatile.server.stop()
