"""Small networks and a displacement inside the ball, to test Theorem E: drift of signals, Jacobian and kernel.

The displacement is drawn and climbed with theta and the inputs; R is the least that the hypotheses allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.network import Architecture
from theorems.arithmetic import FLOAT, BallArithmetic, working_precision
from theorems.records import Claim, Role, Theorem, evaluate_expression
from theorems.statements.notation import R
from verify.falsify.displaced import NetworkInstance, measured
from verify.falsify.families import Family, Sides
from verify.falsify.promises import Outcome, examined_in_balls, met, surely_met, tightness
from verify.falsify.scripts import network_script
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]

SYMBOLS = {"beta", "Lambda", "rbar", "lambda_floor", "R"}
MEASURED = {"rho", "forward_ratio", "jacobian_drift", "kernel_drift", "lambda_min_k"}
ROOM = 1e-9  # by how much R exceeds the displacement, relative
BITS = 256
RANGES = {"theta": (-3.0, 3.0, 0.4), "input": (-2.0, 2.0, 0.3), "direction": (-1.0, 1.0, 0.3), "radius": (-4.0, 1.0, 0.5)}


@dataclass(frozen=True)
class NetworkPoint:
    """What a search moves: theta, inputs, the direction of the displacement on the trained layers, log10 of its length."""

    architecture: Architecture
    activation: str
    points: int
    vector: tuple[float, ...]


def tests(theorem: Theorem) -> bool:
    """Whether the theorem claims something about a network displaced within a ball."""
    given = {str(item.symbol.name) for item in theorem.quantities}
    sides = {symbol for claim in theorem.claims for symbol in (claim.measured - claim.bound).free_symbols}
    measured = {str(symbol.name) for symbol in sides} & MEASURED
    return theorem.role is Role.ALONG and given <= SYMBOLS and bool(measured)


def moving(architecture: Architecture) -> list[int]:
    """The positions of the trained parameters in theta."""
    found: list[int] = []
    for index, moves in enumerate(architecture.trained):
        begin = architecture.weight_offsets[index]
        count = architecture.sizes[index + 1] * (architecture.sizes[index] + architecture.has_bias)
        found += range(begin, begin + count) if moves else []
    return found


def _kinds(one: NetworkPoint) -> list[str]:
    counts = (one.architecture.parameters, one.points * one.architecture.sizes[0], len(moving(one.architecture)), 1)
    return [kind for kind, count in zip(RANGES, counts, strict=True) for _ in range(count)]


def _ranges(one: NetworkPoint) -> Array:
    return np.array([RANGES[kind] for kind in _kinds(one)])


def _architecture(sizes: tuple[int, ...], trained: tuple[bool, ...], bias: float = 0.0) -> Architecture:
    return Architecture(sizes, 1.0, bias, 1.0, trained)


def extremes(theorem: Theorem) -> list[NetworkPoint]:
    """One neuron where phi'' or phi' is largest, moved a little: softplus and sin at 0; two neurons and two orthonormal inputs."""
    found = []
    narrow = _architecture((1, 1, 1), (True, False))
    for name, z, side, size in product(("softplus", "sin", "tanh", "erf"), (0.0, 0.66, 1.5), (1.0, -1.0), (-4.0, -2.0, -0.5)):
        found.append(NetworkPoint(narrow, name, 1, (z, 1.0, 1.0, side, size)))
        found.append(NetworkPoint(_architecture((1, 1, 1), (True, True)), name, 1, (z, 1.0, 1.0, side, 0.2, size)))
    wide = _architecture((2, 2, 1), (True, False))
    for sign in (1.0, -1.0):
        vector = (0.0,) * 4 + (1.0, -1.0) + (1.0, 0.0, 0.0, 1.0) + (sign, 0.0, 0.0, 0.0) + (-3.0,)
        found.append(NetworkPoint(wide, "softplus", 2, vector))
    return found


def draw(theorem: Theorem, generator: np.random.Generator, count: int) -> list[NetworkPoint]:
    """Random networks of two and three layers, with and without biases."""
    options = [
        (_architecture((1, 1, 1), (True, True), 0.5), 1),
        (_architecture((2, 2, 1), (True, False)), 2),
        (_architecture((2, 2, 1), (True, True)), 2),
        (_architecture((1, 2, 1), (True, True), 1.0), 1),
        (_architecture((1, 1, 1, 1), (True, True, True)), 1),
        (_architecture((1, 2, 2, 1), (True, True, True)), 2),
    ]
    found = []
    for _ in range(count):
        architecture, points = options[generator.integers(len(options))]
        name = str(generator.choice(["tanh", "sin", "softplus", "erf", "arctan"]))
        blank = NetworkPoint(architecture, name, points, ())
        box = _ranges(blank)
        found.append(_moved(blank, generator.uniform(box[:, 0], box[:, 1])))
    return found


def _moved(one: NetworkPoint, vector: Array) -> NetworkPoint:
    return replace(one, vector=tuple(float(x) for x in vector))


def materialized(theorem: Theorem, one: NetworkPoint) -> NetworkInstance | None:
    """The instance at a point; None for a direction of length 0."""
    values, kinds = np.array(one.vector), np.array(_kinds(one))
    direction = values[kinds == "direction"]
    length = float(np.linalg.norm(direction))
    if not length > 0:
        return None
    displacement = np.zeros(one.architecture.parameters)
    displacement[moving(one.architecture)] = 10.0 ** values[-1] * direction / length
    inputs = values[kinds == "input"].reshape(one.points, -1)
    return NetworkInstance(one.architecture, one.activation, values[kinds == "theta"], inputs, displacement, _reach(theorem))


def _reach(theorem: Theorem) -> float:
    """The least R that the hypotheses allow where rbar = 1, and a little more; their margins are affine in R."""
    roots = [1.0]
    for item in theorem.hypotheses:
        if item.margin.has(R):
            one, two = (float(evaluate_expression(item.margin, {"R": x, "rbar": 1.0}, FLOAT)) for x in (1.0, 2.0))
            roots = [1 - one / (two - one)]
    return max(roots) * (1 + ROOM)


def _known(points: Sequence[NetworkInstance]) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        rows = [measured(item, FLOAT) for item in points]
    return {name: np.array([[float(row[name])] for row in rows]) for name in rows[0]}


def tried(theorem: Theorem, points: Sequence[NetworkPoint]) -> tuple[Array, list[NetworkInstance | None]]:
    """The tightness of every claim at every point, and the instances; drifts below the rounding of what is subtracted are none."""
    found, instances = np.full((len(points), len(theorem.claims)), np.nan), [materialized(theorem, one) for one in points]
    items = {row: item for row, item in enumerate(instances) if item is not None}
    if not items:
        return found, instances
    known = _known(list(items.values()))
    good = met(theorem, _margins(theorem, known)).ravel()
    noise = 64 * np.finfo(np.float64).eps * (1 + np.sqrt(known["Lambda"])) ** 2
    for column, claim in enumerate(theorem.claims):
        own = noise / np.minimum(1.0, known["rho"]) if "forward_ratio" in {str(x) for x in claim.measured.free_symbols} else noise
        found[list(items), column] = np.where(good, tightness(claim, known, own).ravel(), np.nan)
    return found, instances


def _margins(theorem: Theorem, known: dict[str, Any], arithmetic: Any = FLOAT) -> dict[str, Any]:
    return {item.id: evaluate_expression(item.margin, known, arithmetic) for item in theorem.hypotheses}


def examined(theorem: Theorem, instance: NetworkInstance, claim: Claim) -> Outcome | None:
    """The outcome of a claim in balls; None unless the hypotheses are surely met."""
    arithmetic = BallArithmetic(BITS)
    with working_precision(BITS):
        known = measured(instance, arithmetic)
        if not surely_met(theorem, _margins(theorem, known, arithmetic)):
            return None
        return examined_in_balls(claim, known, arithmetic)


def sides(theorem: Theorem, known: dict[str, Array]) -> Sides:
    """Margins and rooms at instances whose measurements are ``known``."""
    rooms = []
    for claim in theorem.claims:
        left, right = (np.ravel(evaluate_expression(side, known, FLOAT)) for side in (claim.measured, claim.bound))
        rooms.append((left - right if claim.lower else right - left, np.abs(left) + np.abs(right)))
    margins = _margins(theorem, known)
    return Sides(met(theorem, margins).ravel(), [(np.ravel(x), np.abs(np.ravel(x))) for x in margins.values()], rooms)


def samples(theorem: Theorem, points: Sequence[NetworkPoint]) -> dict[str, Array]:
    """Measurements at the points, and again as if R were smaller than the displacement."""
    items = [item for one in points[::2] if (item := materialized(theorem, one)) is not None]
    known = _known(items)
    beyond = {**known, "R": 0.8 * known["R"]}
    return {name: np.vstack([known[name], beyond[name]]) for name in known}


def simpler(item: NetworkInstance, found: Outcome) -> Iterator[NetworkInstance]:
    """Fewer points, zeros, numbers of few digits."""
    if len(item.inputs) > 1:
        for row in range(len(item.inputs)):
            yield replace(item, inputs=np.delete(item.inputs, row, axis=0))
    for name in ("displacement", "theta", "inputs"):
        array = getattr(item, name)
        for index in np.ndindex(*array.shape):
            for value in (0.0, *rounded(float(array[index]))):
                if array[index] != 0:
                    changed = array.copy()
                    changed[index] = value
                    yield replace(item, **{name: changed})


def described(item: NetworkInstance) -> str:
    """The instance in one line."""
    size = float(np.linalg.norm(item.displacement))
    return f"{item.activation}, sizes {item.architecture.sizes}, {len(item.inputs)} points, displaced by {size:.4g}"


def as_json(item: NetworkInstance) -> dict[str, Any]:
    """The instance's data."""
    a = item.architecture
    return {
        "sizes": list(a.sizes),
        "trained": list(a.trained),
        "bias_scale": a.bias_scale,
        "activation": item.activation,
        "theta": item.theta.tolist(),
        "inputs": item.inputs.tolist(),
        "displacement": item.displacement.tolist(),
        "radius_over_displacement": item.reach,
    }


NETWORK = Family(
    name="small networks",
    tests=tests,
    extremes=extremes,
    drawn=draw,
    kind=lambda one: (one.architecture, one.activation),
    ranges=_ranges,
    vector=lambda one: np.array(one.vector),
    moved=_moved,
    tried=tried,
    examined=examined,
    samples=samples,
    sides=sides,
    simpler=simpler,
    script=network_script,
    described=described,
    as_json=as_json,
)
