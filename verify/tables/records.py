"""A row of a table: one enclosed constant with all that a reader needs to quote it and to compute it again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import Enum
from fractions import Fraction
from importlib.metadata import version
from typing import Any

from theorems.arithmetic import lower, upper, working_precision
from verify.rigor import decimal_above, decimal_below

MORE_DIGITS = 8  # of the ends of an enclosure, beyond the digits of the value
MOST_DIGITS = 30  # of a value: the arithmetic has 38
UNREADABLE = re.compile(r"[^A-Za-z0-9_.=+*-]+")


class Rounding(Enum):
    """The side on which a value stays safe; the value is the word in a table."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


# Words of the column "status".
PROVED = "proved"
HYPOTHESIS = "hypothesis"
FORMULA = "formula only"
MISSING = "does not exist"
NOT_ENCLOSED = "not enclosed"
NOT_CERTIFIED = "not certified"
FLOATING_POINT = "floating point"


@dataclass(frozen=True)
class Value:
    """What was found for an entry: the true number lies in [lower, upper], or both are None and ``note`` says why.

    applies: "yes", or which hypotheses of the statement fail or are not decided; empty where there is none. note: a sentence, as
    why a zero is exact. formula, latex, source: in the place of the entry's, where only the computation tells which they are.
    """

    lower: Fraction | None
    upper: Fraction | None
    status: str = PROVED
    applies: str = ""
    note: str = ""
    formula: str = ""
    latex: str = ""
    source: str = ""


@dataclass(frozen=True)
class Entry:
    """One constant of a case, not yet computed.

    constant: its name. symbol: its letter in LaTeX. formula, latex: SymPy text and LaTeX. rounding: the safe side. compute: its
    value; costly parts are shared by the entries of a case.
    """

    constant: str
    symbol: str
    formula: str
    latex: str
    rounding: Rounding
    hypotheses: str
    normalization: str
    source: str
    compute: Callable[[], Value] = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Row:
    """A row as it is written: texts only.

    inputs: names and exact values, which compute the row again. lower, upper: decimals rounded outward; value: rounded in the
    direction ``rounded``, "up", "down", "nearest", "exact" where the decimal is the number, empty where there is none. status:
    "proved", "hypothesis" (an input), "floating point", "Monte Carlo (seed, count, confidence)", "formula only", "does not exist",
    "not enclosed", "not certified".
    """

    id: str
    table: str
    kind: str
    constant: str
    symbol: str
    formula: str
    latex: str
    hypotheses: str
    normalization: str
    inputs: tuple[tuple[str, str], ...]
    lower: str
    upper: str
    value: str
    rounded: str
    status: str
    applies: str
    note: str
    source: str
    version: str


COLUMNS = tuple(item.name for item in dataclasses.fields(Row))


@dataclass(frozen=True)
class Table:
    """Rows in the order of the grid, under one title."""

    title: str
    rows: tuple[Row, ...]


def tool_version() -> str:
    """The version of overparam that makes the rows."""
    return f"overparam {version('overparam')}"


def identifier(kind: str, constant: str, inputs: Mapping[str, str], shown: tuple[str, ...]) -> str:
    """The stable name of a row: readable, and unique by a hash of kind, constant and all inputs, whatever their values gave."""
    content = json.dumps([kind, constant, sorted(inputs.items())], ensure_ascii=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    words = [UNREADABLE.sub("_", word)[:40].strip("_") or "_" for word in (kind, *shown, constant)]
    return f"{'/'.join(words)}~{digest}"


def row_of(
    entry: Entry, table: str, kind: str, inputs: tuple[tuple[str, str], ...], shown: tuple[str, ...], digits: int, values: bool
) -> Row:
    """The row of an entry; ``shown``, the inputs that its identifier spells out; ``values``, whether it is computed."""
    found = entry.compute() if values else Value(None, None, FORMULA)
    low, high, value, rounded = written(found, entry.rounding, digits)
    return Row(
        id=identifier(kind, entry.constant, dict(inputs), shown),
        table=table,
        kind=kind,
        constant=entry.constant,
        symbol=entry.symbol,
        formula=found.formula or entry.formula,
        latex=found.latex or entry.latex,
        hypotheses=entry.hypotheses,
        normalization=entry.normalization,
        inputs=inputs,
        lower=low,
        upper=high,
        value=value,
        rounded=rounded,
        status=found.status,
        applies=found.applies,
        note=found.note,
        source=found.source or entry.source,
        version=tool_version(),
    )


def written(found: Value, rounding: Rounding, digits: int) -> tuple[str, str, str, str]:
    """Lower end, upper end, value and the direction in which it is rounded; four empty texts where there is no number."""
    if found.lower is None or found.upper is None:
        return "", "", "", ""
    low, high = decimal_below(found.lower, digits + MORE_DIGITS), decimal_above(found.upper, digits + MORE_DIGITS)
    value, rounded = _rounded(found.lower, found.upper, rounding, digits)
    # The digits of a rounded value are all shown, zeros too: they say how many there are.
    return plain(low), plain(high), plain(value, rounded == Rounding.NEAREST.value), rounded


def _rounded(low: Fraction, high: Fraction, rounding: Rounding, digits: int) -> tuple[Decimal, str]:
    if low == high and Fraction(decimal_below(low, digits)) == low:
        return decimal_below(low, digits), "exact"
    if rounding is Rounding.NEAREST:
        for count in range(digits, 0, -1):  # as many digits as both ends agree on
            first, second = nearest_decimal(low, count), nearest_decimal(high, count)
            if first == second:
                return first, rounding.value
        if low <= 0 <= high and max(-low, high) < Fraction(1, 2 * 10**digits):  # around zero: to so many decimals
            return Decimal(0), rounding.value
    if rounding is Rounding.DOWN:
        return decimal_below(low, digits), rounding.value
    return decimal_above(high, digits), Rounding.UP.value


def nearest_decimal(value: Fraction, digits: int) -> Decimal:
    """The decimal of so many significant digits that is nearest to a rational, of two the one farther from zero."""
    size = abs(value)
    below, above = decimal_below(size, digits), decimal_above(size, digits)
    found = below if size - Fraction(below) < Fraction(above) - size else above
    padded = found.quantize(Decimal((0, (1,), found.adjusted() - digits + 1)), context=Context(prec=digits)) if found else found
    return padded.copy_negate() if value < 0 else padded


def plain(value: Decimal, zeros: bool = False) -> str:
    """A decimal as text, with an exponent only where it is long otherwise, without its trailing zeros unless ``zeros``."""
    if not value:
        return "0"
    short = value if zeros else value.normalize()
    return f"{short:f}" if -5 <= short.adjusted() <= 14 else f"{short:e}"


def of_ball(ball: Any, applies: str = "", note: str = "") -> Value:
    """The value that a ball encloses; one that is not finite encloses nothing."""
    if not ball.is_finite():
        return Value(None, None, NOT_ENCLOSED, applies, note or "the formula is not defined, or not enclosed, at these inputs")
    with working_precision():
        return Value(lower(ball), upper(ball), PROVED, applies, note)


def missing(reason: object) -> Value:
    """A constant that does not exist, with the reason."""
    return Value(None, None, MISSING, "", " ".join(str(reason).split()))
