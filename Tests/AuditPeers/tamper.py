#!/usr/bin/env python3
"""Tampers with a copy of a C2SP tlog-tiles log, in every way that its verifier must find.

    tamper.py list [--format json]
    tamper.py apply LOG COPY NAME [--seed N] [--key FILE] [--older CHECKPOINT]
    tamper.py flip LOG COPY FILE OFFSET [--bit N]

`apply` prints one line of JSON: what was done, the lowest index that no longer is as it was, and whether that is what
the verifier must name (`exact`). Exit codes: 0 done, 2 not done, 3 this log has nothing that NAME could tamper with.
Logs are rewritten in memory: meant for logs of up to some ten thousand entries.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import tamper_bytes  # noqa: F401: lists tamperings
import tamper_entries  # noqa: F401: lists tamperings
from make_log import load_signer
from note import NoteError, Signer
from victim import TAMPERINGS, NotApplicable, Tampered, Victim


def tamper(source: Path, copy: Path, name: str, seed: int = 0, signer: Signer | None = None,
           older: bytes | None = None) -> Tampered:
    """Copies a log, and tampers with the copy; raises `NotApplicable`, with no copy left, where that cannot be."""
    shutil.copytree(source, copy)
    try:
        return TAMPERINGS[name].run(Victim(copy, seed, signer, older))
    except NotApplicable:
        shutil.rmtree(copy)
        raise


def apply_command(options: argparse.Namespace) -> None:
    signer = load_signer(options.key, "") if options.key else None
    older = options.older.read_bytes() if options.older else None
    done = tamper(options.log, options.copy, options.name, options.seed, signer, older)
    print(json.dumps({"name": options.name, "outsider": TAMPERINGS[options.name].outsider} | asdict(done)))


def flip_command(options: argparse.Namespace) -> None:
    shutil.copytree(options.log, options.copy)
    Victim(options.copy).flip(options.file, options.offset, options.bit)
    print(json.dumps({"name": "flip", "path": options.file, "offset": options.offset, "bit": options.bit}))


def list_command(options: argparse.Namespace) -> None:
    for each in TAMPERINGS.values():
        row = {"name": each.name, "says": each.says, "outsider": each.outsider}
        print(json.dumps(row) if options.format == "json" else f"{each.name:36} {each.says}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="name every tampering")
    listing.add_argument("--format", choices=("text", "json"), default="text")
    listing.set_defaults(run=list_command)
    apply = commands.add_parser("apply", help="copy a log and tamper with the copy")
    apply.add_argument("log", type=Path)
    apply.add_argument("copy", type=Path)
    apply.add_argument("name", choices=TAMPERINGS, metavar="NAME")
    apply.add_argument("--seed", type=int, default=0, help="which of the places that NAME could tamper with")
    apply.add_argument("--key", type=Path, help="the log's own key, for what only its holder can do")
    apply.add_argument("--older", type=Path, help="an older checkpoint, to roll back to")
    apply.set_defaults(run=apply_command)
    flip = commands.add_parser("flip", help="copy a log and flip one bit of a file")
    flip.add_argument("log", type=Path)
    flip.add_argument("copy", type=Path)
    flip.add_argument("file", help="from the log's directory")
    flip.add_argument("offset", type=int)
    flip.add_argument("--bit", type=int, choices=range(8), default=0)
    flip.set_defaults(run=flip_command)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except NotApplicable as error:
        print(f"tamper: {error}", file=sys.stderr)
        return 3
    except (NoteError, OSError) as error:
        print(f"tamper: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
