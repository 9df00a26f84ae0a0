"""Quadratic maps of composite instances in bulk, and the solution nearest to their start, in floats and in balls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from numerics.roundoff import UNIT_ROUNDOFF
from verify.falsify.descent import map_in_balls, norm_in_balls
from verify.falsify.instances import CompositeInstance

Array = NDArray[np.float64]

NEAREST_STEPS = 80
BOXES = (-300, -280, -260, -240, -200, -160, -120)  # half-widths 2^e tried for a box around the nearest solution, relative


class Maps:
    """The maps F - target of instances of one n and p, without kinks, for floats in bulk."""

    def __init__(self, items: Sequence[CompositeInstance]) -> None:
        assert all(item.kink is None for item in items)
        self.tensor = np.array([item.tensor for item in items])
        self.target = np.array([item.target for item in items])
        self.outputs, self.parameters = self.tensor.shape[1:3]
        self.linear = np.zeros(self.tensor.shape[:3])
        self.linear[:, range(self.outputs), range(self.outputs)] = [item.singular for item in items]

    def jacobian(self, theta: Array) -> Array:
        """DF(theta), (B, n, p)."""
        return np.asarray(self.linear + np.einsum("bijk,bk->bij", self.tensor, theta))

    def value(self, theta: Array) -> Array:
        """F(theta) - target, (B, n)."""
        half = self.linear + np.einsum("bijk,bk->bij", self.tensor, theta) / 2
        return np.asarray(np.einsum("bij,bj->bi", half, theta) - self.target)


def lengths(vectors: Array) -> Array:
    """The norms of the rows, (B, 1)."""
    return np.asarray(np.linalg.norm(vectors, axis=1)[:, None])


def solved(jacobian: Array, right: Array) -> Array:
    """(DF DF^*)^{-1} right, NaN where that is not invertible."""
    kernel = np.matmul(jacobian, jacobian.transpose(0, 2, 1))
    bad = ~(np.isfinite(kernel).all(axis=(1, 2)) & (np.linalg.det(np.nan_to_num(kernel)) > 0))
    kernel[bad] = np.eye(kernel.shape[1])
    found = np.asarray(np.linalg.solve(kernel, right[:, :, None])[:, :, 0])
    found[bad] = np.nan
    return np.asarray(found)


def nearest_in_bulk(maps: Maps, start: Array) -> Array:
    """Gauss-Newton on the multipliers; NaN where it has not settled."""
    theta = start.copy()
    step: Array = np.full(theta.shape, np.nan)
    for _ in range(NEAREST_STEPS):
        jacobian = maps.jacobian(theta)
        right = np.einsum("bij,bj->bi", jacobian, theta) - maps.value(theta)
        step = np.einsum("bij,bi->bj", jacobian, solved(jacobian, right)) - theta
        theta = theta + step
    theta[~(lengths(step) <= 64 * UNIT_ROUNDOFF * lengths(theta)).ravel()] = np.nan
    return theta


def nearest_in_balls(item: CompositeInstance) -> list[Any] | None:
    """A box with exactly one zero of theta - DF(theta)^* w, F(theta) - target, by Krawczyk's operator; theta's part, or None."""
    with np.errstate(all="ignore"):
        maps, n, p = Maps([item]), item.outputs, item.parameters
        theta = nearest_in_bulk(maps, np.zeros((1, p)))
        multipliers = solved(maps.jacobian(theta), np.einsum("bij,bj->bi", maps.jacobian(theta), theta))
    if not (np.isfinite(theta).all() and np.isfinite(multipliers).all()):
        return None
    z = arb_mat(p + n, 1, [arb(float(x)) for x in (*theta[0], *multipliers[0])])
    for _ in range(6):  # Newton's method, of which midpoints are kept
        z = _middle(z - _derivative(item, z).inv() * _conditions(item, z))
    inverse = _middle(_derivative(item, z).inv())
    identity = arb_mat(p + n, p + n, [int(i == j) for i in range(p + n) for j in range(p + n)])
    for exponent in BOXES:
        size = arb(2) ** exponent * (1 + norm_in_balls(z.entries()))
        box = arb_mat(p + n, 1, [x + size * arb(0, 1) for x in z.entries()])
        image = z - inverse * _conditions(item, z) + (identity - inverse * _derivative(item, box)) * (box - z)
        if all(x.contains_interior(y) for x, y in zip(box.entries(), image.entries(), strict=True)):
            return list(image.entries()[:p])
    return None


def _middle(matrix: Any) -> Any:
    return arb_mat(matrix.nrows(), matrix.ncols(), [entry.mid() for entry in matrix.entries()])


def _conditions(item: CompositeInstance, z: Any) -> Any:
    """(theta - DF(theta)^* w, F(theta) - target)."""
    theta, w = z.entries()[: item.parameters], z.entries()[item.parameters :]
    value, rows = map_in_balls(item, theta)
    first = [x - sum((a * row[j] for a, row in zip(w, rows, strict=True)), arb(0)) for j, x in enumerate(theta)]
    return arb_mat(len(theta) + len(w), 1, [*first, *(x - arb(t) for x, t in zip(value, item.target, strict=True))])


def _derivative(item: CompositeInstance, z: Any) -> Any:
    """Of the conditions: ((I - sum w_i Q_i, -DF^*), (DF, 0))."""
    n, p = item.outputs, item.parameters
    theta, w = z.entries()[:p], z.entries()[p:]
    _, rows = map_in_balls(item, theta)

    def bend(j: int, k: int) -> Any:
        return sum((a * arb(q[j, k]) for a, q in zip(w, item.tensor, strict=True)), arb(0))

    upper = [[arb(int(j == k)) - bend(j, k) for k in range(p)] + [-rows[i][j] for i in range(n)] for j in range(p)]
    return arb_mat(upper + [[*rows[i], *([arb(0)] * n)] for i in range(n)])
