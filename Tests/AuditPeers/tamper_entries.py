"""Tamperings with entries and whole files, from a dropped entry to a fork signed with the log's own key."""

from merkle import leaf_hash
from note import Checkpoint, Note, Signer
from tiles import ENTRIES, WIDTH, hashes_at, tile_path
from victim import NotApplicable, Tampered, Victim, changed, tampering

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
