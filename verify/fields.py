"""The door every option passes: one function for each kind of value, one shape of message.

A message names the key as it stands in the problem file (``network.hidden``), what was wanted, the value and its type. A
boolean is not an integer, NaN and infinities are not numbers, and an empty list is refused instead of being propagated.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

from theorems.errors import nearest
from verify.errors import ProblemError

Item = TypeVar("Item")

_SHOWN_CHARACTERS = 80
_INTEGERS_END = 2**63
_SHOWN_BITS = 256  # Python refuses to print integers of several thousand digits; nobody reads more than these


def one_line(text: object) -> str:
    """Return the text of a foreign error message with every run of white space made one space."""
    return " ".join(str(text).split())


def show(value: object) -> str:
    """Return a value as messages print it: its repr, shortened, and its type."""
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"an integer of {value.bit_length()} bits (int)"
    try:
        text = _exact(value) if isinstance(value, Fraction) else one_line(repr(value))
    except (ValueError, RecursionError):  # a list that holds such an integer, or itself
        text = "a value too large to print"
    if len(text) > _SHOWN_CHARACTERS:
        text = text[: _SHOWN_CHARACTERS - 3] + "..."
    return text if isinstance(value, Fraction) else f"{text} ({type(value).__name__})"


def _exact(value: Fraction) -> str:
    """A rational as it is written: a decimal where it is one of a few places, else a ratio."""
    for places in range(20):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}d}"
            cut = len(digits) - places
            return f"{'-' if value < 0 else ''}{digits[:cut]}{f'.{digits[cut:]}' if places else ''}"
    return str(value)


def unwanted(key: str, wanted: str, value: object, hint: str = "") -> ProblemError:
    """Return the error "<key> must be <wanted>, got <value> (<type>)<hint>"."""
    return ProblemError(f"{key} must be {wanted}, got {show(value)}{hint}")


def listing(names: Iterable[object], limit: int = 12) -> str:
    """Return ``'a', 'b' and 'c'``-like enumerations for messages: comma-separated, cut after ``limit`` names."""
    shown = [repr(name) for name in names]
    return ", ".join(shown[:limit]) + (f", ... ({len(shown)} in all)" if len(shown) > limit else "")


def integer(key: str, value: object, least: int) -> int:
    """Return an integer that is at least ``least`` (0 or 1) and below 2^63, the range of TOML's integers."""
    wanted = "a positive integer" if least == 1 else "a nonnegative integer"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < least:
        raise unwanted(key, wanted, value)
    if int(value) >= _INTEGERS_END:
        raise unwanted(key, f"{wanted} below 2^63", value)
    return int(value)


def number(key: str, value: object, *, wanted: str, accept: Callable[[float], bool]) -> float:
    """Return a finite number that ``accept`` lets pass; ``wanted`` says in words which ones those are."""
    if isinstance(value, bool) or not isinstance(value, float | numbers.Integral):
        raise unwanted(key, wanted, value)
    try:
        as_float = float(value)
    except OverflowError:
        raise unwanted(key, wanted, value) from None
    if not math.isfinite(as_float) or not accept(as_float):
        raise unwanted(key, wanted, value)
    return as_float


def positive(key: str, value: object) -> float:
    """Return a finite number greater than zero."""
    return number(key, value, wanted="a positive finite number", accept=lambda x: x > 0)


def nonnegative(key: str, value: object) -> float:
    """Return a finite number that is zero or greater (a negative zero becomes zero)."""
    return abs(number(key, value, wanted="a nonnegative finite number", accept=lambda x: x >= 0))


def boolean(key: str, value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise unwanted(key, "true or false", value)
    return value


def text(key: str, value: object, wanted: str = "a string that is not empty", longest: int = 4096) -> str:
    """Return a string with something in it; a null character could not be part of any name or path."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise unwanted(key, wanted, value)
    if len(value) > longest:
        raise unwanted(key, f"{wanted}, of at most {longest} characters", value)
    return value


def choice(key: str, value: object, options: Sequence[str]) -> str:
    """Return one of a few words; the error suggests the nearest."""
    if isinstance(value, str) and value in options:
        return value
    wanted = " or ".join(f'"{option}"' for option in options)
    raise unwanted(key, wanted, value, nearest(value, options) if isinstance(value, str) else "")


def entries(key: str, value: object, wanted: str, entry: Callable[[str, object], Item]) -> tuple[Item, ...]:
    """Return a non-empty list as a tuple, each entry passed through ``entry(key, item)`` with its place in the key."""
    if not isinstance(value, list | tuple) or not value:
        raise unwanted(key, wanted, value)
    return tuple(entry(f"{key}[{place}]", item) for place, item in enumerate(value))


def distinct(key: str, value: Sequence[object]) -> None:
    """Refuse a repeated entry."""
    for place, item in enumerate(value):
        if item in value[:place]:
            raise ProblemError(f"{key} must not repeat an entry, got {show(item)} twice")
