"""The thresholds at the actual initialization: both ends are asked again, and compared with how q scales."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theorems.arithmetic import FLOAT
from theorems.ball import ball_bounds
from verify.apriori.prior import prior_of
from verify.data import load_data
from verify.errors import ProblemError
from verify.problem import Problem, problem_from_mapping
from verify.setup import prepare
from verify.solving import start as solve_start
from verify.solving.document import problem_text
from verify.solving.factors import factor_table, sentences
from verify.solving.search import Bracket, bracket
from verify.solving.start import StartAnswer, solvable, solve_at_start
from verify.unknowns import UNKNOWNS
from verify.verification import certify_only


def problem(folder: Path = Path(), **sections: dict) -> Problem:
    """Six digits points and 64 softplus units of which the first layer moves, changed as the sections say."""
    network = {"hidden": [64], "trained": [1], "activation": "softplus"}
    given = {"data": {"points": 6}, "network": network}
    return problem_from_mapping({**sections, **{key: {**given[key], **sections.get(key, {})} for key in given}}, folder)


def solved(asked: Problem, unknown: str, target: Fraction = Fraction(1)) -> StartAnswer:
    return solve_at_start(asked, load_data(asked.data, asked.loss), unknown, target)


@functools.cache
def usual(unknown: str) -> StartAnswer:
    return solved(problem(), unknown)


# --- The search ---


@given(threshold=st.integers(-40, 1040), guess=st.integers(0, 1000), step=st.integers(1, 60), close=st.integers(0, 30))
def test_a_threshold_is_found_from_any_guess(threshold, guess, step, close) -> None:
    found = bracket(lambda x: x >= threshold, guess, low=0, high=1000, step=step, close=lambda _: close)
    if threshold > 1000:
        assert found == Bracket(None, 1000)
    elif threshold <= 0:
        assert found == Bracket(0, None)
    else:
        assert found.fails < threshold <= found.holds <= found.fails + max(1, close)


@given(truth=st.lists(st.booleans(), min_size=1, max_size=200), data=st.data())
def test_of_any_property_only_what_was_asked_is_returned(truth, data) -> None:
    asked = set()

    def holds(place: int) -> bool:
        asked.add(place)
        return truth[place]

    guess = data.draw(st.integers(0, len(truth) - 1))
    found = bracket(holds, guess, low=0, high=len(truth) - 1, step=1, close=lambda _: 1)
    assert found.holds is not None or found.fails is not None
    if found.holds is not None:
        assert found.holds in asked
        assert truth[found.holds]
    if found.fails is not None:
        assert found.fails in asked
        assert not truth[found.fails]
    if found.holds is not None and found.fails is not None:
        assert found.holds == found.fails + 1


# --- The two ends ---


def quotient_at(asked: Problem) -> float:
    """q of the drawn network on the ball of radius 0, from its signals."""
    setup, theta = prepare(asked)
    point = setup.point(theta, 0, setup.snapshot(theta))
    return 2 * float(ball_bounds(point.signals, 0.0, FLOAT).beta) * point.residual / point.lambda_min


@pytest.mark.parametrize("unknown", UNKNOWNS)
def test_the_certified_end_is_certified_and_the_other_is_not(unknown: str) -> None:
    found = usual(unknown)
    assert certify_only(found.certified.problem).certificate.certified
    refused = certify_only(found.refused.problem).certificate
    assert not refused.certified
    assert refused.failure.hypothesis == "q"
    assert quotient_at(found.certified.problem) < 1 <= quotient_at(found.refused.problem)
    low, high = sorted((found.certified.value, found.refused.value))
    assert high <= low * (1 + 1 / 64) or high - low == 1
    assert found.certified.problem.network.seed == 0


def test_scales_are_those_at_which_q_is_one() -> None:
    """Where the first layer moves alone beta is the same on every ball: q falls with the output scale and grows with the labels."""
    q = quotient_at(problem())
    output, label = usual("output_scale"), usual("label_scale")
    room = 1e-4  # of the measured numbers' errors, beside the brackets' own width
    assert output.refused.value * (1 - room) <= q <= output.certified.value * (1 + room)
    assert output.certified.value <= output.refused.value * 2 ** (1.01 / 512)
    assert label.certified.value * (1 - room) <= 1 / q <= label.refused.value * (1 + room)
    assert label.refused.value <= label.certified.value * 2 ** (1.01 / 512)


def test_a_scale_is_found_from_another_scale() -> None:
    other = solved(problem(network={"output_scale": 300.0}), "output_scale")
    assert other.certified.value == pytest.approx(usual("output_scale").certified.value, rel=0.003)


@pytest.mark.parametrize("unknown", [pytest.param("width", marks=pytest.mark.validate), "label_scale"])
def test_a_smaller_q_is_wanted(unknown: str) -> None:
    found = solved(problem(), unknown, Fraction(1, 3))
    assert found.certified.certificate.constants["q"].upper < Fraction(1, 3)
    assert quotient_at(found.refused.problem) > 0.333


def test_widths_keep_their_ratios() -> None:
    found = solved(problem(network={"hidden": [96, 48], "output_scale": 20}, data={"points": 4}), "width")
    assert found.certified is not None
    assert found.certified.problem.network.hidden == (2 * found.certified.place, found.certified.place)
    assert found.refused.problem.network.hidden == (2 * found.refused.place, found.refused.place)


def test_a_width_that_is_too_large_to_draw_is_an_estimate(monkeypatch) -> None:
    reached = usual("width").certified.place
    for limit in ("MOST_WEIGHTS", "FIRST_WEIGHTS"):
        monkeypatch.setattr(solve_start, limit, 20 * 65)  # 20 units
    found = solved(problem(), "width")
    assert found.certified is None
    assert found.undrawn.drawn == (20,)
    assert found.reason.startswith("not drawn: about ")
    assert reached / 3 < found.undrawn.width < 3 * reached  # the signals of 20 units scale only roughly


@pytest.mark.parametrize("loss", [{"name": "logistic"}, pytest.param({"name": "log_cosh"}, marks=pytest.mark.validate)])
def test_other_losses_than_the_square_loss(loss: dict) -> None:
    found = solved(problem(loss=loss), "output_scale")
    assert certify_only(found.certified.problem).certificate.certified
    assert not certify_only(found.refused.problem).certificate.certified


@pytest.mark.validate
def test_uncentered_networks() -> None:
    found = solved(problem(network={"centered": False}), "output_scale")
    assert certify_only(found.certified.problem).certificate.certified
    assert not certify_only(found.refused.problem).certificate.certified


# --- No answer ---


def test_a_step_that_is_too_large_at_every_scale_is_said_to_be() -> None:
    found = solved(problem(training={"step_size": 1e6}), "output_scale")
    assert found.certified is None
    assert "step" in found.reason


def test_no_width_helps_where_the_kernel_is_singular(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("a,b,t\n1,0.5,1\n-1,-0.5,-1\n0.3,-0.7,1\n")
    data = {"source": "p.csv", "points": 3, "normalize": "none"}
    for unknown in UNKNOWNS:
        found = solved(problem(tmp_path, data=data, network={"activation": "tanh"}), unknown)
        assert found.certified is None
        assert "odd" in found.reason
        assert found.draws == 1
    # With biases the kernel is positive.
    free = solved(problem(tmp_path, data=data, network={"activation": "tanh", "bias_scale": 1.0}), "width")
    assert free.certified is not None


def test_an_activation_that_is_not_smooth_is_certified_nowhere() -> None:
    for unknown in UNKNOWNS:
        found = solved(problem(network={"activation": "relu"}), unknown)
        assert found.certified is None
        assert "differentiable" in found.reason


def test_questions_without_a_meaning_are_refused() -> None:
    with pytest.raises(ProblemError, match=r"label_scale is for loss\.name square"):
        solvable(problem(loss={"name": "logistic"}), "label_scale", Fraction(1))
    with pytest.raises(ProblemError, match="--target below 1"):
        solvable(problem(loss={"name": "logistic"}), "width", Fraction(1, 2))
    with pytest.raises(ProblemError, match="width"):
        solvable(problem(), "witdh", Fraction(1))
    weighted = problem(loss={"name": "weighted_square", "weights": "balanced"})
    assert solvable(weighted, "label_scale", Fraction(1, 2)) == "label_scale"


# --- The factors of q ---


def test_factors_multiply_to_q() -> None:
    asked = problem(network={"hidden": [64, 32], "trained": "all", "output_scale": 100.0})
    certificate = certify_only(asked).certificate
    prior = prior_of(asked, load_data(asked.data, asked.loss), lambda0=Fraction(1, 10))
    table = factor_table(certificate, prior)
    beta, s0, lambda0, q = table.rows
    assert math.isclose(float(q.measured), float(2 * beta.measured * s0.measured / lambda0.measured), rel_tol=1e-3)
    assert math.isclose(q.ratio, beta.ratio * s0.ratio * lambda0.ratio, rel_tol=1e-3)
    assert beta.ratio > 1  # before the weights are drawn less is known
    assert table.dominant is max((beta, s0, lambda0), key=lambda row: row.ratio)
    assert table.dominant.name in sentences(table)[0]
    assert len(table.terms) == 4
    assert math.isclose(sum(share for _, share in table.terms), 1, rel_tol=1e-12)


def test_a_certificate_that_failed_has_factors_too() -> None:
    asked = problem()
    certificate = certify_only(asked).certificate
    assert not certificate.certified
    table = factor_table(certificate, None)
    assert math.isclose(float(table.rows[-1].measured), quotient_at(asked), rel_tol=1e-3)
    assert all(row.prior is None for row in table.rows)


def test_what_a_loss_costs_is_a_factor() -> None:
    certificate = solved(problem(loss={"name": "log_cosh"}), "output_scale").certified.certificate
    rows = {row.name: float(row.measured) for row in factor_table(certificate, None).rows}
    assert rows["L > mu"] >= 1
    assert math.isclose(rows["q"], 2 * rows["beta"] * rows["s_0"] / rows["lambda0"] * rows["L > mu"], rel_tol=1e-9)


# --- Problem files ---


def test_labels_are_scaled(tmp_path: Path) -> None:
    plain, scaled = (load_data(problem(data={"label_scale": scale}).data) for scale in (1.0, 0.3))
    assert np.array_equal(scaled.targets, plain.targets * 0.3)
    assert any("0.3" in note for note in scaled.notes)
    assert plain.targets.flags.c_contiguous
    for scale in (1e-310, 1.7e308):
        (tmp_path / "p.csv").write_text("a,t\n1,7\n2,3\n5,4\n")
        with pytest.raises(ProblemError, match=r"data\.label_scale"):
            load_data(
                dataclasses.replace(problem().data, source="p.csv", classes=None, folder=tmp_path, points=3, label_scale=scale)
            )
    with pytest.raises(ProblemError, match="logistic"):
        load_data(problem(data={"label_scale": 0.5}).data, problem(loss={"name": "logistic"}).loss)


def test_a_problem_written_out_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = ['\x7fdel"quote\\slash\ttab\u2028', "é"]
    cases = [
        problem(),
        problem(network={"activation": "s*exp(-s**2/2)", "trained": "all"}, training={"step_size": 1e-300}),
        problem(tmp_path / "in", data={"source": "a b.csv", "classes": names, "target": "t"}),
        problem(loss={"name": "weighted_square", "weights": [1, 2, 3, 4, 5, 0.5]}),
    ]
    for asked in cases:
        read = problem_from_mapping(tomllib.loads(problem_text(asked, tmp_path / "out")), tmp_path / "out")
        if asked.data.kind == ".csv":
            assert read.data.path.resolve() == asked.data.path.resolve()
            read = dataclasses.replace(
                read, data=dataclasses.replace(read.data, source=asked.data.source, folder=asked.data.folder)
            )
        assert dataclasses.replace(read, data=dataclasses.replace(read.data, folder=asked.data.folder)) == asked
