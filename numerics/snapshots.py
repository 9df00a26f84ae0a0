"""Everything the theorems about a network ask of one point theta, and how far two points are apart.

``snapshot`` measures the data of docs/theory.md, section E: norms of weights and signals and the spectrum of the
tangent kernel. ``drift`` measures what sections C and E bound: changes of signals, Jacobian and kernel between two
points. Both carry bounds of their rounding errors. Sizes are in NTK parametrization (weights of unit variance; the
network divides by the root of the fan-in), kernels carry the sample weights, and the output scale alpha enters the
kernel and the outputs only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel, evaluate
from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.kernels import KernelSum, weigh
from numerics.network import Architecture
from numerics.norms import (
    EIGENVALUE_CONSTANT,
    PANEL_ROWS,
    largest_eigenvalue,
    spectral_norm,
    symmetric_eigenvalues,
)
from numerics.rounding import (
    ACTIVATION_ULPS,
    EXTRA_ROUNDINGS,
    ActivationBounds,
    DriftErrors,
    RoundingErrors,
    SignalErrors,
    SignalNorms,
    drift_errors,
    relative_error,
    rounding_errors,
    signal_errors,
    weighted_norm,
)
from numerics.roundoff import UNIT_ROUNDOFF, gamma, summation_depth
from numerics.signals import LayerSums, check_network, difference_panels, layer_sums, panel_rows, panels

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Snapshot:
    """Measured at one theta, for L layers, n points and k outputs.

    operator_norms: (L,), verified upper bounds of |W_l|_2. forward_norms: (L, n), row l-1 = |h_{l-1}(x_i)|_2.
    gram_norms: (L,), p_l^nu = lambda_max(c_l^2 H_{l-1} H_{l-1}^T + sigma_b^2 1 1^T)^{1/2} with the sample weights.
    schur: lambda_max(G o G)^{1/2}, weighted, G = c_1^2 X X^T + sigma_b^2 1 1^T. backward_sup: (L-1, n), row l-1 = the
    largest column norm of the k x m_l Jacobian eta_l(i) = dz_L/dh_l. backward_norms: (L, n), row l-1 = operator norm of
    delta_l(i) = dz_L/dz_l; the last row is 1. kernel: (nk, nk), the weighted tangent kernel, index i k + o;
    eigenvalues: (nk,), ascending. outputs: (n, k), f = alpha z_L. errors: bounds of the rounding of all this.
    """

    operator_norms: Array
    forward_norms: Array
    gram_norms: Array
    schur: float
    backward_sup: Array
    backward_norms: Array
    kernel: Array
    eigenvalues: Array
    outputs: Array
    errors: RoundingErrors


@dataclass(frozen=True)
class Drift:
    """What changed between a reference and theta.

    forward: (L, n), |z_l(x_i) - z_l^ref(x_i)|_2. jacobian: |DF - DF_ref|_op and kernel: |K - K_ref|_op, both weighted
    and with alpha. displacement: |theta - theta_ref|_2; layer_displacements: (L,), the same for (W_l, b_l).
    """

    forward: Array
    jacobian: float
    kernel: float
    displacement: float
    layer_displacements: Array
    errors: DriftErrors


@dataclass(frozen=True)
class _Measured:
    """What one pass over the panels leaves beside SignalNorms; (value, relative error) for roots of eigenvalues."""

    gram_norms: list[tuple[float, float]]
    schur: tuple[float, float]
    backward_norms: Array
    kernel: Array
    outputs: Array


def snapshot(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    inputs: Array,
    sample_weights: Array,
    slope_bound: float | None = None,
    curvature_bound: float | None = None,
    activation_ulps: float = ACTIVATION_ULPS,
    smoothness: float = 1.0,
) -> Snapshot:
    """Measure everything at ``theta``.

    activation_ulps: how accurate the kernel of the activation is (see ``numerics.rounding``).
    inputs: (n, d), points as rows; sample_weights: (n,), positive, summing to one. slope_bound, curvature_bound:
    sup|phi'| and sup|phi''|, None where there is none or it is not known; the rounding bounds that would need them
    are then infinite. smoothness: L of the loss, for the bound of the gradient's rounding. Raises NumericsError on
    wrong shapes, and where theta is so large that a measured value overflows. Source: docs/theory.md, section E;
    rounding: ``numerics.rounding``.
    """
    check_network(architecture, theta, inputs)
    _check_weights(sample_weights, len(inputs))
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):  # the eigenvalue routines refuse overflow
        spectra = [spectral_norm(architecture.weight(theta, layer)) for layer in range(1, architecture.layers + 1)]
        norms = _empty_norms(architecture, theta, np.array([spectrum.upper for spectrum in spectra]), inputs)
        found = _measure(architecture, activation, theta, inputs, sample_weights, norms)
        eigenvalues, solver = symmetric_eigenvalues(found.kernel)
        bounds = _activation_bounds(activation, slope_bound, curvature_bound, activation_ulps)
        errors = signal_errors(architecture, norms, bounds)
        lower = np.array([spectrum.lower for spectrum in spectra])
        rounding = rounding_errors(
            architecture,
            norms,
            errors,
            sample_weights,
            trace=float(np.trace(found.kernel)),
            largest_eigenvalue=float(eigenvalues[-1]),
            eigenvalue_solver=solver,
            rows=panel_rows(architecture, len(inputs)),
            parameter_norm=_trained_norm(architecture, theta),
            norm_relative=_norm_relative(architecture, lower, norms, errors, found, sample_weights),
            smoothness=smoothness,
        )
    return Snapshot(
        operator_norms=norms.operator,
        forward_norms=norms.forward,
        gram_norms=np.array([value for value, _ in found.gram_norms]),
        schur=found.schur[0],
        backward_sup=norms.eta_sup,
        backward_norms=found.backward_norms,
        kernel=found.kernel,
        eigenvalues=eigenvalues,
        outputs=found.outputs,
        errors=rounding,
    )


def drift(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    reference: Array,
    inputs: Array,
    sample_weights: Array,
    slope_bound: float | None = None,
    curvature_bound: float | None = None,
    activation_ulps: float = ACTIVATION_ULPS,
    operator_norms: Array | None = None,
) -> Drift:
    """Measure how far ``theta`` is from ``reference``, in parameters, signals, Jacobian and kernel.

    Arguments as for ``snapshot``. operator_norms: (L,), upper bounds of |W_l|_2 at the reference, as in its Snapshot;
    computed here when None (they only enter the rounding errors, but cost more than all the rest for wide layers).
    """
    for parameters in (theta, reference):
        check_network(architecture, parameters, inputs)
    _check_weights(sample_weights, len(inputs))
    points, depth = len(inputs), architecture.layers
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        moved = np.array([_distance(architecture, theta, reference, layer) for layer in range(1, depth + 1)])
        if operator_norms is None:
            weights = (architecture.weight(reference, layer) for layer in range(1, depth + 1))
            operator_norms = np.array([spectral_norm(weight).upper for weight in weights])
        both = _empty_norms(architecture, reference, operator_norms, np.vstack([inputs, np.zeros_like(inputs)]))
        kernel_sum = KernelSum(architecture, points, differences=True)
        for sums in layer_sums(architecture, difference_panels(architecture, activation, theta, reference, inputs)):
            kernel_sum.add(sums)
            _record(both, sums, architecture)
        gram, change = kernel_sum.finish(inputs, sample_weights)
        jacobian, jacobian_solver = symmetric_eigenvalues(gram)
        kernel, kernel_solver = symmetric_eigenvalues(change)
        bounds = _activation_bounds(activation, slope_bound, curvature_bound, activation_ulps)
        largest = math.sqrt(max(float(jacobian[-1]), 0.0))
        errors = drift_errors(
            architecture,
            both,
            moved,
            bounds,
            sample_weights,
            measured=largest,
            solvers=(jacobian_solver, kernel_solver),
            rows=panel_rows(architecture, points),
        )
    return Drift(
        forward=both.preactivation[:, points:],
        jacobian=largest,
        kernel=float(np.abs(kernel).max()),
        displacement=math.sqrt(float(moved @ moved)),
        layer_displacements=moved,
        errors=errors,
    )


def snapshot_bytes(architecture: Architecture, points: int) -> int:
    """About how much memory ``snapshot`` needs at its peak, beside theta and the inputs."""
    return _bytes(architecture, points, copies=1)


def drift_bytes(architecture: Architecture, points: int) -> int:
    """About how much memory ``drift`` needs at its peak, beside both parameter vectors and the inputs."""
    return _bytes(architecture, points, copies=2)


def _bytes(architecture: Architecture, points: int, copies: int) -> int:
    """copies = 2 for differences: signals at two points and, side by side, in stacks of twice the width."""
    sizes, outputs = architecture.sizes, architecture.outputs
    widest = max(sizes[1:-1], default=outputs)
    rows = min(panel_rows(architecture, points), widest)
    square = (points * outputs) ** 2
    grams = (7 if copies == 1 else 16) * square + 3 * (copies * points) ** 2
    panel = (6 if copies == 1 else 17) * rows * points * (1 + outputs) + 2 * rows * outputs
    hidden = 0
    if architecture.layers > 2:
        hidden = copies * points * (3 * sum(sizes[1:-1]) + 3 * outputs * widest)
    spectral = 4 * max(min(pair) for pair in zip(sizes, sizes[1:], strict=False)) ** 2
    finite = architecture.parameters // 8  # one byte each where theta is checked
    return 8 * (max(grams + panel + hidden, spectral, finite) + widest)


def _check_weights(sample_weights: Array, points: int) -> None:
    if sample_weights.dtype != np.float64 or sample_weights.shape != (points,):
        raise NumericsError(
            f"sample_weights must be float64 of shape ({points},), got {sample_weights.dtype} of shape {sample_weights.shape}"
        )
    total = float(sample_weights.sum())
    if not (sample_weights > 0.0).all() or not abs(total - 1.0) <= 4.0 * points * UNIT_ROUNDOFF:
        raise NumericsError(f"sample_weights must be positive and sum to one, got the sum {total!r}")


def _activation_bounds(activation: ActivationKernel, slope: float | None, curvature: float | None, ulps: float) -> ActivationBounds:
    at_zero = abs(float(evaluate(activation, np.zeros(1))[0][0]))
    return ActivationBounds(at_zero, math.inf if slope is None else slope, math.inf if curvature is None else curvature, ulps)


def _empty_norms(architecture: Architecture, theta: Array, operator_norms: Array, inputs: Array) -> SignalNorms:
    """Weights and inputs filled in, hidden signals still zero."""
    depth, columns = architecture.layers, len(inputs)
    forward = np.zeros((depth, columns))
    forward[0] = np.sqrt(np.einsum("id,id->i", inputs, inputs))
    layers = range(1, depth + 1)
    return SignalNorms(
        operator=operator_norms,
        frobenius=np.array([_norm(architecture.weight(theta, layer).ravel()) for layer in layers]),
        bias=np.array([_norm(architecture.bias(theta, layer)) for layer in layers]),
        forward=forward,
        preactivation=np.zeros((depth, columns)),
        eta_sup=np.zeros((depth - 1, columns)),
        delta=np.zeros((depth, columns)),
    )


def _measure(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    inputs: Array,
    sample_weights: Array,
    norms: SignalNorms,
) -> _Measured:
    """One pass over all panels; fills in the hidden signals of ``norms``."""
    points, depth = len(inputs), architecture.layers
    input_gram = inputs @ inputs.T
    gram_norms = [_gram_norm(architecture, 0, input_gram, sample_weights)] + [(0.0, 0.0)] * (depth - 1)
    kernel_sum, backward_norms, z = KernelSum(architecture, points), np.ones((depth, points)), np.empty(0)
    for sums in layer_sums(architecture, panels(architecture, activation, theta, inputs)):
        kernel_sum.add(sums)
        _record(norms, sums, architecture)
        if sums.z is not None:
            z = sums.z
        else:
            gram_norms[sums.layer] = _gram_norm(architecture, sums.layer, sums.forward_gram, sample_weights)
            backward_norms[sums.layer - 1] = _operator_norms(sums.backward_gram, points)
    (kernel,) = kernel_sum.finish(inputs, sample_weights)
    schur = _schur(architecture, input_gram, sample_weights)
    outputs = np.ascontiguousarray(architecture.output_scale * z.T)
    return _Measured(gram_norms, schur, backward_norms, kernel, outputs)


def _record(norms: SignalNorms, sums: LayerSums, architecture: Architecture) -> None:
    row = sums.layer - 1
    norms.preactivation[row] = sums.z_norms
    norms.delta[row] = np.sqrt(np.diagonal(sums.backward_gram).reshape(-1, architecture.outputs).sum(axis=1))
    if sums.layer < architecture.layers:
        norms.forward[row + 1] = np.sqrt(np.diagonal(sums.forward_gram))
        norms.eta_sup[row] = sums.eta_sup


def _operator_norms(backward_gram: Array, points: int) -> Array:
    """|delta_l(i)|_2 for each point, from the k x k blocks on the diagonal."""
    outputs = len(backward_gram) // points
    blocks = backward_gram.reshape(points, outputs, points, outputs)[np.arange(points), :, np.arange(points), :]
    if not np.isfinite(blocks).all():
        raise NumericsError("theta is so large that the backward signals overflow")
    largest = np.linalg.eigvalsh(blocks)[:, -1]
    return np.asarray(np.sqrt(np.maximum(largest, 0.0)), dtype=np.float64)


def _gram_norm(architecture: Architecture, layer: int, forward_gram: Array, sample_weights: Array) -> tuple[float, float]:
    """p^nu of layer + 1 from H^T H of ``layer``, with the relative rounding error of forming and solving alone."""
    scaled = architecture.fan_in_scales[layer] ** 2 * forward_gram + architecture.bias_scale**2
    rows = panel_rows(architecture, len(sample_weights))
    size = architecture.sizes[layer]
    return _root_of_largest(weigh(scaled, sample_weights), summation_depth(size, rows) if layer else size)


def _schur(architecture: Architecture, input_gram: Array, sample_weights: Array) -> tuple[float, float]:
    scaled = architecture.fan_in_scales[0] ** 2 * input_gram + architecture.bias_scale**2
    return _root_of_largest(weigh(scaled**2, sample_weights), 2 * architecture.sizes[0])


def _root_of_largest(matrix: Array, depth: int) -> tuple[float, float]:
    """lambda_max^{1/2} of a nonnegative-definite weighted Gram matrix, rounded up, and its relative error.

    An error e of the eigenvalue is one of at most e/(2 lambda) of its root, relative. Entries are off by gamma times
    those of a matrix with the same diagonal (see rounding.kernel_error), hence e <= gamma trace + what the eigenvalue
    bound leaves.
    """
    largest = largest_eigenvalue(matrix)
    if largest.upper <= 0.0:
        return 0.0, 0.0
    size = len(matrix)
    solver = largest.upper - largest.estimate + EIGENVALUE_CONSTANT * size * UNIT_ROUNDOFF * largest.upper
    entries = gamma(depth + EXTRA_ROUNDINGS) * float(np.trace(matrix))
    return math.sqrt(largest.upper), (solver + entries) / largest.upper


def _norm_relative(
    architecture: Architecture,
    operator_lower: Array,
    norms: SignalNorms,
    errors: SignalErrors,
    found: _Measured,
    sample_weights: Array,
) -> float:
    """The largest relative error among all norms of a snapshot; rounding of the signals plus rounding of the norm.

    p_l^nu as a norm
    of sqrt(nu) [c_l H, sigma_b 1] moves by at most the Frobenius norm of the signals' error, c_l (sum_i nu_i
    eps^h(i)^2)^{1/2}.
    """
    rows = panel_rows(architecture, len(sample_weights))
    size = max(summation_depth(max(architecture.sizes[1:]), rows), architecture.sizes[0]) + EXTRA_ROUNDINGS
    candidates = [relative_error(norms.operator - operator_lower, norms.operator)]
    candidates.append(relative_error(errors.forward, norms.forward) + gamma(size))
    candidates.append(relative_error(errors.eta, norms.eta_sup) + gamma(architecture.outputs + EXTRA_ROUNDINGS))
    solver = gamma(size) + EIGENVALUE_CONSTANT * architecture.outputs * UNIT_ROUNDOFF
    candidates.append(relative_error(errors.delta, found.backward_norms) + architecture.outputs * solver)
    for layer, (value, relative) in enumerate(found.gram_norms):
        signal = architecture.fan_in_scales[layer] * weighted_norm(errors.forward[layer], sample_weights)
        candidates.append(relative + relative_error(np.array([signal]), np.array([value])))
    candidates.append(found.schur[1])
    return max(candidates)


def _norm(vector: Array) -> float:
    return math.sqrt(float(vector @ vector))


def _trained_norm(architecture: Architecture, theta: Array) -> float:
    moving = [layer for layer, moves in enumerate(architecture.trained, start=1) if moves]
    return math.hypot(*(_norm(architecture.layer(theta, layer)) for layer in moving))


def _distance(architecture: Architecture, theta: Array, reference: Array, layer: int) -> float:
    """|theta - reference|_2 over one layer, in pieces so that no second copy of the layer is made."""
    here, there = architecture.layer(theta, layer), architecture.layer(reference, layer)
    step = 16 * PANEL_ROWS
    pieces = (here[i : i + step] - there[i : i + step] for i in range(0, len(here), step))
    return math.sqrt(sum(float(piece @ piece) for piece in pieces))
