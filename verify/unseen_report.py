"""What the reports show of H1 and H2: the bound's terms beside the measured gap, as a table and in sentences.

Bounds are rounded up, measured losses to the nearest.
"""

from __future__ import annotations

from fractions import Fraction

from verify.generalization import Generalization
from verify.report import shown_above
from verify.risk_bound import RiskBound
from verify.unseen import Unseen

COLUMNS = ("distance", "radius", "mean loss", "linearization", "curvature", "deviation", "bound")
NAMES = (
    "at the end of the run, measured",
    "at its limit, measured and the rest certified",
    "at the end of the run, certified",
)


def unseen_rows(unseen: Unseen | None) -> list[list[str]]:
    """One row for each radius, its name first, the others under COLUMNS; empty where H1 does not apply."""
    if unseen is None or unseen.found is None:
        return []
    found = unseen.found
    bounds = zip(NAMES, (found.measured, found.limit, found.certified), strict=True)
    return [[name, *_numbers(bound)] for name, bound in bounds if bound is not None]


def _numbers(bound: RiskBound) -> list[str]:
    numbers = (bound.distance, bound.radius, bound.train_loss, bound.linear, bound.curvature, bound.deviation, bound.bound)
    return [shown_above(Fraction(number), 4) for number in numbers]


def unseen_lines(unseen: Unseen | None) -> list[str]:
    """The sentences around the table: the measured losses before it; what H1 and H2 are worth here, or why they do not apply."""
    if unseen is None:
        return []
    if unseen.found is None:
        return [f"unseen data: not judged, because {unseen.reason}"]
    found = unseen.found
    return [
        f"unseen data: {found.loss.name}, with values in [0, {found.loss.largest:g}]; {found.points} points, "
        f"{found.held_out_points} held out",
        f"  mean loss {found.train_loss:.4g} on the sample, {found.test_loss:.4g} held out ({found.start_loss:.4g} at the start); "
        f"gap {found.gap:.4g}, bounded by {shown_above(Fraction(found.measured.gap), 4)}",
        f"  the expected loss is within {shown_above(Fraction(found.sampling_error), 3)} of the held-out mean with probability "
        f"{1 - found.failure_probability:g} (Hoeffding)",
        *_worded(found),
        f"  H2: {_transport_words(found)}",
    ]


def _worded(found: Generalization) -> list[str]:
    """What the bound is worth at the measured and at the certified radius, once where that is the same r_j."""
    if found.certified is None or found.certified.radius == found.measured.radius:
        radii = "measured radius" if found.certified is None else "measured and certified radius"
        return [f"  H1, {radii}: {found.measured.words}"]
    return [f"  H1, measured radius: {found.measured.words}", f"  H1, certified radius: {found.certified.words}"]


def _transport_words(found: Generalization) -> str:
    lipschitz, cost = shown_above(Fraction(found.lipschitz), 4), shown_above(Fraction(found.transport), 4)
    told = (
        f"Lipschitz constant in the input at most {lipschitz}; the two mean losses differ by {abs(found.gap):.4g}, at most {cost}"
    )
    return f"{told} by transport: vacuous, any two losses differ by no more" if found.transport_vacuous else f"{told} by transport"
