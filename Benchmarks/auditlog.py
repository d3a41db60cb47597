"""The audit log without a gateway around it: appending, publishing, verifying, and what it takes on disk."""

import json
import re
import subprocess
import time
from pathlib import Path
from statistics import median

from gateway import Gateway
from load import run_for, server_cpu_us
from processes import clean_environment

TASKS = 1_024
SECONDS = 4


def measure(postern: Path, folder: Path) -> dict | None:
    """Figures of the log alone; None if the helper `audit-storm` is not beside the binary."""
    helper = postern.with_name("audit-storm")
    if not helper.exists():
        return None
    folder.mkdir(mode=0o700)
    results = {}
    for name, mode in (("unpublished", ["unpublished"]), ("published", [])):
        done = subprocess.run(
            [str(helper), "bench", str(folder / name), str(TASKS), str(SECONDS), *mode],
            capture_output=True, text=True, timeout=60, check=True)
        results[name] = done.stdout.strip()
        results[name + "_per_second"] = int(re.search(r"sustained (\d+) records/s", done.stdout)[1])
    log = folder / "published"
    started = time.perf_counter()
    done = subprocess.run(
        [str(postern), "audit", "verify", str(log), "--output", "json"], capture_output=True, text=True, timeout=300,
        check=True, env=clean_environment())
    seconds = time.perf_counter() - started
    records = json.loads(done.stdout)["records"]
    results |= {
        "records": records, "verify_per_second": records / seconds,
        "record_bytes": int(re.search(r"records of (\d+) bytes", results["published"])[1]),
        "disk_bytes": sum(x.stat().st_blocks * 512 for x in (log / "log").rglob("*") if x.is_file()) / records,
    }
    return results


def publication_cost(
    postern: Path, folder: Path, pki: Path, policy: str, secret: tuple[str, str], clientcert: Path, seconds: float,
) -> dict:
    """What publishing the log takes from reads: the same load with and without it, by turns."""
    rates, cpu = {"400ms": [], "1h": []}, {"400ms": [], "1h": []}
    gateways = {
        interval: Gateway(postern, folder / interval, pki, policy, audit=f"  checkpoint_interval: {interval}\n")
        for interval in rates
    }
    for turn in range(3):
        for interval, gateway in gateways.items():
            try:
                gateway.start()
                if turn == 0:
                    gateway.store({secret[0]: secret[1]})
                before = gateway.server.cpu_seconds()
                warm, *loads = run_for(gateway.target(secret[0], clientcert), seconds, 32, 32)
                # What was recorded last is published within this time.
                time.sleep(1)
                cpu[interval].append(server_cpu_us(gateway.server, before, [warm, *loads]))
                rates[interval] += [load.per_second for load in loads]
            finally:
                gateway.stop()
    published, alone = median(rates["400ms"]), median(rates["1h"])
    return {
        "published_per_second": published, "unpublished_per_second": alone, "share": 1 - published / alone,
        "published_cpu_us": median(cpu["400ms"]), "unpublished_cpu_us": median(cpu["1h"]),
    }
