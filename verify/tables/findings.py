"""What a check of a table finds, and what it makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The weight of a finding; the value is the word a reader sees."""

    RIGHT = "right"
    NOTE = "note"
    UNDECIDED = "undecided"
    WRONG = "cannot be right"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Found:
    """One finding: where (a line), about which number, what of it."""

    kind: Kind
    where: str
    name: str
    text: str


@dataclass(frozen=True)
class Checked:
    """All findings, in the order of the file."""

    findings: tuple[Found, ...]

    def count(self, kind: Kind) -> int:
        """How many findings there are of a kind."""
        return sum(item.kind is kind for item in self.findings)

    @property
    def status(self) -> int:
        """The exit status: 2 malformed, 1 something cannot be right, 3 undecided, 0 all can be right."""
        for kind, status in ((Kind.MALFORMED, 2), (Kind.WRONG, 1), (Kind.UNDECIDED, 3)):
            if self.count(kind):
                return status
        return 0


def as_text(checked: Checked, most: int = 200) -> str:
    """One line a finding that is not simply right, then the counts."""
    told = [item for item in checked.findings if item.kind is not Kind.RIGHT or item.text]
    lines = [_line(item) for item in told[:most]]
    if len(told) > most:
        lines.append(f"... and {len(told) - most} more")
    counts = ", ".join(f"{checked.count(kind)} {kind.value}" for kind in Kind if checked.count(kind) or kind is Kind.RIGHT)
    return "\n".join([*lines, f"checked: {counts}"])


def _line(item: Found) -> str:
    name = f" {item.name}" if item.name else ""
    return f"{item.where}:{name}: {item.kind.value}{f': {item.text}' if item.text else ''}"


def as_document(checked: Checked) -> dict[str, object]:
    """The findings as plain data."""
    found: Iterable[Found] = checked.findings
    return {
        "status": checked.status,
        "counts": {kind.value: checked.count(kind) for kind in Kind},
        "findings": [{"finding": item.kind.value, "where": item.where, "name": item.name, "text": item.text} for item in found],
    }
