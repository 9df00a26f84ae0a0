"""Theorem E: how far signals, Jacobian and kernel of the network can move on a ball.

The constants beta and D_l come from the recursion in ``theorems.ball``; this record states what they promise along a run.
"""

from __future__ import annotations

from sympy import sqrt

from theorems.lemmas import network as lemmas
from theorems.records import Claim, Hypothesis, Quantity, Role, Scope, Strength, Theorem
from theorems.statements.notation import (
    Lambda,
    R,
    beta,
    forward_ratio,
    framework,
    jacobian_drift,
    kernel_drift,
    lambda_floor,
    lambda_min_k,
    rbar,
    rho,
)

THEOREM_E = Theorem(
    id="E",
    title="Drift of the network's signals, Jacobian and kernel on a ball",
    statement=(
        "For |theta - theta0| = rho <= R: |z_l - z_l^0|(x_i) <= rho D_l(x_i) for every layer and point, |DF - DF_0| <= "
        "beta rho, "
        "|K - K_0| <= 2 sqrt(Lambda) beta rho, and lambda_min(K) >= (sigma0 - beta rho)^2. Along a certified run rho <= rbar."
    ),
    quantities=(
        Quantity(beta, "Lipschitz constant of DF on B(R), from the ball recursion"),
        Quantity(Lambda, "bound of |DF|^2 on B(R)"),
        Quantity(rbar, "bound of the path length"),
        Quantity(lambda_floor, "(sigma0 - beta rbar)^2; for the square loss lambda0 (1 - q)"),
        Quantity(R, "radius of the ball"),
    ),
    hypotheses=(Hypothesis("radius", "the run stays in the ball: R > rbar", R - rbar),),
    constants=(),
    claims=(
        Claim(
            "E-forward",
            "forward drift: |z_l - z_l^0|(x_i)/D_l(x_i) <= |theta_k - theta_0| for every layer and point",
            forward_ratio,
            rho,
            Scope.MARK,
        ),
        Claim(
            "E-jacobian",
            "Jacobian drift: |DF_k - DF_0| <= beta |theta_k - theta_0|",
            jacobian_drift,
            beta * rho,
            Scope.MARK,
            nonlinear=True,
        ),
        Claim(
            "E-kernel",
            "smallest eigenvalue: lambda_min(K_k) >= (sigma0 - beta rbar)^2, which is lambda0 (1 - q) for the square loss",
            lambda_min_k,
            lambda_floor,
            Scope.MARK,
            lower=True,
            nonlinear=True,
        ),
        Claim(
            "C1",
            "kernel drift: |K_k - K_0| <= 2 sqrt(Lambda) beta |theta_k - theta_0|",
            kernel_drift,
            2 * sqrt(Lambda) * beta * rho,
            Scope.MARK,
            nonlinear=True,
        ),
    ),
    proof=lemmas.PROOF,
    source=framework("constants of the multilayer perceptron on a ball about its initialization"),
    strength=Strength.UPPER,
    role=Role.ALONG,
)
