"""What the figures were measured on, and how busy it was."""

import os
import platform
import resource
import subprocess
from pathlib import Path


def describe(folder: Path, postern: Path, bao: Path) -> dict:
    """The machine, the file system of `folder`, and the versions measured."""
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":", 1)[1].strip() for x in processors if x.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024 / 1e9
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "memory_gb": round(memory, 1),
        "kernel": platform.release(),
        "file_system": _output("df", "--output=fstype", str(folder)).splitlines()[-1],
        "postern": _output(str(postern), "version").splitlines()[0], "postern_bytes": postern.stat().st_size,
        "openbao": _output(str(bao), "version").splitlines()[0],
        "commit": _output("git", "describe", "--always", "--dirty"),
    }


class Others:
    """How much of the processors everything else here uses: what is in use, less what this program and those it
    started used. (The kernel's own threads count as others: a few per cent. The load average would not do, as it still
    has the build in it, and this program.)"""

    def __init__(self) -> None:
        self._before = self._read()

    def share(self) -> float:
        """0 to 1 of all cores, since this was made. Servers count as ours once they were stopped."""
        (total, used, ours), now = self._before, self._read()
        return max(0.0, (now[1] - used) - (now[2] - ours)) / max(0.01, now[0] - total)

    @staticmethod
    def _read() -> tuple[float, float, float]:
        """Seconds of all cores: that there were, in use, and used by us."""
        all_cores = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        ticks = [int(x) / os.sysconf("SC_CLK_TCK") for x in all_cores]
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4], sum(u.ru_utime + u.ru_stime for u in usages)


def _output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    return done.stdout.strip() or "unknown"
