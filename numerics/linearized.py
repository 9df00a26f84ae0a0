"""The linearized model under the same gradient descent, exactly through the kernel; and how far weights have moved.

For F linearized at theta0 and the square loss, ebar_{k+1} = (I - eta K_0) ebar_k, so that with K_0 = Q diag(lambda) Q^T

    ebar_k = Q diag((1 - eta lambda)^k) Q^T e_0,     |thetabar_k - theta0| = |A^+ (e_0 - ebar_k)|,     A = DF(theta0),

for every k at once. Its limit is theta0 - A^+ e_0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.network import Architecture
from numerics.norms import EIGENVALUE_CONSTANT
from numerics.roundoff import UNIT_ROUNDOFF

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearizedRun:
    """eigenvalues of K_0, (nk,), ascending; modes: Q, (nk, nk), columns; coefficients: Q^T (sqrt(nu) e_0), (nk,); step_size: eta;
    roots: sqrt(nu), (n,)."""

    eigenvalues: Array
    modes: Array
    coefficients: Array
    step_size: float
    roots: Array


def linearized_run(kernel: Array, residual: Array, sample_weights: Array, step_size: float) -> LinearizedRun:
    """Prepare the linearized run from its start.

    kernel: (nk, nk), the weighted tangent kernel. residual: e_0, (n, k). sample_weights: nu, (n,). Raises NumericsError for wrong
    shapes, values that are not finite, a kernel with an eigenvalue that is not positive and a step for which the run diverges.
    """
    size = residual.size
    if kernel.shape != (size, size) or residual.ndim != 2 or sample_weights.shape != residual.shape[:1]:
        shapes = (kernel.shape, residual.shape, sample_weights.shape)
        raise NumericsError(f"kernel, residual and sample_weights must have shapes (nk, nk), (n, k) and (n,), got {shapes}")
    if not (np.isfinite(kernel).all() and np.isfinite(residual).all()):
        raise NumericsError("kernel and residual must be finite")
    with single_threaded_blas():
        eigenvalues, modes = scipy.linalg.eigh(kernel, check_finite=False)
        roots = np.sqrt(sample_weights)
        coefficients = modes.T @ (roots[:, None] * residual).ravel()
    if not eigenvalues[0] > 0.0:
        raise NumericsError(f"the tangent kernel must be positive definite, its smallest eigenvalue is {eigenvalues[0]!r}")
    if not (step_size > 0.0 and step_size * eigenvalues[-1] < 2.0):
        raise NumericsError(f"step_size must be in (0, 2/lambda_max) = (0, {2.0 / eigenvalues[-1]:g}), got {step_size!r}")
    return LinearizedRun(eigenvalues, modes, coefficients, float(step_size), roots)


def linearized_residual(run: LinearizedRun, steps: int) -> Array:
    """ebar_k, (n, k), after ``steps`` steps."""
    with single_threaded_blas():
        flat = run.modes @ (run.coefficients * _powers(run, steps))
    return np.asarray(flat.reshape(len(run.roots), -1) / run.roots[:, None])


def linearized_distance(run: LinearizedRun, steps: int | None) -> float:
    """|thetabar_k - theta0| = |A^+ (e_0 - ebar_k)| after ``steps`` steps; in the limit, |A^+ e_0|, for None."""
    gone = np.ones_like(run.eigenvalues) if steps is None else _gone(run, steps)
    return math.sqrt(float(np.sum((run.coefficients * gone) ** 2 / run.eigenvalues)))


def linearized_residual_error(run: LinearizedRun, steps: int, kernel_error: float, start_error: float) -> float:
    """A bound of |fl ebar_k - ebar_k|_nu.

    kernel_error: |fl K_0 - K_0|_2; start_error: |fl e_0 - e_0|_nu. A symmetric eigensolver returns the eigenvectors, orthogonal to
    within p u, of a matrix within p u |K|, p = EIGENVALUE_CONSTANT nk (see ``numerics.norms``); powers of two matrices of norm at
    most rho within E of each other differ by k eta E rho^(k-1).
    """
    size, largest = len(run.eigenvalues), float(run.eigenvalues[-1])
    solver = EIGENVALUE_CONSTANT * size * UNIT_ROUNDOFF
    moved = kernel_error + 2 * solver * largest
    low = float(run.eigenvalues[0]) - moved
    factor = max(abs(1 - run.step_size * low), abs(1 - run.step_size * (largest + moved)))
    if not factor < 1:
        return math.inf
    start = float(np.linalg.norm(run.coefficients))
    kept = factor**steps
    powers = steps * run.step_size * moved * factor ** max(steps - 1, 0) if steps else 0.0
    return 1.01 * (start * (powers + 4 * solver * kept) + start_error * kept)


@dataclass(frozen=True)
class WeightChange:
    """How far weights are from a reference; layers 1..L, each with its biases.

    absolute, relative: of all trained layers together. layers: (L,), |theta_l - theta_l^0|, and layers_relative: (L,), over
    |theta_l^0|. neurons: for each layer (m_l,), the change of a neuron's incoming weights and bias; neurons_relative: over their
    norm. A relative change of nothing is 0/0 and counts as 0.
    """

    absolute: float
    relative: float
    layers: Array
    layers_relative: Array
    neurons: tuple[Array, ...]
    neurons_relative: tuple[Array, ...]


def weight_change(architecture: Architecture, theta: Array, reference: Array) -> WeightChange:
    """Compare ``theta`` with ``reference``, both (P,). Raises NumericsError for wrong shapes."""
    for name, array in (("theta", theta), ("reference", reference)):
        if array.shape != (architecture.parameters,):
            raise NumericsError(f"{name} must have shape ({architecture.parameters},), got {array.shape}")
    everywhere = range(1, architecture.layers + 1)
    moved = tuple(_neurons(architecture, theta, layer, reference) for layer in everywhere)
    sizes = tuple(_neurons(architecture, reference, layer) for layer in everywhere)
    layers, norms = (np.array([float(np.linalg.norm(rows)) for rows in both]) for both in (moved, sizes))
    trained = np.array(architecture.trained)
    total, start = float(np.linalg.norm(layers[trained])), float(np.linalg.norm(norms[trained]))
    return WeightChange(
        absolute=total,
        relative=float(_share(np.array(total), np.array(start))),
        layers=layers,
        layers_relative=_share(layers, norms),
        neurons=moved,
        neurons_relative=tuple(_share(rows, size) for rows, size in zip(moved, sizes, strict=True)),
    )


def _neurons(architecture: Architecture, theta: Array, layer: int, reference: Array | None = None) -> Array:
    """For each neuron the norm of its incoming weights and bias, or of their difference from the reference."""
    weight, bias = architecture.weight(theta, layer), architecture.bias(theta, layer)
    if reference is not None:
        weight, bias = weight - architecture.weight(reference, layer), bias - architecture.bias(reference, layer)
    return np.asarray(np.hypot(np.linalg.norm(weight, axis=1), bias))


def _share(change: Array, size: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.divide(change, size, out=np.zeros_like(change), where=change > 0))


def _powers(run: LinearizedRun, steps: int) -> Array:
    """(1 - eta lambda)^k."""
    return np.asarray((1.0 - run.step_size * run.eigenvalues) ** steps)


def _gone(run: LinearizedRun, steps: int) -> Array:
    """1 - (1 - eta lambda)^k, without cancellation for small eta lambda."""
    share = run.step_size * run.eigenvalues
    small = share < 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        careful = -np.expm1(steps * np.log1p(-np.where(small, share, 0.25)))
    return np.where(small, careful, 1.0 - (1.0 - share) ** steps)
