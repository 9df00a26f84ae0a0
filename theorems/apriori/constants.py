"""The quantities of Theorem A before any weight is drawn, and a radius at which the theorem applies.

On the events of the budget, lambda0, lambda_max, s_0 and beta(R) below bound the network's own numbers from the side on which
Theorem A's conclusions are monotone: (H3) with lambda0 holds with every smaller value, (H2) and (H4) with every larger beta and
Lambda, and a larger s_0 makes q, the radius and every bound along the run larger. So the theorem applies with these numbers to
every network on the events.

Radius for the square loss. For 0 < q* <= 1 let R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)), the length of the path at q = q*. If
q(R*) = 2 beta(R*) s_0/lambda0 < q*, the radius of the path, which increases with q, is less than R*: the theorem applies on
B(R*). Every radius that certifies is covered by some q* in this way (``threshold.best_width``), and ``settled_radius`` looks for
the smallest from above.

s_0. For an L-smooth h with minimizer y*, s^2 = 2 (h(f) - h*)/mu <= (L/mu)|f - y*|_nu^2; so s_0 <= sqrt(L/mu)(|y*|_nu +
|f_0|_nu), |f_0|_nu = 0 for a centered network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theorems.apriori.blueprint import Blueprint
from theorems.apriori.budget import Budget, budget, event_counts
from theorems.apriori.data import AtStart, Moments, Points, at_start, beta_on_ball, initial_output
from theorems.apriori.eigenvalue import Chernoff, Granted, lambda_start
from theorems.arithmetic import Arithmetic
from theorems.errors import InputError


@dataclass(frozen=True)
class Prior:
    """Everything that is known beforehand.

    data: moments or points; ``sampled`` says that the moments are bounds which hold with the budget's share for points drawn
    from a law. label_norm: |y*|_nu, y* the minimizer of h; for the square loss the labels' root mean square. eigenvalue:
    lambda0 as a hypothesis or by the matrix Chernoff bound; ``certain`` says that it holds without failure. smoothness, mu: L
    and mu of the loss. centered: whether the initial function is subtracted. weights: of the budget's shares, by event.
    """

    plan: Blueprint
    data: Moments | Points
    label_norm: Any
    eigenvalue: Granted | Chernoff
    failure_probability: Any
    centered: bool = True
    certain: bool = False
    sampled: bool = False
    smoothness: Any = 1
    mu: Any = 1
    weights: tuple[tuple[str, Any], ...] = ()

    @property
    def shares(self) -> Budget:
        """The budget of the failure probability."""
        if self.certain and isinstance(self.eigenvalue, Chernoff):
            raise InputError("the matrix Chernoff bound holds with a probability: it cannot be certain")
        counts = event_counts(self.plan, centered=self.centered, eigenvalue=not self.certain, sampled=self.sampled)
        return budget(counts, self.failure_probability, dict(self.weights))


@dataclass(frozen=True)
class Initial:
    """What holds at theta0 with probability at least 1 - delta: bounds of lambda_max(K_0) and s_0 from above, lambda0 from
    below.
    """

    known: AtStart
    lambda0: Any
    lambda_max: Any
    s0: Any


def initial(prior: Prior, arithmetic: Arithmetic) -> Initial:
    """Evaluate everything that does not depend on the radius."""
    with arithmetic.context():
        shares = prior.shares
        known = at_start(prior.plan, shares, prior.data, arithmetic)
        size = arithmetic.numbers(prior.label_norm)
        if not prior.centered:
            size = size + initial_output(prior.plan, shares, known, arithmetic)
        if prior.smoothness != prior.mu:
            size = size * arithmetic.sqrt(arithmetic.numbers(prior.smoothness) / arithmetic.numbers(prior.mu))
        lambda0 = lambda_start(prior.plan, shares, prior.eigenvalue, arithmetic)
        return Initial(known, lambda0, known.lambda_max, size)


def quantities(prior: Prior, radius: Any, arithmetic: Arithmetic, at: Initial | None = None) -> dict[str, Any]:
    """The quantities of the catalogue's convergence theorems, by name, but for the step size eta."""
    with arithmetic.context():
        at = initial(prior, arithmetic) if at is None else at
        return {
            "L": arithmetic.numbers(prior.smoothness),
            "mu": arithmetic.numbers(prior.mu),
            "lambda0": at.lambda0,
            "lambda_max": at.lambda_max,
            "beta": beta_on_ball(at.known, prior.data, radius, arithmetic),
            "s0": at.s0,
            "R": radius,
        }


def path_radius(at: Initial, target: Any, arithmetic: Arithmetic) -> Any:
    """R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)) for q* = ``target`` in (0, 1]."""
    with arithmetic.context():
        slack = arithmetic.sqrt(1 - arithmetic.numbers(target))
        return 2 * at.s0 / (arithmetic.sqrt(at.lambda0) * (1 + slack))


def quotient(prior: Prior, arithmetic: Arithmetic, target: Any = 1) -> Any:
    """q(R*) = 2 beta(R*) s_0/lambda0 for the square loss: below ``target`` it certifies every network on the events.

    NaN, or infinite, where lambda0 is not positive.

    Raises InputError for a loss with L > mu, for which the radius depends on the step: use a theorem of the catalogue with
    ``quantities``.
    """
    if prior.smoothness != prior.mu:
        raise InputError(f"the quotient is that of the square loss, got L = {prior.smoothness}, mu = {prior.mu}")
    with arithmetic.context():
        at = initial(prior, arithmetic)
        radius = path_radius(at, target, arithmetic)
        beta = beta_on_ball(at.known, prior.data, radius, arithmetic)
        sigma0 = arithmetic.sqrt(at.lambda0)  # NaN for a negative lambda0, which must not give a negative q
        return 2 * beta * at.s0 / (sigma0 * sigma0)


def settled_radius(prior: Prior, arithmetic: Arithmetic, rounds: int = 8) -> Any:
    """A radius in doubles on which the theorem applies with a smaller q than on B(R*): rbar(beta(R)) from R* down, while it falls.

    The last R is just above rbar(beta(R)), up to a factor 1 + 2^-20 that leaves room for rounding. NaN where q(R*) is not below 1.
    """
    with arithmetic.context():
        at = initial(prior, arithmetic)
        radius, sigma0 = path_radius(at, 1, arithmetic), arithmetic.sqrt(at.lambda0)
        for _ in range(rounds):
            q = 2 * beta_on_ball(at.known, prior.data, radius, arithmetic) * at.s0 / (sigma0 * sigma0)
            exit_radius = 2 * at.s0 / (sigma0 * (1 + arithmetic.sqrt(1 - q)))
            radius = arithmetic.minimum(radius, exit_radius * (1 + arithmetic.numbers(1) / 2**20))
        return radius
