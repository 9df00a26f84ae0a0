"""The smallest eigenvalue at initialization: the right matrix, the right normalization, slopes, refusals."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import threadpoolctl

from numerics.network import initialize
from numerics.snapshots import snapshot
from verify.data import load_data
from verify.drawn.clopper_pearson import MedianLimits
from verify.drawn.eigenvalue import EPSILONS, eigenvalue_curve, slope_of, smallest_eigenvalues
from verify.drawn.frequencies import seeds_of
from verify.errors import ProblemError
from verify.expressions import activation_of
from verify.kernels import activation_kernel
from verify.problem import problem_from_mapping
from verify.weights import architecture_of


def setting(**network):
    problem = problem_from_mapping({"data": {"points": 6}, "network": {"hidden": [16, 16], **network}})
    return problem, load_data(problem.data, problem.loss)


def test_the_kernel_is_that_of_a_snapshot() -> None:
    problem, data = setting(output_layer="gaussian", trained=[1, 3], bias_scale=0.3)
    sample = smallest_eigenvalues(problem, data, [5, 6])
    architecture = architecture_of(problem.network, data.dimension, 1)
    kernel = activation_kernel(activation_of("tanh"))
    for seed, value, error in zip((5, 6), sample.values, sample.errors, strict=True):
        theta = initialize(architecture, "gaussian", seed)
        assert value == snapshot(architecture, kernel, theta, data.inputs, data.sample_weights).eigenvalues[0]
        assert 0 < error < 1e-6 * value


def test_lambda_min_by_differences_of_the_outputs() -> None:
    problem, data = setting(hidden=[3])
    architecture = architecture_of(problem.network, data.dimension, 1)
    kernel = activation_kernel(activation_of("tanh"))
    theta = initialize(architecture, "signs", 9)

    def outputs(at):
        return snapshot(architecture, kernel, at, data.inputs, data.sample_weights).outputs[:, 0]

    step, columns = 1e-6, []
    for index in range(architecture.parameters):
        moved = np.zeros(architecture.parameters)
        moved[index] = step
        columns.append((outputs(theta + moved) - outputs(theta - moved)) / (2 * step))
    jacobian = np.array(columns).T / math.sqrt(data.points)
    expected = np.linalg.eigvalsh(jacobian @ jacobian.T)[0]
    # Central differences: truncation about step^2 and rounding u/step, each below 1e-9 a column.
    assert smallest_eigenvalues(problem, data, [9]).values[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_wide_networks_come_near_to_the_limit(activation) -> None:
    problem, data = setting(activation=activation)
    curve = eigenvalue_curve(problem, data, (16, 1024), 12, 0)
    narrow, wide = (curve.deviation(sample, Fraction(1, 2)).median for sample in curve.samples)
    assert wide < narrow / 3  # about 1/8 if deviations fall like m^{-1/2}
    assert wide < 0.15
    counts = [curve.at_least(curve.samples[0], epsilon).certain for epsilon in EPSILONS]
    assert counts == sorted(counts)
    slope = curve.slope(Fraction(1, 2))
    assert slope is not None
    assert slope.lower <= slope.estimate <= slope.upper < 0


def test_seeds_and_threads() -> None:
    problem, data = setting()
    with threadpoolctl.threadpool_limits(1):
        one = eigenvalue_curve(problem, data, (16, 32), 5, 3)
    with threadpoolctl.threadpool_limits(2):
        two = eigenvalue_curve(problem, data, (16, 32), 5, 3)
    assert [s.values.tolist() for s in one.samples] == [s.values.tolist() for s in two.samples]
    assert one.samples[0].values.tolist() == smallest_eigenvalues(problem, data, seeds_of(3, 5, 3, 16)).values.tolist()
    other = eigenvalue_curve(problem, data, (16, 32), 5, 4)
    assert one.samples[0].values.tolist() != other.samples[0].values.tolist()


def test_a_power_law_has_its_exponent_and_limits_are_those_of_the_medians() -> None:
    widths = (32, 64, 128, 256)
    exact = [MedianLimits(m**-0.5, m**-0.5, m**-0.5) for m in widths]
    slope = slope_of(widths, exact)
    assert (slope.lower, slope.estimate, slope.upper) == pytest.approx((-0.5, -0.5, -0.5), abs=1e-12)
    loose = [MedianLimits(m**-0.5, 0.8 * m**-0.5, 1.3 * m**-0.5) for m in widths]
    found = slope_of(widths, loose)
    generator = np.random.default_rng(0)
    x = np.log(widths)
    for _ in range(200):
        y = [math.log(generator.choice([item.lower, item.upper, item.median])) for item in loose]
        assert found.lower - 1e-12 <= np.polyfit(x, y, 1)[0] <= found.upper + 1e-12
    unknown = slope_of(widths, [MedianLimits(1.0, -math.inf if i < 0 else 0.0, math.inf) for i in range(4)])
    assert (unknown.lower, unknown.upper) == (-math.inf, math.inf)


def test_one_width_has_no_slope_and_a_singular_limit_no_ratio() -> None:
    problem, data = setting()
    assert eigenvalue_curve(problem, data, (16,), 3, 0).slope() is None
    inputs = data.inputs.copy()
    inputs[1] = -inputs[0]  # tanh is odd: f(-x) = -f(x)
    with pytest.raises(ProblemError, match="positive definite, lambda_min is exactly 0"):
        eigenvalue_curve(problem, dataclasses.replace(data, inputs=inputs), (16,), 3, 0)
