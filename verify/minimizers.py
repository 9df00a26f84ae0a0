"""Where a loss is least, for each target."""

from __future__ import annotations

import math

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT
from theorems.losses import Loss
from theorems.records import evaluate_expression
from verify.errors import ProblemError

SHOWN_RANGE = (-50.0, 50.0)
FLAT = 1e-6  # what a bounded loss may still gain beyond SHOWN_RANGE


def minimizers(chosen: Loss, targets: NDArray[np.float64], certifiable: bool) -> NDArray[np.float64]:
    """argmin_y loss(y, t) for each target; for a loss without L and mu, whose residual is only shown, sought on SHOWN_RANGE."""

    def enclosed(target: float) -> float:
        enclosure = chosen.minimizer(target)
        return float((enclosure.lower + enclosure.upper) / 2)

    def sought(target: float) -> float:
        def value(y: float) -> float:
            found = float(evaluate_expression(chosen.expression, {"y": y, "t": target}, FLOAT))
            return found if math.isfinite(found) else math.inf

        low, high = SHOWN_RANGE
        if min(value(2 * low), value(2 * high)) < min(value(low), value(high), value(target)) - FLAT:
            raise ProblemError(
                f"loss.name: {chosen.name} seems to have no lower bound in y for the target {target:g}; a loss needs one"
            )
        return float(scipy.optimize.minimize_scalar(value, bounds=SHOWN_RANGE, method="bounded").x)

    found = {float(target): enclosed(target) if certifiable else sought(target) for target in map(float, np.unique(targets))}
    return np.array([[found[target] for target in row] for row in targets.tolist()])
