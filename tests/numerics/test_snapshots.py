"""Snapshots and drifts against their definitions on an explicit Jacobian, and what they cost."""

from __future__ import annotations

import dataclasses
import math
import time
import tracemalloc

import numpy as np
import pytest
import threadpoolctl

from numerics.activations import builtin_activation
from numerics.errors import NumericsError
from numerics.kernels import tangent_kernel
from numerics.network import Architecture, initialize
from numerics.norms import spectral_norm
from numerics.snapshots import drift, drift_bytes, snapshot, snapshot_bytes

TANH = builtin_activation("tanh")
TANH_BOUNDS = (1.0, 0.7698003589195011)  # sup|phi'| and sup|phi''| = 4/(3 sqrt 3)
ARCHITECTURES = [
    Architecture((3, 2), 1.1, 0.4, 1.3, (True,)),
    Architecture((3, 40, 1), 1.0, 0.0, 1.7, (True, False)),
    Architecture((3, 40, 3), 1.2, 0.3, 0.7, (True, True)),
    Architecture((4, 17, 90, 2), 1.2, 0.3, 2.0, (True, False, True)),
    Architecture((2, 15, 16, 14, 1), 1.5, 0.0, 1.0, (True, True, True, True)),
]


def data(architecture: Architecture, points: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    nu = rng.uniform(0.5, 2.0, points)
    return initialize(architecture, "gaussian", 3), rng.standard_normal((points, architecture.sizes[0])), nu / nu.sum()


def signals(a: Architecture, theta: np.ndarray, x: np.ndarray) -> tuple[list, list, list, list]:
    """z, h (from h_0), eta and delta (m, k) of one point, by plain back-propagation."""
    z, h = [], [x]
    for layer in range(1, a.layers + 1):
        z.append(a.fan_in_scales[layer - 1] * a.weight(theta, layer) @ h[-1] + a.bias_scale * a.bias(theta, layer))
        h.append(np.tanh(z[-1]))
    delta, eta = [np.eye(a.outputs)], []
    for layer in range(a.layers - 1, 0, -1):
        eta.insert(0, a.fan_in_scales[layer] * a.weight(theta, layer + 1).T @ delta[0])
        delta.insert(0, (1 - h[layer] ** 2)[:, None] * eta[0])
    return z, h[:-1], eta, delta


def jacobian(a: Architecture, theta: np.ndarray, inputs: np.ndarray, nu: np.ndarray) -> np.ndarray:
    rows = []
    for x, w in zip(inputs, nu, strict=True):
        _, h, _, delta = signals(a, theta, x)
        for o in range(a.outputs):
            parts = [np.zeros(0)]
            for row in np.flatnonzero(a.trained):
                below = np.append(a.fan_in_scales[row] * h[row], a.bias_scale if a.has_bias else [])
                parts.append(np.outer(delta[row][:, o], below).ravel())
            rows.append(a.output_scale * math.sqrt(w) * np.concatenate(parts))
    return np.array(rows)


@pytest.mark.parametrize("a", ARCHITECTURES)
def test_a_snapshot_is_what_it_says(a: Architecture) -> None:
    """rtol: the snapshot's own relative bound, and as much again for the reference, whose rounding is of the same kind."""
    theta, inputs, nu = data(a)
    found = snapshot(a, TANH, theta, inputs, nu, *TANH_BOUNDS)
    rtol, roots = 2 * found.errors.norm_relative, np.sqrt(np.outer(nu, nu))
    each = [signals(a, theta, x) for x in inputs]
    for layer in range(1, a.layers + 1):
        h = np.array([s[1][layer - 1] for s in each])
        gram = a.fan_in_scales[layer - 1] ** 2 * h @ h.T + a.bias_scale**2
        p = math.sqrt(np.linalg.eigvalsh(roots * gram)[-1])
        np.testing.assert_allclose(found.gram_norms[layer - 1], p, rtol=rtol)
        np.testing.assert_allclose(found.forward_norms[layer - 1], np.linalg.norm(h, axis=1), rtol=rtol)
        np.testing.assert_allclose(found.operator_norms[layer - 1], np.linalg.norm(a.weight(theta, layer), 2), rtol=rtol)
        operator = [np.linalg.norm(s[3][layer - 1], 2) for s in each]
        np.testing.assert_allclose(found.backward_norms[layer - 1], operator, rtol=rtol)
        if layer == 1:
            np.testing.assert_allclose(found.schur, math.sqrt(np.linalg.eigvalsh(roots * gram**2)[-1]), rtol=rtol)
        if layer < a.layers:
            sup = [np.linalg.norm(s[2][layer - 1], axis=1).max() for s in each]
            np.testing.assert_allclose(found.backward_sup[layer - 1], sup, rtol=rtol)
    outputs = a.output_scale * np.array([s[0][-1] for s in each])
    np.testing.assert_allclose(found.outputs, outputs, rtol=0, atol=2 * found.errors.output.max())
    full = jacobian(a, theta, inputs, nu)
    np.testing.assert_allclose(found.kernel, full @ full.T, rtol=0, atol=2 * found.errors.kernel)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(full @ full.T), rtol=0, atol=2 * found.errors.eigenvalue)
    assert (found.backward_norms[-1] == 1.0).all()
    assert found.errors.update == pytest.approx(
        2.0**-53 * math.sqrt(sum(np.sum(a.layer(theta, row + 1) ** 2) for row in np.flatnonzero(a.trained))),
        rel=len(theta) * 2.0**-52,
    )


@pytest.mark.parametrize("a", ARCHITECTURES)
def test_a_drift_is_what_it_says(a: Architecture) -> None:
    theta, inputs, nu = data(a)
    reference = theta.copy()
    for row in np.flatnonzero(a.trained):
        part = a.layer(reference, row + 1)
        part += 0.1 * np.random.default_rng(int(row)).standard_normal(len(part))
    found = drift(a, TANH, theta, reference, inputs, nu, *TANH_BOUNDS)
    for i, x in enumerate(inputs):
        here, there = signals(a, theta, x)[0], signals(a, reference, x)[0]
        exact = [np.linalg.norm(p - q) for p, q in zip(here, there, strict=True)]
        np.testing.assert_array_less(np.abs(found.forward[:, i] - exact), 2 * found.errors.forward)
    here, there = jacobian(a, theta, inputs, nu), jacobian(a, reference, inputs, nu)
    assert abs(found.jacobian - np.linalg.norm(here - there, 2)) <= 2 * found.errors.jacobian
    assert abs(found.kernel - np.linalg.norm(here @ here.T - there @ there.T, 2)) <= 2 * found.errors.kernel
    layers = [np.linalg.norm(a.layer(theta, row + 1) - a.layer(reference, row + 1)) for row in range(a.layers)]
    np.testing.assert_allclose(found.layer_displacements, layers, rtol=len(theta) * 2.0**-53)
    assert found.displacement == pytest.approx(np.linalg.norm(theta - reference), rel=len(theta) * 2.0**-53)


@pytest.mark.parametrize("a", ARCHITECTURES)
def test_drift_dominates_what_snapshots_differ_by(a: Architecture) -> None:
    """|K - K'| from the Hadamard differences against the two kernels of the snapshots; and zero at the reference itself."""
    theta, inputs, nu = data(a)
    reference = theta + 0.05 * np.random.default_rng(5).standard_normal(len(theta))
    first, second = (snapshot(a, TANH, at, inputs, nu, *TANH_BOUNDS) for at in (theta, reference))
    norms = {"operator_norms": second.operator_norms}
    found = drift(a, TANH, theta, reference, inputs, nu, *TANH_BOUNDS, **norms)
    direct = np.linalg.norm(first.kernel - second.kernel, 2)
    assert abs(found.kernel - direct) <= found.errors.kernel + first.errors.kernel + second.errors.kernel
    without = drift(a, TANH, theta, reference, inputs, nu, *TANH_BOUNDS)
    assert dataclasses.astuple(without.errors)[1:] == pytest.approx(dataclasses.astuple(found.errors)[1:])
    still = drift(a, TANH, theta, theta.copy(), inputs, nu, *TANH_BOUNDS)
    assert (still.jacobian, still.kernel, still.displacement, still.forward.max()) == (0.0, 0.0, 0.0, 0.0)


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    a = Architecture((20, 300, 200, 2), 1.2, 0.3, 1.0, (True, True, True))
    theta, inputs, nu = data(a, 40)
    results = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            at = snapshot(a, TANH, theta, inputs, nu, *TANH_BOUNDS)
            moved = drift(a, TANH, 1.01 * theta, theta, inputs, nu, *TANH_BOUNDS)
        results.append((at.operator_norms, at.gram_norms, at.kernel, at.eigenvalues, at.outputs, moved.forward, moved.jacobian))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


def test_smoothness_multiplies_the_bound_of_the_gradient() -> None:
    a = ARCHITECTURES[2]
    one, three = (snapshot(a, TANH, *data(a), *TANH_BOUNDS, smoothness=factor).errors for factor in (1.0, 3.0))
    assert three.gradient_constant == pytest.approx(3 * one.gradient_constant)
    assert three.gradient_slope == pytest.approx(3 * one.gradient_slope)
    assert three.residual == one.residual


def test_a_point_without_features_has_no_signal_and_no_error() -> None:
    """x = 0 without biases: every signal of that point is exactly zero, and 0/0 must not make the relative bound infinite."""
    a = Architecture((3, 8, 1), 1.0, 0.0, 1.0, (True, True))
    theta, inputs, nu = data(a)
    inputs[2] = 0.0
    found = snapshot(a, TANH, theta, inputs, nu, *TANH_BOUNDS)
    assert (found.forward_norms[:, 2] == 0.0).all()
    assert math.isfinite(found.errors.norm_relative)


def test_refuses_bad_weights_and_overflow() -> None:
    a = ARCHITECTURES[1]
    theta, inputs, nu = data(a)
    for bad in (nu[:-1], 2 * nu, np.append(nu[:-1], np.nan), nu - nu[0], nu.astype(np.float32)):
        with pytest.raises(NumericsError, match="sample_weights"):
            snapshot(a, TANH, theta, inputs, bad)
        with pytest.raises(NumericsError, match="sample_weights"):
            drift(a, TANH, theta, theta, inputs, bad)
    with pytest.raises(NumericsError, match="finite"):
        snapshot(a, TANH, np.full_like(theta, 1e200), inputs, nu)
    softplus, deep = builtin_activation("softplus"), ARCHITECTURES[4]
    theta, inputs, nu = data(deep)
    with pytest.raises(NumericsError, match=r"finite|overflow"):
        snapshot(deep, softplus, 1e120 * theta, inputs, nu)


MEMORY = [
    (Architecture((8, 60000, 1), 1.0, 0.0, 1.0, (True, True)), 16),
    (Architecture((8, 300, 200, 3), 1.0, 0.2, 1.0, (True, True, True)), 60),
    (Architecture((4, 50, 1), 1.0, 0.0, 1.0, (True, True)), 900),
    (Architecture((700, 700, 1), 1.0, 0.0, 1.0, (True, True)), 8),
]
ESTIMATE = 3.0  # an estimate of memory is useful within this factor, and harmful when it is too small


@pytest.mark.parametrize(("a", "points"), MEMORY)
def test_memory_estimates(a: Architecture, points: int) -> None:
    """Peak of numpy's allocations against the estimate; arrays of m_1 x n (60000 x 16 doubles) would break the first one."""
    theta, inputs, nu = data(a, points)
    other = 1.1 * theta
    snapshot(a, TANH, theta, inputs[:2], np.full(2, 0.5))  # compiles and imports outside the measurement
    for measure, estimate in (
        (lambda: snapshot(a, TANH, theta, inputs, nu), snapshot_bytes(a, points)),
        (lambda: drift(a, TANH, theta, other, inputs, nu), drift_bytes(a, points)),
    ):
        tracemalloc.start()
        measure()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= estimate + 2**18  # small things: a quarter of a megabyte
        assert estimate <= ESTIMATE * peak


@pytest.mark.validate
@pytest.mark.parametrize(
    ("sizes", "points", "milliseconds"),
    [((64, 256, 256, 1), 32, 15.0), ((16, 1_000_000, 1), 16, 3000.0), ((64, 1_000_000, 1), 16, 5000.0)],
)
def test_snapshots_are_quick_enough_to_take_many(sizes: tuple[int, ...], points: int, milliseconds: float) -> None:
    """Best of three, on one thread; the limits are several times what a quiet core needs."""
    a = Architecture(sizes, 1.0, 0.0, 1.0, (True,) * (len(sizes) - 1))
    theta, inputs, nu = data(a, points)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        snapshot(a, TANH, theta, inputs, nu, *TANH_BOUNDS)
        times.append(time.perf_counter() - begin)
    assert min(times) <= milliseconds / 1000


def test_snapshot_agrees_with_its_parts() -> None:
    a = ARCHITECTURES[3]
    theta, inputs, nu = data(a)
    found = snapshot(a, TANH, theta, inputs, nu)
    np.testing.assert_array_equal(found.kernel, tangent_kernel(a, TANH, theta, inputs, nu))
    assert found.operator_norms[1] == spectral_norm(a.weight(theta, 2)).upper
