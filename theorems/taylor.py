"""Tables of Taylor coefficients of an activation, with what rounding them and cutting the series costs, from ball arithmetic.

On a cell of width h about t, |phi(t + x) - sum_{k <= D} c_k x^k| is at most sum |phi_k - c_k| X^k + |R| X^{D+1}, X = h/2, where
the phi_k are the exact coefficients at t, c_k the nearest doubles, and R encloses phi^{(D+1)}/(D+1)! on the whole cell: the
coefficient of order D + 1 of the power series about the ball t +- X (Lagrange's form of the remainder). The same for phi',
whose coefficients are (k + 1) phi_{k+1}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from theorems.activations.record import Activation
from theorems.ball_arithmetic import as_ball, upper, working_precision
from theorems.exact import exactly
from theorems.functions import Undefined
from theorems.grammar import S
from theorems.programs import compile_program, evaluate
from theorems.series import SeriesArithmetic, variable

DEGREE = 8
LARGEST_ERROR = 1 << 1000  # an error beyond is as good as infinite, and would not be a double


@dataclass(frozen=True)
class CellSeries:
    """One cell: coefficients c_0..c_D of phi and of phi' as doubles, and bounds of what is left of either on the cell."""

    values: tuple[float, ...]
    value_error: float
    slopes: tuple[float, ...]
    slope_error: float


def taylor_cells(phi: Activation, cells: Sequence[int], exponent: int, degree: int = DEGREE) -> list[CellSeries]:
    """The expansions of phi and phi' about j 2^-exponent on |x| <= 2^-(exponent + 1), for each j in ``cells``.

    A cell on which phi cannot be enclosed gets infinite errors. Raises InputError for an expression that does not compile.
    """
    program = compile_program([phi.expression], [S])
    arithmetic = SeriesArithmetic(degree + 3)
    reach = Fraction(1, 1 << (exponent + 1))

    def coefficients(center: Any) -> list[Any]:
        (series,) = evaluate(program, arithmetic, [variable(center, degree + 3)])
        return arithmetic.coefficients(series)

    found = []
    with working_precision():
        for j in cells:
            center = as_ball(Fraction(j, 1 << exponent))
            try:
                at, over = coefficients(center), coefficients(center + arb(0, as_ball(reach)))
            except Undefined:
                at = over = [arb.nan()] * (degree + 3)
            slope_at, slope_over = _derivative(at), _derivative(over)
            values, value_error = _rounded(at, over, degree, reach)
            slopes, slope_error = _rounded(slope_at, slope_over, degree, reach)
            found.append(CellSeries(values, value_error, slopes, slope_error))
    return found


def _derivative(series: list[Any]) -> list[Any]:
    return [(k + 1) * term for k, term in enumerate(series[1:])]


def _rounded(at: list[Any], over: list[Any], degree: int, reach: Fraction) -> tuple[tuple[float, ...], float]:
    if not all(term.is_finite() for term in (*at[: degree + 1], over[degree + 1])):
        return (0.0,) * (degree + 1), float("inf")
    doubles = tuple(float(term.mid()) for term in at[: degree + 1])
    x = as_ball(reach)
    error = abs(over[degree + 1]) * x ** (degree + 1)
    for k, (term, double) in enumerate(zip(at, doubles, strict=False)):
        if abs(double) == float("inf"):
            return (0.0,) * (degree + 1), float("inf")
        error += abs(term - as_ball(exactly(double))) * x**k
    return doubles, _up(upper(error)) if error < LARGEST_ERROR else float("inf")


def _up(value: Fraction) -> float:
    """A double that is not below the value, and not below 2^-1000."""
    return float(max(value, Fraction(1, 1 << 1000))) * (1.0 + 2.0**-50)
