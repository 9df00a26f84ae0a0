"""H1 and H2: the formulas, the Rademacher complexities listed sign by sign, the constants at one point, and where each is sharp."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, FLOAT, ball_from_float_with_error, lower, upper
from theorems.errors import InputError
from theorems.pointwise import at_point, input_gain, pointwise_betas
from theorems.statements.generalization import THEOREM_H1, THEOREM_H2
from verify.proving import generalization_samplers as samplers
from verify.proving.networks import bounds_on_ball, draw_network
from verify.proving.outcome import Status
from verify.proving.samplers import SAMPLERS
from verify.proving.sampling import sample

H1, H2 = THEOREM_H1, THEOREM_H2
EPS = np.finfo(np.float64).eps


def values_of_h1(**changes):
    given = {"n": 100, "b": 0.5, "rho_loss": 1.0, "k0_mean": 0.4, "beta_mean": 0.01, "contraction": 1.0, "r_1": 1.0, "j": 1}
    return given | {"delta": 0.05, "distance": 0.5} | changes


@given(
    st.integers(1, 10**6), st.floats(0.01, 10), st.floats(0.01, 10), st.floats(0, 10), st.floats(0, 10), st.integers(1, 30),
    st.floats(1e-6, 0.9), st.floats(1e-3, 10),
)  # fmt: skip
@settings(max_examples=60)
def test_the_formula_is_that_of_the_theory(n, b, rho, k0, beta, j, delta, first) -> None:
    """2 rho (r_j sqrt(sum_i k0_i)/n + r_j^2 mean beta_i/2) + 3 b sqrt(ln(2 pi^2 j^2/(6 delta))/(2n)), section H."""
    values = values_of_h1(n=n, b=b, rho_loss=rho, k0_mean=k0, beta_mean=beta, j=j, delta=delta, r_1=first)
    found = H1.evaluate_constants(values, FLOAT)
    r = first * 2.0 ** (j - 1)
    expected = 2 * rho * (r * math.sqrt(n * k0) / n + r**2 * beta / 2)
    expected += 3 * b * math.sqrt(math.log(2 * math.pi**2 * j**2 / (6 * delta)) / (2 * n))
    assert found["gap_bound"] == pytest.approx(expected, rel=200 * EPS)  # a dozen operations, and 2^(j-1) by exp and log


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("delta", {"delta": 1.0}),
        ("index", {"j": 0.5}),
        ("ball", {"distance": 1.01}),
        ("loss", {"b": 0.0}),
        ("outputs", {"contraction": 0.9}),
    ],
)
def test_each_hypothesis_has_a_margin_that_fails_alone(name, change) -> None:
    def failing(values):
        margins = H1.margins(H1.evaluate_constants(values, FLOAT), FLOAT)
        strict = {part.id: part.strict for part in H1.hypotheses}
        return [part for part, margin in margins.items() if not (margin > 0 if strict[part] else margin >= 0)]

    assert failing(values_of_h1()) == []
    distance = {"distance": 0.1} if name == "index" else {}
    assert failing(values_of_h1(**change, **distance)) == [name]


def test_the_shares_of_the_failure_probability_sum_to_delta() -> None:
    j = sympy.Symbol("j", positive=True, integer=True)
    share = next(constant for constant in H1.constants if constant.name == "delta_j").expression
    named = {str(symbol): symbol for symbol in share.free_symbols}
    assert sympy.summation(share.subs(named["j"], j), (j, 1, sympy.oo)) == named["delta"]


@pytest.mark.parametrize("name", ["Jacobian at a point is Lipschitz", "remainder of the network at a point"])
def test_the_samplers_see_constants_that_are_too_small(name, monkeypatch) -> None:
    monkeypatch.setattr(samplers, "pointwise_betas", lambda *given: 0.98 * pointwise_betas(*given))
    assert sample(name, SAMPLERS[name], 150).status is Status.VIOLATED


def test_the_sampler_sees_a_gain_that_is_too_small(monkeypatch) -> None:
    monkeypatch.setattr(samplers, "input_gain", lambda *given: 0.98 * input_gain(*given))
    assert sample("Lipschitz in the input", samplers.lipschitz_in_the_input, 150).status is Status.VIOLATED


# Rademacher complexities, exactly.


def ramp(values, margin):
    return np.clip(1 - values / margin, 0.0, 1.0)


def exact_complexity(slopes, offsets, labels, margin, radius):
    """E over all signs of max over theta in [-r, r] of (1/n) sum sign_i ramp(label_i (offset_i + slope_i theta)): piecewise
    linear in theta, so the maximum is at an end or a kink."""
    kinks = [-radius, radius]
    for slope, offset, label in zip(slopes, offsets, labels, strict=True):
        for level in (0.0, margin):
            if slope != 0:
                kinks.append(float(np.clip((label * level - offset) / slope, -radius, radius)))
    theta = np.array(kinks)
    losses = ramp(labels[:, None] * (offsets[:, None] + slopes[:, None] * theta), margin)
    return float(np.mean((samplers.all_signs(len(slopes)) @ losses).max(axis=1))) / len(slopes)


@given(st.integers(1, 8), st.integers(0, 10**6), st.floats(0.05, 5), st.floats(0.05, 5))
@settings(max_examples=60)
def test_the_complexity_of_a_linear_class_under_a_loss(n, seed, margin, radius) -> None:
    """Contraction and the linear term against every sign listed, whatever f_theta0 is: rho r sqrt(sum k0)/n."""
    rng = np.random.default_rng(seed)
    slopes, offsets, labels = rng.standard_normal(n), 3 * rng.standard_normal(n), rng.choice([-1.0, 1.0], n)
    exact = exact_complexity(slopes, offsets, labels, margin, radius)
    bound = radius * np.linalg.norm(slopes) / (margin * n)
    assert exact <= bound * (1 + 64 * EPS) + 64 * n * EPS


def test_the_linear_term_is_attained_and_a_smaller_one_is_refuted() -> None:
    """n = 1, f_theta0 in the middle of the ramp: the complexity is r |df|/margin exactly."""
    exact = exact_complexity(np.array([2.0]), np.array([0.5]), np.array([1.0]), 1.0, 0.1)
    assert exact == pytest.approx(0.2, rel=64 * EPS)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_remainder_has_no_cancellation(n) -> None:
    """f_i(v) = (beta_i/2) sum_p sign^p_i v_p^2, one coordinate p for every vector of signs: df_i is beta_i-Lipschitz, the linear
    part is 0, and the complexity of B(r) is the mean of beta_i r^2/2, as for a class of any signs: no 1/sqrt(n) is due there."""
    rng = np.random.default_rng(n)
    beta, radius, signs = rng.uniform(0.5, 2, n), 0.7, samplers.all_signs(n)
    # sum_i sign_i f_i(v) = sum_p c_p v_p^2/2, c_p = sum_i sign_i beta_i sign^p_i: on B(r) at most r^2 max_p c_p/2, at a basis
    # vector.
    complexity = np.mean([radius**2 / 2 * (signs @ (beta * sign)).max() for sign in signs]) / n
    values = H1.evaluate_constants(values_of_h1(n=n, k0_mean=0.0, beta_mean=beta.mean(), r_1=radius), FLOAT)
    assert 2 * complexity == pytest.approx(values["curvature_term"], rel=64 * EPS)
    for i in range(n):  # the Hessians
        assert np.abs(beta[i] * signs[:, i]).max() == beta[i]
    if n > 1:
        assert 2 * complexity > 1.3 * values["curvature_term"] / math.sqrt(n)


@pytest.mark.parametrize("outputs", [2, 3, 4])
def test_several_outputs_contract_after_the_remainder_is_removed(outputs) -> None:
    """Contracting first would need sqrt(2 k) times the remainder, not sqrt 2: with a sign for every output the remainder of one
    point, beta r^2/2 in any direction of R^k, has the complexity sqrt k beta r^2/2. The loss itself moves by rho beta r^2/2."""
    signs = samplers.all_signs(outputs)
    directions = signs / math.sqrt(outputs)  # remainders of norm beta r^2/2 = 1
    vector = float(np.mean((signs @ directions.T).max(axis=1)))
    assert vector == pytest.approx(math.sqrt(outputs), rel=64 * EPS)
    losses = np.abs(np.linalg.norm(directions, axis=1))  # a 1-Lipschitz loss, 0 at the linearization
    assert float(np.mean(np.maximum.reduce([losses, -losses]))) <= 1 + 64 * EPS


@given(st.integers(0, 10**6), st.integers(2, 3))
@settings(max_examples=25)
def test_vector_contraction_on_random_linear_classes(seed, outputs) -> None:
    """For finite subsets of B(r), losses rho-Lipschitz on R^k, every sign listed: at most sqrt 2 rho r sqrt(sum tr k0)/n."""
    rng = np.random.default_rng(seed)
    n, radius = 6, 1.3
    inputs, anchors = rng.standard_normal((n, 2)), rng.standard_normal((n, outputs))
    members = rng.standard_normal((40, outputs, 2))
    members *= radius / np.linalg.norm(members, axis=(1, 2))[:, None, None]
    losses = np.linalg.norm(np.einsum("pod,nd->pno", members, inputs) - anchors, axis=2)
    complexity = float(np.mean((samplers.all_signs(n) @ losses.T).max(axis=1))) / n
    assert complexity <= math.sqrt(2) * radius * math.sqrt(outputs * np.sum(inputs**2)) / n


# The constants at a point.


@given(st.integers(0, 10**6), st.floats(0, 3))
@settings(max_examples=40)
def test_beta_i_is_beta_of_a_data_set_with_one_point(seed, radius) -> None:
    """The oracle measures the signals of the network at x_i alone."""
    network = draw_network(np.random.default_rng(seed))
    given_all, _ = bounds_on_ball(network, radius)
    found = pointwise_betas(given_all, radius, FLOAT)
    for i in range(network.inputs.shape[1]):
        alone = dataclasses.replace(network, inputs=network.inputs[:, [i]], root_weights=np.ones(1))
        _, bounds = bounds_on_ball(alone, radius)
        assert found[i] == pytest.approx(bounds.beta, rel=1024 * EPS, abs=1e-300)
    assert np.all(pointwise_betas(given_all, 2 * radius, FLOAT) >= found)


def test_balls_enclose_the_floats() -> None:
    network = draw_network(np.random.default_rng(5))
    given_all, _ = bounds_on_ball(network, 0.5)

    def exact(value):
        out = np.frompyfunc(lambda x: ball_from_float_with_error(float(x), 0), 1, 1)(value)
        return tuple(out) if isinstance(value, tuple) else out

    fields = [item.name for item in dataclasses.fields(given_all) if item.name != "trained"]
    in_balls = dataclasses.replace(given_all, **{name: exact(getattr(given_all, name)) for name in fields})
    radius = ball_from_float_with_error(0.5, 0)
    for ball, value in zip(pointwise_betas(in_balls, radius, BALL), pointwise_betas(given_all, 0.5, FLOAT), strict=True):
        assert abs(float((lower(ball) + upper(ball)) / 2) - value) <= 1024 * EPS * value
    gain = input_gain(in_balls, radius, BALL)
    assert float(upper(gain)) == pytest.approx(input_gain(given_all, 0.5, FLOAT), rel=64 * EPS)


@pytest.mark.parametrize("point", [-1, 4, 1.0, True])
def test_a_point_that_is_none_is_refused(point) -> None:
    network = draw_network(np.random.default_rng(0))
    given_all, _ = bounds_on_ball(network, 0.5)
    with pytest.raises(InputError, match="point must be an integer from 0"):
        at_point(given_all, point, FLOAT)


def test_a_centered_network_needs_both_gains() -> None:
    """sin(11 x) - sin(10 x), one unit, w0 = 10, R = 1: the slope at pi is -21, beyond a_1 = 11, and exactly a_1(R) + a_1(0)."""
    network = draw_network(np.random.default_rng(0))
    given_all, _ = bounds_on_ball(network, 1.0)
    signals = dataclasses.replace(
        given_all,
        fan_in_scales=(1.0, 1.0),
        trained=(True, False),
        slope=1.0,
        operator_norms=np.array([10.0, 1.0]),
    )
    slope = abs(11 * math.cos(11 * math.pi) - 10 * math.cos(10 * math.pi))
    at_radius, at_start = (float(input_gain(signals, radius, FLOAT)) for radius in (1.0, 0.0))
    assert slope > at_radius
    lipschitz = H2.evaluate_constants({"alpha": 1.0, "gain": at_radius, "gain_0": at_start, "b": 1.0, "transport": 0.5}, FLOAT)[
        "Lip"
    ]
    assert slope <= lipschitz == pytest.approx(slope, rel=64 * EPS)


@given(st.lists(st.integers(0, 1), min_size=4, max_size=4), st.lists(st.integers(0, 1), min_size=4, max_size=4))
def test_clipping_the_cost_is_sharp(first, second) -> None:
    """For losses 0 and b at two places the best coupling's cost is the difference of the means."""
    best = min(
        np.mean([float(abs(one - two)) for one, two in zip(first, order, strict=True)]) for order in itertools.permutations(second)
    )
    assert abs(np.mean(first) - np.mean(second)) == pytest.approx(best)
