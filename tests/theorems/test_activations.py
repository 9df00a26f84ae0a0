"""Activations: bounds of phi' and phi'' against critical points found by hand or by mpmath, never by branch and bound."""

from __future__ import annotations

import importlib
import pkgutil
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import theorems.activations
from numerics.activations import BUILTIN
from theorems.activations import ACTIVATIONS, Activation, S, activation
from theorems.arithmetic import FLOAT
from theorems.enclosures import TAIL_GAP, Enclosure, Unbounded
from theorems.errors import InputError
from theorems.programs import evaluate
from theorems.search import RELATIVE_GAP

DIGITS = 40
REFERENCE_ERROR = Fraction(1, 10**35)
WIDTH = 2 * max(RELATIVE_GAP, TAIL_GAP)  # relative; the second for suprema that are approached at infinity only
SMOOTH = [record for record in ACTIVATIONS.values() if record.smooth]


def _critical(function, start) -> Fraction:
    """|f| at the critical point of f near ``start``, by mpmath alone."""
    with mpmath.workdps(DIGITS + 20):
        s = mpmath.findroot(lambda x: mpmath.diff(function, x), start)
        return Fraction(mpmath.nstr(abs(function(s)), DIGITS))


def _exactly(expression) -> Fraction:
    return Fraction(str(sympy.sympify(expression).evalf(DIGITS)))


def _silu_slope(s):
    p = 1 / (1 + mpmath.exp(-s))
    return p + s * p * (1 - p)


def _mish_slope(s):
    return mpmath.diff(lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), s)


root = sympy.sqrt
# name or expression: (sup |phi'|, sup |phi''|)
KNOWN = {
    "tanh": (1, 4 / (3 * root(3))),
    "erf": (2 / root(sympy.pi), root(8 / (sympy.pi * sympy.E))),
    "sin": (1, 1),
    "cos": (1, 1),
    "softplus": (1, sympy.Rational(1, 4)),
    "gelu": ((1 + sympy.erf(1)) / 2 + sympy.exp(-1) / root(sympy.pi), 2 / root(2 * sympy.pi)),  # phi'' = 0 at root 2
    "silu": (_critical(_silu_slope, 2.4), sympy.Rational(1, 2)),
    "sigmoid": (sympy.Rational(1, 4), 1 / (6 * root(3))),
    "arctan": (1, 3 * root(3) / 8),
    "gaussian_bump": (sympy.exp(sympy.Rational(-1, 2)), 1),
    "identity": (1, 0),
    "s*exp(-s**2/2)": (1, None),
    "s/(1 + exp(-2*s))": (_critical(_silu_slope, 2.4), 1),
    "s*tanh(softplus(s))": (_critical(_mish_slope, 1.5), None),
    "log(cosh(s))": (1, 1),
    "sqrt(1 + s**2)": (1, 1),
    "s + sin(s)": (2, 1),
    "s + sin(s)**2": (2, 2),
    "sin(s)*exp(-s**2/10)": (1, None),
    "sigmoid(sqrt(2)*s)": (root(2) / 4, 2 / (6 * root(3))),
    "(s + sqrt(s**2 + 4))/2": (1, sympy.Rational(1, 4)),
    "sigmoid(s - 500)": (sympy.Rational(1, 4), 1 / (6 * root(3))),
    "tanh(1000*s)": (1000, 10**6 * 4 / (3 * root(3))),
    "s*(1 + tanh(sqrt(2/pi)*(s + 0.044715*s**3)))/2": (None, 2 / root(2 * sympy.pi)),
}


def assert_encloses(enclosure: Enclosure, value: Fraction) -> None:
    slack = REFERENCE_ERROR * max(1, abs(value))
    assert enclosure.lower - slack <= value <= enclosure.upper + slack
    assert enclosure.upper - enclosure.lower <= WIDTH * enclosure.upper


def _golden_maximum(function) -> Fraction:
    """The largest |f| on a grid, refined by golden section: a value that is attained, close to the supremum."""
    with mpmath.workdps(DIGITS):
        best = max((mpmath.mpf(i) / 50 for i in range(-1000, 1001)), key=lambda s: abs(function(s)))
        low, high = best - mpmath.mpf(1) / 50, best + mpmath.mpf(1) / 50
        ratio = (mpmath.sqrt(5) - 1) / 2
        for _ in range(80):
            a, b = high - ratio * (high - low), low + ratio * (high - low)
            low, high = (low, b) if abs(function(a)) > abs(function(b)) else (a, high)
        return Fraction(mpmath.nstr(abs(function(low)), DIGITS - 5))


@pytest.mark.parametrize("text", [*KNOWN])
def test_bounds_of_slope_and_curvature(text):
    phi = activation(text)
    for order, (bound, known) in enumerate(zip((phi.slope_bound(), phi.curvature_bound()), KNOWN[text], strict=True), start=1):
        if known is None:
            known = _golden_maximum(sympy.lambdify(S, sympy.diff(phi.expression, S, order), "mpmath"))
        assert_encloses(bound, known if isinstance(known, Fraction) else _exactly(known))


def test_every_smooth_catalogue_entry_has_a_known_value():
    assert {record.name for record in SMOOTH} <= set(KNOWN)


@pytest.mark.parametrize("name", ["tanh", "sin", "sigmoid", "arctan", "identity", "softplus", "cos"])
def test_slopes_that_are_rational_are_exact_from_above(name):
    assert activation(name).slope_bound().upper == KNOWN[name][0]


@pytest.mark.parametrize("name", ["softplus", "silu", "gaussian_bump", "identity", "sin", "cos"])
def test_curvatures_that_are_rational_are_exact_from_above(name):
    assert activation(name).curvature_bound().upper == KNOWN[name][1]


@given(st.sampled_from(SMOOTH), st.floats(-1e3, 1e3))
def test_no_point_exceeds_the_bounds(phi, s):
    """mpmath differentiates phi itself, numerically: independent of symbolic derivatives and their rewriting."""
    with mpmath.workdps(60):
        function = sympy.lambdify(S, phi.expression, "mpmath")
        for order, bound in ((1, phi.slope_bound()), (2, phi.curvature_bound())):
            value = abs(mpmath.diff(function, mpmath.mpf(s), order))
            # mpmath's step is 10^(-digits/(order + ...)): at 60 digits the quotient is good to 15 at least.
            assert value <= mpmath.mpf(bound.upper.numerator) / bound.upper.denominator + mpmath.mpf("1e-15")


@pytest.mark.parametrize("phi", SMOOTH, ids=lambda phi: phi.name)
def test_programs_evaluate_value_and_slope_far_out_without_overflow(phi):
    points = np.array([-1e4, -750.0, -1.5, 0.0, 0.3, 2.0, 750.0, 1e4])
    value, slope = (np.broadcast_to(out, points.shape) for out in evaluate(phi.program(), FLOAT, [points]))
    with mpmath.workdps(DIGITS):
        function = sympy.lambdify(S, phi.expression, "mpmath")
        derivative = sympy.lambdify(S, sympy.diff(phi.expression, S), "mpmath")
        for i, s in enumerate(points):
            exact_value, exact_slope = float(function(mpmath.mpf(s))), float(derivative(mpmath.mpf(s)))
            # A handful of roundings, each relative to a term of the size of s or of 1.
            assert abs(value[i] - exact_value) <= 16 * np.finfo(float).eps * max(1.0, abs(s))
            assert abs(slope[i] - exact_slope) <= 16 * np.finfo(float).eps * max(1.0, abs(s))


def test_a_users_softplus_does_not_overflow_either():
    value, slope = evaluate(activation("softplus(2*s) - log(cosh(s))").program(), FLOAT, [np.array([-800.0, 800.0])])
    assert np.allclose(value, [-800 + np.log(2), 800 + np.log(2)], rtol=1e-15, atol=0)
    assert np.allclose(slope, [1.0, 1.0], rtol=1e-15, atol=0)


def test_relu_is_measured_but_not_certified():
    relu = activation("relu")
    assert not relu.smooth
    for ask in (relu.slope_bound, relu.curvature_bound, relu.program, lambda: relu.derivative, lambda: relu.second_derivative):
        with pytest.raises(InputError, match="'relu' is measured, never certified: it is not differentiable at 0"):
            ask()


BAD = [
    ("tanhh", "did you mean 'tanh'"),
    ("GELU", "did you mean 'gelu'"),
    ("swish", "must be one of"),
    ("__import__", "must be one of"),
    ("s.__class__", "got '.' at position 2"),
    ("__import__('os').getcwd()", "position 1"),
    ("open(s)", "'open' at position 1"),
    ("1/s", "near s = 0"),
    ("sqrt(s)", "square root"),
    ("log(s)", "logarithm"),
    ("sqrt(s**2)", "abs is not differentiable"),
    ("arctan(1/s)", "near s = 0"),
    ("", "empty"),
    ("2", "must depend on s"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[repr(text) for text, _ in BAD])
def test_bad_activations_are_one_sentence(text, message):
    with pytest.raises(InputError) as error:
        activation(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [None, 3, ["tanh"]])
def test_an_activation_is_a_string(value):
    with pytest.raises(InputError, match="must be a string"):
        activation(value)


def test_unbounded_derivatives_are_refused_with_the_reason():
    with pytest.raises(Unbounded, match=r"'s\*\*2' is not certified, because its slope phi' is unbounded: as s tends to"):
        activation("s**2").slope_bound()
    assert activation("s**2").curvature_bound() == Enclosure.exact(2)
    with pytest.raises(InputError, match=r"no bound of its curvature phi'' is proved"):
        activation("s*sin(s)").curvature_bound()
    with pytest.raises(Unbounded):
        activation("exp(s)").curvature_bound()


def test_every_activation_defined_is_in_the_catalogue():
    defined = {
        id(value)
        for module in pkgutil.iter_modules(theorems.activations.__path__)
        for value in vars(importlib.import_module(f"theorems.activations.{module.name}")).values()
        if isinstance(value, Activation)
    }
    assert defined == {id(record) for record in ACTIVATIONS.values()}


def test_names_agree_with_the_kernels():
    assert set(ACTIVATIONS) == set(BUILTIN)
