"""Limit kernels on data sets: enclosed smallest eigenvalues, exact zeros, and both proofs against each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sklearn.datasets import load_digits

from numerics.activations import builtin_activation
from numerics.kernels import tangent_kernel
from numerics.network import initialize
from theorems.arithmetic import lower, upper
from theorems.infinite_kernel import wide_network
from theorems.input_gram import circle
from verify import infinite_width
from verify.data import load_data
from verify.errors import ProblemError
from verify.infinite_width import as_midpoint_radius, limit_spectrum, spectrum_of, wide_network_of
from verify.options import DataOptions, NetworkOptions
from verify.weights import architecture_of


@pytest.mark.parametrize(("name", "printed"), [("relu", "7.1068684796e-3"), ("erf", "2.8615445102e-4")])
def test_digits(name: str, printed: str) -> None:
    """Computed independently; half a unit of the last digit."""
    found = limit_spectrum(wide_network(name, 1), load_digits().data[:100] / 16).tangent
    unit = Fraction(1, 10**14) if name == "erf" else Fraction(1, 10**13)
    assert found.zero is None
    assert found.nearby is None
    assert abs(found.lower - Fraction(printed)) <= Fraction(51, 100) * unit
    assert 0 <= found.upper - found.lower <= Fraction(1, 10**13) * found.upper


def test_circle() -> None:
    network = wide_network("relu", 1)
    four, eight = (limit_spectrum(network, circle(n)).tangent for n in (4, 8))
    assert abs(four.lower - Fraction("0.340845056908")) < Fraction(6, 10**13)
    assert (eight.lower, eight.upper) == (0, 0)
    assert str(eight).startswith("exactly 0: one hidden relu layer")


def test_a_kernel_of_two_orthogonal_points_is_enclosed_and_zero_is_written_without_a_sign() -> None:
    found = limit_spectrum(wide_network("tanh", 2), [[1.0, 0.0], [0.0, 1.0]]).tangent
    assert found.zero is None
    assert 0.58 < found.lower <= found.upper < 0.59
    assert str(infinite_width.LimitEigenvalue(Fraction(0), Fraction(1), None, None)) == "in [0.0, 1.0]"


def test_only_the_tangent_kernel_is_zero_where_the_first_layer_moves_alone() -> None:
    found = limit_spectrum(wide_network("softplus", 1, trained=(True, False)), [[0.0, 0.0], [1.0, 2.0]])
    assert found.tangent.zero is not None
    assert found.covariance.zero is None
    assert found.covariance.lower > 0


def test_a_circle_of_doubles_says_what_it_is_near() -> None:
    angles = np.arange(8) * np.pi / 4
    found = limit_spectrum(wide_network("relu", 1), np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert found.tangent.zero is None
    assert 0 <= found.tangent.lower < found.tangent.upper < Fraction(1, 10**15)
    assert "exactly 0 for points within" in str(found.tangent)


def test_the_four_points_of_the_table_are_singular_for_erf() -> None:
    points = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])
    found = limit_spectrum(wide_network("erf", 1), points)
    assert found.tangent.zero is not None
    assert found.tangent.zero.points == (0, 3)
    assert found.covariance.upper == 0
    with_biases = limit_spectrum(wide_network("erf", 1, bias_scale=0.5), points).tangent
    assert with_biases.zero is None
    assert with_biases.lower > Fraction(1, 100)


def test_the_proof_in_doubles_agrees_with_the_proof_in_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).standard_normal((12, 6))
    network = wide_network("relu", 2, bias_scale=0.5)
    balls = limit_spectrum(network, points).tangent
    monkeypatch.setattr(infinite_width, "MOST_IN_BALLS", 3)
    doubles = limit_spectrum(network, points).tangent
    assert doubles.lower <= balls.lower
    assert doubles.upper - doubles.lower <= Fraction(1, 10**12)
    assert doubles.lower <= balls.upper
    assert balls.lower <= doubles.upper


def test_midpoint_radius_covers_the_balls() -> None:
    kernels = limit_spectrum(wide_network("gelu", 1), np.random.default_rng(0).standard_normal((3, 2))).kernels
    enclosed = as_midpoint_radius(kernels.ntk)
    for ball, mid, rad in zip(kernels.ntk.flat, enclosed.mid.flat, enclosed.radius.flat, strict=True):
        assert Fraction(mid) - Fraction(rad) <= lower(ball)
        assert upper(ball) <= Fraction(mid) + Fraction(rad)
        assert rad <= 1.2e-16 * abs(mid) + 1e-30


def test_a_problem_of_the_tool() -> None:
    """The kernel of a wide network of the problem is the limit up to O(m^{-1/2}); here within 5 percent of its largest entry."""
    data = load_data(DataOptions(points=8))
    options = NetworkOptions(hidden=(4096,), activation="erf", weight_scale=1.5, trained=(1,))
    found = spectrum_of(options, data)
    architecture = architecture_of(options, data.dimension, data.outputs)
    theta = initialize(architecture, options.output_layer, 0)
    kernel = tangent_kernel(architecture, builtin_activation("erf"), theta, data.inputs, data.sample_weights)
    limit = np.array([[float(x.mid()) for x in row] for row in found.kernels.ntk])
    assert np.abs(kernel - limit).max() <= 0.05 * limit.max()
    assert found.tangent.lower > 0


def test_a_problem_without_a_kernel_is_refused() -> None:
    with pytest.raises(ProblemError, match="infinite-width"):
        wide_network_of(NetworkOptions(activation="s*exp(s)"))
