"""Lazy training on real runs: the linearized run by hand, the sum of C3 in exact arithmetic, claims that fail when they should."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numerics.jacobian_products import vector_jacobian
from theorems.arithmetic import Interval
from theorems.statements.lazy import RECORDS
from verify.certified_constants import intervals
from verify.lazy import LazyTraining, _checked, lazy_training, linear_sums
from verify.measured import measured_steps
from verify.problem import problem_from_mapping
from verify.result import Verification
from verify.verdict import Verdict
from verify.verification import verify

CLAIMS = ["C2", "C2-layers", "C2-neurons", "C3", "C3-sum"]
SMALL = {
    "data": {"source": "gaussian", "dimension": 2, "points": 3, "seed": 1},
    "network": {"hidden": [24], "bias_scale": 0.5},
    "training": {"steps": 4000},
}


def solved(**sections: dict[str, Any]) -> Verification:
    return verify(problem_from_mapping({**SMALL, **sections}, Path()))


def measured(found: Verification, marks: list[int] | None = None) -> LazyTraining:
    assert found.certificate.certified
    assert found.run is not None
    assert found.step_size is not None
    assert found.certified_theta is not None
    steps = measured_steps(found.setup, found.certificate, found.run, found.step_size)
    at = [step for step, _ in found.run.drifts] if marks is None else marks
    return lazy_training(found.setup, found.certificate, found.certified_theta, steps, at)


@pytest.fixture(scope="module")
def small() -> Verification:
    return solved()


@pytest.fixture(scope="module")
def lazy(small: Verification) -> LazyTraining:
    return measured(small)


def test_every_claim_holds(lazy: LazyTraining) -> None:
    assert [claim.id for claim in lazy.claims] == CLAIMS
    assert {claim.verdict for claim in lazy.claims} == {Verdict.HOLDS}
    assert all(sum(claim.counts.values()) == len(lazy.steps) for claim in lazy.claims)


def test_displacements_are_those_of_the_run(small: Verification, lazy: LazyTraining) -> None:
    """The run's own drifts, measured in another pass: the repeated run is the same run."""
    assert small.run is not None
    for index, (step, drift) in enumerate(small.run.drifts):
        assert lazy.steps[index] == step
        assert lazy.changes[index].absolute == pytest.approx(drift.displacement, rel=1e-12)
        np.testing.assert_allclose(lazy.changes[index].layers, drift.layer_displacements, rtol=1e-12)


def test_what_the_run_saw_is_what_a_repeated_run_sees(small: Verification, lazy: LazyTraining) -> None:
    assert small.run is not None
    assert small.step_size is not None
    assert small.certified_theta is not None
    steps = measured_steps(small.setup, small.certificate, small.run, small.step_size)
    at = [step for step, _ in small.run.drifts]
    found = lazy_training(small.setup, small.certificate, small.certified_theta, steps, at, looks=small.run.lazy)
    assert found.claims == lazy.claims
    for name, value in lazy.values.items():
        np.testing.assert_array_equal(found.values[name].lower, value.lower)
        np.testing.assert_array_equal(found.values[name].upper, value.upper)


def test_the_linearized_run_is_gradient_descent_on_the_linear_model(small: Verification, lazy: LazyTraining) -> None:
    """Step by step in parameters, with the explicit Jacobian at the certified weights."""
    setup, theta0 = small.setup, small.certified_theta
    assert theta0 is not None
    assert small.run is not None
    data, eta = setup.dataset, small.step_size
    assert eta is not None
    even = np.ones(data.points)
    rows = [vector_jacobian(setup.architecture, setup.activation_kernel, theta0, data.inputs, even, u[:, None]) for u in np.eye(3)]
    jacobian = np.array(rows)
    start = (setup.snapshot(theta0).outputs - setup.offsets - data.targets).ravel()
    moved, index, theta = np.zeros(len(theta0)), 0, theta0.copy()
    descent = setup.descent(eta)
    for k in range(int(lazy.steps[3]) - small.certificate.step + 1):
        if small.certificate.step + k == lazy.steps[index]:
            e = (setup.snapshot(theta).outputs - setup.offsets - data.targets).ravel()
            gap = float(np.sqrt(np.sum(data.sample_weights * (e - start - jacobian @ moved) ** 2)))
            low, high = float(lazy.values["linear_gap"].lower[index]), float(lazy.values["linear_gap"].upper[index])
            assert low - 1e-13 <= gap <= high + 1e-13
            assert lazy.linear_distance[index] == pytest.approx(float(np.linalg.norm(moved)), rel=1e-9)
            index += 1
        moved = moved - eta * jacobian.T @ (data.sample_weights * (start + jacobian @ moved))
        descent.advance(theta, 1, 0.0, theta0)
    assert index == 4


def test_the_sum_encloses_exact_arithmetic(small: Verification) -> None:
    """On the first steps of the run, with the middle of every measured number, as rationals."""
    assert small.run is not None
    assert small.step_size is not None
    steps = measured_steps(small.setup, small.certificate, small.run, small.step_size)
    values = {"eta": 0.3, "lambda0": 0.1, "lambda_max": 2.25, "beta": 0.01}
    constants = {name: Interval(np.float64(x), np.float64(x)) for name, x in values.items()}
    found = linear_sums(constants, steps)
    eta, lambda0, root, beta = (Fraction(x) for x in (0.3, 0.1, 1.5, 0.01))
    total, path = Fraction(0), Fraction(0)
    for k in range(40):
        assert found.lower[k] <= total <= found.upper[k]
        s, d = Fraction(float(steps.residual[k])), Fraction(float(steps.length[k]))
        total = (1 - eta * lambda0) * total + eta * root * beta * path * s + beta * path * d + beta * d**2 / 2
        path += d
    assert found.upper[39] - found.lower[39] <= 1e-6 * found.upper[39]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_value_beyond_its_bound_is_a_violation(small: Verification, lazy: LazyTraining, claim: str) -> None:
    record = next(item for item in RECORDS if claim in [c.id for c in item.claims])
    names = {"C2": "rho", "C2-layers": "layer_change", "C2-neurons": "neuron_ratio"}
    name = names.get(claim, "linear_gap")
    slack = next(item.slack for item in lazy.claims if item.id == claim)
    assert slack is not None
    beyond = 1.05 * slack * lazy.values[name].upper
    forged = {**_constants(small), **lazy.values, name: Interval(beyond, beyond)}
    found = next(item for item in _checked([record], forged, lazy.steps, False) if item.id == claim)
    assert found.verdict is Verdict.VIOLATED


def _constants(found: Verification) -> dict[str, Interval]:
    return intervals(found.certificate)


def test_other_losses_have_no_linearized_run() -> None:
    found = solved(loss={"name": "log_cosh"}, training={"steps": 200})
    lazy = measured(found)
    verdicts = {claim.id: claim.verdict for claim in lazy.claims}
    assert verdicts["C2"] is verdicts["C2-neurons"] is Verdict.HOLDS
    assert verdicts["C3"] is verdicts["C3-sum"] is Verdict.NOT_APPLICABLE
    assert "linear_gap" not in lazy.values
    assert np.isnan(lazy.linear_limit)


def test_a_network_linear_in_its_trained_parameters_is_its_linearization() -> None:
    found = solved(network={"hidden": [24], "trained": [2], "bias_scale": 0.5})
    lazy = measured(found)
    assert np.all(lazy.values["linear_gap"].lower <= 0)
    assert np.all(lazy.values["linear_gap"].upper <= 1e-12)
    verdicts = {claim.id: claim.verdict for claim in lazy.claims}
    assert verdicts["C2"] is Verdict.HOLDS
    assert verdicts["C3"] is Verdict.NOT_APPLICABLE


def test_without_marks_nothing_is_checked(small: Verification) -> None:
    lazy = measured(small, [])
    assert {claim.verdict for claim in lazy.claims} == {Verdict.NOT_APPLICABLE}


def test_marks_that_the_run_does_not_have_are_refused(small: Verification) -> None:
    for marks in ([small.certificate.step], [10**7], [small.certificate.step + 5, small.certificate.step + 3]):
        with pytest.raises(AssertionError, match="marks must"):
            measured(small, marks)


def test_slow_changes_are_known_relative_to_the_weights(lazy: LazyTraining) -> None:
    assert lazy.changes[-1].relative == pytest.approx(
        float(lazy.values["rho"].upper[-1]) / float(lazy.values["theta_norm"].lower), rel=1e-8
    )
    assert lazy.linear_limit >= lazy.linear_distance[-1] > 0.9 * lazy.linear_limit
