"""Composite problems made to order: h(F(theta)) with every constant of the convergence theorems known, not estimated.

F is quadratic, so that the Lipschitz constant of DF is a number one can choose, and h has known L and mu. Given a wanted quotient q
and a wanted share of the largest step, beta, the step and the ball are solved for: q = 0.999 with a step of exactly 1/(L Lambda)
is as easy to get as anything else. ``verify.strategies`` draws such problems for hypothesis.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import FLOAT
from theorems.errors import InputError
from theorems.records import Theorem, is_met

Array = NDArray[np.float64]

SOLVER_CYCLES = 300
SOLVER_TOLERANCE = 1e-7  # relative; q is met to about this, the step to rounding


@dataclass(frozen=True)
class Objective:
    """A function h of the residual u = y - t, shape (n,), with min h = h(0) = 0, and its constants mu and L."""

    name: str
    mu: float
    smoothness: float
    value: Callable[[Array], float]
    gradient: Callable[[Array], Array]


@dataclass(frozen=True)
class QuadraticMap:
    """F(theta) = A theta + theta^T Q theta/2 from R^p to R^n: ``linear`` A, shape (n, p), ``quadratic`` Q, shape (n, p, p).

    Each Q_i is symmetric, so DF(theta) = A + Q theta. ``lipschitz`` bounds sup |Q u| over unit u, the Lipschitz constant of DF.
    """

    linear: Array
    quadratic: Array
    lipschitz: float

    def __call__(self, theta: Array) -> Array:
        """F(theta), shape (n,)."""
        value: Array = self.linear @ theta + (self.quadratic @ theta) @ theta / 2
        return value

    def jacobian(self, theta: Array) -> Array:
        """DF(theta), shape (n, p)."""
        value: Array = self.linear + self.quadratic @ theta
        return value


@dataclass(frozen=True, repr=False)
class CompositeProblem:
    """Minimize J(theta) = h(F(theta) - target) from theta0 = 0 with step ``values["eta"]``.

    theorem: the record that the problem was made for. values: every symbol of the record's quantities, so that
    ``theorem.evaluate_constants(values, FLOAT)`` and ``theorem.margins`` apply.
    """

    theorem: Theorem
    map: QuadraticMap
    objective: Objective
    target: Array
    values: dict[str, float]

    def __repr__(self) -> str:
        """Short: hypothesis prints it when a test fails."""
        shape = self.map.linear.shape
        return f"CompositeProblem({self.theorem.id}, {shape}, {self.objective.name}, target={self.target}, values={self.values})"

    def gap(self, theta: Array) -> float:
        """J(theta) - min h."""
        return self.objective.value(self.map(theta) - self.target)

    def gradient(self, theta: Array) -> Array:
        """grad J(theta) = DF(theta)^* grad h, shape (p,)."""
        value: Array = self.map.jacobian(theta).T @ self.objective.gradient(self.map(theta) - self.target)
        return value


def square_objective(size: int, generator: np.random.Generator) -> Objective:
    """h(u) = |u|^2/2."""
    return Objective("square", 1.0, 1.0, lambda u: float(u @ u) / 2, lambda u: u)


def anisotropic_objective(size: int, generator: np.random.Generator) -> Objective:
    """h(u) = u^T H u/2 with a random positive definite H: strongly convex and not a sum over coordinates; L = mu if size = 1."""
    spectrum = 10.0 ** generator.uniform(-1.5, 0.5, size)
    rotation = random_rotation(size, generator)
    hessian = (rotation * spectrum) @ rotation.T
    hessian = (hessian + hessian.T) / 2

    def value(u: Array) -> float:
        return float(u @ hessian @ u) / 2

    return Objective("anisotropic", float(spectrum.min()), float(spectrum.max()), value, lambda u: hessian @ u)


def log_cosh_objective(size: int, generator: np.random.Generator) -> Objective:
    """Sum of log cosh u_i + ridge u_i^2/2: the second derivative is in [ridge, 1 + ridge]."""
    ridge = float(10.0 ** generator.uniform(-1.5, 0.0))

    def value(u: Array) -> float:  # log cosh u = log(1 + 2 sinh(u/2)^2) does not cancel near 0
        return float(np.sum(np.log1p(2 * np.sinh(u / 2) ** 2) + ridge * u**2 / 2))

    return Objective("log-cosh", ridge, 1 + ridge, value, lambda u: np.tanh(u) + ridge * u)


def pseudo_huber_objective(size: int, generator: np.random.Generator) -> Objective:
    """Sum of sqrt(1 + u_i^2) - 1 + ridge u_i^2/2: the second derivative is in [ridge, 1 + ridge]."""
    ridge = float(10.0 ** generator.uniform(-1.5, 0.0))

    def value(u: Array) -> float:
        return float(np.sum(u**2 / (1 + np.sqrt(1 + u**2)) + ridge * u**2 / 2))

    return Objective("pseudo-Huber", ridge, 1 + ridge, value, lambda u: u / np.sqrt(1 + u**2) + ridge * u)


# a -> a PL constant of u^2/2 + a sin(u)^2: just below the infimum of phi'^2/(2 phi), which the tests prove by branch and bound.
# (Karimi, Nutini and Schmidt 2016, section 2.2, have 1/64 for a = 3/2.)
PL_CONSTANTS = {1.5: 0.0877, 1.0: 0.2525}


def nonconvex_objective(size: int, generator: np.random.Generator) -> Objective:
    """Sum of u_i^2/2 + a sin(u_i)^2, a in {1, 3/2}: PL but not convex; the second derivative is in [1 - 2a, 1 + 2a]."""
    a = float(generator.choice(sorted(PL_CONSTANTS)))

    def value(u: Array) -> float:
        return float(np.sum(u**2 / 2 + a * np.sin(u) ** 2))

    return Objective("nonconvex", PL_CONSTANTS[a], 1 + 2 * a, value, lambda u: u + a * np.sin(2 * u))


OBJECTIVES: dict[str, Callable[[int, np.random.Generator], Objective]] = {
    "square": square_objective,
    "anisotropic": anisotropic_objective,
    "log-cosh": log_cosh_objective,
    "pseudo-Huber": pseudo_huber_objective,
    "nonconvex": nonconvex_objective,
}


def random_rotation(size: int, generator: np.random.Generator) -> Array:
    """A random orthogonal matrix (size, size)."""
    q, _ = np.linalg.qr(generator.standard_normal((size, size)))
    return np.asarray(q)


def unit_quadratic(kind: str, outputs: int, parameters: int, generator: np.random.Generator) -> Array:
    """A random tensor Q, shape (n, p, p), with sup |Q u| <= 1 over unit u.

    "blocks": output i bends along coordinate i only, all equally and in the direction that loses rank; sup |Q u| = 1. "rank one":
    Q = w v v^T; sup |Q u| = 1. "dense": the supremum is bounded by the norms of the tensor's unfoldings, (n, p p) and (p, n p).
    """
    if kind == "blocks":
        tensor = np.zeros((outputs, parameters, parameters))
        tensor[range(outputs), range(outputs), range(outputs)] = -1.0
        return tensor
    if kind == "rank one":
        w, v = generator.standard_normal(outputs), generator.standard_normal(parameters)
        return np.asarray(np.einsum("i,j,k", w / np.linalg.norm(w), v, v) / (v @ v))
    tensor = generator.standard_normal((outputs, parameters, parameters))
    tensor = tensor + tensor.transpose(0, 2, 1)
    flat = np.linalg.norm(tensor.reshape(outputs, -1), 2)
    tall = np.linalg.norm(tensor.transpose(1, 0, 2).reshape(parameters, -1), 2)
    return np.asarray(tensor / min(flat, tall))


def broken_hypotheses(problem: CompositeProblem) -> list[str]:
    """The hypotheses whose margin is a finite number on the wrong side; NaN and infinite margins are not applicable."""
    _, margins = _evaluate(problem.theorem, problem.values)
    finite = [item for item in problem.theorem.hypotheses if math.isfinite(margins[item.id])]
    return [item.id for item in finite if not is_met(margins[item.id], item.strict)]


def bent(problem: CompositeProblem, values: dict[str, float]) -> CompositeProblem:
    """The problem with these values, and with the map bent so that its Lipschitz constant is values["beta"]."""
    mapping = QuadraticMap(problem.map.linear, values["beta"] * problem.map.quadratic, values["beta"])
    return dataclasses.replace(problem, map=mapping, values=values)


def solve(theorem: Theorem, values: dict[str, float], quotient: float, share: float, factor: float) -> dict[str, float]:
    """Add beta, eta and R to L, mu, lambda0, lambda_max, s0 so that a convergence theorem is used to the wanted degree.

    quotient: q, in (0, 1). share: eta as a share, in (0, 1], of the largest step. factor: R/rbar. By iteration; the margin of the
    step hypothesis is affine in eta and 1 at eta = 0, so one evaluation gives the largest step.
    Raises InputError when the iteration does not settle (a tiny q with the largest step, where kappa is 0/0).
    """
    known = {**values, "beta": 2.0**-10 * values["lambda0"] / values["s0"]}
    known["eta"] = share / (values["L"] * values["lambda_max"]) / 2
    # Lambda depends on reach = beta R alone; given it, q is nearly proportional to beta. Started from above, where kappa > 0.
    reach = math.sqrt(values["lambda0"])
    known["R"] = reach / known["beta"]
    for _ in range(SOLVER_CYCLES):
        before = dict(known)
        _, margins = _evaluate(theorem, known)
        known["eta"] *= share / (1 - margins["step"])
        constants, margins = _evaluate(theorem, known)
        wanted = quotient / constants["q"] if margins.get("sigma", 1.0) > 0 else 0.5
        known["beta"] *= min(4.0, max(0.25, wanted))
        known["R"] = reach / known["beta"]
        constants, margins = _evaluate(theorem, known)
        if margins["q"] > 0 and margins.get("sigma", 1.0) > 0:
            # rbar is 2 s_0/(...)/(1 + sqrt(1 - q)): put the wanted q there, or its last digits would be magnified by the root.
            settled = (1 + math.sqrt(1 - constants["q"])) / (1 + math.sqrt(1 - quotient))
            reach = factor * known["beta"] * constants["rbar"] * settled
            known["R"] = reach / known["beta"]
        if all(abs(known[name] - before[name]) <= SOLVER_TOLERANCE * known[name] for name in known):
            break
    else:
        raise InputError(f"quotient must be one that theorem {theorem.id} can attain in floats, got {quotient} at {values}")
    known["eta"] *= share / (1 - _evaluate(theorem, known)[1]["step"])
    while _evaluate(theorem, known)[1]["step"] < 0:  # by rounding alone
        known["eta"] = math.nextafter(known["eta"], 0.0)
    return known


def _evaluate(theorem: Theorem, values: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    constants = theorem.evaluate_constants(values, FLOAT)
    margins = theorem.margins(constants, FLOAT)
    return {name: float(x) for name, x in constants.items()}, {name: float(x) for name, x in margins.items()}


def break_hypothesis(
    problem: CompositeProblem, hypothesis: str, quotient: float, share: float, generator: np.random.Generator
) -> CompositeProblem | None:
    """A problem like this one that breaks the named hypothesis and no other that stays applicable; None if none was found.

    problem: with the values L, mu, lambda0, lambda_max, s0. quotient, share: as in ``solve``, as far as the break leaves room.
    """
    return _BREAKERS[hypothesis](problem, quotient, share, generator)


def _first_breaking(problem: CompositeProblem, hypothesis: str, candidates: Iterable[dict[str, float]]) -> CompositeProblem | None:
    changed = (bent(problem, values) for values in candidates)
    return next((candidate for candidate in changed if broken_hypotheses(candidate) == [hypothesis]), None)


def _break_eigenvalue(problem: CompositeProblem, quotient: float, share: float, generator: np.random.Generator) -> CompositeProblem:
    """K_0 singular: the weakest singular value of A becomes zero, so that part of the target may be out of reach."""
    left, spectrum, right = np.linalg.svd(problem.map.linear, full_matrices=False)
    spectrum[-1] = 0.0
    singular = dataclasses.replace(problem.map, linear=(left * spectrum) @ right)
    largest = max(float(spectrum[0]) ** 2, 2.0**-10)
    beta = 2.0**-10 / problem.values["s0"]
    eta = share / (problem.values["L"] * largest) / 4
    values = {**problem.values, "lambda0": 0.0, "lambda_max": largest, "beta": beta, "eta": eta, "R": 2.0**-10 / beta}
    return bent(dataclasses.replace(problem, map=singular), values)


def _break_step(
    problem: CompositeProblem, quotient: float, share: float, generator: np.random.Generator
) -> CompositeProblem | None:
    values = solve(problem.theorem, problem.values, min(quotient, 0.9), min(0.98, share), 1.1)
    largest = values["eta"] / (1 - _evaluate(problem.theorem, values)[1]["step"])
    wanted = generator.choice([3.0, 1.0, 0.1, 1e-3, 1e-6])
    excesses = (float(wanted) * 0.5**power for power in range(60))
    return _first_breaking(problem, "step", ({**values, "eta": largest * (1 + excess)} for excess in excesses))


def _break_kappa(problem: CompositeProblem, quotient: float, share: float, generator: np.random.Generator) -> CompositeProblem:
    size, parameters = problem.map.linear.shape
    flat = QuadraticMap(np.eye(size, parameters), np.zeros((size, parameters, parameters)), 0.0)
    objective = nonconvex_objective(size, generator)  # L is 3 or 4, and L (1/L) = 1 in floats
    s0 = math.sqrt(2 * objective.value(-problem.target) / objective.mu)
    constants = {"L": objective.smoothness, "mu": objective.mu, "lambda0": 1.0, "lambda_max": 1.0, "s0": s0}
    values = {**constants, "beta": 0.0, "eta": 1 / objective.smoothness, "R": 1.0}
    return bent(dataclasses.replace(problem, map=flat, objective=objective), values)


def _break_sigma(
    problem: CompositeProblem, quotient: float, share: float, generator: np.random.Generator
) -> CompositeProblem | None:
    """So much curvature that sigma~ is far below zero: q+, which sees only its square, is below 1 again."""
    base = problem.values["lambda0"] / problem.values["s0"]
    eta = share / (problem.values["L"] * problem.values["lambda_max"]) / 2
    betas = (base * 2.0**power for power in range(60))
    candidates = ({**problem.values, "eta": eta, "beta": beta, "R": 2.0**-20 / beta} for beta in betas)
    return _first_breaking(problem, "sigma", candidates)


def _break_quotient(
    problem: CompositeProblem, quotient: float, share: float, generator: np.random.Generator
) -> CompositeProblem | None:
    values = solve(problem.theorem, problem.values, 0.9, min(share, 0.5), 1.1)
    wanted = float(generator.choice([10.0, 3.0, 1.5, 1.2]))
    growths = (1 + (wanted - 1) * 0.9**power for power in range(40))
    candidates = ({**values, "beta": growth * values["beta"], "R": values["R"] / growth} for growth in growths)
    return _first_breaking(problem, "q", candidates)


def _break_radius(problem: CompositeProblem, quotient: float, share: float, generator: np.random.Generator) -> CompositeProblem:
    factor = float(generator.choice([0.0, 0.5, 0.9, 0.999]))  # R = 0 and the largest step would make kappa zero
    return bent(problem, solve(problem.theorem, problem.values, quotient, min(share, 0.98), factor))


_BREAKERS: dict[str, Callable[[CompositeProblem, float, float, np.random.Generator], CompositeProblem | None]] = {
    "H3": _break_eigenvalue,
    "step": _break_step,
    "kappa": _break_kappa,
    "sigma": _break_sigma,
    "q": _break_quotient,
    "radius": _break_radius,
}
