"""A forger of valid certificates for small random networks, and a judge of what a certificate states; neither uses the checker.

Everything at theta is computed in mpmath (``forge_truth``), with nothing of the product; bounds are rounded outward by a relative
SLACK. beta and the theorem's constants come from ``theorems`` in balls at the stated rationals. Labels are put near the network's
outputs, as near as q = 1/2 asks for. The judge compares what is stated with the same values.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tests.verify.forge_truth import PHI, Truth, minimizer, real, residual, truth
from theorems.arithmetic import BALL, lower, upper, working_precision
from theorems.ball import SignalsAtPoint, ball_bounds
from theorems.catalogue import theorem as theorem_of

SLACK = Fraction(1, 10**9)
SYMBOLS = {"smoothness": "L", "residual": "s0", "ball_radius": "R", "step_size": "eta"}  # of given; the others keep their name
BASE_CURVATURE = {"log_cosh": Fraction(1), "pseudo_huber": Fraction(1), "logistic": Fraction(1, 4)}


class Singular(Exception):
    """The kernel of this network is singular or nearly so: there is nothing to certify."""


@dataclass
class Forgery:
    """A certificate's document and the arrays beside it."""

    document: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def write(self, folder: Path) -> Path:
        """Write certificate.json and certificate.npz, the hash made to fit."""
        np.savez(folder / "certificate.npz", **self.arrays)
        self.document["arrays"]["sha256"] = sha256(folder / "certificate.npz")
        path = folder / "certificate.json"
        path.write_text(json.dumps(self.document, indent=1), encoding="utf-8")
        return path


def sha256(path: Path) -> str:
    """The hash of a file, as the certificate states it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rational(x: Any) -> Fraction:
    """The rational that an mpmath number, a double or a decimal string is."""
    if isinstance(x, mpf):
        sign, man, exp, _ = x._mpf_
        return (-1 if sign else 1) * Fraction(int(man)) * Fraction(2) ** int(exp)
    return Fraction(x)


def decimal(x: Any, up: bool, slack: Fraction = Fraction(0), digits: int = 16) -> str:
    """A decimal string of that many digits above (or below) x, moved outward by |x| slack first."""
    value = rational(x)
    value += abs(value) * slack * (1 if up else -1)
    if value == 0:
        return "0"
    exponent = int(mp.floor(mp.log10(abs(real(value))))) - digits + 1
    scaled = value / Fraction(10) ** exponent
    return f"{-(-scaled.numerator // scaled.denominator) if up else scaled.numerator // scaled.denominator}e{exponent}"


def stated_beta(document: dict[str, Any]) -> tuple[Fraction, Any]:
    """An upper bound of alpha lambda_max(M) on B(R) at the stated bounds, and the forward drift D (rows: layers)."""
    network, bounds = document["network"], document["bounds"]

    def balls(values: Any) -> Any:
        if isinstance(values, str):
            return BALL.constant(Fraction(values))
        out = np.empty(np.array(values, dtype=object).shape, dtype=object)
        for place in np.ndindex(out.shape):
            entry = values
            for index in place:
                entry = entry[index]
            out[place] = BALL.constant(Fraction(entry))
        return out

    with working_precision():
        scale = BALL.constant(Fraction(network["weight_scale"]))
        scales = tuple(BALL.divide(scale, BALL.sqrt(BALL.constant(Fraction(m)))) for m in network["sizes"][:-1])
        signals = SignalsAtPoint(
            fan_in_scales=scales,
            bias_scale=BALL.constant(Fraction(network["bias_scale"])),
            output_scale=BALL.constant(abs(Fraction(network["output_scale"]))),
            trained=tuple(network["trained"]),
            **{name: balls(values) for name, values in bounds.items()},
        )
        found = ball_bounds(signals, BALL.constant(Fraction(document["given"]["ball_radius"])), BALL)
        return upper(found.beta), [[real(upper(e)) for e in row] for row in found.forward_drift]


def forge(
    seed: int = 0,
    *,
    sizes: tuple[int, ...] = (2, 3, 1),
    points: int = 2,
    activation: str = "tanh",
    theorem: str = "A-square",
    loss: str = "square",
    ridge: float | None = None,
    bias_scale: float = 0.0,
    output_scale: float = 1.0,
    trained: tuple[bool, ...] | None = None,
    inexact: bool = False,
    judged: dict[str, Any] | None = None,
) -> Forgery:
    """A valid certificate for a random network, data and weights of that shape; judged: what H1 is to be stated about."""
    from tests.verify.forge_consequences import add_consequences

    generator = np.random.default_rng(seed)
    layers, k = len(sizes) - 1, sizes[-1]
    weights = generator.dirichlet(np.ones(points) * 9) if loss == "weighted_square" else np.full(points, 1 / points)
    arrays = {"X": generator.standard_normal((points, sizes[0])), "sample_weights": weights}
    for m in range(layers):
        arrays[f"W{m + 1}"] = generator.standard_normal((sizes[m + 1], sizes[m]))
        if bias_scale:
            arrays[f"b{m + 1}"] = generator.standard_normal(sizes[m + 1])
    network = {
        "activation": activation,
        "sizes": list(sizes),
        "weight_scale": 1.0,
        "bias_scale": bias_scale,
        "output_scale": output_scale,
        "trained": list(trained or (True,) * layers),
    }
    found = truth(network, arrays)
    if found.lambda_min < found.lambda_max * mpf(10) ** -9:
        raise Singular
    y = generator.standard_normal((points, k))
    arrays["y"] = np.sign(y) if loss == "logistic" else y
    mu = Fraction(1) if ridge is None else Fraction(ridge)
    smoothness = mu if ridge is None else mu + BASE_CURVATURE[loss]
    bounds = {name: _outward(value) for name, value in found.norms.items()}
    bounds["backward_norms"][-1] = ["1"] * points
    bounds |= {"slope": PHI[activation][3], "curvature": PHI[activation][4]}
    document: dict[str, Any] = {
        "schema": "overparam-certificate-2",
        "theorem": theorem,
        "rigor": "rigorous",
        "step": 7,
        "arrays": {"file": "certificate.npz", "sha256": ""},
        "network": network,
        "loss": {"name": loss, "ridge": ridge},
        "bounds": {name: bounds[name] for name in ("slope", "curvature", *found.norms)},
        "given": {
            "mu": decimal(mu, up=False),
            "smoothness": decimal(smoothness, up=True),
            "lambda0": decimal(found.lambda_min, up=False, slack=SLACK),
            "lambda_max": decimal(found.lambda_max, up=True, slack=SLACK),
            "residual": "",
            "beta": "",
            "ball_radius": "0.01",
        },
    }
    document["given"]["beta"] = decimal(max(stated_beta(document)[0], Fraction(1, 10**6)), up=True, slack=SLACK)
    _place_labels(document, arrays, found, generator, float(smoothness / mu))
    largest, beta = (float(Fraction(document["given"][key])) for key in ("lambda_max", "beta"))
    document["given"]["step_size"] = 0.5 / float(smoothness) / (largest**0.5 + 0.01 * beta) ** 2
    complete(document, inexact)
    add_consequences(document, arrays, found, judged)
    return Forgery(document, arrays)


def _outward(values: Any) -> Any:
    return [_outward(v) for v in values] if isinstance(values, list) else decimal(values, up=True, slack=SLACK)


def _place_labels(document: dict[str, Any], arrays: Any, found: Truth, generator: Any, condition: float) -> None:
    """Choose offsets so that the residual makes q about 1/2 and rbar at most R/2, were L = mu; smaller by L/mu otherwise."""
    given, name, ridge = document["given"], document["loss"]["name"], document["loss"]["ridge"]
    lambda0, beta, radius = (float(Fraction(given[key])) for key in ("lambda0", "beta", "ball_radius"))
    wanted = min(0.25 * lambda0 / beta, 0.4 * radius * lambda0**0.5) / condition**1.5
    noise = generator.standard_normal(arrays["y"].shape)
    scale = wanted / np.sqrt(float(sum(w * (row @ row) for w, row in zip(arrays["sample_weights"], noise, strict=True))))
    offsets = np.empty_like(noise)
    for (i, o), t in np.ndenumerate(arrays["y"]):
        best = minimizer(name, ridge, mpf(float(t)))
        offsets[i, o] = float(found.predictions[i][o] - best - scale / condition**0.5 * noise[i, o])
    arrays["offsets"] = offsets
    given["residual"] = decimal(residual(document, arrays, found), up=True, slack=SLACK)


def complete(document: dict[str, Any], inexact: bool = False) -> None:
    """Fill in constants, hypotheses, conclusions and, if wanted, the run with inexact gradients, from "given"."""
    record, given = theorem_of(document["theorem"]), document["given"]
    values = {SYMBOLS.get(key, key): BALL.constant(Fraction(value)) for key, value in given.items()}
    known = record.evaluate_constants(values, BALL)
    margins = record.margins(known, BALL)
    document["constants"] = {constant.name: _ends(known[constant.name]) for constant in record.constants}
    document["hypotheses"] = [{"id": h.id, "strict": h.strict, "margin": _ends(margins[h.id])} for h in record.hypotheses]
    document["conclusions"] = {
        "path_length_at_most": decimal(upper(known["rbar"]), up=True),
        "residual_factor_at_most": decimal(upper(known["rate"]), up=True),
        "smallest_eigenvalue_at_least": decimal(lower(known["lambda_floor"]), up=False),
        "summed_residuals_at_most": decimal(upper(known["Tbar"]), up=True),
    }
    document["inexact"] = None
    if inexact:
        document["inexact"] = inexact_run(document, "1e-14", 12345)


def inexact_run(document: dict[str, Any], error: str, steps: int) -> dict[str, Any]:
    """Theorem A1 for errors of that size and that many steps."""
    floor = inexact_floor(inexact_constants(document, error, steps))
    return {"gradient_error": error, "steps": steps, "floor": decimal(floor, up=True, slack=SLACK)}


def inexact_constants(document: dict[str, Any], error: str, steps: int) -> dict[str, Any]:
    """The constants of the record A1 as mpmath numbers."""
    values = {SYMBOLS.get(key, key): BALL.constant(Fraction(value)) for key, value in document["given"].items()}
    values |= {"epsilon": BALL.constant(Fraction(error)), "steps": BALL.constant(Fraction(steps))}
    return {name: real(upper(value)) for name, value in theorem_of("A1").evaluate_constants(values, BALL).items()}


def inexact_floor(known: dict[str, Any]) -> Any:
    """c2 epsilon/rho."""
    return known["c2"] * known["epsilon"] / (known["mu"] * known["kappa"] * known["lambda0"] * (1 - known["q_k"]))


def _ends(ball: Any) -> dict[str, str]:
    return {"lower": decimal(lower(ball), up=False, digits=25), "upper": decimal(upper(ball), up=True, digits=25)}


def falsehoods(document: dict[str, Any], arrays: dict[str, np.ndarray], found: Truth | None = None) -> list[str]:
    """The names of the statements of a document that mpmath finds false, in no order; empty when it is true.

    A relative 1e-12 is granted where a supremum is found by sampling, 1e-35 where mpmath computes. found: the values at theta, if
    they are known.
    """
    network, bounds, given = document["network"], document["bounds"], document["given"]
    found = truth(network, arrays) if found is None else found
    tiny, false = mpf(10) ** -35, []

    def at_most(name: str, value: Any, bound: str, slack: Any = tiny) -> None:
        if not value <= real(Fraction(bound)) * (1 + slack):
            false.append(name)

    for name, values in found.norms.items():
        for value, bound in zip(_flat(values), _flat(bounds[name]), strict=True):
            at_most(name, value, bound)
    beta, drift = stated_beta(document)
    at_most("beta", real(beta) * (1 - mpf(10) ** -13), given["beta"])
    radius, heights = real(Fraction(given["ball_radius"])), found.preactivations[:-1]
    pairs = [pair for rows in zip(heights, drift, strict=False) for pair in zip(*rows, strict=True)]
    reach = max([mpf(0), *(height + radius * moved for height, moved in pairs)])
    false += [name for name in ("slope", "curvature") if not bounds_supremum(network["activation"], name, bounds[name], reach)]
    if not found.lambda_min >= real(Fraction(given["lambda0"])) - abs(tiny * found.lambda_max):
        false.append("lambda0")
    at_most("lambda_max", found.lambda_max, given["lambda_max"])
    ridge, name = document["loss"]["ridge"], document["loss"]["name"]
    mu = Fraction(1 if ridge is None else ridge)
    if not 0 < Fraction(given["mu"]) <= mu:
        false.append("mu")
    if Fraction(given["smoothness"]) < (mu if ridge is None else mu + BASE_CURVATURE[name]):
        false.append("smoothness")
    at_most("residual", residual(document, arrays, found), given["residual"])
    from tests.verify.forge_consequences import false_consequences

    return false + _false_consequences(document) + false_consequences(document, arrays, found)


def bounds_supremum(activation: str, name: str, stated: str, reach: Any) -> bool:
    """Whether the stated "slope" (or "curvature") is no less than |phi'| (or |phi''|) on [-reach, reach], by samples."""
    _, *derivatives, slope, curvature = PHI[activation]
    derivative, known = (derivatives[0], slope) if name == "slope" else (derivatives[1], curvature)
    if Fraction(stated) >= Fraction(known):
        return True
    return bool(sampled_supremum(derivative, reach) <= real(Fraction(stated)) * (1 + mpf(10) ** -12))


def _false_consequences(document: dict[str, Any]) -> list[str]:
    """Constants, hypotheses, conclusions and A1 against the formulas of ``theorems`` in balls."""
    fresh, false = json.loads(json.dumps(document)), []
    complete(fresh)
    for name, ends in document["constants"].items():
        true = fresh["constants"][name]
        if Fraction(ends["lower"]) > Fraction(true["upper"]) or Fraction(ends["upper"]) < Fraction(true["lower"]):
            false.append(f"constants.{name}")
    for stated, true in zip(document["hypotheses"], fresh["hypotheses"], strict=True):
        ends, margin = ({key: Fraction(value) for key, value in item["margin"].items()} for item in (stated, true))
        holds = margin["upper"] > 0 if stated["strict"] else margin["upper"] >= 0
        if ends["lower"] > margin["upper"] or ends["upper"] < margin["lower"] or not holds:
            false.append(f"hypotheses.{stated['id']}")
    for name, stated_end in document["conclusions"].items():
        sign = -1 if name.endswith("least") else 1
        if sign * Fraction(stated_end) < sign * Fraction(fresh["conclusions"][name]) * (1 - sign * Fraction(1, 10**14)):
            false.append(f"conclusions.{name}")
    return false + ([] if document["inexact"] is None else _false_run(document))


def _false_run(document: dict[str, Any]) -> list[str]:
    """Theorem A1: q_N < 1, R > rbar_N and the floor, with its constants from the record in balls and the rest in mpmath."""
    run, radius = document["inexact"], real(Fraction(document["given"]["ball_radius"]))
    known = inexact_constants(document, run["gradient_error"], run["steps"])
    if not known["q_k"] < 1 or Fraction(run["gradient_error"]) < 0:
        return ["inexact.steps"]
    path = 2 * known["S_k"] / (known["kappa"] * mp.sqrt(known["lambda0"])) / (1 + mp.sqrt(1 - known["q_k"]))
    low = real(Fraction(run["floor"])) < inexact_floor(known) * (1 - mpf(10) ** -30)
    return ["inexact.steps"] * (path >= radius * (1 + mpf(10) ** -30)) + ["inexact.floor"] * low


def sampled_supremum(derivative: Any, reach: Any) -> Any:
    """A lower bound of sup |derivative| on [-reach, reach], nearly it: the best of a grid, improved by ternary search."""
    if reach > 8:  # the suprema of most are near 0
        return max(sampled_supremum(derivative, mpf(8)), abs(derivative(mpf(reach))), abs(derivative(-mpf(reach))))
    grid = [mpf(reach) * (2 * j / mpf(400) - 1) for j in range(401)]
    best = max(grid, key=lambda s: abs(derivative(s)))
    step = mpf(reach) / 200
    left, right = max(best - step, -mpf(reach)), min(best + step, mpf(reach))
    for _ in range(60):
        a, b = left + (right - left) / 3, right - (right - left) / 3
        left, right = (a, right) if abs(derivative(a)) < abs(derivative(b)) else (left, b)
    return max(abs(derivative(best)), abs(derivative((left + right) / 2)))


def _flat(values: Any) -> list[Any]:
    return [e for v in values for e in _flat(v)] if isinstance(values, list) else [values]


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder for one example: hypothesis runs many within one test."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
