"""Samplers of E1 to E4: drift of signals and Jacobian on a ball of a random radius about a random network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from verify.proving.maps import norm, unit
from verify.proving.networks import (
    Array,
    SmallNetwork,
    bounds_on_ball,
    draw_network,
    first_order_bounds,
    jacobian,
    operator_norms,
    rounding,
    signal_derivatives,
    signals,
    weighted,
)
from verify.proving.sampling import Trial

NEAR = 0.3  # the distance, relative to R, of points near each other
ROUNDS = 6  # of the search for the direction in which DF changes fastest


def forward_drift(generator: np.random.Generator) -> Iterator[Trial]:
    """E1: |z_l - z_l^0|(x_i) <= rho D_l(x_i) and |z_l - z_l^0|_nu <= rho D_l^nu; also where some z_l moves most."""
    network, radius = draw_network(generator), _radius(generator)
    given, bounds = bounds_on_ball(network, radius)
    promised = first_order_bounds(given, radius)
    error, start = rounding(network, bounds, radius), signals(network, network.theta0).z
    for theta, distance in [*_points(network, radius, generator), *_moving_signals(network, radius, generator)]:
        for layer, z in enumerate(signals(network, theta).z):
            moved = np.linalg.norm(z - start[layer], axis=0)
            for value, bound in zip(moved, bounds.forward_drift[layer], strict=True):
                yield Trial(float(value), distance * float(bound), error)
            yield Trial(norm(moved * network.root_weights), distance * promised.drift_nu[layer], error)


def first_derivative(generator: np.random.Generator) -> Iterator[Trial]:
    """E2: |dz_l(x_i)| <= v_l(x_i).t and |dz_l|_nu <= v_l^nu.t on B(R): the norm of dz_l in the parameters of one layer against that
    layer's entry of v_l, and a random direction in all of them; also where some z_l moved most, and where it grew."""
    network, radius = draw_network(generator), _radius(generator)
    a = network.architecture
    given, bounds = bounds_on_ball(network, radius)
    promised, error = first_order_bounds(given, radius), rounding(network, bounds, radius)
    for theta, _ in [*_points(network, radius, generator), *_moving_signals(network, radius, generator)]:
        direction = unit(generator, len(network.moving))
        moved = [a.layer(network.embed(direction), layer) for layer in range(1, a.layers + 1)]
        t = np.array([norm(part) for part, moves in zip(moved, a.trained, strict=True) if moves])
        for layer, blocks in enumerate(signal_derivatives(network, signals(network, theta), theta)):
            at_points = np.array([np.linalg.norm(block, 2, axis=(1, 2)) for block in blocks])  # (|T|, n)
            whole = np.array([np.linalg.norm(weighted(network, block), 2) for block in blocks])
            change = np.concatenate(blocks, axis=2) @ direction
            pairs: list[tuple[Any, Any]] = [(at_points.max(axis=1), promised.largest[layer]), (whole, promised.nu[layer])]
            pairs += [(at_points[:, i], allowed[layer]) for i, allowed in enumerate(promised.pointwise)]
            pairs += [([norm(change[i])], [allowed[layer] @ t]) for i, allowed in enumerate(promised.pointwise)]
            pairs.append(([norm(network.root_weights[:, None] * change)], [promised.nu[layer] @ t]))
            for measured, allowed in pairs:
                for value, bound in zip(measured, allowed, strict=True):
                    yield Trial(float(value), float(bound), error)


def backward_drift(generator: np.random.Generator) -> Iterator[Trial]:
    """E3: |eta_l - eta_l^0| <= B_l, |eta_l|_inf <= E_l and |delta_l| <= N_l; also where one W_l turns alone."""
    network, radius = draw_network(generator, rising=True), _radius(generator, -2.5)
    _, bounds = bounds_on_ball(network, radius)
    error, start = rounding(network, bounds, radius), signals(network, network.theta0).eta
    for theta, _ in [*_points(network, radius, generator), *_turning_weights(network, radius, generator)]:
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
    """E4: |DF(theta) - DF(theta')| <= beta |theta - theta'| for pairs in B(R), far apart and near each other,
    also from theta0 in the direction in which DF changes fastest."""
    network, radius = draw_network(generator), _radius(generator, -2.5)
    _, bounds = bounds_on_ball(network, radius)
    error = rounding(network, bounds, radius)
    fastest = _fastest_change(network, NEAR * radius, generator)
    for theta in (*(theta for theta, _ in _points(network, radius, generator)), network.theta0 + radius * network.embed(fastest)):
        inward = network.theta0 - theta
        pairs = [(theta, network.theta0), (theta, theta + 2 * inward), (theta, theta + NEAR * inward)]
        pairs.append((network.theta0 - NEAR * inward, network.theta0))
        for one, two in pairs:
            change = np.linalg.norm(jacobian(network, one) - jacobian(network, two), 2)
            yield Trial(float(change), float(bounds.beta) * norm(one - two), error * math.sqrt(len(network.moving)))


def _radius(generator: np.random.Generator, lowest: float = -2) -> float:
    return float(10.0 ** generator.uniform(lowest, 1))


def _points(network: SmallNetwork, radius: float, generator: np.random.Generator) -> Iterator[tuple[Array, float]]:
    """Points of the ball with their distances from theta0: in a random direction, and in the one that moves the outputs most."""
    size = len(network.moving)
    steepest = np.linalg.svd(jacobian(network, network.theta0), full_matrices=False)[2][0]
    for direction, distance in ((unit(generator, size), radius * float(generator.uniform(0.1, 1))), (steepest, radius)):
        yield network.theta0 + distance * network.embed(direction), distance


def _moving_signals(network: SmallNetwork, radius: float, generator: np.random.Generator) -> Iterator[tuple[Array, float]]:
    """Points of the sphere that move one signal z_l as fast as possible, in L2(nu) and at one x_i, and let |h_l|_nu grow."""
    layer, point = (int(generator.integers(high)) for high in (network.architecture.layers, network.inputs.shape[1]))
    found = signals(network, network.theta0)
    derivative = np.concatenate(signal_derivatives(network, found, network.theta0)[layer], axis=2)
    directions = [np.linalg.svd(matrix, full_matrices=False)[2][0] for matrix in (weighted(network, derivative), derivative[point])]
    if layer < network.architecture.layers - 1:
        slopes, h = found.slopes[layer], found.h[layer + 1]
        growth = np.einsum("n,mn,nmp->p", network.root_weights**2, slopes * h, derivative)
        if norm(growth) > 0:
            directions.append(growth / norm(growth))
    for direction in directions:
        yield network.theta0 + radius * network.embed(direction), radius


def _fastest_change(network: SmallNetwork, step: float, generator: np.random.Generator) -> Array:
    """A direction v in which DF changes fast at theta0: D^2 F is symmetric, so the direction to which D^2 F[v, .] answers most is a
    better v, again and again."""
    best, direction = 0.0, unit(generator, len(network.moving))
    start = jacobian(network, network.theta0)
    found = direction
    for _ in range(ROUNDS):
        change = jacobian(network, network.theta0 + step * network.embed(direction)) - start
        _, spectrum, right = np.linalg.svd(change, full_matrices=False)
        if spectrum[0] > best:
            best, found = float(spectrum[0]), direction
        direction = right[0]
    return found


def _turning_weights(network: SmallNetwork, radius: float, generator: np.random.Generator) -> Iterator[tuple[Array, float]]:
    """For every trained W_{l+1} above a hidden layer, the point that moves it alone, by rank one, along the largest
    delta_{l+1}(x_i): eta_l moves by c_{l+1} R |delta_{l+1}| there, up to what phi'' does."""
    a, found = network.architecture, signals(network, network.theta0)
    for layer in range(2, a.layers + 1):
        if a.trained[layer - 1]:
            delta = found.delta[layer - 1][:, np.argmax(operator_norms(found.delta[layer - 1]))]
            theta = network.theta0.copy()
            a.weight(theta, layer)[:] += radius * np.outer(np.linalg.svd(delta)[0][:, 0], unit(generator, a.sizes[layer - 1]))
            yield theta, radius
