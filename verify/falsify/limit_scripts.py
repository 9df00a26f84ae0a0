"""Instances of B1 to B5, C2 and C3 as short programs: NumPy only, in floats, the record's formulas below the data."""

from __future__ import annotations

from typing import Any

from theorems.catalogue import theorem as catalogued
from theorems.records import Claim, Theorem
from verify.falsify.scripts import composite_data, constants, head, tail

_DESCENT = """lambda0, lambda_max = singular.min() ** 2, singular.max() ** 2


def h(u):
    half = weights * u**2 / 2 + log_cosh * np.log1p(2 * np.sinh(u / 2) ** 2)
    return np.sum(half + pseudo_huber * u**2 / (1 + np.sqrt(1 + u**2)))


def grad_h(u):
    return weights * u + log_cosh * np.tanh(u) + pseudo_huber * u / np.sqrt(1 + u**2)


"""

_LIMIT = """s0 = np.sqrt(2 * h(F(np.zeros(p)) - target) / mu)
v = np.zeros(p)
for _ in range(steps_run):
    v = v - eta * DF(v).T @ grad_h(F(v) - target)
v = v - np.linalg.pinv(DF(v)) @ (F(v) - target)  # the limit, to second order in what is left of the path
u = v
for _ in range(80):  # the nearest solution, by Gauss-Newton on the multipliers
    u = np.linalg.pinv(DF(u)) @ (DF(u) @ u - F(u) + target)
outside, travelled = np.linalg.norm(v[n:]), np.linalg.norm(v)
nearest, deviation = np.linalg.norm(u), np.linalg.norm(v - u)
excess = (v - u) @ (v + u) / (travelled + nearest)

"""

_LINEAR = """s0 = np.linalg.norm(target)
A = np.eye(n, p) * singular[:, None]
theta, path, linear, total = np.zeros(p), 0.0, -target, 0.0
theta_norm = 1.0
columns = np.linalg.norm(A, axis=0) + np.array([np.linalg.norm(quadratic[:, j]) for j in range(p)]) * R
rho, neuron_ratio, linear_gap, linear_sum = [], [], [], []
for k in range(steps_run):
    s = np.linalg.norm(F(theta) - target)
    step = eta * DF(theta).T @ (F(theta) - target)
    length = np.linalg.norm(step)
    total = (1 - eta * lambda0) * total + eta * np.sqrt(lambda_max) * beta * path * s
    total = total + beta * path * length + beta * length**2 / 2
    theta, path, linear = theta - step, path + length, linear - eta * A @ (A.T @ linear)
    rho.append(np.linalg.norm(theta))
    neuron_ratio.append(np.max(np.where(columns > 0, np.abs(theta) / np.maximum(columns, 1e-300), 0.0)))
    linear_gap.append(np.linalg.norm(F(theta) - target - linear))
    linear_sum.append(total)
rho, neuron_ratio, linear_gap, linear_sum = (np.array(x) for x in (rho, neuron_ratio, linear_gap, linear_sum))
layer_change = rho

"""


def limit_script(theorem: Theorem, item: Any, claim: Claim, step: int) -> str:
    """The program for the end of a run; ``step`` is 0."""
    own = constants(catalogued("A")) + constants(theorem)
    return head(theorem, claim) + composite_data(item) + _DESCENT + _LIMIT + own + tail(claim, step)


def linear_script(theorem: Theorem, item: Any, claim: Claim, step: int) -> str:
    """The program for a run beside its linearization; ``step``: the k that is printed."""
    own = constants(catalogued("A-square")) + constants(theorem)
    return head(theorem, claim) + composite_data(item) + _DESCENT + _LINEAR + own + tail(claim, step)
