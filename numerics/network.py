"""The multilayer perceptron in NTK parametrization: its architecture and where each weight lives.

    z_l = c_l W_l h_{l-1} + sigma_b b_l,   c_l = sigma_w / sqrt(m_{l-1}),   h_l = phi(z_l) (l < L),   f = alpha z_L,   h_0 = x.

The weights W_l have shape (m_l, m_{l-1}) and entries of unit variance; the division by the root of the fan-in happens in the
network, not in the weights. Parameters live in one float64 vector ``theta``: W_1 row by row, then b_1 if there are biases,
then W_2, b_2, and so on. Untrained layers are in it too; they simply do not move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.errors import NumericsError


@dataclass(frozen=True)
class Architecture:
    """Sizes and scalings of a multilayer perceptron.

    sizes: (m_0, m_1, ..., m_L): input dimension, hidden widths, number of outputs; L = number of layers >= 1.
    weight_scale: sigma_w. bias_scale: sigma_b; 0 means that there are no bias parameters at all.
    output_scale: alpha. trained: for each layer 1..L whether gradient descent moves W_l and b_l.
    """

    sizes: tuple[int, ...]
    weight_scale: float
    bias_scale: float
    output_scale: float
    trained: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or any(size < 1 for size in self.sizes):
            raise NumericsError(f"sizes must be at least two positive integers, got {self.sizes}")
        if len(self.trained) != self.layers:
            raise NumericsError(f"trained must name each of the {self.layers} layers, got {self.trained}")

    @property
    def layers(self) -> int:
        """The number L of layers with weights."""
        return len(self.sizes) - 1

    @property
    def outputs(self) -> int:
        """The number k of outputs."""
        return self.sizes[-1]

    @property
    def has_bias(self) -> bool:
        """Whether bias parameters exist."""
        return self.bias_scale != 0.0

    @property
    def fan_in_scales(self) -> tuple[float, ...]:
        """c_1, ..., c_L with c_l = sigma_w / sqrt(m_{l-1})."""
        return tuple(self.weight_scale / math.sqrt(size) for size in self.sizes[:-1])

    @property
    def weight_offsets(self) -> tuple[int, ...]:
        """Where W_1, ..., W_L begin in theta."""
        offsets, position = [], 0
        for rows, columns in zip(self.sizes[1:], self.sizes[:-1], strict=True):
            offsets.append(position)
            position += rows * (columns + self.has_bias)
        return tuple(offsets)

    @property
    def bias_offsets(self) -> tuple[int, ...]:
        """Where b_1, ..., b_L begin in theta (meaningful only with biases)."""
        return tuple(
            offset + rows * columns
            for offset, rows, columns in zip(self.weight_offsets, self.sizes[1:], self.sizes[:-1], strict=True)
        )

    @property
    def parameters(self) -> int:
        """The length of theta."""
        return sum(r * (c + self.has_bias) for r, c in zip(self.sizes[1:], self.sizes[:-1], strict=True))

    @property
    def trained_parameters(self) -> int:
        """The number of parameters that gradient descent moves."""
        pairs = zip(self.sizes[1:], self.sizes[:-1], self.trained, strict=True)
        return sum(rows * (columns + self.has_bias) for rows, columns, moves in pairs if moves)

    def layer(self, theta: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """All of layer ``index`` (1..L) in theta, W_l then b_l, as a view of one dimension."""
        begin = self.weight_offsets[index - 1]
        return theta[begin : begin + self.sizes[index] * (self.sizes[index - 1] + self.has_bias)]

    def weight(self, theta: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """W_l for ``index`` = l in 1..L as a view of shape (m_l, m_{l-1})."""
        rows, columns = self.sizes[index], self.sizes[index - 1]
        begin = self.weight_offsets[index - 1]
        return theta[begin : begin + rows * columns].reshape(rows, columns)

    def bias(self, theta: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """b_l for ``index`` = l as a view of shape (m_l,); zeros when there are no biases."""
        if not self.has_bias:
            return np.zeros(self.sizes[index])
        begin = self.bias_offsets[index - 1]
        return theta[begin : begin + self.sizes[index]]

    def flatten(self, weights: list[NDArray[np.float64]], biases: list[NDArray[np.float64]] | None = None) -> NDArray[np.float64]:
        """Put W_1, ..., W_L (and b_1, ..., b_L when there are biases) into one vector theta."""
        theta = np.empty(self.parameters)
        for index in range(1, self.layers + 1):
            self.weight(theta, index)[...] = weights[index - 1]
            if self.has_bias:
                self.bias(theta, index)[...] = biases[index - 1] if biases is not None else 0.0
        return theta


def initialize(architecture: Architecture, output_layer: str, seed: int) -> NDArray[np.float64]:
    """Draw theta: i.i.d. standard normal entries; the output weights standard normal ("gaussian") or +-1 ("signs").

    Output biases are standard normal in both cases. Layer by layer from one PCG64 stream, so a seed fixes every bit.
    """
    if output_layer not in ("signs", "gaussian"):
        raise NumericsError(f'output_layer must be "signs" or "gaussian", got {output_layer!r}')
    generator = np.random.default_rng(seed)
    theta = np.empty(architecture.parameters)
    for index in range(1, architecture.layers + 1):
        weight = architecture.weight(theta, index)
        if index == architecture.layers and output_layer == "signs":
            weight[...] = 2.0 * generator.integers(0, 2, size=weight.shape) - 1.0
        else:
            generator.standard_normal(out=weight)
        if architecture.has_bias:
            generator.standard_normal(out=architecture.bias(theta, index))
    return theta
