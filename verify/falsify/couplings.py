"""Networks of one neuron per layer, and pairs of points: H2, its Lipschitz constant and its transport.

f(x) = alpha w_L sin(... sin(w_1 x)), of which w_1 moves by R: slopes w_1 + R at theta and w_1 at theta0. Centered and with L = 2,
w_1 = 10 and R = 1 it is a multiple of sin(11 x) - sin(10 x), whose slope at pi is -21: the sum of the gains is attained. The first
sample is coupled with the second by pairing (x_i, t_i) with (x_i + h, t_i + d); the loss is min(b, |y - t|), with Lipschitz
constant 1 in y and in t.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theorems.records import Claim, Role, Theorem
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, with_field
from verify.falsify.promises import Outcome, evaluate
from verify.falsify.scripts import constants, head, tail
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]
SPACING = 0.1  # between the points of a sample


@dataclass(frozen=True)
class PairInstance:
    """weights: w_1, ..., w_L at theta0, all positive. moved: R. starts, gap: x_i and h. target, change: t_i and d."""

    alpha: float
    weights: tuple[float, ...]
    moved: float
    centered: bool
    starts: tuple[float, ...]
    gap: float
    target: float
    change: float
    largest: float


KINDS = [(layers, centered, pairs) for layers in (2, 3) for centered in (False, True) for pairs in (1, 3)]
NUMBERS = ("alpha", "moved", "gap", "target", "change", "largest")


def _ranges(kind: Any) -> Array:
    """log10 of alpha, R, h, b and the weights; then x_1, t and d."""
    wide = (-1.0, 1.0, 0.3)
    return np.array([wide, wide, (-5.0, 0.5, 0.5), wide, *[wide] * kind[0], (-4.0, 4.0, 0.3), (-2.0, 2.0, 0.3), (-1.0, 1.0, 0.2)])


def _extremes() -> list[PriorPoint]:
    """Where sines are steepest: at 0, at pi for the centered network, and pairs so near each other that slopes are difference
    quotients; targets below the outputs, so that both losses are y - t."""
    found = []
    for layers, centered, pairs in KINDS:
        weights = (1.0,) + (0.0,) * (layers - 1)
        place = math.pi if centered else 0.0
        for step in (-5.0, -4.0, -3.0):
            found += [
                PriorPoint((layers, centered, pairs), (0.0, 0.0, step, 1.0, *weights, x, t, d))
                for x in (place - 10.0**step / 2, place)
                for t, d in ((-2.0, 0.0), (2.0, 0.0), (-2.0, 0.3), (2.0, -0.3))
            ]
    return found


def _instance(theorem: Theorem, point: PriorPoint) -> PairInstance:
    layers, centered, pairs = point.kind
    alpha, moved, gap, largest = (10.0**x for x in point.vector[:4])
    weights, (start, target, change) = tuple(10.0**x for x in point.vector[4 : 4 + layers]), point.vector[4 + layers :]
    starts = tuple(start + SPACING * i for i in range(pairs))
    return PairInstance(alpha, weights, moved, centered, starts, gap, target, change, largest)


def _known(theorem: Theorem, item: PairInstance, arithmetic: Any) -> tuple[Values, Values]:
    exact = _Exact(item, arithmetic)
    slope, distance, change = exact.lipschitz, exact.number(item.gap), exact.number(abs(Fraction(item.change)))
    b = exact.number(item.largest)
    cost = arithmetic.minimum(b, arithmetic.add(arithmetic.multiply(slope, distance), change))
    quotients, differences = [], []
    for x in map(Fraction, item.starts):
        first, second = exact.output(x), exact.output(x + Fraction(item.gap))
        quotients.append(arithmetic.divide(arithmetic.absolute(arithmetic.subtract(second, first)), distance))
        target = Fraction(item.target)
        losses = [exact.loss(first, target), exact.loss(second, target + Fraction(item.change))]
        differences.append(arithmetic.subtract(losses[1], losses[0]))
    values = {"alpha": exact.number(item.alpha), "gain": exact.gain(True), "gain_0": exact.gain(False), "b": b, "transport": cost}
    known, margins = evaluate(theorem, values, arithmetic)
    total = differences[0]
    for difference in differences[1:]:
        total = arithmetic.add(total, difference)
    largest = quotients[0]
    for quotient in quotients[1:]:
        largest = arithmetic.maximum(largest, quotient)
    mean = arithmetic.absolute(arithmetic.divide(total, exact.number(len(differences))))
    return known | {"input_slope": largest, "risk_difference": mean}, margins


class _Exact:
    """The instance's functions in one arithmetic."""

    def __init__(self, item: PairInstance, arithmetic: Any) -> None:
        self.item, self.arithmetic = item, arithmetic

    def number(self, value: float | Fraction) -> Any:
        return self.arithmetic.numbers(Fraction(value))

    def gain(self, at_theta: bool) -> Any:
        """Of f_theta, or of the f_theta0 that is subtracted: 0 where nothing is."""
        item = self.item
        if not at_theta and not item.centered:
            return self.number(Fraction(0))
        first = Fraction(item.weights[0]) + (Fraction(item.moved) if at_theta else 0)
        return self.number(math.prod(map(Fraction, item.weights[1:]), start=first))

    @property
    def lipschitz(self) -> Any:
        both = self.arithmetic.add(self.gain(True), self.gain(False))
        return self.arithmetic.multiply(self.number(self.item.alpha), both)

    def output(self, x: Fraction) -> Any:
        item, first = self.item, Fraction(self.item.weights[0])
        found = self._chain((first + Fraction(item.moved)) * x)
        return self.arithmetic.subtract(found, self._chain(first * x)) if item.centered else found

    def _chain(self, z: Fraction) -> Any:
        value, a = self.number(z), self.arithmetic
        for weight in self.item.weights[1:]:
            value = a.multiply(self.number(weight), a.sin(value))
        return a.multiply(self.number(self.item.alpha), value)

    def loss(self, output: Any, target: Fraction) -> Any:
        a = self.arithmetic
        return a.minimum(self.number(self.item.largest), a.absolute(a.subtract(output, self.number(target))))


def _noise(claim: Claim, known: Values) -> Array:
    """Rounding of an output of size 1 in floats, over the smallest h for the quotient."""
    scale = 1e-9 * known["Lip"] if str(claim.measured) == "input_slope" else 1e-14 * (known["Lip"] + known["b"])
    return np.asarray(scale)


def _beyond(item: PairInstance) -> list[PairInstance]:
    return []


def _simpler(item: PairInstance, found: Outcome) -> Iterator[PairInstance]:
    if len(item.starts) > 1:
        yield dataclasses.replace(item, starts=item.starts[:1])
    for name in NUMBERS:
        for nicer in rounded(getattr(item, name)):
            if nicer > 0 or name in ("target", "change"):
                yield with_field(item, name, nicer)
    for index, weight in enumerate(item.weights):
        for nicer in rounded(weight):
            yield dataclasses.replace(item, weights=(*item.weights[:index], nicer, *item.weights[index + 1 :]))


_SCRIPT = """alpha, w, R, centered = {alpha!r}, {weights!r}, {moved!r}, {centered!r}
x, gap, target, change, b = np.array({starts!r}), {gap!r}, {target!r}, {change!r}, {largest!r}
gain, gain_0 = (w[0] + R) * np.prod(w[1:]), w[0] * np.prod(w[1:]) if centered else 0.0


def chain(z):
    for weight in w[1:]:
        z = weight * np.sin(z)
    return alpha * z


def f(x):
    return chain((w[0] + R) * x) - (chain(w[0] * x) if centered else 0.0)


def loss(x, t):
    return np.minimum(b, np.abs(f(x) - t))


transport = min(b, alpha * (gain + gain_0) * gap + abs(change))
input_slope = np.max(np.abs(f(x + gap) - f(x))) / gap
risk_difference = abs(np.mean(loss(x + gap, target + change) - loss(x, target)))
"""


def _script(theorem: Theorem, item: PairInstance, claim: Claim, step: int) -> str:
    return head(theorem, claim) + _SCRIPT.format(**dataclasses.asdict(item)) + constants(theorem) + tail(claim, step)


def _described(item: PairInstance) -> str:
    kind = "centered" if item.centered else "not centered"
    return (
        f"{len(item.weights)} layers of one neuron, {kind}, {len(item.starts)} pair(s) {item.gap:.4g} apart at {item.starts[0]:.4g}"
    )


COUPLINGS = family(
    PriorInstances(
        name="coupled samples",
        given=frozenset({"alpha", "gain", "gain_0", "b", "transport"}),
        measured=frozenset({"input_slope", "risk_difference"}),
        kinds=KINDS,
        ranges=_ranges,
        extremes=_extremes,
        instance=_instance,
        known=_known,
        noise=_noise,
        beyond=_beyond,
        simpler=_simpler,
        script=_script,
        described=_described,
        as_json=dataclasses.asdict,
        role=Role.GENERALIZATION,
    )
)
