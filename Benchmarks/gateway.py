"""Postern as people run it: `postern serve` with mutual TLS, the envelope, the cache and the audit log."""

import http.client
import json
import re
import secrets
import ssl
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from load import Target
from processes import Server, clean_environment

_CONFIGURATION = """
grpc:
  listen: "127.0.0.1:0"
  certificate: {pki}/server.pem
  key: {pki}/server.key
  client_ca: {pki}/ca.pem
admin:
  listen: "127.0.0.1:0"
  certificate: {pki}/server.pem
  key_file: {pki}/server.key
{store}
policy:
  file: policy.yaml
audit:
  directory: audit
{audit}"""

# Secrets in a file, encrypted under a key in a file.
SQLITE = """backend:
  kind: sqlite
  sqlite:
    path: secrets.sqlite
envelope:
  key_file: kek"""


class WrongAnswers(Exception):
    """An answer was wrong, or answers and audit records do not match: the figures are worth nothing."""


class Gateway:
    """A gateway in a folder of its own, and what a client needs to call it."""

    def __init__(
        self, binary: Path, folder: Path, pki: Path, policy: str, store: str = SQLITE,
        environment: dict[str, str] | None = None, audit: str = "",
    ):
        self._binary, self._pki, self.folder = binary, pki, folder
        self._admin_key = secrets.token_urlsafe(32)
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        self.audit = folder / "audit"
        self.server: Server | None = None
        folder.mkdir(parents=True)
        self.configuration = folder / "postern.yaml"
        self._audit_settings = audit
        self.configure(store, environment)
        self.set_policy(policy)

    def configure(self, store: str, environment: dict[str, str] | None = None) -> None:
        """Writes the store that the next start takes, and what it needs in the environment."""
        self.configuration.write_text(
            _CONFIGURATION.format(pki=self._pki, store=store, audit=self._audit_settings))
        self._environment = environment or {}

    def set_policy(self, policy: str) -> None:
        """Writes the policy that the next start takes."""
        (self.folder / "policy.yaml").write_text(policy)

    def start(self) -> float:
        """Starts it; returns the seconds from exec to `ready`."""
        argv = [str(self._binary), "serve", "--config", str(self.configuration)]
        server = Server(argv, self.folder / "stderr.log", clean_environment(ADMIN_KEY=self._admin_key, **self._environment))
        self.server = server
        line = server.first_line(timeout=30)
        seconds = time.perf_counter() - server.started
        addresses = re.fullmatch(r"ready grpc=(\S+) admin=(\S+)", line)
        if not addresses:
            raise RuntimeError(f"not the line expected of postern serve: {line}")
        self.grpc_address, self.admin_address = addresses[1], addresses[2]
        return seconds

    def stop(self) -> None:
        """Stops it, if it runs."""
        if self.server:
            self.server.stop()
            self.server = None

    # What the load generator sends.

    def target(self, path: str, clientcert: Path) -> Target:
        """A Get of `path`, for h2load."""
        message = b"\x0a" + bytes([len(path)]) + path.encode()
        body = self.folder / "request.bin"
        body.write_bytes(b"\x00" + struct.pack(">I", len(message)) + message)
        return Target(
            f"https://{self.grpc_address}/postern.v1.SecretService/Get",
            {"content-type": "application/grpc", "te": "trailers"}, body,
            {"LD_PRELOAD": str(clientcert), "CLIENT_CERT": str(self._pki / "client.pem"),
             "CLIENT_KEY": str(self._pki / "client.key")})

    # What a person does.

    def store(self, values: dict[str, str]) -> None:
        """Stores secrets with the admin API, over a few connections at a time."""
        names, failures = iter(list(values)), []

        def work() -> None:
            host, port = self.admin_address.rsplit(":", 1)
            connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=self._tls)
            headers = {"Authorization": f"Bearer {self._admin_key}", "Content-Type": "application/json"}
            try:
                for name in names:
                    body = json.dumps({"name": name, "value": values[name]})
                    connection.request("POST", "/admin/api/secrets", body, headers)
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status != 201:
                        raise RuntimeError(f"{name} was not stored: {answer.status} {text.decode()}")
            except Exception as error:  # Told to the caller below.
                failures.append(error)
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for _ in range(min(8, len(values)))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failures:
            raise failures[0]

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """Calls the admin API once."""
        request = urllib.request.Request(
            f"https://{self.admin_address}{path}", json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {self._admin_key}", "Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def pages(self, prefix: str, limit: int):
        """The names below a prefix, page by page, through the admin API."""
        host, port = self.admin_address.rsplit(":", 1)
        connection = http.client.HTTPSConnection(host, int(port), timeout=60, context=self._tls)
        after = ""
        try:
            while True:
                query = f"?prefix={prefix}&recursive=true&limit={limit}" + (f"&after={after}" if after else "")
                connection.request(
                    "GET", f"/admin/api/secrets{query}", headers={"Authorization": f"Bearer {self._admin_key}"})
                answer = connection.getresponse()
                page = json.loads(answer.read())
                if answer.status != 200:
                    raise RuntimeError(f"a page was not listed: {answer.status} {page}")
                yield page
                after = page.get("next")
                if not after:
                    return
        finally:
            connection.close()

    def make_keys(self) -> None:
        """Makes the key-encryption keys of the configuration that are missing."""
        self._postern("keys", "init", "--config", str(self.configuration))

    def check_answer(self, path: str, value: str) -> None:
        """Raises unless `postern get` prints the secret. This is one answer more to count."""
        answer = self._postern(
            "get", path, "--address", self.grpc_address, "--cert", str(self._pki / "client.pem"),
            "--key", str(self._pki / "client.key"), "--ca", str(self._pki / "ca.pem"), "--output", "json")
        fields = {field["name"]: field.get("value") for field in json.loads(answer)["fields"]}
        if fields != {"value": value}:
            raise WrongAnswers(f"postern get {path} did not print the secret that was stored")

    # What the books say.

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name and labels."""
        with urllib.request.urlopen(f"https://{self.admin_address}/metrics", context=self._tls, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(number) for name, number in (x.rsplit(" ", 1) for x in lines if x and x[0] != "#")}

    def audit_records(self) -> int:
        """Records in the audit log, each checked, with the chain over all of them."""
        found = self._postern("audit", "verify", "--directory", str(self.audit), "--output", "json")
        return json.loads(found)["records"]

    def record_bytes(self) -> int:
        """Bytes that the write of a batch with the last record alone has: its header, the record, a newline."""
        tail = self._postern("audit", "tail", "--count", "1", "--directory", str(self.audit), "--output", "json")
        record = json.loads(tail)
        record.pop("index", None)
        return 96 + len(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()) + 1

    def _postern(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._binary), *arguments], capture_output=True, text=True, timeout=120,
            env=clean_environment(ADMIN_KEY=self._admin_key, **self._environment))
        if done.returncode != 0:
            raise WrongAnswers(f"postern {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr}")
        return done.stdout


class Books:
    """Holds a gateway to its word: as many audit records and good answers as were received."""

    _READS = 'postern_requests_total{operation="secret.read",outcome="ok"}'

    def __init__(self, gateway: Gateway):
        self._gateway, self.answers, self.records = gateway, 0, 0
        self.reopen()

    def _counts(self) -> tuple[int, int]:
        return self._gateway.audit_records(), int(self._gateway.metrics().get(self._READS, 0))

    def reopen(self) -> None:
        """Goes on after the gateway was started again: its own count began afresh, its log did not."""
        self._before = self._counts()

    def settle(self, answers: int) -> None:
        """Raises unless the records written and the answers counted as good since the last time are `answers`.

        h2load takes a gRPC error for a success, as its HTTP status is 200; the gateway's own count does not.
        """
        now = self._counts()
        records, good = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        self.answers, self.records = self.answers + answers, self.records + records
        if not records == good == answers:
            raise WrongAnswers(f"{answers} answers, of which {good} have the secret, but {records} audit records")
