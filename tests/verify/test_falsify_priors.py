"""The instances of the statements before training: probabilities by brute force, events by another program, floats and balls."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from numerics.activations import builtin_activation
from theorems.arithmetic import FLOAT, BallArithmetic, working_precision
from theorems.catalogue import THEOREMS, theorem
from theorems.records import Role
from verify.falsify import displaced, prior_changes, prior_laws, prior_networks, prior_steps, prior_widths
from verify.falsify.families import family_of
from verify.falsify.prior_laws import HiddenUnits, Sample
from verify.falsify.prior_networks import DRAWN_NETWORKS, tails_of
from verify.proving.apriori_samplers import measured_tails
from verify.proving.networks import SmallNetwork

PRIORS = [name for name, record in THEOREMS.items() if record.role is Role.PRIOR]
SEEDS = st.integers(0, 2**32 - 1)
KNOWN = {
    "F": prior_networks.known_of,
    "F-moments": prior_laws._sample_known,
    "F-chernoff": prior_laws._unit_known,
    "F-width": prior_widths._width_known,
    "F-any-step": prior_steps._known,
    "F-scale": prior_changes._scale_known,
    "G-step": prior_widths._transfer_known,
    "G-persistence": prior_changes._persistence_known,
}


def drawn(name: str, seed: int):
    """A random instance that meets the hypotheses in floats."""
    record = theorem(name)
    family = family_of(record)
    table, items = family.tried(record, family.drawn(record, np.random.default_rng(seed), 1))
    assume(items[0] is not None and not np.all(np.isnan(table)))
    return items[0]


@pytest.mark.parametrize("name", PRIORS)
@settings(max_examples=10)
@given(seed=SEEDS)
def test_floats_agree_with_balls(name, seed) -> None:
    item = drawn(name, seed)
    with np.errstate(all="ignore"):
        floats, _ = KNOWN[name](theorem(name), item, FLOAT)
    with working_precision(256):
        balls, _ = KNOWN[name](theorem(name), item, BallArithmetic(256))
    assert set(balls) == set(floats)
    for symbol, ball in balls.items():
        if np.isfinite(float(floats[symbol])):
            scale = 1 + abs(float(floats["Lambda"])) if name == "F" else 0
            assert float(ball.mid()) == pytest.approx(float(floats[symbol]), rel=1e-7, abs=1e-12 * scale + 1e-15), symbol


@pytest.mark.parametrize("name", PRIORS)
def test_no_claim_is_idle_and_most_extremes_count(name) -> None:
    record = theorem(name)
    family = family_of(record)
    table, _ = family.tried(record, family.extremes(record))
    assert np.nanmax(table, axis=0) == pytest.approx(np.ones(len(record.claims)), abs=2e-3)
    assert np.mean(np.any(~np.isnan(table), axis=1)) > 0.4


@settings(max_examples=30)
@given(SEEDS)
def test_events_are_measured_as_the_samplers_measure_them(seed) -> None:
    """Signals straight from their definitions, in floats: another program."""
    (point,) = DRAWN_NETWORKS.drawn(theorem("F"), np.random.default_rng(seed), 1)
    item = prior_networks.drawn_network(theorem("F"), point)
    assume(item is not None)
    network = item.network
    at = displaced.signals(network, network.theta, FLOAT)
    found = tails_of(network, at, FLOAT).numbers
    _, slope, curvature = displaced.activation_of(network.activation)
    small = SmallNetwork(
        architecture=network.architecture,
        kernel=builtin_activation(network.activation),
        slope=float(slope),
        curvature=float(curvature),
        theta0=network.theta,
        inputs=network.inputs.T,
        root_weights=np.full(len(network.inputs), 1 / math.sqrt(len(network.inputs))),
        moving=np.arange(network.architecture.parameters),
    )
    expected = measured_tails(small).numbers
    assert set(found) == set(expected)
    for event, t in expected.items():
        assert float(found[event]) == pytest.approx(t, abs=3e-9 * (1 + abs(t))), event


def test_outside_the_ball_nothing_is_said() -> None:
    record = theorem("F")
    family = family_of(record)
    item = prior_networks.drawn_network(record, family.extremes(record)[0])
    assert item is not None
    far = dataclasses.replace(item, network=dataclasses.replace(item.network, displacement=1.01 * item.network.displacement))
    column = {claim.id: claim for claim in record.claims}
    assert family.examined(record, item, column["F-jacobian"]) is not None
    assert family.examined(record, far, column["F-jacobian"]) is None
    assert family.examined(record, far, column["F-kernel"]) is not None


@settings(max_examples=30)
@given(SEEDS)
def test_probabilities_of_samples_are_sums_over_all_samples(seed) -> None:
    item: Sample = drawn("F-moments", seed)
    known, _ = prior_laws._sample_known(theorem("F-moments"), item, FLOAT)
    for name in ("markov", "chebyshev", "cantelli"):
        total = Fraction(0)
        for picked in itertools.product(item.law, repeat=item.points):
            if float(sum(value for value, _ in picked)) / item.points > known[name] * (1 + 1e-12):
                total += math.prod((chance for _, chance in picked), start=Fraction(1))
        assert known[f"exceeds_{name}"] == pytest.approx(float(total), rel=1e-12)


@settings(max_examples=30)
@given(SEEDS)
def test_the_failure_of_hidden_units_is_a_sum_over_all_patterns(seed) -> None:
    item: HiddenUnits = dataclasses.replace(drawn("F-chernoff", seed), units=3)
    floor = float(np.random.default_rng(seed).uniform(0, 1))
    total, active = 0.0, Fraction(item.active)
    for pattern in itertools.product((1.0, item.slope), repeat=3 * len(item.gram)):
        squares = np.square(pattern).reshape(len(item.gram), 3)
        kernel = np.diag(np.array(item.gram) * squares.sum(axis=1) / 3)
        if np.linalg.eigvalsh(kernel)[0] < floor:
            on = sum(x == 1.0 for x in pattern)
            total += float(active**on * (1 - active) ** (len(pattern) - on))
    assert prior_laws._failure(item, floor, FLOAT) == pytest.approx(total, abs=1e-12)


def test_the_law_of_hidden_units_is_that_of_a_network() -> None:
    """phi' of a gaussian pre-activation: with the threshold tau at the quantile, 1 with probability pi and a otherwise."""
    generator, active, slope, m = np.random.default_rng(0), 0.3, 0.4, 5
    inputs = 1.7 * np.eye(3)  # at right angles, of one norm
    c = 1 / math.sqrt(3)
    tau = c * 1.7 * math.sqrt(2) * _inverse_erfc(2 * active)
    hidden = generator.standard_normal((20000, m, 3))
    slopes = np.where(c * hidden @ inputs.T > tau, 1.0, slope)
    gram = c**2 * 1.7**2 / 3
    smallest = gram * np.min(np.sum(slopes**2, axis=1) / m, axis=1)
    item = HiddenUnits((gram,) * 3, m, active, slope, 0.5, 1.0)
    for floor in (0.2 * gram, 0.3 * gram, 0.45 * gram):
        expected = float(prior_laws._failure(item, floor, FLOAT))
        assert abs(np.mean(smallest < floor) - expected) <= 5 * math.sqrt(expected * (1 - expected) / 20000)


def _inverse_erfc(value: float) -> float:
    low, high = -5.0, 5.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(middle) > value else (low, middle)
    return low


def test_an_undecided_comparison_is_no_violation() -> None:
    """Markov's bound, attained exactly: in balls the comparison cannot be decided, and the probability is all of [0, p]."""
    item = Sample((1.0, 0.0), (0.375,), 1, 0.375)
    with working_precision(128):
        arithmetic = BallArithmetic(128)
        bound = arithmetic.numbers(Fraction(1, 3)) * 3
        outcomes = [(chance, prior_laws._exceeds(value, bound, arithmetic)) for value, chance in item.outcomes()]
        assert (Fraction(3, 8), None) in outcomes
        found = prior_laws._probability(outcomes, arithmetic)
    assert not found > 0
    assert not found < 0.375
    assert family_of(theorem("F-moments")).examined(theorem("F-moments"), item, theorem("F-moments").claims[0]) is not None


def test_a_width_instance_is_refused_and_certified_by_the_recursions() -> None:
    record = theorem("F-width")
    family = family_of(record)
    for point in family.extremes(record)[:4]:
        item = prior_widths._width(record, point)
        assert item is not None
        known, _ = prior_widths._width_known(record, item, FLOAT)
        assert item.certified - item.refused == 1
        assert (known["refused_width"], known["certified_width"]) == (item.refused, item.certified)
        wider = dataclasses.replace(item, refused=2 * item.certified, certified=item.refused // 2)
        known, _ = prior_widths._width_known(record, wider, FLOAT)  # neither is what it is called
        assert np.isnan(known["refused_width"])
        assert np.isnan(known["certified_width"])
