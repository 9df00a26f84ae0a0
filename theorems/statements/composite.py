"""Theorem A: gradient descent on J = h o F for an L-smooth, mu-PL function h, and its form for the square loss.

One conserved inequality carries everything. With sigma0 = sqrt(lambda0), K_0 >= lambda0 I and DF beta-Lipschitz on B(R), the
smallest singular value of DF^* falls by at most beta r along a path of length r, so a step of length d lowers the residual s
by at least kappa (Phi(r + d) - Phi(r)), Phi(r) = sigma0 r - beta' r^2/2. Hence s_k + kappa Phi(r_k) <= s_0, the path cannot be
longer than the first zero of s_0 - kappa Phi, and everything else follows.
"""

from __future__ import annotations

import dataclasses

from sympy import Expr, Integer, log, sqrt

from theorems.ledger import Identity, ProofStep
from theorems.lemmas import composite as lemmas
from theorems.lemmas import square
from theorems.records import Claim, Constant, Hypothesis, LossClass, Role, Scope, Strength, Theorem
from theorems.statements.notation import (
    COMPOSITE_QUANTITIES,
    SQUARE_QUANTITIES,
    L,
    Lambda,
    R,
    beta,
    beta_prime,
    eta,
    framework,
    kappa,
    lambda0,
    lambda_floor,
    lambda_max,
    mu,
    q,
    r_next,
    rate,
    rbar,
    remaining,
    s,
    s0,
    s_next,
    summed,
    summed_bound,
)

LAMBDA = Constant(
    Lambda,
    (sqrt(lambda_max) + beta * R) ** 2,
    "bound of |DF|^2 on B(R): |DF| grows by at most beta R from sqrt(lambda_max)",
)


def conserved_path(decrease: Expr, sigma: Expr, curvature: Expr, length: Expr) -> Expr:
    """decrease * (sigma r - curvature r^2/2): what a path of the given length has cost in residual."""
    return decrease * (sigma * length - curvature * length**2 / 2)


def exit_radius(residual: Expr, decrease: Expr, sigma: Expr, quotient: Expr) -> Expr:
    """The smaller root r of residual = decrease (sigma r - curvature r^2/2), in the form that does not cancel for small q."""
    return (2 * residual / (decrease * sigma)) / (1 + sqrt(1 - quotient))


def remaining_path(residual: Expr, decrease: Expr, curvature: Expr, floor: Expr) -> Expr:
    """(sqrt(floor + 2 curvature s/decrease) - sqrt(floor))/curvature, written without the cancellation."""
    return (2 * residual / decrease) / (sqrt(floor + 2 * curvature * residual / decrease) + sqrt(floor))


def summed_residual_bound(radius: Expr) -> Expr:
    """-(1/beta) ln(1 - beta r/sigma0): the integral of 1/(sigma0 - beta x) over a path of the given length."""
    return -log(1 - beta * radius / sqrt(lambda0)) / beta


_QUOTIENT = 2 * beta_prime * s0 / (kappa * lambda0)
_FLOOR = lambda0 * (1 - _QUOTIENT)
_KAPPA = sqrt((1 - eta * L * lambda0) / (1 - eta * mu * lambda0))

CONSTANTS = (
    LAMBDA,
    Constant(kappa, _KAPPA, "loss of the step inequality when L > mu", lower=True),
    Constant(beta_prime, beta * sqrt(L / mu) / kappa, "effective Lipschitz constant"),
    Constant(q, _QUOTIENT, "the quotient that must stay below 1"),
    Constant(rbar, exit_radius(s0, kappa, sqrt(lambda0), q), "bound of the path length"),
    Constant(rate, 1 - eta * mu * kappa * lambda0 * (1 - q), "certified factor of the residual per step"),
    Constant(lambda_floor, (sqrt(lambda0) - beta * rbar) ** 2, "lower bound of lambda_min(K_k) along the path", lower=True),
    Constant(summed_bound, summed_residual_bound(rbar), "bound of the summed residuals"),
)

HYPOTHESES = (
    Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),
    Hypothesis("step", "the step is at most 1/(L Lambda)", 1 - eta * L * Lambda, strict=False),
    Hypothesis("kappa", "eta L lambda0 < 1, so that kappa > 0", 1 - eta * L * lambda0),
    Hypothesis("q", "q < 1", 1 - q),
    Hypothesis("radius", "the ball is larger than the path: R > rbar", R - rbar),
)

CLAIMS = (
    Claim("A-a", "path length: r_k <= rbar", r_next, rbar, Scope.STEP),
    Claim(
        "A-b",
        "rate: s_{k+1} <= (1 - eta mu kappa lambda0 (1 - q)) s_k - eta mu beta' s_k^2",
        s_next,
        rate * s - eta * mu * beta_prime * s**2,
        Scope.STEP,
        iterates=s,
    ),
    Claim(
        "A-c",
        "conserved inequality: s_k + kappa Phi(r_k) <= s_0",
        s_next + conserved_path(kappa, sqrt(lambda0), beta_prime, r_next),
        s0,
        Scope.STEP,
    ),
    Claim(
        "A-d",
        "distance to the limit: |theta_k - theta_inf| <= sum_{j>=k} d_j <= "
        "(sqrt(lambda0 (1-q) + 2 beta' s_k/kappa) - sigma0 sqrt(1-q))/beta'",
        remaining,
        remaining_path(s, kappa, beta_prime, lambda0 * (1 - q)),
        Scope.STEP,
    ),
    Claim(
        "A-e",
        "summed residuals: mu sum_j eta s_j <= -(1/beta) ln(1 - beta rbar/sigma0)",
        summed,
        summed_bound,
        Scope.STEP,
    ),
)


# That the record's formulas are what the lemmas call by their names.
KAPPA = ProofStep(
    "that kappa is the record's: kappa^2 (1 - eta mu lambda0) = 1 - eta L lambda0",
    Identity(_KAPPA**2 * (1 - eta * mu * lambda0), 1 - eta * L * lambda0),
)
_FORMULAS = {
    "rbar is a root: kappa Phi(rbar) = s_0": Identity(
        conserved_path(kappa, sqrt(lambda0), beta_prime, exit_radius(s0, kappa, sqrt(lambda0), _QUOTIENT)), s0
    ),
    "the rate (b) is s less kappa eta mu s (A + beta' s/kappa)": Identity(
        (1 - eta * mu * kappa * _FLOOR) * s - eta * mu * beta_prime * s**2,
        s - kappa * eta * mu * s * (_FLOOR + beta_prime * s / kappa),
    ),
    "(d) at the start is rbar": Identity(
        remaining_path(s0, kappa, beta_prime, _FLOOR), exit_radius(s0, kappa, sqrt(lambda0), _QUOTIENT)
    ),
}

THEOREM_A = Theorem(
    id="A",
    title="Convergence of gradient descent on a composite objective",
    statement=(
        "Let h be L-smooth and mu-PL, DF beta-Lipschitz on B(R), DF DF^* >= lambda0 I at theta0, |DF|^2 <= Lambda on B(R) and "
        "0 < eta <= 1/(L Lambda). If q < 1 and R > rbar, gradient descent stays within a path of length rbar, converges to "
        "a global optimum, and its residual falls at least by the certified factor at every step."
    ),
    quantities=COMPOSITE_QUANTITIES,
    hypotheses=HYPOTHESES,
    constants=CONSTANTS,
    claims=CLAIMS,
    proof=(
        *lemmas.TO_CLAIM,
        KAPPA,
        *lemmas.TO_CONSERVED,
        lemmas.SHORTENED,
        *lemmas.TO_RATE,
        *lemmas.TO_SUMS,
        *(ProofStep(statement, identity) for statement, identity in _FORMULAS.items()),
    ),
    source=framework("convergence theorem for nonconvex composite optimization"),
    strength=Strength.UPPER,
    role=Role.CONVERGENCE,
    loss_class=LossClass.GENERAL,
)


def _for_square_loss(theorem: Theorem) -> Theorem:
    """Put L = mu = 1. Then kappa = 1 identically, also where eta lambda0 = 1 and the general formula is 0/0."""
    values = {L: Integer(1), mu: Integer(1), kappa: Integer(1)}

    def at(expression: Expr) -> Expr:
        return expression.subs(values)

    return dataclasses.replace(
        theorem,
        id="A-square",
        title=theorem.title + ", square loss",
        statement=(
            "Let h(y) = |y - t|^2/2, DF beta-Lipschitz on B(R), DF DF^* >= lambda0 I at theta0 and 0 < eta <= 1/Lambda. If "
            "q = 2 beta s_0/lambda0 < 1 and R > rbar, gradient descent stays within a path of length rbar and converges to "
            "F = t, and its residual falls at least by the certified factor at every step. "
            "q, rbar and the limiting factor cannot be improved."
        ),
        quantities=SQUARE_QUANTITIES,
        hypotheses=tuple(dataclasses.replace(item, margin=at(item.margin)) for item in theorem.hypotheses if item.id != "kappa"),
        constants=tuple(dataclasses.replace(item, expression=at(item.expression)) for item in theorem.constants),
        claims=tuple(dataclasses.replace(item, measured=at(item.measured), bound=at(item.bound)) for item in theorem.claims),
        proof=(
            lemmas.WEYL,
            lemmas.SPECTRUM,
            square.STEP,
            *lemmas.TO_CONSERVED,
            square.SHORTENED,
            *lemmas.TO_RATE,
            *lemmas.TO_SUMS,
            *(ProofStep(words, Identity(at(item.left), at(item.right))) for words, item in _FORMULAS.items()),
            ProofStep(
                "lambda0 (1-q) is the floor of lambda_min(K_k): (sigma0 - beta rbar)^2 = lambda0 (1-q)",
                Identity(at((sqrt(lambda0) - beta_prime * exit_radius(s0, kappa, sqrt(lambda0), _QUOTIENT)) ** 2), at(_FLOOR)),
            ),
            *square.SHARP,
        ),
        strength=Strength.SHARP,
        loss_class=LossClass.SQUARE,
    )


THEOREM_A_SQUARE = _for_square_loss(THEOREM_A)
