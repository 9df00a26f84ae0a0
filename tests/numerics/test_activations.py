"""Built-in activation kernels against mpmath, and against programs of the same functions."""

import mpmath as mp
import numpy as np
import pytest

from numerics.activations import BUILTIN, builtin_activation, evaluate, program_activation
from numerics.errors import NumericsError

EPS = np.finfo(float).eps


def normal(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def density(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


DEFINITIONS = {
    "identity": (lambda x: x, lambda x: mp.mpf(1)),
    "relu": (lambda x: max(x, mp.mpf(0)), lambda x: mp.mpf(x > 0)),
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2),
    "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "sin": (mp.sin, mp.cos),
    "cos": (mp.cos, lambda x: -mp.sin(x)),
    "softplus": (lambda x: mp.log1p(mp.exp(-abs(x))) + max(x, 0), sigmoid),
    "gelu": (lambda x: x * normal(x), lambda x: normal(x) + x * density(x)),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid(x) * sigmoid(-x)),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "arctan": (mp.atan, lambda x: 1 / (1 + x * x)),
    "gaussian_bump": (lambda x: mp.exp(-x * x / 2), lambda x: -x * mp.exp(-x * x / 2)),
}
# exp(-z^2/2) with z^2 rounded has relative error z^2/2 * EPS/2, at most 400 EPS where the value is not negligible (|z| < 39); and
# the derivatives of gelu and silu vanish at a point where two terms of size 0.2 cancel. Both are a few EPS in absolute terms.
ABSOLUTE = {"gelu": 2 * EPS, "silu": 2 * EPS, "gaussian_bump": 2 * EPS}
UNDERFLOW = 1e-300  # below this the relative error may be anything


@pytest.mark.parametrize("name", BUILTIN)
def test_values_and_derivatives(name):
    rng = np.random.default_rng(0)
    extremes = [0.0, 1e-300, -1e-9, 36.0, -36.0, 300.0, -300.0]
    z = np.concatenate([np.linspace(-6.0, 6.0, 481), 15.0 * rng.standard_normal(200), extremes])
    with mp.workdps(60):
        for computed, function in zip(evaluate(builtin_activation(name), z), DEFINITIONS[name], strict=True):
            for argument, value in zip(z, computed, strict=True):
                exact = function(mp.mpf(float(argument)))
                tolerance = 5 * EPS * abs(exact) + ABSOLUTE.get(name, UNDERFLOW)
                assert abs(mp.mpf(float(value)) - exact) <= tolerance, argument


@pytest.mark.parametrize("name", BUILTIN)
def test_huge_arguments_give_the_limits_without_overflow(name):
    z = np.array([1e300, -1e300])
    with mp.workdps(400):
        for computed, function in zip(evaluate(builtin_activation(name), z), DEFINITIONS[name], strict=True):
            for argument, value in zip(z, computed, strict=True):
                if name in ("sin", "cos", "identity", "relu", "arctan"):
                    exact = float(function(mp.mpf(float(argument))))
                else:  # mpmath cannot take exp of these; their limits are elementary
                    exact = limit(name, function is DEFINITIONS[name][1], argument)
                assert value == pytest.approx(exact, rel=4 * EPS, abs=UNDERFLOW), argument


def limit(name, derivative, z):
    if derivative:
        return float(z > 0) if name in ("softplus", "gelu", "silu") else 0.0
    bounded = {"tanh": np.sign(z), "erf": np.sign(z), "sigmoid": float(z > 0), "gaussian_bump": 0.0}
    return bounded.get(name, max(z, 0.0))


def test_relu_has_slope_zero_at_zero():
    phi, dphi = evaluate(builtin_activation("relu"), np.array([0.0, -0.0]))
    assert phi.tolist() == [0.0, 0.0]
    assert dphi.tolist() == [0.0, 0.0]


def test_a_program_agrees_with_the_kernel_of_the_same_function():
    """tanh, with its derivative written as 1 - tanh^2: absolute error of a few EPS where that cancels."""
    program = program_activation(
        [
            ("input", (), 0), ("tanh", (0,), None), ("power", (1,), 2), ("constant", (), -1.0),
            ("multiply", (2, 3), None), ("constant", (), 1.0), ("add", (4, 5), None),
        ],
        (1, 6),
    )  # fmt: skip
    z = np.random.default_rng(0).standard_normal((7, 3, 101))
    phi, dphi = evaluate(program, z)
    reference, slope = evaluate(builtin_activation("tanh"), z)
    np.testing.assert_array_equal(phi, reference)
    np.testing.assert_allclose(dphi, slope, rtol=0.0, atol=8 * EPS)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 5), (2, 1, 4)])
def test_shapes_are_kept(shape):
    phi, dphi = evaluate(builtin_activation("sin"), np.zeros(shape))
    assert phi.shape == dphi.shape == shape


def test_unknown_names_and_wrong_outputs_are_refused():
    with pytest.raises(NumericsError, match=r"activation must be one of arctan, .* got 'tahn'"):
        builtin_activation("tahn")
    with pytest.raises(NumericsError, match="two registers"):
        program_activation([("input", (), 0)], (0,))
