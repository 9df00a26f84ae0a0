"""The independent checker of a certificate: every statement derived again from the arrays, in balls (Arb) and by its own formulas.

It shares the file format with the maker and nothing else: no recursion, no bound, no matrix routine. A statement holds when it is
true of the balls, hence of the exact numbers; NaN, infinity and overlap make every comparison false, and an error of any kind
rejects. Letters and sections (E, A, A+, A0, A1) as in docs/theory.md and docs/notation.md; layers and points count from 0.

**Where phi' and phi'' matter.** Let |phi'| <= Lp on [-Z, Z], Z >= max_j |z_lj(x_i)| + R D_l(i) for all points and hidden layers,
D of E1 with this Lp. Then z_l(x_i) moves by at most R D_l(i) on B(R), by induction: z_1 needs no phi'; if it is true of z_l, its
entries before and after lie in the interval [-Z, Z], so h_l moves by at most Lp R D_l, and E1 gives z_(l+1). Hence all
preactivations on B(R) lie in [-Z, Z], and E needs phi' and phi'' there only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from flint import arb, arb_mat, ctx

import verify.checker_balls as balls
from verify.certificate_arrays import Archive, Doubles, read_arrays, require_affordable, wrong_shape
from verify.certificate_file import HYPOTHESES, Certificate, Network, read_certificate
from verify.checker_balls import Statement, ball, show
from verify.errors import ProblemError
from verify.fields import one_line

BITS, SCALAR_BITS = 128, 256  # of signals and matrices; of the theorem's formulas
SQUARES = ("square", "weighted_square")
RIDGED = {"log_cosh": Fraction(1), "pseudo_huber": Fraction(1), "logistic": Fraction(1, 4)}  # sup of loss'' without the ridge


@dataclass(frozen=True)
class Outcome:
    """statements: how many were proved before first_failure, the first that was not, or in all. undecided: not derivable here."""

    accepted: bool
    statements: int
    certificate: Certificate
    first_failure: str | None = None
    reason: str = ""
    undecided: bool = False


def check(path: Path) -> Outcome:
    """Derive every statement of a certificate.json again, from the .npz beside it.

    Raises ProblemError, one sentence, when a file is malformed, truncated or too large to be checked.
    """
    certificate, proved, name, before = read_certificate(path), 0, "file", ctx.prec
    try:
        ctx.prec = BITS
        for name, stage in _stages(certificate, Archive(path, certificate.file)):
            for statement, holds, compared in stage():
                if holds is not True:
                    return Outcome(False, proved, certificate, statement, compared, undecided=holds is None)
                proved, name = proved + 1, f"the statement after {statement}"
    except ProblemError:
        raise
    except Exception as error:  # whatever it is, nothing was proved
        return Outcome(False, proved, certificate, name, f"not derived: {type(error).__name__} {one_line(error)[:100]}")
    finally:
        ctx.prec = before
    return Outcome(True, proved, certificate)


def _stages(certificate: Certificate, archive: Archive) -> Iterator[tuple[str, Callable[[], Iterable[Statement]]]]:
    """The statements in their order; all must hold, so each may use the others."""
    same = archive.sha256 == certificate.sha256
    yield "file", lambda: [("file", same, f"the arrays' SHA-256 is {archive.sha256}, stated {certificate.sha256}")]
    arrays = read_arrays(archive, certificate)
    wrong = wrong_shape(certificate, arrays)
    yield "shapes", lambda: [("shapes", not wrong, wrong)]
    require_affordable(certificate, len(arrays["sample_weights"].values))
    yield "loss", partial(_loss, certificate, arrays)
    signals = _Signals(certificate, arrays)
    for name, stage in (("bounds", _norms), ("slope", _ball_bounds), ("lambda0", _kernel), ("residual", _residual)):
        yield name, partial(stage, certificate, signals)
    ctx.prec = SCALAR_BITS
    yield "constants", partial(_theorem, certificate)


class _Signals:
    """The network at theta in balls; lists over layers, from the first; columns of matrices are points, or points times outputs.

    scales: c_l. grams: c_l^2 H_(l-1)^T H_(l-1) + sigma_b^2, n x n. forward: the squared norms of the columns of H_(l-1). highest:
    max_j |z_lj(x_i)|, sup: the squared largest column norm of eta_l, for each hidden layer and point. blocks: delta_l^T delta_l of
    each point, k x k. outputs: z_L, k x n. kernel: K without its weights, index (point, output). nu: sqrt(nu_i nu_j), n x n.
    """

    def __init__(self, certificate: Certificate, arrays: dict[str, Doubles]) -> None:
        network, self.arrays, self.points = certificate.network, arrays, arrays["y"].shape[0]
        self.weights = [self._matrix(f"W{m + 1}") for m in range(len(network.trained))]
        self.scales = [arb(network.weight_scale) / arb(size).sqrt() for size in network.sizes[:-1]]
        root = arb_mat([[arb(weight).sqrt()] for weight in arrays["sample_weights"].values])
        self.phi, self.nu = balls.function(network.expression), root * root.transpose()
        self.grams, self.forward, self.highest, self.sup, self.blocks = (list[Any]() for _ in range(5))
        self._backward(network, self._forward(network))

    def _forward(self, network: Network) -> list[Any]:
        """Return phi'(z_l) for each hidden layer."""
        h, n, sigma_b = self._matrix("X").transpose(), self.points, arb(network.bias_scale)
        slopes = []
        for m, (weight, c) in enumerate(zip(self.weights, self.scales, strict=True)):
            gram = h.transpose() * h
            self.forward.append([gram[i, i] for i in range(n)])
            self.grams.append(gram * c**2 + arb_mat([[sigma_b**2] * n] * n))
            z = weight * h * c
            if network.bias_scale:
                bias = self.arrays[f"b{m + 1}"].values
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

    def _matrix(self, name: str) -> Any:
        rows, columns = self.arrays[name].shape
        return arb_mat(rows, columns, self.arrays[name].values)


def _norms(certificate: Certificate, signals: _Signals) -> Iterator[Statement]:
    """The norms at theta, compared as squares."""
    bounds = certificate.bounds
    for at, weight in enumerate(signals.weights):
        turned = weight.transpose()
        gram = weight * turned if weight.nrows() <= weight.ncols() else turned * weight
        yield balls.eigenvalues_at_most(f"operator_norms[{at}]", gram, bounds.operator_norms[at], "the norm of the weights")
    for name, found, what in (
        ("forward_norms", signals.forward, "the norm of the layer's input"),
        ("backward_sup", signals.sup, "the largest column of eta"),
    ):
        for at, i in ((at, i) for at, row in enumerate(found) for i in range(len(row))):
            yield balls.at_most(f"{name}[{at}][{i}]", found[at][i], getattr(bounds, name)[at][i], what, 2)
    for at, G in enumerate(signals.grams):
        yield balls.eigenvalues_at_most(f"gram_norms[{at}]", balls.blockwise(G, signals.nu), bounds.gram_norms[at], "p^nu")
    squares = balls.blockwise(signals.grams[0], signals.grams[0])
    yield balls.eigenvalues_at_most("schur", balls.blockwise(squares, signals.nu), bounds.schur, "the Schur constant")
    for at, i in ((at, i) for at, row in enumerate(signals.blocks) for i in range(len(row))):
        bound = bounds.backward_norms[at][i]
        yield balls.eigenvalues_at_most(f"backward_norms[{at}][{i}]", signals.blocks[at][i], bound, "|delta|")


def _ball_bounds(certificate: Certificate, signals: _Signals) -> Iterator[Statement]:
    """E1-E4 on B(R) from the stated bounds: phi' and phi'' on all preactivations that occur, and beta."""
    bounds, given, trained, n = certificate.bounds, certificate.given, certificate.network.trained, signals.points
    layers, sigma_b, R = range(len(trained)), arb(certificate.network.bias_scale), ball(given.ball_radius)
    Lp, Lpp, c = ball(bounds.slope), ball(bounds.curvature), signals.scales
    yield "ball_radius", given.ball_radius > 0, f"it must be positive, stated {show(R)}"
    rows = (bounds.forward_norms, bounds.backward_sup, bounds.backward_norms)
    h, eta, delta = ([[ball(x) for x in row] for row in layer] for layer in rows)
    p_nu, moving = [ball(x) for x in bounds.gram_norms], [R if moves else arb(0) for moves in trained]
    a = [c[m] * (ball(bounds.operator_norms[m]) + moving[m]) for m in layers]  # a_l
    D, D_nu = [[arb(0)] * n], [arb(0)]  # D[l] is D_l, D[0] of the input
    for m in layers:  # E1
        own = [trained[m] * (c[m] ** 2 * x**2 + sigma_b**2) for x in h[m]]
        D.append([(own[i] + (a[m] * Lp * D[m][i]) ** 2).sqrt() for i in range(n)])
        D_nu.append((trained[m] * p_nu[m] ** 2 + (a[m] * Lp * D_nu[m]) ** 2).sqrt())
    reach = balls.largest(z + R * moved for m in layers[:-1] for z, moved in zip(signals.highest[m], D[m + 1], strict=True))
    yield "slope", *balls.derivative_at_most(signals.phi, 1, bounds.slope, reach.upper())
    yield "curvature", *balls.derivative_at_most(signals.phi, 2, bounds.curvature, reach.upper())
    v, v_nu, v_max, nus = [[arb(0)] * n for _ in layers], [arb(0) for _ in layers], [], []
    for m in layers:  # E2: v[t] and v_nu[t] are the entries of v_l, the maxima and nu-norms are kept for each l
        v, v_nu = [[a[m] * Lp * x for x in row] for row in v], [a[m] * Lp * x for x in v_nu]
        if trained[m]:
            v[m] = [(c[m] ** 2 * (h[m][i] + Lp * R * D[m][i]) ** 2 + sigma_b**2).sqrt() for i in range(n)]
            v_nu[m] = p_nu[m] + c[m] * Lp * R * D_nu[m]
        v_max.append([balls.largest(row) for row in v])
        nus.append(v_nu)
    E, N, last = list[Any](), [balls.largest(delta[-1])], len(trained) - 1
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
            pair = 2 * ball(bounds.schur) if schur else v_max[m][s] * nus[m][t] + nus[m][s] * v_max[m][t]
            M[s][t] += Lpp / 2 * E[m] * pair
    scaled = arb_mat(M) * abs(arb(certificate.network.output_scale))
    yield balls.eigenvalues_at_most("beta", scaled, given.beta, "alpha lambda_max(M)", 1)


def _kernel(certificate: Certificate, signals: _Signals) -> Iterator[Statement]:
    """lambda0 I <= K <= lambda_max I at theta."""
    given, K = certificate.given, balls.blockwise(signals.kernel, signals.nu)
    above = balls.semidefinite(balls.shifted(K, -ball(given.lambda0)))
    found = ball(given.lambda0) if above else balls.rayleigh_quotient(K, inverse=True)
    yield "lambda0", above, f"the smallest eigenvalue is at most {show(found)}, stated at least {show(given.lambda0)}"
    yield balls.eigenvalues_at_most("lambda_max", K, given.lambda_max, "the largest eigenvalue", 1)


def _loss(certificate: Certificate, arrays: dict[str, Doubles]) -> Iterator[Statement]:
    """The loss and its constants: loss'' in [mu, L]; the built-in ones are a convex function plus a ridge."""
    name, ridge, given = certificate.loss, certificate.ridge, certificate.given
    if name not in (*SQUARES, *RIDGED):
        yield "loss", None, f"the constants of a loss of one's own are not derived here: {name[:100]!r}"
    square = name in SQUARES
    fitting = ridge is None if square else ridge is not None and ridge > 0
    yield "loss", fitting, f"the ridge of {name} must be {'null' if square else 'positive'}"
    signs = name != "logistic" or all(abs(target) == 1 for target in arrays["y"].values)
    yield "targets", signs, "the targets of the logistic loss must be -1 or 1"
    suits = certificate.theorem != "A-square" or (square and given.mu == given.smoothness == 1)
    yield "theorem", suits, "Theorem A-square is for the square loss with mu = L = 1"
    mu, L = Fraction(ridge or 1), Fraction(ridge or 1) + RIDGED.get(name, 0)
    yield "mu", 0 < given.mu <= mu, f"mu is {show(mu)}, stated at least {show(given.mu)}"
    yield "smoothness", given.smoothness >= L, f"L is {show(L)}, stated at most {show(given.smoothness)}"


def _residual(certificate: Certificate, signals: _Signals) -> Iterator[Statement]:
    """s^2 = 2 (J - h*)/mu at theta."""
    given, (n, k), alpha = certificate.given, signals.arrays["y"].shape, certificate.network.output_scale
    y, offsets, nu = (signals.arrays[key].values for key in ("y", "offsets", "sample_weights"))
    gap, total = balls.loss_gap(certificate.loss, arb(certificate.ridge or 0)), arb(0)
    for i, o in ((i, o) for i in range(n) for o in range(k)):
        total += arb(nu[i]) * gap(alpha * signals.outputs[o, i] - arb(offsets[i * k + o]), arb(y[i * k + o]))
    yield balls.at_most("residual", 2 * total / ball(given.mu), given.residual, "s", 2)


def _theorem(certificate: Certificate) -> Iterator[Statement]:
    """The constants of the theorem at the given rationals, its hypotheses, its conclusions, and Theorem A1."""
    kind, given = certificate.theorem, certificate.given
    yield "given", given.beta > 0, f"beta must be positive, stated {show(given.beta)}"
    mu, L, lam, top = (ball(x) for x in (given.mu, given.smoothness, given.lambda0, given.lambda_max))
    s, beta, R, eta = (ball(x) for x in (given.residual, given.beta, given.ball_radius, given.step_size))
    sigma, Lambda = lam.sqrt(), (top.sqrt() + beta * R) ** 2
    kappa = arb(1) if kind in ("A-square", "A0") else ((1 - eta * L * lam) / (1 - eta * mu * lam)).sqrt()
    values: dict[str, Any] = {"Lambda": Lambda, "kappa": kappa}
    decrease, root, bent = kappa, sigma, beta  # s_k + decrease (root r_k - bent r_k^2/2) <= s_0
    if kind in ("A", "A-square"):
        bent = beta * (L / mu).sqrt() / kappa
        values["beta_prime"] = bent if kind == "A" else given.beta
    elif kind == "A+":
        d_max = eta * (Lambda * L * mu).sqrt() * s
        root = sigma - ((L / mu).sqrt() / kappa - 1) * beta * d_max / 2
        values |= {"d_max": d_max, "sigma_tilde": root}
    else:
        L_J = L * Lambda + beta * (L * mu).sqrt() * s
        decrease = 1 - eta * L_J / 2
        values |= {"L_J": L_J, "k0": decrease}
    q = 2 * bent * s / (decrease * root**2)
    rbar = 2 * s / (decrease * root) / (1 + (1 - q).sqrt())
    factor = 1 - (2 if kind == "A0" else 1) * eta * mu * decrease * root**2 * (1 - q)
    rate = factor.sqrt() if kind == "A0" else factor
    floor, Tbar = (sigma - beta * rbar) ** 2, -(-beta * rbar / sigma).log1p() / beta
    values |= {"q": q, "rbar": rbar, "gap_rate": factor, "rate": rate, "lambda_floor": floor, "Tbar": Tbar}
    for name, enclosure in certificate.constants.items():
        yield balls.inside(f"constants.{name}", values[name], enclosure)
    step = decrease if kind == "A0" else 1 - eta * L * Lambda
    margins = {"H3": given.lambda0, "step": step, "kappa": 1 - eta * L * lam, "sigma": root, "q": 1 - q, "radius": R - rbar}
    for (name, strict), enclosure in zip(HYPOTHESES[kind], certificate.margins, strict=True):
        _, enclosed, compared = balls.inside("", margins[name], enclosure)
        positive = all(x > 0 if strict else x >= 0 for x in (margins[name], enclosure.lower))
        yield f"hypotheses.{name}", enclosed and positive, f"the margin must not be negative: {compared}"
    least, ends = "smallest_eigenvalue_at_least", certificate.conclusions
    for name, value in {"path_length_at_most": rbar, "residual_factor_at_most": rate, "summed_residuals_at_most": Tbar}.items():
        yield balls.at_most(f"conclusions.{name}", value, ends[name], "it")
    yield f"conclusions.{least}", floor >= ball(ends[least]), f"it is {show(floor)}, stated at least {show(ends[least])}"
    if certificate.inexact is not None:  # Theorem A1
        epsilon, steps, c = ball(certificate.inexact.gradient_error), certificate.inexact.steps, (Lambda * L / mu).sqrt()
        S = s + steps * eta * kappa * (sigma + c / kappa) * epsilon
        q_N = 2 * bent * S / (kappa * lam)
        path = 2 * S / (kappa * sigma) / (1 + (1 - q_N).sqrt())
        yield "inexact.gradient_error", epsilon >= 0, f"it must not be negative, got {show(epsilon)}"
        yield "inexact.steps", q_N < 1 and path < R, f"after {steps} steps q is {show(q_N)}, the path at most {show(path)}"
        below = (c + kappa * sigma / 2 + kappa * bent * eta * epsilon / 2) * epsilon / (mu * kappa * lam * (1 - q_N))
        yield balls.at_most("inexact.floor", below, certificate.inexact.floor, "it")
