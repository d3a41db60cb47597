"""Canonical JSON, by the examples that RFC 8785 prints."""

import json
import struct
import unittest

import jcs

# RFC 8785 appendix B: the bits of a double, and how it is written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


class CanonicalTests(unittest.TestCase):
    def test_numbers_are_written_as_the_rfc_prints_them(self):
        for bits, text in NUMBERS.items():
            self.assertEqual(jcs.number(struct.unpack(">d", bytes.fromhex(bits))[0]), text, bits)
        for bits in ("7fffffffffffffff", "7ff0000000000000"):
            with self.assertRaises(jcs.NotJSON):
                jcs.number(struct.unpack(">d", bytes.fromhex(bits))[0])

    def test_the_rfcs_example_becomes_its_canonical_form(self):
        source = r'''{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'''
        wanted = (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        )
        self.assertEqual(jcs.encode(json.loads(source)).decode(), wanted)

    def test_names_are_sorted_by_utf16_units(self):
        names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f602", "\u0080", "\u00f6"]
        text = jcs.encode({name: 0 for name in names}).decode()
        self.assertEqual(list(json.loads(text)), ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f602", "\ufb33"])

    def test_canonical_entries_have_no_problem(self):
        for entry in (b"{}", '{"a":"\u00fc\u007f/","b":[1,-2.5,true,null,{}]}'.encode(), b'{"":""}'):
            self.assertIsNone(jcs.problem(entry))

    def test_anything_else_has_one(self):
        for entry in (
            b"", b" {}", b"{}\n", b"[]", b"1", b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1.0}', b'{"a":1e2}', b'{"a":-0}',
            b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":"\\u0041"}', b'{"a":"\\/"}', b'{"a":"\\u000A"}',
            b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'\xef\xbb\xbf{}', b'{"a":9007199254740993}', b'{"a":1e999}',
            b'{"a":"\n"}', b'{"a":1}{}', b"[" * 100_000, b'{"a":%d}' % 10**400, b'{"a":1' + b"0" * 9000 + b"}",
        ):
            self.assertIsNotNone(jcs.problem(entry), entry[:40])


if __name__ == "__main__":
    unittest.main()
