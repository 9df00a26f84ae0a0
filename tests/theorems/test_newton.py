"""Theorem N on quadratic maps: where it promises a solution Newton's method finds one within the promised distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, FLOAT, lower, upper
from theorems.catalogue import theorem
from theorems.statements import notation as n
from verify.composite_problems import QuadraticMap
from verify.strategies import quadratic_maps

EPS = np.finfo(np.float64).eps
N = theorem("N")
SQUARE = theorem("A-square")


def constants_at(mapping: QuadraticMap, target: np.ndarray) -> dict[str, float]:
    """The record's constants at theta = 0, where e = -target, with R = rbar."""
    values = {
        "lambda0": np.linalg.svd(mapping.linear, compute_uv=False)[-1] ** 2,
        "beta": mapping.lipschitz,
        "newton_step": np.linalg.norm(np.linalg.pinv(mapping.linear) @ target),
        "R": 0.0,
    }
    radius = N.evaluate_constants(values, FLOAT)["rbar"]
    return N.evaluate_constants({**values, "R": radius}, FLOAT)


def with_quotient(unit: QuadraticMap, quotient: float, seed: int) -> tuple[QuadraticMap, np.ndarray]:
    """Bend the map, and draw a target, so that 2 beta |DF^+ e|/sigma = quotient."""
    size = len(unit.linear)
    generator = np.random.default_rng(seed)
    target = generator.standard_normal(size) * 10.0 ** generator.uniform(-3, 3)
    left, spectrum, _ = np.linalg.svd(unit.linear)
    if generator.integers(0, 2):
        target = left[:, -1] * np.linalg.norm(target)
    step = np.linalg.norm(np.linalg.pinv(unit.linear) @ target)
    beta = quotient * spectrum[-1] / (2 * step)
    return QuadraticMap(unit.linear, beta * unit.quadratic, beta), target


def newton(mapping: QuadraticMap, target: np.ndarray, iterations: int = 80) -> np.ndarray:
    """Newton's method for F = target on range A^*, from 0: the argument of the proof."""
    basis = np.linalg.svd(mapping.linear, full_matrices=False)[2].T
    theta = np.zeros(len(basis))
    for _ in range(iterations):
        step = np.linalg.lstsq(mapping.jacobian(theta) @ basis, mapping(theta) - target, rcond=None)[0]
        theta = theta - basis @ step
    return theta


@settings(max_examples=150)
@given(quadratic_maps(), st.floats(1e-3, 0.999) | st.sampled_from([0.999, 0.9999, 1 - 1e-6]), st.integers(0, 2**32 - 1))
def test_a_solution_exists_within_the_radius(unit, quotient, seed) -> None:
    mapping, target = with_quotient(unit, quotient, seed)
    constants = constants_at(mapping, target)
    margins = N.margins(constants, FLOAT)
    assert all(margin >= 0 for margin in margins.values()), margins
    theta = newton(mapping, target)
    sums = np.linalg.norm(target) + np.linalg.norm(mapping.linear) * np.linalg.norm(theta)
    assert np.linalg.norm(mapping(theta) - target) <= 256 * EPS * sums
    # A residual's rounding moves the solution by 1/sigma_min(DF(theta*)), at least sigma sqrt(1 - N); so does that of N move rbar.
    sigma = math.sqrt(constants["lambda0"])
    rounding = 256 * EPS * (sums / sigma + constants["rbar"]) / math.sqrt(1 - constants["q"])
    assert np.linalg.norm(theta) <= constants["rbar"] + rounding


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 0.999))
def test_blocks_along_the_weakest_direction_attain_the_radius(seed, quotient) -> None:
    generator = np.random.default_rng(seed)
    size, parameters = 2, 3
    linear = np.eye(size, parameters) * [[1.0], [generator.uniform(0.1, 1.0)]]
    tensor = np.zeros((size, parameters, parameters))
    tensor[1, 1, 1] = -1.0
    sigma = linear[1, 1]
    beta = generator.uniform(0.1, 10)
    target = np.array([0.0, quotient * sigma**2 / (2 * beta)])
    mapping = QuadraticMap(linear, beta * tensor, beta)
    constants = constants_at(mapping, target)
    near = 64 * EPS / math.sqrt(1 - quotient)
    assert constants["q"] == pytest.approx(quotient, rel=16 * EPS)
    assert np.linalg.norm(newton(mapping, target)) == pytest.approx(constants["rbar"], rel=near + 1e-13)
    # No nearer point solves: along the path to rbar the second output stays short of its target, whatever the others do.
    x = constants["rbar"] * (1 - 1e-6 - near)
    assert sigma * x - beta * x**2 / 2 < target[1]


def test_the_radius_is_the_nearest_solution_in_one_dimension() -> None:
    """F(theta) = sigma theta - beta theta^2/2 = t: exactly, with z = sqrt(1 - N); at N = 1 it is the maximum of F."""
    sigma, z = sympy.symbols("sigma z", positive=True)
    t = (1 - z**2) * sigma**2 / (2 * n.beta)
    formulas = {item.symbol: item.expression for item in N.constants}
    step = sympy.Symbol("newton_step", positive=True)
    assert sympy.simplify(formulas[n.q].subs({n.lambda0: sigma**2, step: t / sigma}) - (1 - z**2)) == 0
    radius = sympy.cancel(formulas[n.rbar].subs({n.q: 1 - z**2, step: t / sigma}))
    assert sympy.simplify(radius - sigma / n.beta * (1 - z)) == 0
    assert sympy.simplify(sigma * radius - n.beta * radius**2 / 2 - t) == 0
    assert sympy.simplify(radius.subs(z, 0) - sigma / n.beta) == 0


def test_beyond_one_there_is_no_promise_and_no_solution() -> None:
    values = {"lambda0": 1.0, "beta": 1.0, "newton_step": 0.5 + 2.0**-40, "R": 10.0}
    constants = N.evaluate_constants(values, FLOAT)
    assert constants["q"] > 1
    assert np.isnan(constants["rbar"])
    assert N.margins(constants, FLOAT)["q"] < 0
    # theta - theta^2/2 is at most 1/2.
    assert N.margins(N.evaluate_constants({**values, "newton_step": 0.5}, FLOAT), FLOAT)["q"] == 0


@settings(max_examples=60)
@given(quadratic_maps(), st.floats(1e-3, 0.99), st.integers(0, 2**32 - 1))
def test_existence_is_certified_before_convergence(unit, quotient, seed) -> None:
    """|DF^+ e| <= s/sigma, so N <= q and its radius is at most that of Theorem A."""
    mapping, target = with_quotient(unit, quotient, seed)
    constants = constants_at(mapping, target)
    values = {"eta": 0.0, "lambda_max": 1.0, "s0": np.linalg.norm(target), "R": 0.0}
    descent = SQUARE.evaluate_constants({**values, "lambda0": constants["lambda0"], "beta": constants["beta"]}, FLOAT)
    assert constants["q"] <= descent["q"] * (1 + 1e-12)
    if descent["q"] < 1:
        assert constants["rbar"] <= descent["rbar"] * (1 + 1e-9)


def test_the_constants_in_balls_enclose_those_in_floats() -> None:
    values = {"lambda0": 0.3, "beta": 0.2, "newton_step": 0.1, "R": 1.0}
    balls = N.evaluate_constants({name: BALL.numbers(value) for name, value in values.items()}, BALL)
    for name, value in N.evaluate_constants(values, FLOAT).items():
        assert float(lower(balls[name])) * (1 - 8 * EPS) <= value <= float(upper(balls[name])) * (1 + 8 * EPS)
