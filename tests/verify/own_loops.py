"""Training loops that are not ours, in plain NumPy, for the tests of assertions about one's own runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify.assertions import OwnRun, TheoremReport
from verify.problem import problem_from_mapping
from verify.setup import prepare
from verify.verdict import CheckedClaim

ETA, STEPS, HIDDEN, POINTS = 2.5, 120, 48, 8
SECTIONS: dict[str, Any] = {
    "data": {"source": "digits", "classes": [3, 8], "points": POINTS},
    "network": {"hidden": [HIDDEN], "centered": False, "output_layer": "gaussian"},
    "training": {"step_size": ETA, "steps": STEPS, "stop_residual": 0.0},
}


def trained(dtype: Any = np.float64, share: float = 1.0, noise: float = 0.0, standard: bool = False) -> dict[str, Any]:
    """Somebody's loop: one hidden tanh layer, full-batch gradient descent on the mean of (y - t)^2/2.

    share: of the step that is stated; noise: added to the weights at every step; standard: one step size for all layers of the
    standard parametrization.
    """
    setup, theta = prepare(problem_from_mapping(SECTIONS))
    x, t = setup.dataset.inputs.astype(dtype), setup.dataset.targets.astype(dtype)
    w1, w2 = (setup.architecture.weight(theta, layer).astype(dtype) for layer in (1, 2))
    c1, c2 = dtype(1 / np.sqrt(x.shape[1])), dtype(1 / np.sqrt(HIDDEN))
    generator, eta = np.random.default_rng(0), dtype(share * ETA)
    records = [[w1, w2]]
    for _ in range(STEPS):
        h = np.tanh(c1 * (x @ w1.T))
        e = (c2 * (h @ w2.T) - t) / dtype(len(x))
        first, second = c1 * (((c2 * (e @ w2)) * (1 - h**2)).T @ x), c2 * (e.T @ h)
        if standard:  # W' = c W moves by eta c grad, so W moves by eta grad/c^2 times one common factor
            first, second = first, second * (c1 / c2) ** 2
        w1 = w1 - eta * first + dtype(noise) * generator.standard_normal(w1.shape).astype(dtype)
        w2 = w2 - eta * second
        records.append([w1, w2])
    return {"weights": records, "inputs": x, "targets": t, "step_size": ETA}


def some(loop: dict[str, Any], steps: list[int], **more: Any) -> OwnRun:
    return OwnRun(**{**loop, "weights": [loop["weights"][step] for step in steps], "steps": steps, **more})


def claim_of(report: TheoremReport, name: str) -> CheckedClaim:
    return next(claim for claim in report.claims if claim.id == name)


def with_biases(width: int = 128, eta: float = 1.2, steps: int = 140) -> dict[str, Any]:
    """Somebody's loop with biases, an activation and a loss that are no names, and a subtracted initial function."""
    setup, _ = prepare(problem_from_mapping({"data": {"source": "breast_cancer", "classes": [0, 1], "points": 6}}))
    x, t = setup.dataset.inputs, setup.dataset.targets
    generator, sigma_b = np.random.default_rng(0), 0.5
    w1, b1 = generator.standard_normal((width, x.shape[1])), generator.standard_normal(width)
    w2, b2 = generator.standard_normal((1, width)), generator.standard_normal(1)
    c1, c2 = 1 / np.sqrt(x.shape[1]), 1 / np.sqrt(width)
    weights, biases, start = [], [], None
    for _ in range(steps):
        weights.append([w1, w2])
        biases.append([b1, b2])
        z = c1 * x @ w1.T + sigma_b * b1
        bell = np.exp(-(z**2) / 2)
        f = c2 * (z * bell) @ w2.T + sigma_b * b2
        start = f if start is None else start
        y = f - start
        e = (np.tanh(y - t) + (y - t) / 4) / len(x)
        delta = c2 * (e @ w2) * (1 - z**2) * bell
        w1, b1 = w1 - eta * c1 * delta.T @ x, b1 - eta * sigma_b * delta.sum(axis=0)
        w2, b2 = w2 - eta * c2 * e.T @ (z * bell), b2 - eta * sigma_b * e.sum(axis=0)
    return {
        "weights": weights,
        "biases": biases,
        "inputs": x,
        "targets": t[:, 0],
        "step_size": eta,
        "activation": "s*exp(-s**2/2)",
        "loss": "log(cosh(y-t)) + (y-t)**2/8",
        "bias_scale": sigma_b,
        "offsets": start,
    }
