"""Losses: declared constants proved again by branch and bound, minimizers against high precision, refusals with reasons."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import theorems.losses
from theorems.arithmetic import FLOAT
from theorems.enclosures import Enclosure, Unbounded
from theorems.errors import InputError
from theorems.grammar import T, Y
from theorems.losses import LOSSES, RIDGED_LOSSES, Loss, loss
from theorems.losses.roots import RELATIVE_WIDTH
from theorems.programs import evaluate

MU_WIDTH = Fraction(1, 10**6)  # relative, to which mu is asked for
TENTH = Fraction(1, 10)
USER = [
    ("log(cosh(y - t)) + (y - t)**2/20", TENTH, 1 + TENTH),
    ("sqrt(1 + (t - y)**2) - 1 + (y - t)**2/20", TENTH, 1 + TENTH),
    ("log(1 + exp(-t*y)) + y**2/20", TENTH, Fraction(1, 4) + TENTH),
    ("softplus(-t*y) + y**2/2000", Fraction(1, 1000), Fraction(1, 4) + Fraction(1, 1000)),
    ("y**2/2 - t*y", Fraction(1), Fraction(1)),
    ("(y - t)**2/2 - cos(y - t)/2", Fraction(1, 2), Fraction(3, 2)),
    ("y**2/2 + sin(y - 3*t)/2", Fraction(1, 2), Fraction(3, 2)),
    ("3*(y/t)**2", Fraction(6), Fraction(6)),
]


def assert_close(enclosure: Enclosure, value: Fraction, width: Fraction = MU_WIDTH) -> None:
    assert enclosure.lower <= value <= enclosure.upper
    assert enclosure.upper - enclosure.lower <= width * abs(value)


@pytest.mark.parametrize(("text", "mu", "smoothness"), USER, ids=[text for text, _, _ in USER])
def test_constants_of_user_losses(text, mu, smoothness):
    constants = loss(text).constants([1.0, -1.0])
    assert_close(constants.mu, mu)
    assert_close(constants.smoothness, smoothness)


@pytest.mark.parametrize("name", [*RIDGED_LOSSES])
@pytest.mark.parametrize("ridge", [Fraction(1, 10), Fraction(0.1), Fraction(3)])
def test_declared_constants_are_proved_again(name, ridge):
    declared = loss(name, ridge)
    derived = dataclasses.replace(declared, declared=None).constants([1, -1])
    constants = declared.constants([1, -1])
    assert constants.mu == Enclosure.exact(ridge)
    for exact, found in ((constants.mu, derived.mu), (constants.smoothness, derived.smoothness)):
        assert exact.lower == exact.upper
        assert_close(found, exact.lower)


@pytest.mark.parametrize("name", ["square", "weighted_square"])
def test_the_square_loss(name):
    record = loss(name)
    assert record.is_square
    assert record.weighted == (name == "weighted_square")
    assert record.constants([0.3, 7]).mu == record.constants([0.3]).smoothness == Enclosure.exact(1)
    assert dataclasses.replace(record, declared=None).constants([0.3]) == record.constants([0.3])
    assert record.minimizer(0.1) == Enclosure.exact(Fraction(0.1))  # the double, not one tenth
    assert loss("(y - t)**2/2").is_square
    assert not loss("log_cosh", TENTH).is_square


REFUSED = [
    ("logistic", Fraction(0), "logistic loss without ridge is not Polyak-Lojasiewicz"),
    ("logistic", None, "add ridge > 0"),
    ("log_cosh", None, "log_cosh loss without ridge is not Polyak-Lojasiewicz"),
    ("pseudo_huber", None, "pseudo_huber loss without ridge is not Polyak-Lojasiewicz"),
    ("log(1 + exp(-t*y))", None, "not shown to be Polyak-Lojasiewicz"),
    ("(y - t)**2/2 + 3*sin(y - t)**2", None, "inf l'' lies in [-5"),
    ("(y - t)**4", None, "not shown to be Polyak-Lojasiewicz|no smoothness constant L, because l'' is unbounded"),
    ("exp(y - t) - y", None, "no smoothness constant L"),
    ("sqrt((y - t)**2)", None, "abs is not differentiable"),
    ("(y - t)**2*sqrt(y)", None, "square root"),
    ("1/y", None, "near y = 0"),
    ("y", None, "inf l'' lies in [0"),
]


@pytest.mark.parametrize(("text", "ridge", "reason"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_losses_without_constants_are_refused_with_the_reason(text, ridge, reason):
    record = loss(text, ridge)
    for ask in (lambda: record.constants([1.0, -1.0]), lambda: record.minimizer(1.0), lambda: record.minimum(1.0)):
        with pytest.raises(InputError) as error:
            ask()
        assert any(part in str(error.value) for part in reason.split("|"))


def test_an_unbounded_curvature_is_told_from_one_that_is_not_enclosed():
    with pytest.raises(Unbounded):
        loss("(y - t)**4 + (y - t)**2").constants([0.0])


@pytest.mark.parametrize(("targets", "shown"), [([1, -1, 0.5], "0.5"), ([0], "0"), ([1.0, 2.0], "2.0")])
def test_logistic_targets(targets, shown):
    for ask in (loss("logistic", TENTH).check_targets, loss("logistic", TENTH).constants):
        with pytest.raises(InputError, match=rf"'logistic' must be -1 or \+1, got {shown}"):
            ask(targets)
    loss("logistic", TENTH).check_targets([1.0, -1, np.float64(-1.0)])


@pytest.mark.parametrize("target", [float("nan"), float("inf")])
def test_targets_must_be_finite(target):
    with pytest.raises(InputError):
        loss("square").check_targets([0.0, target])


def test_a_target_where_the_loss_is_undefined():
    with pytest.raises(InputError, match="not defined for the target 0"):
        loss("(y/t)**2").constants([1.0, 0.0])


def test_too_many_distinct_targets():
    targets = [float(i) for i in range(1, 66)]
    with pytest.raises(InputError, match="at most 64 distinct values, got 65"):
        loss("log(1 + exp(-t*y)) + y**2/20").constants(targets)
    # A function of y - t, or a polynomial in y whose curvature is free of t, has no such limit.
    assert loss("log(cosh(y - t)) + (y - t)**2/20").constants(targets).mu.lower > 0
    assert loss("log(cosh(y - t)) + y**2/20 - t**3*y").constants(targets).mu.lower > 0
    assert loss("y**2/2 - t*y").constants(targets).mu == Enclosure.exact(1)
    with pytest.raises(InputError, match="not defined for the target 0"):
        loss("y**2/2 - y/t").constants([0.0])


def test_targets_are_the_doubles_that_they_are():
    """At t = 0.1 the curvature is 1 + t^2, with the double for t."""
    constants = loss("y**2*(1 + t**2)/2").constants([0.1])
    assert constants.mu == constants.smoothness == Enclosure.exact(1 + Fraction(0.1) ** 2)


def _minimize(record: Loss, target: float, start: float) -> tuple[Fraction, Fraction]:
    with mpmath.workdps(60):
        t = sympy.Rational(Fraction(target).numerator, Fraction(target).denominator)
        slope = sympy.lambdify(Y, record.derivative.subs(T, t), "mpmath")
        y = mpmath.findroot(slope, start)
        value = sympy.lambdify(Y, record.expression.subs(T, t), "mpmath")(y)
        return Fraction(mpmath.nstr(y, 50)), Fraction(mpmath.nstr(value, 50))


MINIMIZED = [
    ("logistic", Fraction(1, 10), 1.0, 1.6),
    ("logistic", Fraction(1, 10), -1.0, -1.6),
    ("logistic", Fraction(1, 10**9), 1.0, 17.0),
    ("logistic", Fraction(10**6), 1.0, 0.0),
    ("y**2/2 + sin(y - 3*t)/2", None, 0.7, 0.1),
    ("cosh(y - 2*t)*0 + (y - t)**2/2 + log(1 + exp(5*y))/10", None, 2.5, 2.0),
    ("log(cosh(y - t)) + y**2/20", None, 1e6, 1e6),
]


@pytest.mark.parametrize(("text", "ridge", "target", "start"), MINIMIZED, ids=[f"{row[0]} {row[2]}" for row in MINIMIZED])
def test_minimizers_and_minima(text, ridge, target, start):
    record = loss(text, ridge)
    place, value = record.minimizer(target), record.minimum(target)
    if abs(start) < 1e5:
        y, least = _minimize(record, target, start)
        error = Fraction(1, 10**45) * max(1, abs(y))
        assert place.lower - error <= y <= place.upper + error
        assert value.lower - error <= least <= value.upper + error
    else:  # tanh(y - t) is -1 to all digits, so the slope is y/10 - 1
        assert place.lower <= 10 <= place.upper
    assert place.upper - place.lower <= RELATIVE_WIDTH * max(1, abs(place.upper))


@given(st.sampled_from([*RIDGED_LOSSES]), st.floats(1e-6, 1e3), st.sampled_from([-1.0, 1.0]), st.floats(-1e3, 1e3))
def test_the_minimum_is_below_every_value_and_pl_holds(name, ridge, target, y):
    """|l'|^2 >= 2 mu (l - min l), at doubles, with the slack of a few roundings of terms of size l."""
    record = loss(name, Fraction(ridge))
    value, slope, curvature = (float(out) for out in evaluate(record.program(), FLOAT, [np.float64(y), np.float64(target)]))
    constants = record.constants([target])
    mu, least = float(constants.mu.lower), float(record.minimum(target).lower)
    rounding = 64 * np.finfo(float).eps
    assert value >= least - rounding * (1 + abs(value))
    assert slope**2 >= 2 * mu * (value - least) * (1 - rounding) - rounding * (1 + mu) * (1 + abs(value))
    assert mu * (1 - rounding) - rounding <= curvature <= float(constants.smoothness.upper) * (1 + rounding) + rounding


@pytest.mark.parametrize("record", [*LOSSES.values(), *(make(TENTH) for make in RIDGED_LOSSES.values())], ids=lambda r: r.name)
def test_programs_far_out(record):
    y = np.array([-2000.0, -3.0, 0.25, 2000.0])
    t = np.array([1.0, -1.0, 1.0, -1.0])
    outputs = [np.broadcast_to(out, y.shape) for out in evaluate(record.program(), FLOAT, [y, t])]
    with mpmath.workdps(40):
        for order, out in enumerate(outputs):
            exact = sympy.lambdify((Y, T), sympy.diff(record.expression, Y, order), "mpmath")
            for i in range(len(y)):
                reference = float(exact(mpmath.mpf(y[i]), mpmath.mpf(t[i])))
                assert abs(out[i] - reference) <= 16 * np.finfo(float).eps * max(1.0, abs(reference))


BAD = [
    ("Logistic", None, "did you mean 'logistic'"),
    ("hinge", None, "must be one of"),
    ("t**2", None, "must depend on y"),
    ("y.real", None, "position 2"),
    ("square", TENTH, "ridge applies to the losses"),
    ("(y - t)**2", TENTH, "ridge applies to the losses"),
    ("logistic", Fraction(-1), "ridge must be at least 0"),
    ("logistic", float("nan"), "finite"),
    (None, None, "must be a string"),
]


@pytest.mark.parametrize(("text", "ridge", "message"), BAD, ids=[str(row[0]) for row in BAD])
def test_bad_losses_are_one_sentence(text, ridge, message):
    with pytest.raises(InputError) as error:
        loss(text, ridge)
    assert message in str(error.value)


def test_every_loss_file_is_in_the_catalogue():
    helpers = {"record", "roots", "ridged"}
    files = {module.name for module in pkgutil.iter_modules(theorems.losses.__path__)} - helpers
    assert files == {*LOSSES, *RIDGED_LOSSES}
    for name in helpers:
        assert importlib.import_module(f"theorems.losses.{name}").__doc__
