"""The experiment "implicit": how near to the nearest optimum a certified run ends, against width, with the bounds of B.

The reference is the point from which the run is certified: its start where that is certified, else theta_N.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from theorems.arithmetic import as_interval
from verify.evidence import regimes
from verify.evidence.drawing import against_width, line, marks, svg
from verify.evidence.findings import Experiment, picture
from verify.evidence.regimes import FULL, QUICK, Grid, described, regimes_of
from verify.evidence.slopes import slope_over_draws, text_of
from verify.evidence.tabulated import (
    COUNTS,
    Row,
    by_draw,
    chosen,
    claim_counts,
    doubts,
    first_to_last,
    heading,
    joined,
    table,
    total_counts,
    verdict_line,
    widths_of,
)
from verify.evidence.team import Team
from verify.implicit import ImplicitRegularization, implicit_regularization
from verify.problem import Problem
from verify.run import measure_run
from verify.setup import prepare
from verify.verification import silent, start_certificate

MEASURED = {
    "outside": "outside the range: |(I−P)v|/dist",
    "deviation": "|θ_∞ − θ*|/dist",
    "excess": "|θ_∞ − θ_ref|/dist − 1",
}
# The column of a bound: what it bounds, and the claims whose least bound it is.
BOUNDS = {
    "outside_bound": ("outside", ("B1",)),
    "deviation_bound": ("deviation", ("B3",)),
    "excess_bound": ("excess", ("B2", "B4")),
    "excess_bound_second": ("excess", ("B4-second",)),
}
COLUMNS = (
    *regimes.COLUMNS,
    *("certified", "reference_step", "dist", "travelled", "ratio"),
    *MEASURED,
    *(f"{name}_error" for name in MEASURED),
    *BOUNDS,
    *COUNTS,
    *("doubtful", "reason"),
)
MOST_STEPS = 20000
VISIBLE = 2  # a value is shown where it is larger than so many times the bound of its error


def measure(grid: Grid, seed: int, team: Team) -> list[Row]:
    """One row a run; everything follows from the seed."""
    return regimes.measure(_measured, grid, seed, team)


def _measured(run: tuple[Row, Problem]) -> Row:
    about, problem = run
    return {**about, **run_row(problem)}


def run_row(problem: Problem) -> dict[str, Any]:
    """What one run shows."""
    setup, theta0 = prepare(problem)
    start, step_size = start_certificate(setup, theta0)
    certificate, reference = start, theta0
    if not start.certified:
        run = measure_run(setup, theta0, start, step_size, silent)
        if run.certified_theta is None:
            return {"certified": 0}
        certificate, reference = run.certificate, run.certified_theta
    found = implicit_regularization(setup, certificate, reference, MOST_STEPS)
    row: dict[str, Any] = {"certified": 1, "reference_step": certificate.step, **claim_counts(found.claims)}
    return row | _seen(found) | {"reason": found.nearest.reason or None}


def _seen(found: ImplicitRegularization) -> dict[str, float]:
    """Measured values and bounds over dist; none where the nearest optimum is not known. Of an interval the middle is shown."""
    if "nearest" not in found.values:
        return {}
    value = {name: float(as_interval(interval).lower + as_interval(interval).upper) / 2 for name, interval in found.values.items()}
    dist = value["nearest"]
    bounds = {claim.id: claim.bound for claim in found.claims if claim.bound is not None}
    over = {"B1": 1 / dist, "B3": 1 / dist, "B2": 1 / dist, "B4": 1.0, "B4-second": 1.0}
    shift = {"B4": 1.0}  # its bound is one of the quotient itself
    row: dict[str, float] = {"dist": dist, "travelled": value["travelled"], "ratio": value["travelled"] / dist}
    for name in MEASURED:
        ends = as_interval(found.values[name])
        row[f"{name}_error"] = error = float(ends.upper - ends.lower) / 2 / dist
        if value[name] / dist > VISIBLE * error:
            row[name] = value[name] / dist
    for column, (_, claims) in BOUNDS.items():
        stated = [bounds[claim] * over[claim] - shift.get(claim, 0.0) for claim in claims if claim in bounds]
        if stated:
            row[column] = float(min(stated))
    return row


def figures(rows: Sequence[Row]) -> dict[str, bytes]:
    """SVG by file name: a panel for each measured quantity."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    for axes, (column, label) in zip(figure.subplots(1, len(MEASURED)), MEASURED.items(), strict=True):
        bounds = {name: claims for name, (measured, claims) in BOUNDS.items() if measured == column}
        for number, (layers, scale) in enumerate(regimes_of(rows)):
            some = chosen(rows, layers=layers, output_scale=scale)
            widths = widths_of(some)
            name = f"L = {layers}, α = {scale:g}"
            marks(axes, widths, _positive(by_draw(some, column, widths)), number, name, 1 + 0.04 * (number - 1.5))
            for style, bound in zip("-:", bounds, strict=False):
                line(axes, widths, by_draw(some, bound, widths), number, f"bound, {name}" if style == "-" else None, style)
        against_width(axes, label)
        axes.set_title("bound: " + "; dotted: ".join(" or ".join(claims) for claims in bounds.values()), fontsize=8)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return {"implicit.svg": svg(figure)}


def _positive(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What is not positive has no place on a logarithmic axis."""
    return np.where(values > 0, values, np.nan)


def page(rows: Sequence[Row], quick: bool, seed: int) -> str:
    """The page in Markdown."""
    certified = sum(row["certified"] for row in rows)
    known = [row for row in rows if row.get("dist") is not None]
    run = f"""## What was run

{described(rows)}.

The reference θ_ref is the point from which the run is certified: its start where that is certified, else θ_N.
The run is followed
to its limit θ_∞ (with a Newton step; what it is off is bounded), θ* is the optimum nearest to θ_ref, found by
Gauss–Newton on the
multipliers, dist = |θ* − θ_ref|, v = θ_∞ − θ_ref. {certified} of {len(rows)} runs are certified, and θ* is
known to be the nearest
optimum in {len(known)}; elsewhere nothing is compared with it. A value is shown where it is more than {VISIBLE}
times the bound of
its error (the columns `_error`).

{verdict_line(rows)} (claims B1 to B5 of {certified} runs, each claim by its worst check)"""
    lines = []
    for layers, scale in regimes_of(rows):
        some = chosen(rows, layers=layers, output_scale=scale)
        widths = widths_of(some)
        where = "start" if all(row.get("reference_step") == 0 for row in some) else "step N"
        for bounded, (column, claims) in BOUNDS.items():
            values, bound = by_draw(some, column, widths), by_draw(some, bounded, widths)
            slopes = [text_of(slope_over_draws(widths, both)) for both in (values, bound)]
            ends = [first_to_last(values), slopes[0], ", ".join(claims), first_to_last(bound), slopes[1]]
            lines.append([layers, scale, where, MEASURED[column], *ends])
    head = ["L", "α", "from", "measured", "first → last width", "slope", "bound by", "bound, first → last", "slope of the bound"]
    seen = (
        "Medians over the draws; slopes against the logarithm of the width, with limits for the median over the "
        "draws (confidence at "
        "least 95% each). By theory, from the start, the first two are O(m^{−1/2}) and the third is O(1/m). From "
        "θ_N on, N depends on "
        "the width: q_N is just below 1 at every width, so the bounds need not fall."
    )
    return joined(
        heading("the nearest optimum", "implicit", quick, seed),
        run,
        "## What was seen",
        table(head, lines),
        seen,
        picture("Distances from the nearest optimum against width; lines: bounds", "implicit.svg"),
        doubts(rows, "layers", "output_scale", "width", "draw"),
        _not_seen(rows),
    )


def _not_seen(rows: Sequence[Row]) -> str:
    lines = ["## What was not seen", ""]
    for column, expected in (("outside", -0.5), ("deviation", -0.5), ("excess", -1.0)):
        other = []
        for layers, scale in regimes_of(rows):
            some = chosen(rows, layers=layers, output_scale=scale)
            slope = slope_over_draws(widths_of(some), by_draw(some, column, widths_of(some)))
            if all(row.get("reference_step") == 0 for row in some) and (slope is None or not slope.holds(expected)):
                other.append(f"L = {layers}, α = {scale:g} ({text_of(slope)})")
        if other:
            lines.append(f"* From the start, the slope {expected:g} of {column} within its limits: not for {'; '.join(other)}.")
    unknown = [row for row in rows if row["certified"] and row.get("dist") is None]
    if unknown:
        names = dict.fromkeys(f"L = {row['layers']}, α = {row['output_scale']:g}, width {row['width']}" for row in unknown)
        lines.append(f"* Which optimum is the nearest (t_u < 1/2): not for {len(unknown)} runs ({'; '.join(names)}).")
    for column in MEASURED:
        hidden = sum(row.get(column) is None for row in rows if row.get("dist") is not None)
        if hidden:
            lines.append(f"* {MEASURED[column]} beyond its error: not in {hidden} runs.")
    idle = total_counts(rows)
    small = next(count for verdict, count in idle.items() if verdict.name == "NOT_APPLICABLE")
    if small:
        lines.append(
            f"* {small} claims: a hypothesis is not met, or the error of measurement exceeds 1/8 of what the claim says (the "
            "second-order claims B2-second, B4-second and B5 where the excess is tiny); no bound is shown there."
        )
    lines.append("* Other data, activations and losses, and widths beyond those named.")
    return "\n".join(lines)


IMPLICIT = Experiment(
    name="implicit",
    summary="the end of certified runs against the nearest optimum, over widths, with the bounds of B",
    quick=QUICK,
    full=FULL,
    measure=measure,
    columns=COLUMNS,
    figures=figures,
    page=page,
)
