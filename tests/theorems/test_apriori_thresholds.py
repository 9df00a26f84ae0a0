"""Quotients, thresholds and eigenvalues before drawing: monotone where a hypothesis is stronger, proved at both ends."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

from theorems.apriori.blueprint import blueprint
from theorems.apriori.constants import (
    Prior,
    contradiction,
    initial,
    jacobian_square,
    path_radius,
    quantities,
    quotient,
    settled_radius,
)
from theorems.apriori.data import Moments, Points, at_start, beta_on_ball, initial_output
from theorems.apriori.eigenvalue import Chernoff, Granted, chernoff_epsilon, lambda_start
from theorems.apriori.scale import scale_threshold, with_output_scale
from theorems.apriori.threshold import (
    at_width,
    best_width,
    closed_form_square_root,
    least_width,
    monotone_from,
    no_radius_certifies,
)
from theorems.arithmetic import BALL, FLOAT, SYMBOLIC, lower, upper, working_precision
from theorems.errors import InputError

ROUNDING = 1e-11  # some hundred operations on positive numbers, each with relative error 2^-53, to powers of at most 2 L
DATA = np.array([[1.0, 2.0, 0.5], [-1.0, 0.5, 0.25], [0.5, -1.5, 2.0], [2.0, 0.0, -1.0]])


def points(plan):
    gram = float(plan.weight_scale) ** 2 / 3 * DATA @ DATA.T + float(plan.bias_scale) ** 2
    root, schur = (math.sqrt(np.linalg.eigvalsh(g / 4)[-1]) * (1 + 1e-12) for g in (gram, gram**2))
    return Points(np.linalg.norm(DATA, axis=1), np.full(4, 0.25), root, schur)


def jacobian_bound(given_):
    """Lambda on B(R*) for q* = 1."""
    at = initial(given_, FLOAT)
    return float(jacobian_square(quantities(given_, path_radius(at, 1, FLOAT), FLOAT, at), FLOAT))


def moments(count=8):
    return Moments(tuple(float(np.mean(np.sum(DATA**2, axis=1) ** j)) for j in range(1, count)))


def prior(layers=3, width=10**6, **changes):
    plan_changes = {
        name: changes.pop(name) for name in list(changes) if name in ("slope", "curvature", "output_layer", "bias_scale", "trained")
    }
    plan = blueprint((3, *(width,) * (layers - 1), 1), **({"slope": 1, "curvature": Fraction(3, 4), "points": 4} | plan_changes))
    given_ = {
        "data": points(plan),
        "label_norm": 1,
        "eigenvalue": Granted(Fraction(1, 10)),
        "failure_probability": Fraction(1, 100),
    }
    return Prior(plan, **(given_ | changes))


@pytest.mark.parametrize("layers", [2, 3, 4])
@pytest.mark.parametrize("centered", [True, False])
def test_a_stronger_hypothesis_never_gives_a_larger_quotient(layers, centered) -> None:
    def q(**changes):
        return float(quotient(prior(layers, centered=centered, **changes), FLOAT))

    base = q()
    assert q(failure_probability=Fraction(1, 10)) <= base
    assert q(certain=True) <= base
    assert q(label_norm=Fraction(1, 2)) < base
    assert q(eigenvalue=Granted(Fraction(1, 5))) < base
    assert q(slope=Fraction(9, 10)) < base
    assert q(curvature=Fraction(1, 2)) < base
    assert base <= q(data=moments()) * (1 + ROUNDING)
    assert q(data=moments()) <= q(data=Moments(tuple(1.1 * m for m in moments().even)))
    assert base < q(width=10**5)


@pytest.mark.parametrize("output_layer", ["signs", "gaussian"])
@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_more_width_never_gives_larger_numbers(layers, output_layer) -> None:
    given_ = prior(layers, 1, output_layer=output_layer, bias_scale=0.5, centered=False)
    first = monotone_from(given_)
    widths = [first, first + 1, first + 2, 2 * first + 3, *(first + 10**j for j in range(1, 12))]
    ats = [at_width(given_, width) for width in widths]
    for values in (
        [float(quotient(at, FLOAT)) for at in ats],
        [float(initial(at, FLOAT).lambda_max) for at in ats],
        [float(initial(at, FLOAT).s0) for at in ats],
        [jacobian_bound(at) for at in ats],
    ):
        assert all(b <= a * (1 + ROUNDING) for a, b in zip(values, values[1:], strict=False))


@pytest.mark.parametrize("trained", [(True, False, False), (False, True, True), (True, True, True)])
@pytest.mark.parametrize("output_layer", ["signs", "gaussian"])
def test_a_hidden_layer_of_one_unit_has_no_smaller_numbers_than_one_of_two(trained, output_layer) -> None:
    """A row has a norm of at most sqrt(columns) + t, without the root of its one row: that would jump at m = 2."""
    given_ = prior(3, 1, trained=trained, output_layer=output_layer, failure_probability=Fraction(1, 2))
    assert monotone_from(given_) == 1
    narrow, wide = (at_width(given_, width) for width in (1, 2))
    for number in (quotient, lambda at, arithmetic: initial(at, arithmetic).lambda_max):
        assert float(number(wide, FLOAT)) <= float(number(narrow, FLOAT)) * (1 + ROUNDING)
    assert jacobian_bound(wide) <= jacobian_bound(narrow) * (1 + ROUNDING)


def test_below_the_first_width_monotonicity_is_not_claimed() -> None:
    deep = prior(12, 1, failure_probability=Fraction(99, 100))
    assert monotone_from(deep) > 1
    assert monotone_from(prior(2, 1)) == 1


@pytest.mark.parametrize("target", [1, Fraction(1, 2)])
def test_the_least_width_is_proved_at_both_ends(target) -> None:
    for layers in (2, 3, 4):
        found = least_width(prior(layers, 1), target)
        with working_precision():
            assert quotient(at_width(prior(layers, 1), found.width), BALL, target) < BALL.numbers(Fraction(target))
            assert quotient(at_width(prior(layers, 1), found.width - 1), BALL, target) >= BALL.numbers(Fraction(target))
        assert found.q < target <= found.q_below


@pytest.mark.parametrize("data", ["points", "moments"])
def test_the_closed_form_is_the_least_width(data) -> None:
    chosen = prior(2, 1, trained=(True, False))
    chosen = chosen if data == "points" else dataclasses.replace(chosen, data=moments())
    for eigenvalue in (Granted(Fraction(1, 50)), Chernoff(Fraction(1, 50), Fraction(3, 2))):
        given_ = dataclasses.replace(chosen, eigenvalue=eigenvalue)
        for target in (1, Fraction(1, 3)):
            root = float(closed_form_square_root(given_, FLOAT, target))
            assert least_width(given_, target).width == math.floor(root**2) + 1


def test_the_closed_form_in_symbols() -> None:
    names = "d n delta sigma_w alpha Lp Lpp lambda0 y M2 M4 m"
    d, n, delta, sigma, alpha, lp, lpp, lam, y, m2, m4, m = sympy.symbols(names, positive=True)
    plan = blueprint((d, m, 1), slope=lp, curvature=lpp, points=n, weight_scale=sigma, output_scale=alpha, trained=(True, False))
    given_ = Prior(plan, Moments((m2, m4)), y, Granted(lam), delta)
    root = closed_form_square_root(given_, SYMBOLIC)
    assert sympy.simplify(root - 2 * alpha * sigma * lpp * sigma**2 * sympy.sqrt(m4) / d * y / lam) == 0
    assert sympy.simplify(quotient(given_, SYMBOLIC) - root / sympy.sqrt(m)) == 0


@pytest.mark.parametrize("layers", [2, 3])
def test_the_best_target_is_below_one_where_beta_grows_with_the_radius(layers) -> None:
    given_ = prior(layers, 1)
    found = best_width(given_)
    assert found.threshold.width < least_width(given_).width
    assert found.threshold.width <= least_width(given_, Fraction(9, 10)).width
    assert found.threshold.target < 1
    # A width 1% smaller is refused on every radius, by balls; doubles on a grid of radii agree.
    assert 0.98 < found.refused / found.threshold.width < 1
    at = initial(at_width(given_, found.refused), FLOAT)
    for radius in np.geomspace(0.1, 10, 200) * float(path_radius(at, 1, FLOAT)):
        q = 2 * float(beta_on_ball(at.known, given_.data, radius, FLOAT)) * at.s0 / at.lambda0
        assert not (q < 1 and radius > 2 * at.s0 / (math.sqrt(at.lambda0) * (1 + math.sqrt(1 - q))))
    assert not no_radius_certifies(at_width(given_, found.threshold.width), most=300)


def test_where_beta_does_not_depend_on_the_radius_the_target_is_what_is_wanted() -> None:
    given_ = prior(2, 1, trained=(True, False))
    assert best_width(given_).threshold == least_width(given_)


def test_an_exact_tie_is_said_to_be_one() -> None:
    """q = 1 exactly at a square width: no ball tells it from less, and the width above is the certified one."""
    plan = blueprint((1, 1, 1), slope=1, curvature=1, points=1, trained=(True, False))
    given_ = Prior(plan, Points(np.array([1]), np.array([1]), 1, 1), 1, Granted(Fraction(1, 5)), Fraction(1, 2))
    found = least_width(given_)
    assert found.width == 101
    assert found.q < 1


@pytest.mark.parametrize(("layers", "lambda0"), [(2, Fraction(1, 10**25)), (3, Fraction(1, 10**12)), (2, Fraction(1, 10**45))])
def test_neighbors_are_told_apart_at_any_width(layers, lambda0) -> None:
    """At widths above 2^100 the quotients of neighbors differ by less than balls of 128 bits see."""
    found = least_width(prior(layers, 1, eigenvalue=Granted(lambda0), trained=(True,) + (False,) * (layers - 1)))
    assert found.width > 1 << 110
    assert found.decided
    assert found.q < 1 <= found.q_below


def test_weights_that_sum_to_more_than_1_count_in_the_output_bias() -> None:
    """|b|_nu = |b| (sum nu)^{1/2} of a function that is b everywhere, and ten doubles 1/10 sum to more than 1."""
    nu = Fraction(0.1)
    assert 10 * nu > 1
    plan = blueprint((1, 1, 1), slope=1, curvature=1, points=10, weight_scale=Fraction(1, 1 << 300), bias_scale=1)
    shares = Prior(plan, None, 1, Granted(1), Fraction(1, 2), centered=False).shares
    known = at_start(plan, shares, Points(np.zeros(10), np.full(10, nu, dtype=object), 1, 1), BALL)
    size = initial_output(plan, shares, known, BALL)
    tail = shares.tail("initial_bias", BALL)
    assert lower(size) > upper(tail)
    assert upper(size) ** 2 >= 10 * nu * lower(tail) ** 2


def test_a_granted_eigenvalue_above_the_largest_is_a_contradiction() -> None:
    assert contradiction(prior()) == ""
    assert "lambda0 must be at most lambda_max" in contradiction(prior(eigenvalue=Granted(10**5)))


def test_the_settled_radius_is_valid_and_no_worse() -> None:
    given_ = prior(3, 10**9)
    radius = settled_radius(given_, FLOAT)
    at = initial(given_, FLOAT)
    beta = beta_on_ball(at.known, given_.data, radius, FLOAT)
    q = 2 * beta * at.s0 / at.lambda0
    assert q < float(quotient(given_, FLOAT)) < 1
    assert radius > 2 * at.s0 / (math.sqrt(at.lambda0) * (1 + math.sqrt(1 - q)))
    assert math.isnan(settled_radius(prior(3, 100), FLOAT))


def test_scales_are_bracketed() -> None:
    given_ = prior(3, 10**6)
    found = scale_threshold(lambda scale: quotient(with_output_scale(given_, scale), BALL), increasing=False)
    assert 1 < found.certified / found.refused < 1 + Fraction(1, 10**6)
    assert (
        quotient(with_output_scale(given_, found.certified), FLOAT) < 1 < quotient(with_output_scale(given_, found.refused), FLOAT)
    )
    label = scale_threshold(lambda scale: quotient(dataclasses.replace(given_, label_norm=scale), BALL), increasing=True)
    assert 1 < label.refused / label.certified < 1 + Fraction(1, 10**6)
    # alpha enters q as 1/alpha and R as 1/alpha, exactly as the labels do.
    assert float(label.certified * found.certified) == pytest.approx(1, rel=4e-6)
    with pytest.raises(InputError, match="no scale between"):
        scale_threshold(lambda scale: BALL.numbers(2), increasing=True)


def test_a_negative_eigenvalue_is_not_certified() -> None:
    negative = prior(2, 1, trained=(True, False), eigenvalue=Chernoff(Fraction(1, 50), Fraction(3, 2)))
    assert lambda_start(negative.plan, negative.shares, negative.eigenvalue, FLOAT) < 0
    assert math.isnan(quotient(negative, FLOAT))
    assert not quotient(negative, BALL).is_finite()


def test_chernoff_solves_its_own_equation_and_names_its_hypotheses() -> None:
    given_ = prior(2, 10**5, trained=(True, False), eigenvalue=Chernoff(Fraction(1, 50), Fraction(3, 2)))
    eps = float(chernoff_epsilon(given_.plan, given_.shares, given_.eigenvalue, FLOAT))
    probability = 4 * math.exp(-(eps**2) * 10**5 * (1 / 50) / (2 * 1.5))
    assert probability == pytest.approx(float(given_.shares.shares["eigenvalue"]), rel=1e-10)
    for changes in ({"layers": 3}, {"output_layer": "gaussian"}, {"trained": (False, True)}):
        wrong = prior(**({"layers": 2, "width": 100, "eigenvalue": given_.eigenvalue} | changes))
        with pytest.raises(InputError, match="one hidden layer, trained below"):
            quotient(wrong, FLOAT)


def test_the_bound_of_the_jacobian_tends_to_that_at_the_start_when_beta_vanishes() -> None:
    given_ = prior(2, 10**24)
    assert jacobian_bound(given_) == pytest.approx(float(initial(given_, FLOAT).lambda_max), rel=1e-3)
