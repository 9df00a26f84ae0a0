"""A-priori bounds against drawn networks: surely on the events, with the stated probability otherwise, and from problem files."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from numerics.activations import builtin_activation
from numerics.network import Architecture, initialize
from numerics.snapshots import snapshot
from theorems.activations import activation
from theorems.apriori.blueprint import blueprint
from theorems.apriori.budget import budget, event_counts
from theorems.apriori.constants import Prior, initial, quantities, quotient
from theorems.apriori.data import Moments, Points, at_start, beta_on_ball, initial_output
from theorems.apriori.eigenvalue import Granted
from theorems.apriori.threshold import at_width, closed_form_square_root, least_width
from theorems.arithmetic import BALL, FLOAT
from theorems.ball import SignalsAtPoint, ball_bounds
from theorems.errors import InputError
from theorems.infinite_kernel import Normalization, limit_kernels, wide_network
from theorems.laws import sphere, student
from verify.apriori.certificate import certificate_of
from verify.apriori.prior import (
    optimized_weights,
    plan_of,
    points_of,
    prior_of,
    prior_of_law,
    value_at_zero,
)
from verify.data import load_data
from verify.errors import ProblemError
from verify.problem import problem_from_mapping
from verify.proving import apriori_samplers
from verify.proving.networks import SmallNetwork
from verify.proving.outcome import Status
from verify.proving.sampling import sample

# A count of failures above this quantile of the binomial law with the stated probability refutes the probability. The seeds are
# fixed: a correct bound fails a test with probability 1e-6, once and for all.
CONFIDENCE = 1 - 1e-6


def most_failures(trials: int, probability: float) -> int:
    return int(scipy.stats.binom.ppf(CONFIDENCE, trials, probability))


# On the events, surely


@pytest.mark.parametrize("name", ["bounds_at_start", "beta_before_drawing", "matrix_chernoff"])
def test_on_the_events_the_bounds_hold_surely(name) -> None:
    outcome = sample(f"a priori: {name}", getattr(apriori_samplers, name), 150)
    assert outcome.status is Status.SAMPLED, outcome


@pytest.mark.parametrize(
    ("event", "share"),
    [
        ("operator_norms", -1.0),
        ("signals", -1.0),
        ("units", 0.0),
        ("leave_one_out", 0.0),
        ("columns", -1.0),
        ("output_weights", 0.9),
    ],
)
def test_every_event_is_needed(event, share, monkeypatch) -> None:
    """With one event's number made too small some bound at theta0 is violated: no event is idle, and sampling would see it."""
    measured = apriori_samplers.measured_tails

    def shrunk(network: SmallNetwork):
        tails = measured(network)
        if event not in tails.numbers:
            return tails
        least = {"signals": -0.5, "columns": -2.0, "operator_norms": -1.0}
        t = tails.numbers[event]
        changed = share * t if share >= 0 else t + 2 * least[event]
        return apriori_samplers.MeasuredTails({**tails.numbers, event: changed})

    monkeypatch.setattr(apriori_samplers, "measured_tails", shrunk)
    assert sample(f"mutant of {event}", apriori_samplers.bounds_at_start, 600).status is Status.VIOLATED


# With the stated probability


def small_network(generator, sizes, output_layer, seed, bias=0.5, name="tanh"):
    architecture = Architecture(sizes, 1.0, bias, 1.0, (True,) * (len(sizes) - 1))
    record = activation(name)
    inputs = generator.standard_normal((sizes[0], 3))
    return SmallNetwork(
        architecture=architecture,
        kernel=builtin_activation(name),
        slope=float(record.slope_bound().upper),
        curvature=float(record.curvature_bound().upper),
        theta0=initialize(architecture, output_layer, seed),
        inputs=inputs,
        root_weights=np.full(3, math.sqrt(1 / 3)),
        moving=np.arange(architecture.parameters),
    )


@pytest.mark.parametrize("sizes", [(4, 12, 10, 1), (3, 8, 9, 7, 2)])
def test_each_event_fails_at_most_as_often_as_its_share(sizes) -> None:
    """Half of the probability to each event in turn: the tails are then not so far out that nothing is tested."""
    generator, trials = np.random.default_rng(5), 150
    networks = [small_network(generator, sizes, "gaussian", seed) for seed in range(trials)]
    plan = apriori_samplers.plan_of(networks[0])
    shares = budget(event_counts(plan, eigenvalue=False), Fraction(1, 2))
    share = {event: Fraction(1, 2) for event in shares.shares}
    even = dataclasses.replace(shares, shares=share)
    measured = [apriori_samplers.measured_tails(network).numbers for network in networks]
    failures = {event: sum(tails[event] > even.tail(event, FLOAT) for tails in measured) for event in share}
    assert set(failures) == set(measured[0])
    assert max(failures.values()) <= most_failures(trials, 0.5), failures
    assert any(failures.values())  # the unions over few units are not that loose


def measured_beta(architecture, point, radius, slope, curvature):
    return float(
        ball_bounds(
            SignalsAtPoint(
                architecture.fan_in_scales,
                architecture.bias_scale,
                architecture.output_scale,
                architecture.trained,
                slope,
                curvature,
                point.operator_norms,
                point.forward_norms,
                point.gram_norms,
                point.schur,
                point.backward_sup,
                point.backward_norms,
            ),
            radius,
            FLOAT,
        ).beta
    )


def failures_at_initialization(sizes, trained, output_layer, name, points, seeds, delta, bias=0.3):
    """How many seeds break some a-priori bound: signals, beta on two balls, lambda_max(K_0), |f_0|."""
    architecture = Architecture(sizes, 1.2, bias, 1.5, trained)
    record, kernel = activation(name), builtin_activation(name)
    slope, curvature = record.slope_bound().upper, record.curvature_bound().upper
    inputs = np.random.default_rng(0).standard_normal((points, sizes[0]))
    plan = blueprint(
        sizes,
        slope=slope,
        curvature=curvature,
        at_zero=value_at_zero(record),
        points=points,
        weight_scale=1.2,
        bias_scale=bias,
        output_scale=1.5,
        trained=trained,
        output_layer=output_layer,
    )
    weights = np.full(points, 1 / points)
    data = points_of(plan, inputs, weights)
    shares = budget(event_counts(plan, centered=False, eigenvalue=False), delta)
    known = at_start(plan, shares, data, FLOAT)
    radii = (0.1, 3.0)
    allowed = [float(beta_on_ball(known, data, radius, FLOAT)) for radius in radii]
    start, room = known.start, 1 + 1e-9
    output = float(initial_output(plan, shares, known, FLOAT))
    failures, ratios = 0, []
    for seed in range(seeds):
        point = snapshot(
            architecture, kernel, initialize(architecture, output_layer, seed), inputs, weights, float(slope), float(curvature)
        )
        measured = [measured_beta(architecture, point, radius, float(slope), float(curvature)) for radius in radii]
        sound = all(m <= a * room for m, a in zip(measured, allowed, strict=True))
        sound &= bool(np.all(point.forward_norms <= np.array(start.signals, dtype=float) * room))
        sound &= bool(np.all(point.backward_sup <= np.array(start.backward_sup, dtype=float) * room))
        sound &= bool(np.all(point.backward_norms <= np.array(start.backward_norms, dtype=float)[:, None] * room))
        sound &= bool(point.eigenvalues[-1] <= float(known.lambda_max) * room)
        sound &= bool(math.sqrt(np.sum(weights[:, None] * point.outputs**2)) <= output * room)
        failures += not sound
        ratios.append(measured[0] / allowed[0])
    return failures, max(ratios)


@pytest.mark.parametrize(
    ("sizes", "trained", "output_layer", "name"),
    [
        ((5, 30, 1), (True, True), "signs", "tanh"),
        ((5, 30, 1), (True, False), "gaussian", "softplus"),
        ((5, 20, 20, 1), (True, True, True), "gaussian", "sin"),
        ((5, 20, 24, 2), (False, True, True), "signs", "erf"),
        ((4, 12, 10, 12, 1), (True, False, True, True), "gaussian", "softplus"),
    ],
)
def test_a_priori_bounds_hold_at_drawn_initializations(sizes, trained, output_layer, name) -> None:
    delta = Fraction(1, 2)
    failures, ratio = failures_at_initialization(sizes, trained, output_layer, name, 4, 60, delta)
    assert failures <= most_failures(60, float(delta))
    assert ratio > 0.01  # informative: within a factor 100 of what is measured


@pytest.mark.validate
@pytest.mark.parametrize("output_layer", ["signs", "gaussian"])
@pytest.mark.parametrize("width", [50, 200, 800])
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_a_priori_bounds_hold_at_larger_networks(layers, width, output_layer) -> None:
    delta = Fraction(1, 10)
    sizes = (16, *(width,) * (layers - 1), 1)
    failures, _ = failures_at_initialization(sizes, (True,) * layers, output_layer, "tanh", 12, 60, delta)
    assert failures <= most_failures(60, float(delta))


@pytest.mark.parametrize("width", [40, pytest.param(400, marks=pytest.mark.validate)])
def test_the_initial_output_is_bounded_as_often_as_stated(width) -> None:
    """Gaussian and +-1, with the whole probability of one half on this event."""
    inputs = np.random.default_rng(1).standard_normal((6, 5))
    for output_layer in ("signs", "gaussian"):
        architecture = Architecture((5, width, 1), 1.0, 0.0, 1.0, (True, True))
        failures, trials = 0, 300
        share = Fraction(1, 2)
        for seed in range(trials):
            theta = initialize(architecture, output_layer, seed)
            hidden = np.tanh(architecture.weight(theta, 1) @ inputs.T / math.sqrt(5))
            outputs = architecture.weight(theta, 2) @ hidden / math.sqrt(width)
            trace = np.mean(np.sum(hidden**2, axis=0)) / width
            tail = math.sqrt(2 * math.log(1 / share))
            factor = 1 + tail if output_layer == "gaussian" else 1 + 2 * tail
            direct = math.sqrt(2 * math.log((6 if output_layer == "gaussian" else 12) / share))
            failures += bool(math.sqrt(np.mean(outputs**2)) > math.sqrt(trace) * min(factor, direct))
        assert failures <= most_failures(trials, float(share))


@pytest.mark.parametrize("width", [60, pytest.param(2000, marks=pytest.mark.validate)])
def test_the_matrix_chernoff_bound_holds_as_often_as_stated(width) -> None:
    """lambda_min(K_0) of the first layer against (1 - eps) lambda_inf, at an eps whose bound of the probability is informative."""
    inputs = np.linalg.qr(np.random.default_rng(2).standard_normal((6, 3)))[0].T * math.sqrt(6)  # orthogonal: lambda_inf is large
    limit = limit_kernels(
        wide_network("tanh", 1, trained=(True, False)), inputs, FLOAT, normalization=Normalization.MEAN
    ).ntk.astype(float)
    lam, gram = np.linalg.eigvalsh(limit)[0], np.linalg.eigvalsh(inputs @ inputs.T / 6 / 3)[-1]
    share = 0.2
    eps = math.sqrt(2 * gram * math.log(3 / share) / (width * lam))
    assert eps < 1
    failures = 0
    for seed in range(200):
        first = np.random.default_rng(seed).standard_normal((width, 6))
        slopes = 1 - np.tanh(first @ inputs.T / math.sqrt(6)) ** 2
        kernel = slopes.T @ slopes / width * (inputs @ inputs.T / 6 / 3)
        failures += bool(np.linalg.eigvalsh(kernel)[0] <= (1 - eps) * lam)
    assert failures <= most_failures(200, share)


# From problem files


def problem(**network):
    return problem_from_mapping({"data": {"points": 6}, "network": {"trained": [1], "hidden": [64]} | network})


def test_a_threshold_from_a_problem_and_what_it_certifies() -> None:
    given = problem()
    data = load_data(given.data, given.loss)
    prior = prior_of(given, data, hidden=[1])
    found = least_width(prior)
    assert found.width == math.floor(float(closed_form_square_root(prior, FLOAT)) ** 2) + 1
    at, below = (certificate_of(at_width(prior, width)) for width in (found.width, found.width - 1))
    assert at.certified
    assert at.failure_probability == Fraction(0.01)
    assert at.constants["q"][1] < 1
    assert not below.certified
    assert "q" in below.refused


def test_the_points_are_enclosed_and_the_norms_are_the_largest_eigenvalues() -> None:
    given = problem(bias_scale=0.5, weight_scale=1.5)
    data = load_data(given.data, given.loss)
    prior = prior_of(given, data, lambda0=0.1)
    kernel = 2.25 / 64 * data.inputs @ data.inputs.T + 0.25
    for number, matrix in ((prior.data.gram_norm, kernel), (prior.data.schur, kernel**2)):
        measured = math.sqrt(np.linalg.eigvalsh(matrix / 6)[-1])
        assert float(number) == pytest.approx(measured, rel=1e-12)
        assert number > 0
    assert np.allclose([float(x) for x in prior.data.norms], np.linalg.norm(data.inputs, axis=1), rtol=1e-15)
    assert float(prior.label_norm) == pytest.approx(math.sqrt(np.mean(data.targets**2)), rel=1e-15)
    assert value_at_zero(activation("softplus")) >= math.log(2) * (1 - 1e-15)
    assert value_at_zero(activation("tanh")) == 0


def test_optimized_shares_are_valid_and_no_worse() -> None:
    given = problem(hidden=[64, 64], trained="all", output_layer="gaussian", centered=False)
    data = load_data(given.data, given.loss)
    prior = prior_of(given, data, hidden=[10**8, 10**8], lambda0=0.05)

    def make(weights):
        return dataclasses.replace(prior, weights=tuple(weights.items()))

    better = make(optimized_weights(make, 60))
    assert better.shares.total == prior.shares.total == prior.failure_probability
    assert quotient(better, BALL) < quotient(prior, BALL)
    # A hypothesis on lambda0 is not made stronger to gain in q.
    assert better.shares.shares["eigenvalue"] == prior.shares.shares["eigenvalue"]


def test_the_search_returns_equal_shares_where_it_finds_nothing_better() -> None:
    given = problem()
    prior = prior_of(given, load_data(given.data, given.loss), lambda0=0.05)
    # beta, s_0 and lambda0 depend on no tail here: whatever is tried is a tie, and a tie is not better.
    assert set(optimized_weights(lambda w: dataclasses.replace(prior, weights=tuple(w.items())), 20).values()) == {Fraction(1)}


def test_where_chernoff_proves_nothing_at_equal_shares_the_search_still_begins() -> None:
    given = problem()
    prior = prior_of(given, load_data(given.data, given.loss), hidden=[1])
    least = next(m for m in range(1, 10**6) if initial(at_width(prior, m), FLOAT).lambda0 > 0)
    narrow = at_width(prior, least - 1)
    assert math.isnan(quotient(narrow, FLOAT))

    def make(weights):
        return dataclasses.replace(narrow, weights=tuple(weights.items()))

    found = make(optimized_weights(make))
    assert quotient(found, BALL).is_finite()
    assert found.shares.total == narrow.shares.total


def test_a_law_gives_moments_and_a_missing_one_is_named() -> None:
    given = problem(hidden=[64, 64], trained="all")
    plan = plan_of(given.network, 64, 1, 6, hidden=[1, 1])
    facts = {"label_norm": 1, "lambda0": Fraction(1, 10), "failure_probability": Fraction(1, 100)}
    prior = prior_of_law(plan, sphere(64), **facts)
    # On a sphere the moments are those of every sample.
    assert [float(m) for m in prior.data.even] == pytest.approx([64.0, 64.0**2, 64.0**3], rel=1e-15)
    data = load_data(given.data, given.loss)
    same = dataclasses.replace(prior_of(given, data, hidden=[1, 1], lambda0=0.1), label_norm=1)
    assert least_width(same).width <= least_width(prior).width
    with pytest.raises(InputError, match=r"E\|x\|\^6 of the law .* does not exist: its moments exist up to order 4"):
        prior_of_law(plan, student(64, 5), **facts)


def test_what_cannot_be_certified_says_why() -> None:
    given = problem(hidden=[64, 64], trained="all")
    data = load_data(given.data, given.loss)
    with pytest.raises(ProblemError, match="one hidden layer that is trained"):
        prior_of(given, data)
    plain = problem_from_mapping({"data": {"points": 6}, "loss": {"name": "logistic", "ridge": 0}, "network": {"trained": [1]}})
    with pytest.raises(InputError, match="logistic loss without ridge is not Polyak-Lojasiewicz"):
        prior_of(plain, load_data(plain.data, plain.loss))


def test_quantities_of_points_are_below_those_of_their_moments_in_balls() -> None:
    given = problem(hidden=[64, 64], trained="all")
    data = load_data(given.data, given.loss)
    prior = prior_of(given, data, lambda0=0.1)
    powers = [Fraction(0)] * 3
    for x, weight in zip(prior.data.norms, prior.data.weights, strict=True):
        powers = [total + weight * x ** (2 * j) for j, total in enumerate(powers, 1)]
    loose: Prior = dataclasses.replace(prior, data=Moments(tuple(powers)))
    sharp, blunt = (quantities(item, BALL.numbers(1), BALL) for item in (prior, loose))
    assert isinstance(prior.data, Points)
    assert isinstance(prior.eigenvalue, Granted)
    assert sharp["beta"] < blunt["beta"]
    assert sharp["lambda_max"] < blunt["lambda_max"]
    assert float(initial(prior, FLOAT).s0) == float(prior.label_norm)
