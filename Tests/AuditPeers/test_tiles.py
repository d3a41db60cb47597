"""Where tiles are and what is in bundles, by the specification's own examples."""

import tempfile
import unittest
from pathlib import Path

from make_log import LogWriter, sample_entry, write_log
from merkle import leaf_hash, root_of
from note import Checkpoint, Note, Signer
from tiles import ENTRIES, WIDTH, Directory, Malformed, Tree, entries_of, hashes_at, levels, parse_path, tile_path

# A log that another implementation wrote under this published key, one word and one checkpoint at a time.
TESSERA_KEY = "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg"
TESSERA_ENTRIES = "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split()
TESSERA_CHECKPOINT = (
    "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n\u2014 example.com/log/testdata "
    "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n"
)


class TileTests(unittest.TestCase):
    def test_paths_are_those_of_the_specification(self):
        self.assertEqual(tile_path(0, 1234067), "tile/0/x001/x234/067")
        self.assertEqual(tile_path(63, 0, 255), "tile/63/000.p/255")
        self.assertEqual(tile_path(ENTRIES, 1000), "tile/entries/x001/000")
        for path in ("tile/0/x001/x234/067", "tile/entries/999.p/1", "tile/1/000"):
            self.assertEqual(tile_path(*parse_path(path)), path)
        for path in ("tile/00/000", "tile/64/000", "tile/0/0", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256",
                     "tile/0/000.p/01", "tile/0/x1/000", "tile/0/000.tmp", "tile/data/000", "tile/0/000\n"):
            self.assertIsNone(parse_path(path), path)

    def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts(self):
        self.assertEqual([hashes_at(level, 70_000) for level in levels(70_000)], [273 * 256 + 112, 256 + 17, 1])
        self.assertEqual([hashes_at(level, 256) for level in levels(256)], [256, 1])
        self.assertEqual(list(levels(0)), [])
        self.assertEqual(list(levels(255)), [0])

    def test_bundles_are_cut_at_their_lengths_and_nowhere_else(self):
        bundle = b"\0\x01a" + b"\0\0" + b"\xff\xff" + b"z" * 65_535
        self.assertEqual(list(entries_of(bundle)), [b"a", b"", b"z" * 65_535])
        for cut in (1, 2, 4, 6, 7, len(bundle) - 1):
            with self.assertRaises(Malformed):
                list(entries_of(bundle[:cut]))

    def test_the_writer_writes_what_another_implementation_wrote(self):
        with tempfile.TemporaryDirectory() as directory:
            signer = Signer.parse(TESSERA_KEY)
            checkpoints = write_log(directory, signer, [word.encode() for word in TESSERA_ENTRIES], 1)
            self.assertEqual(checkpoints[-1].decode(), TESSERA_CHECKPOINT)
            hashes = b"".join(leaf_hash(word.encode()) for word in TESSERA_ENTRIES)
            self.assertEqual((Path(directory) / "tile/0/000.p/15").read_bytes(), hashes)

    def test_a_log_taken_up_again_is_the_log_written_in_one_go(self):
        signer = Signer("example.org/log", bytes(32))
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            whole = write_log(one, signer, map(sample_entry, range(600)))[-1]
            for start in (0, 1, 200, 256, 300, 599):
                writer = LogWriter(other, signer)
                self.assertEqual(writer.size, start)
                stop = {0: 1, 1: 200, 200: 256, 256: 300, 300: 599, 599: 600}[start]
                for index in range(start, stop):
                    self.assertEqual(writer.append(sample_entry(index)), index)
                last = writer.publish()
            self.assertEqual(last, whole)
            self.assertRaises(ValueError, LogWriter(other, signer).append, b"x" * 65_536)

    def test_tiles_give_every_hash_and_root_of_the_tree(self):
        with tempfile.TemporaryDirectory() as directory:
            checkpoint = write_log(directory, Signer("l", bytes(32)), (b"%d" % i for i in range(1000)))[-1]
            size = Checkpoint.parse(Note.parse(checkpoint).text).size
            tree = Tree(Directory(directory), size)
            hashes = [leaf_hash(b"%d" % i) for i in range(1000)]
            for old in (0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 700, 999, 1000):
                self.assertEqual(tree.root(old), root_of(hashes[:old]))
            for start, end in ((0, 1), (8, 16), (512, 1000), (256, 512), (0, 512), (768, 1000), (998, 1000)):
                self.assertEqual(tree.mth(start, end), root_of(hashes[start:end]))
            self.assertEqual(WIDTH, 256)


if __name__ == "__main__":
    unittest.main()
