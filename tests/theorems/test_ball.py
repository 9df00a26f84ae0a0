"""E1-E4: bounds of a network on a ball, attacked from inside the ball.

The network here is written anew, over batches of complex parameters, so that every derivative is a complex step: the imaginary
part of f(theta + i h v)/h is the derivative to the last digit. The attacks maximize over the ball by moving to theta0 + R g/|g|,
g the gradient, again and again. That climbs for nearly convex functions and is only a search; what it finds is evaluated.

One file of some length, because the attacks, the examples where bounds are attained and the check of the derivatives against high
precision all use the network written here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.network import Architecture
from theorems.activations import activation
from theorems.arithmetic import FLOAT
from theorems.ball import BallBounds, SignalsAtPoint, ball_bounds
from theorems.catalogue import theorem
from theorems.records import evaluate_expression
from verify.strategies import NetworkProblem, networks

EPS = np.finfo(np.float64).eps
STEP = 1e-30  # of the complex step: its square is below every rounding


@dataclass(frozen=True)
class Phi:
    """phi, phi' and phi'' on complex arrays, and sup|phi'|, sup|phi''| from calculus."""

    value: object
    first: object
    second: object
    slope: float
    curvature: float


def softplus(z):
    sign = np.where(z.real > 0, 1.0, -1.0)
    return np.log1p(np.exp(-sign * z)) + np.where(z.real > 0, z, 0.0)


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def bump(z):
    return np.exp(-(z**2) / 2)


def gauss(z):
    return 2 / math.sqrt(math.pi) * np.exp(-(z**2))


PHI = {
    "tanh": Phi(
        np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2), 1.0, 4 / (3 * math.sqrt(3))
    ),
    "sin": Phi(np.sin, np.cos, lambda z: -np.sin(z), 1.0, 1.0),
    "softplus": Phi(softplus, sigmoid, lambda z: (1 - np.tanh(z / 2) ** 2) / 4, 1.0, 0.25),
    "erf": Phi(scipy.special.erf, gauss, lambda z: -2 * z * gauss(z), 2 / math.sqrt(math.pi), 4 / math.sqrt(2 * math.pi * math.e)),
    "arctan": Phi(np.arctan, lambda z: 1 / (1 + z**2), lambda z: -2 * z / (1 + z**2) ** 2, 1.0, 3 * math.sqrt(3) / 8),
    "gaussian_bump": Phi(bump, lambda z: -z * bump(z), lambda z: (z**2 - 1) * bump(z), math.exp(-0.5), 1.0),
    "sigmoid": Phi(
        sigmoid,
        lambda z: (1 - np.tanh(z / 2) ** 2) / 4,
        lambda z: -np.tanh(z / 2) * (1 - np.tanh(z / 2) ** 2) / 4,
        0.25,
        math.sqrt(3) / 18,
    ),
}


class Network:
    """The network of a problem as a function of batches of parameters, shape (..., p)."""

    def __init__(self, problem: NetworkProblem, phi: Phi | None = None) -> None:
        a = problem.architecture
        self.sizes, self.layers, self.outputs = a.sizes, len(a.sizes) - 1, a.sizes[-1]
        self.c = [a.weight_scale / math.sqrt(size) for size in a.sizes[:-1]]
        self.sigma_b, self.alpha, self.trained = a.bias_scale, a.output_scale, a.trained
        self.phi = phi or PHI[problem.activation]
        self.theta, self.x, self.nu = problem.theta, problem.inputs.T, problem.sample_weights
        self.points = len(problem.inputs)
        position, self.weights, self.biases, moving = 0, [], [], []
        for rows, columns, moves in zip(a.sizes[1:], a.sizes[:-1], a.trained, strict=True):
            begin = position
            self.weights.append((slice(begin, begin + rows * columns), (rows, columns)))
            position += rows * columns
            self.biases.append(slice(position, position + rows) if a.bias_scale else None)
            position += rows if a.bias_scale else 0
            moving += list(range(begin, position)) if moves else []
        assert position == len(problem.theta)
        self.moving = np.array(moving)

    def layer(self, theta, index):
        place, shape = self.weights[index]
        bias = self.biases[index]
        return theta[..., place].reshape(*theta.shape[:-1], *shape), 0 if bias is None else theta[..., bias][..., None]

    def forward(self, theta):
        """z_1, ..., z_L and h_0, ..., h_{L-1}; each (..., m, n)."""
        h, zs, hs = self.x, [], []
        for index in range(self.layers):
            weight, bias = self.layer(theta, index)
            hs.append(h)
            zs.append(self.c[index] * (weight @ h) + self.sigma_b * bias)
            h = self.phi.value(zs[-1]) if index < self.layers - 1 else None
        return zs, hs

    def backward(self, theta):
        """eta_1, ..., eta_{L-1} and delta_1, ..., delta_L; each (..., m, n, k)."""
        zs, _ = self.forward(theta)
        shape = (*theta.shape[:-1], self.outputs, self.points, self.outputs)
        deltas, etas = [np.broadcast_to(np.eye(self.outputs)[:, None, :], shape)], []
        for index in range(self.layers - 2, -1, -1):
            weight, _ = self.layer(theta, index + 1)
            etas.insert(0, self.c[index + 1] * np.einsum("...ab,...anj->...bnj", weight, deltas[0]))
            deltas.insert(0, self.phi.first(zs[index])[..., None] * etas[0])
        return etas, deltas

    def output(self, theta):
        """f, weighted to L2(nu): (..., k, n)."""
        return self.alpha * self.forward(theta)[0][-1] * np.sqrt(self.nu)

    def steps(self, theta):
        """theta + i h e_j for every trained parameter j: (trained p, p)."""
        batch = np.tile(theta.astype(complex), (len(self.moving), 1))
        batch[np.arange(len(self.moving)), self.moving] += 1j * STEP
        return batch

    def jacobian(self, theta):
        """DF on the trained parameters, weighted: (k n, trained p)."""
        return self.output(self.steps(theta)).imag.reshape(len(self.moving), -1).T / STEP

    def jet(self, theta, u):
        """d^2 f [u, u] at theta, weighted: (..., k, n); u has all p entries and is zero on untrained ones."""
        h, dh, ddh = self.x, 0 * self.x, 0 * self.x
        for index in range(self.layers):
            (weight, bias), (dweight, dbias), c = self.layer(theta, index), self.layer(u, index), self.c[index]
            z = c * (weight @ h) + self.sigma_b * bias
            dz = c * (dweight @ h + weight @ dh) + self.sigma_b * dbias
            ddz = c * (2 * dweight @ dh + weight @ ddh)
            h, first = self.phi.value(z), self.phi.first(z)
            dh, ddh = first * dz, self.phi.second(z) * dz**2 + first * ddz
        return self.alpha * ddz * np.sqrt(self.nu)

    def hessian(self, theta, dual):
        """Second derivative of <dual, F> on the trained parameters: a complex step in the backward gradient; dual (k, n)."""
        batch = self.steps(theta)
        _, hs = self.forward(batch)
        _, deltas = self.backward(batch)
        seed = self.alpha * dual * np.sqrt(self.nu)
        parts = []
        for index in range(self.layers):
            if not self.trained[index]:
                continue
            signal = np.einsum("...anj,jn->...an", deltas[index], seed)
            below = np.broadcast_to(hs[index], (len(batch), *hs[index].shape[-2:]))
            parts.append((self.c[index] * np.einsum("ban,bcn->bac", signal, below)).reshape(len(batch), -1))
            if self.biases[index] is not None:
                parts.append(self.sigma_b * signal.sum(axis=-1))
        return np.concatenate(parts, axis=1).imag / STEP

    def embed(self, direction):
        full = np.zeros(len(self.theta))
        full[self.moving] = direction
        return full

    def signals(self) -> SignalsAtPoint:
        """What the recursion reads, from the definitions."""
        _, hs = self.forward(self.theta)
        etas, deltas = self.backward(self.theta)
        root = np.sqrt(self.nu)
        grams = [c**2 * h.T @ h + self.sigma_b**2 for c, h in zip(self.c, hs, strict=True)]

        def top(matrix):
            return math.sqrt(max(np.linalg.eigvalsh(matrix * np.outer(root, root))[-1], 0.0))

        return SignalsAtPoint(
            fan_in_scales=tuple(self.c),
            bias_scale=self.sigma_b,
            output_scale=self.alpha,
            trained=self.trained,
            slope=self.phi.slope,
            curvature=self.phi.curvature,
            operator_norms=np.array([np.linalg.norm(self.layer(self.theta, i)[0], 2) for i in range(self.layers)]),
            forward_norms=np.array([np.linalg.norm(h, axis=0) for h in hs]),
            gram_norms=np.array([top(gram) for gram in grams]),
            schur=top(grams[0] ** 2),
            backward_sup=np.array([np.linalg.norm(eta, axis=2).max(axis=0) for eta in etas]),
            backward_norms=np.array([operator_norms(delta) for delta in deltas]),
        )


def operator_norms(panel):
    """Operator norms of (m, n, k) over the points: (n,)."""
    return np.linalg.norm(panel.transpose(1, 0, 2), 2, axis=(1, 2))


# --- Attacks. A measured quantity is a function of theta with its bound; a probe freezes its dual vectors to have a gradient. ---


def probes(network: Network):
    """(name, layer, point) of everything that E1 and E3 bound."""
    for point in range(network.points):
        for layer in range(network.layers):
            yield "forward", layer, point
            if layer < network.layers - 1:
                for name in ("backward", "sup", "norm"):
                    yield name, layer, point


def measured(network: Network, name: str, layer: int, point: int, theta):
    """The quantity at theta and a linear functional of the signals at theta that touches it there."""
    if name == "forward":
        z0 = network.forward(network.theta)[0][layer][:, point]
        change = network.forward(theta)[0][layer][:, point] - z0
        norm = np.linalg.norm(change)
        dual = change / norm if norm > 0 else np.ones_like(change)
        return norm, lambda batch: np.einsum("a,ba->b", dual, network.forward(batch)[0][layer][..., point])
    place = 0 if name in ("backward", "sup") else 1
    panel = network.backward(theta)[place][layer][:, point]
    if name == "backward":
        panel = panel - network.backward(network.theta)[place][layer][:, point]
    if name == "sup":
        columns = np.linalg.norm(panel, axis=1)
        left = (np.arange(len(panel)) == np.argmax(columns)).astype(float)
        norm, right = columns.max(), panel[np.argmax(columns)] / max(columns.max(), 1e-300)
    else:
        lefts, singular, rights = np.linalg.svd(panel)
        left, norm, right = lefts[:, 0], singular[0], rights[0]
    return norm, lambda batch: np.einsum("a,baj,j->b", left, network.backward(batch)[place][layer][..., point, :], right)


def bound_of(bounds: BallBounds, radius: float, name: str, layer: int, point: int) -> float:
    rows = {
        "forward": radius * bounds.forward_drift,
        "backward": bounds.backward_drift,
        "sup": bounds.backward_sup,
        "norm": bounds.backward_norms,
    }
    return float(rows[name][layer][point])


def climb(network: Network, radius: float, probe, start, iterations: int) -> float:
    """The largest value of a probe met on the way from ``start``, a direction in the trained parameters."""
    direction, best = start / np.linalg.norm(start), 0.0
    for _ in range(iterations):
        theta = network.theta + radius * network.embed(direction)
        value, functional = measured(network, *probe, theta)
        best = max(best, value)
        gradient = functional(network.steps(theta)).imag / STEP
        if not np.linalg.norm(gradient) > 0:
            break
        direction = gradient / np.linalg.norm(gradient)
    return best


def curvature_attack(network: Network, radius: float, generator, iterations: int):
    """Points of the ball with directions u, |u| = 1, climbing in |D^2 F(theta)[u, u]|: yields (theta, u, value)."""
    count = len(network.moving)
    direction = generator.standard_normal(count)
    theta = network.theta + radius * generator.uniform() * network.embed(direction / np.linalg.norm(direction))
    dual = generator.standard_normal((network.outputs, network.points))
    for _ in range(iterations):
        for _ in range(3):  # alternate between the dual vector and the direction
            values, vectors = np.linalg.eigh(network.hessian(theta, dual))
            u = network.embed(vectors[:, np.argmax(np.abs(values))])
            curved = network.jet(theta, u)
            value = np.linalg.norm(curved)
            if not value > 0:
                return
            dual = curved / value
        yield theta, u, value
        batch = network.steps(theta)
        gradient = np.einsum("kn,bkn->b", dual, network.jet(batch, u)).imag / STEP
        if not np.linalg.norm(gradient) > 0:
            return
        theta = network.theta + radius * network.embed(gradient / np.linalg.norm(gradient))


def rounding(network: Network, bounds: BallBounds, radius: float) -> float:
    """The absolute rounding error of what is measured: each layer errs by a few u times its fan-in times its largest signal on
    the ball, and the layers above amplify that by at most their operator norms."""
    zs, _ = network.forward(network.theta)
    signal = max(np.abs(z).max() for z in zs) + radius * bounds.forward_drift.max() + 1
    norms = network.signals().operator_norms
    gains = np.prod([1 + network.phi.slope * c * (norm + radius) for c, norm in zip(network.c, norms, strict=True)])
    return float(64 * EPS * max(network.sizes) * network.layers * signal * gains)


def check_signals(network: Network, radius: float, generator, probes_tried: int | None, iterations: int) -> float:
    """Attack E1 and E3; returns the largest ratio of a measured value to its bound."""
    bounds = ball_bounds(network.signals(), radius, FLOAT)
    absolute = rounding(network, bounds, radius)
    chosen = list(probes(network))
    if probes_tried is not None and len(chosen) > probes_tried:
        chosen = [chosen[i] for i in generator.choice(len(chosen), probes_tried, replace=False)]
    largest = 0.0
    for probe in chosen:
        value = climb(network, radius, probe, generator.standard_normal(len(network.moving)), iterations)
        bound = bound_of(bounds, radius, *probe)
        assert value <= bound * (1 + 1e-12) + absolute, (probe, value, bound)
        largest = max(largest, value / bound) if bound > 1e6 * absolute else largest
    return largest


def check_curvature(network: Network, radius: float, generator, iterations: int) -> float:
    """Attack beta by second derivatives and by differences of Jacobians; returns the largest ratio to beta."""
    bounds = ball_bounds(network.signals(), radius, FLOAT)
    absolute, largest = rounding(network, bounds, radius) * (1 + bounds.beta), 0.0
    for theta, u, value in curvature_attack(network, radius, generator, iterations):
        assert value <= bounds.beta * (1 + 1e-12) + absolute, (value, bounds.beta)
        largest = max(largest, value / bounds.beta)
        # The pair along u with both ends in the ball, and a pair of random points.
        inward = theta - network.theta
        room = -(inward @ u) + np.array([-1, 1]) * math.sqrt(max((inward @ u) ** 2 + radius**2 - inward @ inward, 0.0))
        ends = [theta + t * u for t in room]
        for one, other in (ends, (theta, network.theta), (theta, ends[0])):
            distance = np.linalg.norm(one - other)
            change = np.linalg.norm(network.jacobian(one) - network.jacobian(other), 2)
            size = np.linalg.norm(network.jacobian(one), 2)
            assert change <= bounds.beta * distance * (1 + 1e-12) + absolute * (1 + size), (change, bounds.beta * distance)
    return largest


RADII = st.floats(-2.0, 0.7).map(lambda exponent: 10.0**exponent)
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=80)
@given(problem=networks(sorted(PHI)), radius=RADII, seed=SEEDS)
def test_forward_and_backward_signals_stay_within_their_bounds(problem, radius, seed) -> None:
    check_signals(Network(problem), radius, np.random.default_rng(seed), probes_tried=10, iterations=4)


@settings(max_examples=25)
@given(problem=networks(sorted(PHI)), radius=RADII, seed=SEEDS)
def test_the_derivative_stays_within_its_lipschitz_constant(problem, radius, seed) -> None:
    check_curvature(Network(problem), radius, np.random.default_rng(seed), iterations=3)


@pytest.mark.validate
@settings(max_examples=800)
@given(problem=networks(sorted(PHI)), radius=RADII, seed=SEEDS)
def test_signals_and_derivatives_many_times(problem, radius, seed) -> None:
    generator = np.random.default_rng(seed)
    check_signals(Network(problem), radius, generator, probes_tried=None, iterations=8)
    check_curvature(Network(problem), radius, generator, iterations=12)


DRIFT = theorem("E")


@settings(max_examples=25)
@given(problem=networks(sorted(PHI)), radius=RADII, seed=SEEDS)
def test_the_claims_of_the_drift_theorem(problem, radius, seed) -> None:
    """E-forward, E-jacobian, C1 and E-kernel of the record, at the end of an attack and at a random point of the ball."""
    network, generator = Network(problem), np.random.default_rng(seed)
    bounds = ball_bounds(network.signals(), radius, FLOAT)
    jacobian0 = network.jacobian(network.theta)
    spectrum = np.linalg.svd(jacobian0, compute_uv=False)
    full_rank = jacobian0.shape[0] <= jacobian0.shape[1]
    sigma0 = spectrum[-1] if full_rank else 0.0
    found = [theta for theta, _, _ in curvature_attack(network, radius, generator, 2)]
    direction = network.embed(generator.standard_normal(len(network.moving)))
    found.append(network.theta + radius * generator.uniform() * direction / np.linalg.norm(direction))
    z0 = network.forward(network.theta)[0]
    for theta in found:
        jacobian = network.jacobian(theta)
        drift = np.array([np.linalg.norm(z - first, axis=0) for z, first in zip(network.forward(theta)[0], z0, strict=True)])
        moved = bounds.forward_drift > 0
        length = float(np.linalg.norm(theta - network.theta))
        lambda_min = np.linalg.svd(jacobian, compute_uv=False)[-1] ** 2 if full_rank else 0.0
        values = {
            "rho": length,
            "beta": float(bounds.beta),
            "Lambda": (spectrum[0] + bounds.beta * radius) ** 2,
            "lambda_floor": max(sigma0 - bounds.beta * length, 0.0) ** 2,
            "forward_ratio": float(np.max(drift[moved] / bounds.forward_drift[moved])),
            "jacobian_drift": np.linalg.norm(jacobian - jacobian0, 2),
            "kernel_drift": np.linalg.norm(jacobian @ jacobian.T - jacobian0 @ jacobian0.T, 2),
            "lambda_min_k": lambda_min,
        }
        absolute = rounding(network, bounds, radius) * (1 + spectrum[0] + bounds.beta * radius) ** 2
        absolute += absolute / np.min(bounds.forward_drift[moved])
        for claim in DRIFT.claims:
            left, right = (evaluate_expression(side, values, FLOAT) for side in (claim.measured, claim.bound))
            small, large = (right, left) if claim.lower else (left, right)
            assert small <= large * (1 + 1e-12) + absolute, (claim.id, left, right)
        assert np.all(drift[~moved] <= absolute)
        assert np.linalg.norm(jacobian, 2) ** 2 <= values["Lambda"] * (1 + 1e-12) + absolute


# --- Tightness ---


def problem_with(sizes, trained, theta, inputs, bias_scale=0.0, activation="softplus") -> NetworkProblem:
    architecture = Architecture(sizes, 1.0, bias_scale, 1.0, trained)
    weights = np.full(len(inputs), 1 / len(inputs))
    return NetworkProblem(architecture, activation, np.asarray(theta, dtype=float), np.asarray(inputs, dtype=float), weights)


def test_one_hidden_layer_attains_the_schur_constant() -> None:
    """Softplus at z = 0, orthonormal inputs, output signs, T = {1}: D^2 F(theta0)[u, u] for u along one neuron and one input has
    norm alpha c_2 (1/4) lambda_max((G o G)/n)^{1/2} exactly, at every radius."""
    points = width = 4
    signs = np.array([1.0, -1.0, 1.0, 1.0])
    theta = np.concatenate([np.zeros(width * points), signs])
    network = Network(problem_with((points, width, 1), (True, False), theta, np.eye(points)))
    u = network.embed(np.eye(width * points)[0])
    for radius in (0.0, 1.0, 100.0):
        assert np.linalg.norm(network.jet(network.theta, u)) == pytest.approx(
            ball_bounds(network.signals(), radius, FLOAT).beta, rel=16 * EPS
        )


@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_a_chain_attains_beta_at_every_depth(layers) -> None:
    """phi(s) = a s + log cosh s has |phi'| <= a + 1, |phi''| <= 1; at s = 0 they are a and 1. With one neuron per layer, W_1 = 0,
    b = 0 and W_l > 0, every z_l vanishes, all terms of D^2 F have one sign, and the ratio to beta on B(0) tends to 1 as a grows."""
    a = 1e6
    phi = Phi(
        lambda z: a * z + softplus(2 * z) - z - math.log(2),
        lambda z: a + np.tanh(z),
        lambda z: 1 - np.tanh(z) ** 2,
        a + 1,
        1.0,
    )
    # phi(0) = 0, so h_l = 0 and z_l = 0 throughout: only the biases carry p_l.
    theta = np.ravel([[0.0 if layer == 0 else 1.0, 0.0] for layer in range(layers)])
    problem = problem_with((1,) * (layers + 1), (True,) * layers, theta, [[0.7]], bias_scale=1.0)
    network = Network(problem, phi)
    beta = ball_bounds(network.signals(), 0.0, FLOAT).beta
    value = max(value for _, _, value in curvature_attack(network, 0.0, np.random.default_rng(0), 2))
    assert 1 - 10 * layers / a <= value / beta <= 1 + 1e-9


def test_forward_and_backward_drift_are_attained() -> None:
    """E1: sin at z_1 = 0, W_2 large against R; E3 at l = L - 1: W_2 moves by a matrix of rank one."""
    radius = 1e-4
    network = Network(problem_with((1, 1, 1), (True, True), [0.0, 1.0], [[1.3]], activation="sin"))
    generator = np.random.default_rng(1)
    bounds = ball_bounds(network.signals(), radius, FLOAT)
    for probe in (("forward", 0, 0), ("forward", 1, 0), ("backward", 0, 0), ("sup", 0, 0)):
        value = max(climb(network, radius, probe, generator.standard_normal(2), 8) for _ in range(4))
        assert 1 - 3 * radius <= value / bound_of(bounds, radius, *probe) <= 1 + 1e-9


def test_the_jacobian_and_the_kernel_drift_as_far_as_claimed() -> None:
    """One softplus neuron at z = 0, the maximum of phi'': |DF - DF_0| and |K - K_0| come up to their bounds as rho -> 0."""
    radius = 1e-3
    network = Network(problem_with((1, 1, 1), (True, False), [0.0, 1.0], [[1.3]]))
    beta = ball_bounds(network.signals(), radius, FLOAT).beta
    before, after = (network.jacobian(network.theta + move) for move in (0, radius * network.embed([1.0])))
    values = {"rho": radius, "beta": beta, "Lambda": (np.linalg.norm(before, 2) + beta * radius) ** 2}
    drifts = {"jacobian_drift": abs((after - before).item()), "kernel_drift": abs((after**2 - before**2).item())}
    for claim in DRIFT.claims:
        if str(claim.measured) in drifts:
            bound = evaluate_expression(claim.bound, values, FLOAT)
            assert (1 - 2 * radius) * bound <= drifts[str(claim.measured)] <= bound * (1 + 1e-9), claim.id


def test_the_attack_comes_near_the_bounds_of_random_networks() -> None:
    """Two layers at random: the attack reaches more than half of beta, so it is an attack. Recorded: 0.5-0.9."""
    generator = np.random.default_rng(3)
    ratios = []
    for _ in range(5):
        theta = generator.standard_normal(3 * 4 + 4)
        network = Network(problem_with((3, 4, 1), (True, False), theta, generator.standard_normal((3, 3)), activation="sin"))
        ratios.append(max(check_curvature(network, 1.0, generator, iterations=6) for _ in range(4)))
    assert max(ratios) > 0.8
    assert min(ratios) > 0.4


# --- The measuring side against high precision, and the constants of the activations ---


@pytest.mark.parametrize("name", sorted(PHI))
def test_the_derivatives_used_here_agree_with_high_precision(name) -> None:
    """First and second derivatives of F along a direction by 60-digit differences of a network written in mpmath."""
    generator = np.random.default_rng(5)
    architecture = Architecture((2, 3, 2, 2), 1.5, 0.3, 0.7, (True, True, True))
    weights = np.array([0.25, 0.75])
    theta, inputs = generator.standard_normal(architecture.parameters), generator.standard_normal((2, 2))
    network = Network(NetworkProblem(architecture, name, theta, inputs, weights))
    u = generator.standard_normal(architecture.parameters)
    context = mpmath.MPContext()
    context.dps = 60
    functions = {
        "tanh": context.tanh,
        "sin": context.sin,
        "softplus": lambda z: context.log(1 + context.exp(z)),
        "erf": context.erf,
        "arctan": context.atan,
        "gaussian_bump": lambda z: context.exp(-(z**2) / 2),
        "sigmoid": lambda z: 1 / (1 + context.exp(-z)),
    }

    def precise(t):
        parameters, outputs = [context.mpf(float(a)) + t * context.mpf(float(b)) for a, b in zip(theta, u, strict=True)], []
        for x, weight in zip(inputs, weights, strict=True):
            h, position = [context.mpf(float(value)) for value in x], 0
            for index, rows in enumerate(architecture.sizes[1:]):
                columns, scale = len(h), context.mpf(1.5) / context.sqrt(len(h))
                matrix = [parameters[position + row * columns : position + (row + 1) * columns] for row in range(rows)]
                position += rows * columns
                bias = parameters[position : position + rows]
                position += rows
                z = [scale * context.fdot(line, h) + context.mpf(0.3) * b for line, b in zip(matrix, bias, strict=True)]
                h = [functions[name](value) for value in z] if index < architecture.layers - 1 else z
            outputs.append([context.mpf(0.7) * value * context.sqrt(context.mpf(float(weight))) for value in h])
        return outputs

    step = context.mpf(10) ** -20
    plus, middle, minus = precise(step), precise(0), precise(-step)
    jacobian = (network.jacobian(theta) @ u).reshape(2, 2)
    curved = network.jet(theta, u)
    hessian = network.hessian(theta, np.eye(2)[:, :2])
    for point in range(2):
        for output in range(2):
            first = (plus[point][output] - minus[point][output]) / (2 * step)
            second = (plus[point][output] - 2 * middle[point][output] + minus[point][output]) / step**2
            assert jacobian[output, point] == pytest.approx(float(first), rel=1e-11, abs=1e-12)
            assert curved[output, point] == pytest.approx(float(second), rel=1e-11, abs=1e-12)
    assert u @ hessian @ u == pytest.approx(curved[0, 0] + curved[1, 1], rel=1e-11)


@pytest.mark.parametrize("name", sorted(PHI))
def test_the_catalogue_encloses_the_constants_of_calculus(name) -> None:
    record = activation(name)
    for enclosure, value in ((record.slope_bound(), PHI[name].slope), (record.curvature_bound(), PHI[name].curvature)):
        assert float(enclosure.lower) * (1 - 4 * EPS) <= value <= float(enclosure.upper) * (1 + 4 * EPS)
        assert float(enclosure.upper) <= value * (1 + 1e-6)
