"""How the figures of the experiments look: theory as lines, measurements as marks.

Colors of Okabe and Ito, which differ for every kind of color vision; marks differ in shape as well.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[np.float64]

STYLES = (("#0072b2", "o"), ("#009e73", "s"), ("#cc79a7", "^"), ("#e69f00", "D"), ("#56b4e9", "v"), ("#000000", "x"))


def svg(figure: Figure) -> bytes:
    """The figure as SVG with text as text: a fixed salt and no date, so that the same run gives the same bytes; lines not indented,
    which is a tenth of their length."""
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "overparam", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return b"".join(line.strip() + b"\n" for line in out.getvalue().splitlines())


def marks(axes: Axes, places: Sequence[float], values: Array, number: int, label: str, shift: float = 1.0) -> None:
    """The median over the draws, values of shape (draws, places), and a thin bar from the smallest to the largest."""
    known = ~np.isnan(values).all(axis=0)
    if not known.any():
        return
    color, mark = STYLES[number % len(STYLES)]
    x, seen = np.array(places, dtype=np.float64)[known] * shift, values[:, known]
    axes.vlines(x, np.nanmin(seen, axis=0), np.nanmax(seen, axis=0), color=color, linewidth=0.9, alpha=0.6)
    axes.plot(x, np.nanmedian(seen, axis=0), mark, color=color, markersize=4.5, label=label, linestyle="none")


def line(axes: Axes, places: Sequence[float], values: Array, number: int, label: str | None = None, style: str = "-") -> None:
    """A line of theory through the medians of values of shape (draws, places), at the places where every draw has one."""
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        return
    color, _ = STYLES[number % len(STYLES)]
    x, middle = np.array(places, dtype=np.float64)[known], np.median(values[:, known], axis=0)
    axes.plot(x, middle, color=color, linewidth=1.8, linestyle=style, label=label)


def against_width(axes: Axes, label: str) -> None:
    """Logarithmic axes, the width below."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("width")
    axes.set_ylabel(label, fontsize=9)
    axes.grid(alpha=0.25)
