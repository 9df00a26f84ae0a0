"""Transport between two finite samples: a coupling, as cheap as a solver finds, whose cost bounds a difference of means.

Any coupling gives a valid bound. What a solver returns is made a coupling by rounding it, so nothing depends on its tolerances but
how small the bound is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
from numpy.typing import NDArray

from numerics.roundoff import UNIT_ROUNDOFF
from verify.errors import ProblemError

Array = NDArray[np.float64]

LARGEST_PROGRAM = 200_000  # variables of the linear program; beyond it the product measure serves


def ground_cost(
    inputs: tuple[Array, Array], targets: tuple[Array, Array], input_slope: float, label_slope: float, largest: float
) -> Array:
    """min(b, input_slope |x - x'| + label_slope |t - t'|) for every pair, shape (n, m), rounded up.

    inputs: (n, d) and (m, d). targets: (n, k) and (m, k). label_slope may be infinite: then different targets cost b.
    """
    across, moved = _distances(*inputs), _distances(*targets)
    with np.errstate(invalid="ignore"):  # infinity times 0, replaced
        labels = np.where(moved == 0, 0.0, label_slope * moved)
    dimension = inputs[0].shape[1] + targets[0].shape[1]
    return np.asarray(np.minimum(largest, (input_slope * across + labels) * (1 + 8 * (dimension + 4) * UNIT_ROUNDOFF)))


def _distances(first: Array, second: Array) -> Array:
    """Euclidean distances, from differences: those of near points are right to a few units, and those of equal ones 0."""
    return np.array([np.sqrt(np.sum((second - row) ** 2, axis=1)) for row in first])


def transport_cost(cost: Array) -> float:
    """An upper bound of the least mean of ``cost`` over the couplings of the uniform measures on n and on m points.

    cost: (n, m), nonnegative and finite. Raises ProblemError for costs that are none.
    """
    plan = coupling(cost)
    if cost.min() == cost.max():
        return float(cost.max())
    return _above(float(np.sum(plan * cost)), int(np.count_nonzero(plan)), cost)


def coupling(cost: Array) -> Array:
    """The coupling of the uniform measures on n and on m points, (n, m), at which ``transport_cost`` is the mean of ``cost``.

    With n = m an optimal assignment, otherwise a linear program, rounded to a coupling; for programs that would be too large, and
    for costs that are all the same, the product measure. Raises ProblemError for costs that are none.
    """
    if cost.ndim != 2 or not cost.size or not np.isfinite(cost).all() or (cost < 0).any():
        raise ProblemError(f"cost must be a matrix of nonnegative finite numbers, got shape {cost.shape}")
    n, m = cost.shape
    product = np.full((n, m), 1 / (n * m))
    if cost.min() == cost.max():
        return product
    if n == m:
        plan = np.zeros((n, m))
        plan[scipy.optimize.linear_sum_assignment(cost)] = 1 / n
        return plan
    if n * m <= LARGEST_PROGRAM:
        found = scipy.optimize.linprog(cost.ravel(), A_eq=_marginals(n, m), b_eq=np.repeat([1 / n, 1 / m], [n, m]), method="highs")
        if found.x is not None:
            return as_coupling(found.x.reshape(n, m))
    return product


def _marginals(n: int, m: int) -> Any:
    """The matrix that takes a plan (n, m), row by row, to the sums of its rows and then of its columns."""
    rows = scipy.sparse.kron(scipy.sparse.eye(n), np.ones((1, m)))
    columns = scipy.sparse.kron(np.ones((1, n)), scipy.sparse.eye(m))
    return scipy.sparse.vstack([rows, columns]).tocsr()


def as_coupling(plan: Array) -> Array:
    """The plan made a coupling of the uniform measures: shrunk to marginals that are nowhere too large, then what is missing added
    as a product (Altschuler, Weed and Rigollet 2017, Algorithm 2)."""
    n, m = plan.shape
    shrunk = np.maximum(plan, 0.0)
    with np.errstate(divide="ignore"):  # an empty row or column is not too large
        shrunk = shrunk * np.minimum(1.0, (1 / n) / shrunk.sum(axis=1))[:, None]
        shrunk = shrunk * np.minimum(1.0, (1 / m) / shrunk.sum(axis=0))[None, :]
    rows, columns = np.maximum(1 / n - shrunk.sum(axis=1), 0.0), np.maximum(1 / m - shrunk.sum(axis=0), 0.0)
    missing = rows.sum()
    return np.asarray(shrunk + np.outer(rows, columns) / missing if missing > 0 else shrunk)


def _above(value: float, terms: int, cost: Array) -> float:
    """Rounding of a sum of nonnegative terms with weights of sum 1, and of the marginals that these were made to have."""
    return math.nextafter(value + 8 * (terms + 4) * UNIT_ROUNDOFF * float(cost.max()), math.inf)
