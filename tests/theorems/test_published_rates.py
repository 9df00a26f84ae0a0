"""Published rates of one gradient step under the Polyak-Lojasiewicz condition, from one exact expression, beside Theorem A.

Numbers that none of our code produced: a table of the rate (six digits) with the textbook rate and with a misprint in circulation,
and worst cases found by performance estimation (``tests/peers`` computes them anew where PEPit is installed).
"""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from sympy import Integer, Rational, sqrt

from theorems.arithmetic import BALL, lower, upper, working_precision
from theorems.catalogue import theorem
from theorems.records import evaluate_expression
from theorems.statements import notation as n

SIXTH_DIGIT = Fraction(1, 2 * 10**6)  # half a unit in the last place printed

mu, g = sympy.symbols("mu g", positive=True)

# Abbaszadehpeivasti, de Klerk, Zamani (arXiv:2204.00647), Theorem 3, at L = 1: bounds of (f(x - g grad f) - f*)/(f(x) - f*).
ROOT = sqrt(4 - 2 * (1 + mu) * mu * g * (2 - g))
SHORT = ((mu * (1 - g) + ROOT) / (2 + mu)) ** 2  # g <= 1
MIDDLE = 1 - mu * g * (4 - g**2) / (2 + mu * g)  # 1 <= g <= sqrt(3)
LONG = (g - 1) ** 2 / ((g - 1) ** 2 + mu * g * (2 - g))  # sqrt(3) <= g < 2
TEXTBOOK = 1 - mu * g * (2 - g)
MISPRINT = mu * (1 - g) + ROOT**2 / (2 + mu) ** 2  # the square taken of the root alone

TABLE = [
    # mu, g, rate, textbook, misprint
    ("1/10", "1/2", "0.914588", "0.925", "0.919615"),
    ("1/5", "1", "0.727273", "0.8", "0.727273"),
    ("1/2", "1/10", "0.904350", "0.905", "1.044400"),
    ("1/2", "1/2", "0.605647", "0.625", "0.710000"),
]
# eta = L = Lambda = 1: mu, lambda0, the worst case for y_+ = y - K grad h(y), lambda0 I <= K <= I, and Theorem A's factor squared.
LINEAR_MAPS = [("1/10", "1/10", "0.980593", "0.981022"), ("1/2", "1/2", "0.605647", "0.633418"), ("1", "1/2", "0.25", "0.25")]
GRID = [Fraction(k, 10) for k in range(1, 10)]


def at(expression: sympy.Expr, mu_value: Fraction, step: Fraction):
    """A ball around the expression's value."""
    with working_precision():
        return evaluate_expression(expression, {"mu": BALL.constant(mu_value), "g": BALL.constant(step)}, BALL)


def certified(mu_value: Fraction, lambda0: Fraction, eta: Fraction):
    """A ball around the square of Theorem A's factor for a linear map, from the record; every hypothesis is proved on the way."""
    statement = theorem("A")
    given = {"L": 1, "mu": mu_value, "eta": eta, "lambda0": lambda0, "lambda_max": 1, "beta": 0, "s0": 1, "R": 10**6}
    with working_precision():
        constants = statement.evaluate_constants({name: BALL.constant(Fraction(v)) for name, v in given.items()}, BALL)
        margins = statement.margins(constants, BALL)
        for item in statement.hypotheses:
            assert lower(margins[item.id]) > 0 or (not item.strict and lower(margins[item.id]) >= 0), item.id
        return constants["rate"] ** 2


def rounds_to(ball, printed: str) -> bool:
    return Fraction(printed) - SIXTH_DIGIT <= lower(ball) <= upper(ball) <= Fraction(printed) + SIXTH_DIGIT


@pytest.mark.parametrize(("mu_value", "step", "rate", "textbook", "misprint"), TABLE)
def test_the_table_of_rates(mu_value, step, rate, textbook, misprint) -> None:
    point = Fraction(mu_value), Fraction(step)
    assert rounds_to(at(SHORT, *point), rate)
    assert rounds_to(at(TEXTBOOK, *point), textbook)
    assert rounds_to(at(MISPRINT, *point), misprint)
    assert upper(at(SHORT, *point)) < lower(at(TEXTBOOK, *point))
    # The misprint agrees at g = 1 only; for mu = 1/2, g = 1/10 it would let a step ascend.
    assert rounds_to(at(MISPRINT, *point), rate) is (step == "1")


def test_the_branches_meet() -> None:
    for value in (Rational(1, 10), Rational(1, 2), Integer(1)):
        assert sympy.simplify((SHORT - MIDDLE).subs({g: 1, mu: value})) == 0
        assert sympy.simplify((MIDDLE - LONG).subs({g: sqrt(3), mu: value})) == 0
    assert SHORT.subs({g: 1, mu: Rational(1, 5)}) == Rational(8, 11)


def test_the_rate_improves_on_the_textbook() -> None:
    for mu_value in GRID:
        for step in GRID:
            assert upper(at(SHORT, mu_value, step)) < lower(at(TEXTBOOK, mu_value, step))
            assert upper(at(MIDDLE, mu_value, 1 + step / 2)) < lower(at(TEXTBOOK, mu_value, 1 + step / 2))
            # and no rate can be below that of mu |x|^2/2.
            assert lower(at(SHORT, mu_value, step)) > (1 - mu_value * step) ** 2


@pytest.mark.parametrize(("mu_value", "lambda0", "worst_case", "square"), LINEAR_MAPS)
def test_theorem_a_beside_performance_estimation(mu_value, lambda0, worst_case, square) -> None:
    point = Fraction(mu_value), Fraction(lambda0)
    factor = certified(*point, Fraction(1))
    assert rounds_to(factor, square)
    assert rounds_to(at(SHORT, *point), worst_case)  # found by a semidefinite program, and equal to the rate at step eta lambda0
    if mu_value == "1":
        assert lower(factor) <= Fraction(worst_case) <= upper(factor)
    else:
        assert lower(factor) > Fraction(worst_case) + SIXTH_DIGIT


def test_theorem_a_is_never_below_the_published_rate_at_step_eta_lambda0() -> None:
    """The step theta -> y of a linear map with K = lambda0 I is a step eta lambda0 in y."""
    for mu_value in GRID:
        for lambda0 in GRID:
            for eta in (Fraction(1, 10), Fraction(1, 2), Fraction(1)):
                factor, rate = certified(mu_value, lambda0, eta), at(SHORT, mu_value, eta * lambda0)
                assert lower(factor) > upper(rate), (mu_value, lambda0, eta)


def test_theorem_a_is_exact_at_equal_constants() -> None:
    """mu = L: kappa = 1 and the factor is 1 - eta L lambda0, that of h = L |y|^2/2 and K = lambda0 I; so is the published rate."""
    constants = {item.name: item.expression for item in theorem("A").constants}
    kappa = constants["kappa"].subs(n.mu, n.L)
    assert sympy.simplify(kappa) == 1
    factor = constants["rate"].subs({n.mu: n.L, n.kappa: 1, n.q: 0})
    assert sympy.expand(factor - (1 - n.eta * n.L * n.lambda0)) == 0
    # 4 - 4 g (2 - g) = 4 (1 - g)^2, and g <= 1.
    assert sympy.expand((ROOT**2).subs(mu, 1) - 4 * (1 - g) ** 2) == 0
    assert sympy.simplify(SHORT.subs(ROOT, 2 * (1 - g)).subs(mu, 1) - (1 - g) ** 2) == 0
    for lambda0 in GRID:
        for enclosed in (certified(Fraction(1), lambda0, Fraction(1)), at(SHORT, Fraction(1), lambda0)):
            assert lower(enclosed) <= (1 - lambda0) ** 2 <= upper(enclosed)


@pytest.mark.parametrize(
    ("mu_value", "lambda0", "smaller", "worse", "better"),
    # (1 - mu x sqrt((1 - x)/(1 - mu x)))^2 at x = lambda0 and at x = lambda0', in plain arithmetic without the record.
    [("1/2", "99/100", "18/25", "0.865540", "0.580465"), ("1/5", "19/20", "7/10", "0.907817", "0.841462")],
)
def test_a_smaller_lambda0_can_certify_more(mu_value, lambda0, smaller, worse, better) -> None:
    """kappa lambda0 is not monotone for mu < L, and (H3) with lambda0 implies it with lambda0'."""
    one = Fraction(1)
    assert rounds_to(certified(Fraction(mu_value), Fraction(lambda0), one), worse)
    assert rounds_to(certified(Fraction(mu_value), Fraction(smaller), one), better)
    # What is certified with lambda0' bounds the worst case with lambda0, so the smaller of the two counts.
    assert lower(certified(Fraction(mu_value), Fraction(smaller), one)) > upper(at(SHORT, Fraction(mu_value), Fraction(lambda0)))


def test_where_kappa_lambda0_is_largest() -> None:
    """x^2 (1 - x)/(1 - mu x), x = eta L lambda0, increases up to the root of 2 mu x^2 - (3 + mu) x + 2 below 1, then decreases."""
    x = sympy.Symbol("x", positive=True)
    constants = {item.name: item.expression for item in theorem("A").constants}
    objective = ((n.lambda0 * constants["kappa"]) ** 2).subs({n.L: 1, n.eta: 1, n.mu: mu, n.lambda0: x})
    slope = sympy.together(sympy.diff(objective, x))
    quadratic = 2 * mu * x**2 - (3 + mu) * x + 2
    assert sympy.simplify(slope - x * quadratic / (1 - mu * x) ** 2) == 0
    # quadratic(0) = 2 > 0 > mu - 1 = quadratic(1): one root in (0, 1) for every mu < 1.
    assert sympy.expand(quadratic.subs(x, 1) - (mu - 1)) == 0
