"""What a kind of table says about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.tables.keys import Key
from verify.tables.records import Entry

Variants = list[tuple[tuple[Key, ...], dict[str, Any]]]


def as_given(where: str, found: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A case that needs nothing more."""
    return found


def fixed(keys: tuple[Key, ...]) -> Callable[[str, dict[str, Any]], Variants]:
    """The variants of a kind whose keys are always the same."""
    return lambda where, given: [(keys, given)]


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    variants(where, given): the keys that apply to a block, for each value of a key on which the others depend, each with the part
    of the block that it takes. make(case): the entries of a case. finish(where, case, folder): the case with what depends on
    several keys checked or filled in.
    """

    name: str
    title: str
    variants: Callable[[str, dict[str, Any]], Variants]
    make: Callable[[Mapping[str, Any]], Iterable[Entry]]
    finish: Callable[[str, dict[str, Any], Path], dict[str, Any]] = as_given
