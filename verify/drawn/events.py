"""The events of an a-priori budget and what follows from them, counted on drawn networks.

For each failure probability delta the budget states a share p for every event (``theorems.apriori.budget``). Weights are drawn from
many seeds; an event fails on a draw where the least number t measured there exceeds the t of the share. Beside the events:

    any event           at least one of them fails: at most delta;
    conclusions         |h_l|, |eta_l|_inf, |delta_l|, lambda_max(K_0), s_0, and beta on B(R) of the recursion fed with the norms
                        measured on the draw, each against its a-priori bound: each fails with at most delta;
    the implication     a conclusion that fails although every event holds: never.

s_0 is no part of the implication: its bound is the smaller of two with the same share, only one of which is the event counted.
What no event enters is equal to its bound by definition and is not compared: for an output layer of +-1 |eta_{L-1}|_inf, and beta
for L = 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.network import Architecture, initialize
from numerics.snapshots import Snapshot, snapshot
from theorems.apriori.blueprint import Blueprint
from theorems.apriori.constants import Prior, initial
from theorems.apriori.data import AtStart, Points, beta_on_ball
from theorems.apriori.eigenvalue import Granted
from theorems.apriori.start import Scales, StartBounds
from theorems.arithmetic import FLOAT
from theorems.exact import exactly
from theorems.laws import Law
from theorems.laws.sampling_bounds import sample_moment_bounds
from theorems.records import evaluate_expression
from verify.apriori.prior import plan_of, points_of
from verify.data import Dataset
from verify.drawn.clopper_pearson import Count
from verify.drawn.frequencies import Array, Frequency, count_above, count_ratios, room_of
from verify.drawn.measurements import RESOLUTION, MeasuredTails, measured_tails
from verify.errors import ProblemError
from verify.expressions import activation_of
from verify.kernels import activation_kernel
from verify.law_sampling import draw
from verify.problem import Problem
from verify.progress import Progress, silent
from verify.weights import architecture_of

RADII = (0.0, 1.0)  # of the balls on which beta is compared
FORWARD, SUP, BACKWARD = "forward signals |h_l|", "backward signals |eta_l|_inf", "backward signals |delta_l|"
LARGEST, RESIDUAL = "lambda_max(K_0)", "s_0"


@dataclass(frozen=True)
class _Promise:
    """One delta: the prior, t and share of each event, and the bounds of the conclusions: numbers, or arrays over the points."""

    prior: Prior
    tails: Mapping[str, float]
    bounds: Mapping[str, Any]


def event_frequencies(
    problem: Problem,
    data: Dataset,
    seeds: Sequence[int],
    failure_probabilities: Sequence[Any],
    progress: Progress = silent,
    conclusion_draws: int | None = None,
) -> list[Frequency]:
    """Count on the networks that ``seeds`` draw; the eigenvalue is left to ``verify.drawn.eigenvalue``.

    Arguments: ``problem``, for its network and label norm (the square loss); ``data``, its points. ``failure_probabilities``, exact
    numbers delta in (0, 1). ``conclusion_draws``, on how many of the draws, from the first, the conclusions are measured: they cost
    most and state more than the events do; None for all.

    Raises InputError for an activation without proved bounds of phi' and phi'', ProblemError for other than the square loss.
    """
    if problem.loss.name != "square":
        raise ProblemError(f'the a-priori events are those of loss.name = "square", got {problem.loss.name!r}')
    network, outputs = problem.network, data.outputs
    plan = plan_of(network, data.dimension, outputs, data.points)
    points = _in_doubles(points_of(plan, data.inputs, data.sample_weights))
    # Rounded up by more than its rounding: a larger norm only makes the bound of s_0 larger.
    label_norm = float(np.sqrt(data.sample_weights @ np.sum(data.targets**2, axis=1))) * (1 + RESOLUTION)
    promises = [_promise(plan, points, label_norm, exactly(delta), network.centered) for delta in failure_probabilities]
    architecture = architecture_of(network, data.dimension, outputs)
    kernel = activation_kernel(activation_of(network.activation))
    measured: list[MeasuredTails] = []
    ratios: list[list[Mapping[str, float]]] = [[] for _ in promises]
    for number, seed in enumerate(seeds, 1):
        theta = initialize(architecture, network.output_layer, seed)
        with_conclusions = conclusion_draws is None or number <= conclusion_draws
        found = snapshot(architecture, kernel, theta, data.inputs, data.sample_weights) if with_conclusions else None
        measured.append(
            measured_tails(
                architecture,
                kernel,
                theta,
                data.inputs,
                data.sample_weights,
                gaussian_output=plan.gaussian_output,
                centered=network.centered,
                operator_norms=None if found is None else found.operator_norms,
            )
        )
        if found is not None:
            values = _measured_conclusions(plan, architecture, found, data, points, network.centered)
            for promise, into in zip(promises, ratios, strict=True):
                into.append({name: float(np.max(value / promise.bounds[name])) for name, value in values.items()})
        progress(f"draw {number} of {len(seeds)}")
    return [row for promise, drawn in zip(promises, ratios, strict=True) for row in _rows(promise, measured, drawn)]


def _in_doubles(points: Points) -> Points:
    """Bounds as doubles, once and for all; what that rounds is far below the resolution of the comparison."""
    norms, weights = (np.array([float(x) for x in values]) for values in (points.norms, points.weights))
    return Points(norms, weights, float(points.gram_norm), float(points.schur))


def _promise(plan: Blueprint, points: Points, label_norm: float, delta: Fraction, centered: bool) -> _Promise:
    prior = Prior(plan, points, label_norm, Granted(1), delta, centered=centered, certain=True)
    at = initial(prior, FLOAT)
    start = at.known.start
    bounds: dict[str, Any] = {
        FORWARD: np.array([np.broadcast_to(h, len(points.norms)) for h in start.signals[1:]]),
        BACKWARD: np.array([float(x) for x in start.backward_norms[:-1]])[:, None],
        LARGEST: float(at.lambda_max),
    }
    random = _random_sup(plan)
    if random:
        bounds[SUP] = np.array([np.broadcast_to(e, len(points.norms)) for e in start.backward_sup[:random]])
        for radius in RADII:
            bounds[_beta(radius)] = float(beta_on_ball(at.known, points, radius, FLOAT))
    if not centered:
        bounds[RESIDUAL] = float(at.s0)
    tails = {event: float(prior.shares.tail(event, FLOAT)) for event in prior.shares.counts}
    return _Promise(prior, tails, bounds)


def _random_sup(plan: Blueprint) -> int:
    """The number of layers, from the first, whose |eta_l|_inf depends on the draw."""
    return plan.layers - 1 if plan.gaussian_output else plan.layers - 2


def _beta(radius: float) -> str:
    return f"beta on B({radius:g}), recursion fed with measured norms"


def _measured_conclusions(
    plan: Blueprint, architecture: Architecture, found: Snapshot, data: Dataset, points: Points, centered: bool
) -> dict[str, Any]:
    values: dict[str, Any] = {
        FORWARD: found.forward_norms[1:],
        BACKWARD: found.backward_norms[:-1],
        LARGEST: found.eigenvalues[-1],
    }
    random = _random_sup(plan)
    if random:
        values[SUP] = found.backward_sup[:random]
        known = _measured_start(plan, architecture, found)
        for radius in RADII:
            values[_beta(radius)] = float(beta_on_ball(known, points, radius, FLOAT))
    if not centered:
        residual = np.sum((found.outputs - data.targets) ** 2, axis=1)
        values[RESIDUAL] = float(np.sqrt(data.sample_weights @ residual))
    return values


def _measured_start(plan: Blueprint, architecture: Architecture, found: Snapshot) -> AtStart:
    """The measured norms in the place of their a-priori bounds."""
    c = architecture.fan_in_scales
    squares = [scale**2 * norms**2 + architecture.bias_scale**2 for scale, norms in zip(c, found.forward_norms, strict=True)]
    scales = Scales(
        bias_scale=architecture.bias_scale,
        output_scale=architecture.output_scale,
        slope=float(plan.slope),
        curvature=float(plan.curvature),
        at_zero=float(plan.at_zero),
        trained=plan.trained,
    )
    start = StartBounds(
        plan=scales,
        fan_in_scales=c,
        gains=(None, *(scale * norm for scale, norm in zip(c[1:], found.operator_norms[1:], strict=True))),
        signals=tuple(found.forward_norms),
        squares=tuple(squares),
        preactivations=tuple(np.sqrt(square) for square in squares),
        backward_sup=tuple(found.backward_sup),
        backward_norms=tuple(float(row.max()) for row in found.backward_norms),
    )
    return AtStart(start, float(found.eigenvalues[-1]), 0.0, 0.0, 1.0)


def _rows(promise: _Promise, measured: Sequence[MeasuredTails], drawn: Sequence[Mapping[str, float]]) -> list[Frequency]:
    delta, shares = exactly(promise.prior.failure_probability), promise.prior.shares.shares
    rows, certain, possible = [], np.zeros(len(measured), dtype=bool), np.zeros(len(measured), dtype=bool)
    for event, t in promise.tails.items():
        numbers, errors = (np.array([getattr(m, part)[event] for m in measured]) for part in ("numbers", "errors"))
        ratios = numbers / t
        count = count_above(numbers, errors, t)
        rows.append(Frequency("event", event, delta, exactly(shares[event]), t, count, room_of(ratios), float(ratios.max())))
        certain |= numbers - errors > t
        possible |= ~(numbers + errors <= t)
    together = Count(int(certain.sum()), int(possible.sum()), len(measured))
    rows.append(Frequency("event", "any of the events", delta, delta, None, together, None, None))
    if not drawn:
        return rows
    certain, possible = certain[: len(drawn)], possible[: len(drawn)]
    broken, doubtful = np.zeros(len(drawn), dtype=bool), np.zeros(len(drawn), dtype=bool)
    for name in promise.bounds:
        ratios = np.array([draw_[name] for draw_ in drawn])
        bound = promise.bounds[name]
        single = bound if isinstance(bound, float) else None
        rows.append(Frequency("conclusion", name, delta, delta, single, count_ratios(ratios), room_of(ratios), float(ratios.max())))
        if name != RESIDUAL:
            broken |= ratios - RESOLUTION > 1
            doubtful |= ~(ratios + RESOLUTION <= 1)
    # Certainly an exception: a conclusion certainly fails where no event possibly does.
    exceptions = Count(int((broken & ~possible).sum()), int((doubtful & ~certain).sum()), len(drawn))
    rows.append(
        Frequency("implication", "a conclusion fails although every event holds", delta, None, None, exceptions, None, None)
    )
    return rows


def moment_frequencies(
    law: Law,
    points: int,
    orders: int,
    failure_probabilities: Sequence[Any],
    samples: int,
    seed: int,
    method: str = "least",
) -> list[Frequency]:
    """The event "moments": some empirical even moment of order 2, ..., 2 ``orders`` of ``points`` independent points exceeds its
    bound.

    Arguments: ``samples``, how many independent samples are drawn; ``failure_probabilities``, the event's shares; ``method``, as
    for ``sample_moment_bounds``. Raises InputError for a law without the moments.
    """
    drawn = draw(law, points * samples, seed).reshape(samples, points, -1)
    squares: NDArray[np.float64] = np.sum(drawn**2, axis=2)
    moments = np.array([np.mean(squares**j, axis=1) for j in range(1, orders + 1)])
    rows = []
    for share in map(exactly, failure_probabilities):
        found = sample_moment_bounds(law, orders, points, share, method)
        bounds = np.array([float(evaluate_expression(item.bound, {}, FLOAT)) for item in found])
        ratios: Array = np.max(moments / bounds[:, None], axis=0)
        rows.append(
            Frequency(
                "moments",
                f"moments up to order {2 * orders}",
                share,
                share,
                None,
                count_ratios(ratios),
                room_of(ratios),
                float(ratios.max()),
            )
        )
    return rows
