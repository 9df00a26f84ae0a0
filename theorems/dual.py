"""Dual activations: E phi(u) phi(v) and E phi'(u) phi'(v) for a centered Gaussian pair (u, v), one formula for every arithmetic.

They are what a hidden layer does to covariances as its width tends to infinity. Closed forms are functions of

    a = Var u,   b = Var v,   c = Cov(u, v),   det = ab - c^2 >= 0,

with ``det`` an argument of its own: where the pair is nearly collinear, ab - c^2 cancels, and whoever knows det better passes it.
Angles are written arcsin(c/sqrt(ab)) = 2 arctan(c/(sqrt(ab) + sqrt(det))) (tan(x/2) = sin x/(1 + cos x)), which is smooth in
sqrt(det) up to and including correlation +-1, where arcsin itself has an infinite slope and a ball around +-1 leaves its domain.
For activations without a closed form see ``theorems.hermite``.

Sources: ReLU: Cho and Saul (2009), Kernel methods for deep learning. erf: Williams (1997), Computing with infinite networks. sin,
cos: Rahimi and Recht (2007). GELU and the derivative forms: Stein's identity E u F = a E d_u F + c E d_v F and Gaussian tilting,
derived here. Polynomials: Isserlis.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import arb

from theorems.activations import ACTIVATIONS, Activation, activation
from theorems.arithmetic import Arithmetic, BallArithmetic, FloatArithmetic
from theorems.errors import InputError, nearest
from theorems.exact import exactly
from theorems.grammar import S
from theorems.hermite import HermiteSeries
from theorems.rewriting import bounded_form

LARGEST_DEGREE = 16


@dataclass(frozen=True)
class Covariance:
    """Covariances of Gaussian pairs, scalars or arrays of one shape: Var u, Var v, Cov(u, v), and ab - c^2.

    ``same``: u = v, so that a = b = c are one number and det is exactly 0.
    """

    a: Any
    b: Any
    c: Any
    det: Any
    same: bool = False


def covariance(a: Any, b: Any, c: Any, arithmetic: Arithmetic) -> Covariance:
    """The covariance with det computed from a, b and c: for pairs that are not nearly collinear, or in balls of enough bits.

    Raises InputError where a or b is surely negative, or c surely larger in size than sqrt(ab) (in doubles: by more than rounding).
    """
    with arithmetic.context():
        a, b, c = np.broadcast_arrays(*(np.asarray(arithmetic.numbers(x)) for x in (a, b, c)))
        a, b, c = a[()], b[()], c[()]
        det = a * b - c * c
        room = 2.0**-50 * a * b if isinstance(arithmetic, FloatArithmetic) else 0
        if np.any(a < 0) or np.any(b < 0) or np.any(det + room < 0):
            raise InputError(f"a, b, c must be the variances and the covariance of a pair, got a={a}, b={b}, c={c}")
        return Covariance(a, b, c, det)


Form = Callable[[Covariance, Arithmetic], Any]


@dataclass(frozen=True)
class DualActivation:
    """An activation as infinitely wide layers see it.

    value, slope: E phi(u) phi(v) and E phi'(u) phi'(v) (phi' almost everywhere); at zero variance, where a homogeneous phi has no
    derivative, slope takes some finite value. closed_form: whether they are formulas rather than series.
    parity: 1 for even, -1 for odd, 0 for neither or not known. vanishes_at_zero: phi(0) = 0. homogeneity: k with phi(ts) = t^k
    phi(s) for t > 0, or None; shifted_homogeneity: that of phi - phi(0). odd_part_linear: phi(s) - phi(-s) is a multiple of s.
    even_part_constant: phi(s) + phi(-s) is a constant. degree: of a polynomial, else None.
    rough: value and slope are not smooth in the correlation at +-1.
    """

    name: str
    value: Form
    slope: Form
    closed_form: bool = True
    parity: int = 0
    vanishes_at_zero: bool = False
    homogeneity: int | None = None
    shifted_homogeneity: int | None = None
    odd_part_linear: bool = False
    even_part_constant: bool = False
    degree: int | None = None
    rough: bool = False

    def __repr__(self) -> str:
        return f"DualActivation({self.name!r})"


def _ball_root(x: Any) -> Any:
    """The root of a number known to be nonnegative, whose ball may reach below zero."""
    if x.is_zero():
        return x
    low, high = x.lower(), x.upper()
    if not (x.is_finite() and high >= 0):
        return arb.nan()
    return (low.sqrt() if low > 0 else arb(0)).union(high.sqrt())


def _ball_ratio(numerator: Any, denominator: Any) -> Any:
    """numerator/denominator where the quotient is known to lie in [-1, 1]; 0/0, at zero variance, is 0."""
    if denominator.is_zero():
        return arb(0)
    quotient = numerator / denominator
    whole = arb(0, 1)
    if not quotient.is_finite():
        return whole
    return quotient if abs(quotient) <= 1 else quotient.intersection(whole)


_BALL_ROOT = np.frompyfunc(_ball_root, 1, 1)
_BALL_RATIO = np.frompyfunc(_ball_ratio, 2, 1)


def _root(x: Any, arithmetic: Arithmetic) -> Any:
    if isinstance(arithmetic, BallArithmetic):
        return _BALL_ROOT(x)
    return arithmetic.sqrt(np.maximum(x, 0.0) if isinstance(arithmetic, FloatArithmetic) else x)


def _ratio(numerator: Any, denominator: Any, arithmetic: Arithmetic) -> Any:
    if isinstance(arithmetic, BallArithmetic):
        return _BALL_RATIO(numerator, denominator)
    if isinstance(arithmetic, FloatArithmetic):
        return np.clip(numerator / np.where(denominator == 0, 1.0, denominator), -1.0, 1.0)
    return numerator / denominator


def _arcsine(c: Any, ab: Any, root_det: Any, arithmetic: Arithmetic) -> Any:
    """arcsin(c/sqrt(ab)) from c, ab and sqrt(ab - c^2)."""
    return 2 * arithmetic.arctan(_ratio(c, _root(ab, arithmetic) + root_det, arithmetic))


def _closed(form: Form) -> Form:
    """A form whose operators run at the arithmetic's precision."""

    @functools.wraps(form)
    def run(pair: Covariance, arithmetic: Arithmetic) -> Any:
        with arithmetic.context():
            return form(pair, arithmetic)

    return run


def leaky_relu(slope: Any) -> DualActivation:
    """max(s, 0) + slope min(s, 0): 0 is the rectifier, -1 the absolute value, 1 the identity.

    phi(s) = p s + q |s| with p, q = (1 +- slope)/2, E|u||v| = (2/pi)(sqrt(det) + c arcsin rho), E sgn u sgn v = (2/pi) arcsin rho;
    the mixed terms vanish by symmetry. ``slope`` is an exact number.
    """
    t = exactly(slope)
    p, q = (1 + t) / 2, (1 - t) / 2

    @_closed
    def value(pair: Covariance, arithmetic: Arithmetic) -> Any:
        root = _root(pair.det, arithmetic)
        angle = _arcsine(pair.c, pair.a * pair.b, root, arithmetic)
        weight = arithmetic.constant(2 * q * q) / arithmetic.pi()
        return arithmetic.constant(p * p) * pair.c + weight * (root + pair.c * angle)

    @_closed
    def derivative(pair: Covariance, arithmetic: Arithmetic) -> Any:
        angle = _arcsine(pair.c, pair.a * pair.b, _root(pair.det, arithmetic), arithmetic)
        return arithmetic.constant(p * p) + arithmetic.constant(2 * q * q) / arithmetic.pi() * angle

    if t == 1:
        return _polynomial("identity", (Fraction(0), Fraction(1)))
    name = {0: "relu", -1: "abs"}.get(t, f"leaky_relu({t})")  # type: ignore[call-overload]
    return DualActivation(
        name,
        value,
        derivative,
        parity=1 if t == -1 else 0,
        vanishes_at_zero=True,
        homogeneity=1,
        shifted_homogeneity=1,
        odd_part_linear=True,
        rough=True,
    )


def _polynomial(name: str, coefficients: tuple[Fraction, ...]) -> DualActivation:
    """p_0 + p_1 s + ... by Isserlis: s^j = sum over m = j, j-2, ... of j!/((j-m)/2)!/2^((j-m)/2)/m! a^((j-m)/2) times the m-th
    Hermite polynomial of variance a, and these have covariance m! c^m."""
    derivative = tuple(k * p for k, p in enumerate(coefficients))[1:] or (Fraction(0),)
    powers = [k for k, p in enumerate(coefficients) if p]
    parity = 1 if all(k % 2 == 0 for k in powers) else -1 if all(k % 2 for k in powers) else 0
    return DualActivation(
        name,
        _isserlis(coefficients),
        _isserlis(derivative),
        parity=parity,
        vanishes_at_zero=coefficients[0] == 0,
        homogeneity=powers[0] if len(powers) == 1 else None,
        shifted_homogeneity=max(powers) if len([k for k in powers if k]) == 1 else None,
        odd_part_linear=all(k % 2 == 0 or k == 1 for k in powers),
        even_part_constant=all(k % 2 or k == 0 for k in powers),
        degree=max(powers, default=0),
    )


def _isserlis(coefficients: tuple[Fraction, ...]) -> Form:
    def projection(m: int, variance: Any, arithmetic: Arithmetic) -> Any:
        total = arithmetic.constant(Fraction(0)) * variance
        for j in range(m, len(coefficients), 2):
            i = (j - m) // 2
            weight = coefficients[j] * Fraction(math.factorial(j), math.factorial(i) * 2**i * math.factorial(m))
            if weight:
                total = total + arithmetic.constant(weight) * (arithmetic.power(variance, i) if i else 1)
        return total

    @_closed
    def form(pair: Covariance, arithmetic: Arithmetic) -> Any:
        total = arithmetic.constant(Fraction(0)) * pair.c
        for m in range(len(coefficients)):
            term = projection(m, pair.a, arithmetic) * projection(m, pair.b, arithmetic)
            power = arithmetic.power(pair.c, m) if m else 1
            total = total + arithmetic.constant(Fraction(math.factorial(m))) * term * power
        return total

    return form


@_closed
def _erf_value(pair: Covariance, arithmetic: Arithmetic) -> Any:
    a, b, c, det = 1 + 2 * pair.a, 1 + 2 * pair.b, 2 * pair.c, 1 + 2 * (pair.a + pair.b) + 4 * pair.det
    return 2 * _arcsine(c, a * b, _root(det, arithmetic), arithmetic) / arithmetic.pi()


@_closed
def _erf_slope(pair: Covariance, arithmetic: Arithmetic) -> Any:
    det = 1 + 2 * (pair.a + pair.b) + 4 * pair.det
    return 4 / (arithmetic.pi() * _root(det, arithmetic))


@_closed
def _sin_sin(pair: Covariance, arithmetic: Arithmetic) -> Any:
    """exp(-(a+b)/2) sinh c, as exp(|c| - (a+b)/2) tanh(c) (1 + exp(-2|c|))/2: no exponent is above 0, and nothing cancels."""
    size = arithmetic.absolute(pair.c)
    return arithmetic.exp(size - (pair.a + pair.b) / 2) * arithmetic.tanh(pair.c) * (1 + arithmetic.exp(-2 * size)) / 2


@_closed
def _cos_cos(pair: Covariance, arithmetic: Arithmetic) -> Any:
    """exp(-(a+b)/2) cosh c; both exponents are at most 0."""
    mean = (pair.a + pair.b) / 2
    return (arithmetic.exp(pair.c - mean) + arithmetic.exp(-pair.c - mean)) / 2


@_closed
def _bump_value(pair: Covariance, arithmetic: Arithmetic) -> Any:
    return 1 / _root(1 + pair.a + pair.b + pair.det, arithmetic)


@_closed
def _bump_slope(pair: Covariance, arithmetic: Arithmetic) -> Any:
    return pair.c / arithmetic.power(_root(1 + pair.a + pair.b + pair.det, arithmetic), 3)


@_closed
def _gelu_value(pair: Covariance, arithmetic: Arithmetic) -> Any:
    """phi(s) = s/2 + s e(s)/2, e(s) = erf(s/sqrt 2); the mixed terms vanish by symmetry, and

    E uv e(u) e(v) = (2/pi) (c arcsin(c/sqrt((1+a)(1+b))) + (ab D^2 + c^2)/((1+a)(1+b) D)),   D^2 = 1 + a + b + det.
    """
    a, b, c = pair.a, pair.b, pair.c
    product = (1 + a) * (1 + b)
    squared = 1 + a + b + pair.det
    root = _root(squared, arithmetic)
    angle = _arcsine(c, product, root, arithmetic)
    inner = (a * b * squared + c * c) / product
    return c / 4 + (c * angle + inner / root) / (2 * arithmetic.pi())


@_closed
def _gelu_slope(pair: Covariance, arithmetic: Arithmetic) -> Any:
    a, b, c = pair.a, pair.b, pair.c
    root = _root(1 + a + b + pair.det, arithmetic)
    angle = _arcsine(c, (1 + a) * (1 + b), root, arithmetic)
    inner = angle + c / root * (1 / (1 + a) + 1 / (1 + b)) + c / arithmetic.power(root, 3)
    return arithmetic.constant(Fraction(1, 4)) + inner / (2 * arithmetic.pi())


RELU, ABS, IDENTITY = leaky_relu(0), leaky_relu(-1), leaky_relu(1)

CLOSED_FORMS: dict[str, DualActivation] = {
    record.name: record
    for record in (
        RELU,
        ABS,
        IDENTITY,
        DualActivation("erf", _erf_value, _erf_slope, parity=-1, vanishes_at_zero=True, even_part_constant=True),
        DualActivation("sin", _sin_sin, _cos_cos, parity=-1, vanishes_at_zero=True, even_part_constant=True),
        DualActivation("cos", _cos_cos, _sin_sin, parity=1, odd_part_linear=True),
        DualActivation("gaussian_bump", _bump_value, _bump_slope, parity=1, odd_part_linear=True),
        DualActivation("gelu", _gelu_value, _gelu_slope, vanishes_at_zero=True, odd_part_linear=True),
    )
}

_LEAKY = re.compile(r"leaky_relu\(\s*(-?\d{1,9}(?:\.\d{1,9}|/\d{1,9})?)\s*\)")


def dual_activation(text: str) -> DualActivation:
    """The dual activation of a catalogue name, of "abs", of "leaky_relu(0.1)" or "leaky_relu(1/10)", or of an expression in s.

    Raises InputError for anything else (see ``theorems.activations.activation``), and, for an activation without a closed form,
    where its growth cannot be bounded.
    """
    if not isinstance(text, str):
        raise InputError(f"activation must be a string, got {text!r} ({type(text).__name__})")
    if text in CLOSED_FORMS:
        return CLOSED_FORMS[text]
    leaky = _LEAKY.fullmatch(text)
    if leaky:
        try:
            return leaky_relu(Fraction(leaky.group(1)))
        except ZeroDivisionError:
            raise InputError(f"the slope of leaky_relu must be a number, got {text!r}") from None
    if text.isidentifier() and text not in ("s", *ACTIVATIONS):
        known = tuple(dict.fromkeys((*ACTIVATIONS, *CLOSED_FORMS, "leaky_relu(0.1)")))
        listed = ", ".join(known)
        raise InputError(f"activation must be one of {listed}, or an expression in s, got {text!r}{nearest(text.lower(), known)}")
    return dual_of(activation(text))


@functools.lru_cache(maxsize=64)
def dual_of(phi: Activation) -> DualActivation:
    """The dual activation of a catalogue record or a user's expression: a closed form where there is one, else a Hermite series."""
    if phi.name in CLOSED_FORMS and ACTIVATIONS.get(phi.name) is phi:
        return CLOSED_FORMS[phi.name]
    for name, record in ACTIVATIONS.items():
        if name in CLOSED_FORMS and record.expression == phi.expression:
            return CLOSED_FORMS[name]
    coefficients = _rational_coefficients(phi.expression)
    if coefficients is not None:
        return _polynomial(phi.name, coefficients)
    return series_of(phi)


def series_of(phi: Activation) -> DualActivation:
    """The dual activation by Hermite series, whatever closed form there may be."""
    series = HermiteSeries(phi)
    mirrored = phi.expression.xreplace({S: -S})
    slope = bounded_form(phi.derivative)  # phi'(s) + phi'(-s) is constant where phi(s) - phi(-s) is a multiple of s
    return DualActivation(
        phi.name,
        lambda pair, arithmetic: series.value(pair.a, pair.b, pair.c, pair.same, arithmetic),
        lambda pair, arithmetic: series.slope(pair.a, pair.b, pair.c, pair.same, arithmetic),
        closed_form=False,
        parity=1 if mirrored == phi.expression else -1 if sympy.expand(mirrored + phi.expression) == 0 else 0,
        vanishes_at_zero=phi.expression.xreplace({S: sympy.S.Zero}) == 0,
        odd_part_linear=S not in sympy.expand(slope + slope.xreplace({S: -S})).free_symbols,
        even_part_constant=S not in sympy.expand(mirrored + phi.expression).free_symbols,
    )


def _rational_coefficients(expression: sympy.Expr) -> tuple[Fraction, ...] | None:
    if not expression.is_polynomial(S):
        return None
    coefficients = sympy.Poly(expression, S).all_coeffs()[::-1]
    if len(coefficients) > LARGEST_DEGREE + 1 or not all(p.is_Rational for p in coefficients):
        return None
    return tuple(Fraction(int(p.p), int(p.q)) for p in coefficients)
