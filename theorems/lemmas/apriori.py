"""The proofs of section F and G: scalar cores, what is taken from probability theory, and what is tried on networks.

The full argument stands in ``theorems.apriori``: ``start`` (signals, leave-one-out), ``ball`` (beta as a polynomial), ``data``
(means), ``eigenvalue`` (matrix Chernoff), ``threshold`` (monotonicity in the width).
"""

from __future__ import annotations

from sympy import Eq, Integer, Rational, log, sqrt

from theorems.ledger import Assumed, Growth, Identity, Implication, ProofStep, Sampled, root
from theorems.lemmas.letters import (
    A,
    D,
    Lambda,
    b,
    c,
    d,
    eta,
    g,
    kappa,
    mu,
    omega,
    q,
    r,
    real,
    s,
    s0,
    sigma0,
    tau,
    v,
    w,
    x,
    xi,
    y,
    z,
)
from theorems.statements.notation import positive

X = real("X")
_L = real("L")

NORMAL_TAIL = ProofStep(
    "P(|g| > t) <= exp(-t^2/2) for a standard normal g and t >= 0",
    Assumed("erfc(x) <= exp(-x^2) for x >= 0; W. Feller, An Introduction to Probability Theory and Its Applications I, VII.1"),
)
NORMS = ProofStep(
    "P(|g| > sqrt(m) + t) <= exp(-t^2/2) for a standard normal g of R^m, and every 1-Lipschitz function likewise about its mean",
    Assumed("Boucheron, Lugosi and Massart (2013), Concentration Inequalities, Theorem 5.6"),
)
OPERATOR_NORMS = ProofStep(
    "P(|W| > sqrt(m) + sqrt(n) + t) <= exp(-t^2/2) for an m x n matrix of independent standard normal entries",
    Assumed("Davidson and Szarek (2001), Local operator theory, random matrices and Banach spaces, Theorem II.13"),
)
SIGNS = ProofStep(
    "a convex function of independent +-1 entries, Lipschitz with constant a, exceeds its mean by 2 t a with "
    "probability <= exp(-t^2/2)",
    Assumed("Boucheron, Lugosi and Massart (2013), Concentration Inequalities, Theorem 6.10, for variables in [0, 1]"),
)
UNION = ProofStep(
    "N statements that fail with probability at most p/N each, for events with shares p of sum delta: all hold with 1 - delta",
    Assumed("the union bound, conditionally on what the statements are conditioned on"),
)
COEFFICIENTS = ProofStep(
    "|(u, v)| of polynomials is at most the polynomial with the coefficients |(u_k, v_k)|; here of degree 1",
    Implication(
        "f_root_of_squares",
        (*(symbol >= 0 for symbol in (x, y, r, d, X)), *root(w, x**2 + r**2), *root(z, y**2 + d**2)),
        (x + y * X) ** 2 + (r + d * X) ** 2 <= (w + z * X) ** 2,
        (x + y * X) ** 2 + (r + d * X) ** 2 <= Rational(49, 50) * (w + z * X) ** 2,
        reduction="squares of nonnegative numbers compare as the numbers do",
    ),
)
ODD_POWERS = ProofStep(
    "X^{2j+1} <= (s X^{2j} + X^{2j+2}/s)/2 for s > 0; the mean over the points of this at the best s is Cauchy and Schwarz",
    Implication("f_odd_powers", (s > 0, Eq(s * w, 1), X >= 0), s + X**2 * w >= 2 * X, Rational(49, 50) * (s + X**2 * w) >= 2 * X),
)
CHANGE = ProofStep(
    "leave-one-out: |delta_i - delta'_i| <= d_i nu_i with nu_i = Lpp e_i + (Lp g_{i+1})^2 nu_{i+1}, d_{i+1} = g_{i+1} Lp d_i",
    # x = |delta - delta'| of layer i, y = |eta - eta'| of layer i, z = |delta - delta'| of layer i + 1, r = d_{i+1}; v = Lp,
    # w = Lpp, b = e_i, c = nu_{i+1}
    Implication(
        "f_leave_one_out_change",
        (
            *(symbol >= 0 for symbol in (x, y, z, r, d, g, v, w, b, c)),
            x <= v * y + w * d * b,
            y <= g * z,
            z <= r * c,
            Eq(r, g * v * d),
        ),
        x <= d * (w * b + (v * g) ** 2 * c),
        x <= Rational(49, 50) * d * (w * b + (v * g) ** 2 * c),
    ),
)
UNIT = ProofStep(
    "leave-one-out: |eta_{l,j}| <= c (t Delta + omega r nu), as delta' is independent of the column w of W_{l+1}",
    # x = |eta_{l,j}|, y = |delta'^T w|, z = |delta - delta'|, A = |w|; b = |delta'|, D = Delta, kappa = nu, tau = t
    Implication(
        "f_leave_one_out",
        (
            *(symbol >= 0 for symbol in (x, y, z, A, b, c, D, r, kappa, omega, tau)),
            x <= c * (y + A * z),
            y <= tau * b,
            b <= D,
            omega >= A,
            z <= r * kappa,
        ),
        x <= c * (tau * D + omega * r * kappa),
        x <= Rational(49, 50) * c * (tau * D + omega * r * kappa),
    ),
)
CROSS = ProofStep(
    "lambda_max(e v^T + v e^T) <= |v| for a unit vector e orthogonal to v: 2 t_l (v.t') <= |v|(t_l^2 + |t'|^2)",
    Implication(
        "f_cross_terms",
        (v >= 0, x >= 0, y >= 0, z <= v * y),
        2 * x * z <= v * (x**2 + y**2),
        2 * x * z <= Rational(49, 50) * v * (x**2 + y**2),
    ),
)
START = ProofStep(
    "on the events: |h_l|, p_l, |eta_l|_inf <= e_l and |delta_l| <= Delta_l at every point, with measured numbers t",
    Sampled("a-priori bounds at the start", 300),
)
BETA = ProofStep(
    "on the events: |DF - DF'| <= beta |theta - theta'| on B(R) and |DF_0|^2 <= lambda_max, beta^2 the mean of beta(x_i)^2",
    Sampled("beta before drawing", 150),
)
RADIUS = ProofStep(
    "q < q* makes rbar < R* = (2 s_0/sigma0)/(1 + sqrt(1 - q*)): the theorem applies on B(R*)",
    Implication(
        "f_radius",
        (
            s0 > 0,
            sigma0 > 0,
            tau <= 1,  # q*
            q < tau,
            *root(x, 1 - q),
            *root(y, 1 - tau),
            Eq(r * sigma0 * (1 + x), 2 * s0),
            Eq(w * sigma0 * (1 + y), 2 * s0),
        ),
        r < w,
        r < Rational(49, 50) * w,
    ),
)

TROPP = ProofStep(
    "sums of independent positive semidefinite X_j of norm at most rho: P(lambda_min <= (1 - eps) mu_min) <= n (e^{-eps}/(1 - "
    "eps)^{1 - eps})^{mu_min/rho}",
    Assumed("J. A. Tropp (2012), User-friendly tail bounds for sums of random matrices, Theorem 1.1"),
)
EXPONENT = ProofStep(
    "e^{-eps}/(1 - eps)^{1 - eps} <= e^{-eps^2/2}: (1 - eps) ln(1 - eps) + eps - eps^2/2 is 0 at 0 and has the "
    "derivative -ln(1 - eps) "
    "- eps >= 0",
    Growth("f_chernoff_exponent", -log(1 - x) - x, x, Integer(1), -log(1 - x) - 2 * x),
)
SUMMANDS = ProofStep(
    "K_0 of the first layer is the sum of X_j = (alpha^2 sigma_w^2/m) D_j G D_j, each at most rho = alpha^2 "
    "sigma_w^2 Lp^2 lambda_max(G)/m",
    Sampled("summands of the first layer's kernel", 200),
)
SMALLER_LIMIT = ProofStep(
    "a lower bound lambda of lambda_inf may stand in its place: (1 - eps) lambda = (1 - eps') lambda_inf has "
    "eps'^2 lambda_inf >= eps^2 "
    "lambda",
    Implication(
        "f_chernoff_smaller_limit",
        (x > 0, y >= x, xi >= 0, xi < 1, Eq((1 - xi) * x, (1 - omega) * y)),  # x = lambda, y = lambda_inf, xi = eps, omega = eps'
        omega**2 * y >= xi**2 * x,
        omega**2 * y >= Rational(51, 50) * xi**2 * x,
    ),
)

_n, _p, _m, _C, _K, _t, _J, _log = (positive(name) for name in ("n", "p", "m", "C", "K", "t", "J", "ell"))
SOLVED = ProofStep(
    "n exp(-eps^2 m/(C/ln(n/p))) = p at eps = sqrt(C/m), C proportional to ln(n/p): the exponent is ln(n/p)",
    Identity(sqrt(_C / _m) ** 2 * _m / (_C / _log), _log),
)
CLOSED_FORM = ProofStep(
    "one hidden layer, T = {1}: beta = alpha sigma_w Lpp S/sqrt(m) for every R, so q = K/sqrt(m) and q = q* at m = (K/q*)^2",
    Identity(_K / sqrt((_K / _t) ** 2), _t),
)
CLOSED_FORM_CHERNOFF = ProofStep(
    "with lambda0 = (1 - sqrt(C/m)) lambda_inf: q = K/(sqrt(m) - sqrt(C)) and q = q* at sqrt(m) = sqrt(C) + K/q*",
    Identity(_K / ((sqrt(_C) + _K / _t) * (1 - sqrt(_C) / (sqrt(_C) + _K / _t))), _t),
)
TAIL_AGAINST_WIDTH = ProofStep(
    "t m^{-1/(2J)}, t = sqrt(2 ln(K m/p)), does not increase where ln(K m/p) >= J: its logarithm has the derivative (1/ln(K m/p) - "
    "1/J)/(2m)",
    Identity(1 / (2 * _m * _log) - 1 / (2 * _J * _m), (1 / _log - 1 / _J) / (2 * _m)),
)
NUMBERS_FALL = ProofStep(
    "c_l, c_l w_l, c_{l+1} sqrt(m_l), c_{l+1} omega_{l+1}, Delta_l, p_l, e_l, a_l, D_l, B_l, E_l, N_l, V_l, beta, "
    "s_0 and Lambda do not increase with m "
    "on m >= m_0",
    Sampled("bounds against the width", 100),
)
TRANSFER = ProofStep(
    "a step of at most 1/(L Lambda(m_0)) is admissible wherever Lambda <= Lambda(m_0)",
    Implication(
        "g_transfer",
        (eta >= 0, _L > 0, Lambda >= 0, mu > 0, Lambda <= mu, eta * _L * mu <= 1),  # mu = Lambda(m_0)
        eta * _L * Lambda <= 1,
        eta * _L * Lambda <= Rational(49, 50),
    ),
)
STEP_LIMIT = ProofStep(
    "1/(L Lambda) tends to 1/(L lambda_max(K_inf)) where beta R tends to 0 and lambda_max(K_0) to "
    "lambda_max(K_inf), in probability",
    Assumed("the convergence of the tangent kernel at initialization: Jacot, Gabriel and Hongler (2018), Theorem 1"),
)

ARCHITECTURE_PROOF = (
    NORMAL_TAIL,
    NORMS,
    OPERATOR_NORMS,
    SIGNS,
    UNION,
    UNIT,
    CHANGE,
    START,
    COEFFICIENTS,
    CROSS,
    BETA,
    ODD_POWERS,
    RADIUS,
)
CHERNOFF_PROOF = (SUMMANDS, TROPP, EXPONENT, SMALLER_LIMIT, SOLVED)
WIDTH_PROOF = (CLOSED_FORM, CLOSED_FORM_CHERNOFF, TAIL_AGAINST_WIDTH, NUMBERS_FALL, RADIUS)
TRANSFER_PROOF = (TAIL_AGAINST_WIDTH, NUMBERS_FALL, TRANSFER, STEP_LIMIT)
