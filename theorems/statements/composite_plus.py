"""Theorem A+: the form of Theorem A that does not pay sqrt(L/mu) in q, up to the length of one step.

Theorem A charges every step the factor sqrt(L/mu) on beta d^2/2. Summed, those charges are only sum d_j^2 <= d_max r_k, so they
fit into a slightly smaller sigma.
"""

from __future__ import annotations

from sympy import sqrt

from theorems.ledger import Identity, ProofStep
from theorems.lemmas import plus as lemmas
from theorems.records import Claim, Constant, Hypothesis, LossClass, Role, Scope, Strength, Theorem
from theorems.statements.composite import (
    KAPPA,
    LAMBDA,
    conserved_path,
    exit_radius,
    summed_residual_bound,
)
from theorems.statements.notation import (
    COMPOSITE_QUANTITIES,
    L,
    Lambda,
    R,
    beta,
    eta,
    framework,
    kappa,
    lambda0,
    lambda_floor,
    mu,
    positive,
    q,
    r_next,
    rate,
    rbar,
    s,
    s0,
    s_next,
    summed,
    summed_bound,
)

d_max = positive("d_max")
sigma_tilde = positive("sigma_tilde")

SIGMA_TILDE = sqrt(lambda0) - (sqrt(L / mu) / kappa - 1) * beta * d_max / 2
_QUOTIENT = 2 * beta * s0 / (kappa * sigma_tilde**2)

THEOREM_A_PLUS = Theorem(
    id="A+",
    title="Convergence of gradient descent on a composite objective, L > mu",
    statement=(
        "Under the hypotheses of Theorem A with sigma~ = sigma0 - (sqrt(L/mu)/kappa - 1) beta d_max/2 > 0: if q+ = 2 beta "
        "s_0/(kappa sigma~^2) < 1 and R > rbar+ = (sigma~/beta)(1 - sqrt(1 - q+)), the path is at most rbar+, gradient descent "
        "converges to a global optimum and the residual falls by the factor 1 - eta mu kappa sigma~^2 (1 - q+) per step."
    ),
    quantities=COMPOSITE_QUANTITIES,
    hypotheses=(
        Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),
        Hypothesis("step", "the step is at most 1/(L Lambda)", 1 - eta * L * Lambda, strict=False),
        Hypothesis("kappa", "eta L lambda0 < 1, so that kappa > 0", 1 - eta * L * lambda0),
        Hypothesis("sigma", "sigma~ > 0", sigma_tilde),
        Hypothesis("q", "q+ < 1", 1 - q),
        Hypothesis("radius", "the ball is larger than the path: R > rbar+", R - rbar),
    ),
    constants=(
        LAMBDA,
        Constant(
            kappa, sqrt((1 - eta * L * lambda0) / (1 - eta * mu * lambda0)), "loss of the step inequality when L > mu", lower=True
        ),
        Constant(d_max, eta * sqrt(Lambda * L * mu) * s0, "bound of the length of one step"),
        Constant(
            sigma_tilde,
            SIGMA_TILDE,
            "sigma0 less what the steps' second-order terms can cost",
            lower=True,
        ),
        Constant(q, _QUOTIENT, "the quotient that must stay below 1"),
        Constant(rbar, exit_radius(s0, kappa, sigma_tilde, q), "bound of the path length"),
        Constant(rate, 1 - eta * mu * kappa * sigma_tilde**2 * (1 - q), "certified factor of the residual per step"),
        Constant(lambda_floor, (sqrt(lambda0) - beta * rbar) ** 2, "lower bound of lambda_min(K_k) along the path", lower=True),
        Constant(summed_bound, summed_residual_bound(rbar), "bound of the summed residuals"),
    ),
    claims=(
        Claim("A+-a", "path length: r_k <= rbar+", r_next, rbar, Scope.STEP),
        Claim("A+-b", "rate: s_{k+1} <= (1 - eta mu kappa sigma~^2 (1 - q+)) s_k", s_next, rate * s, Scope.STEP, iterates=s),
        Claim(
            "A+-c",
            "conserved inequality: s_k + kappa (sigma~ r_k - beta r_k^2/2) <= s_0",
            s_next + conserved_path(kappa, sigma_tilde, beta, r_next),
            s0,
            Scope.STEP,
        ),
        Claim(
            "A+-e",
            "summed residuals: mu sum_j eta s_j <= -(1/beta) ln(1 - beta rbar+/sigma0)",
            summed,
            summed_bound,
            Scope.STEP,
        ),
    ),
    proof=(
        *lemmas.PROOF,
        ProofStep(
            "rbar+ is a root: kappa (sigma~ r - beta r^2/2) = s_0 at r = rbar+",
            Identity(conserved_path(kappa, sigma_tilde, beta, exit_radius(s0, kappa, sigma_tilde, _QUOTIENT)), s0),
        ),
        ProofStep(
            "sigma~ is the record's: 2 kappa (sigma0 - sigma~) = (sqrt(L/mu) - kappa) beta d_max",
            Identity(2 * kappa * (sqrt(lambda0) - SIGMA_TILDE), (sqrt(L / mu) - kappa) * beta * d_max),
        ),
        KAPPA,
    ),
    source=framework("convergence theorem for nonconvex composite optimization, refined for L > mu"),
    strength=Strength.UPPER,
    role=Role.CONVERGENCE,
    loss_class=LossClass.GENERAL,
)
