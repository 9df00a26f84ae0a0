"""Products with the network's Jacobian, DF v and DF^* u, panel by panel; the Jacobian itself is never held.

The derivative of f = alpha z_L at x_i by (W_l, b_l) is alpha delta_l(i) (x) (c_l h_{l-1}(i), sigma_b). With the neurons of a panel
R of layer l and C of layer l - 1,

    (DF v)(i)        = alpha sum_{l, R, C} delta_l[R](i)^T (c_l V_l[R, C] h_{l-1}[C](i) + sigma_b v_b[R]),
    (DF^* u)_{W_l}   = alpha c_l sum_i nu_i (delta_l[R](i) u(i)) h_{l-1}[C](i)^T,       (DF^* u)_{b_l} likewise with sigma_b,

V_l the block of v in W_l: so DF^* is the adjoint in L2(nu; R^k), and both rest on the signals of ``numerics.signals``, whose
rounding is bounded in ``numerics.rounding``. Layers that are not trained have no part in either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel
from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.kernels import KernelSum
from numerics.network import Architecture
from numerics.signals import Panel, check_network, layer_sums, panels

Array = NDArray[np.float64]


class _Block(NamedTuple):
    """The part of layer l between neurons ``rows`` and the neurons ``columns`` below; delta: (rows, n, k), below: (columns, n)."""

    layer: int
    rows: slice
    columns: slice
    delta: Array
    below: Array


def outputs_and_kernel(
    architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array, sample_weights: Array
) -> tuple[Array, Array]:
    """f at the points, (n, k), and the weighted tangent kernel, (nk, nk), in one pass.

    inputs: (n, d); sample_weights: nu, (n,). Raises NumericsError on wrong shapes or entries that are not finite.
    """
    check_network(architecture, theta, inputs)
    kernel, z = KernelSum(architecture, len(inputs)), np.empty(0)
    with single_threaded_blas():
        for sums in layer_sums(architecture, panels(architecture, activation, theta, inputs)):
            kernel.add(sums)
            z = sums.z if sums.z is not None else z
        return np.ascontiguousarray(architecture.output_scale * z.T), kernel.finish(inputs, sample_weights)[0]


def jacobian_vector(
    architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array, direction: Array
) -> Array:
    """DF(theta) v, shape (n, k), for a direction v of theta's shape; its entries in untrained layers do not count.

    Raises NumericsError on wrong shapes or entries that are not finite.
    """
    check_network(architecture, theta, inputs)
    _check("direction", direction, theta.shape)
    found = np.zeros((len(inputs), architecture.outputs))
    with single_threaded_blas():
        for block in _blocks(architecture, activation, theta, inputs):
            moved = architecture.weight(direction, block.layer)[block.rows, block.columns] @ block.below
            moved *= architecture.fan_in_scales[block.layer - 1]
            if architecture.has_bias and block.columns.start == 0:
                moved += architecture.bias_scale * architecture.bias(direction, block.layer)[block.rows, None]
            found += np.einsum("rio,ri->io", block.delta, moved)
    return architecture.output_scale * found


def vector_jacobian(
    architecture: Architecture,
    activation: ActivationKernel,
    theta: Array,
    inputs: Array,
    sample_weights: Array,
    function: Array,
) -> Array:
    """DF(theta)^* u, of theta's shape, for u in L2(nu; R^k) given by its values, (n, k); zero in untrained layers.

    Raises NumericsError on wrong shapes or entries that are not finite.
    """
    check_network(architecture, theta, inputs)
    _check("function", function, (len(inputs), architecture.outputs))
    found = np.zeros_like(theta)
    weighted = architecture.output_scale * sample_weights[:, None] * function
    with single_threaded_blas():
        for block in _blocks(architecture, activation, theta, inputs):
            backward = np.einsum("rio,io->ri", block.delta, weighted)
            gradient = architecture.fan_in_scales[block.layer - 1] * (backward @ block.below.T)
            architecture.weight(found, block.layer)[block.rows, block.columns] = gradient
            if architecture.has_bias and block.columns.start == 0:
                architecture.bias(found, block.layer)[block.rows] = architecture.bias_scale * backward.sum(axis=1)
    return found


def _blocks(architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array) -> Iterator[_Block]:
    """All blocks of trained layers. A panel of delta_l waits for the panels of h_{l-1}, which come one layer later."""
    depth, points, outputs = architecture.layers, len(inputs), architecture.outputs
    identity = np.ascontiguousarray(np.broadcast_to(np.eye(outputs)[:, None, :], (outputs, points, outputs)))
    waiting: dict[int, list[tuple[slice, Array]]] = {depth: [(slice(0, outputs), identity)]}
    below = _Below(1, slice(0, architecture.sizes[0]), np.ascontiguousarray(inputs.T))
    for panel in panels(architecture, activation, theta, inputs) if depth > 1 else ():
        if panel.layer == depth:
            continue
        rows = _rows(panel)
        yield from _met(architecture, waiting, _Below(panel.layer + 1, rows, panel.h))
        if panel.layer == 1:
            yield from _met(architecture, {1: [(rows, panel.delta)]}, below)
        else:
            waiting.setdefault(panel.layer, []).append((rows, panel.delta))
            if rows.stop == architecture.sizes[panel.layer]:
                waiting.pop(panel.layer + 1)
    if depth == 1:
        yield from _met(architecture, waiting, below)


class _Below(NamedTuple):
    layer: int
    columns: slice
    h: Array


def _met(architecture: Architecture, waiting: dict[int, list[tuple[slice, Array]]], below: _Below) -> Iterator[_Block]:
    if not architecture.trained[below.layer - 1]:
        return
    for rows, delta in waiting[below.layer]:
        yield _Block(below.layer, rows, below.columns, delta, below.h)


def _rows(panel: Panel) -> slice:
    return slice(panel.begin, panel.begin + len(panel.h))


def _check(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.dtype != np.float64 or array.shape != shape:
        raise NumericsError(f"{name} must be float64 of shape {shape}, got {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise NumericsError(f"{name} has entries that are not finite")
