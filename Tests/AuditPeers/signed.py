"""Checks who signed a checkpoint: the log, under one of the keys that its reader trusts, and enough witnesses."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from findings import Report
from note import Checkpoint, Key, Note, NoteError, verify_note

CLOCK_ALLOWANCE = 300
"""How many seconds a witness' clock may be ahead before that is worth a notice."""


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: the log's keys, its origin if not the name of those, and the witnesses."""

    log: Sequence[Key]
    origin: str | None = None
    witnesses: Sequence[Key] = ()
    quorum: int | None = None

    @property
    def origins(self) -> set[str]:
        return {self.origin} if self.origin else {key.name for key in self.log}


def check_checkpoint(data: bytes, trust: Trust, report: Report, path: str, witnessed: bool = True) -> Checkpoint | None:
    """The checkpoint, if a trusted key of the log signed it; what is wrong with it and its signatures is reported.

    Without such a signature nothing in it is to be believed, so there is nothing to check a tree against.
    """
    try:
        note = Note.parse(data)
        head = Checkpoint.parse(note.text)
    except NoteError as error:
        report.bad("checkpoint", str(error), path)
        return None
    if head.origin not in trust.origins:
        report.bad("origin", f"its origin is {head.origin!r}, not {' or '.join(sorted(trust.origins))!r}", path)
    if head.extensions:
        report.notice(f"{path} has {len(head.extensions)} extension lines, which mean nothing here")
    try:
        signers = verify_note(note, trust.log)
        if not signers:
            named = ", ".join(f"{s.name}+{s.key_id.hex()}" for s in note.signatures)
            report.bad("signature", f"none of the log's keys signed it; its signatures are by {named}", path)
            return None
        if path == "checkpoint":
            report.facts["signed_by"] = ", ".join(f"{key.name}+{key.id.hex()}" for key in signers)
    except NoteError as error:
        report.bad("signature", str(error), path)
        return None
    if witnessed and trust.witnesses:
        check_witnesses(note, trust, report, path)
    return head


def check_witnesses(note: Note, trust: Trust, report: Report, path: str) -> None:
    """Checks that as many of the trusted witnesses cosigned as the reader asks for."""
    times = {}
    for witness in trust.witnesses:
        try:
            times |= verify_note(note, [witness])
        except NoteError as error:
            report.bad("witness", str(error), path)
    needed = len(trust.witnesses) if trust.quorum is None else trust.quorum
    if len(times) < needed:
        missing = ", ".join(w.name for w in trust.witnesses if w not in times)
        report.bad("witness", f"{len(times)} of the {needed} witnesses needed cosigned it; not {missing}", path)
    for witness, at in times.items():
        report.facts.setdefault("witnessed_by", {})[witness.name] = at
        if at > time.time() + CLOCK_ALLOWANCE:
            report.notice(f"{path}: the cosignature of {witness.name} is from the future ({at})")
