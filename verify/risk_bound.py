"""H1 at a distance from theta0: the bound of the expected loss, split into its terms, every number rounded up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.roundoff import UNIT_ROUNDOFF
from numerics.snapshots import Snapshot
from theorems.arithmetic import BALL, FLOAT, Arithmetic, ball_from_float_with_error, exactly, lower, upper, working_precision
from theorems.pointwise import pointwise_betas
from theorems.records import is_met
from theorems.statements.generalization import THEOREM_H1
from verify.certificate_consequences import MOST_RADII
from verify.errors import ProblemError
from verify.evaluated_losses import EvaluatedLoss
from verify.fields import number, positive
from verify.point import signals_from
from verify.rigor import decimal_above, float_above
from verify.setup import Setup

FORMULA_ROOM = 2.0**-40  # relative, far above the rounding of a recursion that adds and multiplies nonnegative numbers


def require_h1(setup: Setup) -> None:
    """Raise ProblemError where a hypothesis of H1 fails: weights that were loaded, points with weights of their own, an activation
    without a proved bound of phi''.
    """
    if not setup.at_initialization:
        raise ProblemError("theta0 must be drawn without the data for H1, but the weights of this problem were loaded from a file")
    if not np.all(setup.dataset.sample_weights == setup.dataset.sample_weights[0]):
        raise ProblemError("loss.weights must be uniform for H1 and H2: the mean over the sample is the plain one")
    if setup.bounds is None:
        raise ProblemError(f"network.activation must have bounds of phi' and phi'' for H1, got {setup.activation.name!r}")


def first_radius_of(setup: Setup, asked: float | str | None) -> float:
    """r_1: the number that is asked for, or for None and "1/output_scale" 1/alpha, a radius at which the output moves by the order
    of |df|/alpha. Raises ProblemError for one that is not positive.
    """
    return positive("first_radius", 1 / setup.architecture.output_scale if asked in (None, "1/output_scale") else asked)


def radius_index(first: Fraction, distance: Fraction) -> int:
    """The least j with r_j = 2^(j-1) ``first`` >= distance, exactly. Raises ProblemError where it is above ``MOST_RADII``."""
    index = 1
    while first * 2 ** (index - 1) < distance:
        index += 1
        if index > MOST_RADII:
            raise _too_far(float(distance))
    return index


def _too_far(distance: float) -> ProblemError:
    return ProblemError(f"the distance from theta0 must be at most 2^{MOST_RADII - 1} first_radius, got {distance!r}")


def constants_of_h1(exact: Mapping[str, Any], k0_mean: Any, outputs: int, arithmetic: Arithmetic) -> dict[str, Any]:
    """H1's quantities and constants under their symbols' names.

    exact: n, b, rho_loss, beta_mean, r_1, j, delta and distance, integers, doubles or rationals.
    k0_mean: in the arithmetic; outputs: k.
    """
    values = {name: arithmetic.constant(exactly(value)) for name, value in exact.items()}
    values["contraction"] = arithmetic.sqrt(arithmetic.constant(Fraction(1 if outputs == 1 else 2)))
    return THEOREM_H1.evaluate_constants(values | {"k0_mean": k0_mean}, arithmetic)


@dataclass(frozen=True)
class RiskBound:
    """H1 at one distance from theta0; every number rounded up.

    distance: of theta. index, radius: the first r_j that is not below it. mean_beta: mean of beta_i on B(r_j). train_loss: mean
    loss on the sample. linear, curvature, deviation: the terms, with sum ``gap``. bound: of the expected loss, train_loss + gap.
    vacuous: whether it says no more than that the loss is at most b. factor: bound/b. points_needed: so many points would bring it
    down to b if the radius, the kernel's mean, beta and the mean loss stayed; None where the terms that do not fall with n reach b
    by themselves. words: all this as a sentence.
    """

    distance: float
    index: int
    radius: float
    mean_beta: float
    train_loss: float
    linear: float
    curvature: float
    deviation: float
    gap: float
    bound: float
    vacuous: bool
    factor: float
    points_needed: int | None
    words: str


class RiskBounds:
    """What H1 needs at theta0, to bound the expected loss at any distance from it.

    setup: the prepared problem, to which H1 applies. start: measured at theta0 and the points of the problem. loss,
    failure_probability: of H1. first_radius: r_1; None: 1/alpha. Raises ProblemError for numbers that H1 does not allow.
    """

    def __init__(
        self, setup: Setup, start: Snapshot, loss: EvaluatedLoss, failure_probability: float, first_radius: float | None
    ) -> None:
        assert setup.bounds is not None
        self.setup, self.loss, self._start = setup, loss, start
        wanted = "a number strictly between 0 and 1"
        self.delta = number("failure_probability", failure_probability, wanted=wanted, accept=lambda x: 0 < x < 1)
        self.first_radius = first_radius_of(setup, first_radius)
        self.signals = signals_from(setup.architecture, start, setup.bounds)
        self._betas: dict[int, float] = {}

    def at(self, distance: float, train_loss: float) -> RiskBound:
        """H1 in balls at the first radius that certainly is not below the distance; train_loss: a bound of the mean loss."""
        b, points = self.loss.largest, self.setup.dataset.points
        if not math.isfinite(distance):
            raise _too_far(distance)
        first = exactly(self.first_radius)
        index = radius_index(first, exactly(distance))
        radius = first * 2 ** (index - 1)
        values, margins = self._evaluated(index, distance, radius)
        while not _all_met(margins) and index < MOST_RADII:
            index, radius = index + 1, 2 * radius  # the distance cannot be told from r_j: the next serves
            values, margins = self._evaluated(index, distance, radius)
        linear, curvature, deviation, gap = (
            float_above(upper(values[name])) for name in ("linear_term", "curvature_term", "deviation_term", "gap_bound")
        )
        bound = math.nextafter(train_loss + gap, math.inf)
        needed = _points_needed(points, b - train_loss - curvature, linear + deviation)
        vacuous = not bound < b
        return RiskBound(
            distance=distance,
            index=index,
            radius=float_above(radius),
            mean_beta=self._mean_beta(index, radius),
            train_loss=train_loss,
            linear=linear,
            curvature=curvature,
            deviation=deviation,
            gap=gap,
            bound=bound,
            vacuous=vacuous,
            factor=bound / b,
            points_needed=needed,
            words=_words(vacuous, bound, b, points, needed),
        )

    def _evaluated(self, index: int, distance: float, radius: Fraction) -> tuple[dict[str, Any], dict[str, Any]]:
        outputs, points = self.setup.architecture.outputs, self.setup.dataset.points
        kernel, errors = self._start.kernel, self._start.errors
        trace = float(np.trace(kernel))  # the weights 1/n are in it
        trace_error = outputs * points * (errors.kernel + UNIT_ROUNDOFF * trace)
        exact = {"n": points, "b": self.loss.largest, "rho_loss": self.loss.slope, "r_1": self.first_radius, "j": index}
        exact |= {"beta_mean": self._mean_beta(index, radius), "delta": self.delta, "distance": distance}
        with working_precision():
            constants = constants_of_h1(exact, ball_from_float_with_error(trace, trace_error), outputs, BALL)
            return constants, THEOREM_H1.margins(constants, BALL)

    def _mean_beta(self, index: int, radius: Fraction) -> float:
        """The mean of beta_i on B(r_j), above the errors of the measured norms (at most 8 L of them are multiplied)."""
        if index not in self._betas:
            mean = float(np.mean(pointwise_betas(self.signals, float_above(radius), FLOAT)))
            self._betas[index] = math.nextafter(mean * self.room, math.inf)
        return self._betas[index]

    @property
    def room(self) -> float:
        """A factor above the errors of a product of measured norms."""
        return 1 + 8 * self.signals.layers * (self._start.errors.norm_relative + FORMULA_ROOM)


def _all_met(margins: dict[str, Any]) -> bool:
    """Whether every hypothesis of H1 is surely met."""
    return all(is_met(lower(margins[item.id]), item.strict) for item in THEOREM_H1.hypotheses)


def _points_needed(points: int, room: float, falling: float) -> int | None:
    """The n at which ``falling``, which goes like n^{-1/2}, is ``room``."""
    return None if not room > 0 else math.ceil(points * (falling / room) ** 2)


def _words(vacuous: bool, bound: float, b: float, points: int, needed: int | None) -> str:
    shown = f"{float(decimal_above(Fraction(bound), 4)):.4g}"
    if not vacuous:
        return f"not vacuous: the expected loss is bounded by {shown}, below the largest loss {b:g}"
    beginning = f"vacuous: the bound {shown} of the expected loss is not below the largest loss {b:g}"
    if needed is None:
        return f"{beginning}; the mean loss and the curvature term, which do not fall with n, reach it by themselves"
    return f"{beginning}; with all else equal it would take {needed:,} points instead of {points}"
