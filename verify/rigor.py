"""How much a number can be trusted, tracked so that it can only get worse; and decimals that round in the safe direction."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import Enum
from fractions import Fraction

from theorems.errors import InputError

LARGEST_EXPONENT = 400  # of a decimal, beyond every double; the reader of certificates refuses larger ones


class Rigor(Enum):
    """Whether a number is enclosed; the value is the word a reader sees."""

    RIGOROUS = "rigorous"
    FLOATING_POINT = "floating point"


def worst(rigors: Iterable[Rigor]) -> Rigor:
    """Rigorous only if all are: what touches a number that is not enclosed is not enclosed."""
    return Rigor.FLOATING_POINT if any(rigor is not Rigor.RIGOROUS for rigor in rigors) else Rigor.RIGOROUS


def float_above(value: Fraction) -> float:
    """The least double that is not below the rational; infinity beyond the largest."""
    try:
        nearest = float(value)
    except OverflowError:  # beyond the largest double
        return math.inf if value > 0 else -sys.float_info.max
    return nearest if nearest >= value else math.nextafter(nearest, math.inf)


def float_below(value: Fraction) -> float:
    """The largest double that is not above the rational; minus infinity below the least."""
    return -float_above(-value)


def decimal_above(value: Fraction, digits: int) -> Decimal:
    """The least decimal of so many digits that is not below the rational."""
    return _decimal(value, digits, ROUND_CEILING)


def decimal_below(value: Fraction, digits: int) -> Decimal:
    """The largest decimal of so many digits that is not above the rational."""
    return _decimal(value, digits, ROUND_FLOOR)


def shown_probability(value: Fraction, digits: int) -> str:
    """A probability to so many digits, rounded up; one that was given as a double with no more digits, as it was given."""
    given = f"{float(value):.{digits}g}"
    return given if Fraction(float(given)) == value else f"{decimal_above(value, digits).normalize():g}"


def _decimal(value: Fraction, digits: int, rounding: str) -> Decimal:
    # One correctly rounded division of two integers taken exactly, so the result is on the side it should be.
    found = Context(prec=digits, rounding=rounding).divide(Decimal(value.numerator), Decimal(value.denominator))
    if found and abs(found.adjusted()) > LARGEST_EXPONENT:
        raise InputError(f"a number must be between 1e-{LARGEST_EXPONENT} and 1e{LARGEST_EXPONENT} to be written out")
    return found
