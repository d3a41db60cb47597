"""Receipts: those of every entry hold, and nothing in one can be changed."""

import base64
import subprocess
import sys
import unittest

from make_log import make_receipt, sample_entry
from merkle import leaf_hash
from note import COSIGNATURE, Note, Signer
from receipt import check_receipt
from signed import Trust
from test_verify import HERE, SIGNER, TRUST, LogCase


class ReceiptTests(LogCase):
    def test_the_receipt_of_every_entry_holds_for_it_and_for_no_other(self):
        for count in (1, 2, 7, 256, 300):
            self.log = self.folder / f"log-{count}"
            self.write(count)
            for index in range(count):
                receipt = make_receipt(self.log, index)
                report = check_receipt(receipt, TRUST, leaf_hash(sample_entry(index)))
                self.assertTrue(report.whole, report.as_text())
                other = check_receipt(receipt, TRUST, leaf_hash(sample_entry(index + 1)))
                self.assertEqual(self.kinds(other), {"receipt"})

    def test_no_byte_of_a_receipt_can_change(self):
        self.write(300)
        receipt, leaf = make_receipt(self.log, 77, b"extra"), leaf_hash(sample_entry(77))
        self.assertTrue(check_receipt(receipt, TRUST, leaf).whole)
        extra = receipt.index(b"extra ") + 6
        for position in range(len(receipt)):
            changed = bytearray(receipt)
            changed[position] ^= 1
            # The extra line is not authenticated, says the specification.
            if not extra <= position < extra + 8:
                self.assertFalse(check_receipt(bytes(changed), TRUST, leaf).whole, position)

    def test_malformed_receipts_are_refused(self):
        self.write(300)
        good = make_receipt(self.log, 77)
        lines = good.split(b"\n")
        for what, data in {
            "empty": b"",
            "no header": b"\n".join(lines[1:]),
            "another version": good.replace(b"@v1", b"@v2"),
            "no index": b"\n".join(lines[:1] + lines[2:]),
            "a leading zero": good.replace(b"index 77", b"index 077"),
            "a sign": good.replace(b"index 77", b"index +77"),
            "a hash more": good.replace(b"index 77\n", b"index 77\n" + lines[2] + b"\n"),
            "a hash less": good.replace(lines[2] + b"\n", b""),
            "a short hash": good.replace(lines[2], lines[2][4:]),
            "64 hashes": good.replace(b"index 77\n", b"index 77\n" + (lines[2] + b"\n") * 64),
            "an index beyond": good.replace(b"index 77", b"index 300"),
            "extra after index": good.replace(b"index 77\n", b"index 77\nextra AAAA\n"),
            "two extras": good.replace(b"index 77\n", b"extra AAAA\nextra AAAA\nindex 77\n"),
            "bad base64 in extra": good.replace(b"index 77\n", b"extra !\nindex 77\n"),
            "carriage returns": good.replace(b"\n", b"\r\n"),
            "no checkpoint": good[: good.index(b"\n\n") + 2],
            "cut off": good[:-1],
        }.items():
            with self.subTest(what):
                report = check_receipt(data, TRUST, leaf_hash(sample_entry(77)))
                self.assertFalse(report.whole)
                if what == "64 hashes":
                    self.assertIn("more than 63", report.findings[0].message)

    def test_a_receipt_of_another_log_or_without_its_witness_is_refused(self):
        self.write(10)
        receipt, leaf = make_receipt(self.log, 3), leaf_hash(sample_entry(3))
        self.assertFalse(check_receipt(receipt, Trust([Signer(SIGNER.key.name, bytes(32)).key]), leaf).whole)
        self.assertFalse(check_receipt(receipt, Trust([SIGNER.key], "elsewhere"), leaf).whole)
        witness = Signer("witness.example.org/1", bytes(32), COSIGNATURE)
        trust = Trust([SIGNER.key], witnesses=[witness.key])
        self.assertEqual(self.kinds(check_receipt(receipt, trust, leaf)), {"witness"})
        text = Note.parse((self.log / "checkpoint").read_bytes()).text
        self.assertTrue(check_receipt(receipt + witness.line(text, 5), trust, leaf).whole)

    def test_the_command_takes_the_entry_from_file_hash_or_extra_line(self):
        self.write(10)

        def run(receipt: bytes, *arguments: object) -> int:
            (self.folder / "r").write_bytes(receipt)
            command = [sys.executable, HERE / "receipt.py", self.folder / "r", "--vkey", SIGNER.key, *arguments]
            return subprocess.run(list(map(str, command)), capture_output=True).returncode

        entry = sample_entry(3)
        (self.folder / "entry").write_bytes(entry)
        (self.folder / "other").write_bytes(entry + b"\n")
        receipt = make_receipt(self.log, 3)
        self.assertEqual(run(receipt, "--entry", self.folder / "entry"), 0)
        self.assertEqual(run(receipt, "--leaf-hash", base64.b64encode(leaf_hash(entry)).decode()), 0)
        self.assertEqual(run(make_receipt(self.log, 3, entry)), 0)
        self.assertEqual(run(receipt, "--entry", self.folder / "other"), 1)
        self.assertEqual(run(make_receipt(self.log, 3, b"other")), 1)
        self.assertEqual(run(receipt), 2)
        self.assertEqual(run(receipt, "--entry", self.folder / "none"), 2)
        self.assertEqual(run(receipt, "--leaf-hash", "AAAA"), 2)


if __name__ == "__main__":
    unittest.main()
