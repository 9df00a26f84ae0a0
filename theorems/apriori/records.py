"""The statements of sections F and G as records: what holds before any weight is drawn.

The numbers beta, lambda_max and s_0 come from the recursions of ``theorems.apriori``; the records state what they promise, and
hold in closed form what has one. These records are not in the catalogue yet: their claims are about probabilities, and no
family of the falsifier draws those.
"""

from __future__ import annotations

from sympy import Integer, log, sqrt

from theorems.lemmas import apriori as lemmas
from theorems.records import Constant, Hypothesis, LossClass, Quantity, Role, Source, Strength, Theorem
from theorems.statements.notation import L, Lambda, R, beta, eta, framework, lambda0, lambda_max, positive, q, s0

n, m, p = positive("n"), positive("m"), positive("p")
alpha, sigma_w = positive("alpha"), positive("sigma_w")
slope, curvature = positive("Lp"), positive("Lpp")
target, schur = positive("q_target"), positive("S")
lambda_limit, gram, epsilon = positive("lambda_limit"), positive("gram"), positive("epsilon")
width, largest = positive("width"), positive("Lambda_first")

THEOREM_F = Theorem(
    id="F",
    title="A-priori constants of the multilayer perceptron",
    statement=(
        "With probability at least 1 - delta over the weights, delta the sum of the budget's shares, the bounds beta of "
        "the Lipschitz constant of DF on B(R), "
        "lambda_max of lambda_max(K_0) and s0 of the initial residual hold at once; beta^2 is at most a polynomial in "
        "the means of |x|^2, ..., |x|^{2L}. On "
        "those networks with lambda_min(K_0) >= lambda0 Theorem A applies on B(R) with R = (2 s0/sigma0)/(1 + sqrt(1 - "
        "q_target)) if q < q_target <= 1."
    ),
    quantities=(
        Quantity(beta, "a-priori bound of the Lipschitz constant of DF on B(R), from theorems.apriori"),
        Quantity(lambda_max, "a-priori bound of the largest eigenvalue of K_0"),
        Quantity(lambda0, "lower bound of the smallest eigenvalue of K_0, a hypothesis or Theorem F-chernoff"),
        Quantity(s0, "a-priori bound of the initial residual"),
        Quantity(target, "the q that is wanted, at most 1"),
    ),
    hypotheses=(
        Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),
        Hypothesis("target", "q_target <= 1", 1 - target, strict=False),
        Hypothesis("q", "q < q_target", target - q),
    ),
    constants=(
        Constant(R, (2 * s0 / sqrt(lambda0)) / (1 + sqrt(1 - target)), "the radius of the path at q = q_target"),
        Constant(q, 2 * beta * s0 / lambda0, "the quotient that must stay below 1"),
        Constant(Lambda, (sqrt(lambda_max) + beta * R) ** 2, "bound of |DF|^2 on B(R)"),
    ),
    claims=(),
    proof=lemmas.ARCHITECTURE_PROOF,
    source=framework("constants that depend on even moments of the data, up to an order set by the depth"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
    loss_class=LossClass.SQUARE,
)

THEOREM_F_CHERNOFF = Theorem(
    id="F-chernoff",
    title="The smallest eigenvalue at initialization, one hidden layer (matrix Chernoff)",
    statement=(
        "One hidden layer of m units, one output, output weights +-1, the first layer trained. With probability at least "
        "1 - p over the weights "
        "lambda_min(K_0) >= (1 - eps) lambda_inf, lambda_inf the smallest eigenvalue of the infinite-width kernel of the "
        "first layer."
    ),
    quantities=(
        Quantity(n, "number of points"),
        Quantity(m, "number of hidden units"),
        Quantity(p, "probability of failure"),
        Quantity(alpha, "output scale"),
        Quantity(sigma_w, "weight scale"),
        Quantity(slope, "bound of sup|phi'|"),
        Quantity(gram, "lambda_max(G), G_ij = sqrt(nu_i nu_j)(c_1^2 x_i.x_j + sigma_b^2)"),
        Quantity(lambda_limit, "lower bound of lambda_inf"),
    ),
    hypotheses=(Hypothesis("width", "eps < 1", 1 - epsilon),),
    constants=(
        Constant(epsilon, sqrt(2 * alpha**2 * sigma_w**2 * slope**2 * gram * log(n / p) / (m * lambda_limit)), "relative loss"),
        Constant(lambda0, (1 - epsilon) * lambda_limit, "lower bound of lambda_min(K_0)"),
    ),
    claims=(),
    proof=lemmas.CHERNOFF_PROOF,
    source=Source(
        authors="J. A. Tropp",
        year=2012,
        title="User-friendly tail bounds for sums of random matrices",
        identifier="doi:10.1007/s10208-011-9099-z",
        place="Theorem 1.1, applied to the units of the hidden layer",
    ),
    strength=Strength.UPPER,
    role=Role.PRIOR,
)

THEOREM_F_WIDTH = Theorem(
    id="F-width",
    title="Least certified width of one hidden layer",
    statement=(
        "One hidden layer, the first layer alone trained, output weights +-1, one output, a centered network, the square "
        "loss. q < q_target on every ball if "
        "and only if m > width."
    ),
    quantities=(
        Quantity(alpha, "output scale"),
        Quantity(sigma_w, "weight scale"),
        Quantity(curvature, "bound of sup|phi''|"),
        Quantity(schur, "lambda_max(G o G)^{1/2}, weighted once, or the root of the mean of p_1^4"),
        Quantity(s0, "root mean square of the labels"),
        Quantity(lambda0, "lower bound of the smallest eigenvalue of K_0"),
        Quantity(target, "the q that is wanted, at most 1"),
    ),
    hypotheses=(
        Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),
        Hypothesis("target", "q_target <= 1", 1 - target, strict=False),
    ),
    constants=(
        Constant(
            width, (2 * alpha * sigma_w * curvature * schur * s0 / (target * lambda0)) ** 2, "the width that must be exceeded"
        ),
    ),
    claims=(),
    proof=lemmas.WIDTH_PROOF,
    source=framework("width thresholds"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
    loss_class=LossClass.SQUARE,
)

THEOREM_G = Theorem(
    id="G-step",
    title="Learning-rate transfer across widths",
    statement=(
        "If q(R*) < q_target at the width m_0, from which on the a-priori bounds do not increase with the width, every "
        "step of at most 1/(L Lambda(m_0)) is "
        "admissible at every width m >= m_0, with the probability of Theorem F at each. The largest certified step at "
        "initialization tends to 1/(L "
        "lambda_max(K_inf))."
    ),
    quantities=(
        Quantity(L, "smoothness constant of h"),
        Quantity(largest, "Lambda(m_0), the bound of |DF|^2 on B(R*) at the width m_0"),
        Quantity(Lambda, "the bound at the width m"),
    ),
    hypotheses=(Hypothesis("width", "m >= m_0: Lambda(m) <= Lambda(m_0)", largest - Lambda, strict=False),),
    constants=(Constant(eta, Integer(1) / (L * largest), "the step that is admissible from m_0 on"),),
    claims=(),
    proof=lemmas.TRANSFER_PROOF,
    source=framework("transfer of learning rates across widths"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
)

RECORDS = (THEOREM_F, THEOREM_F_CHERNOFF, THEOREM_F_WIDTH, THEOREM_G)
