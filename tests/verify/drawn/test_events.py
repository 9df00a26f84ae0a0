"""Counted events: wrong shares are caught, the implication is watched, and nothing depends on threads or order."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import threadpoolctl

from numerics.network import initialize
from numerics.snapshots import snapshot
from theorems.apriori.budget import Budget
from theorems.errors import InputError
from theorems.laws import cube, gaussian, sphere, student
from verify.data import load_data
from verify.drawn import eigenvalue, events
from verify.drawn.clopper_pearson import shared_confidence
from verify.drawn.eigenvalue import chernoff_frequencies, smallest_eigenvalues
from verify.drawn.events import event_frequencies, moment_frequencies
from verify.drawn.frequencies import Frequency, count_above, seeds_of
from verify.errors import ProblemError
from verify.expressions import activation_of
from verify.kernels import activation_kernel
from verify.problem import problem_from_mapping
from verify.verdict import Verdict
from verify.weights import architecture_of

CONFIDENCE = shared_confidence(100)


def setting(points: int = 6, source: str = "gaussian", **network):
    law = {"source": source, "dimension": 4, "points": points, "normalize": "none"}
    problem = problem_from_mapping({"data": law, "network": {"hidden": [8, 8], **network}})
    return problem, load_data(problem.data, problem.loss)


def by_quantity(rows: list[Frequency]) -> dict[str, Frequency]:
    return {row.quantity: row for row in rows}


def test_every_event_of_the_budget_is_counted() -> None:
    problem, data = setting(centered=False, bias_scale=0.5, activation="softplus")
    rows = by_quantity(event_frequencies(problem, data, seeds_of(0, 250, 1), [Fraction(1, 2)], conclusion_draws=30))
    events_counted = {"operator_norms", "signals", "units", "columns", "leave_one_out", "initial_output", "initial_bias"}
    assert events_counted <= set(rows)
    for name in events_counted:
        assert rows[name].stated == Fraction(1, 14)
        assert rows[name].verdict(CONFIDENCE) is not Verdict.VIOLATED
    assert rows["any of the events"].stated == Fraction(1, 2)
    assert rows["any of the events"].verdict(CONFIDENCE) is Verdict.HOLDS
    assert rows["a conclusion fails although every event holds"].verdict(CONFIDENCE) is Verdict.HOLDS
    assert rows["s_0"].count.trials == 30


EVENTS = ["operator_norms", "signals", "units", "columns", "leave_one_out", "output_weights", "initial_output"]


@pytest.mark.parametrize("event", EVENTS)
def test_a_tail_that_is_too_small_is_caught(event, monkeypatch) -> None:
    """t, with which the event is stated to fail with 1/14, put where it fails in half of the draws."""
    problem, data = setting(centered=False, output_layer="gaussian")
    seeds = seeds_of(3, 150, 2)
    honest = by_quantity(event_frequencies(problem, data, seeds, [Fraction(1, 2)], conclusion_draws=0))[event]
    assert honest.verdict(CONFIDENCE) is not Verdict.VIOLATED
    right = Budget.tail
    typical = {"operator_norms": -1.0, "columns": 0.3, "signals": 0.8, "initial_output": -0.3}

    def wrong(self, name, arithmetic):
        if name != event:
            return right(self, name, arithmetic)
        return typical.get(event, right(self, name, arithmetic) / 2)

    monkeypatch.setattr(Budget, "tail", wrong)
    rows = by_quantity(event_frequencies(problem, data, seeds, [Fraction(1, 2)], conclusion_draws=0))
    assert rows[event].verdict(CONFIDENCE) is Verdict.VIOLATED
    assert rows[event].count.certain >= 30


@pytest.mark.parametrize("quantity", [events.FORWARD, events.SUP, events.BACKWARD, events.LARGEST, events._beta(1.0)])
def test_a_conclusion_that_does_not_follow_is_caught(quantity, monkeypatch) -> None:
    """A bound 1000 times too small fails although every event holds: that is a violation on every single draw."""
    problem, data = setting(output_layer="gaussian")
    right = events._promise

    def wrong(*arguments):
        promise = right(*arguments)
        return dataclasses.replace(promise, bounds={**promise.bounds, quantity: promise.bounds[quantity] / 1000})

    monkeypatch.setattr(events, "_promise", wrong)
    rows = by_quantity(event_frequencies(problem, data, seeds_of(0, 30, 1), [Fraction(1, 10)]))
    assert rows["a conclusion fails although every event holds"].verdict(CONFIDENCE) is Verdict.VIOLATED
    assert rows[quantity].verdict(CONFIDENCE) is Verdict.VIOLATED


def test_measured_conclusions_are_those_of_the_snapshot() -> None:
    """lambda_max and s_0 counted against numbers computed here."""
    problem, data = setting(centered=False)
    seeds = seeds_of(5, 8, 1)
    rows = by_quantity(event_frequencies(problem, data, seeds, [Fraction(1, 2)]))
    architecture = architecture_of(problem.network, data.dimension, 1)
    kernel = activation_kernel(activation_of("tanh"))
    largest, residuals = [], []
    for seed in seeds:
        theta = initialize(architecture, "signs", seed)
        found = snapshot(architecture, kernel, theta, data.inputs, data.sample_weights)
        largest.append(found.eigenvalues[-1])
        residuals.append(np.sqrt(np.mean((found.outputs - data.targets) ** 2)))
    for name, values in (("lambda_max(K_0)", largest), ("s_0", residuals)):
        assert rows[name].largest == pytest.approx(max(values) / rows[name].bound, rel=1e-12)
        assert rows[name].room == pytest.approx(rows[name].bound / np.median(values), rel=1e-12)


def test_neither_threads_nor_the_order_of_the_draws_matter() -> None:
    problem, data = setting(output_layer="gaussian", centered=False)
    seeds = seeds_of(0, 12, 1)
    with threadpoolctl.threadpool_limits(1):
        one = event_frequencies(problem, data, seeds, [Fraction(1, 2), Fraction(1, 10)])
    with threadpoolctl.threadpool_limits(2):
        two = event_frequencies(problem, data, seeds, [Fraction(1, 2), Fraction(1, 10)])
    assert one == two
    assert event_frequencies(problem, data, seeds[::-1], [Fraction(1, 2), Fraction(1, 10)]) == one


def test_seeds_are_a_function_of_seed_and_labels() -> None:
    assert seeds_of(0, 5, 2, 64) == seeds_of(0, 9, 2, 64)[:5]
    different = [seeds_of(*labels) for labels in ((0, 5, 2, 64), (0, 5, 2, 65), (0, 5, 3, 64), (1, 5, 2, 64))]
    assert len({seed for seeds in different for seed in seeds}) == 20
    assert all(0 <= seed < 2**63 for seeds in different for seed in seeds)


def test_a_number_that_is_not_one_counts_as_failure() -> None:
    count = count_above(np.array([0.0, np.nan, 2.0, 1.0]), 1e-9, 1.0)
    assert (count.certain, count.possible) == (2, 3)


def test_moments() -> None:
    (row,) = moment_frequencies(gaussian(4), 8, 3, [Fraction(1, 2)], 400, 0)
    assert row.verdict(CONFIDENCE) is Verdict.HOLDS
    (surely,) = moment_frequencies(sphere(4), 8, 3, [Fraction(1, 10)], 400, 0)
    assert (surely.count.certain, surely.room) == (0, pytest.approx(1.0, rel=1e-9))
    with pytest.raises(InputError, match="moment"):
        moment_frequencies(student(4, 5), 8, 3, [Fraction(1, 2)], 10, 0)


def test_moments_of_another_law_are_caught(monkeypatch) -> None:
    right = events.draw
    monkeypatch.setattr(events, "draw", lambda *arguments: 2 * right(*arguments))
    (row,) = moment_frequencies(gaussian(4), 8, 3, [Fraction(1, 10)], 400, 0)
    assert row.verdict(CONFIDENCE) is Verdict.VIOLATED


def chernoff_setting():
    problem, data = setting(points=3, hidden=[256], trained=[1])
    return problem, data, smallest_eigenvalues(problem, data, seeds_of(0, 400, 2, 256))


def test_the_chernoff_event_and_a_planted_wrong_one(monkeypatch) -> None:
    problem, data, sample = chernoff_setting()
    half, tenth = chernoff_frequencies(problem, data, sample, [Fraction(1, 2), Fraction(1, 10)])
    assert half.stated == Fraction(1, 2)
    assert half.bound > tenth.bound > 0
    assert half.verdict(CONFIDENCE) is tenth.verdict(CONFIDENCE) is Verdict.HOLDS
    right = eigenvalue.chernoff_epsilon
    monkeypatch.setattr(eigenvalue, "chernoff_epsilon", lambda *arguments: right(*arguments) / 1000)
    wrong = chernoff_frequencies(problem, data, sample, [Fraction(1, 10)])[0]
    assert wrong.verdict(CONFIDENCE) is Verdict.VIOLATED


def test_where_the_chernoff_bound_says_nothing_nothing_is_checked() -> None:
    problem, data = setting(points=6, hidden=[4], trained=[1])
    sample = smallest_eigenvalues(problem, data, seeds_of(0, 3, 2, 4))
    (row,) = chernoff_frequencies(problem, data, sample, [Fraction(1, 10)])
    assert row.verdict(CONFIDENCE) is Verdict.NOT_APPLICABLE


def test_what_has_no_bounds_is_refused() -> None:
    problem, data = setting(activation="relu")
    with pytest.raises(InputError):
        event_frequencies(problem, data, [0], [Fraction(1, 2)])
    other = problem_from_mapping({"loss": {"name": "pseudo_huber"}, "data": {"points": 4}})
    with pytest.raises(ProblemError, match="square"):
        event_frequencies(other, data, [0], [Fraction(1, 2)])
    deep, data = setting(hidden=[8, 8])
    with pytest.raises(ProblemError, match="hidden layer"):
        chernoff_frequencies(deep, data, smallest_eigenvalues(deep, data, [0]), [Fraction(1, 2)])


@pytest.mark.validate
@pytest.mark.parametrize("source", ["gaussian", "sphere", "cube", "student"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [8, 40])
def test_failures_against_stated_probabilities(source, depth, width) -> None:
    """Half of the networks have +-1 outputs and no biases, half Gaussian ones and biases; all share the risk."""
    other = {"output_layer": "gaussian", "bias_scale": 0.5, "centered": False, "activation": "softplus"}
    network = other if (depth + width // 40) % 2 else {}
    problem, data = setting(source=source, hidden=[width] * depth, **network)
    rows = event_frequencies(problem, data, seeds_of(11, 1300, depth, width), [Fraction(1, 2)], conclusion_draws=150)
    confidence = shared_confidence(32 * len(rows))
    verdicts = {row.quantity: row.verdict(confidence) for row in rows}
    assert set(verdicts.values()) == {Verdict.HOLDS}, verdicts


@pytest.mark.validate
@pytest.mark.parametrize("method", ["markov", "chebyshev", "cantelli", "least"])
def test_moments_against_stated_probabilities(method) -> None:
    laws = [(gaussian(3), 4), (cube(3), 4), (student(3, 17), 4)]  # on a sphere moments are constants
    deltas = [Fraction(1, 2), Fraction(1, 20)]
    for law, orders in laws:
        for row in moment_frequencies(law, 5, orders, deltas, 20000, 4, method):
            assert row.verdict(shared_confidence(24)) is Verdict.HOLDS, (law.name, row)
