"""Points that a problem does not train on: the other rows of its source, labeled and scaled by the same map."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.data import Array, EligibleRows, eligible_rows
from verify.errors import ProblemError
from verify.fields import integer
from verify.options import DataOptions, LossOptions

FRESH_POINTS = 1000


@dataclass(frozen=True)
class HeldOut:
    """What ``load_data`` leaves: inputs (m, d), targets (m, k) and source_rows (m,), as in ``Dataset``.

    assumption: what it takes to read these and the points of the problem as independent draws from one law.
    """

    inputs: Array
    targets: Array
    source_rows: NDArray[np.int64]
    assumption: str

    @property
    def points(self) -> int:
        """The number m of points."""
        return len(self.inputs)


def held_out(options: DataOptions, loss: LossOptions | None = None, fresh: int = FRESH_POINTS) -> HeldOut:
    """Return the eligible rows of the source that the problem does not take.

    The scaling is that of ``load_data``: mean and variance of a feature over all eligible rows, taken or not. It does not depend on
    which rows are taken, and theta0 is drawn without the data, so H1 needs no more than that the rows are independent draws and
    the scaling is read as a fixed map. Held-out points may be equal to each other or to points of the problem.
    loss: as for ``load_data``; a column of sample weights is no feature.
    fresh: how many further points are drawn where the source is a law. Raises ProblemError as ``load_data`` does, and where no row
    is left.
    """
    drawn = options
    if options.kind == "law":
        drawn = dataclasses.replace(options, points=options.points + integer("fresh", fresh, 1))
    named = loss.weights if loss is not None and isinstance(loss.weights, str) and loss.weights != "balanced" else None
    found = eligible_rows(drawn, named)
    left = found.order[options.points :]
    if not len(left):
        raise ProblemError(
            f"data.points must leave rows to be held out, got {options.points}, all eligible rows of {found.table.what}"
        )
    inputs, targets = found.points(options, left, [])
    return HeldOut(inputs, targets, found.rows[left], _assumption(found, options))


def _assumption(found: EligibleRows, options: DataOptions) -> str:
    if found.table.scaled_in_law:
        return f"the points are independent draws from {found.table.what}"
    if options.normalize == "none":
        return f"the rows of {found.table.what} are independent draws from one law"
    return (
        f"the rows of {found.table.what} are independent draws from one law, and the scaling, computed from all "
        f"{len(found.rows)} eligible rows, is a fixed map"
    )
