"""What some step certifies, what persists at larger widths, and how q falls with a scale: the proofs.

Letters: q = 2 beta s_0/lambda0, tau = q*, x = 1 + sqrt(1 - q*) at the radius R*; k0 = 1 - eta L_J/2, y = L_J; kappa, z =
sqrt(L/mu), D = d_max as in Theorems A and A+. A theorem's quotient is A here, its path bound d; c = lambda0' <= sigma0^2 = lambda0.
"""

from __future__ import annotations

from sympy import Eq, Rational, sqrt

from theorems.ledger import Identity, Implication, ProofStep, Sampled, root
from theorems.lemmas.apriori import NUMBERS_FALL, TAIL_AGAINST_WIDTH
from theorems.lemmas.composite import INCREASE, potential
from theorems.lemmas.letters import A, D, Lambda, b, beta, c, d, eta, k0, kappa, mu, q, r, real, s, s0, sigma0, tau, w, x, xi, y, z
from theorems.statements.notation import positive

_L = real("L")
_beta, _s0, _sigma0, _t, _x = (positive(name) for name in ("beta", "s0", "sigma0", "t", "x"))
_a, _k, _l = positive("a"), positive("k0"), positive("lambda1")

# Theorem A0 on B(R*) at every small enough step.
AT_RADIUS = ProofStep(
    "at R* = 2 s_0/(sigma0 x): sigma0 R* - beta R*^2/2 = s_0 (2 x - q)/x^2",
    Identity(
        potential(_sigma0, _beta, 2 * _s0 / (_sigma0 * _x)),
        _s0 * (2 * _x - 2 * _beta * _s0 / _sigma0**2) / _x**2,
    ),
)
ROOT_SQUARED = ProofStep("x^2 = 2 x - q* for x = 1 + sqrt(1 - q*)", Identity((1 + sqrt(1 - _t)) ** 2, 2 * (1 + sqrt(1 - _t)) - _t))
SMALL_STEP = ProofStep(
    "a step with eta L_J < 2 (q* - q)/(2 x - q) has k0 (2 x - q) > 2 x - q*, that is k0 (sigma0 R* - beta R*^2/2) > s_0",
    Implication(
        "f_small_step",
        (x >= 1, tau <= 1, q < tau, Eq(k0, 1 - eta * y / 2), eta * y * (2 * x - q) < 2 * (tau - q)),
        k0 * (2 * x - q) > 2 * x - tau,
        k0 * (2 * x - q) > Rational(51, 50) * (2 * x - tau),
    ),
)
QUOTIENT_BELOW = ProofStep(
    "then q0 = q/k0 < q* too",
    Implication(
        "f_small_step_quotient",
        (x >= 1, tau <= 1, q >= 0, q < tau, k0 * (2 * x - q) > 2 * x - tau),
        k0 * tau > q,
        Rational(49, 50) * k0 * tau > q,
    ),
)
RADIUS_BELOW = ProofStep(
    "rbar0, the root of k0 (sigma0 r - beta r^2/2) = s_0 with beta r <= sigma0, is less than R if k0 (sigma0 R - beta R^2/2) > s_0",
    Implication(
        "f_radius_below",
        (
            beta >= 0,
            k0 > 0,
            beta * r <= sigma0,
            w >= 0,  # w = R
            Eq(k0 * potential(sigma0, beta, r), s0),
            k0 * potential(sigma0, beta, w) > s0,
        ),
        r < w,
        r < Rational(49, 50) * w,
    ),
)

# On any ball.
ABOVE_THE_ROOT = ProofStep(
    "conversely rbar0 < R <= sigma0/beta gives k0 (sigma0 R - beta R^2/2) > s_0, as sigma0 r - beta r^2/2 increases up to "
    "sigma0/beta",
    INCREASE.evidence,
)
VERTEX = ProofStep(
    "k0 (sigma0 r - beta r^2/2) > s_0 for some r gives q0 < 1, as sigma0 r - beta r^2/2 <= sigma0^2/(2 beta)",
    Implication(
        "f_vertex",
        (beta > 0, k0 > 0, sigma0 > 0, k0 * potential(sigma0, beta, w) > s0, Eq(q * k0 * sigma0**2, 2 * beta * s0)),
        q < 1,
        q < Rational(49, 50),
    ),
)
WHOLE_BALL = ProofStep(
    "rbar0 <= sigma0/beta: a ball with R > sigma0/beta asks for q0 < 1 alone, and so does r = sigma0/beta in place of R",
    Implication(
        "f_whole_ball",
        (
            beta > 0,
            k0 > 0,
            sigma0 > 0,
            Eq(q * k0 * sigma0**2, 2 * beta * s0),
            *root(x, 1 - q),
            Eq(r * k0 * sigma0 * (1 + x), 2 * s0),
        ),
        beta * r <= sigma0,
        beta * r <= Rational(49, 50) * sigma0,
    ),
)
AT_THE_VERTEX = ProofStep(
    "k0 (sigma0 r - beta r^2/2) = s_0/q0 at r = sigma0/beta",
    Identity(_k * potential(_sigma0, _beta, _sigma0 / _beta), _s0 / (2 * _beta * _s0 / (_k * _sigma0**2))),
)
POSITIVE = ProofStep(
    "so eta > 0 if and only if q < q* and R > rbar: sigma0 r - beta r^2/2 is s_0 at rbar and increases up to sigma0/beta",
    INCREASE.evidence,
)
KAPPA_AT_MOST_ONE = ProofStep(
    "kappa <= 1 for L >= mu",
    Implication(
        "f_kappa_at_most_one",
        (eta >= 0, mu >= 0, c >= 0, mu <= _L, eta * _L * c < 1, kappa >= 0, Eq(kappa**2 * (1 - eta * mu * c), 1 - eta * _L * c)),
        kappa <= 1,
        kappa <= Rational(49, 50),
    ),
)
SIGMA_TILDE_BELOW = ProofStep(
    "sigma~ <= sigma0' as kappa <= 1 <= sqrt(L/mu)",
    Implication(
        "f_sigma_tilde_below",
        (beta >= 0, D >= 0, kappa > 0, kappa <= 1, z >= 1, Eq(2 * kappa * (sigma0 - y), (z - kappa) * beta * D)),
        y <= sigma0,
        y <= Rational(49, 50) * sigma0,
    ),
)
_SIZES = (beta >= 0, s0 >= 0, sigma0 > 0, Eq(q * sigma0**2, 2 * beta * s0))
QUOTIENT_OF_A = ProofStep(
    "the quotient 2 beta sqrt(L/mu) s_0/(kappa^2 lambda0') of Theorem A is at least q",
    Implication(
        "f_quotient_of_a",
        (*_SIZES, kappa > 0, kappa <= 1, z >= 1, c > 0, c <= sigma0**2, Eq(A * kappa**2 * c, 2 * beta * z * s0)),
        q <= A,
        Rational(51, 50) * q <= A,
    ),
)
QUOTIENT_OF_A_PLUS = ProofStep(
    "the quotient 2 beta s_0/(kappa sigma~^2) of Theorem A+ is at least q, and that of A0 with k0, sigma0' for kappa, sigma~",
    Implication(
        "f_quotient_of_a_plus",
        (*_SIZES, kappa > 0, kappa <= 1, y > 0, y <= sigma0, Eq(A * kappa * y**2, 2 * beta * s0)),
        q <= A,
        Rational(51, 50) * q <= A,
    ),
)
PATHS = ProofStep(
    "the path bounds (2 s_0/(k y))/(1 + sqrt(1 - Q)), k = kappa or k0 <= 1, y = sigma0' or sigma~ <= sigma0, Q >= q, are at least "
    "rbar",
    Implication(
        "f_paths",
        (
            *(symbol > 0 for symbol in (sigma0, kappa, y)),
            s0 >= 0,
            kappa <= 1,
            y <= sigma0,
            q <= A,
            *root(x, 1 - q),
            *root(w, 1 - A),
            Eq(r * sigma0 * (1 + x), 2 * s0),
            Eq(d * kappa * y * (1 + w), 2 * s0),
        ),
        d >= r,
        d >= Rational(51, 50) * r,
    ),
)
EVERY_RADIUS = ProofStep(
    "every radius is some R*: R > rbar(R) with sigma0 R (1 + y) = 2 s_0, y >= 0, is R* of q* = 1 - y^2 > q(R); where that exceeds "
    "q_target, or R > 2 s_0/sigma0, R is above R* of q* = q_target, where beta is no larger",
    Implication(
        "f_every_radius",
        (
            s0 > 0,
            sigma0 > 0,
            *root(x, 1 - q),
            y >= 0,
            Eq(r * sigma0 * (1 + x), 2 * s0),  # r = rbar
            Eq(w * sigma0 * (1 + y), 2 * s0),  # w = R
            r < w,
        ),
        q < 1 - y**2,
        q < Rational(49, 50) * (1 - y**2),
    ),
)

# Smaller beta, lambda_max, s_0 at the same eta, R and lambda0': b, xi, s in place of beta, Lambda, s0.
CHERNOFF_RISES = ProofStep(
    "lambda0 = (1 - sqrt(C/m)) lambda_inf does not decrease with m, so that lambda0' <= lambda0(m) stays true",
    Implication(
        "g_chernoff_rises",
        # x = sqrt(C/m_0), y = sqrt(C/m), A = C, w = lambda_inf
        (A >= 0, w >= 0, b > 0, b <= d, *root(x, A * mu), *root(y, A * kappa), Eq(mu * b, 1), Eq(kappa * d, 1)),
        (1 - y) * w >= (1 - x) * w,
        (1 - y) * w >= Rational(51, 50) * (1 - x) * w,
    ),
)
LAMBDA_FALLS = ProofStep(
    "Lambda = (sqrt(lambda_max) + beta R)^2 does not increase, nor does L_J = L Lambda + beta sqrt(mu L) s_0: the step stays "
    "admissible",
    Implication(
        "g_smoothness_falls",
        (
            *(symbol >= 0 for symbol in (b, s, r, x, _L, z)),
            b <= beta,
            s <= s0,
            x <= y,  # roots of lambda_max
        ),
        _L * (x + b * r) ** 2 + b * z * s <= _L * (y + beta * r) ** 2 + beta * z * s0,
        _L * (x + b * r) ** 2 + b * z * s <= Rational(49, 50) * (_L * (y + beta * r) ** 2 + beta * z * s0),
    ),
)
LONGEST_STEP_FALLS = ProofStep(
    "nor does d_max = eta sqrt(Lambda L mu) s_0",
    Implication(
        "g_longest_step_falls",
        (*(symbol >= 0 for symbol in (eta, x, z, s)), s <= s0, x <= y),  # roots of Lambda
        eta * x * z * s <= eta * y * z * s0,
        eta * x * z * s <= Rational(49, 50) * eta * y * z * s0,
    ),
)
SIGMA_TILDE_RISES = ProofStep(
    "sigma~ = sigma0' - (sqrt(L/mu)/kappa - 1) beta d_max/2 does not decrease, as kappa <= 1 <= sqrt(L/mu)",
    Implication(
        "g_sigma_tilde_rises",
        (
            *(symbol >= 0 for symbol in (b, d)),
            b <= beta,
            d <= D,
            kappa > 0,
            kappa <= 1,
            z >= 1,
            Eq(2 * kappa * (sigma0 - y), (z - kappa) * beta * D),
            Eq(2 * kappa * (sigma0 - x), (z - kappa) * b * d),
        ),
        x >= y,
        x >= Rational(51, 50) * y,
    ),
)
QUOTIENT_FALLS = ProofStep(
    "the quotient, a multiple of beta s_0/(k y^2) with k = kappa^2, kappa or k0 and y = sigma0' or sigma~, does not increase",
    Implication(
        "g_quotient_falls",
        (
            *(symbol >= 0 for symbol in (b, s)),
            *(symbol > 0 for symbol in (k0, y)),
            b <= beta,
            s <= s0,
            k0 <= kappa,
            y <= x,
            Eq(A * k0 * y**2, 2 * beta * s0),
            Eq(q * kappa * x**2, 2 * b * s),
        ),
        q <= A,
        q <= Rational(49, 50) * A,
    ),
)
PATH_FALLS = ProofStep(
    "the path bound (2 s_0/(k y))/(1 + sqrt(1 - Q)) does not increase",
    Implication(
        "g_path_falls",
        (
            s >= 0,
            *(symbol > 0 for symbol in (k0, y)),
            s <= s0,
            k0 <= kappa,
            y <= sigma0,
            q <= A,
            *root(x, 1 - q),
            *root(w, 1 - A),
            Eq(r * kappa * sigma0 * (1 + x), 2 * s),
            Eq(d * k0 * y * (1 + w), 2 * s0),
        ),
        r <= d,
        r <= Rational(49, 50) * d,
    ),
)
RATE_FALLS = ProofStep(
    "the factor 1 - eta mu k y^2 (1 - Q), with 2 eta for the loss gap in A0, does not increase",
    Implication(
        "g_rate_falls",
        (eta >= 0, mu >= 0, k0 >= 0, k0 <= kappa, y >= 0, y <= x, q <= A, A <= 1),
        1 - eta * mu * kappa * x**2 * (1 - q) <= 1 - eta * mu * k0 * y**2 * (1 - A),
        1 - eta * mu * kappa * x**2 * (1 - q) <= 1 - Rational(51, 50) * eta * mu * k0 * y**2 * (1 - A),
    ),
)

# Scales: alpha multiplied by a = scale, or the labels divided by it.
OUTPUT_QUOTIENT = ProofStep(
    "output scale: beta = alpha beta_1(R) and lambda0 = alpha^2 lambda_1, so q is divided by a where beta_1 and s_0 are the same",
    Identity(2 * (_a * _beta) * _s0 / (_a**2 * _l), 2 * _beta * _s0 / _l / _a),
)
OUTPUT_RADIUS = ProofStep(
    "and R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)) is divided by a",
    Identity(2 * _s0 / sqrt(_a**2 * _l) / (1 + sqrt(1 - _t)), 2 * _s0 / sqrt(_l) / (1 + sqrt(1 - _t)) / _a),
)
SMALLER_BALL = ProofStep(
    "beta(R) does not decrease with R, and without its factor alpha it does not depend on alpha; |f_0| is proportional to alpha",
    Sampled("bounds against the scales", 100),
)
INITIAL_FUNCTION = ProofStep(
    "not centered: s_0/a = (s(0) + a z|f_0|)/a <= s(0) + z|f_0|, and (s(0)/a + z|f_0|) likewise where the labels are divided by a",
    Implication(
        "f_initial_function",
        (tau >= 1, s >= 0, w >= 0),  # tau = a, s = s(0), w = sqrt(L/mu)|f_0|
        s + tau * w <= tau * (s + w),
        s + tau * w <= Rational(49, 50) * tau * (s + w),
    ),
)
LESS_IN_ALL = ProofStep(
    "2 beta s_0/lambda0 with a smaller beta, on a smaller ball, is no larger",
    Implication(
        "f_smaller_ball",
        (b >= 0, b <= beta, s0 >= 0, Lambda > 0, Eq(q * Lambda, 2 * beta * s0), Eq(xi * Lambda, 2 * b * s0)),  # Lambda = lambda0
        xi <= q,
        xi <= Rational(49, 50) * q,
    ),
)

STEP_PROOF = (AT_RADIUS, ROOT_SQUARED, SMALL_STEP, QUOTIENT_BELOW, RADIUS_BELOW)
ANY_STEP_PROOF = (
    RADIUS_BELOW,
    ABOVE_THE_ROOT,
    VERTEX,
    WHOLE_BALL,
    AT_THE_VERTEX,
    POSITIVE,
    KAPPA_AT_MOST_ONE,
    SIGMA_TILDE_BELOW,
    QUOTIENT_OF_A,
    QUOTIENT_OF_A_PLUS,
    PATHS,
    EVERY_RADIUS,
)
PERSISTENCE_PROOF = (
    TAIL_AGAINST_WIDTH,
    NUMBERS_FALL,
    CHERNOFF_RISES,
    LAMBDA_FALLS,
    LONGEST_STEP_FALLS,
    KAPPA_AT_MOST_ONE,
    SIGMA_TILDE_RISES,
    QUOTIENT_FALLS,
    PATH_FALLS,
    RATE_FALLS,
)
SCALE_PROOF = (OUTPUT_QUOTIENT, OUTPUT_RADIUS, SMALLER_BALL, INITIAL_FUNCTION, LESS_IN_ALL)
