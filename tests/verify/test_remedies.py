"""Remedies: where the bisection is expected to end it ends, and it says the same as without the expectation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from theorems.losses import LossConstants
from verify import remedies
from verify.certificate import TINY_STEP, passes_in_floats
from verify.point import Point
from verify.problem import problem_from_mapping
from verify.setup import prepare
from verify.verification import explain, start_certificate

CASES: list[dict[str, Any]] = [
    {"hidden": [4]},
    {"hidden": [24], "activation": "softplus"},
    {"hidden": [12, 12], "activation": "erf", "output_scale": 1e-3},
    {"hidden": [8, 16, 8], "activation": "sin", "bias_scale": 0.2, "trained": [1, 3]},
]


def refused_at(network: dict[str, Any], loss: str) -> tuple[Point, LossConstants]:
    sections = {
        "data": {"source": "digits", "classes": [3, 8], "points": 6},
        "network": network,
        "loss": {"name": loss, **({} if loss == "square" else {"ridge": 0.1})},
    }
    setup, theta = prepare(problem_from_mapping(sections))
    found, _ = start_certificate(setup, theta)
    assert found.point is not None
    assert setup.loss_constants is not None
    assert not found.certified
    return found.point, setup.loss_constants


def passes(point: Point, loss: LossConstants) -> bool:
    return passes_in_floats(point, loss, TINY_STEP / (float(loss.smoothness.upper) * point.lambda_max))


@pytest.mark.parametrize("loss", ["square", "log_cosh"])
@pytest.mark.parametrize("network", CASES)
def test_the_search_for_a_radius_succeeds_from_the_expected_factor_on(network: dict[str, Any], loss: str) -> None:
    point, constants = refused_at(network, loss)
    allowed = remedies.flow_residual(point)
    assert 0 < allowed < point.residual
    for scaled, expected in (
        (lambda f: point.scaled(residual=1 / f), point.residual / (allowed - point.residual_error)),
        (lambda f: point.scaled(output_scale=f), point.residual / allowed),
        (lambda f: point.scaled(width=f), remedies._expected_width(point)),
    ):
        if math.isnan(expected) or expected > remedies.FACTOR_LIMIT:
            continue
        # Not as near as NEAR, because the search is long there.
        assert passes(scaled(expected * (1 + 20 * remedies.NEAR)), constants)
        assert not passes(scaled(expected * (1 - 20 * remedies.NEAR)), constants)


@pytest.mark.validate
@pytest.mark.parametrize("loss", ["square", "log_cosh"])
@pytest.mark.parametrize("network", CASES)
def test_the_expectation_changes_nothing(network: dict[str, Any], loss: str) -> None:
    point, constants = refused_at(network, loss)
    expected = point.residual / (remedies.flow_residual(point) - point.residual_error)
    for scaled, place in (
        (lambda f: point.scaled(residual=1 / f), expected),
        (lambda f: point.scaled(width=f), remedies._expected_width(point)),
    ):
        found = remedies._least_factor(scaled, constants, place)
        assert found == remedies._least_factor(scaled, constants, math.nan)


def test_a_factor_beyond_the_limit_is_none() -> None:
    point, constants = refused_at(CASES[0], "square")
    assert remedies._least_factor(lambda f: point.scaled(residual=1 / f), constants, 1e13) is None


def test_a_search_is_asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """What made remedies the larger part of a small run: two long searches for every factor, and dozens of factors."""
    asked: list[float] = []

    def counted(point: Point, loss: LossConstants, step_size: float) -> bool:
        asked.append(step_size)
        return passes_in_floats(point, loss, step_size)

    monkeypatch.setattr(remedies, "passes_in_floats", counted)
    setup, theta = prepare(problem_from_mapping({"network": {"hidden": [8]}, "data": {"source": "digits", "points": 5}}))
    found = explain(setup, start_certificate(setup, theta)[0])
    assert found.failure is not None
    assert {"residual", "output_scale", "label_scale", "width_estimate"} == set(found.failure.remedies)
    assert len(asked) <= 6
