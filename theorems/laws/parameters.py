"""Parameters of laws at the door: numbers become exact, symbols must be declared for what they stand for."""

from __future__ import annotations

import numbers
from typing import Any

import sympy

from theorems.errors import InputError
from theorems.exact import exactly
from theorems.laws.matrices import rational


def dimension(value: Any) -> sympy.Expr:
    """Return d, an integer >= 1, or a symbol declared integer and positive; raises InputError otherwise."""
    return whole("dimension", value)


def whole(name: str, value: Any) -> sympy.Expr:
    """Return an integer >= 1, or a symbol declared integer and positive; raises InputError naming the argument otherwise."""
    if isinstance(value, sympy.Symbol) and value.is_integer and value.is_positive:
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(f"{name} must be an integer of at least 1, or a symbol declared integer and positive, got {value!r}")
    return sympy.Integer(int(value))


def positive(name: str, value: Any) -> sympy.Expr:
    """Return a positive exact number: an int, a Fraction, a double as the rational it is, or a SymPy expression known positive.

    Such an expression, ``sqrt(3)`` or ``sqrt(d)``, holds no floating-point number. Raises InputError naming the argument.
    """
    wanted = "a positive number, or a SymPy expression that is known to be positive and holds no floating-point number"
    if isinstance(value, sympy.Expr) and not isinstance(value, sympy.Rational):
        if not value.is_positive or value.is_infinite or value.has(sympy.Float):
            raise InputError(f"{name} must be {wanted}, got {value}")
        return value
    try:
        exact = exactly(value)
    except InputError as reason:
        raise InputError(f"{name}: {reason}") from None
    if exact <= 0:
        raise InputError(f"{name} must be {wanted}, got {value!r}")
    return rational(exact)


def degrees_of_freedom(value: Any) -> sympy.Expr:
    """Return nu, an exact number greater than 2, or a symbol declared positive (then nu > 2 is part of every condition)."""
    if isinstance(value, sympy.Symbol) and value.is_positive:
        return value
    nu = positive("degrees_of_freedom", value)
    if not nu.is_Rational or nu <= 2:
        raise InputError(
            "degrees_of_freedom must be a number greater than 2 (the law is scaled to unit variance), or a symbol declared "
            f"positive, got {value!r}"
        )
    return nu
