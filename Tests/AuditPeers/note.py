"""Signed notes (C2SP signed-note), checkpoints (tlog-checkpoint) and cosignatures (tlog-cosignature), read strictly.

Three kinds of key: 0x01 Ed25519 over the note, 0x04 an Ed25519 cosignature with a time, 0x06 the same in ML-DSA-44.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from merkle import HASH_SIZE, Hash

ED25519, COSIGNATURE, MLDSA_COSIGNATURE = 0x01, 0x04, 0x06
PUBLIC_SIZES = {ED25519: 32, COSIGNATURE: 32, MLDSA_COSIGNATURE: 1312}
SIGNATURE_SIZES = {ED25519: 64, COSIGNATURE: 8 + 64, MLDSA_COSIGNATURE: 8 + 2420}
# The specification asks for at least 16 signatures; an ML-DSA one takes 3.3 kB of text.
MOST_SIGNATURES, MOST_BYTES = 64, 512 * 1024


class NoteError(ValueError):
    """A note, checkpoint or key that is not as its specification says; the message says how."""


def decode_base64(text: str, what: str) -> bytes:
    """The bytes of standard base64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what} is not base64: {error}") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"{what} is not canonical base64")
    return data


def decode_hash(text: str, what: str) -> Hash:
    """A SHA-256 hash in base64."""
    data = decode_base64(text, what)
    if len(data) != HASH_SIZE:
        raise NoteError(f"{what} has {len(data)} bytes, not {HASH_SIZE}")
    return data


def decode_number(text: str, what: str) -> int:
    """A decimal number without leading zeroes, below 2^63."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII) or int(text) >= 1 << 63:
        raise NoteError(f"{what} is not a decimal number below 2^63 without leading zeroes: {text[:40]!r}")
    return int(text)


def check_name(name: str) -> None:
    """Raises unless `name` may name a key."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise NoteError(f"{name!r} cannot be a key name: it is empty or has a space, a plus or a control character")


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """The four bytes that identify a key beside its name."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


@dataclass(frozen=True)
class Key:
    """A public key as a vkey (signed-note, “Verifier keys”) gives it."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.kind, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteError(f"not a vkey, which has the form name+hash+base64: {text[:80]!r}")
        name, identity, encoded = parts
        check_name(name)
        material = decode_base64(encoded, "the vkey's key")
        if not material or material[0] not in PUBLIC_SIZES:
            raise NoteError(f"the vkey of {name} has signature type {material[:1].hex() or 'none'}, not 01, 04 or 06")
        if len(material) != 1 + PUBLIC_SIZES[material[0]]:
            raise NoteError(f"the vkey of {name} has {len(material) - 1} bytes, not {PUBLIC_SIZES[material[0]]}")
        key = cls(name, material[0], material[1:])
        if identity != key.id.hex():
            raise NoteError(f"the vkey of {name} has the hash {identity[:20]}, its key has {key.id.hex()}")
        return key


@dataclass(frozen=True)
class Signature:
    """One signature line: who made it, and the bytes behind the key id."""

    name: str
    key_id: bytes
    body: bytes


@dataclass(frozen=True)
class Note:
    """A note's text, with its final newline, and its signatures; nothing is verified yet."""

    text: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        if len(data) > MOST_BYTES:
            raise NoteError(f"the note is longer than {MOST_BYTES} bytes")
        try:
            decoded = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NoteError(f"the note is not UTF-8 at byte {error.start}") from None
        for position, char in enumerate(decoded):
            if char < " " and char != "\n":
                raise NoteError(f"the note has the control character U+{ord(char):04X} at character {position}")
        if not decoded.endswith("\n"):
            raise NoteError("the note does not end in a newline")
        before, found, after = decoded.rpartition("\n\n")
        if not found:
            raise NoteError("the note has no empty line before its signatures")
        lines = after[:-1].split("\n") if after else []
        if not 1 <= len(lines) <= MOST_SIGNATURES:
            raise NoteError(f"the note has {len(lines)} signature lines, not 1 to {MOST_SIGNATURES}")
        return cls((before + "\n").encode(), tuple(parse_signature(line) for line in lines))


def parse_signature(line: str) -> Signature:
    """A signature line without its newline."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014":
        raise NoteError(f"not a signature line: {line[:60]!r}")
    check_name(parts[1])
    data = decode_base64(parts[2], f"the signature of {parts[1]}")
    if len(data) < 5:
        raise NoteError(f"the signature of {parts[1]} has only {len(data)} bytes")
    return Signature(parts[1], data[:4], data[4:])


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's origin, how many entries, the root over them, and lines of no meaning here."""

    origin: str
    size: int
    root: Hash
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: bytes) -> "Checkpoint":
        lines = text.decode().split("\n")
        if lines.pop() != "" or len(lines) < 3:
            raise NoteError("the checkpoint has fewer than three lines")
        if any(line == "" for line in lines):
            raise NoteError("the checkpoint has an empty line")
        size = decode_number(lines[1], "the tree size")
        return cls(lines[0], size, decode_hash(lines[2], "the root hash"), tuple(lines[3:]))

    def text(self) -> bytes:
        """The note text that is signed."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions]
        return "".join(line + "\n" for line in lines).encode()


def signed_message(key: Key, text: bytes, time: int) -> bytes:
    """The bytes that a key of this kind signs for a note with this text (tlog-cosignature, “signed message”)."""
    if key.kind == ED25519:
        return text
    if key.kind == COSIGNATURE:
        return b"cosignature/v1\ntime %d\n" % time + text
    head = Checkpoint.parse(text)
    name, origin = key.name.encode(), head.origin.encode()
    if len(name) > 255 or len(origin) > 255:
        raise NoteError("a name or origin of more than 255 bytes cannot be cosigned with ML-DSA-44")
    return b"".join(
        [
            b"subtree/v1\n\x00",
            bytes([len(name)]) + name,
            time.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            (0).to_bytes(8, "big"),
            head.size.to_bytes(8, "big"),
            head.root,
        ]
    )


def verify_signature(key: Key, text: bytes, body: bytes) -> int:
    """The time in a cosignature, 0 for a plain one; raises when the signature is not the key's."""
    if len(body) != SIGNATURE_SIZES[key.kind]:
        raise NoteError(f"the signature of {key.name} has {len(body)} bytes, not {SIGNATURE_SIZES[key.kind]}")
    time = 0 if key.kind == ED25519 else int.from_bytes(body[:8], "big")
    if time >= 1 << 63:
        raise NoteError(f"the cosignature of {key.name} has a time of 2^63 or more")
    signature = body if key.kind == ED25519 else body[8:]
    scheme = mldsa.MLDSA44PublicKey if key.kind == MLDSA_COSIGNATURE else ed25519.Ed25519PublicKey
    try:
        scheme.from_public_bytes(key.public).verify(signature, signed_message(key, text, time))
    except (InvalidSignature, ValueError):
        raise NoteError(f"the signature of {key.name} is not that key's over this text") from None
    return time


def verify_note(note: Note, keys: Iterable[Key]) -> dict[Key, int]:
    """The keys of `keys` that signed, each with its time; raises when one that the note names fails.

    Signatures by other keys are ignored, as the specification demands. An empty answer means that none of `keys`
    signed: it is for the caller to refuse.
    """
    known = {(key.name, key.id): key for key in keys}
    verified = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            verified[key] = verify_signature(key, note.text, signature.body)
    return verified


class Signer:
    """A private key that signs notes. Its file has one line, in the form that Go's note package uses."""

    def __init__(self, name: str, seed: bytes, kind: int = ED25519):
        check_name(name)
        self.seed, self.kind = seed, kind
        scheme = mldsa.MLDSA44PrivateKey.from_seed_bytes if kind == MLDSA_COSIGNATURE else None
        self.private = (scheme or ed25519.Ed25519PrivateKey.from_private_bytes)(seed)
        self.key = Key(name, kind, self.private.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise NoteError("not a signer's key, which has the form PRIVATE+KEY+name+hash+base64")
        material = decode_base64(parts[4], "the signer's key")
        if len(material) != 33 or material[0] not in PUBLIC_SIZES:
            raise NoteError("the signer's key is not of type 01, 04 or 06 with a seed of 32 bytes")
        signer = cls(parts[2], material[1:], material[0])
        if signer.key.id.hex() != parts[3]:
            raise NoteError("the signer's key does not have the hash beside it")
        return signer

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.kind]) + self.seed).decode()
        return f"PRIVATE+KEY+{self.key.name}+{self.key.id.hex()}+{material}"

    def line(self, text: bytes, time: int = 0) -> bytes:
        """The signature line, with its newline, for a note with this text."""
        signature = self.private.sign(signed_message(self.key, text, time))
        body = signature if self.kind == ED25519 else time.to_bytes(8, "big") + signature
        return f"\u2014 {self.key.name} {base64.b64encode(self.key.id + body).decode()}\n".encode()

    def sign(self, text: bytes, time: int = 0) -> bytes:
        """The whole note."""
        return text + b"\n" + self.line(text, time)
