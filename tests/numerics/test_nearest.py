"""Products with the Jacobian against explicit Jacobians; the nearest optimum against sequential quadratic programming."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from numerics.activations import builtin_activation
from numerics.errors import NumericsError
from numerics.jacobian_products import jacobian_vector, outputs_and_kernel, vector_jacobian
from numerics.kernels import tangent_kernel
from numerics.nearest import function_norm, nearest_optimum, solve_kernel
from numerics.network import Architecture, initialize
from tests.numerics.test_kernels import ARCHITECTURES, explicit_jacobian, tolerance, weights

TANH = builtin_activation("tanh")


def drawn(architecture: Architecture, points: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inputs = np.random.default_rng(6).standard_normal((points, architecture.sizes[0]))
    return initialize(architecture, "gaussian", 5), inputs, weights(points)


def moving(architecture: Architecture, theta: np.ndarray) -> np.ndarray:
    """Which parameters are trained."""
    layers = range(1, architecture.layers + 1)
    return np.concatenate([np.full(len(architecture.layer(theta, i)), architecture.trained[i - 1]) for i in layers])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_products_are_those_with_the_jacobian(architecture: Architecture) -> None:
    theta, inputs, nu = drawn(architecture)
    jacobian, trained = explicit_jacobian(architecture, "tanh", theta, inputs), moving(architecture, theta)
    rng = np.random.default_rng(1)
    v, u = rng.standard_normal(len(theta)), rng.standard_normal((5, architecture.outputs))
    atol = tolerance(architecture, float(np.linalg.norm(jacobian)) * max(float(np.linalg.norm(v)), float(np.linalg.norm(u))))
    found = jacobian_vector(architecture, TANH, theta, inputs, v)
    np.testing.assert_allclose(found.ravel(), jacobian @ v[trained], rtol=0, atol=atol)
    back = vector_jacobian(architecture, TANH, theta, inputs, nu, u)
    np.testing.assert_allclose(back[trained], jacobian.T @ (nu[:, None] * u).ravel(), rtol=0, atol=atol)
    assert not back[~trained].any()
    np.testing.assert_array_equal(outputs_and_kernel(architecture, TANH, theta, inputs, nu)[1], tangent_kernel(
        architecture, TANH, theta, inputs, nu))  # fmt: skip


def test_products_in_several_panels_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = Architecture((3, 200, 150, 2), 1.1, 0.3, 1.0, (True, True, True))
    theta, inputs, nu = drawn(architecture)
    rng = np.random.default_rng(1)
    v, u = rng.standard_normal(len(theta)), rng.standard_normal((5, 2))
    whole = jacobian_vector(architecture, TANH, theta, inputs, v), vector_jacobian(architecture, TANH, theta, inputs, nu, u)
    monkeypatch.setattr("numerics.signals.panel_rows", lambda architecture, points: 64)
    parts = jacobian_vector(architecture, TANH, theta, inputs, v), vector_jacobian(architecture, TANH, theta, inputs, nu, u)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13 * float(np.abs(one).max()) * 10)


def test_a_system_with_the_kernel_is_solved_in_function_space() -> None:
    """DF DF^* w = u, with the products themselves for DF and DF^*."""
    architecture = Architecture((3, 30, 2), 1.0, 0.2, 1.3, (True, True))
    theta, inputs, nu = drawn(architecture, 4)
    u = np.random.default_rng(2).standard_normal((4, 2))
    w = solve_kernel(tangent_kernel(architecture, TANH, theta, inputs, nu), u, nu)
    again = jacobian_vector(architecture, TANH, theta, inputs, vector_jacobian(architecture, TANH, theta, inputs, nu, w))
    np.testing.assert_allclose(again, u, rtol=1e-9)
    with pytest.raises(NumericsError, match="positive definite"):
        solve_kernel(-np.eye(8), u, nu)


@pytest.mark.parametrize("trained", [(True, True), (True, False), (False, True)])
def test_the_nearest_optimum_is_what_another_optimizer_finds(trained: tuple[bool, bool]) -> None:
    """Sequential quadratic programming on |theta - theta0|^2 subject to f = goal, with explicit Jacobians."""
    architecture = Architecture((2, 9, 1), 1.0, 0.3, 1.5, trained)
    theta0, inputs, nu = drawn(architecture, 3)
    free = moving(architecture, theta0)
    start = outputs_and_kernel(architecture, TANH, theta0, inputs, nu)[0]
    goal = start + 0.2 * np.array([[1.0], [-1.0], [0.5]])
    found = nearest_optimum(architecture, TANH, theta0, inputs, nu, goal)
    assert found.reached
    assert found.residual <= 1e-12
    assert found.stationarity <= 1e-12

    def full(x: np.ndarray) -> np.ndarray:
        theta = theta0.copy()
        theta[free] += x
        return theta

    other = scipy.optimize.minimize(
        lambda x: float(x @ x) / 2,
        np.zeros(int(free.sum())),
        jac=lambda x: x,
        constraints={
            "type": "eq",
            "fun": lambda x: (outputs_and_kernel(architecture, TANH, full(x), inputs, nu)[0] - goal).ravel(),
            "jac": lambda x: explicit_jacobian(architecture, "tanh", full(x), inputs),
        },
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 400},
    )
    assert other.success
    np.testing.assert_allclose(found.theta[free] - theta0[free], other.x, rtol=0, atol=1e-6 * float(np.linalg.norm(other.x)))
    assert found.distance == pytest.approx(float(np.linalg.norm(other.x)), rel=1e-9)
    again = nearest_optimum(architecture, TANH, theta0, inputs, nu, goal, initial=full(other.x))
    np.testing.assert_allclose(again.theta, found.theta, rtol=0, atol=1e-11)


def test_for_a_linear_network_it_is_the_pseudoinverse() -> None:
    architecture = Architecture((7, 2), 1.1, 0.4, 1.3, (True,))
    theta0, inputs, nu = drawn(architecture, 3)
    jacobian = explicit_jacobian(architecture, "tanh", theta0, inputs)
    e = np.random.default_rng(3).standard_normal((3, 2))
    goal = outputs_and_kernel(architecture, TANH, theta0, inputs, nu)[0] - e
    found = nearest_optimum(architecture, TANH, theta0, inputs, nu, goal)
    expected = theta0 - np.linalg.pinv(jacobian) @ e.ravel()
    np.testing.assert_allclose(found.theta, expected, rtol=0, atol=1e-13 * float(np.linalg.norm(expected)) * 10)
    assert found.reached
    moved = (jacobian @ (found.theta - theta0)).reshape(e.shape)
    kernel = tangent_kernel(architecture, TANH, theta0, inputs, nu)
    np.testing.assert_allclose(found.multipliers, solve_kernel(kernel, moved, nu), rtol=1e-10)
    assert found.multiplier_norm == pytest.approx(function_norm(found.multipliers, nu))


def test_a_goal_out_of_reach_is_not_reached() -> None:
    """|tanh| < 1: with the first layer trained alone the output is bounded by |W_2|_1/sqrt(m)."""
    architecture = Architecture((2, 4, 1), 1.0, 0.0, 1.0, (True, False))
    theta0, inputs, nu = drawn(architecture, 2)
    bound = float(np.abs(architecture.weight(theta0, 2)).sum()) / 2
    try:
        found = nearest_optimum(architecture, TANH, theta0, inputs, nu, np.full((2, 1), 1.5 * bound))
    except NumericsError as error:
        assert "positive definite" in str(error)  # noqa: PT017
    else:
        assert not found.reached


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"goal": np.zeros((4, 1))}, r"goal must have shape \(3, 1\)"),
        ({"initial": np.ones(36)}, r"must agree with reference in layer 2, which is not trained"),
        ({"inputs": np.full((3, 2), np.nan)}, "not finite"),
        ({"reference": np.zeros(5)}, "theta must be float64 of shape"),
    ],
)
def test_wrong_arguments_are_named(changed: dict, match: str) -> None:
    architecture = Architecture((2, 9, 1), 1.0, 0.3, 1.0, (True, False))
    theta0, inputs, nu = drawn(architecture, 3)
    given = {"reference": theta0, "inputs": inputs, "sample_weights": nu, "goal": np.zeros((3, 1)), "initial": None} | changed
    with pytest.raises(NumericsError, match=match):
        nearest_optimum(architecture, TANH, **given)


def test_products_refuse_wrong_shapes() -> None:
    architecture = Architecture((2, 9, 1), 1.0, 0.0, 1.0, (True, True))
    theta0, inputs, nu = drawn(architecture, 3)
    with pytest.raises(NumericsError, match=r"direction must be float64 of shape \(27,\)"):
        jacobian_vector(architecture, TANH, theta0, inputs, np.zeros(3))
    with pytest.raises(NumericsError, match=r"function must be float64 of shape \(3, 1\)"):
        vector_jacobian(architecture, TANH, theta0, inputs, nu, np.zeros((3, 2)))
    with pytest.raises(NumericsError, match="function has entries that are not finite"):
        vector_jacobian(architecture, TANH, theta0, inputs, nu, np.full((3, 1), np.inf))
