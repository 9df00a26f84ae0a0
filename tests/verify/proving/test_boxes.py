"""Branch and bound on boxes: proved where positive, refuted where not, undecided where it comes down to zero."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Rational, exp, log

from theorems.ledger import Compact
from verify.proving.boxes import prove_on_box
from verify.proving.outcome import Status

x, y = sympy.symbols("x y", real=True)
SQUARE = ((x, Integer(-1), Integer(1)), (y, Integer(-1), Integer(1)))


def on_square(expression: sympy.Expr) -> Compact:
    return Compact("fact", expression, SQUARE, "the whole square", expression - 1)


@pytest.mark.parametrize(
    "expression",
    [1 + x * y + Rational(1, 100), exp(x) - x - Rational(9, 10), log(3 + x + y) + Rational(1, 100), x**2 - x * y + y**2 + 1],
    ids=str,
)
def test_positive_expressions_are_proved(expression) -> None:
    assert prove_on_box(on_square(expression)).status is Status.PROVED


@pytest.mark.parametrize("expression", [x * y + Rational(1, 2), exp(x) - x - Rational(11, 10), x - 2], ids=str)
def test_expressions_that_are_not_positive_are_refuted(expression) -> None:
    outcome = prove_on_box(on_square(expression))
    assert outcome.status is Status.VIOLATED
    assert "not positive at x = " in outcome.detail


@pytest.mark.parametrize("expression", [(x - y / 3) ** 2, exp(x) - x - 1 + y**2 * Rational(1, 10**6), log(x)], ids=str)
def test_what_touches_zero_or_is_undefined_is_undecided(expression) -> None:
    outcome = prove_on_box(on_square(expression), pieces=300)
    assert outcome.status in (Status.UNDECIDED, Status.VIOLATED)
    if expression != (x - y / 3) ** 2:
        return
    assert outcome.status is Status.VIOLATED  # its zero at the origin is the middle of the box: not positive there


@settings(max_examples=40)
@given(st.integers(-8, 8), st.integers(-8, 8), st.integers(1, 40))
def test_parabolas_agree_with_the_formula(slope, offset, scale) -> None:
    """a x^2 + b x + c on [-1, 1], a > 0: the minimum is at the vertex or an end."""
    a, b, c = Rational(scale, 8), Rational(slope, 4), Rational(offset, 4) + Rational(1, 64)
    points = [Integer(-1), Integer(1)] + ([-b / (2 * a)] if abs(b) <= 2 * a else [])
    least = min(a * point**2 + b * point + c for point in points)
    outcome = prove_on_box(Compact("fact", a * x**2 + b * x + c, SQUARE[:1], "the interval", x), pieces=5000)
    if least > Rational(1, 100):
        assert outcome.status is Status.PROVED
    elif least < -Rational(1, 100):
        assert outcome.status is Status.VIOLATED
    else:
        assert (outcome.status is Status.PROVED) <= (least > 0)
