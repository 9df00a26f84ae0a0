"""Samplers of H1 and H2: Rademacher complexities with every sign listed, the network at one point, and couplings."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np

from numerics.activations import builtin_activation
from numerics.network import Architecture
from theorems.arithmetic import FLOAT
from theorems.pointwise import input_gain, pointwise_betas
from verify.proving.maps import norm, unit
from verify.proving.networks import Array, SmallNetwork, bounds_on_ball, draw_network, jacobian, rounding, signals
from verify.proving.sampling import UNIT, Trial

LARGEST_SAMPLE, LARGEST_CLASS, LARGEST_DIMENSION = 8, 6, 5
NEAR = 0.3  # the distance, relative to R, of points near each other
ATTAINED = 0.3  # the share of instances that are a neuron at a place where the bound is nearly attained


def all_signs(points: int) -> Array:
    """Every vector of signs, shape (2^n, n)."""
    return np.array(list(itertools.product((-1.0, 1.0), repeat=points)))


def translated_class(generator: np.random.Generator) -> Iterator[Trial]:
    """A finite class and the same with one function added to all: the two Rademacher complexities agree."""
    points = int(generator.integers(1, LARGEST_SAMPLE + 1))
    values = generator.standard_normal((int(generator.integers(1, LARGEST_CLASS + 1)), points))
    shift = float(10.0 ** generator.uniform(-1, 2)) * generator.standard_normal(points)
    signs = all_signs(points)
    one, two = (float(np.mean((signs @ functions.T).max(axis=1))) for functions in (values, values + shift))
    error = 8 * points * UNIT * float(np.abs(values).max() + np.abs(shift).max()) * points
    yield Trial(one, two, error)
    yield Trial(two, one, error)


def linear_class(generator: np.random.Generator) -> Iterator[Trial]:
    """E r |sum_i sign_i g_i| <= r (sum_i |g_i|^2)^{1/2}, every sign listed; with equality for orthogonal g_i."""
    points = int(generator.integers(1, LARGEST_SAMPLE + 1))
    gradients = generator.standard_normal((points, int(generator.integers(1, LARGEST_DIMENSION + 1))))
    if generator.random() < 0.3:
        gradients = np.diag(generator.standard_normal(points))
    radius = float(10.0 ** generator.uniform(-1, 1))
    complexity = radius * float(np.mean(np.linalg.norm(all_signs(points) @ gradients, axis=1)))
    bound = radius * norm(gradients.ravel())
    yield Trial(complexity, bound, 16 * points * UNIT * bound)


def neuron(generator: np.random.Generator, weight: float, x: float) -> SmallNetwork:
    """f(x) = alpha w_2 sin(w_1 x) with w_1 = ``weight`` trained: |f''| in w_1 and |f'| in x are largest where the sine says so."""
    architecture = Architecture(
        sizes=(1, 1, 1),
        weight_scale=1.0,
        bias_scale=0.0,
        output_scale=float(generator.choice([1.0, 0.25, 3.0])),
        trained=(True, False),
    )
    return SmallNetwork(
        architecture=architecture,
        kernel=builtin_activation("sin"),
        slope=1.0,
        curvature=1.0,
        theta0=np.array([weight, float(generator.standard_normal())]),
        inputs=np.array([[x]]),
        root_weights=np.ones(1),
        moving=np.array([0]),
    )


def curved(generator: np.random.Generator, least: float) -> tuple[SmallNetwork, float]:
    """A network and a radius, from 10^least on; at times a neuron at the crest of its sine, and a small radius."""
    if generator.random() < ATTAINED:
        return neuron(generator, math.pi / 2, 1.0), float(10.0 ** generator.uniform(-1.5, -0.5))
    return draw_network(generator), float(10.0 ** generator.uniform(least, 1))


def jacobian_at_a_point(generator: np.random.Generator) -> Iterator[Trial]:
    """|df_theta(x_i) - df_theta'(x_i)| <= beta_i |theta - theta'| for every point and pairs in B(R)."""
    network, radius = curved(generator, -2.5)
    given, bounds = bounds_on_ball(network, radius)
    betas, points = pointwise_betas(given, radius, FLOAT), network.inputs.shape[1]
    error = rounding(network, bounds, radius) * math.sqrt(len(network.moving)) / float(network.root_weights.min())
    theta = network.theta0 + radius * network.embed(unit(generator, len(network.moving)))
    for other in (network.theta0, theta + NEAR * (network.theta0 - theta), 2 * network.theta0 - theta):
        change = (jacobian(network, theta) - jacobian(network, other)).reshape(points, -1, len(network.moving))
        for i in range(points):
            moved = float(np.linalg.norm(change[i], 2)) / float(network.root_weights[i])
            yield Trial(moved, float(betas[i]) * norm(theta - other), error)


def remainder_at_a_point(generator: np.random.Generator) -> Iterator[Trial]:
    """|f_theta(x_i) - f_theta0(x_i) - <df_theta0(x_i), theta - theta0>| <= beta_i |theta - theta0|^2/2 for every point."""
    network, radius = curved(generator, -1)
    given, bounds = bounds_on_ball(network, radius)
    betas, points = pointwise_betas(given, radius, FLOAT), network.inputs.shape[1]
    error = rounding(network, bounds, radius) * math.sqrt(len(network.moving)) * (1 + radius) / float(network.root_weights.min())
    alpha = network.architecture.output_scale
    start, derivative = signals(network, network.theta0).z[-1], jacobian(network, network.theta0)
    steepest = np.linalg.svd(derivative, full_matrices=False)[2][0]
    for direction in (unit(generator, len(network.moving)), steepest):
        for share in (1.0, float(generator.uniform(0.3, 1))):
            step = share * radius * direction
            moved = alpha * (signals(network, network.theta0 + network.embed(step)).z[-1] - start)
            linear = (derivative @ step).reshape(points, -1) / network.root_weights[:, None]
            for i in range(points):
                yield Trial(norm(moved[:, i] - linear[i]), float(betas[i]) * norm(step) ** 2 / 2, error)


def lipschitz_in_the_input(generator: np.random.Generator) -> Iterator[Trial]:
    """Difference quotients of f_theta, and of f_theta - f_theta0, in the input: far apart and near each other."""
    network, radius = draw_network(generator), float(10.0 ** generator.uniform(-2, 1))
    if generator.random() < ATTAINED:  # sin 11 x and sin 11 x - sin 10 x are steepest at pi
        network, radius = neuron(generator, 10.0, math.pi), 1.0
    a = network.architecture
    given, bounds = bounds_on_ball(network, radius)
    at_radius, at_start = (a.output_scale * float(input_gain(given, size, FLOAT)) for size in (radius, 0.0))
    theta = network.theta0 + radius * network.embed(unit(generator, len(network.moving)))
    error = 2 * rounding(network, bounds, radius)
    inputs = np.hstack([network.inputs, network.inputs + 1e-2 * generator.standard_normal(network.inputs.shape)])
    # The rounding bound is for the points of the network; those near them are about as large.
    pair = dataclasses.replace(network, inputs=inputs)
    outputs = [a.output_scale * signals(pair, weights).z[-1] for weights in (theta, network.theta0)]
    for i, j in itertools.combinations(range(inputs.shape[1]), 2):
        apart = norm(inputs[:, i] - inputs[:, j])
        change = [values[:, i] - values[:, j] for values in outputs]
        yield Trial(norm(change[0]), at_radius * apart, 2 * error)
        yield Trial(norm(change[0] - change[1]), (at_radius + at_start) * apart, 4 * error)


def difference_of_means(generator: np.random.Generator) -> Iterator[Trial]:
    """|mean of g over one sample - mean over another| <= mean of |g(z) - g(z')| over a coupling, drawn as a matrix."""
    first, second = (int(generator.integers(1, LARGEST_SAMPLE + 1)) for _ in range(2))
    coupling = np.full((first, second), 1 / (first * second))
    for _ in range(4):  # moving mass around a rectangle keeps the marginals
        rows, columns = generator.integers(first, size=2), generator.integers(second, size=2)
        mass = float(generator.random()) * min(coupling[rows[0], columns[0]], coupling[rows[1], columns[1]])
        if rows[0] != rows[1] and columns[0] != columns[1]:
            coupling[rows, columns] -= mass
            coupling[rows, columns[::-1]] += mass
    one, two = generator.random(first), generator.random(second)
    cost = float(np.sum(coupling * np.abs(one[:, None] - two[None, :])))
    yield Trial(abs(float(one.mean() - two.mean())), cost, 64 * UNIT)
