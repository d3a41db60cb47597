"""Every tampering is found, and where its place can be known, it is the place that the verifier names."""

import contextlib
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import tamper
from make_log import sample_entry, write_log
from signed import Trust
from tamper import TAMPERINGS, NotApplicable, Victim
from test_verify import SIGNER, TRUST
from tiles import Directory
from verify import verify

SEEDS = 3


class TamperTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.logs = {
            "small": list(map(sample_entry, range(1000))),
            # Three levels, of which the second has a full tile.
            "large": [b"%d" % i for i in range(65_536 + 3 * 256 + 5)],
        }
        cls.checkpoints = {
            name: write_log(cls.folder / name, SIGNER, entries, len(entries) // 3 + 1)
            for name, entries in cls.logs.items()
        }
        cls.newest = {name: cls.folder / f"{name}-newest" for name in cls.logs}
        for name, path in cls.newest.items():
            path.write_bytes(cls.checkpoints[name][-1])

    def find(self, log: str, name: str, seed: int) -> None:
        """Tampers with a log, and demands that the verifier finds it."""
        copy = self.folder / f"{log}-{name}-{seed}"
        done = tamper.tamper(self.folder / log, copy, name, seed, SIGNER, self.checkpoints[log][0])
        self.addCleanup(shutil.rmtree, copy, ignore_errors=True)
        outsider = TAMPERINGS[name].outsider
        if outsider:
            alone = verify(copy, TRUST)
            self.assertTrue(alone.whole, f"{name}: {alone.as_text()}")
        report = verify(copy, TRUST, older=[self.newest[log]] if outsider else [])
        self.assertFalse(report.whole, f"{name} of {log} with seed {seed} is not found: {done}")
        if done.exact:
            self.assertEqual(report.first_bad_index, done.index, f"{name} of {log}, {seed}: {done}\n{report.as_text()}")
        elif report.first_bad_index is not None and done.index is not None:
            self.assertLessEqual(report.first_bad_index, max(done.index, 1) + 255, f"{name}: {report.as_text()}")
        shutil.rmtree(copy)

    def test_every_tampering_is_found(self):
        for name in TAMPERINGS:
            for seed in range(SEEDS):
                with self.subTest(name, seed=seed):
                    try:
                        self.find("small", name, seed)
                    except NotApplicable:
                        if seed == 0:
                            self.find("large", name, seed)

    def test_every_bit_of_a_small_log_counts(self):
        source = self.folder / "tiny"
        write_log(source, SIGNER, map(sample_entry, range(5)), 3)
        files = ["checkpoint", *Directory(source).files()]
        self.assertEqual(len(files), 5)
        copy = self.folder / "flipped"
        shutil.copytree(source, copy)
        self.assertTrue(verify(copy, TRUST).whole)
        for path in files:
            before = (source / path).read_bytes()
            for offset in range(len(before)):
                Victim(copy).flip(path, offset, offset % 8)
                self.assertFalse(verify(copy, TRUST).whole, f"byte {offset} of {path}")
                (copy / path).write_bytes(before)

    def test_the_unharmed_logs_are_whole(self):
        for name in self.logs:
            report = verify(self.folder / name, TRUST, older=[self.newest[name]])
            self.assertTrue(report.whole, report.as_text())

    def test_a_key_swapped_with_that_of_the_reader_is_the_only_way_not_to_be_found(self):
        copy = self.folder / "swapped"
        tamper.tamper(self.folder / "small", copy, "swap-key-and-rewrite", 1)
        self.assertFalse(verify(copy, TRUST).whole)
        self.assertFalse(verify(copy, Trust([SIGNER.key], witnesses=[SIGNER.key])).whole)

    def run_command(self, *arguments: object) -> tuple[int, str]:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            return tamper.main(list(map(str, arguments))), out.getvalue()

    def test_the_command_lists_applies_and_says_what_it_did(self):
        code, out = self.run_command("list", "--format", "json")
        self.assertEqual((code, len(out.splitlines())), (0, len(TAMPERINGS)))
        source, copy = self.folder / "small", self.folder / "by-command"
        code, out = self.run_command("apply", source, copy, "drop-entry", "--seed", 4)
        self.assertEqual(code, 0)
        self.assertEqual(verify(copy, TRUST).first_bad_index, json.loads(out)["index"])
        self.assertEqual(self.run_command("apply", source, copy, "drop-entry")[0], 2)
        shutil.rmtree(copy)
        self.assertEqual(self.run_command("apply", source, copy, "fork")[0], 3)
        self.assertFalse(copy.exists())
        self.assertEqual(self.run_command("flip", source, copy, "checkpoint", 3, "--bit", 1)[0], 0)
        self.assertFalse(verify(copy, TRUST).whole)
        shutil.rmtree(copy)
        self.assertEqual(self.run_command("flip", source, copy, "checkpoint", 99_999)[0], 3)


if __name__ == "__main__":
    unittest.main()
