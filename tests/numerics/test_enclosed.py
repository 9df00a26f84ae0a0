"""Enclosed snapshots against Arb at 200 bits: every bound on the right side, and close."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from flint import arb

from numerics.definite import smallest_eigenvalue_above
from numerics.enclosed import EnclosedSnapshot, enclosed_bytes, enclosed_snapshot, newton_step_above
from numerics.errors import NumericsError
from numerics.midrad import MidRad
from numerics.network import Architecture, initialize
from numerics.snapshots import snapshot
from theorems.activations import activation
from verify.enclosed_point import enclosed_activation
from verify.kernels import activation_kernel

BITS = 200
RATIOS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (lambda z: z.tanh(), lambda z: 1 - z.tanh() ** 2),
    "softplus": (lambda z: (1 + z.exp()).log(), lambda z: 1 / (1 + (-z).exp())),
    "sin": (lambda z: z.sin(), lambda z: z.cos()),
    "gelu": (
        lambda z: z * (1 + (z / arb(2).sqrt()).erf()) / 2,
        lambda z: (1 + (z / arb(2).sqrt()).erf()) / 2 + z * (-z * z / 2).exp() / (2 * arb.pi()).sqrt(),
    ),
    "s*exp(-s**2/2)": (lambda z: z * (-z * z / 2).exp(), lambda z: (1 - z * z) * (-z * z / 2).exp()),
}
ARCHITECTURES = [
    Architecture((3, 12, 1), 1.0, 0.0, 1.7, (True, False)),
    Architecture((3, 10, 3), 1.2, 0.3, 0.7, (True, True)),
    Architecture((4, 7, 9, 2), 1.2, 0.3, -2.0, (True, False, True)),
    Architecture((2, 6, 7, 8, 1), 1.5, 0.0, 1.0, (True, True, True, True)),
]


@contextmanager
def precision() -> Iterator[None]:
    before, flint.ctx.prec = flint.ctx.prec, BITS
    try:
        yield
    finally:
        flint.ctx.prec = before


def enclosed(a: Architecture, name: str, points: int = 4, scale: float = 1.0) -> tuple[EnclosedSnapshot, tuple[Any, Any, Any]]:
    rng = np.random.default_rng(5)
    phi = activation(name)
    suprema = (phi.slope_bound().upper, phi.curvature_bound().upper)
    theta, inputs = scale * initialize(a, "gaussian", 3), rng.standard_normal((points, a.sizes[0]))
    nu = rng.uniform(0.5, 2.0, points)
    nu /= nu.sum()
    return enclosed_snapshot(a, enclosed_activation(phi, suprema), theta, inputs, nu), (theta, inputs, nu)


def balls(array: np.ndarray) -> list[list[Any]]:
    return [[arb(x) for x in row] for row in np.atleast_2d(array).tolist()]


def matrix(rows: list[list[Any]]) -> Any:
    return flint.arb_mat(rows)


def norm(values: list[Any]) -> Any:
    return sum((v * v for v in values), arb(0)).sqrt()


def largest(symmetric: Any) -> mpmath.mpf:
    """lambda_max of a matrix of narrow balls by mpmath with 60 digits; the balls' radii are below 1e-50."""
    return eigenvalues(symmetric)[-1]


def eigenvalues(symmetric: Any) -> list[Any]:
    with mpmath.workdps(60):
        size = symmetric.nrows()
        rows = [[mpmath.mpf(symmetric[i, j].mid().str(58, radius=False)) for j in range(size)] for i in range(size)]
        return sorted(mpmath.eigsy(mpmath.matrix(rows), eigvals_only=True))


class Reference:
    """The network point by point, by the definition, over balls of 200 bits."""

    def __init__(self, a: Architecture, name: str, theta: np.ndarray, inputs: np.ndarray, nu: np.ndarray) -> None:
        phi, slope = RATIOS[name]
        self.c = [arb(a.weight_scale) / arb(size).sqrt() for size in a.sizes[:-1]]
        weights = [matrix(balls(a.weight(theta, layer))) for layer in range(1, a.layers + 1)]
        self.h: list[list[list[Any]]] = []
        self.z: list[list[list[Any]]] = []
        self.eta: list[list[Any]] = []
        self.delta: list[list[Any]] = []
        for x in inputs.tolist():
            h, z = [[arb(v) for v in x]], []
            for layer in range(a.layers):
                image = (weights[layer] * matrix([[v] for v in h[-1]])).entries()
                bias = a.bias(theta, layer + 1).tolist()
                z.append([self.c[layer] * v + arb(a.bias_scale) * arb(b) for v, b in zip(image, bias, strict=True)])
                h.append([phi(v) for v in z[-1]])
            k = a.outputs
            delta = [matrix([[arb(int(i == j)) for j in range(k)] for i in range(k)])]
            eta: list[Any] = []
            for layer in range(a.layers - 1, 0, -1):
                eta.insert(0, self.c[layer] * (weights[layer].transpose() * delta[0]))
                delta.insert(0, matrix([[slope(v) * eta[0][j, o] for o in range(k)] for j, v in enumerate(z[layer - 1])]))
            self.h.append(h[:-1])
            self.z.append(z)
            self.eta.append(eta)
            self.delta.append(delta)


def close_above(bound: float, true: Any, rtol: float = 1e-12) -> bool:
    """bound is at least the true number (a ball or an mpf) and not much larger."""
    exact = arb(bound)
    value = true if isinstance(true, arb) else arb(mpmath.nstr(true, 55))
    return bool(exact >= value) and bool(exact <= value * (1 + arb(rtol)) + arb("1e-100"))


@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("a", ARCHITECTURES, ids=lambda a: "-".join(map(str, a.sizes)))
def test_bounds_against_arb(a: Architecture, name: str) -> None:
    """rtol: the widest sums here have 12 terms and 4 layers of error propagation with factors below 10."""
    found, (theta, inputs, nu) = enclosed(a, name)
    with precision():
        reference = Reference(a, name, theta, inputs, nu)
        points, k = len(inputs), a.outputs
        for i in range(points):
            for layer in range(a.layers):
                assert close_above(found.forward_norms[layer, i], norm(reference.h[i][layer]))
                assert close_above(found.preactivation_norms[layer, i], norm(reference.z[i][layer]))
                gram = reference.delta[i][layer].transpose() * reference.delta[i][layer]
                assert close_above(found.backward_norms[layer, i], mpmath.sqrt(largest(gram)))
                assert close_above(found.backward_frobenius[layer, i], norm(reference.delta[i][layer].entries()))
                if layer < a.layers - 1:
                    eta = reference.eta[i][layer]
                    sup = max((norm([eta[j, o] for o in range(k)]) for j in range(eta.nrows())), key=lambda v: float(v.mid()))
                    assert close_above(found.backward_sup[layer, i], sup)
            for o in range(k):
                f = arb(a.output_scale) * reference.z[i][-1][o]
                assert abs(f - arb(found.outputs.mid[i, o])) <= arb(found.outputs.radius[i, o])
                assert found.outputs.radius[i, o] <= 1e-12
        for layer in range(a.layers):
            weight = matrix(balls(a.weight(theta, layer + 1)))
            assert close_above(found.operator_norms[layer], mpmath.sqrt(largest(weight.transpose() * weight)))
            assert close_above(found.frobenius_norms[layer], norm(weight.entries()))
            gram = weighted_gram(a, reference, layer, nu)
            assert close_above(found.gram_norms[layer], mpmath.sqrt(largest(gram)))
        kernel = tangent_kernel(a, reference, nu)
        values = eigenvalues(kernel)
        assert close_above(found.lambda_max, values[-1])
        smallest = arb(mpmath.nstr(values[0], 55))
        # Within 1 % of the smallest eigenvalue, or the gap that the entries' radii leave.
        assert arb(found.lambda_min) <= smallest
        gap = 4 * float(found.kernel.radius.sum()) + 100 * len(values) * 2.0**-53 * float(values[-1])
        assert arb(found.lambda_min) >= smallest - max(0.01 * float(values[0]), gap)
        for i in range(points * k):
            for j in range(points * k):
                assert abs(kernel[i, j] - arb(found.kernel.mid[i, j])) <= arb(found.kernel.radius[i, j])


def weighted_gram(a: Architecture, reference: Reference, layer: int, nu: np.ndarray) -> Any:
    h = [reference.h[i][layer] for i in range(len(nu))]
    weights = [arb(x) for x in nu.tolist()]
    entries = [[sum((p * q for p, q in zip(x, y, strict=True)), arb(0)) for y in h] for x in h]
    return matrix(
        [
            [
                (weights[i] * weights[j]).sqrt() * (reference.c[layer] ** 2 * entries[i][j] + arb(a.bias_scale) ** 2)
                for j in range(len(h))
            ]
            for i in range(len(h))
        ]
    )


def tangent_kernel(a: Architecture, reference: Reference, nu: np.ndarray) -> Any:
    points, k = len(nu), a.outputs
    weights = [arb(x) for x in nu.tolist()]
    rows = [[arb(0)] * (points * k) for _ in range(points * k)]
    for layer in np.flatnonzero(a.trained).tolist():
        for i in range(points):
            for j in range(points):
                inner = sum((p * q for p, q in zip(reference.h[i][layer], reference.h[j][layer], strict=True)), arb(0))
                forward = reference.c[layer] ** 2 * inner + arb(a.bias_scale) ** 2
                backward = reference.delta[i][layer].transpose() * reference.delta[j][layer]
                factor = arb(a.output_scale) ** 2 * (weights[i] * weights[j]).sqrt() * forward
                for o in range(k):
                    for p in range(k):
                        rows[i * k + o][j * k + p] += factor * backward[o, p]
    return matrix(rows)


def test_bounds_of_a_wide_network_agree_with_the_floating_point_snapshot() -> None:
    a = Architecture((5, 700, 300, 2), 1.1, 0.2, 1.3, (True, True, True))
    found, (theta, inputs, nu) = enclosed(a, "tanh", points=9)
    measured = snapshot(a, activation_kernel(activation("tanh")), theta, inputs, nu, 1.0, 0.77)
    for name in ("operator_norms", "forward_norms", "gram_norms", "schur", "backward_sup", "backward_norms"):
        bound, value = np.asarray(getattr(found, name)), np.asarray(getattr(measured, name))
        assert (bound >= value * (1 - measured.errors.norm_relative)).all(), name
        np.testing.assert_allclose(bound, value, rtol=1e-9, err_msg=name)
    error = measured.errors.eigenvalue
    assert found.lambda_min <= measured.eigenvalues[0] + error
    assert found.lambda_min >= measured.eigenvalues[0] * 0.99 - error
    assert found.lambda_max >= measured.eigenvalues[-1] - error


def test_permuted_neurons_and_a_scaled_output_give_the_same_bounds() -> None:
    a = Architecture((3, 12, 1), 1.0, 0.0, 1.0, (True, True))
    found, (theta, inputs, nu) = enclosed(a, "tanh")
    order = np.random.default_rng(1).permutation(12)
    permuted = a.flatten([a.weight(theta, 1)[order], a.weight(theta, 2)[:, order]])
    phi = activation("tanh")
    enclose = enclosed_activation(phi, (phi.slope_bound().upper, phi.curvature_bound().upper))
    again = enclosed_snapshot(a, enclose, permuted, inputs, nu)
    doubled = enclosed_snapshot(Architecture(a.sizes, 1.0, 0.0, 2.0, a.trained), enclose, theta, inputs, nu)
    for name in ("forward_norms", "gram_norms", "backward_sup", "backward_norms", "lambda_min", "lambda_max"):
        np.testing.assert_allclose(getattr(again, name), getattr(found, name), rtol=1e-10, err_msg=name)
    assert doubled.lambda_min == pytest.approx(4 * found.lambda_min, rel=1e-10)


def test_weights_too_large_or_not_finite_are_refused() -> None:
    a = ARCHITECTURES[0]
    with pytest.raises(NumericsError):
        enclosed(a, "tanh", scale=2.0**101)
    with pytest.raises(NumericsError):
        enclosed(a, "tanh", scale=np.nan)


def test_an_activation_that_is_not_enclosed_proves_nothing() -> None:
    a = ARCHITECTURES[0]
    theta, inputs = initialize(a, "gaussian", 0), np.ones((2, 3)) * [[1.0], [2.0]]

    def unknown(z: MidRad) -> tuple[MidRad, MidRad]:
        endless = np.full_like(z.mid, np.inf)
        return MidRad(z.mid, endless), MidRad(z.mid, endless)

    found = enclosed_snapshot(a, unknown, theta, inputs, np.array([0.5, 0.5]))
    assert found.lambda_min == -np.inf
    assert found.lambda_max == np.inf


def test_memory_is_announced(recwarn: pytest.WarningsRecorder) -> None:
    import tracemalloc

    a = Architecture((8, 20000, 1), 1.0, 0.0, 1.0, (True, True))
    rng = np.random.default_rng(0)
    theta, inputs, nu = initialize(a, "signs", 0), rng.standard_normal((8, 8)), np.full(8, 1 / 8)
    phi = activation("tanh")
    enclose = enclosed_activation(phi, (phi.slope_bound().upper, phi.curvature_bound().upper))
    enclosed_snapshot(a, enclose, theta, inputs, nu)
    tracemalloc.start()
    enclosed_snapshot(a, enclose, theta, inputs, nu)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= enclosed_bytes(a, 8)


@pytest.mark.parametrize("seed", range(6))
def test_the_newton_step_is_bounded_from_above(seed: int) -> None:
    """<e, K^-1 e>^{1/2} with 60 digits, for K and e at a corner of their radii; the bound is close where the radii are small."""
    rng = np.random.default_rng(seed)
    size = 5
    factor = rng.standard_normal((size, size + 2)) * 10.0 ** rng.uniform(-2, 0, size + 2)
    kernel, error = factor @ factor.T, rng.standard_normal((size, 1))
    kernel = (kernel + kernel.T) / 2
    for radius in (0.0, 1e-9):
        moved = kernel + radius * np.sign(rng.standard_normal((size, size)))
        moved = np.tril(moved) + np.tril(moved, -1).T
        shifted = error + radius * np.sign(rng.standard_normal((size, 1)))
        enclosed_kernel = MidRad(kernel, np.full_like(kernel, radius * (1 + 1e-6) + 1e-30))
        enclosed_error = MidRad(error, np.full_like(error, radius * (1 + 1e-6) + 1e-30))
        found = newton_step_above(enclosed_kernel, smallest_eigenvalue_above(enclosed_kernel), enclosed_error)
        with mpmath.workdps(60):
            e = mpmath.matrix(shifted.tolist())
            true = mpmath.sqrt((e.T * mpmath.lu_solve(mpmath.matrix(moved.tolist()), e))[0])
            assert found >= true
            if radius == 0.0:
                assert found <= true * (1 + mpmath.mpf(10) ** -8)


def test_without_a_positive_eigenvalue_there_is_no_newton_step() -> None:
    ones = MidRad(np.ones((2, 2)))
    assert newton_step_above(ones, 0.0, MidRad(np.ones((2, 1)))) == math.inf
    assert newton_step_above(ones, -1.0, MidRad(np.ones((2, 1)))) == math.inf
    tiny = MidRad(1e-40 * np.eye(2))  # the solution would be too large to be enclosed
    assert newton_step_above(tiny, 0.9e-40, MidRad(np.ones((2, 1)))) == math.inf
