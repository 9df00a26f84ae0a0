"""The proofs of H1 and H2: scalar cores, what is taken from probability theory, and what is tried on networks and by enumeration.

H1 in one line: bounded differences and symmetrization reduce the deviation over B(r) to the empirical Rademacher complexity of
the losses; there the network is replaced by its linearization at theta0 at the price rho beta_i r^2/2 at every point, *before* the
contraction, so that for k outputs neither sqrt 2 nor sqrt k multiplies the remainder; the linear part is Cauchy-Schwarz and Jensen.
The remainder has no cancellation: beta_i |theta - theta0|^2/2 with a sign of its own at every point is a class of remainders that a
map may have, and its Rademacher average is the mean of beta_i r^2/2 exactly (``tests/theorems/test_generalization.py``).
"""

from __future__ import annotations

from sympy import Eq, Integer, Rational, Symbol, exp, log, pi, sqrt

from theorems.ledger import Assumed, Identity, Implication, ProofStep, Sampled, root
from theorems.lemmas.letters import b, c, d, g, r, real, rho, s, v, w, x, y, z

_L, _M, _t, _u = real("L"), real("M"), real("t"), real("u")
_n, _delta, _b, _j = (Symbol(name, positive=True) for name in ("n", "delta", "b", "j"))
_t_n = _b * sqrt(log(2 / _delta) / (2 * _n))

BOUNDED_DIFFERENCES = ProofStep(
    "the supremum over B(r) of E loss - empirical loss, and the empirical Rademacher complexity, change by at most b/n with one "
    "point of the sample; each exceeds its mean (falls below it) by t with probability <= exp(-2 n t^2/b^2)",
    Assumed("C. McDiarmid (1989), On the method of bounded differences, Lemma 1.2"),
)
TAIL = ProofStep("at t = b sqrt(ln(2/delta)/(2n)) that is delta/2", Identity(exp(-2 * _n * _t_n**2 / _b**2), _delta / 2))
SYMMETRIZATION = ProofStep(
    "E sup (E loss - empirical loss) <= 2 E Rad, Rad = E_signs sup (1/n) sum_i sign_i loss_i without absolute values",
    Assumed("M. Mohri, A. Rostamizadeh and A. Talwalkar (2018), Foundations of Machine Learning, Theorem 3.3"),
)
DEVIATION = ProofStep(
    "hence sup <= 2 Rad + t + 2 t with probability at least 1 - delta: the constant 3 of the empirical form",
    Identity(_t_n + 2 * _t_n, 3 * _b * sqrt(log(2 / _delta) / (2 * _n))),
)
REMOVAL = ProofStep(
    "the loss at f_0 + linear + remainder is within rho |remainder| of the loss at f_0 + linear, so sign times loss is at most "
    "sign times the loss of the linearization plus rho |remainder|",
    # x, y the two losses, s the sign, d = |remainder|
    Implication(
        "h_remainder_removed",
        ((x - y) ** 2 <= (rho * d) ** 2, rho >= 0, d >= 0, Eq(s**2, 1)),
        s * x <= s * y + rho * d,
        s * x <= s * y + Rational(49, 50) * rho * d,
    ),
)
CONTRACTION_CORE = ProofStep(
    "contraction, one sign at a time: (loss(u) + p) + (-loss(t) + q) <= max over the exchange of u and t with rho |u - t|",
    # w = loss(u) - loss(t), x + y the rest, M at least both pairings
    Implication(
        "h_contraction",
        (w**2 <= (rho * (_u - _t)) ** 2, rho >= 0, rho * (_u - _t) + x + y <= _M, rho * (_t - _u) + x + y <= _M),
        w + x + y <= _M,
        w + x + y <= _M - Rational(1, 50) * rho * (_u - _t) ** 2,
    ),
)
CONTRACTION = ProofStep(
    "hence Rad of the losses is at most rho times Rad of the functions (k = 1), and for k outputs and a loss rho-Lipschitz in the "
    "Euclidean norm of R^k at most sqrt 2 rho times Rad with a sign for every output",
    Assumed(
        "R. Meir and T. Zhang (2003), Generalization error bounds for Bayesian mixture algorithms, Theorem 7 (k = 1); A. Maurer "
        "(2016), A vector-contraction inequality for Rademacher complexities, Corollary 1 (k > 1)"
    ),
)
TRANSLATION = ProofStep(
    "a fixed function added to all has mean 0 under the signs: f_theta0, or nothing for a centered network, drops out",
    Sampled("Rademacher complexity of a translated class", 60),
)
LINEAR = ProofStep(
    "E_signs sup over |v| <= r of sum_i sign_i <df(x_i), v> = r E|sum_i sign_i df(x_i)| <= r (sum_i |df(x_i)|_F^2)^{1/2}",
    Sampled("Rademacher complexity of a linear class", 60),
)
POINTWISE = ProofStep(
    "E4 for the data set {x_i}: |df_theta(x_i) - df_theta'(x_i)| <= beta_i |theta - theta'| on B(r)",
    Sampled("Jacobian at a point is Lipschitz", 150),
)
REMAINDER = ProofStep(
    "Taylor: |f_theta(x_i) - f_theta0(x_i) - <df_theta0(x_i), theta - theta0>| <= beta_i |theta - theta0|^2/2 on B(r)",
    Sampled("remainder of the network at a point", 150),
)
SUPREMUM = ProofStep(
    "beta_i |theta - theta0|^2/2 <= beta_i r^2/2 at every point, whatever the signs are",
    Implication(
        "h_remainder_supremum",
        (c >= 0, d >= 0, d <= r, y <= c * d**2 / 2),  # c = beta_i, d = |theta - theta0|, y = |remainder|
        y <= c * r**2 / 2,
        y <= Rational(49, 100) * c * r**2,
    ),
)
UNION = ProofStep(
    "radii r_1, 2 r_1, 4 r_1, ... fail with probability at most 6 delta/(pi^2 j^2) each: all hold with probability 1 - delta",
    Assumed("the union bound; L. Euler (1735): the sum of 1/j^2 is pi^2/6"),
)
INDEXED = ProofStep(
    "2/delta_j = 2 pi^2 j^2/(6 delta)",
    Identity(Integer(2) / (6 * _delta / (pi**2 * _j**2)), 2 * pi**2 * _j**2 / (6 * _delta)),
)
CLIPPED = ProofStep(
    "an L-smooth loss less its infimum, clipped at b, is sqrt(2 L b)-Lipschitz: |loss'|^2 <= 2 L gap <= 2 L b where it is not "
    "constant, as the gap at u - loss'/L is nonnegative and at most gap - |loss'|^2/(2L)",
    # g = gap, v = |loss'|, z = the gap at u - loss'/L
    Implication(
        "h_clipped_loss",
        (_L > 0, v >= 0, z >= 0, 2 * _L * (g - z) >= v**2, g <= b, *root(w, 2 * _L * b)),
        v <= w,
        v <= Rational(49, 50) * w,
    ),
)

H1_PROOF = (
    BOUNDED_DIFFERENCES,
    TAIL,
    SYMMETRIZATION,
    DEVIATION,
    REMOVAL,
    CONTRACTION_CORE,
    CONTRACTION,
    TRANSLATION,
    LINEAR,
    POINTWISE,
    REMAINDER,
    SUPREMUM,
    UNION,
    INDEXED,
    CLIPPED,
)

LAYER = ProofStep(
    "|h_l(x) - h_l(x')| <= Lp c_l (|W_l^0| + R) |h_{l-1}(x) - h_{l-1}(x')| on B(R)",
    # x = |h_l - h_l'|, y = |h_{l-1} - h_{l-1}'|, z = |W_l|, w = |W_l^0|, d = |W_l - W_l^0|, v = Lp
    Implication(
        "h_layer_in_the_input",
        (*(symbol >= 0 for symbol in (x, y, z, w, d, v, c)), x <= v * c * z * y, z <= w + d, d <= r),
        x <= v * c * (w + r) * y,
        x <= Rational(49, 50) * v * c * (w + r) * y,
    ),
)
INPUT = ProofStep(
    "|f_theta(x) - f_theta(x')| <= alpha Lp^{L-1} a_1 ... a_L |x - x'| on B(R), and for a centered network the sum of "
    "the bounds at R and at 0",
    Sampled("Lipschitz in the input", 150),
)
COUPLED = ProofStep(
    "two losses in [0, b] that differ by at most c differ by at most min(b, c)",
    # c = rho_loss Lip |x - x'| + rho_label |t - t'|; M one of b and c
    Implication(
        "h_coupled_losses",
        (x >= 0, x <= b, y >= 0, y <= b, x - y <= c, Eq((_M - b) * (_M - c), 0)),
        x - y <= _M,
        x - y <= Rational(49, 50) * _M,
    ),
)
COUPLING = ProofStep(
    "averaged over a coupling, whose marginals are the two samples: the difference of the mean losses is at most the mean cost",
    Sampled("difference of means under a coupling", 60),
)

H2_PROOF = (LAYER, INPUT, COUPLED, COUPLING)
