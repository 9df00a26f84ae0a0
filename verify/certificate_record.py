"""What a certificate is: frozen records of what was tried at one point, what was proved there and what is stated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from theorems.ball import BallBounds
from theorems.records import Theorem
from verify.enclosed_point import ExactBounds
from verify.point import Point
from verify.rigor import Rigor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Enclosed:
    """A constant with proved ends: lower <= true value <= upper. ``rigor``: whether the numbers it comes from are proved too."""

    value: float
    lower: Fraction
    upper: Fraction
    rigor: Rigor = Rigor.FLOATING_POINT


@dataclass(frozen=True)
class Witness:
    """What a rigorous certificate states beside its constants: proved bounds at theta, and the exact rationals of the theorem.

    given: the values of the theorem's quantities, under the symbols' names. margins: the hypotheses' margins there, enclosed.
    """

    bounds: ExactBounds
    given: dict[str, Fraction]
    margins: dict[str, Enclosed]


@dataclass(frozen=True)
class ExistenceBound:
    """Theorem N at a point: an upper bound of N, and of the distance to a global optimum that exists."""

    quotient: Fraction
    distance: Fraction
    rigor: Rigor


@dataclass(frozen=True)
class Failure:
    """Which hypothesis failed, by how much, and what would satisfy it."""

    theorem: str
    hypothesis: str
    statement: str
    margin: float | None
    detail: str
    remedies: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One theorem tried at one point: its constants when it certifies, or its failure."""

    theorem: Theorem
    radius: float
    constants: dict[str, float]
    failure: Failure | None

    @property
    def rate(self) -> float:
        """The certified factor per step; infinite when the theorem does not certify."""
        return self.constants["rate"] if self.failure is None else math.inf


@dataclass(frozen=True, repr=False)
class Certificate:
    """The outcome at one point.

    theorem: the statement that certifies most, or that came nearest. constants: enclosed, under the symbols' names. bounds: the
    ball recursion at ``radius`` in floats. forward_drift: lower and upper ends of its D_l, shape (2, L, n).
    attempts: every statement tried. others: certificates by other statements at the same point, whose claims are checked too.
    witness: for a rigorous certificate, what it states.
    """

    certified: bool
    theorem: Theorem | None
    rigor: Rigor
    point: Point | None
    step: int
    step_size: float | None
    radius: float
    constants: dict[str, Enclosed]
    bounds: BallBounds | None
    forward_drift: Array | None
    failure: Failure | None
    attempts: tuple[Attempt, ...]
    others: tuple[Certificate, ...] = ()
    witness: Witness | None = None

    @property
    def is_linear(self) -> bool:
        """Whether the network is linear in its trained parameters on the ball: DF does not change."""
        return self.bounds is not None and float(self.bounds.beta) == 0

    def __repr__(self) -> str:
        """One line; the fields are arrays and long tables."""
        told = f"certified by {self.theorem}" if self.certified else "not certified"
        return f"Certificate({told}, step {self.step}, {self.rigor.value})"

    def _repr_html_(self) -> str:
        """For notebooks."""
        from verify.page.fragments import certificate_html

        return certificate_html(self)
