"""Numbers of Theorem A on a ball, with steps: the largest one that Theorem A0 admits there, and one for each of A, A+ and A0.

The step at which Theorem A0 ceases to apply is found by bisection on its conditions, not from the formula of the record; the
instance is the largest step found that is certified with the smallest that is refused. Both are decided by the record of A0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.apriori.constants import flow_quotient
from theorems.arithmetic import FLOAT
from theorems.catalogue import theorem as catalogued
from theorems.records import Claim, Theorem
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, relative_noise, undefined, with_field
from verify.falsify.promises import Outcome, evaluate, met, surely_met
from verify.falsify.scripts import constants, head, tail
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]

KINDS = ("A", "A+", "A0")
HALVINGS = 60
# log10 of L/mu, mu, lambda0, lambda_max/lambda0, beta, q, R over the path of the flow, q_target; of the other step over
# 1/(L Lambda), of lambda0' over lambda0.
RANGES = (
    (0.0, 2.0, 0.3),
    (-1.0, 1.0, 0.3),
    (-2.0, 1.0, 0.3),
    (0.0, 2.0, 0.3),
    (-1.0, 1.0, 0.3),
    (-3.0, 0.05, 0.3),
    (-0.02, 1.0, 0.2),
    (-1.0, 0.0, 0.2),
    (-3.0, 0.3, 0.3),
    (-0.5, 0.0, 0.2),
)


@dataclass(frozen=True)
class StepInstance:
    """L, mu, ..., R: as in Theorem A. certified, refused: two steps. kind: the theorem asked at ``step`` with ``lambda_other``, at
    most lambda0."""

    smoothness: float
    mu: float
    lambda0: float
    lambda_max: float
    beta: float
    residual: float
    radius: float
    target: float
    certified: float
    refused: float
    kind: str
    step: float
    lambda_other: float


NUMBERS = ("smoothness", "mu", "lambda0", "lambda_max", "beta", "residual", "radius", "target", "step", "lambda_other")


def _ranges(kind: Any) -> Array:
    return np.array(RANGES)


def _extremes() -> list[PriorPoint]:
    """The radius decides, the quotient decides, q a little below 1 and above; small steps, where A, A+ and A0 are the flow."""
    shapes = [(-0.3, 0.02, 0.0), (-0.3, 1.0, -0.22), (-1.0, 0.3, -0.5), (-0.01, 0.3, 0.0), (-0.3, -0.01, 0.0), (0.01, 0.5, 0.0)]
    losses, others = [(0.0, 0.0), (1.0, 0.3)], [(-3.0, 0.0), (-0.001, -0.1)]
    found = []
    for kind, loss, shape, other in product(KINDS, losses, shapes, others):
        found.append(PriorPoint(kind, (*loss, -0.5, 0.4, 0.2, *shape, *other)))
    return found


def _applies(item: StepInstance, step: float) -> bool:
    """Whether Theorem A0 applies on B(R) with q0 < q_target, in floats: only to choose steps."""
    root = math.sqrt(item.lambda_max) + item.beta * item.radius
    gain = 1 - step * (item.smoothness * root**2 + item.beta * math.sqrt(item.smoothness * item.mu) * item.residual) / 2
    if gain <= 0:
        return False
    q = flow_quotient(item.beta, item.residual, gain * item.lambda0)
    return q < min(1.0, item.target) and 2 * item.residual / (gain * math.sqrt(item.lambda0)) / (1 + math.sqrt(1 - q)) < item.radius


def _with_steps(item: StepInstance) -> StepInstance:
    """The same with the steps at which Theorem A0 ceases to apply."""
    low, high = 0.0, 4 / (item.smoothness * item.lambda_max)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _applies(item, middle) else (low, middle)
    return replace(item, certified=low * (1 - 1e-9), refused=high * (1 + 1e-9))


def _instance(theorem: Theorem, point: PriorPoint) -> StepInstance:
    condition, mu, lambda0, spread, beta, q, longer, target, share, less = (float(10.0**x) for x in point.vector)
    residual = q * lambda0 / (2 * beta)
    flow = 2 * residual / math.sqrt(lambda0) / (1 + math.sqrt(max(0.0, 1 - q)))
    smoothness, largest, radius = max(mu, mu * condition), max(lambda0, lambda0 * spread), longer * flow
    step = share / (smoothness * (math.sqrt(largest) + beta * radius) ** 2)
    other = min(lambda0, lambda0 * less)
    numbers = (smoothness, mu, lambda0, largest, beta, residual, radius, target)
    return _with_steps(StepInstance(*numbers, 0.0, 0.0, point.kind, step, other))


def _known(theorem: Theorem, item: StepInstance, arithmetic: Any) -> tuple[Values, Values]:
    given = {"L": item.smoothness, "mu": item.mu, "lambda0": item.lambda0, "lambda_max": item.lambda_max, "beta": item.beta}
    given |= {"s0": item.residual, "R": item.radius, "q_target": item.target}
    values = {name: arithmetic.numbers(Fraction(value)) for name, value in given.items()}
    known, margins = evaluate(theorem, values, arithmetic)
    nothing = undefined(arithmetic)
    found = dict.fromkeys(("certified_step", "refused_step", "other_quotient", "other_path"), nothing)
    for name, step, wanted in (("certified_step", item.certified, True), ("refused_step", item.refused, False)):
        if step > 0:
            at, applies = asked("A0", values, step, arithmetic)
            below = _is_below(at["q"], values["q_target"])
            both = False if False in (applies, below) else (None if None in (applies, below) else True)
            found[name] = arithmetic.numbers(Fraction(step)) if both is wanted else nothing
    at, applies = asked(item.kind, values | {"lambda0": arithmetic.numbers(Fraction(item.lambda_other))}, item.step, arithmetic)
    if applies:
        found |= {"other_quotient": at["q"], "other_path": at["rbar"]}
    return known | found, margins


def asked(kind: str, values: Values, step: float, arithmetic: Any) -> tuple[Values, bool | None]:
    """A theorem's constants at a step, and whether it applies: None where that is not decided."""
    record = catalogued(kind)
    found = record.evaluate_constants(values | {"eta": arithmetic.numbers(Fraction(step))}, arithmetic)
    margins = record.margins(found, arithmetic)
    if arithmetic is FLOAT:
        return found, bool(met(record, {name: np.asarray(margin) for name, margin in margins.items()}))
    # A margin that is not a number, as R less the root of a negative number, comes with one that is negative: surely_met sees it.
    return found, surely_met(record, margins)


def _is_below(left: Any, right: Any) -> bool | None:
    return True if left < right else (False if left >= right else None)


def _simpler(item: StepInstance, found: Outcome) -> Iterator[StepInstance]:
    for name in NUMBERS:
        for nicer in rounded(getattr(item, name)):
            one: StepInstance = with_field(item, name, nicer)
            if one.mu <= one.smoothness and one.lambda_other <= one.lambda0 <= one.lambda_max and one.target <= 1:
                yield _with_steps(one)
    for name in ("certified", "refused"):
        for nicer in rounded(getattr(item, name)):
            yield with_field(item, name, nicer)


_STEPS = """L, mu, q_target = {smoothness!r}, {mu!r}, {target!r}
lambda0, lambda_max, beta, s0, R = {lambda0!r}, {lambda_max!r}, {beta!r}, {residual!r}, {radius!r}
# Theorem A0 applies on B(R) with a quotient below q_target at the first step and does not at the second.
certified_step, refused_step = {certified!r}, {refused!r}
# Theorem {kind} on B(R) at the step {step!r} with {lambda_other!r} in place of lambda0.
other_quotient, other_path = {quotient!r}, {path!r}
"""


def _script(theorem: Theorem, item: StepInstance, claim: Claim, step: int) -> str:
    with np.errstate(all="ignore"):
        known, _ = _known(theorem, item, FLOAT)
    quotient, path = (_literal(known[name]) for name in ("other_quotient", "other_path"))
    body = _STEPS.replace("{quotient!r}", quotient).replace("{path!r}", path).format(**dataclasses.asdict(item))
    return head(theorem, claim) + body + constants(theorem) + tail(claim, step)


def _literal(value: Any) -> str:
    return repr(float(value)) if np.isfinite(value) else "np.nan"


def _described(item: StepInstance) -> str:
    q = flow_quotient(item.beta, item.residual, item.lambda0)
    return f"q {q:.4g}, R {item.radius:.4g}, steps {item.certified:.4g} and {item.refused:.4g}; {item.kind} at {item.step:.4g}"


STEPS = family(
    PriorInstances(
        name="steps on a ball",
        given=frozenset({"L", "mu", "lambda0", "lambda_max", "beta", "s0", "R", "q_target"}),
        measured=frozenset({"certified_step", "refused_step", "other_quotient", "other_path"}),
        kinds=KINDS,
        ranges=_ranges,
        extremes=_extremes,
        instance=_instance,
        known=_known,
        noise=relative_noise,
        beyond=lambda item: [],
        simpler=_simpler,
        script=_script,
        described=_described,
        as_json=dataclasses.asdict,
    )
)
