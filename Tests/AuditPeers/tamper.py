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
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from make_log import LogWriter, load_signer
from merkle import leaf_hash
from note import Checkpoint, Note, NoteError, Signer
from tiles import ENTRIES, WIDTH, Directory, entries_of, hashes_at, parse_path, tile_path


class NotApplicable(Exception):
    """The log or the options lack what a tampering needs."""


@dataclass(frozen=True)
class Tampered:
    """What was done: to which file, and from which index on the log no longer is as it was."""

    says: str
    path: str = ""
    index: int | None = None
    exact: bool = True


@dataclass(frozen=True)
class Tampering:
    """A way to tamper. With `outsider`, only someone who kept the newest true checkpoint can find it."""

    name: str
    says: str
    run: Callable[["Victim"], Tampered]
    outsider: bool = False


TAMPERINGS: dict[str, Tampering] = {}


def tampering(name: str, outsider: bool = False):
    """Lists a function, whose docstring says what it does, as a tampering."""

    def add(run: Callable[["Victim"], Tampered]):
        TAMPERINGS[name] = Tampering(name, (run.__doc__ or name).strip(), run, outsider)
        return run

    return add


class Victim:
    """The copy of a log: its parts, and how to put other bytes in their place."""

    def __init__(
        self, path: Path, seed: int = 0, signer: Signer | None = None, older: bytes | None = None
    ):
        self.path, self.random, self.signer, self.older = Path(path), random.Random(seed), signer, older
        self.directory = Directory(path)
        self.note = Note.parse(self.read("checkpoint"))
        self.head = Checkpoint.parse(self.note.text)
        self.size = self.head.size

    def read(self, path: str) -> bytes:
        try:
            return (self.path / path).read_bytes()
        except FileNotFoundError:
            raise NotApplicable(f"the log has no {path}") from None

    def write(self, path: str, data: bytes) -> None:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(data)

    def full(self, level: int | str) -> str:
        """Some full tile or bundle of the current tree."""
        count = hashes_at(0 if level == ENTRIES else level, self.size) // WIDTH
        if not count:
            raise NotApplicable(f"the log has no full tile of level {level}")
        return tile_path(level, self.random.randrange(count))

    def partial(self, level: int | str) -> str:
        """The partial tile or bundle of the current tree."""
        count = hashes_at(0 if level == ENTRIES else level, self.size)
        if not count % WIDTH:
            raise NotApplicable(f"the log has no partial tile of level {level}")
        return tile_path(level, count // WIDTH, count % WIDTH)

    def leftover(self, entries: bool) -> str:
        """A partial tile or bundle that an older checkpoint needed, in whose place there is a wider one now."""
        found = []
        for path in self.directory.files():
            level, index, width = parse_path(path) or (0, 0, WIDTH)
            here = hashes_at(0 if level == ENTRIES else level, self.size) - index * WIDTH
            if width < min(here, WIDTH) and (level == ENTRIES) == entries:
                found.append(path)
        if not found:
            raise NotApplicable("the log has no tile left over from an older checkpoint")
        return self.random.choice(found)

    def start(self, path: str, position: int = 0) -> int:
        """The index of the first entry under a tile's hash, or of a bundle's entry."""
        level, index, _ = parse_path(path)
        return index * WIDTH + position << (0 if level == ENTRIES else 8 * level)

    def entries(self, path: str) -> list[bytes]:
        return list(entries_of(self.read(path)))

    def put_entries(self, path: str, entries: list[bytes]) -> None:
        self.write(path, b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries))

    def all_entries(self) -> list[bytes]:
        """Every entry of the log."""
        found = []
        for index in range(self.size // WIDTH):
            found += self.entries(tile_path(ENTRIES, index))
        return found + (self.entries(self.partial(ENTRIES)) if self.size % WIDTH else [])

    def put_bundles(self, entries: list[bytes]) -> None:
        """Cuts other entries, not more of them, into the bundles that the log has."""
        for start in range(0, self.size, WIDTH):
            self.put_entries(self.place(start)[0], entries[start : start + WIDTH])

    def flip(self, path: str, offset: int, bit: int | None = None) -> None:
        """Flips one bit of a file."""
        data = bytearray(self.read(path))
        if not 0 <= offset < len(data):
            raise NotApplicable(f"{path} has no byte {offset}")
        data[offset] ^= 1 << (self.random.randrange(8) if bit is None else bit)
        self.write(path, bytes(data))

    def rewrite(self, entries: list[bytes], signer: Signer | None, origin: str | None = None) -> Checkpoint:
        """Makes the log anew with other entries; without a signer the checkpoint stays as it was."""
        shutil.rmtree(self.path / "tile")
        before = self.read("checkpoint")
        (self.path / "checkpoint").unlink()
        writer = LogWriter(self.path, signer or Signer("nobody", bytes(32)), origin or self.head.origin)
        for entry in entries:
            writer.append(entry)
        writer.publish()
        if signer is None:
            self.write("checkpoint", before)
        return writer.checkpoint()

    def own_signer(self) -> Signer:
        if self.signer is None:
            raise NotApplicable("this needs the log's own key")
        return self.signer

    def some_index(self) -> int:
        if not self.size:
            raise NotApplicable("the log is empty")
        return self.random.randrange(self.size)

    def place(self, index: int) -> tuple[str, int]:
        """The bundle that has an entry, and where in it."""
        whole = index // WIDTH < self.size // WIDTH
        return (tile_path(ENTRIES, index // WIDTH) if whole else self.partial(ENTRIES)), index % WIDTH


def changed(entry: bytes) -> bytes:
    """The entry with another last byte, of the same length where it has one."""
    return entry[:-1] + bytes([entry[-1] ^ 1]) if entry else b"\x00"


# One bit, in each kind of file and each class of its bytes.

LENGTH_HIGH, LENGTH_LOW, FIRST, MIDDLE, LAST = "length-high", "length-low", "first-byte", "middle-byte", "last-byte"


def add_bundle_flips() -> None:
    for kind in ("full", "partial"):
        for what in (LENGTH_HIGH, LENGTH_LOW, FIRST, MIDDLE, LAST):

            def run(victim: Victim, kind: str = kind, what: str = what) -> Tampered:
                path = victim.full(ENTRIES) if kind == "full" else victim.partial(ENTRIES)
                entries = victim.entries(path)
                position = victim.random.randrange(len(entries))
                length = len(entries[position])
                if not length and what not in (LENGTH_HIGH, LENGTH_LOW):
                    raise NotApplicable("the entry is empty")
                begin = sum(2 + len(entry) for entry in entries[:position])
                within = {LENGTH_HIGH: 0, LENGTH_LOW: 1, FIRST: 2, MIDDLE: 2 + length // 2, LAST: 1 + length}[what]
                victim.flip(path, begin + within)
                return Tampered(f"a bit of the {what} of an entry", path, victim.start(path, position))

            run.__doc__ = f"flips a bit of the {what} of an entry in a {kind} bundle"
            tampering(f"flip-bundle-{kind}-{what}")(run)


def add_tile_flips() -> None:
    # A full tile of level 2 would be of a log of 16 million entries.
    for level, kind in ((0, "full"), (0, "partial"), (1, "full"), (1, "partial"), (2, "partial")):
        for where in ("first", "middle", "last"):

            def run(victim: Victim, level: int = level, kind: str = kind, where: str = where) -> Tampered:
                path = victim.full(level) if kind == "full" else victim.partial(level)
                width = len(victim.read(path)) // 32
                position = {"first": 0, "middle": width // 2, "last": width - 1}[where]
                victim.flip(path, 32 * position + victim.random.randrange(32))
                return Tampered(f"a bit of hash {position}", path, victim.start(path, position))

            run.__doc__ = f"flips a bit of the {where} hash of a {kind} tile of level {level}"
            tampering(f"flip-tile-{level}-{kind}-{where}")(run)


def add_checkpoint_flips() -> None:
    def part(victim: Victim, what: str) -> tuple[int, int]:
        text, lines = victim.note.text, victim.note.text.split(b"\n")
        line = len(text) + 1
        name = line + len("\u2014 ".encode())
        signature = name + len(victim.note.signatures[0].name.encode()) + 1
        size, root = len(lines[0]) + 1, len(lines[0]) + len(lines[1]) + 2
        end = victim.read("checkpoint").index(b"\n", line)
        return {
            "origin": (0, len(lines[0])),
            "newline": (len(lines[0]), size),
            "size": (size, root - 1),
            "root": (root, len(text) - 1),
            "empty-line": (len(text), line),
            "dash": (line, name - 1),
            "space": (name - 1, name),
            "name": (name, signature - 1),
            "key-id": (signature, signature + 5),
            "signature": (signature + 6, end - 1),
            "last-newline": (end, end + 1),
        }[what]

    for what in ("origin", "newline", "size", "root", "empty-line", "dash", "space", "name", "key-id", "signature",
                 "last-newline"):

        def run(victim: Victim, what: str = what) -> Tampered:
            victim.flip("checkpoint", victim.random.randrange(*part(victim, what)))
            return Tampered(f"a bit of the checkpoint's {what}", "checkpoint")

        run.__doc__ = f"flips a bit of the checkpoint's {what}"
        tampering(f"flip-checkpoint-{what}")(run)


def add_file_faults() -> None:
    def lengthen(victim: Victim, path: str) -> None:
        victim.write(path, victim.read(path) + b"\x00")

    def shorten(victim: Victim, path: str) -> None:
        victim.write(path, victim.read(path)[:-1])

    def empty(victim: Victim, path: str) -> None:
        victim.write(path, b"")

    def drop(victim: Victim, path: str) -> None:
        victim.read(path)
        (victim.path / path).unlink()

    kinds: dict[str, Callable[[Victim], str]] = {
        "bundle-full": lambda victim: victim.full(ENTRIES),
        "bundle-partial": lambda victim: victim.partial(ENTRIES),
        "tile-0-full": lambda victim: victim.full(0),
        "tile-0-partial": lambda victim: victim.partial(0),
        "tile-1-full": lambda victim: victim.full(1),
        "tile-1-partial": lambda victim: victim.partial(1),
        "checkpoint": lambda victim: "checkpoint",
    }
    does = {lengthen: "adds a byte to", shorten: "takes the last byte off", empty: "empties", drop: "removes"}
    for kind, find in kinds.items():
        for fault in does:

            def run(victim: Victim, find: Callable = find, fault: Callable = fault) -> Tampered:
                path = find(victim)
                fault(victim, path)
                says = f"{does[fault]} the file"
                if path == "checkpoint":
                    return Tampered(says, path)
                position = parse_path(path)[2] - 1 if fault in (lengthen, shorten) else 0
                return Tampered(says, path, victim.start(path, position))

            run.__doc__ = f"{does[fault]} a {kind}"
            tampering(f"{fault.__name__}-{kind}")(run)


add_bundle_flips()
add_tile_flips()
add_checkpoint_flips()
add_file_faults()


@tampering("flip-leftover-tile")
def flip_leftover_tile(victim: Victim) -> Tampered:
    """flips a bit of a partial tile that an older checkpoint needed"""
    path = victim.leftover(entries=False)
    offset = victim.random.randrange(len(victim.read(path)))
    victim.flip(path, offset)
    return Tampered("a bit of an older partial tile", path, victim.start(path, offset // 32))


@tampering("flip-leftover-bundle")
def flip_leftover_bundle(victim: Victim) -> Tampered:
    """flips a bit of the last entry in a partial bundle that an older checkpoint needed"""
    path = victim.leftover(entries=True)
    victim.flip(path, len(victim.read(path)) - 1)
    return Tampered("a bit of an older partial bundle", path, victim.start(path, len(victim.entries(path)) - 1))


def shorten_leftover(victim: Victim, entries: bool) -> Tampered:
    path = victim.leftover(entries)
    victim.write(path, victim.read(path)[:-1])
    return Tampered("an older partial file cut off", path, victim.start(path))


@tampering("shorten-leftover-tile")
def shorten_leftover_tile(victim: Victim) -> Tampered:
    """takes the last byte off a partial tile that an older checkpoint needed"""
    return shorten_leftover(victim, entries=False)


@tampering("shorten-leftover-bundle")
def shorten_leftover_bundle(victim: Victim) -> Tampered:
    """takes the last byte off a partial bundle that an older checkpoint needed"""
    return shorten_leftover(victim, entries=True)


# Whole entries and files, with no hash computed anew.


@tampering("edit-entry")
def edit_entry(victim: Victim) -> Tampered:
    """puts an entry of the same length in another's place"""
    index = victim.some_index()
    path, position = victim.place(index)
    entries = victim.entries(path)
    entries[position] = changed(entries[position])
    victim.put_entries(path, entries)
    return Tampered("an entry edited", path, index)


@tampering("drop-entry")
def drop_entry(victim: Victim) -> Tampered:
    """takes an entry out of its bundle"""
    index = victim.some_index()
    path, position = victim.place(index)
    entries = victim.entries(path)
    del entries[position]
    victim.put_entries(path, entries)
    return Tampered("an entry dropped", path, index)


@tampering("drop-entry-and-close-up")
def drop_and_close_up(victim: Victim) -> Tampered:
    """takes an entry out and moves all later ones forward, from bundle to bundle"""
    entries = victim.all_entries()
    index = victim.some_index()
    del entries[index]
    victim.put_bundles(entries)
    return Tampered("an entry dropped, the later ones moved", victim.place(index)[0], index)


@tampering("insert-entry")
def insert_entry(victim: Victim) -> Tampered:
    """puts an entry more into a bundle"""
    index = victim.some_index()
    path, position = victim.place(index)
    entries = victim.entries(path)
    entries.insert(position, b'{"forged":true}')
    victim.put_entries(path, entries)
    return Tampered("an entry inserted", path, index)


@tampering("insert-entry-and-make-room")
def insert_and_make_room(victim: Victim) -> Tampered:
    """puts an entry in and moves all later ones back, from bundle to bundle; the last one falls off"""
    entries = victim.all_entries()
    index = victim.some_index()
    entries.insert(index, b'{"forged":true}')
    victim.put_bundles(entries[:-1])
    return Tampered("an entry inserted, the later ones moved", victim.place(index)[0], index)


@tampering("append-entry")
def append_entry(victim: Victim) -> Tampered:
    """puts an entry more at the end of a bundle"""
    path, _ = victim.place(victim.some_index())
    entries = victim.entries(path)
    victim.put_entries(path, entries + [b'{"forged":true}'])
    return Tampered("an entry appended", path, victim.start(path, len(entries) - 1))


@tampering("duplicate-entry")
def duplicate_entry(victim: Victim) -> Tampered:
    """puts a copy of an entry in its neighbour's place"""
    index = victim.some_index()
    path, position = victim.place(index)
    entries = victim.entries(path)
    if position == 0 or entries[position] == entries[position - 1]:
        raise NotApplicable("the entry has no other one before it in its bundle")
    entries[position] = entries[position - 1]
    victim.put_entries(path, entries)
    return Tampered("an entry copied over the next", path, index)


@tampering("swap-entries")
def swap_entries(victim: Victim) -> Tampered:
    """swaps two entries of a bundle"""
    path, _ = victim.place(victim.some_index())
    entries = victim.entries(path)
    if len(entries) < 2:
        raise NotApplicable("the bundle has one entry")
    a, b = sorted(victim.random.sample(range(len(entries)), 2))
    if entries[a] == entries[b]:
        raise NotApplicable("the two entries are the same")
    entries[a], entries[b] = entries[b], entries[a]
    victim.put_entries(path, entries)
    return Tampered(f"entries {victim.start(path, a)} and {victim.start(path, b)} swapped", path, victim.start(path, a))


def swap_files(victim: Victim, level: int | str) -> Tampered:
    count = hashes_at(0 if level == ENTRIES else level, victim.size) // WIDTH
    if count < 2:
        raise NotApplicable(f"the log has not two full tiles of level {level}")
    a, b = (tile_path(level, index) for index in sorted(victim.random.sample(range(count), 2)))
    one, other = victim.read(a), victim.read(b)
    if one == other:
        raise NotApplicable("the two files are the same")
    victim.write(a, other)
    victim.write(b, one)
    return Tampered(f"{a} and {b} swapped", a, victim.start(a))


@tampering("swap-bundles")
def swap_bundles(victim: Victim) -> Tampered:
    """swaps two full bundles"""
    return swap_files(victim, ENTRIES)


@tampering("swap-tiles")
def swap_tiles(victim: Victim) -> Tampered:
    """swaps two full tiles of level 0"""
    return swap_files(victim, 0)


@tampering("swap-bundles-and-tiles")
def swap_both(victim: Victim) -> Tampered:
    """swaps two full bundles, and their tiles too"""
    state = victim.random.getstate()
    swap_files(victim, ENTRIES)
    victim.random.setstate(state)
    done = swap_files(victim, 0)
    return Tampered(done.says + ", and their bundles", done.path, done.index)


@tampering("replace-tile")
def replace_tile(victim: Victim) -> Tampered:
    """puts random hashes in a tile's place"""
    path = victim.full(0) if victim.size >= WIDTH else victim.partial(0)
    victim.write(path, victim.random.randbytes(len(victim.read(path))))
    return Tampered("a tile of random hashes", path, victim.start(path))


@tampering("cut-tail")
def cut_tail(victim: Victim) -> Tampered:
    """takes the last entries and their hashes away, and leaves the checkpoint as it was"""
    keep = victim.size - 1 - victim.random.randrange(min(victim.size, 300))
    victim.rewrite(victim.all_entries()[:keep], None)
    return Tampered(f"all after the first {keep} entries cut off", "", keep, False)


# With the hashes computed anew.


@tampering("edit-entry-and-hash")
def edit_entry_and_hash(victim: Victim) -> Tampered:
    """edits an entry, and its hash in the tile of level 0"""
    index = victim.some_index()
    path, position = victim.place(index)
    entries = victim.entries(path)
    entries[position] = changed(entries[position])
    victim.put_entries(path, entries)
    tile = path.replace(ENTRIES, "0", 1)
    hashes = bytearray(victim.read(tile))
    hashes[32 * position : 32 * position + 32] = leaf_hash(entries[position])
    victim.write(tile, bytes(hashes))
    return Tampered("an entry edited, and its hash", path, index, False)


def rewritten(victim: Victim) -> tuple[list[bytes], int]:
    """The entries with one of them edited."""
    entries, index = victim.all_entries(), victim.some_index()
    entries[index] = changed(entries[index])
    return entries, index


@tampering("edit-entry-and-all-tiles")
def edit_and_retile(victim: Victim) -> Tampered:
    """edits an entry and computes every tile anew, with the checkpoint as it was"""
    entries, index = rewritten(victim)
    victim.rewrite(entries, None)
    return Tampered("an entry edited, and all tiles", "", index, False)


@tampering("rewrite-without-key")
def rewrite_without_key(victim: Victim) -> Tampered:
    """edits an entry, computes every tile and the root anew, and keeps the old signature"""
    entries, _ = rewritten(victim)
    head = victim.rewrite(entries, None)
    victim.write("checkpoint", head.text() + victim.read("checkpoint").removeprefix(victim.note.text))
    return Tampered("the log rewritten under the old signature", "checkpoint")


@tampering("truncate-without-key")
def truncate_without_key(victim: Victim) -> Tampered:
    """cuts the tail off, computes every tile and the root anew, and keeps the old signature"""
    head = victim.rewrite(victim.all_entries()[: victim.some_index()], None)
    victim.write("checkpoint", head.text() + victim.read("checkpoint").removeprefix(victim.note.text))
    return Tampered("the log cut off under the old signature", "checkpoint")


@tampering("swap-key")
def swap_key(victim: Victim) -> Tampered:
    """signs the same tree with another key of the same name"""
    other = Signer(victim.note.signatures[0].name, victim.random.randbytes(32))
    victim.write("checkpoint", other.sign(victim.note.text))
    return Tampered("signed with another key", "checkpoint")


@tampering("swap-key-and-rewrite")
def swap_key_and_rewrite(victim: Victim) -> Tampered:
    """edits an entry, computes all anew, and signs with another key of the same name"""
    entries, _ = rewritten(victim)
    victim.rewrite(entries, Signer(victim.note.signatures[0].name, victim.random.randbytes(32)))
    return Tampered("rewritten and signed with another key", "checkpoint")


@tampering("other-origin")
def other_origin(victim: Victim) -> Tampered:
    """signs the tree under another origin with the log's own key"""
    head = Checkpoint(victim.head.origin + "-other", victim.size, victim.head.root)
    victim.write("checkpoint", victim.own_signer().sign(head.text()))
    return Tampered("signed under another origin", "checkpoint")


# What the holder of the key can do: only someone with a checkpoint of before can tell.


@tampering("roll-back", outsider=True)
def roll_back(victim: Victim) -> Tampered:
    """puts an older checkpoint of the log in place of the newest"""
    if victim.older is None:
        raise NotApplicable("this needs an older checkpoint")
    victim.write("checkpoint", victim.older)
    size = Checkpoint.parse(Note.parse(victim.older).text).size
    return Tampered(f"rolled back to {size} entries", "checkpoint", size)


@tampering("roll-back-and-cut", outsider=True)
def roll_back_and_cut(victim: Victim) -> Tampered:
    """puts an older checkpoint in place of the newest, and removes all that came after it"""
    done = roll_back(victim)
    victim.rewrite(victim.all_entries()[: done.index], None)
    victim.write("checkpoint", victim.older)
    return done


@tampering("truncate", outsider=True)
def truncate(victim: Victim) -> Tampered:
    """cuts the tail off and signs what is left with the log's own key"""
    signer, keep = victim.own_signer(), victim.some_index()
    victim.rewrite(victim.all_entries()[:keep], signer)
    return Tampered(f"cut off after {keep} entries and signed", "checkpoint", keep)


@tampering("fork", outsider=True)
def fork(victim: Victim) -> Tampered:
    """edits an entry, computes all anew, and signs it with the log's own key"""
    signer = victim.own_signer()
    entries, index = rewritten(victim)
    victim.rewrite(entries, signer)
    return Tampered("forked and signed", "checkpoint", index, False)


@tampering("fork-and-grow", outsider=True)
def fork_and_grow(victim: Victim) -> Tampered:
    """drops an entry, adds others at the end, computes all anew, and signs it with the log's own key"""
    signer, entries, index = victim.own_signer(), victim.all_entries(), victim.some_index()
    del entries[index]
    victim.rewrite(entries + [b'{"forged":%d}' % i for i in range(300)], signer)
    return Tampered("forked, grown and signed", "checkpoint", index, False)


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
