"""The keys of a grid: for each kind of value one reader, from TOML or from the text in a row, and one exact text for it.

``read(key, value)`` takes what stands in a grid file, or the text that ``write`` made of it, and returns the value or raises
ProblemError naming the key. Decimals are exact: 0.1 is one tenth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.exact import exactly
from verify import fields
from verify.errors import ProblemError
from verify.fields import unwanted

LARGEST_EXPONENT = 400
LONGEST_TEXT = 500
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE]([+-]?[0-9]{1,6}))?")
_RATIO = re.compile(r"([+-]?[0-9]{1,400})\s*/\s*([0-9]{1,400})")
_INTEGER = re.compile(r"[0-9]{1,19}")
_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")


@dataclass(frozen=True)
class Symbol:
    """A letter left free, in a table of formulas."""

    name: str


@dataclass(frozen=True)
class Key:
    """A key of one kind of table.

    read, write: as in the module. default: read when the key is not given; None: the key stays away. required: an error without
    it. shown: part of the readable name of a row. depth: of lists in one value; deeper ones are grids. symbol: may be
    a letter in a table of formulas.
    """

    name: str
    read: Callable[[str, Any], Any]
    write: Callable[[Any], str] = str
    default: Any = None
    required: bool = False
    shown: bool = False
    depth: int = 0
    symbol: bool = False


def exact_decimal(text: str) -> Fraction | None:
    """The rational that a decimal or a ratio of integers in ASCII digits is; None for any other text."""
    ratio = _RATIO.fullmatch(text.strip())
    if ratio:
        denominator = int(ratio.group(2))
        return Fraction(int(ratio.group(1)), denominator) if denominator else None
    decimal = _DECIMAL.fullmatch(text.strip())
    if not decimal or abs(int(decimal.group(1) or 0)) > LARGEST_EXPONENT:
        return None
    return Fraction(text.strip())


def rational(wanted: str, accept: Callable[[Fraction], bool]) -> Callable[[str, Any], Fraction]:
    """The reader of exact numbers that ``accept`` lets pass; ``wanted`` says in words which ones those are."""

    def read(key: str, value: Any) -> Fraction:
        found = exact_decimal(value) if isinstance(value, str) else None
        if isinstance(value, int | float | Fraction) and not isinstance(value, bool) and value == value:
            found = exactly(value) if abs(value) != float("inf") else None
        if found is None or not accept(found):
            raise unwanted(key, wanted, value)
        return found

    return read


positive = rational("a positive number", lambda x: x > 0)
nonnegative = rational("a nonnegative number", lambda x: x >= 0)
probability = rational("a number strictly between 0 and 1", lambda x: 0 < x < 1)
share = rational("a number in (0, 1]", lambda x: 0 < x <= 1)


def integer(least: int = 1, most: int = 2**63 - 1) -> Callable[[str, Any], int]:
    """The reader of integers from ``least``, 0 or 1, to ``most``."""

    def read(key: str, value: Any) -> int:
        if isinstance(value, str):
            value = int(value) if _INTEGER.fullmatch(value) else value
        found = fields.integer(key, value, least)
        if found > most:
            raise unwanted(key, f"an integer from {least} to {most}", value)
        return found

    return read


def boolean(key: str, value: Any) -> bool:
    """true or false."""
    return fields.boolean(key, {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value)


def boolean_text(value: bool) -> str:
    """The text of a boolean."""
    return "true" if value else "false"


def text(key: str, value: Any) -> str:
    """A string that is not empty."""
    found = fields.text(key, value, longest=LONGEST_TEXT)
    return found.strip()


def word(*options: str) -> Callable[[str, Any], str]:
    """The reader of one of a few words."""
    return lambda key, value: fields.choice(key, value, options)


def decoded(key: str, value: Any, wanted: str) -> Any:
    """A list or a table as TOML gives it, or from its JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise unwanted(key, wanted, value) from None


def trained(key: str, value: Any) -> str | tuple[int, ...]:
    """ "all", or the numbers of the trained layers."""
    if value == "all":
        return "all"
    found = decoded(key, value, '"all" or a list of layers, such as [1]')
    layers = fields.entries(key, found, '"all" or a list of layers, such as [1]', integer())
    fields.distinct(key, layers)
    return tuple(sorted(layers))


def listed_text(value: Any) -> str:
    """The text of a word or of a list of integers."""
    return value if isinstance(value, str) else json.dumps(list(value))


def moves(key: str, value: str | tuple[int, ...], layers: int) -> tuple[bool, ...]:
    """One boolean a layer; raises ProblemError for a layer that the network does not have."""
    if isinstance(value, str):
        return (True,) * layers
    if max(value) > layers:
        raise ProblemError(f"{key} must name layers from 1 to {layers}, the number of layers with weights, got {max(value)}")
    return tuple(index in value for index in range(1, layers + 1))


def canonical(value: Any) -> str:
    """The JSON text of a nested value with exact numbers: the same for the same value."""

    def simple(x: Any) -> Any:
        if isinstance(x, Fraction):
            return int(x) if x.denominator == 1 else str(x)
        if isinstance(x, Mapping):
            return {str(name): simple(item) for name, item in x.items()}
        if isinstance(x, list | tuple):
            return [simple(item) for item in x]
        return x

    return json.dumps(simple(value), ensure_ascii=True, allow_nan=False)


def read_symbol(value: Any) -> Symbol | None:
    """The letter that a text is, if it is one."""
    return Symbol(value) if isinstance(value, str) and _SYMBOL.fullmatch(value) else None
