"""A-priori constants: the polynomials against recursions written out here, arithmetics against each other, and monotonicity."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.apriori.ball import ball_signals
from theorems.apriori.blueprint import blueprint
from theorems.apriori.budget import EVENTS, budget, event_counts
from theorems.apriori.data import Moments, Points, at_start, beta_on_ball, moments_needed, root_mean_square
from theorems.apriori.display import formulas
from theorems.apriori.polynomial import Polynomial, mean_from_moments, root_of_squares, with_even_powers
from theorems.apriori.start import start_bounds
from theorems.arithmetic import BALL, FLOAT, SYMBOLIC, lower, upper
from theorems.ball import SignalsAtPoint, ball_bounds
from theorems.errors import InputError

EPS = np.finfo(np.float64).eps
ROUNDING = 1e-11  # some hundred operations on positive numbers, each with relative error 2^-53, to powers of at most 2 L
LINE = (0.0, 1.0)

positive = st.floats(0.1, 4.0)


@st.composite
def plans(draw, least_layers=2, most_layers=5):
    layers = draw(st.integers(least_layers, most_layers))
    trained = draw(st.lists(st.booleans(), min_size=layers, max_size=layers).filter(any))
    return blueprint(
        (
            draw(st.integers(1, 9)),
            *draw(st.lists(st.integers(1, 5000), min_size=layers - 1, max_size=layers - 1)),
            draw(st.integers(1, 3)),
        ),
        slope=draw(positive),
        curvature=draw(positive),
        at_zero=draw(st.sampled_from([0, 0.5])),
        points=draw(st.integers(1, 50)),
        weight_scale=draw(positive),
        bias_scale=draw(st.sampled_from([0.0, 0.3, 1.0])),
        output_scale=draw(positive),
        trained=trained,
        output_layer=draw(st.sampled_from(["signs", "gaussian"])),
    )


def shares_of(plan, delta=Fraction(1, 100), **events):
    return budget(event_counts(plan, **events), delta)


def polynomials(plan, radius, arithmetic=FLOAT, delta=Fraction(1, 100)):
    line = Polynomial(tuple(arithmetic.numbers(int(x)) for x in LINE))
    start = start_bounds(plan, shares_of(plan, delta), line, arithmetic)
    return start, ball_signals(start, arithmetic.numbers(radius), arithmetic)


# Polynomials

size = st.just(0.0) | st.floats(1e-3, 10)  # squares must not underflow
coefficients = st.lists(size, min_size=1, max_size=6)


@given(coefficients, coefficients, size)
def test_polynomials_add_multiply_and_bound_roots(a, b, x) -> None:
    p, q = Polynomial(tuple(a)), Polynomial(tuple(b))
    assert (p + q)(x) == pytest.approx(p(x) + q(x), rel=1e-12)
    assert (p * q)(x) == pytest.approx(p(x) * q(x), rel=1e-12)
    assert (p * 2.0)(x) == pytest.approx(2 * p(x), rel=1e-12)
    root = root_of_squares(p, q, FLOAT)(x)
    assert math.hypot(p(x), q(x)) <= root * (1 + 1e-12)
    assert root <= (p(x) + q(x)) * (1 + 1e-12)


@given(coefficients, st.lists(st.floats(0.01, 5), min_size=1, max_size=8), st.floats(0.1, 10))
def test_moments_bound_the_mean_and_even_powers_bound_the_polynomial(a, sample, scale) -> None:
    p, points = Polynomial(tuple(a)), np.array(sample)
    moments = [np.mean(points ** (2 * j)) for j in range(1, len(a) // 2 + 2)]
    mean = mean_from_moments(p, moments, FLOAT)
    assert np.mean(p(points)) <= mean * (1 + 1e-12)
    even = with_even_powers(p, scale)
    assert all(c == 0 for c in even.coefficients[1::2])
    assert np.all(p(points) <= even(points) * (1 + 1e-12))
    # The root is the best scale's value: no polynomial form is below it.
    assert mean <= mean_from_moments(even, moments, FLOAT) * (1 + 1e-12)


def test_odd_powers_of_a_sphere_lose_nothing_by_the_root_and_much_with_scale_one() -> None:
    square = Fraction(64)
    cube = Polynomial((0, 0, 0, 1))
    assert mean_from_moments(cube, [64.0, 64.0**2], FLOAT) == 8.0**3
    assert mean_from_moments(with_even_powers(cube, 8), [square, square**2], FLOAT) == 8.0**3
    assert mean_from_moments(with_even_powers(cube, 1), [square, square**2], FLOAT) == pytest.approx(8.0**3 * (1 + 64) / 16)


# The recursions


def written_out(plan, x, radius, delta=Fraction(1, 100)):
    """beta(x) from section F with sums in place of roots of sums: D_l <= p_l + a_l Lp D_{l-1}; scalar output, nothing shared."""
    shares = shares_of(plan, delta)
    layers, k = plan.layers, plan.outputs
    sizes, moves = plan.sizes, plan.trained
    lp, lpp, zero = float(plan.slope), float(plan.curvature), float(plan.at_zero)

    def tail(event):
        return math.sqrt(2 * math.log(shares.counts[event] / float(shares.shares[event])))

    c = {layer: float(plan.weight_scale) / math.sqrt(sizes[layer - 1]) for layer in range(1, layers + 1)}
    norm = {}
    for layer in range(2, layers + 1):
        if layer == layers and not plan.gaussian_output:
            norm[layer] = math.sqrt(k * sizes[layer - 1])
        else:
            rows = 0 if layer == layers and k == 1 else math.sqrt(sizes[layer])
            norm[layer] = rows + math.sqrt(sizes[layer - 1]) + tail("operator_norms")
    h, p = {0: x}, {}
    for layer in range(1, layers + 1):
        p[layer] = c[layer] * h[layer - 1] + float(plan.bias_scale)
        if layer < layers:
            h[layer] = math.sqrt(sizes[layer]) * zero + lp * p[layer] * (math.sqrt(sizes[layer]) + tail("signals"))
    size = {layers: 1.0}
    for layer in range(layers - 1, 0, -1):
        size[layer] = lp * c[layer + 1] * norm[layer + 1] * size[layer + 1]
    root_k = 0.0 if k == 1 else math.sqrt(k)
    e = {layers - 1: c[layers] * (root_k + tail("output_weights") if plan.gaussian_output else math.sqrt(k))}
    for layer in range(layers - 2, 0, -1):
        w = math.sqrt(sizes[layer + 1]) + tail("columns")
        r = c[layer + 1] * w * (zero + lp * tail("units") * p[layer])
        d = {layer + 1: r}
        for above in range(layer + 2, layers):
            d[above] = c[above] * norm[above] * lp * d[above - 1]
        drift = {layers - 1: 0.0}
        for above in range(layers - 2, layer, -1):
            drift[above] = c[above + 1] * norm[above + 1] * (lp * drift[above + 1] + lpp * d[above + 1] * e[above + 1])
        change = lp * drift[layer + 1] + lpp * r * e[layer + 1]
        e[layer] = c[layer + 1] * ((root_k + tail("leave_one_out")) * size[layer + 1] + w * change)
    a = {layer: c[layer] * (norm[layer] + radius * moves[layer - 1]) for layer in norm}
    drift = {0: 0.0}
    for layer in range(1, layers + 1):
        drift[layer] = p[layer] * moves[layer - 1] + (a[layer] * lp * drift[layer - 1] if layer > 1 else 0.0)
    b = {layers - 1: c[layers] * radius * moves[layers - 1]}
    for layer in range(layers - 2, 0, -1):
        b[layer] = a[layer + 1] * (lp * b[layer + 1] + lpp * radius * drift[layer + 1] * e[layer + 1])
        b[layer] += c[layer + 1] * radius * size[layer + 1] * moves[layer]
    n = {layer: size[layer] + lp * b[layer] + lpp * radius * drift[layer] * e[layer] for layer in range(1, layers)} | {layers: 1.0}
    v = {0: 0.0}
    for layer in range(1, layers):
        own = (c[layer] * (h[layer - 1] + lp * radius * drift[layer - 1]) + float(plan.bias_scale)) * moves[layer - 1]
        v[layer] = own + (a[layer] * lp * v[layer - 1] if layer > 1 else 0.0)
    total = sum(c[layer] * lp * n[layer] * v[layer - 1] for layer in range(2, layers + 1) if moves[layer - 1])
    total += sum(lpp * (e[layer] + b[layer]) * v[layer] ** 2 for layer in range(1, layers))
    return float(plan.output_scale) * total


@settings(max_examples=60)
@given(plans(), st.floats(0, 3), st.floats(0, 4))
def test_points_polynomials_and_the_plain_recursion_are_in_order(plan, radius, x) -> None:
    """At a point the numbers are smallest, then the polynomials, then sums in place of roots of sums."""
    _, signals = polynomials(plan, radius)
    at_points = ball_signals(start_bounds(plan, shares_of(plan), np.array([x]), FLOAT), radius, FLOAT)
    pairs = [(at_points.beta, signals.beta)]
    for name in ("forward_drift", "backward_drift", "backward_sup", "backward_norms", "first_derivative"):
        pairs += list(zip(getattr(at_points, name), getattr(signals, name), strict=True))
    for small, large in pairs:
        assert small[0] <= large(x) * (1 + ROUNDING)
    assert signals.beta(x) <= written_out(plan, x, radius) * (1 + ROUNDING)


@settings(max_examples=40)
@given(plans(), st.floats(0, 3), st.floats(0, 4))
def test_without_biases_and_offset_degree_one_bounds_are_the_numbers_themselves(plan, radius, x) -> None:
    plan = dataclasses.replace(plan, bias_scale=Fraction(0), at_zero=Fraction(0))
    _, signals = polynomials(plan, radius)
    at_points = ball_signals(start_bounds(plan, shares_of(plan), np.array([x]), FLOAT), radius, FLOAT)
    assert at_points.beta[0] == pytest.approx(signals.beta(x), rel=ROUNDING)


@settings(max_examples=40)
@given(plans(), st.floats(0, 3), st.floats(0.1, 4))
def test_the_matrix_of_theorem_e_is_below_the_sum_of_norms(plan, radius, x) -> None:
    """For one point E4's lambda_max(M) is at most beta(x), and at least half of it: L - 1 pairs of norms in the worst case."""
    start = start_bounds(plan, shares_of(plan), np.array([x]), FLOAT)
    beta = ball_signals(start, radius, FLOAT).beta[0]
    squares = [float(square[0]) for square in start.squares]
    norms = [0.0, *(g / c for g, c in zip(start.gains[1:], start.fan_in_scales[1:], strict=True))]
    signals = SignalsAtPoint(
        start.fan_in_scales,
        start.plan.bias_scale,
        start.plan.output_scale,
        start.plan.trained,
        start.plan.slope,
        start.plan.curvature,
        norms,
        np.array(start.signals),
        np.sqrt(squares),
        squares[0],
        np.array(start.backward_sup),
        np.array([[size] for size in start.backward_norms]),
    )
    matrix = ball_bounds(signals, radius, FLOAT).beta
    # phat^nu of E2 is p + c Lp R D, a sum where beta(x) has a root: with biases E4 may be above.
    if not plan.has_bias:
        assert matrix <= beta * (1 + ROUNDING)
    assert beta <= 2 * plan.layers * matrix * (1 + ROUNDING)


@settings(max_examples=15)
@given(plans(most_layers=4), st.integers(0, 3))
def test_balls_enclose_floats_and_symbols_agree(plan, radius) -> None:
    _, floats = polynomials(plan, radius)
    _, balls = polynomials(plan, radius, BALL)
    _, exact = polynomials(plan, radius, SYMBOLIC)
    for value, ball, expression in zip(floats.beta.coefficients, balls.beta.coefficients, exact.beta.coefficients, strict=True):
        assert float(lower(ball)) * (1 - ROUNDING) <= value <= float(upper(ball)) * (1 + ROUNDING)
        middle = sympy.Rational(lower(ball).numerator, lower(ball).denominator)
        assert abs(expression.evalf(40) - middle) <= sympy.Float(2) ** -100 * (1 + abs(middle))


@given(plans())
def test_the_degree_is_the_number_of_layers_from_the_first_trained_one(plan) -> None:
    _, signals = polynomials(plan, 1)
    first = plan.trained.index(True) + 1
    assert moments_needed(plan) == max(1, plan.layers - first + 1)
    if any(plan.trained[:-1]):
        assert signals.beta.degree == plan.layers - first + 1
        assert signals.beta.coefficients[-1] > 0
    else:
        assert all(c == 0 for c in signals.beta.coefficients)  # linear in its trained parameters


def test_one_hidden_layer_has_the_closed_form_at_every_radius() -> None:
    plan = blueprint((4, 100, 1), slope=1, curvature=Fraction(3, 4), points=5, trained=(True, False))
    for radius in (0, 1, 50):
        _, signals = polynomials(plan, radius)
        assert signals.beta(2.0) == pytest.approx(0.75 / 10 * 2.0**2 / 4, rel=1e-15)


# Means over points

DATA = np.array([[1.0, 2.0, 0.5], [-1.0, 0.5, 0.25], [0.5, -1.5, 2.0], [2.0, 0.0, -1.0]])


def points(plan):
    gram = float(plan.weight_scale) ** 2 / 3 * DATA @ DATA.T + float(plan.bias_scale) ** 2
    root, schur = (math.sqrt(np.linalg.eigvalsh(g / 4)[-1]) * (1 + 1e-12) for g in (gram, gram**2))
    return Points(np.linalg.norm(DATA, axis=1), np.full(4, 0.25), root, schur)


def moments(count=8):
    return Moments(tuple(float(np.mean(np.sum(DATA**2, axis=1) ** j)) for j in range(1, count)))


@settings(max_examples=40)
@given(plans(), st.floats(0, 3))
def test_more_knowledge_of_the_points_never_gives_a_larger_constant(plan, radius) -> None:
    plan = dataclasses.replace(plan, sizes=(3, *plan.sizes[1:]), points=4)
    shares, known = shares_of(plan), points(plan)
    by_points, by_moments = (at_start(plan, shares, data, FLOAT) for data in (known, moments()))
    sharp = beta_on_ball(by_points, known, radius, FLOAT)
    loose = beta_on_ball(by_moments, moments(), radius, FLOAT)
    assert sharp <= loose * (1 + ROUNDING)
    assert by_points.lambda_max <= by_moments.lambda_max * (1 + ROUNDING)
    assert by_points.output_square <= by_moments.output_square * (1 + ROUNDING)
    mean = root_mean_square(ball_signals(by_moments.start, radius, FLOAT), moments(), FLOAT)
    exact = math.sqrt(np.mean(ball_signals(by_moments.start, radius, FLOAT).beta(known.norms) ** 2))
    assert exact <= mean * (1 + ROUNDING)


def test_a_missing_moment_is_refused() -> None:
    plan = blueprint((3, 9, 9, 1), slope=1, curvature=1, points=4)
    with pytest.raises(InputError, match="3 layers asks for the even moments up to order 6, got 2"):
        at_start(plan, shares_of(plan), moments(3), FLOAT)


# Budget


@given(plans(), st.fractions(Fraction(1, 10**6), Fraction(999, 1000)))
def test_the_shares_add_up_to_delta_exactly(plan, delta) -> None:
    counts = event_counts(plan, centered=False, sampled=True)
    assert set(counts) <= set(EVENTS)
    equal = budget(counts, delta)
    assert equal.total == delta
    assert len(set(equal.shares.values())) == 1
    uneven = budget(counts, delta, {"signals": 3, "moments": Fraction(1, 7)})
    assert uneven.total == delta
    assert uneven.shares["signals"] == 21 * uneven.shares["moments"]


def test_tails_fail_with_their_share() -> None:
    plan = blueprint((3, 50, 40, 1), slope=1, curvature=1, points=4)
    shares = shares_of(plan)
    t = shares.tail("units", FLOAT)
    assert shares.counts["units"] * math.exp(-(t**2) / 2) == pytest.approx(float(shares.shares["units"]), rel=1e-12)
    # The normal tail on both sides is at most exp(-t^2/2), for every t >= 0.
    grid = np.linspace(0, 10, 2001)
    assert all(math.erfc(x / math.sqrt(2)) <= math.exp(-(x**2) / 2) for x in grid)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (3, 0, 1)}, r"sizes\[1\] must be a positive integer, got 0"),
        ({"sizes": (3, 1)}, "at least one hidden width"),
        ({"sizes": (3, sympy.Symbol("m"), 1)}, "declared positive, got m"),
        ({"sizes": (3, 5, sympy.Symbol("k", positive=True))}, "the number k of outputs must be a number"),
        ({"points": True}, "must be an int"),
        ({"trained": (True,)}, "trained must name 2 layers"),
        ({"trained": (False, False)}, "at least one of them True"),
        ({"slope": 0}, "slope must be positive"),
        ({"curvature": -1}, "curvature must be nonnegative"),
        ({"curvature": math.nan}, "must be finite"),
        ({"output_layer": "sign"}, 'must be "signs" or "gaussian"'),
    ],
)
def test_bad_blueprints_are_refused(arguments, message) -> None:
    good = {"sizes": (3, 5, 1), "slope": 1, "curvature": 1, "points": 4}
    with pytest.raises(InputError, match=message):
        blueprint(**(good | arguments))


def test_bad_budgets_are_refused() -> None:
    counts = event_counts(blueprint((3, 5, 1), slope=1, curvature=1, points=4))
    for delta in (0, 1, -0.1, 2):
        with pytest.raises(InputError, match="failure_probability must lie strictly between 0 and 1"):
            budget(counts, delta)
    with pytest.raises(InputError, match="unknown event 'signal'; did you mean 'signals'"):
        budget(counts, 0.5, {"signal": 1})
    with pytest.raises(InputError, match="'signals' must be positive, got 0"):
        budget(counts, 0.5, {"signals": 0})


# Formulas on paper


@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_the_formulas_are_short_and_are_the_numbers(layers) -> None:
    found = formulas(layers)
    assert max(sympy.count_ops(expression) for _, expression in found.definitions) <= 40
    assert len(found.definitions) <= 5 * layers**2
    assert len(found.latex()) <= 400 * layers**2
    assert len(found.beta) == layers + 1 == len(found.square)
    values = {"d": 3, "n": 4, "delta": Fraction(1, 100), "sigma_w": 2, "sigma_b": Fraction(1, 2), "alpha": 3, "R": 2}
    values |= {"L_p": 1, "L_pp": Fraction(3, 4), "phi_0": Fraction(1, 4)} | {f"m_{i}": 100 + i for i in range(1, layers)}
    plan = blueprint(
        (3, *(100 + i for i in range(1, layers)), 1),
        slope=1,
        curvature=Fraction(3, 4),
        at_zero=Fraction(1, 4),
        points=4,
        weight_scale=2,
        bias_scale=Fraction(1, 2),
        output_scale=3,
    )
    _, signals = polynomials(plan, 2)
    known = {symbol: sympy.nsimplify(value) for symbol, value in ((sympy.Symbol(k, positive=True), v) for k, v in values.items())}
    for symbol, expression in found.definitions:
        assert not expression.atoms(sympy.Float)
        known[symbol] = expression.xreplace(known).evalf(30)
    for b, value in zip(found.beta, signals.beta.coefficients, strict=True):
        assert float(b.xreplace(known)) == pytest.approx(value, rel=ROUNDING)
    moments_ = [2.0 ** (j + 1) for j in range(layers)]
    square = sum(
        float(g.xreplace(known | {sympy.Symbol("s", positive=True): 2})) * m
        for g, m in zip(found.square, [1, *moments_], strict=True)
    )
    assert mean_from_moments(signals.beta * signals.beta, moments_, FLOAT) <= square * (1 + ROUNDING)


def test_the_expanded_formula_of_one_hidden_layer() -> None:
    d, m, sigma, alpha, lpp = (sympy.Symbol(name, positive=True) for name in ("d", "m_1", "sigma_w", "alpha", "L_pp"))
    found = formulas(2, bias=False, at_zero=False, trained=(True, False))
    known: dict[sympy.Symbol, sympy.Expr] = {}
    for symbol, expression in found.definitions:
        known[symbol] = expression.xreplace(known)
    b = [coefficient.xreplace(known) for coefficient in found.beta]
    assert b[:2] == [0, 0]
    assert sympy.simplify(b[2] - alpha * sigma / sympy.sqrt(m) * lpp * sigma**2 / d) == 0
    assert r"\beta(x)" in found.latex()
