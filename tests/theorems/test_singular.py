"""Exact zeros: each reason seen to hold, and to vanish when exactly one of its hypotheses is broken."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from theorems.arithmetic import FLOAT
from theorems.infinite_kernel import limit_kernels, wide_network
from theorems.input_gram import circle, gram_of
from theorems.singular import exact_zero

GENERATOR = np.random.default_rng(2)
A, B, C = np.round(GENERATOR.standard_normal((3, 3)), 3)
DUPLICATE = np.array([A, B, A])
OPPOSITE = np.array([A, B, -A])
ZERO = np.array([A, B, 0 * A])
MULTIPLE = np.array([A, B, 2 * A])
PAIRS = np.array([A, B, C, A + B, -A, -B, -C, -A - B])
STRETCHED = np.array([A, B, C, A + B, -2 * A, -4 * B, -C, -A / 2 - B / 2])
NEGATIVE = np.array([A, B, -2 * A])
PLANE = np.diag([1.0, 1.0, 0.0])  # two coordinates of three
MANY = GENERATOR.standard_normal((7, 3))

# activation, hidden layers, points, a word of the reason; then what breaks one hypothesis.
CASES: list[tuple[str, int, Any, str, dict[str, Any]]] = [
    ("gelu", 2, DUPLICATE, "equal", {"points": OPPOSITE}),
    ("erf", 3, OPPOSITE, "odd", {"bias_scale": 0.5}),
    ("tanh", 1, OPPOSITE, "odd", {"activation": "sigmoid"}),
    ("cos", 2, OPPOSITE, "even", {"bias_scale": 0.5}),
    ("s*exp(-s**2/2)", 1, OPPOSITE, "odd", {"points": np.array([A, B, -A + 1e-3])}),
    ("silu", 2, ZERO, "zero", {"bias_scale": 0.5}),
    ("silu", 2, ZERO, "zero", {"activation": "softplus"}),
    ("relu", 3, MULTIPLE, "multiple", {"bias_scale": 0.5}),
    ("relu", 3, MULTIPLE, "multiple", {"activation": "gelu"}),
    ("leaky_relu(0.1)", 2, MULTIPLE, "multiple", {"points": np.array([A, B, -2 * A])}),
    ("abs", 2, NEGATIVE, "negative multiple", {"activation": "relu"}),
    ("abs", 1, NEGATIVE, "negative multiple", {"bias_scale": 0.5}),
    ("s**3", 1, NEGATIVE, "negative multiple", {"activation": "s**3 + s"}),
    ("s + s**2", 1, MANY[:6] @ PLANE, "without a constant term", {"points": MANY[:5] @ PLANE}),
    ("relu", 1, PAIRS, "opposite pairs", {"hidden_layers": 2}),
    ("relu", 1, STRETCHED, "opposite pairs", {"bias_scale": 0.5}),
    ("relu", 1, PAIRS, "opposite pairs", {"points": PAIRS[[0, 1, 2, 4, 5, 6]]}),
    ("gelu", 1, PAIRS, "opposite pairs", {"points": STRETCHED}),
    ("softplus", 1, PAIRS, "opposite pairs", {"activation": "s**2*tanh(s) + cos(s)"}),
    ("sigmoid", 1, PAIRS, "constant", {"activation": "sigmoid(s) + cos(s)"}),
    ("sigmoid", 1, PAIRS, "constant", {"hidden_layers": 2}),
    ("sigmoid", 1, PAIRS, "constant", {"points": PAIRS[[0, 1, 2, 4]]}),
    ("silu", 1, PAIRS, "opposite pairs", {"bias_scale": 0.5}),
    ("identity", 2, MANY, "degree 1", {"points": MANY[:3]}),
    ("s**2", 1, MANY, "degree 2", {"bias_scale": 0.5}),
    ("1 + s**2", 1, np.vstack([MANY, GENERATOR.standard_normal((4, 3))]), "degree 2", {"points": MANY}),
]


def smallest(network: Any, points: Any) -> tuple[float, float]:
    kernels = limit_kernels(network, points, FLOAT)
    values = [np.linalg.eigvalsh(kernel) for kernel in (kernels.ntk, kernels.nngp)]
    return max(v[0] / v[-1] for v in values), max(v[0] / v[-1] for v in values[:1])


@pytest.mark.parametrize(("name", "depth", "points", "word", "broken"), CASES)
def test_reasons(name: str, depth: int, points: Any, word: str, broken: dict[str, Any]) -> None:
    network = wide_network(name, depth)
    found = exact_zero(network, gram_of(points))
    assert found is not None
    assert word in found.reason
    assert abs(smallest(network, points)[0]) < 1e-14  # NNGP and NTK
    other = wide_network(
        broken.get("activation", name), broken.get("hidden_layers", depth), bias_scale=broken.get("bias_scale", 0)
    )  # fmt: skip
    points = broken.get("points", points)
    assert exact_zero(other, gram_of(points)) is None
    assert smallest(other, points)[1] > 1e-9  # the hypothesis was needed


# activation, points, a word of the reason: the NTK of the first layer alone; then points for which it is regular.
FIRST_LAYER: list[tuple[str, Any, str, Any]] = [
    ("softplus", ZERO, "zero", OPPOSITE),
    ("cos", ZERO, "zero", np.array([A, B])),
    ("1 + s", OPPOSITE, "odd", np.array([A, B])),
    ("sigmoid", OPPOSITE, "odd", np.array([A, B, -2 * A])),
    ("1 + s**2", MULTIPLE, "positive multiple", np.array([A, B, C])),
    ("1 + s**3", NEGATIVE, "negative multiple", np.array([A, B, C])),
    ("1 + s + s**2", MANY[:6] @ PLANE, "without a constant term", MANY[:5] @ PLANE),
]


@pytest.mark.parametrize(("name", "points", "word", "regular"), FIRST_LAYER)
def test_without_the_output_layer_there_are_more_reasons(name: str, points: Any, word: str, regular: Any) -> None:
    alone, both = (wide_network(name, 1, trained=moves) for moves in ((True, False), (True, True)))
    gram = gram_of(points)
    found = exact_zero(alone, gram, tangent=True)
    assert found is not None
    assert word in found.reason
    ntk, nngp = (
        np.linalg.eigvalsh(kernel) for kernel in (limit_kernels(alone, points, FLOAT).ntk, limit_kernels(alone, points, FLOAT).nngp)
    )
    assert abs(ntk[0]) < 1e-14 * ntk[-1]
    # Each hypothesis is needed: the kernel, the layers that move, no biases, and the points.
    assert nngp[0] > 1e-9 * nngp[-1]
    assert exact_zero(alone, gram) is None
    others = (both, wide_network(name, 1, bias_scale=1, trained=(True, False)))
    for network, at in (*((network, points) for network in others), (alone, regular)):
        assert exact_zero(network, gram_of(at), tangent=True) is None
        values = np.linalg.eigvalsh(limit_kernels(network, at, FLOAT).ntk)
        assert values[0] > 1e-9 * values[-1]


def test_at_any_depth_a_zero_point_has_no_derivative_in_the_first_layer() -> None:
    network = wide_network("cos", 3, trained=(True, False, False, False))
    assert exact_zero(network, gram_of(ZERO), tangent=True) is not None
    assert not limit_kernels(network, ZERO, FLOAT).ntk[2].any()
    assert exact_zero(wide_network("sigmoid", 2, trained=(True, False, False)), gram_of(OPPOSITE), tangent=True) is None


@pytest.mark.parametrize("trained", [(True, False), (False, True)])
def test_whichever_layers_are_trained(trained: tuple[bool, bool]) -> None:
    network = wide_network("relu", 1, trained=trained)
    assert exact_zero(network, gram_of(STRETCHED)) is not None
    assert abs(smallest(network, STRETCHED)[0]) < 1e-14


@pytest.mark.parametrize("points", range(3, 13))
def test_circle(points: int) -> None:
    """ReLU, one hidden layer, no biases: singular for even n >= 6 and only then."""
    network, gram = wide_network("relu", 1), circle(points)
    value = np.linalg.eigvalsh(limit_kernels(network, gram, FLOAT).ntk)[0]
    if points % 2 == 0 and points >= 6:
        assert exact_zero(network, gram) is not None
        assert abs(value) < 1e-14
    else:
        assert exact_zero(network, gram) is None
        assert value > 1e-5


def test_a_circle_of_doubles_is_only_near_singular() -> None:
    angles = np.arange(8) * np.pi / 4
    gram = gram_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    network = wide_network("relu", 1)
    assert exact_zero(network, gram) is None
    near = exact_zero(network, gram, Fraction(1, 1 << 44))
    assert near is not None
    assert near.points == tuple(range(8))
