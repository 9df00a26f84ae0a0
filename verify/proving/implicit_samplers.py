"""Samplers of B1 to B5, C2 and C3: facts about solutions of one equation, and runs of random problems followed to their end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from theorems.arithmetic import FLOAT, INTERVAL, Interval, as_interval
from theorems.catalogue import THEOREMS
from theorems.neurons import neuron_constants
from theorems.records import Claim, evaluate_expression
from theorems.statements.implicit import RECORDS, deviation
from theorems.statements.lazy import NEXT_SUM, THEOREM_C3
from verify.composite_problems import CompositeProblem, QuadraticMap, bent, random_rotation, solve, square_objective
from verify.proving.maps import Array, draw_map, draw_problem, map_rounding, norm, unit
from verify.proving.networks import bounds_on_ball, draw_network, jacobian
from verify.proving.networks import rounding as network_rounding
from verify.proving.sampling import UNIT, Sampler, Trial

STEPS = 2000
LINEAR_STEPS = 25
SMALLEST_RESIDUAL = 1e-4  # of s_0: below, nothing new happens, and rounding counts
LONG_ENOUGH = 1e-8  # of s_0: a run that gets there is taken to its end by one Newton step
FASTEST_RATIO = 0.1  # lambda0/lambda_max of the problems that are run to their end, at least
NEWTON_STEPS, NEAREST_STEPS = 60, 200
FARTHEST = 1e3  # times the first step: an iterate beyond has run away
APART = 1e6  # times the error: where both points are one (p = n, for example), bounds by their distance compare nothing

# Maps on which bounds are attained, with sigma = 1 and a Lipschitz constant of 1: F = x + x y turns the gradient out of the range,
# x - x^2/2 loses rank fastest, x + y^2/2 bends across the gradient.
TURNING = QuadraticMap(np.array([[1.0, 0.0]]), np.array([[[0.0, 1.0], [1.0, 0.0]]]), 1.0)
LOSING = QuadraticMap(np.array([[1.0]]), np.array([[[-1.0]]]), 1.0)
ACROSS = QuadraticMap(np.array([[1.0, 0.0]]), np.array([[[0.0, 0.0], [0.0, 1.0]]]), 1.0)


def normal_part(generator: np.random.Generator) -> Iterator[Trial]:
    """|(I - P) DF(theta)^* x| <= beta |theta - theta0| |x|."""
    mapping = TURNING if generator.random() < 0.2 else draw_map(generator)
    theta = float(generator.uniform(0, 2)) * _first_or_random(mapping, generator)
    x = unit(generator, len(mapping.linear))
    change = mapping.jacobian(theta).T @ x
    basis = np.linalg.qr(mapping.linear.T)[0]
    rounding = 8 * map_rounding(mapping, norm(theta)) * _condition(mapping)
    yield Trial(norm(change - basis @ (basis.T @ change)), mapping.lipschitz * norm(theta), rounding)


def one_level(generator: np.random.Generator) -> Iterator[Trial]:
    """Two points of one level: |A (v - u)| <= beta max(|u|, |v|)|v - u| and <= beta (|u|^2 + |v|^2)/2; sigma0 |P .| <= |A .|."""
    mapping = draw_map(generator)
    size = mapping.linear.shape[1]
    u, v = (float(10.0 ** generator.uniform(-2, 0.3)) * unit(generator, size) for _ in range(2))
    if generator.random() < 0.3:  # two directions in which F bends one way and the other, and the mean of both
        mapping, size = QuadraticMap(np.array([[1.0, 0.3]]), np.array([[[1.0, 0.0], [0.0, -1.0]]]), 1.0), 2
        length = float(generator.uniform(0.1, 1))
        u, v = (length * np.array(pair) for pair in ([1.0, 0.0], [0.0, 1.0]))
        if generator.random() < 0.5:
            mapping = QuadraticMap(TURNING.linear, TURNING.quadratic, 1.0)
            u, v = (length * np.array([1.0, sign * 0.1]) for sign in (1, -1))
    moved = v - u
    rest = (mapping.quadratic @ (u + v) / 2) @ moved
    # The linear part is changed along v - u alone, so that both points are on one level.
    linear = mapping.linear - np.outer(mapping.linear @ moved + rest, moved) / (moved @ moved)
    smallest = float(np.linalg.svd(linear, compute_uv=False)[-1])
    basis = np.linalg.svd(linear, full_matrices=False)[2].T
    mapping = QuadraticMap(linear, mapping.quadratic, mapping.lipschitz)
    measured, beta = norm(mapping(v) - mapping(u) - rest), mapping.lipschitz
    rounding = 8 * map_rounding(mapping, norm(u) + norm(v))
    yield Trial(measured, beta * max(norm(u), norm(v)) * norm(moved), rounding)
    yield Trial(measured, beta * (norm(u) ** 2 + norm(v) ** 2) / 2, rounding)
    if smallest > 1e-3 * float(np.linalg.norm(linear)):
        yield Trial(smallest * norm(basis.T @ moved), norm(linear @ moved), rounding + 1e-12 * norm(moved))


def against_a_nearest(generator: np.random.Generator) -> Iterator[Trial]:
    """|<theta' - theta*, theta* - theta0>| <= beta |w| D^2/2 for theta* - theta0 = DF(theta*)^* w and F(theta') = F(theta*)."""
    mapping = ACROSS if generator.random() < 0.3 else draw_map(generator)
    outputs, size = mapping.linear.shape
    w = float(generator.uniform(0.01, 0.6)) * unit(generator, outputs)
    # theta* = DF(theta*)^* w is a linear equation for a quadratic map, solvable as beta |w| < 1.
    u = np.linalg.solve(np.eye(size) - np.einsum("i,ijk->jk", w, mapping.quadratic), mapping.linear.T @ w)
    smallest = float(np.linalg.svd(mapping.jacobian(u), compute_uv=False)[-1])
    x = 0.1 * smallest * float(10.0 ** generator.uniform(-1, 0)) * unit(generator, size)
    for _ in range(NEWTON_STEPS):
        x = x - np.linalg.pinv(mapping.jacobian(u + x)) @ (mapping(u + x) - mapping(u))
    off = norm(mapping(u + x) - mapping(u))
    rounding = norm(w) * (off + 8 * map_rounding(mapping, norm(u) + norm(x)))
    if off <= 1e-12 * norm(x):
        yield Trial(abs(float(x @ u)), mapping.lipschitz * norm(w) * norm(x) ** 2 / 2, rounding)
    else:  # no second solution was found near by: theta* itself is one
        yield Trial(0.0, 0.0, 0.0)


def gradient_at_a_neuron(generator: np.random.Generator) -> Iterator[Trial]:
    """|The part of DF(theta)^* u at a neuron| <= C_l |u|_nu on B(R), u the worst for it; at a small ball and at a larger one."""
    network = draw_network(generator)
    a = network.architecture
    for radius in (float(10.0 ** generator.uniform(-2, 0)), 1e-6):
        given, bounds = bounds_on_ball(network, radius)
        constants = neuron_constants(given, radius, FLOAT)
        theta = network.theta0 + radius * float(generator.uniform()) * network.embed(unit(generator, len(network.moving)))
        found, begin = jacobian(network, theta), 0
        error = network_rounding(network, bounds, radius)
        for layer in range(1, a.layers + 1):
            if not a.trained[layer - 1]:
                continue
            rows, columns = a.sizes[layer], a.sizes[layer - 1]
            for neuron in range(rows):
                first = begin + neuron * columns
                part = [found[:, first : first + columns]]
                if a.has_bias:
                    part.append(found[:, [begin + rows * columns + neuron]])
                measured = float(np.linalg.norm(np.concatenate(part, axis=1), 2))
                yield Trial(measured, float(constants[layer - 1]), error * math.sqrt(columns + 1))
            begin += rows * (columns + a.has_bias)


def where_runs_end(generator: np.random.Generator) -> Iterator[Trial]:
    """B1 to B5 at the end of a run; the nearest solution by Gauss-Newton, where t_u < 1/2 makes it the nearest; else only B1."""
    problem = _runnable(generator)
    values, error = end_of_run(problem)
    errors = dict.fromkeys(("outside", "travelled", "nearest"), error) | dict.fromkeys(("excess", "deviation"), 2 * error)
    for record in RECORDS if "nearest" in values else RECORDS[:1]:
        known = record.evaluate_constants(values, FLOAT)
        if all(record.margins(known, FLOAT)[item.id] > 0 for item in record.hypotheses):
            apart = values.get("deviation", 0.0) > APART * error
            claims = tuple(claim for claim in record.claims if apart or deviation not in claim.bound.free_symbols)
            yield from _trials(claims, {**values, **known}, errors)


def linearized_run(generator: np.random.Generator) -> Iterator[Trial]:
    """The step, the sum and the constant bound of C3 along a run for the square loss."""
    problem = _runnable(generator, square=True)
    constants = _constants(problem)
    known = THEOREM_C3.evaluate_constants(constants, FLOAT)
    jacobian0, eta = problem.map.linear, constants["eta"]
    contraction = np.eye(len(jacobian0)) - eta * jacobian0 @ jacobian0.T
    theta, path, bound = np.zeros(jacobian0.shape[1]), 0.0, 0.0
    linear = -problem.target.copy()
    rounding = 4 * map_rounding(problem.map, constants["R"]) + LINEAR_STEPS * 16 * UNIT * constants["s0"]
    for _ in range(LINEAR_STEPS):
        residual = problem.map(theta) - problem.target
        if norm(residual) <= SMALLEST_RESIDUAL * constants["s0"]:
            break
        before = norm(residual - linear)
        step = -eta * problem.gradient(theta)
        known |= {"path": path, "length": norm(step), "s": norm(residual)}
        after = _value(NEXT_SUM, {**known, "linear_sum": before})
        bound = _value(NEXT_SUM, {**known, "linear_sum": bound})
        theta, path, linear = theta + step, path + norm(step), contraction @ linear
        gap = norm(problem.map(theta) - problem.target - linear)
        yield Trial(gap, after, rounding)
        yield from _trials(THEOREM_C3.claims, {**known, "linear_gap": gap, "linear_sum": bound}, {"linear_gap": rounding})


def end_of_run(problem: CompositeProblem) -> tuple[dict[str, float], float]:
    """The quantities of B1 to B5 for a composite problem, with the theorem's constants, and a bound of their error.

    ``nearest``, ``excess`` and ``deviation`` are missing where the nearest solution is not known: t_u >= 1/2, or not found.
    """
    constants, mapping = _constants(problem), problem.map
    theta = np.zeros(mapping.linear.shape[1])
    steps, rest = 0, math.inf
    while steps < STEPS and rest > LONG_ENOUGH * constants["s0"]:
        theta, steps = theta - constants["eta"] * problem.gradient(theta), steps + 1
        rest = _residual(problem, theta)
    moved = mapping.jacobian(theta)
    theta = theta - np.linalg.pinv(moved) @ (mapping(theta) - problem.target)
    # What is left of the path is at most d/(1 - rate), d <= eta sqrt(Lambda L mu) s; the Newton step's error is of second order in
    # it.
    size = math.sqrt(constants["Lambda"] * constants["L"] * constants["mu"])
    left = constants["eta"] * size * rest / (1 - constants["rate"])
    floor = math.sqrt(constants["lambda_floor"])
    error = constants["beta"] * left**2 / (math.sqrt(2) * floor)
    # A step is rounded by a few u of its point; the Newton steps by that of F, over the smallest singular value.
    error += 4 * steps * UNIT * constants["rbar"] + 2 * map_rounding(mapping, constants["rbar"]) / floor
    basis = np.linalg.svd(mapping.linear, full_matrices=False)[2].T
    values = constants | {"outside": norm(theta - basis @ (basis.T @ theta)), "travelled": norm(theta)}
    star = nearest_solution(mapping, problem.target, theta)
    if star is None or 2 * constants["beta"] * norm(star) >= math.sqrt(constants["lambda0"]):
        return values, error
    gap = theta - star
    excess = float(gap @ (theta + star)) / (norm(theta) + norm(star))
    return values | {"nearest": norm(star), "excess": excess, "deviation": norm(gap)}, error


def nearest_solution(mapping: QuadraticMap, target: Array, start: Array) -> Array | None:
    """The point with F = target and theta in range DF(theta)^* that Gauss-Newton finds from ``start``; None if it finds none."""
    theta, step, reach = start, start, math.inf
    for _ in range(NEAREST_STEPS):
        moved = mapping.jacobian(theta)
        step = moved.T @ np.linalg.solve(moved @ moved.T, target - mapping(theta) + moved @ theta) - theta
        theta = theta + step
        reach = FARTHEST * norm(theta) if reach == math.inf else reach
        if not norm(theta) <= reach:
            return None
        if norm(step) <= 4 * UNIT * norm(theta):
            break
    return theta if norm(step) <= 1e-12 * norm(theta) else None


def _runnable(generator: np.random.Generator, square: bool = False) -> CompositeProblem:
    """A problem whose run ends soon; one in three is a map on which a bound is attained, for small q or the largest."""
    if generator.random() < 0.35:
        attained = LOSING if square else TURNING
        values = {"L": 1.0, "mu": 1.0, "lambda0": 1.0, "lambda_max": 1.0, "s0": 1.0}
        plain = CompositeProblem(THEOREMS["A-square"], attained, square_objective(1, generator), np.array([1.0]), values)
        quotient, share = (float(generator.choice(choices)) for choices in ([0.02, 0.02, 0.1, 0.9], [0.02, 0.02, 0.5]))
        return bent(plain, solve(plain.theorem, values, quotient, share, 1 + 1e-6))
    names = ("A-square",) if square else ("A", "A-square", "A+", "A0")
    while True:
        problem = draw_problem(THEOREMS[str(generator.choice(names))], generator)
        values = problem.values
        contracts = values["eta"] * (values["lambda0"] + values["lambda_max"]) <= 2
        slow = 1 - _constants(problem)["rate"] < 20 / STEPS
        if values["lambda0"] >= FASTEST_RATIO * values["lambda_max"] and contracts and not slow:
            return problem


def _trials(claims: tuple[Claim, ...], values: Mapping[str, float], errors: Mapping[str, float]) -> Iterator[Trial]:
    """Each claim as measured <= bound, with the quantities' errors carried through both sides by intervals."""
    ends = {name: as_interval(np.float64(value)) for name, value in values.items()}
    for name, error in errors.items():
        if name in values:
            ends[name] = Interval(np.asarray(values[name] - error), np.asarray(values[name] + error))
    for claim in claims:
        sides = [as_interval(evaluate_expression(side, ends, INTERVAL)) for side in (claim.measured, claim.bound)]
        low, high = sides[::-1] if claim.lower else sides
        rounding = float(low.upper - low.lower + high.upper - high.lower) / 2
        yield Trial(float(low.lower + low.upper) / 2, float(high.lower + high.upper) / 2, rounding)


def _value(expression: object, values: Mapping[str, float]) -> float:
    return float(evaluate_expression(expression, values, FLOAT))  # type: ignore[arg-type]


def _constants(problem: CompositeProblem) -> dict[str, float]:
    found = problem.theorem.evaluate_constants(problem.values, FLOAT)
    return {"L": 1.0, "mu": 1.0} | {name: float(x) for name, x in found.items()}


def _residual(problem: CompositeProblem, theta: Array) -> float:
    return math.sqrt(2 * problem.gap(theta) / problem.values["mu"])


def _condition(mapping: QuadraticMap) -> float:
    spectrum = np.linalg.svd(mapping.linear, compute_uv=False)
    return float(spectrum[0] / spectrum[-1])


def _first_or_random(mapping: QuadraticMap, generator: np.random.Generator) -> Array:
    """The first coordinate direction, in which TURNING turns, or a random one."""
    size = mapping.linear.shape[1]
    return np.eye(size)[0] if mapping is TURNING else unit(generator, size) @ random_rotation(size, generator)


SAMPLERS: dict[str, Sampler] = {
    "normal part of a gradient": normal_part,
    "two points of one level": one_level,
    "solutions against a nearest one": against_a_nearest,
    "gradient at a neuron": gradient_at_a_neuron,
    "where runs end": where_runs_end,
    "runs against their linearizations": linearized_run,
}
