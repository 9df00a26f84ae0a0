"""The experiment "assumption", measured: counts with their problems, and curves of eigenvalues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from verify.data import Dataset, load_data
from verify.drawn.clopper_pearson import shared_confidence
from verify.drawn.eigenvalue import Curve, at_width, chernoff_frequencies, eigenvalue_curve, smallest_eigenvalues
from verify.drawn.events import event_frequencies, moment_frequencies
from verify.drawn.frequencies import Frequency, seeds_of
from verify.evidence.assumption_grid import DATA, LAWS, Grid
from verify.evidence.team import Team
from verify.problem import Problem, problem_from_mapping
from verify.verdict import Verdict, counted


@dataclass(frozen=True)
class Counted:
    """A frequency with the problem it is about: an index into the problems, or the words for a law."""

    problem: int | None
    about: Mapping[str, Any]
    frequency: Frequency


@dataclass(frozen=True)
class Results:
    """Everything measured: problems with the names of their data, counts, and curves with the index of their problem."""

    grid: Grid
    problems: tuple[tuple[str, Problem], ...]
    counted: tuple[Counted, ...]
    curves: tuple[tuple[int, Curve], ...]

    @property
    def confidence(self) -> Fraction:
        """Of each verdict: the overall risk is shared equally by all statements with a probability between 0 and 1."""
        return shared_confidence(sum(1 for item in self.counted if states_probability(item.frequency)))

    @property
    def counts(self) -> dict[Verdict, int]:
        """Checks by verdict."""
        totals = counted()
        for item in self.counted:
            totals[item.frequency.verdict(self.confidence)] += 1
        return totals


def states_probability(frequency: Frequency) -> bool:
    """Whether a probability strictly between 0 and 1 is stated."""
    return frequency.stated is not None and 0 < frequency.stated < 1


@dataclass(frozen=True)
class _Part:
    """Something to measure: words for the progress, and the measurement, of whose result alone anything is seen."""

    words: str
    measure: Callable[[], list[Counted] | tuple[int, Curve]]


def measure(grid: Grid, seed: int, team: Team) -> Results:
    """Run a grid. Everything follows from the seed: the points, the weights, the laws' samples."""
    problems: list[tuple[str, Problem]] = []
    parts: list[_Part] = []

    def add(name: str, network: dict[str, Any]) -> tuple[int, Problem, Dataset]:
        problem = problem_from_mapping({"data": {**DATA[name], "seed": seed}, "network": network})
        problems.append((name, problem))
        return len(problems) - 1, problem, load_data(problem.data, problem.loss)

    for done, (name, network) in enumerate(grid.events, 1):
        parts.append(_Part(f"events, network {done}", partial(_events, grid, seed, name, *add(name, network))))
    for name, orders in grid.moments:
        parts.append(_Part(f"moments, {name}", partial(_moments, grid, seed, name, orders)))
    for name, activation, widths in grid.chernoff:
        added = add(name, {"hidden": [widths[0]], "activation": activation, "trained": [1]})
        for width in widths:
            words = f"Chernoff event, {name}, {activation}, width {width}"
            parts.append(_Part(words, partial(_chernoff, grid, seed, name, width, *added)))
    for done, (name, activation, depth, widths) in enumerate(grid.curves, 1):
        added = add(name, {"hidden": [widths[0]] * depth, "activation": activation})
        parts.append(_Part(f"eigenvalue, curve {done}", partial(_curve, grid, seed, widths, *added)))
    counts: list[Counted] = []
    curves: list[tuple[int, Curve]] = []
    for found in team.each(_measured, parts, lambda part: part.words):
        if isinstance(found, list):
            counts += found
        else:
            curves.append(found)
    return Results(grid, tuple(problems), tuple(counts), tuple(curves))


def _measured(part: _Part) -> list[Counted] | tuple[int, Curve]:
    return part.measure()


def _events(grid: Grid, seed: int, name: str, index: int, problem: Problem, data: Dataset) -> list[Counted]:
    seeds = seeds_of(seed, grid.draws, problem.network.layers, problem.network.hidden[0])
    found = event_frequencies(problem, data, seeds, grid.failure_probabilities, conclusion_draws=grid.conclusion_draws)
    return [Counted(index, describe(name, problem, data), row) for row in found]


def _moments(grid: Grid, seed: int, name: str, orders: int) -> list[Counted]:
    rows = moment_frequencies(LAWS[name](), 16, orders, grid.failure_probabilities, grid.draws, seed)
    return [Counted(None, {"data": name, "points": 16, "dimension": 16}, row) for row in rows]


def _chernoff(grid: Grid, seed: int, name: str, width: int, index: int, problem: Problem, data: Dataset) -> list[Counted]:
    wider = at_width(problem, width)
    sample = smallest_eigenvalues(wider, data, seeds_of(seed, grid.conclusion_draws, 2, width))
    rows = chernoff_frequencies(problem, data, sample, grid.failure_probabilities)
    return [Counted(index, describe(name, wider, data), row) for row in rows]


def _curve(grid: Grid, seed: int, widths: tuple[int, ...], index: int, problem: Problem, data: Dataset) -> tuple[int, Curve]:
    return index, eigenvalue_curve(problem, data, widths, grid.curve_draws, seed)


def describe(name: str, problem: Problem, data: Dataset) -> dict[str, Any]:
    """The columns that say which network and points a row is about."""
    network = problem.network
    return {
        "data": name,
        "points": data.points,
        "dimension": data.dimension,
        "activation": network.activation,
        "layers": network.layers,
        "width": network.hidden[0],
        "output_layer": network.output_layer,
        "bias_scale": network.bias_scale,
        "centered": network.centered,
        "trained": "all" if network.trained == "all" else " ".join(map(str, network.trained)),
    }
