"""Signals panel by panel against the network written out for one point, derivatives by complex steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from numerics import signals
from numerics.activations import builtin_activation
from numerics.errors import NumericsError
from numerics.network import Architecture, initialize
from numerics.signals import Panel, check_network, difference_panels, layer_sums, panel_rows, panels

U = 2.0**-53
STEP = 1e-30  # of the complex-step derivative: its truncation error, STEP^2, is below any rounding
ARCHITECTURES = [
    Architecture((3, 2), 1.1, 0.4, 1.3, (True,)),
    Architecture((3, 150, 1), 1.0, 0.0, 1.0, (True, True)),
    Architecture((3, 150, 4), 1.2, 0.3, 0.7, (True, False)),
    Architecture((4, 7, 70, 2), 1.2, 0.3, 2.0, (True, True, True)),
    Architecture((2, 5, 6, 130, 3), 1.5, 0.2, 1.0, (True, False, True, True)),
    Architecture((2, 5, 4, 6, 5, 1), 1.4, 0.0, 1.0, (True,) * 5),
]
SINE = builtin_activation("sin")


def setting(architecture: Architecture, points: int = 6) -> tuple[np.ndarray, np.ndarray]:
    return initialize(architecture, "gaussian", 3), np.random.default_rng(4).standard_normal((points, architecture.sizes[0]))


def run_from(architecture: Architecture, theta: np.ndarray, layer: int, z: np.ndarray) -> list[np.ndarray]:
    """z_layer, ..., z_L for one point, with sin for the activation; complex numbers welcome."""
    found = [z]
    for above in range(layer + 1, architecture.layers + 1):
        z = architecture.weight_scale / np.sqrt(architecture.sizes[above - 1]) * architecture.weight(theta, above) @ np.sin(z)
        z = z + architecture.bias_scale * architecture.bias(theta, above)
        found.append(z)
    return found


def run(architecture: Architecture, theta: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    z = architecture.weight_scale / np.sqrt(len(x)) * architecture.weight(theta, 1) @ x
    return run_from(architecture, theta, 1, z + architecture.bias_scale * architecture.bias(theta, 1))


def complex_step_jacobian(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """d function/d at, one row per argument."""
    return np.array([function(at + 1j * STEP * row).imag / STEP for row in np.eye(len(at))])


def collect(stream: list[Panel], layer: int, name: str) -> np.ndarray:
    return np.concatenate([getattr(panel, name) for panel in stream if panel.layer == layer])


def tolerance(architecture: Architecture, size: np.ndarray | float) -> float:
    """Sums of at most m terms, a few units each, over the layers: m u times the size of the result's largest entry, times ten."""
    return float(10 * architecture.layers * max(architecture.sizes) * U * np.max(np.abs(size)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("entries", [signals.PANEL_ENTRIES, 1])  # one panel a layer, and panels of 64 neurons
def test_every_signal_of_every_layer(architecture: Architecture, entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PANEL_ENTRIES", entries)
    theta, inputs = setting(architecture)
    found = list(panels(architecture, SINE, theta, inputs))
    order = [layer for layer, _ in itertools.groupby(panel.layer for panel in found)]
    assert order == [*range(architecture.layers - 1, 0, -1), architecture.layers]
    for layer in range(1, architecture.layers + 1):
        z, h, eta, delta = (collect(found, layer, name) for name in ("z", "h", "eta", "delta"))
        assert z.shape == (architecture.sizes[layer], len(inputs))
        assert eta.shape == delta.shape == (*z.shape, architecture.outputs)
        for i, x in enumerate(inputs):
            exact = run(architecture, theta, x)[layer - 1]
            np.testing.assert_allclose(z[:, i], exact, rtol=0, atol=tolerance(architecture, exact))
            jacobian = complex_step_jacobian(lambda at, layer=layer: run_from(architecture, theta, layer, at)[-1], z[:, i])
            np.testing.assert_allclose(delta[:, i], jacobian, rtol=0, atol=tolerance(architecture, jacobian))
            if layer < architecture.layers:
                np.testing.assert_allclose(h[:, i], np.sin(z[:, i]), rtol=0, atol=4 * U)
                np.testing.assert_allclose(np.cos(z[:, i])[:, None] * eta[:, i], delta[:, i], rtol=16 * U, atol=16 * U)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sums_are_those_of_the_whole_layer(architecture: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PANEL_ENTRIES", 1)
    theta, inputs = setting(architecture)
    found = list(panels(architecture, SINE, theta, inputs))
    for sums in layer_sums(architecture, found):
        z, h, eta, delta = (collect(found, sums.layer, name) for name in ("z", "h", "eta", "delta"))
        flat = delta.reshape(len(delta), -1)
        atol = tolerance(architecture, 1.0 + max(np.max(h.T @ h), np.max(np.abs(flat.T @ flat))))
        np.testing.assert_allclose(sums.forward_gram, h.T @ h, rtol=0, atol=atol)
        np.testing.assert_allclose(sums.backward_gram, flat.T @ flat, rtol=0, atol=atol)
        np.testing.assert_array_equal(sums.backward_gram, sums.backward_gram.T)
        np.testing.assert_allclose(sums.z_norms, np.linalg.norm(z, axis=0), rtol=tolerance(architecture, 1.0))
        np.testing.assert_allclose(sums.eta_sup, np.linalg.norm(eta, axis=2).max(axis=0), rtol=8 * U)
        assert (sums.z is None) == (sums.layer < architecture.layers)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_difference_panels_hold_reference_and_change(architecture: Architecture) -> None:
    theta, inputs = setting(architecture)
    reference = initialize(architecture, "signs", 8)
    now, then = (list(panels(architecture, SINE, at, inputs)) for at in (theta, reference))
    both = list(difference_panels(architecture, SINE, theta, reference, inputs))
    for a, b, pair in zip(now, then, both, strict=True):
        n = len(inputs)
        np.testing.assert_array_equal(pair.z, np.hstack([b.z, a.z - b.z]))
        np.testing.assert_array_equal(pair.h, np.hstack([a.h, a.h - b.h]))
        np.testing.assert_array_equal(pair.eta[:, n:], a.eta - b.eta)
        np.testing.assert_array_equal(pair.delta[:, :n], b.delta)
        np.testing.assert_array_equal(pair.delta[:, n:], a.delta - b.delta)


def test_one_wide_layer_never_holds_all_its_signals() -> None:
    architecture = Architecture((2, 20000, 3), 1.0, 0.0, 1.0, (True, True))
    theta, inputs = setting(architecture, points=16)
    rows = panel_rows(architecture, 16)
    sizes = [len(panel.z) for panel in panels(architecture, SINE, theta, inputs) if panel.layer == 1]
    assert sum(sizes) == 20000
    assert max(sizes) == rows == 4096


def test_refuses_what_does_not_fit() -> None:
    architecture = ARCHITECTURES[1]
    theta, inputs = setting(architecture)
    check_network(architecture, theta, inputs)
    with pytest.raises(NumericsError, match="theta must be float64 of shape"):
        check_network(architecture, theta[:-1], inputs)
    with pytest.raises(NumericsError, match="inputs must be float64 of shape"):
        check_network(architecture, theta, inputs[:, :2])
    with pytest.raises(NumericsError, match="float64"):
        check_network(architecture, theta.astype(np.float32), inputs)
    with pytest.raises(NumericsError, match="at least one point"):
        check_network(architecture, theta, inputs[:0])
    with pytest.raises(NumericsError, match="not finite"):
        check_network(architecture, np.where(theta > 0, theta, np.nan), inputs)
