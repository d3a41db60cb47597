"""What a check found wrong, in the order of the log, in bounded memory however much is wrong."""

from dataclasses import asdict, dataclass, field

MOST_KEPT = 1000


@dataclass(frozen=True)
class Finding:
    """One fault: its kind, the entries it is about (`start` up to `end`, if it is about any), where, and what."""

    kind: str
    message: str
    path: str = ""
    start: int | None = None
    end: int | None = None

    def __str__(self) -> str:
        where = ""
        if self.start is not None:
            last = self.start if self.end is None else self.end - 1
            where = f"index {self.start}: " if last <= self.start else f"index {self.start} to {last}: "
        return f"{where}{self.path}{': ' if self.path else ''}{self.message}"


@dataclass
class Report:
    """What was checked, what is wrong with it, and what is worth knowing though it is not wrong."""

    findings: list[Finding] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    dropped: int = 0
    unchecked: bool = False

    def bad(self, kind: str, message: str, path: str = "", start: int | None = None, end: int | None = None) -> None:
        """Notes a fault."""
        self.findings.append(Finding(kind, message, path, start, end))
        if len(self.findings) > 2 * MOST_KEPT:
            self.keep_first()

    def keep_first(self) -> None:
        """Sorts the faults by index, those without one first, and keeps the first of them."""
        self.findings.sort(key=lambda f: -1 if f.start is None else f.start)
        self.dropped += max(0, len(self.findings) - MOST_KEPT)
        del self.findings[MOST_KEPT:]

    def notice(self, message: str) -> None:
        """Notes something that is not a fault."""
        if len(self.notices) < MOST_KEPT:
            self.notices.append(message)

    def count(self, what: str, by: int = 1) -> None:
        """Counts what was checked."""
        self.facts[what] = self.facts.get(what, 0) + by

    @property
    def whole(self) -> bool:
        return not self.findings

    @property
    def first_bad_index(self) -> int | None:
        """The lowest index that a fault names."""
        return min((f.start for f in self.findings if f.start is not None), default=None)

    @property
    def exit_code(self) -> int:
        """0 whole, 1 not whole, 2 when something could not be checked and nothing is known to be wrong."""
        return 1 if self.findings else 2 if self.unchecked else 0

    def as_json(self) -> dict[str, object]:
        """The report for machines."""
        self.keep_first()
        return {
            "whole": self.whole and not self.unchecked,
            "first_bad_index": self.first_bad_index,
            **self.facts,
            "findings": [asdict(f) for f in self.findings],
            "findings_left_out": self.dropped,
            "notices": self.notices,
        }

    def as_text(self, most: int = 20) -> str:
        """The report for people, with at most `most` faults."""
        self.keep_first()
        lines = [f"{name.replace('_', ' ')}: {value}" for name, value in self.facts.items()]
        lines += [f"note: {notice}" for notice in self.notices[:most]]
        lines += [f"BAD {finding}" for finding in self.findings[:most]]
        left = len(self.findings) + self.dropped - most
        if left > 0:
            lines.append(f"and {left} more")
        if self.findings:
            first = self.first_bad_index
            lines.append("NOT WHOLE" + ("" if first is None else f": the first bad index is {first}"))
        else:
            lines.append("NOT CHECKED IN FULL" if self.unchecked else "WHOLE")
        return "\n".join(lines) + "\n"
