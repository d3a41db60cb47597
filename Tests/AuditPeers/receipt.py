#!/usr/bin/env python3
"""Checks a C2SP tlog-proof: that the entry is in the log which signed the checkpoint inside it. Needs no log.

The entry comes from --entry, or its hash from --leaf-hash, or else out of the proof's own extra line.
Exit codes: 0 the entry is in the log, 1 it is not proven to be, 2 the file could not be read or names no entry.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from findings import Report
from merkle import Hash, leaf_hash, root_from_inclusion
from note import MOST_BYTES, NoteError, decode_base64, decode_hash, decode_number
from signed import Trust, check_checkpoint
from tiles import Directory, Unreadable
from verify import add_trust_options, trust_of

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63


@dataclass(frozen=True)
class Receipt:
    """A tlog-proof: nothing in it is verified yet."""

    index: int
    proof: list[Hash]
    checkpoint: bytes
    extra: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> "Receipt":
        head, found, checkpoint = data.partition(b"\n\n")
        if not found:
            raise NoteError("the proof has no empty line before its checkpoint")
        try:
            lines = head.decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise NoteError(f"the proof is not UTF-8 at byte {error.start}") from None
        if lines.pop(0) != HEADER:
            raise NoteError(f"the first line is not {HEADER}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "), "the extra line")
        if not lines or not lines[0].startswith("index "):
            raise NoteError("the proof has no index line")
        index = decode_number(lines.pop(0).removeprefix("index "), "the index")
        if len(lines) > MOST_HASHES:
            raise NoteError(f"the proof has {len(lines)} hashes, more than {MOST_HASHES}")
        return cls(index, [decode_hash(line, f"hash {i}") for i, line in enumerate(lines)], checkpoint, extra)


def check_receipt(data: bytes, trust: Trust, leaf: Hash | None = None) -> Report:
    """Checks a tlog-proof for the entry with this leaf hash, or for the entry in its extra line."""
    report = Report()
    try:
        receipt = Receipt.parse(data)
    except NoteError as error:
        report.bad("receipt", str(error))
        return report
    report.facts["index"] = receipt.index
    head = check_checkpoint(receipt.checkpoint, trust, report, "checkpoint")
    if head is None:
        return report
    report.facts.update(origin=head.origin, size=head.size, root=head.root.hex())
    if leaf is None and receipt.extra is not None:
        leaf = leaf_hash(receipt.extra)
        report.notice("the entry is the one in the proof's extra line")
    if leaf is None:
        report.unchecked = True
        report.notice("neither the command nor the proof has the entry: that it is in the log was not checked")
        return report
    report.facts["leaf_hash"] = leaf.hex()
    root = root_from_inclusion(receipt.index, head.size, leaf, receipt.proof)
    if root is None:
        message = f"{len(receipt.proof)} hashes cannot prove an entry of a log of {head.size}"
        report.bad("receipt", message, start=receipt.index)
    elif root != head.root:
        report.bad("receipt", "the proof does not lead from the entry to the signed root", start=receipt.index)
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the .tlog-proof file")
    add_trust_options(parser)
    entry = parser.add_mutually_exclusive_group()
    entry.add_argument("--entry", type=Path, help="a file with exactly the entry's bytes")
    entry.add_argument("--leaf-hash", help="the entry's RFC 6962 leaf hash in base64")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report")
    options = parser.parse_args(arguments)
    try:
        data = Directory(options.file.parent).read(options.file.name, 2 * MOST_BYTES)
        if data is None:
            raise Unreadable(f"there is no file {options.file}")
        leaf = decode_hash(options.leaf_hash, "the leaf hash") if options.leaf_hash else None
        leaf = leaf_hash(options.entry.read_bytes()) if options.entry else leaf
    except (Unreadable, NoteError, OSError) as error:
        print(f"receipt: {error}", file=sys.stderr)
        return 2
    report = check_receipt(data, trust_of(options), leaf)
    print(json.dumps(report.as_json(), indent=2) if options.format == "json" else report.as_text().rstrip("\n"))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
