"""The largest second derivative of the network at a point: a search, which yields lower bounds of the Lipschitz constant of DF.

On every ball about theta, beta >= sup |D^2 F(theta)[v, w]| over unit v, w. The supremum over unit v, w, u of the trilinear form
T(v, w, u) = <D^2 F(theta)[v, w], u> in L2(nu; R^k) is ascended one argument at a time: with the others fixed the best u is
D^2 F[v, w] and the best w is H_u v, each divided by its norm, H_u the Hessian of <F, u>. No step lowers T, and every value of it
is a lower bound of beta, converged or not; a better one may always have been missed.

Second derivatives are central differences of Jacobian products, along a unit vector and with a step that moves no preactivation
by more than the scale on which the activation bends; what halving that step changes is the error that is reported.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.activations import ActivationKernel
from numerics.blas import single_threaded_blas
from numerics.errors import NumericsError
from numerics.jacobian_products import jacobian_vector, vector_jacobian
from numerics.network import Architecture

Array = NDArray[np.float64]

SETTLED = 1e-3  # relative growth of T in a round below which the ascent ends
PASSES_PER_ROUND = 6  # products with a Jacobian


@dataclass(frozen=True)
class Curvature:
    """The largest |D^2 F(theta)[v, w]| that was found, unit v and w.

    value: in L2(nu; R^k). error: estimate of its numerical error, absolute. first, second: v and w, of theta's shape.
    """

    value: float
    error: float
    first: Array
    second: Array


@dataclass(frozen=True)
class SecondDerivative:
    """D^2 F at theta as a trilinear form; inputs (n, d), sample_weights nu (n,), difference: the step of the differences."""

    architecture: Architecture
    activation: ActivationKernel
    theta: Array
    inputs: Array
    sample_weights: Array
    difference: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.difference) and self.difference > 0):
            raise NumericsError(f"difference must be a positive number, got {self.difference!r}")

    def along(self, first: Array, second: Array) -> Array:
        """D^2 F[v, w], (n, k)."""
        ahead, behind = self.theta + self.difference * second, self.theta - self.difference * second
        moved = [jacobian_vector(self.architecture, self.activation, at, self.inputs, first) for at in (ahead, behind)]
        return np.asarray((moved[0] - moved[1]) / (2 * self.difference))

    def hessian_vector(self, function: Array, direction: Array) -> Array:
        """H_u v of theta's shape, H_u the Hessian of <F, u> with u = ``function``, (n, k); zero in untrained layers."""
        moved = []
        for at in (self.theta + self.difference * direction, self.theta - self.difference * direction):
            found = vector_jacobian(self.architecture, self.activation, at, self.inputs, self.sample_weights, function)
            moved.append(found)
        return np.asarray((moved[0] - moved[1]) / (2 * self.difference))

    def norm(self, function: Array) -> float:
        """The norm of L2(nu; R^k)."""
        return math.sqrt(float(np.einsum("i,io,io->", self.sample_weights, function, function)))


def largest_curvature(form: SecondDerivative, starts: tuple[Array, ...], rounds: int) -> Curvature:
    """Ascend from each start, a direction of theta's shape, and return the best.

    rounds: at most so many per start, of PASSES_PER_ROUND Jacobian products each. Raises NumericsError for no start, and for
    starts that are not finite.
    """
    if not starts or rounds < 1:
        raise NumericsError(f"a search needs a start and a round, got {len(starts)} starts and {rounds} rounds")
    finer = dataclasses.replace(form, difference=form.difference / 2)
    with single_threaded_blas():
        found = max((_ascend(form, start, rounds) for start in starts), key=lambda one: one.value)
        again = finer.norm(finer.along(found.first, found.second))
    return dataclasses.replace(found, error=abs(found.value - again))


def _ascend(form: SecondDerivative, start: Array, rounds: int) -> Curvature:
    first = second = _unit(_trained(form.architecture, start))
    image = form.along(first, second)
    value = form.norm(image)
    if not value > 0:  # D^2 F[v, v] = 0: any function will do to leave v
        image = np.ones_like(image)
    for _ in range(rounds):
        function = image / form.norm(image)
        second = _unit(form.hessian_vector(function, first))
        first = _unit(form.hessian_vector(function, second))
        image = form.along(first, second)
        before, value = value, form.norm(image)
        if not value > 0 or value - before <= SETTLED * value:
            break
    return Curvature(value, math.nan, first, second)


def _unit(direction: Array) -> Array:
    length = float(np.linalg.norm(direction))
    return direction / length if length > 0 else direction


def _trained(architecture: Architecture, direction: Array) -> Array:
    """The direction with its entries in untrained layers set to 0."""
    kept = direction.copy()
    for layer, moves in enumerate(architecture.trained, start=1):
        if not moves:
            architecture.layer(kept, layer)[...] = 0.0
    return kept
