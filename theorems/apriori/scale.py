"""Least output scale and largest label scale with q below its target, each a bracket proved at both ends.

**Output scale and label scale.** With lambda0 = alpha^2 lambda_1, q(R*) = 2 beta_1(R*) (s(0)/alpha + sqrt(L/mu)|f_0|/alpha)/
lambda_1 and R* decrease with alpha; they increase with s(0), |y| for the square loss. The record is F-scale.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.apriori.constants import Prior, quotient
from theorems.apriori.eigenvalue import Granted
from theorems.apriori.threshold import REFUSED_BITS, TARGET_STEPS, best_step, beta_grows, checked_target, no_radius_certifies
from theorems.arithmetic import BALL, FLOAT, working_precision
from theorems.errors import InputError
from theorems.exact import exactly

RELATIVE = Fraction(1, 1 << 20)
LARGEST_EXPONENT = 200


@dataclass(frozen=True)
class ScaleThreshold:
    """q < target is proved at ``certified`` and q >= target at ``refused``, within a factor 1 + 2^-20; between them nothing is
    said.
    """

    certified: Fraction
    refused: Fraction


@dataclass(frozen=True)
class BestScale:
    """threshold: the bracket for q(R*) < q* at the best q* found, ``target``. refused: a scale at which no radius certifies: that
    of the bracket, or one within 1% of it; None where neither is proved."""

    threshold: ScaleThreshold
    target: Fraction
    refused: Fraction | None


def scale_threshold(quotient_at: Callable[[Fraction], Any], increasing: bool, target: Any = 1) -> ScaleThreshold:
    """A bracket of the scale at which q crosses ``target``; q, a ball for each rational scale, is monotone in it.

    Arguments: ``increasing``, True for the label scale (certified below), False for the output scale (certified above).

    Raises InputError when no scale between 2^-200 and 2^200 separates, or when q cannot be decided.
    """
    goal = checked_target(target)

    def certified(scale: Fraction) -> bool:
        with working_precision():
            ball, exact = quotient_at(scale), BALL.numbers(goal)
            if not ball.is_finite():
                return False
            below, above = bool(ball < exact), bool(ball >= exact)
        if below == above:
            raise InputError(f"q at the scale {float(scale):g} is too close to {float(goal):g} to be decided: {ball}")
        return below

    good = bad = Fraction(1)
    toward = Fraction(1, 2) if increasing else Fraction(2)
    for _ in range(LARGEST_EXPONENT):
        if certified(good):
            break
        good *= toward
    else:
        raise InputError(
            f"no scale between 2^-200 and 2^200 brings q below {float(goal):g}: it tends to {_shown(quotient_at(good))} (of an "
            "uncentered network the initial function stays)"
        )
    for _ in range(LARGEST_EXPONENT):
        if not certified(bad):
            break
        bad /= toward
    else:
        raise InputError(f"q stays below {float(goal):g} at every scale between 2^-200 and 2^200")
    while max(good, bad) > min(good, bad) * (1 + RELATIVE):
        middle = (good + bad) / 2 if max(good, bad) < 4 * min(good, bad) else _geometric(good, bad)
        good, bad = (middle, bad) if certified(middle) else (good, middle)
    return ScaleThreshold(good, bad)


def _shown(ball: Any) -> str:
    return f"about {float(ball.mid()):.4g}" if ball.is_finite() else "no number, as lambda0 is not positive"


def _geometric(a: Fraction, b: Fraction) -> Fraction:
    """A power of 2 times the smaller number, strictly between two numbers at least a factor 4 apart."""
    ratio = max(a, b) / min(a, b)
    return min(a, b) * (1 << ((ratio.numerator // ratio.denominator).bit_length() // 2))


def best_scale(prior_at: Callable[[Fraction], Prior], increasing: bool, wanted: Any = 1) -> BestScale:
    """The best scale over all targets q* <= ``wanted``, that is, over all radii (as ``threshold.best_width``).

    Arguments: ``prior_at``, what is known at each scale, q monotone in it: ``with_output_scale`` or ``with_label_scale``; the rest
    as for ``scale_threshold``.
    """
    goal = checked_target(wanted)

    def difficulty(step: int) -> float:
        found = _guess(prior_at, increasing, goal * Fraction(step, TARGET_STEPS))
        return -found if increasing else found

    chosen = best_step(difficulty) if beta_grows(prior_at(Fraction(1)).plan) else TARGET_STEPS
    if not math.isfinite(difficulty(chosen)):
        chosen = TARGET_STEPS  # then the bracket says what is wrong
    target = goal * Fraction(chosen, TARGET_STEPS)

    def quotient_at(scale: Fraction) -> Any:
        return quotient(prior_at(scale), BALL, target)

    found = scale_threshold(quotient_at, increasing, target)
    away = 1 + Fraction(1, 1 << REFUSED_BITS)
    further = found.refused * away if increasing else found.refused / away
    for scale, most in ((found.refused, 64), (further, 4000)):
        if no_radius_certifies(prior_at(scale), goal, most):
            return BestScale(found, target, scale)
    return BestScale(found, target, None)


def _guess(prior_at: Callable[[Fraction], Prior], increasing: bool, target: Fraction) -> float:
    """log2 of the scale at which q crosses the target, by doubles; infinite where none does."""
    low, high = -float(LARGEST_EXPONENT), float(LARGEST_EXPONENT)
    for _ in range(22):  # to 2^-13
        middle = (low + high) / 2
        below = float(quotient(prior_at(exactly(2.0**middle)), FLOAT, target)) < target
        low, high = (middle, high) if below == increasing else (low, middle)
    return middle if abs(middle) < LARGEST_EXPONENT - 1 else math.copysign(math.inf, middle)


def with_output_scale(prior: Prior, scale: Fraction) -> Prior:
    """alpha multiplied by ``scale``, and with it lambda0 by its square: the tangent kernel carries alpha^2."""
    plan = dataclasses.replace(prior.plan, output_scale=prior.plan.output_scale * scale)
    known = prior.eigenvalue
    if isinstance(known, Granted):
        granted = dataclasses.replace(known, lambda0=exactly(known.lambda0) * scale**2)
        return dataclasses.replace(prior, plan=plan, eigenvalue=granted)
    return dataclasses.replace(prior, plan=plan, eigenvalue=dataclasses.replace(known, lambda_limit=known.lambda_limit * scale**2))


def with_label_scale(prior: Prior, scale: Fraction) -> Prior:
    """The labels multiplied by ``scale``. Raises InputError for another loss than the square loss, whose s(0) would not scale."""
    if not prior.is_square or prior.zero_residual is not None:
        raise InputError("a label scale is for the square loss, whose residual at the function 0 is the labels' root mean square")
    return dataclasses.replace(prior, label_norm=exactly(prior.label_norm) * scale)
