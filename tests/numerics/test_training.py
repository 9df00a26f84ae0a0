"""Gradient descent against a complex-step reference, and its invariances."""

import dataclasses

import numba
import numpy as np
import pytest

from numerics import training
from numerics.activations import builtin_activation, program_activation
from numerics.errors import NumericsError
from numerics.losses import program_loss, square_loss
from numerics.network import Architecture, initialize
from numerics.training import GradientDescent, workspace_bytes

EPS = np.finfo(float).eps
RIDGE = 0.25

#: Analytic definitions, so that numpy can evaluate them at complex arguments.
ACTIVATIONS = {
    "tanh": np.tanh,
    "sin": np.sin,
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "gaussian_bump": lambda z: np.exp(-z * z / 2.0),
}
LOSSES = {
    "square": lambda y, t: (y - t) ** 2 / 2.0,
    "pseudo_huber": lambda y, t: np.sqrt(1.0 + (y - t) ** 2) - 1.0 + RIDGE / 2.0 * (y - t) ** 2,
}


def pseudo_huber():
    return program_loss(
        [
            ("input", (), 0), ("input", (), 1), ("constant", (), -1.0), ("multiply", (1, 2), None), ("add", (0, 3), None),
            ("power", (4,), 2), ("constant", (), 1.0), ("add", (5, 6), None), ("sqrt", (7,), None), ("add", (8, 2), None),
            ("constant", (), RIDGE / 2), ("multiply", (5, 10), None), ("add", (9, 11), None), ("power", (8,), -1),
            ("multiply", (4, 13), None), ("constant", (), RIDGE), ("multiply", (4, 15), None), ("add", (14, 16), None),
            ("power", (8,), -3), ("add", (18, 15), None),
        ],
        (12, 17, 19),
    )  # fmt: skip


KERNELS = {"square": square_loss(), "pseudo_huber": pseudo_huber()}


def problem(sizes, *, n=5, activation="tanh", loss="square", trained=None, bias_scale=0.0, output_scale=1.0, step_size=0.1, seed=0):
    """A random problem with unequal weights and offsets, and an initial theta."""
    rng = np.random.default_rng(seed)
    layers = len(sizes) - 1
    architecture = Architecture(tuple(sizes), 1.25, bias_scale, output_scale, tuple(trained or [True] * layers))
    targets, nu = rng.standard_normal((n, sizes[-1])), rng.uniform(0.5, 1.5, n)
    descent = GradientDescent(
        architecture, builtin_activation(activation), KERNELS[loss], rng.standard_normal((n, sizes[0])), targets,
        nu / nu.sum(), rng.standard_normal((n, sizes[-1])), targets, 1.0 if loss == "square" else RIDGE, step_size,
    )  # fmt: skip
    return descent, initialize(architecture, "gaussian", seed)


def objective(descent, activation, loss, theta):
    """J(theta) by numpy, for real or complex theta."""
    a = descent.architecture
    h = descent.inputs.T
    for layer in range(1, a.layers + 1):
        begin, rows, columns = a.weight_offsets[layer - 1], a.sizes[layer], a.sizes[layer - 1]
        h = a.fan_in_scales[layer - 1] * theta[begin : begin + rows * columns].reshape(rows, columns) @ h
        if a.has_bias:
            h = h + a.bias_scale * theta[a.bias_offsets[layer - 1] :][:rows, None]
        if layer < a.layers:
            h = ACTIVATIONS[activation](h)
    values = LOSSES[loss](a.output_scale * h.T - descent.offsets, descent.targets)
    return (descent.sample_weights[:, None] * values).sum()


def trained_mask(architecture):
    mask = np.zeros(architecture.parameters, dtype=bool)
    for layer, moves in enumerate(architecture.trained, start=1):
        architecture.layer(mask, layer)[...] = moves
    return mask


def complex_step_gradient(descent, activation, loss, theta):
    """Im J(theta + i h e_j)/h with h so small that nothing is lost: exact to rounding, no cancellation."""
    h = 1e-100
    gradient = np.zeros(theta.size)
    for j in np.flatnonzero(trained_mask(descent.architecture)):
        shifted = theta.astype(complex)
        shifted[j] += 1j * h
        gradient[j] = objective(descent, activation, loss, shifted).imag / h
    return gradient


def small_panels(monkeypatch, *, parallel=False, keep=True):
    """Cut small networks into many panels and chunks, so that tests reach what only large ones reach otherwise."""
    monkeypatch.setattr(training, "PANEL_WORK", 1)
    monkeypatch.setattr(training, "PANEL_ROWS", 16)
    monkeypatch.setattr(training, "MOST_CHUNKS", 2)
    if parallel:
        monkeypatch.setattr(training, "PARALLEL_WORK", 0)
    if not keep:
        monkeypatch.setattr(training, "KEPT_BYTES", 0)


CASES = [
    {"sizes": (4, 1)},
    {"sizes": (4, 3), "bias_scale": 0.5, "loss": "pseudo_huber"},
    {"sizes": (3, 9, 1)},
    {"sizes": (3, 41, 2), "bias_scale": 0.5, "output_scale": 2.0, "activation": "sin"},
    {"sizes": (3, 41, 2), "trained": (True, False)},
    {"sizes": (3, 41, 2), "trained": (False, True), "bias_scale": 1.0, "loss": "pseudo_huber"},
    {"sizes": (2, 21, 17, 1), "activation": "sigmoid"},
    {"sizes": (2, 21, 17, 3), "trained": (True, False, True), "bias_scale": 0.3},
    {"sizes": (2, 21, 17, 3), "trained": (False, True, False), "activation": "gaussian_bump"},
    {"sizes": (2, 9, 21, 1), "trained": (False, False, True)},
    {"sizes": (2, 18, 9, 12, 2), "bias_scale": 0.5, "loss": "pseudo_huber", "activation": "sin"},
    {"sizes": (2, 18, 9, 12, 1), "trained": (False, True, False, True)},
]


@pytest.mark.parametrize("cut", ["default", "panels", "recompute"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient(case, cut, monkeypatch):
    if cut != "default":
        small_panels(monkeypatch, keep=cut == "panels")
    # With a huge step (a power of two) the update is the gradient to full accuracy, whatever theta is.
    descent, theta = problem(**case, step_size=2.0**60)
    expected = complex_step_gradient(descent, case.get("activation", "tanh"), case.get("loss", "square"), theta)
    moved = theta.copy()
    segment = descent.advance(moved, 1, 0.0, theta)
    # Named: a few roundings per operation along the longest chain (four layers of about 20 terms), of terms of the gradient's size.
    tolerance = 500 * EPS * np.abs(expected).max()
    np.testing.assert_allclose((theta - moved) / descent.step_size, expected, rtol=0.0, atol=tolerance)
    assert segment.gradient_norm[0] == pytest.approx(np.linalg.norm(expected), rel=500 * EPS)
    untrained = ~trained_mask(descent.architecture)
    np.testing.assert_array_equal(moved[untrained], theta[untrained])


@pytest.mark.parametrize("case", CASES[3:11:3], ids=str)
def test_a_run_follows_plain_numpy(case):
    """Residual, gap, gradient norm and displacement of every step, against a loop that recomputes all of them."""
    steps = 20
    descent, theta = problem(**case, step_size=0.125)
    names = case.get("activation", "tanh"), case.get("loss", "square")
    reference = initialize(descent.architecture, "gaussian", 99)
    moved = theta.copy()
    segment = descent.advance(moved, steps, 0.0, reference)
    assert segment.steps_done == len(segment.residual) == steps
    assert segment.stopped == "steps"
    architecture = descent.architecture
    for k in range(steps):
        gradient = complex_step_gradient(descent, *names, theta)
        gap = objective(descent, *names, theta)  # both losses have their minimum 0 at the target
        difference = theta - reference
        layers = [np.linalg.norm(architecture.layer(difference, layer)) for layer in range(1, architecture.layers + 1)]
        # Named: rounding of one step is a few hundred EPS, and a step of 1/8 amplifies earlier ones only mildly.
        close = {"rel": 5000 * EPS}
        assert segment.loss_gap[k] == pytest.approx(gap, **close)
        assert segment.residual[k] == pytest.approx(np.sqrt(2.0 * gap / descent.mu), **close)
        assert segment.gradient_norm[k] == pytest.approx(np.linalg.norm(gradient), **close)
        assert segment.displacement[k].tolist() == pytest.approx([np.linalg.norm(difference), *layers], **close)
        theta = theta - descent.step_size * gradient
    np.testing.assert_allclose(moved, theta, rtol=0.0, atol=5000 * EPS * np.abs(theta).max())


def test_observe_sees_what_advance_records_and_moves_nothing():
    descent, theta = problem((3, 41, 17, 2), bias_scale=0.5)
    reference = theta + 0.125
    before = theta.copy()
    theta.flags.writeable = reference.flags.writeable = False
    seen = descent.observe(theta, reference)
    np.testing.assert_array_equal(theta, before)
    recorded = descent.advance(before, 1, 0.0, reference)
    assert seen.residual == recorded.residual[0]
    assert seen.loss_gap == recorded.loss_gap[0]
    assert seen.gradient_norm == recorded.gradient_norm[0]
    np.testing.assert_array_equal(seen.displacement, recorded.displacement[0])


SEVERAL_CHUNKS = [{"sizes": (3, 100, 2), "bias_scale": 0.5}, {"sizes": (3, 40, 61, 24, 1)}, {"sizes": (50, 1)}]


def run(descent, theta, pieces):
    moved, segments = theta.copy(), []
    for steps in pieces:
        segments.append(descent.advance(moved, steps, 0.0, theta))
    records = [np.concatenate([getattr(s, name) for s in segments]) for name in training.Segment._fields[:4]]
    return [moved, *records]


@pytest.mark.parametrize("case", SEVERAL_CHUNKS, ids=str)
def test_bits_depend_neither_on_threads_nor_on_segments_nor_on_memory(case, monkeypatch):
    descent, theta = problem(**case, n=7)
    small_panels(monkeypatch, parallel=True)
    threads = numba.get_num_threads()
    results = []
    try:
        for count in sorted({1, threads}):
            numba.set_num_threads(count)
            results += [run(descent, theta, pieces) for pieces in ([100], [50, 50], [1, 99])]
    finally:
        numba.set_num_threads(threads)
    small_panels(monkeypatch, keep=False)
    results.append(run(descent, theta, [100]))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def residual_curve(descent, theta, steps=50):
    segment = descent.advance(theta.copy(), steps, 0.0, theta)
    return segment.residual, segment.displacement


#: Two runs that are equal in exact arithmetic differ by rounding, which 50 contracting steps do not amplify.
SAME_CURVE = 1e-12


def test_permuted_neurons():
    descent, theta = problem((3, 20, 15, 2), bias_scale=0.5)
    a = descent.architecture
    rng = np.random.default_rng(5)
    weights = [a.weight(theta, layer).copy() for layer in (1, 2, 3)]
    biases = [a.bias(theta, layer).copy() for layer in (1, 2, 3)]
    for layer in (1, 2):
        order = rng.permutation(a.sizes[layer])
        weights[layer - 1], biases[layer - 1] = weights[layer - 1][order], biases[layer - 1][order]
        weights[layer] = weights[layer][:, order]
    permuted = a.flatten(weights, biases)
    for one, other in zip(residual_curve(descent, theta), residual_curve(descent, permuted), strict=True):
        np.testing.assert_allclose(one, other, rtol=SAME_CURVE, atol=SAME_CURVE)


def test_rotated_inputs():
    descent, theta = problem((4, 20, 2))
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    rotated = dataclasses.replace(descent, inputs=descent.inputs @ rotation)
    a = descent.architecture
    turned = a.flatten([a.weight(theta, 1) @ rotation, a.weight(theta, 2)])
    for one, other in zip(residual_curve(descent, theta), residual_curve(rotated, turned), strict=True):
        np.testing.assert_allclose(one, other, rtol=SAME_CURVE, atol=SAME_CURVE)


def test_duplicated_neurons():
    """First layer trained; every neuron twice, outgoing weights / sqrt 2, twice the step: same curve, displacement * sqrt 2.

    In NTK scaling c_2 falls by sqrt 2 with the width, so f is unchanged when two copies have outgoing weights / sqrt 2 each; the
    gradient of each copy is half the original's, hence the doubled step.
    """
    descent, theta = problem((4, 20, 1), trained=(True, False), bias_scale=0.5)
    a = descent.architecture
    double = dataclasses.replace(a, sizes=(4, 40, 1))
    duplicated = double.flatten(
        [np.repeat(a.weight(theta, 1), 2, axis=0), np.repeat(a.weight(theta, 2), 2, axis=1) / np.sqrt(2.0)],
        [np.repeat(a.bias(theta, 1), 2), a.bias(theta, 2)],
    )
    wide = dataclasses.replace(descent, architecture=double, step_size=2.0 * descent.step_size)
    (curve, moved), (wide_curve, wide_moved) = residual_curve(descent, theta), residual_curve(wide, duplicated)
    np.testing.assert_allclose(wide_curve, curve, rtol=SAME_CURVE)
    np.testing.assert_allclose(wide_moved, np.sqrt(2.0) * moved, rtol=SAME_CURVE, atol=SAME_CURVE)


def test_weights_count_points():
    descent, theta = problem((3, 20, 2), n=4)
    times = [1, 3, 2, 1]
    weighted = dataclasses.replace(descent, sample_weights=np.array(times) / 7.0)
    repeated = dataclasses.replace(
        descent,
        sample_weights=np.full(7, 1 / 7),
        **{name: np.repeat(getattr(descent, name), times, axis=0) for name in ("inputs", "targets", "offsets", "minimizers")},
    )
    for one, other in zip(residual_curve(weighted, theta), residual_curve(repeated, theta), strict=True):
        np.testing.assert_allclose(one, other, rtol=SAME_CURVE, atol=SAME_CURVE)


def test_a_users_activation_trains_like_the_built_in_one():
    descent, theta = problem((3, 41, 17, 1), activation="gaussian_bump")
    program = program_activation(
        [
            ("input", (), 0), ("power", (0,), 2), ("constant", (), -0.5), ("multiply", (1, 2), None), ("exp", (3,), None),
            ("multiply", (0, 4), None), ("constant", (), -1.0), ("multiply", (5, 6), None),
        ],
        (4, 7),
    )  # fmt: skip
    other = dataclasses.replace(descent, activation=program)
    for one, two in zip(residual_curve(descent, theta), residual_curve(other, theta), strict=True):
        np.testing.assert_allclose(one, two, rtol=SAME_CURVE, atol=SAME_CURVE)


def test_a_wide_network_converges_linearly_and_stops_at_the_residual():
    descent, theta = problem((6, 512, 1), n=4, step_size=0.5)
    reference = theta.copy()
    segment = descent.advance(theta, 5000, 1e-9, reference)
    assert segment.stopped == "residual"
    assert segment.steps_done == len(segment.residual) < 5000
    assert (segment.residual > 1e-9).all()
    seen = descent.observe(theta, reference)
    assert seen.residual <= 1e-9
    # The square loss: the residual is the root mean square error, sqrt(2 J), and it falls in every step.
    assert seen.loss_gap == pytest.approx(seen.residual**2 / 2, rel=4 * EPS)
    assert (np.diff(segment.residual) < 0.0).all()
    again = theta.copy()
    assert descent.advance(again, 10, 1e-9, reference).steps_done == 0
    np.testing.assert_array_equal(again, theta)


def test_divergence_is_reported_and_stops():
    descent, theta = problem((3, 9, 1), step_size=1e200)
    segment = descent.advance(theta, 50, 0.0, theta.copy())
    assert segment.stopped == "not finite"
    assert segment.steps_done < 50
    assert np.isfinite(segment.residual).all()


def test_memory_is_a_small_multiple_of_the_weights():
    wide = Architecture((16, 10**6, 1), 1.0, 0.0, 1.0, (True, True))
    weights = 8 * wide.parameters
    assert workspace_bytes(wide, 16) < 2.1 * weights  # kept: 2 m n numbers with n = d
    assert workspace_bytes(wide, 17) < 0.1 * weights  # recomputed: panels only
    assert workspace_bytes(Architecture((64, 256, 256, 1), 1.0, 0.0, 1.0, (True,) * 3), 32) < 2**20 * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((5, 4))}, "inputs must be a float64 array of shape \\(5, 3\\), got float64 of shape \\(5, 4\\)"),
        ({"inputs": np.zeros((0, 3))}, "at least one point"),
        ({"inputs": np.full((5, 3), np.nan)}, "inputs has entries that are not finite"),
        ({"targets": np.zeros((5, 2), dtype=np.float32)}, "targets must be a float64 array .* got float32"),
        ({"offsets": np.zeros((2, 5)).T}, "offsets must be contiguous"),
        ({"minimizers": np.ones((5, 2))}, "minimizers must be the targets"),
        ({"sample_weights": np.full(5, 0.25)}, "sum 1, got the sum .*1.25"),
        ({"sample_weights": np.array([0.5, 0.5, 0.5, -0.5, 0.0])}, "must be positive"),
        ({"mu": 0.0}, "mu must be positive"),
        ({"step_size": np.nan}, "step_size must be positive"),
    ],
)
def test_bad_problems_are_refused(change, message):
    descent, _ = problem((3, 9, 2))
    with pytest.raises(NumericsError, match=message):
        dataclasses.replace(descent, **change)


def test_bad_arguments_are_refused():
    descent, theta = problem((3, 9, 2))
    with pytest.raises(NumericsError, match="steps must be a positive integer, got 0"):
        descent.advance(theta, 0, 0.0, theta.copy())
    with pytest.raises(NumericsError, match="steps must be a positive integer, got 1\\.5"):
        descent.advance(theta, 1.5, 0.0, theta.copy())
    with pytest.raises(NumericsError, match="share memory"):
        descent.advance(theta, 1, 0.0, theta)
    with pytest.raises(NumericsError, match="theta must be a float64 array of shape"):
        descent.observe(theta[1:], theta)
    theta.flags.writeable = False
    with pytest.raises(NumericsError, match="theta must be writable"):
        descent.advance(theta, 1, 0.0, theta.copy())
