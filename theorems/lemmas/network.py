"""The proof of Theorem E: what the recursion of ``theorems.ball`` bounds, tried on random networks, with its scalar cores.

Letters: x = a_l L_p, A = D_{l-1}, y = p_l, D = D_l, and distances r (layers below l), d (layer l), with |.|^2 = r^2 + d^2.
"""

from __future__ import annotations

from sympy import Eq, Rational, Symbol

from theorems.ledger import Identity, Implication, ProofStep, Sampled, root
from theorems.lemmas.letters import A, D, Lambda, beta, c, d, r, rho, sigma0, v, w, x, y, z

_J, _J0 = Symbol("J", commutative=False), Symbol("J0", commutative=False)
_Js, _J0s = Symbol("Js", commutative=False), Symbol("J0s", commutative=False)

FORWARD = ProofStep(
    "E1: |z_l - z_l^0|(x_i) <= rho D_l(x_i) for every layer and point, and |z_l - z_l^0|_nu <= rho D_l^nu, |theta - theta0| = rho",
    Sampled("forward drift", 150),
)
FORWARD_STEP = ProofStep(
    "E1, the recursion: a_l Lp D_{l-1} r + p_l d <= D_l sqrt(r^2 + d^2) with D_l^2 = p_l^2 + (a_l Lp D_{l-1})^2",
    Implication(
        "e_forward_drift",
        (
            *(symbol >= 0 for symbol in (x, A, y, r, d, D)),
            Eq(D**2, y**2 + (x * A) ** 2),
            *root(w, r**2 + d**2),
        ),
        x * A * r + y * d <= D * w,
        x * A * r + y * d <= Rational(49, 50) * D * w,
    ),
)
FIRST_DERIVATIVE = ProofStep(
    "E2: |dz_l(x_i)| <= v_l(x_i).t <= v_l^max.t and |dz_l|_nu <= v_l^nu.t on B(R) for a direction with layer norms t",
    Sampled("first derivative of the signals", 150),
)
BACKWARD = ProofStep(
    "E3: |eta_l - eta_l^0| <= B_l, |eta_l|_inf <= E_l, |delta_l| <= N_l on B(R)",
    Sampled("backward drift", 300),
)
JACOBIAN = ProofStep(
    "E4: |DF(theta) - DF(theta')| <= beta |theta - theta'| on B(R), beta = alpha lambda_max(M)",
    Sampled("Jacobian is Lipschitz", 300),
)
KERNEL_SPLITS = ProofStep(
    "K - K_0 = DF_0 E^* + E DF^* with E = DF - DF_0",
    Identity(_J * _Js - _J0 * _J0s, _J0 * (_Js - _J0s) + (_J - _J0) * _Js),
)
KERNEL_DRIFT = ProofStep(
    "hence |K - K_0| <= 2 sqrt(Lambda) beta rho, as |DF_0| and |DF| are at most sqrt(Lambda) on B(R)",
    Implication(
        "e_kernel_drift",
        (
            *(symbol >= 0 for symbol in (x, y, z, beta, rho)),  # x = |DF_0|, y = |DF|, z = |E|, v = |K - K_0|
            *root(w, Lambda),
            x <= w,
            y <= w,
            z <= beta * rho,
            v <= x * z + z * y,
        ),
        v <= 2 * w * beta * rho,
        v <= Rational(49, 25) * w * beta * rho,
    ),
)
EIGENVALUE = ProofStep(
    "sigma_min(DF^*) >= sigma0 - beta rho >= 0, so lambda_min(K) >= (sigma0 - beta rho)^2, and >= (sigma0 - beta rbar)^2 for "
    "rho <= rbar",
    Implication(
        "e_smallest_eigenvalue",
        (beta >= 0, rho <= r, beta * r <= sigma0, c >= sigma0 - beta * rho),  # r = rbar, c = sigma_min
        c**2 >= (sigma0 - beta * r) ** 2,
        c**2 >= Rational(51, 50) * (sigma0 - beta * r) ** 2,
    ),
)
SINGULAR_VALUE = ProofStep(
    "Weyl's inequality for DF: sigma_min(DF(theta)^*) >= sigma0 - |DF(theta) - DF_0|",
    Sampled("smallest singular value on a ball", 400),
)

PROOF = (
    FORWARD_STEP,
    FORWARD,
    FIRST_DERIVATIVE,
    BACKWARD,
    JACOBIAN,
    KERNEL_SPLITS,
    KERNEL_DRIFT,
    SINGULAR_VALUE,
    EIGENVALUE,
)
