"""The statements of section H as records: what a sample, or a coupling of two samples, says about the loss on unseen data.

H1 is a statement about the law of the sample and holds with probability 1 - delta; H2 is an inequality between two finite samples
and holds always. The per-point constants beta_i and the gains come from ``theorems.pointwise``.
"""

from __future__ import annotations

from sympy import log, pi, sqrt

from theorems.lemmas import generalization as lemmas
from theorems.records import Claim, Constant, Hypothesis, Quantity, Role, Scope, Source, Strength, Theorem
from theorems.statements.notation import framework, positive

n, b, j, r_1, delta = positive("n"), positive("b"), positive("j"), positive("r_1"), positive("delta")
rho_loss, k0_mean, beta_mean = positive("rho_loss"), positive("k0_mean"), positive("beta_mean")
contraction, distance = positive("contraction"), positive("distance")
r_j, delta_j = positive("r_j"), positive("delta_j")
linear_term, curvature_term, deviation_term = positive("linear_term"), positive("curvature_term"), positive("deviation_term")
gap_bound = positive("gap_bound")
alpha, gain, gain_0, lipschitz = positive("alpha"), positive("gain"), positive("gain_0"), positive("Lip")
transport = positive("transport")

# What is measured of an instance.
risk, empirical_risk = positive("risk"), positive("empirical_risk")
input_slope, risk_difference = positive("input_slope"), positive("risk_difference")

GENERALIZATION_QUANTITIES = (
    Quantity(risk, "expected loss E loss(t, f_theta(x)) under the law of the sample"),
    Quantity(empirical_risk, "mean loss on the sample"),
    Quantity(input_slope, "largest |f_theta(x) - f_theta(x')|/|x - x'| seen, less f_theta0 for a centered network"),
    Quantity(risk_difference, "mean loss on the second sample less that on the first, in absolute value"),
)

THEOREM_H1 = Theorem(
    id="H1",
    title="Rademacher bound of the expected loss on balls about theta0",
    statement=(
        "n points (x_i, t_i) drawn independently from one law; theta0, the radius r_1 and the loss do not depend on them. "
        "The loss has values in [0, b] and is rho_loss-Lipschitz in the network's output (Euclidean norm of R^k). With "
        "probability at least 1 - delta over the sample, for all j = 1, 2, ... and all theta of B(r_j), r_j = r_1 "
        "2^{j-1}, at once: expected loss <= mean loss on the sample + 2 rho_loss (contraction sqrt(k0_mean) r_j/sqrt(n) + "
        "r_j^2 beta_mean/2) + 3 b sqrt(ln(2/delta_j)/(2n)). The network may be centered, f_theta - f_theta0. Weights "
        "theta_N of a run depend on the sample: the ball stays centered at theta0, and a radius certified from theta_N "
        "counts as |theta_N - theta0| + rbar."
    ),
    quantities=(
        Quantity(n, "number of points"),
        Quantity(b, "largest value of the loss"),
        Quantity(rho_loss, "Lipschitz constant of the loss in the network's output"),
        Quantity(k0_mean, "mean over the points of |df_theta0(x_i)|_F^2, the trace of the tangent kernel with 1/n"),
        Quantity(beta_mean, "mean over the points of beta_i, the Lipschitz constant of theta -> df_theta(x_i) on B(r_j)"),
        Quantity(contraction, "1 for one output, sqrt 2 for several"),
        Quantity(r_1, "the first radius"),
        Quantity(j, "number of the radius, 1, 2, ..."),
        Quantity(delta, "probability of failure"),
        Quantity(distance, "|theta - theta0|"),
    ),
    hypotheses=(
        Hypothesis("delta", "0 < delta < 1", delta * (1 - delta)),
        Hypothesis("index", "j >= 1", j - 1, strict=False),
        Hypothesis("ball", "theta lies in B(r_j): |theta - theta0| <= r_j", r_1 * 2 ** (j - 1) - distance, strict=False),
        Hypothesis("loss", "the loss is not constant: b > 0 and rho_loss > 0", b * rho_loss),
        Hypothesis("outputs", "contraction >= 1", contraction - 1, strict=False),
    ),
    constants=(
        Constant(r_j, r_1 * 2 ** (j - 1), "the radius"),
        Constant(delta_j, 6 * delta / (pi**2 * j**2), "its share of the probability of failure", lower=True),
        Constant(linear_term, 2 * rho_loss * contraction * r_j * sqrt(k0_mean / n), "what the linearization at theta0 costs"),
        Constant(curvature_term, rho_loss * r_j**2 * beta_mean, "what the rest of the network costs; it does not fall with n"),
        Constant(deviation_term, 3 * b * sqrt(log(2 / delta_j) / (2 * n)), "deviation from the mean"),
        Constant(gap_bound, linear_term + curvature_term + deviation_term, "bound of expected less empirical loss"),
    ),
    claims=(
        Claim(
            "H1-risk",
            "expected loss: estimated on held-out points, it is at most the mean loss on the sample plus gap_bound",
            risk,
            empirical_risk + gap_bound,
            Scope.HELD_OUT,
        ),
    ),
    proof=lemmas.H1_PROOF,
    source=Source(
        authors="P. L. Bartlett and S. Mendelson",
        year=2002,
        title="Rademacher and Gaussian complexities: risk bounds and structural results",
        identifier="JMLR 3:463-482",
        place="Theorem 8, with the constants of Mohri, Rostamizadeh and Talwalkar (2018), Theorem 3.3; here for a "
        "linearization at theta0 with its remainder",
    ),
    strength=Strength.UPPER,
    role=Role.GENERALIZATION,
)

THEOREM_H2 = Theorem(
    id="H2",
    title="Change of the mean loss from one sample to another by transport",
    statement=(
        "For theta in B(R): Lip_x(f_theta) <= Lip = alpha gain with gain = Lp^{L-1} a_1 ... a_L, a_l = c_l (|W_l^0| + R "
        "1[l in T]); for a centered network f_theta - f_theta0 it is alpha (gain + gain_0), gain_0 the gain at R = 0. For "
        "a loss in [0, b], rho_loss-Lipschitz in the output and rho_label-Lipschitz in the label, and every coupling of "
        "two samples: the mean losses differ by at most the mean of min(b, rho_loss Lip |x - x'| + rho_label |t - t'|) "
        "over the coupling. This is an inequality about two finite samples, without probability; the Wasserstein distance "
        "of a sample to its law is not known for real data."
    ),
    quantities=(
        Quantity(alpha, "output scale"),
        Quantity(gain, "Lp^{L-1} a_1 ... a_L on B(R)"),
        Quantity(gain_0, "the same at R = 0 for a centered network, else 0"),
        Quantity(b, "largest value of the loss"),
        Quantity(transport, "mean over a coupling of min(b, rho_loss Lip |x - x'| + rho_label |t - t'|)"),
    ),
    hypotheses=(Hypothesis("range", "transport <= b, as every cost is", b - transport, strict=False),),
    constants=(Constant(lipschitz, alpha * (gain + gain_0), "Lipschitz constant of the network in its input"),),
    claims=(
        Claim("H2-lipschitz", "slope in the input: no difference quotient exceeds Lip", input_slope, lipschitz, Scope.HELD_OUT),
        Claim(
            "H2-risk",
            "change of the mean loss: on the sample and on the held-out points it differs by at most the transport cost",
            risk_difference,
            transport,
            Scope.HELD_OUT,
        ),
    ),
    proof=lemmas.H2_PROOF,
    source=framework("generalization bounds"),
    strength=Strength.UPPER,
    role=Role.GENERALIZATION,
)
