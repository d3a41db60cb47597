"""Starts and stops the servers that are measured, and reads what the kernel knows of them."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    """Runs in the child: even if this program is killed with SIGKILL, no server stays behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def clean_environment(**extra: str) -> dict[str, str]:
    """This environment without settings for the programs measured, and `extra` over it."""
    ours = ("POSTERN_", "VAULT_", "BAO_", "ADMIN_KEY")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | extra


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process whose standard error goes to `log`."""

    def __init__(self, argv: list[str], log: Path, environment: dict[str, str]):
        self.name, self.log = Path(argv[0]).name, log
        self.started = time.perf_counter()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment,
                preexec_fn=_die_with_parent)
        self.pid = self._process.pid

    def first_line(self, timeout: float) -> str:
        """The first line of its standard output."""
        deadline, line = time.monotonic() + timeout, b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not readable:
                raise TimeoutError(f"{self.name} was not ready within {timeout} s; see {self.log}")
            byte = os.read(self._process.stdout.fileno(), 1)
            if not byte:
                raise RuntimeError(f"{self.name} ended before it was ready:\n{self.log.read_text()[-2000:]}")
            line += byte
        return line.decode().strip()

    def check_running(self) -> None:
        """Raises if it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-2000:]}")

    def cpu_seconds(self) -> float:
        """Processor time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, float]:
        """MB (10^6 bytes) in memory: all of it, what is its own, and the most there ever was."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        megabytes = lambda key: int(lines[key].split()[0]) * 1024 / 1e6
        return {"rss_mb": megabytes("VmRSS"), "own_mb": megabytes("RssAnon"), "peak_mb": megabytes("VmHWM")}

    def stop(self) -> None:
        """Asks it to end, and kills it if it does not."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
