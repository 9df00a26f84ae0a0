"""One network at two widths, or at two scales: what the recursions and Theorems A, A+ and A0 give before and after.

**Persistence.** A theorem is asked at the width m_0 with a step, a radius and lambda0' chosen there, and with the same at the width
m.

**Scales.** q(R*) with the output scale multiplied, or the labels divided, centered or not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.apriori.constants import Prior, initial, quantities, quotient
from theorems.apriori.data import Moments, beta_on_ball
from theorems.apriori.eigenvalue import Chernoff, Granted
from theorems.apriori.scale import with_label_scale, with_output_scale
from theorems.apriori.threshold import at_width, monotone_from
from theorems.arithmetic import FLOAT
from theorems.records import Claim, Theorem
from verify.falsify.prior_shapes import moments_of_size, plan_of_unit_width
from verify.falsify.prior_steps import KINDS, asked
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, relative_noise, undefined, with_field
from verify.falsify.promises import Outcome, evaluate
from verify.falsify.scripts import constants, head, tail
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]

ROUNDS = 3  # of the fixed point for the labels' size
LATER = {"quotient_later": "q", "rbar_later": "rbar", "rate_later": "rate"}


@dataclass(frozen=True)
class Network:
    """Hidden widths are ``ratios`` times m. moments: M_2, M_4, .... chernoff: lambda0 by F-chernoff with lambda0 for lambda_inf."""

    ratios: tuple[int, ...]
    trained: tuple[bool, ...]
    gaussian: bool
    chernoff: bool
    centered: bool
    sigma_w: float
    sigma_b: float
    slope: float
    curvature: float
    moments: tuple[float, ...]
    smoothness: float
    mu: float
    residual: float
    lambda0: float
    delta: float

    def prior(self) -> Prior:
        """The network at m = 1."""
        plan = plan_of_unit_width(self)
        lambda0 = Fraction(self.lambda0)
        return Prior(
            plan,
            Moments(tuple(map(Fraction, self.moments))),
            Fraction(self.residual),
            Chernoff(lambda0, Fraction(self.sigma_w) ** 2) if self.chernoff else Granted(lambda0),
            Fraction(self.delta),
            centered=self.centered,
            smoothness=Fraction(self.smoothness),
            mu=Fraction(self.mu),
        )


NUMBERS = ("sigma_w", "slope", "curvature", "smoothness", "mu", "residual", "lambda0", "delta")
# ratios, trained, gaussian output, Chernoff, centered, biases
SHAPES = [
    ((1,), (True, False), False, False, True, False),
    ((1,), (True, False), False, True, True, True),
    ((1,), (True, True), True, False, True, False),
    ((1, 2), (True, True, True), False, False, False, True),
    ((2, 1), (True, True, True), True, False, True, False),
    ((1, 1, 1), (True, True, True, True), True, False, False, True),
]
# log10 of sigma_w, sigma_b, Lp, Lpp, |x|, L/mu, mu, lambda0, delta
NEAR = (-0.3, 0.3, 0.2)
RANGES = [NEAR] * 5 + [(0.0, 2.0, 0.3), NEAR, (-2.0, 0.0, 0.3), (-4.0, -0.1, 0.5)]


def _network(kind: Any, vector: tuple[float, ...], residual: float = 1.0) -> Network:
    ratios, trained, gaussian, chernoff, centered, bias = kind
    sigma_w, sigma_b, slope, curvature, size, condition, mu, lambda0, delta = (float(10.0**x) for x in vector)
    return Network(
        ratios=ratios,
        trained=trained,
        gaussian=gaussian,
        chernoff=chernoff,
        centered=centered,
        sigma_w=sigma_w,
        sigma_b=sigma_b if bias else 0.0,
        slope=slope,
        curvature=curvature,
        moments=moments_of_size(size, len(ratios) + 1),
        smoothness=max(mu, mu * condition),
        mu=mu,
        residual=residual,
        lambda0=lambda0,
        delta=delta,
    )


def _simpler_networks(network: Network) -> Iterator[Network]:
    for name in NUMBERS:
        for nicer in rounded(getattr(network, name)):
            one: Network = with_field(network, name, nicer)
            if one.delta < 1 and one.mu <= one.smoothness:
                yield one


@dataclass(frozen=True)
class Persistence:
    """theorem: A, A+ or A0, asked on B(radius) at ``step`` with lambda_other <= lambda0(m_0) for lambda0, at both widths."""

    network: Network
    theorem: str
    first: int
    width: int
    radius: float
    step: float
    lambda_other: float


def _persistence_ranges(kind: Any) -> Array:
    """The network; log10 of m_0 over m_mono, of m over m_0, of q, of R over R* at q = 1, of the step over 1/(L Lambda), of
    lambda0'/lambda0."""
    more = [(2.0, 5.0, 0.3), (-0.03, 2.0, 0.2), (-3.0, -0.1, 0.3), (0.0, 0.5, 0.2), (-3.0, 0.2, 0.3), (-0.3, 0.0, 0.1)]
    return np.array(RANGES + more)


def _persistence_extremes() -> list[PriorPoint]:
    """At the same width, where the claims are equalities, and at one a little smaller and larger."""
    base = (0.0, -0.2, 0.0, 0.0, 0.0)
    found = []
    for shape, kind, width, condition in product(SHAPES, KINDS, (0.0, 0.3, -0.0045), (0.0, 0.5)):
        found.append(PriorPoint((shape, kind), (*base, condition, 0.0, -0.5, -2.0, 4.0, width, -1.3, 0.1, -0.7, 0.0)))
    return found


def _persistence(theorem: Theorem, point: PriorPoint) -> Persistence | None:
    shape, kind = point.kind
    first, width, q, longer, share, less = (float(10.0**x) for x in point.vector[9:])
    network = _network(shape, point.vector[:9])
    start = max(1, round(monotone_from(network.prior()) * first))
    prior = at_width(network.prior(), start)
    at = initial(prior, FLOAT)
    lambda0 = float(at.lambda0)
    if not lambda0 > 0:
        return None
    s0 = 0.0
    for _ in range(ROUNDS):
        radius = longer * 2 * s0 / np.sqrt(lambda0)
        s0 = q * lambda0 / (2 * float(beta_on_ball(at.known, prior.data, radius, FLOAT)))
    if network.centered:  # then s_0 is proportional to the labels' size, 1 until here
        network, at = replace(network, residual=s0 / float(at.s0)), replace(at, s0=s0)
    radius = float(longer * 2 * at.s0 / np.sqrt(lambda0))
    known = quantities(prior, radius, FLOAT, at)
    step = share / float(known["L"] * (np.sqrt(known["lambda_max"]) + known["beta"] * radius) ** 2)
    other = min(lambda0 * less, lambda0 * (1 - 1e-12))
    return Persistence(network, kind, start, max(1, round(start * width)), radius, step, other)


def _persistence_known(theorem: Theorem, item: Persistence, arithmetic: Any) -> tuple[Values, Values]:
    before, after = (_asked_at(item, width, arithmetic) for width in (item.first, item.width))
    nothing = undefined(arithmetic)
    facts = {"m_mono": monotone_from(item.network.prior()), "m_0": item.first, "m": item.width}
    values = {name: arithmetic.numbers(Fraction(value)) for name, value in facts.items()}
    values |= dict(zip(("q", "rbar_first", "rate"), (nothing,) * 3, strict=True))
    if before[1]:
        values |= {"q": before[0]["q"], "rbar_first": before[0]["rbar"], "rate": before[0]["rate"]}
    known, margins = evaluate(theorem, values, arithmetic)
    refused = {"quotient_later": arithmetic.numbers(2), "rbar_later": 2 * values["rbar_first"], "rate_later": arithmetic.numbers(2)}
    if after[1]:
        return known | {name: after[0][short] for name, short in LATER.items()}, margins
    return known | (refused if after[1] is False else dict.fromkeys(LATER, nothing)), margins


def _asked_at(item: Persistence, width: int, arithmetic: Any) -> tuple[Values, bool | None]:
    """The theorem's constants at a width, and whether it applies."""
    prior = at_width(item.network.prior(), width)
    values = quantities(prior, arithmetic.numbers(Fraction(item.radius)), arithmetic)
    other = arithmetic.numbers(Fraction(item.lambda_other))
    if not other <= values["lambda0"]:
        return {}, False if other > values["lambda0"] else None
    return asked(item.theorem, values | {"lambda0": other}, item.step, arithmetic)


def _simpler_persistence(item: Persistence, found: Outcome) -> Iterator[Persistence]:
    for network in _simpler_networks(item.network):
        yield replace(item, network=network)
    for name in ("radius", "step", "lambda_other"):
        for nicer in rounded(getattr(item, name)):
            yield with_field(item, name, nicer)


_PERSISTENCE = """m_mono, m_0, m = {monotone!r}, {first!r}, {width!r}
# Theorem {theorem} with the recursions of overparam, on B({radius!r}), at the step {step!r}, with {lambda_other!r} for lambda0: at
# the widths m_0 and m.
q, rbar_first, rate = {q!r}, {rbar_first!r}, {rate!r}
quotient_later, rbar_later, rate_later = {quotient_later!r}, {rbar_later!r}, {rate_later!r}
"""


def _persistence_script(theorem: Theorem, item: Persistence, claim: Claim, step: int) -> str:
    known, _ = _persistence_known(theorem, item, FLOAT)
    numbers = {name: float(known[name]) for name in ("q", "rbar_first", "rate", *LATER)}
    facts = {name: getattr(item, name) for name in ("theorem", "first", "width", "radius", "step", "lambda_other")}
    body = _PERSISTENCE.format(**facts, **numbers, monotone=monotone_from(item.network.prior()))
    return head(theorem, claim) + body + constants(theorem) + tail(claim, step)


def _persistence_described(item: Persistence) -> str:
    widths = f"hidden widths m x {item.network.ratios}, m_0 = {item.first}, m = {item.width}"
    return f"Theorem {item.theorem}, {widths}, step {item.step:.4g}"


PERSISTENCE = family(
    PriorInstances(
        name="a theorem at two widths",
        given=frozenset({"m_mono", "m_0", "m", "q", "rbar_first", "rate"}),
        measured=frozenset(LATER),
        kinds=list(product(SHAPES, KINDS)),
        ranges=_persistence_ranges,
        extremes=_persistence_extremes,
        instance=_persistence,
        known=_persistence_known,
        noise=relative_noise,
        beyond=lambda item: [replace(item, width=max(1, round(0.99 * item.first)))],
        simpler=_simpler_persistence,
        script=_persistence_script,
        described=_persistence_described,
        as_json=dataclasses.asdict,
    )
)


@dataclass(frozen=True)
class Scales:
    """The network at the width m, with ``scale`` and q_target."""

    network: Network
    width: int
    scale: float
    target: float


def _scale_ranges(kind: Any) -> Array:
    """The network; log10 of m, |y|, scale and q_target."""
    return np.array([*RANGES, (0.0, 6.0, 0.5), (-3.0, 0.5, 0.5), (-0.03, 2.0, 0.3), (-2.0, 0.0, 0.3)])


def _scale_extremes() -> list[PriorPoint]:
    """No change, where the claims are equalities, and scales a little smaller and larger than 1; large labels."""
    found = []
    for shape, scale, residual, condition in product(SHAPES, (0.0, 0.3, -0.0045), (-1.0, 0.5), (0.0, 1.0)):
        found.append(PriorPoint(shape, (0.0, -0.2, 0.0, 0.0, 0.0, condition, 0.0, -0.5, -2.0, 4.0, residual, scale, -0.2)))
    return found


def _scales(theorem: Theorem, point: PriorPoint) -> Scales | None:
    width, residual, scale, target = (float(10.0**x) for x in point.vector[9:])
    item = Scales(_network(point.kind, point.vector[:9], residual), max(1, round(width)), scale, target)
    return item if float(initial(at_width(item.network.prior(), item.width), FLOAT).lambda0) > 0 else None


def _scale_known(theorem: Theorem, item: Scales, arithmetic: Any) -> tuple[Values, Values]:
    prior, target, by = at_width(item.network.prior(), item.width), Fraction(item.target), Fraction(item.scale)
    nothing = undefined(arithmetic)
    before, output = (quotient(known, arithmetic, target) for known in (prior, with_output_scale(prior, by)))
    labels = quotient(with_label_scale(prior, 1 / by), arithmetic, target) if prior.is_square else nothing
    known, margins = evaluate(theorem, {"scale": arithmetic.numbers(by), "q": before}, arithmetic)
    larger = arithmetic.maximum(output, labels) if prior.is_square else output
    known |= {"q_initial": larger, "q_output": nothing, "q_labels": nothing}
    return known | ({"q_output": output, "q_labels": labels} if prior.centered else {}), margins


def _simpler_scales(item: Scales, found: Outcome) -> Iterator[Scales]:
    for network in _simpler_networks(item.network):
        yield replace(item, network=network)
    for name in ("scale", "target"):
        for nicer in rounded(getattr(item, name)):
            if name == "scale" or nicer <= 1:
                yield with_field(item, name, nicer)


_SCALES = """scale = {scale!r}
# q(R*) by the recursions of overparam: before, and with the output scale multiplied or the labels divided.
q = {q!r}
q_output, q_labels, q_initial = {q_output}, {q_labels}, {q_initial!r}
"""


def _scale_script(theorem: Theorem, item: Scales, claim: Claim, step: int) -> str:
    known, _ = _scale_known(theorem, item, FLOAT)
    found = {name: float(known[name]) for name in ("q", "q_initial", "q_output", "q_labels")}
    words = {name: repr(found[name]) if np.isfinite(found[name]) else "np.nan" for name in ("q_output", "q_labels")}
    body = _SCALES.format(scale=item.scale, **{**found, **words})
    return head(theorem, claim) + body + constants(theorem) + tail(claim, step)


def _scale_described(item: Scales) -> str:
    shape = "centered" if item.network.centered else "not centered"
    return f"hidden widths {item.width} x {item.network.ratios}, {shape}, scale {item.scale:.4g}, |y| {item.network.residual:.4g}"


SCALES = family(
    PriorInstances(
        name="two scales",
        given=frozenset({"scale", "q"}),
        measured=frozenset({"q_output", "q_labels", "q_initial"}),
        kinds=SHAPES,
        ranges=_scale_ranges,
        extremes=_scale_extremes,
        instance=_scales,
        known=_scale_known,
        noise=relative_noise,
        beyond=lambda item: [replace(item, scale=0.99)],
        simpler=_simpler_scales,
        script=_scale_script,
        described=_scale_described,
        as_json=dataclasses.asdict,
    )
)
