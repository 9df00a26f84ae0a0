"""C2 and C3: along a certified run the weights hardly move, and the run stays near the linearized one. (C1 stands in Theorem E.)"""

from __future__ import annotations

from sympy import Min, sqrt

from theorems.lemmas import lazy as lemmas
from theorems.records import Claim, Hypothesis, LossClass, Quantity, Role, Scope, Strength, Theorem
from theorems.statements.composite import summed_residual_bound
from theorems.statements.implicit import GIVEN, OUTSIDE_BOUND, SHORT, TURN, outside_bound
from theorems.statements.notation import (
    COMPOSITE_QUANTITIES,
    beta,
    eta,
    framework,
    lambda0,
    lambda_max,
    positive,
    rbar,
    rho,
    s,
    s0,
)

# What a run provides at each mark.
theta_norm = positive("theta_norm")
layer_change = positive("layer_change")
neuron_ratio = positive("neuron_ratio")
linear_gap = positive("linear_gap")
linear_sum = positive("linear_sum")

# What it provides at each step, where the sum over steps is formed.
path = positive("path")
length = positive("length")

LAZY_QUANTITIES = (
    Quantity(theta_norm, "norm of the trained weights at theta_0"),
    Quantity(rho, "displacement |theta_k - theta_0|"),
    Quantity(layer_change, "the largest |theta_k^l - theta_0^l| over the trained layers"),
    Quantity(neuron_ratio, "the largest movement of a neuron's incoming weights over C_l"),
    Quantity(linear_gap, "|e_k - ebar_k|_nu, the run's residual against the linearized model's"),
    Quantity(linear_sum, "the sum over the steps j < k, with what the run's r_j, s_j and d_j are"),
)
_GIVEN = {item.symbol: item for item in COMPOSITE_QUANTITIES}
_SOURCE = framework("lazy training of the wide network")

# One step of the sum: from a bound of |e_k - ebar_k|, named linear_sum, to one of |e_{k+1} - ebar_{k+1}|.
FORCING = eta * sqrt(lambda_max) * beta * path * s + beta * path * length + beta * length**2 / 2
KEPT = 1 - eta * lambda0
NEXT_SUM = KEPT * linear_sum + FORCING

THEOREM_C2 = Theorem(
    id="C2",
    title="The weights hardly move",
    statement=(
        "Along a certified run the relative change of the trained weights is at most rbar/|theta0|, that of a layer at most "
        "rbar/|theta_0^l|, and the incoming weights of a neuron of layer l move by at most C_l (-1/beta) ln(1 - beta "
        "rbar/sigma0), C_l = alpha Lp max_i E_l(i) phat_l^nu (for an output alpha phat_L^nu), which is O(m^{-1/2}) of their norm."
    ),
    quantities=(
        *GIVEN,
        *LAZY_QUANTITIES[:4],
    ),
    hypotheses=(SHORT,),
    constants=(TURN,),
    claims=(
        Claim(
            "C2",
            "relative weight change: |theta_k - theta_0|/|theta_0| <= rbar/|theta_0|",
            rho / theta_norm,
            rbar / theta_norm,
            Scope.MARK,
        ),
        Claim(
            "C2-layers",
            "each layer: |theta_k^l - theta_0^l| <= rbar, that is a relative change of at most rbar/|theta_0^l|",
            layer_change,
            rbar,
            Scope.MARK,
        ),
        Claim(
            "C2-neurons",
            "each neuron: the largest |w_k - w_0|/C_l <= -(1/beta) ln(1 - beta rbar/sigma0)",
            neuron_ratio,
            summed_residual_bound(rbar),
            Scope.MARK,
            nonlinear=True,
        ),
    ),
    proof=lemmas.C2,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LAZY,
)

THEOREM_C3 = Theorem(
    id="C3",
    title="The run stays near the linearized one",
    statement=(
        "For the square loss and eta (lambda0 + lambda_max(K_0)) <= 2, with ebar_k the residual of the model linearized at "
        "theta_0 under the same steps: |e_k - ebar_k|_nu <= sum_{j<k} (1 - eta lambda0)^{k-1-j} (eta sqrt(lambda_max) beta r_j "
        "s_j + beta r_j d_j + beta d_j^2/2), hence at most sqrt(lambda_max) min{ beta rbar s_0/lambda0, (sigma0/beta)(-ln(1 - t) "
        "- t) } + beta rbar^2/2 for all k, and it tends to 0."
    ),
    quantities=(
        *GIVEN,
        _GIVEN[lambda_max],
        _GIVEN[eta],
        _GIVEN[s0],
        *LAZY_QUANTITIES[4:],
    ),
    hypotheses=(
        SHORT,
        Hypothesis("contraction", "eta (lambda0 + lambda_max(K_0)) <= 2", 2 - eta * (lambda0 + lambda_max), strict=False),
    ),
    constants=(TURN, OUTSIDE_BOUND),
    claims=(
        Claim(
            "C3",
            "distance to the linearized model: |e_k - ebar_k| <= sqrt(lambda_max) min{ beta rbar s_0/lambda0, (sigma0/beta)(-ln(1 "
            "- t) - t) } + beta rbar^2/2",
            linear_gap,
            sqrt(lambda_max) * Min(beta * rbar * s0 / lambda0, outside_bound) + beta * rbar**2 / 2,
            Scope.MARK,
            nonlinear=True,
        ),
        Claim(
            "C3-sum",
            "distance to the linearized model, by the sum: |e_k - ebar_k| <= sum_{j<k} (1 - eta lambda0)^{k-1-j} (eta sqrt("
            "lambda_max) beta r_j s_j + beta r_j d_j + beta d_j^2/2)",
            linear_gap,
            linear_sum,
            Scope.MARK,
            nonlinear=True,
        ),
    ),
    proof=lemmas.C3,
    source=_SOURCE,
    strength=Strength.UPPER,
    role=Role.LAZY,
    loss_class=LossClass.SQUARE,
)

RECORDS = (THEOREM_C2, THEOREM_C3)
