"""The search for the second derivative, first derivatives and backward drifts, against closed forms and dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from numerics.activations import builtin_activation
from numerics.ball_measured import backward_drift, first_derivative_norm
from numerics.curvature import SecondDerivative, largest_curvature
from numerics.errors import NumericsError
from numerics.network import Architecture, initialize
from numerics.signals import panels

TANH = builtin_activation("tanh")


def form_of(architecture: Architecture, theta: np.ndarray, inputs: np.ndarray, difference: float = 2.0**-10) -> SecondDerivative:
    weights = np.full(len(inputs), 1 / len(inputs))
    return SecondDerivative(architecture, TANH, theta, inputs, weights, difference)


def outputs(architecture: Architecture, theta: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """f by the defining equations, (n, k)."""
    h = z = inputs.T
    for layer in range(1, architecture.layers + 1):
        z = architecture.fan_in_scales[layer - 1] * architecture.weight(theta, layer) @ h
        z = z + architecture.bias_scale * architecture.bias(theta, layer)[:, None]
        h = np.tanh(z)
    return np.asarray(architecture.output_scale * z.T)


def test_one_neuron_per_point_in_closed_form() -> None:
    """T = {1}, one point: D^2 f is block diagonal over neurons; its norm is max_j |a_j phi''(z_j)| c_2 c_1^2 |x|^2."""
    generator = np.random.default_rng(1)
    architecture = Architecture((5, 40, 1), 1.0, 0.0, 1.5, (True, False))
    theta, x = initialize(architecture, "gaussian", 7), generator.standard_normal((1, 5))
    c1, c2 = architecture.fan_in_scales
    t = np.tanh(c1 * architecture.weight(theta, 1) @ x[0])
    second = -2 * t * (1 - t**2)
    exact = 1.5 * c2 * c1**2 * float(x[0] @ x[0]) * np.abs(architecture.weight(theta, 2)[0] * second).max()
    starts = tuple(generator.standard_normal((3, len(theta))))
    found = largest_curvature(form_of(architecture, theta, x), starts, 200)
    assert found.value <= exact * (1 + 1e-5)
    assert found.value >= 0.95 * exact  # power iteration ends where a round gains 1e-3
    assert found.error <= 1e-5 * exact
    assert not architecture.layer(found.first, 2).any()


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_products_with_the_second_derivative(bias) -> None:
    """Against second differences of the outputs themselves, and adjointness <D^2F[v, w], u> = <H_u v, w>."""
    generator = np.random.default_rng(2)
    architecture = Architecture((3, 6, 5, 2), 1.0, bias, 0.8, (True, True, True))
    theta, inputs = initialize(architecture, "gaussian", 3), generator.standard_normal((4, 3))
    form = form_of(architecture, theta, inputs)
    v, w = (one / np.linalg.norm(one) for one in generator.standard_normal((2, len(theta))))
    h = 1e-3
    corners = [outputs(architecture, theta + h * (a * v + b * w), inputs) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    expected = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h**2)
    assert form.along(v, w) == pytest.approx(expected, abs=1e-6)
    u = generator.standard_normal((4, 2))
    left = float(np.einsum("i,io,io->", form.sample_weights, form.along(v, w), u))
    assert float(form.hessian_vector(u, v) @ w) == pytest.approx(left, rel=1e-5)


def test_no_direction_of_many_beats_the_search() -> None:
    generator = np.random.default_rng(4)
    architecture = Architecture((3, 4, 4, 1), 1.0, 0.5, 1.0, (True, False, True))
    theta, inputs = initialize(architecture, "gaussian", 5), generator.standard_normal((3, 3))
    form = form_of(architecture, theta, inputs)
    found = largest_curvature(form, tuple(generator.standard_normal((4, len(theta)))), 100)
    trained = np.ones_like(theta)
    architecture.layer(trained, 2)[...] = 0
    for v, w in generator.standard_normal((100, 2, len(theta))) * trained:
        assert form.norm(form.along(v / np.linalg.norm(v), w / np.linalg.norm(w))) <= found.value * (1 + 1e-6)
    again = largest_curvature(form, (found.first,), 50)
    assert again.value == pytest.approx(found.value, rel=1e-2)


def test_a_search_needs_a_start_and_a_step() -> None:
    architecture = Architecture((2, 3, 1), 1.0, 0.0, 1.0, (True, True))
    theta, inputs = initialize(architecture, "gaussian", 0), np.ones((1, 2))
    with pytest.raises(NumericsError, match="0 starts"):
        largest_curvature(form_of(architecture, theta, inputs), (), 3)
    with pytest.raises(NumericsError, match="difference"):
        form_of(architecture, theta, inputs, 0.0)


@pytest.mark.parametrize("trained", [(True, True, True), (False, True, False), (True, False, True)])
def test_first_derivative_against_the_dense_jacobian(trained) -> None:
    generator = np.random.default_rng(6)
    architecture = Architecture((3, 5, 4, 2), 1.2, 0.6, 1.0, trained)
    theta, x = initialize(architecture, "gaussian", 1), generator.standard_normal(3)

    def z(parameters: np.ndarray, layer: int) -> np.ndarray:
        h = x
        for index in range(1, layer + 1):
            value = architecture.fan_in_scales[index - 1] * architecture.weight(parameters, index) @ h
            value = value + 0.6 * architecture.bias(parameters, index)
            h = np.tanh(value)
        return np.asarray(value)

    moving = np.zeros(len(theta), dtype=bool)
    for layer in range(1, 4):
        architecture.layer(moving, layer)[...] = trained[layer - 1]
    step = 1e-6
    for layer in range(1, 4):
        columns = [
            (z(theta + step * unit, layer) - z(theta - step * unit, layer)) / (2 * step) for unit in np.eye(len(theta))[moving]
        ]
        exact = np.linalg.norm(np.array(columns), 2)
        found = first_derivative_norm(architecture, TANH, theta, x, layer)
        assert found == pytest.approx(exact, rel=1e-4)


def test_backward_drift_by_definition() -> None:
    generator = np.random.default_rng(8)
    architecture = Architecture((3, 5, 4, 2), 1.0, 0.0, 1.0, (True, True, True))
    theta, inputs = initialize(architecture, "gaussian", 1), generator.standard_normal((3, 3))
    other = theta + 0.1 * generator.standard_normal(len(theta))

    def delta(parameters: np.ndarray) -> dict[int, np.ndarray]:
        return {panel.layer: panel.delta for panel in panels(architecture, TANH, parameters, inputs)}

    found, here, there = backward_drift(architecture, TANH, other, theta, inputs), delta(other), delta(theta)
    for layer in (1, 2):
        exact = [np.linalg.norm(here[layer][:, i, :] - there[layer][:, i, :], 2) for i in range(3)]
        assert found[layer - 1] == pytest.approx(exact, rel=1e-12)
