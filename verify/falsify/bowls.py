"""Objectives h with min h = h(0) = 0 and known constants L and mu, in one elementary form, for floats in bulk and for balls.

    h(u) = sum_i  w_i u_i^2/2 + a log cosh u_i + b (sqrt(1 + u_i^2) - 1) + c sin(u_i)^2

With c = 0 the second derivative lies in [min w, max w + a + b]. With c > 0 the objective is not convex, and its PL constant is the
one proved in ``verify.composite_problems``; then w = 1 and a = b = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verify.composite_problems import PL_CONSTANTS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bowl:
    """One objective: ``weights`` w (n,), coefficients a, b, c, and the constants L = ``smoothness`` and ``mu`` declared for it."""

    weights: tuple[float, ...]
    log_cosh: float
    pseudo_huber: float
    sine_squared: float
    smoothness: float
    mu: float

    @property
    def is_square(self) -> bool:
        """Whether h(u) = |u|^2/2."""
        return set(self.weights) == {1.0} and self.log_cosh == self.pseudo_huber == self.sine_squared == 0

    def declares_the_truth(self) -> bool:
        """Whether h is ``smoothness``-smooth and ``mu``-PL, decided in exact arithmetic; False also where that is not known."""
        curved = [Fraction(weight) for weight in self.weights]
        least, greatest = min(curved), max(curved) + Fraction(self.log_cosh) + Fraction(self.pseudo_huber)
        if self.sine_squared:
            if set(self.weights) != {1.0} or self.log_cosh or self.pseudo_huber or self.sine_squared not in PL_CONSTANTS:
                return False
            least, greatest = Fraction(PL_CONSTANTS[self.sine_squared]), 1 + 2 * Fraction(self.sine_squared)
        signs = min(self.log_cosh, self.pseudo_huber, self.sine_squared) >= 0
        return signs and 0 < Fraction(self.mu) <= least and greatest <= Fraction(self.smoothness)


def quadratic(weights: tuple[float, ...], smoothness: float | None = None) -> Bowl:
    """h(u) = sum w_i u_i^2/2 with mu = min w and L = max w, or a larger L."""
    return Bowl(weights, 0.0, 0.0, 0.0, max(weights) if smoothness is None else smoothness, min(weights))


def ridged(name: str, ridge: float, outputs: int) -> Bowl:
    """log cosh ("log-cosh") or sqrt(1 + u^2) - 1 ("pseudo-Huber") plus ridge u^2/2."""
    weights, a, b = (ridge,) * outputs, float(name == "log-cosh"), float(name == "pseudo-Huber")
    smoothness = 1 + ridge  # rounded, so that the sum may need the next double
    if Fraction(smoothness) < 1 + Fraction(ridge):
        smoothness = float(np.nextafter(smoothness, 2.0))
    return Bowl(weights, a, b, 0.0, smoothness, ridge)


def nonconvex(a: float, outputs: int) -> Bowl:
    """u^2/2 + a sin(u)^2."""
    return Bowl((1.0,) * outputs, 0.0, 0.0, a, 1 + 2 * a, PL_CONSTANTS[a])


@dataclass(frozen=True)
class Bowls:
    """Many bowls of one n: weights (B, n), coefficients (B, 1)."""

    weights: Array
    log_cosh: Array
    pseudo_huber: Array
    sine_squared: Array

    def value(self, u: Array) -> Array:
        """h at u (B, n), without cancellation near 0: (B,)."""
        half = self.weights * u**2 / 2
        # |u| is capped so that sinh cannot overflow: a run that far out has left every ball.
        curved = self.log_cosh * np.log1p(2 * np.sinh(np.clip(u, -600, 600) / 2) ** 2)
        root = self.pseudo_huber * u**2 / (1 + np.sqrt(1 + u**2))
        return np.asarray(np.sum(half + curved + root + self.sine_squared * np.sin(u) ** 2, axis=1))

    def gradient(self, u: Array) -> Array:
        """grad h at u: (B, n)."""
        linear = self.weights * u + self.log_cosh * np.tanh(u)
        return np.asarray(linear + self.pseudo_huber * u / np.sqrt(1 + u**2) + self.sine_squared * np.sin(2 * u))


def stack(bowls: list[Bowl]) -> Bowls:
    """The bowls as arrays."""
    columns = (np.array([[getattr(b, name)] for b in bowls]) for name in ("log_cosh", "pseudo_huber", "sine_squared"))
    return Bowls(np.array([b.weights for b in bowls]), *columns)


def value_in_balls(bowl: Bowl, u: list[Any]) -> Any:
    """h(u) for balls u, at the working precision."""
    total = arb(0)
    for weight, x in zip(bowl.weights, u, strict=True):
        total += arb(weight) * x * x / 2
        if bowl.log_cosh:
            half = (x / 2).sinh()
            total += arb(bowl.log_cosh) * (1 + 2 * half * half).log()
        if bowl.pseudo_huber:
            total += arb(bowl.pseudo_huber) * x * x / (1 + (1 + x * x).sqrt())
        if bowl.sine_squared:
            sine = x.sin()
            total += arb(bowl.sine_squared) * sine * sine
    return total


def gradient_in_balls(bowl: Bowl, u: list[Any]) -> list[Any]:
    """grad h(u) for balls u, at the working precision."""
    entries = []
    for weight, x in zip(bowl.weights, u, strict=True):
        slope = arb(weight) * x
        if bowl.log_cosh:
            slope += arb(bowl.log_cosh) * x.tanh()
        if bowl.pseudo_huber:
            slope += arb(bowl.pseudo_huber) * x / (1 + x * x).sqrt()
        if bowl.sine_squared:
            slope += arb(bowl.sine_squared) * (2 * x).sin()
        entries.append(slope)
    return entries
