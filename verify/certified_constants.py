"""The constants of a certificate as intervals of doubles, what rounding of the steps can add to them, and the way that is left."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from theorems.arithmetic import INTERVAL, Interval, as_interval
from theorems.records import Theorem, evaluate_expression
from theorems.statements.inexact import THEOREM_A1
from theorems.statements.notation import remaining
from verify.certificate_record import Certificate, Enclosed

Intervals = Mapping[str, Interval]
OUTWARD = 1 + 2.0**-30  # for the few roundings of a formula in doubles


def float_ends(constant: Enclosed) -> Interval:
    """The constant as an interval of doubles, rounded outward."""
    low, high = float(constant.lower), float(constant.upper)
    return Interval(
        np.asarray(np.nextafter(low, -np.inf) if low > constant.lower else low),
        np.asarray(np.nextafter(high, np.inf) if high < constant.upper else high),
    )


def intervals(certificate: Certificate) -> dict[str, Interval]:
    """The constants of the certificate, under the symbols' names."""
    return {name: float_ends(value) for name, value in certificate.constants.items()}


def perturbation(constants: Intervals) -> float:
    """kappa c1 + c2 of Theorem A1: what the rounding |eta eps_k| of one step can add to a residual, at most, per unit.

    Theorems A+ and A0 start from the same two inequalities with the true beta, so the same constants serve. The term of c2 in
    beta' epsilon is of second order in the rounding and is covered by taking both.
    """
    known = {**constants, "epsilon": as_interval(np.float64(0.0)), "beta_prime": as_interval(np.float64(0.0))}
    found = {
        constant.name: evaluate_expression(constant.expression, known, INTERVAL)
        for constant in THEOREM_A1.constants
        if constant.name in ("c1", "c2")
    }
    return float(INTERVAL.add(INTERVAL.multiply(known["kappa"], found["c1"]), found["c2"]).upper)


def raised(certificate: Certificate, rounding: float) -> dict[str, Interval]:
    """The constants with the upper end of s_0 raised by what steps that err by ``rounding`` in sum can add (Theorem A1)."""
    assert certificate.theorem is not None
    given = intervals(certificate)
    known = {str(item.symbol.name): given[str(item.symbol.name)] for item in certificate.theorem.quantities}
    start = known["s0"]
    known["s0"] = Interval(start.lower, np.nextafter(start.upper + perturbation(given) * rounding, np.inf))
    found = {name: as_interval(value) for name, value in certificate.theorem.evaluate_constants(known, INTERVAL).items()}
    return {**given, **found}


def remaining_path(theorem: Theorem, constants: Intervals, residual: float) -> float:
    """What gradient descent still goes from a point with this residual, at most.

    The theorem's claim (A-d) where it has one; else d_j <= eta sqrt(Lambda L mu) s_j, which fall by the certified rate.
    """
    s = as_interval(np.float64(residual))
    claim = theorem.claim_about(remaining)
    if claim is not None:
        return float(as_interval(evaluate_expression(claim.bound, {**constants, "s": s}, INTERVAL)).upper)
    root = math.sqrt(math.prod(float(constants[name].upper) for name in ("Lambda", "L", "mu")))
    gain = 1 - float(constants["rate"].upper)
    return OUTWARD * float(constants["eta"].upper) * root * residual / gain if gain > 0 else math.inf
