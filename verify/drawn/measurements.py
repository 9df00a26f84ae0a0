"""What the events of an a-priori budget speak about, measured on networks of any size: the least number t with which each holds.

An event of ``theorems.apriori.budget`` is a family of statements with one number t. On drawn weights the least t that makes all of
them true is measured here; the event with the number t fails exactly where the measured one exceeds t. So one measurement serves
every failure probability.

Signals and norms are those of ``numerics``. The leave-one-out signals, one forward and backward pass for each unit of the layers
1..L-2, are run here from the layer above the unit, a block of units at a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel, evaluate
from numerics.blas import single_threaded_blas
from numerics.network import Architecture
from numerics.norms import spectral_norm
from numerics.signals import panels

Array = NDArray[np.float64]

BLOCK_ENTRIES = 2**19  # units x neurons x points of one block of leave-one-out signals
# Every number here is a norm, or a ratio or difference of norms, of sums of fewer than 10^6 terms: its error is below
# 10^6 u = 1.2e-10 of the largest of them. What lies within this relative distance of a bound is not decided.
RESOLUTION = 1e-9


@dataclass(frozen=True)
class LayerSignals:
    """One layer at n points: z, h (m, n), eta and delta (m, n, k), as in ``numerics.signals``."""

    z: Array
    h: Array
    eta: Array
    delta: Array


@dataclass(frozen=True)
class MeasuredTails:
    """numbers: the least t of each event. errors: bounds of the errors of measurement."""

    numbers: Mapping[str, float]
    errors: Mapping[str, float]


def layer_signals(architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array) -> list[LayerSignals]:
    """The signals of the layers 1..L at ``inputs``, (n, d)."""
    found: dict[int, LayerSignals] = {}
    with single_threaded_blas():
        stream = panels(architecture, activation, theta, inputs)
        for layer, group in itertools.groupby(stream, key=lambda panel: panel.layer):
            parts = list(group)
            joined = [np.concatenate([getattr(part, name) for part in parts]) for name in ("z", "h", "eta", "delta")]
            found[layer] = LayerSignals(*joined)
    return [found[layer] for layer in range(1, architecture.layers + 1)]


def preactivation_scales(architecture: Architecture, signals: list[LayerSignals], inputs: Array) -> list[Array]:
    """p_l at the points, (n,), for l = 1..L: p_l^2 = c_l^2|h_{l-1}|^2 + sigma_b^2."""
    below = [inputs.T, *(layer.h for layer in signals[:-1])]
    squares = [np.sum(h**2, axis=0) for h in below]
    return [
        np.sqrt(c**2 * square + architecture.bias_scale**2) for c, square in zip(architecture.fan_in_scales, squares, strict=True)
    ]


def measured_tails(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    inputs: Array,
    sample_weights: Array,
    *,
    gaussian_output: bool,
    centered: bool = True,
    operator_norms: Array | None = None,
) -> MeasuredTails:
    """The least t of every event of the weights that such a network has.

    Arguments: ``inputs``, (n, d), on none of which p_l vanishes; ``sample_weights``, (n,), of sum 1. ``operator_norms``, upper
    bounds of |W_l| if they are known already, (L,).
    """
    signals = layer_signals(architecture, activation, theta, inputs)
    scales = preactivation_scales(architecture, signals, inputs)
    depth = architecture.layers
    tails: dict[str, tuple[float, float]] = {}
    last = depth if gaussian_output else depth - 1
    if last >= 2:
        tails["operator_norms"] = _operator_norms(architecture, theta, last, operator_norms)
    sizes = [np.linalg.norm(signals[i].z, axis=0) / scales[i] for i in range(depth - 1)]
    tails["signals"] = _largest([(float(s.max()), math.sqrt(architecture.sizes[i + 1])) for i, s in enumerate(sizes)])
    if depth > 2:
        inner = range(depth - 2)
        tails["units"] = _largest([(float((np.abs(signals[i].z) / scales[i]).max()), 0.0) for i in inner])
        columns = [np.linalg.norm(architecture.weight(theta, i + 2), axis=0).max() for i in inner]
        tails["columns"] = _largest([(float(x), math.sqrt(architecture.sizes[i + 2])) for i, x in zip(inner, columns, strict=True)])
        with single_threaded_blas():
            longest = [leave_one_out(architecture, activation, theta, signals, i + 1) for i in inner]
        tails["leave_one_out"] = _largest([(x, _spread(architecture.outputs)) for x in longest])
    if gaussian_output:
        column = float(np.linalg.norm(architecture.weight(theta, depth), axis=0).max())
        tails["output_weights"] = _largest([(column, _spread(architecture.outputs))])
    if not centered:
        tails |= _initial(architecture, theta, signals, scales, sample_weights, gaussian_output)
    return MeasuredTails({k: t for k, (t, _) in tails.items()}, {k: error for k, (_, error) in tails.items()})


def _spread(outputs: int) -> float:
    """What is subtracted from a norm in R^k to compare it with t: sqrt(k), but nothing for k = 1."""
    return 0.0 if outputs == 1 else math.sqrt(outputs)


def _largest(pairs: list[tuple[float, float]], factor: float = 1.0) -> tuple[float, float]:
    """The largest factor (measured - offset), and the error of measurement."""
    return max(factor * (x - offset) for x, offset in pairs), RESOLUTION * max(abs(x) + offset for x, offset in pairs)


def _operator_norms(architecture: Architecture, theta: Array, last: int, known: Array | None) -> tuple[float, float]:
    pairs = []
    for layer in range(2, last + 1):
        norm = float(known[layer - 1]) if known is not None else spectral_norm(architecture.weight(theta, layer)).upper
        rows, columns = architecture.sizes[layer], architecture.sizes[layer - 1]
        # A single output's row is a vector: its norm is compared with the root of its length alone.
        vector = layer == architecture.layers and rows == 1
        pairs.append((norm, math.sqrt(columns) + (0.0 if vector else math.sqrt(rows))))
    return _largest(pairs)


def _initial(
    architecture: Architecture,
    theta: Array,
    signals: list[LayerSignals],
    scales: list[Array],
    sample_weights: Array,
    gaussian_output: bool,
) -> dict[str, tuple[float, float]]:
    """|z_L|_nu/sqrt(P) - sqrt(k), or half of it for an output layer of +-1, from which the output bias is left out."""
    depth, z = architecture.layers, signals[-1].z
    root_k = math.sqrt(architecture.outputs)
    squares, factor = scales[-1] ** 2, 1.0
    found: dict[str, tuple[float, float]] = {}
    if not gaussian_output:
        bias = architecture.bias(theta, depth)
        z = z - architecture.bias_scale * bias[:, None]
        squares, factor = squares - architecture.bias_scale**2, 0.5
        if architecture.has_bias:
            found["initial_bias"] = _largest([(float(np.linalg.norm(bias)), _spread(architecture.outputs))])
    size = math.sqrt(float(sample_weights @ np.sum(z**2, axis=0)))
    return {"initial_output": _largest([(size / math.sqrt(float(sample_weights @ squares)), root_k)], factor), **found}


def leave_one_out(
    architecture: Architecture, activation: ActivationKernel, theta: Array, signals: list[LayerSignals], layer: int
) -> float:
    """The largest |delta'^T w|/|delta'| over the units j of ``layer`` <= L - 2 and the points, w = W_{l+1} e_j.

    delta' = delta_{l+1} at z_{l+1} - c_{l+1} w h_{l,j}, with the weights above unchanged; 0 where delta' vanishes.
    """
    weight, scale = architecture.weight(theta, layer + 1), architecture.fan_in_scales[layer]
    z, h = signals[layer].z, signals[layer - 1].h  # of the layers layer + 1 and layer
    units, points = h.shape
    widest = max(architecture.sizes[layer + 1 : -1])
    step = max(1, BLOCK_ENTRIES // (widest * points * architecture.outputs))
    largest = 0.0
    for begin in range(0, units, step):
        columns = weight[:, begin : begin + step]  # (rows, block)
        without = z[:, None, :] - scale * columns[:, :, None] * h[None, begin : begin + step]
        delta = _above(architecture, activation, theta, without, layer + 1)  # (rows, block, n, k)
        projected = np.einsum("mjio,mj->jio", delta, columns)
        length = np.sqrt(np.sum(projected**2, axis=2))
        sizes = _operator_norms_of(delta)
        largest = max(largest, float(np.max(np.divide(length, sizes, out=np.zeros_like(sizes), where=sizes > 0))))
    return largest


def _above(architecture: Architecture, activation: ActivationKernel, theta: Array, z: Array, layer: int) -> Array:
    """delta of ``layer`` at given z of shape (m_layer, block, n): shape (m_layer, block, n, k)."""
    shape, slopes = z.shape[1:], []
    z = z.reshape(len(z), -1)
    for index in range(layer, architecture.layers):
        h, slope = evaluate(activation, z)
        slopes.append(slope)
        if index < architecture.layers - 1:
            z = architecture.fan_in_scales[index] * (architecture.weight(theta, index + 1) @ h)
            z += architecture.bias_scale * architecture.bias(theta, index + 1)[:, None]
    top = architecture.fan_in_scales[-1] * architecture.weight(theta, architecture.layers).T  # (m_{L-1}, k)
    delta = slopes.pop()[:, :, None] * top[:, None, :]
    for index in range(architecture.layers - 1, layer, -1):
        flat = architecture.weight(theta, index).T @ delta.reshape(len(delta), -1)
        eta = architecture.fan_in_scales[index - 1] * flat.reshape(flat.shape[0], -1, architecture.outputs)
        delta = slopes.pop()[:, :, None] * eta
    return np.asarray(delta.reshape(len(delta), *shape, architecture.outputs), dtype=np.float64)


def _operator_norms_of(delta: Array) -> Array:
    """The operator norm of each m x k matrix of an array (m, block, n, k): (block, n)."""
    if delta.shape[-1] == 1:
        return np.asarray(np.sqrt(np.einsum("mjio,mjio->ji", delta, delta)), dtype=np.float64)
    stacked = np.moveaxis(delta, 0, 2)  # (block, n, m, k)
    return np.asarray(np.linalg.norm(stacked, 2, axis=(2, 3)), dtype=np.float64)
