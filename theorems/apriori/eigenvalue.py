"""lambda0 before any weight is drawn: granted as a hypothesis, or proved for one hidden layer by the matrix Chernoff bound.

**Theorem.** Let L = 2, k = 1, W_2 = +-1, 1 in T, and let lambda_inf be the smallest eigenvalue of the infinite-width kernel of
the first layer, alpha^2 sigma_w^2 E[phi'(z) phi'(z)^T] o G, G_ij = sqrt(nu_i nu_j)(c_1^2 x_i.x_j + sigma_b^2), z_i =
z_{1,1}(x_i). For 0 <= eps < 1,

    P(lambda_min(K_0) <= (1 - eps) lambda_inf) <= n exp(-eps^2 m lambda_inf/(2 alpha^2 sigma_w^2 Lp^2 lambda_max(G))).

Proof. The first layer's part of K_0 is sum_j X_j with X_j = (alpha^2 sigma_w^2/m) D_j G D_j, D_j = diag_i phi'(z_{1,j}(x_i)),
because W_{2,j}^2 = 1 and c_2^2 = sigma_w^2/m; other trained layers only add to it. The X_j are independent, positive
semidefinite, of norm at most rho := alpha^2 sigma_w^2 Lp^2 lambda_max(G)/m, and their expectations sum to the infinite-width
kernel, at every m. Tropp's matrix Chernoff bound gives n (e^{-eps}/(1-eps)^{1-eps})^{ lambda_inf/rho}, and
e^{-eps}/(1-eps)^{1-eps} <= e^{-eps^2/2}: (1-eps) ln(1-eps) + eps - eps^2/2 vanishes at 0 with derivative -ln(1-eps) - eps >= 0.
For a lower bound lambda of lambda_inf in place of it the same holds: (1-eps) lambda = (1-eps') lambda_inf with eps' >= eps,
lambda_inf >= lambda. ∎

Source: Tropp (2012), User-friendly tail bounds for sums of random matrices, Foundations of Computational Mathematics 12,
Theorem 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theorems.apriori.blueprint import Blueprint
from theorems.apriori.budget import Budget
from theorems.arithmetic import Arithmetic
from theorems.errors import InputError


@dataclass(frozen=True)
class Granted:
    """lambda_min(K_0) >= lambda0 fails with at most the budget's share of "eigenvalue": the abstract's non-mild assumption.

    origin: in words, where the number comes from; it makes the hypothesis no less one.
    """

    lambda0: Any
    origin: str = ""


@dataclass(frozen=True)
class Chernoff:
    """lambda_limit: a lower bound > 0 of lambda_inf. gram: an upper bound of lambda_max(G). Both with the weights of the points."""

    lambda_limit: Any
    gram: Any


HYPOTHESIS, CHERNOFF = "hypothesis", "theorem F-chernoff"


def source_of(known: Granted | Chernoff) -> str:
    """Whether lambda0 is a hypothesis or a theorem."""
    return HYPOTHESIS if isinstance(known, Granted) else CHERNOFF


def chernoff_applies(plan: Blueprint) -> bool:
    """Whether the matrix Chernoff bound is proved for this network."""
    return plan.layers == 2 and not plan.gaussian_output and plan.trained[0] and bool(plan.outputs == 1)


def chernoff_constant(plan: Blueprint, shares: Budget, known: Chernoff, arithmetic: Arithmetic) -> Any:
    """C with eps = sqrt(C/m): 2 alpha^2 sigma_w^2 Lp^2 lambda_max(G) ln(n/p)/lambda_inf.

    Raises InputError for a network to which the theorem does not apply.
    """
    if not chernoff_applies(plan):
        raise InputError(
            "the matrix Chernoff bound is proved for one hidden layer, trained below, one output and an output layer of +-1"
        )
    with arithmetic.context():
        share = arithmetic.numbers(shares.shares["eigenvalue"])
        n = arithmetic.numbers(plan.points)
        scale = arithmetic.numbers(plan.output_scale) * arithmetic.numbers(plan.weight_scale) * arithmetic.numbers(plan.slope)
        logarithm = arithmetic.log(n / share)
        return 2 * scale**2 * arithmetic.numbers(known.gram) * logarithm / arithmetic.numbers(known.lambda_limit)


def chernoff_epsilon(plan: Blueprint, shares: Budget, known: Chernoff, arithmetic: Arithmetic) -> Any:
    """The eps at which the probability of failure is the budget's share."""
    with arithmetic.context():
        constant = chernoff_constant(plan, shares, known, arithmetic)
        return arithmetic.sqrt(constant / arithmetic.numbers(plan.hidden[0]))


def lambda_start(plan: Blueprint, shares: Budget, known: Granted | Chernoff, arithmetic: Arithmetic) -> Any:
    """A lower bound of lambda_min(K_0); not positive, hence useless, where eps >= 1."""
    with arithmetic.context():
        if isinstance(known, Granted):
            return arithmetic.numbers(known.lambda0)
        return arithmetic.numbers(known.lambda_limit) * (1 - chernoff_epsilon(plan, shares, known, arithmetic))
