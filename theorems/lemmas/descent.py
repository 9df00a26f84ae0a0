"""The proof of Theorem A0 and of the descent of the objective along any certified run.

Letters as in ``theorems.lemmas.composite``; k0 = 1 - eta L_J/2, x = L_J, y = J - h*, c = its next value, A = lambda0 (1 - q0).
"""

from __future__ import annotations

from sympy import Eq, Rational, Symbol

from theorems.ledger import Identity, Implication, ProofStep, Sampled
from theorems.lemmas.composite import (
    GRADIENT,
    GRADIENT_OF_J,
    INCREASE,
    LIMIT,
    NO_EXIT,
    RESTART,
    RIEMANN,
    TELESCOPES,
    WEYL,
    potential,
)
from theorems.lemmas.letters import A, beta, c, d, eta, g, k0, mu, q, r, s, s0, s_next, sigma, sigma0, tau, x, y

_noncommuting = [Symbol(name, commutative=False) for name in ("Dx", "Dy", "hx", "hy")]
_Dx, _Dy, _hx, _hy = _noncommuting

GRADIENT_SPLITS = ProofStep(
    "grad J(x) - grad J(y) = DF(x)^* (grad h(F(x)) - grad h(F(y))) + (DF(x) - DF(y))^* grad h(F(y))",
    Identity(_Dx * _hx - _Dy * _hy, _Dx * (_hx - _hy) + (_Dx - _Dy) * _hy),
)
GRADIENT_IS_LIPSCHITZ = ProofStep(
    "hence |grad J(x) - grad J(theta)| <= (L Lambda + beta |grad h(F(theta))|) |x - theta| on B(R), and |grad h| <= sqrt(L mu) s_0",
    Sampled("gradient of J is Lipschitz", 100),
)
DESCENT_LEMMA = ProofStep(
    "J(theta_{k+1}) <= J(theta_k) - eta g^2 + L_J eta^2 g^2/2 (descent lemma on the step's segment), and with u eta for eta, u in "
    "[0, 1]",
    Sampled("descent of J", 60),
)
GAIN = ProofStep(
    "- eta g^2 + L_J eta^2 g^2/2 = - eta k0 g^2",
    Identity(-eta * g**2 + x * eta**2 * g**2 / 2, -eta * (1 - eta * x / 2) * g**2),
)
SHORTENED_GAIN = ProofStep(
    "for a step shortened to u eta, u in [0, 1], the descent lemma's - u eta g^2 + L_J (u eta)^2 g^2/2 is at most - u eta k0 g^2",
    Implication(
        "a0_shortened_gain",
        (eta >= 0, x >= 0, tau >= 0, tau <= 1, Eq(k0, 1 - eta * x / 2)),  # tau = u
        -tau * eta * g**2 + x * (tau * eta) ** 2 * g**2 / 2 <= -tau * eta * k0 * g**2,
        -tau * eta * g**2 + x * (tau * eta) ** 2 * g**2 / 2 <= -Rational(51, 50) * tau * eta * k0 * g**2,
    ),
)
STEP_INEQUALITY_0 = ProofStep(
    "with g >= sigma mu s: s_k - s_{k+1} >= k0 sigma_k d_k",
    Implication(
        "a0_step_inequality",
        (
            *(symbol >= 0 for symbol in (eta, k0, sigma, g, s, s_next)),
            mu > 0,
            g >= sigma * mu * s,
            mu * s_next**2 / 2 <= mu * s**2 / 2 - eta * k0 * g**2,
        ),
        s - s_next >= k0 * sigma * eta * g,
        s - s_next >= Rational(101, 50) * k0 * sigma * eta * g,
    ),
)
CONSERVED_0 = ProofStep(
    "hence s + k0 (sigma0 r - beta r^2/2) does not increase, as sigma0 - beta r decreases",
    Implication(
        "a0_conserved",
        (beta >= 0, k0 >= 0, s_next <= s - k0 * (sigma0 - beta * r) * d),
        s_next + k0 * potential(sigma0, beta, r + d) <= s + k0 * potential(sigma0, beta, r),
        s_next + k0 * potential(sigma0, Rational(49, 50) * beta, r + d) <= s + k0 * potential(sigma0, beta, r),
    ),
)
FLOOR_0 = ProofStep(
    "(sigma0 - beta r)^2 >= lambda0 (1 - q0) + 2 beta s/k0 >= lambda0 (1 - q0), q0 = 2 beta s_0/(k0 lambda0)",
    Implication(
        "a0_floor",
        (k0 > 0, beta >= 0, Eq(q * k0 * sigma0**2, 2 * beta * s0), s + k0 * potential(sigma0, beta, r) <= s0),
        k0 * (sigma0 - beta * r) ** 2 >= k0 * sigma0**2 * (1 - q) + 2 * beta * s,
        k0 * (sigma0 - beta * r) ** 2 >= k0 * sigma0**2 * (1 - Rational(49, 50) * q) + 2 * beta * s,
    ),
)
RATE_0 = ProofStep(
    "J_{k+1} - h* <= (1 - 2 eta k0 mu A)(J_k - h*) from g^2 >= 2 mu sigma^2 (J_k - h*) and sigma^2 >= A",
    Implication(
        "a0_rate",
        (
            *(symbol >= 0 for symbol in (eta, k0, mu, y)),
            sigma**2 >= A,
            g**2 >= 2 * mu * sigma**2 * y,
            c <= y - eta * k0 * g**2,
        ),
        c <= (1 - 2 * eta * k0 * mu * A) * y,
        c <= (1 - Rational(51, 25) * eta * k0 * mu * A) * y,
    ),
)

DESCENT = (GRADIENT, GRADIENT_SPLITS, GRADIENT_IS_LIPSCHITZ, DESCENT_LEMMA, GAIN)
PROOF = (
    WEYL,
    *DESCENT,
    GRADIENT_OF_J,
    STEP_INEQUALITY_0,
    CONSERVED_0,
    SHORTENED_GAIN,
    ProofStep(
        "so a shortened step obeys that step inequality with u eta for eta, and s + k0 (sigma0 r - beta r^2/2) does not increase "
        "over it, with u d for d",
        CONSERVED_0.evidence,
    ),
    ProofStep("sigma0 r - beta r^2/2 increases strictly up to sigma0/beta", INCREASE.evidence),
    ProofStep(
        "no exit, as in Theorem A: no end x in (rbar0, sigma0/beta] of a shortened step obeys that inequality", NO_EXIT.evidence
    ),
    ProofStep(
        "whole and shortened steps once more, on runs, and whole runs stay within rbar0",
        Sampled("whole and shortened steps of A0", 100),
    ),
    FLOOR_0,
    RATE_0,
    ProofStep("the distance to the limit as in Theorem A, with k0 for kappa and beta for beta'", RESTART.evidence),
    RIEMANN,
    TELESCOPES,
    LIMIT,
)
