"""A-priori certificates: a theorem of the catalogue at a-priori constants, its step and radius sought in doubles, decided in balls.

Theorems A, A+ and A0 (for the square loss A-square and A0) are asked on a grid of radii from rbar(R) of gradient flow on, of
steps and of lambda0' <= lambda0; of what holds in doubles the best is proved. Whatever is tried is valid, so the grid costs at
most sharpness. Where q is so close to its target that doubles see nothing, Theorem A0 is asked on B(R*) with a step that the lemma
of ``theorems.apriori.constants`` makes small enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from theorems.apriori.constants import (
    Initial,
    Prior,
    flow_quotient,
    initial,
    jacobian_square,
    path_radius,
    quantities,
    settled_radius,
)
from theorems.apriori.data import beta_on_ball
from theorems.apriori.eigenvalue import source_of
from theorems.apriori.threshold import checked_target
from theorems.arithmetic import BALL, FLOAT, exactly, lower, upper, working_precision
from theorems.catalogue import theorem
from theorems.enclosures import Enclosure
from theorems.errors import InputError
from theorems.losses import LossConstants
from theorems.records import LossClass, Theorem, is_met
from verify.certificate import convergence_theorems

# Of the flow's radius; a step and L > mu make the path longer.
RADII = (1.0, 1.001, 1.01, 1.03, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
ALMOST = 1 - 2.0**-40
FLOW_RADII = 32
STEPS = (1.9, 1.75, 1.5, 1.25, 1.1, 1.0, ALMOST, *(k / 16 for k in range(15, 3, -1)), *(2.0**-k for k in range(3, 41)))
LAMBDA_SHARES = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1)  # kappa lambda0 is not monotone when L > mu
MOST_PROVED = 8


@dataclass(frozen=True)
class AprioriCertificate:
    """A theorem at a-priori constants, on every network of the events: with probability at least 1 - delta.

    certified: whether every hypothesis holds and q is below the target, decided in balls. failure_probability: delta. constants:
    rational bounds (lower, upper) of what the theorem's formulas give at these constants; margins: of its hypotheses. refused: the
    hypotheses that are not proved, "target" among them where q is not proved to be below it, and "spectrum", that of Theorem F,
    where lambda0 is not proved to be at most lambda_max. theorem: the statement's id.
    eigenvalue_source: "hypothesis" or "theorem F-chernoff": where lambda0 comes from.
    """

    certified: bool
    failure_probability: Fraction
    constants: Mapping[str, tuple[Fraction, Fraction]]
    margins: Mapping[str, tuple[Fraction, Fraction]]
    refused: tuple[str, ...]
    theorem: str = "A-square"
    eigenvalue_source: str = "hypothesis"


@dataclass(frozen=True)
class _Choice:
    """What is to be proved: a theorem with R, lambda0'/lambda0, and the step: eta itself, or its share of 1/(L Lambda)."""

    theorem: Theorem
    radius: Fraction
    lambda_share: Fraction
    eta: Fraction | None
    step_share: Fraction


def certificate_of(
    prior: Prior, *, step_size: Any = None, target: Any = 1, prefer: Literal["rate", "step"] = "rate"
) -> AprioriCertificate:
    """The certificate with the best rate found at the a-priori constants of ``prior``, or the hypotheses that fail.

    Arguments: ``step_size``, an exact number, or None: then the step is chosen. ``target``, in (0, 1]: q < target is wanted.
    ``prefer``, "step" for the largest step of at most 1/(L Lambda) that is found in place of the best rate.

    ``certified`` is a proof. That it is False is not one, unless q(R*) >= target is proved for every R*
    (``threshold.no_radius_certifies``): then no step, radius or lambda0' is certified by any of the theorems.
    """
    goal, eta = checked_target(target), None if step_size is None else exactly(step_size)
    if eta is not None and eta <= 0:
        raise InputError(f"step_size must be positive, got {step_size!r}")
    first: AprioriCertificate | None = None
    for choice in _choices(prior, eta, goal, prefer):
        found = _proved(prior, choice, goal)
        if found.certified:
            return found
        first = first or found
    return first or _proved(prior, _unsettled(prior, eta), goal)


def _theorems(prior: Prior) -> tuple[Theorem, ...]:
    mu, smoothness = exactly(prior.mu), exactly(prior.smoothness)
    return convergence_theorems(LossConstants(Enclosure.exact(mu), Enclosure.exact(smoothness)))


def _choices(prior: Prior, eta: Fraction | None, goal: Fraction, prefer: str) -> Iterator[_Choice]:
    """What holds in doubles, the best first, then what doubles may not see."""
    at = initial(prior, FLOAT)
    if float(at.lambda0) > 0 and math.isfinite(float(at.s0)):
        yield from _seen_in_doubles(prior, at, eta, goal, prefer)
    yield from _near_the_target(prior, eta, goal)


def _seen_in_doubles(prior: Prior, at: Initial, eta: Fraction | None, goal: Fraction, prefer: str) -> Iterator[_Choice]:
    radii = _radii(prior, at, goal)
    known = [quantities(prior, radius, FLOAT, at) for radius in radii]
    values = {name: float(known[0][name]) for name in ("L", "mu", "lambda_max", "s0")}
    beta, radius = (np.array([float(item[name]) for item in known])[None, :, None] for name in ("beta", "R"))
    step_at_share_1 = 1 / (values["L"] * (math.sqrt(values["lambda_max"]) + beta * radius) ** 2)
    shares = np.array([x for x in STEPS if prefer == "rate" or x < 1] if eta is None else [1.0])[:, None, None]
    found: list[tuple[tuple[float, ...], _Choice]] = []
    for record in _theorems(prior):
        parts = np.array(LAMBDA_SHARES if record.loss_class is LossClass.GENERAL else (1.0,))[None, None, :]
        steps = step_at_share_1 * shares if eta is None else np.full((1, 1, 1), float(eta))
        arrays = {**values, "beta": beta, "R": radius, "lambda0": float(at.lambda0) * parts, "eta": steps}
        with FLOAT.context():
            constants = record.evaluate_constants(arrays, FLOAT)
            margins = record.margins(constants, FLOAT)
            shape = np.broadcast_shapes(steps.shape, radius.shape, parts.shape)
            passing = np.broadcast_to(constants["q"] < float(goal), shape).copy()
            for item in record.hypotheses:
                passing &= np.broadcast_to(is_met(margins[item.id], item.strict), shape)
            gain, progress, size = (
                np.broadcast_to(x, shape) for x in (1 - constants["rate"], steps * (1 - constants["q"]) * parts, steps)
            )
        for index in map(tuple, np.argwhere(passing)):
            i, j, k = (int(x) for x in index)
            choice = _Choice(record, exactly(radii[j]), exactly(float(parts[0, 0, k])), eta, exactly(float(shares[i, 0, 0])))
            rank = (float(gain[index]), float(progress[index]))
            found.append(((float(size[index]), *rank) if prefer == "step" else rank, choice))
    found.sort(key=lambda pair: pair[0], reverse=True)
    yield from (choice for _, choice in found[:MOST_PROVED])


def _radii(prior: Prior, at: Initial, goal: Fraction) -> list[float]:
    """From just above rbar(R), for an R of [s_0/sigma0, 2 s_0/sigma0] that certifies the flow, on; R*, where there is none."""
    shortest = float(at.s0) / math.sqrt(float(at.lambda0))
    wanted = float(path_radius(at, goal, FLOAT))
    flow = wanted
    for part in range(1, FLOW_RADII + 1):
        radius = shortest * (1 + part / FLOW_RADII)
        q = float(flow_quotient(beta_on_ball(at.known, prior.data, radius, FLOAT), at.s0, at.lambda0))
        if q < 1 and radius > 2 * shortest / (1 + math.sqrt(1 - q)):
            flow = float(settled_radius(prior, FLOAT, start=radius))
            break
    found = {wanted, *(flow * factor for factor in RADII)}
    return sorted(x for x in found if math.isfinite(x) and x > 0) or [1.0]


def _near_the_target(prior: Prior, eta: Fraction | None, goal: Fraction) -> Iterator[_Choice]:
    """On B(R*), R* rounded up: the square loss's theorem, and Theorem A0 with k0 = 1 - (q* - q)/8.

    By Theorem F it applies there with q0 < q* if and only if 1 - k0 < (q* - q)/(2 (1 + sqrt(1 - q*)) - q), and that is more than
    (q* - q)/4. Balls decide, as R is rounded.
    """
    with working_precision():
        at = initial(prior, BALL)
        ball = path_radius(at, goal, BALL)
        if not ball.is_finite() or not at.lambda0 > 0 or upper(ball) <= 0:
            return
        radius = upper(ball)
        values = quantities(prior, BALL.numbers(radius), BALL, at)
        q = flow_quotient(values["beta"], at.s0, at.lambda0)
        room = goal - upper(q) if q.is_finite() else Fraction(-1)
        for record in _theorems(prior):
            if record.loss_class is LossClass.SQUARE or eta is not None:
                yield _Choice(record, radius, Fraction(1), eta, 1 - Fraction(1, 1 << 60))
            elif record.loss_class is LossClass.ANY and room > 0:
                # eta = 2 (1 - k0)/L_J as a share of 1/(L Lambda).
                extra = values["beta"] * BALL.sqrt(values["mu"] / values["L"]) * at.s0 / jacobian_square(values, BALL)
                yield _Choice(record, radius, Fraction(1), None, lower(BALL.numbers(room / 4) / (1 + extra)))


def _unsettled(prior: Prior, eta: Fraction | None) -> _Choice:
    """Something to report the failure of: a small step on a ball that is not too small."""
    at = initial(prior, FLOAT)
    usable = float(at.lambda0) > 0 and float(at.s0) > 0
    radius = 2 * float(at.s0) / math.sqrt(float(at.lambda0)) if usable else 1.0
    square = [record for record in _theorems(prior) if record.loss_class is LossClass.SQUARE]
    record = square[0] if square else theorem("A0")
    share = 1 - Fraction(1, 1 << 60) if square else Fraction(1, 1 << 20)
    return _Choice(record, exactly(radius if math.isfinite(radius) else 1.0), Fraction(1), eta, share)


def _proved(prior: Prior, choice: _Choice, goal: Fraction) -> AprioriCertificate:
    """The theorem of a choice in balls."""
    record = choice.theorem
    with working_precision():
        values = quantities(prior, BALL.numbers(choice.radius), BALL)
        largest = values["L"] * jacobian_square(values, BALL)
        possible = bool(values["lambda0"] <= values["lambda_max"])
        values["lambda0"] = values["lambda0"] * BALL.numbers(choice.lambda_share)
        values["eta"] = BALL.numbers(choice.eta if choice.eta is not None else _step(largest, choice.step_share))
        known = record.evaluate_constants({str(item.symbol): values[str(item.symbol)] for item in record.quantities}, BALL)
        margins = record.margins(known, BALL)
        proved = {item.id: bool(is_met(margins[item.id], item.strict)) for item in record.hypotheses}
        refused = tuple(name for name, holds in proved.items() if not holds)
        if not possible:
            refused = ("spectrum", *refused)
        if proved.get("q", True) and not known["q"] < BALL.numbers(goal):
            refused = (*refused, "target")
        return AprioriCertificate(
            certified=not refused,
            failure_probability=exactly(prior.shares.total),
            constants={name: (lower(x), upper(x)) for name, x in known.items() if x.is_finite()},
            margins={name: (lower(x), upper(x)) for name, x in margins.items() if x.is_finite()},
            refused=refused,
            theorem=record.id,
            eigenvalue_source=source_of(prior.eigenvalue),
        )


def _step(largest: Any, share: Fraction) -> Fraction:
    """A share of 1/(L Lambda) as a rational; 1 where that is not a number, and then nothing is certified."""
    step = 1 / largest
    return lower(step) * share if step.is_finite() and step > 0 else Fraction(1)
