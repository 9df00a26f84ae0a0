"""The ball recursion as a formula: against a transcription of E1-E4, over symbols, balls and floats.

Any nonnegative numbers will do as signals here; that the bounds are true of networks is the matter of test_ball.py.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, FLOAT, SYMBOLIC, lower, upper
from theorems.ball import BallBounds, CurvatureTerm, SignalsAtPoint, ball_bounds, curvature_terms_of, shares_of_beta

EPS = np.finfo(np.float64).eps
RADII = st.floats(-2.0, 0.7).map(lambda exponent: 10.0**exponent)


@st.composite
def signals_at_points(draw, largest_layers: int = 5, largest_points: int = 4) -> SignalsAtPoint:
    layers, points = draw(st.integers(1, largest_layers)), draw(st.integers(1, largest_points))
    trained = draw(st.lists(st.booleans(), min_size=layers, max_size=layers).filter(any))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def some(*shape: int) -> np.ndarray:
        return 10.0 ** generator.uniform(-1.5, 1.0, shape) * generator.integers(0, 5, shape).clip(0, 1)

    return SignalsAtPoint(
        fan_in_scales=tuple(10.0 ** generator.uniform(-1, 0.3, layers)),
        bias_scale=draw(st.sampled_from([0.0, 0.3])),
        output_scale=draw(st.sampled_from([0.5, 2.0])),
        trained=tuple(trained),
        slope=float(generator.uniform(0.2, 1.2)),
        curvature=float(generator.uniform(0.0, 1.0)),
        operator_norms=some(layers),
        forward_norms=some(layers, points),
        gram_norms=some(layers),
        schur=float(generator.uniform(0.0, 2.0)),
        backward_sup=some(layers - 1, points),
        backward_norms=np.vstack([some(layers - 1, points), np.ones((1, points))]),
    )


@settings(max_examples=100)
@given(signals=signals_at_points(), radius=RADII, growth=st.floats(1.0, 3.0))
def test_every_bound_grows_with_the_radius(signals, radius, growth) -> None:
    small, large = ball_bounds(signals, radius, FLOAT), ball_bounds(signals, radius * growth, FLOAT)
    for item in dataclasses.fields(BallBounds):
        assert np.all(getattr(small, item.name) <= getattr(large, item.name) * (1 + 64 * EPS) + 1e-300), item.name


def as_printed(s: SignalsAtPoint, radius: float) -> dict[str, object]:
    """E1-E4 transcribed with layers numbered from 1 and one loop per formula, so that no term is lost where attacks are blind."""
    n, depth, trained = s.forward_norms.shape[1], s.layers, (False, *s.trained)
    layers, t_set = range(1, depth + 1), [layer for layer in range(1, depth + 1) if trained[layer]]
    lp, lpp, c = s.slope, s.curvature, (0.0, *s.fan_in_scales)
    h = [None, *s.forward_norms]  # h[l] = |h_{l-1}|
    a = [0.0] + [c[layer] * (s.operator_norms[layer - 1] + (radius if trained[layer] else 0.0)) for layer in layers]
    p = [None] + [np.sqrt(c[layer] ** 2 * h[layer] ** 2 + s.bias_scale**2) for layer in layers]
    p_nu = [0.0, *s.gram_norms]
    d, d_nu = [np.zeros(n)], [0.0]
    for layer in layers:
        d.append(np.sqrt(trained[layer] * p[layer] ** 2 + (a[layer] * lp * d[-1]) ** 2))
        d_nu.append(math.sqrt(trained[layer] * p_nu[layer] ** 2 + (a[layer] * lp * d_nu[-1]) ** 2))
    v, v_nu = [np.zeros((n, depth + 1))], [np.zeros(depth + 1)]
    for layer in layers:
        unit = np.eye(depth + 1)[layer] * trained[layer]
        hat = np.sqrt(c[layer] ** 2 * (h[layer] + lp * radius * d[layer - 1]) ** 2 + s.bias_scale**2)
        v.append(a[layer] * lp * v[-1] + np.outer(hat, unit))
        v_nu.append(a[layer] * lp * v_nu[-1] + (p_nu[layer] + c[layer] * lp * radius * d_nu[layer - 1]) * unit)
    eta = [None, *s.backward_sup]
    delta = [None, *s.backward_norms]
    b: dict[int, object] = {depth - 1: np.full(n, c[depth] * radius * trained[depth])}
    for layer in range(depth - 2, 0, -1):
        inner = lp * b[layer + 1] + lpp * radius * d[layer + 1] * eta[layer + 1]
        b[layer] = a[layer + 1] * inner + c[layer + 1] * radius * trained[layer + 1] * delta[layer + 1]
    e = {layer: eta[layer] + b[layer] for layer in range(1, depth)}
    norms = {layer: delta[layer] + lp * b[layer] + lpp * radius * d[layer] * eta[layer] for layer in range(1, depth)}
    norms[depth] = np.ones(n)
    m = np.zeros((depth + 1, depth + 1))
    for layer in layers:
        unit, maximum = np.eye(depth + 1)[layer], v[layer].max(axis=0)
        if layer >= 2 and trained[layer]:
            part = np.outer(unit, v_nu[layer - 1])
            m += c[layer] * lp * norms[layer].max() * (part + part.T)
        if layer < depth:
            part = np.outer(maximum, v_nu[layer]) if layer > 1 else s.schur * trained[1] * np.outer(unit, unit)
            m += lpp / 2 * e[layer].max() * (part + part.T)
    return {
        "forward_drift": np.array(d[1:]),
        "backward_drift": np.array([b[layer] for layer in range(1, depth)]),
        "backward_sup": np.array([e[layer] for layer in range(1, depth)]),
        "backward_norms": np.array([norms[layer] for layer in layers]),
        "curvature_matrix": m[np.ix_(t_set, t_set)],
        "beta": s.output_scale * np.linalg.eigvalsh(m)[-1],
    }


@settings(max_examples=150)
@given(signals=signals_at_points(), radius=RADII | st.just(0.0))
def test_the_recursion_is_that_of_the_notes(signals, radius) -> None:
    bounds, printed = ball_bounds(signals, radius, FLOAT), as_printed(signals, radius)
    for name, value in printed.items():
        # Sums of products of nonnegative numbers; an eigenvalue is accurate relative to the largest.
        np.testing.assert_allclose(
            np.asarray(getattr(bounds, name), dtype=float), value, rtol=1024 * EPS, atol=1e-300, err_msg=name
        )


# --- The terms of beta ---


@settings(max_examples=100)
@given(signals=signals_at_points(), radius=RADII | st.just(0.0))
def test_the_terms_of_beta_are_those_that_occur(signals, radius) -> None:
    """Each on its own: a term of order 2 at layer l vanishes with E_l alone, and no other term knows E_l."""
    bounds, terms = ball_bounds(signals, radius, FLOAT), curvature_terms_of(signals.trained)
    assert len(terms) == len(bounds.curvature_terms)
    np.testing.assert_allclose(sum(bounds.curvature_terms, 0 * bounds.curvature_matrix), bounds.curvature_matrix, rtol=64 * EPS)
    for term, matrix in zip(terms, bounds.curvature_terms, strict=True):
        assert np.array_equal(matrix, matrix.T)
        size = bounds.backward_sup if term.order == 2 else bounds.backward_norms
        if size[term.layer - 1].max() == 0:
            assert not matrix.any()
    for layer in range(1, signals.layers + 1):
        below = any(signals.trained[: layer - 1])
        assert (CurvatureTerm(layer, 1) in terms) == (signals.trained[layer - 1] and below)
        assert (CurvatureTerm(layer, 2) in terms) == (layer < signals.layers and any(signals.trained[:layer]))


@settings(max_examples=100)
@given(signals=signals_at_points(), radius=RADII)
def test_shares_of_beta(signals, radius) -> None:
    """They sum to 1, and beta falls at first by its share when a term is taken away (the derivative of a simple eigenvalue)."""
    bounds = ball_bounds(signals, radius, FLOAT)
    shares = shares_of_beta(bounds)
    if bounds.beta == 0:
        assert not any(shares)
        return
    assert math.isclose(sum(shares), 1, rel_tol=1e-9)
    assert min(shares) >= -1e-12
    matrix, values = bounds.curvature_matrix, np.linalg.eigvalsh(bounds.curvature_matrix)
    gap = 1.0 if len(values) == 1 else (values[-1] - values[-2]) / values[-1]
    step = 1e-5 * gap
    if gap > 1e-3:
        for term, share in zip(bounds.curvature_terms, shares, strict=True):
            less = np.linalg.eigvalsh(matrix - step * term)[-1]
            # The second derivative is at most 2 |term|^2/(gap lambda_max), and |term| <= lambda_max for a nonnegative part of M.
            assert abs((values[-1] - less) / (step * values[-1]) - share) <= 2 * step / gap + 1e-15 / step


# --- The recursion in other arithmetics ---


def test_the_formula_of_one_hidden_layer() -> None:
    """beta = alpha c_2 Lpp lambda_max((G o G)/n)^{1/2} for T = {1} and output signs, over symbols, with n = 2 points."""
    alpha, c1, c2, lpp, lp, schur, radius = sympy.symbols("alpha c_1 c_2 Lpp Lp S R", positive=True)
    norms = sympy.symbols("w_1 w_2 x_1 x_2 h_1 h_2 p_1 p_2 d_1 d_2", positive=True)
    w1, w2, x1, x2, h1, h2, p1, p2, d1, d2 = norms
    signals = SignalsAtPoint(
        fan_in_scales=(c1, c2),
        bias_scale=sympy.Integer(0),
        output_scale=alpha,
        trained=(True, False),
        slope=lp,
        curvature=lpp,
        operator_norms=np.array([w1, w2]),
        forward_norms=np.array([[x1, x2], [h1, h2]]),
        gram_norms=np.array([p1, p2]),
        schur=schur,
        backward_sup=np.array([[c2, c2]]),
        backward_norms=np.array([[d1, d2], [sympy.Integer(1), sympy.Integer(1)]]),
    )
    bounds = ball_bounds(signals, radius, SYMBOLIC)
    assert sympy.expand(bounds.beta - alpha * c2 * lpp * schur) == 0
    assert radius not in bounds.beta.free_symbols
    # E1 by hand: D_1 = c_1 |x|, D_2 = a_2 Lp D_1 with a_2 = c_2 |W_2|, for the second layer does not move.
    expected = [[c1 * x1, c1 * x2], [c2 * w2 * lp * c1 * x1, c2 * w2 * lp * c1 * x2]]
    assert all(sympy.expand(a - b) == 0 for a, b in zip(bounds.forward_drift.ravel(), np.ravel(expected), strict=True))


def in_arithmetic(signals: SignalsAtPoint, numbers) -> SignalsAtPoint:
    """The same signals as exact numbers of another arithmetic."""
    exact = {
        item.name: numbers(np.asarray(getattr(signals, item.name), dtype=object))
        for item in dataclasses.fields(SignalsAtPoint)
        if item.name != "trained"
    }
    return dataclasses.replace(signals, **exact)


def numbers_of(arithmetic):
    lift = np.frompyfunc(lambda value: arithmetic.numbers(float(value)), 1, 1)
    return lambda array: lift(array)


@settings(max_examples=25)
@given(signals=signals_at_points(largest_layers=3, largest_points=2), radius=RADII)
def test_symbols_balls_and_floats_agree(signals, radius) -> None:
    floats = ball_bounds(signals, radius, FLOAT)
    balls = ball_bounds(in_arithmetic(signals, numbers_of(BALL)), BALL.numbers(radius), BALL)
    exact = ball_bounds(in_arithmetic(signals, numbers_of(SYMBOLIC)), SYMBOLIC.numbers(radius), SYMBOLIC)
    # Sums and products of nonnegative numbers: some hundred operations lose some hundred u.
    error = 1024 * EPS
    for item in dataclasses.fields(BallBounds):
        triples = [np.ravel(np.asarray(getattr(b, item.name), dtype=object)) for b in (floats, balls, exact)]
        for value, ball_value, expression in zip(*triples, strict=True):
            low, high = lower(ball_value), upper(ball_value)
            assert float(low) * (1 - error) <= value <= float(high) * (1 + error), item.name
            number = sympy.S(expression).evalf(30)
            assert float(low) * (1 - error) <= float(number) <= float(high) * (1 + error), item.name
