"""Chains of the claims about lazy training, and of B1: from what was checked to the bound.

The measured value is the claim's own, at its check with the least room; the stages come from the run as in ``steps``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from verify.verdict import CheckedClaim
from verify.waterfall.records import Chain, Constants, NoChain, Stage, chain_of
from verify.waterfall.steps import Along

Array = NDArray[np.float64]
Checked = Mapping[str, CheckedClaim]


def outside_chain(claims: Checked, constants: Constants, run: Along, path: str) -> Chain:
    """B1: from |(I - P)(theta_inf - theta_N)| to (sigma0/beta)(-ln(1 - t) - t). path: the id of the claim about the path."""
    claim, measured, bound = numbers(claims, "B1")
    beta, sigma0, floor = constants["beta"], constants["lambda0"] ** 0.5, constants["lambda_floor"] ** 0.5
    length, length_error = run.path
    rest = run.last[0] / floor  # of the path, beyond the run's end
    by_drift = float((run.drift * run.d / run.sigma).sum())
    allowed = sigma0 - beta * run.distance
    by_beta = float((beta * run.distance * run.d / allowed).sum())
    turn = beta * length / sigma0
    at_length = sigma0 / beta * float(-np.log1p(-turn) - turn)
    smallest = float(run.sigma.min())
    beyond = beta * constants["rbar"] * rest / floor
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(
            by_drift,
            (run.drift_error + float(run.drift.max()) * run.sigma_error / smallest) * length / smallest + beyond,
            "cancellation and alignment",
            "sum of |DF_k - DF_N| eta |grad h|, |grad h| <= |grad J|/sigma_min(DF_k): as if no two steps canceled",
            statement="B1",
        ),
        Stage(
            by_beta,
            beta * run.distance_error * sigma0 * length / float(allowed.min()) ** 2 + beyond,
            "Weyl and beta",
            "|DF_k - DF_N| <= beta |theta_k - theta_N|, twice",
            statement="E4",
            explained_by="E-jacobian",
        ),
        Stage(
            at_length,
            beta * length**2 * length_error / (sigma0 - beta * length) + beyond,
            "bent path",
            "|theta_k - theta_N| <= r_k, the length of the path",
            statement="B1",
        ),
        Stage(bound, 0.0, "path length", "r_k <= rbar", statement="A-a", explained_by=path),
    ]
    return chain_of("B1", "part outside the range", "length", False, "at the limit of the run", (measured, bound), stages)


def change_chain(name: str, claims: Checked, constants: Constants, run: Along, path: str) -> Chain:
    """C2 and C2-layers: from a change of weights to its bound, which is rbar but for units."""
    claim, measured, bound = numbers(claims, name)
    index = _index(claim, run)
    length = float(np.concatenate([[0.0], np.cumsum(run.d)])[index])
    distance = float(np.append(run.distance, run.last_distance)[index])
    unit, stages = bound / constants["rbar"], [Stage(measured, measured_error(claim))]
    if name == "C2-layers":
        stages.append(
            Stage(
                distance * unit, run.distance_error * unit, "one layer", "all movement in the layer that moves most", statement="C2"
            )
        )
    stages += [
        Stage(
            length * unit,
            run.path[1] * length * unit,
            "bent path",
            "|theta_k - theta_N| <= r_k, the length of the path",
            statement="A",
        ),
        Stage(bound, 0.0, "path length", "r_k <= rbar", statement="A-a", explained_by=path),
    ]
    title = "relative weight change" if name == "C2" else "change of a layer"
    return chain_of(name, title, "weights", False, _where(claim), (measured, bound), stages)


def neuron_chain(claims: Checked, constants: Constants, run: Along, summed: str) -> Chain:
    """C2-neurons: from the movement of a neuron over C_l to -(1/beta) ln(1 - beta rbar/sigma0). summed: the id of claim (e)."""
    claim, measured, bound = numbers(claims, "C2-neurons")
    done = _index(claim, run)
    slopes = run.d[:done] / run.sigma[:done]
    by_slope = float(slopes.sum())
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(
            by_slope,
            run.sigma_error * by_slope / float(run.sigma.min()),
            "one neuron",
            "sum of eta |grad h|, |grad h| <= |grad J|/sigma_min(DF_k): norms on the ball, as if no two steps canceled",
            statement="C2",
        ),
        Stage(bound, 0.0, "summed residuals", "the sum of eta |grad h| by beta and rbar", statement="A-e", explained_by=summed),
    ]
    return chain_of("C2-neurons", "change of a neuron", "length per sigma", False, _where(claim), (measured, bound), stages)


def linearized_chain(claims: Checked, run: Along, sums: Array) -> Chain:
    """C3: from |e_k - ebar_k| through the sum over the steps before k, ``sums`` counted from theta_N, to its bound for all k."""
    claim, measured, bound = numbers(claims, "C3")
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(
            float(sums[_index(claim, run)]),
            0.0,
            "direction and cancellation",
            "the sum over the run's own steps: |K_k - K_N| by 2 sqrt(lambda_max) beta r_k, as if no two steps canceled",
            statement="C3",
            explained_by="C3-sum",
        ),
        Stage(bound, 0.0, "for all k at once", "r_k, s_k and d_k by rbar and s_0, and no contraction", statement="C3"),
    ]
    return chain_of("C3", "distance to the linearized model", "residual", False, _where(claim), (measured, bound), stages)


def sum_chain(claims: Checked, constants: Constants, run: Along) -> Chain:
    """C3-sum: the sum with what the run's Jacobians did, then with what beta allows them."""
    claim, measured, bound = numbers(claims, "C3-sum")
    count, beta = _index(claim, run), constants["beta"]
    d, eta = run.d[:count], constants["eta"]
    kept = (1 - eta * constants["lambda0"]) ** np.arange(count - 1, -1, -1.0)
    weight = kept * (eta * constants["lambda_max"] ** 0.5 * run.s[:count] + d)  # of |DF_j - DF_N|
    second = beta / 2 * float(kept @ d**2)
    by_drift, by_distance = (float(weight @ values[:count]) + second for values in (run.drift, run.distance * beta))
    # What is known at the marks only errs by beta times the length to them; the rest is rounding of the sums.
    between = beta * float(weight @ run.apart[:count]) + run.path[1] * bound
    stages = [
        Stage(measured, measured_error(claim)),
        Stage(
            by_drift,
            between,
            "direction and cancellation",
            "sqrt(lambda_max) |DF_j - DF_N| eta s_j + |DF_j - DF_N| d_j + beta d_j^2/2, contracted by 1 - eta lambda0 only: as if "
            "no two steps canceled",
            statement="C3",
        ),
        Stage(
            by_distance,
            between,
            "beta",
            "|DF_j - DF_N| <= beta |theta_j - theta_N|",
            statement="E4",
            explained_by="E-jacobian",
        ),
        Stage(bound, bound_error(claim), "bent path", "|theta_j - theta_N| <= r_j, the length of the path", statement="C3"),
    ]
    ends = (measured, bound)
    return chain_of("C3-sum", "distance to the linearized model, by the sum", "residual", False, _where(claim), ends, stages)


def numbers(claims: Checked, name: str) -> tuple[CheckedClaim, float, float]:
    """The claim, what it measured and its bound. Raises NoChain with the reason where it was not checked."""
    claim = claims.get(name)
    if claim is None or claim.measured is None or claim.bound is None:
        raise NoChain("the claim was not checked" if claim is None else claim.reason)
    return claim, claim.measured, claim.bound


def measured_error(claim: CheckedClaim) -> float:
    """Of what the claim measures: the end of its interval that decides is so far from the other."""
    return 2 * claim.halves[0] if claim.halves is not None else np.inf


def bound_error(claim: CheckedClaim) -> float:
    """The same of its bound."""
    return 2 * claim.halves[1] if claim.halves is not None else np.inf


def _index(claim: CheckedClaim, run: Along) -> int:
    """How many steps after theta_N the check was made, within the run."""
    assert claim.step is not None
    return int(np.clip(claim.step - run.first, 0, len(run.d)))


def _where(claim: CheckedClaim) -> str:
    return f"step {claim.step}"
