"""The experiment "assumption", measured: counts with their problems, and curves of eigenvalues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from verify.data import Dataset, load_data
from verify.evidence.assumption_grid import DATA, LAWS, Grid
from verify.evidence.clopper_pearson import shared_confidence
from verify.evidence.eigenvalue import Curve, at_width, chernoff_frequencies, eigenvalue_curve, smallest_eigenvalues
from verify.evidence.events import event_frequencies, moment_frequencies
from verify.evidence.frequencies import Frequency, seeds_of
from verify.evidence.progress import Progress, prefixed
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
    seed: int
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


def measure(grid: Grid, seed: int, progress: Progress) -> Results:
    """Run a grid. Everything follows from the seed: the points, the weights, the laws' samples."""
    problems: list[tuple[str, Problem]] = []
    counts: list[Counted] = []
    curves: list[tuple[int, Curve]] = []

    def add(name: str, network: dict[str, Any]) -> tuple[int, Problem, Dataset]:
        problem = problem_from_mapping({"data": {**DATA[name], "seed": seed}, "network": network})
        problems.append((name, problem))
        return len(problems) - 1, problem, load_data(problem.data, problem.loss)

    for done, (name, network) in enumerate(grid.events, 1):
        index, problem, data = add(name, network)
        show = prefixed(progress, f"events, network {done} of {len(grid.events)}: ")
        seeds = seeds_of(seed, grid.draws, problem.network.layers, problem.network.hidden[0])
        found = event_frequencies(problem, data, seeds, grid.failure_probabilities, show, grid.conclusion_draws)
        counts += [Counted(index, describe(name, problem, data), row) for row in found]
    for name, orders in grid.moments:
        progress(f"moments, {name}")
        law = LAWS[name]()
        rows = moment_frequencies(law, 16, orders, grid.failure_probabilities, grid.draws, seed)
        counts += [Counted(None, {"data": name, "points": 16, "dimension": 16}, row) for row in rows]
    for name, activation, widths in grid.chernoff:
        index, problem, data = add(name, {"hidden": [widths[0]], "activation": activation, "trained": [1]})
        for width in widths:
            progress(f"Chernoff event, {name}, {activation}, width {width}")
            wider = at_width(problem, width)
            sample = smallest_eigenvalues(wider, data, seeds_of(seed, grid.conclusion_draws, 2, width))
            rows = chernoff_frequencies(problem, data, sample, grid.failure_probabilities)
            counts += [Counted(index, describe(name, wider, data), row) for row in rows]
    for done, (name, activation, depth, widths) in enumerate(grid.curves, 1):
        index, problem, data = add(name, {"hidden": [widths[0]] * depth, "activation": activation})
        show = prefixed(progress, f"eigenvalue, curve {done} of {len(grid.curves)}: ")
        curve = eigenvalue_curve(problem, data, widths, grid.curve_draws, seed, show)
        curves.append((index, curve))
    return Results(grid, seed, tuple(problems), tuple(counts), tuple(curves))


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
