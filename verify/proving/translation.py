"""From polynomial relations to z3: a closed walk over SymPy's nodes.

The walk knows rational numbers, symbols, sums, products and powers with a positive integer exponent, and raises on everything
else: a division or a root would need a convention for where it is undefined, and a proof must not rest on one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy
import z3
from sympy.core.relational import Equality, GreaterThan, LessThan, Relational, StrictGreaterThan, StrictLessThan

from theorems.errors import InputError

LARGEST_EXPONENT = 16

_RELATIONS: dict[type, Callable[[Any, Any], Any]] = {
    Equality: lambda left, right: left == right,
    GreaterThan: lambda left, right: left >= right,
    LessThan: lambda left, right: left <= right,
    StrictGreaterThan: lambda left, right: left > right,
    StrictLessThan: lambda left, right: left < right,
}


def variable(symbol: sympy.Symbol) -> Any:
    """The z3 real of that name."""
    return z3.Real(symbol.name)


def relation_to_z3(relation: Relational) -> Any:
    """Translate a relation between polynomials. Raises InputError for any node outside the list above."""
    if type(relation) not in _RELATIONS:
        raise InputError(f"a relation must be =, <=, <, >= or > between polynomials, got {relation} ({type(relation).__name__})")
    return _RELATIONS[type(relation)](polynomial_to_z3(relation.lhs), polynomial_to_z3(relation.rhs))


def polynomial_to_z3(expression: sympy.Expr) -> Any:
    """Translate a polynomial with rational coefficients. Raises InputError for any other expression."""
    if isinstance(expression, sympy.Symbol):
        if not expression.is_commutative:
            raise InputError(f"a polynomial must be in commuting symbols, got {expression}")
        return variable(expression)
    if isinstance(expression, sympy.Rational):
        return z3.Q(int(expression.p), int(expression.q))
    if isinstance(expression, sympy.Add):
        return z3.Sum([polynomial_to_z3(term) for term in expression.args])
    if isinstance(expression, sympy.Mul):
        return z3.Product([polynomial_to_z3(factor) for factor in expression.args])
    if isinstance(expression, sympy.Pow) and isinstance(expression.exp, sympy.Integer) and 0 < expression.exp <= LARGEST_EXPONENT:
        return z3.Product([polynomial_to_z3(expression.base)] * int(expression.exp))
    raise InputError(f"a polynomial with rational coefficients was wanted, got {expression} ({type(expression).__name__})")


def rational_value(value: Any, digits: int) -> tuple[sympy.Rational, bool]:
    """A z3 value as a rational, and whether it is that exactly; an algebraic number to within 10^-digits."""
    if z3.is_algebraic_value(value):
        near = value.approx(digits + 1)
        return sympy.Rational(near.numerator_as_long(), near.denominator_as_long()), False
    if z3.is_rational_value(value):
        return sympy.Rational(value.numerator_as_long(), value.denominator_as_long()), True
    return sympy.Rational(0), False


def readable(value: sympy.Rational) -> str:
    """A rational for a reader: itself when it is short, else six digits."""
    text = str(value)
    if len(text) <= 12:
        return text
    return f"{float(value):.6g}" if math.isfinite(float(value)) else "a very large number"
