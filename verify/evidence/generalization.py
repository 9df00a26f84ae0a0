"""The experiment "generalization": the bound H1 beside the measured gap on held-out points, over points and width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verify.drawn.frequencies import seeds_of
from verify.evaluated_losses import clipped_loss
from verify.evidence.drawing import line, marks, svg
from verify.evidence.findings import Experiment, picture
from verify.evidence.tabulated import (
    COUNTS,
    Row,
    by_draw,
    chosen,
    claim_counts,
    distinct,
    doubts,
    heading,
    in_words,
    joined,
    table,
    verdict_line,
    widths_of,
)
from verify.evidence.team import Team
from verify.generalization import Generalization, Judge, certified_distance
from verify.held_out import held_out
from verify.problem import problem_from_mapping
from verify.rigor import decimal_above, decimal_below
from verify.setup import prepare

LARGEST = 0.5
"""Where the square loss is clipped: for targets +-1 it is the loss of the constant prediction 0."""
FAILURE_PROBABILITY = 0.01
STEP_SHARE = 0.9
COLUMNS = (
    *("data", "points", "held_out", "activation", "layers", "output_scale", "width", "draw", "network_seed", "step_size", "steps"),
    *("train_loss", "test_loss", "gap", "sampling_error", "distance", "radius", "mean_beta", "linear_term", "curvature_term"),
    *("deviation_term", "bound_of_gap", "bound", "vacuous", "points_needed", "certified_distance", "certified_bound"),
    *("transport", "transport_vacuous", *COUNTS, "doubtful"),
)


@dataclass(frozen=True)
class Grid:
    """Data sets with classes, numbers of points, widths, draws of sample and weights, steps at which a run is judged."""

    data: tuple[tuple[str, tuple[int, int]], ...]
    points: tuple[int, ...]
    widths: tuple[int, ...]
    draws: int
    steps: tuple[int, ...]


FULL = Grid((("breast_cancer", (0, 1)), ("digits", (3, 8))), (32, 64, 128, 256, 500), (64, 512, 4096), 4, (20, 200))
QUICK = Grid((("breast_cancer", (0, 1)),), (64, 500), (64, 1024), 2, (20, 200))
ROWS_OF = {"breast_cancer": 569, "digits": 357}  # with these classes; at least a tenth is held out


def measure(grid: Grid, seed: int, team: Team) -> list[Row]:
    """One row a run and step at which it is judged; everything follows from the seed."""
    runs: list[tuple[Row, dict[str, Any], Sequence[int]]] = []
    for number, (source, classes) in enumerate(grid.data):
        for points in (n for n in grid.points if n <= 0.9 * ROWS_OF[source]):
            for width in grid.widths:
                for draw, drawn in enumerate(seeds_of(seed, grid.draws, 6, number, points, width)):
                    data = {"source": source, "classes": list(classes), "points": points, "seed": drawn}
                    network = {"hidden": [width], "trained": [1], "output_scale": 16.0, "seed": drawn}
                    about = {"data": source, "points": points, "activation": "tanh", "layers": 2, "output_scale": 16.0}
                    about |= {"width": width, "draw": draw, "network_seed": drawn}
                    runs.append((about, {"data": data, "network": network}, grid.steps))
    measured = team.each(_measured, runs, lambda run: in_words(run[0]), lambda run: run[0]["points"] * run[0]["width"])
    return [row for rows in measured for row in rows]


def _measured(run: tuple[Row, dict[str, Any], Sequence[int]]) -> list[Row]:
    about, mapping, steps = run
    return [{**about, **row} for row in run_rows(mapping, steps)]


def run_rows(mapping: dict[str, Any], steps: Sequence[int]) -> Iterator[dict[str, Any]]:
    """One run, judged at some of its steps."""
    setup, theta0 = prepare(problem_from_mapping(mapping))
    judge = Judge(setup, theta0, held_out(setup.problem.data), clipped_loss(setup, LARGEST), FAILURE_PROBABILITY)
    step_size = STEP_SHARE / (setup.smoothness * float(setup.snapshot(theta0).eigenvalues[-1]))
    certificate = setup.certify(theta0, 0, step_size)
    radius = certified_distance(certificate, theta0, theta0) if certificate.certified else None
    descent, theta, done = setup.descent(step_size), theta0.copy(), 0
    for step in steps:
        done += descent.advance(theta, step - done, 0.0, theta0).steps_done
        found = judge.judge(theta, radius, done)
        yield {"step_size": step_size, "steps": done, **_row(found), **claim_counts(found.claims)}


def _row(found: Generalization) -> dict[str, Any]:
    measured, certified = found.measured, found.certified
    return {
        "held_out": found.held_out_points,
        "train_loss": found.train_loss,
        "test_loss": found.test_loss,
        "gap": found.gap,
        "sampling_error": found.sampling_error,
        "distance": measured.distance,
        "radius": measured.radius,
        "mean_beta": measured.mean_beta,
        "linear_term": measured.linear,
        "curvature_term": measured.curvature,
        "deviation_term": measured.deviation,
        "bound_of_gap": measured.gap,
        "bound": measured.bound,
        "vacuous": int(measured.vacuous),
        "points_needed": measured.points_needed,
        "certified_distance": None if certified is None else certified.distance,
        "certified_bound": None if certified is None else certified.bound,
        "transport": found.transport,
        "transport_vacuous": int(found.transport_vacuous),
    }


def figures(rows: Sequence[Row]) -> dict[str, bytes]:
    """SVG by file name: bound and gap against n for every width, and the bound's terms at the largest width."""
    groups = distinct(rows, "data", "steps")
    figure = Figure(figsize=(9, 3 * len(groups)), layout="constrained")
    for row, (axes, (data, steps)) in enumerate(zip(figure.subplots(len(groups), 2, squeeze=False), groups, strict=True)):
        some = chosen(rows, data=data, steps=steps)
        points = sorted({row["points"] for row in some})
        for number, width in enumerate(widths_of(some)):
            at = chosen(some, width=width)
            line(axes[0], points, by_draw(at, "bound_of_gap", points, "points"), number, f"bound, width {width}")
            gaps = np.abs(by_draw(at, "gap", points, "points"))
            marks(axes[0], points, gaps, number, f"|gap|, width {width}", 1 + 0.04 * (number - 1))
        widest = chosen(some, width=widths_of(some)[-1])
        for number, (column, style) in enumerate((("linear_term", "-"), ("curvature_term", "--"), ("deviation_term", ":"))):
            line(axes[1], points, by_draw(widest, column, points, "points"), number, column.replace("_", " "), style)
        axes[0].set_title(f"{data.replace('_', ' ')}, after {steps} steps", fontsize=9)
        axes[1].set_title(f"terms of the bound at width {widths_of(some)[-1]}", fontsize=9)
        for one in axes:
            _finish(one)
            if row == 0:  # the others have the same
                one.legend(frameon=False, fontsize=6)
    return {"generalization.svg": svg(figure)}


def _finish(axes: Axes) -> None:
    axes.axhline(LARGEST, color="0.6", linewidth=0.8, linestyle="--")
    axes.set(yscale="log", xlabel="points n", ylabel="loss")
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.grid(alpha=0.25)


def page(rows: Sequence[Row], quick: bool, seed: int) -> str:
    """The page in Markdown."""
    names = " and ".join(f"{data} ({held} rows left at n = {points})" for data, points, held in _most(rows))
    points = ", ".join(str(n) for n in sorted({row["points"] for row in rows}))
    run = f"""## What was run

scikit-learn {names}, n = {points}; tanh networks of one hidden layer, the first layer trained, α = 16, widths
{", ".join(map(str, widths_of(rows)))}; {len(distinct(rows, "draw"))} draws of sample and weights at each;
full-batch gradient descent
on the square loss with the step {STEP_SHARE:g}/λ_max(K_0), judged after
{" and ".join(str(s) for (s,) in distinct(rows, "steps"))} steps.
H1 bounds the expectation of the loss clipped at b = {LARGEST:g}, which is the loss of the constant prediction
0, by the mean over the
sample plus linear, curvature and deviation term, with probability {1 - FAILURE_PROBABILITY:g} over the sample,
for all radii r_j at once,
so at every step; the radius is the first r_j not below the measured |θ − θ_0|. The gap is the mean over the
rows not trained on less
that over the sample. Checked: H1 (the expected loss is known up to Hoeffding's error), and H2's Lipschitz
constant and transport bound.

{verdict_line(rows)} (claims of {len(rows)} judgments)"""
    return joined(
        heading("generalization over points and width", "generalization", quick, seed),
        run,
        "## What was seen",
        _table(rows),
        _words(rows),
        picture("Bound of the gap, and the measured gap, against n; dashed: the largest loss", "generalization.svg"),
        doubts(rows, "data", "points", "width", "draw", "steps"),
        _not_seen(rows),
    )


def _most(rows: Sequence[Row]) -> list[tuple[str, int, int]]:
    found = []
    for (data,) in distinct(rows, "data"):
        row = max(chosen(rows, data=data), key=lambda one: one["points"])
        found.append((data, row["points"], row["held_out"]))
    return found


def _table(rows: Sequence[Row]) -> str:
    lines = []
    for data, steps, points in sorted(distinct(rows, "data", "steps", "points"), key=lambda key: (key[0], key[1], key[2])):
        some = chosen(rows, data=data, steps=steps, points=points)
        for width in (widths_of(some)[0], widths_of(some)[-1]):
            at = chosen(some, width=width)
            names = ("train_loss", "test_loss", "gap", "linear_term", "curvature_term", "deviation_term", "bound")
            medians = [float(np.median([row[name] for row in at])) for name in names]
            vacuous = f"{sum(row['vacuous'] for row in at)} of {len(at)}"
            lines.append([data, steps, points, width, *medians, vacuous])
    head = [
        "data",
        "steps",
        "n",
        "width",
        "train",
        "test",
        "gap",
        "linear",
        "curvature",
        "deviation",
        "bound of the loss",
        "vacuous",
    ]
    return table(head, lines) + "\n\nMedians over the draws; first and last width. Vacuous: the bound is not below b."


def _words(rows: Sequence[Row]) -> str:
    best = min(rows, key=lambda row: row["bound"])
    place = f"{best['data']}, n = {best['points']}, width {best['width']}, {best['steps']} steps"
    said = "below" if not best["vacuous"] else "not below"
    words = (
        f"The smallest bound is {decimal_above(Fraction(best['bound']), 4)}, {said} b = {LARGEST:g} "
        f"({place}; held-out loss {best['test_loss']:.3g}). "
        f"{sum(not row['vacuous'] for row in rows)} of {len(rows)} judgments are not vacuous. Each bound holds with probability "
        f"{1 - FAILURE_PROBABILITY:g} by itself; one picked from K for its size with K times the risk."
    )
    certified = [row for row in rows if row.get("certified_bound") is not None]
    if not certified:
        return f"{words} No run is certified at its start with this step, so there is no certified radius about θ_0 here."
    ratio = min(row["certified_bound"] / row["bound"] for row in certified)
    return (
        f"{words} {len(certified)} judgments have a radius certified at the start as well; the bound with it is "
        f"at least {decimal_below(Fraction(ratio), 3)} "
        "times that with the measured radius."
    )


def _not_seen(rows: Sequence[Row]) -> str:
    lines = ["## What was not seen", ""]
    vacuous = [row for row in rows if row["vacuous"]]
    if vacuous:
        known = [row["points_needed"] for row in vacuous if row.get("points_needed") is not None]
        far = f"; with all else equal the nearest would need {min(known)} points" if known else ""
        lines.append(f"* A bound below b: vacuous in {len(vacuous)} of {len(rows)} judgments{far}.")
    idle = sum(row["transport_vacuous"] for row in rows)
    lines.append(f"* A transport bound (H2) below b: vacuous in {idle} of {len(rows)} judgments.")
    least = min((row["bound_of_gap"] / abs(row["gap"]) for row in rows if row["gap"]), default=0.0)
    lines.append(f"* A tight bound: it exceeds the measured |gap| by a factor of {decimal_below(Fraction(least), 2)} at least.")
    lines.append(
        "* That rows are independent draws from one law: assumed. Failures of H1 are rare by design, and a few "
        "draws from one data set "
        "cannot test the probability. Other losses, depths and more outputs."
    )
    return "\n".join(lines)


GENERALIZATION = Experiment(
    name="generalization",
    summary="the bound of the loss on unseen data beside the measured gap, over points and width",
    quick=QUICK,
    full=FULL,
    measure=measure,
    columns=COLUMNS,
    figures=figures,
    page=page,
)
