"""Measured tails against the small networks of the ledger's samplers, whose signals come straight from the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.activations import builtin_activation
from numerics.network import Architecture, initialize
from verify.drawn import measurements
from verify.drawn.measurements import layer_signals, leave_one_out, measured_tails
from verify.proving import apriori_samplers


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("block", [1, 2**19])
def test_the_same_numbers_as_on_small_networks(seed, block, monkeypatch) -> None:
    monkeypatch.setattr(measurements, "BLOCK_ENTRIES", block)
    network = apriori_samplers._drawn(np.random.default_rng(seed))
    theirs = apriori_samplers.measured_tails(network).numbers
    ours = measured_tails(
        network.architecture,
        network.kernel,
        network.theta0,
        np.ascontiguousarray(network.inputs.T),
        network.root_weights**2,
        gaussian_output=True,
    )
    assert set(ours.numbers) == set(theirs)
    for event, t in ours.numbers.items():
        # The samplers enlarge what they measure by 1e-9 (1 + |t|).
        assert abs(t - theirs[event]) <= 2e-9 * (1 + abs(t)) + ours.errors[event], event


@pytest.fixture
def drawn():
    architecture = Architecture((3, 5, 4, 2), 1.2, 0.4, 2.0, (True, False, True))
    inputs = np.random.default_rng(1).standard_normal((6, 3))
    return architecture, builtin_activation("softplus"), inputs


def test_an_output_layer_of_signs_has_other_events(drawn) -> None:
    architecture, kernel, inputs = drawn
    theta = initialize(architecture, "signs", 3)
    nu = np.arange(1, 7) / 21
    found = measured_tails(architecture, kernel, theta, inputs, nu, gaussian_output=False, centered=False).numbers
    assert set(found) == {"operator_norms", "signals", "units", "columns", "leave_one_out", "initial_output", "initial_bias"}
    w2 = np.linalg.norm(architecture.weight(theta, 2), 2)
    assert found["operator_norms"] == pytest.approx(w2 - math.sqrt(5) - math.sqrt(4), abs=1e-9)  # not W_3, whose entries are +-1
    signals = layer_signals(architecture, kernel, theta, inputs)
    c = architecture.fan_in_scales[2]
    plain = c * architecture.weight(theta, 3) @ signals[1].h
    size = math.sqrt(np.sum(nu * np.sum(plain**2, axis=0)))
    trace = np.sum(nu * c**2 * np.sum(signals[1].h ** 2, axis=0))
    assert found["initial_output"] == pytest.approx((size / math.sqrt(trace) - math.sqrt(2)) / 2, abs=1e-9)
    assert found["initial_bias"] == pytest.approx(np.linalg.norm(architecture.bias(theta, 3)) - math.sqrt(2), abs=1e-12)


def test_a_gaussian_output_counts_the_bias_among_the_output(drawn) -> None:
    architecture, kernel, inputs = drawn
    theta = initialize(architecture, "gaussian", 3)
    nu = np.full(6, 1 / 6)
    found = measured_tails(architecture, kernel, theta, inputs, nu, gaussian_output=True, centered=False).numbers
    signals = layer_signals(architecture, kernel, theta, inputs)
    trace = np.mean(architecture.fan_in_scales[2] ** 2 * np.sum(signals[1].h ** 2, axis=0) + architecture.bias_scale**2)
    size = math.sqrt(np.mean(np.sum(signals[2].z ** 2, axis=0)))
    assert found["initial_output"] == pytest.approx(size / math.sqrt(trace) - math.sqrt(2), abs=1e-9)
    assert "initial_bias" not in found


def test_leaving_one_out_is_a_network_without_that_unit() -> None:
    """delta^(j) is the backward signal of the network whose weights out of unit j are 0."""
    architecture = Architecture((3, 4, 6, 5, 1), 1.0, 0.0, 1.0, (True,) * 4)
    kernel, inputs = builtin_activation("tanh"), np.random.default_rng(2).standard_normal((5, 3))
    theta = initialize(architecture, "gaussian", 7)
    signals = layer_signals(architecture, kernel, theta, inputs)
    for layer in (1, 2):
        largest = 0.0
        for unit in range(architecture.sizes[layer]):
            other = theta.copy()
            w = architecture.weight(theta, layer + 1)[:, unit]
            architecture.weight(other, layer + 1)[:, unit] = 0.0
            delta = layer_signals(architecture, kernel, other, inputs)[layer].delta[:, :, 0]
            largest = max(largest, float(np.max(np.abs(w @ delta) / np.linalg.norm(delta, axis=0))))
        assert leave_one_out(architecture, kernel, theta, signals, layer) == pytest.approx(largest, rel=1e-12)
