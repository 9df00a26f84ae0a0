"""The figure of a run: residual against step with the proven envelope, and the smallest kernel eigenvalue with its bound.

Theory is drawn as lines, measurements as marks or thin traces; the two colors differ in lightness as well as in hue.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from theorems.arithmetic import INTERVAL, as_interval
from theorems.records import evaluate_expression
from verify.certified_constants import intervals
from verify.report import problem_lines
from verify.result import Verification

EXACT_STEPS = 5000  # of the envelope; a step takes a tenth of a millisecond
MEASURED, PROVEN = "#1b4f8f", "#d55e00"


def proven_envelope(verification: Verification) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The residual's proven upper envelope from the certification step on: the rate claim's bound, applied step after step."""
    certificate, run = verification.certificate, verification.run
    assert run is not None
    assert certificate.point is not None
    assert certificate.theorem is not None
    claim = next(claim for claim in certificate.theorem.claims if claim.iterates is not None)
    name = str(claim.iterates)
    constants = intervals(certificate)
    half_mu = constants["mu"].lower / 2
    start = certificate.point.residual + certificate.point.residual_error
    value = as_interval(np.float64(constants["mu"].upper / 2 * start**2 if name == "gap" else start))
    steps = np.arange(certificate.step, run.trajectory.steps + 1)
    envelope = np.empty(len(steps))
    for k in range(len(steps)):
        envelope[k] = np.sqrt(value.upper / half_mu) if name == "gap" else value.upper
        if k == EXACT_STEPS:
            # From here on by the weaker s_{k+1} <= rate s_k, which needs no loop.
            envelope[k:] = envelope[k] * float(constants["rate"].upper) ** np.arange(len(steps) - k, dtype=np.float64)
            break
        value = as_interval(evaluate_expression(claim.bound, {**constants, name: value}, INTERVAL))
    return steps, envelope


def draw(verification: Verification) -> bytes:
    """Draw the run as SVG."""
    run = verification.run
    assert run is not None
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _residuals(above, verification)
    _eigenvalues(below, verification)
    above.set_title("\n".join(problem_lines(verification)), fontsize=9)
    below.set_xlabel("step k (logarithmic from 10)")
    below.set_xscale("symlog", linthresh=10)
    below.set_xlim(0, max(run.trajectory.steps, 1))
    out = io.BytesIO()
    # A fixed salt and no date, so that the same run gives the same bytes.
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "overparam", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _residuals(axes: Axes, verification: Verification) -> None:
    run, certificate = verification.run, verification.certificate
    assert run is not None
    residual = run.trajectory.residual
    axes.plot(np.arange(len(residual)), residual, color=MEASURED, linewidth=1.2, label="measured residual $s_k$")
    axes.plot([mark.step for mark in run.marks], [residual[mark.step] for mark in run.marks], "o", color=MEASURED, markersize=3)
    if certificate.certified:
        steps, envelope = proven_envelope(verification)
        visible = envelope > residual[residual > 0].min() / 10 if (residual > 0).any() else slice(None)
        axes.plot(steps[visible], envelope[visible], color=PROVEN, linewidth=2, label="proven envelope")
        _certification(axes, certificate.step, f"certified from step {certificate.step}", run.trajectory.steps)
    axes.set_yscale("log")
    axes.set_ylabel("residual")
    axes.legend(loc="lower left", frameon=False)
    axes.grid(alpha=0.25)


def _eigenvalues(axes: Axes, verification: Verification) -> None:
    run, certificate = verification.run, verification.certificate
    assert run is not None
    axes.plot(
        [mark.step for mark in run.marks],
        [mark.lambda_min for mark in run.marks],
        "o",
        color=MEASURED,
        markersize=3.5,
        label=r"measured $\lambda_{\min}(K_k)$",
    )
    if certificate.certified:
        floor = float(certificate.constants["lambda_floor"].lower)
        axes.hlines(
            floor,
            certificate.step,
            max(run.trajectory.steps, 1),
            color=PROVEN,
            linewidth=2,
            label=r"proven: $\lambda_{\min}(K_k)\geq(\sigma_0-\beta\bar r)^2$",
        )
        _certification(axes, certificate.step, "", run.trajectory.steps)
    axes.set_ylabel(r"smallest eigenvalue")
    axes.set_ylim(bottom=0)
    axes.legend(loc="best", frameon=False)
    axes.grid(alpha=0.25)


def _certification(axes: Axes, step: int, label: str, steps: int) -> None:
    axes.axvline(step, color="0.35", linewidth=1, linestyle=":")
    if label:
        # On the side where there is room; the axis is logarithmic.
        late = step > 10 and np.log(step) > 0.6 * np.log(max(steps, 2))
        side, shift = ("right", -5) if late else ("left", 5)
        axes.annotate(
            label,
            (step, 0.97),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 0),
            textcoords="offset points",
            va="top",
            ha=side,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
