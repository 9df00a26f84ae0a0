"""What a run of one's own must be to be looked at: shapes, finite values, records that are copies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from verify.assertions import OwnRun, check_theorem
from verify.errors import ProblemError
from verify.own_run import own_setup
from verify.verdict import Verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [[np.ones((3, 2)), np.ones((1, 3))]]}, "weights must be a list of at least two records"),
        ({"weights": [[np.ones((3, 2))]] * 2}, r"weights\[0\] must be a list with one array for each of at least two layers"),
        ({"weights": [[np.ones((3, 2)), np.ones((1, 4))], [np.zeros((3, 2)), np.zeros((1, 4))]]}, "W2 must have 3 columns"),
        (
            {"weights": [[np.ones((3, 2)), np.ones((1, 3))], [np.ones((4, 2)), np.ones((1, 3))]]},
            r"weights\[1\] must have the shapes",
        ),
        ({"weights": [[np.ones((3, 2)), np.full((1, 3), np.nan)]] * 2}, r"weights\[0\]\[1\] has nan at \[0, 0\]"),
        ({"weights": [[np.ones((3, 2)), np.array([["a", "b", "c"]])]] * 2}, "must be an array of real numbers"),
        ({"inputs": np.ones((2, 3))}, "inputs must have 2 columns"),
        ({"targets": np.ones(3)}, r"targets must have shape \(2, 1\)"),
        ({"targets": np.array([1.0, np.inf])}, r"targets has inf at \[1\]"),
        ({"step_size": 0.0}, "step_size must be a positive finite number"),
        ({"steps": [3, 3]}, "steps must be 2 increasing numbers"),
        ({"steps": [0, 1, 2]}, "steps must be 2 increasing numbers"),
        ({"bias_scale": 0.1}, "bias_scale must be 0 for a network without biases and positive for one with biases, got 0.1; none"),
        ({"biases": [[np.ones(3), np.ones(1)]] * 2}, "same memory"),
        ({"offsets": np.ones((3, 1))}, "offsets must have shape"),
        ({"precision": "bfloat16"}, "precision must be"),
    ],
)
def test_a_run_is_checked_at_the_door(change: dict[str, Any], message: str) -> None:
    base: dict[str, Any] = {
        "weights": [[np.ones((3, 2)), np.ones((1, 3))], [np.zeros((3, 2)), np.zeros((1, 3))]],
        "inputs": np.eye(2),
        "targets": np.ones(2),
        "step_size": 0.1,
    }
    OwnRun(**base)
    with pytest.raises(ProblemError, match=message):
        OwnRun(**{**base, **change})


def test_records_of_one_array_that_is_overwritten_are_found_out() -> None:
    w1, w2, records = np.ones((3, 2)), np.ones((1, 3)), []
    for _ in range(3):
        records.append([w1, w2.copy()])
        w1 -= 0.1
    with pytest.raises(ProblemError, match=r"weights\[0\] and weights\[1\] are the same memory.*record copies"):
        OwnRun(records, np.eye(2), np.ones(2), 0.1)
    OwnRun(records, np.eye(2), np.ones(2), 0.1, trained=[2])  # an untrained layer may be the same array


def test_the_residual_of_many_outputs_and_offsets_is_within_what_is_stated() -> None:
    """f - offset - target with f of the size of the rounding: what is stored loses sqrt(k) u in the norm."""
    k, points = 100, np.eye(2)
    first = np.random.default_rng(0).standard_normal((3, 2))
    h = np.tanh(points @ first.T / math.sqrt(2)) / math.sqrt(3)
    second = np.tile(np.linalg.lstsq(h, np.full(2, 1e-16), rcond=None)[0], (k, 1))
    step = 0.5 / np.linalg.eigvalsh(h @ h.T / 2)[-1]
    run = OwnRun([[first, second + 0.0] for _ in range(3)], points, np.ones((2, k)), step, offsets=-np.ones((2, k)), trained=[2])
    certificate = check_theorem(run, "A", start=0).certificate
    exact = math.sqrt(float(np.sum((h @ second.T) ** 2)) / 2)
    assert not certificate.certified or certificate.constants["s0"].upper >= exact
    assert own_setup(run).residual_error(0.0, 0.0, 0.0, 0.0) >= exact


def test_squares_that_underflow_decide_nothing() -> None:
    """Weights and targets of 1e-161, whose squares are 0: the path comes out as 0."""
    rng = np.random.default_rng(0)
    points, first, size = rng.standard_normal((6, 3)), rng.standard_normal((40, 3)), 1e-161
    h = np.tanh(points @ first.T / math.sqrt(3)) / math.sqrt(40)
    values, vectors = np.linalg.eigh(h @ h.T / 6)
    target, step = vectors[:, 0] * math.sqrt(6), 0.9 / values[-1]
    weights, u = [], np.zeros(40)
    for _ in range(50):
        weights.append([first, size * u[None]])
        u = u - step * h.T @ (h @ u - target) / 6
    run = OwnRun([[one.copy(), two] for one, two in weights], points, size * target, step)
    found = check_theorem(run, "A", start=0)
    assert Verdict.HOLDS not in {claim.verdict for claim in found.claims if claim.id.startswith("A-")}
