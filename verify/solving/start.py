"""Which width, output scale or label scale is certified at the actual initialization: the weights that network.seed draws.

Every answer is a pair of values that were both asked, with the product's own certificate at a problem with that value: one is
certified, the other is not, and they are close. Scaling formulas only say where to look. Nothing is claimed of values in between
or beyond: q need not be monotone in the output scale (uncentered networks, a step size that is given) and still less in the
width, where each width draws other weights, so an answer is that of one seed.

Widths. The hidden widths are r_l m with r_l the problem's widths over their greatest common divisor; m is sought, to a relative
1/64 or to neighbors. Weights are drawn up to MOST_WEIGHTS of them and as memory allows; beyond, the search ends with an estimate.
Scales. They are the problem's times 2^(k/512), rounded to six digits (the problem's own, k = 0, stands as it is); k is sought,
to neighbors: a relative 0.14%.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from numerics.network import Architecture
from theorems.errors import InputError
from theorems.input_gram import gram_of
from theorems.losses import LossConstants
from theorems.singular import exact_zero
from verify.certificate import TINY_STEP, Certificate, passes_in_floats, refused
from verify.data import Dataset
from verify.errors import ProblemError
from verify.expressions import loss_of
from verify.fields import choice
from verify.infinite_width import NEARBY, wide_network_of
from verify.memory import available_memory, readable, required_memory
from verify.point import Point
from verify.problem import Problem
from verify.rigor import Rigor
from verify.setup import prepare
from verify.solving.search import bracket
from verify.unknowns import UNKNOWNS, Unknown
from verify.weights import architecture_of

Stage = Callable[[str], None]
MOST_WEIGHTS = 1 << 25
FIRST_WEIGHTS = 1 << 22  # the first estimate comes from a network of at most so many
WIDTH_CLOSE = 64  # a width is found to 1/64 of itself
STEPS_PER_DOUBLING = 512
MOST_DOUBLINGS = 64
LARGEST_SCALE = 1e100
GROWTH = 16  # from one width drawn on the way to the next, at most
MOST_SINGULAR = 3  # widths whose kernel cannot be told from a singular one, before the search ends
FAR = 16  # an estimate this many times beyond the largest network that can be drawn is not looked into


@dataclass(frozen=True)
class Probe:
    """One value asked.

    place: k or m. loss: its enclosed L and mu. within: whether it is certified with q below the target. hopeless: whether no
    other value of this unknown could be certified either, for a reason that does not depend on it.
    """

    place: int
    value: float
    problem: Problem
    loss: LossConstants | None
    certificate: Certificate
    within: bool
    hopeless: bool

    @property
    def reason(self) -> str:
        """Why it is not certified within the target, or nothing."""
        if self.within:
            return ""
        failure = self.certificate.failure
        return (
            failure.detail
            if failure is not None
            else f"q = {float(self.certificate.constants['q'].value):.4g} is not below the target"
        )


@dataclass(frozen=True)
class Undrawn:
    """A width that was not drawn: about how many units it needs, and how much memory. drawn: the width it is estimated from."""

    width: int
    hidden: tuple[int, ...]
    memory: int
    drawn: tuple[int, ...]


@dataclass(frozen=True)
class StartAnswer:
    """What was found at the actual initialization.

    certified, refused: the two ends, None where there is none. reference: the certified end or, without one, the value nearest to
    an answer that was asked. reason: why an end is missing. undrawn: an estimate of a width that was not drawn. draws: how many
    initializations were certified or refused on the way.
    """

    unknown: Unknown
    certified: Probe | None
    refused: Probe | None
    reference: Probe
    reason: str
    undrawn: Undrawn | None
    draws: int


class _Asked:
    """The probes made so far, by place."""

    def __init__(self, problem: Problem, unknown: Unknown, target: Fraction, stage: Stage) -> None:
        self._problem, self._unknown, self._target, self._stage = problem, unknown, target, stage
        self.probes: dict[int, Probe] = {}

    def __call__(self, place: int) -> Probe:
        if place not in self.probes:
            value, problem = problem_at(self._problem, self._unknown, place)
            self._stage(f"{self._unknown} {value:g}")
            self.probes[place] = probe(problem, self._unknown, self._target, place, value)
        return self.probes[place]

    def within(self, place: int) -> bool:
        return self(place).within

    def get(self, place: int | None) -> Probe | None:
        return None if place is None else self(place)


def solvable(problem: Problem, unknown: str, target: Fraction) -> Unknown:
    """The unknown of a question that has a meaning for this problem. Raises ProblemError for any other."""
    choice("--solve", unknown, UNKNOWNS)
    named = next(name for name in UNKNOWNS if name == unknown)
    square = loss_of(problem.loss.name, problem.loss.ridge).is_square
    if unknown == "label_scale" and not square:
        raise ProblemError(
            f"--solve label_scale is for loss.name square or weighted_square, whose residual scales with the labels, got "
            f"{problem.loss.name!r}"
        )
    if target < 1 and not square and problem.training.step_size == "certified":
        raise ProblemError(
            f"--target below 1 is for loss.name square or weighted_square or for a number as training.step_size: the largest step "
            f"that is certified for the loss {problem.loss.name!r} leaves q near 1, got {float(target):g}"
        )
    return named


def unseen(stage: str) -> None:
    """Progress that nobody is shown."""


def solve_at_start(
    problem: Problem, data: Dataset, unknown: Unknown, target: Fraction = Fraction(1), stage: Stage = unseen
) -> StartAnswer:
    """The value of the unknown at which the drawn network is certified, in floating point, with q < ``target``.

    Arguments: ``problem``, whose other values stand; ``data``, its points; ``target`` in (0, 1]; ``stage``, told of
    every value that is asked. Raises ProblemError or InputError for a problem that cannot be prepared.
    """
    problem = dataclasses.replace(problem, certificate=dataclasses.replace(problem.certificate, rigor=Rigor.FLOATING_POINT.value))
    asked, singular = _Asked(problem, unknown, target, stage), _singular(problem, data)
    if singular is not None:
        place = min(math.gcd(*problem.network.hidden), largest_width(problem, data, FIRST_WEIGHTS)) if unknown == "width" else 0
        return _unanswered(unknown, asked, place, f"the kernel has smallest eigenvalue 0 whatever the weights are: {singular}")
    return _width(problem, data, target, asked) if unknown == "width" else _scale(problem, unknown, target, asked)


def probe(problem: Problem, unknown: Unknown, target: Fraction, place: int, value: float) -> Probe:
    """The product's certificate at the weights drawn for a problem, and whether it has q < ``target``."""
    asked = problem.training.step_size
    step_size = None if asked == "certified" else float(asked)
    setup, theta = prepare(problem)
    permanent = setup.bounds is None or setup.loss_constants is None or bool(setup.dataset.duplicates)
    if setup.refusal is not None:
        certificate = refused(None, step_size, *setup.refusal)
        return Probe(place, value, problem, setup.loss_constants, certificate, False, permanent or unknown != "width")
    snapshot = setup.finite_snapshot(theta)
    if snapshot is None:
        text = "the network's outputs or kernel at these weights exceed double precision"
        return Probe(place, value, problem, setup.loss_constants, refused(None, step_size, "finite", text), False, False)
    certificate = setup.certify_at(theta, setup.point(theta, 0, snapshot), step_size)
    singular = certificate.failure is not None and certificate.failure.hypothesis == "H3"
    within = is_within(certificate, target)
    return Probe(place, value, problem, setup.loss_constants, certificate, within, singular and unknown != "width")


def _singular(problem: Problem, data: Dataset) -> str | None:
    """Why the tangent kernel of every network of this form is singular on these points (``theorems.singular``), up to rounding."""
    try:
        found = exact_zero(wide_network_of(problem.network), gram_of(data.inputs), NEARBY, tangent=True)
    except (InputError, ProblemError):  # no kernel of infinite width is known: nothing is said
        return None
    return None if found is None else found.reason


def is_within(certificate: Certificate, target: Fraction) -> bool:
    """Whether it is certified, with q < target."""
    return certificate.certified and certificate.constants["q"].upper < target


def ratios(hidden: tuple[int, ...]) -> tuple[int, ...]:
    """The r_l: hidden widths over their greatest common divisor."""
    common = math.gcd(*hidden)
    return tuple(width // common for width in hidden)


def problem_at(problem: Problem, unknown: Unknown, place: int) -> tuple[float, Problem]:
    """The value at a place of the search (m, or k), and the problem with it."""
    if unknown == "width":
        return float(place), _unjudged(with_width(problem, place))
    base = problem.network.output_scale if unknown == "output_scale" else problem.data.label_scale
    sign = 1 if unknown == "output_scale" else -1  # larger outputs and smaller labels are easier
    value = base if place == 0 else float(f"{base * 2.0 ** (sign * place / STEPS_PER_DOUBLING):.6g}")
    return value, _unjudged(with_scale(problem, unknown, value))


def _unjudged(problem: Problem) -> Problem:
    """The problem without H1, whose loss, network and radii must be chosen without the sample; here they are chosen with it."""
    return dataclasses.replace(problem, generalization=dataclasses.replace(problem.generalization, held_out=False))


def with_width(problem: Problem, width: int) -> Problem:
    """The problem with hidden widths r_l m, m = ``width``."""
    hidden = tuple(part * width for part in ratios(problem.network.hidden))
    return dataclasses.replace(problem, network=dataclasses.replace(problem.network, hidden=hidden))


def with_scale(problem: Problem, unknown: Unknown, scale: float) -> Problem:
    """The problem with another output scale or label scale."""
    if unknown == "output_scale":
        return dataclasses.replace(problem, network=dataclasses.replace(problem.network, output_scale=scale))
    return dataclasses.replace(problem, data=dataclasses.replace(problem.data, label_scale=scale))


def _width(problem: Problem, data: Dataset, target: Fraction, asked: _Asked) -> StartAnswer:
    limit = largest_width(problem, data, MOST_WEIGHTS)
    m, guess, stopped = min(math.gcd(*problem.network.hidden), largest_width(problem, data, FIRST_WEIGHTS)), None, None
    singular = 0
    while guess is None:
        found = asked(m)
        if found.hopeless:
            return _unanswered("width", asked, m, found.reason)
        estimate = _estimate(found, "width", target)
        wanted = None if estimate is None else max(1, math.ceil(estimate * m))
        singular += wanted is None
        if found.within or (wanted is not None and wanted <= limit):
            guess = m if wanted is None else min(wanted, limit)
        elif m == limit or singular == MOST_SINGULAR or (wanted is not None and wanted > FAR * limit):
            stopped = wanted
            break
        else:
            m = min(GROWTH * m if wanted is None else min(wanted, GROWTH * m), limit)
    if guess is not None:
        ends = bracket(asked.within, guess, low=1, high=limit, step=max(1, guess // WIDTH_CLOSE), close=lambda g: g // WIDTH_CLOSE)
        if ends.holds is not None:
            reason = "" if ends.fails is not None else "every width that was drawn is certified, the smallest too"
            return _answer("width", asked, asked.get(ends.holds), asked.get(ends.fails), reason)
        m = limit
        estimate = _estimate(asked(m), "width", target)
        stopped = None if estimate is None else math.ceil(estimate * m)
    return _undrawn(problem, data, asked, m, stopped)


def _undrawn(problem: Problem, data: Dataset, asked: _Asked, drawn: int, wanted: int | None) -> StartAnswer:
    """No width that can be drawn is certified: what one would need, as far as can be told."""
    found = asked(drawn)
    if wanted is None or wanted <= drawn:
        reason = f"no width up to {drawn} is certified, the largest that was drawn: {found.reason}"
        return _unanswered("width", asked, drawn, reason)
    parts = ratios(problem.network.hidden)
    hidden = tuple(part * wanted for part in parts)
    memory = required_memory(_architecture(problem, data, hidden), data.points, problem.training.steps)
    undrawn = Undrawn(wanted, hidden, memory, tuple(part * drawn for part in parts))
    units = f"{wanted:.2g} units" if len(parts) == 1 else "hidden widths of " + ", ".join(f"{width:.2g}" for width in hidden)
    reason = (
        f"not drawn: about {units} would be needed ({readable(memory)} of memory; at most {MOST_WEIGHTS:,} weights are drawn), by "
        f"the scaling of the signals from the width {undrawn.drawn if len(parts) > 1 else drawn} that was drawn last"
    )
    return dataclasses.replace(_unanswered("width", asked, drawn, reason), undrawn=undrawn)


def _scale(problem: Problem, unknown: Unknown, target: Fraction, asked: _Asked) -> StartAnswer:
    base, _ = problem_at(problem, unknown, 0)
    first = asked(0)
    if first.hopeless:
        return _unanswered(unknown, asked, 0, first.reason)
    room = max(0.0, math.log2(LARGEST_SCALE) - abs(math.log2(base)))
    most = int(min(MOST_DOUBLINGS, room) * STEPS_PER_DOUBLING)
    estimate = _estimate(first, unknown, target)
    guess = 0 if estimate is None else math.ceil(STEPS_PER_DOUBLING * math.log2(estimate))
    ends = bracket(asked.within, max(-most, min(most, guess)), low=-most, high=most, step=1, close=lambda _: 1)
    certified, other = asked.get(ends.holds), asked.get(ends.fails)
    if certified is None:
        nearest = min(asked.probes.values(), key=lambda item: abs(item.place - guess))
        tried = sorted(item.value for item in asked.probes.values())
        reason = f"no {unknown} asked between {tried[0]:g} and {tried[-1]:g} is certified; at {nearest.value:g}: {nearest.reason}"
        return _unanswered(unknown, asked, nearest.place, reason)
    reason = (
        "" if other is not None else f"it is certified at every {unknown} asked, down to a factor 2^{most // STEPS_PER_DOUBLING}"
    )
    return _answer(unknown, asked, certified, other, reason)


def _answer(unknown: Unknown, asked: _Asked, certified: Probe | None, other: Probe | None, reason: str) -> StartAnswer:
    assert certified is not None
    return StartAnswer(unknown, certified, other, certified, reason, None, len(asked.probes))


def _unanswered(unknown: Unknown, asked: _Asked, place: int, reason: str) -> StartAnswer:
    return StartAnswer(unknown, None, asked(place), asked(place), reason, None, len(asked.probes))


def _estimate(found: Probe, unknown: Unknown, target: Fraction) -> float | None:
    """By which factor the unknown would have to become easier (below 1: could become harder), by the scaling of a measured point.

    Exact for scales of centered networks with the square loss; an estimate otherwise. None where the kernel is not positive.
    """
    point = found.certificate.point
    if point is None or found.loss is None or not point.lambda_min > point.eigenvalue_error:
        return None
    constants = found.loss
    step = TINY_STEP / (float(constants.smoothness.upper) * point.lambda_max)

    def eased(power: float) -> Point:
        factor, harder = 2.0**power, 1 / float(target)
        if unknown == "width":
            return point.scaled(width=factor, residual=harder)
        if unknown == "output_scale":
            return point.scaled(output_scale=factor, residual=harder)
        return point.scaled(residual=harder / factor)

    low, high = -float(MOST_DOUBLINGS), float(MOST_DOUBLINGS)

    def passes(power: float) -> bool:
        squared = 2 * power if unknown == "output_scale" else 0.0
        return passes_in_floats(eased(power), constants, step * 2.0**-squared)

    if not passes(high):
        return None
    while high - low > 1 / (2 * STEPS_PER_DOUBLING):
        middle = (low + high) / 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return float(2.0**high)


def largest_width(problem: Problem, data: Dataset, most: int) -> int:
    """The largest m, at least 1, with at most ``most`` weights that fit into memory together with what works on them."""
    available, parts = available_memory(), ratios(problem.network.hidden)

    def fits(m: int) -> bool:
        architecture = _architecture(problem, data, tuple(part * m for part in parts))
        few = architecture.parameters <= most
        return few and required_memory(architecture, data.points, problem.training.steps) <= available

    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _architecture(problem: Problem, data: Dataset, hidden: tuple[int, ...]) -> Architecture:
    found = architecture_of(problem.network, data.dimension, data.outputs)
    return dataclasses.replace(found, sizes=(data.dimension, *hidden, data.outputs))
