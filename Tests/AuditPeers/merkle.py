"""The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1): hashes, roots, and both kinds of proof.

The proofs are made by the recursive definitions of RFC 6962 and checked by the algorithms of RFC 9162, which were
written down separately: a slip in one does not hide in the other.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

Hash = bytes
HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()

MTH = Callable[[int, int], Hash]
"""The Merkle tree hash of the entries from the first index up to but not including the second."""


def leaf_hash(entry: bytes) -> Hash:
    """The hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: Hash, right: Hash) -> Hash:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[Hash]) -> Hash:
    """The root of a tree whose lowest row is `hashes`."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        above = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


def peaks(hashes: Sequence[Hash]) -> list[Hash]:
    """The roots of the perfect trees, largest first, that a row of hashes splits into."""
    found, start = [], 0
    for bit in reversed(range(len(hashes).bit_length())):
        if len(hashes) >> bit & 1:
            found.append(root_of(hashes[start : start + (1 << bit)]))
            start += 1 << bit
    return found


def join_peaks(found: Iterable[Hash]) -> Hash:
    """The root of the tree whose perfect subtrees, from left to right, have these roots."""
    root = None
    for peak in reversed(list(found)):
        root = peak if root is None else node_hash(peak, root)
    return EMPTY_ROOT if root is None else root


def split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 §2.1)."""
    return 1 << (count - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, mth: MTH) -> list[Hash]:
    """PATH(index, D[size]) of RFC 6962 §2.1.1: from the leaf's sibling up to the root's child."""

    def path(start: int, end: int) -> list[Hash]:
        if end - start == 1:
            return []
        middle = start + split(end - start)
        if index < middle:
            return path(start, middle) + [mth(middle, end)]
        return path(middle, end) + [mth(start, middle)]

    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of {size}")
    return path(0, size)


def consistency_proof(old: int, size: int, mth: MTH) -> list[Hash]:
    """PROOF(old, D[size]) of RFC 6962 §2.1.2; empty when nothing needs proof."""

    def subproof(old: int, start: int, end: int, whole: bool) -> list[Hash]:
        if old == end - start:
            return [] if whole else [mth(start, end)]
        k = split(end - start)
        if old <= k:
            return subproof(old, start, start + k, whole) + [mth(start + k, end)]
        return subproof(old - k, start + k, end, False) + [mth(start, start + k)]

    if not 0 <= old <= size:
        raise ValueError(f"no tree of {old} before one of {size}")
    return [] if old == 0 else subproof(old, 0, size, True)


def root_from_inclusion(index: int, size: int, leaf: Hash, proof: Sequence[Hash]) -> Hash | None:
    """The root that an inclusion proof leads to (RFC 9162 §2.1.3.2), or None when its length is not right."""
    if not 0 <= index < size:
        return None
    first, second, root = index, size - 1, leaf
    for sibling in proof:
        if second == 0:
            return None
        if first & 1 or first == second:
            root = node_hash(sibling, root)
            if not first & 1:
                while first and not first & 1:
                    first, second = first >> 1, second >> 1
        else:
            root = node_hash(root, sibling)
        first, second = first >> 1, second >> 1
    return root if second == 0 else None


def is_consistent(old: int, size: int, old_root: Hash, root: Hash, proof: Sequence[Hash]) -> bool:
    """Whether a proof shows the tree of `old` entries to be the beginning of the one of `size` (RFC 9162 §2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT and (size > 0 or root == EMPTY_ROOT)
    if old == size:
        return not proof and old_root == root
    if not proof:
        return False
    path = list(proof)
    if old & old - 1 == 0:
        path.insert(0, old_root)
    first, second = old - 1, size - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    old_seen = new_seen = path[0]
    for sibling in path[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            old_seen, new_seen = node_hash(sibling, old_seen), node_hash(sibling, new_seen)
            while first and not first & 1:
                first, second = first >> 1, second >> 1
        else:
            new_seen = node_hash(new_seen, sibling)
        first, second = first >> 1, second >> 1
    return second == 0 and old_seen == old_root and new_seen == root
