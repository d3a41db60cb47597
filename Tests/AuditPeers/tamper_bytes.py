"""Tamperings with single files: a bit in each class of bytes, a byte more or less, an empty or missing file."""

from collections.abc import Callable

from tiles import ENTRIES, parse_path
from victim import NotApplicable, Tampered, Victim, tampering

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
