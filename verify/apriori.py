"""A-priori certificates of a problem: what Theorem A promises for its architecture before any weight is drawn.

The data set is known and its numbers are enclosed from the exact doubles; or only a law of the points is, and its moments.
lambda0 is a hypothesis, or for one hidden layer a theorem (matrix Chernoff) in terms of the enclosed infinite-width kernel.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.optimize

from theorems.activations import Activation
from theorems.apriori.blueprint import Blueprint, blueprint
from theorems.apriori.budget import budget, event_counts
from theorems.apriori.constants import Prior, initial, quantities, quotient, settled_radius
from theorems.apriori.data import Moments, Points, moments_needed
from theorems.apriori.eigenvalue import Chernoff, Granted
from theorems.arithmetic import BALL, FLOAT, exactly, lower, upper, working_precision
from theorems.catalogue import theorem
from theorems.infinite_kernel import Normalization, WideNetwork, wide_network
from theorems.input_gram import as_numbers, gram_of
from theorems.laws.record import Law
from theorems.laws.sampling_bounds import sample_moment_bounds
from theorems.programs import evaluate
from theorems.smallest_eigenvalue import smallest_eigenvalue
from verify.data import Dataset
from verify.errors import ProblemError
from verify.expressions import activation_of
from verify.infinite_width import MOST_IN_BALLS, limit_spectrum
from verify.options import NetworkOptions
from verify.problem import Problem

LEAST_WEIGHT, LARGEST_WEIGHT = 2.0**-20, 2.0**20


@dataclass(frozen=True)
class AprioriCertificate:
    """Theorem A for the square loss at a-priori constants, on every network of the events: with probability at least 1 - delta.

    certified: whether every hypothesis holds, decided in balls. failure_probability: delta. constants: rational bounds (lower,
    upper) of what the theorem's formulas give at these constants; margins: of its hypotheses. refused: the hypotheses that are
    not proved.
    """

    certified: bool
    failure_probability: Fraction
    constants: Mapping[str, tuple[Fraction, Fraction]]
    margins: Mapping[str, tuple[Fraction, Fraction]]
    refused: tuple[str, ...]


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
    certain: bool = False,
    weights: Mapping[str, Any] | None = None,
) -> Prior:
    """What is known of a problem before its weights are drawn.

    Arguments: ``hidden``, other widths than the problem's, for ``theorems.apriori.threshold.least_width`` the ratios r_l.
    ``lambda0``, the hypothesis lambda_min(K_0) >= lambda0, ``certain`` if it is granted without failure; without it the matrix
    Chernoff bound.

    Raises ProblemError for a loss other than the (weighted) square loss, and where the Chernoff bound does not apply or the
    limit kernel is not shown to be positive definite.
    """
    if problem.loss.name != "square":
        raise ProblemError(f'an a-priori certificate is for loss.name = "square", got {problem.loss.name!r}')
    network = problem.network
    plan = plan_of(network, data.dimension, data.targets.shape[1], data.points, hidden)
    with working_precision():
        squares = BALL.numbers(data.sample_weights) @ np.sum(BALL.numbers(data.targets) ** 2, axis=1)
        label_norm = upper(BALL.sqrt(squares))
    points = points_of(plan, data.inputs, data.sample_weights)
    return Prior(
        plan=plan,
        data=points,
        label_norm=label_norm,
        eigenvalue=Granted(exactly(lambda0)) if lambda0 is not None else chernoff_of(network, plan, data, points),
        failure_probability=exactly(problem.certificate.failure_probability),
        centered=network.centered,
        certain=certain,
        weights=tuple((weights or {}).items()),
    )


def chernoff_of(network: NetworkOptions, plan: Blueprint, data: Dataset, points: Points) -> Chernoff:
    """The infinite-width kernel of the first layer alone, enclosed. Raises ProblemError where the theorem does not apply."""
    if plan.layers != 2 or plan.gaussian_output or not plan.trained[0] or plan.outputs != 1:
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
    from theorems.records import evaluate_expression

    return BALL.numbers(0) + evaluate_expression(expression, {}, BALL)


def certificate_of(prior: Prior) -> AprioriCertificate:
    """Theorem A for the square loss at the a-priori constants of ``prior``, on the smallest radius found, with the largest step."""
    record = theorem("A-square")
    radius = settled_radius(prior, FLOAT)
    if not (math.isfinite(float(radius)) and radius > 0):
        at = initial(prior, FLOAT)
        radius = 2 * at.s0 / math.sqrt(at.lambda0) if at.lambda0 > 0 and at.s0 > 0 else 1.0
    with working_precision():
        values = quantities(prior, BALL.numbers(exactly(float(radius))), BALL)
        root = BALL.sqrt(values["lambda_max"]) + values["beta"] * values["R"]
        values["eta"] = BALL.numbers(lower(1 / (root * root)) * (1 - Fraction(1, 1 << 60)))
        known = record.evaluate_constants({str(item.symbol): values[str(item.symbol)] for item in record.quantities}, BALL)
        margins = record.margins(known, BALL)
        proved = {item.id: bool(margins[item.id] > 0 if item.strict else margins[item.id] >= 0) for item in record.hypotheses}
        refused = tuple(name for name, holds in proved.items() if not holds)
        return AprioriCertificate(
            certified=not refused,
            failure_probability=exactly(prior.shares.total),
            constants={name: (lower(x), upper(x)) for name, x in known.items() if x.is_finite()},
            margins={name: (lower(x), upper(x)) for name, x in margins.items() if x.is_finite()},
            refused=refused,
        )


def optimized_weights(make: Callable[[Mapping[str, Any]], Prior], rounds: int = 200) -> dict[str, Fraction]:
    """Weights of the budget's shares that make q(R*) smaller than equal shares do; by doubles, any weights are valid.

    Arguments: ``make``, the prior for given weights. Equal weights are returned where the search finds nothing better.
    """
    events = list(make({}).shares.counts)

    def weights(logarithms: Any) -> dict[str, Fraction]:
        clipped = np.clip(np.exp2(np.clip(logarithms, -20, 20)), LEAST_WEIGHT, LARGEST_WEIGHT)
        # Six digits are enough, and short rationals keep the shares short.
        return {
            event: Fraction(float(w)).limit_denominator(10**6) or Fraction(1, 10**6)
            for event, w in zip(events, clipped, strict=True)
        }

    def objective(logarithms: Any) -> float:
        q = float(quotient(make(weights(logarithms)), FLOAT))
        return math.log(q) if q > 0 else 1e3

    start = np.zeros(len(events))
    found = scipy.optimize.minimize(
        objective, start, method="Nelder-Mead", options={"maxfev": rounds, "xatol": 1e-2, "fatol": 1e-6}
    )
    return weights(found.x) if found.fun < objective(start) else dict.fromkeys(events, Fraction(1))


def at_failure_probability(prior: Prior, value: Any) -> Prior:
    """The same with another delta."""
    return dataclasses.replace(prior, failure_probability=value)
