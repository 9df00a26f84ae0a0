"""What the chains need to know about the network: the second derivative found, and the recursion's quantities in the run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.ball_measured import backward_drift, first_derivative_norm
from numerics.curvature import PASSES_PER_ROUND, Curvature, SecondDerivative, largest_curvature
from numerics.jacobian_products import outputs_and_kernel, vector_jacobian
from theorems.arithmetic import FLOAT
from theorems.ball import BallBounds, SignalsAtPoint, ball_bounds, curvature_terms_of, first_derivatives, shares_of_beta
from verify.certificate import Certificate
from verify.run import MeasuredRun
from verify.setup import Setup, Theta
from verify.waterfall.records import BallRow, BetaTerm

Array = NDArray[np.float64]

DIFFERENCE = 2.0**-10  # of the scale on which the activation bends
# What the search for the second derivative may take: about a second, or as much as this share of the run's own products.
SEARCH_WORK = 1e10
SEARCH_SHARE = 0.05
ROUNDS = 32
PARAMETERS = 2**24  # beyond, the search's eight vectors would need more than a gigabyte


def curvature_at(setup: Setup, signals: SignalsAtPoint, theta: Theta, end: Theta, steps: int) -> Curvature | None:
    """Search for the largest second derivative at theta_N; None where it would cost too much beside a run of so many steps.

    Starts: the way to the end of the run, and DF^* of the kernel's eigenvectors to its largest and least eigenvalue. None of them
    changes when neurons are permuted or the inputs rotated together with the first layer.
    """
    data, architecture = setup.dataset, setup.architecture
    points, outputs = data.points, architecture.outputs
    product = 6.0 * architecture.parameters * points * outputs
    affordable = max(SEARCH_WORK, SEARCH_SHARE * steps * product) / (2 * PASSES_PER_ROUND * product)
    if affordable < 1 or architecture.parameters > PARAMETERS:
        return None
    kernel = outputs_and_kernel(architecture, setup.activation_kernel, theta, data.inputs, data.sample_weights)[1]
    vectors, roots = np.linalg.eigh(kernel)[1], np.sqrt(data.sample_weights)[:, None]
    starts = [end - theta]
    for column in (-1, 0) if affordable > ROUNDS / 2 else ():
        function = np.ascontiguousarray(vectors[:, column].reshape(points, outputs) / roots)
        starts.append(vector_jacobian(architecture, setup.activation_kernel, theta, data.inputs, data.sample_weights, function))
    # A unit vector moves z_l(i) by at most D_l(i); phi' changes by its own size over slope/curvature.
    bend = max(1.0, signals.curvature / signals.slope) if signals.slope > 0 else 1.0
    reach = float(np.max(ball_bounds(signals, 0.0, FLOAT).forward_drift))
    form = SecondDerivative(
        architecture, setup.activation_kernel, theta, data.inputs, data.sample_weights, DIFFERENCE / (bend * reach)
    )
    return largest_curvature(form, tuple(starts), int(np.clip(affordable / len(starts), 1, ROUNDS)))


def beta_terms(bounds: BallBounds, center: BallBounds, trained: tuple[bool, ...]) -> tuple[BetaTerm, ...]:
    """The terms of E4 with their shares in beta on B(R) and at its center."""
    rows = zip(curvature_terms_of(trained), shares_of_beta(bounds), shares_of_beta(center), strict=True)
    return tuple(BetaTerm(term.layer, term.order, share, at_center) for term, share, at_center in rows)


def ball_rows(setup: Setup, certificate: Certificate, run: MeasuredRun, theta: Theta, end: Theta) -> tuple[BallRow, ...]:
    """The quantities of E1-E4 in the run against their bounds on B(R): operator norms at the marks, signals at the end of the run,
    first derivatives at theta_N; each layer at the point with the least room."""
    assert certificate.point is not None
    assert certificate.bounds is not None
    signals, bounds, radius = certificate.point.signals, certificate.bounds, certificate.radius
    last, relative = setup.snapshot(end), certificate.point.norm_error
    moving = np.array(signals.trained)
    norms = np.array([mark.operator_norms for mark in run.marks if mark.step >= certificate.step])
    forward = signals.forward_norms.copy()
    forward[1:] += signals.slope * radius * bounds.forward_drift[:-1]
    first = first_derivatives(signals, radius, FLOAT)
    rows = [
        *_rows("|W_l|", "E1", norms.max(axis=0)[:, None], (signals.operator_norms + radius * moving)[:, None], relative, 1),
        *_rows("|h_l|", "E1", last.forward_norms[1:], forward[1:], relative, 1),
        *_first_derivative_rows(setup, signals, theta, first),
    ]
    if setup.architecture.layers > 1:
        moved = backward_drift(setup.architecture, setup.activation_kernel, end, theta, setup.dataset.inputs)
        allowed = bounds.backward_norms[:-1] - signals.backward_norms[:-1]
        rounding = relative * float(signals.backward_norms[:-1].max())
        rows += _rows("|delta_l - delta_l^N|", "E3", moved, allowed, 0.0, 1, rounding)
        rows += _rows("|eta_l|_inf", "E3", last.backward_sup, bounds.backward_sup, relative, 1)
        rows += _rows("|delta_l|", "E3", last.backward_norms[:-1], bounds.backward_norms[:-1], relative, 1)
    return tuple(rows)


def _rows(
    name: str, statement: str, measured: Array, bound: Array, relative: float, first: int, absolute: float = 0.0
) -> list[BallRow]:
    """One row per layer, at the point where the bound has the least room; none where the bound is 0: nothing moves there."""
    found = []
    for layer, (values, bounds) in enumerate(zip(measured, bound, strict=True), start=first):
        ratios = np.divide(bounds, values, out=np.full_like(values, np.inf), where=values > 0)
        i = int(np.argmin(ratios))
        if bounds[i] > 0 and values[i] > 0:
            error = relative * float(values[i]) + absolute
            found.append(BallRow(name, layer, float(values[i]), float(bounds[i]), float(ratios[i]), error, statement))
    return found


def _first_derivative_rows(setup: Setup, signals: SignalsAtPoint, theta: Theta, first: Array) -> list[BallRow]:
    """|dz_l(x_i)| at the point with the largest bound at theta_N, against |v_l^max| on B(R)."""
    center, found = ball_bounds(signals, 0.0, FLOAT).forward_drift, []  # at R = 0 D_l is |v_l|
    for layer in range(1, setup.architecture.layers + 1):
        bound, point = float(np.linalg.norm(first[layer - 1])), int(np.argmax(center[layer - 1]))
        arguments = (setup.architecture, setup.activation_kernel, theta, setup.dataset.inputs[point], layer)
        value = first_derivative_norm(*arguments) if bound > 0 else 0.0
        if value > 0:
            found.append(BallRow("|dz_l|", layer, value, bound, bound / value, 1e-6 * value, "E2"))
    return found
