"""What the experiment "transfer" runs: the residual after a fixed number of steps, for steps on a grid, in two parametrizations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.norms import symmetric_eigenvalues
from verify.apriori.step import limit_of_step
from verify.certificate_record import Certificate
from verify.drawn.frequencies import seeds_of
from verify.evidence.slopes import Array
from verify.evidence.standard import standard_kernel_largest, standard_residuals
from verify.evidence.tabulated import COUNTS, Row, in_words
from verify.evidence.team import Team
from verify.problem import Problem, problem_from_mapping
from verify.rigor import float_below
from verify.run import measure_run
from verify.setup import Setup, Theta, prepare
from verify.verification import silent, start_certificate

COARSE, FINE = 4, 32
"""Steps are powers of 2^(1/COARSE); about the best one and about the edge of stability, of 2^(1/FINE)."""
WINDOW = (1 / 2, 8.0)
"""The steps that are tried, over 1/lambda_max(K_0) of the parametrization."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Network:
    """Number of layers, output scale, widths."""

    layers: int
    output_scale: float
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """Networks, draws of the weights at each width, steps of gradient descent."""

    networks: tuple[Network, ...]
    draws: int
    steps: int
    points: int = 16


@dataclass(frozen=True)
class _Run:
    """One draw: its columns, its problem, and the steps of gradient descent."""

    about: Mapping[str, Any]
    problem: Problem
    steps: int


def measure_runs(grid: Grid, seed: int, team: Team) -> list[Row]:
    """Rows of the sections "run" (one a draw and parametrization) and "curve" (medians over the draws)."""
    runs = [_runs(grid, network, seed) for network in grid.networks]
    drawn = [run for group in runs for run in group]
    searched = iter(team.each(_parametrizations, drawn, lambda run: in_words(run.about), _work))
    limits = team.each(_limit, [group[0] for group in runs], lambda run: "infinite width")
    rows: list[Row] = []
    for group, limit in zip(runs, limits, strict=True):
        found = [next(searched) for _ in group]
        ntk = [{**pair[0], "limit_step": limit} for pair in found]
        _common_step(group, ntk, team)
        some = [row for pair in zip(ntk, (pair[1] for pair in found), strict=True) for row in pair]
        curves = [row.pop("curve") for row in some]
        rows += some + _curve_rows(some, curves)
    return rows


def _runs(grid: Grid, network: Network, seed: int) -> list[_Run]:
    runs = []
    for width in network.widths:
        for draw, weights in enumerate(seeds_of(seed, grid.draws, 7, network.layers, width)):
            about = {
                "section": "run",
                "data": "digits 3/8",
                "points": grid.points,
                "activation": "tanh",
                "layers": network.layers,
                "output_scale": network.output_scale,
                "steps": grid.steps,
                "width": width,
                "draw": draw,
                "network_seed": weights,
            }
            runs.append(_Run(about, _problem(grid, network, width, seed, weights), grid.steps))
    return runs


def _work(run: _Run) -> float:
    """The number of weights, about."""
    return float(run.about["width"] ** (1 if run.about["layers"] == 2 else 2))


def _parametrizations(run: _Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of one draw in NTK and in standard parametrization."""
    setup, theta0 = prepare(run.problem)
    start, eta = start_certificate(setup, theta0)
    known = certified_step(setup, theta0, start, eta)
    ntk, standard = (_searched(setup, theta0, run.steps, standard=standard) for standard in (False, True))
    return {**run.about, "parametrization": "NTK", **known, **ntk}, {**run.about, "parametrization": "standard", **standard}


def _limit(run: _Run) -> float:
    return limiting_step(run.problem, prepare(run.problem)[0])


def _problem(grid: Grid, network: Network, width: int, seed: int, weights: int) -> Problem:
    return problem_from_mapping(
        {
            "data": {"points": grid.points, "seed": seed},
            "network": {"hidden": [width] * (network.layers - 1), "seed": weights, "output_scale": network.output_scale},
            "training": {"steps": 20000, "stop_residual": 1e-4},
        }
    )


def limiting_step(problem: Problem, setup: Setup) -> float:
    """1/(L lambda_max(K_inf)), rounded down: what the certified step at the start tends to as the width grows."""
    return float_below(limit_of_step(problem, setup.dataset)[0])


def certified_step(setup: Setup, theta0: Theta, start: Certificate, step_size: float) -> dict[str, Any]:
    """The largest step certified at the start; where there is none, 1/(L Lambda) at the certification step of a run."""
    if start.certified:
        return {"certified_step": start.step_size, "certified_at": 0}
    run = measure_run(setup, theta0, start, step_size, silent)
    if not run.certificate.certified:
        return {}
    largest = float_below(1 / (Fraction(setup.smoothness) * run.certificate.constants["Lambda"].upper))
    return {"certified_step": largest, "certified_at": run.certificate.step}


def _searched(setup: Setup, theta0: Theta, steps: int, *, standard: bool) -> dict[str, Any]:
    """Best and largest stable step of one draw, and the coarse curve (None keys are left out of the table)."""
    found = setup.snapshot(theta0)
    start = float(setup.descent(1.0).observe(theta0, theta0).residual)
    if standard:
        largest = standard_kernel_largest(setup, theta0)
        layers = setup.architecture.layers
        final = _remembered(lambda eta: standard_residuals(setup, theta0, [eta] * layers, steps))
    else:
        largest = float(symmetric_eigenvalues(found.kernel)[0][-1])
        final = _remembered(lambda eta: ntk_residuals(setup, theta0, eta, steps))
    ends = [COARSE * math.log2(share / (setup.smoothness * largest)) for share in WINDOW]
    return search(final, start, math.floor(ends[0]), math.ceil(ends[1])) | {"lambda_max": largest}


def ntk_residuals(setup: Setup, theta0: Theta, step_size: float, steps: int) -> Array:
    """The residuals before each of ``steps`` steps from theta0 and after the last; the last is infinite where it overflows."""
    theta = theta0.copy()
    descent = setup.descent(step_size)
    segment = descent.advance(theta, steps, -1.0, theta0)
    known = segment.stopped == "steps" and bool(np.isfinite(theta).all())
    last = float(descent.observe(theta, theta0).residual) if known else math.inf
    return np.append(segment.residual, last if math.isfinite(last) else math.inf)


@dataclass(frozen=True)
class Ended:
    """The residual at the end of a run, and its largest on the way."""

    residual: float
    largest: float


def _remembered(residuals: Callable[[float], Array]) -> Callable[[int], Ended]:
    """By the exponent j of the step 2^(j/FINE), each run once."""
    known: dict[int, Ended] = {}

    def at(exponent: int) -> Ended:
        if exponent not in known:
            found = residuals(2.0 ** (exponent / FINE))
            known[exponent] = Ended(float(found[-1]), float(np.max(found)))
        return known[exponent]

    return at


def search(run: Callable[[int], Ended], start: float, low: int, high: int) -> dict[str, Any]:
    """The best step and the largest stable one among 2^(j/FINE), looked for from the coarse grid 2^(i/COARSE), i = low..high.

    Best: the least residual at the end. Stable: with this step and every smaller one of the coarse grid the residual is never above
    that of the start. A step at an end of the grid is no result: its column is then missing.
    """
    ratio = FINE // COARSE
    coarse = [ratio * i for i in range(low, high + 1)]
    ended = [run(j) for j in coarse]
    row: dict[str, Any] = {"curve": {i: one.residual for i, one in zip(range(low, high + 1), ended, strict=True)}}
    least = coarse[int(np.argmin([one.residual for one in ended]))]
    best = min(range(least - ratio + 1, least + ratio), key=lambda j: run(j).residual)
    if coarse[0] < least < coarse[-1] and run(best).residual < start:
        row |= {"best_step": 2.0 ** (best / FINE), "best_residual": run(best).residual}
    failing = next((i for i, one in enumerate(ended) if not _stable(one, start)), None)
    if failing:  # neither None nor the first
        edge = next(j for j in range(coarse[failing - 1] + 1, coarse[failing] + 1) if not _stable(run(j), start))
        row["stable_step"] = 2.0 ** ((edge - 1) / FINE)
    return row


def _stable(ended: Ended, start: float) -> bool:
    return ended.largest <= start * (1 + ROUNDING)


def _common_step(runs: Sequence[_Run], rows: Sequence[dict[str, Any]], team: Team) -> None:
    """One step for every width and draw certified at the start, the least of the certified ones: certified again at each, and run.

    Holds where the residual after the run is at most rate^steps s_0. Written into the rows.
    """
    ready = [(run, row) for run, row in zip(runs, rows, strict=True) if row.get("certified_at") == 0]
    if not ready:
        return
    least = min(float(row["certified_step"]) for _, row in ready)
    found = team.each(_with_step, [(run, least) for run, _ in ready], lambda item: f"common step, {in_words(item[0].about)}")
    for (_, row), columns in zip(ready, found, strict=True):
        row |= {"common_step": least, **columns}


def _with_step(item: tuple[_Run, float]) -> dict[str, Any]:
    """One run with a given step against its certified rate."""
    run, step_size = item
    setup, theta0 = prepare(run.problem)
    tried = setup.certify(theta0, 0, step_size)
    counts = dict.fromkeys(COUNTS, 0)
    if not tried.certified:
        return counts | {"undecided": 1, "doubtful": "common step not certified"}
    rate, initial = float(tried.constants["rate"].upper), float(tried.constants["s0"].upper)
    reached = float(ntk_residuals(setup, theta0, step_size, run.steps)[-1])
    bound = initial * rate**run.steps
    verdict = "holds" if reached * (1 + ROUNDING) <= bound else "violated" if reached * (1 - ROUNDING) > bound else "undecided"
    found = counts | {verdict: 1, "common_rate": rate, "common_residual": reached, "common_bound": bound}
    return found if verdict == "holds" else found | {"doubtful": "rate at the common step"}


def _curve_rows(runs: list[dict[str, Any]], curves: list[Mapping[int, float]]) -> list[Row]:
    """Medians over the draws at each step of the coarse grid that all draws of a width have."""
    groups: dict[tuple[Any, ...], list[Mapping[int, float]]] = {}
    shared = ("data", "points", "activation", "layers", "output_scale", "steps", "parametrization", "width")
    for run, curve in zip(runs, curves, strict=True):
        groups.setdefault(tuple(run[name] for name in shared), []).append(curve)
    rows: list[Row] = []
    for key, found in groups.items():
        for i in sorted(set.intersection(*(set(curve) for curve in found))):
            median = float(np.median([curve[i] for curve in found]))
            about = {"section": "curve", **dict(zip(shared, key, strict=True)), "step": 2.0 ** (i / COARSE)}
            rows.append(about | {"residual": median if math.isfinite(median) else None})
    return rows
