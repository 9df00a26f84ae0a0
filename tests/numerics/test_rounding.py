"""Bounds of rounding errors against the same network in forty digits: never exceeded, and not absurdly far above."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
from mpmath import mp

from numerics import training
from numerics.activations import BUILTIN, builtin_activation, evaluate
from numerics.jacobian_products import jacobian_vector, vector_jacobian
from numerics.losses import square_loss
from numerics.network import Architecture, initialize
from numerics.rounding import ACTIVATION_ULPS, ActivationBounds, SignalNorms, forward_depth, relative_error, signal_errors
from numerics.roundoff import UNIT_ROUNDOFF
from numerics.snapshots import Drift, Snapshot, drift, snapshot
from numerics.training import GradientDescent

DIGITS = 40
# A bound for any order of summation grows like m u where errors grow like sqrt(m) u or less, and every layer multiplies by an
# operator norm and a supremum of phi' where the signal meets an average: measured against u, what that costs on the small networks
# here stays below a thousand and another ten per layer. Beyond it the bound would have gone wrong somewhere.
LOOSENESS = 1e3
LOOSENESS_PER_LAYER = 10.0


def looseness(architecture: Architecture) -> float:
    return LOOSENESS * LOOSENESS_PER_LAYER**architecture.layers * UNIT_ROUNDOFF


@dataclass(frozen=True)
class Exact:
    """An activation in high precision with sup|phi'| and sup|phi''| (from calculus, rounded up in the last digit)."""

    phi: Callable[[mpmath.mpf], mpmath.mpf]
    dphi: Callable[[mpmath.mpf], mpmath.mpf]
    slope: float
    curvature: float


def normal_cdf(z: mpmath.mpf) -> mpmath.mpf:
    return mpmath.ncdf(z)


def sigmoid(z: mpmath.mpf) -> mpmath.mpf:
    return 1 / (1 + mpmath.exp(-z))


ACTIVATIONS = {
    "identity": Exact(lambda z: z, lambda z: mpmath.mpf(1), 1.0, 0.0),
    "relu": Exact(lambda z: max(z, mpmath.mpf(0)), lambda z: mpmath.mpf(z > 0), 1.0, math.inf),
    "tanh": Exact(mpmath.tanh, lambda z: mpmath.sech(z) ** 2, 1.0, 0.7698003589195011),  # 4/(3 sqrt 3)
    "erf": Exact(mpmath.erf, lambda z: 2 * mpmath.exp(-(z**2)) / mpmath.sqrt(mp.pi), 1.1283791670955128, 0.9678828980765737),
    "sin": Exact(mpmath.sin, mpmath.cos, 1.0, 1.0),
    "cos": Exact(mpmath.cos, lambda z: -mpmath.sin(z), 1.0, 1.0),
    "softplus": Exact(lambda z: mpmath.log1p(mpmath.exp(z)), sigmoid, 1.0, 0.25),
    "gelu": Exact(lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * mpmath.npdf(z), 1.1289041, 0.7978845608028655),
    "silu": Exact(lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))), 1.0998394, 0.5),
    "sigmoid": Exact(sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), 0.25, 0.0962250448649377),
    "arctan": Exact(mpmath.atan, lambda z: 1 / (1 + z**2), 1.0, 0.6495190528383290),
    "gaussian_bump": Exact(lambda z: mpmath.exp(-(z**2) / 2), lambda z: -z * mpmath.exp(-(z**2) / 2), 0.6065306597126335, 1.0),
}


def precisely(array: np.ndarray) -> np.ndarray:
    """The same doubles as an array of high-precision numbers."""
    return np.vectorize(lambda x: mpmath.mpf(float(x)), otypes=[object])(array)


def norm(array: np.ndarray) -> mpmath.mpf:
    return mpmath.sqrt(sum(x * x for x in array.ravel()))


def top(symmetric: np.ndarray) -> mpmath.mpf:
    return max(mpmath.eigsy(mpmath.matrix(symmetric.tolist()), eigvals_only=True))


@dataclass(frozen=True)
class Reference:
    """Exact signals, lists over layers (z, delta: l = 1..L; h: 0..L-1; eta: 1..L-1), (m, n) and (m, n, k).

    outputs: (n, k); jacobian: (nk, trained parameters), rows times the roots of the sample weights.
    """

    z: list[np.ndarray]
    h: list[np.ndarray]
    eta: list[np.ndarray]
    delta: list[np.ndarray]
    outputs: np.ndarray
    jacobian: np.ndarray


def exact_network(a: Architecture, act: Exact, theta: np.ndarray, inputs: np.ndarray, nu: np.ndarray) -> Reference:
    theta, n, k = precisely(theta), len(inputs), a.outputs
    c = [mpmath.mpf(a.weight_scale) / mpmath.sqrt(size) for size in a.sizes[:-1]]
    b, alpha = mpmath.mpf(a.bias_scale), mpmath.mpf(a.output_scale)
    zs, hs, slopes = [], [precisely(inputs.T)], []
    for layer in range(1, a.layers + 1):
        z = c[layer - 1] * a.weight(theta, layer).dot(hs[-1])
        zs.append(z + b * a.bias(theta, layer)[:, None] if a.has_bias else z)
        hs.append(np.vectorize(act.phi, otypes=[object])(zs[-1]))
        slopes.append(np.vectorize(act.dphi, otypes=[object])(zs[-1]))
    delta = [np.array([[[mpmath.mpf(o == p) for p in range(k)] for _ in range(n)] for o in range(k)], dtype=object)]
    eta: list[np.ndarray] = []
    for layer in range(a.layers - 1, 0, -1):
        flat = c[layer] * a.weight(theta, layer + 1).T.dot(delta[0].reshape(len(delta[0]), n * k))
        eta.insert(0, flat.reshape(-1, n, k))
        delta.insert(0, slopes[layer - 1][:, :, None] * eta[0])
    rows = []
    for i in range(n):
        for o in range(k):
            parts = [np.zeros(0, dtype=object)]
            for layer in (layer for layer in range(1, a.layers + 1) if a.trained[layer - 1]):
                signal = delta[layer - 1][:, i, o]
                parts.append(np.outer(signal, c[layer - 1] * hs[layer - 1][:, i]).ravel())
                parts.append(signal * b if a.has_bias else np.zeros(0, dtype=object))
            rows.append(alpha * mpmath.sqrt(mpmath.mpf(float(nu[i]))) * np.concatenate(parts))
    return Reference(zs, hs[:-1], eta, delta, (alpha * zs[-1]).T, np.array(rows))


def double_gradient(a: Architecture, name: str, theta: np.ndarray, inputs: np.ndarray, nu: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of the square loss by ordinary back-propagation in double precision, trained parameters only."""
    kernel, h, hs, slopes = builtin_activation(name), inputs.T, [inputs.T], []
    for layer in range(1, a.layers + 1):
        z = a.fan_in_scales[layer - 1] * (a.weight(theta, layer) @ h) + a.bias_scale * a.bias(theta, layer)[:, None]
        h, slope = evaluate(kernel, z)
        hs.append(h)
        slopes.append(slope)
    signal, parts = a.output_scale * nu * (a.output_scale * z - y.T), []
    for layer in range(a.layers, 0, -1):
        if a.trained[layer - 1]:
            bias = a.bias_scale * signal.sum(axis=1) if a.has_bias else np.zeros(0)
            parts.insert(0, np.concatenate([(a.fan_in_scales[layer - 1] * signal @ hs[layer - 1].T).ravel(), bias]))
        if layer > 1:
            signal = slopes[layer - 2] * (a.fan_in_scales[layer - 1] * a.weight(theta, layer).T @ signal)
    return np.concatenate(parts)


CASES = [
    (Architecture((5, 2), 1.1, 0.4, 1.3, (True,)), "tanh"),
    (Architecture((20, 30, 1), 1.0, 0.0, 1.0, (True, True)), "tanh"),
    (Architecture((6, 25, 1), 1.0, 0.0, 3.0, (True, False)), "softplus"),
    (Architecture((4, 12, 3), 1.7, 0.3, 0.7, (False, True)), "sin"),
    (Architecture((5, 9, 12, 2), 1.2, 0.3, 2.0, (True, True, True)), "erf"),
    (Architecture((4, 8, 10, 1), 1.2, 0.0, 1.0, (False, True, False)), "gaussian_bump"),
    (Architecture((3, 8, 6, 7, 2), 2.5, 0.2, 1.0, (True, False, True, True)), "gelu"),
    (Architecture((3, 6, 6, 6, 6, 1), 1.4, 0.1, 0.9, (True, True, False, True, True)), "silu"),
    (Architecture((7, 16, 1), 4.0, 0.0, 1.0, (True, True)), "arctan"),
]
IDS = [f"{case[1]}-{'-'.join(map(str, case[0].sizes))}" for case in CASES]


@dataclass(frozen=True)
class Setting:
    architecture: Architecture
    name: str
    theta: np.ndarray
    inputs: np.ndarray
    nu: np.ndarray

    @property
    def exact(self) -> Exact:
        return ACTIVATIONS[self.name]

    def snapshot(self) -> Snapshot:
        bounds = (self.exact.slope, self.exact.curvature)
        return snapshot(self.architecture, builtin_activation(self.name), self.theta, self.inputs, self.nu, *bounds)

    def reference(self, theta: np.ndarray | None = None) -> Reference:
        at = self.theta if theta is None else theta
        return exact_network(self.architecture, self.exact, at, self.inputs, self.nu)


def setting(case: tuple[Architecture, str], points: int = 3) -> Setting:
    rng = np.random.default_rng(17)
    nu = rng.uniform(0.5, 2.0, points)
    inputs = 2 * rng.standard_normal((points, case[0].sizes[0]))
    return Setting(*case, initialize(case[0], "gaussian", 5), inputs, nu / nu.sum())


def within(error: mpmath.mpf, bound: float, name: str) -> None:
    assert error <= bound, f"{name}: error {float(error):.3g}, bound {bound:.3g}, bound/error {float(bound / error):.3g}"


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_what_is_measured_is_within_its_bounds(case: tuple[Architecture, str]) -> None:
    with mpmath.workdps(DIGITS):
        s = setting(case)
        found, reference = s.snapshot(), s.reference()
        errors = precisely(found.outputs) - reference.outputs
        for i, row in enumerate(errors):
            within(norm(row), float(found.errors.output[i]), f"output {i}")
        rms = mpmath.sqrt(sum(mpmath.mpf(float(w)) * norm(row) ** 2 for w, row in zip(s.nu, errors, strict=True)))
        within(rms, found.errors.residual, "residual")
        kernel = reference.jacobian.dot(reference.jacobian.T)
        within(norm(precisely(found.kernel) - kernel), found.errors.kernel, "kernel")
        exact_values = sorted(mpmath.eigsy(mpmath.matrix(kernel.tolist()), eigvals_only=True))
        worst = max(abs(mpmath.mpf(float(v)) - e) for v, e in zip(found.eigenvalues, exact_values, strict=True))
        within(worst, found.errors.eigenvalue, "eigenvalue")
        scale = max(float(np.linalg.norm(found.outputs)), 1.0)
        assert found.errors.residual <= looseness(s.architecture) * scale
        assert found.errors.eigenvalue <= looseness(s.architecture) * float(found.eigenvalues[-1])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradients_are_within_their_bounds(case: tuple[Architecture, str]) -> None:
    """Far from the minimum, where the slope rules, and with the computed outputs as targets, where only the constant is left."""
    with mpmath.workdps(DIGITS):
        s = setting(case)
        found, reference = s.snapshot(), s.reference()
        far = np.random.default_rng(3).standard_normal(found.outputs.shape)
        for label, targets in (("far", far), ("near", found.outputs), ("large", 1e6 * far)):
            residual = reference.outputs - precisely(targets)
            roots = np.array([mpmath.sqrt(mpmath.mpf(float(w))) for w in s.nu], dtype=object)
            exact = reference.jacobian.T.dot((roots[:, None] * residual).ravel())
            size = float(norm(roots[:, None] * residual))
            computed = double_gradient(s.architecture, s.name, s.theta, s.inputs, s.nu, targets)
            bound = found.errors.gradient_constant + found.errors.gradient_slope * size
            within(norm(precisely(computed) - exact), bound, f"gradient {label}")
        root = math.sqrt(float(found.eigenvalues[-1]))
        assert found.errors.gradient_slope <= looseness(s.architecture) * root


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_products_with_the_jacobian_are_within_their_bounds(case: tuple[Architecture, str]) -> None:
    with mpmath.workdps(DIGITS):
        s = setting(case)
        a, phi, found, jacobian = s.architecture, builtin_activation(s.name), s.snapshot().errors, s.reference().jacobian
        roots = np.array([mpmath.sqrt(mpmath.mpf(float(w))) for w in s.nu], dtype=object)[:, None]
        rng = np.random.default_rng(4)
        moves = np.zeros_like(s.theta)
        for row in np.flatnonzero(a.trained):
            a.layer(moves, row + 1)[:] = rng.standard_normal(a.layer(moves, row + 1).shape)
        function = rng.standard_normal((len(s.inputs), a.outputs))

        def trained(theta: np.ndarray) -> np.ndarray:
            return precisely(np.concatenate([a.layer(theta, row + 1) for row in np.flatnonzero(a.trained)]))

        ahead = precisely(jacobian_vector(a, phi, s.theta, s.inputs, moves))
        error = norm((roots * ahead).ravel() - jacobian.dot(trained(moves)))
        within(error, found.product * float(norm(trained(moves))), "DF x")
        back = vector_jacobian(a, phi, s.theta, s.inputs, s.nu, function)
        error = norm(trained(back) - jacobian.T.dot((roots * precisely(function)).ravel()))
        within(error, found.adjoint * float(norm((roots * precisely(function)).ravel())), "DF^* e")
        assert found.adjoint <= found.product <= looseness(a) * float(norm(jacobian.ravel()))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_training_records_are_within_their_bounds(case: tuple[Architecture, str]) -> None:
    """The training kernels add in their own order: residual, gradient norm, and the step they store."""
    with mpmath.workdps(DIGITS):
        s = setting(case)
        found, reference = s.snapshot().errors, s.reference()
        targets = np.random.default_rng(3).standard_normal(reference.outputs.shape)
        problem = GradientDescent(
            s.architecture, builtin_activation(s.name), square_loss(), s.inputs, targets, s.nu,
            np.zeros_like(targets), targets, mu=1.0, step_size=0.125,
        )  # fmt: skip
        moved = s.theta.copy()
        record = problem.advance(moved, 1, 0.0, s.theta)
        roots = np.array([mpmath.sqrt(mpmath.mpf(float(w))) for w in s.nu], dtype=object)
        residual = (roots[:, None] * (reference.outputs - precisely(targets))).ravel()
        gradient = reference.jacobian.T.dot(residual)
        size, length = float(norm(residual)), float(norm(gradient))
        within(abs(record.residual[0] - norm(residual)), found.residual + found.residual_relative * size, "residual")
        bound = found.gradient_constant + found.gradient_slope * size
        counted = len(s.theta) * UNIT_ROUNDOFF * length  # of adding up the squares
        within(abs(record.gradient_norm[0] - length), bound + counted, "gradient norm")
        trained = [s.architecture.layer(moved - s.theta, row + 1) for row in np.flatnonzero(s.architecture.trained)]
        subtraction = 2 * UNIT_ROUNDOFF * float(np.linalg.norm(moved - s.theta))  # in moved - theta just above
        stored = found.update + 3 * UNIT_ROUNDOFF * 0.125 * length
        step = norm(precisely(np.concatenate(trained)) + gradient / 8)
        within(step, bound / 8 + stored + subtraction, "step")


@pytest.mark.parametrize("width", [64, 1000, 32768, 1_000_000])
@pytest.mark.parametrize("inputs", [2, 64, 700, 9000])
@pytest.mark.parametrize("points", [1, 16, 1000])
def test_training_adds_up_outputs_no_deeper_than_assumed(inputs: int, width: int, points: int) -> None:
    """A product over the neurons of a panel, panels in a row within a chunk, chunks in a row."""
    architecture = Architecture((inputs, width, 1), 1.0, 0.0, 1.0, (True, True))
    rows = training._panel_rows(width, inputs, points)
    panels = -(-width // rows)
    chunks = min(training.MOST_CHUNKS, panels)
    assert min(rows + -(-panels // chunks) + chunks, width) <= forward_depth(architecture, 2)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_norms_are_within_their_relative_bound(case: tuple[Architecture, str]) -> None:
    with mpmath.workdps(DIGITS):
        s = setting(case)
        a, found, reference = s.architecture, s.snapshot(), s.reference()
        roots = np.array([mpmath.sqrt(mpmath.mpf(float(w))) for w in s.nu], dtype=object)
        theta, b2 = precisely(s.theta), mpmath.mpf(a.bias_scale) ** 2
        pairs = []
        for layer in range(1, a.layers + 1):
            weight, h = a.weight(theta, layer), reference.h[layer - 1]
            c2 = mpmath.mpf(a.weight_scale) ** 2 / a.sizes[layer - 1]
            wide = weight.T if weight.shape[0] < weight.shape[1] else weight
            operator = mpmath.sqrt(top(wide.T.dot(wide)))
            assert operator <= found.operator_norms[layer - 1]
            pairs.append((found.operator_norms[layer - 1], operator))
            gram = c2 * h.T.dot(h) + b2
            pairs.append((found.gram_norms[layer - 1], mpmath.sqrt(top(np.outer(roots, roots) * gram))))
            if layer == 1:
                pairs.append((found.schur, mpmath.sqrt(top(np.outer(roots, roots) * gram * gram))))
            for i in range(len(s.inputs)):
                pairs.append((found.forward_norms[layer - 1, i], norm(h[:, i])))
                block = reference.delta[layer - 1][:, i, :]
                pairs.append((found.backward_norms[layer - 1, i], mpmath.sqrt(top(block.T.dot(block)))))
                if layer < a.layers:
                    pairs.append((found.backward_sup[layer - 1, i], max(norm(row) for row in reference.eta[layer - 1][:, i, :])))
        worst = max(abs(mpmath.mpf(float(stored)) - exact) / mpmath.mpf(float(stored)) for stored, exact in pairs)
        within(worst, found.errors.norm_relative, "norms")
        assert found.errors.norm_relative <= looseness(s.architecture)


@pytest.mark.parametrize("distance", [1e-1, 1e-6, 1e-12])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_drifts_are_within_their_bounds(case: tuple[Architecture, str], distance: float) -> None:
    """Down to distances at which the drift itself is mostly rounding."""
    with mpmath.workdps(DIGITS):
        s = setting(case)
        a, bounds = s.architecture, (s.exact.slope, s.exact.curvature)
        moved = s.theta.copy()
        for layer in (layer for layer in range(1, a.layers + 1) if a.trained[layer - 1]):
            part = a.layer(moved, layer)
            part += distance * np.random.default_rng(layer).standard_normal(len(part))
        found: Drift = drift(a, builtin_activation(s.name), moved, s.theta, s.inputs, s.nu, *bounds)
        here, there = s.reference(moved), s.reference()
        for layer in range(a.layers):
            exact = [norm(here.z[layer][:, i] - there.z[layer][:, i]) for i in range(len(s.inputs))]
            worst = max(abs(mpmath.mpf(float(v)) - e) for v, e in zip(found.forward[layer], exact, strict=True))
            within(worst, float(found.errors.forward[layer]), f"z_{layer + 1}")
        x = here.jacobian - there.jacobian
        within(abs(mpmath.sqrt(top(x.dot(x.T))) - found.jacobian), found.errors.jacobian, "jacobian")
        change = here.jacobian.dot(here.jacobian.T) - there.jacobian.dot(there.jacobian.T)
        largest = max(abs(v) for v in mpmath.eigsy(mpmath.matrix(change.tolist()), eigvals_only=True))
        within(abs(largest - found.kernel), found.errors.kernel, "kernel")
        displacement = norm(precisely(moved) - precisely(s.theta))
        assert abs(displacement - found.displacement) <= len(moved) * UNIT_ROUNDOFF * displacement
        assert found.errors.jacobian <= looseness(a) * (1 + float(norm(here.jacobian)))


def test_the_digits_network_is_measured_to_a_trillionth() -> None:
    """[64] tanh, 16 points with rows of norm sqrt(64): what decides whether the last steps of a run can be checked."""
    architecture = Architecture((64, 64, 1), 1.0, 0.0, 1.0, (True, True))
    inputs = np.random.default_rng(0).standard_normal((16, 64))
    inputs *= 8 / np.linalg.norm(inputs, axis=1, keepdims=True)
    theta, nu = initialize(architecture, "signs", 0), np.full(16, 1 / 16)
    found = snapshot(architecture, builtin_activation("tanh"), theta, inputs, nu, 1.0, 0.7698003589195011)
    assert found.errors.residual <= 1e-12
    assert found.errors.eigenvalue <= 1e-12


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_activation_kernels_are_as_accurate_as_trusted(name: str) -> None:
    """A = ACTIVATION_ULPS in |fl phi - phi| <= A u (|phi(0)| + Lp |z|) and |fl phi' - phi'| <= A u Lp."""
    rng, exact = np.random.default_rng(1), ACTIVATIONS[name]
    signs = rng.choice([-1.0, 1.0], 600)
    z = np.concatenate([signs * 10 ** rng.uniform(-9, 2.5, 600), rng.uniform(-6, 6, 600), [0.0, 1.0, -1.0]])
    phi, dphi = evaluate(builtin_activation(name), z)
    with mpmath.workdps(DIGITS):
        at_zero = abs(float(exact.phi(mpmath.mpf(0))))
        for x, value, slope in zip(z, phi, dphi, strict=True):
            point = mpmath.mpf(float(x))
            allowed = ACTIVATION_ULPS * UNIT_ROUNDOFF
            assert abs(mpmath.mpf(float(value)) - exact.phi(point)) <= allowed * (at_zero + exact.slope * abs(x)), x
            assert abs(mpmath.mpf(float(slope)) - exact.dphi(point)) <= allowed * exact.slope, x


def test_suprema_in_the_table_are_suprema() -> None:
    """The constants handed to the bounds dominate phi' and phi'' on a fine grid (differences of phi' for phi'')."""
    grid = np.linspace(-8, 8, 1601)
    for name, exact in ACTIVATIONS.items():
        slopes = np.array([float(exact.dphi(mpmath.mpf(float(x)))) for x in grid])
        assert np.abs(slopes).max() <= exact.slope * (1 + 1e-7), name  # 1e-7: constants with eight digits
        assert np.abs(np.diff(slopes)).max() / 0.01 <= exact.curvature * (1 + 1e-7) + 1e-12, name


def test_no_supremum_means_no_bound() -> None:
    architecture = Architecture((4, 6, 5, 1), 1.0, 0.0, 1.0, (True, True, True))
    theta, inputs = initialize(architecture, "signs", 0), np.random.default_rng(0).standard_normal((3, 4))
    nu = np.full(3, 1 / 3)
    relu = builtin_activation("relu")
    found = snapshot(architecture, relu, theta, inputs, nu, 1.0, None).errors
    assert np.isfinite(found.output).all()
    assert math.isfinite(found.residual)
    assert [found.gradient_slope, found.eigenvalue, found.norm_relative] == [math.inf] * 3
    nothing = snapshot(architecture, relu, theta, inputs, nu).errors
    assert np.isinf(nothing.output).all()
    assert math.isfinite(nothing.update)
    moved = drift(architecture, relu, theta + 0.1, theta, inputs, nu).errors
    assert np.isinf(moved.forward).all()
    assert math.isinf(moved.jacobian)
    assert math.isinf(moved.kernel)
    output_only = Architecture((4, 6, 1), 1.0, 0.0, 1.0, (False, True))
    theta = initialize(output_only, "signs", 0)
    assert math.isfinite(snapshot(output_only, relu, theta, inputs, nu, 1.0, None).errors.gradient_slope)


def test_large_signals_have_no_first_order_bound() -> None:
    """Where eps_z Lpp is no longer small beside Lp the bound is refused, not extrapolated."""
    architecture = Architecture((2, 3, 1), 1.0, 0.0, 1.0, (True, True))
    one = np.ones((2, 1))
    for size, finite in ((1.0, True), (1e16, False)):
        norms = SignalNorms(np.full(2, size), np.full(2, size), np.zeros(2), one, one, one[:1], one)
        errors = signal_errors(architecture, norms, ActivationBounds(0.0, 1.0, 1.0))
        assert np.isfinite(errors.delta[0]).all() == finite


def test_relative_error_conventions() -> None:
    assert relative_error(np.zeros(2), np.array([0.0, 1.0])) == 0.0
    assert relative_error(np.array([0.0, 3.0]), np.array([0.0, 2.0])) == 1.5
    assert relative_error(np.array([1e-300, 3.0]), np.array([0.0, 2.0])) == math.inf
