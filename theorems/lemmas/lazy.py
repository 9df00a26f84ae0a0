"""The proofs of C2 and C3: how little the weights move, and how near a run stays to the linearized one.

Letters: r = r_k, d = d_k, s = s_k, x = sqrt(lambda_max(K_0)), u = |e_k - ebar_k| and y = |e_{k+1} - ebar_{k+1}|, w = eta lambda0, t
= beta rbar/sigma0.
"""

from __future__ import annotations

from sympy import Eq, Integer, Rational, log

from theorems.ledger import Assumed, Growth, Identity, Implication, ProofStep, Sampled
from theorems.lemmas.composite import GRADIENT_OF_J, REMAINDER, RIEMANN, TELESCOPES
from theorems.lemmas.implicit import NORMAL_INTEGRAL, NORMAL_RIEMANN, NORMAL_STEP, V, f, lost_to_curvature, t, u
from theorems.lemmas.letters import b, beta, c, d, eta, r, rho, s, s0, sigma0, v, w, x, y, z
from theorems.lemmas.network import KERNEL_SPLITS

STAYS = ProofStep(
    "|theta_k^l - theta_0^l| <= |theta_k - theta_0| <= r_k <= rbar for every layer l",
    Implication(
        "c_stays",
        (*(symbol >= 0 for symbol in (x, y, rho, r)), Eq(rho**2, x**2 + y**2), rho <= r, r <= V),  # x = layer l, y = the others
        x <= V,
        x <= Rational(49, 50) * V,
    ),
)
NEURON = ProofStep(
    "the part of DF(theta)^* u at a neuron of layer l is at most C_l |u|_nu on B(R), C_l = alpha Lp E_l phat_l^nu for a hidden "
    "one and alpha phat_L^nu for an output: sum_i nu_i <delta_l(i), u(i)> (c_l h_{l-1}(i), sigma_b), E_l the largest of the E_l(i)",
    Sampled("gradient at a neuron", 100),
)
NEURON_SUM = ProofStep(
    "and sum_j eta |grad h(F(theta_j))| <= -(1/beta) ln(1 - beta rbar/sigma0), so it moves by C_l times that at most",
    Implication(
        "c_neuron",
        (*(symbol >= 0 for symbol in (c, s, z, x)), x <= c * s, s <= z),  # s = sum_j eta |grad h_j|, z = its bound
        x <= c * z,
        x <= Rational(49, 50) * c * z,
    ),
)
CONTRACTION = ProofStep(
    "|I - eta K_0| <= 1 - eta lambda0 when eta (lambda0 + lambda_max(K_0)) <= 2: an eigenvalue k of K_0 has |1 - eta k| <= 1 - "
    "eta lambda0",
    Implication(
        "c_contraction",
        (eta > 0, x > 0, x <= y, y <= z, eta * (x + z) <= 2),  # lambda0 <= k <= lambda_max
        (1 - eta * y) ** 2 <= (1 - eta * x) ** 2,
        (1 - eta * y) ** 2 <= Rational(49, 50) * (1 - eta * x) ** 2,
    ),
)
SPLITS = ProofStep(
    "e_{k+1} - ebar_{k+1} = (I - eta K_0)(e_k - ebar_k) - eta (K_k - K_0) e_k + remainder, K_k - K_0 = DF_0 E^* + E DF_k^*, E = "
    "DF_k - DF_0",
    KERNEL_SPLITS.evidence,
)
GAP_STEP = ProofStep(
    "hence |e_{k+1} - ebar_{k+1}| <= (1 - eta lambda0)|e_k - ebar_k| + eta sqrt(lambda_max) beta r_k s_k + beta r_k d_k + beta "
    "d_k^2/2",
    Implication(
        "c_gap_step",
        (
            *(symbol >= 0 for symbol in (eta, beta, r, d, s, x, u, z)),
            w <= 1,
            f <= (1 - w) * u,  # f = |(I - eta K_0)(e_k - ebar_k)|
            b <= eta * x * z * s,  # b = eta |DF_0 E^* e_k|, z = |E|
            c <= z * d,  # c = |E (eta DF_k^* e_k)|
            v <= beta * d**2 / 2,  # v = the remainder
            z <= beta * r,
            y <= f + b + c + v,
        ),
        y <= (1 - w) * u + eta * x * beta * r * s + beta * r * d + beta * d**2 / 2,
        y <= (1 - w) * u + Rational(49, 50) * (eta * x * beta * r * s + beta * r * d + beta * d**2 / 2),
    ),
)
GAP_ON_RUNS = ProofStep(
    "and once more, on runs: that step, the sum of all steps, and the bound by constants alone",
    Sampled("runs against their linearizations", 60),
)
SECOND_ORDER = ProofStep(
    "r d + d^2/2 = ((r + d)^2 - r^2)/2: without the factors 1 - eta lambda0 <= 1 these terms add up to beta r_k^2/2 <= beta "
    "rbar^2/2",
    Identity(r * d + d**2 / 2, ((r + d) ** 2 - r**2) / 2),
)
GEOMETRIC = ProofStep(
    "sum_j (1 - eta lambda0)^{k-1-j} eta s_j r_j <= s_0 rbar/lambda0, for s_j <= s_0 and r_j <= rbar, by induction",
    Implication(
        "c_geometric",
        (
            *(symbol >= 0 for symbol in (eta, s, r, x)),  # x = the sum so far, y = the next, z = lambda0
            z > 0,
            eta * z <= 1,
            s <= s0,
            r <= V,
            z * x <= s0 * V,
            y <= (1 - eta * z) * x + eta * s * r,
        ),
        z * y <= s0 * V,
        z * y <= Rational(49, 50) * s0 * V,
    ),
)
BY_PATH = ProofStep(
    "and beta sum_j eta s_j r_j <= (sigma0/beta)(-ln(1 - t) - t), the sum of B1",
    NORMAL_STEP.evidence,
)
TENDS_TO_ZERO = ProofStep(
    "the sum tends to 0: its terms are those of a summable sequence, as sum d_j <= rbar and eta s_j <= d_j/(sigma0 - beta rbar), "
    "each times a power of 1 - eta lambda0 < 1",
    Assumed("the product of two absolutely convergent series: W. Rudin (1976), Principles of Mathematical Analysis, Theorem 3.50"),
)
WEAKER = ProofStep(
    "it is at most rbar ln(1/(1 - t)): the latter less the former is (sigma0/beta)(1 - t)(ln(1 - t) + t/(1 - t)), and the last "
    "factor grows from 0",
    Growth(
        "c_weaker",
        log(1 - t) + t / (1 - t),
        t,
        Integer(1),
        log(1 - t) + Rational(49, 50) * t / (1 - t),
    ),
)
WEAKER_IDENTITY = ProofStep(
    "with rbar = t sigma0/beta",
    Identity(
        -t * sigma0 / beta * log(1 - t) - sigma0 / beta * lost_to_curvature(t),
        sigma0 / beta * (1 - t) * (log(1 - t) + t / (1 - t)),
    ),
)

C2 = (STAYS, NEURON, RIEMANN, TELESCOPES, NEURON_SUM)
C3 = (
    REMAINDER,
    GRADIENT_OF_J,
    CONTRACTION,
    SPLITS,
    GAP_STEP,
    SECOND_ORDER,
    GEOMETRIC,
    BY_PATH,
    RIEMANN,
    TELESCOPES,
    NORMAL_RIEMANN,
    NORMAL_INTEGRAL,
    WEAKER,
    WEAKER_IDENTITY,
    TENDS_TO_ZERO,
    GAP_ON_RUNS,
)
