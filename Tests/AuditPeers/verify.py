#!/usr/bin/env python3
"""Verifies a C2SP tlog-tiles log in a directory: signature, every entry, every tile, the root, older checkpoints.

It is written from the specifications of C2SP and RFC 6962, and shares no code with what writes the log.
Exit codes: 0 the log is whole, 1 it is not, 2 it could not be read or not be checked in full.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from findings import Report
from leftovers import check_leftovers
from merkle import consistency_proof, is_consistent
from note import MOST_BYTES, Checkpoint, Key, NoteError
from signed import Trust, check_checkpoint
from tiles import Directory, MissingTile, Tree, Unreadable
from whole import TreeCheck


def key_argument(text: str) -> Key:
    """A vkey, or the path of a file that holds one."""
    try:
        return Key.parse(Path(text).read_text() if len(text) < 1000 and Path(text).is_file() else text)
    except (NoteError, OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """The options that say whose signatures count."""
    parser.add_argument("--vkey", type=key_argument, action="append", required=True, help="a log's vkey (or a file)")
    parser.add_argument("--origin", help="the log's origin, where it is not the name of its key")
    parser.add_argument("--witness", type=key_argument, action="append", default=[], help="a witness' vkey (or a file)")
    parser.add_argument("--quorum", type=int, help="how many of the witnesses must have cosigned (default: all)")


def trust_of(options: argparse.Namespace) -> Trust:
    """What those options say."""
    return Trust(options.vkey, options.origin, options.witness, options.quorum)


def read_file(path: Path) -> bytes:
    """A note's file."""
    data = Directory(path.parent).read(path.name, MOST_BYTES)
    if data is None:
        raise Unreadable(f"there is no file {path}")
    return data


def check_older(
    tree: Tree, head: Checkpoint, olders: Sequence[tuple[str, Checkpoint]], minimum: int, report: Report
) -> None:
    """Checks that each older checkpoint's tree is the beginning of this one, by its root and by a consistency proof."""
    agreed = 0
    tiles_are_right = report.whole
    for path, older in sorted(olders, key=lambda each: each[1].size):
        if older.size > head.size:
            message = f"the log is rolled back or cut off: this checkpoint had {older.size} entries, it has {head.size}"
            report.bad("rollback", message, path, head.size, older.size)
            continue
        try:
            recomputed = tree.root(older.size)
            proof = consistency_proof(older.size, head.size, tree.mth)
        except MissingTile as error:
            if older.size < minimum:
                report.unchecked = True
                report.notice(f"{path} is of {older.size} entries, below the minimum index: it cannot be checked")
            else:
                report.bad("missing", f"the tile {error} is needed to check against this checkpoint", path)
            continue
        if recomputed == older.root and is_consistent(older.size, head.size, older.root, head.root, proof):
            agreed = older.size
            report.count("older_checkpoints_agree")
        elif tiles_are_right:
            message = f"the log was forked: its first {older.size} entries are not those of this checkpoint"
            report.bad("fork", message, path, agreed, max(older.size, agreed + 1))
        else:
            message = f"the tiles do not lead from this checkpoint's {older.size} entries to the current one"
            report.bad("older", message, path, agreed, max(older.size, agreed + 1))


def verify(
    path: str | Path,
    trust: Trust,
    *,
    current: Path | None = None,
    older: Sequence[Path] = (),
    start: int = 0,
    end: int | None = None,
    minimum: int = 0,
    canonical_json: bool = False,
    leftovers: bool = True,
) -> Report:
    """Verifies a log and reports; raises `Unreadable` when there is nothing to verify."""
    directory, report = Directory(path), Report()
    if not directory.path.is_dir():
        raise Unreadable(f"{path} is not a directory")
    data = read_file(current) if current else directory.read("checkpoint", MOST_BYTES)
    if data is None:
        if not (directory.path / "tile").is_dir():
            raise Unreadable(f"{path} is not a log: it has neither checkpoint nor tile/")
        report.bad("missing", "the checkpoint is missing", "checkpoint")
        return report
    head = check_checkpoint(data, trust, report, "checkpoint")
    if head is None:
        report.notice("no trusted checkpoint: the entries and tiles were not checked")
        return report
    report.facts.update(origin=head.origin, size=head.size, root=head.root.hex())
    if minimum > head.size:
        report.bad("checkpoint", f"its size {head.size} is below the minimum index {minimum}", "checkpoint", head.size)
    if start < 0 or end is not None and not start <= end:
        raise Unreadable(f"there is no range from {start} to {end}")
    if max(start, end or 0) > head.size:
        message = f"the range goes up to {max(start, end or 0)}, the log has {head.size} entries"
        report.bad("range", message, "checkpoint", head.size)
    TreeCheck(directory, head, report, start, min(head.size, head.size if end is None else end), minimum,
              canonical_json).run()
    trusted = [(str(file), check_checkpoint(read_file(file), trust, report, str(file), False)) for file in older]
    check_older(Tree(directory, head.size), head, [(p, h) for p, h in trusted if h], minimum, report)
    if leftovers and start == 0 and end is None:
        check_leftovers(directory, head.size, report)
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="the log: it has a file checkpoint and a folder tile")
    add_trust_options(parser)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], metavar="OLD",
                        help="an older checkpoint of this log, whose tree must be its beginning")
    parser.add_argument("--current", type=Path, help="the checkpoint to verify, instead of DIRECTORY/checkpoint")
    parser.add_argument("--from", dest="start", type=int, default=0, metavar="N", help="the first index to check")
    parser.add_argument("--to", dest="end", type=int, metavar="M", help="the index after the last one to check")
    parser.add_argument("--minimum-index", type=int, default=0, metavar="N",
                        help="what lies wholly below this index may have been pruned")
    parser.add_argument("--json", action="store_true", help="each entry must be a canonical JSON object (RFC 8785)")
    parser.add_argument("--no-leftovers", action="store_true", help="skip files that this checkpoint does not need")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to report")
    options = parser.parse_args(arguments)
    try:
        report = verify(
            options.directory,
            trust_of(options),
            current=options.current,
            older=options.checkpoint,
            start=options.start,
            end=options.end,
            minimum=options.minimum_index,
            canonical_json=options.json,
            leftovers=not options.no_leftovers,
        )
    except Unreadable as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json(), indent=2) if options.format == "json" else report.as_text().rstrip("\n"))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
