"""Outputs without a kernel: the same numbers as a snapshot's up to their stated errors, and the errors are bounds."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp

from numerics import forward
from numerics.errors import NumericsError
from numerics.forward import outputs_at
from verify.problem import problem_from_mapping
from verify.setup import prepare


def network(hidden, **more):
    given = {"hidden": list(hidden), "bias_scale": 0.5, "output_layer": "gaussian", "output_scale": 3.0} | more
    return prepare(problem_from_mapping({"data": {"classes": [0, 1, 2], "points": 7}, "network": given}))


def outputs(setup, theta, inputs):
    norms = setup.snapshot(theta).operator_norms
    return outputs_at(
        setup.architecture, setup.activation_kernel, theta, inputs, norms, float(setup.bounds.slope), setup.bounds.ulps
    )


@pytest.mark.parametrize("hidden", [(5,), (700,), (5, 4), (6, 5, 4)])
def test_outputs_are_those_of_a_snapshot(hidden) -> None:
    setup, theta = network(hidden)
    found, whole = outputs(setup, theta, setup.dataset.inputs), setup.snapshot(theta)
    assert np.all(np.linalg.norm(found.values - whole.outputs, axis=1) <= found.errors + whole.errors.output)
    assert found.errors == pytest.approx(whole.errors.output, rel=1e-9)


@pytest.mark.parametrize("hidden", [(9,), (5, 4)])
def test_the_errors_are_bounds(hidden) -> None:
    """Against 40 digits, weights and inputs being the doubles that they are."""
    setup, theta = network(hidden)
    a, found = setup.architecture, outputs(setup, theta, setup.dataset.inputs)
    with mp.workdps(40):
        for i, x in enumerate(setup.dataset.inputs):
            h = [mp.mpf(float(v)) for v in x]
            for layer in range(1, a.layers + 1):
                scale = a.weight_scale / mp.sqrt(a.sizes[layer - 1])
                rows = zip(a.weight(theta, layer), a.bias(theta, layer), strict=True)
                z = [
                    scale * mp.fsum(float(w) * v for w, v in zip(row, h, strict=True)) + mp.mpf("0.5") * float(b) for row, b in rows
                ]
                h = [mp.tanh(v) for v in z]
            error = mp.sqrt(mp.fsum((mp.mpf(float(y)) - 3 * v) ** 2 for y, v in zip(found.values[i], z, strict=True)))
            assert error <= found.errors[i]
    assert found.errors.max() < 1e-11


def test_points_in_groups_give_the_same(monkeypatch) -> None:
    setup, theta = network((5, 4))
    whole = outputs(setup, theta, setup.dataset.inputs)
    monkeypatch.setattr(forward, "PANEL_ENTRIES", 2 * max(setup.architecture.sizes))
    parts = outputs(setup, theta, setup.dataset.inputs)
    assert np.all(np.linalg.norm(parts.values - whole.values, axis=1) <= 2 * whole.errors)


def test_what_overflows_is_refused() -> None:
    setup, theta = network((5,), activation="identity")
    norms = setup.snapshot(theta).operator_norms
    with pytest.raises(NumericsError, match="an output overflows"):
        outputs_at(setup.architecture, setup.activation_kernel, 1e200 * theta, setup.dataset.inputs, norms, 1.0, 1.0)
