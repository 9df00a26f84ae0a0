"""Verdicts of single checks: they follow from the ends of the intervals, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from theorems.arithmetic import Interval
from theorems.records import Claim, Scope
from verify.claims import MeasuredSteps, around, check, seen_steps, step_symbols
from verify.verdict import Verdict

X, Y = sympy.Symbol("x", positive=True), sympy.Symbol("y", positive=True)
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
