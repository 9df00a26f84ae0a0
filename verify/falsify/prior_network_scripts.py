"""A network on the events as a program, as data and in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from theorems.records import Claim, Theorem
from verify.falsify.scripts import constants, head, passes, tail

_NETWORK = """
sizes, trained = {sizes!r}, {trained!r}
sigma_w, sigma_b, alpha = 1.0, {bias_scale!r}, 1.0
theta0 = np.array({theta!r})
displacement = np.array({displacement!r})
x = np.array({inputs!r}).T
n, layers = x.shape[1], len(sizes) - 1
s0, q_target = {residual!r}, {target!r}
L, mu, step_share = {smoothness!r}, {mu!r}, {step_share!r}
# The recursions of overparam with the numbers t with which the events hold on this network, in floats.
beta, lambda_max = {beta!r}, {lambda_max!r}


{passes}

(_, J0), (_, J1) = run(theta0), run(theta0 + displacement)
eigenvalues = np.linalg.eigvalsh(J0 @ J0.T)
lambda0, kernel_top = eigenvalues[0], eigenvalues[-1]
rho = np.linalg.norm(displacement)
jacobian_drift, jacobian_square = np.linalg.norm(J1 - J0, 2), np.linalg.norm(J1, 2) ** 2
rbar = 2 * s0 / sqrt(lambda0) / (1 + sqrt(1 - 2 * beta * s0 / lambda0))  # of Theorem A-square

"""

_DESCENT = """
k0_used = 1 - step_share * eta * (L * (sqrt(lambda_max) + beta * R) ** 2 + beta * sqrt(L * mu) * s0) / 2  # of Theorem A0
q_descent = 2 * beta * s0 / (k0_used * lambda0)
rbar_descent = 2 * s0 / (k0_used * sqrt(lambda0)) / (1 + sqrt(1 - q_descent))
"""


def network_script(theorem: Theorem, item: Any, known: Mapping[str, Any], claim: Claim, step: int) -> str:
    """The program; ``known``: the numbers of the record in floats.

    The recursions themselves are not in it: beta and lambda_max stand there as numbers.
    """
    numbers = {name: float(known[name]) for name in ("beta", "lambda_max")}
    body = _NETWORK.format(**as_json(item), **numbers, passes=passes(item.network.activation))
    return head(theorem, claim) + body + constants(theorem) + _DESCENT + tail(claim, step)


def as_json(item: Any) -> dict[str, Any]:
    """The instance's data."""
    network, a = item.network, item.network.architecture
    return {
        "sizes": list(a.sizes),
        "trained": list(a.trained),
        "bias_scale": a.bias_scale,
        "activation": network.activation,
        "theta": network.theta.tolist(),
        "inputs": network.inputs.tolist(),
        "displacement": network.displacement.tolist(),
        **{name: getattr(item, name) for name in ("residual", "target", "smoothness", "mu", "step_share")},
    }


def described(item: Any) -> str:
    """In one line."""
    network, size = item.network, float(np.linalg.norm(item.network.displacement))
    points = f"{len(network.inputs)} point{'s' if len(network.inputs) > 1 else ''}"
    return f"{network.activation}, sizes {network.architecture.sizes}, {points}, s0 {item.residual:.4g}, displaced by {size:.4g}"
