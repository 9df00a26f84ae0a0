"""Which instances test which theorem: a family says what it can test, draws points, measures how tight a claim is, and proves.

A theorem that no family tests is refused, and a test refuses a catalogue with such a theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.records import Claim, Theorem
from verify.errors import ProblemError
from verify.falsify.promises import Outcome

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sides:
    """What a record says at given instances, to be compared with a mutant: pairs (value, scale of its rounding) of arrays.

    applies: where every hypothesis is met. margins: of every hypothesis. rooms: of every claim, bound less measured value, or the
    reverse for a lower bound.
    """

    applies: NDArray[np.bool_]
    margins: list[tuple[Array, Array]]
    rooms: list[tuple[Array, Array]]


@dataclass(frozen=True)
class Family:
    """A family of instances.

    name: for reports. tests: whether it can test a theorem. extremes: points where bounds are known or suspected to be attained.
    drawn: random points. kind: the discrete part of a point. ranges: least, greatest and first step of its coordinates, (d, 3).
    vector, moved: its coordinates, and the point with others. tried: for points the largest tightness of each claim, (points,
    claims), NaN where a hypothesis is not met, and the points as instances of exact data, or None. examined: a claim on an
    instance, decided in balls; None unless every hypothesis is surely met, in balls too. samples: instances at the points, and
    beside them instances beyond the hypotheses; sides: what a record says at them. simpler: simpler instances, the simplest first.
    script: the instance as a program that prints both sides of a claim at one step. described: in one line. as_json: the data.
    """

    name: str
    tests: Callable[[Theorem], bool]
    extremes: Callable[[Theorem], list[Any]]
    drawn: Callable[[Theorem, np.random.Generator, int], list[Any]]
    kind: Callable[[Any], Any]
    ranges: Callable[[Any], Array]
    vector: Callable[[Any], Array]
    moved: Callable[[Any, Array], Any]
    tried: Callable[[Theorem, Sequence[Any]], tuple[Array, list[Any]]]
    examined: Callable[[Theorem, Any, Claim], Outcome | None]
    samples: Callable[[Theorem, Sequence[Any]], Any]
    sides: Callable[[Theorem, Any], Sides]
    simpler: Callable[[Any, Outcome], Iterator[Any]]
    script: Callable[[Theorem, Any, Claim, int], str]
    described: Callable[[Any], str]
    as_json: Callable[[Any], dict[str, Any]]


def family_of(theorem: Theorem) -> Family:
    """The family that tests the theorem. Raises ProblemError when there is none."""
    from verify.falsify.composite import COMPOSITE
    from verify.falsify.couplings import COUPLINGS
    from verify.falsify.limits import LIMITS
    from verify.falsify.linearizations import LINEARIZATIONS
    from verify.falsify.nearest import NEAREST
    from verify.falsify.network import NETWORK
    from verify.falsify.prior_changes import PERSISTENCE, SCALES
    from verify.falsify.prior_laws import HIDDEN_UNITS, SAMPLES
    from verify.falsify.prior_networks import DRAWN_NETWORKS
    from verify.falsify.prior_steps import STEPS
    from verify.falsify.prior_widths import TRANSFER, WIDTHS
    from verify.falsify.samples import TRAINING_SAMPLES

    families = (
        COMPOSITE,
        NEAREST,
        NETWORK,
        LIMITS,
        LINEARIZATIONS,
        DRAWN_NETWORKS,
        SAMPLES,
        HIDDEN_UNITS,
        WIDTHS,
        TRANSFER,
        STEPS,
        PERSISTENCE,
        SCALES,
        TRAINING_SAMPLES,
        COUPLINGS,
    )
    found = [family for family in families if family.tests(theorem)]
    if len(found) != 1:
        named = ", ".join(family.name for family in found) or "none"
        raise ProblemError(f"theorem {theorem.id} must be tested by exactly one family of instances, got {named}")
    return found[0]
