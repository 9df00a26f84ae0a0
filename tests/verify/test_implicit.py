"""Implicit regularization on real runs: the three points against other routes to them, and claims that fail when they should."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from numerics.jacobian_products import jacobian_vector, outputs_and_kernel, vector_jacobian
from numerics.nearest import function_norm, solve_kernel
from theorems.arithmetic import Interval
from theorems.statements.implicit import RECORDS
from verify.claims import not_covered
from verify.composite_problems import QuadraticMap
from verify.implicit import SECOND, ImplicitRegularization, checked, implicit_regularization
from verify.limits import computed_distance, nearest_from, outside_range, remaining_path, run_end
from verify.problem import problem_from_mapping
from verify.proving.implicit_samplers import nearest_solution
from verify.proving.maps import draw_map, norm, unit
from verify.result import Verification
from verify.verdict import Verdict
from verify.verification import verify

CLAIMS = ["B1", "B2", "B2-second", "B3", "B4", "B4-second", "B5"]
SMALL = {
    "data": {"source": "gaussian", "dimension": 2, "points": 3, "seed": 1},
    "network": {"hidden": [24], "bias_scale": 0.5},
    "training": {"steps": 4000},
}


def solved(**sections: dict[str, Any]) -> Verification:
    return verify(problem_from_mapping({**SMALL, **sections}, Path()))


@pytest.fixture(scope="module")
def small() -> Verification:
    found = solved()
    assert found.certificate.certified
    return found


@pytest.fixture(scope="module")
def regular(small: Verification) -> ImplicitRegularization:
    assert small.certified_theta is not None
    return implicit_regularization(small.setup, small.certificate, small.certified_theta, 20000)


def reached(found: Verification) -> np.ndarray:
    assert found.certified_theta is not None
    return found.certified_theta


def test_every_claim_holds_and_is_told_once(regular: ImplicitRegularization) -> None:
    assert [claim.id for claim in regular.claims] == CLAIMS
    assert {claim.verdict for claim in regular.claims} == {Verdict.HOLDS}
    assert all(claim.slack is not None and claim.slack >= 1 for claim in regular.claims)
    assert all(claim.reason.endswith("(at the limit of the run)") for claim in regular.claims)


def test_the_nearest_optimum_is_what_another_optimizer_finds(small: Verification, regular: ImplicitRegularization) -> None:
    setup, theta0 = small.setup, reached(small)
    data, a, phi = setup.dataset, setup.architecture, setup.activation_kernel
    goal = setup.minimizers + setup.offsets

    def jacobian(x: np.ndarray) -> np.ndarray:
        units = np.eye(data.targets.size).reshape(-1, *data.targets.shape)
        even = np.ones(data.points)
        return np.array([vector_jacobian(a, phi, theta0 + x, data.inputs, even, u) for u in units])

    other = scipy.optimize.minimize(
        lambda x: float(x @ x) / 2,
        np.zeros(len(theta0)),
        jac=lambda x: x,
        constraints={
            "type": "eq",
            "fun": lambda x: (outputs_and_kernel(a, phi, theta0 + x, data.inputs, data.sample_weights)[0] - goal).ravel(),
            "jac": jacobian,
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    found = regular.nearest.found
    assert found is not None
    assert other.success
    assert norm(found.theta - theta0 - other.x) <= 1e-5 * norm(other.x)
    assert regular.values["nearest"].lower == pytest.approx(norm(other.x), rel=1e-8)


def test_theta_inf_from_an_early_end_agrees_with_a_late_one(small: Verification) -> None:
    """Within the sum of the two error bounds, of which the early one is not small; and the rest of the path is no smaller than it
    is.
    """
    assert small.certificate.theorem is not None
    ends = [run_end(small.setup, small.certificate, reached(small), steps) for steps in (0, 20, 200, 20000)]
    late = ends[-1]
    assert late.error <= 1e-9
    for early in ends[:-1]:
        assert norm(early.theta - late.theta) <= early.error + late.error
    assert ends[0].error > ends[1].error > ends[2].error
    left = remaining_path(small.certificate.theorem, late.constants, float(small.run.trajectory.residual[small.certificate.step]))
    assert norm(late.theta - reached(small)) <= left


def test_the_run_goes_on_where_it_ended(small: Verification) -> None:
    """From its last step, to the same limit; and its weights stay what they are."""
    assert small.run is not None
    assert small.run.final_theta is not None
    made, kept = small.run.trajectory.steps - small.certificate.step, small.run.final_theta.copy()
    found = run_end(small.setup, small.certificate, reached(small), made + 100, (made, small.run.final_theta))
    again = run_end(small.setup, small.certificate, reached(small), 20000)
    assert made <= found.steps <= made + 100
    assert norm(found.theta - again.theta) <= found.error + again.error
    assert np.array_equal(small.run.final_theta, kept)
    early = run_end(small.setup, small.certificate, reached(small), 60, (20, run_after(small, 20)))
    straight = run_end(small.setup, small.certificate, reached(small), 60)
    assert early.steps == straight.steps == 60
    assert np.array_equal(early.theta, straight.theta)


def run_after(found: Verification, steps: int) -> np.ndarray:
    assert found.step_size is not None
    theta = reached(found).copy()
    found.setup.descent(found.step_size).advance(theta, steps, 0.0, reached(found))
    return theta


def test_the_part_outside_the_range_is_the_explicit_projection(small: Verification, regular: ImplicitRegularization) -> None:
    setup, theta0 = small.setup, reached(small)
    data, a, phi = setup.dataset, setup.architecture, setup.activation_kernel
    rows = [vector_jacobian(a, phi, theta0, data.inputs, np.ones(data.points), u[:, None]) for u in np.eye(data.points)]
    basis = np.linalg.qr(np.array(rows).T)[0]
    for v in (regular.end.theta - theta0, np.random.default_rng(0).standard_normal(len(theta0)), rows[0]):
        expected = norm(v - basis @ (basis.T @ v))
        found = outside_range(setup, setup.snapshot(theta0), theta0, v)
        slack = 1e-13 * norm(v)
        assert float(found.lower) <= expected + slack
        assert float(found.upper) >= expected - slack
        assert float(found.upper - found.lower) <= 1e-9 * norm(v)


def test_a_nearby_point_is_as_near_the_nearest_optimum_as_is_said(small: Verification, regular: ImplicitRegularization) -> None:
    """Move the computed point away, measure both conditions there, and compare the bound with the distance made."""
    setup, theta0, end = small.setup, reached(small), regular.end
    data, a, phi = setup.dataset, setup.architecture, setup.activation_kernel
    assert regular.nearest.found is not None
    star, rng = regular.nearest.found.theta, np.random.default_rng(3)
    beta, lambda0 = float(end.constants["beta"].upper), float(end.constants["lambda0"].lower)
    for size in (1e-3, 1e-6):
        theta = star + size * unit(rng, len(star))
        outputs, kernel = outputs_and_kernel(a, phi, theta, data.inputs, data.sample_weights)
        u = theta - theta0
        w = solve_kernel(kernel, jacobian_vector(a, phi, theta, data.inputs, u), data.sample_weights)
        z = norm(u - vector_jacobian(a, phi, theta, data.inputs, data.sample_weights, w))
        e = function_norm(outputs - setup.offsets - setup.minimizers, data.sample_weights)
        smallest = math.sqrt(float(np.linalg.eigvalsh(kernel)[0]))
        bound = computed_distance(
            beta=beta,
            radius=float(end.constants["R"].lower),
            sigma0=math.sqrt(lambda0),
            sigma=smallest,
            distance=norm(u),
            multiplier=function_norm(w, data.sample_weights),
            e=e,
            z=z,
        )
        assert size * (1 - 1e-3) <= bound <= 100 * size


def test_the_bound_for_a_computed_point_holds_on_random_maps() -> None:
    seen = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        mapping = draw_map(rng)
        sigma0 = float(np.linalg.svd(mapping.linear, compute_uv=False)[-1])
        target = mapping(0.3 * float(rng.uniform()) * sigma0 * unit(rng, mapping.linear.shape[1]))
        star = nearest_solution(mapping, target, np.zeros(mapping.linear.shape[1]))
        if star is None or 2 * norm(star) >= 0.98 * sigma0:
            continue
        theta = star + 10.0 ** rng.uniform(-6, -2) * unit(rng, len(star))
        jacobian = mapping.jacobian(theta)
        w = np.linalg.lstsq(jacobian.T, theta, rcond=None)[0]
        bound = computed_distance(
            beta=mapping.lipschitz,
            radius=10.0,
            sigma0=sigma0,
            sigma=float(np.linalg.svd(jacobian, compute_uv=False)[-1]),
            distance=norm(theta),
            multiplier=norm(w),
            e=norm(mapping(theta) - target),
            z=norm(theta - jacobian.T @ w),
        )
        if math.isfinite(bound):
            seen += 1
            assert norm(theta - star) <= bound
    assert seen > 100


@pytest.mark.parametrize(
    "changed", [{"sigma": 0.0}, {"e": 1.0}, {"radius": 0.05}, {"distance": 0.6}, {"multiplier": 3.0}, {"e": math.nan}]
)
def test_where_a_premise_fails_nothing_is_known_of_the_nearest(changed: dict[str, float]) -> None:
    given = {"beta": 1.0, "sigma0": 1.0, "sigma": 0.9, "radius": 2.0, "distance": 0.1, "multiplier": 0.1, "e": 1e-9, "z": 1e-9}
    assert math.isfinite(computed_distance(**given))
    assert computed_distance(**{**given, **changed}) == math.inf


def forged(regular: ImplicitRegularization, claim: str, factor: float) -> tuple[str, float]:
    """The quantity that decides a claim, and its value at ``factor`` times the bound that the claim has with the true values."""
    true = next(item for item in regular.claims if item.id == claim)
    assert true.bound is not None
    beyond = factor * true.bound
    nearest = float(regular.values["nearest"].lower)
    sums = float(regular.values["nearest"].upper + regular.values["travelled"].upper)
    return {
        "B1": ("outside", beyond),
        "B2": ("excess", beyond),
        "B2-second": ("excess", beyond),
        "B3": ("deviation", beyond),
        "B4": ("travelled", beyond * nearest),
        "B4-second": ("excess", beyond * nearest),
        "B5": ("excess", beyond / sums),
    }[claim]


def verdict_with(regular: ImplicitRegularization, claim: str, name: str, low: float, high: float) -> Verdict:
    record = next(item for item in RECORDS if claim in [c.id for c in item.claims])
    values = {**regular.values, name: Interval(np.asarray(low), np.asarray(high))}
    found = checked([record], regular.end, values, 0, False, "")
    return next(item for item in found if item.id == claim).verdict


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_value_beyond_its_bound_is_a_violation(regular: ImplicitRegularization, claim: str) -> None:
    """5% beyond the bound, and also where the value is known so badly that it would not be counted as a check."""
    lower = claim == "B5"
    name, value = forged(regular, claim, 0.95 if lower else 1.06)
    assert verdict_with(regular, claim, name, value, value) is Verdict.VIOLATED
    ends = (value - 10 * abs(value), value) if lower else (value, 10 * value)
    assert verdict_with(regular, claim, name, *ends) is Verdict.VIOLATED


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_value_on_its_bound_is_undecided(regular: ImplicitRegularization, claim: str) -> None:
    name, value = forged(regular, claim, 1.0)
    error = 1e-3 * value
    assert verdict_with(regular, claim, name, value - error, value + error) is Verdict.UNDECIDED
    assert verdict_with(regular, claim, name, math.nan, value) is Verdict.UNDECIDED


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_value_that_is_not_known_well_is_no_check_and_told(regular: ImplicitRegularization, claim: str) -> None:
    record = next(item for item in RECORDS if claim in [c.id for c in item.claims])
    in_ball = ("nearest", "travelled") if claim in SECOND else ("nearest",)  # the others are about gradient descent
    vague = {
        name: Interval(np.asarray(1e-3 if name == "nearest" else 0.0), np.asarray(float(x.upper) if name in in_ball else 1e6))
        for name, x in regular.values.items()
    }
    found = next(item for item in checked([record], regular.end, vague, 0, False, "") if item.id == claim)
    assert found.verdict is Verdict.NOT_APPLICABLE
    assert found.reason.startswith("nothing to check: the error of measurement, ")


def test_a_limit_that_may_lie_outside_the_ball_is_no_solution_to_compare(regular: ImplicitRegularization) -> None:
    radius = float(regular.end.constants["R"].lower)
    far = {**regular.values, "travelled": Interval(np.asarray(0.0), np.asarray(radius))}
    reasons = {item.id: item.reason for item in checked(RECORDS, regular.end, far, 0, False, "")}
    assert all("not known to lie in B(R)" in reasons[claim] for claim in SECOND)


def test_a_certificate_left_by_rounding_bounds_no_rest(regular: ImplicitRegularization) -> None:
    """Theorem A1 asks for R > rbar after the rounding; the certificate at the last weights owes nothing to that."""
    end = regular.end
    assert len(end.rest) == 2
    tight = {**end.constants, "R": end.constants["rbar"]}
    assert not_covered(end.rest[0][0], tight)


def test_hypotheses_that_fail_are_named(regular: ImplicitRegularization) -> None:
    far = {**regular.values, "nearest": Interval(np.asarray(1e6), np.asarray(1e6))}
    reasons = {item.id: item.reason for item in checked(RECORDS, regular.end, far, 0, False, "")}
    assert "t_u < 1/2" in reasons["B5"]
    assert "beta |theta* - theta0| < sigma0" in reasons["B3"]
    end = dataclasses.replace(regular.end, constants=regular.end.constants | {"rbar": far["nearest"]})
    reasons = {item.id: item.reason for item in checked(RECORDS, end, regular.values, 0, False, "")}
    assert "DF stays onto" in reasons["B1"]
    unknown = {name: regular.values[name] for name in ("outside", "travelled")}
    found = checked(RECORDS, regular.end, unknown, 0, False, "not found")
    assert [item.verdict for item in found] == [Verdict.HOLDS] + 6 * [Verdict.NOT_APPLICABLE]
    assert {item.reason for item in found[1:]} == {"not found"}


def test_an_optimum_that_may_not_be_the_nearest_is_not_used(small: Verification, regular: ImplicitRegularization) -> None:
    bent = Interval(np.asarray(1e3), np.asarray(1e3))
    end = dataclasses.replace(regular.end, constants=regular.end.constants | {"beta": bent})
    found = nearest_from(small.setup, end, reached(small))
    assert found.error == math.inf
    assert "must be below 1/2 (B5)" in found.reason


def test_a_network_linear_in_its_trained_parameters() -> None:
    """The last layer alone: theta_inf is theta0 - A^+ e and the nearest, exactly; what would compare rounding is not counted."""
    found = solved(network={"hidden": [24], "trained": [2], "bias_scale": 0.5})
    assert found.certificate.certified
    regular = implicit_regularization(found.setup, found.certificate, reached(found), 20000)
    assert float(regular.values["excess"].lower) <= 0 <= float(regular.values["excess"].upper)
    assert float(regular.values["deviation"].upper) <= 1e-8
    verdicts = {claim.id: claim.verdict for claim in regular.claims}
    assert verdicts["B4"] is Verdict.HOLDS
    assert {verdict for name, verdict in verdicts.items() if name != "B4"} == {Verdict.NOT_APPLICABLE}


@pytest.mark.parametrize("name", ["log_cosh", pytest.param("pseudo_huber", marks=pytest.mark.validate)])
def test_other_losses(name: str) -> None:
    found = solved(loss={"name": name}, training={"steps": 200})
    assert found.certificate.certified
    regular = implicit_regularization(found.setup, found.certificate, reached(found), 20000)
    assert [claim.id for claim in regular.claims] == CLAIMS
    assert {claim.verdict for claim in regular.claims} == {Verdict.HOLDS}


@pytest.mark.validate
@pytest.mark.parametrize("seed", range(12))
def test_many_networks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = {
        "hidden": [[16], [64], [32, 32], [128]][seed % 4],
        "activation": ["tanh", "sin", "softplus"][seed % 3],
        "trained": "all" if seed % 2 else [1],
        "bias_scale": float(rng.choice([0.0, 0.4])),
        "output_scale": float(rng.choice([1.0, 3.0])),
        "seed": seed,
    }
    data = {"source": "digits", "classes": [3, 8], "points": 6, "seed": seed}
    found = verify(problem_from_mapping({"data": data, "network": network, "training": {"steps": 20000}}, Path()))
    if not found.certificate.certified:
        return
    regular = implicit_regularization(found.setup, found.certificate, reached(found), 40000)
    verdicts = {claim.id: claim.verdict for claim in regular.claims}
    assert Verdict.VIOLATED not in verdicts.values()
    assert verdicts["B1"] is Verdict.HOLDS


def test_the_map_of_the_sampler_is_a_map() -> None:
    mapping = QuadraticMap(np.array([[1.0, 0.0]]), np.array([[[0.0, 1.0], [1.0, 0.0]]]), 1.0)
    star = nearest_solution(mapping, np.array([0.2]), np.zeros(2))
    assert star is not None
    np.testing.assert_allclose(mapping(star), [0.2], rtol=1e-14)
    np.testing.assert_allclose(star @ np.array([-mapping.jacobian(star)[0, 1], mapping.jacobian(star)[0, 0]]), 0, atol=1e-15)
