"""Chains of the claims about the path: its length, what is left of it, and the inequality that both come from.

Everything is taken from the theorem's own record: with its conserved inequality s_k + a r_k - b r_k^2/2 <= s_0 the path ends at the
root rbar of a r - b r^2/2 = s_0, so that s_0/rbar = a - b rbar/2 is the residual which the proof guarantees to be lost per unit of
length; s_0/r is what the run lost. The stages in between weaken one to the other, an inequality of the proof at a time.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import sympy

from theorems.arithmetic import FLOAT
from theorems.records import Claim, Theorem, evaluate_expression
from theorems.statements.notation import r_next, rbar, remaining, s_next
from verify.verdict import CheckedClaim
from verify.waterfall.records import Chain, Constants, NoChain, Stage, chain_of
from verify.waterfall.steps import Along


def conserved_claim(theorem: Theorem) -> Claim | None:
    """The theorem's claim about residual and path together."""
    return next((claim for claim in theorem.claims if {s_next, r_next} <= claim.measured.free_symbols), None)


def conserved(theorem: Theorem, constants: Constants) -> tuple[float, float] | None:
    """a and b of the theorem's conserved inequality s + a r - b r^2/2 <= s_0, or None where it has none."""
    claim = conserved_claim(theorem)
    if claim is None:
        return None
    lost = sympy.Poly(sympy.expand(claim.measured - s_next), r_next)
    a, b = (
        evaluate_expression(part, constants.values, FLOAT)
        for part in (lost.coeff_monomial(r_next), -2 * lost.coeff_monomial(r_next**2))
    )
    return float(a), float(b)


def path_chain(theorem: Theorem, constants: Constants, run: Along) -> Chain:
    """From the length of the run's path to rbar, in residual lost per unit of length."""
    claim = theorem.claim_about(r_next)
    if claim is None:
        raise NoChain(f"Theorem {theorem.id} claims nothing about the path")
    length, relative = run.path
    start, bound = (constants["s0"], constants.errors["s0"]), (constants[str(rbar)], constants.errors[str(rbar)])
    stages = [Stage(start[0] / length, relative * start[0] / length), *_lost_per_length(theorem, constants, run, 0.0, start, bound)]
    where = f"steps {run.first} to {run.first + len(run.d)}"
    return chain_of(claim.id, "path length", "residual per length", True, where, (length, bound[0]), stages)


def remaining_chain(theorem: Theorem, constants: Constants, run: Along, checked: CheckedClaim | None) -> Chain:
    """The same from a later step k on: from the path that was left there to T(s_k). checked: the claim, at its step."""
    claim = theorem.claim_about(remaining)
    if claim is None:
        raise NoChain(f"Theorem {theorem.id} claims nothing about the rest of the path")
    if checked is None or checked.step is None:
        raise NoChain("the claim was not checked")
    at = checked.step - run.first
    s, gone = float(run.s[at]), float(run.d[:at].sum())

    def allowed(residual: float) -> float:
        return float(evaluate_expression(claim.bound, {**constants.values, "s": residual}, FLOAT))

    start, bound, beyond = (s, float(run.slope_error[at]) * s), allowed(s), allowed(run.last[0])
    late = dataclasses.replace(
        run,
        first=checked.step,
        **{name: getattr(run, name)[at:] for name in ("s", "g", "d", "slope_error", "sigma", "drift", "distance", "apart")},
        path=(run.path[0] - gone, run.path[1] * run.path[0] / (run.path[0] - gone)),
    )
    left, error = late.path[0] + beyond, late.path[0] * late.path[1] + run.last[1] / run.last[0] * beyond
    ends = (bound, bound * float(run.slope_error[at]) + constants.errors[str(rbar)])
    stages = [Stage(s / left, start[1] / left + error * s / left**2)]
    stages += _lost_per_length(
        theorem, constants, late, gone, start, ends, claim.id, "what was gone, without the bound of what is beyond"
    )
    where = f"steps {late.first} to {run.first + len(run.d)}"
    return chain_of(claim.id, "rest of the path", "residual per length", True, where, (left, bound), stages)


def _lost_per_length(
    theorem: Theorem,
    constants: Constants,
    run: Along,
    gone: float,
    start: tuple[float, float],
    bound: tuple[float, float],
    own: str = "A-a",
    ended: str = "",
) -> list[Stage]:
    """The stages of a path from ``gone`` on, where the residual is ``start``, to its bound, both with their errors. ended: what
    becomes of the end of the run, where that is no inequality of the proof.

    The mean of what is lost per length over the path is weakened to a - b (r + D/2), D the length and r what lies before; and since
    a - b r is at least ((a - b rbar)^2 + 2 b s)^(1/2), that is at least s over the bound of D.
    """
    coefficients = conserved(theorem, constants)
    if coefficients is None:
        raise NoChain(f"Theorem {theorem.id} has no conserved inequality")
    (a, b), (length, relative) = coefficients, run.path
    beta, sigma0, halfway = constants["beta"], constants["lambda0"] ** 0.5, gone + length / 2
    lost, (slope, slope_error) = start[0] - run.last[0], _slope(run)
    return [
        Stage(
            lost / length,
            ((start[1] if ended else 0.0) + run.last[1] + relative * lost) / length,
            "the run's end",
            ended or "a path to residual 0; the run stopped before",
            proved=not ended,
            statement=own,
        ),
        Stage(
            slope,
            slope_error,
            "finite steps",
            "first order in the step: |grad J|/(mu s), the loss of s per length",
            proved=False,
            statement="A, step inequality",
        ),
        Stage(
            run.mean(run.sigma),
            run.sigma_error,
            "alignment of the residual",
            "|grad J| >= sigma_min mu s, as if the residual pointed in the weakest direction",
            statement="A, |grad J| >= sigma |grad h|",
        ),
        Stage(
            sigma0 - run.mean(run.drift),
            run.drift_error,
            "Weyl",
            "sigma_min(DF_k) >= sigma0 - |DF_k - DF_N|, as if the drift hit the weakest direction",
            statement="A, Weyl's inequality",
        ),
        Stage(
            sigma0 - beta * run.mean(run.distance),
            beta * run.distance_error,
            "beta",
            "|DF_k - DF_N| <= beta |theta_k - theta_N|",
            statement="E4",
            explained_by="E-jacobian",
        ),
        Stage(
            sigma0 - beta * halfway,
            beta * halfway * relative,
            "bent path",
            "|theta_k - theta_N| <= r_k, the length of the path",
            statement="A",
        ),
        Stage(
            a - b * halfway,
            b * halfway * relative,
            "step inequality",
            "what L > mu or the size of the step costs: factor kappa or k0 on sigma, and a larger beta",
            statement="A, step inequality",
        ),
        Stage(
            start[0] / bound[0],
            start[1] / bound[0] + start[0] / bound[0] ** 2 * bound[1],
            "feedback",
            "a longer path lets sigma_min fall further, up to rbar: a - b rbar/2",
            statement=own,
        ),
    ]


def conserved_chain(theorem: Theorem, constants: Constants, run: Along, checked: CheckedClaim | None) -> Chain:
    """From s_(k+1) and what the proof has lost for the path so far, to s_0. checked: the claim, at its step k."""
    claim, coefficients = conserved_claim(theorem), conserved(theorem, constants)
    if claim is None or coefficients is None:
        raise NoChain(f"Theorem {theorem.id} has no conserved inequality")
    if checked is None or checked.step is None:
        raise NoChain("the claim was not checked")
    (a, b), beta, sigma0, start = coefficients, constants["beta"], constants["lambda0"] ** 0.5, constants["s0"]
    count = checked.step - run.first + 1
    ended = count == len(run.s)
    s, s_error = run.last if ended else (float(run.s[count]), float(run.slope_error[count] * run.s[count]))
    d, (_, relative) = run.d[:count], run.path
    length, apart = float(d.sum()), beta * float(run.apart[:count] @ d)
    moving = run.s[:count] > 0
    slope = np.divide(run.g[:count], run.mu * run.s[:count], out=np.zeros(count), where=moving)
    slope_error = float((np.where(moving, run.slope_error[:count], 0.0) * slope) @ d) + relative * float(slope @ d)
    spent = relative * length * sigma0 + s_error
    value = s + a * length - b * length**2 / 2
    stages = [
        Stage(value, spent),
        Stage(
            s + sigma0 * length - beta * length**2 / 2,
            spent,
            "step inequality",
            "what L > mu or the size of the step costs: factor kappa or k0 on sigma, and a larger beta",
            statement="A, step inequality",
        ),
        Stage(
            s + sigma0 * length - beta * float(run.distance[:count] @ d),
            spent + apart + run.distance_error * beta * length,
            "bent path",
            "|theta_j - theta_N| <= r_j, the length of the path",
            statement="A",
        ),
        Stage(
            s + sigma0 * length - float(run.drift[:count] @ d),
            spent + apart + run.drift_error * length,
            "beta",
            "|DF_j - DF_N| <= beta |theta_j - theta_N|",
            statement="E4",
            explained_by="E-jacobian",
        ),
        Stage(
            s + float(run.sigma[:count] @ d),
            spent + apart + run.sigma_error * length,
            "Weyl",
            "sigma_min(DF_j) >= sigma0 - |DF_j - DF_N|, as if the drift hit the weakest direction",
            statement="A, Weyl's inequality",
        ),
        Stage(
            s + float(slope @ d),
            s_error + slope_error,
            "alignment of the residual",
            "|grad J| >= sigma_min mu s, as if the residual pointed in the weakest direction",
            statement="A, |grad J| >= sigma |grad h|",
        ),
        Stage(
            start,
            constants.errors["s0"],
            "finite steps",
            "the loss of s per length is |grad J|/(mu s) to first order in the step",
            proved=False,
            statement="A, step inequality",
        ),
    ]
    where = f"steps {run.first} to {run.first + count}"
    return chain_of(claim.id, "conserved inequality", "residual", False, where, (value, start), stages)


def _slope(run: Along) -> tuple[float, float]:
    """The mean of |grad J|/(mu s) along the path, and its error; steps with s = 0 have length 0."""
    moving = run.s > 0
    slope = np.divide(run.g, run.mu * run.s, out=np.zeros_like(run.g), where=moving)
    error = np.where(moving, run.slope_error, 0.0) * slope
    return run.mean(slope), run.mean(error) + 2 * run.path[1] * run.mean(slope)
