#!/usr/bin/env python3
"""A strict C2SP tlog-witness: cosigns the checkpoints of the logs it knows, each only if the log just grew.

    POST /add-checkpoint             an old size, a consistency proof and a checkpoint; answered with cosignatures
    GET  /<origin hash>/checkpoint   the latest checkpoint it cosigned

It keeps the latest checkpoint of each log in a folder, and starts from there. See peer.py for faults and options.
"""

import argparse
import base64
import hashlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import peer
from make_log import load_signer
from merkle import EMPTY_ROOT, is_consistent
from note import COSIGNATURE, ED25519, MLDSA_COSIGNATURE, Checkpoint, Key, Note, NoteError, Signer, decode_hash
from note import decode_number, verify_note
from peer import Answer, Peer, Refusal
from verify import key_argument

MOST_PROOF = 63


def parse_request(body: bytes) -> tuple[int, list[bytes], bytes]:
    """The old size, the proof and the checkpoint of an add-checkpoint request."""
    head, found, checkpoint = body.partition(b"\n\n")
    if not found:
        raise NoteError("the request has no empty line before its checkpoint")
    lines = head.decode("ascii", "replace").split("\n")
    if not lines[0].startswith("old "):
        raise NoteError("the request does not begin with an old size line")
    if len(lines) - 1 > MOST_PROOF:
        raise NoteError(f"the proof has more than {MOST_PROOF} lines")
    old = decode_number(lines[0].removeprefix("old "), "the old size")
    return old, [decode_hash(line, "a line of the proof") for line in lines[1:]], checkpoint


class Witness(Peer):
    """Holds the latest checkpoint of each log, on disk, and its keys."""

    faults_of_its_own = {
        "wrong-key": "a cosignature by another key of the same name",
        "bad-signature": "a cosignature with a bit flipped",
        "wrong-checkpoint": "a cosignature of another checkpoint",
        "conflict": "409 with a size that it never cosigned",
        "bad-conflict": "409 with a body that is no size",
    }

    def __init__(self, signers: Sequence[Signer], logs: Sequence[Key], state: str | Path):
        super().__init__()
        self.signers, self.logs, self.state = list(signers), list(logs), Path(state)
        self.state.mkdir(parents=True, exist_ok=True)
        # One at a time: what is compared is what is replaced.
        self.turn = threading.Lock()

    def file(self, origin: str) -> Path:
        return self.state / hashlib.sha256(origin.encode()).hexdigest()

    def latest(self, origin: str) -> Checkpoint | None:
        """The checkpoint of a log that it cosigned last."""
        try:
            return Checkpoint.parse(Note.parse(self.file(origin).read_bytes()).text)
        except FileNotFoundError:
            return None

    def keep(self, origin: str, note: bytes) -> None:
        """Makes a checkpoint the latest one, for good, before anybody learns of the cosignature."""
        target = self.file(origin)
        temporary = target.with_suffix(".new")
        with open(temporary, "wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        folder = os.open(self.state, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def add_checkpoint(self, body: bytes, fault: str = "none") -> bytes:
        """The cosignature lines for a request that passes every check, in the order of the specification."""
        try:
            old, proof, data = parse_request(body)
            note = Note.parse(data)
            head = Checkpoint.parse(note.text)
        except NoteError as error:
            raise Refusal(400, f"{error}\n") from None
        keys = [key for key in self.logs if key.name == head.origin]
        if not keys:
            raise Refusal(404, f"unknown log {head.origin}\n")
        try:
            signers = verify_note(note, keys)
        except NoteError as error:
            raise Refusal(403, f"{error}\n") from None
        if not signers:
            raise Refusal(403, "no trusted key of the log signed the checkpoint\n")
        if old > head.size:
            raise Refusal(400, f"the old size {old} is above the checkpoint's {head.size}\n")
        with self.turn:
            return self.cosign(old, proof, note, head, signers, fault)

    def cosign(
        self, old: int, proof: list[bytes], note: Note, head: Checkpoint, signers: dict[Key, int], fault: str
    ) -> bytes:
        """What must not be interleaved: comparing with the latest checkpoint, and replacing it."""
        latest = self.latest(head.origin)
        size, root = (latest.size, latest.root) if latest else (0, EMPTY_ROOT)
        if fault in ("conflict", "bad-conflict"):
            body = f"{size + 1}\n" if fault == "conflict" else "no size"
            raise Refusal(409, body, "text/x.tlog.size")
        if old != size:
            raise Refusal(409, f"{size}\n", "text/x.tlog.size")
        # That a tree of size 0 has the hash of nothing as its root is part of this, too.
        if not is_consistent(old, head.size, root, head.root, proof):
            raise Refusal(422, "the proof does not lead from the latest checkpoint to this one\n")
        now = int(time.time())
        lines = b"".join(signer.line(note.text, now) for signer in self.signers)
        log_lines = b"".join(
            f"\u2014 {s.name} {encode(s.key_id + s.body)}\n".encode()
            for s in note.signatures
            if any((s.name, s.key_id) == (key.name, key.id) for key in signers)
        )
        self.keep(head.origin, note.text + b"\n" + log_lines + lines)
        return self.spoil(lines, note, head, now, fault)

    def spoil(self, lines: bytes, note: Note, head: Checkpoint, now: int, fault: str) -> bytes:
        """The cosignatures, or what a fault makes of them."""
        first = self.signers[0]
        if fault == "wrong-key":
            return Signer(first.key.name, os.urandom(32), first.kind).line(note.text, now)
        if fault == "wrong-checkpoint":
            return first.line(Checkpoint(head.origin, head.size + 1, head.root).text(), now)
        if fault == "bad-signature":
            signature = Note.parse(note.text + b"\n" + lines).signatures[0]
            body = signature.body[:-1] + bytes([signature.body[-1] ^ 1])
            return f"\u2014 {signature.name} {encode(signature.key_id + body)}\n".encode()
        return lines

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes, fault: str) -> Answer:
        if path == "/add-checkpoint":
            if method != "POST":
                raise Refusal(405, "only POST\n")
            return Answer(200, self.add_checkpoint(body, fault), "text/plain; charset=utf-8")
        origin, _, last = path.removeprefix("/").partition("/")
        known = {hashlib.sha256(key.name.encode()).hexdigest() for key in self.logs}
        if last == "checkpoint" and origin in known and (self.state / origin).exists():
            if method != "GET":
                raise Refusal(405, "only GET\n")
            return Answer(200, (self.state / origin).read_bytes(), "text/plain; charset=utf-8")
        raise Refusal(404, "no such path\n")


def encode(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=key_argument, action="append", required=True,
                        help="the vkey (or its file) of a log whose origin is the key's name; several may share a name")
    parser.add_argument("--state", type=Path, required=True, help="the folder for keys and latest checkpoints")
    parser.add_argument("--name", default="witness.example.org/w1", help="the witness' name")
    parser.add_argument("--kind", choices=("ed25519", "mldsa", "both"), default="ed25519", help="how it cosigns")
    peer.add_options(parser, Witness)
    options = parser.parse_args(arguments)
    options.state.mkdir(parents=True, exist_ok=True)
    try:
        seed = load_signer(options.state / "key", options.name).seed
    except NoteError as error:
        print(f"witness: {error}", file=sys.stderr)
        return 2
    kinds = {"ed25519": [COSIGNATURE], "mldsa": [MLDSA_COSIGNATURE], "both": [MLDSA_COSIGNATURE, COSIGNATURE]}
    signers = [Signer(options.name, seed, kind) for kind in kinds[options.kind]]
    if any(key.kind not in (ED25519, MLDSA_COSIGNATURE) for key in options.log):
        print("witness: a witness' key is not a log's", file=sys.stderr)
        return 2
    witness = Witness(signers, options.log, options.state)
    return peer.serve(witness, options, {"vkeys": [str(signer.key) for signer in signers]})


if __name__ == "__main__":
    sys.exit(main())
