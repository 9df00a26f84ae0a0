"""The arithmetics against outside oracles: mpmath at high precision, exact rationals, eigenvalues known in closed form."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import (
    BALL,
    FLOAT,
    INTERVAL,
    SYMBOLIC,
    Arithmetic,
    Interval,
    as_ball,
    ball,
    ball_from_float_with_error,
    certainly_at_most,
    certainly_exceeds,
    exactly,
    lower,
    upper,
    working_precision,
)
from theorems.errors import InputError

# mpmath shares no code with Arb. Its values at 60 digits are taken to be accurate to 55.
ORACLE = mpmath.MPContext()
ORACLE.dps = 60
ORACLE_ERROR = Fraction(1, 10**55)
UNARY = {
    "sqrt": ORACLE.sqrt,
    "exp": ORACLE.exp,
    "log": ORACLE.log,
    "sin": ORACLE.sin,
    "cos": ORACLE.cos,
    "tanh": ORACLE.tanh,
    "erf": ORACLE.erf,
    "arctan": ORACLE.atan,
    "sinh": ORACLE.sinh,
    "cosh": ORACLE.cosh,
    "absolute": abs,
}
POSITIVE_ONLY = {"sqrt", "log"}
ALL = {"float": FLOAT, "ball": BALL, "symbolic": SYMBOLIC, "interval": INTERVAL}

DOUBLES = st.one_of(
    st.floats(-40, 40),
    st.floats(-600, 600),
    st.floats(-1e-3, 1e-3),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, math.pi, 5e-324, 2**-1022, 1e-300, 1e15, 0.1]),
)
FRACTIONS = st.fractions(0, 1, max_denominator=64)


def _oracle(name: str, x: Fraction) -> Fraction:
    return _as_fraction(UNARY[name](ORACLE.mpf(x.numerator) / x.denominator))


def _as_fraction(x) -> Fraction:
    sign, mantissa, exponent, _ = x._mpf_
    return Fraction(-int(mantissa) if sign else int(mantissa)) * Fraction(2) ** int(exponent)


def _error(value: Fraction) -> Fraction:
    return ORACLE_ERROR * max(abs(value), ORACLE_ERROR)


def _within(name: str, x: float) -> float:
    if name in ("exp", "sinh", "cosh"):  # the exact value at 1e15 would have 10^15 digits
        return max(-700.0, min(x, 700.0))
    return abs(x) if name in POSITIVE_ONLY else x


def _in_interval(value: Fraction, interval: Interval, error: Fraction = Fraction(0)) -> bool:
    """Whether ``value``, known up to ``error``, can lie in the interval; an infinite end bounds nothing."""
    low, high = float(interval.lower), float(interval.upper)
    above = low == -math.inf or (low < math.inf and Fraction(low) <= value + error)
    return above and (high == math.inf or (high > -math.inf and value - error <= Fraction(high)))


@pytest.mark.parametrize("name", UNARY)
@settings(max_examples=60, deadline=None)
@given(x=DOUBLES)
def test_functions_at_a_point_contain_the_oracle(name, x):
    x = _within(name, x)
    if name == "log" and x == 0:
        return
    value = _oracle(name, Fraction(x))
    result = getattr(BALL, name)(x)
    assert lower(result) - _error(value) <= value <= upper(result) + _error(value)
    # 128 bits, less the loss for large arguments of sine and cosine (absolute: values near 1e15 lose 50 bits at most)
    assert upper(result) - lower(result) <= max(abs(value), 1) * Fraction(1, 2**70)
    interval = getattr(INTERVAL, name)(x)
    assert _in_interval(value, interval, _error(value))
    # The interval may cut at the range of the function (1 for tanh), where the ball reaches beyond by its rounding.
    assert _in_interval((lower(result) + upper(result)) / 2, interval, upper(result) - lower(result))
    double = getattr(FLOAT, name)(x)
    assert interval.lower <= double <= interval.upper


@pytest.mark.parametrize("name", UNARY)
@settings(max_examples=60, deadline=None)
@given(a=DOUBLES, b=DOUBLES, part=FRACTIONS)
def test_functions_of_wide_arguments_contain_the_oracle(name, a, b, part):
    low, high = sorted((Fraction(_within(name, a)), Fraction(_within(name, b))))
    inside = low + part * (high - low)
    if name == "log" and inside == 0:
        return
    value = _oracle(name, inside)
    result = getattr(BALL, name)(ball(low, high))
    # A ball whose lower end rounds below zero is outside the domain of root and logarithm: undefined is allowed there.
    if result.is_finite():
        assert lower(result) - _error(value) <= value <= upper(result) + _error(value)
    else:
        assert name in POSITIVE_ONLY
        assert low <= high / 2**20
    interval = getattr(INTERVAL, name)(Interval(np.float64(low), np.float64(high)))
    assert _in_interval(value, interval, _error(value))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), FRACTIONS, FRACTIONS, st.integers(-5, 5))
def test_rational_operations_contain_the_exact_result(ends, part, other_part, exponent):
    (a, b), (c, d) = sorted(ends[:2]), sorted(ends[2:])
    x = Fraction(a) + part * (Fraction(b) - Fraction(a))
    y = Fraction(c) + other_part * (Fraction(d) - Fraction(c))
    exact = {"add": x + y, "subtract": x - y, "multiply": x * y, "maximum": max(x, y), "minimum": min(x, y)}
    if not c <= 0 <= d:
        exact["divide"] = x / y
    balls, intervals = (ball(a, b), ball(c, d)), (Interval(*map(np.float64, (a, b))), Interval(*map(np.float64, (c, d))))
    for name, value in exact.items():
        enclosure = getattr(BALL, name)(*balls)
        if enclosure.is_finite():  # a ball hull that rounds outward onto zero cannot be divided by
            assert lower(enclosure) <= value <= upper(enclosure), name
        else:
            assert name == "divide"
        assert _in_interval(value, getattr(INTERVAL, name)(*intervals)), name
    if x != 0 or exponent >= 0:
        enclosure = BALL.power(balls[0], exponent)
        assert not enclosure.is_finite() or lower(enclosure) <= x**exponent <= upper(enclosure)
        assert enclosure.is_finite() or exponent < 0
        assert _in_interval(x**exponent, INTERVAL.power(intervals[0], exponent))


def test_powers_use_the_sign():
    around_zero = ball(-1, 2)
    assert upper(BALL.power(around_zero, 2)) < Fraction(4) + Fraction(1, 2**20)
    assert lower(BALL.power(around_zero, 2)) > -Fraction(1, 2**20)
    square = INTERVAL.power(Interval(np.float64(-1), np.float64(2)), 2)
    assert square.lower == 0
    assert square.upper == np.nextafter(np.nextafter(4, 5), 5)  # one product for the square, one with the running 1
    assert INTERVAL.power(Interval(np.float64(-1), np.float64(2)), 0).lower == 1
    assert lower(BALL.power(ball(1, 3), 2)) > Fraction(1) - Fraction(1, 2**20)  # Arb's own product gives -1 here
    assert lower(BALL.power(around_zero, 0)) == upper(BALL.power(around_zero, 0)) == 1


def test_the_exponential_that_breaks_another_library():
    # mpmath's interval exponential at 53 bits does not contain exp of this point (its issue 1181).
    x = Fraction(3893924827815215, 2**50)
    value = _oracle("exp", x)
    assert lower(BALL.exp(x)) <= value <= upper(BALL.exp(x))
    assert _in_interval(value, INTERVAL.exp(float(x)))


def test_undefined_balls_propagate_and_cannot_be_read():
    undefined = [BALL.log(0), BALL.log(ball(-1, 1)), BALL.sqrt(-1), BALL.divide(1, ball(-1, 1)), BALL.power(0, -1)]
    for nothing in undefined:
        assert not nothing.is_finite()
        for name in UNARY:
            assert not getattr(BALL, name)(nothing).is_finite() or name in ("tanh", "sin", "cos", "erf", "arctan")
        for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
            assert not getattr(BALL, name)(nothing, 1).is_finite()
            assert not getattr(BALL, name)(1, nothing).is_finite()
        for end in (lower, upper):
            with pytest.raises(InputError, match="finite"):
                end(nothing)


def test_end_points_are_outward_and_bounded():
    assert lower(as_ball(Fraction(1, 4))) == upper(as_ball(Fraction(1, 4))) == Fraction(1, 4)
    third = BALL.constant(Fraction(1, 3))
    assert lower(third) < Fraction(1, 3) < upper(third)
    with pytest.raises(InputError, match="below 2"):
        upper(BALL.exp(10**30))
    tiny = BALL.exp(-(10**30))
    assert 0 == lower(tiny) < upper(tiny) < Fraction(1, 2**60000)
    assert lower(BALL.subtract(0, tiny)) < 0 == upper(BALL.subtract(0, tiny))


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_balls_from_ends_and_from_errors(value, error):
    around = ball_from_float_with_error(value, error)
    hull = ball(Fraction(value) - Fraction(error), Fraction(value) + Fraction(error))
    for enclosure in (around, hull):
        assert lower(enclosure) <= Fraction(value) - Fraction(error)
        assert upper(enclosure) >= Fraction(value) + Fraction(error)
        # The radius of a ball has 30 bits, the end points 128.
        width = 2 * Fraction(error)
        assert upper(enclosure) - lower(enclosure) <= width * (1 + Fraction(1, 2**25)) + abs(Fraction(value)) / 2**100


def test_constructors_refuse_nonsense():
    with pytest.raises(InputError, match="lower must not exceed upper"):
        ball(2, 1)
    with pytest.raises(InputError, match="error must not be negative"):
        ball_from_float_with_error(1.0, -1.0)
    with pytest.raises(InputError, match="finite"):
        ball_from_float_with_error(math.nan, 1.0)
    with pytest.raises(InputError, match="one shape"):
        Interval(np.zeros(2), np.zeros(3))
    with pytest.raises(InputError, match="must not exceed"):
        Interval(np.ones(2), np.zeros(2))


def test_exactly():
    assert exactly(0.1) == Fraction(3602879701896397, 2**55)
    assert exactly(np.float64(0.1)) == exactly(0.1)
    assert exactly(np.float32(0.1)) == Fraction(float(np.float32(0.1)))
    assert exactly(np.int64(7)) == exactly(7) == exactly(sympy.Integer(7)) == 7
    assert exactly(sympy.Rational(1, 3)) == exactly(Fraction(1, 3)) == Fraction(1, 3)
    assert exactly(5e-324) == Fraction(1, 2**1074)
    for bad in (math.nan, math.inf, -math.inf, True, np.True_, "1", None, 1j, sympy.pi, sympy.Float("0.1", 50), [1], np.ones(2)):
        with pytest.raises(InputError, match="a number must be"):
            exactly(bad)


def test_working_precision_is_restored():
    before = flint.ctx.prec
    for bits in (20, 300):
        with working_precision(bits):
            assert flint.ctx.prec == bits
            BALL.exp(1)
            upper(BALL.pi())
            BALL.largest_eigenvalue([[1, 2], [2, 1]])
            ball(Fraction(1, 3), 1)
            with pytest.raises(InputError):
                BALL.add("x", 1)
            assert flint.ctx.prec == bits
    with pytest.raises(ZeroDivisionError), working_precision(77):
        raise ZeroDivisionError
    assert flint.ctx.prec == before


# Intervals and doubles at the edges. Warnings are errors in this suite, so silence is tested too.

EXTREME = np.array([0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1e308, -1e308, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("name", [*UNARY, "power"])
def test_extreme_values_do_not_warn_and_nan_stays(name):
    for exponent in (-3, -2, 0, 1, 2, 3) if name == "power" else (None,):
        rest = () if exponent is None else (exponent,)
        getattr(FLOAT, name)(EXTREME, *rest)
        result = getattr(INTERVAL, name)(EXTREME, *rest)
        wide = getattr(INTERVAL, name)(Interval(np.full(11, -np.inf), np.where(np.isnan(EXTREME), np.nan, np.inf)), *rest)
        assert np.isnan(result.lower[-1])
        assert np.isnan(wide.lower[-1])
        assert np.isnan(wide.lower[:-1]).all() == (name in POSITIVE_ONLY)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
def test_extreme_pairs_do_not_warn_and_nan_stays(name):
    getattr(FLOAT, name)(EXTREME[:, None], EXTREME[None, :])
    result = getattr(INTERVAL, name)(EXTREME[:, None], EXTREME[None, :])
    assert result.shape == (11, 11)
    assert np.isnan(result.lower[-1]).all()
    assert np.isnan(result.upper[:, -1]).all()
    finite = np.isfinite(EXTREME)
    for i, j in np.argwhere(finite[:, None] & finite[None, :]):
        x, y = Fraction(EXTREME[i]), Fraction(EXTREME[j])
        if name == "divide" and y == 0:
            assert _in_interval(Fraction(0), result[i, j])
            continue
        exact = {"add": x + y, "subtract": x - y, "multiply": x * y, "maximum": max(x, y), "minimum": min(x, y)}
        assert _in_interval(exact[name] if name in exact else x / y, result[i, j])


def test_interval_rules_at_zero():
    inverse = INTERVAL.power(Interval(np.array([-1.0, 0.0, 2.0]), np.array([1.0, 1.0, 4.0])), -1)
    assert np.isneginf(inverse.lower[:2]).all()
    assert np.isposinf(inverse.upper[:2]).all()
    assert 0.24 < inverse.lower[2] <= 0.25
    assert inverse.upper[2] >= 0.5
    root = INTERVAL.sqrt(Interval(np.array([-1e-300, 0.0]), np.array([1.0, 4.0])))
    assert np.isnan(root.lower[0])
    assert np.isnan(root.upper[0])
    assert root.lower[1] == 0
    # A sum of squares has no negative lower end, so its root is defined.
    zero = INTERVAL.multiply(0.0, 1.0)
    assert INTERVAL.sqrt(INTERVAL.add(zero, INTERVAL.power(zero, 2))).lower == 0


def test_comparisons_have_three_outcomes():
    x = Interval(np.array([0.0, 0.0, np.nan, 2.0]), np.array([1.0, 3.0, np.nan, 3.0]))
    y = Interval(np.array([1.0, 2.0, 0.0, 0.0]), np.array([4.0, 4.0, 9.0, 1.0]))
    assert certainly_at_most(x, y).tolist() == [True, False, False, False]
    assert certainly_exceeds(x, y).tolist() == [False, False, False, True]
    assert certainly_at_most(1, Fraction(1, 3)).tolist() is False


def test_intervals_of_exact_numbers():
    assert INTERVAL.constant(Fraction(1, 2)).lower == INTERVAL.constant(Fraction(1, 2)).upper == 0.5
    for value in (Fraction(1, 3), Fraction(-1, 3), Fraction(10**400), Fraction(-(10**400)), Fraction(1, 10**400)):
        interval = INTERVAL.constant(value)
        assert _in_interval(value, interval)
        assert interval.lower < interval.upper
    assert _in_interval(upper(BALL.pi()), INTERVAL.pi())
    mixed = INTERVAL.numbers([Fraction(1, 3), 1])
    assert mixed.shape == (2,)
    assert mixed[1].lower == mixed[1].upper == 1
    with pytest.raises(InputError):
        INTERVAL.numbers([True])
    assert FLOAT.constant(Fraction(-(10**400))) == -np.inf
    assert FLOAT.numbers([Fraction(1, 2), 3]).tolist() == [0.5, 3.0]
    with pytest.raises(InputError):
        FLOAT.numbers("0.5")


@pytest.mark.parametrize("arithmetic", ALL.values(), ids=ALL)
def test_every_arithmetic_answers_everything(arithmetic):
    for name, declared in inspect.getmembers(Arithmetic, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(declared).parameters.keys() == {
                "self",
                *inspect.signature(getattr(arithmetic, name)).parameters,
            }


@pytest.mark.parametrize("arithmetic", ALL.values(), ids=ALL)
def test_maximum_over(arithmetic):
    array = arithmetic.numbers([[1, 5, 2], [4, 3, 0]])
    whole, columns, rows = (arithmetic.maximum_over(array, axis) for axis in (None, 0, 1))
    for result, wanted in ((whole, 5), (columns, [4, 5, 2]), (rows, [5, 4])):
        ends = (result.lower, result.upper) if isinstance(result, Interval) else (result, result)
        for end in ends:
            assert np.all(np.asarray(end) == np.asarray(wanted))
    with pytest.raises(InputError, match="at least one"):
        arithmetic.maximum_over(np.zeros((0, 3)))
