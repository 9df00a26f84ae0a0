"""Infinite-width kernels against published values, definitions written down again, and networks of finite width."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from numerics.activations import builtin_activation
from numerics.kernels import tangent_kernel
from numerics.network import Architecture, initialize
from theorems.arithmetic import FLOAT, SYMBOLIC, BallArithmetic, lower, upper, working_precision
from theorems.dual import CLOSED_FORMS
from theorems.errors import InputError
from theorems.infinite_kernel import Normalization, WideNetwork, limit_kernels, wide_network
from theorems.input_gram import circle, gram_of

# e1, e2, (e1 + e2)/sqrt 2, -e1. The third point in doubles is off by 1e-16, which the 11 digits do not see.
POINTS = np.array([[1.0, 0.0], [0.0, 1.0], [math.sqrt(0.5), math.sqrt(0.5)], [-1.0, 0.0]])
SCALED = {"weight_scale": Fraction(3, 2), "bias_scale": Fraction(3, 10)}
# K00, K01, K02, K03, K23, lambda_min: computed independently, every digit printed holds.
TABLE: list[tuple[str, int, dict[str, Any], list[str]]] = [
    ("relu", 1, {}, [".5", ".079577471546", ".321434812705", "0", "-.032118577888", ".07432571382"]),
    ("relu", 2, {}, [".375", ".085713579535", ".223185880370", ".039788735773", ".034577405559", ".09533309104"]),
    ("erf", 1, {}, [".700885930281", "0", ".470673112933", "-.700885930281", "-.470673112933", "0"]),
    ("gelu", 1, {}, [".393180526104", ".026525823849", ".260017350848", "-.106819473896", "-.093536039745", ".03601321535"]),
    ("sin", 1, SCALED, ["2.603168908881", ".210492205345", "1.599956558484", "-1.826396834717", "-1.014181200687", ".4380932"]),
    ("relu", 1, SCALED, ["2.823750000000", ".629923547200", "1.901959251586", "-.090755681597", "-.036420236058", ".3958789"]),
]
PLACES = [(0, 0), (0, 1), (0, 2), (0, 3), (2, 3)]


def mids(matrix: Any) -> np.ndarray[Any, Any]:
    return np.array([[float(x.mid()) for x in row] for row in matrix])


def unit_of(text: str) -> float:
    """One unit of the last digit printed."""
    return 10.0 ** -len(text.split(".")[1]) if "." in text else 1e-15


@pytest.mark.parametrize(("name", "depth", "scales", "printed"), TABLE, ids=[f"{row[0]}-{row[1]}-{len(row[2])}" for row in TABLE])
def test_published_values(name: str, depth: int, scales: dict[str, Any], printed: list[str]) -> None:
    network = wide_network(name, depth, **scales)
    kernel, doubles = limit_kernels(network, POINTS).ntk, limit_kernels(network, POINTS, FLOAT).ntk
    for place, text in zip(PLACES, printed, strict=False):
        assert abs(float(kernel[place].mid()) - float(text)) <= 0.51 * unit_of(text) + 2e-16
        assert float(kernel[place].rad()) < 1e-30
    np.testing.assert_allclose(doubles, mids(kernel), rtol=0, atol=1e-14)
    assert abs(np.linalg.eigvalsh(mids(kernel))[0] - float(printed[5])) <= 1.01 * unit_of(printed[5])


def test_published_nngp() -> None:
    nngp = limit_kernels(wide_network("relu", 1), POINTS).nngp
    assert lower(nngp[0, 0]) <= Fraction(1, 4) <= upper(nngp[0, 0])
    assert abs(float(nngp[0, 1].mid()) - 1 / (4 * math.pi)) < 1e-16
    assert abs(float(nngp[0, 2].mid()) - 0.188852291232) < 1e-12


def test_published_training_curve() -> None:
    """Gradient flow on half the mean square, f_0 = 0: f = (1 - e^{-t K/n}) y; the largest stable step is 2n/lambda_max."""
    kernel = mids(limit_kernels(wide_network("relu", 2), POINTS).ntk)
    values, vectors = np.linalg.eigh(kernel)
    targets = np.array([1.0, -1.0, 0.5, 0.25])
    outputs = vectors @ ((1 - np.exp(-10 * values / 4)) * (vectors.T @ targets))
    np.testing.assert_allclose(outputs, [0.6320946, -0.38230872, 0.2461526, 0.10080629], atol=6e-8)
    # Published as 10.559999353691; the closed forms at 40 digits in mpmath give 10.559999353705, so two digits there are wrong.
    assert abs(8 / values[-1] - 10.559999353691) < 2e-11
    assert abs(8 / values[-1] - 10.559999353704682) < 1e-13
    mean = mids(limit_kernels(wide_network("relu", 2), POINTS, normalization=Normalization.MEAN).ntk)
    np.testing.assert_allclose(mean, kernel / 4, rtol=1e-15)


@pytest.mark.parametrize(("name", "printed"), [("relu", 7.1068684796e-3), ("erf", 2.8615445102e-4)])
def test_digits(name: str, printed: float) -> None:
    points = load_digits().data[:100] / 16
    kernel = limit_kernels(wide_network(name, 1), points, FLOAT).ntk
    assert abs(np.linalg.eigvalsh(kernel)[0] - printed) < 1e-13


@pytest.mark.parametrize(("points", "printed"), [(4, 0.340845056908), (8, 0.0)])
def test_circle(points: int, printed: float) -> None:
    kernel = mids(limit_kernels(wide_network("relu", 1), circle(points)).ntk)
    assert abs(np.linalg.eigvalsh(kernel)[0] - printed) < 6e-13


def written_again(network: WideNetwork, points: Any) -> tuple[Any, Any]:
    """The definition, pair by pair in doubles: Theta as a sum over the trained layers of products of slopes."""
    n, w2, b2 = len(points), float(network.weight_scale**2), float(network.bias_scale**2)
    z = np.arange(-9, 9, 1 / 12)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / 12

    def expected(function: Any, sigma: Any, i: int, j: int) -> float:
        a, b, c = sigma[i, i], sigma[j, j], sigma[i, j]
        u = math.sqrt(a) * z[:, None]
        v = c / math.sqrt(a) * z[:, None] + math.sqrt(max(b - c * c / a, 0.0)) * z[None, :]
        return float(weight @ (function(u) * function(v)) @ weight)

    def table(function: Any, sigma: Any) -> Any:
        return np.array([[expected(function, sigma, i, j) for j in range(n)] for i in range(n)])

    sigmas, slopes = [w2 * points @ points.T / points.shape[1] + b2], []
    for _ in range(network.hidden_layers):
        slopes.append(w2 * table(lambda s: 1 / np.cosh(s) ** 2, sigmas[-1]))
        sigmas.append(w2 * table(np.tanh, sigmas[-1]) + b2)
    theta = np.zeros((n, n))
    for layer, sigma in enumerate(sigmas):
        if network.trained[layer]:
            theta += sigma * np.prod([np.ones((n, n)), *slopes[layer:]], axis=0)
    return float(network.output_scale**2) * sigmas[-1], float(network.output_scale**2) * theta


@pytest.mark.parametrize("trained", [(True, True, True), (True, False, False), (False, True, False), (False, False, True)])
def test_recursion_against_the_definition(trained: tuple[bool, ...]) -> None:
    points = np.random.default_rng(3).standard_normal((3, 4))
    network = wide_network(
        "tanh", 2, weight_scale=1.25, bias_scale=0.5, output_scale=2, trained=trained
    )  # fmt: skip
    nngp, ntk = written_again(network, points)
    found = limit_kernels(network, points)
    # Rounding of 216^2 products, and three layers of it.
    np.testing.assert_allclose(mids(found.nngp), nngp, rtol=1e-12)
    np.testing.assert_allclose(mids(found.ntk), ntk, rtol=1e-12)


NAMES = [*CLOSED_FORMS, "leaky_relu(0.1)", "s**2", "s**3", "tanh", "softplus"]


@settings(max_examples=12)
@given(st.sampled_from(NAMES), st.integers(1, 3), st.sampled_from([0, 0.5]), st.integers(0, 10**6))
def test_symmetric_semidefinite_and_alike_in_both_arithmetics(name: str, depth: int, bias: float, seed: int) -> None:
    points = np.random.default_rng(seed).standard_normal((5, 3))
    points[4] = -points[0]
    network = wide_network(name, depth, bias_scale=bias)
    balls, doubles = limit_kernels(network, points), limit_kernels(network, points, FLOAT)
    for ball, double in ((balls.nngp, doubles.nngp), (balls.ntk, doubles.ntk)):
        near = mids(ball)
        scale = np.abs(near).max()
        assert np.array_equal(near, near.T)
        assert np.array_equal(double, double.T)
        assert np.linalg.eigvalsh(near)[0] >= -1e-14 * scale
        np.testing.assert_allclose(double, near, rtol=0, atol=1e-12 * scale)


def test_all_layers_are_the_sum_of_single_layers() -> None:
    points = np.random.default_rng(5).standard_normal((4, 3))
    everything = mids(limit_kernels(wide_network("gelu", 2, bias_scale=0.25), points).ntk)
    parts = [
        mids(limit_kernels(wide_network("gelu", 2, bias_scale=0.25, trained=[i == j for j in range(3)]), points).ntk)
        for i in range(3)
    ]
    np.testing.assert_allclose(sum(parts), everything, rtol=1e-14)


def test_ties_are_equal_to_the_last_bit() -> None:
    points = np.array([[0.3, 0.7], [0.3, 0.7], [-0.3, -0.7], [1.0, 0.1]])
    odd = limit_kernels(wide_network("erf", 2), points).ntk
    even = limit_kernels(wide_network("cos", 2), points).ntk
    with working_precision():
        minus = -odd
    for j in range(4):
        assert (odd[0, j] - odd[1, j]).contains(0)
        assert odd[0, j].mid() == odd[1, j].mid() == minus[2, j].mid()
        assert even[0, j].mid() == even[1, j].mid() == even[2, j].mid()


@pytest.mark.parametrize("exponent", [2, 6, 10, 14])
@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "tanh"])
def test_nearly_collinear_points(name: str, exponent: int) -> None:
    """128 bits and doubles against 512 bits; where phi has a kink, error grows by the inverse angle at every layer."""
    points = np.array([[1.0, 0.0], [1.0, 10.0**-exponent], [-1.0, 10.0**-exponent]])
    network = wide_network(name, 3)
    first, second = limit_kernels(network, points), limit_kernels(network, points, BallArithmetic(512))
    with working_precision(512):
        for x, y in zip(first.ntk.flat, second.ntk.flat, strict=True):
            assert x.overlaps(y)
            assert x.rad() < (1e-15 if name == "tanh" else 1e-20)  # a series ends when its remainder is 2^-50 of the whole
    np.testing.assert_allclose(limit_kernels(network, points, FLOAT).ntk, mids(second.ntk), rtol=1e-13, atol=1e-15)


def test_positive_multiples_stay_multiples_at_any_depth() -> None:
    points = np.array([[1.0, 2.0], [3.0, 6.0], [1.0, -1.0]])
    kernel = limit_kernels(wide_network("relu", 10), points).ntk
    assert float(kernel[0, 1].rad()) < 1e-30
    np.testing.assert_allclose(mids(kernel)[1], 3 * mids(kernel)[0] * np.array([1, 1, 1]), rtol=1e-14)


def test_a_zero_point_without_biases() -> None:
    points = np.array([[0.0, 0.0], [1.0, 2.0]])
    for name in ("relu", "tanh", "sin", "abs", "softplus(s) - log(2)"):  # the last is zero at 0 by a cancellation
        kernel = limit_kernels(wide_network(name, 2), points).ntk
        assert all(x.is_zero() for x in (kernel[0, 0], kernel[0, 1], kernel[1, 0]))
        assert limit_kernels(wide_network(name, 2), points, FLOAT).ntk[0, 1] == 0.0
    assert limit_kernels(wide_network("softplus", 2), points).ntk[0, 0] > 0


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "s**2"])
def test_one_point_and_the_same_twice(name: str) -> None:
    for arithmetic in (FLOAT, BallArithmetic()):
        one = limit_kernels(wide_network(name, 2), [[1.0, 2.0]], arithmetic).ntk
        two = limit_kernels(wide_network(name, 2), [[1.0, 2.0], [1.0, 2.0]], arithmetic).ntk
        assert one.shape == (1, 1)
        assert len({str(x) for x in (*one.flat, *two.flat)}) == 1


def test_points_beyond_the_range_of_doubles() -> None:
    points = [[1e200, 0.0], [1e200, 1e180]]
    kernel = limit_kernels(wide_network("relu", 2), points).ntk
    assert all(x.is_finite() for x in kernel.flat)
    assert kernel[0, 0].rad() < kernel[0, 0] * 1e-30
    assert not np.isfinite(limit_kernels(wide_network("relu", 2), points, FLOAT).ntk).all()  # and no warning


def test_sample_weights() -> None:
    network, weights = wide_network("erf", 1), [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8), Fraction(1, 8)]
    plain = mids(limit_kernels(network, POINTS).ntk)
    weighted = limit_kernels(network, POINTS, normalization=Normalization.MEAN, sample_weights=weights)
    root = np.sqrt(np.array(weights, dtype=float))
    np.testing.assert_allclose(mids(weighted.ntk), plain * np.outer(root, root), atol=1e-15)


def test_gram_is_exact() -> None:
    gram = gram_of(np.array([[0.1, 0.2], [0.3, 0.6000000000000001], [-0.1, -0.2]]))
    assert gram.inner[0, 0] == Fraction(0.1) ** 2 + Fraction(0.2) ** 2
    assert gram.area[0, 2] == 0
    assert gram.area[0, 1] == (Fraction(0.1) * Fraction(0.6000000000000001) - Fraction(0.2) * Fraction(0.3)) ** 2
    assert (gram.rank([0, 2]), gram.rank([0, 1]), gram.rank([])) == (1, 2 if gram.area[0, 1] else 1, 0)
    turned = circle(12)
    assert (turned.rank([0, 6]), turned.rank([0, 5]), turned.rank(range(12))) == (1, 2, 2)
    assert turned.area[0, 6].is_zero()
    assert lower(turned.inner[0, 2]) <= Fraction(1, 2) <= upper(turned.inner[0, 2])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("tanh", 0), "hidden_layers"),
        (("tanh", True), "hidden_layers"),
        (("tanhh", 1), "activation"),
        (("tanh", 1, {"weight_scale": 0}), "weight_scale"),
        (("tanh", 1, {"bias_scale": -1}), "bias_scale"),
        (("tanh", 1, {"output_scale": float("nan")}), "finite"),
        (("tanh", 1, {"trained": [True]}), "trained"),
        (("tanh", 1, {"trained": [False, False]}), "trained"),
        (("tanh", 1, {"trained": [1, 2]}), "trained"),
    ],
)
def test_bad_networks_are_refused(arguments: tuple[Any, ...], word: str) -> None:
    with pytest.raises(InputError, match=word):
        wide_network(arguments[0], arguments[1], **(arguments[2] if len(arguments) > 2 else {}))


@pytest.mark.parametrize("inputs", [[1.0, 2.0], [[]], [[math.nan]], [[math.inf]], [["x"]]])
def test_bad_inputs_are_refused(inputs: Any) -> None:
    with pytest.raises(InputError):
        limit_kernels(wide_network("relu", 1), inputs)


def test_bad_requests_are_refused() -> None:
    network = wide_network("relu", 1)
    with pytest.raises(InputError, match="SUM"):
        limit_kernels(network, POINTS, sample_weights=[1, 1, 1, 1])
    for weights in ([1], [0, 1, 1, 1]):
        with pytest.raises(InputError, match="positive"):
            limit_kernels(network, POINTS, normalization=Normalization.MEAN, sample_weights=weights)
    with pytest.raises(InputError, match="balls or in doubles"):
        limit_kernels(network, POINTS, SYMBOLIC)
    for points in (0, True, 2.0):
        with pytest.raises(InputError, match="points"):
            circle(points)  # type: ignore[arg-type]


def drawn(name: str, hidden: tuple[int, ...], points: Any, seeds: range, output: str) -> Any:
    architecture = Architecture((points.shape[1], *hidden, 1), 1.5, 0.5, 1.0, (True,) * (len(hidden) + 1))
    phi, weights = builtin_activation(name), np.full(len(points), 1 / len(points))
    return np.array([tangent_kernel(architecture, phi, initialize(architecture, output, seed), points, weights) for seed in seeds])


@pytest.mark.validate
@pytest.mark.parametrize("name", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("output", ["signs", "gaussian"])
def test_one_hidden_layer_has_the_limit_as_its_mean(name: str, output: str) -> None:
    """At one hidden layer E K_0 is the limit at every width; each entry within 5 standard errors of 400 draws."""
    points = np.random.default_rng(0).standard_normal((4, 3))
    network = wide_network(name, 1, weight_scale=1.5, bias_scale=0.5)
    limit = mids(limit_kernels(network, points, normalization=Normalization.MEAN).ntk)
    sample = drawn(name, (128,), points, range(400), output)
    error = 5 * sample.std(axis=0) / math.sqrt(len(sample))
    assert (abs(sample.mean(axis=0) - limit) <= error).all()


@pytest.mark.validate
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_deep_networks_tend_to_the_limit(name: str) -> None:
    """At depth the bias is C/m + O(1/m^2): 2 K(2m) - K(m) removes the first, and 5 standard errors cover the rest at m = 256."""
    points = np.random.default_rng(1).standard_normal((3, 3))
    network = wide_network(name, 3, weight_scale=1.5, bias_scale=0.5)
    limit = mids(limit_kernels(network, points, normalization=Normalization.MEAN).ntk)
    narrow = drawn(name, (256,) * 3, points, range(300), "gaussian")
    wide = drawn(name, (512,) * 3, points, range(1000, 1300), "gaussian")
    mean = 2 * wide.mean(axis=0) - narrow.mean(axis=0)
    error = 5 * np.sqrt((4 * wide.var(axis=0) + narrow.var(axis=0)) / 300)
    assert (abs(mean - limit) <= error).all()
    assert (error < 0.1 * abs(limit).max()).all()
