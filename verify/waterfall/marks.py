"""Chains of the claims about the marks of a run, each at the mark with the least room: eigenvalue, Jacobian, kernel, signals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theorems.ball import SignalsAtPoint
from verify.measured import MeasuredMarks
from verify.waterfall.records import Chain, Constants, NoChain, Stage, chain_of

Array = NDArray[np.float64]
FORMULA_ROUNDING = 2.0**-44  # relative: of the recursion E1-E4, evaluated in doubles


@dataclass(frozen=True)
class AtMarks:
    """What else is known at the marks.

    path: the length from theta_N on and its relative error. lambda_max: lambda_max(K_k), lambda_max_start: that of K_N;
    lambda_error: absolute, of all. curvature: the largest second derivative found at theta_N and its error, None without a search.
    beta_center: E4 at R = 0. path_claim: the id of the claim about the path.
    """

    marks: MeasuredMarks
    path: Array
    path_error: float
    lambda_max: Array
    lambda_max_start: float
    lambda_error: float
    curvature: tuple[float, float] | None
    beta_center: float
    path_claim: str


def eigenvalue_chain(constants: Constants, at: AtMarks) -> Chain:
    """From lambda_min(K_k) to lambda_floor."""
    values, errors = at.marks.values, at.marks.errors
    i = int(np.argmin(values["lambda_min_k"]))
    beta, sigma0, floor = constants["beta"], constants["lambda0"] ** 0.5, constants["lambda_floor"]
    drift, distance, path = (float(found[i]) for found in (values["jacobian_drift"], values["rho"], at.path))

    def squared(fall: float, error: float, name: str, meaning: str, statement: str, explained_by: str = "") -> Stage:
        left = max(sigma0 - fall, 0.0)  # 0 is refused
        return Stage(left**2, 2 * left * error, name, meaning, statement=statement, explained_by=explained_by)

    stages = [
        Stage(float(values["lambda_min_k"][i]), float(errors["lambda_min_k"][i])),
        squared(
            drift,
            float(errors["jacobian_drift"][i]),
            "Weyl",
            "sigma_min(DF_k) >= sigma0 - |DF_k - DF_N|, as if the drift hit the weakest direction",
            "A, Weyl's inequality",
        ),
        squared(
            beta * distance,
            beta * float(errors["rho"][i]),
            "beta",
            "|DF_k - DF_N| <= beta |theta_k - theta_N|",
            "E4",
            "E-jacobian",
        ),
        squared(beta * path, beta * path * at.path_error, "bent path", "|theta_k - theta_N| <= r_k, the length of the path", "A"),
        constants.stage("lambda_floor", "path length", "r_k <= rbar", "A-a", at.path_claim),
    ]
    ends = (stages[0].value, floor)
    return chain_of("E-kernel", "smallest eigenvalue", "eigenvalue", True, _at(at, i), ends, stages)


def jacobian_chain(constants: Constants, at: AtMarks) -> Chain:
    """From |DF_k - DF_N| to beta |theta_k - theta_N|."""
    i = _tightest(at)
    drift, distance = (float(at.marks.values[name][i]) for name in ("jacobian_drift", "rho"))
    beta, rounding = constants["beta"], constants.errors["beta"] + FORMULA_ROUNDING * constants["beta"]
    stages = [Stage(drift, float(at.marks.errors["jacobian_drift"][i]))]
    if at.curvature is not None:
        value, error = at.curvature
        stages.append(
            Stage(
                value * distance,
                error * distance,
                "direction of the run",
                "the largest second derivative that a search finds at theta_N: a lower bound of any beta",
                proved=False,
                statement="E4",
            )
        )
    center = "operator norms" if at.curvature is not None else "direction of the run and operator norms"
    stages += [
        Stage(
            at.beta_center * distance,
            rounding * distance,
            center,
            "E4 at R = 0: products of norms of weights and signals in place of the second derivative at theta_N",
            proved=at.curvature is not None,
            statement="E1-E4",
        ),
        Stage(
            beta * distance,
            rounding * distance,
            "growth on the ball",
            "E4 on B(R): every norm as large as a distance R allows",
            statement="E1-E4",
        ),
    ]
    return chain_of("E-jacobian", "Jacobian drift", "operator norm", False, _at(at, i), (drift, beta * distance), stages)


def kernel_chain(constants: Constants, at: AtMarks) -> Chain:
    """From |K_k - K_N| to 2 sqrt(Lambda) beta |theta_k - theta_N|."""
    values, errors = at.marks.values, at.marks.errors
    with np.errstate(divide="ignore", invalid="ignore"):
        room = values["rho"] / values["kernel_drift"]
    i = int(np.argmin(np.where(values["kernel_drift"] > 0, room, np.inf)))
    drift, distance, kernel = (float(values[name][i]) for name in ("jacobian_drift", "rho", "kernel_drift"))
    drift_error = float(errors["jacobian_drift"][i])
    norms = float(np.sqrt(at.lambda_max_start) + np.sqrt(at.lambda_max[i]))
    norms_error = at.lambda_error * (1 / (2 * np.sqrt(at.lambda_max_start)) + 1 / (2 * np.sqrt(at.lambda_max[i])))
    largest = 2 * constants["Lambda"] ** 0.5
    bound = largest * constants["beta"] * distance
    stages = [
        Stage(kernel, float(errors["kernel_drift"][i])),
        Stage(
            norms * drift,
            norms * drift_error + float(norms_error) * drift,
            "product rule",
            "|K_k - K_N| <= (|DF_k| + |DF_N|) |DF_k - DF_N|",
            statement="C1",
        ),
        Stage(
            largest * drift,
            largest * drift_error,
            "Lambda",
            "|DF|^2 <= Lambda = (sqrt(lambda_max) + beta R)^2",
            statement="E5",
        ),
        Stage(
            bound,
            largest * constants["beta"] * float(errors["rho"][i]),
            "beta",
            "|DF_k - DF_N| <= beta |theta_k - theta_N|",
            statement="E4",
            explained_by="E-jacobian",
        ),
    ]
    return chain_of("C1", "kernel drift", "operator norm", False, _at(at, i), (kernel, bound), stages)


@dataclass(frozen=True)
class ForwardDrifts:
    """At the marks: |z_l - z_l^N|(x_i), (marks, L, n), errors (marks, L); |W_l - W_l^N| with biases, and |W_l|, (marks, L) each.
    bound: D_l on B(R), (L, n)."""

    moved: Array
    errors: Array
    layers: Array
    operator_norms: Array
    bound: Array


def forward_chain(signals: SignalsAtPoint, found: ForwardDrifts, at: AtMarks) -> Chain:
    """From |z_l - z_l^N|(x_i) to |theta_k - theta_N| D_l(x_i), at the layer, point and mark with the least room."""
    with np.errstate(divide="ignore", invalid="ignore"):
        room = found.moved / (found.bound * at.marks.values["rho"][:, None, None])
    i, layer, point = (int(index) for index in np.unravel_index(np.nanargmax(room), room.shape))
    distance, error = float(at.marks.values["rho"][i]), float(at.marks.errors["rho"][i])
    moved = float(found.moved[i, layer, point])
    by_layers, by_total = _recursion(signals, found, i, layer, point)
    bound = float(found.bound[layer, point])
    stages = [
        Stage(moved, float(found.errors[i, layer])),
        Stage(
            by_layers,
            by_layers * error / distance,
            "operator norms",
            "|dz_l| <= c_l |W_l| sup|phi'| |dz_(l-1)| + |dW_l| p_l with the norms and movements of the run",
            statement="E1",
        ),
        Stage(
            by_total * distance,
            by_total * error,
            "Cauchy-Schwarz over layers",
            "all movement in the layers where it moves z_l most",
            statement="E1",
        ),
        Stage(bound * distance, bound * error, "growth on the ball", "|W_l| <= |W_l^N| + R", statement="E1"),
    ]
    where = f"{_at(at, i)}, layer {layer + 1}, point {point}"
    ends = (moved / bound, distance)
    return chain_of("E-forward", "forward drift", "norm of z_l", False, where, ends, stages)


def _recursion(signals: SignalsAtPoint, found: ForwardDrifts, mark: int, layer: int, point: int) -> tuple[float, float]:
    """E1 with the norms |W_l| of the mark: from its layers' movements, and for a movement of norm 1 put where it counts most."""
    moved, worst_square = 0.0, 0.0
    for index in range(layer + 1):
        c = signals.fan_in_scales[index]
        gain = c * found.operator_norms[mark, index] * signals.slope
        own = np.hypot(c * signals.forward_norms[index][point], signals.bias_scale) if signals.trained[index] else 0.0
        moved = gain * moved + float(found.layers[mark, index]) * own
        worst_square = gain**2 * worst_square + own**2
    return float(moved), float(np.sqrt(worst_square))


def _tightest(at: AtMarks) -> int:
    """The mark at which |DF_k - DF_N|/|theta_k - theta_N| is largest."""
    drift, distance = at.marks.values["jacobian_drift"], at.marks.values["rho"]
    if not (drift > 0).any():
        raise NoChain("the Jacobian does not move")
    return int(np.argmax(np.divide(drift, distance, out=np.zeros_like(drift), where=distance > 0)))


def _at(at: AtMarks, index: int) -> str:
    return f"step {int(at.marks.steps[index])}"
