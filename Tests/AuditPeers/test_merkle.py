"""The Merkle tree against the published vectors of RFC 6962's implementations, and against its own definition."""

import unittest

from merkle import (
    EMPTY_ROOT, consistency_proof, inclusion_proof, is_consistent, join_peaks, leaf_hash, node_hash, peaks, root_of,
    root_from_inclusion, split,
)

# The eight leaves, and the roots over the first 0 to 8 of them, that Certificate Transparency tests with.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1 word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = split(len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


class MerkleTests(unittest.TestCase):
    def test_the_published_roots_are_computed(self):
        leaves = [bytes.fromhex(leaf) for leaf in LEAVES]
        for count, root in enumerate(ROOTS):
            self.assertEqual(root_of([leaf_hash(leaf) for leaf in leaves[:count]]).hex(), root)

    def test_rows_and_peaks_give_the_root_of_the_definition(self):
        for count in range(70):
            leaves = [bytes([i]) for i in range(count)]
            hashes = [leaf_hash(leaf) for leaf in leaves]
            self.assertEqual(root_of(hashes), mth(leaves))
            self.assertEqual(join_peaks(peaks(hashes)), mth(leaves))

    def test_every_proof_in_small_trees_holds_and_no_other_does(self):
        leaves = [bytes([i]) for i in range(20)]
        for size in range(1, len(leaves) + 1):
            root = mth(leaves[:size])
            for index in range(size):
                proof = inclusion_proof(index, size, lambda a, b: mth(leaves[a:b]))
                leaf = leaf_hash(leaves[index])
                self.assertEqual(root_from_inclusion(index, size, leaf, proof), root)
                self.assertIsNone(root_from_inclusion(index, size, leaf, proof + [root]))
                self.assertIsNone(root_from_inclusion(size, size, leaf, proof))
                if proof:
                    self.assertIsNone(root_from_inclusion(index, size, leaf, proof[:-1]))
                    self.assertNotEqual(root_from_inclusion(index, size, leaf, [root] + proof[1:]), root)
                    self.assertNotEqual(root_from_inclusion(index ^ 1, size, leaf, proof), root)
            for old in range(size + 1):
                proof = consistency_proof(old, size, lambda a, b: mth(leaves[a:b]))
                before = mth(leaves[:old])
                self.assertTrue(is_consistent(old, size, before, root, proof))
                self.assertFalse(is_consistent(old, size, before, root, proof + [root]))
                self.assertFalse(is_consistent(old, size, bytes(32), root, proof))
                if old:
                    self.assertFalse(is_consistent(old, size, before, bytes(32), proof))
                if proof:
                    self.assertFalse(is_consistent(old, size, before, root, proof[:-1]))
                    self.assertFalse(is_consistent(old, size, before, root, [bytes(32)] + proof[1:]))


if __name__ == "__main__":
    unittest.main()
