"""A composite problem as exact data: everything is a double and stands for the real number that it is.

    J(theta) = h(F(theta) - target),   F_i(theta) = sigma_i theta_i + theta^T Q_i theta/2 - [i = 0] B max(0, theta_0 - c)^2/2,

theta in R^p, p >= n, theta_0 = 0 at the start. That A = (diag(sigma), 0) is diagonal loses no generality for the square loss: the
theorems see a map only up to rotations of both spaces. The last term, the kink, is absent or begins at c >= R: inside B(R) the map
is quadratic and DF has Lipschitz constant sup |Q u|, outside anything may happen, and it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verify.falsify.bowls import Bowl

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Kink:
    """Where the map stops being quadratic (``place`` c) and how hard it bends there (``steepness`` B)."""

    place: float
    steepness: float


@dataclass(frozen=True, eq=False)
class CompositeInstance:
    """One problem, one step size, one ball, and a number of steps.

    singular: sigma, (n,). tensor: Q, (n, p, p), each Q_i symmetric. kink: or None. bowl: h. target: (n,). beta: the declared
    Lipschitz constant of DF on B(radius). step_size: eta. steps: how many are run. epsilon, error: size and kind of the gradient's
    error, of which "against" and "with" are along the gradient, "away" along theta and "aside" along the last coordinate.
    """

    singular: tuple[float, ...]
    tensor: Array
    kink: Kink | None
    bowl: Bowl
    target: tuple[float, ...]
    beta: float
    step_size: float
    radius: float
    steps: int
    epsilon: float = 0.0
    error: str = "none"

    @property
    def outputs(self) -> int:
        """The number n of outputs."""
        return len(self.singular)

    @property
    def parameters(self) -> int:
        """The number p of parameters."""
        return int(self.tensor.shape[1])

    @property
    def is_decoupled(self) -> bool:
        """Whether output i depends on theta_i alone, as sigma_i theta_i - b_i theta_i^2/2."""
        diagonal = np.zeros_like(self.tensor)
        index = np.arange(self.outputs)
        diagonal[index, index, index] = self.tensor[index, index, index]
        return bool(np.array_equal(diagonal, self.tensor))

    def exact_values(self) -> dict[str, Fraction]:
        """The symbols of the statements, apart from s_0 and those of a run."""
        return {
            "L": Fraction(self.bowl.smoothness),
            "mu": Fraction(self.bowl.mu),
            "lambda0": min(Fraction(x) ** 2 for x in self.singular),
            "lambda_max": max(Fraction(x) ** 2 for x in self.singular),
            "beta": Fraction(self.beta),
            "eta": Fraction(self.step_size),
            "R": Fraction(self.radius),
            "epsilon": Fraction(self.epsilon),
        }

    def as_json(self) -> dict[str, Any]:
        """The data, for a document."""
        bowl = self.bowl
        return {
            "singular_values": list(self.singular),
            "quadratic": self.tensor.tolist(),
            "kink": None if self.kink is None else {"place": self.kink.place, "steepness": self.kink.steepness},
            "loss": {
                "weights": list(bowl.weights),
                "log_cosh": bowl.log_cosh,
                "pseudo_huber": bowl.pseudo_huber,
                "sine_squared": bowl.sine_squared,
                "L": bowl.smoothness,
                "mu": bowl.mu,
            },
            "target": list(self.target),
            "beta": self.beta,
            "step_size": self.step_size,
            "radius": self.radius,
            "steps": self.steps,
            "gradient_error": {"kind": self.error, "size": self.epsilon},
        }


def lipschitz(tensor: Array) -> float:
    """A bound in floats of sup |Q u| over unit u: the norm of Q as a matrix of shape (n, p p), or of shape (p, n p)."""
    flat = np.linalg.norm(tensor.reshape(len(tensor), -1), 2)
    tall = np.linalg.norm(tensor.transpose(1, 0, 2).reshape(tensor.shape[1], -1), 2)
    return float(min(flat, tall))


def broken_premises(instance: CompositeInstance) -> list[str]:
    """What the instance declares and is not proved to have; empty when all is proved. At the working precision of balls."""
    broken = [] if instance.bowl.declares_the_truth() else ["h has the constants L and mu"]
    if instance.kink is not None and not (instance.kink.place >= instance.radius and instance.kink.steepness >= 0):
        broken.append("F is quadratic on B(R)")
    if not np.array_equal(instance.tensor, instance.tensor.transpose(0, 2, 1)):
        broken.append("Q is symmetric")
    tall = instance.tensor.transpose(1, 0, 2)
    unfolded = (instance.tensor.reshape(instance.outputs, -1), tall.reshape(instance.parameters, -1))
    if not any(_norm_at_most(matrix, instance.beta) for matrix in unfolded):
        broken.append("DF is beta-Lipschitz on B(R)")
    positive = (*instance.singular, instance.step_size, instance.radius)
    if not min(positive) > 0 or instance.parameters < instance.outputs:
        broken.append("singular values, step and radius are positive and p >= n")
    return broken


def _norm_at_most(matrix: Array, bound: float) -> bool:
    """Whether |matrix| <= bound is proved: no pivot of bound^2 I - M M^T is negative (a row of zeros may have none)."""
    rows = [row for row in matrix if np.any(row)]
    pivots = [[arb(0)] * len(rows) for _ in rows]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            product = sum((arb(a) * arb(b) for a, b in zip(one, other, strict=True)), arb(0))
            pivots[i][j] = (arb(bound) ** 2 if i == j else arb(0)) - product
    for k in range(len(rows)):
        if len(rows) - k == 1 or all(pivots[k][j].is_zero() for j in range(k + 1, len(rows))):
            if not pivots[k][k] >= 0:
                return False
            continue
        if not pivots[k][k] > 0:
            return False
        for i in range(k + 1, len(rows)):
            share = pivots[i][k] / pivots[k][k]
            for j in range(k + 1, len(rows)):
                pivots[i][j] = pivots[i][j] - share * pivots[k][j]
    return True
