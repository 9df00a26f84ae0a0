"""The experiment "lazy": how little kernel, weights and outputs leave their linearization during training, against width.

What is measured is measured over the whole run from its start, at the marks, with and without a certificate. Where the start is
certified the bounds of C1, C2 and C3 stand beside it, and the claims are checked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from numerics.linearized import linearized_residual, linearized_run, weight_change
from numerics.nearest import function_norm
from numerics.norms import spectral_norm
from theorems.arithmetic import INTERVAL, as_interval
from theorems.records import evaluate_expression
from theorems.statements.lazy import THEOREM_C2, THEOREM_C3
from theorems.statements.network import THEOREM_E
from verify.certificate_record import Certificate
from verify.certified_constants import intervals
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
    verdict_line,
    widths_of,
)
from verify.evidence.team import Team
from verify.lazy import lazy_training, neuron_limits
from verify.measured import measured_steps
from verify.problem import Problem
from verify.run import mark_steps, measure_run
from verify.setup import Setup, Theta, prepare
from verify.verification import check_run, silent, start_certificate

# (column, what it is, its claim)
MEASURED = (
    ("kernel_drift", "largest |K_k − K_0|/λ_max(K_0)", "C1"),
    ("weight_change", "largest |θ_k − θ_0|/|θ_0|", "C2"),
    ("layer_change", "largest |θ_k^l − θ_0^l|/|θ_0^l|", "C2-layers"),
    ("neuron_change", "largest |w_k − w_0|/|w_0| of a neuron", "C2-neurons"),
    ("linear_gap", "largest |e_k − ē_k|_ν/s_0", "C3"),
)
COLUMNS = (
    *regimes.COLUMNS,
    *("step_size", "steps", "residual_end", "start_certified", "q"),
    *(name for name, _, _ in MEASURED),
    *(f"{name}_bound" for name, _, _ in MEASURED),
    *COUNTS,
    "doubtful",
)


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
    row: dict[str, Any] = {"step_size": step_size, "start_certified": int(start.certified), **from_start(setup, theta0, step_size)}
    if not start.certified:
        return row
    run = measure_run(setup, theta0, start, step_size, silent)
    steps = measured_steps(setup, start, run, step_size)
    lazy = lazy_training(setup, start, theta0, steps, [step for step, _ in run.drifts])
    drift = [claim for claim in check_run(setup, start, run, step_size) if claim.id == "C1"]
    row |= {"q": float(start.constants["q"].upper), **_bounds(start, theta0, setup), **claim_counts([*drift, *lazy.claims])}
    return row


def from_start(setup: Setup, theta0: Theta, step_size: float) -> dict[str, Any]:
    """The run from the start against its linearization, the largest values over the marks."""
    nu, options = setup.dataset.sample_weights, setup.problem.training
    first = setup.snapshot(theta0)
    residual = first.outputs - setup.offsets - setup.minimizers
    linear = linearized_run(first.kernel, residual, nu, step_size)
    descent, theta, done = setup.descent(step_size), theta0.copy(), 0
    largest, s = dict.fromkeys([name for name, _, _ in MEASURED], 0.0), math.inf
    for mark in mark_steps(options.steps)[1:]:
        segment = descent.advance(theta, mark - done, options.stop_residual, theta0)
        done += segment.steps_done
        found = setup.snapshot(theta)
        e = found.outputs - setup.offsets - setup.minimizers
        change, trained = weight_change(setup.architecture, theta, theta0), setup.architecture.trained
        seen = {
            "kernel_drift": spectral_norm(found.kernel - first.kernel).upper / float(first.eigenvalues[-1]),
            "weight_change": change.relative,
            "layer_change": max(value for value, moves in zip(change.layers_relative.tolist(), trained, strict=True) if moves),
            "neuron_change": max(float(each.max()) for each, moves in zip(change.neurons_relative, trained, strict=True) if moves),
            "linear_gap": function_norm(e - linearized_residual(linear, done), nu) / function_norm(residual, nu),
        }
        largest = {name: max(value, seen[name]) for name, value in largest.items()}
        s = function_norm(e, nu)
        if segment.stopped != "steps":
            break
    return {"steps": done, "residual_end": s, **largest}


def _bounds(start: Certificate, theta0: Theta, setup: Setup) -> dict[str, float]:
    """Upper ends of the bounds for the whole run, divided as what is measured: C1 with rho = rbar, C2, C3 without its sum.

    What a layer or a neuron may move is divided by the smallest norm of one.
    """
    known = intervals(start)
    known["rho"] = known["rbar"]
    known |= THEOREM_C3.evaluate_constants(known, INTERVAL)
    claims = (THEOREM_E.claim("C1"), THEOREM_C3.claim("C3"), THEOREM_C2.claim("C2-neurons"))
    drift, gap, path = (float(as_interval(evaluate_expression(claim.bound, known, INTERVAL)).upper) for claim in claims)
    a, moves = setup.architecture, [i for i, trained in enumerate(setup.architecture.trained) if trained]
    layers, reach = [float(np.linalg.norm(a.layer(theta0, i + 1))) for i in moves], neuron_limits(start)
    neurons = [np.hypot(np.linalg.norm(a.weight(theta0, i + 1), axis=1), a.bias(theta0, i + 1)) for i in moves]
    rbar = float(known["rbar"].upper)
    return {
        "kernel_drift_bound": drift / float(known["lambda_max"].lower),
        "weight_change_bound": rbar / float(np.linalg.norm(layers)),
        "layer_change_bound": rbar / min(layers),
        "neuron_change_bound": max(
            float(reach[i].upper) * path / float(sizes.min()) for i, sizes in zip(moves, neurons, strict=True)
        ),
        "linear_gap_bound": gap / float(known["s0"].lower),
    }


def figures(rows: Sequence[Row]) -> dict[str, bytes]:
    """SVG by file name: a panel for each measured quantity."""
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    *panels, last = figure.subplots(2, 3).ravel()
    for axes, (column, label, claim) in zip(panels, MEASURED, strict=True):
        for number, (layers, scale) in enumerate(regimes_of(rows)):
            some = chosen(rows, layers=layers, output_scale=scale)
            widths = widths_of(some)
            name = f"L = {layers}, α = {scale:g}"
            marks(axes, widths, by_draw(some, column, widths), number, name, 1 + 0.04 * (number - 1.5))
            line(axes, widths, by_draw(some, f"{column}_bound", widths), number, f"bound, {name}")
        against_width(axes, label)
        axes.set_title(f"bound: {claim}", fontsize=8)
    last.axis("off")
    last.legend(*panels[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="center")
    return {"lazy.svg": svg(figure)}


def page(rows: Sequence[Row], quick: bool, seed: int) -> str:
    """The page in Markdown."""
    certified = sum(row["start_certified"] for row in rows)
    run = f"""## What was run

{described(rows)}.

Over the whole run from its start, the largest value at the marks of: the kernel's drift, the relative change of
all weights, of a layer and of the weights into a neuron, and the
distance to the linearized model under the same steps (computed exactly through the kernel at the start).
{certified} of {len(rows)}
runs are certified at their start; there C1, C2 and C3 are checked at every mark, and their bounds for the whole
run are the lines.
The others are measured only: nothing is claimed from a start that is not certified.

{verdict_line(rows)} (claims of {certified} runs, each claim by its worst check)"""
    lines = []
    for layers, scale in regimes_of(rows):
        some = chosen(rows, layers=layers, output_scale=scale)
        widths = widths_of(some)
        for column, label, claim in MEASURED:
            values, bound = by_draw(some, column, widths), by_draw(some, f"{column}_bound", widths)
            slopes = [text_of(slope_over_draws(widths, both)) for both in (values, bound)]
            room = float(np.nanmin(bound / values)) if np.isfinite(bound).any() else None
            theory = f"{_expected(column, layers):g}"
            told = [first_to_last(values), slopes[0], theory, claim, first_to_last(bound), slopes[1], room]
            lines.append([layers, scale, label, *told])
    head = [
        "L",
        "α",
        "measured",
        "first → last width",
        "slope",
        "theory",
        "claim",
        "bound, first → last",
        "slope of the bound",
        "least room",
    ]
    seen = (
        "Medians over the draws; slopes against the logarithm of the width, with limits for the median over the draws "
        "(confidence at least 95% each). By theory all are O(m^{−1/2}), but for L > 2 the relative change of all weights is "
        "O(1/m), where the norm of θ_0 grows like m. These are bounds for large widths: a slope may be "
        "steeper, so the slopes are evidence and have no verdict. Room: bound ÷ measured."
    )
    return joined(
        heading("lazy training against width", "lazy", quick, seed),
        run,
        "## What was seen",
        table(head, lines),
        seen,
        picture("Kernel drift, weight change and distance to the linearized model against width; lines: bounds", "lazy.svg"),
        doubts(rows, "layers", "output_scale", "width", "draw"),
        _not_seen(rows),
    )


def _expected(column: str, layers: int) -> float:
    """The power of the width with which the bound falls."""
    return -1.0 if column == "weight_change" and layers > 2 else -0.5


def _not_seen(rows: Sequence[Row]) -> str:
    lines = ["## What was not seen", ""]
    other = []
    for layers, scale in regimes_of(rows):
        some = chosen(rows, layers=layers, output_scale=scale)
        for column, _, _ in MEASURED:
            slope = slope_over_draws(widths_of(some), by_draw(some, column, widths_of(some)))
            if slope is not None and not slope.holds(_expected(column, layers)):
                kind = "steeper" if slope.upper < _expected(column, layers) else "flatter"
                other.append(f"{column} at L = {layers}, α = {scale:g} ({slope}, {kind})")
    if other:
        lines.append(f"* The slope of the theory's bound within the limits of the measured one: not for {'; '.join(other)}.")
    uncertified = sorted({f"L = {row['layers']}, α = {row['output_scale']:g}" for row in rows if not row["start_certified"]})
    if uncertified:
        lines.append(f"* Bounds from the start where it is not certified: {'; '.join(uncertified)}.")
    lines.append("* Other data, activations and losses (C3 is for the square loss), and widths beyond those named.")
    return "\n".join(lines)


LAZY = Experiment(
    name="lazy",
    summary="kernel drift, weight change and distance to the linearized model against width, with their bounds",
    quick=QUICK,
    full=FULL,
    measure=measure,
    columns=COLUMNS,
    figures=figures,
    page=page,
)
