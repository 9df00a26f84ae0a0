"""The instances of the falsifier: floats against balls, premises that are checked, hypotheses met to the last digit."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theorems.arithmetic import BALL, FLOAT, BallArithmetic, working_precision
from theorems.catalogue import THEOREMS, theorem
from theorems.records import Role
from verify.errors import ProblemError
from verify.falsify import bowls, displaced
from verify.falsify.composite import COMPOSITE, examined, extremes
from verify.falsify.coordinates import KINDS, LOSSES, Shape, admitted, drawn, point
from verify.falsify.descent import descend, descend_in_balls, greatest_value
from verify.falsify.families import family_of
from verify.falsify.instances import CompositeInstance, Kink, broken_premises
from verify.falsify.nearest import distance
from verify.falsify.network import draw, materialized
from verify.falsify.promises import completed, evaluate

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.builds(
    Shape,
    outputs=st.just(2),
    parameters=st.sampled_from([2, 3]),
    kind=st.sampled_from([kind for kind in KINDS if kind != "identity"]),
    loss=st.sampled_from(LOSSES),
    kinked=st.booleans(),
)


def instance(shape: Shape, seed: int, name: str = "A") -> CompositeInstance | None:
    return admitted(completed(theorem(name)), [drawn(shape, np.random.default_rng(seed))], 12)[0]


def scalar(**changes) -> CompositeInstance:
    """F = theta - theta^2/2, target 0.4 (q = 0.8), step 1/4, R = 1."""
    usual = CompositeInstance((1.0,), -np.ones((1, 1, 1)), None, bowls.quadratic((1.0,)), (0.4,), 1.0, 0.25, 1.0, 40)
    return dataclasses.replace(usual, **changes)


@pytest.mark.parametrize("name", THEOREMS)
def test_every_theorem_has_exactly_one_family(name) -> None:
    """A theorem added later without a family of instances fails here."""
    record = completed(theorem(name))
    family = family_of(record)
    assert record.claims
    assert family.extremes(record)


def test_a_theorem_that_nothing_tests_is_refused() -> None:
    strange = dataclasses.replace(theorem("N"), role=Role.ALONG)
    with pytest.raises(ProblemError, match="exactly one family of instances, got none"):
        family_of(strange)


@settings(max_examples=30)
@given(SHAPES, SEEDS, st.sampled_from(["A", "A1"]))
def test_a_run_in_floats_agrees_with_the_run_in_balls(shape, seed, name) -> None:
    error = "none" if name == "A" else ["against", "with", "away", "aside"][seed % 4]
    item = instance(dataclasses.replace(shape, error=error), seed, name)
    assume(item is not None)
    runs = descend([item])
    with working_precision(256):
        symbols = descend_in_balls(item)
    assert set(symbols) == set(runs.symbols)
    for symbol, column in symbols.items():
        exact = np.array([float(entry.mid()) for entry in column])
        scale = np.max(np.abs(exact)) + runs.noise[0, 0]
        assert np.max(np.abs(runs.symbols[symbol][0] - exact)) <= 1e-7 * scale, symbol


@settings(max_examples=30)
@given(SHAPES, SEEDS)
def test_drawn_instances_have_what_they_declare(shape, seed) -> None:
    item = instance(shape, seed)
    assume(item is not None)
    with working_precision(256):
        assert broken_premises(item) == []
    # The Lipschitz constant from below, by alternating maximization of <w, Q u v>.
    u = np.random.default_rng(seed).standard_normal(item.parameters)
    for _ in range(30):
        u /= np.linalg.norm(u)
        left, singular, right = np.linalg.svd(item.tensor @ u)
        u = np.einsum("a,abc,c->b", left[:, 0], item.tensor, right[0])
    assert singular[0] <= item.beta * (1 + 1e-12)


def test_premises_that_fail_are_named() -> None:
    with working_precision(256):
        assert broken_premises(scalar()) == []
        assert broken_premises(scalar(beta=np.nextafter(1.0, 0.0))) == ["DF is beta-Lipschitz on B(R)"]
        assert broken_premises(scalar(kink=Kink(0.999, 1.0))) == ["F is quadratic on B(R)"]
        assert broken_premises(scalar(bowl=bowls.quadratic((2.0,), smoothness=1.9))) == ["h has the constants L and mu"]
        assert broken_premises(scalar(singular=(0.0,))) != []
        skew = np.array([[[0.0, 1.0], [0.0, 0.0]]])
        assert "Q is symmetric" in broken_premises(scalar(tensor=skew, singular=(1.0,)))


@settings(max_examples=40)
@given(st.sampled_from(["log-cosh", "pseudo-Huber"]), st.floats(1e-6, 1.0), st.floats(-20, 20))
def test_ridged_bowls_declare_the_truth(name, ridge, u) -> None:
    bowl = bowls.ridged(name, ridge, 1)
    assert bowl.declares_the_truth()
    assert not dataclasses.replace(bowl, mu=ridge * 1.0001).declares_the_truth()
    assert not dataclasses.replace(bowl, smoothness=1.0).declares_the_truth()
    step = 2.0**-40  # the second derivative by differences in balls is within [mu, L]
    with working_precision(512):
        slopes = [bowls.gradient_in_balls(bowl, [arb(u) + shift])[0] for shift in (0, step)]
        values = [bowls.value_in_balls(bowl, [arb(u) + shift]) for shift in (0, step)]
        second = float(((slopes[1] - slopes[0]) / step).mid())
        first = float(((values[1] - values[0]) / step).mid())
    assert ridge * (1 - 1e-9) <= second <= 1 + ridge + 1e-9
    assert first == pytest.approx(float(slopes[0].mid()), rel=1e-6, abs=1e-9)


def test_the_largest_step_is_admitted_in_balls_and_the_next_is_not() -> None:
    """The step is within 1e-12 of 1/(L Lambda), decided on the right side; a little more is refused."""
    record = completed(theorem("A-square"))
    shape = Shape(1, 1, "blocks", "square")
    (item,) = admitted(record, [point(shape, quotient=0.0)])
    assert item is not None
    with working_precision(256):
        known = {name: BALL.numbers(value) for name, value in item.exact_values().items()}
        known["s0"] = arb(item.target[0])
        margin = evaluate(record, known, BallArithmetic(256))[1]["step"]
    assert 0 <= margin < 1e-12
    assert examined(record, item, record.claims[0]) is not None
    assert examined(record, dataclasses.replace(item, step_size=item.step_size * (1 + 1e-12)), record.claims[0]) is None


@pytest.mark.parametrize("name", ["A", "A-square", "A+", "A0", "A0-descent", "A1"])
def test_most_extremes_satisfy_every_hypothesis_in_balls(name) -> None:
    record = completed(theorem(name))
    chosen = [item for item in admitted(record, extremes(record)[::7], 6) if item is not None]
    assert len(chosen) > 5
    decided = [examined(record, dataclasses.replace(item, steps=2), record.claims[0]) for item in chosen]
    assert sum(outcome is not None for outcome in decided) >= 0.9 * len(chosen)


def test_quotients_and_steps_are_met() -> None:
    """q = 1 - 1e-9 and q = 1e-6 at the largest step, and conditioning 1e8, are as easy as anything else."""
    record = completed(theorem("A-square"))
    shape = Shape(2, 2, "blocks", "square")
    for quotient, wanted in ((9.0, 1 - 1e-9), (-6.0, 1e-6), (0.0, 0.5)):
        (item,) = admitted(record, [point(shape, quotient=quotient, condition_1=4.0, target_0=0.0)])
        assert item is not None
        constants = record.evaluate_constants({n: float(v) for n, v in item.exact_values().items()} | {"s0": 1.0}, FLOAT)
        assert 1 - constants["q"] == pytest.approx(1 - wanted, rel=1e-5)
        assert constants["lambda_max"] / constants["lambda0"] == pytest.approx(1e8)


@settings(max_examples=40)
@given(SEEDS, st.booleans())
def test_the_greatest_value_of_a_scalar_map(seed, kinked) -> None:
    generator = np.random.default_rng(seed)
    sigma, bend, place, steep = generator.uniform(0.1, 2, 4)
    item = scalar(singular=(sigma,), tensor=-np.full((1, 1, 1), bend), kink=Kink(place, steep) if kinked else None)
    theta = np.linspace(-5, 60, 400001)
    value = sigma * theta - bend * theta**2 / 2 - kinked * steep * np.maximum(theta - place, 0) ** 2 / 2
    assert greatest_value(item, float) == pytest.approx(value.max(), rel=1e-6)
    with working_precision(128):
        assert float(greatest_value(item, arb).mid()) == pytest.approx(greatest_value(item, float), rel=1e-12)


@settings(max_examples=40)
@given(st.sampled_from(["blocks", "outward", "rank one"]), SEEDS, st.booleans())
def test_the_nearest_solution_solves_and_none_is_nearer(kind, seed, kinked) -> None:
    shape = Shape(2, 2, kind, "square", kinked=kinked and kind == "blocks")
    item = admitted(completed(theorem("N")), [drawn(shape, np.random.default_rng(seed))], 1)[0]
    assume(item is not None)
    assert not np.isnan(distance(item, float))
    if not np.isfinite(distance(item, float)):
        return
    found = distance(item, float)
    # Newton's method from many points of the ball of that radius and a little around it never ends nearer.
    generator = np.random.default_rng(seed + 1)
    theta = 1.5 * found * generator.uniform(-1, 1, (200, 2))
    for _ in range(60):
        bend = np.einsum("ijk,bk->bij", item.tensor, theta)
        jacobian = np.diag(item.singular) + bend
        value = theta * item.singular + np.einsum("bij,bj->bi", bend, theta) / 2 - item.target
        if item.kink is not None:
            beyond = np.maximum(theta[:, 0] - item.kink.place, 0)
            value[:, 0] -= item.kink.steepness * beyond**2 / 2
            jacobian[:, 0, 0] -= item.kink.steepness * beyond
        theta = theta - np.linalg.solve(jacobian + 1e-14 * np.eye(2), value[:, :, None])[:, :, 0]
    solved = np.all(np.isfinite(theta), axis=1) & (np.max(np.abs(value), axis=1) <= 1e-9 * np.linalg.norm(item.target))
    lengths = np.linalg.norm(theta[solved], axis=1)
    assert lengths.size
    assert lengths.min() >= found * (1 - 1e-5)
    assert lengths.min() == pytest.approx(found, rel=1e-5)


def test_beyond_the_reach_of_the_map_there_is_no_solution() -> None:
    assert distance(scalar(target=(0.5,)), float) == pytest.approx(1.0)
    assert distance(scalar(target=(0.50001,)), float) == np.inf
    assert distance(scalar(target=(0.4,), kink=Kink(0.5, 1e6)), float) == np.inf
    with working_precision(256):
        assert not distance(scalar(target=(0.50001,)), arb).is_finite()
        assert float(distance(scalar(target=(0.375,)), arb).mid()) == pytest.approx(0.5)


@settings(max_examples=20)
@given(SEEDS)
def test_a_displaced_network_is_measured_alike_in_floats_and_balls(seed) -> None:
    record = completed(theorem("E"))
    (one,) = draw(record, np.random.default_rng(seed), 1)
    item = materialized(record, one)
    assert item is not None
    floats = displaced.measured(item, FLOAT)
    with working_precision(256):
        balls = displaced.measured(item, BallArithmetic(256))
    for name, ball in balls.items():
        assert float(ball.mid()) == pytest.approx(float(floats[name]), rel=1e-6, abs=1e-10 * (1 + float(floats["Lambda"]))), name
        assert float(ball.rad()) <= 1e-9 * (1 + float(floats["Lambda"])), name


@settings(max_examples=20)
@given(SEEDS)
def test_the_jacobian_of_a_network_is_the_derivative_of_its_output(seed) -> None:
    (one,) = draw(completed(theorem("E")), np.random.default_rng(seed), 1)
    item = materialized(completed(theorem("E")), one)
    assert item is not None
    at, moving = displaced.signals(item, item.theta, FLOAT), np.flatnonzero(item.displacement)
    jacobian = displaced.jacobian(item, at, FLOAT)
    for column, index in enumerate(moving):
        ends = [displaced.signals(item, item.theta + shift * np.eye(len(item.theta))[index], FLOAT) for shift in (1e-6, -1e-6)]
        slope = (ends[0].z[-1][0] - ends[1].z[-1][0]) / 2e-6 / np.sqrt(len(item.inputs))
        assert jacobian[:, column] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_the_slope_bound_used_is_at_least_the_true_one() -> None:
    assert displaced.activation_of("tanh")[1] >= 1
    assert displaced.activation_of("softplus")[2] >= Fraction(1, 4)
    assert COMPOSITE.name == "composite problems"
