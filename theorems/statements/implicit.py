"""B1 to B5: a certified run ends near the solution that is nearest to its start, up to terms that vanish with beta.

All hold with Theorem A, A+ or A0, whichever certifies: only path <= rbar and |grad h| <= |grad J|/sigma_min are used. theta_inf is
the limit of the run, theta* a nearest solution of F = y*, y* the only minimizer of h (h strictly convex, for example); P projects
on range DF(theta0)^*.
"""

from __future__ import annotations

from sympy import Expr, Integer, sqrt

from theorems.lemmas import implicit as lemmas
from theorems.records import Claim, Constant, Hypothesis, Quantity, Role, Scope, Strength, Theorem
from theorems.statements.notation import COMPOSITE_QUANTITIES, L, Lambda, R, beta, framework, lambda0, mu, positive, rbar, s0

# What a run provides at its end.
outside = positive("outside")
excess = positive("excess")
travelled = positive("travelled")
nearest = positive("nearest")
deviation = positive("deviation")

# Constants.
turn = positive("turn")
turn_nearest = positive("turn_nearest")
outside_bound = positive("outside_bound")

_GIVEN = {item.symbol: item for item in COMPOSITE_QUANTITIES}
GIVEN = (
    _GIVEN[lambda0],
    _GIVEN[beta],
    Quantity(rbar, "bound of the path length, from the theorem that certifies"),
)
OUTSIDE = Quantity(outside, "|(I - P)(theta_inf - theta0)|")
NEAREST = Quantity(nearest, "|theta* - theta0|, the distance of the nearest solution")
DEVIATION = Quantity(deviation, "|theta_inf - theta*|")
TRAVELLED = Quantity(travelled, "|theta_inf - theta0|")
EXCESS = Quantity(excess, "|theta_inf - theta0| - |theta* - theta0|")
LIMIT_QUANTITIES = (OUTSIDE, NEAREST, DEVIATION, TRAVELLED, EXCESS)


def normal_bound(radius: Expr) -> Expr:
    """(sigma0/beta)(-ln(1 - t) - t), t = beta r/sigma0: the integral of beta x/(sigma0 - beta x) over a path of length r."""
    return sqrt(lambda0) / beta * lemmas.lost_to_curvature(beta * radius / sqrt(lambda0))


TURN = Constant(turn, beta * rbar / sqrt(lambda0), "t = beta rbar/sigma0; for the square loss 1 - sqrt(1 - q)")
TURN_NEAREST = Constant(turn_nearest, beta * nearest / sqrt(lambda0), "t_u = beta |theta* - theta0|/sigma0")
OUTSIDE_BOUND = Constant(outside_bound, normal_bound(rbar), "bound of the part of theta_inf - theta0 outside range DF(theta0)^*")
SHORT = Hypothesis("turn", "beta rbar < sigma0, so that DF stays onto along the path", 1 - turn)
NEAR = Hypothesis("turn-nearest", "beta |theta* - theta0| < sigma0", 1 - turn_nearest)
_SOURCE = framework("implicit regularization of the trained network")

THEOREM_B1 = Theorem(
    id="B1",
    title="Gradient descent hardly leaves the range of DF(theta0)^*",
    statement=(
        "Along a certified run |(I - P)(theta_inf - theta0)| <= (sigma0/beta)(-ln(1 - t) - t), t = beta rbar/sigma0: to leading "
        "order beta rbar^2/(2 sigma0)."
    ),
    quantities=(*GIVEN, OUTSIDE),
    hypotheses=(SHORT,),
    constants=(TURN, OUTSIDE_BOUND),
    claims=(
        Claim(
            "B1",
            "part outside the range: |(I - P)(theta_inf - theta0)| <= (sigma0/beta)(-ln(1 - t) - t)",
            outside,
            outside_bound,
            Scope.LIMIT,
            nonlinear=True,
        ),
    ),
    proof=lemmas.B1,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LIMIT,
)

THEOREM_B2 = Theorem(
    id="B2",
    title="The limit is hardly farther than the nearest optimum",
    statement=(
        "Along a certified run 0 <= |theta_inf - theta0| - |theta* - theta0| <= min{ (sigma0/beta)(t^2 - ln(1 - t) - t), "
        "|theta_inf - theta*|^2/((1 - t_u)(|theta_inf - theta0| + |theta* - theta0|)) }; the second is of order beta^2."
    ),
    quantities=(*GIVEN, EXCESS, TRAVELLED, NEAREST, DEVIATION),
    hypotheses=(SHORT, NEAR),
    constants=(TURN, TURN_NEAREST, OUTSIDE_BOUND),
    claims=(
        Claim(
            "B2",
            "excess: |theta_inf - theta0| - |theta* - theta0| <= (sigma0/beta)(t^2 - ln(1 - t) - t)",
            excess,
            sqrt(lambda0) / beta * turn**2 + outside_bound,
            Scope.LIMIT,
            nonlinear=True,
        ),
        Claim(
            "B2-second",
            "excess, second order: |theta_inf - theta0| - |theta* - theta0| <= |theta_inf - theta*|^2/((1 - t_u)(|theta_inf - "
            "theta0| + |theta* - theta0|))",
            excess,
            deviation**2 / ((1 - turn_nearest) * (travelled + nearest)),
            Scope.LIMIT,
            nonlinear=True,
        ),
    ),
    proof=lemmas.B2,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LIMIT,
)

THEOREM_B3 = Theorem(
    id="B3",
    title="The limit is near the nearest optimum",
    statement=(
        "Along a certified run |theta_inf - theta*| <= (sigma0/beta)(-ln(1 - t) - t + t_u^2/(1 - t_u))/sqrt(1 - t^2): gradient "
        "descent finds the nearest optimum up to a term of order beta."
    ),
    quantities=(*GIVEN, NEAREST, DEVIATION),
    hypotheses=(SHORT, NEAR),
    constants=(TURN, TURN_NEAREST, OUTSIDE_BOUND),
    claims=(
        Claim(
            "B3",
            "distance to the nearest optimum: |theta_inf - theta*| <= (sigma0/beta)(-ln(1 - t) - t + t_u^2/(1 - t_u))/sqrt(1 - "
            "t^2)",
            deviation,
            (outside_bound + sqrt(lambda0) / beta * turn_nearest**2 / (1 - turn_nearest)) / sqrt(1 - turn**2),
            Scope.LIMIT,
            nonlinear=True,
        ),
    ),
    proof=lemmas.B3,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LIMIT,
)

THEOREM_B4 = Theorem(
    id="B4",
    title="The distance travelled against the shortest",
    statement=(
        "Along a certified run, with |DF|^2 <= Lambda on B(R), |theta_inf - theta0|/|theta* - theta0| is at most rbar sqrt(Lambda "
        "L/mu)/s_0, and at most 1 + |theta_inf - theta*|^2/(2 (1 - t_u) |theta* - theta0|^2), which tends to 1."
    ),
    quantities=(
        *GIVEN,
        _GIVEN[L],
        _GIVEN[mu],
        _GIVEN[s0],
        Quantity(Lambda, "bound of |DF|^2 on B(R)"),
        TRAVELLED,
        NEAREST,
        EXCESS,
        DEVIATION,
    ),
    hypotheses=(SHORT, NEAR, Hypothesis("start", "theta0 is no solution: |theta* - theta0| > 0", nearest)),
    constants=(TURN, TURN_NEAREST),
    claims=(
        Claim(
            "B4",
            "quotient of distances: |theta_inf - theta0|/|theta* - theta0| <= rbar sqrt(Lambda L/mu)/s_0",
            travelled / nearest,
            rbar * sqrt(Lambda * L / mu) / s0,
            Scope.LIMIT,
        ),
        Claim(
            "B4-second",
            "quotient of distances, less 1: (|theta_inf - theta0| - |theta* - theta0|)/|theta* - theta0| <= |theta_inf - theta*|^2/"
            "(2 (1 - t_u)|theta* - theta0|^2)",
            excess / nearest,
            deviation**2 / (2 * (1 - turn_nearest) * nearest**2),
            Scope.LIMIT,
            nonlinear=True,
        ),
    ),
    proof=lemmas.B4,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LIMIT,
)

THEOREM_B5 = Theorem(
    id="B5",
    title="Which solution is the nearest",
    statement=(
        "Let theta* in B(R) have F(theta*) = y* and theta* - theta0 in range DF(theta*)^*, with t_u = beta |theta* - "
        "theta0|/sigma0 < 1/2. Every other solution theta' in B(R) has |theta' - theta0|^2 - |theta* - theta0|^2 >= ((1 - 2 "
        "t_u)/(1 - t_u))|theta' - theta*|^2 > 0: theta* is the nearest solution, and no other point of B(R) obeys the two "
        "conditions with t_u < 1/2."
    ),
    quantities=(_GIVEN[lambda0], _GIVEN[beta], _GIVEN[R], EXCESS, TRAVELLED, NEAREST, DEVIATION),
    hypotheses=(
        Hypothesis("half", "t_u < 1/2", Integer(1) - 2 * turn_nearest),
        Hypothesis("radius", "the ball holds theta*: R > |theta* - theta0|", R - nearest),
    ),
    constants=(TURN_NEAREST,),
    claims=(
        Claim(
            "B5",
            "excess of squares: |theta_inf - theta0|^2 - |theta* - theta0|^2 >= ((1 - 2 t_u)/(1 - t_u))|theta_inf - theta*|^2",
            excess * (travelled + nearest),
            (1 - 2 * turn_nearest) / (1 - turn_nearest) * deviation**2,
            Scope.LIMIT,
            lower=True,
            nonlinear=True,
        ),
    ),
    proof=lemmas.B5,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LIMIT,
)

RECORDS = (THEOREM_B1, THEOREM_B2, THEOREM_B3, THEOREM_B4, THEOREM_B5)
