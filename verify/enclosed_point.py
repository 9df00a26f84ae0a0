"""A point of a run with every number proved: enclosed signals, rounded outward to decimals that a certificate can state.

The decimals are the theorem's input. Each is a true bound (of a norm, an eigenvalue, a residual), so the theorem may be applied to
exactly these rationals, and whoever reads the certificate evaluates it at the same ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.enclosed import EnclosedActivation, EnclosedSnapshot, newton_step_above
from numerics.errors import NumericsError
from numerics.midrad import MidRad, added, hadamard, square_root, subtracted
from numerics.taylor import TaylorTable, cells_of, evaluate
from theorems.activations import Activation
from theorems.arithmetic import BALL, ball, exactly, upper, working_precision
from theorems.errors import InputError
from theorems.losses import Loss
from theorems.records import evaluate_expression
from theorems.taylor import CellSeries, taylor_cells
from verify.rigor import decimal_above, decimal_below, float_above

Array = NDArray[np.float64]

NORM_DIGITS = 12
# sup|phi'| and sup|phi''| are stated a little larger than proved, so that a checker that looks at the range in question only, by
# other means, need not bisect down to the last digit where the supremum is attained.
SUPREMUM_DIGITS = 7
SUPREMUM_ROOM = Fraction(1, 10**6)
SUPREMUM_FLOOR = Fraction(1, 10**30)

EXPONENTS = (6, 8, 10, 12)  # cells of width 2^-6 and narrower, tried until the table is as accurate as doubles allow
MOST_CELLS = 1 << 15
ACCURATE = 2.0**-46  # relative to the largest value of phi on the cells


@dataclasses.dataclass(frozen=True)
class ExactBounds:
    """What is stated about one theta, all decimals: upper bounds, but ``lambda0``, a lower bound of lambda_min(K).

    Shapes as in ``theorems.ball.SignalsAtPoint``. mu, smoothness: constants of the loss. residual >= sqrt(2 (J - h*)/mu).
    newton_step >= |DF^+ e|, e = F - argmin; None where there is no bound. It belongs to Theorem N, not to the certificate.
    """

    slope: Decimal
    curvature: Decimal
    operator_norms: tuple[Decimal, ...]
    forward_norms: tuple[tuple[Decimal, ...], ...]
    gram_norms: tuple[Decimal, ...]
    schur: Decimal
    backward_sup: tuple[tuple[Decimal, ...], ...]
    backward_norms: tuple[tuple[Decimal, ...], ...]
    mu: Decimal
    smoothness: Decimal
    lambda0: Decimal
    lambda_max: Decimal
    residual: Decimal
    newton_step: Decimal | None


def exact_bounds(
    found: EnclosedSnapshot,
    suprema: tuple[Fraction, Fraction],
    mu: Decimal,
    smoothness: Decimal,
    residual: Fraction,
    newton_step: float,
) -> ExactBounds:
    """Round everything outward to decimals. suprema: of |phi'| and |phi''|. Raises NumericsError where a bound is not finite."""

    return ExactBounds(
        slope=stated_supremum(suprema[0]),
        curvature=stated_supremum(suprema[1]),
        gram_norms=_row(found.gram_norms.tolist()),
        schur=_above(found.schur),
        **norm_decimals(found),
        mu=mu,
        smoothness=smoothness,
        lambda0=decimal_below(_finite(found.lambda_min), NORM_DIGITS),
        lambda_max=_above(found.lambda_max),
        residual=decimal_above(residual, NORM_DIGITS),
        newton_step=_above(newton_step) if newton_step < np.inf else None,
    )


def norm_decimals(found: EnclosedSnapshot) -> dict[str, Any]:
    """The norms that do not depend on the measure on the points, rounded up. Raises NumericsError where one is not finite."""
    layers = len(found.operator_norms)
    ones = tuple(Decimal(1) for _ in found.backward_norms[layers - 1])
    return {
        "operator_norms": _row(found.operator_norms.tolist()),
        "forward_norms": tuple(_row(values) for values in found.forward_norms.tolist()),
        "backward_sup": tuple(_row(values) for values in found.backward_sup.tolist()),
        "backward_norms": (*(_row(values) for values in found.backward_norms[: layers - 1].tolist()), ones),
    }


def _above(value: float) -> Decimal:
    return decimal_above(_finite(value), NORM_DIGITS)


def _row(values: Iterable[float]) -> tuple[Decimal, ...]:
    return tuple(_above(value) for value in values)


def stated_supremum(proved: Fraction) -> Decimal:
    """The supremum as a certificate states it: a little larger, and positive."""
    return decimal_above(proved * (1 + SUPREMUM_ROOM) + SUPREMUM_FLOOR, SUPREMUM_DIGITS)


def _finite(value: float) -> Fraction:
    if not np.isfinite(value):
        raise NumericsError("a bound at these weights is not finite")
    return exactly(value)


def enclosed_activation(phi: Activation, suprema: tuple[Fraction, Fraction]) -> EnclosedActivation:
    """phi and phi' on midpoint-radius arrays, by Taylor tables from ball arithmetic. suprema: of |phi'| and |phi''|, proved."""
    slope, curvature = (float_above(value) for value in suprema)
    known: dict[tuple[int, int], CellSeries] = {}

    def table(z: Array, exponent: int) -> TaylorTable:
        cells = np.unique(cells_of(z, exponent))
        if len(cells) > MOST_CELLS:
            raise NumericsError(f"preactivations spread over more than {MOST_CELLS} cells of the activation's table")
        missing = [j for j in cells.tolist() if (exponent, j) not in known]
        known.update(((exponent, j), cell) for j, cell in zip(missing, taylor_cells(phi, missing, exponent), strict=True))
        series = [known[exponent, j] for j in cells.tolist()]
        return TaylorTable(
            exponent,
            cells,
            values=np.array([cell.values for cell in series]).T.copy(),
            value_errors=np.array([cell.value_error for cell in series]),
            slopes=np.array([cell.slopes for cell in series]).T.copy(),
            slope_errors=np.array([cell.slope_error for cell in series]),
        )

    def enclose(z: MidRad) -> tuple[MidRad, MidRad]:
        if not (np.isfinite(z.mid).all() and np.isfinite(z.radius).all()):
            raise NumericsError("preactivations at these weights are not finite")
        found = table(z.mid, EXPONENTS[0])
        for exponent in EXPONENTS[1:]:
            if _accurate(found.values, found.value_errors) and _accurate(found.slopes, found.slope_errors):
                break
            found = table(z.mid, exponent)
        return evaluate(found, z, slope, curvature)

    return enclose


def _accurate(coefficients: Array, errors: Array) -> bool:
    return bool(errors.max(initial=0.0) <= ACCURATE * np.abs(coefficients[0]).max(initial=0.0))


def residual_above(chosen: Loss, outputs: MidRad, offsets: Array, targets: Array, sample_weights: Array, mu: Decimal) -> Fraction:
    """An upper bound of sqrt(2 (J - h*)/mu), in balls, from enclosed outputs; h* = sum nu_i min loss(., t_i).

    outputs, offsets, targets: (n, k). Raises NumericsError where the loss cannot be enclosed.
    """
    with working_precision():
        minima = {target: chosen.minimum(target).lower for target in np.unique(targets).tolist()}
        total = BALL.constant(Fraction(0))
        columns = (outputs.mid, outputs.radius, offsets, targets)
        for i, weight in enumerate(sample_weights.tolist()):
            for middle, radius, offset, target in zip(*(array[i].tolist() for array in columns), strict=True):
                y = _around(middle, radius) - BALL.constant(exactly(offset))
                gap = evaluate_expression(chosen.expression, {"y": y, "t": BALL.constant(exactly(target))}, BALL)
                total = total + BALL.constant(exactly(weight)) * (gap - BALL.constant(minima[target]))
        squared = 2 * total / BALL.constant(Fraction(mu))
        if not squared.is_finite():
            raise NumericsError("the residual at these weights cannot be enclosed")
        return upper(BALL.sqrt(BALL.constant(max(upper(squared), Fraction(0)))))


def newton_step(
    found: EnclosedSnapshot, offsets: Array, minimizers: Array, minimizer_radius: Array, sample_weights: Array
) -> float:
    """|DF^+ e| in L2(nu), from above, for e = f - offsets - minimizers, (n, k), the minimizers known up to a radius."""
    target = added(MidRad(offsets), MidRad(minimizers, minimizer_radius))
    root = square_root(sample_weights[:, None])
    error = hadamard(subtracted(found.outputs, target), root)
    return newton_step_above(found.kernel, found.lambda_min, error.reshape(-1, 1))


def _around(middle: float, radius: float) -> Any:
    value, spread = exactly(middle), _finite(radius)
    return ball(value - spread, value + spread)


def loss_decimals(mu: Fraction, smoothness: Fraction) -> tuple[Decimal, Decimal]:
    """mu rounded down and L rounded up: constants of the same loss, short enough to be stated. Raises InputError for mu <= 0."""
    low, high = decimal_below(mu, 17), decimal_above(smoothness, 17)
    if low <= 0:
        raise InputError(f"mu must be positive, got {float(mu)!r}")
    return low, high
