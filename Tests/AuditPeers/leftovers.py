"""Looks at the files that the current tree does not need: older partial tiles, and what is beyond the checkpoint.

An older partial tile or bundle must begin as the one that took its place: where it does not, the log once was another.
"""

from findings import Report
from merkle import HASH_SIZE
from tiles import ENTRIES, MOST_BUNDLE, WIDTH, Directory, Malformed, entries_of, hashes_at, parse_path


def check_leftovers(directory: Directory, size: int, report: Report) -> None:
    """Goes through all files under tile/ and reports what does not belong to the log of `size` entries."""
    older = beyond = 0
    for path in directory.files():
        place = parse_path(path)
        if place is None:
            report.notice(f"{path} is no path of a tile or bundle")
            continue
        level, index, width = place
        here = min(WIDTH, max(0, hashes_at(0 if level == ENTRIES else level, size) - index * WIDTH))
        if here == width:
            continue
        beyond += width > here
        older += width < here
        if here:
            compare(directory, path, level, index, width, here, report)
    if older:
        report.facts["older_partial_tiles"] = older
    if beyond:
        report.notice(f"{beyond} files under tile/ are beyond the checkpoint: the log goes on, or was rolled back")


def compare(
    directory: Directory, path: str, level: int | str, index: int, width: int, here: int, report: Report
) -> None:
    """Reports a tile or bundle of another width unless one of the two is the beginning of the other."""
    start = index * WIDTH << (0 if level == ENTRIES else 8 * level)
    data = directory.read(path, MOST_BUNDLE)
    current = (directory.bundle(index, here) if level == ENTRIES else directory.tile(level, index, here))[1]
    if data is None or current is None:
        return
    if not (current.startswith(data) or data.startswith(current)):
        message = f"this and the current one of {here} differ: they are of two histories"
        report.bad("leftover", message, path, start + first_difference(level, data, current))
    elif level != ENTRIES and len(data) != width * HASH_SIZE:
        report.bad("leftover", f"the tile has {len(data)} bytes, not {width * HASH_SIZE}", path, start)
    elif level == ENTRIES and count_entries(data) != width:
        report.bad("leftover", f"the bundle has not {width} whole entries", path, start)


def count_entries(bundle: bytes) -> int:
    """How many entries a bundle has; -1 when it cannot be cut into entries."""
    try:
        return sum(1 for _ in entries_of(bundle))
    except Malformed:
        return -1


def first_difference(level: int | str, one: bytes, other: bytes) -> int:
    """How many entries after the first one in a tile or bundle the two begin to differ."""
    at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    if level != ENTRIES:
        return at // HASH_SIZE << 8 * level
    position = start = 0
    while start + 2 + int.from_bytes(one[start : start + 2], "big") <= at:
        start += 2 + int.from_bytes(one[start : start + 2], "big")
        position += 1
    return position
