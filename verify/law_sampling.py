"""Points drawn from the laws of ``theorems.laws``, for the Monte Carlo side: an explicit seed, one sampler a law.

The laws that a problem file can name are drawn by the very function that draws them there (``verify.sources``), so a moment is
checked against the points that a run is given. Parameters are rounded to the nearest doubles, and the arithmetic of a draw rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theorems.errors import InputError
from theorems.laws import Law
from verify import fields
from verify.errors import ProblemError
from verify.memory import require_memory
from verify.options import DataOptions
from verify.sources import synthetic_law

Points = NDArray[np.float64]


def draw(law: Law, count: int, seed: int) -> Points:
    """Return ``count`` independent points of the law, shape (count, d).

    The same law and seed give the same points, and the first n do not depend on how many follow, but for the rounding of the
    matrix products of images and of Gaussians with a covariance matrix.

    Raises ProblemError for a law with a symbol among its parameters, a count below 1, a negative seed, points that would not fit
    into memory, and parameters beyond the range of doubles.
    """
    if not isinstance(law, Law) or law.name not in SAMPLERS:
        raise ProblemError(f"law must be a law that can be drawn from ({', '.join(SAMPLERS)}), got {law!r}")
    count, seed = fields.integer("count", count, 1), fields.integer("seed", seed, 0)
    try:
        dimension = law.known_dimension("drawing points")
    except InputError as reason:
        raise ProblemError(str(reason)) from None
    require_memory(3 * 8 * count * dimension, f"drawing {count} points of dimension {dimension} from the law {law.name!r}")
    return SAMPLERS[law.name](law, count, seed)


def _named(law: Law, count: int, seed: int, **options: Any) -> Points:
    """The law of a problem file, with mean 0 and covariance identity."""
    options |= {"source": law.name, "points": count, "dimension": int(law.dimension), "seed": seed, "normalize": "none"}
    return synthetic_law(DataOptions(**options)).features


def _gaussian(law: Law, count: int, seed: int) -> Points:
    standard = _named(law, count, seed)
    covariance, mean = law.parameter("covariance"), law.parameter("mean")
    if mean is None:
        return standard * math.sqrt(_double("covariance", covariance))
    values, vectors = np.linalg.eigh(_doubles("covariance", covariance))
    # Exactly none is negative; what rounding puts below 0 stands for 0.
    factor: Points = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(standard @ factor.T + _doubles("mean", mean), dtype=np.float64)


def _sphere(law: Law, count: int, seed: int) -> Points:
    return _named(law, count, seed) * _double("radius", law.parameter("radius") / sympy.sqrt(law.dimension))


def _cube(law: Law, count: int, seed: int) -> Points:
    return _named(law, count, seed) * _double("half_width", law.parameter("half_width") / sympy.sqrt(3))


def _rademacher(law: Law, count: int, seed: int) -> Points:
    signs = np.random.default_rng(seed).integers(0, 2, size=(count, int(law.dimension)))
    return np.where(signs == 1, 1.0, -1.0)


def _student(law: Law, count: int, seed: int) -> Points:
    return _named(law, count, seed, degrees_of_freedom=_double("degrees_of_freedom", law.parameter("degrees_of_freedom")))


def _student_coordinates(law: Law, count: int, seed: int) -> Points:
    nu = _double("degrees_of_freedom", law.parameter("degrees_of_freedom"))
    shape = (count, int(law.dimension))
    normal, chi = (np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2))
    return normal.standard_normal(shape) * np.sqrt((nu - 2.0) / chi.chisquare(nu, size=shape))


def _mixture(law: Law, count: int, seed: int) -> Points:
    parts = law.parameter("laws")
    choice, *seeds = _seeds(seed, len(parts) + 1)
    shares = _doubles("weights", law.parameter("weights"))
    chosen = _choose(shares, count, choice)
    points = np.empty((count, int(law.dimension)))
    for i, part in enumerate(parts):
        rows = chosen == i
        if rows.any():
            points[rows] = draw(part, int(rows.sum()), seeds[i])
    return points


def _affine(law: Law, count: int, seed: int) -> Points:
    base, matrix, shift = (law.parameter(name) for name in ("law", "matrix", "shift"))
    points = draw(base, count, seed)
    if shift is None:
        return points * _double("matrix", matrix)
    return points @ _doubles("matrix", matrix).T + _doubles("shift", shift)


def _empirical(law: Law, count: int, seed: int) -> Points:
    points, weights = _doubles("points", law.parameter("points")), law.parameter("weights")
    shares = np.full(len(points), 1.0 / len(points)) if weights is None else _doubles("weights", weights)
    return points[_choose(shares, count, seed)]


SAMPLERS: dict[str, Callable[[Law, int, int], Points]] = {
    "gaussian": _gaussian,
    "sphere": _sphere,
    "cube": _cube,
    "rademacher": _rademacher,
    "student": _student,
    "student_coordinates": _student_coordinates,
    "mixture": _mixture,
    "affine": _affine,
    "empirical": _empirical,
}


def _choose(shares: Points, count: int, seed: int) -> NDArray[np.intp]:
    """Indices drawn with these probabilities, one uniform number each."""
    edges = np.cumsum(shares)
    return np.searchsorted(edges / edges[-1], np.random.default_rng(seed).random(count), side="right")


def _seeds(seed: int, count: int) -> list[int]:
    """Independent seeds from one."""
    words = np.random.SeedSequence(seed).generate_state(count, np.uint64)
    return [int(word) >> 1 for word in words]  # below 2^63, as every seed here


def _double(name: str, value: Any) -> float:
    """The nearest double to an exact number; a symbol or a number out of range is refused."""
    if value.free_symbols:
        raise ProblemError(f"{name} must be a number where points are drawn, got {value}")
    return float(_doubles(name, (value,))[0])


def _doubles(name: str, values: Any) -> Points:
    try:
        array = np.array([[float(x) for x in row] if isinstance(row, tuple) else float(row) for row in values])
    except OverflowError:
        raise ProblemError(f"{name} must be within the range of doubles where points are drawn, got a larger number") from None
    if not np.isfinite(array).all():
        raise ProblemError(f"{name} must be within the range of doubles where points are drawn, got a larger number")
    return array
