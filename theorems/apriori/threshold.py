"""Least width and largest step: closed form for one hidden layer, otherwise a bracket proved at both ends.

q is 2 beta s_0/lambda0 throughout, which for every loss decides what some step certifies (``theorems.apriori.constants``): the
thresholds below are those of the square loss at every admissible step and of any other loss with the step left free.

**Monotonicity in the width.** Let the hidden widths be r_l m with fixed integers r_l. On m >= m_0, m_0 the least m with
ln(N_e/p_e) >= L-1 for each of the events e = units, leave_one_out, columns, output_weights that occur (N_e = K_e m statements
of share p_e), every number of the bounds at theta0 that enters beta, Lambda and s_0 is nonincreasing in m, hence so are q(R*),
Lambda and beta. Proof. For l >= 2, c_l = sigma_w/sqrt(r_{l-1} m) and c_l w_l = sigma_w(sqrt(r_l/r_{l-1}) + 1 + t/sqrt(r_{l-1}
m)) decrease, as the number of statements behind t does not grow with m, nor that behind t_signals; for the last layer
likewise, with sqrt(k) in place of sqrt(r_L m), or 0 for k = 1. (Of one row only the output makes use: a hidden layer that has
one row at m = 1 has more from m = 2 on, and without its sqrt(m_l) = 1 the bound w_l would jump there.) So do Delta_l and, by
induction, p_{l+1}, in which h_l enters as c_{l+1} sqrt(m_l)(|phi(0)| + Lp p_l (1 + t/sqrt(m_l))). t_e = sqrt(2 ln(K_e m/p_e))
grows, but t_e m^{-1/(2J)} does not where ln(K_e m/p_e) >= J: its logarithm has the derivative (1/ln(K_e m/p_e) - 1/J)/(2m).
Take J = L-1 >= 1. Then c_{l+1} omega_{l+1} decreases. By its recursion e_l is a sum of terms c_i times nonincreasing factors
times at most L-l <= L-1 of the numbers t_units, t_leave_one_out, t_output_weights, hence nonincreasing. All else (R*, a_l,
D_l, B_l, E_l, N_l, V_l, beta, and E4) is made of these by sums, products and roots of sums of squares, with R* = (2
s_0/sigma0)/(1 + sqrt(1 - q*)), s_0 nonincreasing and lambda0 fixed or, by Chernoff, increasing. ∎

**A given step.** Let one of A, A+, A0 apply at the width m >= m_0 with (eta, R, lambda0') and the quotient q_T. Then it applies
with the same three at every larger width (with lambda0 granted or by Chernoff), and with a quotient and a radius of the path that
are no larger. Proof. beta(R), lambda_max and s_0 are nonincreasing in m and lambda0(m) >= lambda0' stays true, so Lambda(R), L_J
and d_max do not increase. kappa depends on (eta, lambda0') alone; k0 = 1 - eta L_J/2 does not decrease, nor does sigma~ = sigma0'
- (sqrt(L/mu)/kappa - 1) beta d_max/2, as kappa <= 1 <= sqrt(L/mu). The quotients, multiples of beta s_0/(kappa^2 lambda0'), beta
s_0/(kappa sigma~^2) and beta s_0/(k0 lambda0'), do not increase, nor do the radii (2 s_0/(x y))/(1 + sqrt(1 - q_T)), x = kappa or
k0, y = sigma0' or sigma~. ∎ kappa lambda0' is not monotone in lambda0': that is why lambda0' is kept. The same holds for every
other change that lowers beta, lambda_max and s_0, such as smaller labels. The record is G-persistence.

**One hidden layer, T = {1}, centered.** E_1 = c_2 column, V_1 = p_1, no other term: beta = alpha sigma_w m^{-1/2}
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
from theorems.apriori.constants import (
    Prior,
    flow_quotient,
    initial,
    path_radius,
    quotient,
    zero_residual,
)
from theorems.apriori.data import Moments, beta_on_ball
from theorems.apriori.eigenvalue import Granted, chernoff_constant
from theorems.apriori.polynomial import Polynomial, mean_from_moments
from theorems.apriori.start import start_bounds
from theorems.arithmetic import BALL, BITS, FLOAT, Arithmetic, BallArithmetic, lower, upper, working_precision
from theorems.errors import InputError
from theorems.exact import exactly

GROWING = ("units", "leave_one_out", "columns", "output_weights")
LARGEST_WIDTH = 1 << 400
TARGET_STEPS = 256  # q* is a multiple of wanted/256
REFUSED_BITS = 7


@dataclass(frozen=True)
class WidthThreshold:
    """The least m >= first with q < target: q(width) < target and, unless width = first, q(width - 1) >= target, both proved in
    balls.

    q, q_below: a rational upper bound of q(width) and a lower bound of q(width - 1), None where width = first or lambda0 is not
    positive there. decided: False where q(width - 1) equals the target as far as balls of 128 bits more than the width has can
    tell: then q(width - 2) >= target is proved, and the least width is ``width`` or one less.
    """

    width: int
    first: int
    target: Fraction
    q: Fraction
    q_below: Fraction | None
    decided: bool = True


@dataclass(frozen=True)
class BestWidth:
    """threshold: the least width at the best q* found, ``threshold.target``. refused: a width within 1% below (of a width below
    128, the one before) at which no radius certifies, so that none below (from m_0 on) is certified either; None where that is not
    proved."""

    threshold: WidthThreshold
    refused: int | None


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
    goal = checked_target(target)
    first = monotone_from(prior)

    guess = _guess(prior, goal, first)
    # Neighboring widths m differ in q by a relative 1/m or so, which balls of as many more bits see.
    arithmetic = BallArithmetic(BITS + guess.bit_length())

    def decide(width: int) -> Any:
        return quotient(at_width(prior, width), arithmetic, goal)

    return _least(decide, goal, first, guess, arithmetic)


def best_width(prior: Prior, wanted: Any = 1) -> BestWidth:
    """The least width over all targets q* <= ``wanted``, that is, over all radii; ``prior`` as for ``least_width``.

    With the step left free. A radius R with R > rbar(R) and q(R) < wanted exists iff q(R*) < q* for some q* <= wanted: R lies
    above R* of a q* > q(R) (or of q* = wanted), and q increases with R; conversely R* itself will do. q* = 1 is not the best one
    where beta grows with R.
    """
    goal, first = checked_target(wanted), monotone_from(prior)

    def width_at(step: int) -> int:
        return _guess(prior, goal * Fraction(step, TARGET_STEPS), first, bits=12)

    best = best_step(width_at) if beta_grows(prior.plan) else TARGET_STEPS
    found = least_width(prior, goal * Fraction(best, TARGET_STEPS))
    below = found.width - max(1, found.width >> REFUSED_BITS)
    refused = below if below >= first and no_radius_certifies(at_width(prior, below), goal) else None
    return BestWidth(found, refused)


def beta_grows(plan: Blueprint) -> bool:
    """Whether beta depends on R at all. Not for one hidden layer trained alone: then q* is best as it is wanted."""
    return plan.layers > 2 or plan.trained != (True, False)


def best_step(threshold_at: Callable[[int], Any]) -> int:
    """A step 1..256 with a small threshold, by thirds; q* is then step/256 of what is wanted. Any choice of q* is valid."""
    low, high = 1, TARGET_STEPS
    while high - low > 2:
        third = (high - low) // 3
        left, right = low + third, high - third
        low, high = (low, right) if threshold_at(left) <= threshold_at(right) else (left, high)
    return min(range(low, high + 1), key=threshold_at)


def no_radius_certifies(prior: Prior, wanted: Any = 1, most: int = 4000) -> bool:
    """Whether q(R*) >= q* is proved for every q* in (0, wanted], by subdivision in balls: no radius certifies this network.

    On [a, b], q at R*(b) >= q at R*(a), so q(R*(a)) >= b is enough. False where ``most`` intervals do not suffice.
    """
    goal = checked_target(wanted)
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
            if not flow_quotient(beta, at.s0, sigma0 * sigma0) >= BALL.numbers(b):
                if b - a < goal / 2**24:
                    return False
                left += [(a, (a + b) / 2), ((a + b) / 2, b)]
    return not left


def _guess(prior: Prior, goal: Fraction, first: int, bits: int = 60) -> int:
    """By doubles, to a relative 2^-bits; only a place to begin."""
    low, high = first, first
    while not float(quotient(at_width(prior, high), FLOAT, goal)) < goal:
        low, high = high, 2 * high
        if high > LARGEST_WIDTH:
            limit = float(quotient(at_width(prior, LARGEST_WIDTH), FLOAT, goal))
            raise InputError(f"no width below 2^400 is certified a priori: q tends to about {limit:.4g}, not below {float(goal):g}")
    while high - low > max(1, low >> bits):
        middle = (low + high) // 2
        low, high = (low, middle) if float(quotient(at_width(prior, middle), FLOAT, goal)) < goal else (middle, high)
    return high


def _least(decide: Callable[[int], Any], goal: Fraction, first: int, guess: int, arithmetic: BallArithmetic) -> WidthThreshold:
    """From a guess to the least integer, by balls alone; an undecided comparison is refused."""

    def certified(width: int) -> bool:
        return bool(decide(width) < exact)  # False for a NaN ball: lambda0 is not positive there

    with arithmetic.context():
        exact = arithmetic.numbers(goal)
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
            return WidthThreshold(low, first, goal, upper(decide(low), arithmetic.bits), None)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if certified(middle) else (middle, high)
        q, below = upper(decide(high), arithmetic.bits), decide(low)
        if not below.is_finite():
            return WidthThreshold(high, first, goal, q, None)
        if not below >= exact and not (low > first and decide(low - 1) >= exact):
            text = f"q at the width {low} is too close to {float(goal):g} to be decided"
            raise InputError(f"{text} with {arithmetic.bits} bits: {below}")
        return WidthThreshold(high, first, goal, q, lower(below, arithmetic.bits), bool(below >= exact))


def closed_form_square_root(prior: Prior, arithmetic: Arithmetic, target: Any = 1) -> Any:
    """The number whose square every certified width exceeds, and which no other does: one hidden layer, T = {1}, centered,
    any loss.

    q(m) < target iff sqrt(m) > this number. The width in ``prior`` is not looked at (put 1), nor is any symbol for it needed.

    Raises InputError where another layer moves or the network is not of that form.
    """
    plan = prior.plan
    if plan.layers != 2 or plan.trained != (True, False) or plan.gaussian_output or not prior.centered:
        raise InputError("the closed form is that of one hidden layer, trained alone, +-1 outputs and a centered network")
    unit = at_width(prior, 1)
    with arithmetic.context():
        numbers = arithmetic.numbers
        column = arithmetic.sqrt(numbers(plan.outputs))
        scale = numbers(plan.output_scale) * numbers(plan.weight_scale) * column * numbers(plan.curvature)
        size = 2 * scale * _schur(unit, arithmetic) * zero_residual(prior, arithmetic) / numbers(target)
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


def checked_target(value: Any) -> Fraction:
    """The target of q as the rational it is. Raises InputError unless it lies in (0, 1]."""
    exact = exactly(value)
    if not 0 < exact <= 1:
        raise InputError(f"the target of q must lie in (0, 1], got {value!r}")
    return exact
