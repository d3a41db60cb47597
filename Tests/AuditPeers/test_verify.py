"""The verifier on whole logs, pruned logs, ranges, older checkpoints, witnesses, and as a command."""

import json
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
import unittest
from pathlib import Path

from make_log import LogWriter, sample_entry, write_log
from note import COSIGNATURE, MLDSA_COSIGNATURE, Checkpoint, Note, Signer
from signed import Trust
from tiles import ENTRIES, Unreadable, tile_path
from verify import verify

HERE = Path(__file__).parent
SIGNER = Signer("example.org/audit", bytes(range(32)))
TRUST = Trust([SIGNER.key])


class LogCase(unittest.TestCase):
    """Gives each test a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.log = self.folder / "log"

    def write(self, count: int, every: int = 0) -> list[Path]:
        """A log, and the files of its checkpoints."""
        files = []
        for number, data in enumerate(write_log(self.log, SIGNER, map(sample_entry, range(count)), every)):
            files.append(self.folder / f"checkpoint-{number}")
            files[-1].write_bytes(data)
        return files

    def kinds(self, report) -> set[str]:
        return {finding.kind for finding in report.findings}


class VerifyTests(LogCase):
    def test_logs_of_every_size_around_the_edges_of_tiles_are_whole(self):
        writer = LogWriter(self.log, SIGNER)
        for size in (0, 1, 2, 255, 256, 257, 511, 512, 513, 1000):
            while writer.size < size:
                writer.append(sample_entry(writer.size))
            writer.publish()
            report = verify(self.log, TRUST, canonical_json=True)
            self.assertTrue(report.whole, report.as_text())
            self.assertEqual(report.facts["entries_checked"], size)

    def test_a_log_of_three_levels_is_whole(self):
        write_log(self.log, SIGNER, (b"%d" % i for i in range(66_000)))
        report = verify(self.log, TRUST)
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(report.facts["tiles_checked"], 258 + 2 + 1)

    def test_every_older_checkpoint_is_the_beginning_of_the_log(self):
        older = self.write(1000, 90)
        report = verify(self.log, TRUST, older=older)
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(report.facts["older_checkpoints_agree"], 12)

    def test_an_older_checkpoint_can_be_verified_in_a_log_that_went_on(self):
        older = self.write(1000, 90)
        for folder in ("tile/0/000.p", "tile/0/001.p", "tile/entries/000.p", "tile/entries/001.p"):
            shutil.rmtree(self.log / folder)
        report = verify(self.log, TRUST, current=older[2])
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(report.facts["size"], 270)
        self.assertTrue(any("beyond" in notice for notice in report.notices))

    def test_a_range_reads_only_its_bundles_and_finds_only_its_faults(self):
        self.write(1000)
        for index in (0, 3):
            path = self.log / tile_path(ENTRIES, index, 256 if index < 3 else 1000 % 256)
            path.write_bytes(path.read_bytes()[:-1])
        report = verify(self.log, TRUST, start=256, end=768)
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(report.facts["entries_checked"], 512)
        report = verify(self.log, TRUST, start=250, end=1000)
        self.assertEqual(report.first_bad_index, 255)
        self.assertEqual(self.kinds(verify(self.log, TRUST, start=0, end=2000)), {"range", "bundle"})
        with self.assertRaises(Unreadable):
            verify(self.log, TRUST, start=5, end=4)

    def test_a_range_within_a_bundle_does_not_answer_for_the_rest_of_it(self):
        self.write(300)
        path = self.log / tile_path(ENTRIES, 0)
        path.write_bytes(path.read_bytes().replace(b'"sequence":17,', b'"sequence":71,'))
        report = verify(self.log, TRUST, start=20, end=30)
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(report.facts["entries_checked"], 10)
        self.assertEqual(verify(self.log, TRUST, start=10, end=30).first_bad_index, 17)

    def test_pruned_bundles_are_allowed_wholly_below_the_minimum_index_only(self):
        older = self.write(1000, 300)
        shutil.rmtree(self.log / "tile/entries/000.p", ignore_errors=True)
        for index in (0, 1):
            (self.log / tile_path(ENTRIES, index)).unlink()
        self.assertEqual(verify(self.log, TRUST, older=older).first_bad_index, 0)
        self.assertEqual(verify(self.log, TRUST, minimum=511).first_bad_index, 256)
        report = verify(self.log, TRUST, older=older, minimum=512)
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(report.facts["entries_pruned"], 512)
        self.assertEqual(report.facts["entries_checked"], 488)
        (self.log / tile_path(ENTRIES, 2)).unlink()
        self.assertEqual(verify(self.log, TRUST, minimum=767).first_bad_index, 512)

    def test_pruned_tiles_are_allowed_too_and_make_older_checkpoints_uncheckable(self):
        older = self.write(1000, 300)
        for index in (0, 1):
            (self.log / tile_path(ENTRIES, index)).unlink()
            (self.log / tile_path(0, index)).unlink()
        self.assertFalse(verify(self.log, TRUST).whole)
        report = verify(self.log, TRUST, minimum=600, older=older[1:])
        self.assertEqual(report.exit_code, 0, report.as_text())
        report = verify(self.log, TRUST, minimum=600, older=older)
        self.assertEqual(report.exit_code, 2, report.as_text())

    def test_a_tile_that_is_there_below_the_minimum_index_is_still_checked(self):
        self.write(1000)
        path = self.log / tile_path(ENTRIES, 0)
        path.write_bytes(path.read_bytes().replace(b"spiffe", b"spoofe", 1))
        self.assertEqual(verify(self.log, TRUST, minimum=512).first_bad_index, 0)

    def test_entries_that_are_not_canonical_json_are_named_when_asked(self):
        write_log(self.log, SIGNER, [b'{"a":1}', b'{"a": 1}', b"plain text"])
        self.assertTrue(verify(self.log, TRUST).whole)
        report = verify(self.log, TRUST, canonical_json=True)
        self.assertEqual([(f.kind, f.start) for f in report.findings], [("json", 1), ("json", 2)])

    def test_witnesses_are_counted_and_a_false_one_is_found(self):
        self.write(10)
        text = Note.parse((self.log / "checkpoint").read_bytes()).text
        one = Signer("witness.example.org/1", bytes([1]) * 32, COSIGNATURE)
        two = Signer("witness.example.org/2", bytes([2]) * 32, MLDSA_COSIGNATURE)
        three = Signer("witness.example.org/3", bytes([3]) * 32, COSIGNATURE)
        keys = [one.key, two.key, three.key]
        signed = SIGNER.sign(text) + one.line(text, 1_700_000_000) + two.line(text, 1_700_000_001)
        (self.log / "checkpoint").write_bytes(signed)
        report = verify(self.log, Trust([SIGNER.key], witnesses=keys, quorum=2))
        self.assertTrue(report.whole, report.as_text())
        self.assertEqual(set(report.facts["witnessed_by"]), {one.key.name, two.key.name})
        self.assertEqual(self.kinds(verify(self.log, Trust([SIGNER.key], witnesses=keys))), {"witness"})
        (self.log / "checkpoint").write_bytes(signed + three.line(text + b"x\n", 1))
        self.assertEqual(self.kinds(verify(self.log, Trust([SIGNER.key], witnesses=keys, quorum=2))), {"witness"})
        (self.log / "checkpoint").write_bytes(SIGNER.sign(text) + one.line(text, 1 << 40))
        report = verify(self.log, Trust([SIGNER.key], witnesses=[one.key]))
        self.assertTrue(any("future" in notice for notice in report.notices))

    def test_a_key_that_took_over_is_trusted_beside_the_one_before(self):
        older = self.write(300, 100)
        successor = Signer(SIGNER.key.name, bytes([9]) * 32)
        writer = LogWriter(self.log, successor)
        writer.append(sample_entry(300))
        writer.publish()
        both = Trust([SIGNER.key, successor.key])
        self.assertTrue(verify(self.log, both, older=older).whole)
        self.assertEqual(self.kinds(verify(self.log, TRUST)), {"signature"})

    def test_of_two_files_that_differ_the_one_that_is_wrong_is_named(self):
        for count, index in ((10, 3), (300, 3), (300, 290)):
            for spoiled, kind in ((ENTRIES, "entry"), (0, "tile")):
                self.log = self.folder / f"log-{count}-{index}-{kind}"
                write_log(self.log, SIGNER, map(sample_entry, range(count)))
                width = min(256, count - index // 256 * 256)
                path = self.log / tile_path(spoiled, index // 256, width)
                data = path.read_bytes()
                offset = data.index(sample_entry(index)) if spoiled == ENTRIES else index % 256 * 32
                path.write_bytes(data[:offset] + b"\0" + data[offset + 1 :])
                report = verify(self.log, TRUST)
                self.assertEqual([(f.kind, f.start) for f in report.findings], [(kind, index)], report.as_text())

    def test_an_entry_that_moved_is_recognised(self):
        write_log(self.log, SIGNER, [b"a", b"b", b"c"])
        path = self.log / tile_path(ENTRIES, 0, 3)
        path.write_bytes(path.read_bytes().replace(b"a", b"c"))
        report = verify(self.log, TRUST)
        self.assertIn("it is the one of index 2", report.findings[0].message)

    def test_memory_does_not_grow_with_the_log(self):
        peaks = []
        for count in (600, 20_000):
            self.log = self.folder / f"log-{count}"
            write_log(self.log, SIGNER, (b"%d" % i for i in range(count)))
            tracemalloc.start()
            self.assertTrue(verify(self.log, TRUST).whole)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        self.assertLess(peaks[1], 2 * peaks[0])

    def test_memory_does_not_grow_with_what_is_wrong(self):
        self.write(3000)
        for path in (self.log / "tile/entries").rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes().replace(b"spiffe", b"spoofe"))
        report = verify(self.log, TRUST)
        self.assertLessEqual(len(report.as_json()["findings"]), 1000)
        self.assertEqual(report.as_json()["findings_left_out"], 2000)
        self.assertEqual(report.first_bad_index, 0)

    def test_a_size_that_the_files_do_not_bear_out_does_not_keep_the_verifier_busy(self):
        self.write(300)
        head = Checkpoint(SIGNER.key.name, (1 << 63) - 1, bytes(32))
        (self.log / "checkpoint").write_bytes(SIGNER.sign(head.text()))
        report = verify(self.log, TRUST)
        self.assertIn("missing", self.kinds(report))

    def test_a_file_that_is_no_tile_is_only_worth_a_notice(self):
        self.write(10)
        (self.log / "tile/0/.000.tmp").write_bytes(b"")
        report = verify(self.log, TRUST)
        self.assertTrue(report.whole)
        self.assertIn("tile/0/.000.tmp is no path of a tile or bundle", report.notices)

    def run_command(self, *arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, HERE / "verify.py", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    def test_the_command_answers_with_its_exit_codes(self):
        older = self.write(300, 100)
        vkey = ("--vkey", SIGNER.key)
        done = self.run_command(self.log, *vkey, "--checkpoint", older[0], "--json", "--format", "json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["older_checkpoints_agree"], 1)
        (self.folder / "vkey").write_text(f"{SIGNER.key}\n")
        self.assertEqual(self.run_command(self.log, "--vkey", self.folder / "vkey").returncode, 0)
        stranger = Signer("example.org/audit", bytes(32)).key
        self.assertEqual(self.run_command(self.log, "--vkey", stranger).returncode, 1)
        self.assertEqual(self.run_command(self.log, *vkey, "--origin", "else").returncode, 1)
        self.assertEqual(self.run_command(self.log, *vkey, "--checkpoint", self.folder / "none").returncode, 2)
        self.assertEqual(self.run_command(self.folder, *vkey).returncode, 2)
        self.assertEqual(self.run_command(self.log / "none", *vkey).returncode, 2)
        self.assertEqual(self.run_command(self.log, "--vkey", "x").returncode, 2)
        self.assertEqual(self.run_command(self.log).returncode, 2)
        path = self.log / tile_path(ENTRIES, 0)
        path.write_bytes(path.read_bytes().replace(b'"sequence":17,', b'"sequence":71,'))
        done = self.run_command(self.log, *vkey)
        self.assertEqual(done.returncode, 1)
        self.assertIn("BAD index 17: tile/entries/000: not the entry that the log committed to", done.stdout)
        self.assertTrue(done.stdout.endswith("NOT WHOLE: the first bad index is 17\n"), done.stdout)


if __name__ == "__main__":
    unittest.main()
