"""The assumption lambda0 > 0: the smallest eigenvalue of the tangent kernel at initialization, against its limit at infinite width.

K_0 is that of every other command (``numerics.kernels.tangent_kernel``, weights of the points included), lambda_inf the enclosed
smallest eigenvalue of the limit kernel in the same normalization. For eps in EPSILONS,

    P(lambda_min(K_0) >= (1 - eps) lambda_inf)

is estimated over seeds with limits of Clopper and Pearson. For more than one hidden layer no theorem here states this probability:
what is counted is evidence and gets no verdict. For one hidden layer the matrix Chernoff bound does
(``theorems.apriori.eigenvalue``).

Against the width: the median over the seeds of |lambda_min/lambda_inf - 1| with distribution-free limits, and the slope of the
least squares line of its logarithm against the logarithm of the width. The slope is linear in the logarithms, so the limits of the
medians give limits of the slope of the line through the true medians. (-1/2 would be the rate of a central limit theorem.)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.kernels import tangent_kernel
from numerics.network import initialize
from numerics.norms import symmetric_eigenvalues
from theorems.apriori.budget import budget
from theorems.apriori.eigenvalue import chernoff_epsilon
from theorems.arithmetic import BALL, upper, working_precision
from theorems.exact import exactly
from verify.apriori.prior import chernoff_of, plan_of, points_of
from verify.data import Dataset
from verify.drawn.clopper_pearson import Count, MedianLimits, median_limits
from verify.drawn.frequencies import Array, Frequency, count_above, room_of, seeds_of
from verify.drawn.measurements import RESOLUTION
from verify.errors import ProblemError
from verify.expressions import activation_of
from verify.infinite_width import LimitEigenvalue, spectrum_of
from verify.kernels import activation_kernel
from verify.problem import Problem
from verify.progress import Progress, prefixed, silent
from verify.weights import architecture_of

EPSILONS = (Fraction(1, 10), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(9, 10))
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIDENCE = Fraction(95, 100)
"""Of each interval that is shown as evidence, and of each slope's limits."""


@dataclass(frozen=True)
class WidthSample:
    """lambda_min(K_0) at one width, one value a seed, with the bound of the error of measurement of each."""

    width: int
    values: Array
    errors: Array


@dataclass(frozen=True)
class Slope:
    """Of log median |lambda_min/lambda_inf - 1| against log width."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Curve:
    """One problem at several widths. limit: the enclosed lambda_inf."""

    problem: Problem
    limit: LimitEigenvalue
    samples: tuple[WidthSample, ...]

    @property
    def limit_value(self) -> float:
        """lambda_inf as a double, within the enclosure's width."""
        return float((self.limit.lower + self.limit.upper) / 2)

    def ratios(self, sample: WidthSample) -> Array:
        """lambda_min(K_0)/lambda_inf."""
        return sample.values / self.limit_value

    def at_least(self, sample: WidthSample, epsilon: Fraction) -> Count:
        """The draws with lambda_min(K_0) >= (1 - eps) lambda_inf: certain, and possible within errors and enclosure."""
        high, low = (float((1 - epsilon) * end) for end in (self.limit.upper, self.limit.lower))
        certain, possible = sample.values - sample.errors >= high, sample.values + sample.errors >= low
        return Count(int(certain.sum()), int(possible.sum()), len(sample.values))

    def deviation(self, sample: WidthSample, confidence: Any = CONFIDENCE) -> MedianLimits:
        """The median of |lambda_min/lambda_inf - 1| with its limits."""
        return median_limits(np.abs(self.ratios(sample) - 1).tolist(), confidence)

    def slope(self, confidence: Any = CONFIDENCE) -> Slope | None:
        """The slope against the width, all medians' limits holding together with ``confidence``; None for one width."""
        if len(self.samples) < 2:
            return None
        each = 1 - (1 - exactly(confidence)) / len(self.samples)
        medians = [self.deviation(sample, each) for sample in self.samples]
        return slope_of([sample.width for sample in self.samples], medians)


def slope_of(widths: Sequence[int], medians: Sequence[MedianLimits]) -> Slope:
    """The least squares slope of log median against log width, and what it can be while each median is within its limits."""
    x = np.log(np.array(widths, dtype=np.float64))
    coefficients = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    with np.errstate(divide="ignore"):
        middle, low, high = (np.log([getattr(m, name) for m in medians]) for name in ("median", "lower", "upper"))
    least, most = np.where(coefficients > 0, low, high), np.where(coefficients > 0, high, low)
    moving = coefficients != 0  # 0 times infinity is no number
    return Slope(*(float(coefficients[moving] @ values[moving]) for values in (middle, least, most)))


def at_width(problem: Problem, width: int) -> Problem:
    """The same problem with all hidden layers of this width."""
    hidden = (width,) * len(problem.network.hidden)
    return dataclasses.replace(problem, network=dataclasses.replace(problem.network, hidden=hidden))


def smallest_eigenvalues(problem: Problem, data: Dataset, seeds: Sequence[int], progress: Progress = silent) -> WidthSample:
    """lambda_min(K_0) of the problem's network for each seed."""
    network = problem.network
    architecture = architecture_of(network, data.dimension, data.outputs)
    kernel = activation_kernel(activation_of(network.activation))
    values, errors = np.empty(len(seeds)), np.empty(len(seeds))
    for i, seed in enumerate(seeds):
        theta = initialize(architecture, network.output_layer, seed)
        matrix = tangent_kernel(architecture, kernel, theta, data.inputs, data.sample_weights)
        found, solver = symmetric_eigenvalues(matrix)
        values[i], errors[i] = found[0], solver + RESOLUTION * float(np.trace(matrix))
        progress(f"draw {i + 1} of {len(seeds)}")
    return WidthSample(network.hidden[0], values, errors)


def eigenvalue_curve(
    problem: Problem, data: Dataset, widths: Sequence[int], count: int, seed: int, progress: Progress = silent
) -> Curve:
    """lambda_min(K_0) over ``count`` seeds at each width. The seeds of a width are ``seeds_of(seed, count, L, width)``.

    Raises ProblemError where the limit kernel is not shown to be positive definite: a ratio to 0 says nothing.
    """
    limit = spectrum_of(problem.network, data).tangent
    if limit.lower <= 0:
        raise ProblemError(f"the infinite-width kernel must be positive definite, lambda_min is {limit}")
    samples = []
    for width in widths:
        seeds = seeds_of(seed, count, problem.network.layers, width)
        samples.append(smallest_eigenvalues(at_width(problem, width), data, seeds, prefixed(progress, f"width {width}: ")))
    return Curve(problem, limit, tuple(samples))


def chernoff_frequencies(
    problem: Problem, data: Dataset, sample: WidthSample, failure_probabilities: Sequence[Any]
) -> list[Frequency]:
    """The eigenvalue event of one hidden layer: lambda_min(K_0) <= (1 - eps) lambda_inf with the eps of each share.

    lambda_inf is a lower bound of the first layer's limit eigenvalue, as in an a-priori certificate. Where eps >= 1 nothing is
    stated: the row states the probability 1. Raises ProblemError for a network to which the theorem does not apply.
    """
    at = at_width(problem, sample.width)
    plan = plan_of(at.network, data.dimension, data.outputs, data.points)
    known = chernoff_of(at.network, plan, data, points_of(plan, data.inputs, data.sample_weights))
    rows = []
    for share in map(exactly, failure_probabilities):
        with working_precision():
            epsilon = upper(chernoff_epsilon(plan, budget({"eigenvalue": 1}, share), known, BALL))
        if epsilon >= 1:
            count = Count(0, 0, len(sample.values))
            rows.append(Frequency("Chernoff", "eigenvalue", share, Fraction(1), None, count, None, None))
            continue
        bound = float((1 - epsilon) * known.lambda_limit)
        ratios = bound / np.maximum(sample.values, math.ulp(0.0))
        count = count_above(-sample.values, sample.errors, -bound)
        rows.append(Frequency("Chernoff", "eigenvalue", share, share, bound, count, room_of(ratios), float(ratios.max())))
    return rows
