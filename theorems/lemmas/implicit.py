"""The proofs of B1 to B5: where a certified run ends, against the solution nearest to its start.

Letters: u = |theta* - theta0|, v = |theta_inf - theta0|, D = |theta_inf - theta*|, c = <theta_inf - theta*, theta* - theta0>, w the
norm of the multiplier of theta*, t = beta rbar/sigma0, y = t_u = beta u/sigma0; P projects on range DF(theta0)^*. Along the run r =
r_j, d = d_j, g = |grad J|, and at a point x of H its norm.
"""

from __future__ import annotations

import sympy
from sympy import Eq, Rational, log

from theorems.ledger import Assumed, Identity, Implication, ProofStep, Sampled, root
from theorems.lemmas.composite import GRADIENT_OF_J, REMAINDER, RESIDUAL_IS_LIPSCHITZ, RIEMANN, TELESCOPES, WEYL
from theorems.lemmas.letters import D, Lambda, b, beta, c, d, eta, g, r, real, s0, sigma, sigma0, w, x, y, z

t = real("t")
u = real("u")
v = real("v")
V = real("V")
a = real("a")
f = real("f")
p = real("p")
zeta = real("zeta")


def lost_to_curvature(share: sympy.Expr) -> sympy.Expr:
    """-ln(1 - t) - t, the integral of x/(1 - x) from 0 to t."""
    return -log(1 - share) - share


NORMAL_PART = ProofStep(
    "|(I - P) DF(theta)^* x| <= beta |theta - theta0| |x|, for (I - P) DF(theta0)^* = 0",
    Sampled("normal part of a gradient", 300),
)
NORMAL_STEP = ProofStep(
    "a step adds eta |(I - P) DF_j^* grad h_j| <= beta r_j d_j/(sigma0 - beta r_j) at most, from |grad h_j| <= g_j/(sigma0 - beta "
    "r_j)",
    Implication(
        "b_normal_step",
        (
            *(symbol >= 0 for symbol in (beta, r, eta, x, g)),  # x = |grad h_j|, y = the step's part outside the range
            sigma > 0,  # sigma0 - beta r_j
            sigma * x <= g,
            Eq(d, eta * g),
            y <= eta * beta * r * x,
        ),
        sigma * y <= beta * r * d,
        sigma * y <= Rational(49, 50) * beta * r * d,
    ),
)
NORMAL_RIEMANN = ProofStep(
    "with x = (beta d/sigma0)/(1 - t) and t = beta r/sigma0, t x = x - beta d/sigma0; so -ln(1 - x) >= x and the telescoping of "
    "the logarithms bound the sum by the integral of beta r/(sigma0 - beta r)",
    Identity(t * (d / (1 - t)), d / (1 - t) - d),
)
NORMAL_INTEGRAL = ProofStep(
    "that integral is (sigma0/beta)(-ln(1 - t) - t), t = beta r/sigma0: the derivative by r of one is the integrand of the other",
    Identity(sympy.diff(sigma0 / beta * lost_to_curvature(beta * r / sigma0), r), beta * r / (sigma0 - beta * r)),
)
RUNS = ProofStep(
    "B1 to B5 once more, on runs of random problems whose nearest solution is known in closed form or found by another optimizer",
    Sampled("where runs end", 60),
)
LAGRANGE = ProofStep(
    "there is a nearest solution theta*, u <= v <= rbar < R, and theta* - theta0 = DF(theta*)^* w for some w",
    Assumed(
        "Lagrange's multiplier rule, D. Luenberger (1969), Optimization by Vector Space Methods, section 9.3: DF(theta*) is onto, "
        "as sigma_min >= sigma0 - beta rbar > 0; closed bounded sets of Euclidean space are compact"
    ),
)
MULTIPLIER = ProofStep(
    "|w| <= u/(sigma0 - beta u), from Weyl's inequality at theta*; hence beta |w| <= t_u/(1 - t_u)",
    Implication(
        "b_multiplier",
        (
            *(symbol >= 0 for symbol in (beta, u, w, y)),
            sigma0 > 0,
            Eq(y * sigma0, beta * u),
            y < 1,
            (sigma0 - beta * u) * w <= u,
        ),
        beta * w * (1 - y) <= y,
        beta * w * (1 - y) <= Rational(49, 50) * y,
    ),
)

# B2 and B4, the second forms, and B5: two solutions, one of which obeys Lagrange's condition.

_TWO_SOLUTIONS = (
    *(symbol >= 0 for symbol in (beta, u, v, D, w, y)),
    y < 1,
    beta * w * (1 - y) <= y,
    Eq(v**2, u**2 + 2 * c + D**2),
)
TANGENT = ProofStep(
    "|<theta' - theta*, theta* - theta0>| = |<DF(theta*)(theta' - theta*), w>| <= beta |w| D^2/2 for every solution theta' in "
    "B(R): F(theta') = F(theta*), so DF(theta*)(theta' - theta*) is a remainder of the linearization",
    Sampled("solutions against a nearest one", 200),
)
LONGER_AT_MOST = ProofStep(
    "(1 - t_u)(|theta' - theta0|^2 - u^2) <= D^2: the second form",
    Implication(
        "b_second_form",
        (*_TWO_SOLUTIONS, 2 * c <= beta * w * D**2),
        (1 - y) * (v**2 - u**2) <= D**2,
        (1 - y) * (v**2 - u**2) <= Rational(49, 50) * D**2,
    ),
)
LONGER_AT_LEAST = ProofStep(
    "(1 - t_u)(|theta' - theta0|^2 - u^2) >= (1 - 2 t_u) D^2",
    Implication(
        "b_least_excess",
        (*_TWO_SOLUTIONS, -2 * c <= beta * w * D**2),
        (1 - y) * (v**2 - u**2) >= (1 - 2 * y) * D**2,
        (1 - y) * (v**2 - u**2) >= (1 - Rational(49, 25) * y) * D**2,
    ),
)
STRICTLY_LONGER = ProofStep(
    "hence, for t_u < 1/2, every other solution in B(R) is farther from theta0; those outside B(R) are too, as u <= rbar < R",
    Implication(
        "b_unique",
        (*(symbol >= 0 for symbol in (u, v, y)), D > 0, 2 * y < 1, (1 - y) * (v**2 - u**2) >= (1 - 2 * y) * D**2),
        v > u,
        v**2 > u**2 + Rational(51, 50) * D**2,
    ),
)
QUOTIENT = ProofStep(
    "v/u <= 1 + D^2/(2 (1 - t_u) u^2), by sqrt(1 + 2 x) <= 1 + x",
    Implication(
        "b_quotient",
        (
            *(symbol >= 0 for symbol in (v, D, y)),
            u > 0,
            y < 1,
            (1 - y) * (v**2 - u**2) <= D**2,
            Eq(2 * (1 - y) * u**2 * x, D**2),
        ),
        v <= u * (1 + x),
        v <= u * (1 + Rational(24, 25) * x),
    ),
)
LONGER = ProofStep(
    "v - u is their quotient by v + u",
    Identity((v**2 - u**2) / (v + u), v - u),
)

# B2, first form, and B3: what P sees of theta_inf - theta*.

TWO_SOLUTIONS = ProofStep(
    "sigma0 |P (theta_inf - theta*)| <= |DF(theta0)(theta_inf - theta*)| <= beta min{ max(u, v) D, (u^2 + v^2)/2 }: the mean of DF "
    "between the two points annuls their difference, and both remainders from theta0 end at y*",
    Sampled("two points of one level", 300),
)
FIRST_FORM = ProofStep(
    "v <= |P (theta* - theta0)| + |P (theta_inf - theta*)| + |(I - P)(theta_inf - theta0)| <= u + (sigma0/beta) t^2 + B1",
    Implication(
        "b_first_form",
        (
            *(symbol >= 0 for symbol in (beta, u, v, V, p, x, t)),  # V = rbar, p = |P (theta_inf - theta*)|, x = |(I - P) v|
            sigma0 > 0,
            Eq(t * sigma0, beta * V),
            u <= v,
            v <= V,
            2 * sigma0 * p <= beta * (u**2 + v**2),
            z <= u + p,  # z = |P (theta_inf - theta0)|
            v <= z + x,
        ),
        beta * (v - u - x) <= sigma0 * t**2,
        beta * (v - u - x) <= Rational(49, 50) * sigma0 * t**2,
    ),
)
NORMAL_NEAREST = ProofStep(
    "|(I - P)(theta* - theta0)| <= beta u |w| <= (sigma0/beta) t_u^2/(1 - t_u)",
    Implication(
        "b_normal_nearest",
        (
            *(symbol >= 0 for symbol in (u, w, y, x)),
            beta > 0,
            sigma0 > 0,
            Eq(y * sigma0, beta * u),
            y < 1,
            beta * w * (1 - y) <= y,
            x <= beta * u * w,
        ),
        beta * x * (1 - y) <= sigma0 * y**2,
        beta * x * (1 - y) <= Rational(49, 50) * sigma0 * y**2,
    ),
)
PYTHAGORAS = ProofStep(
    "D^2 = |P .|^2 + |(I - P) .|^2 with |P .| <= t D and |(I - P) .| <= a + b gives D sqrt(1 - t^2) <= a + b",
    Implication(
        "b_pythagoras",
        (
            *(symbol >= 0 for symbol in (D, p, x, a, b, t)),
            t < 1,
            *root(z, 1 - t**2),
            Eq(D**2, p**2 + x**2),
            p <= t * D,
            x <= a + b,
        ),
        D * z <= a + b,
        D * z <= Rational(49, 50) * (a + b),
    ),
)
START_IS_NEAR = ProofStep(
    "s_0 <= sqrt(L/mu) |F(theta0) - F(theta*)| <= sqrt(L/mu) sqrt(Lambda) u on the segment, which lies in B(R); with v <= rbar: B4",
    Implication(
        "b_start_is_near",
        (
            *(symbol >= 0 for symbol in (s0, u, v, f, V, z)),  # f = |F(theta0) - F(theta*)|, V = rbar, x = sqrt(Lambda)
            *root(x, Lambda),
            s0 <= z * f,
            f <= x * u,
            v <= V,
        ),
        v * s0 <= V * x * z * u,
        v * s0 <= Rational(49, 50) * V * x * z * u,
    ),
)

# How the two points are known: both are computed, and the distance of what is computed from what is meant is bounded.

POLISHED = ProofStep(
    "with |theta_inf - theta_k| <= r, lambda_min(K) >= f^2 along the rest of the path and N = DF_k^+ (F(theta_k) - y*): "
    "|theta_inf - theta_k + N| <= beta r^2/(sqrt(2) f), as either part of it, in range DF_k^* or across, is at most beta r^2/(2 f)",
    Implication(
        "b_polished",
        (
            *(symbol >= 0 for symbol in (beta, r, p, x, D)),
            f > 0,
            2 * f * p <= beta * r**2,
            2 * f * x <= beta * r**2,
            Eq(D**2, p**2 + x**2),
        ),
        2 * f**2 * D**2 <= beta**2 * r**4,
        2 * f**2 * D**2 <= Rational(49, 50) * beta**2 * r**4,
    ),
)
ACROSS = ProofStep(
    "across: the sum of beta r_j d_j/f over the rest of the path, r_j counted from theta_k, is at most beta r^2/(2 f), by "
    "induction",
    Implication(
        "b_across",
        (*(symbol >= 0 for symbol in (beta, r, d, x)), f > 0, 2 * f * x <= beta * r**2, f * y <= f * x + beta * r * d),
        2 * f * y <= beta * (r + d) ** 2,
        2 * f * y <= Rational(49, 50) * beta * (r + d) ** 2,
    ),
)
COMPUTED = ProofStep(
    "a computed point theta' with F(theta') - y* = e, theta' - theta0 - DF(theta')^* w' = z and sigma_min(DF(theta')) >= sigma is "
    "within D of the nearest optimum, a D^2 <= b D + |e||z|/sigma, a = 1 - beta (|w| + |w'|)/2, b = |z| + |e| (1 + beta "
    "|w|)/sigma: both remainders between the points, and sigma |w' - w| <= D + |z| + beta D |w|",
    Implication(
        "b_computed",
        (
            *(symbol >= 0 for symbol in (beta, D, w, V, x, f, zeta)),  # V = |w'|, x = |w' - w|, f = |e|, zeta = |z|
            sigma > 0,
            sigma * x <= D + zeta + beta * D * w,
            beta * D**2 * (w + V) + 2 * f * x + 2 * D * zeta >= 2 * D**2,
        ),
        sigma * (2 - beta * (w + V)) * D**2 <= 2 * D * (sigma * zeta + f * (1 + beta * w)) + 2 * f * zeta,
        sigma * (2 - beta * (w + V)) * D**2 <= Rational(49, 50) * (2 * D * (sigma * zeta + f * (1 + beta * w)) + 2 * f * zeta),
    ),
)

TO_NORMAL = (WEYL, GRADIENT_OF_J, NORMAL_PART, NORMAL_STEP, RIEMANN, TELESCOPES, NORMAL_RIEMANN, NORMAL_INTEGRAL)
TO_NEAREST = (LAGRANGE, MULTIPLIER)
TO_SECOND = (REMAINDER, TANGENT, LONGER_AT_MOST)

B1 = (*TO_NORMAL, POLISHED, ACROSS, RUNS)
B2 = (*TO_NORMAL, *TO_NEAREST, TWO_SOLUTIONS, FIRST_FORM, *TO_SECOND, LONGER, RUNS)
B3 = (*TO_NORMAL, *TO_NEAREST, TWO_SOLUTIONS, NORMAL_NEAREST, PYTHAGORAS, RUNS)
B4 = (RESIDUAL_IS_LIPSCHITZ, START_IS_NEAR, *TO_NEAREST, *TO_SECOND, QUOTIENT, RUNS)
B5 = (WEYL, *TO_NEAREST, REMAINDER, TANGENT, LONGER_AT_LEAST, STRICTLY_LONGER, COMPUTED, RUNS)
