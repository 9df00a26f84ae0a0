"""The figures of the experiment "assumption": theory as lines, measurements as marks.

Colors of Okabe and Ito, which differ for every kind of color vision; marks differ in shape as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verify.drawn.clopper_pearson import limits
from verify.drawn.eigenvalue import CONFIDENCE, Curve
from verify.evidence.assumption_results import Results, states_probability
from verify.evidence.drawing import svg
from verify.figure import PROVEN

STYLES = {"tanh": ("#0072b2", "o"), "softplus": ("#009e73", "s"), "relu": ("#cc79a7", "^")}
SECTIONS = {"event": ("#0072b2", "o"), "conclusion": ("#009e73", "s"), "moments": ("#cc79a7", "^"), "Chernoff": ("#000000", "D")}
HALF = Fraction(1, 2)


def figures(results: Results) -> dict[str, bytes]:
    """SVG by file name."""
    drawn = {"assumption_events.svg": _events(results)}
    if results.curves:
        drawn["assumption_eigenvalue.svg"] = _panels(results, _ratios, r"$\lambda_{\min}(K_0)/\lambda_{\infty}$", 1.0)
        name = r"$P(\lambda_{\min}(K_0)\geq\lambda_{\infty}/2)$"
        drawn["assumption_probability.svg"] = _panels(results, _probabilities, name, None)
        drawn["assumption_rate.svg"] = _panels(results, _deviations, r"median $|\lambda_{\min}(K_0)/\lambda_{\infty}-1|$", None)
    return drawn


def _events(results: Results) -> bytes:
    """Frequency with its interval against the stated probability; what is stated is the line."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    shown = [item.frequency for item in results.counted if states_probability(item.frequency)]
    for section, (color, mark) in SECTIONS.items():
        rows = [row for row in shown if row.section == section]
        if not rows:
            continue
        stated = np.array([float(row.stated) for row in rows if row.stated is not None])
        # Side by side where many rows state the same probability.
        places = stated * np.exp(0.05 * _spread(stated.tolist()) + 0.012 * list(SECTIONS).index(section))
        ends = [limits(row.count, results.confidence) for row in rows]
        low, high = (np.array([float(getattr(end, name)) for end in ends]) for name in ("lower", "upper"))
        seen = np.array([row.count.frequency for row in rows])
        axes.vlines(places, np.maximum(low, 1e-5), high, color=color, linewidth=0.8, alpha=0.5)
        axes.plot(places, np.maximum(seen, 1e-5), mark, color=color, markersize=3.5, label=section)
    if shown:
        ends_of = [float(row.stated) for row in shown if row.stated is not None]
        line = np.array([min(ends_of) / 1.3, min(1.0, max(ends_of) * 1.3)])
        axes.plot(line, line, color=PROVEN, linewidth=2, label="stated")
    axes.set(xscale="log", yscale="log", xlabel="stated probability of failure", ylabel="frequency of failure (0 at the bottom)")
    axes.set_ylim(8e-6, 1.2)
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    return svg(figure)


def _spread(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Numbers in [-1, 1] that differ for equal values."""
    seen: dict[float, int] = {}
    numbers = []
    for value in values:
        seen[value] = seen.get(value, -1) + 1
        numbers.append(seen[value])
    return np.array([(2 * number / max(1, seen[value])) - 1 for number, value in zip(numbers, values, strict=True)])


def _panels(results: Results, draw, label: str, theory: float | None) -> bytes:  # type: ignore[no-untyped-def]
    """A panel for every data set (columns) and depth (rows), one set of marks for each activation."""
    names = list(dict.fromkeys(results.problems[index][0] for index, _ in results.curves))
    depths = sorted({len(curve.problem.network.hidden) for _, curve in results.curves})
    figure = Figure(figsize=(2.2 + 2.6 * len(names), 1 + 2.2 * len(depths)), layout="constrained")
    grid = figure.subplots(len(depths), len(names), squeeze=False, sharex=True, sharey=True)
    for row, depth in enumerate(depths):
        for column, name in enumerate(names):
            axes = grid[row, column]
            if theory is not None:
                axes.axhline(theory, color=PROVEN, linewidth=2, label="infinite width")
            curves = [
                curve
                for index, curve in results.curves
                if results.problems[index][0] == name and len(curve.problem.network.hidden) == depth
            ]
            for number, curve in enumerate(curves):
                draw(axes, curve, 1 + 0.06 * (number - (len(curves) - 1) / 2))
            axes.set_xscale("log", base=2)
            axes.grid(alpha=0.25)
            axes.set_title(f"{name}, {depth} hidden layer{'s' if depth > 1 else ''}", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("width")
    for axes in grid[:, 0]:
        axes.set_ylabel(label, fontsize=9)
    if theory is not None:
        grid[0, 0].set_ylim(bottom=0)  # after everything is drawn: it ends the choice of the other end
    grid[0, 0].legend(frameon=False, fontsize=7)
    return svg(figure)


def _widths(curve: Curve, shift: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([sample.width * shift for sample in curve.samples])


def _bars(axes: Axes, curve: Curve, shift: float, middle: list[float], low: list[float], high: list[float]) -> None:
    name = curve.problem.network.activation
    color, mark = STYLES.get(name, ("#56b4e9", "v"))
    places = _widths(curve, shift)
    axes.vlines(places, low, high, color=color, linewidth=1)
    axes.plot(places, middle, mark, color=color, markersize=4, label=name)


def _ratios(axes: Axes, curve: Curve, shift: float) -> None:
    """Medians, with the middle 90% of the draws."""
    rows = [np.quantile(curve.ratios(sample), (0.05, 0.5, 0.95)).tolist() for sample in curve.samples]
    low, middle, high = map(list, zip(*rows, strict=True))
    _bars(axes, curve, shift, middle, low, high)


def _probabilities(axes: Axes, curve: Curve, shift: float) -> None:
    """Frequencies with their intervals."""
    found = [curve.at_least(sample, HALF) for sample in curve.samples]
    ends = [limits(count, CONFIDENCE) for count in found]
    low, high = ([float(getattr(end, name)) for end in ends] for name in ("lower", "upper"))
    _bars(axes, curve, shift, [count.frequency for count in found], low, high)
    axes.set_ylim(-0.03, 1.03)


def _deviations(axes: Axes, curve: Curve, shift: float) -> None:
    """Median deviations with their distribution-free limits, and lines of the slope -1/2 to compare with."""
    found = [curve.deviation(sample) for sample in curve.samples]
    middle = [item.median for item in found]
    low, high = ([getattr(item, name) for item in found] for name in ("lower", "upper"))
    finite = [np.isfinite(x) for x in high]
    _bars(
        axes,
        curve,
        shift,
        middle,
        [x if ok else m for x, m, ok in zip(low, middle, finite, strict=True)],
        [x if ok else m for x, m, ok in zip(high, middle, finite, strict=True)],
    )
    widths = _widths(curve, 1.0)
    axes.plot(widths, middle[-1] * (widths / widths[-1]) ** -0.5, color="0.6", linewidth=0.8, linestyle="--")
    axes.set_yscale("log")
