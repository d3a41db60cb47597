"""The timestamp authority: what it stamps OpenSSL verifies, and each fault is one that OpenSSL finds."""

import json
import ssl
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from test_verify import HERE
from test_witness import PeerCase, call
from tsa import QUERY, REPLY, Authority


class AuthorityTests(PeerCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.keys = Path(folder.name) / "keys"
        Authority(cls.keys)

    def setUp(self):
        super().setUp()
        self.url = self.serve(Authority(self.keys))
        (self.folder / "data").write_bytes(b"a checkpoint\n")

    def openssl(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)

    def query(self, *options: str) -> bytes:
        done = self.openssl("ts", "-query", "-data", "data", "-sha256", "-out", "query", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return (self.folder / "query").read_bytes()

    def ask(self, query: bytes, kind: str = QUERY) -> tuple[int, bytes, str]:
        request = urllib.request.Request(self.url, query, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers["Content-Type"]

    def verifies(self, reply: bytes, *options: object) -> bool:
        (self.folder / "reply").write_bytes(reply)
        done = self.openssl("ts", "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", self.keys / "ca.pem",
                            *options)
        return done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr

    def fault(self, name: str) -> None:
        body = json.dumps({"fault": name, "count": 1}).encode()
        self.assertEqual(call(self.url + "/-/fault", body, "PUT")[0], 204)

    def test_timestamps_verify_with_and_without_nonce_and_certificate(self):
        for options in (["-cert"], ["-cert", "-no_nonce"]):
            status, reply, kind = self.ask(self.query(*options))
            self.assertEqual((status, kind), (200, REPLY))
            self.assertTrue(self.verifies(reply))
        status, reply, _ = self.ask(self.query())
        self.assertTrue(self.verifies(reply, "-untrusted", self.keys / "tsa.pem"))

    def test_every_fault_is_found_by_openssl(self):
        self.ask(self.query("-cert"))
        for name in ("rejected", "wrong-nonce", "wrong-imprint", "no-certificate", "expired", "untrusted",
                     "bad-signature", "replay", "garbage", "empty"):
            with self.subTest(name):
                query = self.query("-cert")
                self.fault(name)
                status, reply, _ = self.ask(query)
                self.assertEqual(status, 200)
                self.assertFalse(self.verifies(reply))
                status, reply, _ = self.ask(query)
                self.assertTrue(self.verifies(reply), "the fault goes on after its one request")

    def test_a_rejection_is_a_reply_with_that_status(self):
        query = self.query("-cert")
        self.fault("rejected")
        (self.folder / "reply").write_bytes(self.ask(query)[1])
        self.assertIn("Status: Rejected", self.openssl("ts", "-reply", "-in", "reply", "-text").stdout)

    def test_what_is_no_request_is_refused(self):
        query = self.query("-cert")
        self.assertEqual(self.ask(query, "text/plain")[0], 415)
        self.assertEqual(call(self.url)[0], 405)
        for body in (b"", b"0", query[:-1], query + b"\0", b"\x30\x80", b"\x30\x03\x02\x01\x01", b"x" * 100,
                     b"\x30\x0a\x02\x01\x01\x30\x05\x30\x00\x04\x20\x00"):
            self.assertEqual(self.ask(body)[0], 400, body)
        self.fault("wrong-type")
        self.assertEqual(self.ask(query)[2], "text/html")

    def test_the_command_serves_https_with_its_own_certificate(self):
        command = [sys.executable, HERE / "tsa.py", "--state", self.keys, "--fault", "refuse", "--fault-count", "1",
                   "--tls-certificate", self.keys / "server.pem", "--tls-key", self.keys / "server.key"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        facts = json.loads(process.stdout.readline())
        context = ssl.create_default_context(cafile=facts["ca"])
        request = urllib.request.Request(facts["url"], self.query("-cert"), {"Content-Type": QUERY})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=120, context=context)
        self.assertEqual(refused.exception.code, 503)
        refused.exception.close()
        with urllib.request.urlopen(request, timeout=120, context=context) as answer:
            self.assertTrue(self.verifies(answer.read()))
        process.terminate()
        self.assertEqual(process.wait(timeout=120), 0)


if __name__ == "__main__":
    unittest.main()
