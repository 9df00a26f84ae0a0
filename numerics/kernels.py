"""The tangent kernel by the layerwise Hadamard formula; a Jacobian is never formed.

The derivative of z_L at the point x_i with respect to (W_l, b_l) is delta_l(i) (x) (c_l h_{l-1}(i), sigma_b), so with
o the entrywise product

    K = alpha^2 sum over trained l of (delta_l^T delta_l) o (c_l^2 H_{l-1}^T H_{l-1} + sigma_b^2 1 1^T),

an nk x nk matrix with index i k + o for point i and output o (each entry of the second factor serves a k x k block).
On L2(nu; R^k), nu the sample weights, DF DF^* has the spectrum of the *weighted* matrix
diag(sqrt nu) K diag(sqrt nu), which is what the functions here return.

The difference X = J - J' of two Jacobians is, per point and layer,

    (delta - delta') (x) (c h, sigma_b) + delta' (x) (c (h - h'), 0),

whence X X^* and K - K' = J' X^* + X J'^* + X X^* are sums of Hadamard products of Gram matrices of differences: nothing
large is subtracted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel
from numerics.blas import single_threaded_blas
from numerics.network import Architecture
from numerics.signals import LayerSums, check_network, layer_sums, panels

Array = NDArray[np.float64]


class KernelSum:
    """Adds up a Hadamard formula layer by layer, from the top down, keeping no more than one backward Gram matrix.

    The forward Gram matrix of layer l-1 meets the backward Gram matrix of layer l, which comes one step earlier. With
    ``differences`` the sums are those of ``difference_panels`` and two matrices come out, X X^* and K - K'; otherwise
    one, the tangent kernel.
    """

    def __init__(self, architecture: Architecture, points: int, differences: bool = False) -> None:
        self._architecture = architecture
        self._differences = differences
        self._backward_gram = output_gram(points, architecture.outputs, copies=1 + differences)
        self._totals = [np.zeros((points * architecture.outputs,) * 2) for _ in range(1 + differences)]

    def add(self, sums: LayerSums) -> None:
        """Take in the next hidden layer; the order is L-1, ..., 1. The output layer is passed over: its signal is the
        identity.
        """
        if sums.layer < self._architecture.layers:
            self._meet(sums.layer + 1, sums.forward_gram)
            self._backward_gram = sums.backward_gram

    def finish(self, inputs: Array, sample_weights: Array) -> list[Array]:
        """The weighted matrices, (nk, nk) each, once the inputs (n, d) have been put in as layer 0."""
        input_gram = inputs @ inputs.T
        self._meet(1, np.pad(input_gram, (0, len(inputs))) if self._differences else input_gram)  # [x | x - x'] = [x | 0]
        factor = self._architecture.output_scale**2
        return [weigh(factor * total, sample_weights) for total in self._totals]

    def _meet(self, layer: int, forward_gram: Array) -> None:
        if not self._architecture.trained[layer - 1]:
            return
        scales = (self._architecture.fan_in_scales[layer - 1] ** 2, self._architecture.bias_scale**2)
        terms: tuple[Array, ...]
        if self._differences:
            terms = difference_terms(self._backward_gram, forward_gram, *scales)
        else:
            terms = (kernel_term(self._backward_gram, forward_gram, *scales),)
        for total, term in zip(self._totals, terms, strict=True):
            total += term


def weigh(matrix: Array, sample_weights: Array) -> Array:
    """diag(sqrt nu) A diag(sqrt nu) for A of shape (nk, nk) and nu of shape (n,)."""
    roots = np.repeat(np.sqrt(sample_weights), len(matrix) // len(sample_weights))
    return matrix * np.outer(roots, roots)  # the outer product first keeps a symmetric matrix exactly symmetric


def output_gram(points: int, outputs: int, copies: int = 1) -> Array:
    """The backward Gram matrix of the output layer, delta_L = identity at every point.

    copies = 2: of [delta' | delta - delta'], whose second half is zero.
    """
    gram = np.zeros((copies * points * outputs,) * 2)
    gram[: points * outputs, : points * outputs] = np.tile(np.eye(outputs), (points, points))
    return gram


def hadamard(backward: Array, forward: Array) -> Array:
    """Entry (i k + o, j k + o') of ``backward`` (nk, nk) times entry (i, j) of ``forward`` (n, n)."""
    points = len(forward)
    outputs = len(backward) // points
    blocks = backward.reshape(points, outputs, points, outputs) * forward[:, None, :, None]
    return blocks.reshape(points * outputs, points * outputs)


def kernel_term(backward: Array, forward: Array, scale_squared: float, bias_squared: float) -> Array:
    """One layer of the tangent kernel; the Gram matrices as in LayerSums."""
    return hadamard(backward, scale_squared * forward + bias_squared)


def difference_terms(backward: Array, forward: Array, scale_squared: float, bias_squared: float) -> tuple[Array, Array]:
    """One layer of X X^* and of K - K', from the Gram matrices of [delta' | d] and [h | e], d = delta - delta', e = h
    - h'.

    X X^* = c^2 ((d^T d) o (h^T h) + (d^T delta') o (h^T e) + its transpose + (delta'^T delta') o (e^T e)) + sigma_b^2
    d^T d; J' X^* = c^2 ((delta'^T d) o (h'^T h) + (delta'^T delta') o (h'^T e)) + sigma_b^2 delta'^T d with h' = h -
    e.
    """
    n, nk = len(forward) // 2, len(backward) // 2
    then, cross, change = backward[:nk, :nk], backward[:nk, nk:], backward[nk:, nk:]
    hh, he, ee = forward[:n, :n], forward[:n, n:], forward[n:, n:]
    mixed = hadamard(cross, he.T)
    jacobian = scale_squared * (hadamard(change, hh) + (mixed + mixed.T) + hadamard(then, ee)) + bias_squared * change
    product = scale_squared * (hadamard(cross, hh - he.T) + hadamard(then, he - ee)) + bias_squared * cross
    return jacobian, (product + product.T) + jacobian


def tangent_kernel(
    architecture: Architecture, activation: ActivationKernel, theta: Array, inputs: Array, sample_weights: Array
) -> Array:
    """The weighted tangent kernel at ``theta``: shape (nk, nk), symmetric, with the spectrum of DF DF^* on L2(nu;
    R^k).

    inputs: (n, d), points as rows; sample_weights: (n,), positive, summing to one. Raises NumericsError on wrong
    shapes or entries that are not finite. Source: docs/theory.md, conventions (all kernels carry the weights).
    """
    check_network(architecture, theta, inputs)
    kernel = KernelSum(architecture, len(inputs))
    with single_threaded_blas():
        for sums in layer_sums(architecture, panels(architecture, activation, theta, inputs)):
            kernel.add(sums)
        return kernel.finish(inputs, sample_weights)[0]
