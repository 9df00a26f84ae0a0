"""Taylor cells against mpmath: the polynomial and its error bound enclose phi and phi' on the whole cell."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.activations import ACTIVATIONS, Activation, activation
from theorems.ball_arithmetic import as_ball
from theorems.errors import InputError
from theorems.grammar import S
from theorems.series import SeriesArithmetic, variable
from theorems.taylor import taylor_cells

SMOOTH = [record for record in ACTIVATIONS.values() if record.smooth]
OWN = [
    activation(text)
    for text in ("s*exp(-s**2/2)", "sqrt(1+s**2)", "sin(3*s)/(2+cos(s))", "log(1+exp(s))*tanh(s)", "sinh(s/4)*atan(s)")
]


def truth(phi: Activation, order: int) -> Any:
    return sympy.lambdify(S, sympy.diff(phi.expression, S, order), "mpmath")


@pytest.mark.parametrize("phi", SMOOTH + OWN, ids=lambda phi: phi.name)
def test_cells_enclose_the_function_and_its_slope(phi: Activation) -> None:
    rng = np.random.default_rng(7)
    with mpmath.workdps(60):
        functions = truth(phi, 0), truth(phi, 1)
        for exponent, j in ((6, 0), (6, 1), (6, -37), (6, 400), (10, 1234), (3, -9)):
            (cell,) = taylor_cells(phi, [j], exponent)
            reach = mpmath.mpf(2) ** -(exponent + 1)
            for x in [-reach, reach, mpmath.mpf(0), *(reach * mpmath.mpf(float(u)) for u in rng.uniform(-1, 1, 5))]:
                for function, coefficients, error in zip(
                    functions, (cell.values, cell.slopes), (cell.value_error, cell.slope_error), strict=True
                ):
                    polynomial = sum((mpmath.mpf(c) * x**k for k, c in enumerate(coefficients)), mpmath.mpf(0))
                    assert abs(function(mpmath.mpf(j) / 2**exponent + x) - polynomial) <= error


@pytest.mark.parametrize("phi", SMOOTH, ids=lambda phi: phi.name)
def test_cells_are_as_accurate_as_doubles_allow(phi: Activation) -> None:
    """2^-6 cells: coefficients rounded to u |c_0| and a remainder below; 2 u of the largest value is room for both."""
    cells = taylor_cells(phi, list(range(-200, 201, 8)), 6)
    for coefficients, errors in (("values", "value_error"), ("slopes", "slope_error")):
        largest = max(max(abs(c) for c in getattr(cell, coefficients)) for cell in cells)
        assert max(getattr(cell, errors) for cell in cells) <= 2 * 2.0**-53 * largest


def test_where_nothing_is_enclosed_the_error_is_infinite() -> None:
    """exp(exp(s)) overflows doubles; 1/s is singular on the cell of 0."""
    (cell,) = taylor_cells(Activation("wild", sympy.exp(sympy.exp(S))), [1000], 3)
    assert cell.value_error == float("inf")
    (cell,) = taylor_cells(Activation("pole", 1 / S), [0], 3)
    assert cell.value_error == cell.slope_error == float("inf")


def test_a_series_that_was_cut_short_is_refused() -> None:
    with pytest.raises(InputError, match="known terms"):
        SeriesArithmetic(5).coefficients(variable(as_ball(Fraction(1, 2)), 3))


@settings(max_examples=25)
@given(st.sampled_from(SMOOTH + OWN), st.floats(-8, 8), st.floats(1e-3, 0.2))
def test_series_over_a_ball_contain_the_derivatives_inside(phi: Activation, center: float, radius: float) -> None:
    from flint import arb

    from theorems.ball_arithmetic import working_precision
    from theorems.programs import compile_program, evaluate

    arithmetic = SeriesArithmetic(4)
    with working_precision():
        ball = as_ball(Fraction(center)) + arb(0, as_ball(Fraction(radius)))
        (series,) = evaluate(compile_program([phi.expression], [S]), arithmetic, [variable(ball, 4)])
        found = arithmetic.coefficients(series)
    with mpmath.workdps(50):
        for order in range(4):
            derivative = truth(phi, order)(mpmath.mpf(center) + mpmath.mpf(radius) * 0.9)
            value = derivative / mpmath.factorial(order)
            with working_precision(160):
                assert found[order].overlaps(arb(mpmath.nstr(value, 45), 1e-35))
