"""Least width, output scale, label scale and largest step: closed form for one hidden layer, otherwise a bracket proved at both
ends.

**Monotonicity in the width.** Let the hidden widths be r_l m with fixed integers r_l. On m >= m_0, m_0 the least m with
ln(N_e/p_e) >= L-1 for each of the events e = units, leave_one_out, columns, output_weights that occur (N_e = K_e m statements
of share p_e), every number of the bounds at theta0 that enters beta, Lambda and s_0 is nonincreasing in m, hence so are q(R*),
Lambda and beta. Proof. For l >= 2, c_l = sigma_w/sqrt(r_{l-1} m) and c_l w_l = sigma_w(sqrt(r_l/r_{l-1}) + 1 + t/sqrt(r_{l-1}
m)) (for the last layer likewise) decrease, as the number of statements behind t does not grow with m, nor that behind
t_signals; so do Delta_l and, by induction, p_{l+1}, in which h_l enters as c_{l+1} sqrt(m_l)(|phi(0)| + Lp p_l (1 +
t/sqrt(m_l))). t_e = sqrt(2 ln(K_e m/p_e)) grows, but t_e m^{-1/(2J)} does not where ln(K_e m/p_e) >= J: its logarithm has the
derivative (1/ln(K_e m/p_e) - 1/J)/(2m). Take J = L-1 >= 1. Then c_{l+1} omega_{l+1} decreases. By its recursion e_l is a sum of
terms c_i times nonincreasing factors times at most L-l <= L-1 of the numbers t_units, t_leave_one_out, t_output_weights, hence
nonincreasing. All else (R*, a_l, D_l, B_l, E_l, N_l, V_l, beta, and E4) is made of these by sums, products and roots of sums of
squares, with R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)), s_0 nonincreasing and lambda0 fixed or, by Chernoff, increasing. ∎

**Output scale and label scale.** With lambda0 = alpha^2 lambda_1, q(R*) = 2 beta_1(R*) (|y|/alpha + |f_0|/alpha)/lambda_1 and
R* decrease with alpha; they increase with |y|.

**One hidden layer, T = {1}, square loss, centered.** E_1 = c_2 column, V_1 = p_1, no other term: beta = alpha sigma_w m^{-1/2}
column Lpp S for every R, S the Schur constant or the root of the mean of p_1^4, column = sqrt(k) for +-1. With lambda0 granted,
q < q* iff m > (2 alpha sigma_w column Lpp S s_0/(q* lambda0))^2; with lambda0 = (1 - sqrt(C/m)) lambda_inf, iff sqrt(m) >
sqrt(C) + 2 alpha sigma_w Lpp S s_0/(q* lambda_inf).

**Transfer.** For m >= m_0, Lambda(m) <= Lambda(m_0): a step of at most 1/(L Lambda(m_0)) is admissible at every width m >= m_0,
and q only falls.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.apriori.blueprint import Blueprint
from theorems.apriori.constants import Prior, initial, path_radius, quantities, quotient
from theorems.apriori.data import Moments, beta_on_ball
from theorems.apriori.eigenvalue import Granted, chernoff_constant
from theorems.apriori.polynomial import Polynomial, mean_from_moments
from theorems.apriori.start import start_bounds
from theorems.arithmetic import BALL, FLOAT, Arithmetic, lower, upper, working_precision
from theorems.errors import InputError
from theorems.exact import exactly

GROWING = ("units", "leave_one_out", "columns", "output_weights")
LARGEST_WIDTH = 1 << 400
TARGET_STEPS = 256  # q* is a multiple of wanted/256
REFUSED_BITS = 7
RELATIVE = Fraction(1, 1 << 20)


@dataclass(frozen=True)
class WidthThreshold:
    """The least m >= first with q < target: q(width) < target and, unless width = first, q(width - 1) >= target, both proved in
    balls.

    q, q_below: a rational upper bound of q(width) and a lower bound of q(width - 1), None where width = first or lambda0 is not
    positive there. decided: False where q(width - 1) equals the target up to 2^-100, which balls cannot tell from less: then
    q(width - 2) >= target is proved, and the least width is ``width`` or one less.
    """

    width: int
    first: int
    target: Fraction
    q: Fraction
    q_below: Fraction | None
    decided: bool = True


@dataclass(frozen=True)
class BestWidth:
    """threshold: the least width at the best q* found, ``threshold.target``. refused: a width within 1% below at which no radius
    certifies, so that none below (from m_0 on) is certified either; None where that is not proved."""

    threshold: WidthThreshold
    refused: int | None


@dataclass(frozen=True)
class ScaleThreshold:
    """q < target is proved at ``certified`` and q >= target at ``refused``, within a factor 1 + 2^-20; between them nothing is
    said.
    """

    certified: Fraction
    refused: Fraction


def at_width(prior: Prior, width: Any) -> Prior:
    """The same with hidden widths multiplied: those of ``prior`` are the r_l."""
    sizes = prior.plan.sizes
    hidden = tuple(part * width for part in prior.plan.hidden)
    return dataclasses.replace(prior, plan=dataclasses.replace(prior.plan, sizes=(sizes[0], *hidden, sizes[-1])))


def monotone_from(prior: Prior) -> int:
    """m_0: from this width on every bound is nonincreasing in the width. The widths of ``prior`` are the r_l."""
    shares = prior.shares
    least = 1
    for event in GROWING:
        if event in shares.counts:
            # ln(K m/p) >= L - 1, decided in balls: round e^{L-1} up.
            with working_precision():
                power = upper(BALL.exp(prior.plan.layers - 1))
            least = max(least, math.ceil(power * shares.shares[event] / shares.counts[event]))
    return least


def least_width(prior: Prior, target: Any = 1) -> WidthThreshold:
    """The least m >= m_0 with q(R*) < target, for hidden widths r_l m; ``prior`` holds the r_l as its widths, and numbers only.

    Raises InputError when no width up to 2^400 will do, naming the value that q tends to.
    """
    goal = _target(target)
    first = monotone_from(prior)

    def decide(width: int) -> Any:
        with working_precision():
            return quotient(at_width(prior, width), BALL, goal)

    return _least(decide, goal, first, _guess(prior, goal, first))


def best_width(prior: Prior, wanted: Any = 1) -> BestWidth:
    """The least width over all targets q* <= ``wanted``, that is, over all radii; ``prior`` as for ``least_width``.

    A radius R with R > rbar(beta(R)) and q(R) < wanted exists iff q(R*) < q* for some q* <= wanted: R lies above R* of a q* > q(R)
    (or of q* = wanted), and q increases with R; conversely R* itself will do. q* = 1 is not the best one where beta grows with R.
    """
    goal, first = _target(wanted), monotone_from(prior)

    def width_at(step: int) -> int:
        return _guess(prior, goal * Fraction(step, TARGET_STEPS), first)

    low, high = 1, TARGET_STEPS  # by thirds: the choice of q* is free, any is valid
    while high - low > 2:
        third = (high - low) // 3
        left, right = low + third, high - third
        low, high = (low, right) if width_at(left) <= width_at(right) else (left, high)
    best = min(range(low, high + 1), key=width_at)
    found = least_width(prior, goal * Fraction(best, TARGET_STEPS))
    below = found.width - max(1, found.width >> REFUSED_BITS)
    refused = below if below >= first and no_radius_certifies(at_width(prior, below), goal) else None
    return BestWidth(found, refused)


def no_radius_certifies(prior: Prior, wanted: Any = 1, most: int = 4000) -> bool:
    """Whether q(R*) >= q* is proved for every q* in (0, wanted], by subdivision in balls: no radius certifies this network.

    On [a, b], q at R*(b) >= q at R*(a), so q(R*(a)) >= b is enough. False where ``most`` intervals do not suffice.
    """
    goal = _target(wanted)
    with working_precision():
        at = initial(prior, BALL)
        if not at.lambda0 > 0:
            return bool(at.lambda0 <= 0)
        sigma0 = BALL.sqrt(at.lambda0)
        left = [(Fraction(0), goal)]
        for _ in range(most):
            if not left:
                return True
            a, b = left.pop()
            beta = beta_on_ball(at.known, prior.data, path_radius(at, a, BALL), BALL)
            if not 2 * beta * at.s0 / (sigma0 * sigma0) >= BALL.numbers(b):
                if b - a < goal / 2**24:
                    return False
                left += [(a, (a + b) / 2), ((a + b) / 2, b)]
    return not left


def _guess(prior: Prior, goal: Fraction, first: int) -> int:
    """By doubles; only a place to begin."""
    low, high = first, first
    while not float(quotient(at_width(prior, high), FLOAT, goal)) < goal:
        low, high = high, 2 * high
        if high > LARGEST_WIDTH:
            limit = float(quotient(at_width(prior, LARGEST_WIDTH), FLOAT, goal))
            raise InputError(f"no width below 2^400 is certified a priori: q tends to about {limit:.4g}, not below {float(goal):g}")
    while high - low > max(1, low >> 60):
        middle = (low + high) // 2
        low, high = (low, middle) if float(quotient(at_width(prior, middle), FLOAT, goal)) < goal else (middle, high)
    return high


def _least(decide: Callable[[int], Any], goal: Fraction, first: int, guess: int) -> WidthThreshold:
    """From a guess to the least integer, by balls alone; an undecided comparison is refused."""

    def certified(width: int) -> bool:
        return bool(decide(width) < exact)  # False for a NaN ball: lambda0 is not positive there

    with working_precision():
        exact = BALL.numbers(goal)
        high = max(first, guess)
        stride = max(1, guess >> 50)
        while not certified(high):
            high, stride = high + stride, 2 * stride
            if high > LARGEST_WIDTH:
                raise InputError("no width below 2^400 is certified a priori")
        low, stride = high, max(1, guess >> 50)
        while low > first and certified(low):
            low, stride = max(first, low - stride), 2 * stride
        if certified(low):
            return WidthThreshold(low, first, goal, upper(decide(low)), None)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if certified(middle) else (middle, high)
        q, below = upper(decide(high)), decide(low)
        if not below.is_finite():
            return WidthThreshold(high, first, goal, q, None)
        if not below >= exact and not (low > first and decide(low - 1) >= exact):
            raise InputError(f"q at the width {low} is too close to {float(goal):g} to be decided with {BALL.bits} bits: {below}")
        return WidthThreshold(high, first, goal, q, lower(below), bool(below >= exact))


def closed_form_square_root(prior: Prior, arithmetic: Arithmetic, target: Any = 1) -> Any:
    """The number whose square every certified width exceeds, and which no other does: one hidden layer, T = {1}, centered,
    square loss.

    q(m) < target iff sqrt(m) > this number. The width in ``prior`` is not looked at (put 1), nor is any symbol for it needed.

    Raises InputError where another layer moves or the loss or the network is not of that form.
    """
    plan = prior.plan
    if (
        plan.layers != 2
        or plan.trained != (True, False)
        or plan.gaussian_output
        or not prior.centered
        or prior.smoothness != prior.mu
    ):
        raise InputError(
            "the closed form is that of one hidden layer, trained alone, +-1 outputs, a centered network and the square loss"
        )
    unit = at_width(prior, 1)
    with arithmetic.context():
        numbers = arithmetic.numbers
        column = arithmetic.sqrt(numbers(plan.outputs))
        scale = numbers(plan.output_scale) * numbers(plan.weight_scale) * column * numbers(plan.curvature)
        size = 2 * scale * _schur(unit, arithmetic) * numbers(prior.label_norm) / numbers(target)
        if isinstance(prior.eigenvalue, Granted):
            return size / numbers(prior.eigenvalue.lambda0)
        root = arithmetic.sqrt(chernoff_constant(plan, prior.shares, prior.eigenvalue, arithmetic))
        return root + size / numbers(prior.eigenvalue.lambda_limit)


def _schur(prior: Prior, arithmetic: Arithmetic) -> Any:
    """The smaller of the Schur constant and the root of the mean of p_1^4."""
    if isinstance(prior.data, Moments):
        inputs = Polynomial((arithmetic.numbers(0), arithmetic.numbers(1)))
        square = start_bounds(prior.plan, prior.shares, inputs, arithmetic).squares[0]
        moments = [arithmetic.numbers(moment) for moment in prior.data.even]
        return arithmetic.sqrt(mean_from_moments(square * square, moments, arithmetic))
    # lambda_max is at most the trace, whose square root is the other number.
    return arithmetic.numbers(prior.data.schur)


def scale_threshold(quotient_at: Callable[[Fraction], Any], increasing: bool, target: Any = 1) -> ScaleThreshold:
    """A bracket of the scale at which q crosses ``target``; q, a ball for each rational scale, is monotone in it.

    Arguments: ``increasing``, True for the label scale (certified below), False for the output scale (certified above).

    Raises InputError when no scale between 2^-200 and 2^200 separates, or when q cannot be decided.
    """
    goal = _target(target)

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
    for _ in range(200):
        if certified(good):
            break
        good *= toward
    else:
        raise InputError(f"no scale between 2^-200 and 2^200 brings q below {float(goal):g}")
    for _ in range(200):
        if not certified(bad):
            break
        bad /= toward
    else:
        raise InputError(f"q stays below {float(goal):g} at every scale between 2^-200 and 2^200")
    while max(good, bad) > min(good, bad) * (1 + RELATIVE):
        middle = (good + bad) / 2 if max(good, bad) < 4 * min(good, bad) else _geometric(good, bad)
        good, bad = (middle, bad) if certified(middle) else (good, middle)
    return ScaleThreshold(good, bad)


def _geometric(a: Fraction, b: Fraction) -> Fraction:
    """A power of 2 times the smaller number, strictly between two numbers at least a factor 4 apart."""
    ratio = max(a, b) / min(a, b)
    return min(a, b) * (1 << ((ratio.numerator // ratio.denominator).bit_length() // 2))


def with_output_scale(prior: Prior, scale: Fraction) -> Prior:
    """alpha multiplied by ``scale``, and with it lambda0 by its square: the tangent kernel carries alpha^2."""
    plan = dataclasses.replace(prior.plan, output_scale=prior.plan.output_scale * scale)
    known = prior.eigenvalue
    if isinstance(known, Granted):
        return dataclasses.replace(prior, plan=plan, eigenvalue=Granted(known.lambda0 * scale**2))
    return dataclasses.replace(prior, plan=plan, eigenvalue=dataclasses.replace(known, lambda_limit=known.lambda_limit * scale**2))


def largest_step(prior: Prior, arithmetic: Arithmetic, target: Any = 1) -> Any:
    """1/(L Lambda) on B(R*), Lambda = (sqrt(lambda_max) + beta R*)^2: admissible at every width from m_0 on, if q(R*) < target
    there.
    """
    with arithmetic.context():
        at = initial(prior, arithmetic)
        radius = path_radius(at, target, arithmetic)
        values = quantities(prior, radius, arithmetic, at)
        root = arithmetic.sqrt(values["lambda_max"]) + values["beta"] * radius
        return 1 / (values["L"] * root**2)


def limiting_step(plan: Blueprint, lambda_max: Any, smoothness: Any, arithmetic: Arithmetic) -> Any:
    """1/(L lambda_max(K_inf)): what the largest certified step at initialization tends to as the width grows (beta R -> 0)."""
    with arithmetic.context():
        return 1 / (arithmetic.numbers(smoothness) * arithmetic.numbers(lambda_max))


def _target(value: Any) -> Fraction:
    exact = exactly(value)
    if not 0 < exact <= 1:
        raise InputError(f"the target of q must lie in (0, 1], got {value!r}")
    return exact
