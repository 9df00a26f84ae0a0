"""Outputs at many points, without a kernel: a forward pass in groups of points, with bounds of its rounding.

For points that are only looked at, as held-out points are; a snapshot would need a kernel of (nk)^2 entries. The bounds are those
of ``numerics.rounding.signal_errors``, whose forward part does not look at the backward signals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel, evaluate
from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.network import Architecture
from numerics.rounding import SECOND_ORDER, ActivationBounds, SignalNorms, signal_errors
from numerics.signals import PANEL_ENTRIES, check_network, output_layer, preactivation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """values: (n, k), f = alpha z_L. errors: (n,), bounds of |fl f(x_i) - f(x_i)|_2."""

    values: Array
    errors: Array


def outputs_at(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    inputs: Array,
    operator_norms: Array,
    slope_bound: float,
    activation_ulps: float,
) -> Outputs:
    """Evaluate the network at ``theta`` and inputs (n, d).

    operator_norms: (L,), upper bounds of |W_l|_2, as in a Snapshot at theta. slope_bound, activation_ulps: as there. Raises
    NumericsError on wrong shapes and where an output overflows.
    """
    check_network(architecture, theta, inputs)
    at_zero = abs(float(evaluate(activation, np.zeros(1))[0][0]))
    bounds = ActivationBounds(at_zero, slope_bound, np.inf, activation_ulps)
    layers = range(1, architecture.layers + 1)
    values, errors = np.empty((len(inputs), architecture.outputs)), np.empty(len(inputs))
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        weights = np.array([np.linalg.norm(architecture.weight(theta, layer)) for layer in layers])
        biases = np.array([np.linalg.norm(architecture.bias(theta, layer)) for layer in layers])
        for rows in _groups(architecture, len(inputs)):
            z, forward, sizes = _forward(architecture, activation, theta, inputs[rows])
            unused = np.zeros_like(forward)
            norms = SignalNorms(operator_norms, weights, biases, forward, sizes, unused[1:], unused)
            values[rows] = architecture.output_scale * z.T
            errors[rows] = SECOND_ORDER * signal_errors(architecture, norms, bounds).output
    if not np.isfinite(values).all():
        raise NumericsError("theta is so large that an output overflows")
    return Outputs(values, errors)


def _groups(architecture: Architecture, points: int) -> Iterator[slice]:
    """So many points that a layer's signals are about PANEL_ENTRIES numbers."""
    size = max(1, PANEL_ENTRIES // max(architecture.sizes))
    return (slice(begin, begin + size) for begin in range(0, points, size))


def _forward(architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array) -> tuple[Array, Array, Array]:
    """z_L, (k, n), and the norms over neurons of h_{l-1} and of z_l, (L, n) each."""
    h, forward, sizes = np.ascontiguousarray(inputs.T), [], []
    for layer in range(1, architecture.layers):
        forward.append(np.linalg.norm(h, axis=0))
        z = preactivation(architecture, theta, layer, h, slice(None))
        sizes.append(np.linalg.norm(z, axis=0))
        h, _ = evaluate(activation, z)
    forward.append(np.linalg.norm(h, axis=0))
    z = output_layer(architecture, theta, h)
    sizes.append(np.linalg.norm(z, axis=0))
    return z, np.array(forward), np.array(sizes)
