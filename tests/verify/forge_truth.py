"""Networks, their kernels and losses in mpmath at 50 digits, from the definitions, with closed forms of phi, phi', phi''."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from mpmath import mp, mpf

mp.dps = 50
ROOT_PI = mp.sqrt(mp.pi)


def _sigmoid(s: Any) -> Any:
    return 1 / (1 + mp.exp(-s))


def _normal(s: Any) -> Any:
    return mp.exp(-s * s / 2) / mp.sqrt(2 * mp.pi)


#: phi, phi', phi'' in closed form, and bounds of sup |phi'| and sup |phi''| over the line that are sharp to about 1e-6.
PHI: dict[str, tuple[Any, Any, Any, str, str]] = {
    "identity": (lambda s: s, lambda s: mpf(1), lambda s: mpf(0), "1", "0"),
    "tanh": (mp.tanh, lambda s: mp.sech(s) ** 2, lambda s: -2 * mp.tanh(s) * mp.sech(s) ** 2, "1.000001", "0.769801"),
    "erf": (
        mp.erf,
        lambda s: 2 / ROOT_PI * mp.exp(-s * s),
        lambda s: -4 * s / ROOT_PI * mp.exp(-s * s),
        "1.128380",
        "0.967883",
    ),
    "sin": (mp.sin, mp.cos, lambda s: -mp.sin(s), "1.000001", "1.000001"),
    "cos": (mp.cos, lambda s: -mp.sin(s), lambda s: -mp.cos(s), "1.000001", "1.000001"),
    "softplus": (lambda s: mp.log1p(mp.exp(s)), _sigmoid, lambda s: _sigmoid(s) * _sigmoid(-s), "1.000001", "0.250001"),
    "sigmoid": (
        _sigmoid,
        lambda s: _sigmoid(s) * _sigmoid(-s),
        lambda s: _sigmoid(s) * _sigmoid(-s) * (1 - 2 * _sigmoid(s)),
        "0.250001",
        "0.0962251",
    ),
    "gelu": (
        lambda s: s * (1 + mp.erf(s / mp.sqrt(2))) / 2,
        lambda s: (1 + mp.erf(s / mp.sqrt(2))) / 2 + s * _normal(s),
        lambda s: (2 - s * s) * _normal(s),
        "1.128905",
        "0.797885",
    ),
    "silu": (
        lambda s: s * _sigmoid(s),
        lambda s: _sigmoid(s) * (1 + s * _sigmoid(-s)),
        lambda s: _sigmoid(s) * _sigmoid(-s) * (2 + s * (1 - 2 * _sigmoid(s))),
        "1.099840",
        "0.500001",
    ),
    "arctan": (mp.atan, lambda s: 1 / (1 + s * s), lambda s: -2 * s / (1 + s * s) ** 2, "1.000001", "0.649520"),
    "gaussian_bump": (
        lambda s: mp.exp(-s * s / 2),
        lambda s: -s * mp.exp(-s * s / 2),
        lambda s: (s * s - 1) * mp.exp(-s * s / 2),
        "0.606531",
        "1.000001",
    ),
    "s*exp(-s^2/2)": (
        lambda s: s * mp.exp(-s * s / 2),
        lambda s: (1 - s * s) * mp.exp(-s * s / 2),
        lambda s: (s**3 - 3 * s) * mp.exp(-s * s / 2),
        "1.000001",
        "1.380120",
    ),
    "sqrt(1 + s**2) - 0.5*s": (
        lambda s: mp.sqrt(1 + s * s) - s / 2,
        lambda s: s / mp.sqrt(1 + s * s) - mpf(1) / 2,
        lambda s: (1 + s * s) ** mpf(-1.5),
        "1.5",
        "1.000001",
    ),
}


def real(x: Any) -> Any:
    """A rational in mpmath."""
    return mpf(x.numerator) / mpf(x.denominator)


@dataclass
class Truth:
    """What a certificate bounds, in mpmath; the names and shapes of the file."""

    norms: dict[str, Any]
    preactivations: list[list[Any]]  # [layer][i]: largest |z_l,j(x_i)|
    lambda_min: Any
    lambda_max: Any
    predictions: list[list[Any]]  # f(x_i), offsets not yet subtracted
    kernel_mean: Any  # the mean over the points of |df(x_i)|_F^2


def truth(network: dict[str, Any], arrays: dict[str, np.ndarray]) -> Truth:
    """Signals, norms and kernel from the definitions, point by point and output by output."""
    phi, slope = PHI[network["activation"]][:2]
    sizes, layers = network["sizes"], len(network["sizes"]) - 1
    x, nu = arrays["X"], [mpf(float(w)) for w in arrays["sample_weights"]]
    n, k = len(nu), sizes[-1]
    sigma_b, alpha = mpf(network["bias_scale"]), mpf(network["output_scale"])
    c = [mpf(network["weight_scale"]) / mp.sqrt(m) for m in sizes[:-1]]
    weights = [mp.matrix(arrays[f"W{m + 1}"].tolist()) for m in range(layers)]
    biases = [mp.matrix(arrays[f"b{m + 1}"].tolist()) if sigma_b else mp.zeros(sizes[m + 1], 1) for m in range(layers)]
    h, z = [[mp.matrix(list(map(float, row)))] for row in x], [[] for _ in range(n)]
    for i in range(n):
        for m in range(layers):
            z[i].append(c[m] * weights[m] * h[i][m] + sigma_b * biases[m])
            h[i].append(z[i][m].apply(phi))
    eta, delta = [[None] * layers for _ in range(n)], [[None] * layers for _ in range(n)]  # transposed: m_l x k
    for i in range(n):
        delta[i][layers - 1] = mp.eye(k)
        for m in range(layers - 2, -1, -1):
            eta[i][m] = c[m + 1] * weights[m + 1].T * delta[i][m + 1]
            delta[i][m] = mp.matrix(sizes[m + 1], k)
            for j in range(sizes[m + 1]):
                for o in range(k):
                    delta[i][m][j, o] = slope(z[i][m][j]) * eta[i][m][j, o]
    grams = [[[c[m] ** 2 * (h[i][m].T * h[j][m])[0] + sigma_b**2 for j in range(n)] for i in range(n)] for m in range(layers)]
    kernel = mp.zeros(n * k)
    for i in range(n):
        for j in range(n):
            block = mp.zeros(k)
            for m in range(layers):
                if network["trained"][m]:
                    block += delta[i][m].T * delta[j][m] * grams[m][i][j]
            for o in range(k):
                for p in range(k):
                    kernel[i * k + o, j * k + p] = alpha**2 * mp.sqrt(nu[i] * nu[j]) * block[o, p]
    spectrum = _spectrum(kernel)
    norms = {
        "operator_norms": [_operator_norm(w) for w in weights],
        "forward_norms": [[mp.norm(h[i][m]) for i in range(n)] for m in range(layers)],
        "gram_norms": [mp.sqrt(max(_spectrum(_weigh(g, nu)))) for g in grams],
        "schur": mp.sqrt(max(_spectrum(_weigh([[e * e for e in row] for row in grams[0]], nu)))),
        "backward_sup": [[max(mp.norm(eta[i][m][j, :]) for j in range(sizes[m + 1])) for i in range(n)] for m in range(layers - 1)],
        "backward_norms": [[_operator_norm(delta[i][m]) for i in range(n)] for m in range(layers)],
    }
    heights = [[max(abs(e) for e in z[i][m]) for i in range(n)] for m in range(layers)]
    mean = sum(kernel[i * k + o, i * k + o] / nu[i] for i in range(n) for o in range(k)) / n
    return Truth(norms, heights, min(spectrum), max(spectrum), [[alpha * z[i][-1][o] for o in range(k)] for i in range(n)], mean)


def _weigh(gram: list[list[Any]], nu: list[Any]) -> Any:
    return mp.matrix([[mp.sqrt(nu[i] * nu[j]) * e for j, e in enumerate(row)] for i, row in enumerate(gram)])


def _spectrum(matrix: Any) -> list[Any]:
    return list(mp.eigsy(matrix, eigvals_only=True))


def _operator_norm(matrix: Any) -> Any:
    return mp.sqrt(max(_spectrum(matrix.T * matrix)))


def loss_gap(name: str, ridge: Any, y: Any, t: Any) -> Any:
    """loss(y, t) - min loss(., t)."""
    u, r = y - t, mpf(ridge or 0)
    if name in ("square", "weighted_square"):
        return u * u / 2
    if name == "log_cosh":
        return mp.log(mp.cosh(u)) + r * u * u / 2
    if name == "pseudo_huber":
        return mp.sqrt(1 + u * u) - 1 + r * u * u / 2
    best = minimizer(name, ridge, t)
    return mp.log1p(mp.exp(-t * y)) + r * y * y / 2 - mp.log1p(mp.exp(-t * best)) - r * best * best / 2


def minimizer(name: str, ridge: Any, t: Any) -> Any:
    """argmin loss(., t)."""
    if name != "logistic":
        return mpf(t)
    return mp.findroot(lambda y: -t * _sigmoid(-t * y) + mpf(ridge) * y, t)


def residual(document: dict[str, Any], arrays: dict[str, np.ndarray], found: Truth) -> Any:
    """sqrt(2 (J - h*)/mu) with the stated mu."""
    total = mpf(0)
    for i, row in enumerate(found.predictions):
        for o, value in enumerate(row):
            prediction = value - mpf(float(arrays["offsets"][i, o]))
            gap = loss_gap(document["loss"]["name"], document["loss"]["ridge"], prediction, mpf(float(arrays["y"][i, o])))
            total += mpf(float(arrays["sample_weights"][i])) * gap
    return mp.sqrt(2 * total / real(Fraction(document["given"]["mu"])))
