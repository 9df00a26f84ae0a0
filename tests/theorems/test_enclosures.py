"""Enclosures over the whole line: against exact critical points, against values at random points, and what must be refused."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theorems import enclosures
from theorems.ball_arithmetic import BALL
from theorems.enclosures import (
    Enclosure,
    NotEnclosed,
    Unbounded,
    range_over_line,
    require_smooth,
    supremum_of_absolute_value,
)
from theorems.errors import InputError
from theorems.functions import Undefined
from theorems.grammar import S, parse_expression
from theorems.growth import Range, value_at
from theorems.jets import JETS
from theorems.jets import variable as jet_variable
from theorems.programs import compile_program, evaluate
from theorems.rewriting import bounded_form, overflow_free
from theorems.search import RELATIVE_GAP, Box, jet_over
from theorems.tails import SMALLEST_START, TailArithmetic
from theorems.tails import variable as tail_variable

REFERENCE_DIGITS = 40
REFERENCE_ERROR = Fraction(1, 10**35)  # relative, of a SymPy evaluation to 40 digits, which tracks its own cancellation
TIGHT = 2 * RELATIVE_GAP  # of an enclosure whose supremum is attained inside; rounding is 25 digits below
IN_THE_LIMIT = 2 * enclosures.TAIL_GAP  # of one that is only approached


def exact(expression) -> Fraction:
    """A rational within REFERENCE_ERROR of a constant expression."""
    value = sympy.sympify(expression).evalf(REFERENCE_DIGITS, maxn=20_000)
    assert value.is_Float or value.is_Integer, value
    return Fraction(str(value))


def assert_encloses(enclosure: Enclosure, value: Fraction, width: Fraction = TIGHT) -> None:
    slack = REFERENCE_ERROR * max(1, abs(value))
    assert enclosure.lower - slack <= value <= enclosure.upper + slack
    assert enclosure.upper - enclosure.lower <= width * max(abs(enclosure.lower), abs(enclosure.upper))


SQRT = sympy.sqrt
# (g, sup |g|) with the supremum from the critical point by hand
ATTAINED = [
    ("1 - tanh(s)**2", 1),
    ("2*tanh(s)*(1 - tanh(s)**2)", 4 / (3 * SQRT(3))),
    ("s*exp(-s**2/2)", sympy.exp(sympy.Rational(-1, 2))),
    ("(s**2 - 1)*exp(-s**2/2)", 1),
    ("1/(1 + s**2)", 1),
    ("2*s/(1 + s**2)**2", 3 * SQRT(3) / 8),
    ("sin(s)", 1),
    ("sin(s)*cos(s)", sympy.Rational(1, 2)),
    ("sin(s) + cos(s)", SQRT(2)),
    ("sin(s/2)*cos(s/3 + 1) + 2", None),
    ("cos(s)/(2 + sin(s))", 1 / SQRT(3)),
    ("exp(-(s - 3000)**2/7)", 1),
    ("s**15*exp(-s**2)", (sympy.Rational(15, 2)) ** sympy.Rational(15, 2) * sympy.exp(-sympy.Rational(15, 2))),
    ("exp(-exp(s))*exp(s)", sympy.exp(-1)),
    ("s**3*exp(-s**4)", (sympy.Rational(3, 4)) ** sympy.Rational(3, 4) * sympy.exp(-sympy.Rational(3, 4))),
    ("exp(-sqrt(1 + s**2))", sympy.exp(-1)),
    ("sqrt(2)*s*exp(-pi*s**2)", SQRT(2) * sympy.exp(sympy.Rational(-1, 2)) / SQRT(2 * sympy.pi)),
    ("tanh(100*(s - 1))*exp(-(s - 1)**2)", None),
    ("sin(50*s)*exp(-s**2)", None),
    ("1/cosh(s/100)", 1),
    ("1/(1 + log(1 + s**2)**2)", 1),
    ("3", 3),
    ("s - s", 0),
    ("arctan(s**3)*exp(-s**2)", None),
]
APPROACHED = [
    ("tanh(s)", 1),
    ("erf(s)", 1),
    ("arctan(s)", sympy.pi / 2),
    ("exp(s)/(1 + exp(s))", 1),
    ("s/sqrt(1 + s**2)", 1),
    ("sinh(s)/cosh(s)", 1),
    ("(exp(s) - exp(-s))/(exp(s) + exp(-s))", 1),
    ("arctan(s**3) + exp(-s**2)/100", sympy.pi / 2),
    ("log(1 + exp(s)) - log(1 + exp(s - 1))", 1),
    ("2 - tanh(s/5000)", 3),
]


@pytest.mark.parametrize(("text", "value"), ATTAINED, ids=[text for text, _ in ATTAINED])
def test_attained_suprema(text, value):
    expression = parse_expression(text) if "s" in text and text != "s - s" else sympy.Integer(0 if "s" in text else 3)
    enclosure = supremum_of_absolute_value(expression, S)
    assert_encloses(enclosure, exact(value) if value is not None else enclosure.lower)
    if value is None:
        assert_encloses(enclosure, max(abs(exact(expression.subs(S, s))) for s in _fine_maximum(expression)))


def _fine_maximum(expression) -> list[sympy.Rational]:
    """A point near the maximum of |g|: the best of a grid, refined by golden section, with mpmath."""
    g = sympy.lambdify(S, expression, "mpmath")
    with mpmath.workdps(30):
        best = max((mpmath.mpf(i) / 200 for i in range(-4000, 4001)), key=lambda s: abs(g(s)))
        low, high = best - mpmath.mpf(1) / 200, best + mpmath.mpf(1) / 200
        ratio = (mpmath.sqrt(5) - 1) / 2
        for _ in range(60):
            a, b = high - ratio * (high - low), low + ratio * (high - low)
            low, high = (low, b) if abs(g(a)) > abs(g(b)) else (a, high)
        return [sympy.Rational(str(low)), sympy.Rational(str(best))]


@pytest.mark.parametrize(("text", "value"), APPROACHED, ids=[text for text, _ in APPROACHED])
def test_suprema_only_approached_at_infinity(text, value):
    enclosure = supremum_of_absolute_value(parse_expression(text), S)
    assert_encloses(enclosure, exact(value), IN_THE_LIMIT)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 - tanh(s)**2", 1), ("exp(-s**2/2)", 1), ("sin(s)", 1), ("arctan(s)**2 + cos(s)", None), ("exp(s)/(1 + exp(s))", 1)],
)
def test_upper_end_is_exactly_rational_where_the_supremum_is(text, value):
    enclosure = supremum_of_absolute_value(parse_expression(text), S)
    if value is not None:
        assert enclosure.upper == value


def test_range_has_both_ends():
    infimum, supremum = range_over_line(parse_expression("1/10 + 1/(1 + s**2) - exp(-s**2)*s"), S)
    assert infimum.lower > 0
    low, high = range_over_line(parse_expression("1 - tanh(s)**2 + 1/10"), S)
    assert_encloses(low, Fraction(1, 10), Fraction(1, 10**6))
    assert_encloses(high, Fraction(11, 10))
    assert low.upper <= high.lower
    assert infimum.upper < supremum.lower


UNBOUNDED = ["s", "s**2", "exp(s)", "2*s + sin(s)", "s*tanh(s)", "cosh(s)", "log(1 + exp(s))", "s**2*exp(-s)", "exp(s**2 - s)"]
NOT_ENCLOSED = [
    ("s*sin(s)", "s^1 times a factor"),
    ("2*cos(s) - s*sin(s)", "s^1 times a factor"),
    ("1/s", "near s = 0"),
    ("1/(s**2 - 2)", "1.414"),
    ("exp(-sqrt(s))", "square root"),
    ("exp(-(log(s)**2))", "logarithm"),
    ("sqrt(s**2)", "abs"),
    ("sin(exp(s))*exp(s)", "exp(1*s)"),
    ("exp(s*sin(s))", "either sign"),
    ("1/(1 + sin(s))", "near s = -1.57"),
    ("sin(s)/s", "near s = 0"),
]


@pytest.mark.parametrize("text", UNBOUNDED)
def test_growth_is_refused_as_unbounded(text):
    with pytest.raises(Unbounded, match="infinity: it grows like"):
        supremum_of_absolute_value(parse_expression(text), S)


@pytest.mark.parametrize(("text", "reason"), NOT_ENCLOSED, ids=[text for text, _ in NOT_ENCLOSED])
def test_refusals_name_the_reason(text, reason):
    with pytest.raises(NotEnclosed) as error:
        supremum_of_absolute_value(parse_expression(text), S)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    "text", ["arctan(1/s)", "tanh(1/s)", "exp(-1/s**2)", "sqrt(s**2)", "sqrt(s + 1)", "log(cos(s))", "sin(s)/s"]
)
def test_functions_that_are_not_smooth_are_refused_before_they_are_differentiated(text):
    with pytest.raises(NotEnclosed):
        require_smooth(parse_expression(text), S)


@pytest.mark.parametrize("text", ["s**2", "exp(s)", "s*sin(s)", "log(1 + exp(s))", "sqrt(1 + s**4)", "1/(2 + sin(s))", "tanh(s)*s"])
def test_smooth_functions_pass_even_when_unbounded(text):
    require_smooth(parse_expression(text), S)


def test_a_budget_that_ends_leaves_a_wider_true_enclosure(monkeypatch):
    expression = parse_expression("sin(100*s)*exp(-s**2/2)*(1 + s)")
    tight = supremum_of_absolute_value(expression, S)
    monkeypatch.setattr("theorems.search.MAX_WORK", 2000)
    wide = supremum_of_absolute_value(expression, S)
    assert wide.lower <= tight.lower
    assert tight.upper < wide.upper


def test_the_period_is_not_assumed_when_the_variable_also_stands_alone():
    """sin and cos alone repeat; a factor s does not, whatever value replaces the waves."""
    assert supremum_of_absolute_value(parse_expression("sin(s)*exp(-s**2/2)"), S).upper < 1
    with pytest.raises(NotEnclosed):
        supremum_of_absolute_value(parse_expression("s*sin(s)"), S)
    slow = supremum_of_absolute_value(parse_expression("sin(s/50) + cos(s/75)"), S)  # period 300 pi
    assert slow.lower > Fraction(19, 10)


def test_enclosures_are_ordered():
    with pytest.raises(InputError, match="lower must not exceed upper"):
        Enclosure(Fraction(2), Fraction(1))
    assert Enclosure.exact(3) == Enclosure(Fraction(3), Fraction(3))


# Random expressions: smooth by construction, in growth and decay of every kind that the tails know.


def _rationals():
    return st.fractions(min_value=-3, max_value=3, max_denominator=4).map(lambda q: sympy.Rational(q.numerator, q.denominator))


_LEAVES = st.one_of(st.just(S), st.just(-S), _rationals(), st.sampled_from([S**2, -(S**2) / 2, S / 3 + 1, 2 * S - 1]))
_SMOOTH = [
    sympy.tanh,
    sympy.erf,
    sympy.atan,
    sympy.sin,
    sympy.cos,
    sympy.exp,
    sympy.cosh,
    sympy.sinh,
    lambda u: sympy.log(1 + sympy.exp(u)),
    lambda u: sympy.log(2 + u**2),
    lambda u: sympy.sqrt(1 + u**2),
    lambda u: 1 / (1 + u**2),
    lambda u: 1 / (1 + sympy.exp(u)),
    lambda u: u**3,
]


def _grow(children):
    return st.one_of(
        st.builds(lambda f, u: f(u), st.sampled_from(_SMOOTH), children),
        st.builds(lambda x, y: x + y, children, children),
        st.builds(lambda x, y: x * y, children, children),
        st.builds(lambda x, y: x - y, children, children),
    )


EXPRESSIONS = st.recursive(_LEAVES, _grow, max_leaves=5)


def _reference(expression, s: Fraction) -> Fraction | None:
    """The value to 40 digits, or None when it is too large, or cancels too much, for SymPy to settle."""
    at = expression.subs(S, sympy.Rational(s.numerator, s.denominator))
    if at.is_Rational:
        return Fraction(int(at.p), int(at.q))
    try:
        value = at.evalf(REFERENCE_DIGITS, maxn=4000)
    except (OverflowError, MemoryError, ValueError, NotImplementedError):
        return None
    # An integer here is SymPy's word for a value it could not tell from zero: log(1 + exp(-1000)) comes out as 0.
    if value.is_Float and value._prec > 100 and sympy.Float("1e-4000") < abs(value) < sympy.Float("1e4000"):
        return Fraction(str(value))
    return None


@given(EXPRESSIONS, st.sampled_from([1, -1]), st.integers(0, 40))
def test_tails_contain_the_function(expression, sign, beyond):
    """The expansion proved for s >= A holds at every s >= A."""
    s = SMALLEST_START + beyond
    try:
        (tail,) = evaluate(compile_program([expression], [S]), TailArithmetic(SMALLEST_START), [tail_variable(sign)])
    except (NotEnclosed, InputError):
        assume(False)
    value = _reference(expression, Fraction(sign * s))
    assume(value is not None)
    parts = [c * value_at(m, s) for m, c in tail.terms]
    total = sum(parts, Range(Fraction(0), Fraction(0)))
    slack = REFERENCE_ERROR * (abs(value) + sum(min(part.magnitude, abs(value) + 1) for part in parts))
    assert total.low <= value + slack  # the ends of a tail may be infinite
    assert value - slack <= total.high


def test_most_tails_are_really_compared():
    """Guard against the comparison above passing because every tail is refused."""
    for f in _SMOOTH:
        for u in (S, -S, S / 3 + 1, sympy.tanh(S), sympy.exp(-(S**2)), 2 * S - 1):
            for sign in (1, -1):
                evaluate(compile_program([f(u)], [S]), TailArithmetic(SMALLEST_START), [tail_variable(sign)])
    assert _reference(1 - sympy.tanh(S) ** 2, Fraction(40)) is not None


@given(EXPRESSIONS, st.fractions(-5, 5, max_denominator=64), st.integers(0, 12), st.fractions(-1, 1, max_denominator=8))
def test_jets_contain_value_and_derivatives(expression, middle, shrink, where):
    radius = Fraction(1, 2**shrink)
    ball = jet_over(compile_program([S], [S]), Box(middle, radius)).value
    try:
        (jet,) = evaluate(compile_program([expression], [S]), JETS, [jet_variable(ball)])
    except (Undefined, InputError):
        assume(False)
    for order, found in enumerate(jet):
        value = _reference(sympy.diff(expression, S, order), middle + where * radius)
        if value is None or not found.is_finite() or abs(value) > 10**300:
            continue
        low, high = found.lower(), found.upper()
        slack = REFERENCE_ERROR * (1 + abs(value))
        assert not low > BALL.constant(value + slack)
        assert not high < BALL.constant(value - slack)


@settings(max_examples=40)  # each is two searches over the line
@given(EXPRESSIONS, st.lists(st.floats(-60, 60), min_size=1, max_size=6))
def test_random_points_never_leave_the_range(expression, points):
    try:
        infimum, supremum = range_over_line(expression, S)
    except InputError:
        assume(False)
    assert infimum.lower <= supremum.upper
    for s in points:
        value = _reference(expression, Fraction(s))
        if value is not None:
            slack = REFERENCE_ERROR * (1 + abs(value))
            assert infimum.lower - slack <= value <= supremum.upper + slack


REWRITTEN = [
    "exp(s)/(1 + exp(s))",
    "exp(2*s)/(1 + exp(s))**3",
    "exp(3*s)/(1 + exp(s))",
    "exp(-s)/(1 + exp(-s))**2",
    "s/(1 + exp(-2*s))",
    "sinh(2*s)**3/cosh(2*s)**2",
    "sinh(s)/cosh(s)**3",
    "(1 - exp(-s)/(1 + exp(-s)))*exp(-s)/(1 + exp(-s))",
    "log(1 + exp(3*s)) - log(cosh(s - 1))*tanh(softplus(s))",
]


@pytest.mark.parametrize("text", REWRITTEN)
def test_rewritten_expressions_are_equal(text):
    expression = parse_expression(text)
    for s in (Fraction(-7, 2), Fraction(-1, 3), Fraction(0), Fraction(2, 7), Fraction(5)):
        value = _reference(expression, s) or Fraction(0)
        for rewritten in (bounded_form(expression), overflow_free(expression)):
            again = _reference(rewritten, s) or Fraction(0)
            assert abs(again - value) <= REFERENCE_ERROR * (1 + abs(value))


def test_quotients_of_exponentials_become_tangents():
    assert not bounded_form(sympy.diff(sympy.log(1 + sympy.exp(3 * S)), S)).has(sympy.exp)
    assert not bounded_form(sympy.diff(sympy.log(sympy.cosh(S)), S, 2)).has(sympy.cosh)
