"""The records B1 to B5, C2 and C3: exact cases in closed form, the forms THEORY gives, and slightly wrong constants refuted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theorems.arithmetic import FLOAT
from theorems.ball import ball_bounds
from theorems.catalogue import THEOREMS
from theorems.ledger import Compact, Growth, Implication
from theorems.neurons import neuron_constants
from theorems.programs import compile_program
from theorems.records import evaluate_expression
from theorems.statements import implicit, lazy
from theorems.statements.implicit import THEOREM_B1, THEOREM_B2, THEOREM_B3, THEOREM_B4, THEOREM_B5, normal_bound
from theorems.statements.lazy import NEXT_SUM, THEOREM_C3

RECORDS = (*implicit.RECORDS, *lazy.RECORDS)
SQUARE = THEOREMS["A-square"]


def square(q: float, lambda0: float = 1.0, lambda_max: float = 1.0, s0: float = 1.0) -> dict[str, float]:
    """The constants of A-square for a wanted q, on a ball of 1.01 rbar."""
    beta = q * lambda0 / (2 * s0)
    values = {"lambda0": lambda0, "lambda_max": lambda_max, "beta": beta, "s0": s0, "eta": 1e-9, "R": 0.0}
    values["R"] = 1.01 * SQUARE.evaluate_constants(values, FLOAT)["rbar"]
    return {"L": 1.0, "mu": 1.0} | SQUARE.evaluate_constants(values, FLOAT)


def sides(record, values: dict[str, float]) -> dict[str, tuple[float, float]]:  # type: ignore[no-untyped-def]
    known = record.evaluate_constants(values, FLOAT)
    assert min(record.margins(known, FLOAT).values()) > 0
    return {
        claim.id: tuple(float(evaluate_expression(side, known, FLOAT)) for side in (claim.measured, claim.bound))
        for claim in record.claims
    }


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_a_record_is_exact_and_its_claims_use_what_it_names(record) -> None:  # type: ignore[no-untyped-def]
    known = {item.symbol for item in (*record.quantities, *record.constants)}
    expressions = [item.expression for item in record.constants] + [item.margin for item in record.hypotheses]
    for claim in record.claims:
        expressions += [claim.measured, claim.bound]
        assert claim.measured.free_symbols | claim.bound.free_symbols <= known
    for expression in expressions:
        assert not expression.atoms(sympy.Float)
        compile_program([expression], sorted(expression.free_symbols, key=str))


def test_names_are_unique_beside_the_catalogue() -> None:
    others = [item for item in THEOREMS.values() if item.id not in {record.id for record in RECORDS}]
    found = {step.evidence for record in (*others, *RECORDS) for step in record.proof}
    names = [item.name for item in found if isinstance(item, Implication | Growth | Compact)]
    assert len(set(names)) == len(names)
    claims = [claim.id for record in RECORDS for claim in record.claims]
    assert len(set(claims)) == len(claims)
    assert not set(claims) & {claim.id for record in others for claim in record.claims}


@pytest.mark.parametrize("q", [1e-3, 0.1, 0.5, 0.74])
def test_on_the_sharpness_map_nothing_is_lost(q: float) -> None:
    """F = sigma0 x - beta x^2/2: one parameter, so theta_inf is theta*, at rbar; B4's quotient is 1, and both sides of B5 are 0."""
    values = square(q)
    values |= {"travelled": values["rbar"], "nearest": values["rbar"], "excess": 0.0, "deviation": 0.0, "outside": 0.0}
    root = (1 - math.sqrt(1 - q)) / values["beta"]
    assert values["rbar"] == pytest.approx(root)
    assert root - values["beta"] * root**2 / 2 == pytest.approx(values["s0"])
    for record in (THEOREM_B1, THEOREM_B2, THEOREM_B3, THEOREM_B4):
        for measured, bound in sides(record, values).values():
            assert measured <= bound
    assert sides(THEOREM_B5, values)["B5"] == (0.0, 0.0)
    assert sides(THEOREM_B2, values)["B2-second"] == (0.0, 0.0)


def test_t_is_one_minus_the_root_for_the_square_loss() -> None:
    values = square(0.64)
    assert THEOREM_B1.evaluate_constants(values, FLOAT)["turn"] == pytest.approx(0.4)
    half = square(0.75)
    assert THEOREM_B1.evaluate_constants(half, FLOAT)["turn"] == pytest.approx(0.5), "t < 1/2 is q < 3/4"


def turning_run(q: float, share: float = 1e-3) -> tuple[float, float]:
    """(|(I - P) v|, bound of B1) for gradient descent on F = x + beta x y, which turns out of the range as fast as B1 allows."""
    values = square(q)
    beta, x, y = values["beta"], 0.0, 0.0
    for _ in range(int(30 / share)):
        e = x + beta * x * y - 1
        x, y = x - share * e * (1 + beta * y), y - share * e * beta * x
    return y, sides(THEOREM_B1, {**values, "outside": y})["B1"][1]


@pytest.mark.parametrize(("q", "least"), [(0.01, 0.98), (0.04, 0.96), (0.2, 0.8)])
def test_b1_is_attained_to_leading_order(q: float, least: float) -> None:
    measured, bound = turning_run(q)
    assert least * bound <= measured <= bound
    assert bound == pytest.approx(square(q)["beta"] * square(q)["rbar"] ** 2 / 2, rel=q)
    assert measured > 0.95 * bound or q > 0.04, "a constant 5% smaller would be false"


@pytest.mark.parametrize("sign", [1, -1])
def test_b2_and_b5_are_attained_among_solutions(sign: int) -> None:
    """F = x - sign y^2/2 at the level c: (c, 0) is nearest, t_u = c, and the others with small y = eps are beside it."""
    worst = []
    for c in (0.02, 0.1, 0.3, 0.45):
        eps = 1e-3
        other = (c + sign * eps**2 / 2, eps)
        apart = math.hypot(other[0] - c, eps)
        # |theta'|^2 - c^2 without its cancellation
        excess = (eps**2 * (1 + sign * c) + eps**4 / 4) / (math.hypot(*other) + c)
        values = square(0.5) | {"beta": 1.0, "lambda0": 1.0, "R": 10.0, "rbar": 0.9}
        values |= {"nearest": c, "travelled": math.hypot(*other), "excess": excess, "deviation": apart}
        measured, bound = sides(THEOREM_B5, values)["B5"] if sign < 0 else sides(THEOREM_B2, values)["B2-second"]
        worst.append(bound / measured if sign < 0 else measured / bound)
    assert max(worst) <= 1
    assert max(worst) > 0.999, "5% less would be false"


def test_for_t_u_of_one_half_the_nearest_is_not_unique() -> None:
    """F = x + y^2/2 at the level 1: (1, 0) has Lagrange's condition and t_u = 1, beyond 1/2; (1 - eps^2/2, eps) is at the same
    distance to second order, and beyond it nearer: sqrt(1 + eps^4/4 - 0) is not, but at the level 1.5 it is."""
    c, y = 1.5, 1.0
    assert math.hypot(c - y**2 / 2, y) < c
    values = square(0.5) | {"beta": 1.0, "lambda0": 1.0, "R": 10.0, "nearest": c, "travelled": 1.0, "excess": 0.0, "deviation": 0.0}
    known = THEOREM_B5.evaluate_constants(values, FLOAT)
    assert THEOREM_B5.margins(known, FLOAT)["half"] < 0


def test_one_step_of_c3_is_attained_on_the_sharpness_map() -> None:
    """All three terms have one sign there, so the sum over steps is not a bound but the distance itself."""
    values = square(0.7) | {"eta": 0.2}
    beta, eta = values["beta"], values["eta"]
    theta, linear, total, path = 0.0, -1.0, 0.0, 0.0
    for _ in range(40):
        e = theta - beta * theta**2 / 2 - 1
        step = -eta * e * (1 - beta * theta)
        known = {**values, "path": path, "length": abs(step), "s": abs(e), "linear_sum": total}
        total = float(evaluate_expression(NEXT_SUM, known, FLOAT))
        theta, path, linear = theta + step, path + abs(step), (1 - eta) * linear
        assert abs(theta - beta * theta**2 / 2 - 1 - linear) == pytest.approx(total, rel=1e-12)
    found = sides(THEOREM_C3, {**values, "linear_gap": 0.0, "linear_sum": total})["C3"]
    assert total < found[1]


@given(st.floats(1e-3, 0.999), st.floats(0.01, 1.0), st.floats(0.1, 10.0))
def test_c3_is_at_most_what_theory_states(q: float, lambda0: float, s0: float) -> None:
    """THEORY has s_0/(lambda0 (1 - q)) and rbar ln(1/(1 - t)) in place of s_0/lambda0 and B1's integral."""
    values = square(q, lambda0, s0=s0)
    root, beta, rbar = math.sqrt(values["lambda_max"]), values["beta"], values["rbar"]
    t = beta * rbar / math.sqrt(lambda0)
    theirs = min(beta * root * rbar * s0 / (lambda0 * (1 - q)), root * rbar * math.log(1 / (1 - t))) + beta * rbar**2 / 2
    ours = sides(THEOREM_C3, {**values, "linear_gap": 0.0, "linear_sum": 0.0})["C3"][1]
    assert ours <= theirs * (1 + 1e-9)


def test_c3_needs_a_step_that_contracts_the_linear_model() -> None:
    """Theorem A0 certifies steps up to nearly 2/lambda_max. Beyond 2/(lambda0 + lambda_max) the factor of I - eta K_0 is not 1 -
    eta lambda0, and the sum of C3 is false: F = (x/sqrt 2, y - beta y^2/2) with the target (0, 1), which A0 certifies with eta =
    1.8.
    """
    a0, beta, eta, lambda0 = THEOREMS["A0"], 2e-4, 1.8, 0.5
    values = {"L": 1.0, "mu": 1.0, "eta": eta, "lambda0": lambda0, "lambda_max": 1.0, "beta": beta, "s0": 1.0, "R": 20.0}
    known = {name: float(x) for name, x in a0.evaluate_constants(values, FLOAT).items()}
    assert min(a0.margins(known, FLOAT).values()) > 0
    y, linear, total, path, worst = 0.0, -1.0, 0.0, 0.0, 0.0
    for _ in range(30):
        e = y - beta * y**2 / 2 - 1
        step = -eta * e * (1 - beta * y)
        total = float(
            evaluate_expression(NEXT_SUM, {**known, "path": path, "length": abs(step), "s": abs(e), "linear_sum": total}, FLOAT)
        )
        y, path, linear = y + step, path + abs(step), (1 - eta) * linear
        worst = max(worst, abs(y - beta * y**2 / 2 - 1 - linear) / total)
    assert worst > 2, "one is already too much"
    known |= THEOREM_C3.evaluate_constants({**known, "linear_gap": 0.0, "linear_sum": total}, FLOAT)
    assert THEOREM_C3.margins(known, FLOAT)["contraction"] < 0


def test_the_integral_is_that_of_the_integrand() -> None:
    lambda0, beta, radius = 0.7, 0.3, 1.9
    x = (np.arange(200000) + 0.5) * radius / 200000
    numeric = float(np.sum(beta * x / (math.sqrt(lambda0) - beta * x)) * radius / 200000)
    r = sympy.Symbol("r", positive=True)
    found = evaluate_expression(normal_bound(r), {"lambda0": lambda0, "beta": beta, "r": radius}, FLOAT)
    assert found == pytest.approx(numeric, rel=1e-9)


def test_neuron_constants_of_one_hidden_layer_by_hand() -> None:
    """C_1 = alpha Lp (|eta_1^0|_inf + c_2 R) p_1^nu, C_2 = alpha (p_2^nu + c_2 Lp R D_1^nu)."""
    from verify.proving.networks import bounds_on_ball, draw_network

    network = next(
        found for seed in range(99) if (found := draw_network(np.random.default_rng(seed))).architecture.trained == (True,) * 2
    )
    given, _ = bounds_on_ball(network, 0.3)
    radius = 0.3
    first, second = neuron_constants(given, radius, FLOAT)
    c2 = given.fan_in_scales[1]
    sup = max(given.backward_sup[0]) + c2 * radius
    assert first == pytest.approx(given.output_scale * given.slope * sup * given.gram_norms[0])
    assert max(ball_bounds(given, radius, FLOAT).backward_sup[0]) == pytest.approx(sup)
    assert second == pytest.approx(given.output_scale * (given.gram_norms[1] + c2 * given.slope * radius * given.gram_norms[0]))


def test_b3_uses_the_measured_t_u() -> None:
    values = square(0.3) | {"nearest": 0.5, "deviation": 0.01}
    t, tu = 1 - math.sqrt(0.7), square(0.3)["beta"] * 0.5
    scale = 1 / square(0.3)["beta"]
    expected = scale * (-math.log(1 - t) - t + tu**2 / (1 - tu)) / math.sqrt(1 - t**2)
    assert sides(THEOREM_B3, values)["B3"] == (0.01, pytest.approx(expected))
