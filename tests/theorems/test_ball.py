"""E1-E4: bounds of a network on a ball, attacked from inside the ball.

The network is that of ``complex_networks``. The attacks maximize over the ball by moving to theta0 + R g/|g|, g the gradient, again
and again. That climbs for nearly convex functions and is only a search; what it finds is evaluated.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.network import Architecture
from tests.theorems.complex_networks import EPS, PHI, STEP, Network, Phi, softplus
from theorems.arithmetic import FLOAT
from theorems.ball import BallBounds, ball_bounds
from theorems.catalogue import theorem
from theorems.records import evaluate_expression
from verify.strategies import NetworkProblem, networks

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
