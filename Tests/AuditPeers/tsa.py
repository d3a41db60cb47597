#!/usr/bin/env python3
"""A timestamp authority (RFC 3161 §3.4, over HTTP): every timestamp is made by `openssl ts -reply`.

    POST /   a timestamp request (application/timestamp-query), answered with application/timestamp-reply

Its keys and certificates are made by tsa_keys.sh in --state, if there are none. See peer.py for faults and options.
Faults that change what is stamped change the request before OpenSSL sees it, so that the answer is well signed.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import peer
from peer import Answer, Peer, Refusal

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
MAKE_KEYS = Path(__file__).with_name("tsa_keys.sh")
OPENSSL_SECONDS = 60


class DERError(ValueError):
    """Bytes that are not the DER of a timestamp request."""


def element(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag of the element at `at`, and where its content begins and ends."""
    if at + 2 > end:
        raise DERError("it ends too early")
    start, length = at + 2, data[at + 1]
    if length & 0x80:
        count = length & 0x7F
        start, length = start + count, int.from_bytes(data[start : start + count], "big")
        if not 1 <= count <= 4:
            raise DERError("a length is not DER")
    if start + length > end:
        raise DERError("an element ends after what holds it")
    return data[at], start, start + length


def fields(data: bytes) -> dict[str, tuple[int, int]]:
    """Where in a request the imprint, the nonce and certReq are (RFC 3161 §2.4.1)."""
    tag, at, end = element(data, 0, len(data))
    if tag != 0x30 or end != len(data):
        raise DERError("it is not one SEQUENCE")
    _, _, at = element(data, at, end)
    tag, inner, after = element(data, at, end)
    _, _, inner = element(data, inner, after)
    octets, start, stop = element(data, inner, after)
    if tag != 0x30 or octets != 0x04:
        raise DERError("it has no message imprint")
    found = {"imprint": (start, stop)}
    while after < end:
        tag, start, after = element(data, after, end)
        name = {0x02: "nonce", 0x01: "certificate"}.get(tag)
        if name:
            found[name] = (start, after)
    return found


class Authority(Peer):
    """Stamps with the keys of a folder that tsa_keys.sh made."""

    faults_of_its_own = {
        "rejected": "a reply whose status is rejection",
        "wrong-nonce": "a timestamp with another nonce",
        "wrong-imprint": "a timestamp over another hash",
        "no-certificate": "a timestamp without the certificate that was asked for",
        "expired": "a timestamp by a certificate that has expired",
        "untrusted": "a timestamp by another CA's authority",
        "bad-signature": "a timestamp with a bit of its signature flipped",
        "replay": "the timestamp of the request before",
        "wrong-type": "a timestamp called text/html",
    }

    def __init__(self, state: str | Path):
        super().__init__()
        self.state = Path(state)
        if not (self.state / "tsa.cnf").exists():
            subprocess.run(["bash", MAKE_KEYS, self.state], check=True, capture_output=True)
        # OpenSSL reads and writes the file of serial numbers without a lock.
        self.turn = threading.Lock()
        self.last: bytes | None = None

    def stamp(self, query: bytes, signer: str = "tsa", section: str = "tsa") -> bytes:
        """OpenSSL's reply to a request."""
        with self.turn, tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder, "query"), Path(folder, "reply")
            asked.write_bytes(query)
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", section, "-queryfile", asked,
                       "-signer", f"{signer}.pem", "-inkey", f"{signer}.key", "-out", answered]
            done = subprocess.run(command, cwd=self.state, capture_output=True, text=True, timeout=OPENSSL_SECONDS)
            if not answered.exists() or done.returncode:
                raise Refusal(500, f"openssl ts -reply failed: {done.stderr}\n")
            return answered.read_bytes()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes, fault: str) -> Answer:
        if method != "POST":
            raise Refusal(405, "only POST\n")
        if headers.get("content-type", "").split(";")[0].strip().lower() != QUERY:
            raise Refusal(415, f"only {QUERY}\n")
        try:
            query, places = bytearray(body), fields(body)
        except DERError as error:
            raise Refusal(400, f"this is no timestamp request: {error}\n") from None
        name = {"wrong-nonce": "nonce", "wrong-imprint": "imprint", "no-certificate": "certificate"}.get(fault)
        if name in places:
            # The last byte: a change there leaves an INTEGER of the same length, and makes of TRUE a FALSE.
            last = places[name][1] - 1
            query[last] = 0 if name == "certificate" else query[last] ^ 1
        signer = fault if fault in ("expired", "untrusted") else "tsa"
        reply = self.stamp(bytes(query), signer, "rejecting" if fault == "rejected" else "tsa")
        before, self.last = self.last, reply
        if fault == "replay" and before is not None:
            reply = before
        if fault == "bad-signature":
            reply = reply[:-1] + bytes([reply[-1] ^ 1])
        return Answer(200, reply, "text/html" if fault == "wrong-type" else REPLY)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="the folder for keys and certificates")
    peer.add_options(parser, Authority)
    options = parser.parse_args(arguments)
    try:
        authority = Authority(options.state)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"tsa: {getattr(error, 'stderr', b'') or error}", file=sys.stderr)
        return 2
    return peer.serve(authority, options, {"ca": str(options.state / "ca.pem"), "tsa": str(options.state / "tsa.pem")})


if __name__ == "__main__":
    sys.exit(main())
