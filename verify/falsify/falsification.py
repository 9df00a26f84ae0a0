"""The whole of ``overparam falsify``: search, mutants, rivals, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from theorems.records import Strength, Theorem
from verify.errors import ProblemError
from verify.falsify.families import Family, family_of
from verify.falsify.mutants import Fate, Trial, is_required, try_mutants
from verify.falsify.promises import completed
from verify.falsify.rivals import Domination, dominated
from verify.falsify.search import ROUNDS, Search, search

EXAMPLES = 200
MOST_EXAMPLES = 100_000  # all run together: this is what fits into memory
POOL = 60  # random points that mutants are tried on, beside the extremes

REFUTED = 1


@dataclass(frozen=True)
class Falsification:
    """What was tried against a theorem (its completed record) and what came of it. trials: None unless mutants were wanted."""

    theorem: Theorem
    family: Family
    examples: int
    seed: int
    search: Search
    trials: list[Trial] | None
    dominated: Domination | None

    @property
    def escaped(self) -> list[Trial]:
        """Mutants that a theorem marked sharp should have killed; one that could not be tried confirms nothing."""
        alive = [trial for trial in self.trials or () if trial.fate in (Fate.SURVIVES, Fate.UNTRIED)]
        return [trial for trial in alive if is_required(self.theorem, trial.mutant)]

    @property
    def status(self) -> int:
        """The exit status: 0, or 1 where the theorem, or its being sharp, is refuted or cannot be confirmed."""
        return REFUTED if self.search.counterexample or self.dominated or self.escaped else 0


def falsify(
    theorem: Theorem,
    examples: int = EXAMPLES,
    seed: int = 0,
    mutate: bool = False,
    rounds: int = ROUNDS,
    progress: Callable[[str], None] = lambda stage: None,
) -> Falsification:
    """Try to break a theorem, from one seed; with ``mutate`` also every mutant of it.

    examples: how many random instances are drawn beside the extremes. rounds: how long the search climbs. Raises ProblemError when
    examples or seed are out of range, when no family of instances tests the theorem, or when no instance met its hypotheses: then
    nothing would have been checked.
    """
    if not 1 <= examples <= MOST_EXAMPLES:
        raise ProblemError(f"examples must be at least 1 and at most {MOST_EXAMPLES}, got {examples}")
    if seed < 0:
        raise ProblemError(f"seed must not be negative, got {seed}")
    record = completed(theorem)
    family = family_of(record)
    generator = np.random.default_rng(seed)
    found = search(family, record, generator, examples, rounds, progress)
    if not found.admitted:
        raise ProblemError(f"theorem {theorem.id}: none of {found.examined} instances met its hypotheses, so nothing was checked")
    trials = None
    if mutate and found.counterexample is None:
        points = [*family.extremes(record), *family.drawn(record, generator, min(examples, POOL))]
        trials = try_mutants(family, record, points, generator, progress=progress)
    rival = dominated(record) if theorem.strength is Strength.SHARP else None
    return Falsification(record, family, examples, seed, found, trials, rival)
