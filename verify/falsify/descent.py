"""Gradient descent on composite instances: many at a time in floats, to search, and one at a time in balls, to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verify.falsify import bowls
from verify.falsify.instances import CompositeInstance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """What B runs of N steps provide, under the statements' names: arrays (B, N) for k = 0, ..., N - 1, and (B, 1) at the end.

    noise: (B, 1), roughly how far rounding carries a residual. A search subtracts it; nothing is decided by it.
    """

    symbols: dict[str, Array]
    noise: Array


def descend(instances: Sequence[CompositeInstance]) -> Runs:
    """Run instances of one n and p; each row is as long as the longest."""
    steps = max(item.steps for item in instances)
    singular, target = np.array([item.singular for item in instances]), np.array([item.target for item in instances])
    tensor = np.array([item.tensor for item in instances])
    n_rows, outputs, parameters = tensor.shape[:3]
    bends = bool(np.any(tensor))
    flat = tensor.reshape(n_rows, outputs * parameters, parameters)
    kinked = any(item.kink for item in instances)
    place = np.array([item.kink.place if item.kink else np.inf for item in instances])
    steep = np.array([item.kink.steepness if item.kink else 0.0 for item in instances])
    bowl = bowls.stack([item.bowl for item in instances])
    mu = np.array([item.bowl.mu for item in instances])
    eta = np.array([[item.step_size] for item in instances])
    straight = np.zeros((n_rows, outputs, parameters))
    straight[:, range(outputs), range(outputs)] = singular
    errors = [(index, item) for index, item in enumerate(instances) if item.error != "none"]

    theta = np.zeros((n_rows, parameters))
    gaps, lengths, slopes = np.empty((steps + 1, n_rows)), np.empty((steps, n_rows)), np.empty((steps, n_rows))
    with np.errstate(all="ignore"):
        for k in range(steps + 1):
            bend = np.matmul(flat, theta[:, :, None]).reshape(straight.shape) if bends else np.zeros_like(straight)
            value = singular * theta[:, :outputs] + np.matmul(bend, theta[:, :, None])[:, :, 0] / 2
            jacobian = straight + bend
            if kinked:
                beyond = np.maximum(theta[:, 0] - place, 0.0)
                value[:, 0] -= steep * beyond**2 / 2
                jacobian[:, 0, 0] -= steep * beyond
            u = value - target
            gaps[k] = bowl.value(u)
            if k == steps:
                break
            gradient = np.matmul(bowl.gradient(u)[:, None, :], jacobian)[:, 0]
            slopes[k] = np.linalg.norm(gradient, axis=1)
            for index, item in errors:
                gradient[index] += item.epsilon * _direction(item.error, gradient[index], theta[index])
            move = eta * gradient
            lengths[k] = np.linalg.norm(move, axis=1)
            theta = theta - move
        symbols = _symbols(gaps.T, lengths.T, slopes.T, eta, mu[:, None])
        kernel = np.matmul(jacobian, jacobian.transpose(0, 2, 1))
        finite = np.all(np.isfinite(kernel), axis=(1, 2))
        kernel[~finite] = np.eye(outputs)
        symbols["lambda_min_k"] = np.where(finite, np.linalg.eigvalsh(kernel)[:, 0], np.nan)[:, None]
    symbols["residual_floor"] = np.array([[_least_residual(item)] for item in instances])
    scale = np.linalg.norm(target, axis=1) * np.sqrt([item.bowl.smoothness / item.bowl.mu for item in instances])
    return Runs(symbols, 64 * np.finfo(np.float64).eps * scale[:, None])


def _symbols(gap: Array, length: Array, slope: Array, eta: Array, mu: Array) -> dict[str, Array]:
    s = np.sqrt(2 * gap / mu)
    path = np.cumsum(length, axis=1)
    return {
        "s0": s[:, :1],
        "s": s[:, :-1],
        "s_next": s[:, 1:],
        "gap": gap[:, :-1],
        "gap_next": gap[:, 1:],
        "g": slope,
        "r": path - length,
        "r_next": path,
        # A lower bound of the infinite sum, as is the next; summed from the small end.
        "remaining": np.cumsum(length[:, ::-1], axis=1)[:, ::-1],
        "summed": np.cumsum(eta * mu * s[:, :-1], axis=1),
        "steps": np.arange(length.shape[1], dtype=np.float64)[None, :],
    }


def _direction(error: str, gradient: Array, theta: Array) -> Array:
    last = np.zeros_like(theta)
    last[-1] = 1.0
    along = {"against": -gradient, "with": gradient, "away": theta, "aside": last}[error]
    length = np.linalg.norm(along)
    return along / length if length > 0 else last


def _least_residual(item: CompositeInstance) -> float:
    """How near the target a map of one parameter comes, as a residual; 0 where this is not known."""
    reach = greatest_value(item, float)
    if reach is None or not item.target[0] > reach:
        return 0.0
    row = bowls.stack([item.bowl])
    return float(np.sqrt(2 * row.value(np.array([[reach - item.target[0]]]))[0] / item.bowl.mu))


def greatest_value(item: CompositeInstance, number: Any) -> Any:
    """sup F for n = p = 1 and F concave, with numbers made by ``number`` (float or balls); None where it is not known.

    F' = sigma - b theta - B max(0, theta - c), so the maximum is at sigma/b if that is at most c, else in the kink.
    """
    if item.parameters != 1:
        return None
    sigma, bend = number(item.singular[0]), number(-item.tensor[0, 0, 0])
    kink = item.kink
    if bend > 0 and (kink is None or sigma <= bend * number(kink.place)):
        return sigma**2 / (2 * bend)
    if bend >= 0 and kink is not None and kink.steepness > 0 and sigma > bend * number(kink.place):
        place = number(kink.place)
        slope = sigma - bend * place
        return sigma * place - bend * place**2 / 2 + slope**2 / (2 * (bend + number(kink.steepness)))
    return None


def descend_in_balls(item: CompositeInstance) -> dict[str, list[Any]]:
    """The symbols of one run at the working precision, as lists over k; "lambda_min_k" and "residual_floor" have one entry."""
    eta, mu, last = arb(item.step_size), arb(item.bowl.mu), [arb(int(j == item.parameters - 1)) for j in range(item.parameters)]
    theta = [arb(0)] * item.parameters
    gaps, lengths, slopes = [], [], []
    jacobian: list[list[Any]] = []
    for k in range(item.steps + 1):
        value, jacobian = map_in_balls(item, theta)
        u = [x - arb(t) for x, t in zip(value, item.target, strict=True)]
        gaps.append(bowls.value_in_balls(item.bowl, u))
        if k == item.steps:
            break
        weights = bowls.gradient_in_balls(item.bowl, u)
        gradient = [sum((w * row[j] for w, row in zip(weights, jacobian, strict=True)), arb(0)) for j in range(item.parameters)]
        slopes.append(norm_in_balls(gradient))
        if item.error != "none":
            along = {"against": gradient, "with": gradient, "away": theta, "aside": last}[item.error]
            length = norm_in_balls(along)
            if length.is_zero():
                along, length = last, arb(1)
            size = arb(-item.epsilon if item.error == "against" else item.epsilon) / length
            gradient = [x + size * y for x, y in zip(gradient, along, strict=True)]
        lengths.append(eta * norm_in_balls(gradient))
        theta = [x - eta * y for x, y in zip(theta, gradient, strict=True)]
    return _symbols_in_balls(item, gaps, lengths, slopes, eta, mu) | {
        "lambda_min_k": [_rayleigh_quotient(jacobian)],
        "residual_floor": [_least_residual_in_balls(item)],
    }


def map_in_balls(item: CompositeInstance, theta: list[Any]) -> tuple[list[Any], list[list[Any]]]:
    """F(theta) and the rows of DF(theta)."""
    values, rows = [], []
    for i, sigma in enumerate(item.singular):
        bend = [sum((arb(entry) * x for entry, x in zip(row, theta, strict=True) if entry), arb(0)) for row in item.tensor[i]]
        value = arb(sigma) * theta[i] + sum((x * y for x, y in zip(bend, theta, strict=True)), arb(0)) / 2
        bend[i] = bend[i] + arb(sigma)
        if i == 0 and item.kink is not None:
            beyond = (theta[0] - arb(item.kink.place)).max(arb(0))
            value, bend[0] = value - arb(item.kink.steepness) * beyond**2 / 2, bend[0] - arb(item.kink.steepness) * beyond
        values.append(value)
        rows.append(bend)
    return values, rows


def norm_in_balls(vector: list[Any]) -> Any:
    """The Euclidean norm."""
    square = sum((x * x for x in vector), arb(0))
    return square.max(arb(0)).sqrt()  # a sum of squares is not negative, whatever its ball says


def _symbols_in_balls(
    item: CompositeInstance, gaps: list[Any], lengths: list[Any], slopes: list[Any], eta: Any, mu: Any
) -> dict[str, list[Any]]:
    s = [(2 * gap.max(arb(0)) / mu).sqrt() for gap in gaps]
    path, summed = [arb(0)], [arb(0)]
    for length, residual in zip(lengths, s[:-1], strict=True):
        path.append(path[-1] + length)
        summed.append(summed[-1] + eta * mu * residual)
    return {
        "s0": s[:1],
        "s": s[:-1],
        "s_next": s[1:],
        "gap": gaps[:-1],
        "gap_next": gaps[1:],
        "g": slopes,
        "r": path[:-1],
        "r_next": path[1:],
        "remaining": [path[-1] - before for before in path[:-1]],
        "summed": summed[1:],
        "steps": [arb(k) for k in range(item.steps)],
    }


def _rayleigh_quotient(jacobian: list[list[Any]]) -> Any:
    """An upper bound of lambda_min(DF DF^*): |x DF|^2/|x|^2 at the float eigenvector x; exact for one output."""
    middle = np.array([[float(entry.mid()) for entry in row] for row in jacobian])
    if not np.all(np.isfinite(middle)):
        return arb.nan()
    middle /= max(float(np.max(np.abs(middle))), 1e-300)  # of a run that diverges the squares would overflow
    x = [arb(float(entry)) for entry in np.linalg.eigh(middle @ middle.T)[1][:, 0]]
    image = [sum((a * row[j] for a, row in zip(x, jacobian, strict=True)), arb(0)) for j in range(middle.shape[1])]
    return sum((y * y for y in image), arb(0)) / sum((a * a for a in x), arb(0))


def _least_residual_in_balls(item: CompositeInstance) -> Any:
    reach = greatest_value(item, arb)
    if reach is None or not arb(item.target[0]) > reach:
        return arb(0)
    return (2 * bowls.value_in_balls(item.bowl, [reach - arb(item.target[0])]) / arb(item.bowl.mu)).sqrt()
