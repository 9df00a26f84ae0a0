"""The linearized run against gradient descent made step by step, and in many digits; weight changes from their definition."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp

from numerics.errors import NumericsError
from numerics.linearized import (
    linearized_distance,
    linearized_residual,
    linearized_residual_error,
    linearized_run,
    weight_change,
)
from numerics.network import Architecture

N, K, P = 3, 2, 9


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (weighted: nk x P), e_0 (n, k), nu."""
    rng = np.random.default_rng(seed)
    nu = rng.dirichlet(np.ones(N))
    return rng.standard_normal((N * K, P)), rng.standard_normal((N, K)), nu


@pytest.mark.parametrize("share", [0.3, 1.0, 1.7])
def test_it_is_gradient_descent_on_the_linear_model(share: float) -> None:
    """Also with steps beyond 1/lambda_max, where the largest modes change sign at every step."""
    a, e, nu = problem()
    kernel = a @ a.T
    step = share / float(np.linalg.eigvalsh(kernel)[-1])
    run = linearized_run(kernel, e, nu, step)
    roots = np.sqrt(nu)[:, None]
    theta, flat = np.zeros(P), (roots * e).ravel()
    for k in range(60):
        np.testing.assert_allclose(linearized_residual(run, k), (flat + a @ theta).reshape(N, K) / roots, rtol=0, atol=1e-13)
        assert linearized_distance(run, k) == pytest.approx(float(np.linalg.norm(theta)), rel=1e-9, abs=1e-14)
        theta = theta - step * a.T @ (flat + a @ theta)
    limit = float(np.linalg.norm(np.linalg.pinv(a) @ flat))
    assert linearized_distance(run, None) == pytest.approx(limit, rel=1e-10)
    assert linearized_distance(run, 10**7) == pytest.approx(limit, rel=1e-10)


@pytest.mark.parametrize("steps", [0, 1, 7, 300, 20000])
def test_the_error_bound_holds_in_many_digits(steps: int) -> None:
    a, e, nu = problem(4)
    a[0] = a[1] + 0.02 * a[0]  # a small eigenvalue, so that something is left after many steps
    kernel = a @ a.T
    kernel = (kernel + kernel.T) / 2
    step = 0.9 / float(np.linalg.eigvalsh(kernel)[-1])
    run = linearized_run(kernel, e, nu, step)
    found = linearized_residual(run, steps)
    with mp.workdps(60):
        matrix = mp.eye(N * K) - mp.mpf(step) * mp.matrix(kernel.tolist())
        roots = [mp.sqrt(mp.mpf(float(x))) for x in np.repeat(nu, K)]
        start = mp.matrix([r * mp.mpf(float(x)) for r, x in zip(roots, e.ravel(), strict=True)])
        exact = matrix**steps * start
        off = mp.sqrt(sum((roots[i] * mp.mpf(float(x)) - exact[i]) ** 2 for i, x in enumerate(found.ravel())))
    bound = linearized_residual_error(run, steps, 0.0, 0.0)
    assert off <= bound
    # Not much more than a matrix of 36 entries, each good to 16 u, allows: that many u a step, while anything is left.
    assert bound <= 36 * 16 * 2.0**-53 * (steps + 4) * float(np.linalg.norm(run.coefficients))


def test_errors_of_kernel_and_start_count() -> None:
    a, e, nu = problem()
    kernel = a @ a.T
    step = 1 / float(np.linalg.eigvalsh(kernel)[-1])
    run = linearized_run(kernel, e, nu, step)
    moved = 1e-6 * np.eye(N * K)
    other = linearized_run(kernel - moved, e + 1e-7, nu, step)
    for steps in (0, 1, 5, 40):
        change = linearized_residual(run, steps) - linearized_residual(other, steps)
        size = float(np.sqrt(np.sum(nu[:, None] * change**2)))
        assert size <= linearized_residual_error(run, steps, 1e-6, 1e-7 * np.sqrt(K))
    assert linearized_residual_error(run, 5, 1.0 / step, 0.0) == np.inf


@pytest.mark.parametrize(
    ("kernel", "e", "step", "match"),
    [
        (np.eye(5), np.zeros((N, K)), 0.1, "must have shapes"),
        (np.full((6, 6), np.nan), np.zeros((N, K)), 0.1, "finite"),
        (np.diag([1.0, 1, 1, 1, 1, 0]), np.zeros((N, K)), 0.1, "positive definite"),
        (np.eye(6), np.zeros((N, K)), 2.0, "2/lambda_max"),
        (np.eye(6), np.zeros((N, K)), np.nan, "2/lambda_max"),
    ],
)
def test_wrong_arguments_are_named(kernel: np.ndarray, e: np.ndarray, step: float, match: str) -> None:
    with pytest.raises(NumericsError, match=match):
        linearized_run(kernel, e, np.full(N, 1 / N), step)


def test_weight_changes_are_norms_of_rows() -> None:
    architecture = Architecture((3, 4, 2), 1.0, 0.5, 1.0, (True, False))
    rng = np.random.default_rng(0)
    reference = rng.standard_normal(architecture.parameters)
    theta = reference.copy()
    architecture.weight(theta, 1)[2] += [3.0, 0.0, 0.0]
    architecture.bias(theta, 1)[2] += 4.0
    found = weight_change(architecture, theta, reference)
    assert found.absolute == pytest.approx(5)
    np.testing.assert_allclose(found.layers, [5, 0])
    np.testing.assert_allclose(found.neurons[0], [0, 0, 5, 0], atol=1e-15)
    row = np.append(architecture.weight(reference, 1)[2], architecture.bias(reference, 1)[2])
    np.testing.assert_allclose(found.neurons_relative[0][2], 5 / np.linalg.norm(row))
    assert found.relative == pytest.approx(5 / np.linalg.norm(architecture.layer(reference, 1)))
    assert found.layers_relative[1] == 0
    with pytest.raises(NumericsError, match=r"theta must have shape \(26,\)"):
        weight_change(architecture, theta[1:], reference)
    nothing = weight_change(architecture, theta, np.zeros_like(theta))
    assert nothing.relative == np.inf
