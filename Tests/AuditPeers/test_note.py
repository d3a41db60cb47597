"""Signed notes, checkpoints and cosignatures: published ones are accepted, and everything malformed refused."""

import base64
import unittest

from note import COSIGNATURE, MLDSA_COSIGNATURE, Checkpoint, Key, Note, NoteError, Signer, signed_message, verify_note

# From the specification of signed notes, from Go's note package, and two tree heads of Go's checksum database.
PUBLISHED = [
    (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Z"
        "tg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
    ),
    (
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "go.sum database tree\n63096908\n8lHrQPRYe4KT4WQ9/Qk8/taKnD6IRHbFgfN7vQE2Y54=\n\n\u2014 sum.golang.org Az3gri/o"
        "VBN1jAhNZ/iS+W31psFAWRT20/GyrhpU6taFwulQGetBkH5S7wpGXdS935jiIGiUUAXBVHzT/P6fYhqAmAk=\n",
    ),
    (
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "go.sum database tree\n15081221\nBoMMe1wd25Tco0mYGROkyqxHZWx+hcSCtMV315Lu6Lg=\n\n\u2014 sum.golang.org Az3grilD"
        "7vQqTrv66jRgKM84Y80KTprrSt4bKmiOPxgmS5ZVBTeCl6dUvjYnN13R+C8j0jGY1WnUADGMkok3U0m2Zgo=\n",
    ),
]
PETER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ROOT = base64.b64encode(bytes(range(32))).decode()
TEXT = f"example.org/log\n7\n{ROOT}\n".encode()


class NoteTests(unittest.TestCase):
    def test_published_notes_verify_and_no_byte_of_their_text_can_change(self):
        for vkey, note in PUBLISHED:
            key, data = Key.parse(vkey), note.encode()
            self.assertEqual(str(key), vkey)
            parsed = Note.parse(data)
            self.assertEqual(verify_note(parsed, [key]), {key: 0})
            for i in range(len(parsed.text) - 1):
                changed = Note(parsed.text[:i] + bytes([parsed.text[i] ^ 1]) + parsed.text[i + 1 :], parsed.signatures)
                with self.assertRaises(NoteError):
                    verify_note(changed, [key])

    def test_a_published_private_key_gives_its_public_one_and_its_text(self):
        signer = Signer.parse(PETER)
        self.assertEqual(str(signer.key), PETER_PUBLIC)
        self.assertEqual(str(signer), PETER)

    def test_signatures_by_strangers_are_ignored_even_under_a_known_name_or_id(self):
        signer = Signer("example.org/log", bytes(32))
        stranger = Signer("example.org/log", bytes([1]) * 32)
        note = Note.parse(signer.sign(TEXT) + stranger.line(TEXT))
        self.assertEqual(verify_note(note, [signer.key]), {signer.key: 0})
        self.assertEqual(verify_note(Note.parse(stranger.sign(TEXT)), [signer.key]), {})

    def test_a_bad_signature_of_a_known_key_refuses_the_note_whatever_else_signed_it(self):
        signer, other = Signer("example.org/log", bytes(32)), Signer("example.org/w", bytes(32))
        line = signer.line(TEXT + b"x\n")
        note = Note.parse(other.sign(TEXT) + line)
        with self.assertRaisesRegex(NoteError, "not that key's"):
            verify_note(note, [other.key, signer.key])

    def test_cosignatures_of_both_kinds_bind_text_and_time(self):
        for kind in (COSIGNATURE, MLDSA_COSIGNATURE):
            witness = Signer("witness.example.org/w1", bytes(32), kind)
            self.assertEqual(Key.parse(str(witness.key)), witness.key)
            note = Note.parse(witness.sign(TEXT, 1_679_315_147))
            self.assertEqual(verify_note(note, [witness.key]), {witness.key: 1_679_315_147})
            signature = note.signatures[0]
            later = bytearray(signature.body)
            later[7] ^= 1
            for text, body in (
                (TEXT.replace(b"7", b"8", 1), signature.body),
                (TEXT, bytes(later)),
                (TEXT, signature.body[:-1]),
                (TEXT, b"\xff" + signature.body[1:]),
            ):
                changed = Note(text, (type(signature)(signature.name, signature.key_id, body),))
                with self.assertRaises(NoteError):
                    verify_note(changed, [witness.key])

    def test_a_cosignature_of_a_time_beyond_2_to_the_63_is_refused_though_signed(self):
        witness = Signer("w", bytes(32), COSIGNATURE)
        with self.assertRaisesRegex(NoteError, "2\\^63"):
            verify_note(Note.parse(witness.sign(TEXT, 1 << 63)), [witness.key])

    def test_the_message_of_an_ed25519_cosignature_is_that_of_the_specification(self):
        key = Signer("w", bytes(32), COSIGNATURE).key
        text = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        self.assertEqual(signed_message(key, text, 1679315147), b"cosignature/v1\ntime 1679315147\n" + text)

    def test_the_message_of_an_mldsa_cosignature_is_that_of_the_specification(self):
        key = Signer("w", bytes(32), MLDSA_COSIGNATURE).key
        expected = (
            b"subtree/v1\n\0" + b"\x01w" + (5).to_bytes(8, "big") + b"\x0fexample.org/log" + bytes(8)
            + (7).to_bytes(8, "big") + bytes(range(32))
        )
        self.assertEqual(signed_message(key, TEXT + b"extension\n", 5), expected)

    def test_malformed_notes_are_refused(self):
        good = Signer("example.org/log", bytes(32)).sign(TEXT)
        Note.parse(good)
        dash = "\u2014".encode()
        bad = {
            "no signature": TEXT,
            "no empty line": good.replace(b"\n\n", b"\n"),
            "no signature line": TEXT + b"\n",
            "no last newline": good[:-1],
            "empty": b"",
            "carriage returns": good.replace(b"\n", b"\r\n"),
            "a tab": good.replace(b"example", b"exam\tple", 1),
            "a NUL": b"\0" + good,
            "not UTF-8": b"\xff" + good,
            "a hyphen": good.replace(dash, b"-"),
            "two spaces": good.replace(dash + b" ", dash + b"  "),
            "a trailing space": good[:-1] + b" \n",
            "a name with a plus": good.replace(dash + b" example", dash + b" exam+ple"),
            "a name with a Unicode space": good.replace(dash + b" example", dash + " exam\u2003ple".encode()),
            "an empty name": good.replace(dash + b" example.org/log", dash + b" "),
            "an empty line after": good + b"\n",
            "a short signature": TEXT + b"\n" + dash + b" x AAAA\n",
            "not base64": TEXT + b"\n" + dash + b" x !!!!!!!!\n",
            "base64 with stray bits": TEXT + b"\n" + dash + b" x AAAAAAB=\n",
            "URL-safe base64": TEXT + b"\n" + dash + b" x AAAA-_AA\n",
            "too many signatures": good + (dash + b" x AAAAAAAA\n") * 64,
            "too long": b"x" * (1 << 20) + good,
        }
        for what, data in bad.items():
            with self.subTest(what), self.assertRaises(NoteError):
                Note.parse(data)

    def test_malformed_checkpoints_are_refused(self):
        self.assertEqual(Checkpoint.parse(TEXT), Checkpoint("example.org/log", 7, bytes(range(32))))
        self.assertEqual(Checkpoint.parse(TEXT + b"more\n").extensions, ("more",))
        self.assertEqual(Checkpoint.parse(TEXT).text(), TEXT)
        for size in ("07", "+7", "-7", "7.0", "0x7", "", " 7", "\u0667", "9223372036854775808", "1" * 400):
            with self.subTest(size), self.assertRaises(NoteError):
                Checkpoint.parse(f"o\n{size}\n{ROOT}\n".encode())
        for text in (f"o\n7\n{ROOT[:-4]}\n", f"o\n7\n{ROOT}=\n", "o\n7\n", f"\n7\n{ROOT}\n", f"o\n7\n{ROOT}\n\nx\n",
                     f"o\n7\n{ROOT[:-2]}9=\n", f"o\n7\n {ROOT}\n"):
            with self.subTest(text), self.assertRaises(NoteError):
                Checkpoint.parse(text.encode())

    def test_malformed_keys_are_refused(self):
        for text in (
            "",
            "PeterNeumann",
            "PeterNeumann+c74f20a3",
            PETER_PUBLIC.replace("c74f20a3", "c74f20a4"),
            PETER_PUBLIC.replace("c74f20a3", "C74F20A3"),
            PETER_PUBLIC.replace("Peter", "Pete r"),
            PETER_PUBLIC.replace("PeterNeumann", ""),
            PETER_PUBLIC.replace("ARpc", "Zpc"),
            PETER_PUBLIC.replace("ARpc", "ZRpc"),
            PETER_PUBLIC + "AAAA",
        ):
            with self.subTest(text), self.assertRaises(NoteError):
                Key.parse(text)
        for text in (PETER_PUBLIC, PETER[:-4], PETER.replace("c74f20a3", "c74f20a4")):
            with self.subTest(text), self.assertRaises(NoteError):
                Signer.parse(text)


if __name__ == "__main__":
    unittest.main()
