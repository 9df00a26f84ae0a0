"""What an activation says about itself: its expression, and proved bounds of its first two derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import sympy

from theorems.enclosures import Enclosure, NotEnclosed, Unbounded, supremum_of_absolute_value
from theorems.errors import InputError
from theorems.grammar import S
from theorems.programs import Program, compile_program
from theorems.rewriting import bounded_form, overflow_free


@dataclass(frozen=True)
class Activation:
    """An activation function phi.

    ``name``, the catalogue name, or the user's text. ``expression``, phi as an expression in the real symbol ``s``.
    ``smooth``, whether phi is twice continuously differentiable on the whole line; if not it is measured, never certified.
    ``note``, one line for readers.
    """

    name: str
    expression: sympy.Expr
    smooth: bool = True
    note: str = ""

    @property
    def derivative(self) -> sympy.Expr:
        """phi'; raises InputError when phi is not smooth."""
        return self._differentiated(1)

    @property
    def second_derivative(self) -> sympy.Expr:
        """phi''; raises InputError when phi is not smooth."""
        return self._differentiated(2)

    def slope_bound(self) -> Enclosure:
        """Return an enclosure of sup |phi'| over the real line.

        Raises InputError with the reason when phi is not smooth, phi' is unbounded, or no bound is proved.
        """
        return self._bound(lambda: self.derivative, "slope phi'")

    def curvature_bound(self) -> Enclosure:
        """Return an enclosure of sup |phi''| over the real line; errors as for ``slope_bound``."""
        return self._bound(lambda: self.second_derivative, "curvature phi''")

    def program(self) -> Program:
        """Return the program with input s and outputs phi(s), phi'(s), in forms that doubles evaluate without overflow.

        Raises InputError when phi is not smooth.
        """
        return compile_program([overflow_free(self.expression), bounded_form(self.derivative)], [S])

    def _differentiated(self, order: int) -> sympy.Expr:
        if not self.smooth:
            raise InputError(f"activation {self.name!r} is measured, never certified: {self.note}")
        return sympy.diff(self.expression, S, order)

    def _bound(self, derivative: Callable[[], sympy.Expr], what: str) -> Enclosure:
        try:
            return _supremum(derivative())
        except Unbounded as reason:
            raise Unbounded(f"activation {self.name!r} is not certified, because its {what} is unbounded: {reason}") from None
        except NotEnclosed as reason:
            message = f"activation {self.name!r} is not certified, because no bound of its {what} is proved: {reason}"
            raise NotEnclosed(message) from None


@functools.lru_cache(maxsize=256)
def _supremum(expression: sympy.Expr) -> Enclosure:
    return supremum_of_absolute_value(expression, S)
