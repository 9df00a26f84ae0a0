"""The network in balls (Arb): its outputs and DF^* w at an exact point, with the activation's exact expression.

    z_l = c_l W_l h_(l-1) + sigma_b b_l,  h_l = phi(z_l),  f = alpha z_L,

and for DF^* w, with delta_L = alpha nu w downwards,

    c_l delta_l h_(l-1)^T for W_l,  sigma_b sum_i delta_l(i) for b_l,  delta_(l-1) = phi'(z_(l-1)) c_l W_l^T delta_l.

A vector of parameters is a row (1, P), a function of the points a matrix (k, n), both of balls. The caller sets the precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from theorems.ball_arithmetic import BALL
from theorems.programs import evaluate
from verify.setup import Setup

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BallSignals:
    """outputs: alpha z_L, (k, n). weights: W_l. below: h_(l-1), (m_(l-1), n). slopes: phi'(z_l) of the hidden layers."""

    outputs: Any
    weights: tuple[Any, ...]
    below: tuple[Any, ...]
    slopes: tuple[Any, ...]


def ball_signals(setup: Setup, theta: Any) -> BallSignals:
    """The network at theta, a row."""
    a, entries, n = setup.architecture, theta.entries(), setup.dataset.points
    phi, z = setup.activation.program(), arb_mat(0, n)
    weights, below, slopes = list[Any](), [at_points(setup.dataset.inputs)], list[Any]()
    for m, (rows, columns, c) in enumerate(zip(a.sizes[1:], a.sizes[:-1], _scales(setup), strict=True)):
        begin, bias = a.weight_offsets[m], a.bias_offsets[m]
        weights.append(arb_mat(rows, columns, entries[begin : begin + rows * columns]))
        z = weights[m] * below[m] * c
        if a.has_bias:
            z += arb_mat(rows, 1, entries[bias : bias + rows]) * arb_mat(1, n, [arb(a.bias_scale)] * n)
        if m < a.layers - 1:
            values = evaluate(phi, BALL, [np.array(z.entries(), dtype=object)])
            h, slope = (arb_mat(rows, n, np.broadcast_to(np.asarray(x, dtype=object), rows * n).tolist()) for x in values)
            below.append(h)
            slopes.append(slope)
    return BallSignals(z * arb(a.output_scale), tuple(weights), tuple(below), tuple(slopes))


def pulled_back(setup: Setup, found: BallSignals, function: Any) -> Any:
    """DF^* w, a row, for w of shape (k, n); zero in untrained layers."""
    a, nu, scales = setup.architecture, setup.dataset.sample_weights.tolist(), _scales(setup)
    delta, parts = arb_mat(function), list[list[Any]]()
    for i, j in np.ndindex(a.outputs, len(nu)):
        delta[i, j] *= arb(nu[j]) * arb(a.output_scale)
    for m in reversed(range(a.layers)):
        part = (delta * found.below[m].transpose() * scales[m]).entries()
        if a.has_bias:
            part += (delta * arb_mat(len(nu), 1, [arb(a.bias_scale)] * len(nu))).entries()
        parts.insert(0, part if a.trained[m] else [arb(0)] * len(part))
        if m > 0:
            delta = _entrywise(found.weights[m].transpose() * delta * scales[m], found.slopes[m - 1])
    return arb_mat(1, a.parameters, [entry for part in parts for entry in part])


def row(vector: Array) -> Any:
    """A vector of doubles as a row."""
    return arb_mat(1, len(vector), vector.tolist())


def at_points(function: Array) -> Any:
    """Values at the points, (n, k), as a (k, n) matrix."""
    return arb_mat(function.shape[1], function.shape[0], function.T.ravel().tolist())


def middles(found: Any) -> Array:
    """The middles of the entries, rounded to doubles, in the shape of the matrix."""
    return np.array([float(entry.mid()) for entry in found.entries()]).reshape(found.nrows(), found.ncols())


def dot(left: Any, right: Any) -> Any:
    """The inner product of two rows."""
    return (left * right.transpose())[0, 0]


def length(vector: Any) -> Any:
    """The Euclidean norm of a row."""
    return _root(dot(vector, vector))


def function_length(setup: Setup, function: Any) -> Any:
    """|.|_nu of (k, n) values."""
    nu = arb_mat(setup.dataset.points, 1, setup.dataset.sample_weights.tolist())
    squares = (_entrywise(function, function) * nu).entries()
    return _root(sum(squares, arb(0)))


def _root(square: Any) -> Any:
    """The root of a number that is not negative, also where its ball reaches below 0."""
    return square.sqrt() if square > 0 else arb(0).union(square.upper().max(arb(0)).sqrt())


def _scales(setup: Setup) -> list[Any]:
    """c_l."""
    return [arb(setup.architecture.weight_scale) / arb(size).sqrt() for size in setup.architecture.sizes[:-1]]


def _entrywise(left: Any, right: Any) -> Any:
    products = [x * y for x, y in zip(left.entries(), right.entries(), strict=True)]
    return arb_mat(left.nrows(), left.ncols(), products)
