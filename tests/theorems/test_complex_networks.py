"""The measuring side of the tests of E against high precision, and the constants of the activations."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from numerics.network import Architecture
from tests.theorems.complex_networks import EPS, PHI, Network
from theorems.activations import activation
from verify.strategies import NetworkProblem


@pytest.mark.parametrize("name", sorted(PHI))
def test_the_derivatives_used_here_agree_with_high_precision(name) -> None:
    """First and second derivatives of F along a direction by 60-digit differences of a network written in mpmath."""
    generator = np.random.default_rng(5)
    architecture = Architecture((2, 3, 2, 2), 1.5, 0.3, 0.7, (True, True, True))
    weights = np.array([0.25, 0.75])
    theta, inputs = generator.standard_normal(architecture.parameters), generator.standard_normal((2, 2))
    network = Network(NetworkProblem(architecture, name, theta, inputs, weights))
    u = generator.standard_normal(architecture.parameters)
    context = mpmath.MPContext()
    context.dps = 60
    functions = {
        "tanh": context.tanh,
        "sin": context.sin,
        "softplus": lambda z: context.log(1 + context.exp(z)),
        "erf": context.erf,
        "arctan": context.atan,
        "gaussian_bump": lambda z: context.exp(-(z**2) / 2),
        "sigmoid": lambda z: 1 / (1 + context.exp(-z)),
    }

    def precise(t):
        parameters, outputs = [context.mpf(float(a)) + t * context.mpf(float(b)) for a, b in zip(theta, u, strict=True)], []
        for x, weight in zip(inputs, weights, strict=True):
            h, position = [context.mpf(float(value)) for value in x], 0
            for index, rows in enumerate(architecture.sizes[1:]):
                columns, scale = len(h), context.mpf(1.5) / context.sqrt(len(h))
                matrix = [parameters[position + row * columns : position + (row + 1) * columns] for row in range(rows)]
                position += rows * columns
                bias = parameters[position : position + rows]
                position += rows
                z = [scale * context.fdot(line, h) + context.mpf(0.3) * b for line, b in zip(matrix, bias, strict=True)]
                h = [functions[name](value) for value in z] if index < architecture.layers - 1 else z
            outputs.append([context.mpf(0.7) * value * context.sqrt(context.mpf(float(weight))) for value in h])
        return outputs

    step = context.mpf(10) ** -20
    plus, middle, minus = precise(step), precise(0), precise(-step)
    jacobian = (network.jacobian(theta) @ u).reshape(2, 2)
    curved = network.jet(theta, u)
    hessian = network.hessian(theta, np.eye(2)[:, :2])
    for point in range(2):
        for output in range(2):
            first = (plus[point][output] - minus[point][output]) / (2 * step)
            second = (plus[point][output] - 2 * middle[point][output] + minus[point][output]) / step**2
            assert jacobian[output, point] == pytest.approx(float(first), rel=1e-11, abs=1e-12)
            assert curved[output, point] == pytest.approx(float(second), rel=1e-11, abs=1e-12)
    assert u @ hessian @ u == pytest.approx(curved[0, 0] + curved[1, 1], rel=1e-11)


@pytest.mark.parametrize("name", sorted(PHI))
def test_the_catalogue_encloses_the_constants_of_calculus(name) -> None:
    record = activation(name)
    for enclosure, value in ((record.slope_bound(), PHI[name].slope), (record.curvature_bound(), PHI[name].curvature)):
        assert float(enclosure.lower) * (1 - 4 * EPS) <= value <= float(enclosure.upper) * (1 + 4 * EPS)
        assert float(enclosure.upper) <= value * (1 + 1e-6)
