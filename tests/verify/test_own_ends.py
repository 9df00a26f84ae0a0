"""B1 to B5, C2 and C3 of a run of one's own: against the product's own run, and against NumPy with an explicit Jacobian."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.verify.own_loops import ETA, HIDDEN, POINTS, SECTIONS, STEPS, claim_of, some, trained, with_biases
from verify import own_ends
from verify.assertions import OwnRun, TheoremReport, assert_theorem, check_theorem
from verify.problem import problem_from_mapping
from verify.verdict import Verdict
from verify.verification import verify

NAMES = ("B1", "B2", "B3", "B4", "B5", "C2", "C3")
FIRST = 13  # a step at which the loop is certified
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def loop() -> dict[str, Any]:
    return trained()


def flat(record: list[Array]) -> Array:
    return np.concatenate([weight.ravel() for weight in record])


def outputs(loop: dict[str, Any], record: list[Array]) -> Array:
    x, (w1, w2) = loop["inputs"], record
    return np.asarray((np.tanh(x @ w1.T / np.sqrt(x.shape[1])) @ w2.T)[:, 0] / np.sqrt(HIDDEN))


def jacobian(loop: dict[str, Any], record: list[Array]) -> Array:
    """d f(x_i)/d(W1, W2), one row a point."""
    x, (w1, w2) = loop["inputs"], record
    h = np.tanh(x @ w1.T / np.sqrt(x.shape[1]))
    inner = (w2 * (1 - h**2))[:, :, None] * x[:, None, :] / np.sqrt(HIDDEN * x.shape[1])
    return np.hstack([inner.reshape(len(x), -1), h / np.sqrt(HIDDEN)])


def after(loop: dict[str, Any], record: list[Array], steps: int) -> Array:
    """The weights so many steps of gradient descent later."""
    theta, split = flat(record), record[0].size
    for _ in range(steps):
        here = [theta[:split].reshape(record[0].shape), theta[split:].reshape(record[1].shape)]
        theta = theta - ETA * jacobian(loop, here).T @ (outputs(loop, here) - loop["targets"][:, 0]) / POINTS
    return theta


def test_the_claims_are_those_of_the_product(loop: dict[str, Any]) -> None:
    ours = {claim.id: claim for claim in verify(problem_from_mapping(SECTIONS)).claims}
    for name in NAMES:
        report = assert_theorem(OwnRun(**loop), name)
        assert report.unchecked == ()
        assert report.claims[0].id == "GD"
        for claim in report.claims[1:]:
            assert claim.verdict is Verdict.HOLDS
            assert claim.counts == ours[claim.id].counts
            assert claim.slack == pytest.approx(ours[claim.id].slack, rel=1e-4)


def test_before_and_after_against_numpy(loop: dict[str, Any]) -> None:
    start, end = loop["weights"][FIRST], loop["weights"][STEPS]
    run = some(loop, [FIRST, STEPS])
    limit = after(loop, end, 300)
    v, moved = limit - flat(start), flat(end) - flat(start)
    a = jacobian(loop, start)
    outside = np.linalg.norm(v - np.linalg.pinv(a) @ (a @ v))
    assert claim_of(assert_theorem(run, "B1"), "B1").measured == pytest.approx(outside, rel=1e-4)
    e, kernel = outputs(loop, start) - loop["targets"][:, 0], a @ a.T / POINTS
    report = assert_theorem(some(loop, [FIRST, FIRST + 10, STEPS]), "C3")
    claim = claim_of(report, "C3")
    assert [name for name, _ in report.unchecked] == ["C3-sum"]
    assert claim.step == FIRST + 10  # where the distance is larger
    linearized = np.linalg.matrix_power(np.eye(POINTS) - ETA * kernel, 10) @ e
    gap = outputs(loop, loop["weights"][FIRST + 10]) - loop["targets"][:, 0] - linearized
    assert claim.measured == pytest.approx(np.sqrt(np.mean(gap**2)), rel=1e-6)
    change = claim_of(assert_theorem(run, "C2"), "C2")
    assert change.measured == pytest.approx(np.linalg.norm(moved) / np.linalg.norm(flat(start)), rel=1e-9)
    assert change.step == STEPS


def test_the_nearest_optimum_is_nearest(loop: dict[str, Any]) -> None:
    """theta_inf is farther from the start than theta*, by less than |theta_inf - theta*|, and B4 says the same as B2."""
    run = some(loop, [FIRST, STEPS])
    excess, apart = claim_of(assert_theorem(run, "B2"), "B2"), claim_of(assert_theorem(run, "B3"), "B3")
    travelled = np.linalg.norm(after(loop, loop["weights"][STEPS], 300) - flat(loop["weights"][FIRST]))
    assert excess.measured is not None
    assert apart.measured is not None
    assert 0 < excess.measured < apart.measured < travelled
    quotient = claim_of(assert_theorem(run, "B4"), "B4").measured
    assert quotient == pytest.approx(travelled / (travelled - excess.measured), rel=1e-8)


def moved_away(loop: dict[str, Any], far: float) -> OwnRun:
    run = some(loop, [FIRST, STEPS])
    return dataclasses.replace(run, weights=[run.weights[0], [run.weights[1][0] + far / np.sqrt(HIDDEN), run.weights[1][1]]])


@pytest.mark.parametrize("name", ["B1", "B2", "B3", "B4", "C2", "C3"])
def test_weights_that_went_elsewhere_violate_it(name: str, loop: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=f"{name} VIOLATED"):
        assert_theorem(moved_away(loop, 0.3), name, start=FIRST)


def test_a_last_record_without_a_certificate_has_no_limit_that_is_known(loop: dict[str, Any]) -> None:
    run = moved_away(loop, 30.0)
    report = check_theorem(run, "B3", start=FIRST)
    assert [name for name, _ in report.unchecked] == ["B3"]
    assert (
        "the last record is not certified, so where gradient descent goes from there is not known: the step 2.5 is too large: "
        in report.unchecked[0][1]
    )
    with pytest.raises(AssertionError, match="nothing was checked"):
        assert_theorem(run, "B3", start=FIRST, undecided="allow")


@pytest.mark.parametrize("change", [{"share": 0.9}, {"standard": True}, {"noise": 1e-6}])
def test_what_is_seen_not_to_be_gradient_descent_fails(change: dict[str, Any]) -> None:
    run = OwnRun(**trained(**change))
    for name in ("B3", "C2"):
        with pytest.raises(AssertionError, match="GD VIOLATED"):
            assert_theorem(run, name, undecided="allow")


def test_errors_of_float32_are_told_from_the_claim(loop: dict[str, Any]) -> None:
    """Every step recorded: they are seen, and small. Before and after: they are allowed for, and leave some claims undecided."""
    single = trained(np.float32)
    dense = OwnRun(**{**single, "weights": single["weights"][:81]})
    for name in NAMES:
        assert assert_theorem(dense, name).holding
    ends = some(single, [FIRST, 80])
    found = {name: check_theorem(ends, name) for name in NAMES}
    claims = {claim.id: claim.verdict for report in found.values() for claim in report.claims[1:]}
    assert {name for name, verdict in claims.items() if verdict is Verdict.HOLDS} >= {"C2", "C2-layers", "C2-neurons", "B5"}
    assert claims["B3"] is claims["C3"] is Verdict.NOT_APPLICABLE
    assert Verdict.VIOLATED not in claims.values()
    # B2 is not resolved although its second half holds: the theorem is not asserted by half of it.
    assert claims["B2"] is Verdict.NOT_APPLICABLE
    assert found["B2"].holding
    for undecided in ("fail", "allow"):
        with pytest.raises(AssertionError, match="B2 NOT_APPLICABLE"):
            assert_theorem(ends, "B2", undecided=undecided)  # type: ignore[arg-type]


def fails(report: TheoremReport, words: str) -> bool:
    return bool(report.problems("allow")) and any(words in line for line in report.lines())


def test_where_the_linearized_run_is_not_compared(loop: dict[str, Any]) -> None:
    assert fails(check_theorem(OwnRun(**with_biases()), "C3"), "the linearized run is compared for the square loss only")
    pair = {**loop, "weights": [loop["weights"][FIRST], loop["weights"][STEPS]], "steps": [0, own_ends.LONGEST + 1]}
    assert fails(check_theorem(OwnRun(**pair), "C3"), "the linearized run is compared over 4194304 at most")
    assert fails(check_theorem(some(loop, [0, FIRST]), "C2"), "nothing comes after it")
    assert fails(check_theorem(some(loop, [0, 1, 2]), "B3"), "not certified: q = ")


def test_other_losses_biases_and_an_activation_of_ones_own() -> None:
    run = OwnRun(**with_biases())
    for name in ("B3", "C2"):
        assert assert_theorem(run, name).problems() == []


def test_a_rigorous_certificate(loop: dict[str, Any]) -> None:
    report = assert_theorem(some(loop, [FIRST + 10, STEPS], rigor="rigorous"), "B3")
    assert report.certificate.rigor.value == "rigorous"
