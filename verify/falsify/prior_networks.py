"""Networks on which the events of section F hold, to test Theorem F: all probability is gone, and its bounds must hold surely.

The numbers t of the events are the least with which they hold on the network, measured on it: operator norms, signals, units,
columns and the leave-one-out signals; an output layer counts as standard normal, whatever it is. The recursions of
``theorems.apriori`` are evaluated with these numbers and the means of |x|^2, |x|^4, .... The function is centered, so that s0 is
the labels' size, which is chosen such that q is the wanted share of q_target; theta is then moved within B(R). Theorem A0 is
asked on B(R) at a step of at most the record's eta.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.network import Architecture
from theorems.apriori.blueprint import Blueprint, blueprint
from theorems.apriori.data import AtStart, Moments, at_start, beta_on_ball
from theorems.arithmetic import BALL, FLOAT, upper, working_precision
from theorems.catalogue import theorem as catalogued
from theorems.programs import evaluate as run_program
from theorems.records import Claim, Theorem, evaluate_expression
from theorems.statements.notation import R
from verify.falsify.displaced import (
    NetworkInstance,
    Signals,
    activation_of,
    exact,
    fan_in_scales,
    jacobian,
    norm,
    root_top,
    signals,
    top,
)
from verify.falsify.network import moving
from verify.falsify.prior_network_scripts import as_json, described, network_script
from verify.falsify.priors import PriorInstances, PriorPoint, Values, family, relative_noise, with_field
from verify.falsify.promises import Outcome, evaluate
from verify.falsify.shrink import rounded

Array = NDArray[np.float64]

ACTIVATIONS = ("tanh", "sin", "softplus", "erf")
ROUNDS = 4  # of the fixed point for the labels' size


@dataclass(frozen=True, eq=False)
class DrawnNetwork:
    """network: with the displacement, in B(R). residual: s0. target: q_target. step_share: of eta, for Theorem A0."""

    network: NetworkInstance
    residual: float
    target: float
    smoothness: float
    mu: float
    step_share: float


@dataclass(frozen=True)
class MeasuredTails:
    """The least number t of every event on one network."""

    numbers: dict[str, Any]

    def tail(self, event: str, arithmetic: Any) -> Any:
        """The number of an event."""
        return self.numbers[event]


@lru_cache(maxsize=64)
def _at_zero(name: str) -> Fraction:
    with working_precision():
        value = run_program(activation_of(name)[0], BALL, [BALL.numbers(0)])[0]
        return Fraction(0) if value.is_zero() else upper(BALL.absolute(value))


def plan_of(item: NetworkInstance) -> Blueprint:
    """What is known of the network beforehand."""
    a = item.architecture
    _, slope, curvature = activation_of(item.activation)
    return blueprint(
        a.sizes,
        slope=slope,
        curvature=curvature,
        at_zero=_at_zero(item.activation),
        points=len(item.inputs),
        weight_scale=Fraction(a.weight_scale),
        bias_scale=Fraction(a.bias_scale),
        output_scale=Fraction(a.output_scale),
        trained=a.trained,
        output_layer="gaussian",
    )


def tails_of(item: NetworkInstance, at: Signals, arithmetic: Any) -> MeasuredTails:
    """The least t of every event for a network with one output."""
    a, c = item.architecture, fan_in_scales(item, arithmetic)
    bias, largest = exact(arithmetic, a.bias_scale), arithmetic.maximum_over
    roots = [arithmetic.sqrt(arithmetic.constant(Fraction(size))) for size in a.sizes]
    p = [arithmetic.sqrt(c[i] * c[i] * (h * h).sum(axis=0) + bias * bias) for i, h in enumerate(at.h)]
    rows = [*roots[1:-1], 0]  # the one output's row is a vector: its norm is compared with the root of its length alone
    norms = [root_top(w @ w.T, arithmetic) - roots[i] - rows[i] for i, w in enumerate(at.weights[1:], 1)]
    hidden = range(a.layers - 1)
    found = {
        "operator_norms": largest(np.array(norms)),
        "signals": largest(np.array([largest(norm(at.z[i], arithmetic) / p[i]) - roots[i + 1] for i in hidden])),
        "output_weights": largest(arithmetic.absolute(at.weights[-1])),
    }
    if a.layers > 2:
        inner = range(a.layers - 2)
        found["units"] = largest(np.array([largest(arithmetic.absolute(at.z[i]) / p[i]) for i in inner]))
        found["columns"] = largest(np.array([largest(norm(at.weights[i + 1], arithmetic)) - roots[i + 2] for i in inner]))
        left_out = [_left_out(item, at, i, j, arithmetic) for i in inner for j in range(a.sizes[i + 1])]
        found["leave_one_out"] = largest(np.array(left_out))
    return MeasuredTails(found)


def _left_out(item: NetworkInstance, at: Signals, index: int, unit: int, arithmetic: Any) -> Any:
    """The largest |delta'^T w|/|delta'| over the points, for one unit of layer index + 1 and its column w of the next layer."""
    a, c, program = item.architecture, fan_in_scales(item, arithmetic), activation_of(item.activation)[0]
    bias = exact(arithmetic, a.bias_scale)
    w = at.weights[index + 1][:, unit]
    z = at.z[index + 1] - c[index + 1] * np.multiply.outer(w, at.h[index + 1][unit])
    slopes = []
    for layer in range(index + 2, a.layers):
        value, slope = run_program(program, arithmetic, [z])
        slopes.append(slope)
        z = c[layer] * (at.weights[layer] @ value)
        if a.has_bias:
            theta = exact(arithmetic, item.theta)
            z = z + (bias * a.bias(theta, layer + 1))[:, None]
    delta = 0 * z + 1
    for layer in range(a.layers - 1, index + 1, -1):
        delta = slopes.pop() * (c[layer] * (at.weights[layer].T @ delta))
    return arithmetic.maximum_over(arithmetic.absolute((delta * w[:, None]).sum(axis=0)) / norm(delta, arithmetic))


@dataclass(frozen=True)
class _Start:
    """What does not depend on R: the bounds at theta0, the moments, the extreme eigenvalues of K_0 and DF."""

    known: AtStart
    moments: Moments
    largest: Any
    smallest: Any
    derivative: Any


@lru_cache(maxsize=4096)
def _start(item: NetworkInstance, arithmetic: Any) -> _Start:
    at = signals(item, exact(arithmetic, item.theta), arithmetic)
    squares = (exact(arithmetic, item.inputs) ** 2).sum(axis=1)
    points = arithmetic.constant(Fraction(len(item.inputs)))
    moments = Moments(tuple((squares**j).sum() / points for j in range(1, item.architecture.layers + 1)))
    derivative = jacobian(item, at, arithmetic)
    kernel = derivative @ derivative.T
    known = at_start(plan_of(item), tails_of(item, at, arithmetic), moments, arithmetic)
    return _Start(known, moments, top(kernel, arithmetic), -top(-kernel, arithmetic), derivative)


@lru_cache(maxsize=4096)
def _moved(item: NetworkInstance, arithmetic: Any) -> Values:
    """What is measured at the displaced theta."""
    displacement = exact(arithmetic, item.displacement)
    after = jacobian(item, signals(item, exact(arithmetic, item.theta) + displacement, arithmetic), arithmetic)
    change = after - _start(item, arithmetic).derivative
    return {
        "rho": norm(displacement, arithmetic),
        "jacobian_drift": root_top(change @ change.T, arithmetic),
        "jacobian_square": root_top(after @ after.T, arithmetic) ** 2,
    }


def known_of(theorem: Theorem, item: DrawnNetwork, arithmetic: Any) -> tuple[Values, Values]:
    """Every symbol of Theorem F on the network, and the margins; nothing is said of theta where it is not surely in B(R)."""
    start = _start(item.network, arithmetic)
    values = {
        "L": exact(arithmetic, item.smoothness),
        "mu": exact(arithmetic, item.mu),
        "lambda_max": start.known.lambda_max,
        "lambda0": start.smallest,
        "s0": exact(arithmetic, item.residual),
        "q_target": exact(arithmetic, item.target),
    }
    radius = _radius(theorem, values, arithmetic)
    values["beta"] = beta_on_ball(start.known, start.moments, radius, arithmetic)
    known, margins = evaluate(theorem, values, arithmetic)
    moved = dict(_moved(item.network, arithmetic))
    if not moved["rho"] <= radius:
        undefined = arithmetic.divide(arithmetic.constant(Fraction(0)), arithmetic.constant(Fraction(0)))
        moved |= {"jacobian_drift": undefined, "jacobian_square": undefined}
    found = known | moved | {"kernel_top": start.largest, "rbar": _path_bound(values, arithmetic)}
    return found | _descent(known, exact(arithmetic, item.step_share), arithmetic), margins


def _radius(theorem: Theorem, values: Values, arithmetic: Any) -> Any:
    """R by the record's own formula, which knows beta no more than beta knows it."""
    (formula,) = (constant.expression for constant in theorem.constants if constant.symbol == R)
    return evaluate_expression(formula, values, arithmetic)


def _path_bound(values: Values, arithmetic: Any) -> Any:
    """rbar of Theorem A-square with these numbers."""
    known = dict(values)
    for constant in catalogued("A-square").constants:
        if {str(symbol.name) for symbol in constant.expression.free_symbols} <= known.keys():
            known[constant.name] = evaluate_expression(constant.expression, known, arithmetic)
    return known["rbar"]


def _descent(known: Values, share: Any, arithmetic: Any) -> Values:
    """q0 and rbar0 of Theorem A0 on B(R) at a share of the step that the record allows."""
    found = catalogued("A0").evaluate_constants({**known, "eta": share * known["eta"]}, arithmetic)
    return {"q_descent": found["q"], "rbar_descent": found["rbar"]}


def _kinds() -> list[Any]:
    shapes: list[Any] = [((1, 1, 1), (True, False), 0.0, 1), ((1, 2, 1), (True, True), 0.5, 1), ((2, 3, 1), (True, True), 0.0, 2)]
    shapes += [((1, 1, 1, 1), (True, True, True), 0.0, 1), ((2, 2, 2, 1), (True, True, True), 0.5, 2)]
    return list(product(shapes, ACTIVATIONS))


def _counts(kind: Any) -> tuple[Architecture, int, list[int]]:
    (sizes, trained, bias, points), _ = kind
    architecture = Architecture(sizes, 1.0, bias, 1.0, trained)
    return architecture, points, [architecture.parameters, points * sizes[0], len(moving(architecture)), 1, 1, 1, 1, 1, 1]


NETWORK_RANGES = ((-3.0, 3.0, 0.4), (-2.0, 2.0, 0.3), (-1.0, 1.0, 0.3), (-4.0, 0.0, 0.5), (-4.0, 0.01, 0.3), (-2.0, 0.0, 0.3))
RANGES = (*NETWORK_RANGES, (0.0, 3.0, 0.3), (-1.0, 1.0, 0.3), (-1.0, 0.0, 0.3))


def _ranges(kind: Any) -> Array:
    """theta, inputs, direction; log10 of |theta - theta0| over R, of q over q_target, of q_target, of L/mu, mu, of A0's
    step over eta."""
    return np.array([box for box, count in zip(RANGES, _counts(kind)[2], strict=True) for _ in range(count)])


def _extremes() -> list[PriorPoint]:
    """One neuron where phi'' or phi' is largest, moved a little; with its output weight moved; three layers; q up to q_target and a
    little beyond."""
    loss = (0.0, 0.0, 0.0)  # the square loss, and the largest step
    narrow, both, deep = ((1, 1, 1), (True, False), 0.0, 1), ((1, 1, 1), (True, True), 0.0, 1), ((1, 1, 1, 1), (True,) * 3, 0.0, 1)
    found = [PriorPoint((both, name), (0.0, 1.0, 1.0, 0.0, 1.0, 0.0, q, 0.0, *loss)) for name in ACTIVATIONS for q in (-1.0, -0.1)]
    for name, z in (("tanh", 0.6584789), ("tanh", 0.0), ("softplus", 0.0), ("erf", 0.0), ("sin", 0.0)):
        for share, quotient, target in product((-4.0, -1.0, 0.0), (-3.0, -0.3, -1e-9, 0.002, 0.0043), (0.0, -0.5)):
            found.append(PriorPoint((narrow, name), (z, 1.0, 1.0, 1.0, share, quotient, target, *loss)))
    rest = (0.1, 0.1, 1.0, 1.0, 1.0, 0.0, 0.0, -1.0)
    return found + [PriorPoint((deep, name), (*rest, q, 0.0, 1.5, 0.3, 0.0)) for name in ACTIVATIONS for q in (-3.0, -0.1)]


def drawn_network(theorem: Theorem, point: PriorPoint) -> DrawnNetwork | None:
    """The instance at a point; None where K_0 or the direction vanishes."""
    architecture, points, counts = _counts(point.kind)
    theta, inputs, direction, tail_ = np.split(np.array(point.vector), np.cumsum(counts[:3]))
    share, quotient, target, condition, mu, step_share = 10.0**tail_
    bare = NetworkInstance(architecture, point.kind[1], theta, inputs.reshape(points, -1), np.zeros(len(theta)), 1.0)
    start, length = _start(bare, FLOAT), float(np.linalg.norm(direction))
    if not (start.smallest > 0 and length > 0 and np.isfinite(start.known.lambda_max)):
        return None
    values = {"lambda0": start.smallest, "q_target": target, "s0": np.float64(0.0), "lambda_max": start.known.lambda_max}
    for _ in range(ROUNDS):
        beta = beta_on_ball(start.known, start.moments, _radius(theorem, values, FLOAT), FLOAT)
        values["s0"] = quotient * target * start.smallest / (2 * beta)
    radius = float(_radius(theorem, values, FLOAT))
    if not (np.isfinite(radius) and radius > 0):
        return None
    displacement = np.zeros(len(theta))
    displacement[moving(architecture)] = share * (1 - 1e-9) * radius * direction / length
    step = float(step_share * (1 - 1e-9))
    moved = replace(bare, displacement=displacement)
    return DrawnNetwork(moved, float(values["s0"]), float(target), float(max(mu, mu * condition)), float(mu), step)


def _noise(claim: Claim, known: Values) -> Array:
    """What is subtracted in a drift; otherwise sums, roots and an eigenvalue, relative to the bound."""
    if "jacobian_drift" in {str(x) for x in claim.measured.free_symbols}:
        return np.asarray(64 * np.finfo(np.float64).eps * (1 + np.sqrt(known["Lambda"])) ** 2)
    return relative_noise(claim, known)


def _simpler(item: DrawnNetwork, found: Outcome) -> Iterator[DrawnNetwork]:
    network = item.network
    for name in ("residual", "target", "smoothness", "mu", "step_share"):
        for nicer in rounded(getattr(item, name)):
            changed: DrawnNetwork = with_field(item, name, nicer)
            if max(changed.target, changed.step_share) <= 1 and changed.mu <= changed.smoothness:
                yield changed
    for name in ("displacement", "theta", "inputs"):
        array = getattr(network, name)
        for index in np.ndindex(*array.shape):
            for value in rounded(float(array[index])):
                other = array.copy()
                other[index] = value
                yield replace(item, network=with_field(network, name, other))


DRAWN_NETWORKS = family(
    PriorInstances(
        name="networks on the events",
        given=frozenset({"L", "mu", "beta", "lambda_max", "lambda0", "s0", "q_target"}),
        measured=frozenset({"jacobian_drift", "rho", "kernel_top", "jacobian_square", "rbar", "q_descent", "rbar_descent"}),
        kinds=_kinds(),
        ranges=_ranges,
        extremes=_extremes,
        instance=drawn_network,
        known=known_of,
        noise=_noise,
        beyond=lambda item: [replace(item, residual=1.01 * item.residual), replace(item, residual=1.5 * item.residual)],
        simpler=_simpler,
        script=lambda theorem, item, claim, step: network_script(theorem, item, known_of(theorem, item, FLOAT)[0], claim, step),
        described=described,
        as_json=as_json,
    )
)
