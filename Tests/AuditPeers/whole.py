"""Checks every entry and tile of a log against the root its checkpoint signs, from the top down and in index order.

A tile is right when the tile above holds its hash, and the rightmost, partial tiles when they hash to the signed root
together. So a fault is laid at the door of the file that holds it: with a right tile an entry that does not match is
bad; with a tile that the one above does not know, it is the tile, unless what is under it does not match either. Below
a tile that is bad or gone, the files can only be compared with one another until the hash above is reached again; below
two that are gone, nothing is looked at.
Memory holds one bundle and one tile a level.
"""

import itertools
from collections.abc import Callable, Sequence

import jcs
from findings import Report
from merkle import HASH_SIZE, Hash, join_peaks, leaf_hash, peaks, root_of
from note import Checkpoint
from tiles import ENTRIES, MOST_BUNDLE, WIDTH, Directory, Malformed, entries_of, hashes_at, hashes_of, levels
from tiles import span, tile_path

Row = list[Hash | None]
"""The hashes of a tile as computed from what is under it; None for what was not or could not be computed."""


def filled(row: Row, stored: Sequence[Hash] | None) -> list[Hash] | None:
    """The row with its gaps filled from the tile, or None if it has gaps and there is no tile."""
    if None not in row:
        return row
    return None if stored is None else [s if c is None else c for c, s in zip(row, stored)]


class TreeCheck:
    """One run over the entries from `start` up to `end`, and over every tile between them and the root."""

    def __init__(
        self,
        directory: Directory,
        head: Checkpoint,
        report: Report,
        start: int = 0,
        end: int | None = None,
        minimum: int = 0,
        canonical_json: bool = False,
        on_entry: Callable[[int, bytes], None] | None = None,
    ):
        self.directory, self.head, self.report = directory, head, report
        self.start, self.end = start, head.size if end is None else end
        self.minimum, self.canonical_json, self.on_entry = minimum, canonical_json, on_entry

    def run(self) -> None:
        """Checks all, and reports."""
        size = self.head.size
        self.report.facts.update(entries_checked=0, tiles_checked=0)
        rightmost = [(level, hashes_at(level, size) // WIDTH, hashes_at(level, size) % WIDTH) for level in levels(size)]
        rightmost = [tile for tile in reversed(rightmost) if tile[2]]
        stored = {level: self.stored_tile(level, index, width) for level, index, width in rightmost}
        right = self.root_of_rows(stored.values()) == self.head.root
        computed = {}
        for level, index, width in rightmost:
            computed[level] = self.under(level, index, width, stored[level], right)
            if right:
                self.compare(level, index, stored[level], computed[level], True)
        if not right:
            self.explain_root(rightmost, stored, computed)

    def root_of_rows(self, rows: Sequence[Sequence[Hash] | None]) -> Hash | None:
        """The root over partial tiles from the highest to the lowest level."""
        rows = list(rows)
        return None if None in rows else join_peaks(peak for row in rows for peak in peaks(row))

    def wanted(self, level: int, index: int) -> bool:
        """Whether a tile has entries that are to be checked under it."""
        first, last = span(level, index)
        return first < self.end and last > self.start

    def bounds(self, level: int, index: int, child: int | None = None) -> tuple[int, int]:
        """Which entries are under a tile, or under one of its hashes."""
        first, last = span(level, index)
        if child is not None:
            width = 1 << 8 * level
            first, last = first + child * width, first + (child + 1) * width
        return first, min(last, self.head.size)

    def pruned(self, index: int, level: int = 0) -> bool:
        """Whether a full tile or bundle may be gone (tlog-tiles, “Pruning”)."""
        return span(level, index)[1] <= self.minimum

    def stored_tile(self, level: int, index: int, width: int) -> list[Hash] | None:
        """A tile's hashes as its file has them; None, with a finding, if it has not the right number of them."""
        path, data = self.directory.tile(level, index, width)
        first, last = self.bounds(level, index)
        if data is None:
            if not (width == WIDTH and self.pruned(index, level)):
                self.report.bad("missing", "the tile is missing", path, first, last)
            else:
                self.report.count("tiles_pruned")
            return None
        self.report.count("tiles_checked")
        if len(data) != width * HASH_SIZE:
            more = "or more" if len(data) > WIDTH * HASH_SIZE else "bytes"
            message = f"the tile has {len(data)} {more}, not {width * HASH_SIZE}"
            position = min(len(data) // HASH_SIZE, width - 1)
            self.report.bad("tile", message, path, first + (position << 8 * level), last)
            return None
        return hashes_of(data)

    def full_tile(self, level: int, index: int, above: Hash | None, above_right: bool) -> Hash | None:
        """Checks a full tile and all under it; the hash that the tile above must hold, as recomputed."""
        if not self.wanted(level, index):
            return None
        stored = self.stored_tile(level, index, WIDTH)
        if stored is None and above is None:
            # Where two tiles in line are gone, so may be any number under them: the size is only the signer's claim.
            if self.pruned(index, level):
                self.report.count("entries_pruned", WIDTH << 8 * level)
            return None
        right = above_right and stored is not None and root_of(stored) == above
        row = self.under(level, index, WIDTH, stored, right)
        whole = filled(row, stored)
        recomputed = None if whole is None else root_of(whole)
        path, (first, last) = tile_path(level, index), self.bounds(level, index)
        if above_right and not right and stored is not None:
            if recomputed == above:
                wrong = [i for i, (c, s) in enumerate(zip(row, stored)) if c not in (None, s)]
                message = f"the tile's hash {wrong[0]} is wrong; what is under it is as the log committed to"
                self.report.bad("tile", message, path, *self.bounds(level, index, wrong[0]))
            else:
                self.compare(level, index, stored, row, False)
                message = "neither the tile nor what is under it has the hash that the tile above holds"
                self.report.bad("tile", message, path, first, last)
        elif above_right and not right and recomputed not in (None, above):
            message = "what is under the missing tile has not the hash that the tile above holds"
            self.report.bad("tile", message, path, first, last)
        else:
            self.compare(level, index, stored, row, right)
        return recomputed

    def under(self, level: int, index: int, width: int, stored: Sequence[Hash] | None, right: bool) -> Row:
        """The hashes of a tile, computed from what is under it."""
        if level == 0:
            return self.bundle(index, width, stored)
        row: Row = []
        for i in range(width):
            row.append(self.full_tile(level - 1, index * WIDTH + i, stored[i] if stored else None, right))
        return row

    def compare(self, level: int, index: int, stored: Sequence[Hash] | None, row: Row, right: bool) -> None:
        """Reports where a tile and what is under it differ; a right tile above level 0 has been answered below it."""
        if stored is None or level and right:
            return
        for i, (computed, hash) in enumerate(zip(row, stored)):
            if computed in (None, hash):
                continue
            first, last = self.bounds(level, index, i)
            if level:
                path = tile_path(level - 1, index * WIDTH + i)
                message = f"hash {i} of {tile_path(level, index, len(stored))} is not of this tile"
                self.report.bad("tile", message, path, first, last)
                continue
            path = tile_path(ENTRIES, index, len(stored))
            message = "not the entry that the log committed to" if right else f"entry and hash {i} of the tile differ"
            if computed in stored:
                message += f"; it is the one of index {index * WIDTH + stored.index(computed)}"
            self.report.bad("entry", message, path, first)

    def bundle(self, index: int, width: int, stored: Sequence[Hash] | None) -> Row:
        """The hashes of the entries in a bundle that are to be checked."""
        row: Row = [None] * width
        if not self.wanted(0, index):
            return row
        base = index * WIDTH
        path, data, cut = self.directory.bundle(index, width)
        if data is None:
            if width == WIDTH and self.pruned(index):
                self.report.count("entries_pruned", WIDTH)
            else:
                self.report.bad("missing", "the entry bundle is missing", path, base, base + width)
            return row
        if len(data) > MOST_BUNDLE:
            self.report.bad("bundle", f"the bundle has more than {MOST_BUNDLE} bytes", path, base, base + width)
            return row
        position = 0
        try:
            for position, entry in enumerate(entries_of(data), 1):
                if position > width:
                    break
                if self.start <= base + position - 1 < self.end:
                    row[position - 1] = leaf_hash(entry)
                    self.entry(base + position - 1, entry, path)
        except Malformed as error:
            self.report.bad("bundle", f"the bundle is malformed: {error}", path, base + min(error.position, width - 1))
            return row
        if position > width and not cut:
            self.report.bad("bundle", f"the bundle has more than its {width} entries", path, base + width - 1)
        elif position < width:
            self.report.bad("bundle", f"the bundle has {position} entries, not {width}", path, base + position)
        return row

    def entry(self, index: int, entry: bytes, path: str) -> None:
        """What is asked of an entry beside its hash."""
        self.report.count("entries_checked")
        if self.canonical_json and (problem := jcs.problem(entry)):
            self.report.bad("json", f"the entry is {problem}", path, index)
        if self.on_entry:
            self.on_entry(index, entry)

    def explain_root(
        self,
        rightmost: Sequence[tuple[int, int, int]],
        stored: dict[int, Sequence[Hash] | None],
        computed: dict[int, Row],
    ) -> None:
        """Finds which of the rightmost tiles, or what is under them, keeps the root from being the signed one."""
        choices = []
        for level, index, width in rightmost:
            recomputed = filled(computed[level], stored[level])
            options = [row for row in (stored[level], recomputed) if row is not None]
            choices.append(options[:1] if len(options) == 2 and options[0] == options[1] else options)
        for rows in itertools.product(*choices):
            if self.root_of_rows(rows) == self.head.root:
                break
        else:
            for level, index, _ in rightmost:
                self.compare(level, index, stored[level], computed[level], False)
            message = "neither the tiles nor the entries hash to the root that the checkpoint signs"
            self.report.bad("root", message, "checkpoint")
            return
        for (level, index, width), row in zip(rightmost, rows):
            self.compare(level, index, row, computed[level], level == 0)
            for i, (kept, was) in enumerate(zip(row, stored[level] or row)):
                if was != kept:
                    message = f"the tile's hash {i} is wrong; what is under it is as the log committed to"
                    self.report.bad("tile", message, tile_path(level, index, width), *self.bounds(level, index, i))
