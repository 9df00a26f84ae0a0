"""Losses with L > mu before drawing: what the quotient of gradient flow decides, what a given step keeps, and the scales."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from theorems.apriori.blueprint import blueprint
from theorems.apriori.constants import Prior, initial, path_radius, quotient, zero_residual
from theorems.apriori.data import Moments, Points, beta_on_ball, beta_shares
from theorems.apriori.eigenvalue import Chernoff, Granted, source_of
from theorems.apriori.scale import best_scale, with_label_scale, with_output_scale
from theorems.apriori.threshold import (
    at_width,
    best_width,
    closed_form_square_root,
    least_width,
    monotone_from,
    no_radius_certifies,
)
from theorems.arithmetic import BALL, FLOAT
from theorems.catalogue import THEOREMS, theorem
from theorems.errors import InputError
from theorems.records import LossClass, Role

ROUNDING = 1e-11  # some hundred operations on positive numbers, each with relative error 2^-53
GENERAL = [t for t in THEOREMS.values() if t.role is Role.CONVERGENCE and t.loss_class is not LossClass.SQUARE]
DATA = np.array([[1.0, 2.0, 0.5], [-1.0, 0.5, 0.25], [0.5, -1.5, 2.0], [2.0, 0.0, -1.0]])


def prior(layers=2, width=10**6, **changes):
    names = ("slope", "curvature", "output_layer", "bias_scale", "trained", "output_scale")
    plan_changes = {name: changes.pop(name) for name in list(changes) if name in names}
    plan = blueprint((3, *(width,) * (layers - 1), 1), **({"slope": 1, "curvature": Fraction(3, 4), "points": 4} | plan_changes))
    gram = DATA @ DATA.T / 3 + float(plan.bias_scale) ** 2
    root, schur = (math.sqrt(np.linalg.eigvalsh(g / 4)[-1]) * (1 + 1e-12) for g in (gram, gram**2))
    given = {
        "data": Points(np.linalg.norm(DATA, axis=1), np.full(4, 0.25), root, schur),
        "label_norm": 1,
        "eigenvalue": Granted(Fraction(1, 10)),
        "failure_probability": Fraction(1, 100),
        "smoothness": Fraction(35, 100),
        "mu": Fraction(1, 10),
        "zero_residual": Fraction(3, 2),
    }
    return Prior(plan, **(given | changes))


def drawn(generator, count):
    """Numbers of the theorems for L > mu, as arrays: q of the flow on both sides of 1, every kind of step."""
    mu = np.exp(generator.uniform(-4, 0, count))
    smoothness = mu * np.exp(generator.uniform(0, 4, count))
    lambda_max = np.exp(generator.uniform(-2, 2, count))
    lambda0 = lambda_max * np.exp(generator.uniform(-6, 0, count))
    s0 = np.exp(generator.uniform(-3, 3, count))
    flow = np.exp(generator.uniform(-4, 0.5, count))
    beta = flow * lambda0 / (2 * s0)
    radius = 2 * s0 / np.sqrt(lambda0) * np.exp(generator.uniform(-1, 1, count))
    eta = np.exp(generator.uniform(-6, 0.7, count)) / (smoothness * (np.sqrt(lambda_max) + beta * radius) ** 2)
    return {
        "L": smoothness,
        "mu": mu,
        "lambda0": lambda0,
        "lambda_max": lambda_max,
        "beta": beta,
        "s0": s0,
        "R": radius,
        "eta": eta,
    }


def holds(record, values):
    with FLOAT.context():
        known = record.evaluate_constants(values, FLOAT)
        margins = record.margins(known, FLOAT)
        passing = np.ones(len(values["R"]), dtype=bool)
        for item in record.hypotheses:
            passing &= margins[item.id] > 0 if item.strict else margins[item.id] >= 0
        return passing, known


@pytest.mark.parametrize("record", GENERAL, ids=lambda record: record.id)
def test_no_step_certifies_what_the_flow_does_not(record) -> None:
    """Part (ii) of the lemma: whatever passes has q(R) of the flow below its quotient, and R above the flow's radius."""
    values = drawn(np.random.default_rng(0), 40000)
    smaller = {**values, "lambda0": values["lambda0"] * np.random.default_rng(1).uniform(0.05, 1, 40000)}
    passing, known = holds(record, smaller)
    assert passing.sum() > 500
    with FLOAT.context():
        flow = 2 * values["beta"] * values["s0"] / values["lambda0"]
        path = 2 * values["s0"] / (np.sqrt(values["lambda0"]) * (1 + np.sqrt(1 - flow)))
    assert np.all(flow[passing] <= known["q"][passing] * (1 + ROUNDING))
    assert np.all(path[passing] < values["R"][passing])


def test_a_small_step_certifies_what_the_flow_does() -> None:
    """Part (i): Theorem A0 passes, with its quotient below q*, at small steps wherever q(R*) < q*."""
    values = drawn(np.random.default_rng(2), 20000)
    flow = 2 * values["beta"] * values["s0"] / values["lambda0"]
    target = np.random.default_rng(3).uniform(0.1, 1, 20000)
    radius = 2 * values["s0"] / (np.sqrt(values["lambda0"]) * (1 + np.sqrt(1 - target)))
    lambda_ = values["L"] * (np.sqrt(values["lambda_max"]) + values["beta"] * radius) ** 2
    below = flow < target * (1 - 1e-6)
    k0 = 1 - (target - flow) / 8
    smoothness_of_j = lambda_ + values["beta"] * np.sqrt(values["L"] * values["mu"]) * values["s0"]
    passing, known = holds(theorem("A0"), {**values, "R": radius, "eta": 2 * (1 - k0) / smoothness_of_j})
    assert below.sum() > 5000
    assert np.all(passing[below])
    assert np.all(known["q"][below] < target[below])


@pytest.mark.parametrize("record", GENERAL, ids=lambda record: record.id)
def test_a_given_step_keeps_its_certificate_when_the_bounds_fall(record) -> None:
    """The same eta, R and lambda0' with smaller beta, lambda_max and s_0: certified, with no larger quotient and radius."""
    generator = np.random.default_rng(4)
    values = drawn(generator, 40000)
    passing, known = holds(record, values)
    assert passing.sum() > 500
    lower = {name: values[name] * generator.uniform(0.1, 1, 40000) for name in ("beta", "s0")}
    lower["lambda_max"] = values["lambda0"] + (values["lambda_max"] - values["lambda0"]) * generator.uniform(0, 1, 40000)
    still, after = holds(record, {**values, **lower})
    assert np.all(still[passing])
    for name in ("q", "rbar", "rate"):
        assert np.all(after[name][passing] <= known[name][passing] * (1 + ROUNDING))


def test_the_lemma_needs_its_hypotheses() -> None:
    """With a larger lambda_max or s_0 some certificates at a given step are lost: monotonicity says something."""
    values = drawn(np.random.default_rng(5), 20000)
    for name in ("beta", "s0", "lambda_max"):
        lost = 0
        for record in GENERAL:
            passing, _ = holds(record, values)
            after, _ = holds(record, {**values, name: 2 * values[name]})
            lost += int((passing & ~after).sum())
        assert lost > 100, name


# s_0 and the quotient


def test_the_residual_at_zero_is_taken_as_given_or_bounded_by_the_minimizer() -> None:
    given = prior()
    assert float(zero_residual(given, FLOAT)) == 1.5
    without = dataclasses.replace(given, zero_residual=None)
    assert float(zero_residual(without, FLOAT)) == pytest.approx(math.sqrt(3.5), rel=1e-15)
    # |f_0| enters with sqrt(L/mu): compare with the square loss, for which it enters as it is.
    free, plain = (dataclasses.replace(x, centered=False) for x in (given, dataclasses.replace(given, smoothness=1, mu=1)))
    added, bare = (float(initial(x, FLOAT).s0) - 1.5 for x in (free, plain))
    assert bare > 0
    assert added == pytest.approx(math.sqrt(3.5) * bare, rel=1e-12)


@pytest.mark.parametrize("centered", [True, False])
def test_a_stronger_hypothesis_never_gives_a_larger_quotient(centered) -> None:
    def q(**changes):
        return float(quotient(prior(centered=centered, **changes), FLOAT))

    base = q()
    assert q(zero_residual=1) < base
    assert q(eigenvalue=Granted(Fraction(1, 5))) < base
    assert q(failure_probability=Fraction(1, 10)) <= base
    assert q(curvature=Fraction(1, 2)) < base
    assert q(zero_residual=None, label_norm=Fraction(1, 2)) < q(zero_residual=None)
    assert q(smoothness=Fraction(3, 10)) <= base  # enters by |f_0| alone
    assert base < q(width=10**5)


@pytest.mark.parametrize("layers", [2, 3])
def test_more_width_never_gives_a_larger_quotient(layers) -> None:
    given = prior(layers, 1, output_layer="gaussian", bias_scale=0.5, centered=False)
    first = monotone_from(given)
    values = [float(quotient(at_width(given, first + 10**j - 1), FLOAT)) for j in range(12)]
    assert all(b <= a * (1 + ROUNDING) for a, b in zip(values, values[1:], strict=False))


def test_the_closed_form_is_the_least_width_for_every_loss() -> None:
    for eigenvalue in (Granted(Fraction(1, 50)), Chernoff(Fraction(1, 50), Fraction(3, 2))):
        given = prior(2, 1, trained=(True, False), eigenvalue=eigenvalue)
        root = float(closed_form_square_root(given, FLOAT))
        found = best_width(given)
        assert found.threshold == least_width(given)
        assert found.threshold.width == math.floor(root**2) + 1
        assert no_radius_certifies(at_width(given, found.threshold.width - 1))
        assert not no_radius_certifies(at_width(given, found.threshold.width), most=64)
    with pytest.raises(InputError, match="trained alone"):
        closed_form_square_root(prior(2, 1), FLOAT)


# Scales


@pytest.mark.parametrize("trained", [(True, False), (True, True)])
def test_the_best_output_scale_is_proved_at_both_ends(trained) -> None:
    given = prior(2, 100, trained=trained, output_scale=Fraction(1, 8), eigenvalue=Granted(Fraction(1, 10), "assumed"))
    found = best_scale(lambda scale: with_output_scale(given, scale), increasing=False)
    at = with_output_scale(given, found.threshold.certified)
    assert quotient(at, BALL, found.target) < BALL.numbers(found.target)
    assert no_radius_certifies(with_output_scale(given, found.refused))
    assert found.refused < found.threshold.certified < found.refused * Fraction(102, 100)
    assert found.threshold.certified < found.refused * (1 + Fraction(1, 2**20)) or trained == (True, True)
    assert at.eigenvalue.lambda0 == found.threshold.certified**2 / 10
    assert at.eigenvalue.origin == "assumed"
    # No radius of a grid certifies the refused scale, in doubles.
    refused = with_output_scale(given, found.refused)
    start = initial(refused, FLOAT)
    for radius in np.geomspace(0.2, 5, 100) * float(path_radius(start, 1, FLOAT)):
        q = 2 * float(beta_on_ball(start.known, refused.data, radius, FLOAT)) * start.s0 / start.lambda0
        assert not (q < 1 and radius > 2 * start.s0 / (math.sqrt(start.lambda0) * (1 + math.sqrt(1 - q))))


def test_the_label_scale_is_the_output_scale_turned_over() -> None:
    given = prior(2, 100, trained=(True, False), smoothness=1, mu=1, zero_residual=None)
    label = best_scale(lambda scale: with_label_scale(given, scale), increasing=True)
    output = best_scale(lambda scale: with_output_scale(given, scale), increasing=False)
    assert label.threshold.certified < label.refused
    assert label.target == output.target
    assert float(label.threshold.certified * output.threshold.certified) == pytest.approx(1, rel=4e-6)
    with pytest.raises(InputError, match="for the square loss"):
        with_label_scale(prior(), Fraction(2))
    with pytest.raises(InputError, match=r"no scale between .* below 1: it tends to no number"):
        best_scale(lambda scale: dataclasses.replace(given, eigenvalue=Granted(0)), increasing=False)
    # |f_0| grows with alpha as sigma0 does: the quotient of an uncentered network has a limit.
    free = dataclasses.replace(given, centered=False)
    with pytest.raises(InputError, match=r"no scale between .* below 1: it tends to about"):
        best_scale(lambda scale: with_output_scale(free, scale), increasing=False)


# The terms of beta


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_shares_of_beta_sum_to_one_and_move_with_their_terms(layers) -> None:
    for data in (prior(layers).data, Moments(tuple(6.0 ** (j + 1) for j in range(layers)))):
        given = prior(layers, 1000, data=data)
        known = initial(given, FLOAT).known
        made = beta_shares(known, data, 0.5)
        assert sum(made.shares) == pytest.approx(1, rel=1e-12)
        assert min(made.shares) > 0
        assert made.bound == "mean" or isinstance(data, Points)
        if isinstance(data, Moments):
            assert made.bound == "mean"
        # Without curvature only the terms of order 1 are left.
        flat = prior(layers, 1000, data=data, curvature=0)
        shares = beta_shares(initial(flat, FLOAT).known, data, 0.5)
        assert all((share == 0) == (term.order == 2) for term, share in zip(shares.terms, shares.shares, strict=True))


def test_a_beta_of_zero_has_no_shares() -> None:
    linear = prior(2, trained=(False, True))
    assert beta_shares(initial(linear, FLOAT).known, linear.data, 1.0).shares == ()
    assert source_of(linear.eigenvalue) == "hypothesis"
    assert source_of(Chernoff(1, 1)) == "theorem F-chernoff"
