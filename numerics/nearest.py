"""The solution of F(theta) = y* that is nearest to theta0, by Gauss-Newton on the multipliers.

A nearest solution obeys theta - theta0 = DF(theta)^* w, F(theta) = y*. At theta, with u = theta - theta0, the equation is made
linear, F + DF (theta' - theta) = y*, and its solution of least |theta' - theta0| is

    theta' = theta0 + DF^* w,     DF DF^* w = y* - F + DF u:

one nk x nk system with the tangent kernel, one product with DF and one with DF^*. Its fixed points are exactly the points that obey
both conditions; near one the error falls by about the factor beta |w| a step. That such a point is the *nearest* solution is a
theorem (B5 of docs/theory.md) and not claimed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from numerics.activations import ActivationKernel
from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.jacobian_products import jacobian_vector, outputs_and_kernel, vector_jacobian
from numerics.network import Architecture

Array = NDArray[np.float64]

ITERATIONS = 200
REACHED = 1e-8  # of |theta - theta0|: a last step below this counts as convergence
STALLED = 4  # steps in a row that do not shorten any more: what is left is rounding


@dataclass(frozen=True)
class Nearest:
    """What the iteration ended with.

    theta: the point. multipliers: w, (n, k), the least-squares multipliers there, DF DF^* w = DF (theta - theta0). residual:
    |F(theta) - y*|_nu; stationarity: |theta - theta0 - DF^* w|; distance: |theta - theta0|; multiplier_norm: |w|_nu. iterations:
    made. reached: whether residual and stationarity are at the level of rounding; where they are not, the point is no solution of
    the conditions.
    """

    theta: Array
    multipliers: Array
    residual: float
    stationarity: float
    distance: float
    multiplier_norm: float
    iterations: int
    reached: bool


def nearest_optimum(
    architecture: Architecture,
    activation: ActivationKernel,
    reference: Array,
    inputs: Array,
    sample_weights: Array,
    goal: Array,
    initial: Array | None = None,
    iterations: int = ITERATIONS,
) -> Nearest:
    """Look for the solution of f_theta = goal at the points that is nearest to ``reference``.

    reference: theta0, (P,). goal: (n, k), the outputs wanted (minimizers of the loss, plus offsets where the network is centered).
    initial: where to begin, for example the end of a run; theta0 when None. Untrained layers stay those of theta0, in which
    ``initial`` must agree with it. Raises NumericsError on wrong shapes, entries that are not finite and a kernel that is not
    positive definite.
    """
    theta = (reference if initial is None else initial).copy()
    for layer, moves in enumerate(architecture.trained, start=1):
        if not moves and not np.array_equal(architecture.layer(theta, layer), architecture.layer(reference, layer)):
            raise NumericsError(f"initial must agree with reference in layer {layer}, which is not trained")
    if goal.shape != (len(inputs), architecture.outputs):
        raise NumericsError(f"goal must have shape {(len(inputs), architecture.outputs)}, got {goal.shape}")
    best, shortest, stalled, made, length = theta, math.inf, 0, 0, math.inf
    while made < iterations and stalled < STALLED and length > 0.0:
        step = _step(architecture, activation, theta, reference, inputs, sample_weights, goal)
        length, made = norm(step), made + 1
        stalled = 0 if length < 0.9 * shortest else stalled + 1
        if length < shortest:
            best, shortest = theta, length
        theta = theta + step
    return _measured(architecture, activation, best, reference, inputs, sample_weights, goal, made)


def solve_kernel(kernel: Array, function: Array, sample_weights: Array) -> Array:
    """The w in L2(nu; R^k), (n, k), with DF DF^* w = u, from the weighted kernel, (nk, nk), and the values of u, (n, k).

    With one step of refinement. Raises NumericsError when the kernel is not positive definite.
    """
    roots = np.sqrt(sample_weights)[:, None]
    right = (roots * function).ravel()
    with single_threaded_blas():
        try:
            factor = scipy.linalg.cho_factor(kernel, check_finite=False)
        except np.linalg.LinAlgError as error:
            raise NumericsError(f"the tangent kernel must be positive definite to be inverted: {error}") from error
        found = scipy.linalg.cho_solve(factor, right, check_finite=False)
        found += scipy.linalg.cho_solve(factor, right - kernel @ found, check_finite=False)
    return np.asarray(found.reshape(function.shape) / roots)


def norm(vector: Array) -> float:
    """The Euclidean norm of all entries."""
    return float(np.linalg.norm(vector))


def function_norm(function: Array, sample_weights: Array) -> float:
    """|u|_nu for the values of u, (n, k)."""
    return math.sqrt(float(np.sum(sample_weights[:, None] * function**2)))


def _step(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    reference: Array,
    inputs: Array,
    sample_weights: Array,
    goal: Array,
) -> Array:
    """theta' - theta = DF^* w - u, or NaN where theta has run away."""
    if not np.isfinite(theta).all():
        return np.full_like(theta, np.nan)
    u = theta - reference
    outputs, kernel = outputs_and_kernel(architecture, activation, theta, inputs, sample_weights)
    moved = jacobian_vector(architecture, activation, theta, inputs, u)
    w = solve_kernel(kernel, goal - outputs + moved, sample_weights)
    return vector_jacobian(architecture, activation, theta, inputs, sample_weights, w) - u


def _measured(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    reference: Array,
    inputs: Array,
    sample_weights: Array,
    goal: Array,
    iterations: int,
) -> Nearest:
    u = theta - reference
    outputs, kernel = outputs_and_kernel(architecture, activation, theta, inputs, sample_weights)
    moved = jacobian_vector(architecture, activation, theta, inputs, u)
    w = solve_kernel(kernel, moved, sample_weights)
    stationarity = norm(u - vector_jacobian(architecture, activation, theta, inputs, sample_weights, w))
    back = solve_kernel(kernel, outputs - goal, sample_weights)
    newton = norm(vector_jacobian(architecture, activation, theta, inputs, sample_weights, back))
    return Nearest(
        theta=theta,
        multipliers=w,
        residual=function_norm(outputs - goal, sample_weights),
        stationarity=stationarity,
        distance=norm(u),
        multiplier_norm=function_norm(w, sample_weights),
        iterations=iterations,
        reached=math.hypot(stationarity, newton) <= REACHED * norm(u),
    )
