"""OpenBao as people run it: raft storage, TLS, a file audit device, one KV v2 secret, a token that may read it."""

import http.client
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from load import Target
from processes import Server, clean_environment, free_port

PATH = "llm/openai/api_key"
_READER = 'path "secret/data/llm/*" { capabilities = ["read"] }'


class OpenBao:
    """A running, unsealed OpenBao with the secret stored."""

    def __init__(self, binary: Path, folder: Path, pki: Path, value: str):
        self._value, self.audit_file, self._authority = value, folder / "audit.log", pki / "ca.pem"
        (folder / "raft").mkdir(parents=True)
        api, cluster = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self._url, self._tls = f"https://{api}", ssl.create_default_context(cafile=str(pki / "ca.pem"))
        configuration = folder / "bao.hcl"
        configuration.write_text(f"""
            storage "raft" {{
              path    = "{folder}/raft"
              node_id = "bench"
            }}
            listener "tcp" {{
              address         = "{api}"
              cluster_address = "{cluster}"
              tls_cert_file   = "{pki}/server.pem"
              tls_key_file    = "{pki}/server.key"
            }}
            audit "file" "file" {{
              description = "every request and every answer"
              options {{
                file_path = "{self.audit_file}"
              }}
            }}
            api_addr     = "https://{api}"
            cluster_addr = "https://{cluster}"
            log_level    = "warn"
            """)
        self.server = Server(
            [str(binary), "server", f"-config={configuration}"], folder / "stderr.log", clean_environment())
        try:
            self._set_up()
        except BaseException:
            self.server.stop()
            raise

    def _set_up(self) -> None:
        self._eventually("GET", "sys/seal-status", None, None)
        keys = self._call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, None)
        self._call("PUT", "sys/unseal", {"key": keys["keys"][0]}, None)
        root = keys["root_token"]
        # Until it is the leader, and again while it prepares the mount, it refuses.
        self._eventually("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, root)
        self._eventually("POST", f"secret/data/{PATH}", {"data": {"value": self._value}}, root)
        self._call("PUT", "sys/policies/acl/reader", {"policy": _READER}, root)
        token = self._call("POST", "auth/token/create", {"policies": ["reader"], "ttl": "1h"}, root)
        self._token = token["auth"]["client_token"]

    def _call(self, method: str, path: str, body: dict | None, token: str | None) -> dict:
        request = urllib.request.Request(
            f"{self._url}/v1/{path}", method=method, data=json.dumps(body).encode() if body else None,
            headers={"X-Vault-Token": token} if token else {})
        with urllib.request.urlopen(request, context=self._tls, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def _eventually(self, method: str, path: str, body: dict | None, token: str | None) -> dict:
        deadline = time.monotonic() + 40
        while True:
            self.server.check_running()
            try:
                return self._call(method, path, body, token)
            except (urllib.error.URLError, OSError) as error:
                # An HTTPError has the reason in its body.
                reason = error.read().decode() if isinstance(error, urllib.error.HTTPError) else str(error)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"OpenBao: {method} {path}: {reason}") from error
            time.sleep(0.2)

    def check_answer(self) -> None:
        """Raises unless a read with the token answers with the secret."""
        answer = self._call("GET", f"secret/data/{PATH}", None, self._token)
        if answer["data"]["data"] != {"value": self._value}:
            raise RuntimeError("OpenBao did not answer with the secret that was stored")

    def target(self, http1: bool) -> Target:
        """The read, for h2load."""
        return Target(f"{self._url}/v1/secret/data/{PATH}", {"X-Vault-Token": self._token}, http1=http1)

    def environment(self) -> dict[str, str]:
        """What a gateway in front of it needs."""
        return {"VAULT_ADDR": self._url, "VAULT_TOKEN": self._token, "VAULT_CACERT": str(self._authority)}

    def audit_entries(self) -> int:
        """Lines in the audit file: two for each read."""
        with self.audit_file.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


class Volatile:
    """OpenBao in memory, for stores too large to be written through a disk in the time there is."""

    def __init__(self, binary: Path, folder: Path):
        folder.mkdir(parents=True)
        self._port = free_port()
        self.server = Server(
            [str(binary), "server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token",
             f"-dev-listen-address=127.0.0.1:{self._port}"], folder / "stderr.log", clean_environment())
        deadline = time.monotonic() + 40
        while True:
            self.server.check_running()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/v1/sys/health", timeout=5).read()
                return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    self.server.stop()
                    raise
            time.sleep(0.1)

    def environment(self) -> dict[str, str]:
        """What a gateway in front of it needs."""
        return {
            "VAULT_ADDR": f"http://127.0.0.1:{self._port}", "VAULT_TOKEN": "root",
            "POSTERN_BACKEND_VAULT_ALLOW_LOOPBACK_HTTP": "true"}

    def fill(self, names: list[str]) -> None:
        """Stores a secret under each name, over a few connections."""
        rest, failures = iter(names), []

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            body, headers = b'{"data":{"value":"v"}}', {"X-Vault-Token": "root"}
            try:
                for name in rest:
                    connection.request("POST", f"/v1/secret/data/{name}", body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"{name} was not stored: {answer.status}")
            except Exception as error:  # Told to the caller below.
                failures.append(error)

        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if failures:
            raise failures[0]
