"""What decides an a-priori certificate where the step is left free, and what a larger width or another scale does to it.

Deterministic statements about the numbers of Theorems A, A+ and A0; with those of Theorem F they hold for every network on its
events, so with the probability stated there.
"""

from __future__ import annotations

from sympy import Expr, Integer, Max, Min, sqrt

from theorems.lemmas import threshold as lemmas
from theorems.records import Claim, Constant, Hypothesis, Quantity, Role, Scope, Strength, Theorem
from theorems.statements.apriori import first, m, monotone, target
from theorems.statements.composite import LAMBDA, conserved_path, exit_radius
from theorems.statements.descent import L_J, SMOOTHNESS_OF_J
from theorems.statements.notation import COMPOSITE_QUANTITIES, R, beta, eta, framework, lambda0, positive, q, rate, s0

reach, path_of_flow = positive("reach"), positive("rbar_flow")
scale, q_scaled, path_first = positive("scale"), positive("q_scaled"), positive("rbar_first")

# What is measured of an instance.
certified_step, refused_step = positive("certified_step"), positive("refused_step")
other_quotient, other_path = positive("other_quotient"), positive("other_path")
quotient_later, path_later, rate_later = positive("quotient_later"), positive("rbar_later"), positive("rate_later")
q_output, q_labels, q_initial = positive("q_output"), positive("q_labels"), positive("q_initial")

THRESHOLD_QUANTITIES = (
    Quantity(certified_step, "a step at which Theorem A0 applies on B(R) with a quotient below q_target"),
    Quantity(refused_step, "a step at which it does not"),
    Quantity(other_quotient, "the quotient of A, A+ or A0 where it applies on B(R) with some step and some lambda0' <= lambda0"),
    Quantity(other_path, "its bound of the path length"),
    Quantity(quotient_later, "the quotient at the width m with the same step, R and lambda0'; 2 where the theorem does not apply"),
    Quantity(path_later, "the path bound there; 2 rbar_first where the theorem does not apply"),
    Quantity(rate_later, "the certified factor there; 2 where the theorem does not apply"),
    Quantity(q_output, "q(R*) of a centered network with the output scale, and so the root of lambda0, multiplied by scale"),
    Quantity(q_labels, "q(R*) of a centered network with the labels of the square loss divided by scale"),
    Quantity(q_initial, "either q(R*), of a network that is centered or not"),
)


def _claim(name: str, sentence: str, measured: Expr, bound: Expr, lower: bool = False) -> Claim:
    return Claim(name, sentence, measured, bound, Scope.PRIOR, lower=lower)


_QUOTIENT = Constant(q, 2 * beta * s0 / lambda0, "the quotient of gradient flow, the smallest of any step")

THEOREM_ANY_STEP = Theorem(
    id="F-any-step",
    title="What some step certifies on a ball",
    statement=(
        "For any loss, Theorem A0 applies on B(R) with a quotient below q_target <= 1 at the steps below eta and at no other. "
        "Where A, A+ or A0 applies on B(R), with whatever step and whatever lambda0' <= lambda0 in place of lambda0, its quotient "
        "is at least q and its path bound at least that of gradient flow. So one of them applies at some step with a quotient "
        "below q_target if and only if q < q_target and R > rbar_flow. If beta does not decrease with R, there is such an R if "
        "and only if q(R*) < q* for some q* <= q_target, R* the radius of Theorem F for q*."
    ),
    quantities=(
        *(item for item in COMPOSITE_QUANTITIES if item.symbol != eta),
        Quantity(target, "the q that is wanted, at most 1"),
    ),
    hypotheses=(Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),),
    constants=(
        _QUOTIENT,
        Constant(path_of_flow, exit_radius(s0, Integer(1), sqrt(lambda0), q), "path bound of gradient flow, for q <= 1"),
        Constant(reach, Min(R, sqrt(lambda0) / beta), "no path of Theorem A0 is longer than sigma0/beta", lower=True),
        LAMBDA,
        SMOOTHNESS_OF_J,
        Constant(
            eta,
            2 * Max(0, Min(1 - q / target, 1 - s0 / conserved_path(Integer(1), sqrt(lambda0), beta, reach))) / L_J,
            "Theorem A0 applies at the steps below it; 0 unless q < q_target and R > rbar_flow",
            lower=True,
        ),
    ),
    claims=(
        _claim("any-certified", "a step at which A0 applies with q0 < q_target is at most eta", certified_step, eta),
        _claim("any-refused", "a step at which it does not is at least eta", refused_step, eta, lower=True),
        _claim("any-quotient", "the quotient of A, A+ or A0, where it applies, is at least q", other_quotient, q, lower=True),
        _claim("any-path", "its path bound is at least rbar_flow", other_path, path_of_flow, lower=True),
    ),
    proof=lemmas.ANY_STEP_PROOF,
    source=framework("width thresholds, for any loss"),
    strength=Strength.SHARP,
    role=Role.PRIOR,
)

THEOREM_PERSISTENCE = Theorem(
    id="G-persistence",
    title="A certificate persists at larger widths",
    statement=(
        "Let Theorem A, A+ or A0 apply at the width m_0 with the a-priori numbers of Theorem F, a step, a radius R and lambda0' <= "
        "lambda0(m_0), m_0 >= m_mono. Then it applies at every width m >= m_0 with the same step, R and lambda0', and its "
        "quotient, path bound and certified factor are no larger; with the probability of Theorem F at each width. So it is where "
        "beta, lambda_max and s_0 become smaller in another way, as by smaller labels."
    ),
    quantities=(
        Quantity(monotone, "the width from which the a-priori bounds do not increase, ln(N_e/p_e) >= L-1 for every event e"),
        Quantity(first, "the width m_0 at which the theorem applies"),
        Quantity(m, "a larger width"),
        Quantity(q, "the theorem's quotient at m_0"),
        Quantity(path_first, "its path bound at m_0"),
        Quantity(rate, "its certified factor of the residual at m_0"),
    ),
    hypotheses=(
        Hypothesis("monotone", "m_0 >= m_mono", first - monotone, strict=False),
        Hypothesis("width", "m >= m_0", m - first, strict=False),
        Hypothesis("quotient", "the theorem applies at m_0: its quotient is below 1", 1 - q),
    ),
    constants=(),
    claims=(
        _claim("persists-quotient", "the quotient at the width m is at most that at m_0", quotient_later, q),
        _claim("persists-path", "the path bound at the width m is at most that at m_0", path_later, path_first),
        _claim("persists-rate", "the certified factor at the width m is at most that at m_0", rate_later, rate),
    ),
    proof=lemmas.PERSISTENCE_PROOF,
    source=framework("constants that improve with the width"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
)

THEOREM_SCALE = Theorem(
    id="F-scale",
    title="The quotient against the output scale and the label scale",
    statement=(
        "R* and q(R*) of Theorem F do not increase when the output scale is multiplied by scale >= 1, any loss, or when the labels "
        "of the square loss are divided by it. For a centered network both are then divided by at least scale. lambda0 "
        "is proportional to the square of the output scale."
    ),
    quantities=(
        Quantity(scale, "by how much the output scale is multiplied, or the labels divided, at least 1"),
        Quantity(q, "q(R*) = 2 beta(R*) s_0/lambda0 before"),
    ),
    hypotheses=(Hypothesis("scale", "scale >= 1", scale - 1, strict=False),),
    constants=(Constant(q_scaled, q / scale, "bound of q(R*) after, for a centered network"),),
    claims=(
        _claim("scale-output", "centered: q(R*) at the larger output scale is at most q/scale", q_output, q_scaled),
        _claim("scale-labels", "centered: q(R*) with the smaller labels is at most q/scale", q_labels, q_scaled),
        _claim("scale-initial", "q(R*) at either scale is at most q, also where the initial function is not 0", q_initial, q),
    ),
    proof=lemmas.SCALE_PROOF,
    source=framework("output scale thresholds"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
)
