"""What trying one step of a proof can end with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NoReturn


class Status(Enum):
    """The value is the sentence a reader sees. It has no truth value: an undecided step never passes."""

    PROVED = "proved"
    SAMPLED = "held on every random instance"
    ASSUMED = "taken from the literature"
    VIOLATED = "false: there is a counterexample"
    UNDECIDED = "neither shown nor refuted"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"a status has no truth value; compare it: status is Status.{self.name}")


@dataclass(frozen=True)
class Outcome:
    """How a step fared.

    by: what decided it, in words that do not depend on the machine. detail: the counterexample, why it is undecided, or the source.
    count: random instances tried. margin: the least (bound - measured)/|bound| over them, at least 0 unless violated. seconds:
    taken.
    """

    status: Status
    by: str
    detail: str = ""
    count: int | None = None
    margin: float | None = None
    seconds: float = 0.0
