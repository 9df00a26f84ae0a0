"""What is special to the square loss in Theorem A: its step inequality end to end, and why nothing in the theorem can be improved.

Letters as in ``theorems.lemmas.composite``.
"""

from __future__ import annotations

from sympy import Eq, Rational

from theorems.ledger import Implication, ProofStep, Sampled, root
from theorems.lemmas.composite import potential
from theorems.lemmas.letters import Lambda, beta, c, eta, g, s, s_next, sigma, sigma0, w, x

STEP = ProofStep(
    "for the square loss, end to end, also with u eta for eta, u in [0, 1]: |e - eta K e|^2 <= s^2 - 2 eta g^2 + eta^2 ((sigma^2 + "
    "Lambda_eta) g^2 - sigma^2 Lambda_eta s^2) and sigma s <= g <= sqrt(Lambda_eta) s give |e - eta K e| <= s - eta sigma g",
    Implication(
        "a_square_loss_step",
        (
            *(symbol >= 0 for symbol in (eta, sigma, g, s, s_next)),
            eta * Lambda <= 1,  # 1 at a whole step
            sigma**2 <= Lambda,
            sigma**2 * s**2 <= g**2,
            g**2 <= Lambda * s**2,
            s_next**2 <= s**2 - 2 * eta * g**2 + eta**2 * ((sigma**2 + Lambda) * g**2 - sigma**2 * Lambda * s**2),
        ),
        s_next <= s - eta * sigma * g,
        s_next <= s - Rational(51, 50) * eta * sigma * g,
    ),
)
SHORTENED = ProofStep(
    "(c) for whole and shortened steps once more, on runs: s(theta_k - u eta grad J) + Phi(r_k + u d) <= s_0, u in [0, 1]; whole "
    "runs stay within rbar",
    Sampled("whole and shortened steps of A-square", 100),
)
_parabola = potential(sigma0, beta, x)  # F(theta) = sigma0 theta - beta theta^2/2 on R, theta = x, target c
SHARP_RADIUS = ProofStep(
    "sharpness: F(theta) = sigma0 theta - beta theta^2/2 has q = 2 beta t/sigma0^2, and reaches t nowhere at a distance below "
    "rbar = (sigma0/beta)(1 - sqrt(1-q))",
    Implication(
        "a_sharp_radius",
        (sigma0 > 0, beta > 0, c > 0, *root(w, sigma0**2 - 2 * beta * c), Eq(_parabola, c)),
        beta * x >= sigma0 - w,
        beta * x >= Rational(51, 50) * (sigma0 - w),
    ),
)
SHARP_QUOTIENT = ProofStep(
    "sharpness: for q > 1 the same F reaches t nowhere",
    Implication(
        "a_sharp_quotient",
        (sigma0 > 0, beta > 0, 2 * beta * c > sigma0**2),
        _parabola < c,
        _parabola < Rational(49, 50) * c,
    ),
)
SHARP = (SHARP_RADIUS, SHARP_QUOTIENT)
