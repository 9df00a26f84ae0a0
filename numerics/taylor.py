"""Activations evaluated from tables of Taylor coefficients, with an error bound that is proved and needs no libm.

The line is cut into cells of width h = 2^-p about the points t_j = j h. A table holds, for the cells that occur, float64
coefficients of phi(t_j + x) and of phi'(t_j + x) up to degree D, and two numbers a cell that bound everything that separates
them from the truth on |x| <= h/2: the coefficients' rounding and the remainder (both from ball arithmetic, made elsewhere:
``theorems.taylor``). What is added here is the rounding of Horner's rule,

    p_D = c_D,  p_i = fl(fl(x p_{i+1}) + c_i):   e_i <= X e_{i+1} + u (X |p_{i+1}| + |p_i|)(1 + u) + eta,   X = h/2,

with |p_i| <= sum_{k >= i} |c_k| X^{k-i} + e_i. The argument x = z - t_j is exact: for j = 0 trivially, else t_j/2 <= z <= 2 t_j
(Sterbenz). A radius of z moves phi by at most sup|phi'| times it, and phi' by sup|phi''| times it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.midrad import INFLATION, TINY, MidRad
from numerics.roundoff import UNIT_ROUNDOFF

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

LARGEST_CELL = 2**40


@dataclass(frozen=True)
class TaylorTable:
    """cells: (c,), sorted j. exponent: h = 2^-exponent. values, slopes: (D+1, c), ascending coefficients of phi and phi' about j h.

    value_errors, slope_errors: (c,), bounds of |phi - polynomial| and |phi' - polynomial| on the cell.
    """

    exponent: int
    cells: Cells
    values: Array
    value_errors: Array
    slopes: Array
    slope_errors: Array


def cells_of(z: Array, exponent: int) -> Cells:
    """The index j of the cell that holds each z. Raises NumericsError for arguments too large for a table."""
    scaled = np.ldexp(z, exponent)
    if not (np.abs(scaled) < LARGEST_CELL).all():
        raise NumericsError("preactivations are too large for an enclosure of the activation")
    return np.asarray(np.rint(scaled), dtype=np.int64)


def evaluate(table: TaylorTable, z: MidRad, slope: float, curvature: float) -> tuple[MidRad, MidRad]:
    """phi(z) and phi'(z). slope, curvature: upper bounds of sup|phi'| and sup|phi''|; the table must hold every cell of z."""
    j = cells_of(z.mid, table.exponent)
    place = np.searchsorted(table.cells, j)
    if place.size and (place.max() >= len(table.cells) or (table.cells[place] != j).any()):
        raise NumericsError("the table lacks a cell in which the activation is wanted")
    x = z.mid - np.ldexp(j.astype(np.float64), -table.exponent)
    value, value_error = _horner(table.values, table.value_errors, table.exponent, x, place)
    derivative, derivative_error = _horner(table.slopes, table.slope_errors, table.exponent, x, place)
    moved = z.radius
    return (
        MidRad(value, (value_error + slope * moved) * INFLATION + TINY),
        MidRad(derivative, (derivative_error + curvature * moved) * INFLATION + TINY),
    )


def _horner(coefficients: Array, errors: Array, exponent: int, x: Array, place: Cells) -> tuple[Array, Array]:
    value = coefficients[-1][place]
    for row in coefficients[-2::-1]:
        value = value * x + row[place]
    return value, (errors + horner_error(coefficients, exponent))[place]


def horner_error(coefficients: Array, exponent: int) -> Array:
    """The rounding of Horner's rule on each cell, (c,); see the module's text."""
    reach = 2.0 ** -(exponent + 1)
    size, error = np.abs(coefficients[-1]), np.zeros_like(coefficients[-1])
    for row in coefficients[-2::-1]:
        below = reach * (size + error)
        size = reach * size + np.abs(row)
        error = reach * error + UNIT_ROUNDOFF * INFLATION * (below + size + reach * error) + TINY
    return np.asarray(error * INFLATION)
