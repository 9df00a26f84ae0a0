"""A small network and a displacement of its parameters, measured in any arithmetic: floats to search, balls to decide.

What the recursion E1-E4 needs of theta0 is enclosed, so that its beta and D_l are at least the theorem's; what is measured is
enclosed too.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from numerics.network import Architecture
from theorems.activations import activation
from theorems.arithmetic import FLOAT
from theorems.ball import BallBounds, SignalsAtPoint, ball_bounds
from theorems.programs import Program, evaluate

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NetworkInstance:
    """A network with one output, its points as rows with equal weights, where theta is moved, and R over that move's length."""

    architecture: Architecture
    activation: str
    theta: Array
    inputs: Array
    displacement: Array
    reach: float


@lru_cache(maxsize=64)
def activation_of(name: str) -> tuple[Program, Fraction, Fraction]:
    """The program of phi and phi', and rational bounds of sup|phi'| and sup|phi''|."""
    chosen = activation(name)
    return chosen.program(), Fraction(chosen.slope_bound().upper), Fraction(chosen.curvature_bound().upper)


@dataclass(frozen=True)
class Signals:
    """Pre-activations and activations (m, n) and backward signals (m, n) of one theta, in one arithmetic."""

    z: list[Any]
    h: list[Any]
    eta: list[Any]
    delta: list[Any]
    weights: list[Any]


def fan_in_scales(item: NetworkInstance, arithmetic: Any) -> list[Any]:
    """c_1, ..., c_L."""
    sizes = item.architecture.sizes[:-1]
    scale = exact(arithmetic, item.architecture.weight_scale)
    return [arithmetic.divide(scale, arithmetic.sqrt(arithmetic.constant(Fraction(size)))) for size in sizes]


def exact(arithmetic: Any, values: Any) -> Any:
    """Doubles as numbers of the arithmetic."""
    array = np.asarray(values, dtype=np.float64)
    return arithmetic.numbers(array.astype(object) if array.ndim and arithmetic is not FLOAT else array[()])


def signals(item: NetworkInstance, theta: Any, arithmetic: Any) -> Signals:
    """The signals at theta, an array of parameters in that arithmetic."""
    program, a, c = activation_of(item.activation)[0], item.architecture, fan_in_scales(item, arithmetic)
    bias = exact(arithmetic, a.bias_scale)
    h, zs, hs, slopes, weights = exact(arithmetic, item.inputs.T), [], [], [], []
    for index in range(a.layers):
        weights.append(a.weight(theta, index + 1))
        hs.append(h)
        z = c[index] * (weights[-1] @ h)
        if a.has_bias:
            z = z + (bias * a.bias(theta, index + 1))[:, None]
        zs.append(z)
        h, slope = evaluate(program, arithmetic, [z])
        slopes.append(slope)
    deltas, etas = [0 * zs[-1] + 1], list[Any]()
    for index in range(a.layers - 2, -1, -1):
        etas.insert(0, c[index + 1] * (weights[index + 1].T @ deltas[0]))
        deltas.insert(0, slopes[index] * etas[0])
    return Signals(zs, hs, etas, deltas, weights)


def jacobian(item: NetworkInstance, at: Signals, arithmetic: Any) -> Any:
    """DF on the trained layers, rows weighted by 1/sqrt(n): (n, trained parameters)."""
    a, c = item.architecture, fan_in_scales(item, arithmetic)
    share = arithmetic.divide(exact(arithmetic, a.output_scale), arithmetic.sqrt(arithmetic.constant(Fraction(len(item.inputs)))))
    blocks = []
    for index in range(a.layers):
        if a.trained[index]:
            outer = at.delta[index][:, None, :] * at.h[index][None, :, :] * c[index]
            blocks.append(outer.reshape(-1, len(item.inputs)))
            if a.has_bias:
                blocks.append(at.delta[index] * exact(arithmetic, a.bias_scale))
    return (np.concatenate(blocks) * share).T


def top(matrix: Any, arithmetic: Any) -> Any:
    """The largest eigenvalue of a symmetric matrix; in balls from a Rayleigh quotient to a c that leaves c I - M positive."""
    if arithmetic is FLOAT:
        return np.float64(np.linalg.eigvalsh(matrix)[-1])
    if len(matrix) == 1:
        return matrix[0, 0]
    middle = np.array([[float(entry.mid()) for entry in row] for row in matrix])
    values, vectors = np.linalg.eigh((middle + middle.T) / 2)
    x = np.array([arb(float(entry)) for entry in vectors[:, -1]], dtype=object)
    low = ((x @ matrix @ x) / (x @ x)).lower()
    for power in (45, 40, 30, 20):
        high = arb(float(values[-1])) + arb(2.0**-power) * arb(float(np.abs(values).max()))
        if _is_positive_definite(np.diag([high] * len(matrix)) - matrix):
            return low.union(high)
    return arb.nan()


def _is_positive_definite(matrix: Any) -> bool:
    rest = matrix.copy()
    for k in range(len(rest)):
        if not rest[k, k] > 0:
            return False
        rest[k + 1 :, k + 1 :] = rest[k + 1 :, k + 1 :] - np.multiply.outer(rest[k + 1 :, k], rest[k, k + 1 :]) / rest[k, k]
    return True


def norm(vector: Any, arithmetic: Any, axis: int = 0) -> Any:
    """Euclidean norms along an axis."""
    return arithmetic.sqrt((vector * vector).sum(axis=axis))


def root_top(matrix: Any, arithmetic: Any) -> Any:
    """The root of the largest eigenvalue of a symmetric matrix, 0 where that is negative."""
    return arithmetic.sqrt(arithmetic.maximum(top(matrix, arithmetic), arithmetic.constant(Fraction(0))))


def _at_point(item: NetworkInstance, at: Signals, arithmetic: Any) -> SignalsAtPoint:
    a, c = item.architecture, fan_in_scales(item, arithmetic)
    _, slope, curvature = activation_of(item.activation)
    points, bias = arithmetic.constant(Fraction(len(item.inputs))), exact(arithmetic, a.bias_scale)
    grams = [(scale * scale * (h.T @ h) + bias * bias) / points for scale, h in zip(c, at.h, strict=True)]
    smaller = [w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w for w in at.weights]
    return SignalsAtPoint(
        fan_in_scales=tuple(c),
        bias_scale=bias,
        output_scale=exact(arithmetic, a.output_scale),
        trained=a.trained,
        slope=arithmetic.constant(slope),
        curvature=arithmetic.constant(curvature),
        operator_norms=np.array([root_top(gram, arithmetic) for gram in smaller]),
        forward_norms=np.array([norm(h, arithmetic) for h in at.h]),
        gram_norms=np.array([root_top(gram, arithmetic) for gram in grams]),
        schur=root_top(grams[0] * grams[0] * points, arithmetic),
        backward_sup=np.array([arithmetic.maximum_over(arithmetic.absolute(eta), 0) for eta in at.eta]),
        backward_norms=np.array([norm(delta, arithmetic) for delta in at.delta]),
    )


def measured(item: NetworkInstance, arithmetic: Any) -> dict[str, Any]:
    """Everything that Theorem E speaks of, for the displacement and the smallest ball that holds it."""
    theta = exact(arithmetic, item.theta)
    moved = exact(arithmetic, item.displacement)
    first, second = (signals(item, at, arithmetic) for at in (theta, theta + moved))
    before, after = (jacobian(item, at, arithmetic) for at in (first, second))
    zero, moved_jacobian = arithmetic.constant(Fraction(0)), after - before
    kernels = before @ before.T, after @ after.T
    rho = norm(moved, arithmetic)
    radius = rho * exact(arithmetic, item.reach)
    bounds = ball_bounds(_at_point(item, first, arithmetic), radius, arithmetic)
    changes = [norm(new - old, arithmetic) for new, old in zip(second.z, first.z, strict=True)]
    pairs = zip(np.ravel(changes), np.ravel(bounds.forward_drift), strict=True)
    ratios = [change / drift for change, drift in pairs if drift > 0]
    smallest = arithmetic.maximum(-top(-kernels[0], arithmetic), zero)
    left = arithmetic.maximum(arithmetic.sqrt(smallest) - bounds.beta * rho, zero)
    change = kernels[1] - kernels[0]
    return {
        "rho": rho,
        "R": radius,
        "rbar": rho,
        "beta": bounds.beta,
        "Lambda": (root_top(kernels[0], arithmetic) + bounds.beta * radius) ** 2,
        "lambda_floor": left * left,
        "forward_ratio": arithmetic.maximum_over(np.array(ratios)) if ratios else zero,
        "jacobian_drift": root_top(moved_jacobian @ moved_jacobian.T, arithmetic),
        "kernel_drift": arithmetic.maximum(top(change, arithmetic), top(-change, arithmetic)),
        "lambda_min_k": arithmetic.maximum(-top(-kernels[1], arithmetic), zero),
    }


def bounds_in_floats(item: NetworkInstance) -> BallBounds:
    """What the recursion says on the smallest ball allowed, for printing."""
    at = signals(item, item.theta, FLOAT)
    return ball_bounds(_at_point(item, at, FLOAT), item.reach * np.linalg.norm(item.displacement), FLOAT)
