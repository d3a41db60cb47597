"""The witness answers as its specification says, remembers through restarts, and misbehaves only when told to."""

import base64
import hashlib
import http.client
import json
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request

import peer
from make_log import LogWriter, encode_hashes, make_consistency, sample_entry
from merkle import EMPTY_ROOT
from note import COSIGNATURE, MLDSA_COSIGNATURE, Checkpoint, Key, Note, NoteError, Signer, verify_note
from test_verify import HERE, SIGNER, LogCase
from witness import Witness

WITNESS = Signer("witness.example.org/w1", bytes([7]) * 32, COSIGNATURE)


def call(url: str, body: bytes | None = None, method: str | None = None) -> tuple[int, bytes, str]:
    """Status, body and content type of a request."""
    try:
        request = urllib.request.Request(url, body, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers["Content-Type"]


class PeerCase(LogCase):
    """Serves a peer for a test."""

    def serve(self, served: peer.Peer) -> str:
        server = peer.start(served)
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.url


class WitnessTests(PeerCase):
    def setUp(self):
        super().setUp()
        self.writer = LogWriter(self.log, SIGNER)
        self.witness = Witness([WITNESS], [SIGNER.key], self.folder / "state")
        self.url = self.serve(self.witness)

    def grow(self, count: int) -> bytes:
        for _ in range(count):
            self.writer.append(sample_entry(self.writer.size))
        return self.writer.publish()

    def request(self, old: int, checkpoint: bytes, proof: list[bytes] | None = None) -> bytes:
        if proof is None:
            proof = make_consistency(self.log, old)
        return b"old %d\n" % old + encode_hashes(proof) + b"\n" + checkpoint

    def add(self, body: bytes) -> tuple[int, bytes, str]:
        return call(self.url + "/add-checkpoint", body)

    def test_a_growing_log_is_cosigned_at_every_step(self):
        old = 0
        for count in (1, 1, 5, 249, 1, 300, 0):
            checkpoint = self.grow(count)
            status, lines, _ = self.add(self.request(old, checkpoint))
            self.assertEqual(status, 200, lines)
            times = verify_note(Note.parse(checkpoint + lines), [SIGNER.key, WITNESS.key])
            self.assertGreater(times[WITNESS.key], 1_700_000_000)
            old = self.writer.size

    def test_the_latest_checkpoint_is_served_to_monitors(self):
        path = f"{self.url}/{hashlib.sha256(SIGNER.key.name.encode()).hexdigest()}/checkpoint"
        self.assertEqual(call(path)[0], 404)
        checkpoint = self.grow(3)
        stranger = Signer("stranger.example.org", bytes(32)).line(Note.parse(checkpoint).text)
        lines = self.add(self.request(0, checkpoint + stranger))[1]
        self.assertEqual(call(path)[:2], (200, checkpoint + lines))
        self.assertEqual(call(path, b"", "POST")[0], 405)
        self.assertEqual(call(self.url + "/add-checkpoint")[0], 405)
        self.assertEqual(call(self.url + "/x")[0], 404)

    def test_an_old_size_that_is_not_the_latest_gets_the_latest(self):
        self.assertEqual(self.add(self.request(0, self.grow(5)))[0], 200)
        checkpoint = self.grow(5)
        self.assertEqual(self.add(self.request(0, checkpoint, [])), (409, b"5\n", "text/x.tlog.size"))
        self.assertEqual(self.add(self.request(4, checkpoint)), (409, b"5\n", "text/x.tlog.size"))
        self.assertEqual(self.add(self.request(5, checkpoint))[0], 200)
        self.assertEqual(self.add(self.request(5, checkpoint)), (409, b"10\n", "text/x.tlog.size"))

    def test_what_is_not_consistent_is_unprocessable(self):
        first = self.grow(5)
        self.assertEqual(self.add(self.request(0, first, [bytes(32)]))[0], 422)
        self.assertEqual(self.add(self.request(0, first))[0], 200)
        second = self.grow(5)
        proof = make_consistency(self.log, 5)
        for bad in ([], proof[:-1], proof + [bytes(32)], [bytes(32)] + proof[1:]):
            self.assertEqual(self.add(self.request(5, second, bad))[0], 422)
        fork = SIGNER.sign(Checkpoint(SIGNER.key.name, 5, bytes(32)).text())
        self.assertEqual(self.add(self.request(5, fork, []))[0], 422)
        empty = Checkpoint("other.example.org", 0, bytes(32))
        other = Signer("other.example.org", bytes(32))
        self.witness.logs.append(other.key)
        self.assertEqual(self.add(self.request(0, other.sign(empty.text()), []))[0], 422)
        right = Checkpoint("other.example.org", 0, EMPTY_ROOT)
        self.assertEqual(self.add(self.request(0, other.sign(right.text()), []))[0], 200)
        self.assertEqual(self.add(self.request(5, second))[0], 200)

    def test_unknown_logs_and_false_signatures_are_refused(self):
        checkpoint = self.grow(5)
        text = Note.parse(checkpoint).text
        stranger = Signer("stranger.example.org", bytes(32))
        unknown = stranger.sign(Checkpoint(stranger.key.name, 5, bytes(32)).text())
        self.assertEqual(self.add(self.request(0, unknown))[0], 404)
        self.assertEqual(self.add(self.request(0, Signer(SIGNER.key.name, bytes(32)).sign(text)))[0], 403)
        self.assertEqual(self.add(self.request(0, stranger.sign(text)))[0], 403)
        self.assertEqual(self.add(self.request(0, checkpoint + SIGNER.line(text + b"x\n")))[0], 403)
        self.assertEqual(self.add(self.request(0, checkpoint + stranger.line(text)))[0], 200)

    def test_malformed_requests_are_refused(self):
        checkpoint = self.grow(5)
        line = base64.b64encode(bytes(32)) + b"\n"
        for body in (
            b"",
            checkpoint,
            b"old 0\n" + checkpoint,
            b"old 00\n\n" + checkpoint,
            b"old -1\n\n" + checkpoint,
            b"old\n\n" + checkpoint,
            b"new 0\n\n" + checkpoint,
            b"old 0 \n\n" + checkpoint,
            b"old 0\r\n\r\n" + checkpoint,
            b"old 0\nAAAA\n\n" + checkpoint,
            b"old 0\n" + line[:-2] + b"\n\n" + checkpoint,
            b"old 0\n" + line * 64 + b"\n" + checkpoint,
            b"old 0\n\n\n" + checkpoint,
            b"old 0\n\n" + checkpoint[:-1],
            b"old 6\n\n" + checkpoint,
            b"old 0\n\n" + checkpoint.replace(b"\n5\n", b"\n05\n"),
        ):
            self.assertEqual(self.add(body)[0], 400, body[:30])
        self.assertEqual(self.add(b"x" * 600_000)[0], 413)
        self.assertEqual(self.add(self.request(0, checkpoint))[0], 200)

    def test_of_many_at_once_exactly_one_moves_it_on(self):
        self.assertEqual(self.add(self.request(0, self.grow(5)))[0], 200)
        bodies = []
        for count in range(8):
            checkpoint = self.grow(1 + count)
            bodies.append(self.request(5, checkpoint))
        statuses = []
        threads = [threading.Thread(target=lambda b=body: statuses.append(self.add(b)[0])) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200] + [409] * 7)

    def test_a_chunked_request_and_a_second_one_on_its_connection_are_served(self):
        body = self.request(0, self.grow(5))
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=120)
        connection.request("POST", "/add-checkpoint", iter([body[:10], body[10:]]), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.read()[:4]), (200, "\u2014 ".encode()))
        connection.request("POST", "/add-checkpoint", self.request(5, self.grow(1)))
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_faults_come_as_often_as_told_and_are_what_they_say(self):
        def fault(**what) -> None:
            self.assertEqual(call(self.url + "/-/fault", json.dumps(what).encode(), "PUT")[0], 204)

        fault(fault="refuse", count=2)
        checkpoint = self.grow(5)
        body = self.request(0, checkpoint)
        self.assertEqual([self.add(body)[0] for _ in range(3)], [503, 503, 200])
        for name in ("wrong-key", "wrong-checkpoint", "bad-signature", "garbage", "empty"):
            fault(fault=name, count=1)
            status, lines, _ = self.add(self.request(5, checkpoint, []))
            self.assertEqual(status, 200)
            try:
                self.assertNotIn(WITNESS.key, verify_note(Note.parse(checkpoint + lines), [WITNESS.key]))
            except NoteError:
                pass
        fault(fault="conflict", count=1)
        self.assertEqual(self.add(self.request(5, checkpoint, []))[:2], (409, b"6\n"))
        fault(fault="drop", count=1)
        with self.assertRaises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
            self.add(body)
        fault(fault="truncate", count=1)
        with self.assertRaises(http.client.IncompleteRead):
            self.add(self.request(5, checkpoint, []))
        fault(fault="slow", count=1, seconds=0.01)
        self.assertEqual(self.add(self.request(5, checkpoint, []))[0], 200)
        self.assertEqual(call(self.url + "/-/fault", b'{"fault":"x"}', "PUT")[0], 400)
        status = json.loads(call(self.url + "/-/status")[1])
        self.assertEqual(status["answers"]["503"], 2)

    def test_the_command_remembers_the_latest_size_through_kill(self):
        command = [sys.executable, HERE / "witness.py", "--log", str(SIGNER.key), "--state", self.folder / "s",
                   "--kind", "both"]

        def begin() -> tuple[subprocess.Popen, dict]:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            return process, json.loads(process.stdout.readline())

        process, facts = begin()
        self.url = facts["url"]
        checkpoint = self.grow(5)
        status, lines, _ = self.add(self.request(0, checkpoint))
        self.assertEqual(status, 200)
        keys = [Key.parse(vkey) for vkey in facts["vkeys"]]
        self.assertEqual({key.kind for key in keys}, {COSIGNATURE, MLDSA_COSIGNATURE})
        self.assertEqual(set(verify_note(Note.parse(checkpoint + lines), keys)), set(keys))
        process.kill()
        process.wait()
        process, again = begin()
        self.url = again["url"]
        self.assertEqual(again["vkeys"], facts["vkeys"])
        self.assertEqual(self.add(self.request(0, checkpoint)), (409, b"5\n", "text/x.tlog.size"))
        process.terminate()
        self.assertEqual(process.wait(timeout=120), 0)


if __name__ == "__main__":
    unittest.main()
