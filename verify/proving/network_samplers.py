"""Samplers of E1 to E4: drift of signals and Jacobian on a ball of a random radius about a random network."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from verify.proving.maps import norm, unit
from verify.proving.networks import (
    Array,
    SmallNetwork,
    bounds_on_ball,
    draw_network,
    jacobian,
    operator_norms,
    rounding,
    signals,
)
from verify.proving.sampling import Trial


def forward_drift(generator: np.random.Generator) -> Iterator[Trial]:
    """E1: |z_l - z_l^0|(x_i) <= rho D_l(x_i)."""
    network, radius = draw_network(generator), _radius(generator)
    _, bounds = bounds_on_ball(network, radius)
    error, start = rounding(network, bounds, radius), signals(network, network.theta0).z
    for theta, distance in _points(network, radius, generator):
        for layer, z in enumerate(signals(network, theta).z):
            for point, moved in enumerate(np.linalg.norm(z - start[layer], axis=0)):
                yield Trial(float(moved), distance * float(bounds.forward_drift[layer][point]), error)


def first_derivative(generator: np.random.Generator) -> Iterator[Trial]:
    """E2: |dz_l(x_i)| <= v_l(x_i).t on B(R), v_l by its own recursion; dz_l exactly, by differentiating layer after layer."""
    network, radius = draw_network(generator), _radius(generator)
    a = network.architecture
    given, bounds = bounds_on_ball(network, radius)
    error = rounding(network, bounds, radius)
    for theta, _ in _points(network, radius, generator):
        direction = network.embed(unit(generator, len(network.moving)))
        found, points = signals(network, theta), network.inputs.shape[1]
        derivative, allowed = np.zeros_like(network.inputs), np.zeros(points)
        for layer in range(1, a.layers + 1):
            c, index = a.fan_in_scales[layer - 1], layer - 1
            moved = a.layer(direction, layer)
            derivative = c * (a.weight(direction, layer) @ found.h[index] + a.weight(theta, layer) @ derivative)
            derivative += a.bias_scale * a.bias(direction, layer)[:, None]
            drift = bounds.forward_drift[index - 1] if index else np.zeros(points)
            signal = given.forward_norms[index] + (network.slope * radius * drift if index else 0.0)
            gain = c * (given.operator_norms[index] + radius * a.trained[index]) * (network.slope if index else 0.0)
            allowed = gain * allowed + norm(moved) * np.sqrt(c**2 * signal**2 + a.bias_scale**2)
            for length, bound in zip(np.linalg.norm(derivative, axis=0), allowed, strict=True):
                yield Trial(float(length), float(bound), error)
            if layer < a.layers:
                derivative = found.slopes[index] * derivative


def backward_drift(generator: np.random.Generator) -> Iterator[Trial]:
    """E3: |eta_l - eta_l^0| <= B_l, |eta_l|_inf <= E_l and |delta_l| <= N_l."""
    network, radius = draw_network(generator), _radius(generator)
    _, bounds = bounds_on_ball(network, radius)
    error, start = rounding(network, bounds, radius), signals(network, network.theta0).eta
    for theta, _ in _points(network, radius, generator):
        found = signals(network, theta)
        pairs = [
            pair
            for layer, eta in enumerate(found.eta)
            for pair in (
                (operator_norms(eta - start[layer]), bounds.backward_drift[layer]),
                (np.linalg.norm(eta, axis=2).max(axis=0), bounds.backward_sup[layer]),
            )
        ]
        pairs += [(operator_norms(delta), bounds.backward_norms[layer]) for layer, delta in enumerate(found.delta)]
        for measured, allowed in pairs:
            for value, bound in zip(measured, allowed, strict=True):
                yield Trial(float(value), float(bound), error)


def jacobian_is_lipschitz(generator: np.random.Generator) -> Iterator[Trial]:
    """E4: |DF(theta) - DF(theta')| <= beta |theta - theta'| for pairs in B(R), far apart and near each other."""
    network, radius = draw_network(generator), _radius(generator)
    _, bounds = bounds_on_ball(network, radius)
    error = rounding(network, bounds, radius)
    for theta, _ in _points(network, radius, generator):
        inward = network.theta0 - theta
        for other in (network.theta0, theta + 2 * inward, theta + 1e-2 * inward):
            change = np.linalg.norm(jacobian(network, theta) - jacobian(network, other), 2)
            yield Trial(float(change), float(bounds.beta) * norm(theta - other), error * math.sqrt(len(network.moving)))


def _radius(generator: np.random.Generator) -> float:
    return float(10.0 ** generator.uniform(-2, 1))


def _points(network: SmallNetwork, radius: float, generator: np.random.Generator) -> Iterator[tuple[Array, float]]:
    """Points of the ball with their distances from theta0: in a random direction, and in the one that moves the outputs most."""
    size = len(network.moving)
    steepest = np.linalg.svd(jacobian(network, network.theta0), full_matrices=False)[2][0]
    for direction, distance in ((unit(generator, size), radius * float(generator.uniform(0.1, 1))), (steepest, radius)):
        yield network.theta0 + distance * network.embed(direction), distance
