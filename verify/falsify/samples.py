"""Samples for H1: classes and laws for which it is known, for every sample or by a finite sum, how much a ball can hide.

**Memorizing.** M atoms of equal probability, f_i(theta) = sqrt(k0) <e_i, u> + <v, Q_i v>/2 with theta - theta0 = (u, v) and Q_i =
beta diag(s_i) over all patterns s of M signs: |df_theta0(x_i)|^2 = k0, and df(x_i) has the Lipschitz constant beta. Of the squared
distance r^2 the share c goes to u, -r sqrt(c/n) on each atom of the sample, and 1 - c to the v of the pattern that is -1 on the
sample and 1 elsewhere. So f = -l - q on the sample, l = r sqrt(k0 c/n), q = beta r^2 (1 - c)/2, and f = q elsewhere; for the loss
clip(a + rho (f + l + q), 0, b), 0 <= a <= b, the mean over the sample is a, and the expected loss at least a + min(b - a,
rho (l + 2q)) (1 - n/M), *for every sample*. As n and M/n grow this attains the curvature term; of the linear term it is one half.

**Rare.** The loss is b with probability p, whatever theta is. More than a share delta of the samples has at most k such points, by
the binomial sum in rational numbers: the mean over such a sample is at most k b/n, the expected loss p b.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from theorems.records import Claim, Role, Theorem
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, relative_noise, with_field
from verify.falsify.promises import Outcome, evaluate
from verify.falsify.scripts import constants, head, tail
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SampleInstance:
    """The symbols of H1 and what tells the kinds apart.

    atoms: M, share: c and base: a, for memorizing; for a rare loss atoms = 0, and rare, probability: k and p.
    """

    points: int
    outputs: int
    largest: float
    slope: float
    kernel: float
    beta: float
    first_radius: float
    index: int
    failure: float
    distance: float
    atoms: int
    share: float
    base: float
    rare: int
    probability: float


MEMORIZING = [("memorizing", outputs) for outputs in (1, 2)]
RARE = [("rare", points, rare) for points, rare in ((1, 0), (2, 0), (4, 0), (12, 1), (30, 5), (60, 15))]
NUMBERS = ("largest", "slope", "kernel", "beta", "first_radius", "failure", "distance")


def _ranges(kind: Any) -> Array:
    """Memorizing: log10 of n, M/n, rho, k0, beta, r_1, delta, r/r_j and b/(a + rho (l + 2q)), then c,
    a/(rho (l + 2q)) and j.

    Rare: log10 delta, -log10 of the share by which p stays below the largest with which the binomial sum exceeds delta, and j.
    """
    wide, failure, index = (-1.0, 1.0, 0.3), (-4.0, -0.01, 0.5), (1.0, 4.99, 1.0)
    if kind[0] == "rare":
        return np.array([failure, (1.0, 9.0, 1.0), index])
    return np.array(
        [
            (0, 8, 1),
            (0.3, 9, 1),
            wide,
            wide,
            (-7, 1, 1),
            wide,
            failure,
            (-0.5, 0.3, 0.1),
            (0, 0.6, 0.2),
            (0, 1, 0.2),
            (0, 2, 0.3),
            index,
        ]
    )


def _extremes() -> list[PriorPoint]:
    """Large samples and more atoms, at r_j and a little beyond: 1, 5, 20 and 50 percent, and tenfold. Where nothing else is left
    the linear term is seen, of a map that is almost linear. At r_j itself only j = 1 is decided in balls."""
    reach = (-1e-12, *(math.log10(1 + percent) for percent in (0.005, 0.04, 0.18, 0.45, 8.0)))
    sizes = ((8.0, 9.0), (6.0, 6.0), (2.0, 4.0))
    found = [
        PriorPoint(("memorizing", 1), (n, atoms, 0.0, 0.0, -7.0 * (c == 1.0), 0.0, -0.01, r, 0.0, c, base, j))
        for n, atoms in sizes
        for r in reach
        for c in (0.0, 0.5, 1.0)
        for base in (0.0, 1.0)
        for j in (1.0, 3.0)
    ]
    return found + [PriorPoint(kind, (d, 9.0, 1.0)) for kind in RARE for d in (-4.0, -2.0, -1.0, -0.3)]


def _instance(theorem: Theorem, point: PriorPoint) -> SampleInstance | None:
    return _rare(point) if point.kind[0] == "rare" else _memorizing(point)


def _memorizing(point: PriorPoint) -> SampleInstance:
    *logarithms, share, above, place = point.vector
    n, atoms, slope, kernel, beta, first, failure, reach, room = (10.0**x for x in logarithms)
    points, index = max(1, round(n)), int(place)
    distance = first * 2.0 ** (index - 1) * reach
    spread = slope * (distance * math.sqrt(kernel * share / points) + beta * distance**2 * (1 - share))
    return SampleInstance(
        points=points,
        outputs=point.kind[1],
        largest=room * (1 + above) * spread,
        slope=slope,
        kernel=kernel,
        beta=beta,
        first_radius=first,
        index=index,
        failure=failure,
        distance=distance,
        atoms=math.ceil(points * atoms),
        share=share,
        base=above * spread,
        rare=0,
        probability=0.0,
    )


def _rare(point: PriorPoint) -> SampleInstance | None:
    logarithm, room, place = point.vector
    _, points, rare = point.kind
    failure = 10.0**logarithm
    probability = float(scipy.stats.beta.ppf(1 - failure, rare + 1, points - rare)) * (1 - 10.0**-room)
    one = SampleInstance(points, 1, 1.0, 1e-9, 1.0, 1.0, 1.0, int(place), failure, 0.0, 0, 0.0, 0.0, rare, probability)
    return one if _often(one) else None


def _often(item: SampleInstance) -> bool:
    """Whether more than a share delta of the samples has at most k points with the loss b; in rational numbers."""
    p, n = Fraction(item.probability), item.points
    chance = sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(item.rare + 1)), Fraction(0))
    return 0 < p < 1 and chance > Fraction(item.failure)


def _known(theorem: Theorem, item: SampleInstance, arithmetic: Any) -> tuple[Values, Values]:
    given = {
        "n": item.points,
        "b": item.largest,
        "rho_loss": item.slope,
        "k0_mean": item.kernel,
        "beta_mean": item.beta,
        "r_1": item.first_radius,
        "j": item.index,
        "delta": item.failure,
        "distance": item.distance,
    }
    values = {name: arithmetic.numbers(Fraction(value)) for name, value in given.items()}
    outputs = arithmetic.numbers(Fraction(item.outputs))
    values["contraction"] = arithmetic.sqrt(outputs) if item.outputs == 2 else outputs
    known, margins = evaluate(theorem, values, arithmetic)
    b, n = Fraction(item.largest), item.points
    if item.atoms == 0:
        return known | _exact(Fraction(item.probability) * b, Fraction(item.rare) * b / n, arithmetic), margins
    r, share = Fraction(item.distance), Fraction(item.share)
    linear = arithmetic.sqrt(arithmetic.numbers(r**2 * Fraction(item.kernel) * share / n))
    spread = arithmetic.multiply(
        values["rho_loss"], arithmetic.add(linear, arithmetic.numbers(Fraction(item.beta) * r**2 * (1 - share)))
    )
    unseen = arithmetic.numbers(1 - Fraction(n, item.atoms))
    base = min(Fraction(item.base), b)
    hidden = arithmetic.multiply(arithmetic.minimum(arithmetic.numbers(b - base), spread), unseen)
    seen = arithmetic.numbers(base)
    return known | {"risk": arithmetic.add(seen, hidden), "empirical_risk": seen}, margins


def _exact(risk: Fraction, empirical: Fraction, arithmetic: Any) -> Values:
    return {"risk": arithmetic.numbers(risk), "empirical_risk": arithmetic.numbers(empirical)}


def _beyond(item: SampleInstance) -> list[SampleInstance]:
    """Farther away than the hypotheses allow, and a loss whose range is larger."""
    return [replace(item, distance=1.3 * item.distance), replace(item, largest=1.3 * item.largest)]


def _simpler(item: SampleInstance, found: Outcome) -> Iterator[SampleInstance]:
    if item.index > 1:
        yield replace(item, index=item.index - 1)
    for name in NUMBERS:
        for nicer in rounded(getattr(item, name)):
            one: SampleInstance = with_field(item, name, nicer)
            if one.failure < 1 and (item.atoms > 0 or _often(one)):
                yield one
    for nicer in rounded(float(item.points)) if item.atoms else ():
        yield replace(item, points=int(nicer), atoms=max(item.atoms, int(nicer)))


_SAMPLE = """n, b, rho_loss, k0_mean, beta_mean = {points!r}, {largest!r}, {slope!r}, {kernel!r}, {beta!r}
contraction, r_1, j, delta, distance = np.sqrt({outputs!r}), {first_radius!r}, {index!r}, {failure!r}, {distance!r}
"""
_MEMORIZING = """# M atoms; theta memorizes the sample, whichever it is (a share c of the squared distance linearly).
M, c, a = {atoms!r}, {share!r}, min(b, {base!r})
spread = rho_loss * (distance * np.sqrt(k0_mean * c / n) + beta_mean * distance**2 * (1 - c))
risk, empirical_risk = a + min(b - a, spread) * (1 - n / M), a
"""
_RARE = """# The loss is b with probability p: more than a share delta of the samples has at most k such points.
from math import comb

p, k = {probability!r}, {rare!r}
print("probability", sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)))
print("delta", delta)
risk, empirical_risk = p * b, k * b / n
"""


def _script(theorem: Theorem, item: SampleInstance, claim: Claim, step: int) -> str:
    body = _SAMPLE + (_MEMORIZING if item.atoms else _RARE)
    return head(theorem, claim) + body.format(**dataclasses.asdict(item)) + constants(theorem) + tail(claim, step)


def _described(item: SampleInstance) -> str:
    if item.atoms == 0:
        return f"n = {item.points}, a loss of {item.largest:.4g} with probability {item.probability:.4g}, delta {item.failure:.4g}"
    return f"n = {item.points} of {item.atoms} atoms memorized, share {item.share:.4g} linearly, delta {item.failure:.4g}"


TRAINING_SAMPLES = family(
    PriorInstances(
        name="samples that are memorized or miss what is rare",
        given=frozenset(
            {"n", "b", "rho_loss", "k0_mean", "beta_mean", "contraction", "r_1", "j", "delta", "distance"},
        ),
        measured=frozenset({"risk", "empirical_risk"}),
        kinds=(*MEMORIZING, *RARE),
        ranges=_ranges,
        extremes=_extremes,
        instance=_instance,
        known=_known,
        noise=relative_noise,
        beyond=_beyond,
        simpler=_simpler,
        script=_script,
        described=_described,
        as_json=dataclasses.asdict,
        role=Role.GENERALIZATION,
    )
)
