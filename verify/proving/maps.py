"""Random quadratic maps, objectives and composite problems for the samplers, drawn with NumPy's generator.

The shapes are those of ``verify.strategies``, which draws them for hypothesis; the mathematics is ``verify.composite_problems``'.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from theorems.errors import InputError
from theorems.records import LossClass, Theorem
from verify.composite_problems import (
    OBJECTIVES,
    CompositeProblem,
    Objective,
    QuadraticMap,
    bent,
    random_rotation,
    solve,
    unit_quadratic,
)
from verify.proving.sampling import UNIT

Array = NDArray[np.float64]

LARGEST_OUTPUTS, LARGEST_PARAMETERS = 4, 8
ATTEMPTS = 20


def draw_map(generator: np.random.Generator) -> QuadraticMap:
    """A map with n <= 4 outputs, p <= 8 parameters, singular values of A in [0.05, 1] and lipschitz = 1."""
    outputs = int(generator.integers(1, LARGEST_OUTPUTS + 1))
    parameters = int(generator.integers(outputs, LARGEST_PARAMETERS + 1))
    linear = np.zeros((outputs, parameters))
    np.fill_diagonal(linear, 1.0 if generator.random() < 0.3 else generator.uniform(0.05, 1.0, outputs))
    tensor = unit_quadratic(str(generator.choice(["blocks", "rank one", "dense"])), outputs, parameters, generator)
    if generator.random() < 0.5:
        left, right = random_rotation(outputs, generator), random_rotation(parameters, generator)
        linear = left @ linear @ right
        tensor = np.einsum("ai,ijk,jb,kc->abc", left, tensor, right, right)
    return QuadraticMap(linear, tensor, 1.0)


def draw_objective(generator: np.random.Generator, size: int, names: list[str] | None = None) -> Objective:
    """Any of the objectives, or one of those named."""
    return OBJECTIVES[str(generator.choice(names or list(OBJECTIVES)))](size, generator)


def draw_problem(theorem: Theorem, generator: np.random.Generator, factor: float = 1 + 1e-6) -> CompositeProblem:
    """A problem that satisfies every hypothesis of a convergence theorem, often with the largest step and q near 1; R = factor
    rbar.

    Raises InputError when none is found in ``ATTEMPTS`` draws.
    """
    names = {LossClass.SQUARE: ["square"], LossClass.GENERAL: [name for name in OBJECTIVES if name != "square"]}
    strict = next(item for item in theorem.hypotheses if item.id == "step").strict
    for _ in range(ATTEMPTS):
        mapping = draw_map(generator)
        left, spectrum, _ = np.linalg.svd(mapping.linear)
        target = left[:, -1] * generator.choice([-1.0, 1.0]) if generator.random() < 0.5 else generator.standard_normal(len(left))
        target = target * 10.0 ** generator.uniform(-1.5, 1.0)
        objective = draw_objective(generator, len(target), names.get(theorem.loss_class))
        values = {
            "L": objective.smoothness,
            "mu": objective.mu,
            "lambda0": float(spectrum[-1]) ** 2,
            "lambda_max": float(spectrum[0]) ** 2,
            "s0": math.sqrt(2 * objective.value(-target) / objective.mu),
        }
        quotient = float(generator.choice([0.999, 0.9, 0.5, 0.1]))
        share = float(generator.uniform(0.02, 0.98) if strict or generator.random() < 0.5 else 1.0)
        problem = CompositeProblem(theorem, mapping, objective, target, values)
        try:
            return bent(problem, solve(theorem, values, quotient, share, factor))
        except InputError:
            continue
    raise InputError(f"theorem {theorem.id} must have problems that meet its hypotheses, none was found in {ATTEMPTS} draws")


def norm(vector: Array) -> float:
    """The Euclidean norm."""
    return float(np.linalg.norm(vector))


def unit(generator: np.random.Generator, size: int) -> Array:
    """A random direction."""
    direction = generator.standard_normal(size)
    return np.asarray(direction / np.linalg.norm(direction))


def map_rounding(mapping: QuadraticMap, reach: float) -> float:
    """A bound of the rounding error of F(theta) and, per unit length, of DF(theta), for |theta| <= reach.

    F_i is a sum of p + p^2 products and every entry of DF one of p; all intermediate values are at most |A|_F reach + |Q|_F
    reach^2. The singular values of DF, and the constant beta itself, are off by a modest multiple of p u times the same norms.
    """
    outputs, parameters = mapping.linear.shape
    size = norm(mapping.linear.ravel()) * max(1.0, reach) + norm(mapping.quadratic.ravel()) * max(reach, reach**2)
    return float(4 * (parameters**2 + parameters + outputs) * UNIT * size)
