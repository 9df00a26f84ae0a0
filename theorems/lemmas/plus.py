"""The proof of Theorem A+. It starts from the step inequality of Theorem A, with the true beta.

Letters as in ``theorems.lemmas.composite``; P = sum_{j<k} r_j d_j, Q = sum_{j<k} d_j^2, D = d_max, y = sigma~, A = sigma~^2 (1 -
q+).
"""

from __future__ import annotations

from sympy import Eq, Rational

from theorems.ledger import Identity, Implication, ProofStep, Sampled
from theorems.lemmas.composite import (
    INCREASE,
    LIMIT,
    MONOTONE,
    NO_EXIT,
    REMAINDER,
    RIEMANN,
    STEP_INEQUALITY,
    TELESCOPES,
    TO_CLAIM,
    potential,
)
from theorems.lemmas.letters import (
    A,
    D,
    Lambda,
    b,
    bent,
    beta,
    d,
    eta,
    g,
    kappa,
    mu,
    q,
    r,
    real,
    s,
    s0,
    s_next,
    sigma,
    sigma0,
    v,
    w,
    x,
    y,
    z,
)

P = real("P")
Q = real("Q")

SUMMED_LENGTHS = ProofStep(
    "sum_{j<k} r_j d_j = (r_k^2 - sum_{j<k} d_j^2)/2, by induction",
    Identity((r**2 - Q) / 2 + r * d, ((r + d) ** 2 - (Q + d**2)) / 2),
)
SHORT_STEPS = ProofStep(
    "d <= eta sqrt(Lambda L mu) s_0 = d_max, from g <= sqrt(Lambda) |grad h|, |grad h| <= sqrt(L mu) s and s <= s_0",
    Implication(
        "aplus_short_steps",
        (
            *(symbol >= 0 for symbol in (eta, mu, g, v, s, x, z)),  # x = sqrt(Lambda)
            g <= x * v,
            v <= mu * z * s,
            s <= s0,
        ),
        eta * g <= eta * x * mu * z * s0,
        eta * g <= Rational(49, 50) * eta * x * mu * z * s0,
    ),
)
SUMMED_SQUARES = ProofStep(
    "sum_{j<k} d_j^2 <= d_max r_k, by induction",
    Implication(
        "aplus_summed_squares",
        (D * r >= Q, d >= 0, d <= D),
        Q + d**2 <= D * (r + d),
        Q + d**2 <= Rational(49, 50) * D * (r + d),
    ),
)
CONSERVED_PLUS = ProofStep(
    "the steps' sum s_k <= s_0 - kappa (sigma0 r_k - beta sum r_j d_j) + sqrt(L/mu) beta sum d_j^2/2 gives "
    "s_k + kappa (sigma~ r_k - beta r_k^2/2) <= s_0",
    Implication(
        "aplus_conserved",
        (
            beta >= 0,
            kappa > 0,
            kappa <= 1,
            z >= 1,
            D * r >= Q,
            Eq(2 * P, r**2 - Q),
            Eq(2 * kappa * (sigma0 - y), (z - kappa) * beta * D),
            s <= s0 - kappa * (sigma0 * r - beta * P) + z * beta * Q / 2,
        ),
        s + kappa * potential(y, beta, r) <= s0,
        s + kappa * potential(Rational(51, 50) * y, beta, r) <= s0,
    ),
)
FLOOR_PLUS = ProofStep(
    "(sigma0 - beta r)^2 >= (sigma~ - beta r)^2 >= A + 2 beta s/kappa, A = sigma~^2 (1 - q+), q+ = 2 beta s_0/(kappa sigma~^2)",
    Implication(
        "aplus_floor",
        (
            kappa > 0,
            beta >= 0,
            y <= sigma0,
            beta * r <= y,
            Eq(q * kappa * y**2, 2 * beta * s0),
            s + kappa * potential(y, beta, r) <= s0,
        ),
        kappa * (sigma0 - beta * r) ** 2 >= kappa * y**2 * (1 - q) + 2 * beta * s,
        kappa * (sigma0 - beta * r) ** 2 >= kappa * y**2 * (1 - Rational(49, 50) * q) + 2 * beta * s,
    ),
)
STILL_INCREASING = ProofStep(
    "2 d <= sigma/beta', so x -> sigma x - beta' x^2/2 increases up to d: from sqrt(L/mu) sigma d <= s and sigma^2 >= 2 beta "
    "s/kappa",
    Implication(
        "aplus_still_increasing",
        (
            *(symbol >= 0 for symbol in (beta, s, d, bent)),
            sigma > 0,
            kappa > 0,
            z >= 1,
            Eq(bent * kappa, beta * z),
            z * sigma * d <= s,
            kappa * sigma**2 >= 2 * beta * s,
        ),
        2 * bent * d <= sigma,
        Rational(51, 25) * bent * d <= sigma,
    ),
)
AT_SMALLEST_STEP_PLUS = ProofStep(
    "at x = eta mu sigma s it is eta mu s sigma^2 (1 - eta mu beta' s/2)",
    Identity(potential(sigma, bent, eta * mu * sigma * s), eta * mu * s * sigma**2 * (1 - eta * mu * bent * s / 2)),
)
RATE_PLUS = ProofStep(
    "(A + 2 b)(1 - eta sqrt(L mu) b/2) >= A for b = beta s/kappa, as eta sqrt(L mu) Lambda <= 1 and A + 2 b <= Lambda: the rate",
    Implication(
        "aplus_rate",
        (A >= 0, b >= 0, w >= 0, A + 2 * b <= x, x <= Lambda, w * Lambda <= 1),  # w = eta sqrt(L mu), x = sigma^2
        x * (1 - w * b / 2) >= A,
        x * (1 - w * b / 2) >= Rational(51, 50) * A,
    ),
)
RATE_PLUS_AT_ONCE = ProofStep(
    "the rate once more, in one query: s_{k+1} <= s_k - kappa (sigma d - beta' d^2/2), sigma^2 >= A + 2 beta s_k/kappa, "
    "eta mu sigma s_k <= d <= sigma/(2 beta') and eta sqrt(L mu) Lambda <= 1 give s_{k+1} <= (1 - eta mu kappa A) s_k",
    Implication(
        "aplus_rate_at_once",
        (
            *(symbol >= 0 for symbol in (beta, bent, sigma, d, s, w, A)),  # w = eta mu
            kappa > 0,
            kappa <= 1,
            z >= 1,
            Eq(bent * kappa, beta * z),
            s_next <= s - kappa * potential(sigma, bent, d),
            kappa * sigma**2 >= kappa * A + 2 * beta * s,
            sigma**2 <= Lambda,
            w * z * Lambda <= 1,
            d >= w * sigma * s,
            2 * bent * d <= sigma,
        ),
        s_next <= (1 - w * kappa * A) * s,
        s_next <= (1 - Rational(51, 50) * w * kappa * A) * s,
    ),
)

PROOF = (
    *TO_CLAIM,
    REMAINDER,
    STEP_INEQUALITY,
    SUMMED_LENGTHS,
    SHORT_STEPS,
    SUMMED_SQUARES,
    CONSERVED_PLUS,
    ProofStep(
        "the same for a last step shortened to u eta, u in [0, 1]: the claim and the step inequality hold with u eta for eta, and "
        "its length u d is at most d_max too",
        CONSERVED_PLUS.evidence,
    ),
    ProofStep("sigma~ r - beta r^2/2 increases strictly up to sigma~/beta", INCREASE.evidence),
    ProofStep(
        "no exit, as in Theorem A: no end x in (rbar+, sigma~/beta] of a shortened step obeys that inequality", NO_EXIT.evidence
    ),
    ProofStep(
        "whole and shortened steps once more, on runs, and whole runs stay within rbar+",
        Sampled("whole and shortened steps of A+", 100),
    ),
    FLOOR_PLUS,
    STILL_INCREASING,
    ProofStep("hence the decrease is at least its value at eta mu sigma s <= d", MONOTONE.evidence),
    AT_SMALLEST_STEP_PLUS,
    RATE_PLUS,
    RATE_PLUS_AT_ONCE,
    RIEMANN,
    TELESCOPES,
    LIMIT,
)
