"""Samplers that run gradient descent on random composite problems and try the inequalities of a proof at every step.

Beside every step, a shortened one: the proofs that a run cannot leave the ball rest on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from theorems.arithmetic import FLOAT
from theorems.catalogue import THEOREMS
from verify.composite_problems import CompositeProblem
from verify.proving.maps import Array, draw_problem, map_rounding, norm, unit
from verify.proving.sampling import UNIT, Sampler, Trial

STEPS = 25
ROOM = 1.5  # R over rbar where errors lengthen the path
SMALLEST_RESIDUAL = 1e-4  # relative to s_0: below, nothing new happens, and rounding counts


def conserved_quantity(identifier: str) -> Sampler:
    """s + c (sigma r - b r^2/2) <= s_0 after every step of a theorem's problems and after shortened steps, and r <= rbar."""

    def sampler(generator: np.random.Generator) -> Iterator[Trial]:
        problem = draw_problem(THEOREMS[identifier], generator)
        constants = _constants(problem)
        decrease, sigma, curvature = _potential(identifier, constants)
        theta, path = np.zeros(problem.map.linear.shape[1]), 0.0
        for _ in range(STEPS):
            step = -constants["eta"] * problem.gradient(theta)
            share = float(generator.uniform())
            for part in (share, 1.0):
                length = path + part * norm(step)
                cost = decrease * (sigma * length - curvature * length**2 / 2)
                where = theta + part * step
                yield Trial(residual(problem, where) + cost, constants["s0"], _rounding(problem, constants))
            theta, path = theta + step, path + norm(step)
            yield Trial(path, constants["rbar"], _rounding(problem, constants) / (decrease * sigma))
            if residual(problem, theta) <= SMALLEST_RESIDUAL * constants["s0"]:
                break

    return sampler


def inexact_run(generator: np.random.Generator) -> Iterator[Trial]:
    """Theorem A1, (b) and (c), after whole and shortened steps, with errors of one size, random or along the gradient."""
    problem = draw_problem(THEOREMS["A"], generator, ROOM)
    constants = _constants(problem)
    kappa, curvature, eta, mu = (constants[name] for name in ("kappa", "beta_prime", "eta", "mu"))
    sigma0, largest = math.sqrt(constants["lambda0"]), math.sqrt(constants["Lambda"] * constants["L"] / mu)
    c1 = sigma0 + largest / kappa
    # S_N may grow until its path bound is R, or q_N = 1 if that comes first: Phi at the smaller of R and sigma0/beta'.
    end = min(constants["R"], sigma0 / curvature)
    allowance = kappa * (sigma0 * end - curvature * end**2 / 2) - constants["s0"]
    epsilon = allowance / (eta * kappa * c1 * STEPS) * 10.0 ** generator.uniform(-3, -1e-3)
    c2 = largest + kappa * sigma0 / 2 + kappa * curvature * eta * epsilon / 2
    theta, path, allowed = np.zeros(problem.map.linear.shape[1]), 0.0, constants["s0"]
    kind, rounding = str(generator.choice(["random", "with", "against"])), _rounding(problem, constants)
    for _ in range(STEPS):
        quotient = 2 * curvature * allowed / (kappa * constants["lambda0"])
        gradient, before = problem.gradient(theta), residual(problem, theta)
        step = -eta * (gradient + epsilon * _error(kind, gradient, generator))
        allowed += eta * kappa * c1 * epsilon
        for part in (float(generator.uniform()), 1.0):
            length = path + part * norm(step)
            cost = kappa * (sigma0 * length - curvature * length**2 / 2)
            yield Trial(residual(problem, theta + part * step) + cost, allowed, rounding)
        theta, path = theta + step, path + norm(step)
        bound = (1 - eta * mu * kappa * constants["lambda0"] * (1 - quotient)) * before - eta * mu * curvature * before**2
        yield Trial(residual(problem, theta), bound + eta * c2 * epsilon, rounding)


def descent_of_objective(generator: np.random.Generator) -> Iterator[Trial]:
    """J(theta_k - u eta grad J) <= J(theta_k) - u eta g^2 + L_J (u eta)^2 g^2/2 along runs of Theorem A0, u = 1 and below."""
    problem = draw_problem(THEOREMS["A0"], generator)
    constants = _constants(problem)
    eta, theta = constants["eta"], np.zeros(problem.map.linear.shape[1])
    condition = math.sqrt(constants["L"] / constants["mu"])
    for _ in range(STEPS):
        gradient = problem.gradient(theta)
        square = norm(gradient) ** 2
        # An error e of s is one of mu (s e + e^2/2) of the gap mu s^2/2. The other terms, eta g^2 <= 2/k0 gaps among them, are sums
        # of at most 16 products with relative errors.
        error, before = 4 * condition * _forward_rounding(problem, constants), residual(problem, theta)
        rounding = constants["mu"] * ((before + error) * error + 64 * UNIT * before**2) / constants["k0"]
        gap = problem.gap(theta)
        for length in (eta * float(generator.uniform()), eta):
            bound = gap - length * square + constants["L_J"] * length**2 * square / 2
            yield Trial(problem.gap(theta - length * gradient), bound, rounding)
        theta = theta - eta * gradient
        if before <= SMALLEST_RESIDUAL * constants["s0"]:
            break


def residual(problem: CompositeProblem, theta: Array) -> float:
    """s = sqrt(2 (J - h*)/mu)."""
    return math.sqrt(2 * problem.gap(theta) / problem.values["mu"])


def _constants(problem: CompositeProblem) -> dict[str, float]:
    return {name: float(x) for name, x in problem.theorem.evaluate_constants(problem.values, FLOAT).items()}


def _potential(identifier: str, constants: dict[str, float]) -> tuple[float, float, float]:
    """What a unit of path costs: the factor, the slope at the start, the curvature."""
    sigma0 = math.sqrt(constants["lambda0"])
    if identifier == "A+":
        return constants["kappa"], constants["sigma_tilde"], constants["beta"]
    if identifier == "A0":
        return constants["k0"], sigma0, constants["beta"]
    return constants["kappa"], sigma0, constants["beta_prime"]


def _error(kind: str, gradient: Array, generator: np.random.Generator) -> Array:
    """A direction of norm at most 1."""
    if kind == "random" or norm(gradient) == 0:
        return unit(generator, len(gradient))
    direction: Array = gradient / norm(gradient)
    return direction if kind == "with" else -direction


def _rounding(problem: CompositeProblem, constants: dict[str, float]) -> float:
    """The rounding error of s along a run: sqrt(L/mu) times that of F - t, and relative errors of s and of the sums compared
    with s_0.

    The values of h are sums of at most 16 terms, each to a few ulp of L |F - t|^2/2; the path is a sum of STEPS lengths. The
    constants s_0, q and rbar carry a few ulp as well, magnified in rbar near q = 1 by 1/sqrt(1 - q) <= 1/sqrt(1 - 0.999) < 32.
    """
    condition = math.sqrt(constants["L"] / constants["mu"])
    return 32 * condition * (_forward_rounding(problem, constants) + 32 * STEPS * UNIT * constants["s0"] * condition)


def _forward_rounding(problem: CompositeProblem, constants: dict[str, float]) -> float:
    """A bound of the rounding error of F - t on B(R)."""
    return map_rounding(problem.map, constants["R"]) + 4 * UNIT * norm(problem.target)
