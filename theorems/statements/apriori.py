"""The statements of sections F and G as records: what holds before any weight is drawn.

The numbers beta, lambda_max and s_0 come from the recursions of ``theorems.apriori``; the records state what they promise, and
hold in closed form what has one. A claim of such a record is a promise about a single network, law or pair of widths, so that
an instance can break it: about networks on which the events hold, or about a probability that can be computed exactly.
"""

from __future__ import annotations

from sympy import Expr, Integer, log, sqrt

from theorems.laws.sampling_bounds import PROOF as SAMPLING_PROOF
from theorems.lemmas import apriori as lemmas
from theorems.lemmas.composite import RESIDUAL_IS_LIPSCHITZ
from theorems.lemmas.threshold import STEP_PROOF
from theorems.records import Claim, Constant, Hypothesis, LossClass, Quantity, Role, Scope, Source, Strength, Theorem
from theorems.statements.descent import L_J, SMOOTHNESS_OF_J
from theorems.statements.notation import (
    L,
    Lambda,
    R,
    beta,
    eta,
    framework,
    jacobian_drift,
    lambda0,
    lambda_max,
    mu,
    positive,
    q,
    rbar,
    rho,
    s0,
)

n, m, p = positive("n"), positive("m"), positive("p")
alpha, sigma_w = positive("alpha"), positive("sigma_w")
slope, curvature = positive("Lp"), positive("Lpp")
target, schur = positive("q_target"), positive("S")
lambda_limit, gram, epsilon = positive("lambda_limit"), positive("gram"), positive("epsilon")
width, largest = positive("width"), positive("Lambda_first")
first, monotone = positive("m_0"), positive("m_mono")
moment, double_moment = positive("M_2j"), positive("M_4j")
markov, chebyshev, cantelli = positive("markov"), positive("chebyshev"), positive("cantelli")

# What is measured of an instance.
kernel_top, jacobian_square, failure = positive("kernel_top"), positive("jacobian_square"), positive("failure")
rbar_descent, q_descent = positive("rbar_descent"), positive("q_descent")
refused_width, certified_width = positive("refused_width"), positive("certified_width")
Lambda_later, q_later = positive("Lambda_later"), positive("q_later")
exceeds_markov, exceeds_chebyshev, exceeds_cantelli = (positive(f"exceeds_{name}") for name in (markov, chebyshev, cantelli))

PRIOR_QUANTITIES = (
    Quantity(kernel_top, "lambda_max(K_0) of a network on the events"),
    Quantity(jacobian_square, "|DF(theta)|^2 at a theta of B(R)"),
    Quantity(rbar, "the path bound of gradient flow, which for the square loss is that of Theorem A-square at every step"),
    Quantity(q_descent, "the quotient of Theorem A0 on B(R) at a step of at most eta"),
    Quantity(rbar_descent, "the path bound of Theorem A0 on B(R) at a step of at most eta"),
    Quantity(failure, "the probability that lambda_min(K_0) < lambda0"),
    Quantity(refused_width, "a width m with q(m) >= q_target"),
    Quantity(certified_width, "a width m with q(m) < q_target"),
    Quantity(Lambda_later, "Lambda(m), the bound of |DF|^2 on B(R*) at the width m"),
    Quantity(q_later, "q(R*) at the width m"),
    Quantity(exceeds_markov, "the probability that the empirical moment exceeds Markov's bound"),
    Quantity(exceeds_chebyshev, "the probability that the empirical moment exceeds Chebyshev's bound"),
    Quantity(exceeds_cantelli, "the probability that the empirical moment exceeds Cantelli's bound"),
)


def _claim(name: str, sentence: str, measured: Expr, bound: Expr, lower: bool = False) -> Claim:
    return Claim(name, sentence, measured, bound, Scope.PRIOR, lower=lower)


THEOREM_F = Theorem(
    id="F",
    title="A-priori constants of the multilayer perceptron",
    statement=(
        "With probability at least 1 - delta over the weights, delta the sum of the budget's shares, the bounds beta of "
        "the Lipschitz constant of DF on B(R), "
        "lambda_max of lambda_max(K_0) and s0 of the initial residual hold at once; beta^2 is at most a polynomial in "
        "the means of |x|^2, ..., |x|^{2L}. On "
        "those networks with lambda_min(K_0) >= lambda0, if q < q_target <= 1, a theorem of convergence applies on B(R) with R = "
        "(2 s0/sigma0)/(1 + sqrt(1 - q_target)) and a quotient below q_target: for the square loss Theorem A-square at every step "
        "of at most 1/Lambda, for any loss Theorem A0 at every step below eta."
    ),
    quantities=(
        Quantity(L, "smoothness constant of h; 1 for the square loss"),
        Quantity(mu, "Polyak-Lojasiewicz constant of h; 1 for the square loss"),
        Quantity(beta, "a-priori bound of the Lipschitz constant of DF on B(R), from theorems.apriori"),
        Quantity(lambda_max, "a-priori bound of the largest eigenvalue of K_0"),
        Quantity(lambda0, "lower bound of the smallest eigenvalue of K_0, a hypothesis or Theorem F-chernoff"),
        Quantity(s0, "a-priori bound of the initial residual: of s(0) + sqrt(L/mu)|f_0|_nu, s(0) that of the function 0"),
        Quantity(target, "the q that is wanted, at most 1"),
    ),
    hypotheses=(
        Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),
        Hypothesis(
            "spectrum", "lambda0 <= lambda_max: otherwise no network has it, on the events", lambda_max - lambda0, strict=False
        ),
        Hypothesis("target", "q_target <= 1", 1 - target, strict=False),
        Hypothesis("q", "q < q_target", target - q),
    ),
    constants=(
        Constant(R, (2 * s0 / sqrt(lambda0)) / (1 + sqrt(1 - target)), "the radius of the path at q = q_target"),
        Constant(q, 2 * beta * s0 / lambda0, "the quotient that must stay below 1"),
        Constant(Lambda, (sqrt(lambda_max) + beta * R) ** 2, "bound of |DF|^2 on B(R)"),
        SMOOTHNESS_OF_J,
        Constant(
            eta,
            2 * (target - q) / ((2 * (1 + sqrt(1 - target)) - q) * L_J),
            "Theorem A0 applies at every step below it",
            lower=True,
        ),
    ),
    claims=(
        _claim("F-jacobian", "on the events |DF(theta) - DF(theta0)| <= beta |theta - theta0| on B(R)", jacobian_drift, beta * rho),
        _claim("F-kernel", "on the events lambda_max(K_0) <= lambda_max", kernel_top, lambda_max),
        _claim("F-ball", "on the events |DF|^2 <= Lambda on B(R)", jacobian_square, Lambda),
        _claim("F-path", "the path bound of gradient flow, and of Theorem A-square, is at most R", rbar, R),
        _claim("F-descent-path", "the path bound of Theorem A0 at a step of at most eta is at most R", rbar_descent, R),
        _claim("F-descent-quotient", "its quotient is at most q_target", q_descent, target),
    ),
    proof=(*lemmas.ARCHITECTURE_PROOF, RESIDUAL_IS_LIPSCHITZ, *STEP_PROOF),
    source=framework("constants that depend on even moments of the data, up to an order set by the depth"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
)

THEOREM_F_MOMENTS = Theorem(
    id="F-moments",
    title="Empirical even moments of a sample (Markov, Chebyshev, Cantelli)",
    statement=(
        "n independent points of one law with moments M_2j = E|x|^{2j} and M_4j = E|x|^{4j}. Each of the bounds of Markov, "
        "Chebyshev and Cantelli is exceeded by the empirical moment (1/n) sum_i |x_i|^{2j} with probability at most p. Markov's "
        "needs M_2j alone. With p = delta'/L for j = 1, ..., L all L of them hold with probability at least 1 - delta'. At n = 1 "
        "laws of two values attain Markov's and, if M_2j^2 >= p M_4j, Cantelli's; Chebyshev's is never below Cantelli's."
    ),
    quantities=(
        Quantity(moment, "the moment E|x|^{2j} of the law"),
        Quantity(double_moment, "the moment E|x|^{4j}, at least M_2j^2"),
        Quantity(n, "number of points"),
        Quantity(p, "probability of failure"),
    ),
    hypotheses=(Hypothesis("p", "0 < p < 1", p * (1 - p)),),
    constants=(
        Constant(markov, moment / p, "Markov's bound"),
        Constant(chebyshev, moment + sqrt(double_moment / (n * p)), "Chebyshev's bound"),
        Constant(cantelli, moment + sqrt((double_moment - moment**2) * (1 - p) / (n * p)), "Cantelli's bound"),
    ),
    claims=(
        _claim("F-markov", "Markov's bound is exceeded with probability at most p", exceeds_markov, p),
        _claim("F-chebyshev", "Chebyshev's bound is exceeded with probability at most p", exceeds_chebyshev, p),
        _claim("F-cantelli", "Cantelli's bound is exceeded with probability at most p", exceeds_cantelli, p),
    ),
    proof=SAMPLING_PROOF,
    source=Source(
        authors="S. Boucheron, G. Lugosi and P. Massart",
        year=2013,
        title="Concentration Inequalities",
        identifier="doi:10.1093/acprof:oso/9780199535255.001.0001",
        place="Section 2.1 (Markov, Chebyshev) and the exercises of Chapter 2 (Cantelli)",
    ),
    strength=Strength.PARTLY,
    role=Role.PRIOR,
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
        Constant(lambda0, (1 - epsilon) * lambda_limit, "lower bound of lambda_min(K_0)", lower=True),
    ),
    claims=(_claim("F-tail", "lambda_min(K_0) < lambda0 has a probability of at most p", failure, p),),
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
        "and only if m > width; for q_target <= 1 it certifies. The threshold is that of this certificate, not of training."
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
    hypotheses=(Hypothesis("H3", "the tangent kernel at theta0 is positive definite: lambda0 > 0", lambda0),),
    constants=(
        Constant(
            width, (2 * alpha * sigma_w * curvature * schur * s0 / (target * lambda0)) ** 2, "the width that must be exceeded"
        ),
    ),
    claims=(
        _claim("F-refused", "a width m with q(m) >= q_target is at most width", refused_width, width),
        _claim("F-certified", "a width m with q(m) < q_target exceeds width", certified_width, width, lower=True),
    ),
    proof=lemmas.WIDTH_PROOF,
    source=framework("width thresholds"),
    strength=Strength.SHARP,
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
        Quantity(monotone, "the width from which the a-priori bounds do not increase, ln(N_e/p_e) >= L-1 for every event e"),
        Quantity(first, "the width m_0 at which the step is computed"),
        Quantity(m, "the width at which it is used"),
        Quantity(q, "q(R*) at the width m_0"),
        Quantity(target, "the q that is wanted, at most 1"),
        Quantity(largest, "Lambda(m_0), the bound of |DF|^2 on B(R*) at the width m_0"),
    ),
    hypotheses=(
        Hypothesis("monotone", "m_0 >= m_mono", first - monotone, strict=False),
        Hypothesis("width", "m >= m_0", m - first, strict=False),
        Hypothesis("quotient", "q(R*) < q_target at m_0", target - q),
    ),
    constants=(Constant(eta, Integer(1) / (L * largest), "the step that is admissible from m_0 on", lower=True),),
    claims=(
        _claim("G-admissible", "eta <= 1/(L Lambda(m)): the step is admissible at the width m", eta * L * Lambda_later, Integer(1)),
        _claim("G-quotient", "q(R*) at the width m is at most q(R*) at m_0", q_later, q),
    ),
    proof=lemmas.TRANSFER_PROOF,
    source=framework("transfer of learning rates across widths"),
    strength=Strength.UPPER,
    role=Role.PRIOR,
)
