"""Gradient descent on composite problems, to test the theorems that certify it, and rates of it on a function alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import groupby, product

import numpy as np
from numpy.typing import NDArray

from theorems.arithmetic import BallArithmetic, working_precision
from theorems.records import Claim, LossClass, Role, Theorem, evaluate_expression
from verify.falsify.bulk import BULK
from verify.falsify.coordinates import LOSSES, Point, Shape, admitted, drawn, names, point, ranges
from verify.falsify.descent import Runs, descend, descend_in_balls
from verify.falsify.families import Family, Sides
from verify.falsify.instances import CompositeInstance, broken_premises
from verify.falsify.promises import Outcome, evaluate, examined_in_balls, met, strict_margins, surely_met, tightness
from verify.falsify.scripts import composite_script
from verify.falsify.shrink import simpler_composites

Array = NDArray[np.float64]

RUN_SYMBOLS = {
    "s",
    "s_next",
    "r",
    "r_next",
    "g",
    "gap",
    "gap_next",
    "remaining",
    "summed",
    "lambda_min_k",
    "residual_floor",
    "steps",
}
GIVEN_SYMBOLS = {"L", "mu", "eta", "lambda0", "lambda_max", "beta", "s0", "R", "epsilon", "steps"}
PRECISIONS = (256, 1024, 4096)
INEXACT_STEPS = 24
SAMPLES = 120
SAMPLE_STEPS = 12


def tests(theorem: Theorem) -> bool:
    """Whether all that the theorem takes and claims is known along gradient descent on a composite problem."""
    given = {str(item.symbol.name) for item in theorem.quantities}
    if theorem.role is Role.ALONG:
        given -= {"Lambda", "rbar"} if "rbar" in given and "L" in given else set()
    known = GIVEN_SYMBOLS | RUN_SYMBOLS | {constant.name for constant in theorem.constants} | {"Lambda", "rbar"}
    sides = {symbol for claim in theorem.claims for symbol in (claim.measured - claim.bound).free_symbols}
    return given <= GIVEN_SYMBOLS and {str(symbol.name) for symbol in sides} <= known


def is_about_a_function_alone(theorem: Theorem) -> bool:
    """Whether the theorem speaks of h and a step only; F is then the identity."""
    return {str(item.symbol.name) for item in theorem.quantities} <= {"L", "mu", "eta"}


def losses(theorem: Theorem) -> list[str]:
    """The losses that a theorem is for; the square loss is a case of every one of them."""
    return ["square"] if theorem.loss_class is LossClass.SQUARE else list(LOSSES)


def _errors(theorem: Theorem) -> list[str]:
    return ["against", "with", "away", "aside"] if theorem.role is Role.INEXACT else ["none"]


def extremes(theorem: Theorem) -> list[Point]:
    """The scalar map sigma theta - beta theta^2/2, from nearly linear to q = 1, at steps from the largest to nearly none, with and
    without a kink at R; badly conditioned blocks with the target along the weakest direction; the same for every loss."""
    found = []
    alone = is_about_a_function_alone(theorem)
    inexact = theorem.role is Role.INEXACT
    for error, loss in product(_errors(theorem), ["square", "loose", "nonconvex 1.5"] if inexact else losses(theorem)):
        flat = [0.0] if loss == "square" or loss.startswith("nonconvex") else [0.3, 1.0, 5.0]
        sizes = [0.0] if loss in ("square", "quadratic") else [-2.0, 0.0, 1.0]
        scalar = Shape(1, 1, "identity" if alone else "blocks", loss, error=error)
        for flatness, size in product(flat, sizes):
            common = {"flatness": flatness, "size": size, "weight_0": 0.0}
            for share in (0.0, 0.3, 1.0, 2.0):
                if alone:
                    found.append(point(scalar, share=share, **common))
                    continue
                for quotient in (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0):
                    found.append(point(scalar, quotient=quotient, share=share, **common))
        if not alone:
            kinked = dataclasses.replace(scalar, kinked=True)
            found += [point(kinked, quotient=q, excess=9.0) for q in (0.0, 2.0, 6.0)]
            found += [point(kinked, quotient=q, share=2.0, excess=9.0) for q in (0.0, 2.0)]
            outward = dataclasses.replace(scalar, kind="outward")
            found += [point(outward, quotient=q, share=s) for q, s in product((-2.0, -1.0, 0.0, 1.0, 4.0), (0.0, 0.3))]
            growing = Shape(2, 2, "outward", loss, error=error)
            found += [point(growing, quotient=q, condition_1=c, target_1=0.0) for q, c in product((-1.0, 0.0, 2.0), (0.05, 0.3))]
            blocks = Shape(2, 3, "blocks", loss, error=error)
            pairs = product((-2.0, 0.0, 2.0), (0.0, 1.0, 4.0), (0.0, 1.0))
            weakest = {"target_0": 0.0, "bend_0": 0.1}
            found += [point(blocks, quotient=q, share=s, condition_1=c, **weakest) for q, c, s in pairs]
            found += [point(blocks, quotient=q, condition_1=c, weight_1=c, **weakest) for q, c in product((-2.0, 0.0), (0.3, 1.0))]
    if theorem.role is Role.INEXACT:
        found += [dataclasses.replace(one, vector=_with_error(one, e)) for one in list(found) for e in (-1.0, 0.5)]
    return found


def _with_error(one: Point, error: float) -> tuple[float, ...]:
    return tuple(error if name == "error" else value for name, value in zip(names(one.shape), one.vector, strict=True))


def draw(theorem: Theorem, generator: np.random.Generator, count: int) -> list[Point]:
    """Random points of random shapes, n <= 3, p <= 4; the shapes are few, so that instances run together."""
    sizes = [(1, 1), (1, 2), (2, 2), (2, 3), (3, 4)]
    kinds = ["identity"] if is_about_a_function_alone(theorem) else ["blocks", "outward", "rank one", "dense"]
    fitting, errors = losses(theorem), _errors(theorem)
    found = []
    for _ in range(count):
        n, p = sizes[generator.integers(len(sizes))]
        kind, loss, error = (options[generator.integers(len(options))] for options in (kinds, fitting, errors))
        p = n if kind == "identity" else p
        kinked = kind != "identity" and bool(generator.integers(4) == 0)
        found.append(drawn(Shape(n, p, kind, loss, kinked, error), generator))
    return found


def steps_for(theorem: Theorem) -> int:
    """How many steps are run: few where errors accumulate, one for a rate of a single step of a function."""
    return INEXACT_STEPS if theorem.role is Role.INEXACT else (4 if is_about_a_function_alone(theorem) else 160)


def tried(theorem: Theorem, points: Sequence[Point]) -> tuple[Array, list[CompositeInstance | None]]:
    """The largest tightness of every claim at every point, and the instances."""
    found = np.full((len(points), len(theorem.claims)), np.nan)
    if not points:
        return found, []
    instances = admitted(theorem, points, steps_for(theorem))
    by_size: dict[tuple[int, int], list[int]] = {}
    for row, instance in enumerate(instances):
        if instance is not None:
            by_size.setdefault(_size(instance), []).append(row)
    for rows in by_size.values():
        same = [instance for row in rows if (instance := instances[row]) is not None]
        found[rows] = _largest(theorem, same, descend(same))
    return found, instances


def _largest(theorem: Theorem, instances: Sequence[CompositeInstance], runs: Runs) -> Array:
    columns = []
    with np.errstate(all="ignore"):
        known, _ = evaluate(theorem, _values(instances, runs), BULK)
        for claim in theorem.claims:
            ratio = np.broadcast_to(tightness(claim, known, runs.noise), (len(instances), runs.symbols["s"].shape[1]))
            columns.append(np.max(np.where(np.isnan(ratio), -np.inf, ratio), axis=1))
    table = np.array(columns).T
    return np.where(np.isneginf(table), np.nan, table)


def examined(theorem: Theorem, instance: CompositeInstance, claim: Claim) -> Outcome | None:
    """The outcome of a claim, in balls of growing precision; None unless every premise and hypothesis is surely met."""
    outcome = None
    for bits in PRECISIONS:
        arithmetic = BallArithmetic(bits)
        with working_precision(bits):
            if broken_premises(instance) or (is_about_a_function_alone(theorem) and not _is_identity(instance)):
                return None
            runs = {name: np.array(column, dtype=object) for name, column in descend_in_balls(instance).items()}
            values = {name: arithmetic.numbers(value) for name, value in instance.exact_values().items()} | runs
            known, margins = evaluate(theorem, values, arithmetic)
            state = surely_met(theorem, margins)
            if state is False:
                return None
            outcome = examined_in_balls(claim, known, arithmetic) if state else None
            narrow = all(float(column[-1].rad()) < 1e-30 for column in runs.values())
        if outcome is not None and (outcome.violated or narrow):
            break
    return outcome


def samples(theorem: Theorem, points: Sequence[Point]) -> list[CompositeInstance]:
    """Instances at some of the points, and the same with a larger beta, a larger step, a smaller ball."""
    chosen = points[:: max(1, len(points) // SAMPLES)]
    found = [item for item in admitted(theorem, chosen, SAMPLE_STEPS) if item is not None]
    beyond = [dataclasses.replace(item, beta=1.3 * item.beta, radius=item.radius / 1.3) for item in found]
    beyond += [dataclasses.replace(item, step_size=1.2 * item.step_size) for item in found]
    return found + beyond + [dataclasses.replace(item, radius=0.8 * item.radius, kink=None) for item in found]


def sides(theorem: Theorem, instances: Sequence[CompositeInstance]) -> Sides:
    """Margins and rooms at the instances, flattened over steps."""
    margins: list[list[Array]] = [[] for _ in strict_margins(theorem)]
    rooms: list[list[tuple[Array, Array]]] = [[] for _ in theorem.claims]
    for _, group in groupby(sorted(instances, key=_size), key=_size):
        same = list(group)
        runs = descend(same)
        with np.errstate(all="ignore"):
            known, found = evaluate(theorem, _values(same, runs), BULK)
            for column, margin in zip(margins, found.values(), strict=True):
                column.append(np.broadcast_to(margin, runs.symbols["s"].shape).ravel())
            for pairs, claim in zip(rooms, theorem.claims, strict=True):
                pairs.append(_room(claim, known, runs.symbols["s"].shape))
    flat = [np.concatenate(column) for column in margins]
    applies = met(theorem, dict(zip(strict_margins(theorem), flat, strict=True)))
    joined = [(np.concatenate([x for x, _ in pairs]), np.concatenate([x for _, x in pairs])) for pairs in rooms]
    return Sides(applies, [(x, np.abs(x)) for x in flat], joined)


def _size(item: CompositeInstance) -> tuple[int, int]:
    return item.outputs, item.parameters


def _room(claim: Claim, known: Mapping[str, Array], shape: tuple[int, ...]) -> tuple[Array, Array]:
    measured, bound = (
        np.broadcast_to(evaluate_expression(side, known, BULK), shape).ravel() for side in (claim.measured, claim.bound)
    )
    return (measured - bound if claim.lower else bound - measured), np.abs(measured) + np.abs(bound)


def _values(instances: Sequence[CompositeInstance], runs: Runs) -> dict[str, Array]:
    exact = [item.exact_values() for item in instances]
    return {name: np.array([[float(row[name])] for row in exact]) for name in exact[0]} | runs.symbols


def _is_identity(instance: CompositeInstance) -> bool:
    return set(instance.singular) == {1.0} and not np.any(instance.tensor) and instance.kink is None


def described(instance: CompositeInstance) -> str:
    """The instance in one line."""
    bowl = instance.bowl
    parts = [f"n = {instance.outputs}, p = {instance.parameters}", f"singular values {_numbers(instance.singular)}"]
    parts += [f"beta {instance.beta:.6g}", f"target {_numbers(instance.target)}", f"L/mu {bowl.smoothness / bowl.mu:.4g}"]
    parts += [f"step {instance.step_size:.6g}", f"R {instance.radius:.6g}"]
    parts += [f"kink at {instance.kink.place:.6g}"] if instance.kink else []
    parts += [f"errors {instance.error} of {instance.epsilon:.3g}"] if instance.error != "none" else []
    return ", ".join(parts)


def _numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"


COMPOSITE = Family(
    name="composite problems",
    tests=tests,
    extremes=extremes,
    drawn=draw,
    kind=lambda one: one.shape,
    ranges=lambda one: ranges(one.shape),
    vector=lambda one: np.array(one.vector),
    moved=lambda one, vector: Point(one.shape, tuple(float(x) for x in vector)),
    tried=tried,
    examined=examined,
    samples=samples,
    sides=sides,
    simpler=simpler_composites,
    script=composite_script,
    described=described,
    as_json=CompositeInstance.as_json,
)
