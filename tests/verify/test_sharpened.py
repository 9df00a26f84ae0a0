"""The distances of B beyond double precision: against mpmath, against doubles, and claims that fail when they should."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb

from numerics.jacobian_products import outputs_and_kernel, vector_jacobian
from theorems.arithmetic import Interval
from theorems.ball_arithmetic import upper, working_precision
from theorems.statements.implicit import RECORDS
from verify import implicit, sharpened
from verify.ball_network import at_points, ball_signals, length, middles, pulled_back, row
from verify.implicit import ImplicitRegularization, implicit_regularization, measured_values
from verify.limits import NearestOptimum, nearest_from, run_end
from verify.problem import load_problem, problem_from_mapping
from verify.result import Verification
from verify.setup import prepare
from verify.verdict import Verdict
from verify.verification import verify

SECOND = ["B2-second", "B4-second", "B5"]
QUANTITIES = ("travelled", "nearest", "deviation", "excess")
TINY = {
    "data": {"source": "gaussian", "dimension": 2, "points": 2, "seed": 1},
    "network": {"hidden": [6], "bias_scale": 0.5},
    "training": {"steps": 4000},
}
REGRESSION = Path(__file__).parents[2] / "examples" / "regression.toml"


def solved(**sections: dict[str, Any]) -> Verification:
    found = verify(problem_from_mapping({**TINY, **sections}, Path()))
    assert found.certificate.certified
    return found


@pytest.fixture(scope="module")
def tiny() -> Verification:
    return solved()


@pytest.fixture(scope="module")
def late() -> Verification:
    """A certificate late in an ill-conditioned run: what B5 says is 10^-12."""
    return verify(load_problem(REGRESSION))


def theta0_of(found: Verification) -> np.ndarray:
    assert found.certified_theta is not None
    return found.certified_theta


def finer(found: Verification, steps: int = 2000) -> tuple[Any, Any, sharpened.Sharpened]:
    end = run_end(found.setup, found.certificate, theta0_of(found), steps)
    nearest = nearest_from(found.setup, end, theta0_of(found))
    return end, nearest, sharpened.sharpened(found.setup, end, nearest, theta0_of(found))


# One hidden layer of tanh in 50 digits, from the defining formulas.


class Exact:
    """F - y* and DF (its rows, unweighted) of the tiny network, by mpmath."""

    def __init__(self, found: Verification) -> None:
        setup = found.setup
        a, data = setup.architecture, setup.dataset
        assert a.layers == 2
        self.m, self.d = a.sizes[1], a.sizes[0]
        self.c1, self.c2 = mpmath.mpf(a.weight_scale) / mpmath.sqrt(self.d), mpmath.mpf(a.weight_scale) / mpmath.sqrt(self.m)
        self.bias, self.alpha = mpmath.mpf(a.bias_scale), mpmath.mpf(a.output_scale)
        self.x = [[mpmath.mpf(v) for v in point] for point in data.inputs.tolist()]
        self.y = [mpmath.mpf(t) + mpmath.mpf(o) for t, o in zip(setup.minimizers[:, 0], setup.offsets[:, 0], strict=True)]
        self.nu = [mpmath.mpf(v) for v in data.sample_weights.tolist()]

    def __call__(self, theta: list[Any]) -> tuple[list[Any], list[list[Any]]]:
        m, d = self.m, self.d
        first, b1 = theta[: m * d], theta[m * d : m * (d + 1)]
        second, b2 = theta[m * (d + 1) : m * (d + 2)], theta[m * (d + 2)]
        errors, rows = [], []
        for x, y in zip(self.x, self.y, strict=True):
            h = [mpmath.tanh(self.c1 * mpmath.fdot(first[j * d : (j + 1) * d], x) + self.bias * b1[j]) for j in range(m)]
            errors.append(self.alpha * (self.c2 * mpmath.fdot(second, h) + self.bias * b2) - y)
            back = [self.alpha * self.c2 * second[j] * (1 - h[j] ** 2) for j in range(m)]
            to_first = [back[j] * self.c1 * v for j in range(m) for v in x]
            rows.append([*to_first, *(self.bias * v for v in back), *(self.alpha * self.c2 * v for v in h), self.alpha * self.bias])
        return errors, rows

    def least(self, rows: list[list[Any]], right: list[Any]) -> list[Any]:
        """The shortest v with DF v = right."""
        gram = mpmath.matrix([[mpmath.fdot(a, b) for b in rows] for a in rows])
        w = mpmath.lu_solve(gram, mpmath.matrix(right))
        return [mpmath.fsum(w[i] * rows[i][j] for i in range(len(rows))) for j in range(len(rows[0]))]


def limit_of(exact: Exact, theta: list[Any], eta: float) -> list[Any]:
    """Gradient descent until what is left is 10^-20, then the shortest Newton steps, which miss the limit by about its square."""
    while True:
        errors, rows = exact(theta)
        if mpmath.norm(errors) < mpmath.mpf(10) ** -20:
            break
        pulls = [eta * nu * e for nu, e in zip(exact.nu, errors, strict=True)]
        theta = [t - mpmath.fdot(pulls, [r[j] for r in rows]) for j, t in enumerate(theta)]
    for _ in range(3):
        errors, rows = exact(theta)
        theta = [t - v for t, v in zip(theta, exact.least(rows, errors), strict=True)]
    return theta


def nearest_of(exact: Exact, theta: list[Any], theta0: list[Any]) -> list[Any]:
    """The solution of Lagrange's conditions by Gauss-Newton until nothing moves."""
    for _ in range(400):
        errors, rows = exact(theta)
        u = [t - o for t, o in zip(theta, theta0, strict=True)]
        before, theta = (
            theta,
            [
                o + v
                for o, v in zip(
                    theta0, exact.least(rows, [mpmath.fdot(r, u) - e for r, e in zip(rows, errors, strict=True)]), strict=True
                )
            ],
        )
        if norm_of(theta, before) < mpmath.mpf(10) ** -42:
            return theta
    raise AssertionError("Gauss-Newton has not settled")


def norm_of(a: list[Any], b: list[Any]) -> Any:
    return mpmath.sqrt(mpmath.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def as_mpmath(point: Any) -> list[Any]:
    """The middles of a row of balls, exactly (to 50 digits)."""
    parts = [entry.mid().man_exp() for entry in point.entries()]
    return [mpmath.ldexp(int(mantissa), int(exponent)) for mantissa, exponent in parts]


@pytest.mark.parametrize(("steps", "close"), [(40, 1e-4), (400, 1e-12)])
def test_both_points_are_as_far_from_the_true_ones_as_is_said(tiny: Verification, steps: int, close: float) -> None:
    end, nearest, found = finer(tiny, steps)
    theta0, eta = theta0_of(tiny), tiny.step_size
    assert eta is not None
    with working_precision():
        last, late = sharpened.limit_point(tiny.setup, end)
        star, near = sharpened.nearest_point(tiny.setup, end, nearest, theta0, 0.0)
    with mpmath.workdps(50):
        exact, origin = Exact(tiny), [mpmath.mpf(v) for v in theta0.tolist()]
        limit = limit_of(exact, [mpmath.mpf(v) for v in end.last.tolist()], eta)
        optimum = nearest_of(exact, [mpmath.mpf(v) for v in nearest.found.theta.tolist()], origin)
        assert norm_of(limit, as_mpmath(last)) <= late <= close
        assert norm_of(optimum, as_mpmath(star)) <= near <= 1e-22
        v, u, gap = norm_of(limit, origin), norm_of(optimum, origin), norm_of(limit, optimum)
        for name, value in zip(QUANTITIES, (v, u, gap, v - u), strict=True):
            assert float(found.values[name].lower) <= value <= float(found.values[name].upper)


@pytest.mark.parametrize(
    "network",
    [
        {"hidden": [5, 4], "bias_scale": 0.5, "output_scale": 0.3},
        {"hidden": [5, 4], "trained": [1, 3], "activation": "sin"},
        {"hidden": [7], "activation": "softplus", "bias_scale": 0.2, "trained": [2], "weight_scale": 1.5},
        {"hidden": [7], "activation": "s*exp(-s**2/2)"},
    ],
)
def test_the_network_in_balls_is_that_of_doubles(network: dict[str, Any]) -> None:
    data = {"source": "iris", "points": 6}
    setup, theta = prepare(problem_from_mapping({"data": data, "network": network}, Path()))
    w = np.random.default_rng(0).standard_normal(setup.dataset.targets.shape)
    a, phi, points, nu = setup.architecture, setup.activation_kernel, setup.dataset.inputs, setup.dataset.sample_weights
    with working_precision():
        signals = ball_signals(setup, row(theta))
        outputs, gradient = middles(signals.outputs).T, middles(pulled_back(setup, signals, at_points(w)))[0]
        assert max(float(entry.rad()) for entry in signals.outputs.entries()) < 1e-33
    np.testing.assert_allclose(outputs, outputs_and_kernel(a, phi, theta, points, nu)[0], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(gradient, vector_jacobian(a, phi, theta, points, nu, w), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("loss", ["square", "log_cosh", "logistic"])
def test_the_finer_values_lie_in_the_coarse_ones(loss: str) -> None:
    found = solved(loss={"name": loss}, training={"steps": 300}, network={"hidden": [24], "bias_scale": 0.5})
    end, nearest, fine = finer(found)
    coarse = measured_values(found.setup, end, nearest, theta0_of(found))
    assert fine.reason == ""
    assert fine.limit_error < end.error
    assert fine.nearest_error < max(1e-4 * nearest.error, sharpened.ENOUGH * fine.limit_error)  # there it stops
    for name in QUANTITIES:
        assert coarse[name].lower <= fine.values[name].lower <= fine.values[name].upper <= coarse[name].upper


def test_a_nearest_optimum_known_badly_is_found_again(tiny: Verification) -> None:
    """From a point 1e-5 away; and without a Newton step the bound is that large, and true."""
    end, nearest, _ = finer(tiny)
    reference = theta0_of(tiny)
    away = np.random.default_rng(1).standard_normal(len(reference))
    moved = dataclasses.replace(nearest.found, theta=nearest.found.theta + 1e-5 * away / np.linalg.norm(away))
    with working_precision():
        star, near = sharpened.nearest_point(tiny.setup, end, nearest, reference, 0.0)
        again, error = sharpened.nearest_point(tiny.setup, end, NearestOptimum(moved, 1e-4), reference, 0.0)
        coarse, large = sharpened.nearest_point(tiny.setup, end, NearestOptimum(moved, 1e-4), reference, 1.0)
        assert float(upper(length(star - again))) <= near + error <= 1e-15
        assert 1e-5 * (1 - 1e-9) <= float(upper(length(star - coarse))) <= large + near <= 1e-3


@pytest.fixture(scope="module")
def decided(late: Verification) -> ImplicitRegularization:
    assert late.limit is not None
    return late.limit


def test_the_claims_of_a_late_run_are_decided(late: Verification, decided: ImplicitRegularization) -> None:
    claims = {claim.id: claim for claim in decided.claims}
    assert {claim.verdict for claim in claims.values()} == {Verdict.HOLDS}
    assert all("both points evaluated in balls" in claims[name].reason for name in SECOND)
    values = measured_values(late.setup, decided.end, decided.nearest, theta0_of(late))
    doubles = implicit.checked(RECORDS, decided.end, values, 0, False, "")
    assert {claim.verdict for claim in doubles if claim.id in SECOND} == {Verdict.NOT_APPLICABLE}
    for name in QUANTITIES:
        assert values[name].lower <= decided.values[name].lower <= decided.values[name].upper <= values[name].upper


@pytest.mark.parametrize("claim", SECOND)
@pytest.mark.parametrize("factor", [0.5, 0.82, 0.99])
def test_a_false_claim_does_not_hold(late: Verification, decided: ImplicitRegularization, claim: str, factor: float) -> None:
    """The bound made smaller (B5: larger) than what is measured is a violation, and on its edge nothing holds."""
    true = next(one for one in decided.claims if one.id == claim)
    assert true.slack is not None
    record = next(record for record in RECORDS if claim in [one.id for one in record.claims])

    def verdict(scale: float) -> Verdict:
        exactly = round(scale * 2**40)  # a formula takes no Float
        claims = tuple(dataclasses.replace(one, bound=one.bound * exactly / 2**40) for one in record.claims)
        found = implicit.checked([dataclasses.replace(record, claims=claims)], decided.end, decided.values, 0, False, "")
        return next(one for one in found if one.id == claim).verdict

    on_edge = true.slack if claim == "B5" else 1 / true.slack
    beyond = on_edge / factor if claim == "B5" else on_edge * factor
    assert verdict(beyond) is Verdict.VIOLATED
    assert verdict(1.0) is Verdict.HOLDS
    assert verdict(on_edge * (1 + 1e-9 if claim == "B5" else 1 - 1e-9)) is Verdict.UNDECIDED


def test_a_large_network_is_left_and_told(late: Verification, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharpened, "LARGEST", 10_000)
    assert late.limit is not None
    end = late.limit.end
    found = implicit_regularization(late.setup, late.certificate, theta0_of(late), end.steps, later=(end.steps, end.last))
    told = [claim for claim in found.claims if claim.id in SECOND]
    assert {claim.verdict for claim in told} == {Verdict.NOT_APPLICABLE}
    assert all("too large to be evaluated in balls" in claim.reason for claim in told)


def test_errors_only_widen(tiny: Verification) -> None:
    ends = [sharpened._widened(arb(2) / 3, error, True) for error in (0.0, 1e-3, 1.0)]
    for narrow, wide in zip(ends[:-1], ends[1:], strict=True):
        assert wide.lower <= narrow.lower <= 2 / 3 <= narrow.upper <= wide.upper
    assert isinstance(ends[0], Interval)
    assert ends[-1].lower == 0
