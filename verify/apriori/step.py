"""Transfer of learning rates before any weight is drawn: the certified step as a function of the width, and its limit.

For hidden widths r_l m and m >= m_0 the step found at m_0 is certified at every larger width (``theorems.apriori.threshold``: with
the same R and lambda0'; for the square loss G-step). Steps of at most 1/(L Lambda) are looked at, Lambda the a-priori bound of
|DF|^2 on B(R), so what they tend to is 1/(L lambda_max), lambda_max the limit of the a-priori bound of lambda_max(K_0). The largest
certified step of drawn networks tends to 1/(L lambda_max(K_inf)), which is larger: both are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theorems.apriori.budget import Budget
from theorems.apriori.constants import Prior, contradiction
from theorems.apriori.eigenvalue import source_of
from theorems.apriori.threshold import at_width, best_width, checked_target, monotone_from
from theorems.arithmetic import lower, upper, working_precision
from theorems.smallest_eigenvalue import smallest_eigenvalue
from verify.apriori.certificate import AprioriCertificate, certificate_of
from verify.apriori.prior import eigenvalue_of, loss_numbers, prior_of
from verify.apriori.solve import ratios_of
from verify.data import Dataset
from verify.errors import ProblemError
from verify.expressions import loss_of
from verify.infinite_width import MOST_IN_BALLS, spectrum_of
from verify.problem import Problem

FACTORS = (1, 2, 4, 16, 256, 1 << 16, 1 << 32)


@dataclass(frozen=True)
class StepSolution:
    """width: m_0. step: certified at m_0 and, with the same probability at each, at every m >= m_0. certificate: at m_0. steps:
    pairs (m, a step that is certified from m on). limit: enclosure of 1/(L lambda_max(K_inf)). eigenvalue_source: "hypothesis" or
    "theorem F-chernoff".
    """

    width: int
    step: Fraction
    certificate: AprioriCertificate
    steps: tuple[tuple[int, Fraction], ...]
    limit: tuple[Fraction, Fraction]
    eigenvalue_source: str
    budget: Budget


def solve_largest_step(
    problem: Problem,
    data: Dataset,
    *,
    width: int | None = None,
    lambda0: Fraction | None = None,
    target: Any = 1,
) -> StepSolution:
    """The largest step of at most 1/(L Lambda) found to be certified a priori at the width multiple ``width`` and beyond.

    Arguments: ``width``, m_0, at which q < ``target`` is to be certified; without it twice the least certified one (at the least
    one a loss with L > mu has tiny steps only). ``lambda0`` as for ``solve``.

    Raises ProblemError for a width from which the bounds are not monotone or at which nothing is certified.
    """
    goal = checked_target(target)
    known = eigenvalue_of(problem, data, lambda0, any_width=True)
    prior = prior_of(problem, data, hidden=ratios_of(problem.network.hidden), eigenvalue=known)
    if width is None:
        width = 2 * best_width(prior, goal).threshold.width
    first = monotone_from(prior)
    if isinstance(width, bool) or not isinstance(width, int) or width < first:
        raise ProblemError(f"width must be an integer of at least {first}, from which the bounds are monotone, got {width!r}")
    reason = contradiction(at_width(prior, width))
    if reason:
        raise ProblemError(reason)
    certificate = certificate_of(at_width(prior, width), target=goal, prefer="step")
    if not certificate.certified:
        raise ProblemError(f"no step is found to be certified a priori at the width multiple {width}; solve for the width first")
    steps = tuple((m, step_at(prior, m, goal)) for m in (factor * width for factor in FACTORS))
    return StepSolution(
        width=width,
        step=certificate.constants["eta"][0],
        certificate=certificate,
        steps=tuple((m, step) for m, step in steps if step is not None),
        limit=limit_of_step(problem, data),
        eigenvalue_source=source_of(prior.eigenvalue),
        budget=prior.shares,
    )


def step_at(prior: Prior, width: int, target: Any = 1) -> Fraction | None:
    """The largest step of at most 1/(L Lambda) that is found to be certified from the width multiple m = ``width`` on, or None.

    ``prior`` holds the r_l as its widths. On a grid of steps, so it need not be the largest that is certified.
    """
    found = certificate_of(at_width(prior, width), target=target, prefer="step")
    return found.constants["eta"][0] if found.certified else None


def limit_of_step(problem: Problem, data: Dataset) -> tuple[Fraction, Fraction]:
    """An enclosure of 1/(L lambda_max(K_inf)), K_inf the infinite-width tangent kernel of the trained layers on the points.

    Raises ProblemError where the kernel cannot be enclosed, InputError for a loss without L.
    """
    smoothness = loss_numbers(loss_of(problem.loss.name, problem.loss.ridge), data)["smoothness"]
    low, high = largest_eigenvalue(spectrum_of(problem.network, data).kernels.ntk)
    if low <= 0:
        raise ProblemError("the infinite-width kernel is not shown to be other than 0, so its step has no limit")
    return 1 / (smoothness * high), 1 / (smoothness * low)


def largest_eigenvalue(matrix: Any) -> tuple[Fraction, Fraction]:
    """Bounds of lambda_max of a positive semidefinite matrix of balls; beyond 400 points the mean of the diagonal and the trace."""
    with working_precision():
        trace = np.trace(matrix)
        low, high = max(lower(trace) / len(matrix), *(lower(x) for x in np.diag(matrix))), upper(trace)
        found = smallest_eigenvalue(-matrix) if len(matrix) <= MOST_IN_BALLS else None
        return (low, high) if found is None else (max(low, -found[1]), min(high, -found[0]))
