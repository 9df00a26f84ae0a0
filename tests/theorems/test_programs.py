"""The closed walker: its programs agree with SymPy's own evaluation, constants stay exact, everything else is refused."""

from __future__ import annotations

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, FLOAT, INTERVAL, SYMBOLIC, lower, upper
from theorems.errors import InputError
from theorems.programs import OPERATIONS, Instruction, Program, compile_program, evaluate

S = sympy.Symbol("s", real=True)
T = sympy.Symbol("t", real=True)

DIGITS = 60  # of the reference values; the balls have 128 bits, about 38 digits
REFERENCE_ERROR = Fraction(1, 10**50)  # relative; ten digits are left for cancellation inside SymPy's evaluation


def _rationals():
    return st.fractions(min_value=-4, max_value=4, max_denominator=16)


def _leaves():
    constants = st.builds(lambda q: sympy.Rational(q.numerator, q.denominator), _rationals())
    return st.one_of(st.sampled_from([S, T, sympy.pi, sympy.E]), constants)


UNARY = (sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.tanh, sympy.erf, sympy.atan, sympy.sinh, sympy.cosh, sympy.Abs)
POWERS = [sympy.Rational(p, 2) for p in (-4, -3, -2, -1, 1, 3, 4, 6)]


def _grow(children):
    return st.one_of(
        st.builds(lambda f, x: f(x), st.sampled_from(UNARY), children),
        st.builds(lambda f, x, y, z: f(x, y, z), st.sampled_from([sympy.Add, sympy.Mul]), children, children, children),
        st.builds(lambda x, p: x**p, children, st.sampled_from(POWERS)),
    )


# Max and Min only on top: SymPy's automatic comparison of their arguments is slow on nested ones.
EXPRESSIONS = st.recursive(_leaves(), _grow, max_leaves=6) | st.builds(
    lambda f, x, y: f(x, T, y, evaluate=False), st.sampled_from([sympy.Max, sympy.Min]), _leaves(), _grow(_leaves())
)


def _is_plain(expression: sympy.Expr) -> bool:
    """Whether construction left a real expression of moderate size: SymPy finds poles and imaginary parts by itself."""
    if expression.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo, sympy.sign, sympy.arg, sympy.re, sympy.im):
        return False
    return not any(f.func not in UNARY for f in expression.atoms(sympy.Function))


def _reference(expression: sympy.Expr, s: Fraction, t: Fraction) -> Fraction | None:
    """The value by SymPy's evaluation, or None where it is not a real number of moderate size."""
    point = {S: sympy.Rational(s.numerator, s.denominator), T: sympy.Rational(t.numerator, t.denominator)}
    try:
        value = expression.subs(point)
    except ValueError:  # SymPy's Max and Min raise on arguments that turn out infinite or imaginary
        return None
    if not value.is_extended_real or value.has(sympy.oo, sympy.nan, sympy.zoo):
        return None
    value = value.evalf(DIGITS, maxn=200)
    if value == 0:
        return Fraction(0)
    if not value.is_Float or not -300 < mpmath.log10(abs(value)) < 300:
        return None
    return Fraction(int(value._mpf_[1]) * (-1) ** value._mpf_[0]) * Fraction(2) ** value._mpf_[2]


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS.filter(_is_plain), _rationals(), _rationals())
def test_ball_contains_sympy_value_and_interval_contains_ball(expression, s, t):
    program = compile_program([expression], [S, T])
    value = _reference(expression, s, t)
    (ball,) = evaluate(program, BALL, [s, t])
    (interval,) = evaluate(program, INTERVAL, [s, t])
    if ball.is_finite() and value is not None:
        error = REFERENCE_ERROR * max(abs(value), Fraction(1, 10**10))
        assert lower(ball) - error <= value <= upper(ball) + error
    if ball.is_finite() and not np.isnan(interval.lower):
        assert np.isneginf(interval.lower) or Fraction(float(interval.lower)) <= upper(ball)
        assert np.isposinf(interval.upper) or Fraction(float(interval.upper)) >= lower(ball)


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS.filter(_is_plain), st.integers(-256, 256), st.integers(-256, 256))
def test_float_result_lies_in_interval_result(expression, s, t):
    # Rounding to nearest lies within rounding outward, operation by operation, at points that are exact doubles.
    program = compile_program([expression], [S, T])
    point = [np.array([s / 64]), np.array([t / 64])]
    value = np.broadcast_to(evaluate(program, FLOAT, point)[0], (1,))
    (interval,) = evaluate(program, INTERVAL, point)
    if np.isfinite(value[0]) and not np.isnan(interval.lower).any():
        assert (interval.lower <= value).all()
        assert (value <= interval.upper).all()


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS.filter(_is_plain))
def test_symbolic_evaluation_gives_the_expression_back(expression):
    (back,) = evaluate(compile_program([expression], [S, T]), SYMBOLIC, [S, T])
    difference = _reference(back - expression, Fraction(3, 7), Fraction(-5, 9))
    if difference is not None:
        assert abs(difference) < REFERENCE_ERROR * 10**20  # SymPy may have to evaluate a zero it cannot see


def test_most_random_points_are_really_compared():
    """Guard against the comparison above passing because everything is undefined: a fixed sample, mostly defined."""
    expressions = [S * sympy.exp(-(S**2) / 2), sympy.tanh(S) / sympy.sqrt(1 + T**2), sympy.erf(S) / 3 + sympy.Max(S, 0, T)]
    for expression in expressions:
        (ball,) = evaluate(compile_program([expression], [S, T]), BALL, [Fraction(1, 3), Fraction(-2, 7)])
        value = _reference(expression, Fraction(1, 3), Fraction(-2, 7))
        assert value is not None
        assert upper(ball) - lower(ball) < Fraction(1, 2**115)
        assert lower(ball) - REFERENCE_ERROR <= value <= upper(ball) + REFERENCE_ERROR


def test_one_third_is_exact():
    program = compile_program([sympy.Rational(1, 3)], [])
    assert program.instructions == (Instruction("constant", (), Fraction(1, 3)),)
    (ball,) = evaluate(program, BALL, [])
    assert lower(ball) < Fraction(1, 3) < upper(ball)
    assert upper(ball) - lower(ball) < Fraction(1, 2**126)
    (interval,) = evaluate(program, INTERVAL, [])
    assert Fraction(float(interval.lower)) < Fraction(1, 3) < Fraction(float(interval.upper))
    assert np.nextafter(interval.lower, 1) == interval.upper
    assert evaluate(program, SYMBOLIC, []) == [sympy.Rational(1, 3)]


def test_equal_subexpressions_are_computed_once():
    bump = sympy.exp(-(S**2))
    program = compile_program([bump, bump * sympy.sin(bump), sympy.diff(bump, S)], [S])
    assert [i.operation for i in program.instructions].count("exp") == 1
    assert len(set(program.instructions)) == len(program.instructions)
    for number, instruction in enumerate(program.instructions):
        assert all(argument < number for argument in instruction.arguments)
        assert instruction.operation in OPERATIONS


def test_canonical_forms():
    cases = {
        S / T: ["multiply", "power"],
        1 / sympy.sqrt(S): ["sqrt", "power"],
        sympy.sqrt(S): ["sqrt"],
        S ** sympy.Rational(3, 2): ["sqrt", "power"],
        sympy.sqrt(S ** sympy.Rational(3, 2)): ["sqrt", "sqrt", "power"],
        sympy.Pow(sympy.E, S, evaluate=False): ["exp"],
        sympy.E: ["exp"],
        sympy.sech(S): ["cosh", "power"],
        sympy.exp(sympy.log(2) / 3): ["log", "multiply", "exp"],
        sympy.Abs(S): ["abs"],
    }
    for expression, wanted in cases.items():
        program = compile_program([expression], [S, T])
        operations = [i.operation for i in program.instructions if i.operation not in ("input", "constant")]
        assert sorted(operations) == sorted(wanted), expression
        (ball,) = evaluate(program, BALL, [Fraction(7, 3), Fraction(5, 4)])
        value = _reference(expression, Fraction(7, 3), Fraction(5, 4))
        assert value is not None
        assert lower(ball) - REFERENCE_ERROR <= value <= upper(ball) + REFERENCE_ERROR


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        (sympy.Float("0.5") * S, "Float"),
        (sympy.Piecewise((S, S > 0), (0, True)), "Piecewise"),
        (sympy.Heaviside(S), "Heaviside"),
        (sympy.sign(S), "sign"),
        (sympy.gamma(S), "gamma"),
        (sympy.tan(S), "tan"),
        (sympy.LambertW(S), "LambertW"),
        (sympy.Function("f")(S), "f"),
        (sympy.Derivative(sympy.tanh(S), S), "Derivative"),
        (sympy.Integral(S, S), "Integral"),
        (sympy.I * S, "ImaginaryUnit"),
        (sympy.oo, "Infinity"),
        (sympy.zoo, "ComplexInfinity"),
        (sympy.nan, "NaN"),
        (sympy.EulerGamma, "EulerGamma"),
        (sympy.Sum(S, (T, 0, 3)), "Sum"),
        (sympy.Symbol("s") + S, "Symbol('s')"),
        (sympy.Symbol("x", real=True), "Symbol('x', real=True)"),
        (S**T, "exponent"),
        (S ** sympy.Rational(1, 3), "exponent"),
        (sympy.Pow(-2, S), "exponent"),
        (S ** (10**6 + 1), "exponent"),
        (S < 1, "StrictLessThan"),
        (sympy.true, "BooleanTrue"),
        ("s + 1", "str"),
        (0.5, "float"),
        (None, "NoneType"),
    ],
)
def test_everything_else_is_refused_by_name(expression, named):
    with pytest.raises(InputError, match=r"must|may") as caught:
        compile_program([expression], [S, T])
    assert named in str(caught.value)


def test_undefined_values_stay_undefined():
    # Where the ball reaches outside the domain nothing is claimed: no finite number comes out.
    for expression, s in [(sympy.log(S), -1), (sympy.log(S), 0), (1 / S, 0), (sympy.sqrt(S), -1), (2**S, None)]:
        program = compile_program([expression], [S])
        if s is None:
            assert evaluate(program, BALL, [3])[0].contains(8)
            continue
        assert not evaluate(program, BALL, [s])[0].is_finite()
        assert not np.isfinite(evaluate(program, FLOAT, [float(s)])[0])
        interval = evaluate(program, INTERVAL, [float(s)])[0]
        assert not (np.isfinite(interval.lower) and np.isfinite(interval.upper))


def test_arrays_and_scalars_agree():
    program = compile_program([sympy.tanh(S) * T + sympy.Rational(1, 3), T], [S, T])
    points = np.linspace(-2, 2, 5)
    for arithmetic in (FLOAT, BALL):
        whole = evaluate(program, arithmetic, [points, Fraction(1, 7)])
        assert whole[0].shape == points.shape
        for index, point in enumerate(points):
            single = evaluate(program, arithmetic, [float(point), Fraction(1, 7)])[0]
            assert str(single) == str(whole[0][index])


def test_balls_have_128_bits_whatever_the_global_precision():
    program = compile_program([sympy.exp(S) / 3 + sympy.pi], [S])
    before = flint.ctx.prec
    try:
        flint.ctx.prec = 20
        (ball,) = evaluate(program, BALL, [Fraction(1, 7)])
        assert flint.ctx.prec == 20
        with pytest.raises(InputError):
            evaluate(program, BALL, ["no number"])
        assert flint.ctx.prec == 20
    finally:
        flint.ctx.prec = before
    assert upper(ball) - lower(ball) < Fraction(1, 2**120)


@pytest.mark.parametrize(
    "instruction",
    [
        Instruction("gamma", (0,)),
        Instruction("gamma", (0,), Fraction(1)),
        Instruction("largest_eigenvalue", (0,)),
        Instruction("power", (0,)),
        Instruction("constant"),
    ],
)
def test_a_damaged_program_does_not_run(instruction):
    program = Program(("s",), (Instruction("input", (), Fraction(0)), instruction), (1,))
    for arithmetic in (FLOAT, BALL, SYMBOLIC, INTERVAL):
        with pytest.raises(InputError, match=instruction.operation):
            evaluate(program, arithmetic, [1])


def test_inputs_are_checked():
    program = compile_program([S + T], [S, T])
    assert program.inputs == ("s", "t")
    with pytest.raises(InputError, match="one value for each"):
        evaluate(program, FLOAT, [1.0])
    with pytest.raises(InputError, match="distinct"):
        compile_program([S], [S, S])
