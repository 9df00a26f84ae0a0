"""Limits of Clopper and Pearson against scipy, the defining equation in exact arithmetic, and their coverage; verdicts."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from theorems.errors import InputError
from verify.drawn.clopper_pearson import (
    Count,
    Interval,
    limits,
    median_limits,
    shared_confidence,
    trials_needed,
    verdict,
)
from verify.errors import ProblemError
from verify.verdict import Verdict


def clopper_pearson(failures: int, trials: int, confidence: Any) -> Interval:
    return limits(Count(failures, failures, trials), confidence)


def at_least(k: int, n: int, p: Fraction) -> Fraction:
    """P(K >= k), exactly."""
    return sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), Fraction(0))


@st.composite
def counts(draw, largest: int):
    trials = draw(st.integers(1, largest))
    return draw(st.integers(0, trials)), trials


@given(counts(3000), st.sampled_from([0.5, 0.9, 0.95, 0.999, 1 - 1e-8]))
def test_scipy_has_the_same_limits_inside(count, confidence) -> None:
    failures, trials = count
    theirs = scipy.stats.binomtest(failures, trials).proportion_ci(confidence, method="exact")
    ours = clopper_pearson(failures, trials, confidence)
    # brentq solves for scipy's limits: absolute 2e-12, and 1 - limit is a difference.
    assert abs(float(ours.lower) - theirs.low) <= 1e-11
    assert abs(float(ours.upper) - theirs.high) <= 1e-11
    assert 0 <= ours.lower <= Fraction(failures, trials) <= ours.upper <= 1


@given(counts(40), st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100))
def test_the_defining_equation_holds_from_outside_and_tightly(count, confidence) -> None:
    failures, trials = count
    risk = (1 - confidence) / 2
    found = clopper_pearson(failures, trials, confidence)
    assert at_least(failures, trials, found.lower) <= risk or failures == 0
    assert 1 - at_least(failures + 1, trials, found.upper) <= risk or failures == trials
    inward = Fraction(1, 10**9)
    if failures:
        assert at_least(failures, trials, found.lower * (1 + inward)) > risk
    if failures < trials:
        assert 1 - at_least(failures + 1, trials, 1 - (1 - found.upper) * (1 + inward)) > risk


@pytest.mark.parametrize("trials", [1, 7, 20])
def test_the_interval_misses_with_at_most_the_risk_exactly(trials) -> None:
    confidence = Fraction(4, 5)
    found = [clopper_pearson(k, trials, confidence) for k in range(trials + 1)]
    for p in (Fraction(i, 97) for i in range(98)):
        chances = [math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(trials + 1)]
        below = sum(chance for chance, interval in zip(chances, found, strict=True) if p < interval.lower)
        above = sum(chance for chance, interval in zip(chances, found, strict=True) if p > interval.upper)
        assert below <= Fraction(1, 10)
        assert above <= Fraction(1, 10)


def test_no_failure_and_nothing_but_failures() -> None:
    none, all_ = clopper_pearson(0, 10, Fraction(9, 10)), clopper_pearson(10, 10, Fraction(9, 10))
    assert (none.lower, all_.upper) == (0, 1)
    assert (1 - none.upper) ** 10 <= Fraction(1, 20)
    assert float(none.upper) == pytest.approx(1 - 0.05**0.1, rel=1e-12)
    assert float(all_.lower) == pytest.approx(0.05**0.1, rel=1e-12)


def test_doubtful_failures_count_against_both_verdicts() -> None:
    found = limits(Count(3, 7, 50), Fraction(9, 10))
    assert found.lower == clopper_pearson(3, 50, Fraction(9, 10)).lower
    assert found.upper == clopper_pearson(7, 50, Fraction(9, 10)).upper


def test_verdicts() -> None:
    confidence = 1 - Fraction(1, 10**6)
    assert verdict(Count(60, 60, 100), Fraction(1, 10), confidence) is Verdict.VIOLATED
    assert verdict(Count(12, 12, 100), Fraction(1, 10), confidence) is Verdict.UNDECIDED
    assert verdict(Count(0, 0, 10), Fraction(1, 10), confidence) is Verdict.UNDECIDED
    assert verdict(Count(0, 0, 1000), Fraction(1, 10), confidence) is Verdict.HOLDS
    # Failures that are only possible never refute, and never pass.
    assert verdict(Count(0, 60, 100), Fraction(1, 10), confidence) is Verdict.UNDECIDED
    assert verdict(Count(9, 9, 10), 1, confidence) is Verdict.NOT_APPLICABLE
    assert verdict(Count(1, 1, 10), 0, confidence) is Verdict.VIOLATED
    assert verdict(Count(0, 0, 10), 0, confidence) is Verdict.UNDECIDED


@pytest.mark.parametrize("stated", [Fraction(1, 2), Fraction(1, 70), Fraction(1, 3000)])
def test_the_trials_needed_are_needed(stated) -> None:
    confidence = shared_confidence(100)
    needed = trials_needed(stated, confidence)
    assert verdict(Count(0, 0, needed), stated, confidence) is Verdict.HOLDS
    assert verdict(Count(0, 0, needed - 1), stated, confidence) is Verdict.UNDECIDED
    assert needed == math.ceil(math.log(float((1 - confidence) / 2)) / math.log1p(-float(stated)))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60), st.sampled_from([0.55, 0.9, 0.95]))
def test_median_limits_against_scipy(values, confidence) -> None:
    found = median_limits(values, confidence)
    theirs = scipy.stats.quantile_test(values, q=0, p=0.5).confidence_interval(confidence_level=confidence)
    assert found.lower == theirs.low or (found.lower == -math.inf and math.isnan(theirs.low))
    assert found.upper == theirs.high or (found.upper == math.inf and math.isnan(theirs.high))
    assert found.lower <= found.median <= found.upper


def test_bad_arguments_are_refused_in_one_sentence() -> None:
    for call in (
        lambda: clopper_pearson(3, 2, 0.9),
        lambda: clopper_pearson(-1, 2, 0.9),
        lambda: clopper_pearson(0, 0, 0.9),
        lambda: clopper_pearson(0, 2, 1),
        lambda: Count(2, 1, 5),
        lambda: verdict(Count(0, 0, 1), -1, 0.9),
        lambda: trials_needed(0, 0.9),
        lambda: median_limits([], 0.9),
        lambda: median_limits([math.nan], 0.9),
    ):
        with pytest.raises(ProblemError, match=r"must|needs"):
            call()
    with pytest.raises(InputError):
        clopper_pearson(0, 2, "0.9")
