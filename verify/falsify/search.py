"""The search: draw instances from a theorem's hypotheses, climb from the tightest, and decide in balls whatever looks broken.

Everything follows from one seed. Climbing is a compass search over the coordinates of a point, for all starts at once: every trial
step of every start is run in one batch, the best is taken, and a start that finds nothing better halves its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.records import Theorem
from verify.falsify.families import Family
from verify.falsify.promises import Outcome
from verify.falsify.shrink import shrunk

Array = NDArray[np.float64]

ROUNDS = 16
STARTS = 8  # of every claim, of different kinds
BATCH = 2000  # trial points in one round, at most
PROOFS = 12  # candidates of one claim that are decided in balls


@dataclass(frozen=True)
class Counterexample:
    """An instance that satisfies every hypothesis and violates a claim, both decided in balls."""

    instance: Any
    outcome: Outcome


@dataclass(frozen=True)
class Tightest:
    """The instance that uses most of one claim's bound, and how much, in balls."""

    instance: Any
    outcome: Outcome


@dataclass(frozen=True)
class Search:
    """What a search found: how many instances met the hypotheses, the tightest point of each claim, a counterexample or None."""

    examined: int
    admitted: int
    tightest: dict[str, Tightest]
    counterexample: Counterexample | None


def search(
    family: Family,
    theorem: Theorem,
    generator: np.random.Generator,
    examples: int,
    rounds: int = ROUNDS,
    progress: Callable[[str], None] = lambda stage: None,
    shrink: bool = True,
) -> Search:
    """Look for a violation of any claim of a completed record; ``examples`` random points beside the extremes."""
    progress("drawing")
    points = [*family.extremes(theorem), *family.drawn(theorem, generator, examples)]
    table, instances = family.tried(theorem, points)
    examined, admitted = len(points), int(np.sum(np.any(~np.isnan(table), axis=1)))
    found = decide(family, theorem, instances, table, shrink)
    if found is None and rounds:
        progress("climbing")
        starts, columns = _starts(family, points, table)
        ends = climb(family, theorem, starts, columns, rounds, generator)
        examined += sum(2 * len(family.ranges(start)) for start in starts) * rounds
        higher, reached = family.tried(theorem, ends)
        table, instances = np.vstack([table, higher]), [*instances, *reached]
        progress("deciding")
        found = decide(family, theorem, instances, table, shrink)
    best = {} if found is not None else _tightest(family, theorem, instances, table)
    return Search(examined, admitted, best, found)


def _tightest(family: Family, theorem: Theorem, instances: Sequence[Any], table: Array) -> dict[str, Tightest]:
    """Of the few points that look tightest in floats the one that is in balls."""
    best: dict[str, Tightest] = {}
    for column, claim in enumerate(theorem.claims):
        for row in _descending(table[:, column])[: PROOFS // 2]:
            outcome = family.examined(theorem, instances[row], claim)
            if outcome is not None and (claim.id not in best or outcome.ratio > best[claim.id].outcome.ratio):
                best[claim.id] = Tightest(instances[row], outcome)
    return best


def _descending(values: Array) -> list[int]:
    """The rows with a number, the largest first."""
    order = np.argsort(np.where(np.isnan(values), -np.inf, values), kind="stable")[::-1]
    return [int(row) for row in order if not np.isnan(values[row])]


def _starts(family: Family, points: Sequence[Any], table: Array) -> tuple[list[Any], list[int]]:
    """For every claim the tightest point of each of the ``STARTS`` tightest kinds: one kind must not crowd out the others."""
    starts, columns = [], []
    for column in range(table.shape[1]):
        chosen: dict[Any, int] = {}
        for row in _descending(table[:, column]):
            chosen.setdefault(family.kind(points[row]), row)
        rows = list(chosen.values())[:STARTS]
        starts += [points[row] for row in rows]
        columns += [column] * len(rows)
    return starts, columns


def climb(
    family: Family, theorem: Theorem, starts: Sequence[Any], columns: Sequence[int], rounds: int, generator: np.random.Generator
) -> list[Any]:
    """Raise the ratio of claim ``columns[i]`` from ``starts[i]``; returns where that led."""
    if not starts:
        return []
    points = list(starts)
    heights = [row[column] for row, column in zip(family.tried(theorem, starts)[0], columns, strict=True)]
    sizes = [family.ranges(point)[:, 2].copy() for point in points]
    for _ in range(rounds):
        trials: list[Any] = []
        owners: list[int] = []
        for index, point in enumerate(points):
            box, here = family.ranges(point), family.vector(point)
            moves = np.vstack([np.diag(sizes[index]), -np.diag(sizes[index])])
            if len(starts) * len(moves) > BATCH:
                moves = moves[generator.permutation(len(moves))[: max(2, BATCH // len(starts))]]
            for move in (*moves, sizes[index] * generator.standard_normal(len(here))):
                trials.append(family.moved(point, np.clip(here + move, box[:, 0], box[:, 1])))
                owners.append(index)
        table, _ = family.tried(theorem, trials)
        for index, column in enumerate(columns):
            mine = [row for row, owner in enumerate(owners) if owner == index]
            values = np.where(np.isnan(table[mine, column]), -np.inf, table[mine, column])
            best = int(np.argmax(values))
            if values[best] > heights[index]:
                points[index], heights[index] = trials[mine[best]], values[best]
            else:
                sizes[index] /= 2
    return points


def decide(
    family: Family, theorem: Theorem, instances: Sequence[Any], table: Array, shrink: bool = True, proofs: int = PROOFS
) -> Counterexample | None:
    """Decide in balls the instances whose floats exceed a bound, the worst of each claim first; the first to fail, shrunk."""
    for column, claim in enumerate(theorem.claims):
        for row in _descending(table[:, column])[:proofs]:
            if not table[row, column] > 1:
                break
            instance = instances[row]
            outcome = family.examined(theorem, instance, claim)
            if outcome is not None and outcome.violated:
                if shrink:
                    instance, outcome = shrunk(family, theorem, claim, instance, outcome)
                return Counterexample(instance, outcome)
    return None
