"""Losses with values in [0, b] by which a trained network is judged on unseen data: the training loss, clipped, and the ramp.

H1 and H2 speak of any such loss, whatever the network was trained with; it, its range and its margin are chosen before the sample
is seen. Slopes are rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics import losses as loss_kernels
from theorems.errors import InputError
from verify.errors import ProblemError
from verify.fields import positive
from verify.minimizers import minimizers
from verify.setup import Setup

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluatedLoss:
    """A loss of outputs and targets, (n, k) each, with one value in [0, largest] for each point.

    slope: its Lipschitz constant in the output, Euclidean norm of R^k. label_slope: in the target; infinite where none is known, so
    that points with different targets cost ``largest``. values: (outputs, targets) -> (n,).
    """

    name: str
    largest: float
    slope: float
    label_slope: float
    values: Callable[[Array, Array], Array]


def clipped_loss(setup: Setup, largest: float = 0.5) -> EvaluatedLoss:
    """The problem's loss less its infimum, summed over the outputs and clipped at b = ``largest``: sqrt(2 L b)-Lipschitz.

    For the square loss and targets +-1, b = 1/2 is the loss of the constant prediction 0, so that a bound below b says more than
    that prediction does. L is the loss's smoothness constant for the targets of the problem; where it depends on the
    targets, theirs must be the only ones. Raises ProblemError for a loss without L, or a range that is not positive.
    """
    b = positive("largest", largest)
    if setup.loss_constants is None:
        raise ProblemError(f"the loss {setup.loss.name!r} must have a smoothness constant to be clipped and bounded on unseen data")
    smoothness, chosen, kernel = setup.smoothness, setup.loss, setup.loss_kernel

    def values(outputs: Array, targets: Array) -> Array:
        try:
            known = chosen.constants(targets.ravel().tolist())
        except InputError as error:
            raise ProblemError(f"the loss does not allow the held-out targets: {error}") from None
        if float(known.smoothness.upper) > smoothness:
            raise ProblemError("the loss has a larger smoothness constant at the held-out targets than at those of the problem")
        gaps, _ = loss_kernels.evaluate(kernel, outputs, targets, minimizers(chosen, targets, True))
        return np.asarray(np.clip(gaps.sum(axis=1), 0.0, b))

    slope = math.nextafter(math.sqrt(2 * smoothness * b) * (1 + 2.0**-50), math.inf)
    return EvaluatedLoss(
        name=f"the {chosen.name} loss clipped at {b:g}",
        largest=b,
        slope=slope,
        label_slope=slope if chosen.is_square else math.inf,
        values=values,
    )


def ramp_loss(margin: float = 1.0) -> EvaluatedLoss:
    """clip(1 - y sign(t)/margin, 0, 1) for one output and two classes: at least the share of points on the wrong side of 0.

    Raises ProblemError for a margin that is not positive; its ``values`` for several outputs or a target 0.
    """
    gamma = positive("margin", margin)

    def values(outputs: Array, targets: Array) -> Array:
        if targets.shape[1] != 1 or not targets.all():
            raise ProblemError(
                f"the ramp loss wants one output and targets of two signs, got {targets.shape[1]} outputs"
                f"{' and a target 0' if not targets.all() else ''}"
            )
        return np.asarray(np.clip(1 - np.sign(targets[:, 0]) * outputs[:, 0] / gamma, 0.0, 1.0))

    return EvaluatedLoss(
        name=f"the ramp loss with margin {gamma:g}",
        largest=1.0,
        slope=math.nextafter(1 / gamma, math.inf),
        label_slope=math.inf,
        values=values,
    )
