"""Loss kernels, and the loss gap without cancellation.

A certificate lives on the gap l(y, t) - l(y*, t) between a prediction y and the minimizer y* of l(., t), down to residuals where
the two losses agree in every digit. The gap is therefore not computed as a difference but, with e = y - y* and l'(y*, t) = 0, as

    l(y, t) - l(y*, t) = int_0^e (e - u) l''(y* + u, t) du,

by Gauss-Legendre panels that adapt to the loss. For the square loss it is e^2/2, exactly.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics._jit import jit
from numerics.errors import NumericsError
from numerics.interpreter import BLOCK, Instructions, assemble, run_block

SQUARE = 0
PROGRAM = -1

#: Nodes of the quadrature that is used, and of the coarser one that it is compared with.
FINE_NODES, COARSE_NODES = 16, 8
#: A panel is accepted when the two agree to this relative accuracy. For an analytic integrand the error of the N-point rule falls
#: like rho^(-2N), so twice the nodes square it: 1e-8 between the rules means about 1e-16 for the finer one.
AGREEMENT = 1.0e-8
#: Beyond this many panels the interval is so long, against the scale on which l'' varies, that the plain difference
#: l(y) - l(y*) is well conditioned and is taken instead.
MOST_PANELS = 256


class LossKernel(NamedTuple):
    """loss(y, t), its first and second derivative in y: SQUARE, (y - t)^2/2, or PROGRAM with its arrays and three registers."""

    code: int
    operations: NDArray[np.int64]
    constants: NDArray[np.float64]
    loss_register: int
    slope_register: int
    curvature_register: int


def square_loss() -> LossKernel:
    """(y - t)^2/2, whose minimizer is t."""
    return LossKernel(SQUARE, np.zeros((1, 3), dtype=np.int64), np.zeros(1), 0, 0, 0)


def program_loss(instructions: Instructions, outputs: Sequence[int]) -> LossKernel:
    """The kernel of a program with inputs (y, t) and outputs (loss, loss', loss''); see ``interpreter.assemble``."""
    if len(outputs) != 3:
        raise NumericsError(f"outputs must be three registers (loss, loss', loss''), got {tuple(outputs)}")
    operations, constants = assemble(instructions, outputs, inputs=2)
    return LossKernel(PROGRAM, operations, constants, int(outputs[0]), int(outputs[1]), int(outputs[2]))


def workspace_shape(kernel: LossKernel) -> tuple[int, int]:
    """The shape of the float64 workspace that ``gap_and_slope`` needs."""
    return (len(kernel.operations), BLOCK) if kernel.code == PROGRAM else (1, 1)


@functools.cache
def quadrature() -> NDArray[np.float64]:
    """Row 0: the fine, then the coarse Gauss-Legendre nodes on [0, 1]; row 1: their weights."""
    rules = [np.polynomial.legendre.leggauss(count) for count in (FINE_NODES, COARSE_NODES)]
    nodes = np.concatenate([0.5 * (rule[0] + 1.0) for rule in rules])
    weights = np.concatenate([0.5 * rule[1] for rule in rules])
    return np.ascontiguousarray(np.stack([nodes, weights]))


def evaluate(
    kernel: LossKernel,
    predictions: NDArray[np.float64],
    targets: NDArray[np.float64],
    minimizers: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(gaps, slopes), entrywise: l(y, t) - l(y*, t) and l'(y, t), for three arrays of one shape.

    A y equal to its minimizer has gap 0. For the square loss the minimizers must be the targets, and are not read.
    """
    arrays = [np.ascontiguousarray(a, dtype=np.float64) for a in (predictions, targets, minimizers)]
    if arrays[0].shape != arrays[1].shape or arrays[0].shape != arrays[2].shape:
        raise NumericsError(f"predictions, targets and minimizers must have one shape, got {[array.shape for array in arrays]}")
    gaps, slopes = np.empty(arrays[0].size), np.empty(arrays[0].size)
    y, t, minimum = (array.ravel() for array in arrays)
    gap_and_slope(*kernel, y, t, minimum, gaps, slopes, quadrature(), np.empty(workspace_shape(kernel)))
    return gaps.reshape(arrays[0].shape), slopes.reshape(arrays[0].shape)


@jit
def _panel(operations, constants, curvature_register, minimizer, e, begin, length, rule, points, workspace):  # type: ignore[no-untyped-def]
    """int (e - u) l''(y* + u, t) du over u in [begin, begin + length], by both rules: (fine, coarse)."""
    nodes = rule.shape[1]
    for j in range(nodes):
        points[0, j] = minimizer + (begin + length * rule[0, j])
    # The last two columns of points are y and y*: their losses and slopes come with the first panel at no cost.
    run_block(operations, constants, points, np.int64(0), nodes + 2, workspace)
    fine = 0.0
    coarse = 0.0
    for j in range(nodes):
        term = rule[1, j] * ((e - begin) - length * rule[0, j]) * workspace[curvature_register, j]
        if j < FINE_NODES:
            fine += term
        else:
            coarse += term
    return fine * length, coarse * length


@jit
def _integrated_gap(operations, constants, curvature_register, minimizer, e, rule, points, workspace):  # type: ignore[no-untyped-def]
    """The gap by panels that halve where the rules disagree and double where they agree; (gap, whether e was reached).

    The first panel is at most 1 long: on a long one both rules could miss a peak of l'' at the minimizer and agree.
    """
    begin = 0.0
    length = min(1.0, abs(e)) * np.sign(e)
    gap = 0.0
    for _ in range(MOST_PANELS):
        last = abs(length) >= abs(e - begin)
        if last:
            length = e - begin
        fine, coarse = _panel(operations, constants, curvature_register, minimizer, e, begin, length, rule, points, workspace)
        if abs(fine - coarse) <= AGREEMENT * abs(fine):
            gap += fine
            if last:
                return gap, True
            begin += length
            length *= 2.0
        else:
            length *= 0.5
    return gap, False


@jit
def gap_and_slope(  # type: ignore[no-untyped-def]
    code, operations, constants, loss_register, slope_register, curvature_register, y, t, minimizers, gaps, slopes, rule, workspace
):
    """Fill gaps and slopes for contiguous vectors y, t, minimizers of one length; rule from ``quadrature``."""
    if code == SQUARE:
        for i in range(y.size):
            e = y[i] - t[i]
            gaps[i] = 0.5 * e * e
            slopes[i] = e
        return
    nodes = rule.shape[1]
    points = np.empty((2, nodes + 2))
    for i in range(y.size):
        points[0, nodes] = y[i]
        points[0, nodes + 1] = minimizers[i]
        points[1, :] = t[i]
        gap, reached = _integrated_gap(
            operations, constants, curvature_register, minimizers[i], y[i] - minimizers[i], rule, points, workspace
        )
        slopes[i] = workspace[slope_register, nodes]
        difference = workspace[loss_register, nodes] - workspace[loss_register, nodes + 1]
        gaps[i] = gap if reached else difference
