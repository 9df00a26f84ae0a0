"""What is known of the points, and the constants of a network on B(R) that follow: beta, lambda_max(K_0), the initial output.

Of a law, or of a sample by its moments alone, ``Moments`` knows upper bounds of the means of |x|^2, |x|^4, .... Of a data set
``Points`` knows the norms |x_i| and two spectral norms of its Gram matrix, and gains by them: it takes the smaller of two
bounds of beta,

    (1) (sum_i nu_i beta(x_i)^2)^{1/2}, beta(x) of ``theorems.apriori.ball``; (2) E4 of ``theorems.ball``, nondecreasing in
    every entry, fed with the bounds at theta0: |W_l|, |h_l(x_i)|, p_l^nu <= (sum_i nu_i
        p_l(x_i)^2)^{1/2} (a trace; exact for l = 1), the Schur constant of the first layer, |eta_l(x_i)|_inf <= e_l(x_i),
        |delta_l(x_i)| <= Delta_l.

lambda_max(K_0) = |DF|^2 <= sum_i nu_i |df(x_i)|^2, and |df(x)|^2 <= alpha^2 sum_{l in T} |delta_l|^2 p_l^2 <= alpha^2 sum_{l in
T} Delta_l^2 p_l(x)^2: a polynomial of degree 2 in |x|, so M_2 is enough. For points the first layer's mean p_1^2 is replaced by
(p_1^nu)^2, as K^(1) = D o G with D >= 0 of diagonal at most alpha^2 Delta_1^2 and lambda_max(D o G) <= max_i D_ii lambda_max(G)
for G >= 0 (Schur).

|f_0|_nu: given h_{L-1}, f_0/alpha is A g, A A^T the Gram matrix of the output layer with entries weighted by nu, of trace at
most P = sum_i nu_i p_L(x_i)^2, g with k independent standard normal columns: a mean of at most sqrt(k P), and |A|-Lipschitz,
|A| <= sqrt(P): |f_0|_nu <= alpha sqrt(P) (sqrt(k) + t). For +-1 the norm is a convex |A|-Lipschitz function of independent
entries in [-1, 1], and exceeds its mean by 2t|A| with probability at most exp(-t^2/2); an output bias b adds sigma_b |b|
sqrt(sum_i nu_i). Output by output and point by point, |f_{0,o}(x_i)|/alpha exceeds t times p_L(x_i), or c_L|h_{L-1}(x_i)| for
+-1, with probability at most exp(-t^2/2), or 2 exp(-t^2/2) (Hoeffding): t = sqrt(2 ln(nk/p)), or sqrt(2 ln(2nk/p)), gives
sqrt(k P) t. Of the two numbers the smaller one holds with the same probability.

Sources: docs/theory.md, F; Boucheron, Lugosi and Massart (2013), Concentration Inequalities, Theorem 5.6 (Gaussian) and Theorem
6.10 (convex Lipschitz functions of variables in [0, 1]); Horn and Johnson (1991), Topics in Matrix Analysis, Theorem 5.5.18
(Schur).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from theorems.apriori.ball import BallSignals, ball_signals
from theorems.apriori.blueprint import Blueprint
from theorems.apriori.budget import Budget, Tails
from theorems.apriori.polynomial import Polynomial, mean_from_moments
from theorems.apriori.start import StartBounds, start_bounds
from theorems.arithmetic import FLOAT, Arithmetic
from theorems.ball import CurvatureTerm, SignalsAtPoint, ball_bounds, curvature_terms_of, shares_of_beta
from theorems.errors import InputError


@dataclass(frozen=True)
class Moments:
    """even: upper bounds M_2, M_4, ... of sum_i nu_i |x_i|^{2j}, numbers or expressions."""

    even: tuple[Any, ...]


@dataclass(frozen=True)
class Points:
    """norms: |x_i| or upper bounds, one a point. weights: nu_i, of sum 1. gram_norm, schur: upper bounds of lambda_max(G)^{1/2} and
    lambda_max(G' o G')^{1/2}, with G = sqrt(nu_i nu_j)(c_1^2 x_i.x_j + sigma_b^2) and G' o G' likewise weighted once."""

    norms: Any
    weights: Any
    gram_norm: Any
    schur: Any


@dataclass(frozen=True)
class AtStart:
    """start: the bounds of signals, polynomials for moments and arrays for points. lambda_max: a bound of lambda_max(K_0).
    output_square, signal_square: bounds of the means of p_L^2 and of c_L^2|h_{L-1}|^2. total: the sum of the nu_i, which as doubles
    may exceed 1."""

    start: StartBounds
    lambda_max: Any
    output_square: Any
    signal_square: Any
    total: Any


def moments_needed(plan: Blueprint) -> int:
    """The number of even moments that beta asks for: L - l_0 + 1, l_0 the first trained layer; at least 1, for lambda_max."""
    return max(1, plan.layers - plan.trained.index(True))


def at_start(plan: Blueprint, shares: Tails, data: Moments | Points, arithmetic: Arithmetic) -> AtStart:
    """What holds at theta0 for these points.

    Raises InputError where fewer moments are given than the bounds ask for.
    """
    _check(plan, data)
    with arithmetic.context():
        start = start_bounds(plan, shares, _inputs(data, arithmetic), arithmetic)
        mean = _mean(data, arithmetic)
        total = arithmetic.numbers(0)
        for index, moves in enumerate(plan.trained):
            if moves:
                exact = index == 0 and isinstance(data, Points)
                square = arithmetic.numbers(data.gram_norm) ** 2 if exact else mean(start.squares[index])  # type: ignore[union-attr]
                total = total + start.backward_norms[index] ** 2 * square
        scaled = start.signals[-1] * start.fan_in_scales[-1]
        given = (1,) if isinstance(data, Moments) else data.weights
        weight = np.sum(arithmetic.numbers(np.asarray(given)))
        return AtStart(start, start.plan.output_scale**2 * total, mean(start.squares[-1]), mean(scaled * scaled), weight)


def beta_on_ball(known: AtStart, data: Moments | Points, radius: Any, arithmetic: Arithmetic) -> Any:
    """An upper bound of the Lipschitz constant of DF on B(radius) in L2(nu)."""
    with arithmetic.context():
        signals = ball_signals(known.start, radius, arithmetic)
        means = root_mean_square(signals, data, arithmetic)
        if isinstance(data, Moments):
            return means
        return arithmetic.minimum(means, ball_bounds(_signals(known, data, arithmetic), radius, arithmetic).beta)


@dataclass(frozen=True)
class BetaShares:
    """Which terms make the a-priori beta. bound: "mean", bound (1) of the module, or "E4", bound (2), whichever is the smaller.

    shares: of each term, doubles that sum to 1 (all 0 where beta is): for E4 those of ``theorems.ball.shares_of_beta``; for the
    mean, beta^2 = sum_i nu_i beta(x_i)^2 and beta(x) is the sum of alpha t_j(x), the share of t_j is sum_i nu_i alpha t_j(x_i)
    beta(x_i)/beta^2, with moments in place of means of powers.
    """

    bound: str
    terms: tuple[CurvatureTerm, ...]
    shares: tuple[float, ...]


def beta_shares(known: AtStart, data: Moments | Points, radius: Any) -> BetaShares:
    """The terms of ``beta_on_ball`` with their shares, in doubles (``known`` too): they explain a number and bound nothing."""
    with FLOAT.context():
        terms = curvature_terms_of(known.start.plan.trained)
        signals = ball_signals(known.start, radius, FLOAT)
        mean, alpha = _mean(data, FLOAT), known.start.plan.output_scale
        square = float(mean(signals.beta * signals.beta))
        if isinstance(data, Points):
            bounds = ball_bounds(_signals(known, data, FLOAT), radius, FLOAT)
            if float(bounds.beta) ** 2 < square:
                return BetaShares("E4", terms, shares_of_beta(bounds))
        parts = [float(mean(term * signals.beta) * alpha) for term in signals.terms]
        return BetaShares("mean", terms, tuple(part / sum(parts) if square > 0 else 0.0 for part in parts))


def root_mean_square(signals: BallSignals, data: Moments | Points, arithmetic: Arithmetic) -> Any:
    """(sum_i nu_i beta(x_i)^2)^{1/2}, or its bound by moments."""
    with arithmetic.context():
        return arithmetic.sqrt(_mean(data, arithmetic)(signals.beta * signals.beta))


def initial_output(plan: Blueprint, shares: Budget, known: AtStart, arithmetic: Arithmetic) -> Any:
    """A bound of |f_0|_nu; see the module."""
    with arithmetic.context():
        alpha, tail = known.start.plan.output_scale, shares.tail("initial_output", arithmetic)
        root_k = arithmetic.sqrt(arithmetic.numbers(plan.outputs))
        statements = arithmetic.numbers(plan.points * plan.outputs * (1 if plan.gaussian_output else 2))
        share = arithmetic.numbers(shares.shares["initial_output"])
        pointwise = root_k * arithmetic.sqrt(2 * arithmetic.log(statements / share))
        if plan.gaussian_output:
            return alpha * arithmetic.sqrt(known.output_square) * arithmetic.minimum(root_k + tail, pointwise)
        size = arithmetic.sqrt(known.signal_square) * arithmetic.minimum(root_k + 2 * tail, pointwise)
        if plan.has_bias:
            bias = shares.tail("initial_bias", arithmetic)
            length = bias if plan.outputs == 1 else root_k + bias
            size = size + known.start.plan.bias_scale * arithmetic.sqrt(known.total) * length
        return alpha * size


def _signals(known: AtStart, data: Points, arithmetic: Arithmetic) -> SignalsAtPoint:
    """The bounds at theta0 in the form in which ``theorems.ball`` reads measured ones."""
    start = known.start
    mean = _mean(data, arithmetic)
    traces = [arithmetic.sqrt(mean(square)) for square in start.squares[1:]]
    points = len(np.asarray(data.norms))
    norms = [g / c for g, c in zip(start.gains[1:], start.fan_in_scales[1:], strict=True)]
    return SignalsAtPoint(
        fan_in_scales=start.fan_in_scales,
        bias_scale=start.plan.bias_scale,
        output_scale=start.plan.output_scale,
        trained=start.plan.trained,
        slope=start.plan.slope,
        curvature=start.plan.curvature,
        operator_norms=[arithmetic.numbers(0), *norms],  # |W_1| multiplies D_0 = 0 only
        forward_norms=np.array(start.signals),
        gram_norms=[arithmetic.numbers(data.gram_norm), *traces],
        schur=arithmetic.numbers(data.schur),
        backward_sup=np.array(start.backward_sup),
        backward_norms=np.array([[norm] * points for norm in start.backward_norms]),
    )


def _inputs(data: Moments | Points, arithmetic: Arithmetic) -> Any:
    if isinstance(data, Points):
        return arithmetic.numbers(np.asarray(data.norms))
    return Polynomial((arithmetic.numbers(0), arithmetic.numbers(1)))


def _mean(data: Moments | Points, arithmetic: Arithmetic) -> Callable[[Any], Any]:
    if isinstance(data, Points):
        weights = arithmetic.numbers(np.asarray(data.weights))
        return lambda signal: np.sum(weights * signal)
    moments = [arithmetic.numbers(moment) for moment in data.even]
    return lambda signal: mean_from_moments(signal, moments, arithmetic)


def _check(plan: Blueprint, data: Moments | Points) -> None:
    if isinstance(data, Moments) and len(data.even) < moments_needed(plan):
        needed = moments_needed(plan)
        raise InputError(
            f"a network of {plan.layers} layers asks for the even moments up to order {2 * needed}, got {len(data.even)} of them"
        )
    if isinstance(data, Points) and len(np.asarray(data.norms)) != len(np.asarray(data.weights)):
        raise InputError(f"there must be one weight a point, got {len(data.norms)} norms and {len(data.weights)} weights")
