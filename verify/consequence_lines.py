"""What follows from a certificate, in plain words for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from verify.certificate_consequences import Implicit, Lazy
from verify.certified_risk import CertifiedRisk
from verify.consequences import CertifiedConsequences
from verify.report import shown_above
from verify.rigor import Rigor, shown_probability

DIGITS = 4
IMPLICIT = (  # field, statement, words, whether the path bound says as much once or twice over (0: it says nothing of this)
    ("outside_range", "B1", "the part of the way outside the range of the first Jacobian is at most {} long", 1),
    ("excess", "B2", "the way is at most {} longer than the shortest", 1),
    ("distance_to_nearest", "B3", "it ends within {} of the nearest", 2),
    ("distance_quotient", "B4", "it is at most {} times as long as the shortest", 0),
)


def consequence_lines(follows: CertifiedConsequences | None, path: Fraction) -> list[str]:
    """A line each for the nearest optimum, lazy training and unseen data, indented; none without a certificate.

    path: the bound of the path length. Bounds that say no more than it does are named and not shown.
    """
    if follows is None:
        return []
    lines = [f"what follows for the limit, {follows.rigor.value}:", f"  nearest optimum: {_implicit(follows.implicit, path)}"]
    lines.append(f"  lazy training: {_lazy(follows.lazy, path)}")
    if isinstance(follows.risk, CertifiedRisk):
        lines += [f"  unseen data: {line}" for line in _risk(follows.risk)]
    elif follows.rigor is Rigor.RIGOROUS:
        lines.append(f"  unseen data: nothing is certified: {follows.risk}")
    return lines


def _implicit(known: Implicit, path: Fraction) -> str:
    told, silent = [], []
    for field, name, words, times in IMPLICIT:
        value = getattr(known, field)
        if value is None:
            continue
        if times and value >= times * path:
            silent.append(name)
        else:
            told.append(f"{words.format(shown_above(value, DIGITS))} ({name})")
    unique = (
        "the nearest optimum is unique (B5)" if known.nearest_is_unique else "uniqueness is not certified (B5 asks for t < 1/2)"
    )
    return f"{_joined(told, silent)}; {unique}"


def _lazy(known: Lazy, path: Fraction) -> str:
    told, silent = [], []
    kernel, change, gap, neurons = known.kernel_change, known.relative_change, known.linearized_distance, max(known.neuron_changes)
    told.append(f"the kernel moves by at most {shown_above(kernel, DIGITS)} (C1)")
    if change is not None:
        told.append(f"the trained weights by {shown_above(100 * change, DIGITS)} % (C2)")
    if neurons < path:
        told.append(f"the weights into a neuron by {shown_above(neurons, DIGITS)} (C2)")
    else:
        silent.append("C2 for neurons")
    if gap is not None:
        told.append(f"the residual from that of the linearized run by {shown_above(gap, DIGITS)} (C3)")
    return _joined(told, silent)


def _joined(told: Iterable[str], silent: list[str]) -> str:
    said = f"; {', '.join(silent)} {'say' if len(silent) > 1 else 'says'} no more than the path bound" if silent else ""
    return ", ".join(told) + said


def _risk(judged: CertifiedRisk) -> Iterable[str]:
    """H1 and the slope of H2."""
    stated, choices = judged.stated, judged.stated.choices
    expected, linear, curvature, deviation, slope = (
        shown_above(Fraction(stated.terms[f"{name}_at_most"]), DIGITS)
        for name in ("expected_loss", "linear_term", "curvature_term", "deviation_term", "input_slope")
    )
    most, likely = (
        f"the largest loss {choices.largest:g}",
        f"but for a probability of {shown_probability(Fraction(choices.failure_probability), 4)} over the sample",
    )
    told = f"vacuous: not below {most}" if stated.vacuous else f"below {most}"
    yield f"{likely} the expected {choices.loss} loss is at most {expected}, {told} (H1)"
    yield f"that is {linear} linear, {curvature} curvature, {deviation} deviation; the slope in the input is at most {slope} (H2)"
    chosen = "the weights of the start, the loss and the radii were chosen without them"
    yield f"it is assumed that {judged.assumption}, and that {chosen}"
