"""Samplers: catalogue and proofs name the same ones, slightly stronger facts are caught, rounding is small."""

from __future__ import annotations

import math

import numpy as np
import pytest

from theorems.catalogue import THEOREMS
from theorems.errors import InputError
from theorems.ledger import Sampled
from verify.composite_problems import QuadraticMap, broken_hypotheses
from verify.proving import map_samplers, maps
from verify.proving.ledger import try_evidence
from verify.proving.networks import bounds_on_ball, draw_network, jacobian, signals
from verify.proving.outcome import Status
from verify.proving.samplers import SAMPLERS
from verify.proving.sampling import Trial, sample

COUNT = 60
# Bounds this much smaller must be seen to fail. Where it is not 2%: the bound is not attained by the instances drawn.
SHRINK = dict.fromkeys(SAMPLERS, 0.98) | {"gradient of J is Lipschitz": 0.6, "Jacobian is Lipschitz": 0.8}


def test_proofs_and_catalogue_name_the_same_samplers() -> None:
    used = {step.evidence.sampler for item in THEOREMS.values() for step in item.proof if isinstance(step.evidence, Sampled)}
    assert used == set(SAMPLERS)


def test_an_unknown_sampler_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'forward drift'"):
        try_evidence(Sampled("forward drfit", 1))


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_slightly_stronger_fact_is_violated(name) -> None:
    def stronger(generator):
        for trial in SAMPLERS[name](generator):
            yield Trial(trial.measured, min(trial.bound, SHRINK[name] * trial.bound), trial.rounding)

    outcome = sample(name, stronger, COUNT)
    assert outcome.status is Status.VIOLATED
    assert outcome.margin < 0


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_rounding_errors_do_not_decide(name) -> None:
    """In nine of ten trials the allowance for rounding is below a millionth of the bound."""
    trials = [trial for seed in range(20) for trial in SAMPLERS[name](np.random.default_rng(seed)) if trial.bound != 0]
    assert trials
    small = [0 <= trial.rounding <= 1e-6 * abs(trial.bound) for trial in trials]
    assert np.mean(small) >= 0.9


def test_instances_do_not_depend_on_who_ran_before() -> None:
    name = "remainder of the linearization"
    first = sample(name, SAMPLERS[name], 20)
    sample("smoothness of h", SAMPLERS["smoothness of h"], 5)
    assert sample(name, SAMPLERS[name], 20) == first


@pytest.mark.parametrize(
    ("trials", "status", "margin"),
    [
        ([Trial(1.0, 2.0, 0.0)], Status.SAMPLED, 0.5),
        ([Trial(1.0, 2.0, 0.0), Trial(0.0, 0.0, 0.0)], Status.SAMPLED, 0.5),
        ([Trial(0.0, 0.0, 0.0)], Status.SAMPLED, None),
        ([Trial(1.0 + 1e-9, 1.0, 1e-8)], Status.SAMPLED, 0.0),
        ([Trial(-1.0, -2.0, 0.0)], Status.VIOLATED, -0.5),
        ([Trial(1.0 + 1e-9, 1.0, 1e-10)], Status.VIOLATED, None),
        ([Trial(math.nan, 1.0, 0.0)], Status.UNDECIDED, None),
        ([Trial(1.0, math.nan, 0.0)], Status.UNDECIDED, None),
        ([Trial(1.0, 2.0, math.nan)], Status.UNDECIDED, None),
        ([Trial(1.0, math.inf, 0.0)], Status.UNDECIDED, None),
        ([Trial(1.0, 2.0, math.inf)], Status.UNDECIDED, None),
        ([], Status.UNDECIDED, None),
    ],
)
def test_judgement(trials, status, margin) -> None:
    outcome = sample("a fact", lambda generator: trials, 3)
    assert outcome.status is status
    if margin is not None:
        assert outcome.margin == margin


def test_a_violation_names_its_instance() -> None:
    seen = []

    def sampler(generator):
        seen.append(generator)
        yield Trial(3.0 if len(seen) == 4 else 1.0, 2.0, 0.0)

    outcome = sample("a fact", sampler, 10)
    assert outcome.status is Status.VIOLATED
    assert outcome.count == 4
    assert outcome.detail.startswith("instance 4: 3.0 exceeds 2.0")


@pytest.mark.parametrize(
    "sampler", [map_samplers.smallest_singular_value, map_samplers.remainder, map_samplers.inverse_near_a_point]
)
def test_a_declared_lipschitz_constant_one_percent_too_small_is_caught(monkeypatch, sampler) -> None:
    def draw(generator):
        found = maps.draw_map(generator)
        return QuadraticMap(found.linear, found.quadratic, 0.99)

    monkeypatch.setattr(map_samplers, "draw_map", draw)
    assert sample("with a wrong constant", sampler, 200).status is Status.VIOLATED


@pytest.mark.parametrize("name", ["A", "A-square", "A+", "A0"])
def test_problems_meet_every_hypothesis(name) -> None:
    for seed in range(30):
        problem = maps.draw_problem(THEOREMS[name], np.random.default_rng(seed))
        assert broken_hypotheses(problem) == []


def test_jacobians_are_derivatives() -> None:
    """Central differences; their error is h^2 times third derivatives, and u/h times the values."""
    for seed in range(12):
        network = draw_network(np.random.default_rng(seed))
        direction = np.random.default_rng(seed).standard_normal(len(network.moving))
        step = 1e-5 * network.embed(direction)
        values = [
            network.architecture.output_scale * signals(network, network.theta0 + sign * step).z[-1] * network.root_weights
            for sign in (1, -1)
        ]
        slope = ((values[0] - values[1]) / 2e-5).T.ravel()
        expected = jacobian(network, network.theta0) @ direction
        assert np.abs(slope - expected).max() <= 1e-5 * (1 + np.abs(expected).max())


def test_bounds_at_radius_zero_are_the_signals() -> None:
    network = draw_network(np.random.default_rng(3))
    given, bounds = bounds_on_ball(network, 0.0)
    assert np.allclose(bounds.backward_sup, given.backward_sup)
    assert np.allclose(bounds.backward_norms, given.backward_norms)
