"""How a search moves among composite instances: a shape, which is discrete, and coordinates, which are numbers.

The coordinates say what a hypothesis-driven search wants to choose: the quotient q (through its logit, so that 1 - 1e-9 is as near
as 1e-9), the share of the largest step allowed, by how much R exceeds rbar, the conditioning, the bending. ``admitted`` solves a
statement's own hypotheses for beta, the step and R, so that every instance it returns satisfies them, in floats, and often barely.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theorems.records import Theorem
from verify.composite_problems import PL_CONSTANTS
from verify.falsify import bowls
from verify.falsify.bulk import BULK
from verify.falsify.instances import CompositeInstance, Kink, lipschitz
from verify.falsify.promises import certifier, evaluate, met

Array = NDArray[np.float64]

STEPS = 160
SOLVER_CYCLES = 60
SETTLED = 1e-12
SMALLEST_BEND = 1e-7
FORM_BITS = 12  # of the entries of v in Q = w v v^T, so that the products are doubles
SAFETY = 1e-13  # by which the largest step is kept below the margin's zero, so that balls can decide it
LOSSES = ("square", "quadratic", "loose", "log-cosh", "pseudo-Huber", "nonconvex 1.0", "nonconvex 1.5")
KINDS = ("blocks", "outward", "rank one", "dense", "identity")  # blocks lose slope along the target, outward ones gain it

# name -> (least, greatest, first step of a search)
RANGES = {
    "quotient": (-6.0, 9.0, 1.0),
    "share": (0.0, 5.0, 0.5),
    "excess": (0.0, 9.0, 1.0),
    "size": (-3.0, 1.5, 0.5),
    "flatness": (0.0, 6.0, 0.7),
    "steepness": (0.0, 9.0, 1.0),
    "error": (-8.0, 2.0, 1.0),
    "condition": (0.0, 4.0, 0.5),
    "weight": (0.0, 6.0, 0.7),
    "target": (-1.0, 1.0, 0.3),
    "bend": (-1.0, 1.0, 0.3),
}


@dataclass(frozen=True)
class Shape:
    """n, p, how the map bends, which loss, whether there is a kink at R, and the kind of the gradient's error."""

    outputs: int
    parameters: int
    kind: str
    loss: str
    kinked: bool = False
    error: str = "none"


@dataclass(frozen=True)
class Point:
    """A shape and the values of its coordinates, in the order of ``names``."""

    shape: Shape
    vector: tuple[float, ...]


def names(shape: Shape) -> list[str]:
    """The coordinates of a shape; a number tells the entries of one kind apart."""
    bends = {"blocks": shape.outputs, "outward": shape.outputs, "rank one": shape.outputs + shape.parameters, "identity": 0}
    bends["dense"] = shape.outputs * shape.parameters * (shape.parameters + 1) // 2
    found = ["quotient", "share", "excess"]
    found += [] if shape.loss in ("square", "quadratic") else ["size"]
    found += ["flatness"] if shape.loss in ("loose", "log-cosh", "pseudo-Huber") else []
    found += ["steepness"] if shape.kinked else []
    found += ["error"] if shape.error != "none" else []
    found += [f"condition {i}" for i in range(shape.outputs)] if shape.outputs > 1 and shape.kind != "identity" else []
    found += [f"weight {i}" for i in range(shape.outputs)] if shape.loss == "quadratic" else []
    found += [f"target {i}" for i in range(shape.outputs)] if shape.outputs > 1 else []
    return found + ([f"bend {i}" for i in range(bends[shape.kind])] if bends[shape.kind] > 1 else [])


def ranges(shape: Shape) -> Array:
    """Least, greatest and first step of every coordinate: (d, 3)."""
    return np.array([RANGES[name.split()[0]] for name in names(shape)])


def point(shape: Shape, **values: float) -> Point:
    """The point with these coordinates ("condition_1" for "condition 1") and sensible others: a target and bends of ones."""
    given = {name.replace("_", " "): value for name, value in values.items()}
    usual = {"share": 0.0, "excess": 6.0, "steepness": 6.0, "target": 1.0, "bend": 1.0, "weight": 0.0, "error": -3.0}
    return Point(shape, tuple(given.get(name, usual.get(name.split()[0], 0.0)) for name in names(shape)))


def drawn(shape: Shape, generator: np.random.Generator) -> Point:
    """A random point: coordinates uniform in their ranges, the share exactly 1 half the time, conditioning often mild."""
    box = ranges(shape)
    vector = generator.uniform(box[:, 0], box[:, 1])
    for index, name in enumerate(names(shape)):
        kind = name.split()[0]
        if kind in ("share", "condition", "weight") and generator.integers(0, 2):
            vector[index] = 0.0 if kind == "share" else 0.25 * vector[index]
        if kind == "quotient" and generator.integers(0, 2):
            vector[index] /= 6
        if kind == "excess":
            vector[index] = 6.0
    return Point(shape, tuple(float(x) for x in vector))


def admitted(theorem: Theorem, points: Sequence[Point], steps: int = STEPS) -> list[CompositeInstance | None]:
    """The instances at these points; None where the hypotheses cannot be met there. F is the identity at all points or none."""
    at = [dict(zip(names(one.shape), one.vector, strict=True)) for one in points]
    shells = [_shell(one.shape, coordinates) for one, coordinates in zip(points, at, strict=True)]

    def column(name: str, default: float) -> Array:
        return np.array([[coordinates.get(name, default)] for coordinates in at])

    values = {name: np.array([[float(shell.exact_values()[name])] for shell in shells]) for name in _GIVEN}
    heights = [bowls.stack([shell.bowl]).value(-np.array([shell.target])) for shell in shells]
    values["s0"] = np.sqrt(2 * np.array(heights) / values["mu"])
    values["steps"] = np.full((len(points), 1), float(steps - 1))
    # An error of the size of the gradient where it is smallest, mu sigma0 s_0, times a power of ten; none where there is no error.
    values["epsilon"] = 10.0 ** column("error", -np.inf) * values["mu"] * np.sqrt(values["lambda0"]) * values["s0"]
    values["newton_step"] = np.array([[_newton_step(shell)] for shell in shells])
    if points[0].shape.kind == "identity":
        values |= {"beta": 0 * values["s0"], "R": 1e9 * values["s0"] / np.sqrt(values["lambda0"])}
    with np.errstate(all="ignore"):
        logit, share, excess = (10.0 ** -column(name, 0.0) for name in ("quotient", "share", "excess"))
        solved = _solve(theorem, values, 1 / (1 + logit), share, 1 + excess)
        _, margins = evaluate(theorem, solved, BULK)
        good = met(theorem, margins).ravel() & _is_resolved(solved)
    steepness = column("steepness", 0.0)[:, 0]
    return [
        _finished(points[row].shape, shell, solved, steepness, row, steps) if good[row] else None
        for row, shell in enumerate(shells)
    ]


_GIVEN = ("L", "mu", "lambda0", "lambda_max")


def _shell(shape: Shape, at: dict[str, float]) -> CompositeInstance:
    """Everything but beta, the step and R; the tensor has Lipschitz constant 1."""
    index = range(shape.outputs)
    singular = tuple(10.0 ** -at.get(f"condition {i}", 0.0) for i in index)
    direction = np.array([at.get(f"target {i}", 1.0) for i in index])
    length = max(float(np.linalg.norm(direction)), 1e-9)
    size = 10.0 ** at.get("size", 0.0)
    target = tuple(float(size * x / length) for x in direction)
    return CompositeInstance(singular, _tensor(shape, at), None, _bowl(shape, at), target, 1.0, 1.0, 1.0, 1, 0.0, shape.error)


def _bowl(shape: Shape, at: dict[str, float]) -> bowls.Bowl:
    flatness = 10.0 ** -at.get("flatness", 0.0)
    if shape.loss == "quadratic":
        return bowls.quadratic(tuple(10.0 ** -at[f"weight {i}"] for i in range(shape.outputs)))
    if shape.loss == "loose":
        return bowls.quadratic((flatness,) * shape.outputs, smoothness=1.0)
    if shape.loss in ("log-cosh", "pseudo-Huber"):
        return bowls.ridged(shape.loss, flatness, shape.outputs)
    if shape.loss.startswith("nonconvex"):
        (a,) = (a for a in PL_CONSTANTS if shape.loss == f"nonconvex {a}")
        return bowls.nonconvex(a, shape.outputs)
    return bowls.quadratic((1.0,) * shape.outputs)


def _tensor(shape: Shape, at: dict[str, float]) -> Array:
    n, p = shape.outputs, shape.parameters
    bends = np.array([value for name, value in at.items() if name.startswith("bend")] or [1.0])
    tensor = np.zeros((n, p, p))
    if shape.kind in ("blocks", "outward"):
        tensor[range(n), range(n), range(n)] = -bends if shape.kind == "blocks" else bends
        return tensor / max(float(np.max(np.abs(bends))), 1e-300)  # exactly 1 at the largest
    if shape.kind == "rank one":
        form = bends[n:] / max(float(np.max(np.abs(bends[n:]))), 1e-300)  # the largest entry is 1, the others have few bits
        form = np.round(2.0**FORM_BITS * form) / 2.0**FORM_BITS
        tensor = -np.einsum("i,j,k", bends[:n], form, form)
    elif shape.kind == "dense":
        upper = np.triu_indices(p)
        tensor[:, upper[0], upper[1]] = -bends.reshape(n, -1)
        tensor = np.maximum(np.abs(tensor), np.abs(tensor.transpose(0, 2, 1))) * np.sign(tensor + tensor.transpose(0, 2, 1))
    norm = lipschitz(tensor)
    return tensor / norm if norm > 0 else tensor


def _newton_step(shell: CompositeInstance) -> float:
    return float(np.linalg.norm(np.array(shell.target) / np.array(shell.singular)))


def _solve(theorem: Theorem, values: dict[str, Array], quotient: Array, share: Array, excess: Array) -> dict[str, Array]:
    """Add beta, eta and R, rows at a time, so that q, the step and R/rbar come as near the wanted ones as the hypotheses allow.

    A margin that is affine (in eta for the step, in q, in R) is read off and not assumed, so that a changed hypothesis is used to
    the full as well: 1.01 - q leads to q beyond 1. Rows that do not settle fail their hypotheses and are dropped.
    """
    symbols = {str(item.symbol.name) for above in (theorem, certifier(theorem)) for item in above.quantities}
    known = {**values}
    free = "beta" not in known and "beta" in symbols
    scale = known["newton_step"] / np.sqrt(known["lambda0"]) if "newton_step" in symbols else known["s0"] / known["lambda0"]
    known.setdefault("beta", 1e-3 / scale)
    reach = np.sqrt(known["lambda0"]) * np.ones_like(known["s0"])
    known.setdefault("R", reach / np.where(known["beta"] > 0, known["beta"], 1.0))
    known["eta"] = share / (known["L"] * known["lambda_max"]) / 2
    allowance = _step_margin(theorem, {**known, "eta": 1e-9 * known["eta"]})
    for _ in range(SOLVER_CYCLES if free else 3):
        before = np.array([known["beta"], known["eta"], reach])
        _scale_step(theorem, known, allowance, share)
        if not free:
            continue
        constants, margins = evaluate(theorem, known, BULK)
        q, total = constants["q"], constants["q"] + _margin(margins, "q")
        sound = _margin(margins, "sigma", 1.0) > 0
        growth = np.where(sound & (q > 0), quotient * total / q, 0.5)
        known["beta"] = known["beta"] * np.clip(np.where(np.isfinite(growth), growth, 0.5), 0.25, 4.0)
        _, radius = _least_radius(theorem, {**known, "R": reach / known["beta"]}, excess)
        settled = np.isfinite(radius) & (radius > 0)
        reach = np.where(settled, np.clip(known["beta"] * radius, reach / 4, 4 * reach), reach)
        known["R"] = reach / known["beta"]
        if np.all(np.abs(np.array([known["beta"], known["eta"], reach]) - before) <= SETTLED * before):
            break
    for _ in range(3):
        _scale_step(theorem, known, allowance, share)
        if free:
            known["R"], _ = _least_radius(theorem, known, excess)
    _scale_step(theorem, known, allowance, share * (1 - SAFETY))
    return known


def _is_resolved(solved: dict[str, Array]) -> NDArray[np.bool_]:
    """Whether beta r is not so small beside sigma0 that floats lose what bends, as in -log(1 - beta r/sigma0)/beta."""
    bent = solved["beta"] * solved["s0"] / solved["lambda0"]
    return np.asarray((bent >= SMALLEST_BEND) | (solved["beta"] == 0)).ravel()


def _margin(margins: dict[str, Array], name: str, default: float = np.nan) -> Array:
    found = [margin for key, margin in margins.items() if key.split(": ")[-1] == name]
    return found[0] if found else np.array(default)


def _step_margin(theorem: Theorem, known: dict[str, Array]) -> Array:
    return _margin(evaluate(theorem, known, BULK)[1], "step", 1.0)


def _scale_step(theorem: Theorem, known: dict[str, Array], allowance: Array, share: Array) -> None:
    """Put eta at its share of the zero of the step's margin, affine in eta with value ``allowance`` at 0."""
    used = allowance - _step_margin(theorem, known)
    growth = share * allowance / used
    known["eta"] = np.where(np.isfinite(growth) & (growth > 0), known["eta"] * growth, known["eta"])


def _least_radius(theorem: Theorem, known: dict[str, Array], excess: Array) -> tuple[Array, Array]:
    """R at ``excess`` times where its margins vanish (where that is a number, else R itself), and the same or NaN.

    A margin a R - rbar is read at R and 2 R: a from the difference, rbar from the rest.
    """
    margins = evaluate(theorem, known, BULK)[1]
    twice = evaluate(theorem, {**known, "R": 2 * known["R"]}, BULK)[1]
    roots = []
    for key, margin in margins.items():
        if key.split(": ")[-1].startswith("radius"):
            slope = (twice[key] - margin) / known["R"]
            roots.append(known["R"] - margin / slope)
    wanted = excess * np.max(roots, axis=0) if roots else np.full_like(known["R"], np.nan)
    return np.where(np.isfinite(wanted) & (wanted > 0), wanted, known["R"]), wanted


def _exact_form(tensor: Array) -> Array:
    """w v v^T exactly: v is read off and has few bits, w is cut towards zero to as many bits as the products leave room for."""
    i = int(np.argmax(np.max(np.abs(tensor), axis=(1, 2))))
    k = int(np.argmax(np.abs(np.diagonal(tensor[i]))))
    v, w = tensor[i, k] / tensor[i, k, k], tensor[:, k, k]
    v = np.round(2.0**FORM_BITS * v) / 2.0**FORM_BITS
    mantissa, exponent = np.frexp(w)
    bits = 52 - 2 * FORM_BITS
    exact: Array = np.einsum("i,j,k", np.ldexp(np.trunc(np.ldexp(mantissa, bits)), exponent - bits), v, v)
    return exact


def _finished(
    shape: Shape, shell: CompositeInstance, solved: dict[str, Array], steepness: Array, row: int, steps: int
) -> CompositeInstance:
    beta, radius = float(solved["beta"][row, 0]), float(solved["R"][row, 0])
    tensor = beta * shell.tensor if shape.kind != "rank one" else _exact_form(beta * shell.tensor)
    actual = lipschitz(tensor)
    declared = beta if actual <= beta * (1 - 1e-14) or shell.is_decoupled else beta * (1 + 1e-13)
    kink = Kink(radius, float(beta * 10.0 ** steepness[row])) if steepness[row] > 0 else None
    return dataclasses.replace(
        shell,
        tensor=tensor,
        beta=declared,
        step_size=float(solved["eta"][row, 0]),
        radius=radius,
        kink=kink,
        steps=steps,
        epsilon=float(solved["epsilon"][row, 0]),
    )
