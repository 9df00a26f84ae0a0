"""Trying an inequality on random instances: what a sampler yields, and how the instances are counted and judged.

A sampler draws one instance that satisfies the hypotheses of a fact and yields what it asserts there: pairs measured <= bound,
each with a bound of the rounding error of their comparison. Sampling never proves; it says how often the fact held and with how
little room.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from numerics.roundoff import UNIT_ROUNDOFF
from verify.proving.outcome import Outcome, Status

UNIT = UNIT_ROUNDOFF


@dataclass(frozen=True)
class Trial:
    """One inequality measured <= bound; rounding: by how much the computed difference can be wrong."""

    measured: float
    bound: float
    rounding: float


Sampler = Callable[[np.random.Generator], Iterable[Trial]]


def sample(name: str, sampler: Sampler, count: int) -> Outcome:
    """Try ``count`` instances; the name is the seed, so that every run tries the same ones.

    VIOLATED at the first inequality that fails by more than its rounding error; UNDECIDED where a number is NaN or infinite, or
    where an instance yields nothing. margin: the least (bound - measured)/|bound|, where the two are not both 0; 0 for a failure
    within rounding.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    least = math.inf
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(count), 1):
        trials = list(sampler(np.random.default_rng(stream)))
        if not trials:
            return Outcome(Status.UNDECIDED, "sampling", f"instance {number} asserts nothing", number)
        for trial in trials:
            if not all(math.isfinite(value) for value in (trial.measured, trial.bound, trial.rounding)):
                return Outcome(
                    Status.UNDECIDED, "sampling", f"instance {number} has a value that is no finite number: {trial}", number
                )
            excess = trial.measured - trial.bound
            if excess > trial.rounding:
                words = (
                    f"instance {number}: {trial.measured!r} exceeds {trial.bound!r} by more than the rounding {trial.rounding:.1e}"
                )
                return Outcome(Status.VIOLATED, "sampling", words, number, -excess / max(abs(trial.bound), abs(trial.measured)))
            if trial.bound != 0:
                least = min(least, max(0.0, -excess / abs(trial.bound)))
    return Outcome(Status.SAMPLED, "sampling", count=count, margin=least if math.isfinite(least) else None)
