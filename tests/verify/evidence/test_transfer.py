"""Steps of two parametrizations: the conversion, the search for best and stable steps, and what the slopes decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.network import initialize
from verify.errors import ProblemError
from verify.evidence import transfer
from verify.evidence.standard import standard_kernel_largest, standard_residuals
from verify.evidence.team import Team
from verify.evidence.transfer_runs import FINE, Ended, Grid, Network, measure_runs, ntk_residuals, search
from verify.problem import problem_from_mapping
from verify.setup import prepare

STEPS = 12


def ready(**network):
    keys = {"hidden": [9, 7], "weight_scale": 1.2, "output_scale": 0.7} | network
    return prepare(problem_from_mapping({"data": {"points": 6}, "network": keys}))


@pytest.mark.parametrize("network", [{}, {"hidden": [11]}, {"trained": [1, 3]}, {"centered": False, "activation": "softplus"}])
def test_layer_steps_of_the_standard_parametrization_are_gradient_descent_here(network) -> None:
    setup, theta0 = ready(**network)
    eta = 0.3
    converted = [eta * scale**2 for scale in setup.architecture.fan_in_scales]
    here, there = ntk_residuals(setup, theta0, eta, STEPS), standard_residuals(setup, theta0, converted, STEPS)
    assert there == pytest.approx(here, rel=1e-11)
    assert len(here) == STEPS + 1
    equal = standard_residuals(setup, theta0, [eta * setup.architecture.fan_in_scales[0] ** 2] * setup.architecture.layers, STEPS)
    assert abs(equal[-1] / here[-1] - 1) > 1e-3 or network.get("trained") == [1]


def test_the_standard_kernel_is_that_of_its_jacobian() -> None:
    """By central differences in the weights W'."""
    setup, theta0 = ready(hidden=[5])
    a, x = setup.architecture, setup.dataset.inputs
    weights = [c * a.weight(theta0, layer) for layer, c in enumerate(a.fan_in_scales, start=1)]
    flat = np.concatenate([w.ravel() for w in weights])

    def outputs(parameters):
        first, second = parameters[: weights[0].size].reshape(weights[0].shape), parameters[weights[0].size :]
        return a.output_scale * np.tanh(x @ first.T) @ second

    h = 1e-6
    jacobian = np.array([(outputs(flat + h * e) - outputs(flat - h * e)) / (2 * h) for e in np.eye(len(flat))]).T
    largest = np.linalg.eigvalsh(jacobian @ jacobian.T / len(x))[-1]
    assert standard_kernel_largest(setup, theta0) == pytest.approx(largest, rel=1e-7)


def test_what_blows_up_ends_infinite() -> None:
    setup, theta0 = ready()
    assert standard_residuals(setup, theta0, [1e200] * 3, STEPS)[-1] == math.inf
    assert ntk_residuals(setup, theta0, 1e200, STEPS)[-1] == math.inf


def test_biases_and_other_losses_are_refused() -> None:
    setup, theta0 = ready(bias_scale=0.5)
    with pytest.raises(ProblemError, match="without biases"):
        standard_residuals(setup, theta0, [0.1] * 3, STEPS)


def scalar(largest: float, start: float = 1.0, steps: int = 30):
    """Gradient descent on a quadratic with eigenvalues ``largest`` and 0.3 times that."""

    def run(exponent: int) -> Ended:
        eta = 2.0 ** (exponent / FINE)
        sizes = [math.hypot((1 - eta * largest) ** k, (1 - 0.3 * eta * largest) ** k) * start / math.sqrt(2) for k in range(steps)]
        return Ended(sizes[-1], max(sizes))

    return run


def test_the_search_finds_best_and_edge_of_a_quadratic() -> None:
    found = search(scalar(0.7), 1.0, -20, 20)
    # The two factors are equal at 2/(1.3 lambda); the residual first exceeds the start just beyond 2/lambda.
    assert abs(math.log2(found["best_step"] * 1.3 * 0.7 / 2)) <= 1 / FINE
    edge = found["stable_step"]
    assert scalar(0.7)(round(FINE * math.log2(edge))).largest <= 1 + 1e-9
    assert scalar(0.7)(round(FINE * math.log2(edge)) + 1).largest > 1
    assert 2 / 0.7 / 2 ** (1 / FINE) < edge < 2 / 0.7 * 1.1


def test_a_step_at_an_end_of_the_grid_is_no_result() -> None:
    assert set(search(scalar(0.7), 1.0, -30, -12)) == {"curve"}  # too small: the best is the last, none fails
    assert set(search(scalar(0.7), 1.0, 10, 20)) == {"curve"}  # too large: the first fails


def fabricated(exponent: float, parametrization: str) -> list[dict]:
    about = {"section": "run", "layers": 2, "output_scale": 1.0, "parametrization": parametrization}
    return [
        {**about, "width": width, "draw": draw, "best_step": width**exponent, "stable_step": width ** (exponent + 0.01 * draw)}
        | ({"certified_step": width**exponent} if parametrization == "NTK" else {})
        for width in (64, 256, 1024)
        for draw in range(10)
    ]


@pytest.mark.parametrize(
    ("parametrization", "exponent", "verdict"),
    [
        ("NTK", 0.0, "holds"),
        ("NTK", -1.0, "violated"),
        ("NTK", 0.22, "undecided"),
        ("standard", -1.0, "holds"),
        ("standard", 0.0, "violated"),
        ("standard", -0.26, "undecided"),
    ],
)
def test_the_slopes_decide(parametrization, exponent, verdict) -> None:
    rows = transfer.slope_rows(fabricated(exponent, parametrization))
    assert [row["quantity"] for row in rows] == [
        "best_step",
        "stable_step",
        *(["certified_step"] if parametrization == "NTK" else []),
    ]
    assert all(row[verdict] for row in rows) if verdict != "undecided" else rows[1]["undecided"] == 1
    missing = fabricated(exponent, parametrization)
    missing[3]["best_step"] = None
    assert transfer.slope_rows(missing)[0]["undecided"] == 1


def test_a_tiny_grid_is_certified_and_stays_below_its_rate() -> None:
    rows = measure_runs(Grid((Network(2, 256.0, (24, 48)),), 1, 20, points=4), 3, Team())
    runs = [row for row in rows if row["section"] == "run"]
    ntk = [row for row in runs if row["parametrization"] == "NTK"]
    assert [row["holds"] for row in ntk] == [1, 1]
    assert all(row["certified_at"] == 0 and row["certified_step"] <= row["stable_step"] for row in ntk)
    assert {row["common_step"] for row in ntk} == {min(row["certified_step"] for row in ntk)}
    assert all(row["common_residual"] <= row["common_bound"] for row in ntk)
    assert all(row["stable_step"] <= 2.2 / row["lambda_max"] for row in runs)  # alpha is large: the network is nearly linear
    curve = [row for row in rows if row["section"] == "curve"]
    assert {row["parametrization"] for row in curve} == {"NTK", "standard"}
    # A draw is a function of the seed alone.
    setup, theta0 = prepare(
        problem_from_mapping(
            {
                "data": {"points": 4, "seed": 3},
                "network": {"hidden": [24], "seed": ntk[0]["network_seed"], "output_scale": 256.0},
            }
        )
    )
    assert np.array_equal(theta0, initialize(setup.architecture, "signs", ntk[0]["network_seed"]))
    assert ntk_residuals(setup, theta0, ntk[0]["best_step"], 20)[-1] == ntk[0]["best_residual"]
