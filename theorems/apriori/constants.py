"""The quantities of Theorem A before any weight is drawn, and a radius at which the theorem applies.

On the events of the budget, lambda0, lambda_max, s_0 and beta(R) below bound the network's own numbers from the side on which
Theorem A's conclusions are monotone: (H3) with lambda0 holds with every smaller value, (H2) and (H4) with every larger beta and
Lambda, and a larger s_0 makes q, the radius and every bound along the run larger. So the theorem applies with these numbers to
every network on the events.

Radius for the square loss. For 0 < q* <= 1 let R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)), the length of the path at q = q*. If
q(R*) = 2 beta(R*) s_0/lambda0 < q*, the radius of the path, which increases with q, is less than R*: the theorem applies on
B(R*). Every radius that certifies is covered by some q* in this way (``threshold.best_width``), and ``settled_radius`` looks for
the smallest from above.

Any other loss, L >= mu. Write q(R) = 2 beta(R) s_0/lambda0 and rbar(R) = (2 s_0/sigma0)/(1 + sqrt(1 - q(R))) still: the numbers
of gradient flow. **Lemma.** (i) If q(R) < q* <= 1 and R > rbar(R), Theorem A0 applies on B(R) with q0 < q* at every small enough
step. (ii) If one of the Theorems A, A+, A0 applies on B(R) with its quotient below q*, whatever the step and lambda0' <= lambda0,
then q(R) < q* and R > rbar(R). So with the step left free what certifies is decided by q(R) alone, for every loss.
The records F (on B(R*), with an explicit step) and F-any-step (on every ball) state it, with the scalar steps of the proof.
Proof. (i) k0 = 1 - eta L_J/2 tends to 1 with eta -> 0, hence q0 = q/k0 to q and rbar0 = (2 s_0/(k0 sigma0))/(1 + sqrt(1 - q0)) to
rbar. (ii) The quotients are 2 beta sqrt(L/mu) s_0/(kappa^2 lambda0'), 2 beta s_0/(kappa sigma~^2) and 2 beta s_0/(k0 lambda0') with
kappa, k0 <= 1 <= L/mu and sigma~ <= sigma0' <= sigma0: none is below q(R). The radii, (2 s_0/(x y))/(1 + sqrt(1 - quotient)) with
x = kappa or k0 and y = sigma0' or sigma~, are not below rbar(R) either. ∎

s_0. s = sqrt(2 (h(f) - h*)/mu) is sqrt(L/mu)-Lipschitz in f, so s_0 <= s(0) + sqrt(L/mu)|f_0|_nu, and for a centered network,
whose f_0 is 0, s_0 = s(0) exactly. Where s(0) is not given, s(0) <= sqrt(L/mu)|y*|_nu, y* the minimizer of h (an equality for the
square loss).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from theorems.apriori.blueprint import Blueprint
from theorems.apriori.budget import Budget, budget, event_counts
from theorems.apriori.data import AtStart, Moments, Points, at_start, beta_on_ball, initial_output
from theorems.apriori.eigenvalue import Chernoff, Granted, lambda_start
from theorems.arithmetic import BALL, Arithmetic, working_precision
from theorems.errors import InputError


@dataclass(frozen=True)
class Prior:
    """Everything that is known beforehand.

    data: moments or points; ``sampled`` says that the moments are bounds which hold with the budget's share for points drawn
    from a law. label_norm: |y*|_nu, y* the minimizer of h; for the square loss the labels' root mean square. eigenvalue:
    lambda0 as a hypothesis or by the matrix Chernoff bound; ``certain`` says that it holds without failure. smoothness, mu: L
    and mu of the loss. centered: whether the initial function is subtracted. weights: of the budget's shares, by event.
    zero_residual: s(0) = sqrt(2 (h(0) - h*)/mu) or an upper bound of it; None for the one by label_norm.
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
    zero_residual: Any = None

    @property
    def is_square(self) -> bool:
        """Whether L = mu: no step costs anything in q."""
        return bool(self.smoothness == self.mu)

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
        size = zero_residual(prior, arithmetic)
        if not prior.centered:
            size = size + _condition(prior, initial_output(prior.plan, shares, known, arithmetic), arithmetic)
        lambda0 = lambda_start(prior.plan, shares, prior.eigenvalue, arithmetic)
        return Initial(known, lambda0, known.lambda_max, size)


def contradiction(prior: Prior) -> str:
    """Why lambda0 is not shown to be the smallest eigenvalue of any kernel, in one sentence, or nothing; decided in balls.

    lambda_min(K_0) <= lambda_max(K_0) <= lambda_max on the events: a granted lambda0 above lambda_max is a hypothesis that no
    network satisfies, and whatever follows from it says nothing.
    """
    with working_precision():
        at = initial(prior, BALL)
        if at.lambda0 <= at.lambda_max or not at.lambda0 > 0:
            return ""
        size, most = (float(x.mid()) for x in (at.lambda0, at.lambda_max))
        return (
            f"lambda0 must be at most lambda_max = {most:.6g}, the a-priori bound of lambda_max(K_0), or no network on the events "
            f"has it, got {size:.6g}"
        )


def zero_residual(prior: Prior, arithmetic: Arithmetic) -> Any:
    """s(0), the residual of the function 0, or its bound sqrt(L/mu)|y*|_nu."""
    with arithmetic.context():
        if prior.zero_residual is not None:
            return arithmetic.numbers(prior.zero_residual)
        return _condition(prior, arithmetic.numbers(prior.label_norm), arithmetic)


def _condition(prior: Prior, size: Any, arithmetic: Arithmetic) -> Any:
    """sqrt(L/mu) times a distance of outputs."""
    if prior.is_square:
        return size
    return size * arithmetic.sqrt(arithmetic.numbers(prior.smoothness) / arithmetic.numbers(prior.mu))


def jacobian_square(values: Mapping[str, Any], arithmetic: Arithmetic) -> Any:
    """Lambda = (sqrt(lambda_max) + beta R)^2, a bound of |DF|^2 on B(R), from the ``quantities`` on that ball."""
    root = arithmetic.sqrt(values["lambda_max"]) + values["beta"] * values["R"]
    return root * root


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


def flow_quotient(beta: Any, s0: Any, lambda0: Any) -> Any:
    """q = 2 beta s_0/lambda0, the quotient of gradient flow; at a step, with kappa lambda0 or k0 lambda0 for lambda0."""
    return 2 * beta * s0 / lambda0


def path_radius(at: Initial, target: Any, arithmetic: Arithmetic) -> Any:
    """R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)) for q* = ``target`` in (0, 1]."""
    with arithmetic.context():
        slack = arithmetic.sqrt(1 - arithmetic.numbers(target))
        return 2 * at.s0 / (arithmetic.sqrt(at.lambda0) * (1 + slack))


def quotient(prior: Prior, arithmetic: Arithmetic, target: Any = 1) -> Any:
    """q(R*) = 2 beta(R*) s_0/lambda0: below ``target`` it certifies every network on the events.

    For the square loss it is Theorem A-square's quotient on B(R*), at every step. For other losses it is below ``target`` iff
    Theorem A0 applies on B(R*) with q0 < target at some step; where it is not, no step makes a quotient of A, A+ or A0 on B(R*)
    less than ``target`` (the module's lemma). NaN, or infinite, where lambda0 is not positive.
    """
    with arithmetic.context():
        at = initial(prior, arithmetic)
        radius = path_radius(at, target, arithmetic)
        beta = beta_on_ball(at.known, prior.data, radius, arithmetic)
        sigma0 = arithmetic.sqrt(at.lambda0)  # NaN for a negative lambda0, which must not give a negative q
        return flow_quotient(beta, at.s0, sigma0 * sigma0)


def settled_radius(prior: Prior, arithmetic: Arithmetic, rounds: int = 8, start: Any = None) -> Any:
    """A radius in doubles on which a smaller q is reached than on B(start): rbar(R) from ``start``, R* by default, down, while it
    falls.

    The last R is just above rbar(R), up to a factor 1 + 2^-20 that leaves room for rounding. NaN where q(start) is not below 1.
    """
    with arithmetic.context():
        at = initial(prior, arithmetic)
        radius, sigma0 = path_radius(at, 1, arithmetic) if start is None else start, arithmetic.sqrt(at.lambda0)
        for _ in range(rounds):
            q = flow_quotient(beta_on_ball(at.known, prior.data, radius, arithmetic), at.s0, sigma0 * sigma0)
            exit_radius = 2 * at.s0 / (sigma0 * (1 + arithmetic.sqrt(1 - q)))
            radius = arithmetic.minimum(radius, exit_radius * (1 + arithmetic.numbers(1) / 2**20))
        return radius
