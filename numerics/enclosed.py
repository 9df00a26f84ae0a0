"""Snapshots in which every number is a proved bound: the data of docs/theory.md, section E, from exact float64 data and weights.

The network meant is the one of the real numbers sigma_w, sigma_b, alpha, theta and x that the doubles are, with
c_l = sigma_w/sqrt(m_{l-1}) not rounded. Signals are midpoint-radius matrices (``numerics.midrad``), one column a point; the
activation comes enclosed (``numerics.taylor``); norms are upper bounds; the extreme eigenvalues of the tangent kernel are proved by
Cholesky factorizations (``numerics.definite``). Nothing is estimated: what cannot be bounded is infinite or refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.blas import single_threaded_blas
from numerics.definite import largest_eigenvalue_below, smallest_eigenvalue_above
from numerics.midrad import (
    LARGEST,
    TINY,
    MidRad,
    Scalar,
    added,
    column_norms,
    exact,
    hadamard,
    product,
    root_of_squares,
    scaled,
    square_root,
    subtracted,
)
from numerics.network import Architecture
from numerics.norms import spectral_norm
from numerics.roundoff import UNIT_ROUNDOFF
from numerics.signals import check_network

Array = NDArray[np.float64]

#: Enclosures of phi(z) and phi'(z) for every z within the radii.
EnclosedActivation = Callable[[MidRad], tuple[MidRad, MidRad]]


@dataclass(frozen=True)
class EnclosedSnapshot:
    """Bounds at one theta, for L layers, n points and k outputs; every array holds upper bounds.

    operator_norms, frobenius_norms, bias_norms: (L,), of W_l and b_l. forward_norms: (L, n), row l-1 >= |h_{l-1}(x_i)|_2.
    preactivation_norms: (L, n), |z_l(x_i)|_2. gram_norms: (L,), p_l^nu. schur: lambda_max(G o G)^{1/2}, weighted. backward_sup:
    (L-1, n), largest column norm of the k x m_l Jacobian eta_l(i). backward_norms, backward_frobenius: (L, n), operator and
    Frobenius norm of delta_l(i); the last row of the first is 1. kernel: (nk, nk), the weighted tangent kernel, enclosed.
    lambda_min: a lower, lambda_max: an upper bound of its eigenvalues. outputs: (n, k), f = alpha z_L, enclosed.
    """

    operator_norms: Array
    frobenius_norms: Array
    bias_norms: Array
    forward_norms: Array
    preactivation_norms: Array
    gram_norms: Array
    schur: float
    backward_sup: Array
    backward_norms: Array
    backward_frobenius: Array
    kernel: MidRad
    lambda_min: float
    lambda_max: float
    outputs: MidRad


@dataclass(frozen=True)
class _Forward:
    """Signals on the way up: z_l norms, h_l for l = 0..L-1, phi'(z_l) for l = 1..L-1, and z_L."""

    hidden: list[MidRad]
    slopes: list[MidRad]
    preactivation_norms: Array
    output: MidRad


def enclosed_snapshot(
    architecture: Architecture, activation: EnclosedActivation, theta: Array, inputs: Array, sample_weights: Array
) -> EnclosedSnapshot:
    """Enclose everything a certificate needs at ``theta``.

    activation: encloses phi and phi' on midpoint-radius arrays. inputs: (n, d). sample_weights: (n,), positive; they are taken as
    the doubles they are. Raises NumericsError on wrong shapes and for entries that are not finite or exceed 2^100.
    """
    check_network(architecture, theta, inputs)
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        forward = _forward(architecture, activation, exact(theta).mid, exact(np.ascontiguousarray(inputs.T)))
        return _assembled(architecture, theta, forward, exact(sample_weights).mid)


def fan_in_scale(architecture: Architecture, layer: int) -> Scalar:
    """c_l = sigma_w/sqrt(m_{l-1}): a correctly rounded root and quotient, so within 3 u of the real number."""
    return Scalar(architecture.fan_in_scales[layer - 1], 3.0 * UNIT_ROUNDOFF)


def _forward(architecture: Architecture, activation: EnclosedActivation, theta: Array, inputs: MidRad) -> _Forward:
    hidden, slopes, z = [inputs], [], inputs
    norms = np.zeros((architecture.layers, inputs.mid.shape[1]))
    for layer in range(1, architecture.layers + 1):
        z = scaled(product(MidRad(architecture.weight(theta, layer)), hidden[-1]), fan_in_scale(architecture, layer))
        if architecture.has_bias:
            bias = MidRad(architecture.bias(theta, layer)[:, None])
            z = added(z, scaled(bias, Scalar(architecture.bias_scale)))
        norms[layer - 1] = column_norms(z)
        if layer < architecture.layers:
            h, slope = activation(z)
            hidden.append(h)
            slopes.append(slope)
    return _Forward(hidden, slopes, norms, z)


def _assembled(architecture: Architecture, theta: Array, forward: _Forward, sample_weights: Array) -> EnclosedSnapshot:
    layers, points, outputs = architecture.layers, len(sample_weights), architecture.outputs
    root = square_root(sample_weights)
    pair_weights = product(MidRad(root.mid[:, None], root.radius[:, None]), MidRad(root.mid[None, :], root.radius[None, :]))
    grams = [_forward_gram(architecture, layer, forward.hidden[layer - 1]) for layer in range(1, layers + 1)]
    sup, norms = np.zeros((layers - 1, points)), np.ones((layers, points))
    frobenius = np.full((layers, points), root_of_squares(np.array([float(outputs)]), outputs))
    identity = MidRad(np.asarray(np.kron(np.ones((points, points)), np.eye(outputs)), dtype=np.float64))
    total = _kernel_term(architecture, layers, identity, grams[-1]) if architecture.trained[-1] else None
    delta: MidRad | None = None
    for layer in range(layers - 1, 0, -1):
        eta = _backward(architecture, theta, layer, delta, points)
        sup[layer - 1] = _largest_columns(eta, points, outputs)
        slope = forward.slopes[layer - 1]
        delta = hadamard(eta, MidRad(np.repeat(slope.mid, outputs, axis=1), np.repeat(slope.radius, outputs, axis=1)))
        gram = product(delta.T, delta)
        norms[layer - 1] = _block_norms(gram, points, outputs)
        frobenius[layer - 1] = _root_sums(column_norms(delta), outputs)
        if architecture.trained[layer - 1]:
            term = _kernel_term(architecture, layer, gram, grams[layer - 1])
            total = term if total is None else added(total, term)
    assert total is not None  # an architecture trains at least one layer
    kernel = hadamard(_scaled_by_square(total, architecture.output_scale), _spread_over_outputs(pair_weights, outputs))
    first_gram = grams[0]
    return EnclosedSnapshot(
        operator_norms=np.array([spectral_norm(architecture.weight(theta, layer)).upper for layer in range(1, layers + 1)]),
        frobenius_norms=np.array([_norm(architecture.weight(theta, layer)) for layer in range(1, layers + 1)]),
        bias_norms=np.array([_norm(architecture.bias(theta, layer)) for layer in range(1, layers + 1)]),
        forward_norms=np.array([column_norms(h) for h in forward.hidden]),
        preactivation_norms=forward.preactivation_norms,
        gram_norms=np.array([_root_of_largest(hadamard(gram, pair_weights)) for gram in grams]),
        schur=_root_of_largest(hadamard(hadamard(first_gram, first_gram), pair_weights)),
        backward_sup=sup,
        backward_norms=norms,
        backward_frobenius=frobenius,
        kernel=kernel,
        lambda_min=smallest_eigenvalue_above(kernel),
        lambda_max=largest_eigenvalue_below(kernel),
        outputs=scaled(forward.output, Scalar(architecture.output_scale)).T,
    )


def _forward_gram(architecture: Architecture, layer: int, h: MidRad) -> MidRad:
    """c_l^2 H^T H + sigma_b^2 1 1^T for H = H_{l-1}, (n, n)."""
    gram = scaled(scaled(product(h.T, h), fan_in_scale(architecture, layer)), fan_in_scale(architecture, layer))
    if not architecture.has_bias:
        return gram
    bias = np.full_like(gram.mid, architecture.bias_scale)
    return added(gram, hadamard(MidRad(bias), MidRad(bias)))


def _backward(architecture: Architecture, theta: Array, layer: int, delta: MidRad | None, points: int) -> MidRad:
    """eta_l, (m_l, n k): c_{l+1} W_{l+1}^T delta_{l+1}; delta None stands for the identity of the output layer."""
    weight = MidRad(architecture.weight(theta, layer + 1)).T
    above = MidRad(np.tile(weight.mid, (1, points))) if delta is None else product(weight, delta)
    return scaled(above, fan_in_scale(architecture, layer + 1))


def _kernel_term(architecture: Architecture, layer: int, backward_gram: MidRad, forward_gram: MidRad) -> MidRad:
    return hadamard(backward_gram, _spread_over_outputs(forward_gram, architecture.outputs))


def _spread_over_outputs(gram: MidRad, outputs: int) -> MidRad:
    """Each entry of an (n, n) matrix repeated over a k x k block."""
    if outputs == 1:
        return gram

    def repeated(array: Array) -> Array:
        return np.repeat(np.repeat(array, outputs, axis=0), outputs, axis=1)

    return MidRad(repeated(gram.mid), repeated(gram.radius))


def _scaled_by_square(a: MidRad, factor: float) -> MidRad:
    return scaled(scaled(a, Scalar(factor)), Scalar(factor))


def _largest_columns(eta: MidRad, points: int, outputs: int) -> Array:
    """The largest column norm of the k x m_l Jacobian at each point, from eta of shape (m_l, n k)."""
    size = eta.magnitude().reshape(len(eta.mid), points, outputs)
    return root_of_squares(np.square(size).sum(axis=2).max(axis=0), outputs)


def _root_sums(norms: Array, outputs: int) -> Array:
    """The 2-norm of each group of ``outputs`` numbers, upwards."""
    return root_of_squares(np.square(norms).reshape(-1, outputs).sum(axis=1), outputs)


def _block_norms(gram: MidRad, points: int, outputs: int) -> Array:
    """|delta_l(i)|_2 for each point, from the k x k blocks on the diagonal of the Gram matrix."""
    found = np.empty(points)
    for i in range(points):
        block = slice(i * outputs, (i + 1) * outputs)
        found[i] = _root_of_largest(MidRad(gram.mid[block, block], gram.radius[block, block]))
    return found


def _root_of_largest(symmetric: MidRad) -> float:
    """lambda_max^{1/2}, upwards, of a positive semidefinite matrix."""
    if len(symmetric.mid) == 1:
        largest = float((symmetric.mid[0, 0] + symmetric.radius[0, 0]) * (1.0 + 4.0 * UNIT_ROUNDOFF))
    else:
        largest = largest_eigenvalue_below(symmetric)
    return math.sqrt(max(largest, 0.0)) * (1.0 + 4.0 * UNIT_ROUNDOFF) + TINY if largest < math.inf else math.inf


def _norm(array: Array) -> float:
    """The Frobenius norm, upwards."""
    return float(root_of_squares(np.square(array).sum(), array.size))


def newton_step_above(kernel: MidRad, lambda_min: float, error: MidRad) -> float:
    """An upper bound of <e, K^-1 e>^{1/2} for every K and e within the radii, K >= lambda_min > 0; inf where there is none.

    kernel: (N, N). error: (N, 1). With any x and r = e - K x, <e, K^-1 e> = <x, e> + <x, r> + <r, K^-1 r>, so at most
    <x, e> + |x||r| + |r|^2/lambda_min; x is a float64 solution, about which nothing is assumed.
    """
    if not (lambda_min > 0.0 and (np.abs(kernel.mid) <= LARGEST).all() and np.isfinite(error.mid).all()):
        return math.inf
    with single_threaded_blas():
        solution = np.asarray(np.linalg.solve(kernel.mid, error.mid), dtype=np.float64)
        if not (np.abs(solution) <= LARGEST).all():
            return math.inf
        x = exact(solution)
        rest = subtracted(error, product(kernel, x))
        aligned = product(x.T, error)
    size, left = float(column_norms(x)[0]), float(column_norms(rest)[0])
    squared = float(aligned.mid[0, 0] + aligned.radius[0, 0]) + size * left + left * left / lambda_min
    # Five roundings of terms whose sizes add up to no more than |<x, e>| + the rest.
    slack = 8.0 * UNIT_ROUNDOFF * (abs(float(aligned.mid[0, 0])) + size * left + left * left / lambda_min) + TINY
    return float(root_of_squares(np.array([max(squared + slack, 0.0)]), 1)[0])


def enclosed_bytes(architecture: Architecture, points: int) -> int:
    """About how much memory ``enclosed_snapshot`` needs at its peak, beside theta and the inputs."""
    columns = points * architecture.outputs
    signals = 4 * sum(architecture.sizes[:-1]) * points
    widest = max(architecture.sizes)
    weights = 2 * max(rows * below for rows, below in zip(architecture.sizes[1:], architecture.sizes, strict=False))
    return 8 * (signals + 10 * widest * columns + 16 * columns**2 + weights)
