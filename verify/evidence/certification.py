"""The experiment "certification": from which step on, and at which residual, runs are certified, against width and depth.

Each run is that of ``overparam verify`` (the same functions): the certificate at the start, training, the
certification step, and
every claim checked from there on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from verify.certificate_record import Certificate
from verify.drawn.frequencies import seeds_of
from verify.evidence.drawing import against_width, marks, svg
from verify.evidence.findings import Experiment, picture
from verify.evidence.slopes import DRAWS, slope_over_draws, text_of
from verify.evidence.tabulated import (
    COUNTS,
    Row,
    by_draw,
    chosen,
    claim_counts,
    distinct,
    doubts,
    first_to_last,
    heading,
    in_words,
    joined,
    table,
    verdict_line,
    widths_of,
)
from verify.evidence.team import Team
from verify.problem import Problem, problem_from_mapping
from verify.run import measure_run
from verify.setup import prepare
from verify.verification import check_run, explain, silent, start_certificate

COLUMNS = (
    *("data", "points", "activation", "layers", "width", "draw", "network_seed", "step_size", "q_start", "width_estimate"),
    *("certified", "certification_step", "certification_residual", "q_certified", "steps", "residual_end", *COUNTS, "doubtful"),
)
STOP_RESIDUAL = 1e-4
STEPS = 20000


@dataclass(frozen=True)
class Grid:
    """Numbers of points, numbers of layers, widths, and draws of the weights at each."""

    points: tuple[int, ...]
    layers: tuple[int, ...]
    widths: tuple[int, ...]
    draws: int


FULL = Grid((16, 32), (2, 3, 4), (16, 32, 64, 128, 256, 512), DRAWS)
QUICK = Grid((16,), (2, 3, 4), (16, 64), DRAWS)


def measure(grid: Grid, seed: int, team: Team) -> list[Row]:
    """One row a run; everything follows from the seed."""
    runs: list[tuple[Row, Problem]] = []
    for points, layers, width in itertools.product(grid.points, grid.layers, grid.widths):
        for draw, weights in enumerate(seeds_of(seed, grid.draws, 3, points, layers, width)):
            about = {"data": "digits 3/8", "points": points, "activation": "tanh", "layers": layers, "width": width}
            runs.append(({**about, "draw": draw, "network_seed": weights}, _problem(points, layers, width, seed, weights)))
    return team.each(_measured, runs, lambda run: in_words(run[0]), lambda run: run[0]["layers"] * run[0]["width"])


def _measured(run: tuple[Row, Problem]) -> Row:
    about, problem = run
    return {**about, **run_row(problem, estimate=about["draw"] == 0)}


def _problem(points: int, layers: int, width: int, seed: int, weights: int) -> Problem:
    return problem_from_mapping(
        {
            "data": {"points": points, "seed": seed},
            "network": {"hidden": [width] * (layers - 1), "seed": weights},
            "training": {"steps": STEPS, "stop_residual": STOP_RESIDUAL},
        }
    )


def run_row(problem: Problem, estimate: bool = True) -> dict[str, Any]:
    """What one run shows. estimate: whether the width that would be certified at the start is estimated, which takes longest."""
    setup, theta0 = prepare(problem)
    start, step_size = start_certificate(setup, theta0)
    run = measure_run(setup, theta0, start, step_size, silent)
    certificate, residual = run.certificate, run.trajectory.residual
    explained = explain(setup, start) if estimate and not start.certified else start
    wanted = explained.failure.remedies.get("width_estimate") if explained.failure is not None else None
    return {
        "step_size": step_size,
        "q_start": quotient(start),
        "width_estimate": None if wanted is None else int(wanted),
        "certified": int(certificate.certified),
        "certification_step": certificate.step if certificate.certified else None,
        "certification_residual": float(residual[certificate.step]) if certificate.certified else None,
        "q_certified": quotient(certificate) if certificate.certified else None,
        "steps": run.trajectory.steps,
        "residual_end": float(residual[-1]),
        **claim_counts(check_run(setup, certificate, run, step_size)),
    }


def quotient(certificate: Certificate) -> float | None:
    """q of the theorem that certifies, or that came nearest: on its ball, which is a point where q >= 1 already there."""
    if not certificate.attempts:
        return None
    best = min(certificate.attempts, key=lambda one: (one.rate, _size(one.constants)))
    found = _size(best.constants)
    return found if math.isfinite(found) else None


def _size(constants: dict[str, float]) -> float:
    q = float(constants.get("q", math.inf))
    return q if q > 0 else math.inf


def figures(rows: Sequence[Row]) -> dict[str, bytes]:
    """SVG by file name: the certification step and the residual there, and q at the start."""
    panels = (("certification_step", "certification step N"), ("certification_residual", "residual at certification"))
    return {
        "certification.svg": _draw(rows, panels, None),
        "certification_start.svg": _draw(
            rows, (("q_start", "q at the start"), ("width_estimate", "width certified at the start (estimate)")), 1.0
        ),
    }


def _draw(rows: Sequence[Row], panels: Sequence[tuple[str, str]], threshold: float | None) -> bytes:
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (column, label) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for number, (points, layers) in enumerate(distinct(rows, "points", "layers")):
            some = chosen(rows, points=points, layers=layers)
            widths = widths_of(some)
            values = by_draw(some, column, widths)
            if column == "certification_step":
                values = np.maximum(values, 1)  # 0 has no place on a logarithmic axis
            marks(axes, widths, values, number, f"L = {layers}, n = {points}", 1 + 0.05 * (number - 2))
        against_width(axes, label)
        if threshold is not None and column == "q_start":
            axes.axhline(threshold, color="#d55e00", linewidth=1.8, label="certified below")
    handles = {name: handle for axes in figure.axes for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, frameon=False, fontsize=8, loc="outside right center")
    return svg(figure)


def page(rows: Sequence[Row], quick: bool, seed: int) -> str:
    """The page in Markdown."""
    widths, draws = widths_of(rows), len(distinct(rows, "draw"))
    points = " and ".join(str(n) for (n,) in distinct(rows, "points"))
    depths = ", ".join(str(n) for (n,) in distinct(rows, "layers"))
    run = f"""## What was run

scikit-learn digits, 3 against 8, {points} points; tanh networks of L = {depths} layers, all trained, widths {widths[0]} to
{widths[-1]}; {draws} draws of the weights at each; full-batch gradient descent with the step that `overparam
verify` chooses, until
the residual is {STOP_RESIDUAL:g} or {STEPS} steps are made. At the certification step N Theorem A, A+ or A0 is
certified for the run
from θ_N on, at step N − 1 for none; the claims are then checked at every step from N on.

{verdict_line(rows)} (claims of {len(rows)} runs, each claim by its worst check; NOT_APPLICABLE: a hypothesis fails, the error of
measurement is too large for a check, or there is no certificate)"""
    return joined(
        heading("certification step against width and depth", "certification", quick, seed),
        run,
        "## What was seen",
        _certified(rows),
        _steps(rows),
        _start(rows),
        doubts(rows, "points", "layers", "width", "draw"),
        _not_seen(rows),
    )


def _certified(rows: Sequence[Row]) -> str:
    some = [row for row in rows if row["certified"]]
    at_start = sum(1 for row in some if row["certification_step"] == 0)
    return (
        f"{len(some)} of {len(rows)} runs were certified before they ended, {at_start} of them at the start. "
        "Medians over the draws, in the figures over those certified; slopes against the logarithm of the width, with "
        "limits for the median over the draws (confidence at least 95% each, not together)."
    )


def _steps(rows: Sequence[Row]) -> str:
    lines = []
    for points, layers in distinct(rows, "points", "layers"):
        some = chosen(rows, points=points, layers=layers)
        widths = widths_of(some)
        steps, residual = (by_draw(some, name, widths) for name in ("certification_step", "certification_residual"))
        slopes = [text_of(slope_over_draws(widths, values)) for values in (steps, residual)]
        share = f"{sum(row['certified'] for row in some)} of {len(some)}"
        lines.append([points, layers, share, first_to_last(steps), slopes[0], first_to_last(residual), slopes[1]])
    head = ["n", "L", "certified", "step N, first → last width", "slope", "residual at N", "slope"]
    return table(head, lines) + "\n\n" + picture("Certification step and residual there against width", "certification.svg")


def _start(rows: Sequence[Row]) -> str:
    lines = []
    for points, layers in distinct(rows, "points", "layers"):
        some = chosen(rows, points=points, layers=layers)
        widths = widths_of(some)
        q, estimate = by_draw(some, "q_start", widths), by_draw(chosen(some, draw=0), "width_estimate", widths)
        lines.append([points, layers, first_to_last(q), text_of(slope_over_draws(widths, q)), first_to_last(estimate)])
    head = ["n", "L", "q at the start", "slope (theory: −1/2 for large widths)", "width certified at the start (estimate)"]
    words = (
        "q at the start is that of the theorem that certifies or came nearest, on its ball (a point, where q ≥ 1 "
        "already there). The "
        "width estimate (of the first draw) scales the signals of the network drawn; it is no certificate."
    )
    return "\n\n".join((table(head, lines), words, picture("q at the start and the width estimate", "certification_start.svg")))


def _not_seen(rows: Sequence[Row]) -> str:
    lines = ["## What was not seen", ""]
    missing = [row for row in rows if not row["certified"]]
    if missing:
        names = dict.fromkeys(f"n = {row['points']}, L = {row['layers']}, width {row['width']}" for row in missing)
        lines.append(f"* A certificate before the run's end: not for {len(missing)} runs ({'; '.join(names)}).")
    if not any(row["certification_step"] == 0 for row in rows):
        lines.append("* A certificate at the start (q < 1 there): at none of these widths, with output scale 1.")
    rising = []
    for points, layers in distinct(rows, "points", "layers"):
        some = chosen(rows, points=points, layers=layers)
        slope = slope_over_draws(widths_of(some), by_draw(some, "certification_step", widths_of(some)))
        if slope is None or not slope.upper < 0:
            rising.append(f"n = {points}, L = {layers}")
    if rising:
        lines.append(f"* A certification step that falls with the width beyond its limits: not for {'; '.join(rising)}.")
    lines.append(
        "* Other data, activations and losses; more points, for which λ_min falls; widths beyond those named. "
        "Rigorous certificates "
        "(`--rigorous`): the numbers here are floating point with error bounds."
    )
    return "\n".join(lines)


CERTIFICATION = Experiment(
    name="certification",
    summary="certification step and residual at certification, and q at the start, against width and depth on digits",
    quick=QUICK,
    full=FULL,
    measure=measure,
    columns=COLUMNS,
    figures=figures,
    page=page,
)
