"""The copy of a log that is tampered with, and the list of ways to do so."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from make_log import LogWriter
from note import Checkpoint, Note, Signer
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
