"""Thresholds before any weight is drawn: the width, output scale or label scale that is certified a priori.

**The step is left free** (training.step_size = "certified"). What some step certifies is decided by q = 2 beta s_0/lambda0, for
every loss (``theorems.apriori.constants``), and q is proved monotone in the width from m_0 on, and in the scales. So the certified
end is proved, and at the refused end it is proved that no step, radius or lambda0' is certified by Theorem A, A+ or A0.

**The step is a number.** The certified end is proved at this step, and so is everything beyond it (larger widths, smaller labels;
not larger output scales, which ask for smaller steps). At the refused end a search found no certificate; that there is none is not
proved: the bracket is verified at its ends only, and a note says so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.apriori.budget import Budget
from theorems.apriori.constants import Prior, contradiction
from theorems.apriori.eigenvalue import Granted, source_of
from theorems.apriori.scale import best_scale, with_label_scale, with_output_scale
from theorems.apriori.threshold import at_width, best_width, checked_target, monotone_from, no_radius_certifies
from theorems.arithmetic import exactly
from verify.apriori.certificate import AprioriCertificate, certificate_of
from verify.apriori.factors import Factor, factors_of
from verify.apriori.prior import eigenvalue_of, optimized_weights, prior_of
from verify.data import Dataset
from verify.errors import ProblemError
from verify.expressions import loss_of
from verify.fields import choice
from verify.problem import Problem
from verify.rigor import shown_probability
from verify.unknowns import UNKNOWNS, Unknown

__all__ = [
    "AprioriSolution",
    "Factor",
    "factors_of",
    "ratios_of",
    "solve",
]

CLOSE = Fraction(1, 1 << 10)  # a threshold for a given step is found to this relative precision, or to neighbors
MOST_DOUBLINGS = 60  # from the threshold of the free step, for a step that is given
SCALE_STEPS = 4  # to a doubling, where the certified scales may be an interval
MOST_SCALES = 64
NUDGES = (0, 40, 30, 20, 10)  # relative 2^-n, from a threshold to where a certificate is made


@dataclass(frozen=True)
class AprioriSolution:
    """A threshold, the certificate at it, and what makes its q.

    value_certified: the width multiple m (hidden widths r_l m, r_l the problem's over their greatest common divisor) or the scale,
    at which ``certificate`` is proved. value_refused: one close to it at which nothing is certified, or None; ``notes`` say how far
    that is proved. exact: whether they are neighboring integers and both are proved. eigenvalue_source: "hypothesis" or "theorem
    F-chernoff". factors: beta, s_0, lambda0, what L > mu costs, q, and the terms of beta. budget: the events' shares and numbers of
    statements, from which ``budget.tail`` has their tails.
    """

    unknown: str
    value_certified: Fraction
    value_refused: Fraction | None
    exact: bool
    certificate: AprioriCertificate
    eigenvalue_source: str
    factors: tuple[Factor, ...]
    budget: Budget
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Question:
    """prior: with the ratios r_l as widths, or with the problem's scale. at: the prior at a value (an integer m, or a factor of the
    scale). base: the value that the factor 1 stands for. upward: whether larger values are certified."""

    unknown: str
    prior: Prior
    at: Callable[[Prior, Any], Prior]
    base: Fraction
    upward: bool


@dataclass(frozen=True)
class _Ends:
    """certified, refused: values of the question. target: the q* with q(R*) < q* at the certified one. proved: whether the refused
    one is. edge: whether there is nothing below the certified one to refuse."""

    certified: Any
    refused: Any
    target: Fraction
    proved: bool = True
    edge: bool = False


def solve(
    problem: Problem,
    data: Dataset,
    unknown: Unknown,
    *,
    lambda0: Fraction | None = None,
    optimize: bool = False,
    target: Fraction = Fraction(1),
) -> AprioriSolution:
    """The least width or output scale, or the largest label scale, that is certified a priori with q < ``target``.

    Arguments: ``lambda0``, the hypothesis lambda_min(K_0) >= lambda0 at the problem's output scale (it is taken to grow with
    alpha^2); without it the matrix Chernoff bound where that applies, else one half of lambda_min(K_inf), as a HYPOTHESIS.
    ``optimize``: whether the failure probability is split by a search, kept only if it improves the threshold. ``target``: in
    (0, 1].

    Raises ProblemError or InputError, with the reason, where there is no answer.
    """
    choice("unknown", unknown, UNKNOWNS)
    goal = checked_target(target)
    if lambda0 is not None and exactly(lambda0) <= 0:
        raise ProblemError(f"lambda0 must be positive, got {lambda0}")
    question = _question(problem, data, unknown, lambda0)
    ends = _free_ends(question, goal)
    reason = contradiction(question.at(question.prior, ends.certified))
    if reason:
        raise ProblemError(reason)
    if optimize:
        question, ends = _optimized(question, ends, goal)
    step = problem.training.step_size
    given = None if step == "certified" else exactly(step)
    if given is not None:
        ends = _given_step_ends(question, ends, goal, given)
    return _solution(question, ends, goal, given)


def ratios_of(hidden: tuple[int, ...]) -> tuple[int, ...]:
    """The widths over their greatest common divisor: r_1, ..., r_{L-1}."""
    divisor = math.gcd(*hidden)
    return tuple(width // divisor for width in hidden)


def _question(problem: Problem, data: Dataset, unknown: str, lambda0: Fraction | None) -> _Question:
    if unknown == "label_scale" and not loss_of(problem.loss.name, problem.loss.ridge).is_square:
        raise ProblemError(
            "a label scale is for loss.name square or weighted_square, whose residual scales with the labels, got "
            f"{problem.loss.name!r}"
        )
    known = eigenvalue_of(problem, data, lambda0, any_width=unknown == "width")
    if unknown == "width":
        prior = prior_of(problem, data, hidden=ratios_of(problem.network.hidden), eigenvalue=known)
        return _Question(unknown, prior, at_width, Fraction(1), upward=True)
    prior = prior_of(problem, data, eigenvalue=known)
    if unknown == "output_scale":
        return _Question(unknown, prior, with_output_scale, exactly(problem.network.output_scale), upward=True)
    return _Question(unknown, prior, with_label_scale, exactly(problem.data.label_scale), upward=False)


def _free_ends(question: _Question, goal: Fraction) -> _Ends:
    """The threshold when any step will do."""
    prior = question.prior
    if question.unknown != "width":
        found = best_scale(lambda scale: question.at(prior, scale), not question.upward, goal)
        return _Ends(found.threshold.certified, found.refused, found.target)
    best = best_width(prior, goal)
    width, target = best.threshold.width, best.threshold.target
    if width == best.threshold.first:
        return _Ends(width, None, target, edge=True)
    # Where beta does not depend on R a few balls are enough.
    neighbor = no_radius_certifies(at_width(prior, width - 1), goal, most=64)
    return _Ends(width, width - 1 if neighbor else best.refused, target)


def _optimized(question: _Question, ends: _Ends, goal: Fraction) -> tuple[_Question, _Ends]:
    """The question with the budget that is best at the threshold, if that moves the threshold."""

    def make(weights: Mapping[str, Any]) -> Prior:
        prior = dataclasses.replace(question.prior, weights=tuple(weights.items()))
        return question.at(prior, ends.certified)

    weights = optimized_weights(make)
    changed = dataclasses.replace(question, prior=dataclasses.replace(question.prior, weights=tuple(weights.items())))
    moved = _free_ends(changed, goal)
    better = moved.certified < ends.certified if question.upward else moved.certified > ends.certified
    return (changed, moved) if better else (question, ends)


def _given_step_ends(question: _Question, free: _Ends, goal: Fraction, step: Fraction) -> _Ends:
    """From the threshold of the free step on, for a step that is given."""

    def certified(value: Any) -> bool:
        return certificate_of(question.at(question.prior, value), step_size=step, target=goal).certified

    bad, good = None, free.certified
    for _ in range(MOST_SCALES if question.unknown == "output_scale" else MOST_DOUBLINGS):
        if certified(good):
            break
        bad, good = good, _further(question, good)
    else:
        raise ProblemError(
            f"no {question.unknown} is found to be certified a priori with training.step_size = {float(step):g}; with some smaller "
            f"step {float(free.certified * question.base):.6g} is"
        )
    if bad is None:
        return dataclasses.replace(free, target=goal)
    while abs(good - bad) > max(CLOSE * min(good, bad), 1 if question.unknown == "width" else 0):
        middle = (good + bad) // 2 if question.unknown == "width" else (good + bad) / 2
        good, bad = (middle, bad) if certified(middle) else (good, middle)
    return _Ends(good, bad, goal, proved=False)


def _further(question: _Question, value: Any) -> Any:
    if question.unknown == "width":
        return 2 * value
    if question.unknown == "label_scale":
        return value / 2
    return value * exactly(2.0 ** (1 / SCALE_STEPS))


def _solution(question: _Question, ends: _Ends, goal: Fraction, step: Fraction | None) -> AprioriSolution:
    for bits in NUDGES:
        value = _nudged(question, ends.certified, bits)
        prior = question.at(question.prior, value)
        certificate = certificate_of(prior, step_size=step, target=ends.target)
        if certificate.certified:
            break
    else:
        raise ProblemError(
            f"q is below its target at {question.unknown} = {float(ends.certified * question.base):.6g}, but no certificate is made"
        )
    refused = None if ends.refused is None else Fraction(ends.refused) * question.base
    exact = question.unknown == "width" and ends.proved and ends.refused is not None and ends.refused == value - 1
    return AprioriSolution(
        unknown=question.unknown,
        value_certified=Fraction(value) * question.base,
        value_refused=refused,
        exact=exact,
        certificate=certificate,
        eigenvalue_source=source_of(prior.eigenvalue),
        factors=factors_of(prior, certificate),
        budget=prior.shares,
        notes=_notes(question, ends, prior, certificate, goal, step),
    )


def _nudged(question: _Question, value: Any, bits: int) -> Any:
    if bits == 0:
        return value
    if question.unknown == "width":
        return value + max(1, value >> bits)
    factor = 1 + Fraction(1, 1 << bits)
    return value * factor if question.upward else value / factor


def _notes(
    question: _Question, ends: _Ends, prior: Prior, certificate: AprioriCertificate, goal: Fraction, step: Fraction | None
) -> tuple[str, ...]:
    notes = [_about_refused(question, ends), _about_beyond(question, ends, step)]
    if isinstance(prior.eigenvalue, Granted):
        share = shown_probability(Fraction(prior.shares.shares["eigenvalue"]), 4)
        grows = ", growing with the square of the output scale" if question.unknown == "output_scale" else ""
        notes.append(f"lambda0 is a HYPOTHESIS ({prior.eigenvalue.origin}){grows}; its failure has the share {share}")
    if step is None and certificate.theorem != "A-square":
        notes.append(_about_step(question, prior, certificate, goal))
    return tuple(notes)


def _about_refused(question: _Question, ends: _Ends) -> str:
    if ends.edge:
        return "the least width from which the bounds are proved to be monotone is certified; smaller ones were not asked"
    if ends.refused is None:
        return "no value nearby is proved to be refused"
    if not ends.proved:
        return (
            "at the refused end no certificate with this step was found, which does not prove that there is none: "
            "the bracket is verified at its ends only"
        )
    text = "at the refused end no step, radius or smaller lambda0 is certified by any convergence theorem (proved)"
    if question.unknown != "width":
        return text
    return f"{text}, nor at any width below it from {monotone_from(question.prior)} on"


def _about_beyond(question: _Question, ends: _Ends, step: Fraction | None) -> str:
    if question.unknown == "width":
        return "every larger width is certified too, with the same step and the same probability at each (proved)"
    if question.unknown == "label_scale":
        return "every smaller label scale is certified too, with the same step (proved)"
    if step is None:
        return "every larger output scale is certified too, with a step of its own (proved)"
    return "a larger output scale asks for smaller steps: of those beyond the certified one nothing is said"


def _about_step(question: _Question, prior: Prior, certificate: AprioriCertificate, goal: Fraction) -> str:
    """At the threshold the step of a loss with L > mu may be tiny: say so, and what a little room changes."""
    small = "as L > mu, only small steps are certified at the threshold"
    text = f"the certificate is for the step {step_share(prior, certificate)}: {small}"
    if question.unknown != "width":
        return text
    width = prior.plan.hidden[0] // question.prior.plan.hidden[0]
    wider = certificate_of(at_width(question.prior, 2 * width), target=goal)
    if not wider.certified:
        return text
    q = float(wider.constants["q"][1])
    return f"{text}; at twice the width it is {step_share(prior, wider)} with q <= {q:.4g} by Theorem {wider.theorem}"


def step_share(prior: Prior, certificate: AprioriCertificate) -> str:
    """The step of a certificate in words, with its share of 1/(L Lambda)."""
    known = certificate.constants
    share = known["eta"][0] * exactly(prior.smoothness) * known["Lambda"][0]
    return f"{float(known['eta'][0]):.4g} = {float(share):.3g}/(L Lambda)"
