"""The common shape of losses that a ridge makes strongly convex: a convex loss with curvature in (0, c], plus a ridge."""

from __future__ import annotations

from fractions import Fraction

import sympy

from theorems.enclosures import Enclosure
from theorems.grammar import Y
from theorems.losses.record import Loss, LossConstants


def ridged(
    name: str,
    base: sympy.Expr,
    center: sympy.Expr,
    ridge: Fraction,
    base_curvature: Fraction,
    why: str,
    allowed_targets: tuple[int, ...] = (),
    note: str = "",
) -> Loss:
    """Return base + ridge (y - center)^2/2, with mu = ridge and L = base_curvature + ridge; refused when ridge = 0.

    Arguments: ``base``, convex in y, whose curvature has supremum ``base_curvature``, attained, and infimum 0, not attained;
    ``center``, the target or 0; ``ridge`` >= 0; ``why``, why the base alone is not PL.
    """
    refusal = "" if ridge else f"{name} loss without ridge is not Polyak-Lojasiewicz: {why}; add ridge > 0"
    return Loss(
        name,
        base + sympy.Rational(ridge.numerator, ridge.denominator) * (Y - center) ** 2 / 2,
        ridge=ridge,
        allowed_targets=allowed_targets,
        declared=LossConstants(Enclosure.exact(ridge), Enclosure.exact(base_curvature + ridge)),
        refusal=refusal,
        minimizer_is_target=center != 0,
        note=note,
    )
