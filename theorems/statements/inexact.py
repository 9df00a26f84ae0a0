"""Theorem A1: Theorem A for gradients with an error, such as the rounding of a floating-point run."""

from __future__ import annotations

from sympy import sqrt

from theorems.ledger import Identity, ProofStep
from theorems.lemmas import inexact as lemmas
from theorems.records import Constant, Hypothesis, LossClass, Quantity, Role, Strength, Theorem
from theorems.statements.composite import CONSTANTS, HYPOTHESES, KAPPA, conserved_path, exit_radius
from theorems.statements.notation import (
    COMPOSITE_QUANTITIES,
    L,
    Lambda,
    R,
    beta_prime,
    eta,
    framework,
    kappa,
    lambda0,
    mu,
    positive,
    q,
    s0,
)

gradient_error = positive("epsilon")
steps_covered = positive("steps")
c1 = positive("c1")
c2 = positive("c2")
S = positive("S_k")
q_k = positive("q_k")
rbar_k = positive("rbar_k")
rho_k = positive("rho_k")
rate_k = positive("rate_k")
floor_k = positive("floor_k")

C1 = sqrt(lambda0) + sqrt(Lambda * L / mu) / kappa

THEOREM_A1 = Theorem(
    id="A1",
    title="Gradient descent with inexact gradients",
    statement=(
        "Under the hypotheses of Theorem A let theta_{k+1} = theta_k - eta (grad J(theta_k) + eps_k) with |eps_k| <= epsilon, "
        "S_k = s_0 + k eta kappa c1 epsilon and q_k = 2 beta' S_k/(kappa lambda0). As long as q_k < 1 and R > rbar_k, the path "
        "bound for S_k: s_k + kappa Phi(r_k) <= S_k, and "
        "s_{k+1} <= (1 - eta mu kappa lambda0 (1 - q_k)) s_k - eta mu beta' s_k^2 + eta c2 epsilon. Hence "
        "s_k <= (1 - eta rho_k)^k s_0 + c2 epsilon/rho_k with rho_k = mu kappa lambda0 (1 - q_k)."
    ),
    quantities=(
        *COMPOSITE_QUANTITIES,
        Quantity(gradient_error, "bound of the error of every gradient, rounding of the update included"),
        Quantity(steps_covered, "number k of steps"),
    ),
    hypotheses=(
        *HYPOTHESES,
        Hypothesis("q_k", "q_k < 1", 1 - q_k),
        Hypothesis("radius_k", "the ball is larger than the path with all errors so far: R > rbar_k", R - rbar_k),
    ),
    constants=(
        *CONSTANTS,
        Constant(c1, C1, "what an error of one step can add to s_0, over eta kappa"),
        Constant(
            c2,
            sqrt(Lambda * L / mu) + kappa * sqrt(lambda0) / 2 + kappa * beta_prime * eta * gradient_error / 2,
            "what an error of one step can add to s_{k+1}, over eta",
        ),
        Constant(S, s0 + steps_covered * eta * kappa * c1 * gradient_error, "the start's residual with all errors so far"),
        Constant(q_k, q * S / s0, "the quotient with all errors so far"),
        Constant(rbar_k, exit_radius(S, kappa, sqrt(lambda0), q_k), "bound of the path length with all errors so far"),
        Constant(rho_k, mu * kappa * lambda0 * (1 - q_k), "what the residual loses at least per step, over eta", lower=True),
        Constant(rate_k, 1 - eta * rho_k, "factor of the envelope s_j <= rate_k^j s_0 + floor_k for j <= k"),
        Constant(floor_k, c2 * gradient_error / rho_k, "what the errors leave of the residual"),
    ),
    claims=(),
    proof=(
        *lemmas.PROOF,
        ProofStep(
            "c1 is the record's: kappa c1 = kappa sigma0 + sqrt(Lambda L/mu)",
            Identity(kappa * C1, kappa * sqrt(lambda0) + sqrt(Lambda * L / mu)),
        ),
        ProofStep(
            "q_k is the record's: q_k kappa lambda0 = 2 beta' S_k",
            Identity((2 * beta_prime * s0 / (kappa * lambda0) * S / s0) * kappa * lambda0, 2 * beta_prime * S),
        ),
        ProofStep(
            "rbar_k is the root of kappa Phi(r) = S_k: kappa (sigma0 r - beta' r^2/2) = S_k at r = rbar_k, in the record's form",
            Identity(
                conserved_path(kappa, sqrt(lambda0), q_k * kappa * lambda0 / (2 * S), exit_radius(S, kappa, sqrt(lambda0), q_k)), S
            ),
        ),
        KAPPA,
    ),
    source=framework("convergence theorem for nonconvex composite optimization, with errors in the gradient"),
    strength=Strength.UPPER,
    role=Role.INEXACT,
    loss_class=LossClass.ANY,
)
