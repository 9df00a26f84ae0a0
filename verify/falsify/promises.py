"""What a statement promises along a run, how much of each promise a run uses up, and when one is broken.

Everything is evaluated from the record's own expressions, so that a record with a wrong constant is judged by that constant. Where
a record leaves a promise to its sentence (the limit, the smallest eigenvalue, all of Theorem A1 and N), it is written here over the
record's own constants; a record that brings its own claims keeps them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theorems.arithmetic import BallArithmetic
from theorems.catalogue import theorem as catalogued
from theorems.records import Claim, Hypothesis, Role, Scope, Theorem, evaluate_expression, is_met
from theorems.statements.composite import conserved_path
from theorems.statements.inexact import S, c2, floor_k, gradient_error, q_k, rate_k, rbar_k, steps_covered
from theorems.statements.notation import (
    beta,
    beta_prime,
    eta,
    kappa,
    lambda0,
    lambda_floor,
    lambda_min_k,
    mu,
    positive,
    rbar,
    s,
    s0,
    s_next,
)
from verify.falsify.bulk import BULK

Array = NDArray[np.float64]

ENOUGH = 1.5  # a claim violated by this factor is violated enough

residual_floor = positive("residual_floor")
distance = positive("distance")
r = positive("r")


# What the formulas of lambda_floor and Tbar assume, and what rbar <= sigma0/beta makes true; a wrong rbar may leave the domain.
DOMAIN = Hypothesis(
    "domain", "sigma0 >= beta rbar: lambda_floor and Tbar are defined", sympy.sqrt(lambda0) - beta * rbar, strict=False
)


def completed(theorem: Theorem) -> Theorem:
    """The record with the promises of its sentence among its claims."""
    named = {constant.name for constant in theorem.constants}
    claims: list[Claim] = list(theorem.claims)
    hypotheses = theorem.hypotheses
    if theorem.role is Role.CONVERGENCE:
        claims.append(_claim(theorem, "limit", "a global optimum: the residual tends to zero", residual_floor, sympy.Integer(0)))
        floor = _claim(theorem, "floor", "smallest eigenvalue: lambda_min(K_k) >= lambda_floor", lambda_min_k, lambda_floor)
        claims.append(dataclasses.replace(floor, lower=True))
        hypotheses = (*hypotheses, DOMAIN)
    if theorem.role is Role.INEXACT and not theorem.claims and {"S_k", "q_k", "rbar_k", "rate_k", "floor_k", "c2"} <= named:
        claims += _inexact_claims(theorem)
    if theorem.role is Role.EXISTENCE and not theorem.claims and "rbar" in named:
        claims.append(_claim(theorem, "distance", "the nearest solution is within rbar", distance, rbar))
    return dataclasses.replace(theorem, claims=tuple(claims), hypotheses=hypotheses)


def _claim(theorem: Theorem, name: str, sentence: str, measured: sympy.Expr, bound: sympy.Expr) -> Claim:
    return Claim(f"{theorem.id}-{name}", sentence, measured, bound, Scope.STEP)


def _inexact_claims(theorem: Theorem) -> list[Claim]:
    """A1 (a), (b), (c), (f) at step k, with ``steps`` = k."""
    factor = 1 - eta * mu * kappa * lambda0 * (1 - q_k)
    after = factor * s - eta * mu * beta_prime * s**2 + eta * c2 * gradient_error
    cost = s + conserved_path(kappa, sympy.sqrt(lambda0), beta_prime, r)
    envelope = sympy.exp(steps_covered * sympy.log(rate_k)) * s0 + floor_k
    return [
        _claim(theorem, "a", "path length: r_k <= rbar_k", r, rbar_k),
        _claim(theorem, "b", "rate with an error: s_{k+1} <= (...) s_k - eta mu beta' s_k^2 + eta c2 epsilon", s_next, after),
        _claim(theorem, "c", "conserved inequality: s_k + kappa Phi(r_k) <= S_k", cost, S),
        _claim(theorem, "f", "envelope: s_k <= rate_k^k s_0 + floor_k", s, envelope),
    ]


def certifier(theorem: Theorem) -> Theorem:
    """The statement whose hypotheses an instance is made to satisfy: Theorem A0 for what holds along every certified run."""
    return catalogued("A0") if theorem.role is Role.ALONG and _is_along_a_certified_run(theorem) else theorem


def _is_along_a_certified_run(theorem: Theorem) -> bool:
    return {"L", "mu", "s0", "R", "rbar"} <= {str(item.symbol.name) for item in theorem.quantities}


def evaluate(theorem: Theorem, values: Mapping[str, Any], arithmetic: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """All constants, and the margins of the statement and of its certifier, at these values of the symbols."""
    above = certifier(theorem)
    known, margins = dict(values), {}
    if above is not theorem:
        known = above.evaluate_constants(known, arithmetic)
        margins = {f"{above.id}: {name}": margin for name, margin in above.margins(known, arithmetic).items()}
    known = theorem.evaluate_constants(known, arithmetic)
    return known, margins | theorem.margins(known, arithmetic)


def strict_margins(theorem: Theorem) -> dict[str, bool]:
    """Which margins, by the names that ``evaluate`` gives them, must be positive and not only nonnegative."""
    above = certifier(theorem)
    outer = {f"{above.id}: {item.id}": item.strict for item in above.hypotheses} if above is not theorem else {}
    return outer | {item.id: item.strict for item in theorem.hypotheses}


def met(theorem: Theorem, margins: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Which rows satisfy every hypothesis, in floats; a NaN margin satisfies nothing."""
    strict = strict_margins(theorem)
    shape = np.broadcast_shapes(*(np.shape(margin) for margin in margins.values()))
    good = [np.broadcast_to(is_met(margin, strict[name]), shape) for name, margin in margins.items()]
    return np.asarray(np.all(good, axis=0))


def surely_met(theorem: Theorem, margins: Mapping[str, Any]) -> bool | None:
    """Whether every margin, a ball or an array of balls, is surely on its side (True), one surely is not (False), or neither."""
    strict = strict_margins(theorem)
    entries = [(entry, strict[name]) for name, margin in margins.items() for entry in np.ravel(margin)]
    if all(is_met(entry, hard) for entry, hard in entries):
        return True
    return False if any(entry < 0 or (hard and entry.is_zero()) for entry, hard in entries) else None


def tightness(claim: Claim, known: Mapping[str, Array], noise: Array) -> Array:
    """How much of a claim's bound is used; above 1 the claim is violated by more than ``noise``, rounding in a residual.

    measured/bound, bound/measured for a lower bound; where the claim compares a residual or a gap with an earlier one, the decrease
    that is guaranteed over the decrease that is seen. Infinite where nothing is allowed and something is seen.
    """
    with np.errstate(all="ignore"):
        measured, bound = (np.asarray(evaluate_expression(side, known, BULK)) for side in (claim.measured, claim.bound))
        noise = _noise(claim, known, noise)
        used, allowed = _compared(claim, known, measured, bound)
        room = allowed + noise
        ratio = (used - noise) / room
        broken = (bound - measured if claim.lower else measured - bound) > noise
    return np.where(room > 0, np.maximum(ratio, 0.0), np.where(broken, np.inf, np.nan))


def _compared(claim: Claim, known: Mapping[str, Array], measured: Array, bound: Array) -> tuple[Array, Array]:
    base, earlier = reference(claim)
    if claim.lower:
        return bound, measured
    if base is None:
        return measured, bound
    level = known[str(base.name)]
    return (level - bound, level - measured) if earlier else (measured - level, bound - level)


def reference(claim: Claim) -> tuple[sympy.Symbol | None, bool]:
    """The residual that both sides of a claim are compared with, and whether it is the earlier one, which falls to both sides."""
    if claim.iterates is not None:
        return claim.iterates, True
    if claim.measured == s_next and claim.bound.has(s):
        return s, True
    residuals = [symbol for symbol in (s_next, s) if symbol in claim.measured.free_symbols]
    return (residuals[0], False) if residuals and claim.measured != residuals[0] else (None, False)


def _noise(claim: Claim, known: Mapping[str, Array], noise: Array) -> Array:
    names = {str(symbol.name) for symbol in claim.measured.free_symbols}
    least = np.maximum(known.get("lambda_min_k", np.float64(1.0)), np.finfo(np.float64).tiny)
    if "gap_next" in names:
        return np.asarray(known["mu"] * known["s"] * noise)
    if "lambda_min_k" in names:
        return np.asarray(1e-12 * least)
    if "summed" in names:
        return np.asarray(noise / least + 1e-8 * known["summed"])  # its bound loses digits where F is nearly linear
    if names & {"r_next", "r", "remaining"} and not names & {"s", "s_next"}:
        return np.asarray(noise / np.sqrt(least))
    return noise


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A claim on one instance, in balls, at the first step k where about the most of the bound is used.

    measured, bound, ratio: middles of balls, as doubles; ratio as in ``tightness``. violated: decided beyond all rounding.
    """

    claim: str
    step: int
    measured: float
    bound: float
    ratio: float
    violated: bool


def examined_in_balls(claim: Claim, known: Mapping[str, Any], arithmetic: BallArithmetic) -> Outcome | None:
    """The outcome of a claim; ``known``: balls, or arrays of balls over k. None where no step can be evaluated."""
    found = (evaluate_expression(side, known, arithmetic) for side in (claim.measured, claim.bound))
    measured, bound = (np.asarray(side, dtype=object) for side in found)
    with arithmetic.context():
        used, allowed = _compared(claim, known, measured, bound)
        columns = np.broadcast_arrays(*(np.ravel(side) for side in (measured, bound, used, allowed)))
        best: Outcome | None = None
        for k, (left, right, share, room) in enumerate(zip(*columns, strict=True)):
            small, large = (left, right) if claim.lower else (right, left)
            if not (small.is_finite() and large.is_finite()):  # NaN decides nothing
                continue
            violated = bool(large > small)
            ratio = _ratio(share, room, violated)
            # Of steps that use about as much the first: later ones compare smaller residuals, and a script in floats sees less.
            if best is None or (violated, min(ratio, ENOUGH)) > (best.violated, min(best.ratio, ENOUGH) * (1 + 1e-9)):
                best = Outcome(claim.id, k, float(left.mid()), float(right.mid()), ratio, violated)
    return best


def _ratio(used: Any, allowed: Any, violated: bool) -> float:
    if allowed > 0:
        return float((used / allowed).mid())
    return np.inf if violated else 0.0
