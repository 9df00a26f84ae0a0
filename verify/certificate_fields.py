"""The smallest parts of a certificate file: decimal strings as the rationals they denote, and objects with given keys."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from verify.errors import ProblemError
from verify.fields import entries, show, unwanted

OUTWARD_DIGITS = 17
_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,4})?")
_DECIMAL_EXPONENT = 400  # beyond every double; the exact rational of 1e9999 would only cost time


def parse_decimal(value: object, key: str = "a number") -> Fraction:
    """Return the rational that a decimal string such as "-1.25e-3" denotes; ``key`` begins the message of a ProblemError."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise unwanted(key, 'a decimal string such as "1.25e-3"', value)
    digits, _, exponent = value.lower().partition("e")
    if abs(int(exponent or "0")) > _DECIMAL_EXPONENT:
        raise unwanted(key, f"a decimal string with an exponent of at most {_DECIMAL_EXPONENT}", value)
    return Fraction(digits) * Fraction(10) ** int(exponent or "0")


def outward(value: Fraction, rounding: str) -> str:
    """The rational as a decimal string of 17 digits, rounded down (ROUND_FLOOR) or up (ROUND_CEILING)."""
    context = Context(prec=OUTWARD_DIGITS, rounding=rounding)
    return str(context.divide(Decimal(value.numerator), Decimal(value.denominator)))


def decimal(key: str, value: object) -> Fraction:
    """``parse_decimal``, with its arguments in the order of ``verify.fields``."""
    return parse_decimal(value, key)


def decimal_or_null(key: str, value: object) -> Fraction | None:
    """The rational, or None for null."""
    return None if value is None else decimal(key, value)


def decimals(key: str, items: object) -> tuple[Fraction, ...]:
    """A list of decimal strings."""
    return entries(key, items, "a list of decimal strings", decimal)


def decimals_or_null(key: str, items: object) -> tuple[Fraction | None, ...]:
    """A list of decimal strings, some of them null."""
    return entries(key, items, "a list of decimal strings or null", decimal_or_null)


def decimal_rows(key: str, items: object) -> tuple[tuple[Fraction, ...], ...]:
    """A list of lists of decimal strings."""
    return entries(key, items, "a list of lists of decimal strings", decimals)


def closed(key: str, value: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of an object that has exactly these keys, in this order."""
    if not isinstance(value, dict):
        raise unwanted(key, "an object", value)
    for name in value:
        if name not in names:
            raise ProblemError(f"{key} must have the keys {', '.join(names)}, got {show(name)}")
    for name in names:
        if name not in value:
            raise ProblemError(f"{key} must have the keys {', '.join(names)}, and has no {name!r}")
    return {name: value[name] for name in names}
