"""Rows of a certificate: which theorem applies, at which step, on which ball, with which q, path and rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from theorems.catalogue import theorem
from verify.apriori.certificate import AprioriCertificate
from verify.certificate_record import Certificate
from verify.rigor import decimal_above, decimal_below
from verify.statements import latex
from verify.tables.records import NOT_CERTIFIED, PROVED, Entry, Rounding, Value

DIGITS = 13  # of the ends: the search for a ball is in doubles, whose last digits differ between machines
CERTIFIED = ("A-square", "A", "A+", "A0")
PREFIX = "certified_"


@dataclass(frozen=True)
class Found:
    """A certificate: its theorem, bounds (lower, upper) of its constants, and without one the reason. digits: of the ends. step:
    where it is a short number, exactly."""

    theorem: str
    constants: Mapping[str, tuple[Fraction, Fraction]]
    reason: str
    status: str = PROVED
    digits: int = DIGITS
    step: Fraction | None = None

    @classmethod
    def of_apriori(cls, found: AprioriCertificate, step: Fraction | None) -> Found:
        """From the certificate of a prior."""
        reason = "" if found.certified else f"no step and no ball is found on which a theorem applies: {', '.join(found.refused)}"
        return cls(found.theorem, found.constants, reason, step=step)

    @classmethod
    def of_network(cls, found: Certificate, status: str, digits: int) -> Found:
        """From the certificate of a drawn network."""
        reason = "" if found.certified or found.failure is None else found.failure.detail
        constants = {name: (item.lower, item.upper) for name, item in found.constants.items()}
        return cls(found.theorem.id if found.theorem is not None else "", constants, reason, status, digits)


def entries(entry: Callable[..., Entry], certificate: Callable[[], Found], source: str) -> Iterator[Entry]:
    """The entries of a certificate. ``entry(name, symbol, formula, rounding, source, compute)`` makes one.

    The theorem is known only when it is computed: the row then has its formulas and names it as its source.
    """
    searched = ("a step found by the search", r"\eta")
    ball = ("the radius of a ball on which the theorem applies", "R")
    for name, symbol, constant, formula, rounding in (
        ("step", r"\eta", "eta", searched, Rounding.DOWN),
        ("radius", "R", "R", ball, Rounding.UP),
        ("q", "q", "q", ("q of the theorem that applies", "q"), Rounding.UP),
        ("path", r"\bar r", "rbar", ("rbar of the theorem that applies", r"\bar r"), Rounding.UP),
        ("rate", r"\varrho", "rate", ("the rate of the theorem that applies", r"\varrho"), Rounding.UP),
    ):
        by = f"the best of Theorems {', '.join(CERTIFIED)}, by {source}"
        yield entry(f"{PREFIX}{name}", symbol, formula, rounding, by, _compute(certificate, constant, source))


def _compute(certificate: Callable[[], Found], constant: str, source: str) -> Callable[[], Value]:
    def compute() -> Value:
        found = certificate()
        if found.reason:
            return Value(None, None, NOT_CERTIFIED, note=found.reason)
        low, high = found.constants[constant]
        if constant == "eta" and found.step is not None:
            low = high = found.step
        else:
            low, high = Fraction(decimal_below(low, found.digits)), Fraction(decimal_above(high, found.digits))
        item = next((item for item in theorem(found.theorem).constants if item.name == constant), None)
        return Value(
            low,
            high,
            found.status,
            "yes",
            f"Theorem {found.theorem}",
            formula="" if item is None else str(item.expression),
            latex="" if item is None else latex(item.expression),
            source=f"Theorem {found.theorem}, by {source}",
        )

    return compute
