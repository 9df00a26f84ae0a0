"""Small random networks for the samplers, with signals and Jacobians straight from their definitions, as full matrices.

Nothing is shared with the fast code in ``numerics`` but the values of phi and phi': the samplers try the recursion of
``theorems.ball`` on numbers that come another way. What the recursion promises is what its own functions return, also where
``BallBounds`` does not carry it: the functions are looked up in the module at every call.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel, builtin_activation, evaluate
from numerics.network import Architecture
from theorems import ball
from theorems.activations import activation
from theorems.arithmetic import FLOAT
from theorems.ball import BallBounds, SignalsAtPoint
from verify.proving.sampling import UNIT

Array = NDArray[np.float64]

ACTIVATIONS = ("tanh", "sin", "softplus", "erf", "gaussian_bump")
LARGEST_LAYERS, LARGEST_WIDTH, LARGEST_POINTS = 4, 6, 4


@dataclass(frozen=True)
class SmallNetwork:
    """A network at theta0 with data: inputs (d, n), points as columns; root_weights (n,), roots of the
    sample weights; moving, the indices of the trained parameters."""

    architecture: Architecture
    kernel: ActivationKernel
    slope: float
    curvature: float
    theta0: Array
    inputs: Array
    root_weights: Array
    moving: NDArray[np.intp]

    def embed(self, direction: Array) -> Array:
        """A direction in the trained parameters as one in all parameters."""
        full = np.zeros(len(self.theta0))
        full[self.moving] = direction
        return full


@dataclass(frozen=True)
class Signals:
    """At one theta: z_1..z_L and h_0..h_{L-1}, each (m, n); eta_1..eta_{L-1} and delta_1..delta_L, each (m, n, k); phi'(z_l)."""

    z: list[Array]
    h: list[Array]
    eta: list[Array]
    delta: list[Array]
    slopes: list[Array]


@dataclass(frozen=True)
class FirstOrderBounds:
    """What E1 promises in L2(nu), and E2: drift_nu[l-1] = D_l^nu; pointwise[i][l-1] = v_l(x_i), largest[l-1] = v_l^max and
    nu[l-1] = v_l^nu, each with an entry per trained layer."""

    drift_nu: list[float]
    pointwise: list[list[Array]]
    largest: list[Array]
    nu: list[Array]


@functools.cache
def _activation(name: str) -> tuple[ActivationKernel, Fraction, Fraction]:
    record = activation(name)
    return builtin_activation(name), record.slope_bound().upper, record.curvature_bound().upper


def draw_network(generator: np.random.Generator, rising: bool = False) -> SmallNetwork:
    """2 to 4 layers, widths up to 6, with and without biases, any set of trained layers, equal or unequal sample weights.

    In half of them the layers' weights differ in size, by factors between 0.01 and 3. rising: the upper layers are then the larger
    ones, up to a factor of 10, so that large backward signals meet small weights.
    """
    layers = int(generator.integers(2, LARGEST_LAYERS + 1))
    trained = generator.random(layers) < 0.7
    trained[generator.integers(layers)] = True
    architecture = Architecture(
        sizes=(*(int(size) for size in generator.integers(1, LARGEST_WIDTH + 1, layers)), int(generator.integers(1, 4))),
        weight_scale=float(generator.choice([1.0, 0.5, 1.5])),
        bias_scale=float(generator.choice([0.0, 0.3, 1.0])),
        output_scale=float(generator.choice([1.0, 0.25, 3.0])),
        trained=tuple(bool(moves) for moves in trained),
    )
    kernel, slope, curvature = _activation(str(generator.choice(ACTIVATIONS)))
    points = int(generator.integers(1, LARGEST_POINTS + 1))
    weights = generator.dirichlet(np.ones(points)) if generator.random() < 0.5 else np.full(points, 1 / points)
    moves = np.concatenate(
        [
            np.full(rows * (columns + architecture.has_bias), moving)
            for rows, columns, moving in zip(architecture.sizes[1:], architecture.sizes[:-1], trained, strict=True)
        ]
    )
    factors = 10.0 ** generator.uniform(-2, 1.0 if rising else 0.5, layers) if generator.random() < 0.5 else np.ones(layers)
    theta0 = float(generator.choice([1.0, 0.3, 3.0])) * generator.standard_normal(architecture.parameters)
    for layer, factor in enumerate(sorted(factors) if rising else factors, 1):
        architecture.layer(theta0, layer)[:] *= factor
    return SmallNetwork(
        architecture=architecture,
        kernel=kernel,
        slope=float(slope),
        curvature=float(curvature),
        theta0=theta0,
        inputs=generator.standard_normal((architecture.sizes[0], points)),
        root_weights=np.sqrt(weights),
        moving=np.flatnonzero(moves),
    )


def signals(network: SmallNetwork, theta: Array) -> Signals:
    """Forward and backward signals, from the definitions."""
    a = network.architecture
    z, h, slopes = [], [network.inputs], []
    for layer in range(1, a.layers + 1):
        c = a.fan_in_scales[layer - 1]
        z.append(c * (a.weight(theta, layer) @ h[-1]) + a.bias_scale * a.bias(theta, layer)[:, None])
        if layer < a.layers:
            value, slope = evaluate(network.kernel, z[-1])
            h.append(value)
            slopes.append(slope)
    points, outputs = network.inputs.shape[1], a.outputs
    delta = [np.repeat(np.eye(outputs)[:, None, :], points, axis=1)]
    eta: list[Array] = []
    for layer in range(a.layers - 1, 0, -1):
        c = a.fan_in_scales[layer]
        eta.insert(0, c * np.einsum("ab,anj->bnj", a.weight(theta, layer + 1), delta[0]))
        delta.insert(0, slopes[layer - 1][:, :, None] * eta[0])
    return Signals(z, h, eta, delta, slopes)


def jacobian(network: SmallNetwork, theta: Array) -> Array:
    """DF on the trained parameters into L2(nu; R^k), shape (n k, p): d f_j(x_i)/dW_l = alpha c_l delta_l(i)_j h_{l-1}(i)^T."""
    a, found = network.architecture, signals(network, theta)
    blocks = []
    for layer in range(1, a.layers + 1):
        if not a.trained[layer - 1]:
            continue
        delta = found.delta[layer - 1] * network.root_weights[:, None]
        rows = np.einsum("anj,bn->njab", a.fan_in_scales[layer - 1] * delta, found.h[layer - 1])
        blocks.append(rows.reshape(rows.shape[0] * rows.shape[1], -1))
        if a.has_bias:
            biases = a.bias_scale * delta.transpose(1, 2, 0)
            blocks.append(biases.reshape(len(blocks[-1]), -1))
    return np.asarray(a.output_scale * np.concatenate(blocks, axis=1))


def signal_derivatives(network: SmallNetwork, found: Signals, theta: Array) -> list[list[Array]]:
    """dz_l/dtheta_j at theta for l = 1..L and every trained layer j: arrays (n, m_l, parameters of layer j), W_j row by row and
    then b_j; zero for j > l. By the product rule, layer after layer."""
    a, points = network.architecture, network.inputs.shape[1]
    trained = [layer for layer in range(1, a.layers + 1) if a.trained[layer - 1]]
    blocks = [np.zeros((points, len(network.inputs), len(a.layer(theta, layer)))) for layer in trained]
    derivatives = []
    for layer in range(1, a.layers + 1):
        c, h = a.fan_in_scales[layer - 1], found.h[layer - 1]
        blocks = [c * (a.weight(theta, layer) @ block) for block in blocks]
        if layer in trained:
            own = np.einsum("ab,cn->nabc", np.eye(a.sizes[layer]), c * h).reshape(points, a.sizes[layer], -1)
            if a.has_bias:
                biases = np.broadcast_to(a.bias_scale * np.eye(a.sizes[layer]), (points, a.sizes[layer], a.sizes[layer]))
                own = np.concatenate([own, biases], axis=2)
            place = trained.index(layer)
            blocks[place] = blocks[place] + own
        derivatives.append(list(blocks))
        if layer < a.layers:
            blocks = [found.slopes[layer - 1].T[:, :, None] * block for block in blocks]
    return derivatives


def weighted(network: SmallNetwork, derivative: Array) -> Array:
    """A derivative (n, m, p) at the points as one matrix (n m, p) into L2(nu; R^m)."""
    scaled = network.root_weights[:, None, None] * derivative
    return np.asarray(scaled.reshape(-1, derivative.shape[2]))


def bounds_on_ball(network: SmallNetwork, radius: float) -> tuple[SignalsAtPoint, BallBounds]:
    """What the recursion reads at theta0, and what it promises on B(radius)."""
    a, found = network.architecture, signals(network, network.theta0)
    grams = [c**2 * h.T @ h + a.bias_scale**2 for c, h in zip(a.fan_in_scales, found.h, strict=True)]

    def largest(matrix: Array) -> float:
        weighted = matrix * np.outer(network.root_weights, network.root_weights)
        return math.sqrt(max(float(np.linalg.eigvalsh(weighted)[-1]), 0.0))

    given = SignalsAtPoint(
        fan_in_scales=a.fan_in_scales,
        bias_scale=a.bias_scale,
        output_scale=a.output_scale,
        trained=a.trained,
        slope=network.slope,
        curvature=network.curvature,
        operator_norms=np.array([np.linalg.norm(a.weight(network.theta0, layer), 2) for layer in range(1, a.layers + 1)]),
        forward_norms=np.array([np.linalg.norm(h, axis=0) for h in found.h]),
        gram_norms=np.array([largest(gram) for gram in grams]),
        schur=largest(grams[0] ** 2),
        backward_sup=np.array([np.linalg.norm(eta, axis=2).max(axis=0) for eta in found.eta]),
        backward_norms=np.array([operator_norms(delta) for delta in found.delta]),
    )
    return given, ball.ball_bounds(given, radius, FLOAT)


def first_order_bounds(given: SignalsAtPoint, radius: float) -> FirstOrderBounds:
    """D^nu and v as the recursion's functions return them; v_l(x_i) is what they say of the data set {x_i}."""
    per_layer = zip(given.fan_in_scales, given.operator_norms, given.trained, strict=True)
    gains = tuple(float(c * (norm + radius * moves)) for c, norm, moves in per_layer)
    drift, drift_nu = ball._forward_drift(given, gains, FLOAT)
    largest, nu = ball._first_derivative(given, gains, radius, drift, drift_nu, FLOAT)
    pointwise = []
    for i in range(given.forward_norms.shape[1]):
        at_point = dataclasses.replace(given, forward_norms=given.forward_norms[:, [i]])
        there, _ = ball._first_derivative(at_point, gains, radius, [row[[i]] for row in drift], drift_nu, FLOAT)
        pointwise.append([np.array(row) for row in there])
    return FirstOrderBounds(drift_nu[1:], pointwise, [np.array(row) for row in largest], [np.array(row) for row in nu])


def operator_norms(panel: Array) -> Array:
    """The operator norms of a backward signal (m, n, k) at the n points."""
    return np.asarray(np.linalg.norm(panel.transpose(1, 0, 2), 2, axis=(1, 2)))


def rounding(network: SmallNetwork, bounds: BallBounds, radius: float) -> float:
    """A bound of the rounding errors of signals and Jacobians on B(radius).

    A layer errs by a few u times its fan-in times its largest signal on the ball; the layers above magnify that by at most their
    gains, and the derivative by as much again. phi and phi' are good to 16 u of the size they can have.
    """
    a, found = network.architecture, signals(network, network.theta0)
    largest = max(float(np.abs(z).max()) for z in found.z) + radius * float(np.max(bounds.forward_drift)) + 1
    norms = [float(np.linalg.norm(a.weight(network.theta0, layer), 2)) for layer in range(1, a.layers + 1)]
    per_layer = zip(a.fan_in_scales, norms, strict=True)
    gains = math.prod(1 + max(network.slope, network.curvature, 1.0) * c * (norm + radius) for c, norm in per_layer)
    return 64 * UNIT * max(a.sizes) * a.layers * largest * gains * max(1.0, a.output_scale) * (1 + float(np.max(network.inputs**2)))
