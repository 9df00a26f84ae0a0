"""The independent checker of a certificate: every statement derived again from the arrays, in balls (Arb) and by its own formulas.

It shares the file format with the maker and nothing else: no recursion, no bound, no matrix routine. A statement holds when it is
true of the balls, hence of the exact numbers; NaN, infinity and overlap make every comparison false, and an error of any kind
rejects. Letters and sections (E, A, A+, A0, A1) as in docs/theory.md and docs/notation.md; layers and points count from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from flint import arb, ctx

import verify.checker_balls as balls
import verify.checker_bounds as bounds
from verify.certificate_arrays import Archive, Doubles, read_arrays, require_affordable, wrong_shape
from verify.certificate_file import HYPOTHESES, Certificate, Given, Inexact, read_certificate
from verify.checker_balls import Statement, ball, show
from verify.checker_network import Signals, ball_bounds, norms
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
    signals = Signals(certificate.network, arrays)
    for name, stage in (("bounds", norms), ("slope", ball_bounds), ("lambda0", _kernel), ("residual", _residual)):
        yield name, partial(stage, certificate, signals)
    ctx.prec = SCALAR_BITS
    values = _values(certificate)
    yield "constants", partial(_theorem, certificate, values)
    yield "implicit", partial(bounds.implicit, certificate, values)
    square = certificate.loss in SQUARES and certificate.given.mu == certificate.given.smoothness == 1
    yield "lazy", partial(bounds.lazy, certificate, signals, values, square)
    ctx.prec = BITS
    yield "generalization", partial(bounds.generalization, certificate, signals, values)


def _kernel(certificate: Certificate, signals: Signals) -> Iterator[Statement]:
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


def _residual(certificate: Certificate, signals: Signals) -> Iterator[Statement]:
    """s^2 = 2 (J - h*)/mu at theta."""
    given, (n, k), alpha = certificate.given, signals.arrays["y"].shape, certificate.network.output_scale
    y, offsets, nu = (signals.arrays[key].values for key in ("y", "offsets", "sample_weights"))
    gap, total = balls.loss_gap(certificate.loss, arb(certificate.ridge or 0)), arb(0)
    for i, o in ((i, o) for i in range(n) for o in range(k)):
        total += arb(nu[i]) * gap(alpha * signals.outputs[o, i] - arb(offsets[i * k + o]), arb(y[i * k + o]))
    yield balls.at_most("residual", 2 * total / ball(given.mu), given.residual, "s", 2)


def _values(certificate: Certificate) -> dict[str, Any]:
    """The constants of the theorem at the given rationals."""
    kind, given = certificate.theorem, certificate.given
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
    return values | {"decrease": decrease, "root": root, "bent": bent}


def _theorem(certificate: Certificate, values: dict[str, Any]) -> Iterator[Statement]:
    """The constants of the theorem, its hypotheses, its conclusions, and Theorem A1."""
    kind, given = certificate.theorem, certificate.given
    yield "given", given.beta > 0, f"beta must be positive, stated {show(given.beta)}"
    for name, enclosure in certificate.constants.items():
        yield balls.inside(f"constants.{name}", values[name], enclosure)
    L, R, eta, lam = (ball(x) for x in (given.smoothness, given.ball_radius, given.step_size, given.lambda0))
    decrease, root, rbar = values["decrease"], values["root"], values["rbar"]
    step = decrease if kind == "A0" else 1 - eta * L * values["Lambda"]
    kappa = 1 - eta * L * lam
    margins = {"H3": given.lambda0, "step": step, "kappa": kappa, "sigma": root, "q": 1 - values["q"], "radius": R - rbar}
    for (name, strict), enclosure in zip(HYPOTHESES[kind], certificate.margins, strict=True):
        _, enclosed, compared = balls.inside("", margins[name], enclosure)
        positive = all(x > 0 if strict else x >= 0 for x in (margins[name], enclosure.lower))
        wanted = "be positive" if strict else "not be negative"
        yield f"hypotheses.{name}", enclosed and positive, f"the margin must {wanted}: {compared}"
    ends, floor = certificate.conclusions, values["lambda_floor"]
    for name, of in {"path_length": "rbar", "residual_factor": "rate", "summed_residuals": "Tbar"}.items():
        yield balls.at_most(f"conclusions.{name}_at_most", values[of], ends[f"{name}_at_most"], "it")
    least = "smallest_eigenvalue_at_least"
    yield f"conclusions.{least}", floor >= ball(ends[least]), f"it is {show(floor)}, stated at least {show(ends[least])}"
    if certificate.inexact is not None:
        yield from _inexact(certificate.inexact, given, values)


def _inexact(inexact: Inexact, given: Given, values: dict[str, Any]) -> Iterator[Statement]:
    """Theorem A1."""
    mu, L, lam, s = (ball(x) for x in (given.mu, given.smoothness, given.lambda0, given.residual))
    R, eta, epsilon, steps = ball(given.ball_radius), ball(given.step_size), ball(inexact.gradient_error), inexact.steps
    kappa, bent, sigma, c = values["kappa"], values["bent"], lam.sqrt(), (values["Lambda"] * L / mu).sqrt()
    S = s + steps * eta * kappa * (sigma + c / kappa) * epsilon
    q_N = 2 * bent * S / (kappa * lam)
    path = 2 * S / (kappa * sigma) / (1 + (1 - q_N).sqrt())
    yield "inexact.gradient_error", epsilon >= 0, f"it must not be negative, got {show(epsilon)}"
    yield "inexact.steps", q_N < 1 and path < R, f"after {steps} steps q is {show(q_N)}, the path at most {show(path)}"
    below = (c + kappa * sigma / 2 + kappa * bent * eta * epsilon / 2) * epsilon / (mu * kappa * lam * (1 - q_N))
    yield balls.at_most("inexact.floor", below, inexact.floor, "it")
