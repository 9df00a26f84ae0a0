"""Quantities that the ball recursion bounds, measured: first derivatives at a point, backward signals between two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel, evaluate
from numerics.blas import single_threaded_blas
from numerics.network import Architecture
from numerics.signals import check_network, difference_panels, layer_sums, preactivation

Array = NDArray[np.float64]

POWER_STEPS = 60
POWER_SETTLED = 1e-6


def backward_drift(
    architecture: Architecture, activation: ActivationKernel, theta: Array, reference: Array, inputs: Array
) -> Array:
    """|delta_l(x_i) - delta_l^ref(x_i)|_2, operator norm over k outputs, shape (L-1, n); delta as in ``numerics.signals``.

    inputs: (n, d). Raises NumericsError on wrong shapes or entries that are not finite.
    """
    for parameters in (theta, reference):
        check_network(architecture, parameters, inputs)
    points, outputs = len(inputs), architecture.outputs
    moved = np.zeros((architecture.layers - 1, points))
    with single_threaded_blas():
        for sums in layer_sums(architecture, difference_panels(architecture, activation, theta, reference, inputs)):
            if sums.layer < architecture.layers:
                blocks = sums.backward_gram.reshape(2 * points, outputs, 2 * points, outputs)
                index = np.arange(points, 2 * points)  # the second half of the columns is the difference
                moved[sums.layer - 1] = np.sqrt(np.maximum(np.linalg.eigvalsh(blocks[index, :, index, :])[:, -1], 0.0))
    return moved


def first_derivative_norm(
    architecture: Architecture, activation: ActivationKernel, theta: Array, point: Array, layer: int
) -> float:
    """|dz_l(x)/dtheta|_2 over the trained layers, by power iteration: a lower bound, in practice to POWER_SETTLED.

    point: x, (d,). With G_l = dz_l (dz_l)^T: G_l = p_l^2 I 1[l in T] + c_l^2 W_l phi'_(l-1) G_(l-1) phi'_(l-1) W_l^T, p_l^2 =
    c_l^2 |h_(l-1)|^2 + sigma_b^2; a product with G_l goes down the layers and up again. Raises NumericsError on wrong shapes.
    """
    inputs = np.ascontiguousarray(point[None, :])
    check_network(architecture, theta, inputs)
    h, slopes, squares = np.ascontiguousarray(inputs.T), [], []
    with single_threaded_blas():
        for index in range(1, layer + 1):
            scale = architecture.fan_in_scales[index - 1]
            squares.append((scale**2 * float(h[:, 0] @ h[:, 0]) + architecture.bias_scale**2) * architecture.trained[index - 1])
            if index < layer:
                h, slope = evaluate(activation, preactivation(architecture, theta, index, h, slice(None)))
                slopes.append(slope[:, 0])
        vector = np.asarray(np.random.default_rng(0).standard_normal(architecture.sizes[layer]))
        value = 0.0
        for _ in range(POWER_STEPS):
            vector = vector / np.linalg.norm(vector)
            image = _gram_product(architecture, theta, slopes, squares, vector)
            before, value = value, float(np.linalg.norm(image))
            if not value > 0 or abs(value - before) <= POWER_SETTLED * value:
                break
            vector = image
    return float(np.sqrt(value))


def _gram_product(architecture: Architecture, theta: Array, slopes: list[Array], squares: list[float], vector: Array) -> Array:
    """G_l v for l = len(squares)."""
    down = [vector]
    for index in range(len(squares), 1, -1):
        scaled = architecture.fan_in_scales[index - 1] * slopes[index - 2]
        down.append(scaled * (architecture.weight(theta, index).T @ down[-1]))
    image = squares[0] * down[-1]
    for index in range(2, len(squares) + 1):
        scaled = architecture.fan_in_scales[index - 1] * slopes[index - 2]
        image = architecture.weight(theta, index) @ (scaled * image) + squares[index - 1] * down[len(squares) - index]
    return np.asarray(image)
