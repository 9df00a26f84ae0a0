"""The proof of Theorem A1. It starts from the claim of Theorem A.

Letters as in ``theorems.lemmas.composite``; y = sqrt(Lambda), x = eta g for the computed gradient's exact part g = |grad J|, d =
the length of the step made, S = S_k, A = lambda0 (1 - q_k).
"""

from __future__ import annotations

from sympy import Eq, Rational

from theorems.ledger import Implication, ProofStep, Sampled
from theorems.lemmas.composite import AT_SMALLEST_STEP, INCREASE, MONOTONE, NO_EXIT, RATE, RATE_AT_ONCE, TO_CLAIM, potential
from theorems.lemmas.letters import (
    bent,
    beta,
    c,
    d,
    epsilon,
    eta,
    kappa,
    q,
    r,
    real,
    rho,
    s,
    s0,
    s_next,
    sigma,
    sigma0,
    sigma_bent,
    v,
    x,
    y,
    z,
)

S = real("S")
N = real("N")
c1 = real("c1")
c2 = real("c2")

REMAINDER_WITH_ERROR = ProofStep(
    "F(theta_{k+1}) = y - eta K grad h - eta DF eps_k + a remainder of at most beta d^2/2",
    Sampled("remainder of an inexact step", 100),
)
STEP_WITH_ERROR = ProofStep(
    "s_{k+1} <= s_k - kappa sigma x + sqrt(L/mu)(eta sqrt(Lambda) epsilon + beta d^2/2) with x = eta g: the claim and the "
    "Lipschitz constant sqrt(L/mu)",
    Implication(
        "a1_step",
        (c <= s - kappa * sigma * x, s_next <= c + z * v, v <= eta * y * epsilon + beta * d**2 / 2, z >= 1),
        s_next <= s - kappa * sigma * x + z * (eta * y * epsilon + beta * d**2 / 2),
        s_next <= s - kappa * sigma * x + z * (Rational(49, 50) * eta * y * epsilon + beta * d**2 / 2),
    ),
)
_step = (
    *(symbol >= 0 for symbol in (beta, bent, eta, epsilon, y, r, d)),
    kappa > 0,
    kappa <= 1,
    z >= 1,
    Eq(bent * kappa, beta * z),
    d <= x + eta * epsilon,
    s_next <= s - kappa * (sigma0 - beta * r) * x + z * (eta * y * epsilon + beta * d**2 / 2),
    beta * r <= sigma0,
)
CONSERVED_1 = ProofStep(
    "x >= d - eta epsilon and sigma <= sigma0: s + kappa Phi(r) increases by at most eta kappa c1 epsilon; (c) by induction",
    Implication(
        "a1_conserved",
        (*_step, Eq(kappa * c1, kappa * sigma0 + y * z)),
        s_next + kappa * potential(sigma0, bent, r + d) <= s + kappa * potential(sigma0, bent, r) + eta * kappa * c1 * epsilon,
        # The mutant is c1 = sqrt(Lambda).
        s_next + kappa * potential(sigma0, bent, r + d) <= s + kappa * potential(sigma0, bent, r) + eta * kappa * y * epsilon,
    ),
)
FLOOR_1 = ProofStep(
    "sigma'^2 >= lambda0 (1 - q_k) + 2 beta' s_k/kappa from (c), q_k = 2 beta' S_k/(kappa lambda0)",
    Implication(
        "a1_floor",
        (kappa > 0, bent >= 0, Eq(q * kappa * sigma0**2, 2 * bent * S), s + kappa * potential(sigma0, bent, r) <= S),
        kappa * (sigma0 - bent * r) ** 2 >= kappa * sigma0**2 * (1 - q) + 2 * bent * s,
        kappa * (sigma0 - bent * r) ** 2 >= kappa * sigma0**2 * (1 - Rational(49, 50) * q) + 2 * bent * s,
    ),
)
STILL_INCREASING_1 = ProofStep(
    "2 beta' x <= sigma', from sqrt(L/mu) sigma x <= s, sigma' <= sigma and sigma'^2 >= 2 beta' s/kappa",
    Implication(
        "a1_still_increasing",
        (
            *(symbol >= 0 for symbol in (bent, s, x)),
            sigma_bent > 0,
            sigma_bent <= sigma,
            kappa > 0,
            kappa <= 1,
            z >= 1,
            z * sigma * x <= s,
            kappa * sigma_bent**2 >= 2 * bent * s,
        ),
        2 * bent * x <= sigma_bent,
        Rational(51, 25) * bent * x <= sigma_bent,
    ),
)
DECREASE_1 = ProofStep(
    "with d <= x + eta epsilon and 2 beta' x <= sigma' <= sigma0: s_{k+1} <= s_k - kappa (sigma' x - beta' x^2/2) + eta c2 epsilon",
    Implication(
        "a1_decrease",
        (
            *(symbol >= 0 for symbol in (bent, eta, epsilon, y, x, d)),
            kappa > 0,
            z >= 1,
            d <= x + eta * epsilon,
            sigma_bent <= sigma,
            sigma_bent <= sigma0,
            2 * bent * x <= sigma_bent,
            s_next <= s - kappa * sigma * x + z * eta * y * epsilon + kappa * bent * d**2 / 2,
            Eq(c2, z * y + kappa * sigma0 / 2 + kappa * bent * eta * epsilon / 2),
        ),
        s_next <= s - kappa * potential(sigma_bent, bent, x) + eta * c2 * epsilon,
        s_next <= s - kappa * potential(sigma_bent, bent, x) + Rational(49, 50) * eta * c2 * epsilon,
    ),
)
FLOOR_OF_RESIDUAL = ProofStep(
    "(f): s_{k+1} <= (1 - eta rho) s_k + eta c2 epsilon keeps s_k <= (1 - eta rho)^k s_0 + c2 epsilon/rho, by induction",
    Implication(
        "a1_residual_floor",
        # x = (1 - eta rho)^k s_0, y = c2 epsilon/rho
        (eta >= 0, rho > 0, eta * rho <= 1, s <= x + y, s_next <= (1 - eta * rho) * s + eta * rho * y),
        s_next <= (1 - eta * rho) * x + y,
        s_next <= (1 - eta * rho) * x + Rational(49, 50) * y,
    ),
)
LONGEST_RUN = ProofStep(
    "q_N < 1 as long as N < (kappa lambda0/(2 beta') - s_0)/(eta kappa c1 epsilon)",
    Implication(
        "a1_longest_run",
        (
            *(symbol > 0 for symbol in (kappa, bent, x)),  # x = eta kappa c1 epsilon
            Eq(S, s0 + N * x),
            Eq(q * kappa * sigma0**2, 2 * bent * S),
            sigma0 > 0,
            2 * bent * (N * x + s0) < kappa * sigma0**2,
        ),
        q < 1,
        q < Rational(49, 50),
    ),
)

PROOF = (
    *TO_CLAIM,
    REMAINDER_WITH_ERROR,
    STEP_WITH_ERROR,
    CONSERVED_1,
    ProofStep(
        "the same for a shortened step - u eta (grad J + eps_k), u in [0, 1], whose length u d and error u eta epsilon shrink in "
        "proportion: with u eta for eta, s + kappa Phi(r) increases by at most u eta kappa c1 epsilon",
        CONSERVED_1.evidence,
    ),
    INCREASE,
    ProofStep("no exit: as in A, with S_{k+1} for s_0", NO_EXIT.evidence),
    ProofStep(
        "on runs: whole and shortened steps with errors obey (c), and whole ones the rate (b)",
        Sampled("whole and shortened steps of A1", 100),
    ),
    FLOOR_1,
    STILL_INCREASING_1,
    DECREASE_1,
    ProofStep("x -> sigma' x - beta' x^2/2 increases up to eta g, and eta g >= eta mu sigma' s", MONOTONE.evidence),
    AT_SMALLEST_STEP,
    ProofStep("(A + 2 b)(1 - eta mu kappa b/2) >= A + b for A = lambda0 (1-q_k), b = beta' s/kappa: the rate (b)", RATE.evidence),
    ProofStep(
        "the rate (b) once more, in one query, with s_{k+1} - eta c2 epsilon for s_{k+1} and eta g for d",
        RATE_AT_ONCE.evidence,
    ),
    FLOOR_OF_RESIDUAL,
    LONGEST_RUN,
)
