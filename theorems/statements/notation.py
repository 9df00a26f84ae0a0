"""The symbols that the statements share: letter, what it stands for, and in which normalization.

The paper's letters inside formulas; the names in ``Quantity.symbol`` are the ones under which values travel.
"""

from __future__ import annotations

import sympy

from theorems.records import Quantity, Source


def positive(name: str) -> sympy.Symbol:
    """A symbol for a nonnegative real number (declared positive so that roots of squares simplify)."""
    return sympy.Symbol(name, positive=True)


L = positive("L")
mu = positive("mu")
eta = positive("eta")
lambda0 = positive("lambda0")
lambda_max = positive("lambda_max")
beta = positive("beta")
s0 = positive("s0")
R = positive("R")

# Constants that more than one statement defines.
Lambda = positive("Lambda")
kappa = positive("kappa")
beta_prime = positive("beta_prime")
q = positive("q")
rbar = positive("rbar")
rate = positive("rate")
lambda_floor = positive("lambda_floor")
summed_bound = positive("Tbar")

# What a run provides at each step k, counted from the certification step.
s = positive("s")
s_next = positive("s_next")
r_next = positive("r_next")
g = positive("g")
gap = positive("gap")
gap_next = positive("gap_next")
remaining = positive("remaining")
summed = positive("summed")

# What a run provides at each mark.
rho = positive("rho")
forward_ratio = positive("forward_ratio")
jacobian_drift = positive("jacobian_drift")
kernel_drift = positive("kernel_drift")
lambda_min_k = positive("lambda_min_k")

COMPOSITE_QUANTITIES = (
    Quantity(L, "smoothness constant of h on H = L2(nu; R^k): its gradient is L-Lipschitz"),
    Quantity(mu, "Polyak-Lojasiewicz constant of h: |grad h(y)|^2 >= 2 mu (h(y) - h*)"),
    Quantity(eta, "step size of gradient descent on J = h o F"),
    Quantity(lambda0, "lower bound of the smallest eigenvalue of K_0 = DF DF^* at theta0 (1/n included)"),
    Quantity(lambda_max, "largest eigenvalue of K_0"),
    Quantity(beta, "Lipschitz constant of DF on the ball B(R) about theta0"),
    Quantity(s0, "initial residual sqrt(2 (J(theta0) - h*)/mu); for the square loss the RMS residual"),
    Quantity(R, "radius of the ball about theta0 on which beta is valid"),
)

SQUARE_QUANTITIES = tuple(item for item in COMPOSITE_QUANTITIES if item.symbol not in (L, mu))

RUN_QUANTITIES = (
    Quantity(s, "residual s_k = sqrt(2 (J(theta_k) - h*)/mu)"),
    Quantity(s_next, "residual s_{k+1}"),
    Quantity(r_next, "path length r_{k+1} = |theta_1 - theta_0| + ... + |theta_{k+1} - theta_k|"),
    Quantity(g, "gradient norm |grad J(theta_k)|"),
    Quantity(gap, "loss gap J(theta_k) - h*"),
    Quantity(gap_next, "loss gap J(theta_{k+1}) - h*"),
    Quantity(remaining, "remaining path |theta_{k+1} - theta_k| + |theta_{k+2} - theta_{k+1}| + ..."),
    Quantity(summed, "summed residuals mu (eta s_0 + ... + eta s_k)"),
    Quantity(rho, "displacement |theta_k - theta_0|"),
    Quantity(forward_ratio, "largest |z_l - z_l^0|(x_i)/D_l(x_i) over layers and points"),
    Quantity(jacobian_drift, "operator norm of DF(theta_k) - DF(theta_0)"),
    Quantity(kernel_drift, "operator norm of K_k - K_0"),
    Quantity(lambda_min_k, "smallest eigenvalue of K_k"),
)


def framework(place: str) -> Source:
    """The source of the framework, with the caveat that its constants are derived here and not quoted."""
    return Source(
        authors="D. Terjék and D. González-Sánchez",
        year=2022,
        title="A Framework for Overparameterized Learning",
        identifier="arXiv:2205.13507",
        place=f"{place}; derived by overparam in the shape of the paper's abstract, no constant is quoted from the paper",
    )
