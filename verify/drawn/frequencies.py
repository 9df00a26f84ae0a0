"""A statement with a stated probability of failure, counted on independent draws."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify import fields
from verify.drawn.clopper_pearson import Count, verdict
from verify.drawn.measurements import RESOLUTION
from verify.verdict import Verdict

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frequency:
    """How often one statement failed.

    section: "event", "conclusion", "implication", "moments" or "Chernoff". quantity: an event's name, or what a conclusion bounds.
    failure_probability: delta of the budget. stated: the share that the statement may fail with; None for a sure statement, of
    which no draw may be an exception. bound: the number that is stated (t of an event), where it is one number. count: the
    failures. room: the median over the draws of bound/measured; None where that is not positive. largest: the largest
    measured/bound.
    """

    section: str
    quantity: str
    failure_probability: Fraction
    stated: Fraction | None
    bound: float | None
    count: Count
    room: float | None
    largest: float | None

    def verdict(self, confidence: Any) -> Verdict:
        """The verdict at this confidence; a sure statement needs none."""
        if self.stated is not None:
            return verdict(self.count, self.stated, confidence)
        if self.count.certain:
            return Verdict.VIOLATED
        return Verdict.UNDECIDED if self.count.possible else Verdict.HOLDS


def seeds_of(seed: int, count: int, *labels: int) -> list[int]:
    """Independent seeds below 2^63, from one seed and nonnegative labels of what they are for."""
    fields.integer("seed", seed, 0)
    fields.integer("seeds", count, 1)
    words = np.random.SeedSequence([seed, *labels]).generate_state(count, np.uint64)
    return [int(word) >> 1 for word in words]


def count_above(measured: Array, errors: Array | float, bound: float) -> Count:
    """The draws in which a measured number exceeds the bound: beyond its error of measurement, or possibly. NaN exceeds."""
    certain, possible = measured - errors > bound, ~(measured + errors <= bound)
    return Count(int((certain | np.isnan(measured)).sum()), int(possible.sum()), len(measured))


def count_ratios(ratios: Array) -> Count:
    """The same for ratios measured/bound, which must be at most 1."""
    return count_above(ratios, RESOLUTION, 1.0)


def room_of(ratios: Array) -> float | None:
    """The median of bound/measured."""
    middle = float(np.median(ratios))
    return 1 / middle if middle > 0 else None
