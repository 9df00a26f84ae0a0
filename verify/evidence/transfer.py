"""The experiment "transfer": which steps train best and are stable, against width, in NTK and in standard parametrization (G)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verify.evidence.drawing import against_width, line, marks, svg
from verify.evidence.findings import Experiment, picture
from verify.evidence.slopes import Slope, slope_over_draws, text_of, within
from verify.evidence.tabulated import (
    COUNTS,
    Row,
    by_draw,
    chosen,
    distinct,
    first_to_last,
    heading,
    joined,
    table,
    verdict_line,
    widths_of,
)
from verify.evidence.team import Team
from verify.evidence.transfer_runs import COARSE, FINE, WINDOW, Grid, Network, measure_runs
from verify.verdict import Verdict

COLUMNS = (
    *("section", "data", "points", "activation", "layers", "output_scale", "steps", "parametrization", "width", "draw"),
    *("network_seed", "lambda_max", "best_step", "best_residual", "stable_step", "certified_step", "certified_at", "limit_step"),
    *("common_step", "common_rate", "common_residual", "common_bound", "step", "residual", "quantity", "statement", "slope"),
    *("slope_lower", "slope_upper", "confidence", *COUNTS, "doubtful"),
)
TRANSFERS = 0.25
"""A step transfers if its slope against log width is within +-1/4: nearer to 0 than to a power of -1/2 or more."""
RISK = Fraction(5, 100)
"""That any of the slopes' intervals misses."""
ON_GRID = ("best_step", "stable_step")
"""The steps that are sought on a grid; the certified one is computed."""
DRAWS = 40
QUICK_DRAWS = 10  # the smallest and largest of so many slopes are limits of confidence 1 - 2/2^10

FULL = Grid(
    (
        Network(2, 1.0, (64, 128, 256, 512, 1024)),
        Network(2, 128.0, (64, 128, 256, 512, 1024)),
        Network(3, 1.0, (64, 128, 256, 512)),
    ),
    DRAWS,
    100,
)
QUICK = Grid((Network(2, 128.0, (64, 512)),), QUICK_DRAWS, 50)


def measure(grid: Grid, seed: int, team: Team) -> list[Row]:
    """The rows of the runs, and those of their slopes; everything follows from the seed."""
    runs = measure_runs(grid, seed, team)
    return [*runs, *slope_rows(runs)]


def slope_rows(rows: Sequence[Row]) -> list[Row]:
    """The slopes of best, largest stable and certified step of each network and parametrization, with verdicts."""
    runs = chosen(rows, section="run")
    groups = distinct(runs, "layers", "output_scale", "parametrization")
    wanted = [(*group, quantity) for group in groups for quantity in (*ON_GRID, *(["certified_step"] if group[2] == "NTK" else []))]
    confidence = 1 - RISK / len(wanted)
    found: list[Row] = []
    for layers, scale, parametrization, quantity in wanted:
        some = chosen(runs, layers=layers, output_scale=scale, parametrization=parametrization)
        widths = widths_of(some)
        spacing = math.log(2) / FINE if quantity in ON_GRID else 0.0
        slope = slope_over_draws(widths, by_draw(some, quantity, widths), confidence, spacing)
        ntk = parametrization == "NTK"
        low, high = (-TRANSFERS, TRANSFERS) if ntk else (-math.inf, -TRANSFERS)
        verdict = within(slope, low, high)
        about = {"section": "slope", "layers": layers, "output_scale": scale, "parametrization": parametrization}
        counts = dict.fromkeys(COUNTS, 0) | {verdict.name.lower(): 1}
        statement = f"|slope| <= {TRANSFERS:g}: it transfers" if ntk else f"slope < -{TRANSFERS:g}: it does not transfer"
        found.append(
            {**about, "quantity": quantity, "statement": statement, **_ends(slope), "confidence": float(confidence), **counts}
            | {"doubtful": None if verdict is Verdict.HOLDS else quantity}
        )
    return found


def _ends(slope: Slope | None) -> dict[str, float]:
    if slope is None or not math.isfinite(slope.lower):
        return {}
    return {"slope": slope.estimate, "slope_lower": slope.lower, "slope_upper": slope.upper}


def figures(rows: Sequence[Row]) -> dict[str, bytes]:
    """SVG by file name: residual against step, and steps against width."""
    networks = distinct(chosen(rows, section="run"), "layers", "output_scale")
    curves, steps = (Figure(figsize=(8.5, 2.9 * len(networks)), layout="constrained") for _ in range(2))
    curve_axes, step_axes = (one.subplots(len(networks), 2, squeeze=False) for one in (curves, steps))
    for row, (layers, scale) in enumerate(networks):
        for column, parametrization in enumerate(("NTK", "standard")):
            some = chosen(rows, layers=layers, output_scale=scale, parametrization=parametrization)
            _curves(curve_axes[row, column], some)
            _steps(step_axes[row, column], chosen(some, section="run"))
            for axes in (curve_axes[row, column], step_axes[row, column]):
                axes.set_title(f"{parametrization}, L = {layers}, α = {scale:g}", fontsize=9)
    return {"transfer.svg": svg(curves), "transfer_steps.svg": svg(steps)}


def _curves(axes: Axes, rows: Sequence[Row]) -> None:
    """The median residual after the run against the step, a thin trace a width; marked: the medians of the draws' minima."""
    some = [row for row in chosen(rows, section="curve") if row.get("residual") is not None]
    widths = widths_of(some)
    colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(widths)))
    start = 1.0
    for color, width in zip(colors, widths, strict=True):
        points = [(row["step"], row["residual"]) for row in some if row["width"] == width and row["residual"] <= 3 * start]
        if not points:
            continue
        x, y = np.array(points).T
        axes.plot(x, y, "-", color=color, linewidth=1, label=f"width {width}")
        known = [row for row in chosen(rows, section="run", width=width) if row.get("best_step") is not None]
        if known:
            least = (float(np.median([row[name] for row in known])) for name in ("best_step", "best_residual"))
            axes.plot(*least, "v", color=color, markersize=7, markeredgecolor="black", markeredgewidth=0.6)
    axes.set(yscale="log", xlabel="step", ylabel="residual after the run")
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.margins(y=0.25)  # room for the legend
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=6)


def _steps(axes: Axes, rows: Sequence[Row]) -> None:
    widths = widths_of(rows)
    for number, (column, label) in enumerate((("stable_step", "largest stable step"), ("best_step", "best step"))):
        marks(axes, widths, by_draw(rows, column, widths), number, label, 1 + 0.03 * (2 * number - 1))
    if any(row.get("certified_step") is not None for row in rows):
        start = all(row.get("certified_at") == 0 for row in rows)
        label = "certified at the start" if start else "1/(LΛ) at certification"
        line(axes, widths, by_draw(rows, "certified_step", widths), 3, label, "-" if start else "--")
        line(axes, widths, by_draw(rows, "limit_step", widths), 5, r"$1/(L\,\lambda_{\max}(K_\infty))$", ":")
    against_width(axes, "step")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.15, high * (high / low) ** 0.55)  # room for the legend
    axes.legend(frameon=False, fontsize=7, loc="upper right")


def page(rows: Sequence[Row], quick: bool, seed: int) -> str:
    """The page in Markdown."""
    runs, slopes = chosen(rows, section="run"), chosen(rows, section="slope")
    names = []
    for layers, scale in distinct(runs, "layers", "output_scale"):
        widths = widths_of(chosen(runs, layers=layers, output_scale=scale))
        names.append(f"L = {layers}, α = {scale:g}, widths {widths[0]} to {widths[-1]}")
    draws = len(distinct(runs, "draw"))
    confidence = slopes[0]["confidence"]
    run = f"""## What was run

scikit-learn digits, 3 against 8, {runs[0]["points"]} points; tanh networks, all layers trained:
{"; ".join(names)}; {draws} draws of
the weights at each width. Full-batch gradient descent, {runs[0]["steps"]} steps from the start, in NTK
parametrization and in standard
parametrization with one step for all layers (the same function at the start;
[normalization](../normalization.md)), with the steps
2^(i/{COARSE}) from {WINDOW[0]:g} to {WINDOW[1]:g} times 1/λ_max(K_0) of the parametrization. **Best**:
the least residual after
the run. **Stable**: the largest step such that with it and every smaller one the residual is never above that
of the start. Both are
then looked for among 2^(j/{FINE}); what that leaves open widens the limits of the slopes.

A slope against the logarithm of the width is the median over the draws, with limits of confidence {confidence:.4g} (all together
{1 - float(RISK):g}). In NTK parametrization the statement is |slope| ≤ {TRANSFERS:g}, in standard parametrization slope <
−{TRANSFERS:g}: it HOLDS or is VIOLATED only where the whole interval says so.

{verdict_line(rows)}"""
    return joined(
        heading("learning-rate transfer", "transfer", quick, seed),
        run,
        "## What was seen",
        _slopes(rows, runs, slopes),
        picture("Median residual after the run against the step; marked: medians of best step and its residual", "transfer.svg"),
        picture("Best step, largest stable step and certified step against width", "transfer_steps.svg"),
        _certified(runs),
        _not_seen(runs, slopes),
    )


def _slopes(rows: Sequence[Row], runs: Sequence[Row], slopes: Sequence[Row]) -> str:
    lines = []
    for row in slopes:
        about = {name: row[name] for name in ("layers", "output_scale", "parametrization")}
        some = chosen(runs, **about)
        values = by_draw(some, row["quantity"], widths_of(some))
        verdict = next(name.upper() for name in COUNTS if row[name])
        name = row["quantity"].replace("_", " ")
        lines.append([*about.values(), name, first_to_last(values), _slope_text(row), _zero(row), verdict])
    head = ["L", "α", "parametrization", "step", "first → last width", "slope", "0 within the limits", "verdict"]
    return table(head, lines)


def _zero(row: Row) -> str:
    """Whether 0 is within the limits of a slope."""
    if row.get("slope") is None:
        return "–"
    return "yes" if row["slope_lower"] <= 0 <= row["slope_upper"] else "no"


def _slope_text(row: Row) -> str:
    known = row.get("slope") is not None
    return text_of(Slope(row["slope"], row["slope_lower"], row["slope_upper"]) if known else None)


def _certified(runs: Sequence[Row]) -> str:
    lines = []
    for layers, scale in distinct(runs, "layers", "output_scale"):
        some = chosen(runs, layers=layers, output_scale=scale, parametrization="NTK")
        widths = widths_of(some)
        step, stable = (by_draw(some, name, widths) for name in ("certified_step", "stable_step"))
        limit = next(float(row["limit_step"]) for row in some)
        start = sum(row.get("certified_at") == 0 for row in some)
        where = "start" if start == len(some) else f"start in {start} of {len(some)}, else step N"
        shares = [first_to_last(step), limit, first_to_last(step / stable)]
        lines.append([layers, scale, where, *shares])
    head = [
        "L",
        "α",
        "certified at",
        "certified step, first → last width",
        "1/(L λ_max(K_∞))",
        "÷ largest stable step",
    ]
    common = [row for row in runs if row.get("common_bound") is not None]
    words = "No network here is certified at the start."
    if common:
        held = sum(row["holds"] for row in common)
        words = (
            f"One step for all widths: the least step certified at the start of a network, over its widths and "
            f"draws, was certified "
            f"again at each of {len(common)} starts and run; the residual was at most rate^steps s_0 in {held} of them."
        )
    return table(head, lines) + "\n\n" + words


def _not_seen(runs: Sequence[Row], slopes: Sequence[Row]) -> str:
    lines = ["## What was not seen", ""]
    other = [row for row in slopes if not row["holds"]]
    if other:
        names = (f"{row['parametrization']} {row['quantity']} at L = {row['layers']}, α = {row['output_scale']:g}" for row in other)
        lines.append(f"* The statement about the slope: not decided in its favor for {'; '.join(names)}.")
    drifting = [row for row in slopes if row["parametrization"] == "NTK" and _zero(row) != "yes"]
    if drifting:
        names = (f"{row['quantity']} at L = {row['layers']}, α = {row['output_scale']:g}" for row in drifting)
        lines.append(f"* The slope 0 within its limits in NTK parametrization: not for {'; '.join(names)}.")
    missing = [row for row in runs if row.get("best_step") is None or row.get("stable_step") is None]
    if missing:
        lines.append(f"* A best or a largest stable step inside the grid: not for {len(missing)} of {len(runs)} searches.")
    lines.append(
        "* A certified step near the stable one: the theorems allow at most about half of 2/λ_max, and less where β R counts. "
        "Momentum, minibatches and other losses; widths beyond those named; muP and other parametrizations."
    )
    return "\n".join(lines)


TRANSFER = Experiment(
    name="transfer",
    summary="best, stable and certified steps against width, in NTK and in standard parametrization",
    quick=QUICK,
    full=FULL,
    measure=measure,
    columns=COLUMNS,
    figures=figures,
    page=page,
)
