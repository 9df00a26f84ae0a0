"""Minimizers of strongly convex functions of one variable, with proof."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theorems.ball_arithmetic import lower, upper
from theorems.enclosures import Enclosure, NotEnclosed
from theorems.errors import InputError
from theorems.functions import Undefined
from theorems.programs import Program
from theorems.search import jet_at

RELATIVE_WIDTH = Fraction(1, 1 << 62)
MAX_STEPS = 500  # bisection alone gains 62 digits from a bracket of 2^400


def enclosed_root(slope: Program, mu: Fraction, start: Fraction) -> Enclosure:
    """Return an enclosure of the root of g = l', where l'' >= mu > 0, of width below 2^-61 times max(1, |root|).

    Proof of every enclosure used: |g(y)| = |g(y) - g(root)| >= mu |y - root|, so the root lies within |g(y)|/mu of y, and on
    the side of y that the sign of g(y) tells. The points y are Newton's as long as they fall inside, otherwise midpoints; how
    they are found needs no proof.

    Arguments: ``slope``, a program for g; ``mu``; ``start``, any point. Raises NotEnclosed when 128 bits do not suffice.
    """
    y = start
    low, high = _bracket(_value_and_derivative(slope, y)[0], mu, y)
    for _ in range(MAX_STEPS):
        value, derivative = _value_and_derivative(slope, y)
        left, right = _bracket(value, mu, y)
        low, high = max(low, left), min(high, right)
        if high - low <= RELATIVE_WIDTH * max(Fraction(1), abs(low), abs(high)):
            return Enclosure(low, high)
        newton = _short(y - lower(value.mid()) / lower(derivative.mid())) if derivative > 0 else high
        y = newton if low < newton < high else _short((low + high) / 2)
    raise NotEnclosed(f"the minimizer of the loss could not be enclosed to 62 bits within {MAX_STEPS} steps")


def _bracket(value: Any, mu: Fraction, y: Fraction) -> tuple[Fraction, Fraction]:
    """Return an interval that contains the root, from a ball containing g(y)."""
    reach = max(abs(lower(value)), abs(upper(value))) / mu
    return (y if upper(value) < 0 else y - reach, y if lower(value) > 0 else y + reach)


def enclosed_minimum(function: Program, mu: Fraction, minimizer: Enclosure) -> Enclosure:
    """Return an enclosure of min l, where l'' >= mu > 0 and the minimizer is enclosed.

    With m in the enclosure, l(m) - l'(m)^2/(2 mu) <= min l <= l(m): strong convexity, so that the width of the minimizer's
    enclosure counts only squared.
    """
    middle = (minimizer.lower + minimizer.upper) / 2
    value, derivative = _value_and_derivative(function, middle)
    excess = max(abs(lower(derivative)), abs(upper(derivative))) ** 2 / (2 * mu)
    return Enclosure(lower(value) - excess, upper(value))


def _value_and_derivative(program: Program, y: Fraction) -> tuple[Any, Any]:
    try:
        jet = jet_at(program, y)
    except Undefined as reason:
        raise InputError(f"the loss is not defined near y = {float(y):.6g}: {reason}") from None
    if not (jet.value.is_finite() and jet.first.is_finite()):
        raise NotEnclosed(f"the loss is too large near y = {float(y):.6g} to be enclosed")
    return jet.value, jet.first


def _short(y: Fraction) -> Fraction:
    """Return a rational near ``y`` with at most 100 bits after the point."""
    return Fraction(round(y * (1 << 100)), 1 << 100)
