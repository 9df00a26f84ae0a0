"""A-priori certificates for every loss: s_0 against drawn weights, q against drawn networks, and each hypothesis broken in turn."""

from __future__ import annotations

import dataclasses
import functools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.stats
import sympy

from theorems.apriori.constants import Prior, initial, quantities
from theorems.apriori.eigenvalue import Chernoff, Granted
from theorems.apriori.threshold import at_width, best_width, no_radius_certifies
from theorems.arithmetic import BALL, FLOAT, working_precision
from theorems.ball import ball_bounds
from theorems.errors import InputError
from theorems.grammar import T, Y
from verify.apriori.certificate import certificate_of
from verify.apriori.prior import assumed_from_limit, eigenvalue_of, loss_numbers, prior_of
from verify.data import load_data
from verify.errors import ProblemError
from verify.expressions import loss_of
from verify.infinite_width import spectrum_of
from verify.problem import problem_from_mapping
from verify.setup import prepare

CONFIDENCE = 1 - 1e-6  # as in test_apriori.py
LOSSES = {
    "square": {"name": "square"},
    "weighted_square": {"name": "weighted_square", "weights": [1, 2, 3, 4, 5, 6]},
    "log_cosh": {"name": "log_cosh"},
    "pseudo_huber": {"name": "pseudo_huber", "ridge": 0.25},
    "logistic": {"name": "logistic"},
    "own": {"name": "log(cosh(y-t)) + (y-t)**2/8 + y/10"},
}


def problem(loss="square", **network):
    usual = {"trained": [1], "hidden": [64], "activation": "softplus"}
    return problem_from_mapping({"data": {"points": 6}, "loss": LOSSES[loss], "network": usual | network})


@functools.cache
def prior(loss="square", lambda0=Fraction(1, 100)) -> Prior:
    """One hidden unit, lambda0 assumed."""
    given = problem(loss)
    return prior_of(given, load_data(given.data, given.loss), hidden=[1], lambda0=lambda0)


@functools.cache
def threshold(loss="square", target=Fraction(1)):
    return best_width(prior(loss), target).threshold.width


# s_0


@pytest.mark.parametrize("loss", LOSSES)
def test_the_residual_of_a_centered_network_is_known_before_drawing(loss) -> None:
    """Against the residual that is measured at drawn weights, whatever they are; and against mpmath."""
    given = problem(loss)
    data = load_data(given.data, given.loss)
    s0 = float(initial(prior(loss), FLOAT).s0)
    for seed in (0, 1):
        setup, theta = prepare(dataclasses.replace(given, network=dataclasses.replace(given.network, seed=seed)))
        point = setup.point(theta, 0, setup.snapshot(theta))
        assert s0 == pytest.approx(point.residual, rel=1e-11)
    chosen = loss_of(given.loss.name, given.loss.ridge)
    total, mu = mpmath.mpf(0), float(chosen.constants(data.targets.ravel().tolist()).mu.lower)
    value, slope = (sympy.lambdify((Y, T), item, "mpmath") for item in (chosen.expression, chosen.derivative))
    for weight, t in zip(data.sample_weights.tolist(), data.targets[:, 0].tolist(), strict=True):
        y = mpmath.findroot(lambda y, t=t: slope(y, mpmath.mpf(t)), (-20, 20), solver="anderson", maxsteps=200)
        total += weight * (value(mpmath.mpf(0), t) - value(y, t))
    assert s0 == pytest.approx(float(mpmath.sqrt(2 * total / mu)), rel=1e-9)


def test_the_residual_is_bounded_by_the_minimizers_and_grows_without_centering() -> None:
    for loss in ("logistic", "own", "log_cosh"):
        given = problem(loss, centered=False)
        data = load_data(given.data, given.loss)
        numbers = loss_numbers(loss_of(given.loss.name, given.loss.ridge), data)
        condition = math.sqrt(numbers["smoothness"] / numbers["mu"])
        assert 0 < float(numbers["zero_residual"]) <= condition * float(numbers["label_norm"])
        free = prior_of(given, data, hidden=[1], lambda0=Fraction(1, 100))
        assert initial(free, FLOAT).s0 > initial(prior(loss), FLOAT).s0


@pytest.mark.parametrize("loss", ["logistic", "own"])
def test_a_priori_numbers_bound_those_of_drawn_networks(loss) -> None:
    """beta, lambda_max and s_0 of an uncentered network, all layers trained; so q, with lambda0 that of the drawn network."""
    given = problem(loss, trained="all", centered=False, hidden=[48])
    given = dataclasses.replace(given, certificate=dataclasses.replace(given.certificate, failure_probability=0.5))
    data = load_data(given.data, given.loss)
    known = prior_of(given, data, lambda0=Fraction(1, 100))
    failures, seeds, q_ratio = 0, 12, []
    for seed in range(seeds):
        setup, theta = prepare(dataclasses.replace(given, network=dataclasses.replace(given.network, seed=seed)))
        point = setup.point(theta, 0, setup.snapshot(theta))
        bound = quantities(known, 0.7, FLOAT)
        beta = float(ball_bounds(point.signals, 0.7, FLOAT).beta)
        measured = (beta, point.residual, point.lambda_max)
        allowed = tuple(float(bound[name]) for name in ("beta", "s0", "lambda_max"))
        failures += any(m > a * (1 + 1e-9) for m, a in zip(measured, allowed, strict=True))
        q_ratio.append(beta * point.residual / (allowed[0] * allowed[1]))
    assert failures <= int(scipy.stats.binom.ppf(CONFIDENCE, seeds, 0.5))
    assert 0.005 < max(q_ratio) < 1


@pytest.mark.validate
@pytest.mark.parametrize("loss", LOSSES)
def test_a_priori_certificates_hold_for_drawn_networks(loss) -> None:
    """At the width that is certified a priori drawn networks have no larger q, by the product's own certificate with that step."""
    given = problem(loss)
    data = load_data(given.data, given.loss)
    known = prior_of(given, data, hidden=[1])
    width = 2 * best_width(known).threshold.width
    found = certificate_of(at_width(known, width))
    assert found.certified
    step = float(found.constants["eta"][0])
    failures, seeds = 0, 10
    for seed in range(seeds):
        network = dataclasses.replace(given.network, seed=seed, hidden=(width,))
        setup, theta = prepare(dataclasses.replace(given, network=network))
        drawn = setup.certify(theta, 0, step)
        failures += not drawn.certified or float(drawn.constants["q"].value) > float(found.constants["q"][1])
    assert failures <= int(scipy.stats.binom.ppf(CONFIDENCE, seeds, 0.01))


# Certificates


def _by_hand(loss, certificate):
    """The theorem's q and factor again, in doubles, from the certificate's stated numbers."""
    known = {name: float(high) for name, (_, high) in certificate.constants.items()}
    smoothness, mu = float(prior(loss).smoothness), float(prior(loss).mu)
    beta, s0, lambda0, eta = (known[name] for name in ("beta", "s0", "lambda0", "eta"))
    if certificate.theorem == "A-square":
        q = 2 * beta * s0 / lambda0
        return q, 1 - eta * lambda0 * (1 - q)
    large = known["Lambda"]
    if certificate.theorem == "A0":
        k0 = 1 - eta * (smoothness * large + beta * math.sqrt(smoothness * mu) * s0) / 2
        q = 2 * beta * s0 / (k0 * lambda0)
        return q, math.sqrt(1 - 2 * eta * k0 * mu * lambda0 * (1 - q))
    kappa = math.sqrt((1 - eta * smoothness * lambda0) / (1 - eta * mu * lambda0))
    if certificate.theorem == "A":
        q = 2 * beta * math.sqrt(smoothness / mu) * s0 / (kappa**2 * lambda0)
        return q, 1 - eta * mu * kappa * lambda0 * (1 - q)
    longest = eta * math.sqrt(large * smoothness * mu) * s0
    sigma = math.sqrt(lambda0) - (math.sqrt(smoothness / mu) / kappa - 1) * beta * longest / 2
    q = 2 * beta * s0 / (kappa * sigma**2)
    return q, 1 - eta * mu * kappa * sigma**2 * (1 - q)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_certificate_states_the_theorem_it_uses(loss) -> None:
    wide = at_width(prior(loss), 3 * threshold(loss))
    found = certificate_of(wide)
    assert found.certified
    assert found.eigenvalue_source == "hypothesis"
    assert found.failure_probability == Fraction(0.01)
    q, rate = _by_hand(loss, found)
    assert float(found.constants["q"][1]) == pytest.approx(q, rel=1e-9)
    assert float(found.constants["rate"][1]) == pytest.approx(rate, rel=1e-12)
    assert found.constants["rate"][1] < 1
    assert found.constants["rbar"][1] < found.constants["R"][0]
    assert all(low > 0 or name == "step" for name, (low, _) in found.margins.items())


@pytest.mark.parametrize("loss", ["square", "logistic", "own"])
def test_the_threshold_is_certified_and_nothing_below_it(loss) -> None:
    """Also where doubles cannot tell q from 1; below, no step that is tried is certified, as is proved."""
    at, below = (at_width(prior(loss), threshold(loss) - gone) for gone in (0, 1))
    assert certificate_of(at).certified
    assert no_radius_certifies(below)
    for step in (None, Fraction(1, 100), Fraction(1, 10**9)):
        assert not certificate_of(below, step_size=step).certified


def test_a_threshold_beyond_doubles_is_certified() -> None:
    """q = 1 - 1e-21 or so: the step is chosen in balls."""
    tiny = dataclasses.replace(prior("logistic"), eigenvalue=Granted(Fraction(1, 10**12)))
    width = best_width(tiny).threshold.width
    assert width > 10**20
    found = certificate_of(at_width(tiny, width))
    assert found.certified
    assert found.theorem == "A0"
    assert found.constants["q"][1] < 1


def test_a_given_step_is_kept_and_stays_certified_at_larger_widths() -> None:
    wide = 2 * threshold("logistic")
    step = certificate_of(at_width(prior("logistic"), wide)).constants["eta"][0]
    quotients = []
    for factor in (1, 2, 7, 100):
        found = certificate_of(at_width(prior("logistic"), factor * wide), step_size=step)
        assert found.certified
        assert found.constants["eta"] == (step, step) or float(found.constants["eta"][0]) == pytest.approx(float(step), rel=1e-30)
        quotients.append(float(found.constants["q"][1]))
    assert quotients == sorted(quotients, reverse=True)


def test_the_largest_step_is_preferred_where_it_is_asked_for() -> None:
    near = at_width(prior("logistic"), threshold("logistic") * 21 // 20)
    rate, step = (certificate_of(near, prefer=wanted) for wanted in ("rate", "step"))
    assert rate.certified
    assert step.certified
    assert step.constants["eta"][0] >= rate.constants["eta"][0]
    assert step.constants["rate"][0] >= rate.constants["rate"][0]
    assert step.constants["eta"][1] * prior("logistic").smoothness * step.constants["Lambda"][0] <= 1


@pytest.mark.parametrize(
    ("changes", "options", "refused"),
    [
        ({}, {"step_size": Fraction(1000)}, "step"),
        ({}, {"target": Fraction(1, 100)}, "target"),
        ({"eigenvalue": Granted(0)}, {}, "H3"),
        ({"eigenvalue": Granted(Fraction(-1, 10))}, {}, "H3"),
        ({"eigenvalue": Chernoff(Fraction(1, 10**9), 1)}, {}, "H3"),
        ({"zero_residual": 10}, {}, "q"),
        ({"label_norm": 10}, {}, "q"),
        ({"eigenvalue": Granted(Fraction(1, 1000))}, {}, "q"),
    ],
)
@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_each_hypothesis_broken_alone_is_refused_by_name(loss, changes, options, refused) -> None:
    wide = at_width(prior(loss), 2 * threshold(loss))
    if ("zero_residual" in changes and loss == "square") or ("label_norm" in changes and loss == "logistic"):
        changes = {"eigenvalue": Granted(Fraction(1, 1000))}  # the other loss's residual
    assert certificate_of(wide).certified
    found = certificate_of(dataclasses.replace(wide, **changes), **options)
    assert not found.certified
    assert refused in found.refused


def test_bad_arguments_are_named() -> None:
    wide = at_width(prior(), 2 * threshold())
    for target in (0, -1, Fraction(3, 2)):
        with pytest.raises(InputError, match="target of q must lie in"):
            certificate_of(wide, target=target)
    with pytest.raises(InputError, match="step_size must be positive, got 0"):
        certificate_of(wide, step_size=0)


# Where lambda0 comes from


def test_lambda0_is_a_theorem_where_chernoff_applies_and_else_a_hypothesis() -> None:
    given = problem()
    data = load_data(given.data, given.loss)
    assert isinstance(eigenvalue_of(given, data, any_width=True), Chernoff)
    narrow = eigenvalue_of(given, data)  # 64 units: eps >= 1
    assert isinstance(narrow, Granted)
    assert "eps >= 1 at this width" in narrow.origin
    wide = dataclasses.replace(given, network=dataclasses.replace(given.network, hidden=(10**6,)))
    assert isinstance(eigenvalue_of(wide, data), Chernoff)
    assert certificate_of(prior_of(wide, data)).eigenvalue_source == "theorem F-chernoff"
    gaussian = problem(output_layer="gaussian")
    assumed = eigenvalue_of(gaussian, data, any_width=True)
    assert isinstance(assumed, Granted)
    assert assumed == assumed_from_limit(gaussian, data)
    limit = spectrum_of(gaussian.network, data).tangent
    assert assumed.lambda0 == limit.lower / 2 < limit.upper
    assert assumed_from_limit(gaussian, data, Fraction(1, 10)).lambda0 == limit.lower * Fraction(9, 10)
    with pytest.raises(InputError, match="fraction must be at least 0 and less than 1, got 1"):
        assumed_from_limit(gaussian, data, 1)


def test_a_hypothesis_that_cannot_hold_is_refused_or_said_to_fail() -> None:
    given = problem()
    data = load_data(given.data, given.loss)
    assert "exceeds lambda_min(K_inf)" in eigenvalue_of(given, data, Fraction(1)).origin
    # Antipodal points and an odd activation: f(-x) = -f(x) for all weights, so no lambda0 > 0 is a hypothesis.
    inputs = np.array([[1.0, 2.0], [-1.0, -2.0], [0.5, 1.5]])
    twins = dataclasses.replace(data, inputs=inputs, targets=data.targets[:3], sample_weights=np.full(3, 1 / 3))
    odd = problem(activation="tanh")
    with pytest.raises(ProblemError, match=r"cannot be assumed, .* exactly 0"):
        eigenvalue_of(odd, twins, Fraction(1, 100))


def test_s0_stays_an_upper_bound_in_balls() -> None:
    with working_precision():
        for loss in LOSSES:
            at = initial(prior(loss), BALL)
            assert at.s0.is_finite()
            assert at.s0 > 0
