"""Dual activations against textbook formulas at high precision, quadrature, and each other, up to correlation +-1."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from theorems.activations import ACTIVATIONS, activation
from theorems.arithmetic import BALL, FLOAT, SYMBOLIC, ball, lower, upper
from theorems.dual import (
    CLOSED_FORMS,
    Covariance,
    covariance,
    dual_activation,
    dual_of,
    leaky_relu,
    series_of,
)
from theorems.errors import InputError

ORACLE = mpmath.MPContext()
ORACLE.dps = 60

# phi and phi' in doubles, written down again.
SCALAR: dict[str, tuple[Any, Any]] = {
    "erf": (scipy.special.erf, lambda s: 2 / math.sqrt(math.pi) * np.exp(-(s**2))),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda s: -np.sin(s)),
    "gaussian_bump": (lambda s: np.exp(-(s**2) / 2), lambda s: -s * np.exp(-(s**2) / 2)),
    "gelu": (
        lambda s: s * scipy.special.ndtr(s),
        lambda s: scipy.special.ndtr(s) + s * np.exp(-(s**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "identity": (lambda s: s, np.ones_like),
    "s**2": (lambda s: s**2, lambda s: 2 * s),
    "s**3": (lambda s: s**3, lambda s: 3 * s**2),
    "s**4": (lambda s: s**4, lambda s: 4 * s**3),
    "1 - s + 2*s**2": (lambda s: 1 - s + 2 * s**2, lambda s: 4 * s - 1),
    "tanh": (np.tanh, lambda s: 1 / np.cosh(s) ** 2),
    "softplus": (lambda s: np.logaddexp(0, s), scipy.special.expit),
    "silu": (lambda s: s * scipy.special.expit(s), lambda s: scipy.special.expit(s) * (1 + s * scipy.special.expit(-s))),
    "sigmoid": (scipy.special.expit, lambda s: scipy.special.expit(s) * scipy.special.expit(-s)),
    "arctan": (np.arctan, lambda s: 1 / (1 + s**2)),
    "s*exp(-s**2/2)": (lambda s: s * np.exp(-(s**2) / 2), lambda s: (1 - s**2) * np.exp(-(s**2) / 2)),
}
VARIANCES = st.fractions(Fraction(1, 16), Fraction(5, 2), max_denominator=64)
CORRELATIONS = st.fractions(-1, 1, max_denominator=64)


def trapezoid(phi: Any, a: float, b: float, rho: float) -> float:
    """E phi(u) phi(v) on a grid: exponentially accurate for analytic phi with a strip of half-width > 0.6 (in units of z)."""
    z = np.arange(-9.0, 9.0, 1 / 24)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / 24
    x, y = z[:, None], z[None, :]
    u, v = math.sqrt(a) * x, math.sqrt(b) * (rho * x + math.sqrt(max(0.0, 1 - rho**2)) * y)
    return float(weight @ (phi(u) * phi(v)) @ weight)


def pair_of(a: Fraction, b: Fraction, rho: Fraction) -> Covariance:
    """A pair in balls with c = rho sqrt(ab); det is exact, zero at rho = +-1."""
    root = BALL.sqrt(BALL.constant(a * b))
    return Covariance(BALL.constant(a), BALL.constant(b), BALL.multiply(root, rho), BALL.constant(a * b * (1 - rho * rho)))


def contains(enclosure: Any, value: float, error: float) -> bool:
    return lower(enclosure) <= Fraction(value) + Fraction(error) and Fraction(value) - Fraction(error) <= upper(enclosure)


def width(enclosure: Any) -> Fraction:
    return upper(enclosure) - lower(enclosure)


@pytest.mark.parametrize("name", SCALAR)
@settings(max_examples=3)
@given(VARIANCES, VARIANCES, CORRELATIONS)
@example(Fraction(1), Fraction(1), Fraction(1))
@example(Fraction(1), Fraction(3, 2), Fraction(-1))
def test_against_quadrature_in_two_dimensions(name: str, a: Fraction, b: Fraction, rho: Fraction) -> None:
    dual = dual_activation(name)
    pair = pair_of(a, b, rho)
    for form, phi in zip((dual.value, dual.slope), SCALAR[name], strict=True):
        enclosure = form(pair, BALL)
        size = math.sqrt(trapezoid(phi, float(a), float(a), 1.0) * trapezoid(phi, float(b), float(b), 1.0))
        # The grid's own error: rounding of some 400^2 products, and for poles at distance d/sigma of the axis exp(-48 pi d/sigma).
        assert contains(enclosure, trapezoid(phi, float(a), float(b), float(rho)), 1e-13 * size + 1e-300)
        # The slopes of activations with poles, at correlation +-1 and variance 5/2, are the slowest series.
        assert width(enclosure) <= Fraction(1, 10**10) * Fraction(size) + Fraction(1, 10**30)


def textbook(name: str, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    """Cho and Saul's and Williams' formulas with arccos and arcsin, at 60 digits."""
    rho = c / ORACLE.sqrt(a * b)
    theta = ORACLE.acos(rho)
    if name == "relu":
        first = ORACLE.sqrt(a * b) * (ORACLE.sin(theta) + (ORACLE.pi - theta) * rho) / (2 * ORACLE.pi)
        return first, (ORACLE.pi - theta) / (2 * ORACLE.pi)
    if name == "abs":
        first = 2 * ORACLE.sqrt(a * b) * (ORACLE.sin(theta) + (ORACLE.pi / 2 - theta) * rho) / ORACLE.pi
        return first, 1 - 2 * theta / ORACLE.pi
    if name == "erf":
        first = 2 / ORACLE.pi * ORACLE.asin(2 * c / ORACLE.sqrt((1 + 2 * a) * (1 + 2 * b)))
        return first, 4 / ORACLE.pi / ORACLE.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * c * c)
    if name == "sin":
        half = ORACLE.exp(-(a + b) / 2)
        return half * ORACLE.sinh(c), half * ORACLE.cosh(c)
    assert name == "gaussian_bump"
    root = ORACLE.sqrt((1 + a) * (1 + b) - c * c)
    return 1 / root, c / root**3


@pytest.mark.parametrize("name", ["relu", "abs", "erf", "sin", "gaussian_bump"])
@pytest.mark.parametrize("exponent", range(0, 17, 2))
@pytest.mark.parametrize("sign", [1, -1])
def test_closed_forms_stay_sharp_near_correlation_one(name: str, exponent: int, sign: int) -> None:
    rho = sign * (1 - Fraction(1, 10**exponent) / 3)
    a, b = Fraction(9, 4), Fraction(16, 9)  # sqrt(ab) = 2
    exact = covariance(a, b, 2 * rho, BALL)  # det from a b - c^2, with its cancellation
    numbers = [ORACLE.mpf(x.numerator) / x.denominator for x in (a, b, 2 * rho)]
    dual = dual_activation(name)
    for form, value in zip((dual.value, dual.slope), textbook(name, *numbers), strict=True):
        enclosure = form(exact, BALL)
        near = Fraction(int(ORACLE.floor(value * 10**45)), 10**45)
        assert lower(enclosure) <= near + Fraction(1, 10**44)
        assert near - Fraction(1, 10**44) <= upper(enclosure)
        assert width(enclosure) <= Fraction(1, 10**25)
        doubles = form(Covariance(*(np.float64(float(x)) for x in (a, b, 2 * rho, a * b - 4 * rho * rho))), FLOAT)
        assert abs(doubles - float(near)) <= 1e-15 * 8


@pytest.mark.parametrize("name", ["erf", "sin", "cos", "gaussian_bump", "gelu"])
@settings(max_examples=3)
@given(VARIANCES, VARIANCES, CORRELATIONS, st.integers(0, 17))
@example(Fraction(1), Fraction(1), Fraction(1), 16)
@example(Fraction(2), Fraction(1), Fraction(-1), 16)
def test_series_and_closed_form_agree(name: str, a: Fraction, b: Fraction, rho: Fraction, exponent: int) -> None:
    pair = pair_of(a, b, rho * (1 - Fraction(1, 10**exponent)) if exponent < 17 else rho)
    series, closed = series_of(activation(name)), CLOSED_FORMS[name]
    for one, other in ((series.value, closed.value), (series.slope, closed.slope)):
        assert one(pair, BALL).overlaps(other(pair, BALL))
        assert width(one(pair, BALL)) <= Fraction(1, 10**13)


@pytest.mark.parametrize("slope", [Fraction(0), Fraction(-1), Fraction(1, 10), Fraction(-2)])
@settings(max_examples=5)
@given(VARIANCES, VARIANCES, st.fractions(Fraction(-63, 64), Fraction(63, 64), max_denominator=64))
def test_leaky_relu_against_polar_quadrature(slope: Fraction, a: Fraction, b: Fraction, rho: Fraction) -> None:
    """In polar coordinates a homogeneous phi leaves E r^2 = 2 times an integral over the circle, split at the kinks."""
    context = mpmath.MPContext()
    context.dps = 25
    angle = context.acos(context.mpf(rho.numerator) / rho.denominator)

    def phi(s: Any) -> Any:
        return s if s > 0 else context.mpf(slope.numerator) / slope.denominator * s

    def step(s: Any) -> Any:
        return context.mpf(1) if s > 0 else context.mpf(slope.numerator) / slope.denominator

    kinks = sorted({context.mpf(0), context.pi / 2, 3 * context.pi / 2, 2 * context.pi, *_turns(context, angle)})
    root = context.sqrt(context.mpf((a * b).numerator) / (a * b).denominator)
    value = root * context.quad(lambda t: phi(context.cos(t)) * phi(context.cos(t - angle)), kinks) / context.pi
    derivative = context.quad(lambda t: step(context.cos(t)) * step(context.cos(t - angle)), kinks) / (2 * context.pi)
    dual, pair = leaky_relu(slope), pair_of(a, b, rho)
    for form, oracle in ((dual.value, value), (dual.slope, derivative)):
        near = Fraction(int(context.floor(oracle * 10**22)), 10**22)
        assert abs(near - lower(form(pair, BALL))) <= Fraction(1, 10**18)


def _turns(context: Any, angle: Any) -> list[Any]:
    return [(angle + k * context.pi / 2) % (2 * context.pi) for k in (1, 3)]


def test_leaky_relu_at_its_landmarks() -> None:
    assert (leaky_relu(0).name, leaky_relu(-1).name, leaky_relu(1).name) == ("relu", "abs", "identity")
    assert dual_activation("leaky_relu(0.1)").name == dual_activation("leaky_relu(1/10)").name == "leaky_relu(1/10)"


def test_a_homogeneous_activation_at_zero_variance_is_exactly_zero() -> None:
    pair = Covariance(*(BALL.constant(Fraction(x)) for x in (0, 2, 0, 0)))
    for dual in (leaky_relu(0), leaky_relu(-1), leaky_relu(Fraction(1, 3)), dual_activation("s**3")):
        assert dual.value(pair, BALL).is_zero()
        assert dual.slope(pair, BALL).is_finite()
        assert dual.value(Covariance(0.0, 2.0, 0.0, 0.0), FLOAT) == 0.0


@pytest.mark.parametrize("name", ["tanh", "softplus", "gelu", "cos"])
def test_at_zero_variance_the_pair_separates(name: str) -> None:
    phi, slope = SCALAR[name]
    pair = covariance(0, 2, 0, BALL)
    z = np.arange(-10, 10, 1 / 64)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / 64
    dual = dual_activation(name)
    for form, function in ((dual.value, phi), (dual.slope, slope)):
        oracle = float(function(np.zeros(1))[0]) * float(weight @ function(math.sqrt(2) * z))
        assert contains(form(pair, BALL), oracle, 1e-14)


@settings(max_examples=20)
@given(st.integers(1, 8), VARIANCES, VARIANCES, CORRELATIONS)
def test_monomials_against_an_exact_recursion(degree: int, a: Fraction, b: Fraction, rho: Fraction) -> None:
    """E u^j v^k = (j-1) a E u^(j-2) v^k + k c E u^(j-1) v^(k-1), Stein's identity, in rationals."""
    c = rho * min(a, b)

    def moment(j: int, k: int) -> Fraction:
        if j == 0:
            return Fraction(k == 0) if k < 2 else (k - 1) * b * moment(0, k - 2)
        return ((j - 1) * a * moment(j - 2, k) if j > 1 else 0) + (k * c * moment(j - 1, k - 1) if k else 0)

    pair, dual = covariance(a, b, c, BALL), dual_activation(f"s**{degree}")
    for form, exact in ((dual.value, moment(degree, degree)), (dual.slope, degree**2 * moment(degree - 1, degree - 1))):
        assert lower(form(pair, BALL)) <= exact <= upper(form(pair, BALL))


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("size", [1e-4, 1e-16, 1.0, 300.0])
@pytest.mark.parametrize("rho", [0.5, -0.5, 1.0, -1.0])
def test_doubles_of_sine_and_cosine_lose_nothing(name: str, size: float, rho: float) -> None:
    """exp(-(a+b)/2) sinh(c) as a difference of two exponentials would cancel at small variances."""
    pair = Covariance(size, size, rho * size, (1 - rho * rho) * size * size)
    mean, c = ORACLE.mpf(size), ORACLE.mpf(rho) * ORACLE.mpf(size)
    values = ORACLE.exp(-mean) * ORACLE.sinh(c), ORACLE.exp(-mean) * ORACLE.cosh(c)
    own = CLOSED_FORMS[name]
    for form, value in zip((own.value, own.slope), values if name == "sin" else values[::-1], strict=True):
        assert float(form(pair, FLOAT)) == pytest.approx(float(value), rel=1e-13)
        enclosure = form(covariance(size, size, Fraction(rho * size), BALL), BALL)
        assert float(enclosure.mid()) == pytest.approx(float(value), rel=1e-14)
        assert upper(enclosure) - lower(enclosure) <= 1e-20 * abs(float(value))


def test_the_catalogue_is_covered() -> None:
    for name in ACTIVATIONS:
        dual = dual_activation(name)
        assert dual.value(covariance(1, 2, 1, BALL), BALL).is_finite()
    closed = {name for name in ACTIVATIONS if dual_activation(name).closed_form}
    assert closed == {"erf", "sin", "cos", "gelu", "gaussian_bump", "identity", "relu"}


def test_declared_properties_hold_at_random_points() -> None:
    s = np.linspace(-3, 3, 13)
    for name, (phi, _) in SCALAR.items():
        dual = dual_activation(name)
        if dual.parity:
            np.testing.assert_allclose(phi(-s), dual.parity * phi(s), atol=1e-14)
        if dual.homogeneity is not None:
            np.testing.assert_allclose(phi(2 * s), 2**dual.homogeneity * phi(s), atol=1e-12)
        odd = (phi(s) - phi(-s)) / np.where(s == 0, 1.0, s)
        assert dual.odd_part_linear == bool(np.ptp(odd[s != 0]) < 1e-12), name
        assert dual.even_part_constant == bool(np.ptp(phi(s) + phi(-s)) < 1e-12), name
        assert dual.vanishes_at_zero == bool(abs(phi(np.zeros(1))[0]) < 1e-15), name


def test_closed_forms_are_formulas_too() -> None:
    a, b, c = sympy.symbols("a b c", positive=True)
    pair = Covariance(a, b, c, a * b - c**2)
    expression = dual_activation("relu").value(pair, SYMBOLIC)
    number = expression.subs({a: 1, b: 1, c: sympy.Rational(1, 2)}).evalf(30)
    assert abs(number - (sympy.sqrt(3) / 2 + sympy.pi / 3).evalf(30) / (2 * sympy.pi).evalf(30)) < 1e-28


def test_wide_balls_keep_their_enclosure() -> None:
    """Every pair within the balls is enclosed, also where they reach across correlation 1."""
    variance = ball(1, Fraction(101, 100))
    wide = Covariance(variance, variance, ball(Fraction(99, 100), 1), ball(0, Fraction(1, 25)))
    for name in ("relu", "abs", "erf", "gelu", "sin", "tanh"):
        dual = dual_activation(name)
        for c in (Fraction(99, 100), Fraction(995, 1000), Fraction(1)):
            inner = covariance(1, 1, c, BALL)
            assert dual.value(wide, BALL).contains(dual.value(inner, BALL))
            assert dual.slope(wide, BALL).contains(dual.slope(inner, BALL))


@pytest.mark.parametrize(
    "text", ["reluu", "leaky_relu(1/0)", "leaky_relu()", "exp(s)", "exp(s**2)", "relu(s)", "", "abs(s) + import", "1/s"]
)
def test_bad_activations_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        dual_activation(text)


def test_no_pair_has_such_a_covariance() -> None:
    for arithmetic in (BALL, FLOAT):
        for a, b, c in ((-1, 1, 0), (1, -1, 0), (1, 1, 2)):
            with pytest.raises(InputError, match="covariance"):
                covariance(a, b, c, arithmetic)


def test_a_users_expression_that_is_in_the_catalogue_gets_its_closed_form() -> None:
    assert dual_of(activation("sin(s)")) is CLOSED_FORMS["sin"]
    assert dual_activation("s**3").degree == 3


@pytest.mark.validate
@pytest.mark.parametrize("name", ["relu", "abs", *SCALAR])
def test_monte_carlo(name: str) -> None:
    """4 10^6 pairs; the mean is within 5 standard errors, which fails for a true value once in 10^6."""
    functions = {
        "relu": (lambda s: np.maximum(s, 0), lambda s: (s > 0) * 1.0),
        "abs": (np.abs, np.sign),
        **SCALAR,
    }[name]
    generator = np.random.default_rng(7)
    dual, (a, b, c) = dual_activation(name), (1.25, 0.75, -0.5)
    x, y = generator.standard_normal((2, 4_000_000))
    u = math.sqrt(a) * x
    v = c / math.sqrt(a) * x + math.sqrt(b - c * c / a) * y
    for form, function in zip((dual.value, dual.slope), functions, strict=True):
        sample = function(u) * function(v)
        error = 5 * sample.std() / math.sqrt(len(sample))
        assert contains(form(covariance(a, b, c, BALL), BALL), float(sample.mean()), float(error) + 1e-12)
