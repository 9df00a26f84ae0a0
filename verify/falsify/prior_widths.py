"""Widths at which the a-priori recursions are evaluated: the closed-form width threshold, and the step that is carried to others.

**Widths.** One hidden layer of m units; q(m) comes from the recursions of ``theorems.apriori``, not from the formula of the
record. The instance is the largest width that is refused with the smallest that is certified.

**Transfer.** A network of any depth with hidden widths r_l m at two m.
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

from theorems.apriori.blueprint import blueprint
from theorems.apriori.constants import Prior, flow_quotient, initial, jacobian_square, path_radius, quantities, quotient
from theorems.apriori.data import Moments
from theorems.apriori.eigenvalue import Granted
from theorems.apriori.threshold import at_width, monotone_from
from theorems.arithmetic import FLOAT
from theorems.records import Claim, Theorem
from verify.falsify.prior_shapes import moments_of_size, plan_of_unit_width
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, relative_noise, undefined, with_field
from verify.falsify.promises import Outcome, evaluate
from verify.falsify.scripts import constants, head, tail
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]

LARGEST = 10**9
ROUNDING = 1e-12


@dataclass(frozen=True)
class WidthInstance:
    """A network of one hidden layer with every number but the width, and two widths: ``refused`` (0 for none) and ``certified``."""

    alpha: float
    sigma_w: float
    sigma_b: float
    curvature: float
    second: float
    fourth: float
    residual: float
    lambda0: float
    target: float
    refused: int
    certified: int

    def prior(self) -> Prior:
        """The same network with one hidden unit."""
        plan = blueprint(
            (1, 1, 1),
            slope=1,
            curvature=Fraction(self.curvature),
            points=1,
            weight_scale=Fraction(self.sigma_w),
            bias_scale=Fraction(self.sigma_b),
            output_scale=Fraction(self.alpha),
            trained=(True, False),
        )
        moments = Moments((Fraction(self.second), Fraction(self.fourth)))
        return Prior(plan, moments, Fraction(self.residual), Granted(Fraction(self.lambda0)), Fraction(1, 100))


WIDTH_FIELDS = ("alpha", "sigma_w", "sigma_b", "curvature", "second", "fourth", "residual", "lambda0", "target")


def _width_ranges(kind: Any) -> Array:
    """log10 of alpha, sigma_w, sigma_b, Lpp, M_2, M_4/M_2^2, |y|, lambda0 and q_target."""
    wide = (-1.0, 1.0, 0.3)
    return np.array([wide, wide, wide, wide, wide, (0.0, 1.0, 0.3), wide, (-3.0, 0.0, 0.3), (-2.0, 0.0, 0.3)])


def _width_extremes() -> list[PriorPoint]:
    """Thresholds in the millions and below: of two neighboring integers one is refused and one is certified."""
    pairs = product((0.0, 0.5), (-1.5, -1.0, -0.5), (-0.5, 0.0))
    return [PriorPoint(bias, (0.1, 0.2, 0.3, 0.1, 0.0, 0.2, s, e, t)) for bias in (False, True) for s, e, t in pairs]


def _width(theorem: Theorem, point: PriorPoint) -> WidthInstance | None:
    numbers = dict(zip(WIDTH_FIELDS, (10.0**x for x in point.vector), strict=True))
    numbers["fourth"] *= numbers["second"] ** 2
    numbers["sigma_b"] = numbers["sigma_b"] if point.kind else 0.0
    one = WidthInstance(**numbers, refused=0, certified=1)
    threshold = float(quotient(one.prior(), FLOAT, one.target) / one.target) ** 2  # q(m) = q(1)/sqrt(m), only to choose m
    if not threshold < LARGEST:
        return None
    return replace(one, refused=math.ceil(threshold) - 1, certified=math.floor(threshold) + 1)


def _width_known(theorem: Theorem, item: WidthInstance, arithmetic: Any) -> tuple[Values, Values]:
    square = Fraction(item.sigma_w) ** 2, Fraction(item.sigma_b) ** 2
    mean = square[0] ** 2 * Fraction(item.fourth) + 2 * square[0] * square[1] * Fraction(item.second) + square[1] ** 2
    given = {"alpha": item.alpha, "sigma_w": item.sigma_w, "Lpp": item.curvature, "s0": item.residual, "lambda0": item.lambda0}
    values = {name: arithmetic.numbers(Fraction(value)) for name, value in {**given, "q_target": item.target}.items()}
    known, margins = evaluate(theorem, values | {"S": arithmetic.sqrt(arithmetic.numbers(mean))}, arithmetic)
    target = Fraction(item.target)
    for name, width in (("refused_width", item.refused), ("certified_width", item.certified)):
        known[name] = undefined(arithmetic)
        if width >= 1:
            q = quotient(at_width(item.prior(), width), arithmetic, target)
            goal, slack = arithmetic.numbers(target), ROUNDING if arithmetic is FLOAT else 0
            decided = q >= goal * (1 + slack) if name == "refused_width" else q < goal * (1 - slack)
            known[name] = arithmetic.numbers(width) if decided else known[name]
    return known, margins


def _simpler_widths(item: WidthInstance, found: Outcome) -> Iterator[WidthInstance]:
    for name in WIDTH_FIELDS:
        for nicer in rounded(getattr(item, name)):
            if item.fourth >= item.second**2 and (name != "target" or nicer <= 1):
                one: WidthInstance = with_field(item, name, nicer)
                threshold = float(quotient(one.prior(), FLOAT, one.target) / one.target) ** 2
                if threshold < LARGEST:
                    yield replace(one, refused=math.ceil(threshold) - 1, certified=math.floor(threshold) + 1)


_WIDTHS = """alpha, sigma_w, sigma_b, Lpp = {alpha!r}, {sigma_w!r}, {sigma_b!r}, {curvature!r}
M_2, M_4 = {second!r}, {fourth!r}
s0, lambda0, q_target = {residual!r}, {lambda0!r}, {target!r}
S = sqrt(sigma_w**4 * M_4 + 2 * sigma_w**2 * sigma_b**2 * M_2 + sigma_b**4)
# The recursions of overparam give q(m) >= q_target at the first and q(m) < q_target at the second width.
refused_width, certified_width = {refused!r}, {certified!r}
"""


def _width_script(theorem: Theorem, item: WidthInstance, claim: Claim, step: int) -> str:
    return head(theorem, claim) + _WIDTHS.format(**dataclasses.asdict(item)) + constants(theorem) + tail(claim, step)


def _width_described(item: WidthInstance) -> str:
    return f"widths {item.refused} and {item.certified}, q_target {item.target:.4g}, lambda0 {item.lambda0:.4g}"


WIDTHS = family(
    PriorInstances(
        name="neighboring widths",
        given=frozenset({"alpha", "sigma_w", "Lpp", "S", "s0", "lambda0", "q_target"}),
        measured=frozenset({"refused_width", "certified_width"}),
        kinds=(False, True),
        ranges=_width_ranges,
        extremes=_width_extremes,
        instance=_width,
        known=_width_known,
        noise=relative_noise,
        beyond=lambda item: [],
        simpler=_simpler_widths,
        script=_width_script,
        described=_width_described,
        as_json=dataclasses.asdict,
    )
)


@dataclass(frozen=True)
class TransferInstance:
    """Hidden widths are ``ratios`` times m_0 or m. moments: M_2, M_4, ...; delta: the failure probability."""

    ratios: tuple[int, ...]
    trained: tuple[bool, ...]
    gaussian: bool
    sigma_w: float
    sigma_b: float
    slope: float
    curvature: float
    moments: tuple[float, ...]
    smoothness: float
    residual: float
    lambda0: float
    target: float
    delta: float
    first: int
    width: int

    def prior(self) -> Prior:
        """The network at m = 1."""
        plan = plan_of_unit_width(self)
        moments, loss = Moments(tuple(map(Fraction, self.moments))), Fraction(self.smoothness)
        known, delta = Granted(Fraction(self.lambda0)), Fraction(self.delta)
        return Prior(plan, moments, Fraction(self.residual), known, delta, smoothness=loss, mu=loss)


# ratios, trained, gaussian output, biases
TRANSFER_KINDS = [
    ((1,), (True, True), False, False),
    ((1,), (False, True), True, True),
    ((1, 2), (True, True, True), False, True),
    ((2, 1), (True, True, True), True, False),
    ((1, 1), (True, False, False), False, False),
    ((1, 1, 1), (True, True, True, True), True, True),
    ((1, 1, 1), (False, True, False, True), True, False),
]


def _transfer_ranges(kind: Any) -> Array:
    """log10 of sigma_w, sigma_b, Lp, Lpp, |x|, L, |y|, lambda0, q_target, delta, of m_0 over m_mono, and of m over m_0."""
    near = (-0.5, 0.5, 0.2)
    free = [(-8.0, -1.0, 1.0), (-2.0, 0.0, 0.3), (-1.0, 0.0, 0.2), (-4.0, -0.001, 0.5), (-0.05, 2.0, 0.3), (-0.05, 3.0, 0.3)]
    return np.array([near] * 6 + free)


def _transfer_extremes() -> list[PriorPoint]:
    """Both steps at one width, where the claims are equalities, and at widths a little smaller and larger; from the least width to
    twice that, where a failure probability near 1 leaves the narrowest layers."""
    pairs = product(TRANSFER_KINDS, (-4.0, -6.0), ((0.0, 0.0), (1.0, 0.3), (2.0, 0.0), (2.0, -0.004), (2.0, -0.02)))
    found = [PriorPoint(kind, (0.0, -0.3, 0.0, 0.0, 0.0, 0.2, y, -0.5, 0.0, -2.0, *widths)) for kind, y, widths in pairs]
    narrow = product(TRANSFER_KINDS, (-0.3, -0.01))
    ends = (0.0, 0.3)
    return found + [PriorPoint(kind, (0.0, -0.3, 0.0, -2.0, 0.0, 0.2, -6.0, -0.5, 0.0, delta, *ends)) for kind, delta in narrow]


def _transfer(theorem: Theorem, point: PriorPoint) -> TransferInstance:
    ratios, trained, gaussian, bias = point.kind
    sigma_w, sigma_b, slope, curvature, size, loss, y, lambda0, target, delta, first, width = (10.0**x for x in point.vector)
    one = TransferInstance(
        ratios=ratios,
        trained=trained,
        gaussian=gaussian,
        sigma_w=sigma_w,
        sigma_b=sigma_b if bias else 0.0,
        slope=slope,
        curvature=curvature,
        moments=moments_of_size(size, len(ratios) + 1),
        smoothness=loss,
        residual=y,
        lambda0=lambda0,
        target=target,
        delta=delta,
        first=1,
        width=1,
    )
    start = max(1, round(monotone_from(one.prior()) * first))
    return replace(one, first=start, width=max(1, round(start * width)))


def _transfer_known(theorem: Theorem, item: TransferInstance, arithmetic: Any) -> tuple[Values, Values]:
    prior, target = item.prior(), Fraction(item.target)
    before, after = (_at(at_width(prior, width), target, arithmetic) for width in (item.first, item.width))
    given = {
        "L": Fraction(item.smoothness),
        "m_mono": Fraction(monotone_from(prior)),
        "m_0": Fraction(item.first),
        "m": Fraction(item.width),
        "q_target": target,
    }
    values = {name: arithmetic.numbers(value) for name, value in given.items()}
    values |= {"q": before[0], "Lambda_first": before[1]}
    known, margins = evaluate(theorem, values, arithmetic)
    return known | {"q_later": after[0], "Lambda_later": after[1]}, margins


def _at(prior: Prior, target: Fraction, arithmetic: Any) -> tuple[Any, Any]:
    """q(R*) and Lambda on B(R*)."""
    at = initial(prior, arithmetic)
    radius = path_radius(at, target, arithmetic)
    values = quantities(prior, radius, arithmetic, at)
    return flow_quotient(values["beta"], at.s0, at.lambda0), jacobian_square(values, arithmetic)


def _simpler_transfers(item: TransferInstance, found: Outcome) -> Iterator[TransferInstance]:
    for name in ("sigma_w", "slope", "curvature", "smoothness", "residual", "lambda0", "delta"):
        for nicer in rounded(getattr(item, name)):
            if name != "delta" or nicer < 1:
                yield with_field(item, name, nicer)


_TRANSFER = """L, m_mono, m_0, m = {smoothness!r}, {monotone!r}, {first!r}, {width!r}
q_target = {target!r}
# The recursions of overparam at the widths m_0 and m.
q, Lambda_first = {q!r}, {Lambda_first!r}
q_later, Lambda_later = {q_later!r}, {Lambda_later!r}
"""


def _transfer_script(theorem: Theorem, item: TransferInstance, claim: Claim, step: int) -> str:
    known, _ = _transfer_known(theorem, item, FLOAT)
    numbers = {name: float(known[name]) for name in ("q", "Lambda_first", "q_later", "Lambda_later")}
    body = _TRANSFER.format(**dataclasses.asdict(item), **numbers, monotone=monotone_from(item.prior()))
    return head(theorem, claim) + body + constants(theorem) + tail(claim, step)


def _transfer_described(item: TransferInstance) -> str:
    output = "gaussian" if item.gaussian else "+-1"
    moving = ", ".join(str(layer) for layer, moves in enumerate(item.trained, 1) if moves)
    return (
        f"hidden widths m x {item.ratios}, layers {moving} trained, output layer {output}, m_0 = {item.first}, m = {item.width}, "
        f"|y| {item.residual:.4g}"
    )


TRANSFER = family(
    PriorInstances(
        name="two widths",
        given=frozenset({"L", "m_mono", "m_0", "m", "q", "q_target", "Lambda_first"}),
        measured=frozenset({"q_later", "Lambda_later"}),
        kinds=TRANSFER_KINDS,
        ranges=_transfer_ranges,
        extremes=_transfer_extremes,
        instance=_transfer,
        known=_transfer_known,
        noise=relative_noise,
        beyond=lambda item: [replace(item, width=max(1, round(0.99 * item.first)))],
        simpler=_simpler_transfers,
        script=_transfer_script,
        described=_transfer_described,
        as_json=dataclasses.asdict,
    )
)
