"""The layout of C2SP tlog-tiles in a directory: where a tile or an entry bundle is, and what is in it."""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from merkle import HASH_SIZE, Hash, join_peaks, node_hash, peaks, root_of, split

WIDTH = 256
MOST_LEVEL = 63
MOST_ENTRY = 0xFFFF
MOST_BUNDLE = WIDTH * (2 + MOST_ENTRY)
ENTRIES = "entries"
PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class Unreadable(Exception):
    """The log cannot be read at all, which says nothing about whether it is whole."""


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Where the tile is, or with `ENTRIES` as level the entry bundle, from the log's directory."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def parse_path(path: str) -> tuple[int | str, int, int] | None:
    """The level, index and width of a path, or None where the specification has no such path."""
    match = PATH.fullmatch(path)
    if match is None:
        return None
    level = match["level"] if match["level"] == ENTRIES else int(match["level"])
    index, width = int(match["index"].replace("x", "").replace("/", "")), int(match["width"] or WIDTH)
    if level != ENTRIES and level > MOST_LEVEL or match["width"] and width >= WIDTH:
        return None
    return (level, index, width) if tile_path(level, index, width) == path else None


def hashes_at(level: int, size: int) -> int:
    """How many hashes a tree of `size` entries has at a level: one for each 256^level entries."""
    return size >> 8 * level


def levels(size: int) -> range:
    """The levels that have tiles."""
    return range(max(0, (size.bit_length() + 7) // 8))


def span(level: int, index: int) -> tuple[int, int]:
    """The start and end index of a tile: which entries are under it if it is full."""
    return index << 8 * (level + 1), index + 1 << 8 * (level + 1)


class Malformed(ValueError):
    """A bundle that cannot be cut into entries; `position` is how many came before the fault."""

    def __init__(self, position: int, message: str):
        super().__init__(message)
        self.position = position


def entries_of(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle, each behind its length as a big-endian uint16."""
    position, start = 0, 0
    while start < len(bundle):
        if len(bundle) < start + 2:
            raise Malformed(position, "it ends inside an entry's length")
        length = int.from_bytes(bundle[start : start + 2], "big")
        if len(bundle) < start + 2 + length:
            raise Malformed(position, f"it ends {start + 2 + length - len(bundle)} bytes before its entry does")
        yield bundle[start + 2 : start + 2 + length]
        position, start = position + 1, start + 2 + length


def hashes_of(tile: bytes) -> list[Hash]:
    """The hashes of a tile."""
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


class Directory:
    """A log's directory, read with bounded memory whatever lies in it."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def read(self, name: str, most: int) -> bytes | None:
        """The file's first `most` + 1 bytes, or None when there is no such file."""
        try:
            with open(self.path / name, "rb") as file:
                # Python reserves what is asked for, so no more is than there can be.
                return file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable(f"cannot read {name}: {error.strerror}") from error

    def tile(self, level: int, index: int, width: int = WIDTH) -> tuple[str, bytes | None]:
        """A tile's path and bytes; in place of a partial tile that is gone, the beginning of the full one."""
        path = tile_path(level, index, width)
        data = self.read(path, WIDTH * HASH_SIZE)
        if data is None and width < WIDTH:
            full = tile_path(level, index)
            data = self.read(full, WIDTH * HASH_SIZE)
            if data is not None:
                return full, data[: width * HASH_SIZE] if len(data) == WIDTH * HASH_SIZE else data
        return path, data

    def bundle(self, index: int, width: int = WIDTH) -> tuple[str, bytes | None, bool]:
        """A bundle's path and bytes, and whether it is the full one in place of a partial one that is gone."""
        path = tile_path(ENTRIES, index, width)
        data = self.read(path, MOST_BUNDLE)
        if data is None and width < WIDTH:
            full = tile_path(ENTRIES, index)
            data = self.read(full, MOST_BUNDLE)
            return (path, None, False) if data is None else (full, data, True)
        return path, data, False

    def files(self) -> Iterator[str]:
        """Every file under tile/, from the log's directory, one folder's names in memory at a time."""

        def walk(folder: Path) -> Iterator[str]:
            try:
                children = sorted(folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return
            except OSError as error:
                raise Unreadable(f"cannot list {folder}: {error.strerror}") from error
            for child in children:
                if child.is_dir():
                    yield from walk(child)
                else:
                    yield child.relative_to(self.path).as_posix()

        yield from walk(self.path / "tile")


class MissingTile(Exception):
    """A tile that a computation needs is not there, or not of its size."""


class Tree:
    """Hashes of a tree of `size` entries, out of the tiles as they stand: nothing here is verified."""

    def __init__(self, directory: Directory, size: int):
        self.directory, self.size = directory, size
        self.hashes = lru_cache(maxsize=64)(self._hashes)

    def _hashes(self, level: int, index: int) -> list[Hash]:
        width = min(WIDTH, hashes_at(level, self.size) - index * WIDTH)
        path, data = self.directory.tile(level, index, width)
        if data is None or len(data) != width * HASH_SIZE:
            raise MissingTile(path)
        return hashes_of(data)

    def mth(self, start: int, end: int) -> Hash:
        """The Merkle tree hash of entries `start` up to `end`, for the ranges that RFC 6962 asks about."""
        count = end - start
        if count & count - 1:
            middle = start + split(count)
            return node_hash(self.mth(start, middle), self.mth(middle, end))
        bits = count.bit_length() - 1
        level, first = bits // 8, start >> bits // 8 * 8
        row = self.hashes(level, first // WIDTH)
        return root_of(row[first % WIDTH : first % WIDTH + (1 << bits % 8)])

    def root(self, size: int) -> Hash:
        """The root when the tree had `size` entries."""
        found: list[Hash] = []
        for level in reversed(levels(size)):
            count = hashes_at(level, size)
            if count % WIDTH:
                found += peaks(self.hashes(level, count // WIDTH)[: count % WIDTH])
        return join_peaks(found)
