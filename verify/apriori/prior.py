"""What is known of a problem before any weight is drawn: the numbers that the certificates of ``verify.apriori.certificate`` need.

The data set is known and its numbers are enclosed from the exact doubles; or only a law of the points is, and its moments. The
loss is any of the catalogue with L and mu, or one's own expression: s(0) = sqrt(2 (h(0) - h*)/mu) is bounded from the targets.
lambda0 is a hypothesis, or for one hidden layer a theorem (matrix Chernoff) in terms of the enclosed infinite-width kernel.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.optimize

from theorems.activations import Activation
from theorems.apriori.blueprint import Blueprint, blueprint
from theorems.apriori.budget import budget, event_counts
from theorems.apriori.constants import Prior, initial, quotient
from theorems.apriori.data import Moments, Points, moments_needed
from theorems.apriori.eigenvalue import Chernoff, Granted, chernoff_applies, lambda_start
from theorems.arithmetic import BALL, FLOAT, exactly, upper, working_precision
from theorems.errors import InputError
from theorems.infinite_kernel import Normalization, WideNetwork, wide_network
from theorems.input_gram import as_numbers, gram_of
from theorems.laws.record import Law
from theorems.laws.sampling_bounds import sample_moment_bounds
from theorems.losses import Loss
from theorems.programs import evaluate
from theorems.records import evaluate_expression
from theorems.smallest_eigenvalue import smallest_eigenvalue
from verify.data import Dataset
from verify.errors import ProblemError
from verify.expressions import activation_of, loss_of
from verify.infinite_width import MOST_IN_BALLS, limit_spectrum, spectrum_of
from verify.options import NetworkOptions
from verify.problem import Problem
from verify.rigor import float_above

__all__ = [
    "assumed_from_limit",
    "chernoff_of",
    "eigenvalue_of",
    "loss_numbers",
    "optimized_weights",
    "plan_of",
    "points_of",
    "prior_of",
    "prior_of_law",
    "value_at_zero",
]


def plan_of(network: NetworkOptions, dimension: int, outputs: int, points: int, hidden: Any = None) -> Blueprint:
    """The blueprint of a [network] section; ``hidden``, other widths than its own.

    Raises InputError for an activation without proved bounds of phi' and phi''.
    """
    phi = activation_of(network.activation)
    return blueprint(
        (dimension, *(network.hidden if hidden is None else hidden), outputs),
        slope=phi.slope_bound().upper,
        curvature=phi.curvature_bound().upper,
        at_zero=value_at_zero(phi),
        points=points,
        weight_scale=network.weight_scale,
        bias_scale=network.bias_scale,
        output_scale=network.output_scale,
        trained=[network.trains(layer) for layer in range(1, network.layers + 1)],
        output_layer=network.output_layer,
    )


def value_at_zero(phi: Activation) -> Fraction:
    """A rational upper bound of |phi(0)|, 0 where it is exactly 0."""
    with working_precision():
        return max(Fraction(0), upper(abs(evaluate(phi.program(), BALL, [BALL.numbers(0)])[0])))


def points_of(plan: Blueprint, inputs: Any, sample_weights: Any) -> Points:
    """Upper bounds of |x_i|, p_1^nu and the Schur constant, from the exact doubles; of the last two by traces beyond 400 points."""
    gram = gram_of(inputs)
    with working_precision():
        weights = BALL.numbers(np.array([exactly(float(x)) for x in sample_weights], dtype=object))
        roots = BALL.sqrt(weights)
        c_square = BALL.numbers(plan.weight_scale) ** 2 / plan.sizes[0]
        kernel = c_square * as_numbers(gram.inner, BALL) + BALL.numbers(plan.bias_scale) ** 2
        outer = np.multiply.outer(roots, roots)
        largest, schur = (_largest_eigenvalue(matrix * outer) for matrix in (kernel, kernel * kernel))
        norms = [upper(x) for x in BALL.sqrt(as_numbers(np.diag(gram.inner), BALL))]
        shares = [exactly(float(x)) for x in sample_weights]
        return Points(
            np.array(norms, dtype=object), np.array(shares, dtype=object), upper(BALL.sqrt(largest)), upper(BALL.sqrt(schur))
        )


def _largest_eigenvalue(matrix: Any) -> Any:
    """A number not below lambda_max of a positive semidefinite matrix of balls."""
    trace = BALL.numbers(upper(np.trace(matrix)))
    found = smallest_eigenvalue(-matrix) if len(matrix) <= MOST_IN_BALLS else None
    return trace if found is None else BALL.minimum(trace, BALL.numbers(-found[0]))


def prior_of(
    problem: Problem,
    data: Dataset,
    *,
    hidden: Any = None,
    lambda0: Any = None,
    eigenvalue: Granted | Chernoff | None = None,
    certain: bool = False,
    weights: Mapping[str, Any] | None = None,
) -> Prior:
    """What is known of a problem before its weights are drawn.

    Arguments: ``hidden``, other widths than the problem's, for ``theorems.apriori.threshold.least_width`` the ratios r_l.
    ``lambda0``, the hypothesis lambda_min(K_0) >= lambda0 at the problem's output scale, ``certain`` if it is granted without
    failure; ``eigenvalue``, the same with its origin, or a Chernoff bound; without either the matrix Chernoff bound.

    Raises InputError, with the reason, for a loss without constants L and mu and an activation without bounds, and ProblemError
    where the Chernoff bound does not apply or the limit kernel is not shown to be positive definite.
    """
    network = problem.network
    plan = plan_of(network, data.dimension, data.targets.shape[1], data.points, hidden)
    points = points_of(plan, data.inputs, data.sample_weights)
    if lambda0 is not None:
        eigenvalue = Granted(exactly(lambda0))
    return Prior(
        plan=plan,
        data=points,
        eigenvalue=chernoff_of(network, plan, data, points) if eigenvalue is None else eigenvalue,
        failure_probability=exactly(problem.certificate.failure_probability),
        centered=network.centered,
        certain=certain,
        weights=tuple((weights or {}).items()),
        **loss_numbers(loss_of(problem.loss.name, problem.loss.ridge), data),
    )


def loss_numbers(chosen: Loss, data: Dataset) -> dict[str, Any]:
    """L, mu, |y*|_nu and s(0) = sqrt(2 (h(0) - h*)/mu), by the names of ``Prior``: rational numbers, the last two upper bounds.

    h(u) = sum_i nu_i sum_o loss(u_{io}, t_{io}), and h* is the sum of the minima. For the square loss s(0) = |y|_nu, and is left to
    label_norm. Raises InputError, with the reason, for a loss without L or mu.
    """
    constants = chosen.constants(data.targets.ravel().tolist())
    mu, smoothness = constants.mu.lower, constants.smoothness.upper
    distinct, inverse = np.unique(data.targets, return_inverse=True)
    targets = [float(t) for t in distinct]
    with working_precision():
        shares = BALL.numbers(np.repeat(data.sample_weights, data.targets.shape[1]))
        at_target = [sum(shares[inverse.ravel() == i], BALL.numbers(0)) for i in range(len(targets))]
        if chosen.is_square:
            squares = sum((part * BALL.numbers(t) ** 2 for part, t in zip(at_target, targets, strict=True)), BALL.numbers(0))
            return {"label_norm": upper(BALL.sqrt(squares)), "smoothness": smoothness, "mu": mu}
        size, gap = BALL.numbers(0), BALL.numbers(0)
        for part, t in zip(at_target, targets, strict=True):
            place, least = chosen.minimizer(t), chosen.minimum(t)
            size = size + part * BALL.numbers(max(abs(place.lower), abs(place.upper))) ** 2
            gap = gap + part * _excess_at_zero(chosen, t, least.lower)
        residual = BALL.sqrt(BALL.maximum(2 * gap / BALL.numbers(mu), BALL.numbers(0)))
        return {
            "label_norm": upper(BALL.sqrt(size)),
            "smoothness": smoothness,
            "mu": mu,
            "zero_residual": upper(residual),
        }


def _excess_at_zero(chosen: Loss, target: float, least: Fraction) -> Any:
    """A ball whose upper end is at least loss(0, t) - min loss(., t)."""
    values = {"y": BALL.numbers(0), "t": BALL.numbers(exactly(target))}
    return evaluate_expression(chosen.expression, values, BALL) - BALL.numbers(least)


def assumed_from_limit(problem: Problem, data: Dataset, fraction: Any = Fraction(1, 2)) -> Granted:
    """The hypothesis lambda_min(K_0) >= (1 - fraction) lambda_min(K_inf), K_inf the limit kernel of all trained layers.

    The number is proved (K_inf is enclosed); the inequality is not: a HYPOTHESIS, whose failure has the budget's share of
    "eigenvalue". Of the infinite width it is only known that lambda_min(K_0) tends to lambda_min(K_inf), not how fast.

    Raises InputError unless 0 <= ``fraction`` < 1, and ProblemError where lambda_min(K_inf) is zero or not shown to be positive.
    """
    lost = exactly(fraction)
    if not 0 <= lost < 1:
        raise InputError(f"fraction must be at least 0 and less than 1, got {fraction!r}")
    found = spectrum_of(problem.network, data).tangent
    if found.lower <= 0:
        raise ProblemError(f"the infinite-width kernel must be positive definite to assume lambda0 from it, lambda_min is {found}")
    return Granted(found.lower * (1 - lost), f"{1 - lost} of the enclosed lambda_min(K_inf) of the trained layers")


def eigenvalue_of(
    problem: Problem, data: Dataset, lambda0: Any = None, fraction: Any = Fraction(1, 2), *, any_width: bool = False
) -> Granted | Chernoff:
    """lambda0 as it is given; else by the matrix Chernoff bound, where that applies; else ``assumed_from_limit``, a hypothesis.

    The bound applies at the problem's own width only if that makes eps < 1, with equal shares; ``any_width``: the width is sought.
    Raises ProblemError for a given lambda0 where the tangent kernel is exactly singular, and says so where it exceeds
    lambda_min(K_inf).
    """
    if lambda0 is not None:
        return _granted(problem, data, exactly(lambda0))
    plan = plan_of(problem.network, data.dimension, data.targets.shape[1], data.points)
    if not chernoff_applies(plan):
        return assumed_from_limit(problem, data, fraction)
    known = chernoff_of(problem.network, plan, data, points_of(plan, data.inputs, data.sample_weights))
    counts = event_counts(plan, centered=problem.network.centered)
    shares = budget(counts, exactly(problem.certificate.failure_probability))
    with working_precision():
        if any_width or lambda_start(plan, shares, known, BALL) > 0:
            return known
    found = assumed_from_limit(problem, data, fraction)
    return dataclasses.replace(found, origin=f"{found.origin}; the matrix Chernoff bound has eps >= 1 at this width")


def _granted(problem: Problem, data: Dataset, lambda0: Fraction) -> Granted:
    origin = "as given, at the problem's output scale"
    try:
        limit = spectrum_of(problem.network, data).tangent
    except (InputError, ProblemError):  # no infinite-width kernel to compare with: the hypothesis stands as it is given
        return Granted(lambda0, f"{origin}; not compared with lambda_min(K_inf), which is not known here")
    if limit.zero is not None:
        raise ProblemError(f"lambda0 > 0 cannot be assumed, lambda_min of the infinite-width kernel is {limit}")
    if lambda0 > limit.upper:
        origin += f"; it exceeds lambda_min(K_inf) <= {float_above(limit.upper):.4g}, so it fails at large widths"
    return Granted(lambda0, origin)


def chernoff_of(network: NetworkOptions, plan: Blueprint, data: Dataset, points: Points) -> Chernoff:
    """The infinite-width kernel of the first layer alone, enclosed. Raises ProblemError where the theorem does not apply."""
    if not chernoff_applies(plan):
        raise ProblemError(
            "without a hypothesis on lambda0 an a-priori certificate needs one hidden layer that is trained, one output and "
            'network.output_layer = "signs"'
        )
    spectrum = limit_spectrum(
        _first_layer(network),
        data.inputs,
        normalization=Normalization.MEAN,
        sample_weights=[exactly(float(x)) for x in data.sample_weights],
    )
    if spectrum.tangent.lower <= 0:
        raise ProblemError(
            f"the infinite-width kernel of the first layer must be positive definite, lambda_min is {spectrum.tangent}"
        )
    return Chernoff(spectrum.tangent.lower, points.gram_norm**2)


def _first_layer(network: NetworkOptions) -> WideNetwork:
    scales = {"weight_scale": network.weight_scale, "bias_scale": network.bias_scale, "output_scale": network.output_scale}
    return wide_network(network.activation, 1, **scales, trained=(True, False))


def prior_of_law(
    plan: Blueprint,
    law: Law,
    *,
    label_norm: Any,
    lambda0: Any,
    failure_probability: Any,
    centered: bool = True,
    certain: bool = False,
    method: str = "least",
    weights: Mapping[str, Any] | None = None,
) -> Prior:
    """What is known when the points are to be drawn from a law; the moments' share of the budget goes to their deviations.

    Raises InputError for a law without the moments that the depth asks for, naming the order.
    """
    counts = event_counts(plan, centered=centered, eigenvalue=not certain, sampled=True)
    share = budget(counts, failure_probability, weights).shares["moments"]
    bounds = sample_moment_bounds(law, moments_needed(plan), plan.points, share, method)
    with working_precision():
        even = tuple(upper(_ball_of(item.bound)) for item in bounds)
    return Prior(
        plan=plan,
        data=Moments(even),
        label_norm=label_norm,
        eigenvalue=Granted(lambda0),
        failure_probability=failure_probability,
        centered=centered,
        certain=certain,
        sampled=True,
        weights=tuple((weights or {}).items()),
    )


def _ball_of(expression: Any) -> Any:
    return BALL.numbers(0) + evaluate_expression(expression, {}, BALL)


def optimized_weights(make: Callable[[Mapping[str, Any]], Prior], rounds: int = 200) -> dict[str, Fraction]:
    """Weights of the budget's shares that make q(R*) smaller than equal shares do; any weights are valid.

    Arguments: ``make``, the prior for given weights (moments of a sample made anew for their share, as ``prior_of_law`` does);
    ``rounds``, the most priors tried. A hypothesis on lambda0 keeps its equal share: to take it away would cost q nothing and make
    the hypothesis a stronger one. The search runs in doubles; what it finds is returned only if q(R*) is smaller with it than with
    equal shares as decided in balls, equal weights otherwise. Where q(R*) is not a number (lambda0 by Chernoff not positive) the
    search minimizes -lambda0 until it is.
    """
    first = make({})
    events = list(first.shares.counts)
    equal = dict.fromkeys(events, Fraction(1))
    kept = {"eigenvalue"} & set(events) if isinstance(first.eigenvalue, Granted) else set()
    free = [event for event in events if event not in kept]
    if len(free) < 2:
        return equal

    def weights(logarithms: Any) -> dict[str, Fraction]:
        # Only ratios matter; clipped, so that no share vanishes. Six digits are enough, and short rationals keep the shares short.
        sizes = np.exp2(np.clip(logarithms, -20, 20))
        parts = [Fraction(float(w)).limit_denominator(10**6) or Fraction(1, 10**6) for w in sizes]
        scale = len(free) / sum(parts, Fraction(0))
        return equal | {event: part * scale for event, part in zip(free, parts, strict=True)}

    def objective(logarithms: Any) -> float:
        prior = make(weights(logarithms))
        q = float(quotient(prior, FLOAT))
        if q > 0 and math.isfinite(q):
            return math.log(q)
        missing = -float(initial(prior, FLOAT).lambda0)
        return 1e3 + missing if math.isfinite(missing) else 1e6

    options: Any = {"maxfev": rounds, "xatol": 1e-2, "fatol": 1e-6, "initial_simplex": _simplex(len(free))}
    found = weights(scipy.optimize.minimize(objective, np.zeros(len(free)), method="Nelder-Mead", options=options).x)
    with working_precision():
        before, after = (quotient(make(chosen), BALL) for chosen in (equal, found))
        better = after.is_finite() and (not before.is_finite() or bool(after < before))
    return found if better else equal


def _simplex(size: int) -> Any:
    """Around equal shares, with edges of a factor 4: the default edges around 0 are far too short."""
    return np.vstack([np.zeros(size), 2 * np.eye(size)])
