"""Samplers of facts about maps with a Lipschitz derivative, about smooth PL functions, and about both together."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from theorems.catalogue import THEOREMS
from verify.proving.maps import draw_map, draw_objective, draw_problem, map_rounding, norm, unit
from verify.proving.sampling import UNIT, Trial


def smallest_singular_value(generator: np.random.Generator) -> Iterator[Trial]:
    """sigma_min(DF(theta)^*) >= sigma0 - beta |theta|, also where theta is moved against the weakest pair of singular vectors."""
    mapping = draw_map(generator)
    left, spectrum, right = np.linalg.svd(mapping.linear, full_matrices=False)
    weakest = -np.einsum("i,ijk,k->j", left[:, -1], mapping.quadratic, right[-1])
    directions = [unit(generator, mapping.linear.shape[1])]
    if norm(weakest) > 0:
        directions.append(weakest / norm(weakest))
    for direction in directions:
        distance = float(generator.uniform(0, 1.2) * spectrum[-1])
        smallest = np.linalg.svd(mapping.jacobian(distance * direction), compute_uv=False)[-1]
        yield Trial(float(spectrum[-1]) - mapping.lipschitz * distance, float(smallest), map_rounding(mapping, distance))


def remainder(generator: np.random.Generator) -> Iterator[Trial]:
    """|F(theta + v) - F(theta) - DF(theta) v| <= beta |v|^2/2."""
    mapping = draw_map(generator)
    theta = generator.uniform(0, 2) * unit(generator, mapping.linear.shape[1])
    largest = np.linalg.svd(mapping.quadratic.reshape(-1, len(theta)))[2][0]
    for direction in (unit(generator, len(theta)), largest):
        v = float(10.0 ** generator.uniform(-2, 1)) * direction
        found = norm(mapping(theta + v) - mapping(theta) - mapping.jacobian(theta) @ v)
        yield Trial(found, mapping.lipschitz * norm(v) ** 2 / 2, 3 * map_rounding(mapping, norm(theta) + norm(v)))


def smoothness(generator: np.random.Generator) -> Iterator[Trial]:
    """h(y + v) <= h(y) + <grad h(y), v> + L |v|^2/2."""
    size = int(generator.integers(1, 5))
    objective = draw_objective(generator, size)
    y, v = (10.0 ** generator.uniform(-2, 1.5) * unit(generator, size) for _ in range(2))
    bound = objective.value(y) + float(objective.gradient(y) @ v) + objective.smoothness * norm(v) ** 2 / 2
    # Every h is at most L |u|^2/2 and is a sum of size^2 terms, each computed to a few ulp of that.
    rounding = 16 * size**2 * UNIT * objective.smoothness * (norm(y) + norm(v)) ** 2
    yield Trial(objective.value(y + v), bound, rounding)


def gradient_against_gap(generator: np.random.Generator) -> Iterator[Trial]:
    """mu s <= |grad h| <= sqrt(L mu) s, as their squares 2 mu h <= |grad h|^2 <= 2 L h."""
    size = int(generator.integers(1, 5))
    objective = draw_objective(generator, size)
    y = 10.0 ** generator.uniform(-2, 1.5) * unit(generator, size)
    gap, square = objective.value(y), norm(objective.gradient(y)) ** 2
    rounding = 16 * size**2 * UNIT * (objective.smoothness * norm(y)) ** 2
    yield Trial(2 * objective.mu * gap, square, rounding)
    yield Trial(square, 2 * objective.smoothness * gap, rounding)


def residual_is_lipschitz(generator: np.random.Generator) -> Iterator[Trial]:
    """|s(y) - s(y')| <= sqrt(L/mu) |y - y'|, s = sqrt(2 h/mu); for points near each other and far apart, and along the gradient."""
    size = int(generator.integers(1, 5))
    objective = draw_objective(generator, size)
    y = 10.0 ** generator.uniform(-2, 1.5) * unit(generator, size)
    slope = objective.gradient(y)
    for direction in (unit(generator, size), slope / norm(slope)):
        other = y + norm(y) * 10.0 ** generator.uniform(-3, 1) * direction
        one, two = (math.sqrt(2 * objective.value(point) / objective.mu) for point in (y, other))
        bound = math.sqrt(objective.smoothness / objective.mu) * norm(other - y)
        # h is off by at most 16 size^2 u L |y|^2, and the root by that over mu s.
        errors = 16 * size**2 * UNIT * objective.smoothness * (norm(y) + norm(other)) ** 2 / (objective.mu * min(one, two))
        yield Trial(abs(one - two), bound, errors)


def gradient_of_composite(generator: np.random.Generator) -> Iterator[Trial]:
    """sigma |grad h| <= g <= sqrt(Lambda) |grad h|, and sigma mu s <= g; also at residuals along the extreme singular vectors."""
    mapping = draw_map(generator)
    theta = generator.uniform(0, 0.5) * unit(generator, mapping.linear.shape[1])
    jacobian = mapping.jacobian(theta)
    left, spectrum, _ = np.linalg.svd(jacobian, full_matrices=False)
    objective = draw_objective(generator, len(spectrum))
    for direction in (left[:, 0], left[:, -1], unit(generator, len(spectrum))):
        u = 10.0 ** generator.uniform(-1.5, 1) * direction
        slope = objective.gradient(u)
        g, s = norm(jacobian.T @ slope), math.sqrt(2 * objective.value(u) / objective.mu)
        rounding = 16 * jacobian.size**2 * UNIT * float(spectrum[0]) * objective.smoothness * norm(u)
        yield Trial(float(spectrum[-1]) * norm(slope), g, rounding)
        yield Trial(g, float(spectrum[0]) * norm(slope), rounding)
        yield Trial(float(spectrum[-1]) * objective.mu * s, g, rounding * math.sqrt(objective.smoothness / objective.mu))


def restriction_to_the_range(generator: np.random.Generator) -> Iterator[Trial]:
    """On the range of A^*, A is invertible: |A w| >= sigma |w| there, and the w with A w = e has norm |A^+ e|."""
    matrix = draw_map(generator).linear
    spectrum = np.linalg.svd(matrix, compute_uv=False)
    basis = np.linalg.qr(matrix.T)[0]  # orthonormal, of the range of A^*
    e = unit(generator, len(matrix))
    w = basis @ np.linalg.solve(matrix @ basis, e)
    expected = math.sqrt(e @ np.linalg.solve(matrix @ matrix.T, e))
    condition = float(spectrum[0] / spectrum[-1]) ** 2
    rounding = 16 * matrix.size * UNIT * condition * expected
    yield Trial(norm(w), expected, rounding)
    yield Trial(expected, norm(w), rounding)
    yield Trial(float(spectrum[-1]) * norm(w), norm(matrix @ w), rounding)


def inverse_near_a_point(generator: np.random.Generator) -> Iterator[Trial]:
    """|DF(theta + x) w| >= (sigma - beta |x|) |w| for x and w in the range of A^*; also for x against the weakest pair."""
    mapping = draw_map(generator)
    left, spectrum, right = np.linalg.svd(mapping.linear, full_matrices=False)
    weakest = -right.T @ (right @ np.einsum("i,ijk,k->j", left[:, -1], mapping.quadratic, right[-1]))
    directions = [right.T @ unit(generator, len(left))]
    if norm(weakest) > 0:
        directions.append(weakest / norm(weakest))
    for direction in directions:
        distance = float(generator.uniform(0, 1) * spectrum[-1])
        restricted = mapping.jacobian(distance * direction) @ right.T
        smallest = np.linalg.svd(restricted, compute_uv=False)[-1]
        yield Trial(float(spectrum[-1]) - mapping.lipschitz * distance, float(smallest), map_rounding(mapping, distance))


def gradient_of_composite_is_lipschitz(generator: np.random.Generator) -> Iterator[Trial]:
    """|grad J(x) - grad J(theta)| <= (L Lambda + beta |grad h(F(theta))|) |x - theta| for x, theta in B(R); also near each other on
    the sphere, where |DF| has grown most and the residual goes on growing."""
    problem = draw_problem(THEOREMS["A0"], generator)
    values, mapping, objective = problem.values, problem.map, problem.objective
    size, radius = mapping.linear.shape[1], values["R"]
    left, _, right = np.linalg.svd(mapping.linear, full_matrices=False)
    strongest = np.einsum("i,ijk,k->j", left[:, 0], mapping.quadratic, right[0])
    pairs = [tuple(radius * generator.uniform() * unit(generator, size) for _ in range(2))]
    for direction in (strongest, right[0]):
        if norm(direction) > 0:
            ends = (radius * sign * direction / norm(direction) for sign in (1, -1))
            pairs += [((1 - 1e-3) * end, end) for end in ends]
    bound_of_square = (math.sqrt(values["lambda_max"]) + values["beta"] * radius) ** 2
    error = map_rounding(mapping, radius)
    for theta, x in pairs:
        slope = norm(objective.gradient(mapping(theta) - problem.target))
        constant = values["L"] * bound_of_square + values["beta"] * slope
        found = norm(problem.gradient(x) - problem.gradient(theta))
        # Each gradient is DF^* grad h: off by |DF| L times the error of F, by the error of DF times |grad h|, and by sums of n
        # terms.
        largest = slope + norm(objective.gradient(mapping(x) - problem.target))
        rounding = 4 * (math.sqrt(bound_of_square) * values["L"] * (error + 4 * UNIT * norm(problem.target)) + 2 * error * largest)
        rounding += 16 * mapping.linear.size * UNIT * math.sqrt(bound_of_square) * largest
        yield Trial(found, constant * norm(x - theta), rounding)


def remainder_with_error(generator: np.random.Generator) -> Iterator[Trial]:
    """|F(theta - eta (grad J + eps)) - (y - eta K grad h - eta DF eps)| <= beta d^2/2, d the length of the step made."""
    problem = draw_problem(THEOREMS["A"], generator)
    mapping, eta = problem.map, problem.values["eta"]
    theta = problem.values["R"] * generator.uniform() * unit(generator, mapping.linear.shape[1])
    jacobian = mapping.jacobian(theta)
    slope = problem.objective.gradient(mapping(theta) - problem.target)
    gradient = jacobian.T @ slope
    eps = norm(gradient) * 10.0 ** generator.uniform(-3, 0) * unit(generator, len(theta))
    step = -eta * (gradient + eps)
    expected = mapping(theta) - eta * jacobian @ (jacobian.T @ slope) - eta * jacobian @ eps
    rounding = 4 * map_rounding(mapping, norm(theta) + norm(step))
    yield Trial(norm(mapping(theta + step) - expected), mapping.lipschitz * norm(step) ** 2 / 2, rounding)
