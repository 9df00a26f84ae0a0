"""F's step, F-any-step and what follows from them: against the records of A, A+ and A0, and against the a-priori solvers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theorems.apriori.blueprint import blueprint
from theorems.apriori.constants import Prior, initial, path_radius, quantities, quotient
from theorems.apriori.data import Moments
from theorems.apriori.eigenvalue import Granted
from theorems.apriori.scale import with_label_scale, with_output_scale
from theorems.apriori.threshold import at_width, best_width, monotone_from, no_radius_certifies
from theorems.arithmetic import FLOAT
from theorems.catalogue import theorem
from theorems.statements.apriori import THEOREM_F
from theorems.statements.threshold import THEOREM_ANY_STEP

LOGS = st.floats(-2, 2)
NAMES = ("A", "A+", "A0")


def numbers(condition, mu, lambda0, spread, beta, q):
    """L, mu, lambda0, lambda_max, beta and s0 with the quotient q."""
    values = {"L": 10.0 ** (mu + abs(condition)), "mu": 10.0**mu, "lambda0": 10.0**lambda0, "beta": 10.0**beta}
    values["lambda_max"] = values["lambda0"] * 10.0 ** abs(spread)
    return values | {"s0": q * values["lambda0"] / (2 * values["beta"])}


def applies(name: str, values, step: float, target: float = 1.0) -> tuple[bool, dict[str, float]]:
    """Whether a theorem of the catalogue applies in floats with a quotient below the target, and its constants."""
    record = theorem(name)
    with np.errstate(all="ignore"):
        found = record.evaluate_constants({name_: np.float64(x) for name_, x in {**values, "eta": step}.items()}, FLOAT)
        margins = record.margins(found, FLOAT)
    good = all(margins[item.id] > 0 if item.strict else margins[item.id] >= 0 for item in record.hypotheses)
    return bool(good and found["q"] < target), found


@settings(max_examples=60)
@given(LOGS, LOGS, LOGS, LOGS, LOGS, st.floats(0.01, 0.999), st.floats(0.05, 1))
def test_the_step_of_f_is_that_of_any_step_on_its_ball_and_the_largest_there(c, mu, low, spread, beta, share, target) -> None:
    values = numbers(c, mu, low, spread, beta, share * target) | {"q_target": target}
    on_its_ball = THEOREM_F.evaluate_constants({**values}, FLOAT)
    any_step = THEOREM_ANY_STEP.evaluate_constants({**values, "R": on_its_ball["R"]}, FLOAT)
    assert any_step["eta"] == pytest.approx(on_its_ball["eta"], rel=1e-9)
    at = values | {"R": on_its_ball["R"]}
    assert applies("A0", at, on_its_ball["eta"] * (1 - 1e-7), target)[0]
    assert not applies("A0", at, on_its_ball["eta"] * (1 + 1e-7), target)[0]


@settings(max_examples=150)
@given(LOGS, LOGS, LOGS, LOGS, LOGS, st.floats(0.01, 1.2), st.floats(0.7, 8), st.floats(0.05, 1))
def test_a_small_step_is_certified_exactly_where_the_lemma_says(c, mu, low, spread, beta, q, longer, target) -> None:
    values = numbers(c, mu, low, spread, beta, q)
    flow = 2 * values["s0"] / math.sqrt(values["lambda0"]) / (1 + math.sqrt(max(0.0, 1 - q)))
    assume(min(abs(q - target), abs(q - 1), abs(longer - 1)) > 1e-3)
    values["R"] = longer * flow
    step = 1e-7 / (values["L"] * (math.sqrt(values["lambda_max"]) + values["beta"] * values["R"]) ** 2)
    expected = q < target and longer > 1
    assert applies("A0", values, step, target)[0] == expected
    with np.errstate(invalid="ignore"):
        found = THEOREM_ANY_STEP.evaluate_constants({**{k: np.float64(x) for k, x in values.items()}, "q_target": target}, FLOAT)
    assert (found["eta"] > 0) == expected


@settings(max_examples=150)
@given(LOGS, LOGS, LOGS, LOGS, LOGS, st.floats(0.01, 1.2), st.floats(0.7, 8), st.floats(-4, 0.3), st.floats(0.05, 1))
def test_no_theorem_at_any_step_does_better_than_the_flow(c, mu, low, spread, beta, q, longer, log_share, less) -> None:
    values = numbers(c, mu, low, spread, beta, q)
    flow = 2 * values["s0"] / math.sqrt(values["lambda0"]) / (1 + math.sqrt(max(0.0, 1 - q)))
    values["R"] = longer * flow
    step = 10.0**log_share / (values["L"] * (math.sqrt(values["lambda_max"]) + values["beta"] * values["R"]) ** 2)
    for name in NAMES:
        good, found = applies(name, values | {"lambda0": less * values["lambda0"]}, step)
        if good:
            assert found["q"] >= q * (1 - 1e-12)
            assert found["rbar"] >= flow * (1 - 1e-12)
            assert q < 1 < longer


def prior(width=1, centered=True, smoothness=1, trained=(True, True)) -> Prior:
    plan = blueprint((3, 1, 1), slope=1, curvature=Fraction(3, 4), points=4, trained=trained)
    moments, known = Moments((Fraction(2), Fraction(6))), Granted(Fraction(1, 1000))
    found = Prior(plan, moments, Fraction(1, 20), known, Fraction(1, 100), centered=centered, smoothness=smoothness)
    return at_width(found, width)


@pytest.mark.parametrize("smoothness", [1, 4])
def test_the_widths_of_the_solver_are_those_of_the_records(smoothness) -> None:
    """At the threshold F's step is positive and A0 applies with it; below, no R* has q(R*) < q*, so no step is certified."""
    known = prior(smoothness=smoothness)
    found = best_width(known)
    certified = at_width(known, found.threshold.width)
    values = quantities(certified, path_radius(initial(certified, FLOAT), found.threshold.target, FLOAT), FLOAT)
    record = THEOREM_F.evaluate_constants({**values, "q_target": float(found.threshold.target)}, FLOAT)
    assert record["eta"] > 0
    assert applies("A0", values, float(record["eta"]) / 2)[0]
    assert found.refused is not None
    assert no_radius_certifies(at_width(known, found.refused))
    refused = at_width(known, found.refused)
    at = initial(refused, FLOAT)
    for target in np.linspace(0.01, 1, 25):
        there = quantities(refused, path_radius(at, Fraction(float(target)), FLOAT), FLOAT, at)
        for name in NAMES:
            for share in (1e-6, 1e-3, 0.1, 0.9, 1.5):
                largest = float(there["L"] * (np.sqrt(there["lambda_max"]) + there["beta"] * there["R"]) ** 2)
                assert not applies(name, there, share / largest)[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("smoothness", [1, 4])
def test_a_certificate_persists_at_larger_widths(name, smoothness) -> None:
    known = prior(smoothness=smoothness)
    start = max(monotone_from(known), 30 * best_width(known).threshold.width)
    at = initial(at_width(known, start), FLOAT)
    radius = 2 * float(path_radius(at, 1, FLOAT))
    values = quantities(at_width(known, start), radius, FLOAT)
    step = 0.1 / float(values["L"] * (np.sqrt(values["lambda_max"]) + values["beta"] * radius) ** 2)
    good, before = applies(name, values, step)
    assert good
    for width in (start + 1, 2 * start, 1000 * start):
        good, after = applies(name, quantities(at_width(known, width), radius, FLOAT), step)
        assert good
        for constant in ("q", "rbar", "rate", "Lambda"):
            assert after[constant] <= before[constant] * (1 + 1e-12)
        before = after


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("trained", [(True, True), (True, False)])
def test_scales_divide_the_quotient(centered, trained) -> None:
    known = prior(10**6, centered, trained=trained)
    before = float(quotient(known, FLOAT))
    for by in (Fraction(3, 2), Fraction(7), Fraction(100)):
        for after in (with_output_scale(known, by), with_label_scale(known, 1 / by)):
            q = float(quotient(after, FLOAT))
            assert q <= before / (float(by) if centered else 1) * (1 + 1e-12)
            if centered and trained == (True, False):  # beta does not depend on the ball
                assert q == pytest.approx(before / float(by), rel=1e-12)
