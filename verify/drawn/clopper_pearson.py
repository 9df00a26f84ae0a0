"""Frequencies against stated probabilities: exact binomial confidence limits, rounded outward and proved.

K failures in N independent trials, each with probability p, and a = (1 - confidence)/2. The limits of Clopper and Pearson are

    lower: the p with P(K >= k) = a, 0 for k = 0;      upper: the p with P(K <= k) = a, 1 for k = N,

so that the interval misses p with probability at most 2a, whatever p and N are. P(K >= k) is the regularized incomplete beta
function I_p(k, N - k + 1), which increases with p. The limit is proposed by scipy and moved outward until balls prove that it is
on its side; the limits returned are proved, and by a relative 2^-40 or less wider than the exact ones.

A frequency cannot prove that a stated probability is right: HOLDS says that the frequency's upper limit is at most what is stated.

Source: C. J. Clopper and E. S. Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import scipy.stats

from theorems.arithmetic import as_ball, working_precision
from theorems.exact import exactly
from verify import fields
from verify.errors import ProblemError
from verify.verdict import Verdict

OVERALL_RISK = Fraction(1, 10**6)
"""Of one experiment: with at most this probability some correct statement among all that it checks is called VIOLATED, or some
wrong one HOLDS."""

_BITS = 120
_WIDENING = Fraction(1, 1 << 44)


@dataclass(frozen=True)
class Interval:
    """lower <= p <= upper, with the stated confidence; bounds of a probability."""

    lower: Fraction
    upper: Fraction


@dataclass(frozen=True)
class Count:
    """Failures among independent trials. certain: beyond the error of measurement; possible: these and those within the error."""

    certain: int
    possible: int
    trials: int

    def __post_init__(self) -> None:
        fields.integer("trials", self.trials, 1)
        if not 0 <= self.certain <= self.possible <= self.trials:
            raise ProblemError(
                f"failures must satisfy 0 <= certain <= possible <= {self.trials}, got {self.certain} and {self.possible}"
            )

    @property
    def frequency(self) -> float:
        """Failures per trial, the possible ones included."""
        return self.possible / self.trials


def limits(count: Count, confidence: Any) -> Interval:
    """Confidence limits of the probability of a failure: the lower one from the certain failures, the upper from the possible ones.

    Arguments: ``confidence``, an exact number in (0, 1). Raises ProblemError for another.
    """
    risk = (1 - _confidence(confidence)) / 2
    return Interval(_lower(count.certain, count.trials, risk), 1 - _lower(count.trials - count.possible, count.trials, risk))


def verdict(count: Count, stated: Any, confidence: Any) -> Verdict:
    """A stated probability of failure against a count.

    VIOLATED when the lower limit exceeds ``stated``; HOLDS when the upper limit is at most that; UNDECIDED otherwise: more trials
    would be needed. NOT_APPLICABLE where 1 or more is stated, which says nothing.
    """
    p = exactly(stated)
    if p < 0:
        raise ProblemError(f"a stated probability must not be negative, got {stated!r}")
    if p >= 1:
        return Verdict.NOT_APPLICABLE
    interval = limits(count, confidence)
    if interval.lower > p:
        return Verdict.VIOLATED
    return Verdict.HOLDS if interval.upper <= p else Verdict.UNDECIDED


def trials_needed(stated: Any, confidence: Any) -> int:
    """The least number of trials after which no failure at all makes the verdict on ``stated`` HOLDS.

    The upper limit at 0 failures is 1 - a^{1/N}, at most p from N = ln a/ln(1 - p) on.
    """
    p = exactly(stated)
    if not 0 < p < 1:
        raise ProblemError(f"a stated probability must lie strictly between 0 and 1, got {stated!r}")
    risk = (1 - _confidence(confidence)) / 2
    guess = max(1, math.ceil(math.log(risk) / math.log1p(-float(p))) - 2)
    while verdict(Count(0, 0, guess), p, confidence) is not Verdict.HOLDS:
        guess += 1
    return guess


def shared_confidence(checks: int, risk: Any = OVERALL_RISK) -> Fraction:
    """The confidence of each of so many intervals with which all of them together err with probability at most ``risk``."""
    return 1 - exactly(risk) / max(1, checks)


@dataclass(frozen=True)
class MedianLimits:
    """The sample's median, and order statistics between which the law's median lies with the stated confidence."""

    median: float
    lower: float
    upper: float


def median_limits(values: Sequence[float], confidence: Any) -> MedianLimits:
    """Distribution-free limits of a median from independent values: the r-th smallest and the r-th largest.

    The median is below the r-th smallest of N only if at most r - 1 values lie at or below it: probability at most P(B <= r - 1), B
    binomial(N, 1/2). The largest r with twice that at most 1 - confidence is taken; infinite limits where there is none.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n == 0 or not all(math.isfinite(x) for x in ordered):
        raise ProblemError(f"a median needs finite values, at least one, got {n} values")
    risk = (1 - _confidence(confidence)) / 2
    cumulative, r = 0, 0
    while r < n // 2:
        cumulative += math.comb(n, r)
        if Fraction(cumulative, 1 << n) > risk:
            break
        r += 1
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    if r == 0:
        return MedianLimits(middle, -math.inf, math.inf)
    return MedianLimits(middle, ordered[r - 1], ordered[n - r])


def _confidence(value: Any) -> Fraction:
    exact = exactly(value)
    if not 0 < exact < 1:
        raise ProblemError(f"confidence must lie strictly between 0 and 1, got {value!r}")
    return exact


def _lower(k: int, n: int, risk: Fraction) -> Fraction:
    """A number not above the p with P(K >= k) = risk."""
    if k == 0:
        return Fraction(0)
    found = Fraction(float(scipy.stats.beta.ppf(float(risk), k, n - k + 1)))
    step = _WIDENING
    with working_precision(_BITS):
        while found > 0:
            candidate = found * (1 - step)
            if as_ball(candidate).beta_lower(k, n - k + 1, regularized=True) <= as_ball(risk):
                return candidate
            step *= 4
            if step >= 1:
                break
    return Fraction(0)
