"""Forward and backward signals of a network, handed out in panels of neurons.

For a hidden layer l, with its neurons as rows and the points as columns:

    z_l = c_l W_l h_{l-1} + sigma_b b_l,   h_l = phi(z_l),   p_l = phi'(z_l),                        each (m_l, n),
    eta_l = dz_L/dh_l = c_{l+1} W_{l+1}^T delta_{l+1},   delta_l = dz_L/dz_l = p_l eta_l,            each (m_l, n, k),

and delta_L = I.

The output scale alpha is in none of them. Everything a kernel, a norm or a drift needs is a sum or a maximum over
neurons, so ``panels`` yields a few thousand neurons at a time and ``layer_sums`` is the only code that accumulates.
With one hidden layer no array of size m_1 x n is ever held; with more, z, h and p of all hidden layers are.

Differences between two parameter vectors take the same road: ``difference_panels`` puts two things side by side where
``panels`` has one, and the Gram matrices that ``layer_sums`` returns then have four blocks. Sums run in a fixed order
on one BLAS thread.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel, evaluate
from numerics.errors import NumericsError
from numerics.network import Architecture
from numerics.norms import PANEL_ROWS

Array = NDArray[np.float64]

OUTPUT_BLOCK = 256  # neurons in one product when the outputs are added up
PANEL_ENTRIES = 2**20  # a panel of delta holds about this many doubles at most (8 MB)


@dataclass(frozen=True)
class Panel:
    """Signals of consecutive neurons of one layer at n points.

    layer: l in 1..L; begin: the first neuron. z, h: (rows, n); eta, delta: (rows, n, k). For the output layer l = L:
    h = z, since no activation follows, and eta = delta = the identity.
    """

    layer: int
    begin: int
    z: Array
    h: Array
    eta: Array
    delta: Array


@dataclass(frozen=True)
class LayerSums:
    """What is left of one layer once its neurons have been summed over (n doubled for differences).

    layer: l. forward_gram: H_l^T H_l, (n, n); backward_gram: the Gram matrix of delta_l, (nk, nk), index i k + o.
    z_norms: |z_l(x_i)|_2, (n,); eta_sup: the largest column norm of the k x m_l Jacobian eta_l(i), (n,). z: z_L itself,
    (k, n), for the output layer, None below.
    """

    layer: int
    forward_gram: Array
    backward_gram: Array
    z_norms: Array
    eta_sup: Array
    z: Array | None


def check_network(architecture: Architecture, theta: Array, inputs: Array) -> None:
    """Refuse, by NumericsError, parameters or inputs (n, d) of the wrong type or shape, or that are not finite."""
    expected = {"theta": (theta, (architecture.parameters,)), "inputs": (inputs, (len(inputs), architecture.sizes[0]))}
    for name, (array, shape) in expected.items():
        if array.dtype != np.float64 or array.shape != shape:
            raise NumericsError(f"{name} must be float64 of shape {shape}, got {array.dtype} of shape {array.shape}")
        if not np.isfinite(array).all():
            raise NumericsError(f"{name} has entries that are not finite")
    if len(inputs) == 0:
        raise NumericsError("inputs must hold at least one point, got none")


def panel_rows(architecture: Architecture, points: int) -> int:
    """How many neurons a panel holds: a function of the problem alone, so that sums do not depend on the machine."""
    return int(min(PANEL_ROWS, max(64, PANEL_ENTRIES // (points * architecture.outputs))))


def preactivation(architecture: Architecture, theta: Array, layer: int, below: Array, rows: slice) -> Array:
    """Rows of z_l = c_l W_l h_{l-1} + sigma_b b_l, from h_{l-1} of shape (m_{l-1}, n)."""
    z = architecture.weight(theta, layer)[rows] @ below
    z *= architecture.fan_in_scales[layer - 1]
    if architecture.has_bias:
        z += architecture.bias_scale * architecture.bias(theta, layer)[rows, None]
    return z


def panels(architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array) -> Iterator[Panel]:
    """The signals at ``theta``, layer L-1 first, then down to layer 1, and last the output layer.

    inputs: (n, d), points as rows. Trusts its arguments (see ``check_network``); call it where BLAS is
    single-threaded.
    """
    points, outputs = len(inputs), architecture.outputs
    if architecture.layers == 2:
        z = yield from _one_hidden_layer(architecture, activation, theta, inputs)
    else:
        z = yield from _several_hidden_layers(architecture, activation, theta, inputs)
    identity = np.broadcast_to(np.eye(outputs)[:, None, :], (outputs, points, outputs))
    yield Panel(architecture.layers, 0, z, z, identity, identity)


def _one_hidden_layer(
    architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array
) -> Generator[Panel, None, Array]:
    points, below = len(inputs), np.ascontiguousarray(inputs.T)
    output_weight, output_sum = architecture.weight(theta, 2), np.zeros((architecture.outputs, points))
    for rows in _slices(architecture.sizes[1], panel_rows(architecture, points)):
        z = preactivation(architecture, theta, 1, below, rows)
        h, slope = evaluate(activation, z)
        output_sum += _output_part(output_weight[:, rows], h)
        eta = _output_eta(architecture, theta, points, rows)
        yield Panel(1, rows.start, z, h, eta, slope[:, :, None] * eta)
    return _output(architecture, theta, output_sum)


def _several_hidden_layers(
    architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array
) -> Generator[Panel, None, Array]:
    """Also no hidden layer at all, L = 1: then there is only z_1 to return."""
    points, outputs, depth = len(inputs), architecture.outputs, architecture.layers
    below, hidden = np.ascontiguousarray(inputs.T), []
    for layer in range(1, depth):
        z = preactivation(architecture, theta, layer, below, slice(None))
        below, slope = evaluate(activation, z)
        hidden.append((z, below, slope))
    z_output = output_layer(architecture, theta, below)
    eta = _output_eta(architecture, theta, points, slice(None)) if depth > 1 else np.empty((0, points, outputs))
    for layer in range(depth - 1, 0, -1):
        z, h, slope = hidden.pop()
        delta = slope[:, :, None] * eta
        for rows in _slices(architecture.sizes[layer], panel_rows(architecture, points)):
            yield Panel(layer, rows.start, z[rows], h[rows], eta[rows], delta[rows])
        if layer > 1:
            flat = architecture.weight(theta, layer).T @ delta.reshape(len(delta), points * outputs)
            flat *= architecture.fan_in_scales[layer - 1]
            eta = flat.reshape(architecture.sizes[layer - 1], points, outputs)
    return z_output


def output_layer(architecture: Architecture, theta: Array, below: Array) -> Array:
    """z_L, (k, n), from h_{L-1}, (m_{L-1}, n); the order of summation is that of ``panels``."""
    output_sum, weight = np.zeros((architecture.outputs, below.shape[1])), architecture.weight(theta, architecture.layers)
    for rows in _slices(len(below), PANEL_ROWS):
        output_sum += _output_part(weight[:, rows], below[rows])
    return _output(architecture, theta, output_sum)


def _output_part(weight: Array, h: Array) -> Array:
    """W h for some columns of W_L, in blocks: sums of 10^6 terms would lose digits in the bounds, if not in fact."""
    blocks = _slices(len(h), OUTPUT_BLOCK)
    return np.asarray(sum((weight[:, block] @ h[block] for block in blocks), np.zeros((len(weight), h.shape[1]))))


def _output(architecture: Architecture, theta: Array, output_sum: Array) -> Array:
    z = architecture.fan_in_scales[-1] * output_sum
    if architecture.has_bias:
        z += architecture.bias_scale * architecture.bias(theta, architecture.layers)[:, None]
    return z


def _output_eta(architecture: Architecture, theta: Array, points: int, rows: slice) -> Array:
    """eta_{L-1} = c_L W_L^T, the same at every point: a view that repeats it."""
    scaled = architecture.fan_in_scales[-1] * architecture.weight(theta, architecture.layers)[:, rows].T
    return np.broadcast_to(scaled[:, None, :], (len(scaled), points, architecture.outputs))


def _slices(size: int, step: int) -> Iterator[slice]:
    return (slice(begin, min(begin + step, size)) for begin in range(0, size, step))


def difference_panels(
    architecture: Architecture, activation: ActivationKernel, theta: Array, reference: Array, inputs: Array
) -> Iterator[Panel]:
    """Panels of both parameter vectors at once: z = [z' | z - z'], h = [h | h - h'], eta and delta like z.

    Primes: at the reference. Two blocks of n points side by side: z and h have shape (rows, 2n), eta and delta
    (rows, 2n, k). Which one stands beside the difference is dictated by

        delta (x) h - delta' (x) h' = (delta - delta') (x) h + delta' (x) (h - h').
    """
    here = panels(architecture, activation, theta, inputs)
    there = panels(architecture, activation, reference, inputs)
    for now, then in zip(here, there, strict=True):
        yield Panel(
            now.layer,
            now.begin,
            z=np.concatenate([then.z, now.z - then.z], axis=1),
            h=np.concatenate([now.h, now.h - then.h], axis=1),
            eta=np.concatenate([then.eta, now.eta - then.eta], axis=1),
            delta=np.concatenate([then.delta, now.delta - then.delta], axis=1),
        )


def layer_sums(architecture: Architecture, stream: Iterable[Panel]) -> Iterator[LayerSums]:
    """Sum panels over neurons, layer by layer, in the order in which they come."""
    for layer, group in itertools.groupby(stream, key=lambda panel: panel.layer):
        first = next(group)
        points, outputs = first.z.shape[1], first.eta.shape[2]
        forward_gram = np.zeros((first.h.shape[1], first.h.shape[1]))
        backward_gram = np.zeros((first.delta.shape[1] * outputs,) * 2)
        z_squares, eta_squares = np.zeros(points), np.zeros(points)
        last = first
        for panel in itertools.chain([first], group):
            backward = panel.delta.reshape(len(panel.delta), -1)
            forward_gram += panel.h.T @ panel.h
            backward_gram += backward.T @ backward
            z_squares += np.einsum("ji,ji->i", panel.z, panel.z)
            np.maximum(eta_squares, _largest_square(panel.eta), out=eta_squares)
            last = panel
        z = last.z if layer == architecture.layers else None
        yield LayerSums(layer, forward_gram, backward_gram, np.sqrt(z_squares), np.sqrt(eta_squares), z)


def _largest_square(eta: Array) -> Array:
    """Over the neurons, the largest squared norm of eta's rows of length k; (n,)."""
    squares = np.einsum("jio,jio->ji", eta, eta) if eta.shape[2] > 1 else np.square(eta[:, :, 0])
    return np.asarray(squares.max(axis=0), dtype=np.float64)
