"""The chains of B2 to B5 and of H on numbers known by other routes: each inequality of the proof, and what breaks it.

Oracle: for composite problems Jacobians, projections and both points are explicit; for networks a forward pass by hand.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from theorems.arithmetic import FLOAT
from theorems.catalogue import THEOREMS
from theorems.records import Role, evaluate_expression
from theorems.statements.implicit import RECORDS
from verify.composite_problems import CompositeProblem
from verify.problem import problem_from_mapping
from verify.proving.implicit_samplers import TURNING, _runnable, end_of_run, nearest_solution
from verify.proving.maps import map_rounding
from verify.result import Verification
from verify.transport import coupling, transport_cost
from verify.verdict import CheckedClaim, Verdict, counted
from verify.verification import verify
from verify.waterfall.optimum import (
    deviation_chain,
    excess_chain,
    quotient_chain,
    second_excess_chain,
    second_quotient_chain,
    unique_chain,
)
from verify.waterfall.optimum_points import OptimumPoints
from verify.waterfall.records import Chain, Constants, NoChain
from verify.waterfall.steps import Along
from verify.waterfall.unseen import rademacher_share, transport_chain

EPS = np.finfo(np.float64).eps
RESOLVED = 1e-4  # of a ratio: an error below this leaves nothing undecided


def norm(x: np.ndarray) -> float:
    return float(np.linalg.norm(x))


@dataclasses.dataclass
class Ended:
    """A run at its limit, the nearest solution, and B1 to B5 there."""

    constants: Constants
    points: OptimumPoints
    claims: dict[str, CheckedClaim]
    run: Along


def ended(problem: CompositeProblem) -> Ended | None:
    """None where the nearest solution is not known or is where the run ends."""
    values, error = end_of_run(problem)
    if values.get("deviation", 0.0) <= 1e5 * error:
        return None
    mapping, eta, theta, length, s = problem.map, values["eta"], np.zeros(problem.map.linear.shape[1]), 0.0, values["s0"]
    while s > 1e-8 * values["s0"]:
        step = eta * problem.gradient(theta)
        theta, length = theta - step, length + norm(step)
        s = math.sqrt(2 * problem.gap(theta) / values["mu"])
    v = theta - np.linalg.pinv(mapping.jacobian(theta)) @ (mapping(theta) - problem.target)
    u = nearest_solution(mapping, problem.target, v)
    assert u is not None
    assert norm(v) == pytest.approx(values["travelled"], rel=1e-12)
    basis, there = np.linalg.svd(mapping.linear, full_matrices=False)[2].T, mapping.jacobian(u)
    sigma = np.linalg.svd(there, compute_uv=False)
    error += map_rounding(mapping, norm(v)) / float(sigma[-1]) + 64 * EPS * norm(v)

    def at(value: float, times: float = 1.0) -> tuple[float, float]:
        return value, times * error

    def across(x: np.ndarray) -> float:
        return norm(x - basis @ (basis.T @ x))

    largest = math.sqrt(values["lambda_max"]) + values["beta"] * values["rbar"]
    w = np.linalg.lstsq(there.T, u, rcond=None)[0]
    points = OptimumPoints(
        shortest=at(norm(u)),
        travelled=at(norm(v)),
        deviation=at(norm(v - u), 2),
        inside=at(norm(basis.T @ (v - u)), 2),
        outside_limit=at(across(v)),
        outside_nearest=at(across(u)),
        outside=at(across(v - u), 2),
        moved=at(norm(mapping.linear @ (v - u)), 2 * largest),
        moved_nearest=at(norm(mapping.linear @ u), largest),
        remainders=at(sum(norm(problem.target - mapping.linear @ x) for x in (u, v)), 4 * largest),
        start=at(norm(problem.target), 0.0),
        tangent=at(norm(there @ (v - u)), 2 * largest),
        multiplier=at(norm(w), 2 / float(sigma[-1])),
        sigma=at(float(sigma[-1]), values["beta"]),
    )
    claims = {}
    for record in RECORDS[1:]:
        known = {**values, **record.evaluate_constants(values, FLOAT)}
        if all(margin > 0 for margin in record.margins(known, FLOAT).values()):
            for claim in record.claims:
                measured, bound = (float(evaluate_expression(side, known, FLOAT)) for side in (claim.measured, claim.bound))
                if measured > 0:
                    scale = 2 * (norm(u) + norm(v)) if claim.lower else 1 / norm(u) if claim.id.startswith("B4") else 1.0
                    claims[claim.id] = checked(claim.id, measured, bound, 8 * error * scale, claim.lower)
    constants = Constants(values, {name: 8 * EPS * abs(x) for name, x in values.items()})
    unused = np.zeros(0)
    run = Along(
        first=0, s=unused, g=unused, d=unused, slope_error=unused, sigma=unused, sigma_error=0.0, drift=unused, drift_error=0.0,
        distance=unused, distance_error=0.0, apart=unused, last_distance=norm(theta), last=(s, 0.0), path=(length, 1e-12),
        mu=values["mu"], eta=eta,
    )  # fmt: skip
    return Ended(constants, points, claims, run)


def checked(name: str, measured: float, bound: float, error: float, lower: bool) -> CheckedClaim:
    slack = measured / bound if lower else bound / measured
    return CheckedClaim(
        name, "", "", bound, measured, error, slack, 0, counted({Verdict.HOLDS: 1}), Verdict.HOLDS, "", lower, halves=(error, error)
    )


def chains_of(found: Ended) -> dict[str, Chain]:
    given = (found.claims, found.constants, found.points)
    makers = {
        "B2": lambda: excess_chain(*given, "A-a"),
        "B2-second": lambda: second_excess_chain(*given),
        "B3": lambda: deviation_chain(*given, "A-a"),
        "B4": lambda: quotient_chain(*given, found.run, "A-a"),
        "B4-second": lambda: second_quotient_chain(*given),
        "B5": lambda: unique_chain(*given),
    }
    return {name: make() for name, make in makers.items() if name in found.claims}


def test_links_lose_and_their_product_is_the_slack_on_random_problems() -> None:
    seen, resolved = dict.fromkeys(("B2", "B2-second", "B3", "B4", "B4-second", "B5"), 0), 0
    for seed in range(30):
        found = ended(_runnable(np.random.default_rng(seed)))
        if found is None:
            continue
        for name, chain in chains_of(found).items():
            seen[name] += 1
            assert chain.product == pytest.approx(chain.total, rel=1e-12)
            assert chain.total == pytest.approx(found.claims[name].slack, rel=1e-12)
            for link in chain.links:
                assert link.proved
                assert not link.contradicted, (seed, name, link)
                if link.error < RESOLVED:
                    resolved += 1
                    assert link.ratio >= 1 - RESOLVED
    assert min(seen.values()) >= 8, seen
    assert resolved >= 25 * min(seen.values())


def turning() -> CompositeProblem:
    """A run of F = x + x y, on which the normal part of every step is attained."""
    for seed in range(100):
        problem = _runnable(np.random.default_rng(seed))
        if problem.map is TURNING or np.array_equal(problem.map.linear, TURNING.linear):
            return problem
    raise AssertionError


def test_a_beta_that_is_too_small_is_noticed() -> None:
    found = ended(turning())
    assert found is not None
    assert not any(broken(found).values())
    assert "beta at the nearest optimum" in broken(with_beta(found, 0.5))["B3"]  # F = x + x y attains it
    far = broken(with_beta(found, 1e-3))
    for name in ("B2", "B2-second", "B3", "B4-second", "B5"):
        assert "beta" in far[name], name


def with_beta(found: Ended, factor: float) -> Ended:
    values = {**found.constants.values, "beta": factor * found.constants["beta"]}
    return dataclasses.replace(found, constants=Constants(values, found.constants.errors))


def broken(found: Ended) -> dict[str, list[str]]:
    chains = chains_of(found)
    assert all(chain.product == pytest.approx(chain.total, rel=1e-12) for chain in chains.values())
    return {name: [link.name for link in chain.links if link.contradicted] for name, chain in chains.items()}


@pytest.mark.parametrize(
    ("name", "changed", "link"),
    [
        ("B2", {"inside": 2.0}, "weakest direction"),
        ("B2", {"moved": 100.0}, "opposite remainders"),
        ("B3", {"outside": 100.0}, "triangle inequality"),
        ("B4", {"start": 3.0}, "beta"),
        ("B4", {"moved_nearest": 3.0}, "strongest direction"),
        ("B2-second", {"tangent": 1e3}, "beta"),
        ("B2-second", {"multiplier": 3.0}, "weakest direction"),
        ("B4-second", {"sigma": 0.5}, "Weyl and beta"),
    ],
)
def test_a_number_that_is_too_large_breaks_the_link_that_bounds_it(name, changed, link) -> None:
    """Factors on what was measured, one at a time."""
    found = ended(turning())
    assert found is not None
    points = {key: tuple(factor * x for x in getattr(found.points, key)) for key, factor in changed.items()}
    wrong = dataclasses.replace(found, points=dataclasses.replace(found.points, **points))
    assert link in broken(wrong)[name]


def test_a_stage_of_b5_that_is_not_positive_is_refused() -> None:
    found = ended(turning())
    assert found is not None
    points = dataclasses.replace(found.points, tangent=(found.points.deviation[0], 0.0))
    with pytest.raises(NoChain, match=r"<DF\(theta\*\)\(v - u\), w>.* not as a positive number"):
        unique_chain(found.claims, found.constants, points)


# H1 and H2.


@pytest.mark.parametrize("kind", ["orthogonal", "one direction", "random"])
def test_the_rademacher_average_is_that_of_all_signs(kind) -> None:
    generator = np.random.default_rng(1)
    rows = {"orthogonal": np.eye(9), "one direction": np.ones((9, 1)), "random": generator.standard_normal((9, 4))}[kind]
    exact = np.mean([norm(np.array(signs) @ rows) for signs in product((-1, 1), repeat=9)]) / norm(rows)
    share, error = rademacher_share(rows @ rows.T)
    assert abs(share - exact) <= error + 1e-12
    assert error <= 0.1


@pytest.mark.parametrize("shape", [(6, 6), (4, 7)])
def test_the_coupling_is_the_one_whose_cost_was_told(shape) -> None:
    generator = np.random.default_rng(2)
    for cost in (generator.uniform(size=shape), np.full(shape, 0.5)):
        plan = coupling(cost)
        assert plan.min() >= 0
        np.testing.assert_allclose(plan.sum(axis=1), 1 / shape[0], rtol=1e-12)
        np.testing.assert_allclose(plan.sum(axis=0), 1 / shape[1], rtol=1e-12)
        assert float(np.sum(plan * cost)) == pytest.approx(transport_cost(cost), rel=1e-9)


@cache
def judged() -> Verification:
    """One hidden layer of tanh, centered."""
    found = verify(
        problem_from_mapping(
            {
                "data": {"source": "digits", "classes": [3, 8], "points": 8},
                "network": {"hidden": [48], "activation": "tanh"},
                "training": {"steps": 600},
            },
            Path(),
        )
    )
    assert found.certificate.certified
    return found


def test_the_slope_is_taken_apart_as_by_hand() -> None:
    """alpha c_2 |W_2| (|h - h'| at theta and at theta0), with the h of the definition at some pair of points."""
    found = judged()
    assert found.waterfall is not None
    chain = next(chain for chain in found.waterfall.chains if chain.claim == "H2-lipschitz")
    assert [link.name for link in chain.links] == ["centering", "norm of W_2", "activation 1", "norm of W_1"]
    a, setup, judge = found.setup.architecture, found.setup, found.unseen.judge
    inputs = np.vstack([setup.dataset.inputs, judge.held.inputs[:400]])
    thetas, c = (found.run.final_theta, judge.theta0), a.fan_in_scales
    z = [c[0] * inputs @ a.weight(theta, 1).T for theta in thetas]
    outputs = [a.output_scale * c[1] * np.tanh(one) @ a.weight(theta, 2).T for one, theta in zip(z, thetas, strict=True)]
    apart = np.sqrt(((inputs[:, None] - inputs[None]) ** 2).sum(axis=2))
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.nan_to_num(np.abs((outputs[0] - outputs[1]) - (outputs[0] - outputs[1]).T) / apart, nan=0.0)
    i, j = np.unravel_index(np.argmax(slopes), slopes.shape)
    assert chain.links[0].measured == pytest.approx(slopes[i, j], rel=1e-9)
    norms = [[c[k] * np.linalg.norm(a.weight(theta, k + 1), 2) for k in (0, 1)] for theta in thetas]
    by_w2, by_phi = 0.0, 0.0
    for signal, (_, second) in zip(z, norms, strict=True):
        by_w2 += a.output_scale * second * norm(np.tanh(signal[i]) - np.tanh(signal[j])) / apart[i, j]
        by_phi += a.output_scale * second * norm(signal[i] - signal[j]) / apart[i, j]
    assert chain.links[1].bound == pytest.approx(by_w2, rel=1e-9)
    assert chain.links[2].bound == pytest.approx(by_phi, rel=1e-9)
    assert chain.links[3].bound == pytest.approx(a.output_scale * sum(one * other for one, other in norms), rel=1e-9)


def test_the_risk_is_split_as_the_bound_is() -> None:
    found = judged()
    assert found.waterfall is not None
    chain = next(chain for chain in found.waterfall.chains if chain.claim == "H1-risk")
    at = found.unseen.found.measured
    assert [link.statement for link in chain.links] == ["H1", "H1"]
    lost = chain.links[1].bound - chain.links[1].measured
    share = rademacher_share(found.unseen.judge.start.sample.kernel)[0]
    assert lost == pytest.approx(at.linear * (1 - share), rel=1e-6)
    assert f"{at.curvature / (found.unseen.found.train_loss + at.gap):.0%} curvature" in chain.links[1].meaning


def test_a_difference_of_losses_below_its_error_has_no_chain() -> None:
    found = judged()
    claims = {claim.id: claim for claim in found.claims}
    judge, unseen = found.unseen.judge, found.unseen.found
    none = dataclasses.replace(unseen, gap=unseen.loss_error)
    with pytest.raises(NoChain, match="error"):
        transport_chain(claims, none, judge, judge.seen(found.run.final_theta))


def test_no_claim_of_the_catalogue_is_without_a_chain() -> None:
    """Of the statements that a run is checked against; those before any weight is drawn are about no run. The convergence theorems
    are seen to in ``test_waterfall_chains``, each on problems of its own."""
    found = judged()
    assert found.waterfall is not None
    about_a_run = [one for one in THEOREMS.values() if one.role not in (Role.PRIOR, Role.CONVERGENCE)]
    wanted = {claim.id for one in about_a_run for claim in one.claims}
    assert {"B5", "C3-sum", "A0-descent", "H1-risk", "H2-risk"} <= wanted
    assert wanted <= {chain.claim for chain in found.waterfall.chains}
