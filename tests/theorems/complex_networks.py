"""The network written anew, over batches of complex parameters: every derivative is a complex step, that is, the imaginary part of
f(theta + i h v)/h, and right to the last digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.special

from theorems.ball import SignalsAtPoint
from verify.strategies import NetworkProblem

EPS = np.finfo(np.float64).eps
STEP = 1e-30  # of the complex step: its square is below every rounding


@dataclass(frozen=True)
class Phi:
    """phi, phi' and phi'' on complex arrays, and sup|phi'|, sup|phi''| from calculus."""

    value: object
    first: object
    second: object
    slope: float
    curvature: float


def softplus(z):
    sign = np.where(z.real > 0, 1.0, -1.0)
    return np.log1p(np.exp(-sign * z)) + np.where(z.real > 0, z, 0.0)


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def bump(z):
    return np.exp(-(z**2) / 2)


def gauss(z):
    return 2 / math.sqrt(math.pi) * np.exp(-(z**2))


PHI = {
    "tanh": Phi(
        np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2), 1.0, 4 / (3 * math.sqrt(3))
    ),
    "sin": Phi(np.sin, np.cos, lambda z: -np.sin(z), 1.0, 1.0),
    "softplus": Phi(softplus, sigmoid, lambda z: (1 - np.tanh(z / 2) ** 2) / 4, 1.0, 0.25),
    "erf": Phi(scipy.special.erf, gauss, lambda z: -2 * z * gauss(z), 2 / math.sqrt(math.pi), 4 / math.sqrt(2 * math.pi * math.e)),
    "arctan": Phi(np.arctan, lambda z: 1 / (1 + z**2), lambda z: -2 * z / (1 + z**2) ** 2, 1.0, 3 * math.sqrt(3) / 8),
    "gaussian_bump": Phi(bump, lambda z: -z * bump(z), lambda z: (z**2 - 1) * bump(z), math.exp(-0.5), 1.0),
    "sigmoid": Phi(
        sigmoid,
        lambda z: (1 - np.tanh(z / 2) ** 2) / 4,
        lambda z: -np.tanh(z / 2) * (1 - np.tanh(z / 2) ** 2) / 4,
        0.25,
        math.sqrt(3) / 18,
    ),
}


class Network:
    """The network of a problem as a function of batches of parameters, shape (..., p)."""

    def __init__(self, problem: NetworkProblem, phi: Phi | None = None) -> None:
        a = problem.architecture
        self.sizes, self.layers, self.outputs = a.sizes, len(a.sizes) - 1, a.sizes[-1]
        self.c = [a.weight_scale / math.sqrt(size) for size in a.sizes[:-1]]
        self.sigma_b, self.alpha, self.trained = a.bias_scale, a.output_scale, a.trained
        self.phi = phi or PHI[problem.activation]
        self.theta, self.x, self.nu = problem.theta, problem.inputs.T, problem.sample_weights
        self.points = len(problem.inputs)
        position, self.weights, self.biases, moving = 0, [], [], []
        for rows, columns, moves in zip(a.sizes[1:], a.sizes[:-1], a.trained, strict=True):
            begin = position
            self.weights.append((slice(begin, begin + rows * columns), (rows, columns)))
            position += rows * columns
            self.biases.append(slice(position, position + rows) if a.bias_scale else None)
            position += rows if a.bias_scale else 0
            moving += list(range(begin, position)) if moves else []
        assert position == len(problem.theta)
        self.moving = np.array(moving)

    def layer(self, theta, index):
        place, shape = self.weights[index]
        bias = self.biases[index]
        return theta[..., place].reshape(*theta.shape[:-1], *shape), 0 if bias is None else theta[..., bias][..., None]

    def forward(self, theta):
        """z_1, ..., z_L and h_0, ..., h_{L-1}; each (..., m, n)."""
        h, zs, hs = self.x, [], []
        for index in range(self.layers):
            weight, bias = self.layer(theta, index)
            hs.append(h)
            zs.append(self.c[index] * (weight @ h) + self.sigma_b * bias)
            h = self.phi.value(zs[-1]) if index < self.layers - 1 else None
        return zs, hs

    def backward(self, theta):
        """eta_1, ..., eta_{L-1} and delta_1, ..., delta_L; each (..., m, n, k)."""
        zs, _ = self.forward(theta)
        shape = (*theta.shape[:-1], self.outputs, self.points, self.outputs)
        deltas, etas = [np.broadcast_to(np.eye(self.outputs)[:, None, :], shape)], []
        for index in range(self.layers - 2, -1, -1):
            weight, _ = self.layer(theta, index + 1)
            etas.insert(0, self.c[index + 1] * np.einsum("...ab,...anj->...bnj", weight, deltas[0]))
            deltas.insert(0, self.phi.first(zs[index])[..., None] * etas[0])
        return etas, deltas

    def output(self, theta):
        """f, weighted to L2(nu): (..., k, n)."""
        return self.alpha * self.forward(theta)[0][-1] * np.sqrt(self.nu)

    def steps(self, theta):
        """theta + i h e_j for every trained parameter j: (trained p, p)."""
        batch = np.tile(theta.astype(complex), (len(self.moving), 1))
        batch[np.arange(len(self.moving)), self.moving] += 1j * STEP
        return batch

    def jacobian(self, theta):
        """DF on the trained parameters, weighted: (k n, trained p)."""
        return self.output(self.steps(theta)).imag.reshape(len(self.moving), -1).T / STEP

    def jet(self, theta, u):
        """d^2 f [u, u] at theta, weighted: (..., k, n); u has all p entries and is zero on untrained ones."""
        h, dh, ddh = self.x, 0 * self.x, 0 * self.x
        for index in range(self.layers):
            (weight, bias), (dweight, dbias), c = self.layer(theta, index), self.layer(u, index), self.c[index]
            z = c * (weight @ h) + self.sigma_b * bias
            dz = c * (dweight @ h + weight @ dh) + self.sigma_b * dbias
            ddz = c * (2 * dweight @ dh + weight @ ddh)
            h, first = self.phi.value(z), self.phi.first(z)
            dh, ddh = first * dz, self.phi.second(z) * dz**2 + first * ddz
        return self.alpha * ddz * np.sqrt(self.nu)

    def hessian(self, theta, dual):
        """Second derivative of <dual, F> on the trained parameters: a complex step in the backward gradient; dual (k, n)."""
        batch = self.steps(theta)
        _, hs = self.forward(batch)
        _, deltas = self.backward(batch)
        seed = self.alpha * dual * np.sqrt(self.nu)
        parts = []
        for index in range(self.layers):
            if not self.trained[index]:
                continue
            signal = np.einsum("...anj,jn->...an", deltas[index], seed)
            below = np.broadcast_to(hs[index], (len(batch), *hs[index].shape[-2:]))
            parts.append((self.c[index] * np.einsum("ban,bcn->bac", signal, below)).reshape(len(batch), -1))
            if self.biases[index] is not None:
                parts.append(self.sigma_b * signal.sum(axis=-1))
        return np.concatenate(parts, axis=1).imag / STEP

    def embed(self, direction):
        full = np.zeros(len(self.theta))
        full[self.moving] = direction
        return full

    def signals(self) -> SignalsAtPoint:
        """What the recursion reads, from the definitions."""
        _, hs = self.forward(self.theta)
        etas, deltas = self.backward(self.theta)
        root = np.sqrt(self.nu)
        grams = [c**2 * h.T @ h + self.sigma_b**2 for c, h in zip(self.c, hs, strict=True)]

        def top(matrix):
            return math.sqrt(max(np.linalg.eigvalsh(matrix * np.outer(root, root))[-1], 0.0))

        return SignalsAtPoint(
            fan_in_scales=tuple(self.c),
            bias_scale=self.sigma_b,
            output_scale=self.alpha,
            trained=self.trained,
            slope=self.phi.slope,
            curvature=self.phi.curvature,
            operator_norms=np.array([np.linalg.norm(self.layer(self.theta, i)[0], 2) for i in range(self.layers)]),
            forward_norms=np.array([np.linalg.norm(h, axis=0) for h in hs]),
            gram_norms=np.array([top(gram) for gram in grams]),
            schur=top(grams[0] ** 2),
            backward_sup=np.array([np.linalg.norm(eta, axis=2).max(axis=0) for eta in etas]),
            backward_norms=np.array([operator_norms(delta) for delta in deltas]),
        )


def operator_norms(panel):
    """Operator norms of (m, n, k) over the points: (n,)."""
    return np.linalg.norm(panel.transpose(1, 0, 2), 2, axis=(1, 2))
