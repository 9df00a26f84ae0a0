"""The run as the chains need it, and those of the rate and the summed residuals.

What is known at the marks only (spectrum, drift of the Jacobian, distance) is interpolated along the path. The true values deviate
from that by at most half the certified beta (for the distance: half of 1) times the length between two marks; the mean of this is
part of the errors. It cannot change the product, where the stages cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theorems.records import Theorem
from theorems.statements.notation import r_next, summed, summed_bound
from verify.claims import DECISIVE
from verify.measured import MeasuredMarks, MeasuredSteps
from verify.waterfall.records import Chain, Constants, NoChain, Stage, chain_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Along:
    """The run from theta_N on as the chains need it: arrays over its steps k = N, ..., end - 1.

    s, g, d: residual, gradient norm, length of the step k, with relative errors. sigma: sqrt(lambda_min(K_k)); drift:
    |DF_k - DF_N|; distance: |theta_k - theta_N|; all three interpolated, with sigma_error etc. the absolute errors of their means
    along the path; apart: how far a quantity that changes by at most 1 per length can be from its interpolation; last_distance: the
    distance at the end. last: s_end and its absolute error; path: the length and its relative error.
    """

    first: int
    s: Array
    g: Array
    d: Array
    slope_error: Array
    sigma: Array
    sigma_error: float
    drift: Array
    drift_error: float
    distance: Array
    distance_error: float
    apart: Array
    last_distance: float
    last: tuple[float, float]
    path: tuple[float, float]
    mu: float
    eta: float

    def mean(self, values: Array) -> float:
        """The mean over the path, a left Riemann sum."""
        return float(values @ self.d / self.d.sum())


def along(steps: MeasuredSteps, marks: MeasuredMarks, constants: Constants, lambda_start: float) -> Along:
    """Arrange what was measured. lambda_start: lambda_min at theta_N. Raises NoChain where there is nothing after theta_N."""
    d = steps.length[:-1]
    if not len(d) or not d.sum() > 0 or not len(marks.steps):
        raise NoChain("there is no step after the certification")
    path = np.concatenate([[0.0], np.cumsum(d)])
    knots = np.concatenate([[0.0], path[marks.steps - steps.first]])
    beta, total = constants["beta"], float(path[-1])
    lambdas = np.concatenate([[lambda_start], marks.values["lambda_min_k"]])
    if not lambdas.min() > 0:
        raise NoChain("the smallest eigenvalue of a kernel of the run cannot be told from 0")
    gaps = np.diff(np.append(knots, total))
    between = float(gaps @ gaps) / (4 * total)  # mean of Delta r/4 along the path, the deviation's mean per unit of slope

    def interpolated(values: Array) -> Array:
        return np.asarray(np.interp(path[:-1], knots, values), dtype=np.float64)

    def largest(name: str) -> float:
        return float(marks.errors[name].max())

    with np.errstate(divide="ignore", invalid="ignore"):
        relative = steps.gradient_error[:-1] / steps.gradient_norm[:-1] + steps.residual_error[:-1] / steps.residual[:-1]
    return Along(
        first=steps.first,
        s=steps.residual[:-1],
        g=steps.gradient_norm[:-1],
        d=d,
        slope_error=relative,
        sigma=interpolated(np.sqrt(lambdas)),
        sigma_error=beta * between + largest("lambda_min_k") / (2 * float(np.sqrt(lambdas.min()))),
        drift=interpolated(np.concatenate([[0.0], marks.values["jacobian_drift"]])),
        drift_error=beta * between + largest("jacobian_drift"),
        distance=interpolated(np.concatenate([[0.0], marks.values["rho"]])),
        distance_error=between + largest("rho"),
        apart=_apart(path[:-1], knots),
        last_distance=float(np.interp(total, knots, np.concatenate([[0.0], marks.values["rho"]]))),
        last=(float(steps.residual[-1]), float(steps.residual_error[-1])),
        path=(total, float(steps.length_error[:-1].sum()) / total + 2 * len(d) * np.finfo(np.float64).eps),
        mu=steps.mu,
        eta=steps.eta,
    )


def _apart(at: Array, knots: Array) -> Array:
    """The largest deviation, at each place, from its interpolation of a function with slopes of at most 1: 2 x (h - x)/h between
    two knots, and x beyond the last."""
    index = np.searchsorted(knots, at, side="right") - 1
    x, h = at - knots[index], np.append(np.diff(knots), np.inf)[index]
    return np.asarray(np.where(np.isinf(h), x, 2 * x * (1 - np.divide(x, h, out=np.zeros_like(x), where=h > 0))))


def rate_chain(theorem: Theorem, constants: Constants, run: Along) -> Chain:
    """From the run's mean relative decrease per step to the certified 1 - rate, over the steps that are measured well enough."""
    claim = next((claim for claim in theorem.claims if claim.iterates is not None), None)
    if claim is None:
        raise NoChain(f"Theorem {theorem.id} claims no rate")
    certified = 1 - constants["rate"]
    later, errors = np.append(run.s[1:], run.last[0]), np.append(run.slope_error[1:], np.inf)
    with np.errstate(divide="ignore"):
        errors[-1] = np.float64(run.last[1]) / run.last[0]
    keep = np.logical_and.accumulate((run.slope_error + errors) * DECISIVE <= certified)
    if not keep.any():
        raise NoChain("the decrease of one step cannot be told from the errors of the residual")
    now, error = run.s[keep], float((run.slope_error + errors)[keep].mean())
    slope = run.eta * run.mu * (run.g[keep] / (run.mu * now)) ** 2
    smallest = run.eta * run.mu * run.sigma[keep] ** 2
    lambda0, scale = constants["lambda0"], run.eta * run.mu
    stages = [
        Stage(float((1 - later[keep] / now).mean()), error),
        Stage(
            float(slope.mean()),
            2 * error * float(slope.mean()),
            "finite steps",
            "first order in the step: eta |grad J|^2/(mu s^2)",
            proved=False,
            statement="A, step inequality",
        ),
        Stage(
            float(smallest.mean()),
            2 * run.sigma_error * float(scale * run.sigma[keep].mean()),
            "alignment of the residual",
            "eta mu lambda_min(K_k), as if the residual pointed in the weakest direction",
            statement="A, |grad J| >= sigma |grad h|",
        ),
        Stage(
            scale * lambda0,
            scale * constants.errors["lambda0"],
            "lambda_min of the run",
            "lambda_min(K_N) in place of those of the run",
            proved=False,
            statement="E4",
        ),
        Stage(
            scale * constants["lambda_floor"],
            scale * constants.errors["lambda_floor"],
            "fall of lambda_min allowed for",
            "lambda_min(K_k) >= (sigma0 - beta rbar)^2, which is lambda0 (1 - q) for the square loss",
            statement="A-b",
            explained_by="E-kernel",
        ),
        Stage(
            certified,
            constants.errors["rate"],
            "step inequality",
            "what L > mu or the size of the step costs: the factor kappa or k0, and a larger beta",
            statement="A-b",
        ),
    ]
    where = f"mean over steps {run.first} to {run.first + int(keep.sum())}"
    return chain_of(claim.id, "decrease per step", "relative decrease per step", True, where, (stages[0].value, certified), stages)


def summed_chain(theorem: Theorem, constants: Constants, run: Along) -> Chain:
    """From mu sum eta s_k to its bound -(1/beta) ln(1 - beta rbar/sigma0)."""
    claim = theorem.claim_about(summed)
    if claim is None:
        raise NoChain(f"Theorem {theorem.id} claims nothing about the summed residuals")
    beta, sigma0, (length, length_error) = constants["beta"], constants["lambda0"] ** 0.5, run.path
    total = run.eta * run.mu * float(run.s.sum())
    floor, at_length = sigma0 - beta * run.distance, -float(np.log1p(-beta * length / sigma0)) / beta
    by_sigma, by_beta = run.d / run.sigma, run.d / floor
    stages = [
        Stage(total, total * run.path[1] + run.eta * run.mu * len(run.s) * run.last[1]),
        Stage(
            float(by_sigma.sum()),
            run.sigma_error * length / float(run.sigma.min()) ** 2,
            "alignment of the residual",
            "mu s <= |grad J|/sigma_min(DF_k), as if the residual pointed in the weakest direction",
            statement="A-e",
        ),
        Stage(
            float(by_beta.sum()),
            beta * run.distance_error * length / float(floor.min()) ** 2,
            "Weyl and beta",
            "sigma_min(DF_k) >= sigma0 - beta |theta_k - theta_N|",
            statement="E4",
            explained_by="E-kernel",
        ),
        Stage(
            at_length,
            length_error * length / float(sigma0 - beta * length),
            "bent path",
            "|theta_k - theta_N| <= r_k",
            statement="A-e",
        ),
        constants.stage(str(summed_bound), "path length", "r_k <= rbar", "A-a", path_claim(theorem)),
    ]
    where = f"steps {run.first} to {run.first + len(run.d)}"
    return chain_of(claim.id, "summed residuals", "length per sigma", False, where, (total, constants[str(summed_bound)]), stages)


def path_claim(theorem: Theorem) -> str:
    """The id of the theorem's claim about the path."""
    claim = theorem.claim_about(r_next)
    return claim.id if claim is not None else ""
