"""The proof of Theorem N: Newton's method on theta + range DF^*, majorized by Newton's method for one quadratic.

With a = |DF^+ e|, b = beta/sigma and N = 2 a b <= 1 the majorant is p(t) = a - t + b t^2/2; its iterates t_0 = 0, t_1 = a, ...
increase to its smaller root 2 a/(1 + sqrt(1 - N)). By induction |theta_k - theta| <= t_k and |theta_{k+1} - theta_k| <= t_{k+1} -
t_k.
Letters: x = t_k, y = t_{k+1}, w = sqrt(1 - N), r = the smaller root.
"""

from __future__ import annotations

from sympy import Eq, Expr, Rational

from theorems.ledger import Assumed, Identity, Implication, ProofStep, Sampled, root
from theorems.lemmas.letters import b, beta, c, d, r, real, sigma, v, w, x, y

a = real("a")


def majorant(t: Expr) -> Expr:
    """p(t) = a - t + b t^2/2."""
    return a - t + b * t**2 / 2


_next = x + majorant(x) / (1 - b * x)  # Newton's iterate for p, p' = -(1 - b t)
_problem = (a > 0, b >= 0, 2 * a * b <= 1, *root(w, 1 - 2 * a * b), Eq(r * (1 + w), 2 * a))

RESTRICTION = ProofStep(
    "restricted to theta + range DF^*, DF is invertible; at theta its inverse has norm 1/sigma and maps e to DF^+ e",
    Sampled("restriction to the range", 200),
)
INVERSE = ProofStep(
    "at distance t < sigma/beta from theta, within theta + range DF^*, that inverse has norm at most 1/(sigma - beta t)",
    Sampled("inverse near a point", 400),
)
POSITIVE_BEFORE = ProofStep(
    "N <= 1 gives the majorant the root r = 2 a/(1 + sqrt(1 - N)), and p > 0 on [0, r)",
    Implication("n_positive_before_root", (*_problem, x >= 0, x < r), majorant(x) > 0, majorant(x) > Rational(1, 50) * a),
)
FIRST_STEP = ProofStep(
    "t_1 = a <= r: the first Newton step stays within r",
    Implication("n_first_step", _problem, a <= r, Rational(51, 50) * a <= r),
)
SLOPE = ProofStep(
    "b r <= 1: the majorant decreases up to r, and sigma - beta t > 0 for t < r",
    Implication("n_slope", _problem, b * r <= 1, Rational(51, 50) * b * r <= 1),
)
ROOT_IS_ROOT = ProofStep(
    "p(r) = 0",
    Implication("n_root", _problem, Eq(majorant(r), 0), majorant(r) < 0),
)
ITERATES_INCREASE = ProofStep(
    "Newton's iterates for p increase and stay below r: t_k <= t_{k+1} <= r with (t_{k+1} - t_k)(1 - b t_k) = p(t_k), t_k < r",
    Implication(
        "n_iterates_stay_below",
        (*_problem, x >= 0, x < r, Eq((y - x) * (1 - b * x), majorant(x))),
        y <= r,
        y <= Rational(49, 50) * r,
    ),
)
ITERATES_ARE_MONOTONE = ProofStep(
    "and t_{k+1} > t_k",
    Implication(
        "n_iterates_increase",
        (*_problem, x >= 0, x < r, Eq((y - x) * (1 - b * x), majorant(x))),
        y > x,
        y > Rational(51, 50) * x,
    ),
)
RECURRENCE = ProofStep(
    "p(t_{k+1}) = b (t_{k+1} - t_k)^2/2: the recurrence t_{k+2} - t_{k+1} = b (t_{k+1} - t_k)^2/(2 (1 - b t_{k+1}))",
    Identity(majorant(_next), b * (_next - x) ** 2 / 2),
)
MAJORIZED = ProofStep(
    "if |theta_{k+1} - theta_k| <= t_{k+1} - t_k and |theta_{k+1} - theta| <= t_{k+1}, then |F(theta_{k+1}) - y| <= beta "
    "|theta_{k+1} - theta_k|^2/2 and the inverse's norm 1/(sigma - beta t_{k+1}) give |theta_{k+2} - theta_{k+1}| <= t_{k+2} "
    "- t_{k+1}",
    Implication(
        "n_majorized",
        (
            sigma > 0,
            beta >= 0,
            Eq(b * sigma, beta),
            x <= y,
            b * y < 1,
            d >= 0,
            d <= y - x,  # d = |theta_{k+1} - theta_k|
            v * (sigma - beta * y) <= beta * d**2 / 2,  # v = |theta_{k+2} - theta_{k+1}|
            Eq(c * (1 - b * y), b * (y - x) ** 2 / 2),  # c = t_{k+2} - t_{k+1}
        ),
        v <= c,
        v <= Rational(49, 50) * c,
    ),
)
REMAINDER_AT_ITERATE = ProofStep(
    "|F(theta_{k+1}) - y| <= beta |theta_{k+1} - theta_k|^2/2, because a Newton step removes the linear part",
    Sampled("remainder of the linearization", 400),
)
WITHIN_THE_BALL = ProofStep(
    "a path of length t_{k+1} = t_k + (t_{k+1} - t_k) stays within r",
    Implication("n_distance", (c <= x, d <= y - x, y <= r), c + d <= r, c + d <= Rational(49, 50) * r),
)
CONVERGES = ProofStep(
    "the iterates converge, because t_k does; the limit solves F = y",
    Assumed(
        "L. V. Kantorovich and G. P. Akilov (1982), Functional Analysis, the Newton-Kantorovich theorem: a bounded monotone "
        "sequence converges, Euclidean space is complete, F and DF are continuous"
    ),
)

PROOF = (
    RESTRICTION,
    INVERSE,
    POSITIVE_BEFORE,
    ROOT_IS_ROOT,
    FIRST_STEP,
    SLOPE,
    ITERATES_INCREASE,
    ITERATES_ARE_MONOTONE,
    RECURRENCE,
    REMAINDER_AT_ITERATE,
    MAJORIZED,
    WITHIN_THE_BALL,
    CONVERGES,
)
