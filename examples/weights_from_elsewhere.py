"""Certify weights that somebody else trained: here a plain NumPy loop, saved as an .npz file.

    python examples/weights_from_elsewhere.py

The file needs W1, W2, ... in NTK parametrization (weights of unit variance, the network divides by the root of the fan-in).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from verify.problem import problem_from_mapping
from verify.verification import certify_only


def main() -> int:
    """Train sixteen digits with NumPy, save the weights, certify them; the exit status is that of the certificate."""
    sections = {
        "data": {"source": "digits", "classes": [3, 8], "points": 16},
        "network": {"hidden": [512], "centered": False, "output_layer": "gaussian"},
        "training": {"step_size": 1.0},
    }
    problem = problem_from_mapping(sections, Path())
    data = certify_only(problem).setup.dataset  # the same points, scaled in the same way
    x, t = data.inputs, data.targets
    generator = np.random.default_rng(1)
    w1, w2 = generator.standard_normal((512, x.shape[1])), generator.standard_normal((1, 512))
    for _ in range(3000):
        hidden = np.tanh(x @ w1.T / np.sqrt(x.shape[1]))
        error = (hidden @ w2.T / np.sqrt(512) - t) / len(x)
        gradient = ((error @ w2 / np.sqrt(512)) * (1 - hidden**2)).T @ x / np.sqrt(x.shape[1])
        w2 -= error.T @ hidden / np.sqrt(512)
        w1 -= gradient
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        np.savez(path, W1=w1, W2=w2)
        certificate = certify_only(problem, path).certificate
    residual = certificate.point.residual if certificate.point is not None else float("nan")
    verdict = "certified" if certificate.certified else f"not certified: {certificate.failure}"
    sys.stdout.write(f"residual {residual:.3g} after 3000 steps elsewhere: {verdict}\n")
    if certificate.certified:
        constants = {name: certificate.constants[name].value for name in ("q", "rate", "rbar")}
        sys.stdout.write(
            f"q = {constants['q']:.3g}, factor {constants['rate']:.6g} per step, path at most {constants['rbar']:.3g}\n"
        )
    return 0 if certificate.certified else 3


if __name__ == "__main__":
    sys.exit(main())
