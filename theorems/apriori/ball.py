"""From theta0 to the ball B(R): drift, backward signals, and beta(x), a polynomial of degree L in |x|.

The recursion E1-E4 of ``theorems.ball`` for one point x, fed with the bounds of ``theorems.apriori.start``, in sums and
products alone. With a_l = c_l (w_l + R 1[l in T]):

    D_l = |(p_l 1[l in T], a_l Lp D_{l-1})|, D_0 = 0                                        |z_l - z_l^0|(x) <= R D_l(x)
    B_{L-1} = c_L R 1[L in T],  B_l = a_{l+1}(Lp B_{l+1} + Lpp R D_{l+1} e_{l+1}) + c_{l+1} R Delta_{l+1} 1[l+1 in T]
    E_l = e_l + B_l >= |eta_l|_inf,   N_l = Delta_l + Lp B_l + Lpp R D_l e_l >= |delta_l|,   N_L = 1
    V_l = |(a_l Lp V_{l-1}, phat_l 1[l in T])|, V_0 = 0, phat_l = |(c_l (h_{l-1} + Lp R D_{l-1}), sigma_b)|

where |(u, v)| is ``root_of_squares``. The vectors v_l of E2 obey v_l = a_l Lp v_{l-1} + phat_l e_l with e_l orthogonal to
v_{l-1}: |v_l| <= V_l.

**beta(x).** For a direction u with layer norms t, |t| = |u| = 1, E4's product rule at the one point x reads

    |D^2 f_theta(x)[u, u]| <= alpha t^T M(x) t,  M(x) = sum_{l>=2, l in T} c_l Lp N_l (e_l v_{l-1}^T + v_{l-1} e_l^T) +
    sum_{l<L} Lpp E_l v_l v_l^T,

and as lambda_max(e v^T + v e^T) = |v| for a unit vector e orthogonal to v,

    beta(x) := alpha (sum_{l>=2, l in T} c_l Lp N_l V_{l-1} + sum_{l<L} Lpp E_l V_l^2) >= |D^2 f_theta(x)| on B(R).

**beta.** DF is the stack of the operators df(x_i)/sqrt(n), and the square of a stack's norm is at most the sum of the squares:
on B(R), |DF(theta) - DF(theta')|^2 <= (1/n) sum_i beta(x_i)^2 |theta - theta'|^2. No maximum over points is mixed with a mean
here, as it is in E4, whose factors max_i N_l(i) v^nu and max_i E_l(i) v^max v^nu are not means of powers of |x_i|.

**Degree.** p_l, D_l, V_l are of degree 1, e_l and B_l of degree L-1-l, N_l of degree L-l: N_l V_{l-1} is of degree L-l+1 <= L-1
and E_l V_l^2 of degree L-l+1 <= L. So beta(x)^2 is of degree 2L, attained by l = 1, phi'' at the first layer: with T beginning
at layer l_0 > 1 the degree is L-l_0+1, and moments up to order 2(L-l_0+1) are enough. V_l^2 is carried by its own recursion, so
that p_1^2 = c_1^2 X^2 + sigma_b^2 stays even.

Source: docs/theory.md, E and F.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theorems.apriori.polynomial import Signal, constant_like, root_of_squares, zero_like
from theorems.apriori.start import Naming, StartBounds, unnamed
from theorems.arithmetic import Arithmetic
from theorems.ball import curvature_terms_of


@dataclass(frozen=True)
class BallSignals:
    """On B(R): D_1..D_L, B_1..B_{L-1}, E_1..E_{L-1}, N_1..N_L, V_1..V_L and beta(x); polynomials in |x| or arrays over points.

    terms: beta(x) is alpha times their sum, one for each of ``theorems.ball.curvature_terms_of``.
    """

    forward_drift: tuple[Signal, ...]
    backward_drift: tuple[Signal, ...]
    backward_sup: tuple[Signal, ...]
    backward_norms: tuple[Signal, ...]
    first_derivative: tuple[Signal, ...]
    terms: tuple[Signal, ...]
    beta: Signal


def ball_signals(start: StartBounds, radius: Any, arithmetic: Arithmetic, named: Naming = unnamed) -> BallSignals:
    """Evaluate the recursion on B(radius); ``radius``, R >= 0, a number of the arithmetic. Nondecreasing in R and in every
    bound.
    """
    with arithmetic.context():
        gains = _gains(start, radius, named)
        drift = _forward_drift(start, gains, arithmetic, named)
        first, squares = _first_derivative(start, gains, radius, drift, arithmetic, named)
        backward = _backward_drift(start, gains, radius, drift, named)
        sup = tuple(named(f"E_{layer}", e + b) for layer, (e, b) in enumerate(zip(start.backward_sup, backward, strict=True), 1))
        norms = _backward_norms(start, radius, drift, backward, named)
        terms = _terms(start, sup, norms, first, squares)
        beta = sum(terms, zero_like(start.signals[0])) * start.plan.output_scale
        return BallSignals(drift, backward, sup, norms, first, terms, beta)


def _gains(start: StartBounds, radius: Any, named: Naming) -> tuple[Any, ...]:
    """a_l for l >= 2; a_1 multiplies D_0 = 0 and V_0 = 0 only."""
    found: list[Any] = [None]
    for index in range(1, start.layers):
        a = start.gains[index] + start.fan_in_scales[index] * radius if start.plan.trained[index] else start.gains[index]
        found.append(named(f"a_{index + 1}", a) if start.plan.trained[index] else a)
    return tuple(found)


def _forward_drift(start: StartBounds, gains: tuple[Any, ...], arithmetic: Arithmetic, named: Naming) -> tuple[Signal, ...]:
    found: list[Signal] = []
    for index in range(start.layers):
        own = start.preactivations[index] if start.plan.trained[index] else zero_like(start.signals[0])
        carried = found[-1] * (gains[index] * start.plan.slope) if found else zero_like(own)
        found.append(named(f"D_{index + 1}", root_of_squares(own, carried, arithmetic)))
    return tuple(found)


def _first_derivative(
    start: StartBounds, gains: tuple[Any, ...], radius: Any, drift: tuple[Signal, ...], arithmetic: Arithmetic, named: Naming
) -> tuple[tuple[Signal, ...], tuple[Signal, ...]]:
    """V_l, and bounds of |v_l|^2."""
    plan, zero = start.plan, zero_like(start.signals[0])
    found: list[Signal] = []
    squares: list[Signal] = []
    for index in range(start.layers - 1):
        carried, square = zero, zero
        if index:
            step = gains[index] * plan.slope
            carried, square = found[-1] * step, squares[-1] * (step * step)
        if plan.trained[index]:
            grown = start.signals[index] + drift[index - 1] * (plan.slope * radius) if index else start.signals[index]
            scaled, bias = grown * start.fan_in_scales[index], constant_like(grown, plan.bias_scale)
            carried = root_of_squares(carried, root_of_squares(scaled, bias, arithmetic), arithmetic)
            square = square + scaled * scaled + bias * bias
        found.append(named(f"V_{index + 1}", carried))
        squares.append(named(f"U_{index + 1}", square))
    return tuple(found), tuple(squares)


def _backward_drift(
    start: StartBounds, gains: tuple[Any, ...], radius: Any, drift: tuple[Signal, ...], named: Naming
) -> tuple[Signal, ...]:
    plan, layers = start.plan, start.layers
    found: list[Signal] = [None] * (layers - 1)
    for index in range(layers - 2, -1, -1):  # index = l - 1; position index + 1 is layer l + 1
        above, zero = index + 1, zero_like(start.signals[0])
        moved = start.fan_in_scales[above] * radius * start.backward_norms[above]
        own = constant_like(start.signals[0], moved) if plan.trained[above] else zero
        if above < layers - 1:
            bent = drift[above] * start.backward_sup[above] * (plan.curvature * radius)
            own = (found[above] * plan.slope + bent) * gains[above] + own
        found[index] = named(f"B_{index + 1}", own)
    return tuple(found)


def _backward_norms(
    start: StartBounds, radius: Any, drift: tuple[Signal, ...], backward: tuple[Signal, ...], named: Naming
) -> tuple[Signal, ...]:
    plan, found = start.plan, []
    for index in range(start.layers - 1):
        bent = drift[index] * start.backward_sup[index] * (plan.curvature * radius)
        at_start = constant_like(start.signals[0], start.backward_norms[index])
        found.append(named(f"N_{index + 1}", at_start + backward[index] * plan.slope + bent))
    return (*found, constant_like(start.signals[0], start.backward_norms[-1]))


def _terms(
    start: StartBounds,
    sup: tuple[Signal, ...],
    norms: tuple[Signal, ...],
    first: tuple[Signal, ...],
    squares: tuple[Signal, ...],
) -> tuple[Signal, ...]:
    plan, found = start.plan, []
    for term in curvature_terms_of(plan.trained):
        index = term.layer - 1
        if term.order == 1:
            found.append(norms[index] * first[index - 1] * (start.fan_in_scales[index] * plan.slope))
        else:
            found.append(sup[index] * squares[index] * plan.curvature)
    return tuple(found)
