"""Theorem A against what is known exactly: the sharp example, the identities between its forms, published worst cases."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, FLOAT, lower, upper
from theorems.catalogue import theorem
from theorems.records import evaluate_expression
from theorems.statements import notation as n
from verify.strategies import composite_problems

EPS = np.finfo(np.float64).eps
A, SQUARE, PLUS, DESCENT_FORM = (theorem(name) for name in ("A", "A-square", "A+", "A0"))
RADIUS_FORM = sympy.sqrt(n.lambda0) / n.beta_prime * (1 - sympy.sqrt(1 - n.q))

unit = st.floats(0.01, 1.0)
positive = st.floats(1e-3, 1e3)


def constant(statement, symbol):
    return next(item.expression for item in statement.constants if item.symbol == symbol)


def bound(statement, name):
    return next(claim.bound for claim in statement.claims if claim.id == name)


# --- Sharpness: F(theta) = sigma0 theta - beta theta^2/2 on R, h(y) = (y - t)^2/2 ---


def sharp_values(sigma: float, beta: float, t: float) -> dict[str, float]:
    return {"eta": 0.5 / sigma**2, "lambda0": sigma**2, "lambda_max": sigma**2, "beta": beta, "s0": t, "R": 0.0}


@settings(max_examples=100)
@given(sigma=positive, beta=positive, q=st.floats(1e-6, 1 - 1e-12))
def test_the_nearest_solution_of_the_sharp_example_is_at_rbar(sigma, beta, q) -> None:
    t = q * sigma**2 / (2 * beta)
    constants = SQUARE.evaluate_constants(sharp_values(sigma, beta, t), FLOAT)
    rbar = constants["rbar"]
    # t - F is convex and decreasing up to its smaller root, whose condition number is about 1/sqrt(1 - q): it changes sign there.
    near = 16 * EPS / math.sqrt(1 - q)
    low, high = ((t - (sigma * x - beta * x**2 / 2)) / t for x in (rbar * (1 - near), rbar * (1 + near)))
    assert low > 0 > high
    assert constants["q"] == pytest.approx(q, rel=16 * EPS)


@pytest.mark.parametrize(("sigma", "beta"), [(1.0, 1.0), (2.0, 0.5), (0.25, 4.0), (3.0, 0.5)])
def test_at_q_equal_to_one_the_sharp_example_is_solved_at_rbar(sigma, beta) -> None:
    """All numbers are dyadic, so floats are exact: F has its maximum t at theta = sigma/beta = rbar."""
    t = sigma**2 / (2 * beta)
    constants = SQUARE.evaluate_constants(sharp_values(sigma, beta, t), FLOAT)
    assert constants["q"] == 1
    assert constants["rbar"] == sigma / beta
    assert sigma * constants["rbar"] - beta * constants["rbar"] ** 2 / 2 == t


def test_the_radius_is_the_nearest_solution_exactly() -> None:
    sigma, z = sympy.symbols("sigma z", positive=True)  # z = sqrt(1 - q)
    beta = n.beta
    t = (1 - z**2) * sigma**2 / (2 * beta)
    rbar = constant(SQUARE, n.rbar).subs({n.lambda0: sigma**2, n.q: 1 - z**2, n.s0: t})
    assert sympy.cancel(sympy.powdenest(rbar) - sigma / beta * (1 - z)) == 0
    assert sympy.cancel(sigma * rbar - beta * rbar**2 / 2 - t) == 0


@settings(max_examples=30)
@given(sigma=positive, beta=positive, excess=st.floats(1e-12, 1e-3))
def test_beyond_q_equal_to_one_the_sharp_example_has_no_solution(sigma, beta, excess) -> None:
    t = (1 + excess) * sigma**2 / (2 * beta)
    values = sharp_values(sigma, beta, t)
    # The largest value of F is sigma^2/(2 beta), at theta = sigma/beta; compared exactly.
    assert Fraction(t) > Fraction(sigma) ** 2 / (2 * Fraction(beta))
    assert np.isnan(SQUARE.evaluate_constants(values, FLOAT)["rbar"])
    assert not SQUARE.margins(SQUARE.evaluate_constants(values, FLOAT), FLOAT)["q"] > 0


@pytest.mark.parametrize(("q", "share"), [(0.1, 1.0), (0.1, 0.01), (0.5, 1.0), (0.9, 0.5), (0.99, 1.0)])
def test_on_the_sharp_example_the_claims_are_equalities(q, share) -> None:
    """The run moves monotonically to the nearest solution: (a) in the limit, (c) and (d) at every step; (e) as the step falls."""
    sigma, beta = 1.5, 0.7
    t = q * sigma**2 / (2 * beta)
    rbar = sigma / beta * (1 - math.sqrt(1 - q))
    eta = share / (sigma + beta * rbar) ** 2
    constants = SQUARE.evaluate_constants({**sharp_values(sigma, beta, t), "eta": eta, "R": rbar}, FLOAT)
    theta, points = 0.0, []
    for _ in range(int(40 / (eta * sigma**2 * (1 - q)))):  # the residual falls by exp(-40)
        points.append(theta)
        theta += eta * (sigma - beta * theta) * (t - (sigma * theta - beta * theta**2 / 2))
    r = np.array(points)
    s = t - (sigma * r - beta * r**2 / 2)
    rounding = 64 * EPS / math.sqrt(1 - q)
    assert theta == pytest.approx(rbar, rel=rounding)
    known = {**constants, "s": s, "s_next": s, "r_next": r, "remaining": rbar - r}
    conserved, start = (evaluate_expression(side, known, FLOAT) for side in (SQUARE.claims[2].measured, SQUARE.claims[2].bound))
    np.testing.assert_allclose(conserved, start, rtol=16 * EPS)
    np.testing.assert_allclose(evaluate_expression(bound(SQUARE, "A-d"), known, FLOAT), rbar - r, atol=rounding * rbar, rtol=0)
    summed = eta * np.sum(s)
    assert summed <= constants["Tbar"]
    # A left Riemann sum of the increasing 1/(sigma0 - beta r) is short by at most its largest step times its total rise.
    rise = 1 / (sigma - beta * rbar) - 1 / sigma
    assert constants["Tbar"] - summed <= eta * sigma * t * rise + 1e-9 * constants["Tbar"]


# --- Identities ---


def test_the_square_form_is_the_general_one_at_equal_constants() -> None:
    same = {n.L: 1, n.mu: 1}
    # kappa^2 is the quotient of two equal numbers.
    assert sympy.cancel((constant(A, n.kappa) ** 2).subs(same)) == 1
    for item in SQUARE.constants:
        general = constant(A, item.symbol).subs({**same, n.kappa: 1})
        assert sympy.simplify(general - item.expression) == 0, item.name
    assert [claim.id for claim in SQUARE.claims] == [claim.id for claim in A.claims]
    for special, general in zip(SQUARE.claims, A.claims, strict=True):
        for side in ("measured", "bound"):
            assert sympy.simplify(getattr(general, side).subs({**same, n.kappa: 1}) - getattr(special, side)) == 0


def test_the_plus_form_coincides_at_equal_constants() -> None:
    same = {n.L: n.mu, n.kappa: 1, n.beta_prime: n.beta}
    tilde = constant(PLUS, sympy.Symbol("sigma_tilde", positive=True)).subs(same)
    assert sympy.simplify(tilde - sympy.sqrt(n.lambda0)) == 0
    for symbol in (n.q, n.rbar, n.rate, n.lambda_floor, n.summed_bound):
        ours = constant(PLUS, symbol).subs(sympy.Symbol("sigma_tilde", positive=True), tilde).subs(same)
        assert sympy.simplify(ours - constant(A, symbol).subs(same)) == 0, symbol
    assert sympy.cancel((constant(PLUS, n.kappa) ** 2).subs(n.L, n.mu)) == 1


def test_the_radius_is_the_textbook_root() -> None:
    z = sympy.Symbol("z", positive=True)  # z = sqrt(1 - q), and s_0 from the definition of q
    s0 = sympy.solve(sympy.Eq(n.q, constant(A, n.q)), n.s0)[0]
    ours = constant(A, n.rbar).subs(n.s0, s0).subs(n.q, 1 - z**2)
    assert sympy.simplify(ours - RADIUS_FORM.subs(n.q, 1 - z**2)) == 0
    # It is the smaller root of s_0 = kappa Phi(r).
    phi = n.kappa * (sympy.sqrt(n.lambda0) * ours - n.beta_prime * ours**2 / 2)
    assert sympy.simplify(phi - s0.subs(n.q, 1 - z**2)) == 0


def test_the_remaining_path_is_the_textbook_form() -> None:
    floor = n.lambda0 * (1 - n.q)
    textbook = (sympy.sqrt(floor + 2 * n.beta_prime * n.s / n.kappa) - sympy.sqrt(floor)) / n.beta_prime
    x, y = sympy.symbols("x y", positive=True)  # the two roots; s = kappa (x^2 - y^2)/(2 beta')
    to_roots = {n.s: n.kappa * (x**2 - y**2) / (2 * n.beta_prime), n.q: 1 - y**2 / n.lambda0}
    ours = bound(A, "A-d").subs(to_roots)
    assert sympy.simplify(ours - textbook.subs(to_roots)) == 0
    assert sympy.simplify(ours - (x - y) / n.beta_prime) == 0
    # At the start it is rbar.
    z = sympy.Symbol("z", positive=True)
    start = bound(A, "A-d").subs(n.s, sympy.solve(sympy.Eq(n.q, constant(A, n.q)), n.s0)[0]).subs(n.q, 1 - z**2)
    assert sympy.simplify(start - RADIUS_FORM.subs(n.q, 1 - z**2)) == 0


def test_the_floor_of_the_spectrum_for_the_square_loss() -> None:
    z = sympy.Symbol("z", positive=True)
    rbar = sympy.sqrt(n.lambda0) / n.beta * (1 - z)
    assert sympy.expand(constant(SQUARE, n.lambda_floor).subs(n.rbar, rbar) - n.lambda0 * z**2) == 0


def test_the_summed_residuals_for_the_square_loss() -> None:
    """-(1/beta) ln(1 - beta rbar/sigma0) = (s_0/lambda0) ln(1/(1 - q))/q."""
    z = sympy.Symbol("z", positive=True)
    ours = constant(SQUARE, n.summed_bound).subs(n.rbar, sympy.sqrt(n.lambda0) / n.beta * (1 - z))
    q, s0 = 1 - z**2, (1 - z**2) * n.lambda0 / (2 * n.beta)
    assert sympy.simplify(sympy.expand_log(ours - s0 / n.lambda0 * sympy.log(1 / (1 - q)) / q)) == 0


# --- The constants, as the notes print them ---


def as_printed(name: str, v: dict[str, float]) -> dict[str, float]:
    """Section A, formula by formula. Attacks cannot see every constant (A is not sharp for L > mu), so they are also compared."""
    smooth, mu, eta, beta, s0, lambda0 = (v.get(key, 1.0) for key in ("L", "mu", "eta", "beta", "s0", "lambda0"))
    sigma0, largest = math.sqrt(lambda0), (math.sqrt(v["lambda_max"]) + beta * v["R"]) ** 2
    kappa = math.sqrt((1 - eta * smooth * lambda0) / (1 - eta * mu * lambda0)) if name in ("A", "A+") else 1.0
    if name in ("A", "A-square"):
        beta_prime = beta * math.sqrt(smooth / mu) / kappa
        q = 2 * beta_prime * s0 / (kappa * lambda0)
        rbar = sigma0 / beta_prime * (1 - math.sqrt(1 - q))
        special = {"rate": 1 - eta * mu * kappa * lambda0 * (1 - q), "beta_prime": beta_prime}
    elif name == "A+":
        d_max = eta * math.sqrt(largest * smooth * mu) * s0
        tilde = sigma0 - (math.sqrt(smooth / mu) / kappa - 1) * beta * d_max / 2
        q = 2 * beta * s0 / (kappa * tilde**2)
        rbar = tilde / beta * (1 - math.sqrt(1 - q))
        special = {"rate": 1 - eta * mu * kappa * tilde**2 * (1 - q), "d_max": d_max, "sigma_tilde": tilde}
    else:
        start = math.sqrt(2 * smooth * (mu * s0**2 / 2))  # G0 = sqrt(2 L Delta_0)
        curvature = smooth * largest + beta * start
        k0 = 1 - eta * curvature / 2
        q = 2 * beta * s0 / (k0 * lambda0)
        rbar = sigma0 / beta * (1 - math.sqrt(1 - q))
        special = {"gap_rate": 1 - 2 * eta * k0 * mu * lambda0 * (1 - q), "L_J": curvature, "k0": k0}
        special["rate"] = math.sqrt(special["gap_rate"])
    floor, summed = (sigma0 - beta * rbar) ** 2, -math.log(1 - beta * rbar / sigma0) / beta
    return special | {"Lambda": largest, "kappa": kappa, "q": q, "rbar": rbar, "lambda_floor": floor, "Tbar": summed}


@pytest.mark.parametrize("name", ["A", "A-square", "A+", "A0"])
@settings(max_examples=12)
@given(data=st.data())
def test_the_constants_are_those_of_the_notes(name, data) -> None:
    statement = theorem(name)
    problem = data.draw(composite_problems(statement, quotients=st.floats(0.05, 0.95), shares=st.floats(0.1, 0.9)))
    ours = statement.evaluate_constants(problem.values, FLOAT)
    printed = as_printed(name, problem.values)
    assert set(printed) == {item.name for item in statement.constants}
    for key, value in printed.items():
        # 1 - eta L lambda0 >= 0.1, 1 - q and q are not below 0.05: a few dozen u grow by at most 1/0.05^2.
        assert ours[key] == pytest.approx(value, rel=2**14 * EPS), key


# --- Monotonicity ---


@settings(max_examples=80)
@given(data=st.data(), name=st.sampled_from(["A", "A-square", "A+", "A0"]))
def test_stronger_hypotheses_never_give_worse_constants(data, name) -> None:
    statement = theorem(name)
    ratio = data.draw(st.floats(0.02, 1.0)) if name != "A-square" else 1.0
    lambda_max = data.draw(positive)
    values = {
        "L": 1.0,
        "mu": ratio,
        "lambda_max": lambda_max,
        "lambda0": lambda_max * data.draw(st.floats(0.01, 0.99)),
        "eta": data.draw(st.floats(0.01, 1.0)) / lambda_max,
        "R": 0.0,
    }
    values["beta"] = data.draw(unit) * values["lambda0"]
    values["s0"] = data.draw(unit) * values["lambda0"] / values["beta"]
    changed = data.draw(st.sampled_from(["s0", "beta"] + (["lambda0"] if name in ("A-square", "A0") else [])))
    factor = data.draw(st.floats(0.1, 0.999))
    better = {**values, changed: values[changed] * factor}
    if changed == "lambda0":
        better, values = values, better
    worse, stronger = (statement.evaluate_constants(item, FLOAT) for item in (values, better))
    assume(all(margin > 0 for margin in statement.margins({**worse, "R": math.inf}, FLOAT).values()))
    for constant_name in ("q", "rbar", "rate"):
        assert stronger[constant_name] <= worse[constant_name] * (1 + 1e-12), constant_name


# --- Worst cases computed by others ---


def polyak_lojasiewicz_factor(mu: float, step: float) -> float:
    """Exact worst factor of one step on h - h*, L = 1: Abbaszadehpeivasti, de Klerk, Zamani (2022), Theorem 3."""
    if step < 1:
        root = math.sqrt(4 - 2 * (1 + mu) * mu * step * (2 - step))
        return ((mu * (1 - step) + root) / (2 + mu)) ** 2
    if step <= math.sqrt(3):
        return 1 - mu * step * (4 - step**2) / (2 + mu * step)
    return (step - 1) ** 2 / ((step - 1) ** 2 + mu * step * (2 - step))


def test_the_published_formula_is_transcribed_correctly() -> None:
    table = {(0.1, 0.5): 0.914588, (0.2, 1.0): 8 / 11, (0.5, 0.1): 0.904350, (0.5, 0.5): 0.605647}
    for (mu, step), factor in table.items():
        assert polyak_lojasiewicz_factor(mu, step) == pytest.approx(factor, abs=5e-7)


def factor_for_linear_maps(mu: Fraction, lambda0: Fraction, eta: Fraction, arithmetic=BALL):
    """Theorem A's factor at beta = 0 (so q = 0 and Lambda = lambda_max), L = Lambda = 1."""
    number = arithmetic.constant
    known = {"L": number(Fraction(1)), "mu": number(mu), "lambda0": number(lambda0), "eta": number(eta), "q": number(Fraction(0))}
    known["kappa"] = evaluate_expression(constant(A, n.kappa), known, arithmetic)
    return evaluate_expression(constant(A, n.rate), known, arithmetic)


@pytest.mark.parametrize(
    ("mu", "lambda0", "square", "worst_case"),
    # Worst (h(y_+) - h*)/(h(y) - h*) by performance estimation, eta = L = Lambda = 1, to six digits.
    [("1/10", "1/10", 0.981022, 0.980593), ("1/2", "1/2", 0.633418, 0.605647)],
)
def test_performance_estimation_for_linear_maps(mu, lambda0, square, worst_case) -> None:
    factor = factor_for_linear_maps(Fraction(mu), Fraction(lambda0), Fraction(1)) ** 2
    assert abs(float(factor.mid()) - square) < 5e-7
    assert lower(factor) >= worst_case
    # For mu < L the worst case is the published factor at step eta lambda0.
    assert polyak_lojasiewicz_factor(float(Fraction(mu)), float(Fraction(lambda0))) == pytest.approx(worst_case, abs=5e-7)


def test_performance_estimation_is_met_exactly_at_equal_constants() -> None:
    """mu = L = 1, lambda0 = 1/2, eta = 1: both are 1/4 exactly."""
    values = {"lambda0": Fraction(1, 2), "eta": Fraction(1), "q": Fraction(0)}
    factor = evaluate_expression(constant(SQUARE, n.rate), {k: BALL.constant(v) for k, v in values.items()}, BALL) ** 2
    assert lower(factor) == upper(factor) == Fraction(1, 4)


@settings(max_examples=150)
@given(mu=st.floats(1e-3, 0.999), lambda0=st.floats(1e-3, 0.999), eta=st.floats(1e-3, 1.0))
def test_no_factor_beats_the_exact_worst_case(mu, lambda0, eta) -> None:
    """F = sqrt(lambda0) x (an isometry) makes GD on h with step eta lambda0, whose worst factor is published and attained."""
    factor = factor_for_linear_maps(Fraction(mu), Fraction(lambda0), Fraction(eta), FLOAT)
    assert factor**2 >= polyak_lojasiewicz_factor(mu, eta * lambda0) * (1 - 1e-12)


@settings(max_examples=150)
@given(mu=st.floats(1e-3, 0.999), lambda0=st.floats(1e-3, 0.999), eta=st.floats(1e-3, 1.99))
def test_the_descent_form_does_not_beat_the_exact_worst_case(mu, lambda0, eta) -> None:
    known = {"eta": eta, "mu": mu, "lambda0": lambda0, "q": 0.0, "k0": 1 - eta / 2}
    factor = evaluate_expression(constant(DESCENT_FORM, sympy.Symbol("gap_rate", positive=True)), known, FLOAT)
    assert factor >= polyak_lojasiewicz_factor(mu, eta * lambda0) * (1 - 1e-12)
