"""Theorem A0: the descent-lemma form. It allows steps up to twice as large and never sees L/mu in q, but pays 1/k0."""

from __future__ import annotations

from sympy import Integer, sqrt

from theorems.ledger import Identity, ProofStep
from theorems.lemmas import descent as lemmas
from theorems.records import Claim, Constant, Hypothesis, LossClass, Quantity, Role, Scope, Strength, Theorem
from theorems.statements.composite import (
    LAMBDA,
    conserved_path,
    exit_radius,
    remaining_path,
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
    g,
    gap,
    gap_next,
    kappa,
    lambda0,
    lambda_floor,
    mu,
    positive,
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

L_J = positive("L_J")
k0 = positive("k0")
gap_rate = positive("gap_rate")

# G0 = sqrt(2 L Delta_0) bounds |grad h(F(theta_k))|, and Delta_0 = mu s_0^2/2.
SMOOTHNESS_OF_J = Constant(L_J, L * Lambda + beta * sqrt(L * mu) * s0, "smoothness of J = h o F along the path")
GAIN = Constant(k0, 1 - eta * L_J / 2, "share of the gradient's square that a step gains", lower=True)
STEP_BELOW = Hypothesis("step", "the step is below 2/L_J, so that k0 > 0", k0)

_QUOTIENT = 2 * beta * s0 / (k0 * lambda0)

THEOREM_A0 = Theorem(
    id="A0",
    title="Convergence of gradient descent by the descent lemma",
    statement=(
        "Let h be L-smooth and mu-PL, DF beta-Lipschitz on B(R), DF DF^* >= lambda0 I at theta0, L_J = L Lambda + "
        "beta sqrt(mu L) s_0, 0 < eta < 2/L_J and k0 = 1 - eta L_J/2. If q0 = 2 beta s_0/(k0 lambda0) < 1 and R > rbar0 = "
        "(sigma0/beta)(1 - sqrt(1 - q0)), "
        "the path is at most rbar0 and the loss gap falls by the factor 1 - 2 eta k0 mu lambda0 (1 - q0) per step."
    ),
    quantities=COMPOSITE_QUANTITIES,
    hypotheses=(
        Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),
        STEP_BELOW,
        Hypothesis("q", "q0 < 1", 1 - q),
        Hypothesis("radius", "the ball is larger than the path: R > rbar0", R - rbar),
    ),
    constants=(
        LAMBDA,
        SMOOTHNESS_OF_J,
        GAIN,
        Constant(kappa, Integer(1), "not used here: the descent form pays k0 instead", lower=True),
        Constant(q, _QUOTIENT, "the quotient that must stay below 1"),
        Constant(rbar, exit_radius(s0, k0, sqrt(lambda0), q), "bound of the path length"),
        Constant(gap_rate, 1 - 2 * eta * k0 * mu * lambda0 * (1 - q), "certified factor of the loss gap per step"),
        Constant(rate, sqrt(gap_rate), "certified factor of the residual per step"),
        Constant(lambda_floor, (sqrt(lambda0) - beta * rbar) ** 2, "lower bound of lambda_min(K_k) along the path", lower=True),
        Constant(summed_bound, summed_residual_bound(rbar), "bound of the summed residuals"),
    ),
    claims=(
        Claim("A0-a", "path length: r_k <= rbar0", r_next, rbar, Scope.STEP),
        Claim(
            "A0-b",
            "rate: J_{k+1} - h* <= (1 - 2 eta k0 mu lambda0 (1 - q0)) (J_k - h*)",
            gap_next,
            gap_rate * gap,
            Scope.STEP,
            iterates=gap,
        ),
        Claim(
            "A0-c",
            "conserved inequality: s_k + k0 (sigma0 r_k - beta r_k^2/2) <= s_0",
            s_next + conserved_path(k0, sqrt(lambda0), beta, r_next),
            s0,
            Scope.STEP,
        ),
        Claim(
            "A0-d",
            "distance to the limit: sum_{j>=k} d_j <= (sqrt(lambda0 (1-q0) + 2 beta s_k/k0) - sigma0 sqrt(1-q0))/beta",
            remaining,
            remaining_path(s, k0, beta, lambda0 * (1 - q)),
            Scope.STEP,
        ),
        Claim(
            "A0-e",
            "summed residuals: mu sum_j eta s_j <= -(1/beta) ln(1 - beta rbar0/sigma0)",
            summed,
            summed_bound,
            Scope.STEP,
        ),
    ),
    proof=(
        *lemmas.PROOF,
        ProofStep(
            "rbar0 is a root: k0 (sigma0 r - beta r^2/2) = s_0 at r = rbar0",
            Identity(conserved_path(k0, sqrt(lambda0), beta, exit_radius(s0, k0, sqrt(lambda0), _QUOTIENT)), s0),
        ),
    ),
    source=framework("convergence theorem for nonconvex composite optimization, descent-lemma form"),
    strength=Strength.UPPER,
    role=Role.CONVERGENCE,
    loss_class=LossClass.ANY,
)

DESCENT = Theorem(
    id="A0-descent",
    title="Descent of the objective along a certified run",
    statement=(
        "Along a path that stays in B(R), on which |DF|^2 <= Lambda and DF is beta-Lipschitz, with residuals at most s_0, "
        "L_J = L Lambda + beta sqrt(mu L) s_0 and 0 < eta < 2/L_J: every step lowers J by at least eta k0 |grad J|^2, "
        "k0 = 1 - eta L_J/2."
    ),
    quantities=(
        *(item for item in COMPOSITE_QUANTITIES if item.symbol in (L, mu, eta, beta, s0, R)),
        Quantity(Lambda, "bound of |DF|^2 on B(R)"),
        Quantity(rbar, "bound of the path length, from the theorem that certifies"),
    ),
    hypotheses=(STEP_BELOW, Hypothesis("radius", "the path stays in the ball: R > rbar", R - rbar)),
    constants=(SMOOTHNESS_OF_J, GAIN),
    claims=(
        Claim(
            "A0-descent",
            "descent: J_{k+1} <= J_k - eta k0 |grad J(theta_k)|^2",
            gap_next,
            gap - eta * k0 * g**2,
            Scope.STEP,
            iterates=gap,
        ),
    ),
    proof=lemmas.DESCENT,
    source=THEOREM_A0.source,
    strength=Strength.UPPER,
    role=Role.ALONG,
)
