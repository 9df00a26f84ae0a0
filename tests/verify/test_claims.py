"""Verdicts of single checks: they follow from the ends of the intervals, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from theorems.arithmetic import Interval
from theorems.records import Claim, Scope
from verify.claims import check, check_iterated, check_resolved, seen_steps, step_symbols
from verify.measured import MeasuredSteps, around
from verify.verdict import Verdict

X, Y = sympy.Symbol("x", positive=True), sympy.Symbol("y", positive=True)
S_NOW = sympy.Symbol("s", positive=True)
UPPER = Claim("T", "x at most y", X, Y, Scope.STEP)
LOWER = Claim("T", "x at least y", X, Y, Scope.STEP, lower=True)


def interval(*ends: tuple[float, float]) -> Interval:
    low, high = zip(*ends, strict=True)
    return Interval(np.array(low, dtype=float), np.array(high, dtype=float))


@pytest.mark.parametrize(
    ("measured", "bound", "upper", "lower"),
    [
        ((1, 2), (2, 3), Verdict.HOLDS, Verdict.UNDECIDED),
        ((1, 2), (2.5, 3), Verdict.HOLDS, Verdict.VIOLATED),
        ((1, 2.5), (2, 3), Verdict.UNDECIDED, Verdict.UNDECIDED),
        ((3.5, 4), (2, 3), Verdict.VIOLATED, Verdict.HOLDS),
        ((2, 2), (2, 2), Verdict.HOLDS, Verdict.HOLDS),
        ((float("nan"), float("nan")), (2, 3), Verdict.UNDECIDED, Verdict.UNDECIDED),
        ((1, float("nan")), (2, 3), Verdict.UNDECIDED, Verdict.UNDECIDED),
        ((1, 2), (float("nan"), float("nan")), Verdict.UNDECIDED, Verdict.UNDECIDED),
        ((1, float("inf")), (2, 3), Verdict.UNDECIDED, Verdict.UNDECIDED),
    ],
)
def test_verdict_follows_from_the_ends(
    measured: tuple[float, float], bound: tuple[float, float], upper: Verdict, lower: Verdict
) -> None:
    values = {"x": interval(measured), "y": interval(bound)}
    steps = np.array([7])
    assert check(UPPER, "T", values, steps).verdict is upper
    assert check(LOWER, "T", values, steps).verdict is lower


@pytest.mark.parametrize(
    ("measured", "share", "verdict"),
    [
        ((0.9, 1.0), 1.0, Verdict.HOLDS),
        ((0.6, 1.0), 1.0, Verdict.NOT_APPLICABLE),  # an error of 1/5 of the bound, also where it would hold
        ((0.9, 1.0), 0.1, Verdict.NOT_APPLICABLE),  # or of a half of what the claim says
        ((0.9, 1.1), 1.0, Verdict.UNDECIDED),
        ((0.9, 3.0), 1.0, Verdict.NOT_APPLICABLE),
        ((1.1, 30.0), 1.0, Verdict.VIOLATED),  # however badly it is known
        ((float("nan"), 1.0), 1.0, Verdict.UNDECIDED),
        ((-float("inf"), float("inf")), 1.0, Verdict.NOT_APPLICABLE),
    ],
)
def test_what_the_measurement_does_not_resolve_is_no_check(measured: tuple[float, float], share: float, verdict: Verdict) -> None:
    found = check_resolved(UPPER, "T", {"x": interval(measured), "y": interval((1, 1))}, np.array([7]), share)
    assert found.verdict is verdict
    if verdict is Verdict.NOT_APPLICABLE:
        assert "the error of measurement" in found.reason
        assert found.counts[Verdict.NOT_APPLICABLE] == 1


def test_a_lower_bound_is_resolved_alike_and_what_is_left_out_is_told() -> None:
    bound = interval((1, 1), (1, 1), (1, 1))
    found = check_resolved(LOWER, "T", {"x": interval((1, 1.1), (1, 3), (-9, 0.9)), "y": bound}, np.arange(3))
    assert found.verdict is Verdict.VIOLATED
    found = check_resolved(LOWER, "T", {"x": interval((1, 1.1), (1, 3), (-9, 1.1)), "y": bound}, np.arange(3))
    assert found.verdict is Verdict.HOLDS
    assert found.counts[Verdict.HOLDS] == 1
    assert "2 further not counted as checks" in found.reason


def test_one_bad_check_decides_the_claim_and_all_are_counted() -> None:
    values = {"x": interval((1, 1), (3, 5), (9, 9), (1, 2)), "y": interval((4, 4), (4, 4), (4, 4), (4, 4))}
    found = check(UPPER, "T", values, np.arange(4) + 10)
    assert found.verdict is Verdict.VIOLATED
    assert found.counts[Verdict.HOLDS] == 2
    assert found.counts[Verdict.UNDECIDED] == 1
    assert found.counts[Verdict.VIOLATED] == 1
    assert found.step == 12
    assert found.slack == pytest.approx(4 / 9)


def test_slack_is_taken_where_there_is_least_room() -> None:
    values = {"x": interval((1, 1), (2, 2), (1.5, 1.5)), "y": interval((4, 4), (4, 4), (4, 4))}
    found = check(UPPER, "T", values, np.arange(3))
    assert found.verdict is Verdict.HOLDS
    assert (found.step, found.slack) == (1, 2.0)


def test_no_steps_means_not_applicable() -> None:
    values = {"x": Interval(np.array([]), np.array([])), "y": Interval(np.array([]), np.array([]))}
    assert check(UPPER, "T", values, np.array([], dtype=int)).verdict is Verdict.NOT_APPLICABLE


def test_a_verdict_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(Verdict.HOLDS)


def constants() -> dict[str, Interval]:
    values = {"lambda0": 0.5, "Lambda": 2.0, "kappa": 1.0, "L": 1.0, "mu": 1.0, "s0": 1.0, "eta": 0.4, "rbar": 3.0}
    return {name: Interval(np.float64(value), np.float64(value)) for name, value in values.items()}


def measured_steps(step_error: float) -> MeasuredSteps:
    residual = 0.2 ** np.arange(5)
    return MeasuredSteps(
        first=3,
        residual=residual,
        residual_error=np.full(5, 1e-3),
        gradient_norm=residual,
        gradient_error=np.zeros(5),
        length=0.4 * residual,
        length_error=np.zeros(5),
        step_error=np.full(5, step_error),
        mu=1.0,
        eta=0.4,
    )


def test_rounding_of_the_steps_widens_undecided_but_never_holds() -> None:
    """The ends that decide HOLDS do not move with the step error; those that decide VIOLATED move outward."""
    from theorems.catalogue import THEOREM_A_SQUARE

    exact, rough = (step_symbols(THEOREM_A_SQUARE, constants_with_q(), measured_steps(error)) for error in (0.0, 1e-2))
    np.testing.assert_array_equal(exact["s_next"].upper, rough["s_next"].upper)
    assert np.all(exact["s_next"].lower > rough["s_next"].lower)
    np.testing.assert_array_equal(exact["s0"].lower, rough["s0"].lower)
    assert np.all(exact["s0"].upper[1:] < rough["s0"].upper[1:])


def constants_with_q() -> dict[str, Interval]:
    return constants() | {"q": Interval(np.float64(0.5), np.float64(0.5)), "beta_prime": Interval(np.float64(0.1), np.float64(0.1))}


def test_remaining_path_contains_what_the_run_still_went() -> None:
    from theorems.catalogue import THEOREM_A_SQUARE

    symbols = step_symbols(THEOREM_A_SQUARE, constants_with_q(), measured_steps(0.0))
    residual = 0.2 ** np.arange(5)
    gone = np.array([0.4 * residual[k:4].sum() for k in range(4)])
    seen = seen_steps(THEOREM_A_SQUARE, constants_with_q(), measured_steps(0.0))
    assert seen[0]
    assert not seen[-1], "where nearly all of the remaining path lies beyond the end of the run there is no check"
    assert np.all(symbols["remaining"].lower <= gone)
    assert np.all(symbols["remaining"].upper >= gone)
    assert np.all(symbols["summed"].lower <= 0.4 * np.cumsum(residual[:4]))


def test_around_is_outward() -> None:
    found = around(np.array([0.1]), 0.2, 0.3)
    assert found.lower[0] < 0.1 - 0.2
    assert found.upper[0] > 0.1 + 0.3


RATE = Claim(
    "T-b",
    "s falls by 0.95 a step",
    sympy.Symbol("s_next", positive=True),
    S_NOW * sympy.Rational(19, 20),
    Scope.STEP,
    iterates=S_NOW,
)


def falling(factor: float, count: int, error: float) -> tuple[dict[str, Interval], np.ndarray]:
    """s_k = factor^k measured with an absolute error, as the symbols of a rate claim."""
    s = factor ** np.arange(count + 1)
    symbols = {"s": around(s[:-1], error, error), "s_next": around(s[1:], error, error)}
    return symbols, np.arange(count)


def test_a_rate_is_decided_over_several_steps_where_one_is_below_the_error() -> None:
    symbols, steps = falling(0.9, 100, 1e-5)
    assert check(RATE, "T", symbols, steps).verdict is Verdict.UNDECIDED
    found = check_iterated(RATE, "T", symbols, steps)
    # Below s = 8e-5 or so (step 90) the value itself is hidden by the error, but not the fall from larger ones.
    assert found.verdict is Verdict.HOLDS
    assert found.counts[Verdict.HOLDS] == 100


def test_several_steps_do_not_hide_a_rise() -> None:
    symbols, steps = falling(0.9, 100, 1e-5)
    s = 0.9 ** np.arange(101)
    s[31] = s[30]
    symbols = {"s": around(s[:-1], 1e-5, 1e-5), "s_next": around(s[1:], 1e-5, 1e-5)}
    found = check_iterated(RATE, "T", symbols, steps)
    assert found.verdict is Verdict.VIOLATED
    assert found.step == 30


def test_a_slower_fall_than_the_rate_is_never_held() -> None:
    for error in (0.0, 1e-8, 1e-4, 1e-2):
        symbols, steps = falling(0.96, 300, error)
        found = check_iterated(RATE, "T", symbols, steps)
        assert found.counts[Verdict.HOLDS] == 0, error


def test_what_is_hidden_by_its_error_is_undecided() -> None:
    symbols, steps = falling(0.9, 50, 1.0)
    found = check_iterated(RATE, "T", symbols, steps)
    assert found.counts[Verdict.UNDECIDED] == 50


def test_a_claim_about_what_cannot_move_is_not_counted_as_held() -> None:
    from verify.problem import problem_from_mapping
    from verify.verification import verify

    found = verify(problem_from_mapping({"network": {"trained": [2]}, "training": {"steps": 30}}))
    kinds = {claim.id: claim.verdict for claim in found.claims}
    assert kinds["E-jacobian"] is kinds["E-kernel"] is kinds["C1"] is Verdict.NOT_APPLICABLE
    assert kinds["E-forward"] is Verdict.HOLDS
    assert kinds["A-a"] is Verdict.HOLDS
