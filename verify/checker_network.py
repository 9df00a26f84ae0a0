"""What the checker knows of networks: signals and norms at theta in balls (Arb), and the bounds E1 to E4 on a ball about it.

Letters as in docs/theory.md and docs/notation.md; layers and points count from 0.

**Where phi' and phi'' matter.** Let |phi'| <= Lp on [-Z, Z], Z >= max_j |z_lj(x_i)| + R D_l(i) for all points and hidden layers,
D of E1 with this Lp. Then z_l(x_i) moves by at most R D_l(i) on B(R), by induction: z_1 needs no phi'; if it is true of z_l, its
entries before and after lie in the interval [-Z, Z], so h_l moves by at most Lp R D_l, and E1 gives z_(l+1). Hence all
preactivations on B(R) lie in [-Z, Z], and E needs phi' and phi'' there only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat

import verify.checker_balls as balls
from verify.certificate_arrays import Doubles
from verify.certificate_consequences import NormBounds
from verify.certificate_file import Certificate, Network
from verify.checker_balls import Statement, ball


class Signals:
    """The network at theta in balls; lists over layers, from the first; columns of matrices are points, or points times outputs.

    prefix: of the names of the weights among the arrays. scales: c_l. grams: c_l^2 H_(l-1)^T H_(l-1) + sigma_b^2, n x n. forward:
    the squared norms of the columns of H_(l-1). highest: max_j |z_lj(x_i)|, sup: the squared largest column norm of eta_l, for each
    hidden layer and point. blocks: delta_l^T delta_l of each point, k x k. outputs: z_L, k x n. kernel: K without its weights,
    index (point, output). nu: sqrt(nu_i nu_j), n x n.
    """

    def __init__(self, network: Network, arrays: dict[str, Doubles], prefix: str = "") -> None:
        self.arrays, self.prefix, self.points = arrays, prefix, arrays["y"].shape[0]
        self.weights = [self.matrix(f"{prefix}W{m + 1}") for m in range(len(network.trained))]
        self.scales = [arb(network.weight_scale) / arb(size).sqrt() for size in network.sizes[:-1]]
        root = arb_mat([[arb(weight).sqrt()] for weight in arrays["sample_weights"].values])
        self.phi, self.nu = balls.function(network.expression), root * root.transpose()
        self.grams, self.forward, self.highest, self.sup, self.blocks = (list[Any]() for _ in range(5))
        self._backward(network, self._forward(network))

    def _forward(self, network: Network) -> list[Any]:
        """Return phi'(z_l) for each hidden layer."""
        h, n, sigma_b = self.matrix("X").transpose(), self.points, arb(network.bias_scale)
        slopes = []
        for m, (weight, c) in enumerate(zip(self.weights, self.scales, strict=True)):
            gram = h.transpose() * h
            self.forward.append([gram[i, i] for i in range(n)])
            self.grams.append(gram * c**2 + arb_mat([[sigma_b**2] * n] * n))
            z = weight * h * c
            if network.bias_scale:
                bias = self.arrays[f"{self.prefix}b{m + 1}"].values
                z += arb_mat(len(bias), 1, bias) * arb_mat([[sigma_b] * n])
            if m == len(self.weights) - 1:
                self.outputs = z
                break
            self.highest.append([balls.largest(abs(z[j, i]) for j in range(z.nrows())) for i in range(n)])
            h, slope = arb_mat(z.nrows(), n), arb_mat(z.nrows(), n)
            for j, i in ((j, i) for j in range(z.nrows()) for i in range(n)):
                h[j, i], slope[j, i] = balls.derivatives(self.phi, z[j, i], 1)
            slopes.append(slope)
        return slopes

    def _backward(self, network: Network, slopes: list[Any]) -> None:
        n, k, alpha = self.points, network.sizes[-1], arb(network.output_scale)
        delta, self.kernel = arb_mat(k, n * k), arb_mat(n * k, n * k)
        for column in range(n * k):
            delta[column % k, column] = 1
        columns = [range(i * k, i * k + k) for i in range(n)]  # of each point
        for m in reversed(range(len(self.weights))):
            gram = delta.transpose() * delta
            self.blocks.insert(0, [balls.part(gram, own, own) for own in columns])
            if network.trained[m]:
                self.kernel += balls.blockwise(gram, self.grams[m] * alpha**2)
            if m > 0:
                eta = self.weights[m].transpose() * delta * self.scales[m]
                squares = [[sum((eta[j, at] * eta[j, at] for at in own), arb(0)) for j in range(eta.nrows())] for own in columns]
                self.sup.insert(0, [balls.largest(row) for row in squares])
                delta = balls.blockwise(eta, slopes.pop())

    def matrix(self, name: str) -> Any:
        """An array of two dimensions as a matrix of balls."""
        rows, columns = self.arrays[name].shape
        return arb_mat(rows, columns, self.arrays[name].values)


def norms_of_points(bounds: NormBounds[Fraction], signals: Signals, prefix: str = "") -> Iterator[Statement]:
    """The norms at theta that do not depend on nu, compared as squares."""
    for at, weight in enumerate(signals.weights):
        turned = weight.transpose()
        gram = weight * turned if weight.nrows() <= weight.ncols() else turned * weight
        name = f"{prefix}operator_norms[{at}]"
        yield balls.eigenvalues_at_most(name, gram, bounds.operator_norms[at], "the norm of the weights")
    for name, found, what in (
        ("forward_norms", signals.forward, "the norm of the layer's input"),
        ("backward_sup", signals.sup, "the largest column of eta"),
    ):
        for at, i in ((at, i) for at, row in enumerate(found) for i in range(len(row))):
            yield balls.at_most(f"{prefix}{name}[{at}][{i}]", found[at][i], getattr(bounds, name)[at][i], what, 2)
    for at, i in ((at, i) for at, row in enumerate(signals.blocks) for i in range(len(row))):
        bound = bounds.backward_norms[at][i]
        yield balls.eigenvalues_at_most(f"{prefix}backward_norms[{at}][{i}]", signals.blocks[at][i], bound, "|delta|")


def norms(certificate: Certificate, signals: Signals) -> Iterator[Statement]:
    """All norms at theta."""
    bounds = certificate.bounds
    yield from norms_of_points(bounds.norms, signals)
    for at, G in enumerate(signals.grams):
        yield balls.eigenvalues_at_most(f"gram_norms[{at}]", balls.blockwise(G, signals.nu), bounds.gram_norms[at], "p^nu")
    squares = balls.blockwise(signals.grams[0], signals.grams[0])
    yield balls.eigenvalues_at_most("schur", balls.blockwise(squares, signals.nu), bounds.schur, "the Schur constant")


@dataclass(frozen=True)
class Norms:
    """What E reads at theta, as balls: |W_l|, |h_(l-1)(x_i)|, p_l^nu, the Schur constant, |eta_l(i)|_inf, |delta_l(i)|."""

    operator: list[Any]
    forward: list[list[Any]]
    gram: list[Any]
    schur: Any
    sup: list[list[Any]]
    backward: list[list[Any]]


def stated_norms(bounds: NormBounds[Fraction]) -> tuple[list[Any], list[list[Any]], list[list[Any]], list[list[Any]]]:
    """operator, forward, sup and backward of Norms from what is stated."""
    rows = (bounds.forward_norms, bounds.backward_sup, bounds.backward_norms)
    forward, sup, backward = ([[ball(x) for x in row] for row in layer] for layer in rows)
    return [ball(x) for x in bounds.operator_norms], forward, sup, backward


def at_points(bounds: NormBounds[Fraction], network: Network, scales: list[Any]) -> Iterator[Norms]:
    """What E reads of each data set {x_i} with all the mass at x_i: p_l^nu is p_l(i), and the Schur constant is p_1(i)^2."""
    operator, *rows = stated_norms(bounds)
    for i in range(len(bounds.forward_norms[0])):
        forward, sup, backward = ([[row[i]] for row in layer] for layer in rows)
        squares = [c**2 * row[0] ** 2 + arb(network.bias_scale) ** 2 for c, row in zip(scales, forward, strict=True)]
        yield Norms(operator, forward, [square.sqrt() for square in squares], squares[0], sup, backward)


@dataclass(frozen=True)
class OnBall:
    """E1 to E4 on B(R). moved: R D_l(i); moved_nu: R D_l^nu. E: max_i E_l(i), hidden layers. matrix: |alpha| M, layers not in T
    included with zeros."""

    moved: list[list[Any]]
    moved_nu: list[Any]
    E: list[Any]
    matrix: Any


def on_ball(network: Network, scales: list[Any], norms: Norms, R: Any, Lp: Any, Lpp: Any) -> OnBall:
    """E1-E4 on B(R), where |phi'| <= Lp and |phi''| <= Lpp."""
    trained, sigma_b, c, n = network.trained, arb(network.bias_scale), scales, len(norms.forward[0])
    layers, last = range(len(trained)), len(trained) - 1
    h, eta, delta, p_nu = norms.forward, norms.sup, norms.backward, norms.gram
    moving = [R if moves else arb(0) for moves in trained]
    a = [c[m] * (norms.operator[m] + moving[m]) for m in layers]  # a_l
    D, D_nu = [[arb(0)] * n], [arb(0)]  # D[l] is D_l, D[0] of the input
    for m in layers:  # E1
        own = [trained[m] * (c[m] ** 2 * x**2 + sigma_b**2) for x in h[m]]
        D.append([(own[i] + (a[m] * Lp * D[m][i]) ** 2).sqrt() for i in range(n)])
        D_nu.append((trained[m] * p_nu[m] ** 2 + (a[m] * Lp * D_nu[m]) ** 2).sqrt())
    v, v_nu, v_max, nus = [[arb(0)] * n for _ in layers], [arb(0) for _ in layers], [], []
    for m in layers:  # E2: v[t] and v_nu[t] are the entries of v_l, the maxima and nu-norms are kept for each l
        v, v_nu = [[a[m] * Lp * x for x in row] for row in v], [a[m] * Lp * x for x in v_nu]
        if trained[m]:
            v[m] = [(c[m] ** 2 * (h[m][i] + Lp * R * D[m][i]) ** 2 + sigma_b**2).sqrt() for i in range(n)]
            v_nu[m] = p_nu[m] + c[m] * Lp * R * D_nu[m]
        v_max.append([balls.largest(row) for row in v])
        nus.append(v_nu)
    E, N = list[Any](), [balls.largest(delta[-1])]
    B = [c[last] * moving[last] * x for x in delta[last]]  # E3, downwards; B of the layer below ``above``
    for above in range(last, 0, -1):
        m = above - 1
        drift = [Lp * B[i] + Lpp * R * D[above][i] * eta[m][i] for i in range(n)]  # of delta at this layer
        E.insert(0, balls.largest(eta[m][i] + B[i] for i in range(n)))
        N.insert(0, balls.largest(delta[m][i] + drift[i] for i in range(n)))
        B = [a[m] * drift[i] + c[m] * moving[m] * delta[m][i] for i in range(n)]
    M = [[arb(0)] * len(trained) for _ in layers]  # E4
    for m, s, t in ((m, s, t) for m in layers for s in layers for t in layers):
        if m > 0 and trained[m] and s == m:
            M[m][t] += c[m] * Lp * N[m] * nus[m - 1][t]
            M[t][m] += c[m] * Lp * N[m] * nus[m - 1][t]
        if m < last:
            schur = s == t == m == 0 and trained[0]
            pair = 2 * norms.schur if schur else v_max[m][s] * nus[m][t] + nus[m][s] * v_max[m][t]
            M[s][t] += Lpp / 2 * E[m] * pair
    matrix = arb_mat(M) * abs(arb(network.output_scale))
    return OnBall([[R * x for x in row] for row in D], [R * x for x in D_nu], E, matrix)


def reach(signals: Signals, found: OnBall) -> Any:
    """Z: how large preactivations of hidden layers get on the ball."""
    layers = range(len(signals.highest))
    return balls.largest(z + moved for m in layers for z, moved in zip(signals.highest[m], found.moved[m + 1], strict=True)).upper()


def ball_bounds(certificate: Certificate, signals: Signals) -> Iterator[Statement]:
    """E1-E4 on B(R) from the stated bounds: phi' and phi'' on all preactivations that occur, and beta."""
    given, R = certificate.given, ball(certificate.given.ball_radius)
    yield "ball_radius", given.ball_radius > 0, f"it must be positive, stated {balls.show(R)}"
    found = certificate_on_ball(certificate, signals.scales)
    yield from suprema(certificate, signals, reach(signals, found))
    yield balls.eigenvalues_at_most("beta", found.matrix, given.beta, "alpha lambda_max(M)", 1)


def certificate_on_ball(certificate: Certificate, scales: list[Any]) -> OnBall:
    """E on the ball of the certificate."""
    bounds = certificate.bounds
    operator, forward, sup, backward = stated_norms(bounds.norms)
    norms = Norms(operator, forward, [ball(x) for x in bounds.gram_norms], ball(bounds.schur), sup, backward)
    R, Lp, Lpp = ball(certificate.given.ball_radius), ball(bounds.slope), ball(bounds.curvature)
    return on_ball(certificate.network, scales, norms, R, Lp, Lpp)


def suprema(certificate: Certificate, signals: Signals, far: Any, prefix: str = "") -> Iterator[Statement]:
    """|phi'| and |phi''| on [-far, far]."""
    bounds = certificate.bounds
    yield f"{prefix}slope", *balls.derivative_at_most(signals.phi, 1, bounds.slope, far)
    yield f"{prefix}curvature", *balls.derivative_at_most(signals.phi, 2, bounds.curvature, far)
