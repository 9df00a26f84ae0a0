"""The networks of the experiments "lazy" and "implicit": with output scale 1, and with one that is certified at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from verify.drawn.frequencies import seeds_of
from verify.evidence.slopes import DRAWS
from verify.evidence.tabulated import Row, distinct, in_words
from verify.evidence.team import Team
from verify.problem import Problem, problem_from_mapping

POINTS = 16


@dataclass(frozen=True)
class Grid:
    """regimes: (number of layers, output scale) of each; widths, and draws of the weights at each width; where runs end."""

    regimes: tuple[tuple[int, float], ...]
    widths: tuple[int, ...]
    draws: int
    stop_residual: float = 1e-6
    steps: int = 20000


# With the larger output scale of each depth the start is certified at all these widths: the bounds then hold from the first step.
FULL = Grid(((2, 1.0), (2, 64.0), (3, 1.0), (3, 256.0)), (64, 128, 256, 512), DRAWS)
QUICK = Grid(((2, 1.0), (2, 64.0)), (64, 256), DRAWS)

COLUMNS = ("data", "points", "activation", "layers", "output_scale", "width", "draw", "network_seed")


def problems(grid: Grid, seed: int) -> Iterator[tuple[Row, Problem]]:
    """Every problem of the grid with the columns that say which it is."""
    for layers, scale in grid.regimes:
        for width in grid.widths:
            for draw, weights in enumerate(seeds_of(seed, grid.draws, 4, layers, width)):
                about = {"data": "digits 3/8", "points": POINTS, "activation": "tanh", "layers": layers, "output_scale": scale}
                problem = problem_from_mapping(
                    {
                        "data": {"points": POINTS, "seed": seed},
                        "network": {"hidden": [width] * (layers - 1), "seed": weights, "output_scale": scale},
                        "training": {"steps": grid.steps, "stop_residual": grid.stop_residual},
                    }
                )
                yield {**about, "width": width, "draw": draw, "network_seed": weights}, problem


def measure(run_of: Callable[[tuple[Row, Problem]], Row], grid: Grid, seed: int, team: Team) -> list[Row]:
    """One row a run: ``run_of`` every problem of the grid with its columns."""
    runs = list(problems(grid, seed))
    return team.each(run_of, runs, lambda run: in_words(run[0]), lambda run: run[0]["layers"] * run[0]["width"])


def regimes_of(rows: Sequence[Row]) -> list[tuple[int, float]]:
    """The regimes that occur."""
    return distinct(rows, "layers", "output_scale")


def described(rows: Sequence[Row]) -> str:
    """What all these runs have in common, as the beginning of a paragraph."""
    widths = sorted({row["width"] for row in rows})
    draws = len(distinct(rows, "draw"))
    names = "; ".join(f"L = {layers}, α = {scale:g}" for layers, scale in regimes_of(rows))
    return (
        f"scikit-learn digits, 3 against 8, {POINTS} points; tanh networks, all layers trained, {names}; widths {widths[0]} to "
        f"{widths[-1]}, {draws} draws of the weights at each; full-batch gradient descent with the step of `overparam verify`"
    )
