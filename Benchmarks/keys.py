"""Keys: what an HSM has to do for reads, and what re-wrapping and re-encrypting cost while a gateway serves."""

import subprocess
import time
from pathlib import Path

import policies
from gateway import SQLITE, Books, Gateway, WrongAnswers
from load import run
from processes import clean_environment

_MODULE = "/usr/lib/softhsm/libsofthsm2.so"
_PIN = "bench-4711"
_PATH = "llm/openai/api_key"

# An HSM's key, and beside it the key file that a gateway without one begins with.
_HSM = """backend:
  kind: sqlite
  sqlite:
    path: secrets.sqlite
envelope:
  keys:
    - pkcs11: "pkcs11:token=bench;object=kek?module-path={module}&pin-source=file:{pin}"
    - file: kek"""


class SoftHSM:
    """A SoftHSM token in a folder of its own."""

    def __init__(self, folder: Path):
        (folder / "tokens").mkdir(parents=True, mode=0o700)
        self.configuration, self.pin = folder / "softhsm2.conf", folder / "pin"
        self.configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        self.pin.write_text(_PIN)
        self.pin.chmod(0o600)
        command = ["softhsm2-util", "--init-token", "--free", "--label", "bench", "--so-pin", "officer", "--pin", _PIN]
        subprocess.run(
            command, env=clean_environment(**self.environment), check=True, capture_output=True, timeout=60)

    @property
    def environment(self) -> dict[str, str]:
        """What finds the token."""
        return {"SOFTHSM2_CONF": str(self.configuration)}

    @property
    def store(self) -> str:
        """The store of a gateway whose keys it wraps."""
        return _HSM.format(module=_MODULE, pin=self.pin)


def _uses(gateway: Gateway, kek: str = "pkcs11:") -> int:
    """How often a key-encryption key was asked for anything."""
    name = "postern_kek_operations_total"
    return int(sum(n for key, n in gateway.metrics().items() if key.startswith(name) and f'kek="{kek}' in key))


def _finish(gateway: Gateway, verb: str, **order: object) -> tuple[dict, float, float]:
    """Runs a job on keys to its end; with the seconds it took, and the most memory meanwhile."""
    start, most = time.perf_counter(), 0.0
    job = gateway.call("POST", f"/admin/api/keys:{verb}", {"rate": 0, **order})["job"]
    while job["state"] == "running":
        time.sleep(0.1)
        most = max(most, gateway.server.memory()["rss_mb"])
        job = next(x for x in gateway.call("GET", "/admin/api/keys/jobs")["jobs"] if x["id"] == job["id"])
    if job["state"] != "done":
        raise WrongAnswers(f"the job ended as {job}")
    return job, time.perf_counter() - start, most


def measure_hsm(
    postern: Path, folder: Path, pki: Path, clientcert: Path, value: str, domains: int = 1_000, reads: int = 1_000_000,
) -> dict:
    """A million reads of secrets whose keys an HSM wraps; before that, 1,000 domains are wrapped anew under it."""
    hsm = SoftHSM(folder / "token")
    gateway = Gateway(postern, folder / "gateway", pki, policies.small(), SQLITE)
    try:
        gateway.start()
        gateway.store({f"d{n}/secret": "v" for n in range(domains - 1)} | {_PATH: value})
        gateway.stop()
        gateway.configure(hsm.store, hsm.environment)
        gateway.make_keys()
        gateway.start()
        before = _uses(gateway)
        job, seconds, _ = _finish(gateway, "rewrap")
        if job["changed"] != domains:
            raise WrongAnswers(f"{job['changed']} domains were wrapped anew of {domains}")
        result = {"domains": domains, "rewrap_seconds": seconds, "rewrap_uses": _uses(gateway) - before}

        gateway.check_answer(_PATH, value)
        books, before = Books(gateway), _uses(gateway)
        run(gateway.target(_PATH, clientcert), reads, 32, 32)
        books.settle(reads)
        return result | {"reads": reads, "uses": _uses(gateway) - before}
    finally:
        gateway.stop()


def measure_reencrypt(postern: Path, folder: Path, pki: Path, secrets: int = 100_000) -> dict:
    """Every secret of a domain is written again under a new key, as fast as it goes; the memory meanwhile."""
    gateway = Gateway(postern, folder / "gateway", pki, policies.small(), SQLITE)
    try:
        gateway.start()
        gateway.store({f"llm/{n // 1000:03}/{n % 1000:03}": f"value {n}" for n in range(secrets)})
        gateway.call("POST", "/admin/api/keys:rotate", {"domain": "llm"})
        gateway.stop()
        gateway.start()
        # What is kept for good is there after a first look over all.
        _finish(gateway, "references", domain="llm")
        before = gateway.server.memory()["rss_mb"]
        job, seconds, most = _finish(gateway, "reencrypt", prefix="llm")
        if job["changed"] != secrets:
            raise WrongAnswers(f"{job['changed']} secrets were written again of {secrets}")
        return {
            "secrets": secrets, "seconds": seconds, "per_second": secrets / seconds, "before_mb": before,
            "most_mb": most, "growth_mb": most - before}
    finally:
        gateway.stop()


def helper_rows(binary: Path, *arguments: str, timeout: float = 120) -> list[list[float]] | None:
    """The figures that a helper beside the binary prints, without its heading; None if it was not built."""
    if not binary.exists():
        return None
    done = subprocess.run([str(binary), *arguments], capture_output=True, text=True, timeout=timeout, check=True)
    return [[float(cell) for cell in line.split()] for line in done.stdout.splitlines()[1:]]
