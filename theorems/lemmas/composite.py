"""The proof of Theorem A, whose steps its form for the square loss, A+, A0 and A1 share.

Letters: v = |grad h|, g = |grad J|, d = eta g, sigma = sigma0 - beta r, sigma' = sigma0 - beta' r, z = sqrt(L/mu), rho = mu/L,
Lambda_eta = 1/(L eta), omega = lambda0/Lambda_eta, A = lambda0 (1-q), b = beta' s/kappa.
"""

from __future__ import annotations

from sympy import Eq, Expr, Integer, Rational, log

from theorems.ledger import Assumed, Growth, Identity, Implication, ProofStep, Sampled, root
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
    omega,
    q,
    r,
    rho,
    s,
    s0,
    s_next,
    sigma,
    sigma0,
    sigma_bent,
    tau,
    v,
    w,
    x,
    xi,
    y,
    z,
)

WEYL = ProofStep(
    "sigma_min(DF(theta)^*) >= sigma0 - beta |theta - theta0| on B(R)",
    Sampled("smallest singular value on a ball", 400),
)
REMAINDER = ProofStep(
    "|F(theta + v) - F(theta) - DF(theta) v| <= beta |v|^2/2",
    Sampled("remainder of the linearization", 400),
)
SMOOTHNESS = ProofStep(
    "L-smoothness: h(y + v) <= h(y) + <grad h(y), v> + L |v|^2/2",
    Sampled("smoothness of h", 400),
)
GRADIENT = ProofStep(
    "mu s <= |grad h| <= sqrt(L mu) s: the PL inequality, and L-smoothness at y - grad h(y)/L",
    Sampled("gradient of h against its gap", 400),
)
RESIDUAL_IS_LIPSCHITZ = ProofStep(
    "sqrt(2 (h - h*)/mu) is sqrt(L/mu)-Lipschitz",
    Sampled("residual is Lipschitz", 400),
)
SPECTRUM = ProofStep(
    "an eigenvalue k of K in [sigma^2, Lambda_eta] has k^2 <= (sigma^2 + Lambda_eta) k - sigma^2 Lambda_eta; by the spectral "
    "theorem |K grad h|^2 <= (sigma^2 + Lambda_eta) g^2 - sigma^2 Lambda_eta |grad h|^2",
    Implication(
        "a_spectrum",
        (sigma**2 <= x, x <= Lambda),
        x**2 <= (sigma**2 + Lambda) * x - sigma**2 * Lambda,
        x**2 <= Rational(49, 50) * (sigma**2 + Lambda) * x - sigma**2 * Lambda,
    ),
)
GRADIENT_OF_J = ProofStep(
    "sigma |grad h| <= g <= sqrt(Lambda_eta) |grad h|, and with the PL inequality xi = sigma mu s/g is in [0, 1]",
    Sampled("gradient of J against the gradient of h", 400),
)
STEP_IS_SHORT = ProofStep(
    "u eta sigma g <= sqrt(mu/L) s for every u in [0, 1]: hence u eta sigma g <= s, and the claim s(y - u eta K grad h) <= s - "
    "kappa u eta sigma g may be squared",
    Implication(
        "a_step_is_short",
        (
            *(symbol >= 0 for symbol in (eta, mu, sigma, g, v, s)),
            z >= 1,
            g**2 <= Lambda * v**2,
            v**2 <= (mu * z * s) ** 2,
            sigma**2 <= Lambda,
            eta * mu * z**2 * Lambda <= 1,  # 1 at a whole step, for L Lambda_eta is 1/eta then
        ),
        z * eta * sigma * g <= s,
        z * eta * sigma * g <= Rational(49, 50) * s,
    ),
)

_h_bound = s**2 - 2 * eta * g**2 / mu + eta**2 * mu / (rho * mu) * ((sigma**2 + Lambda) * g**2 - sigma**2 * Lambda * mu**2 * s**2)
_fraction = sigma**2 / Lambda
_share = eta * mu / rho * Lambda  # tau = eta L Lambda_eta, with L = mu/rho
_slope = sigma * mu * s / g
_claim = 2 - 2 * kappa * xi + tau * (xi**2 - 1 - w + kappa**2 * w * rho)

SQUARED = ProofStep(
    "(s - kappa eta sigma g)^2 less the bound of s(y - eta K grad h)^2 is (eta g^2/mu)(2 - 2 kappa xi + tau (xi^2 - 1 - w + "
    "kappa^2 w mu/L)) with xi = sigma mu s/g, w = sigma^2/Lambda_eta, tau = eta L Lambda_eta",
    Identity(
        (s - kappa * eta * sigma * g) ** 2 - _h_bound,
        eta * g**2 / mu * _claim.subs({xi: _slope, w: _fraction, tau: _share}, simultaneous=True),
    ),
)
SQUARED_AT_ONE = ProofStep(
    "at tau = 1 that factor is (xi - kappa)^2 + (1 - w) - kappa^2 (1 - w mu/L)",
    Identity(_claim.subs(tau, 1), (xi - kappa) ** 2 + (1 - w) - kappa**2 * (1 - w * rho)),
)
_claim_premises = (
    xi >= 0,
    xi <= 1,
    tau >= 0,
    tau <= 1,
    w >= 0,
    w <= omega,
    omega < 1,
    rho > 0,
    rho <= 1,
    kappa >= 0,
    kappa <= 1,
)
CLAIM = ProofStep(
    "2 - 2 kappa xi + tau (xi^2 - 1 - w + kappa^2 w mu/L) >= 0 for xi, tau in [0, 1], w <= omega = eta L lambda0, kappa^2 = "
    "(1 - omega)/(1 - omega mu/L); tau = u is a step shortened to u eta",
    Implication(
        "a_claim",
        (*_claim_premises, Eq(kappa**2 * (1 - omega * rho), 1 - omega)),
        _claim >= 0,
        _claim.subs(kappa, Rational(101, 100) * kappa) >= 0,  # kappa^2 2% too large
    ),
)
ROOT_TAKEN = ProofStep(
    "hence s(y - eta K grad h) <= s - kappa eta sigma g, also with u eta for eta: the factor being >= 0, (s - kappa eta sigma g)^2 "
    "is at least the bound of s(y - eta K grad h)^2 that smoothness, the spectrum and |grad h| >= mu s give, and both roots are >= "
    "0",
    Implication(
        "a_root_taken",
        (
            mu > 0,
            *(symbol >= 0 for symbol in (eta, b, Lambda, s, x)),  # b = L, x = s(y - eta K grad h), y = |K grad h|^2
            mu * x**2 <= mu * s**2 - 2 * eta * g**2 + b * eta**2 * y,
            y <= (sigma**2 + Lambda) * g**2 - sigma**2 * Lambda * v**2,
            v >= mu * s,
            mu * (s - kappa * eta * sigma * g) ** 2
            >= mu * s**2 - 2 * eta * g**2 + b * eta**2 * ((sigma**2 + Lambda) * g**2 - sigma**2 * Lambda * mu**2 * s**2),
            kappa * eta * sigma * g <= s,
        ),
        x <= s - kappa * eta * sigma * g,
        x <= s - Rational(51, 50) * kappa * eta * sigma * g,
    ),
)

# From the step inequality to the theorem. Phi(r) = sigma0 r - curvature r^2/2, curvature beta' or beta.


def potential(slope: Expr, curvature: Expr, length: Expr) -> Expr:
    """Phi at a length."""
    return slope * length - curvature * length**2 / 2


STEP_INEQUALITY = ProofStep(
    "s_{k+1} <= s_k - kappa sigma d + sqrt(L/mu) beta d^2/2, from the claim, |F(theta_{k+1}) - (y - eta K grad h)| <= beta d^2/2 "
    "and the Lipschitz constant sqrt(L/mu)",
    Implication(
        "a_step_inequality",
        (
            x <= s - kappa * sigma * d,  # x = s(y - eta K grad h)
            s_next <= x + z * y,  # y = |F(theta_{k+1}) - (y - eta K grad h)|
            y <= beta * d**2 / 2,
            z >= 1,
        ),
        s_next <= s - kappa * sigma * d + z * beta * d**2 / 2,
        s_next <= s - kappa * sigma * d + Rational(49, 100) * z * beta * d**2,
    ),
)
_step = (
    *(symbol >= 0 for symbol in (beta, r, d)),
    kappa > 0,
    kappa <= 1,
    z >= 1,
    Eq(bent * kappa, beta * z),
    s_next <= s - kappa * (sigma0 - beta * r) * d + z * beta * d**2 / 2,
)
CONSERVED = ProofStep(
    "hence s + kappa Phi(r) does not increase: s_{k+1} + kappa Phi(r_k + d) <= s_k + kappa Phi(r_k), which is (c) by induction",
    Implication(
        "a_conserved",
        _step,
        s_next + kappa * potential(sigma0, bent, r + d) <= s + kappa * potential(sigma0, bent, r),
        s_next + kappa * potential(sigma0, Rational(49, 50) * bent, r + d) <= s + kappa * potential(sigma0, bent, r),
    ),
)
SHORTENED_STEP = ProofStep(
    "(c) for a shortened step: the claim and the step inequality hold with u eta for eta and u d for d, so that "
    "s(theta_k - u eta grad J) + kappa Phi(r_k + u d) <= s_k + kappa Phi(r_k) <= s_0 for u in [0, 1]",
    CONSERVED.evidence,
)
INCREASE = ProofStep(
    "Phi increases strictly up to sigma0/beta': r < x <= sigma0/beta' gives Phi(r) < Phi(x)",
    Implication(
        "a_potential_increases",
        (r >= 0, bent >= 0, r < x, bent * x <= sigma0, sigma0 > 0),
        potential(sigma0, bent, r) < potential(sigma0, bent, x),
        potential(sigma0, bent, r) < Rational(49, 50) * potential(sigma0, bent, x),
    ),
)
NO_EXIT = ProofStep(
    "no exit: (c) for a shortened step of end x would give kappa Phi(x) <= s_0 = kappa Phi(rbar); no x in (rbar, "
    "sigma0/beta'] does",
    Implication(
        "a_no_exit",
        (
            bent >= 0,
            sigma0 > 0,
            kappa > 0,
            y >= 0,  # y = rbar
            Eq(kappa * potential(sigma0, bent, y), s0),
            s >= 0,
            s + kappa * potential(sigma0, bent, x) <= s0,
            bent * x <= sigma0,
            bent * y <= sigma0,
        ),
        x <= y,
        x <= Rational(49, 50) * y,
    ),
)
SHORTENED = ProofStep(
    "(c) for whole and shortened steps once more, on runs: s(theta_k - u eta grad J) + kappa Phi(r_k + u d) <= s_0, u in [0, 1]; "
    "whole runs stay within rbar",
    Sampled("whole and shortened steps of A", 100),
)
FLOOR = ProofStep(
    "sigma'^2 = (sigma0 - beta' r)^2 >= lambda0 (1-q) + 2 beta' s/kappa, from (c) and q = 2 beta' s_0/(kappa lambda0)",
    Implication(
        "a_floor",
        (
            kappa > 0,
            bent >= 0,
            Eq(q * kappa * sigma0**2, 2 * bent * s0),
            s + kappa * potential(sigma0, bent, r) <= s0,
        ),
        kappa * (sigma0 - bent * r) ** 2 >= kappa * sigma0**2 * (1 - q) + 2 * bent * s,
        kappa * (sigma0 - bent * r) ** 2 >= kappa * sigma0**2 * (1 - Rational(49, 50) * q) + 2 * bent * s,
    ),
)
MONOTONE = ProofStep(
    "x -> x (sigma' - beta' x/2) increases for x <= sigma'/beta', and eta mu sigma' s <= d <= rbar - r <= sigma'/beta'",
    Implication(
        "a_decrease_is_monotone",
        (x >= 0, x <= d, bent >= 0, bent * d <= sigma_bent),
        potential(sigma_bent, bent, x) <= potential(sigma_bent, bent, d),
        potential(sigma_bent, bent, x) <= Rational(49, 50) * potential(sigma_bent, bent, d),
    ),
)
AT_SMALLEST_STEP = ProofStep(
    "at x = eta mu sigma' s it is eta mu s sigma'^2 (1 - eta mu beta' s/2)",
    Identity(
        potential(sigma_bent, bent, eta * mu * sigma_bent * s),
        eta * mu * s * sigma_bent**2 * (1 - eta * mu * bent * s / 2),
    ),
)
RATE = ProofStep(
    "(A + 2 b)(1 - eta mu kappa b/2) >= A + b for A = lambda0 (1-q), b = beta' s/kappa: the rate (b)",
    Implication(
        "a_rate",
        (
            A >= 0,
            b >= 0,
            kappa > 0,
            kappa <= 1,
            w >= 0,  # w = eta mu
            A + 2 * b <= x,  # x = lambda0
            w * x <= 1,
            y >= A + 2 * b,  # y = sigma'^2
            y <= x,
        ),
        y * (1 - w * kappa * b / 2) >= A + b,
        y * (1 - w * kappa * b / 2) >= A + Rational(51, 50) * b + Rational(1, 2) * b,
    ),
)
STEP_FROM_BENT = ProofStep(
    "sigma' <= sigma, so that the step inequality gives s_{k+1} <= s_k - kappa (sigma' d - beta' d^2/2)",
    Implication(
        "a_step_from_bent",
        _step,
        s_next <= s - kappa * potential(sigma0 - bent * r, bent, d),
        s_next <= s - kappa * potential(sigma0 - Rational(49, 50) * bent * r, bent, d),
    ),
)
SMALLEST_STEP = ProofStep(
    "and d = eta g >= eta sigma mu s >= eta mu sigma' s",
    Implication(
        "a_smallest_step",
        (
            *(symbol >= 0 for symbol in (eta, mu, s, r, beta)),
            beta <= bent,
            g >= (sigma0 - beta * r) * mu * s,
        ),
        eta * g >= eta * mu * (sigma0 - bent * r) * s,
        eta * g >= Rational(51, 50) * eta * mu * (sigma0 - bent * r) * s,
    ),
)
RATE_AT_ONCE = ProofStep(
    "the rate (b) once more, in one query: s_{k+1} <= s_k - kappa (sigma' d - beta' d^2/2), sigma'^2 >= A + 2 beta' s_k/kappa, "
    "eta mu sigma' s_k <= d <= sigma'/beta' and eta mu lambda0 <= 1 give s_{k+1} <= (1 - eta mu kappa A) s_k - eta mu beta' s_k^2",
    Implication(
        "a_rate_at_once",
        (
            *(symbol >= 0 for symbol in (bent, sigma_bent, d, s, w, A)),  # w = eta mu, x = lambda0
            kappa > 0,
            kappa <= 1,
            s_next <= s - kappa * potential(sigma_bent, bent, d),
            kappa * sigma_bent**2 >= kappa * A + 2 * bent * s,
            sigma_bent**2 <= x,
            w * x <= 1,
            d >= w * sigma_bent * s,
            bent * d <= sigma_bent,
        ),
        s_next <= (1 - w * kappa * A) * s - w * bent * s**2,
        s_next <= (1 - Rational(51, 50) * w * kappa * A) * s - w * bent * s**2,
    ),
)
RESTART = ProofStep(
    "(d): (c) restarted at k bounds the remaining path D by sigma' D - beta' D^2/2 <= s_k/kappa with beta' D <= sigma'; with "
    "sigma'^2 >= A + 2 beta' s_k/kappa, D <= (sqrt(A + 2 beta' s_k/kappa) - sqrt(A))/beta'",
    Implication(
        "a_remaining_path",
        (
            A >= 0,
            s >= 0,
            D >= 0,
            sigma_bent >= D,
            potential(sigma_bent, Integer(1), D) <= s,
            sigma_bent**2 >= A + 2 * s,
            *root(x, A + 2 * s),
            *root(y, A),
        ),
        x - y >= D,
        Rational(49, 50) * (x - y) >= D,
        reduction="beta' = kappa = 1: measure lengths in units of 1/beta' and residuals in units of kappa/beta'",
    ),
)
RIEMANN = ProofStep(
    "(e): eta |grad h_j| <= d_j/(sigma0 - beta r_j) is at most the integral of 1/(sigma0 - beta r) over the step: "
    "x <= -ln(1 - x) with x = beta d/(sigma0 - beta r) < 1",
    Growth("a_riemann", -log(1 - x) - x, x, Integer(1), -log(1 - x) - Rational(51, 50) * x),
)
TELESCOPES = ProofStep(
    "those integrals add up: (1 - beta d/(sigma0 - beta r)) (sigma0 - beta r) = sigma0 - beta (r + d)",
    Identity((1 - beta * d / (sigma0 - beta * r)) * (sigma0 - beta * r), sigma0 - beta * (r + d)),
)
LIMIT = ProofStep(
    "a path of finite length has a limit, and J = h* there by continuity and (b)",
    Assumed("completeness of Euclidean space"),
)

TO_CLAIM = (
    WEYL,
    SMOOTHNESS,
    GRADIENT,
    SPECTRUM,
    GRADIENT_OF_J,
    STEP_IS_SHORT,
    SQUARED,
    SQUARED_AT_ONE,
    CLAIM,
    ROOT_TAKEN,
    RESIDUAL_IS_LIPSCHITZ,
)
TO_CONSERVED = (REMAINDER, STEP_INEQUALITY, CONSERVED, SHORTENED_STEP, INCREASE, NO_EXIT)
TO_RATE = (FLOOR, STEP_FROM_BENT, SMALLEST_STEP, MONOTONE, AT_SMALLEST_STEP, RATE, RATE_AT_ONCE)
TO_SUMS = (RESTART, RIEMANN, TELESCOPES, LIMIT)
