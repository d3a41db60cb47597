#!/usr/bin/env python3
"""Writes small C2SP tlog-tiles logs for tests, and makes receipts and consistency proofs from any log.

    make_log.py write DIR --origin NAME [--count N] [--publish-every N] [--key FILE] [--checkpoints DIR]
    make_log.py receipt DIR INDEX [--extra FILE]
    make_log.py consistency DIR OLD-SIZE

`write` continues a log that is there. It prints the log's vkey. Exit codes: 0 done, 2 not.
"""

import argparse
import base64
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import jcs
from merkle import Hash, consistency_proof, inclusion_proof, join_peaks, leaf_hash, peaks, root_of
from note import Checkpoint, Note, NoteError, Signer
from tiles import ENTRIES, MOST_ENTRY, WIDTH, Directory, MissingTile, Tree, Unreadable, hashes_at, levels, tile_path


class LogWriter:
    """Appends entries to a log in a directory. Entries are not in the log before `publish`."""

    def __init__(self, directory: str | Path, signer: Signer, origin: str | None = None):
        self.directory, self.signer, self.origin = Path(directory), signer, origin or signer.key.name
        self.size = 0
        self.bundle = b""
        self.rows: list[list[Hash]] = []
        checkpoint = Directory(directory).read("checkpoint", 1 << 20)
        if checkpoint is not None:
            self.resume(Checkpoint.parse(Note.parse(checkpoint).text))

    def resume(self, head: Checkpoint) -> None:
        """Takes up a log where its checkpoint left it."""
        tree = Tree(Directory(self.directory), head.size)
        self.size, self.origin = head.size, head.origin
        for level in levels(head.size):
            count = hashes_at(level, head.size)
            self.rows.append(list(tree.hashes(level, count // WIDTH)) if count % WIDTH else [])
        if head.size % WIDTH:
            path, bundle, full = tree.directory.bundle(head.size // WIDTH, head.size % WIDTH)
            if bundle is None or full:
                raise Unreadable(f"{path} is not there to go on from")
            self.bundle = bundle

    def write(self, path: str, data: bytes) -> None:
        """Puts a file in place at once: a reader sees all of it or none."""
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.write_bytes(data)
        os.replace(temporary, target)

    def append(self, entry: bytes) -> int:
        """Adds an entry, and returns its index."""
        if len(entry) > MOST_ENTRY:
            raise ValueError(f"an entry of {len(entry)} bytes is more than {MOST_ENTRY}")
        self.bundle += len(entry).to_bytes(2, "big") + entry
        self.size += 1
        if self.size % WIDTH == 0:
            self.write(tile_path(ENTRIES, self.size // WIDTH - 1), self.bundle)
            self.bundle = b""
        self.push(0, leaf_hash(entry))
        return self.size - 1

    def push(self, level: int, value: Hash) -> None:
        """Adds a hash to a level, and to the level above when that fills a tile."""
        if level == len(self.rows):
            self.rows.append([])
        row = self.rows[level]
        row.append(value)
        if len(row) == WIDTH:
            self.write(tile_path(level, hashes_at(level, self.size) // WIDTH - 1), b"".join(row))
            self.rows[level] = []
            self.push(level + 1, root_of(row))

    def checkpoint(self) -> Checkpoint:
        """What there is to sign."""
        root = join_peaks(peak for row in reversed(self.rows) for peak in peaks(row))
        return Checkpoint(self.origin, self.size, root)

    def publish(self) -> bytes:
        """Writes the partial tiles and then the signed checkpoint, and returns that."""
        for level, row in enumerate(self.rows):
            if row:
                self.write(tile_path(level, hashes_at(level, self.size) // WIDTH, len(row)), b"".join(row))
        if self.bundle:
            self.write(tile_path(ENTRIES, self.size // WIDTH, self.size % WIDTH), self.bundle)
        signed = self.signer.sign(self.checkpoint().text())
        self.write("checkpoint", signed)
        return signed


def sample_entry(index: int) -> bytes:
    """An entry like an audit record, the same for the same index."""
    return jcs.encode(
        {
            "action": ("read", "write", "delete", "list")[index % 4],
            "outcome": "denied" if index % 7 == 0 else "allowed",
            "path": f"team-{index % 5}/service-{index % 11}/pässword",
            "principal": f"spiffe://example.org/service-{index % 11}",
            "sequence": index,
            "time": 1_700_000_000_000 + 37 * index,
        }
    )


def write_log(
    directory: str | Path, signer: Signer, entries: Iterable[bytes], publish_every: int = 0, origin: str | None = None
) -> list[bytes]:
    """Appends entries, publishing after each `publish_every` and at the end; returns the checkpoints."""
    writer = LogWriter(directory, signer, origin)
    checkpoints = []
    for count, entry in enumerate(entries, 1):
        writer.append(entry)
        if publish_every and count % publish_every == 0:
            checkpoints.append(writer.publish())
    last = writer.publish()
    return checkpoints if checkpoints[-1:] == [last] else checkpoints + [last]


def read_checkpoint(directory: str | Path) -> bytes:
    """The checkpoint of a log."""
    data = Directory(directory).read("checkpoint", 1 << 20)
    if data is None:
        raise Unreadable(f"{directory} has no checkpoint")
    return data


def encode_hashes(hashes: Iterable[Hash]) -> bytes:
    """Hashes in base64, one a line."""
    return b"".join(base64.b64encode(value) + b"\n" for value in hashes)


def make_receipt(directory: str | Path, index: int, extra: bytes | None = None) -> bytes:
    """A C2SP tlog-proof for an entry under the log's checkpoint."""
    checkpoint = read_checkpoint(directory)
    size = Checkpoint.parse(Note.parse(checkpoint).text).size
    proof = inclusion_proof(index, size, Tree(Directory(directory), size).mth)
    more = b"" if extra is None else b"extra " + base64.b64encode(extra) + b"\n"
    return b"c2sp.org/tlog-proof@v1\n" + more + b"index %d\n" % index + encode_hashes(proof) + b"\n" + checkpoint


def make_consistency(directory: str | Path, old: int) -> list[Hash]:
    """The proof that the log's tree begins with the one of `old` entries."""
    size = Checkpoint.parse(Note.parse(read_checkpoint(directory)).text).size
    return consistency_proof(old, size, Tree(Directory(directory), size).mth)


def load_signer(path: Path | None, name: str) -> Signer:
    """The key in a file, which is made if there is none; without a file, a key that the name alone gives."""
    if path is None:
        return Signer(name, hashlib.sha256(name.encode()).digest())
    if not path.exists():
        path.write_text(f"{Signer(name, os.urandom(32))}\n")
        path.chmod(0o600)
    return Signer.parse(path.read_text())


def write_command(options: argparse.Namespace) -> None:
    signer = load_signer(options.key, options.origin)
    start = LogWriter(options.directory, signer).size
    entries = (sample_entry(start + i) for i in range(options.count))
    checkpoints = write_log(options.directory, signer, entries, options.publish_every)
    if options.checkpoints:
        options.checkpoints.mkdir(parents=True, exist_ok=True)
        for checkpoint in checkpoints:
            (options.checkpoints / str(Checkpoint.parse(Note.parse(checkpoint).text).size)).write_bytes(checkpoint)
    print(signer.key)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    write = commands.add_parser("write", help="append sample entries to a log")
    write.add_argument("directory", type=Path)
    write.add_argument("--origin", default="example.org/audit", help="the log's name and origin")
    write.add_argument("--count", type=int, default=1000, help="how many entries to append")
    write.add_argument("--publish-every", type=int, default=0, metavar="N", help="a checkpoint each N entries")
    write.add_argument("--key", type=Path, help="the signer's key, made if there is none; else the origin gives one")
    write.add_argument("--checkpoints", type=Path, metavar="DIR", help="keep each checkpoint here, named by its size")
    write.set_defaults(run=write_command)
    receipt = commands.add_parser("receipt", help="print a tlog-proof")
    receipt.add_argument("directory", type=Path)
    receipt.add_argument("index", type=int)
    receipt.add_argument("--extra", type=Path, help="what to put in the extra line")
    receipt.set_defaults(
        run=lambda o: sys.stdout.buffer.write(
            make_receipt(o.directory, o.index, o.extra.read_bytes() if o.extra else None)
        )
    )
    consistency = commands.add_parser("consistency", help="print a consistency proof, one hash a line")
    consistency.add_argument("directory", type=Path)
    consistency.add_argument("old", type=int)
    consistency.set_defaults(
        run=lambda o: sys.stdout.buffer.write(encode_hashes(make_consistency(o.directory, o.old)))
    )
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (NoteError, Unreadable, MissingTile, ValueError, OSError) as error:
        print(f"make_log: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
