"""Thresholds a priori: proved at both ends, equal to closed forms, never worse for more information; factors; and the step."""

from __future__ import annotations

import dataclasses
import functools
import math
from fractions import Fraction

import numpy as np
import pytest

from theorems.apriori.threshold import at_width, closed_form_square_root, no_radius_certifies
from theorems.arithmetic import BALL, FLOAT
from theorems.errors import InputError
from theorems.infinite_kernel import Normalization, limit_kernels
from verify.apriori.certificate import certificate_of
from verify.apriori.factors import factors_of
from verify.apriori.prior import eigenvalue_of, prior_of
from verify.apriori.solve import ratios_of, solve
from verify.apriori.step import largest_eigenvalue, solve_largest_step, step_at
from verify.data import load_data
from verify.errors import ProblemError
from verify.infinite_width import wide_network_of
from verify.problem import problem_from_mapping


def problem(loss="square", step="certified", **network):
    usual = {"trained": [1], "hidden": [64], "activation": "softplus"}
    return problem_from_mapping(
        {"data": {"points": 5}, "loss": {"name": loss}, "network": usual | network, "training": {"step_size": step}}
    )


def data_of(given):
    return load_data(given.data, given.loss)


@functools.cache
def width(loss="square", **options):
    given = problem(loss)
    return solve(given, data_of(given), "width", **options)


@pytest.mark.parametrize("loss", ["square", "logistic", "pseudo_huber"])
def test_the_width_of_one_hidden_layer_is_the_closed_form(loss) -> None:
    given, found = problem(loss), width(loss)
    data = data_of(given)
    prior = prior_of(given, data, hidden=[1], eigenvalue=eigenvalue_of(given, data, any_width=True))
    assert found.value_certified == math.floor(float(closed_form_square_root(prior, FLOAT)) ** 2) + 1
    assert found.value_refused == found.value_certified - 1
    assert found.exact
    assert found.certificate.certified
    assert found.certificate.constants["q"][1] < 1
    assert found.eigenvalue_source == "theorem F-chernoff"
    below = at_width(prior, int(found.value_refused))
    assert no_radius_certifies(below)
    assert not certificate_of(below).certified
    assert found.budget.total == found.certificate.failure_probability == Fraction(0.01)
    assert any("every larger width" in note for note in found.notes)


@pytest.mark.parametrize("unknown", ["width", "output_scale", "label_scale"])
def test_an_eigenvalue_that_no_network_has_certifies_nothing(unknown) -> None:
    """With lambda0 = 1e5 every hypothesis of Theorem A-square holds and its rate is below -1000."""
    given = problem()
    data = data_of(given)
    with pytest.raises(ProblemError, match="lambda0 must be at most lambda_max"):
        solve(given, data, unknown, lambda0=Fraction(10**5))
    prior = prior_of(given, data, eigenvalue=eigenvalue_of(given, data, Fraction(10**5)))
    found = certificate_of(prior)
    assert not found.certified
    assert found.refused[0] == "spectrum"
    with pytest.raises(ProblemError, match="lambda0 must be at most lambda_max"):
        solve_largest_step(given, data, lambda0=Fraction(10**5))


def test_factors_multiply_to_q_and_terms_to_beta() -> None:
    given = problem("logistic", trained="all")
    for found in (width("square"), width("logistic"), solve(given, data_of(given), "output_scale", lambda0=Fraction(1, 50))):
        known = {factor.name: tuple(map(float, factor.value)) for factor in found.factors}
        q = 2 * known["beta"][1] * known["s_0"][1] / known["lambda0"][0] * known.get("L > mu", (1, 1))[1]
        assert q == pytest.approx(known["q"][1], rel=1e-12)
        terms = [factor for factor in found.factors if factor.share is not None]
        assert sum(factor.share for factor in terms) == pytest.approx(1, rel=1e-12)
        assert sum(float(factor.value[1]) for factor in terms) == pytest.approx(known["beta"][1], rel=1e-12)
        assert all(factor.meaning.startswith("term of beta, ") for factor in terms)
        assert all(factor.value[0] <= factor.value[1] for factor in found.factors)
    names = ["phi'' at layer 1 against two first derivatives", "movement of W_2 against the first derivative of h_1"]
    assert [factor.name for factor in terms] == names


def test_more_information_never_gives_a_larger_width() -> None:
    base = width().value_certified
    given = problem()
    data = data_of(given)
    surer = dataclasses.replace(given, certificate=dataclasses.replace(given.certificate, failure_probability=0.1))
    assert solve(surer, data, "width").value_certified <= base
    assert width(optimize=True).value_certified <= base
    assert width(target=Fraction(1, 2)).value_certified > base
    assert width(target=Fraction(1, 2)).certificate.constants["q"][1] < Fraction(1, 2)
    weak, strong = (width(lambda0=value).value_certified for value in (Fraction(1, 1000), Fraction(1, 500)))
    assert strong <= weak
    assert "HYPOTHESIS" in " ".join(width(lambda0=Fraction(1, 500)).notes)
    assert width(lambda0=Fraction(1, 500)).eigenvalue_source == "hypothesis"


@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_the_output_scale_is_certified_as_a_problem_of_its_own(loss) -> None:
    """The problem with the scale found: certified there with a hypothesis grown by alpha^2, refused at the other end."""
    given = problem(loss, output_scale=0.5)
    data, lambda0 = data_of(given), Fraction(1, 1000)
    found = solve(given, data, "output_scale", lambda0=lambda0)
    assert 1 < found.value_certified / found.value_refused < 1 + Fraction(1, 10**6)
    assert not found.exact
    for value, certified in ((found.value_certified, True), (found.value_refused, False)):
        network = dataclasses.replace(given.network, output_scale=float(value))
        assert Fraction(network.output_scale) == value  # dyadic with few digits
        grown = lambda0 * (value / Fraction(1, 2)) ** 2
        prior = prior_of(dataclasses.replace(given, network=network), data, lambda0=grown)
        assert certificate_of(prior).certified is certified
        assert no_radius_certifies(prior) is not certified


def test_the_label_scale_is_certified_as_a_problem_of_its_own() -> None:
    given = problem()
    found = solve(given, data_of(given), "label_scale", lambda0=Fraction(1, 1000))
    for value, certified in ((found.value_certified, True), (found.value_refused, False)):
        scaled = dataclasses.replace(given, data=dataclasses.replace(given.data, label_scale=float(value)))
        prior = prior_of(scaled, data_of(scaled), lambda0=Fraction(1, 1000))
        assert certificate_of(prior).certified is certified
    assert found.value_certified < found.value_refused
    with pytest.raises(ProblemError, match=r"label scale is for loss\.name square"):
        solve(problem("logistic"), data_of(problem("logistic")), "label_scale")


@pytest.mark.parametrize(("unknown", "step"), [("width", 0.5), ("output_scale", 2.0**-7)])
def test_a_given_step_asks_for_no_less_than_a_free_one(unknown, step) -> None:
    free, given = problem("logistic"), problem("logistic", step=step)
    data = data_of(given)
    easy, hard = (solve(item, data, unknown, lambda0=Fraction(1, 200)) for item in (free, given))
    assert hard.value_certified >= easy.value_certified
    assert float(hard.certificate.constants["eta"][0]) == step
    assert hard.certificate.certified
    assert not hard.exact
    assert any("does not prove that there is none" in note for note in hard.notes)
    assert hard.value_certified - hard.value_refused <= max(1, hard.value_certified / 1000)


def test_a_step_beyond_every_certificate_has_no_answer() -> None:
    given = problem(step=1000.0)
    with pytest.raises(ProblemError, match=r"no width .* certified a priori with training\.step_size = 1000"):
        solve(given, data_of(given), "width", lambda0=Fraction(1, 100))


def test_what_has_no_answer_says_why() -> None:
    given = problem()
    data = data_of(given)
    with pytest.raises(ProblemError, match="unknown"):
        solve(given, data, "depth")
    with pytest.raises(ProblemError, match="lambda0 must be positive, got 0"):
        solve(given, data, "width", lambda0=Fraction(0))
    with pytest.raises(InputError, match="target of q must lie in"):
        solve(given, data, "width", target=Fraction(2))
    relu = problem(activation="relu")
    with pytest.raises(InputError, match="measured, never certified"):
        solve(relu, data, "width")
    assert factors_of(prior_of(given, data, lambda0=0), certificate_of(prior_of(given, data, lambda0=0))) == ()
    assert ratios_of((64, 96)) == (2, 3)


@pytest.mark.validate
@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_deep_networks_are_bracketed_too(loss) -> None:
    for unknown in ("width", "output_scale"):
        given = problem(loss, hidden=[64, 96], trained="all", activation="tanh", centered=unknown == "output_scale")
        data = data_of(given)
        found = solve(given, data, unknown)
        assert found.certificate.certified
        assert 1 < found.value_certified / found.value_refused < Fraction(102, 100)
        better = solve(given, data, unknown, optimize=True)
        assert better.value_certified <= found.value_certified
        # Trained layers that stay are information: beta falls. lambda0 is the same number.
        lambda0 = Fraction(1, 100)
        all_, some = (
            solve(dataclasses.replace(given, network=dataclasses.replace(given.network, trained=t)), data, unknown, lambda0=lambda0)
            for t in ("all", (1, 2))
        )
        assert some.value_certified <= all_.value_certified


# The step


@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_the_certified_step_is_below_its_limit_and_grows_with_the_width(loss) -> None:
    given = problem(loss)
    data = data_of(given)
    found = solve_largest_step(given, data)
    assert found.certificate.certified
    steps = [step for _, step in found.steps]
    assert steps[0] == found.step
    assert steps == sorted(steps)
    assert steps[-1] < found.limit[0] <= found.limit[1]
    kernel = limit_kernels(wide_network_of(given.network), data.inputs, FLOAT, normalization=Normalization.MEAN).ntk.astype(float)
    smoothness = 1.0 if loss == "square" else 0.35
    assert float(found.limit[0]) == pytest.approx(1 / (smoothness * np.linalg.eigvalsh(kernel)[-1]), rel=1e-10)
    # The step of m_0 at larger widths: certified, as is claimed.
    prior = prior_of(given, data, hidden=[1])
    for factor in (1, 3, 50):
        assert certificate_of(at_width(prior, factor * found.width), step_size=found.step).certified
    assert step_at(prior, 1) is None
    with pytest.raises(ProblemError, match="no step is found to be certified a priori at the width multiple 2"):
        solve_largest_step(given, data, width=2)
    with pytest.raises(ProblemError, match="width must be an integer of at least 1"):
        solve_largest_step(given, data, width=0)


def test_the_largest_eigenvalue_is_enclosed() -> None:
    matrix = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 1.0]])
    low, high = largest_eigenvalue(BALL.numbers(matrix))
    exact = np.linalg.eigvalsh(matrix)[-1]
    assert low <= high
    assert float(low) == pytest.approx(exact, rel=1e-13)
    assert float(high) == pytest.approx(exact, rel=1e-13)
