"""A network in plain NumPy, differentiated by complex steps, and what a certified run of it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from verify.result import Verification

Array = NDArray[Any]

PHI: dict[str, Callable[[Array], Array]] = {"tanh": np.tanh, "sin": np.sin, "softplus": lambda s: np.log(1 + np.exp(s))}
GRADIENTS: dict[str, Callable[[Array, Array, float], Array]] = {
    "square": lambda y, t, ridge: y - t,
    "log_cosh": lambda y, t, ridge: np.tanh(y - t) + ridge * (y - t),
    "logistic": lambda y, t, ridge: -t / (1 + np.exp(t * y)) + ridge * y,
}


class Network:
    """f of the setup, with the offsets not yet subtracted, and its derivatives."""

    def __init__(self, found: Verification) -> None:
        shape = found.setup.architecture
        self.sizes, self.biases, self.alpha = shape.sizes, shape.bias_scale, shape.output_scale
        self.scales = [shape.weight_scale / math.sqrt(size) for size in shape.sizes[:-1]]
        self.phi = PHI[found.setup.activation.name]
        counts = [m * (n + (self.biases > 0)) for n, m in zip(shape.sizes, shape.sizes[1:], strict=False)]
        ends = np.cumsum([0, *counts])
        self.layers = [slice(a, b) for a, b in zip(ends, ends[1:], strict=False)]
        self.moves = np.repeat(shape.trained, counts)

    def __call__(self, theta: Array, x: Array) -> Array:
        """theta (..., P), x (n, d) to outputs (..., n, k)."""
        h = x
        for m, layer in enumerate(self.layers):
            rows, columns = self.sizes[m + 1], self.sizes[m]
            own = theta[..., layer]
            weight = own[..., : rows * columns].reshape(*own.shape[:-1], rows, columns)
            z = self.scales[m] * h @ np.swapaxes(weight, -1, -2)
            if self.biases:
                z = z + self.biases * own[..., None, rows * columns :]
            h = z if m == len(self.layers) - 1 else self.phi(z)
        return self.alpha * h

    def jacobian(self, theta: Array, x: Array) -> Array:
        """(n, k, trained weights)."""
        moved = theta + 1e-30j * np.eye(len(theta))[self.moves]
        return np.moveaxis(self(moved, x).imag, 0, -1) / 1e-30

    def input_slope(self, theta: Array, x: Array) -> Array:
        """(k, d) at one x."""
        return self(theta.astype(complex), x + 1e-30j * np.eye(len(x)))[:, :].imag.T / 1e-30

    def neurons(self, step: Array, m: int) -> Array:
        """The norms of what each neuron's incoming weights moved by."""
        own, rows, columns = step[self.layers[m]], self.sizes[m + 1], self.sizes[m]
        squares = (own[: rows * columns].reshape(rows, columns) ** 2).sum(axis=1)
        return np.asarray(np.sqrt(squares + (own[rows * columns :] ** 2 if self.biases else 0.0)))


@dataclass(frozen=True)
class Measured:
    """Of the run of the oracle from the certified weights: v = theta_inf - theta_N and u of a nearest solution, trained weights
    only; steps: theta_k - theta_N, all weights; kernel, linearized: the largest distances from K_N and from the linearized run."""

    network: Network
    v: Array
    u: Array
    range_basis: Array
    steps: Array
    path: float
    kernel: float
    linearized: float
    limit: Array
    minimizers: Array


def measured(found: Verification) -> Measured:
    """Exact up to rounding: descent to a residual of 1e-6 of the first, and the rest by Newton steps, which err by its square."""
    setup, network, theta = found.setup, Network(found), found.certified_theta
    assert theta is not None
    assert found.step_size is not None
    data, name, ridge = setup.dataset, setup.loss.name, setup.problem.loss.ridge or 0.0
    x, t, root = data.inputs, data.targets, np.sqrt(data.sample_weights)[:, None]
    best = t.copy()
    if name == "logistic":
        best = t * scipy.optimize.brentq(lambda v: ridge * v - 1 / (1 + math.exp(v)), 0, 10, xtol=1e-15)

    def outputs(at: Array) -> Array:
        return network(at, x) - setup.offsets

    def weighted(at: Array) -> Array:
        return np.asarray((root[..., None] * network.jacobian(at, x)).reshape(t.size, -1))

    start, moving, steps = weighted(theta), network.moves, []
    kernel = start @ start.T
    line, now, path, drift, gap = (root * (outputs(theta) - t)).ravel(), theta.copy(), 0.0, 0.0, 0.0
    first = np.linalg.norm(root * (outputs(theta) - best))
    while np.linalg.norm(root * (outputs(now) - best)) > 1e-6 * first:
        value, jacobian = outputs(now), weighted(now)
        drift = max(drift, float(np.linalg.norm(jacobian @ jacobian.T - kernel, 2)))
        gap = max(gap, float(np.linalg.norm((root * (value - t)).ravel() - line)))
        line = line - found.step_size * kernel @ line
        step = found.step_size * jacobian.T @ (root * GRADIENTS[name](value, t, ridge)).ravel()
        now[moving] -= step
        path += float(np.linalg.norm(step))
        steps.append(now - theta)
        assert len(steps) < 20000
    for _ in range(2):
        now[moving] -= np.linalg.lstsq(weighted(now), (root * (outputs(now) - best)).ravel(), rcond=None)[0]
    v = (now - theta)[moving]

    def placed(u: Array) -> Array:
        at = theta.copy()
        at[moving] += u
        return at

    size = float(v @ v)
    nearest = scipy.optimize.minimize(
        lambda u: u @ u / size,
        1.05 * v,
        jac=lambda u: 2 * u / size,
        constraints={
            "type": "eq",
            "fun": lambda u: (root * (outputs(placed(u)) - best)).ravel(),
            "jac": lambda u: weighted(placed(u)),
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 200},
    )
    u = nearest.x
    u -= np.linalg.lstsq(weighted(placed(u)), (root * (outputs(placed(u)) - best)).ravel(), rcond=None)[0]
    assert np.linalg.norm(root * (outputs(placed(u)) - best)) < 1e-9 * first
    basis = np.linalg.qr(start.T)[0]
    return Measured(network, v, u, basis, np.array(steps), path, drift, gap, now, best)
