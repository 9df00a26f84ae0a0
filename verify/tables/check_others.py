"""Somebody else's table: decimals in print beside the activation constant or the expression that they are meant to be."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from theorems.arithmetic import lower, upper, working_precision
from theorems.errors import InputError, nearest
from verify.errors import ProblemError
from verify.fields import one_line, show
from verify.tables import activation
from verify.tables.constants import evaluated
from verify.tables.findings import Checked, Found, Kind
from verify.tables.published import MOST_DIGITS, Decimals, Finding, Judgement, enclosure_text, judge, read_decimal

HEADERS = (("activation", "constant", "value"), ("expression", "value"))
LADDER = (192, 768, 3072)  # bits, until an expression is decided
MOST_BITS = 1 << 16  # of an end that is written out
KINDS = {
    Finding.ROUNDED: Kind.RIGHT,
    Finding.TRUNCATED: Kind.RIGHT,
    Finding.WRONG: Kind.WRONG,
    Finding.UNDECIDED: Kind.UNDECIDED,
}


def check_published(wanted: Sequence[str], places: Sequence[int], lines: list[tuple[int, list[str]]], width: int) -> Checked:
    """Judge every line: ``wanted``, the columns, which stand at ``places`` of ``width``."""
    found = []
    for number, cells in lines:
        where = f"line {number}"
        if len(cells) != width:
            hint = "; a decimal comma would make two cells of one" if len(cells) > width else ""
            found.append(Found(Kind.MALFORMED, where, "", f"it has {len(cells)} cells and not {width}{hint}"))
            continue
        *words, text = (cells[place].strip() for place in places)
        name = " ".join(word[:60] for word in words)
        printed = read_decimal(text)
        if printed is None:
            wanted_one = f"value must be a decimal such as 1.5925 or 2.5e-3, got {show(text)}{_hint(text)}"
            found.append(Found(Kind.MALFORMED, where, name, wanted_one))
            continue
        try:
            found.append(_expression(where, name, words[0], printed) if len(words) == 1 else _activation(where, words, printed))
        except (ProblemError, InputError) as error:
            found.append(Found(Kind.MALFORMED, where, name, one_line(error)[:300]))
    return Checked(tuple(found))


HINTS = (
    ("%", "write the number that the percentage is"),
    ("(", "leave the uncertainty out: only digits that are meant to be right can be judged"),
    ("+/-", "leave the uncertainty out: only digits that are meant to be right can be judged"),
    ("±", "leave the uncertainty out: only digits that are meant to be right can be judged"),
    (",", "write a point and not a comma before the decimals"),
    ("\N{MINUS SIGN}", "write '-' for the minus sign"),
)


def _hint(text: str) -> str:
    """What to write in the place of some usual spellings that are no decimals here."""
    if len(text) > MOST_DIGITS:
        return f"; it has {len(text)} characters, and at most {MOST_DIGITS} are read"
    return next((f"; {hint}" for sign, hint in HINTS if sign in text), "")


def _activation(where: str, words: Sequence[str], printed: Decimals) -> Found:
    phi, constant = words
    entries = {entry.constant: entry for entry in activation.make({"activation": phi, "variance": Fraction(1)})}
    if constant not in entries:
        raise ProblemError(f"constant must be one of {', '.join(entries)}, got {constant[:60]!r}{nearest(constant, entries)}")
    value = entries[constant].compute()
    name = f"{phi[:60]} {constant}"
    if value.lower is None or value.upper is None:
        return Found(
            Kind.WRONG if value.status == "does not exist" else Kind.UNDECIDED, where, name, f"{value.status}: {value.note}"
        )
    return _told(where, name, printed, judge(printed, value.lower, value.upper), value.lower, value.upper)


def _expression(where: str, name: str, text: str, printed: Decimals) -> Found:
    for bits in LADDER:
        ball = evaluated("expression", text, bits)
        low, high = _ends(ball, bits)
        found = judge(printed, low, high)
        if found.finding is not Finding.UNDECIDED:
            break
    return _told(where, name, printed, found, low, high)


def _ends(ball: Any, bits: int) -> tuple[Fraction, Fraction]:
    """The ends of a ball at the precision at which it was computed; of moderate size, as ``lower`` and ``upper`` see to."""
    low, high = lower(ball), upper(ball)
    with working_precision(bits):
        (m, e), (n, f) = (end.man_exp() for end in (ball.lower(), ball.upper()))
    if min(int(e), int(f)) < -MOST_BITS:
        return low, high
    return Fraction(int(m)) * Fraction(2) ** int(e), Fraction(int(n)) * Fraction(2) ** int(f)


def _told(where: str, name: str, printed: Decimals, found: Judgement, low: Fraction, high: Fraction) -> Found:
    kind, inside = KINDS[found.finding], enclosure_text(low, high)
    if kind is Kind.WRONG:
        right = f"; to as many digits it is {found.right}" if found.right else ""
        return Found(kind, where, name, f"{found.marked}, the number is in {inside}{right}; {found.distance(printed.unit)}")
    if kind is Kind.UNDECIDED:
        return Found(kind, where, name, f"{printed.text} has more digits than the enclosure {inside} decides")
    return Found(kind, where, name, f"{printed.text} ({found.finding.value})")
