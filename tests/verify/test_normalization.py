"""The conversions of docs/normalization.md, against a network in the standard parametrization that is written out here."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from numerics.network import initialize
from theorems.arithmetic import FLOAT
from theorems.ball import ball_bounds
from theorems.infinite_kernel import Normalization, limit_kernels, wide_network
from verify.problem import problem_from_mapping
from verify.setup import prepare

STEPS = 15
ROUNDING = 1e-11  # fifteen steps on some hundred numbers of order 1


def setup_of(**network):
    keys = {"hidden": [9, 7], "bias_scale": 0.3, "weight_scale": 1.2, "output_scale": 0.7, "output_layer": "gaussian"}
    sections = {"data": {"source": "digits", "classes": [3, 8], "points": 6}, "network": {**keys, "centered": False, **network}}
    return prepare(problem_from_mapping(sections, Path()))


def standard(setup, theta):
    """W'_l = c_l W_l and b'_l = sigma_b b_l."""
    a = setup.architecture
    weights = [c * a.weight(theta, layer) for layer, c in enumerate(a.fan_in_scales, start=1)]
    return weights, [a.bias_scale * a.bias(theta, layer) for layer in range(1, a.layers + 1)]


def gradients(weights, biases, alpha, x, residual):
    """Of sum_i residual_i f(x_i), f = alpha z_L, in the standard parametrization; and f."""
    hidden = [x]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        hidden.append(np.tanh(hidden[-1] @ w.T + b))
    f = alpha * (hidden[-1] @ weights[-1].T + biases[-1])
    delta = alpha * residual(f)
    grads = []
    for layer in range(len(weights) - 1, -1, -1):
        grads.insert(0, (delta.T @ hidden[layer], delta.sum(axis=0)))
        delta = (delta @ weights[layer]) * (1 - hidden[layer] ** 2)
    return f, grads


@pytest.mark.parametrize(("factor", "share"), [(1.0, 1.0), (2.0, 0.5)], ids=["with 1/2", "without 1/2"])
def test_layerwise_steps_of_the_standard_parametrization_on_the_sum_are_gradient_descent_here(factor, share) -> None:
    setup, theta = setup_of()
    x, t, a = setup.dataset.inputs, setup.dataset.targets, setup.architecture
    eta = 0.4
    weights, biases = standard(setup, theta)
    for _ in range(STEPS):
        _, grads = gradients(weights, biases, a.output_scale, x, lambda f: factor * (f - t))
        for layer, (dw, db) in enumerate(grads):
            step = share * eta / len(x)
            weights[layer] = weights[layer] - step * a.fan_in_scales[layer] ** 2 * dw
            biases[layer] = biases[layer] - step * a.bias_scale**2 * db
    setup.descent(eta).advance(theta, STEPS, -1.0, theta.copy())
    for ours, theirs in zip(standard(setup, theta), (weights, biases), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=ROUNDING)


def test_the_tangent_kernel_is_one_nth_of_the_jacobians_gram_matrix() -> None:
    setup, theta = setup_of()
    a, x = setup.architecture, setup.dataset.inputs
    weights, biases = standard(setup, theta)
    rows = []
    for i in range(len(x)):
        indicator = np.zeros((len(x), 1))
        indicator[i] = 1
        _, grads = gradients(weights, biases, a.output_scale, x, lambda f, e=indicator: e)
        # d/dW_l = c_l d/dW'_l, d/db_l = sigma_b d/db'_l
        parts = [np.concatenate([(c * dw).ravel(), a.bias_scale * db]) for c, (dw, db) in zip(a.fan_in_scales, grads, strict=True)]
        rows.append(np.concatenate(parts))
    gram = np.array(rows) @ np.array(rows).T
    np.testing.assert_allclose(setup.snapshot(theta).kernel, gram / len(x), rtol=ROUNDING)


def test_output_scale_multiplies_beta_once_and_the_kernel_twice() -> None:
    (one, theta), (three, _) = setup_of(), setup_of(output_scale=2.1)
    points = [setup.point(theta, 0, setup.snapshot(theta)) for setup in (one, three)]
    first, second = (ball_bounds(point.signals, 0.5, FLOAT).beta for point in points)
    assert second == pytest.approx(3 * first, rel=ROUNDING)
    assert points[1].lambda_min == pytest.approx(9 * points[0].lambda_min, rel=1e-9)
    assert points[1].lambda_max == pytest.approx(9 * points[0].lambda_max, rel=ROUNDING)


def test_weight_scale_enters_every_layer_of_a_homogeneous_network() -> None:
    values = []
    for scale in (1.0, 1.5):
        setup, theta = setup_of(activation="relu", bias_scale=0.0, weight_scale=scale)
        values.append(setup.snapshot(theta).outputs)
    np.testing.assert_allclose(values[1], 1.5**3 * values[0], rtol=ROUNDING)


def test_labels_and_output_scaled_together_leave_q_and_the_radius() -> None:
    setup, theta = setup_of(centered=True, hidden=[4096], trained=[1], activation="softplus", output_layer="signs")
    point = setup.point(theta, 0, setup.snapshot(theta))
    one, other = (setup.certify_at(theta, p, None).constants for p in (point, point.scaled(output_scale=3.0, residual=3.0)))
    for name, power in (("q", 0), ("rbar", 0), ("rate", 0), ("beta", 1), ("lambda0", 2)):
        assert other[name].value == pytest.approx(3**power * one[name].value, rel=1e-6), name


def test_both_normalizations_of_the_limit_kernel_differ_by_the_number_of_points() -> None:
    network = wide_network("tanh", 1, trained=(True, True))
    points = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, -2.0]])
    sums, means = (limit_kernels(network, points, FLOAT, normalization=kind) for kind in (Normalization.SUM, Normalization.MEAN))
    np.testing.assert_allclose(np.asarray(sums.ntk, dtype=float), 3 * np.asarray(means.ntk, dtype=float), rtol=ROUNDING)


def test_output_weights_of_both_kinds_have_variance_one() -> None:
    setup, _ = setup_of(hidden=[4096])
    architecture = dataclasses.replace(setup.architecture, bias_scale=0.0)
    for kind in ("signs", "gaussian"):
        theta = initialize(architecture, kind, 3)
        mean = float(np.mean(architecture.weight(theta, 2) ** 2))
        assert abs(mean - 1) < 6 * np.sqrt(2 / 4096), kind  # six standard deviations of a mean of squares
