"""The figures as a table for people, with the targets that they are held to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One figure and what is asked of it."""

    name: str
    value: float
    unit: str
    target: float
    at_least: bool
    goal: float | None = None

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def row(self) -> tuple[str, str, str, str]:
        sign = "≥" if self.at_least else "≤"
        asked = f"{sign} {_number(self.target)}" + (f" (goal {_number(self.goal)})" if self.goal else "")
        return ("PASS" if self.met else "MISS", self.name, f"{_number(self.value)} {self.unit}", asked)


def claims(results: dict) -> list[Claim]:
    """What Postern promises, out of the results of a run."""
    full = results["postern"]["32 connections × 32 streams"]["per_second"]
    one = results["one_at_a_time"]
    books = results["books"]
    vault, listed = results["vault"], results["vault_list"]
    cpu = vault["through_openbao_cpu_us"] / vault["direct_openbao_cpu_us"]
    hsm = results["hsm"]
    asked = [
        Claim("audited reads, 32 connections × 32 streams", full, "reads/s", 80_000, True, 150_000),
        Claim("that ÷ OpenBao's audited reads", full / results["openbao_best"], "×", 35, True, 70),
        Claim("one call − one fdatasync, mean", one["added_ms"], "ms", 0.3, False),
        Claim("memory, 10,000 secrets + 1,000 connections", results["memory"]["connected"]["rss_mb"], "MB", 100, False),
        Claim("exec to ready, median", results["ready_ms"]["median"], "ms", 200, False),
        Claim("audit records − answers", books["records"] - books["answers"], "", 0, False),
        Claim("OpenBao's CPU for a read through Postern ÷ straight", cpu, "×", 1.15, False),
        Claim("a read through Postern − straight − one fdatasync, p50", vault["added_p50_ms"], "ms", 0.7, False),
        Claim("connections to OpenBao for 10,000 reads", vault["connections"] / vault["reads"] * 1e4, "", 10, False),
        Claim("memory's growth over a list of 100,000 names", listed["growth_mb"], "MB", 10, False),
        Claim("HSM operations for a million reads", hsm["uses"] / hsm["reads"] * 1e6, "", 9, False),
        Claim("memory's growth over re-encrypting 100,000 secrets", results["reencrypt"]["growth_mb"], "MB", 10, False),
        Claim("what publishing takes from reads", 100 * results["publication"]["share"], "%", 5, False),
    ]
    if results["envelope"]:
        # Beside the store's own cost, and for values as large as keys and tokens are.
        cost = results["envelope"][0][-1]
        asked.append(Claim("the envelope's cost for a read that misses the cache", cost, "µs", 5, False))
    if log := results.get("audit_log"):
        asked += [
            Claim("the audit log alone, synced and published", log["published_per_second"], "records/s", 150_000, True),
            Claim("verifying a log", log["verify_per_second"], "records/s", 500_000, True),
        ]
    return asked


def text(results: dict) -> str:
    """All of it, to be printed."""
    machine, others = results["machine"], results["others"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['file_system']}, "
        f"Linux {machine['kernel']}",
        f"{machine['postern']}, repository at {machine['commit']} · {machine['openbao']}",
        f"Other programs used {others:.0%} of the processors meanwhile. Load generator and server share the machine.",
    ]
    if others > 0.1:
        lines.append("OTHER WORK WAS RUNNING HERE: the figures are worse than those of a quiet machine.")
    lines += ["", *_loads(results), "", *_one_at_a_time(results["one_at_a_time"]), "", *_others(results), ""]
    lines += _table([("", "what", "measured", "asked"), *(claim.row() for claim in claims(results))])
    return "\n".join(lines)


def _loads(results: dict) -> list[str]:
    rows = [("load", "reads/s", "rounds", "mean ms", "server CPU", "client CPU", "audit")]
    for server, audit in (("openbao", "written, not synced"), ("postern", "synced before the answer")):
        for name, load in results[server].items():
            rows.append((
                f"{server}, {name}", _number(load["per_second"]),
                f"{_number(min(load['rounds']))}–{_number(max(load['rounds']))}", _number(load["mean_ms"]),
                f"{_number(load['server_cpu_us'])} µs", f"{_number(load['client_cpu_us'])} µs", audit))
    return _table(rows)


def _one_at_a_time(one: dict) -> list[str]:
    rows = [("one at a time, ms", "mean", "p50", "p99", "count")]
    for name, key in (("write + fdatasync alone", "fdatasync"), ("a call", "call")):
        latency = one[key]
        rows.append((name, *(_number(latency[k]) for k in ("mean", "p50", "p99", "count"))))
    return _table(rows)


def _others(results: dict) -> list[str]:
    memory, ready, connections, books = (results[k] for k in ("memory", "ready_ms", "new_connections", "books"))
    rows = [("also", "")]
    steps = (("started", "memory when started"), ("cached", f"with {memory['secrets']:,} secrets cached"),
             ("connected", f"and {memory['connections']:,} connections"))
    rows += [
        (name, f"{memory[key]['rss_mb']:.1f} MB, of which {memory[key]['own_mb']:.1f} MB its own")
        for key, name in steps
    ]
    rows += [
        (f"exec to ready, {ready['count']} starts", f"{ready['least']:.0f} to {ready['most']:.0f} ms"),
        (f"new connections with one call each, {connections['tls']}", f"{connections['per_second']:,.0f}/s"),
        ("answers received and verified by the gateway's count", f"{books['answers']:,}"),
        ("audit records written for them", f"{books['records']:,}"),
    ]
    vault, listed = results["vault"], results["vault_list"]
    rows += [
        (f"reads from OpenBao, {vault['in_flight']} in flight: straight, and through Postern",
         f"{_number(vault['direct_per_second'])}/s, {_number(vault['through_per_second'])}/s"),
        ("OpenBao's CPU for each: straight, and through Postern",
         f"{_number(vault['direct_openbao_cpu_us'])} µs, {_number(vault['through_openbao_cpu_us'])} µs"),
        ("one at a time, p50: straight, through Postern, one fdatasync",
         f"{_number(vault['direct']['p50'])} ms, {_number(vault['call']['p50'])} ms, "
         f"{_number(vault['fdatasync']['p50'])} ms"),
        ("connections to OpenBao for these reads", f"{vault['connections']} for {vault['reads']:,}"),
        (f"memory over a list of {listed['secrets']:,} names, by page",
         f"{listed['before_mb']:.1f} MB before, {listed['most_mb']:.1f} MB at most"),
    ]
    hsm, moved = results["hsm"], results["reencrypt"]
    rows += [
        (f"re-wrapping {hsm['domains']:,} domains under an HSM's key",
         f"{hsm['rewrap_seconds']:.1f} s, {hsm['rewrap_uses']:,} operations of the HSM"),
        (f"re-encrypting {moved['secrets']:,} secrets",
         f"{_number(moved['per_second'])}/s; {moved['before_mb']:.1f} MB before, {moved['most_mb']:.1f} MB at most"),
    ]
    rows += [
        (f"HSM wraps with unwraps, {_number(callers)} at once: bare loop on one thread, through the pool",
         f"{_number(bare)}/s, {_number(pool)}/s ({_number(ratio)} ×)")
        for callers, bare, pool, ratio in results["hsm_pool"] or []
    ]
    rows += [
        (f"a read of {_number(size)} bytes: from a store in memory, through the envelope",
         f"{_number(store)} µs, {_number(through)} µs of processor time")
        for size, store, through, _ in results["envelope"] or []
    ]
    publication = results["publication"]
    rows.append(
        ("reads with the audit log published, and without",
         f"{publication['published_per_second']:,.0f}/s, {publication['unpublished_per_second']:,.0f}/s"))
    if "audit_log" in results:
        log = results["audit_log"]
        rows += [
            ("the audit log alone, synced: with publishing, and without",
             f"{log['published_per_second']:,} records/s, {log['unpublished_per_second']:,} records/s"),
            (f"verifying {log['records']:,} records", f"{log['verify_per_second']:,.0f} records/s"),
            (f"published on disk for a record of {log['record_bytes']} bytes", f"{log['disk_bytes']:.0f} bytes"),
        ]
    return _table(rows)


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("─" * width for width in widths), *lines[1:]]
