#!/usr/bin/env python3
"""Measures Postern and OpenBao in one run on one machine: what is measured, in which order. Started by run.sh."""

import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import auditlog
import keys
import latency
import machine
import memory
import policies
import report
import vault
from gateway import Books, Gateway, WrongAnswers
from load import Target, run, run_for, server_cpu_us
from openbao import OpenBao
from processes import Server, clean_environment

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / ".postern-bench"
SECONDS = float(os.environ.get("POSTERN_BENCH_SECONDS", "6"))
LIMIT = 1_800
SECRET = "llm/openai/api_key"


def make_certificates(postern: Path, pki: Path) -> None:
    """One authority, one certificate for both servers, one for the client."""
    for arguments in (
        ["init"], ["issue", "server", "--server-dns", "localhost", "--server-ip", "127.0.0.1"],
        ["issue", "client", "--spiffe", policies.CLIENT],
    ):
        subprocess.run(
            [str(postern), "pki", *arguments, "--directory", str(pki)], check=True, capture_output=True, timeout=30,
            env=clean_environment())


def loaded(server: Server, target: Target, connections: int, streams: int) -> tuple[dict, int]:
    """The figures of a load, of which the median round counts; and how many answers there were, with the warm-up's."""
    before = server.cpu_seconds()
    warm, *rounds = loads = run_for(target, SECONDS, connections, streams)
    load = sorted(rounds, key=lambda load: load.per_second)[len(rounds) // 2]
    keep = ("connections", "streams", "answers", "seconds", "per_second", "mean_ms", "client_cpu_us", "tls")
    figures = {key: getattr(load, key) for key in keep}
    figures["rounds"] = [load.per_second for load in rounds]
    figures["server_cpu_us"] = server_cpu_us(server, before, loads)
    return figures, sum(load.answers for load in loads)


def measure_openbao(bao: Path, folder: Path, pki: Path, value: str) -> dict:
    """80 reads in flight, over HTTP/2 and over HTTP/1.1: it shall be measured at its best."""
    say("OpenBao: audited reads")
    openbao, results = OpenBao(bao, folder, pki, value), {}
    try:
        openbao.check_answer()
        before = openbao.audit_entries()
        answers = 0
        for name, http1, connections, streams in (
            ("HTTP/2, 8 connections × 10 streams", False, 8, 10), ("HTTP/1.1, 80 connections", True, 80, 1),
        ):
            results[name], count = loaded(openbao.server, openbao.target(http1), connections, streams)
            answers += count
        entries = openbao.audit_entries() - before
        if entries != 2 * answers:
            raise WrongAnswers(f"OpenBao wrote {entries} audit entries for {answers} reads, and not two for each")
        openbao.check_answer()
    finally:
        openbao.server.stop()
    return results


def measure_reads(gateway: Gateway, clientcert: Path, value: str, results: dict) -> None:
    """Cached reads at several loads, one at a time, on new connections, and under a large policy."""
    gateway.start()
    gateway.store({SECRET: value})
    target, books = gateway.target(SECRET, clientcert), Books(gateway)

    def settle(answers: int) -> None:
        gateway.check_answer(SECRET, value)
        books.settle(answers + 1)

    settle(0)
    postern = results["postern"] = {}
    for connections, streams in ((8, 10), (32, 32), (100, 20)):
        name = f"{connections} connections × {streams} streams"
        say(f"Postern: {name}")
        postern[name], answers = loaded(gateway.server, target, connections, streams)
        settle(answers)

    say("Postern: one call at a time")
    sync, call, answers = latency.one_at_a_time(target, gateway.folder, gateway.record_bytes(), SECONDS)
    settle(answers)
    results["one_at_a_time"] = {
        "record_bytes": gateway.record_bytes(), "fdatasync": vars(sync), "call": vars(call),
        "added_ms": call.mean - sync.mean, "added_p50_ms": call.p50 - sync.p50,
    }

    say("Postern: new connections")
    rounds = [run(target, 500, 500, 1) for _ in range(3)]
    settle(sum(load.answers for load in rounds))
    results["new_connections"] = {
        "per_second": median(load.per_second for load in rounds), "tls": rounds[0].tls,
        "rounds": [load.per_second for load in rounds],
    }
    gateway.stop()

    say("Postern: 1,000 rules × 100 principals")
    gateway.set_policy(policies.large())
    gateway.start()
    target = gateway.target(SECRET, clientcert)
    books.reopen()
    postern["32 × 32, 1,000 rules × 100 principals"], answers = loaded(gateway.server, target, 32, 32)
    settle(answers)
    gateway.stop()
    results["books"] = {"answers": books.answers, "records": books.records}


def measure_ready(gateway: Gateway) -> dict:
    """From exec to `ready`, in a folder that has been in use; the first start, which warms up, is left out."""
    say("Postern: exec to ready")
    times = []
    for _ in range(11):
        times.append(gateway.start() * 1e3)
        gateway.stop()
    return {"median": median(times[1:]), "least": min(times[1:]), "most": max(times[1:]), "count": len(times) - 1}


def measure_keys(folder: Path, postern: Path, pki: Path, value: str, results: dict) -> None:
    """What keys cost: an HSM's, the envelope's, and those of many domains and secrets at once."""
    say("Postern with keys in an HSM: re-wrapping 1,000 domains, then 1,000,000 reads")
    results["hsm"] = keys.measure_hsm(postern, folder / "hsm", pki, OUTPUT / "clientcert.so", value)
    say("The HSM's token, through the pool and in a bare loop")
    results["hsm_pool"] = keys.helper_rows(postern.with_name("pkcs11-bench"))
    say("The envelope alone")
    results["envelope"] = keys.helper_rows(postern.with_name("envelope-bench"))
    say("Postern: re-encrypting 100,000 secrets")
    results["reencrypt"] = keys.measure_reencrypt(postern, folder / "reencrypt", pki)


def say(what: str) -> None:
    """Progress, for who waits."""
    print(f"· {what}", file=sys.stderr, flush=True)


def measure(folder: Path, postern: Path, bao: Path) -> dict:
    """Everything, in order; servers run one at a time."""
    others = machine.Others()
    results = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "seconds_per_load": SECONDS,
        "machine": machine.describe(folder, postern, bao),
    }
    pki, value = folder / "pki", f"sk-bench-{secrets.token_hex(16)}"
    make_certificates(postern, pki)
    results["openbao"] = measure_openbao(bao, folder / "openbao", pki, value)
    results["openbao_best"] = max(load["per_second"] for load in results["openbao"].values())
    reads = Gateway(postern, folder / "reads", pki, policies.small())
    many = Gateway(postern, folder / "memory", pki, policies.small())
    try:
        measure_reads(reads, OUTPUT / "clientcert.so", value, results)
        say("Postern: memory with 10,000 secrets and 1,000 connections")
        results["memory"] = memory.measure(many, pki, secrets=10_000, connections=1_000)
        for key in ("answers", "records"):
            results["books"][key] += results["memory"][key]
        results["ready_ms"] = measure_ready(many)
    finally:
        reads.stop()
        many.stop()
    say("Postern in front of OpenBao: reads that miss the cache")
    results["vault"] = vault.measure_reads(
        postern, bao, folder / "vault", pki, OUTPUT / "clientcert.so", value, SECONDS)
    say("Postern in front of OpenBao: 100,000 names")
    results["vault_list"] = vault.measure_list(postern, bao, folder / "vault-list", pki)
    measure_keys(folder / "keys", postern, pki, value, results)
    say("Postern: reads with and without publishing the audit log")
    results["publication"] = auditlog.publication_cost(
        postern, folder / "publication", pki, policies.small(), (SECRET, value), OUTPUT / "clientcert.so", SECONDS)
    say("The audit log alone")
    if alone := auditlog.measure(postern, folder / "storm"):
        results["audit_log"] = alone
    results["others"] = others.share()
    results["claims"] = [vars(claim) | {"met": claim.met} for claim in report.claims(results)]
    return results


def stop_on(number: int, frame: object) -> None:
    """Turns a signal into an exception, so that every `finally` stops what it started."""
    if number == signal.SIGALRM:
        raise TimeoutError(f"the measurements took longer than {LIMIT} s")
    raise SystemExit(128 + number)


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, stop_on)
    signal.alarm(LIMIT)
    # A thousand connections need a thousand descriptors, here and in the servers, which inherit the limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    postern = Path(os.environ["POSTERN_BENCH_BINARY"]).resolve()
    bao = Path(sys.executable).with_name("bao")
    OUTPUT.mkdir(exist_ok=True)
    # Beside the repository rather than in /tmp, which may be memory: the audit log must reach a disk.
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=OUTPUT))
    os.environ["TMPDIR"] = str(folder)
    try:
        results = measure(folder, postern, bao)
    except WrongAnswers as error:
        print(f"WRONG ANSWERS: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    path = OUTPUT / "results.json"
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    print(f"\n{report.text(results)}\n\nAll of it as JSON: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
