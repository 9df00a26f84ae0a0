"""The figures of the page as SVG that takes its ink from the page: theory as a line, measurements as marks.

The two colors differ in lightness and hue for every kind of color vision, and are legible on white and on near-black. Text and axes
are drawn in a placeholder color that becomes ``currentColor``.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from verify.figure import proven_envelope
from verify.result import Verification
from verify.verdict import CheckedClaim

INK = "#010203"  # becomes currentColor
WIDTH, EDGE = 7.2, 0.3  # inches: of a figure, and for half a label beyond the right end of its axis
MEASURED, PROVEN = "#3f7fce", "#d9731a"
STYLE: Any = {  # the stubs want the names of all settings as literals
    "svg.hashsalt": "overparam",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "mathtext.fontset": "dejavusans",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), INK),
}


@dataclass(frozen=True)
class Figure:
    """An SVG element and its caption."""

    svg: str
    caption: str


def figures_of(verification: Verification) -> list[Figure]:
    """Residual with envelope, smallest eigenvalue with its bound, and the slack of every claim with numbers."""
    found = [
        Figure(
            drawn(lambda axes: _residual(axes, verification)),
            "Root of the loss gap against the step: measured, and from the certification step on the proven envelope.",
        ),
        Figure(
            drawn(lambda axes: _eigenvalue(axes, verification)),
            "Smallest eigenvalue of the tangent kernel at the marks, and the proven bound from the certification step on.",
        ),
    ]
    claims = [claim for claim in verification.claims if claim.slack is not None and 0 < claim.slack < math.inf]
    if claims:
        height = 0.9 + 0.32 * len(claims)
        caption = (
            "Room of every claim at the check with the least: 1 is a bound that is attained, to the left of 1 one that is violated."
        )
        found.append(Figure(drawn(lambda axes: _slacks(axes, claims), height), caption))
    return found


def drawn(draw: Callable[[Axes], None], height: float = 3.4, margins: tuple[float, float] | None = None) -> str:
    """The SVG element of one figure of this height in inches; ``draw`` fills its axes.

    margins: what labels take on the left and below, in inches; None: as much as they need, which takes drawing it twice.
    """
    with matplotlib.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH, height), layout="constrained" if margins is None else None)
        canvas.patch.set_alpha(0)
        axes = canvas.subplots()
        if margins is not None:
            canvas.subplots_adjust(margins[0] / WIDTH, margins[1] / height, 1 - EDGE / WIDTH, 1 - 0.05 / height)
        axes.patch.set_alpha(0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        draw(axes)
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    svg = text[text.index("<svg") :].replace(INK, "currentColor")
    # The page decides the size; the view box keeps the proportions. Fonts are the reader's: nothing is fetched.
    svg = re.sub(r'^<svg([^>]*?) height="[^"]*"', r"<svg\1", svg)
    return re.sub(r'^<svg([^>]*?) width="[^"]*"', r"<svg\1", svg)


def _steps(axes: Axes, last: int) -> None:
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlim(0, max(last, 1))
    axes.set_xlabel("step k (logarithmic from 10)")
    axes.grid(alpha=0.2)


def _residual(axes: Axes, verification: Verification) -> None:
    run, certificate = verification.run, verification.certificate
    assert run is not None
    residual = run.trajectory.residual
    axes.plot(np.arange(len(residual)), residual, color=MEASURED, linewidth=1.4, label="measured residual")
    axes.plot(
        [mark.step for mark in run.marks],
        [residual[mark.step] for mark in run.marks],
        "o",
        color=MEASURED,
        markersize=3.5,
        clip_on=False,
    )
    if certificate.certified:
        steps, envelope = proven_envelope(verification)
        visible = envelope > residual[residual > 0].min() / 10 if (residual > 0).any() else slice(None)
        axes.plot(steps[visible], envelope[visible], color=PROVEN, linewidth=2.2, label="proven envelope")
        axes.axvline(certificate.step, color=INK, linewidth=0.8, linestyle=":", label=f"certified from step {certificate.step}")
    axes.set_yscale("log")
    axes.set_ylabel("residual")
    _steps(axes, run.trajectory.steps)
    axes.legend(loc="lower left", frameon=False)


def _eigenvalue(axes: Axes, verification: Verification) -> None:
    run, certificate = verification.run, verification.certificate
    assert run is not None
    values = [mark.lambda_min for mark in run.marks]
    axes.plot([mark.step for mark in run.marks], values, "o", color=MEASURED, markersize=4, clip_on=False, label="measured")
    if certificate.certified:
        floor = float(certificate.constants["lambda_floor"].lower)
        axes.hlines(floor, certificate.step, max(run.trajectory.steps, 1), color=PROVEN, linewidth=2.2, label="proven lower bound")
    axes.set_ylabel("smallest kernel eigenvalue")
    axes.set_ylim(bottom=0)
    _steps(axes, run.trajectory.steps)
    axes.legend(loc="best", frameon=False)


def _slacks(axes: Axes, claims: list[CheckedClaim]) -> None:
    rows = np.arange(len(claims))[::-1]
    slacks = [float(claim.slack) for claim in claims if claim.slack is not None]
    axes.hlines(rows, 1, slacks, color=MEASURED, linewidth=1.4)
    axes.plot(slacks, rows, "o", color=MEASURED, markersize=5, label="measured")
    axes.axvline(1, color=PROVEN, linewidth=2.2, label="the bound")
    axes.set_xscale("log")
    axes.set_yticks(rows, [claim.id for claim in claims])
    axes.set_xlabel("slack (logarithmic)")
    axes.grid(alpha=0.2, axis="x")
    axes.set_ylim(-0.7, len(claims) - 0.3)
    axes.legend(loc="lower right", frameon=False)
