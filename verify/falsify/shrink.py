"""From a counterexample to a small one: fewer outputs, parameters and steps, no kink, zeros, and numbers of few digits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from theorems.records import Claim, Theorem
from verify.falsify.families import Family
from verify.falsify.instances import CompositeInstance, Kink
from verify.falsify.promises import Outcome

ATTEMPTS = 400


def shrunk(family: Family, theorem: Theorem, claim: Claim, instance: Any, found: Outcome) -> tuple[Any, Outcome]:
    """The smallest instance reached that still is a counterexample of the same claim, every attempt decided in balls."""
    attempts, progress = 0, True
    while progress and attempts < ATTEMPTS:
        progress = False
        for candidate in family.simpler(instance, found):
            attempts += 1
            outcome = family.examined(theorem, candidate, claim)
            if outcome is not None and outcome.violated:
                instance, found, progress = candidate, outcome, True
                break
            if attempts >= ATTEMPTS:
                break
    return instance, found


def rounded(value: float) -> Iterator[float]:
    """Shorter numbers near the value: 1, powers of ten, and 1, 2 and 3 significant digits, nearest and to either side."""
    if value == 0 or not np.isfinite(value):
        return
    power = 10.0 ** np.floor(np.log10(abs(value)))
    candidates = [np.copysign(x, value) for x in (1.0, power, 10 * power)]
    for digits in (1, 2, 3):
        unit = power * 10.0 ** (1 - digits)
        candidates += [whole * unit for whole in (np.round(value / unit), np.floor(value / unit), np.ceil(value / unit))]
    for candidate in candidates:
        nicer = float(f"{candidate:.3g}")
        if nicer != 0 and len(repr(nicer)) < len(repr(value)):
            yield nicer


def simpler_composites(item: CompositeInstance, found: Outcome) -> Iterator[CompositeInstance]:
    """Simpler neighbors of a composite instance, the largest simplifications first."""
    change = dataclasses.replace
    if item.outputs > 1:
        for i in range(item.outputs):
            keep = [i, *(j for j in range(item.parameters) if j != i)][: item.parameters - item.outputs + 1]
            weights = (item.bowl.weights[i],)
            bowl = change(item.bowl, weights=weights)
            tensor = item.tensor[i][np.ix_(keep, keep)][None]
            kink = item.kink if i == 0 else None
            yield change(item, singular=(item.singular[i],), tensor=tensor, target=(item.target[i],), bowl=bowl, kink=kink)
    if item.parameters > item.outputs:
        yield change(item, tensor=item.tensor[:, :-1, :-1])
    if item.kink is not None:
        yield change(item, kink=None)
    for steps in (found.step + 1, item.steps // 2, item.steps - 1):
        if 0 < steps < item.steps:
            yield change(item, steps=steps)
    if item.steps > 1:
        yield change(item, step_size=2 * item.step_size, steps=(item.steps + 1) // 2)
    for entry in np.argwhere(item.tensor):
        i, j, k = (int(x) for x in entry)
        if j <= k:
            yield change(item, tensor=_with_entry(item, i, j, k, 0.0))
    yield from _rounder(item)


def _with_entry(item: CompositeInstance, i: int, j: int, k: int, value: float) -> Any:
    tensor = item.tensor.copy()
    tensor[i, j, k] = tensor[i, k, j] = value
    return tensor


def _rounder(item: CompositeInstance) -> Iterator[CompositeInstance]:
    change = dataclasses.replace
    for nicer in rounded(item.beta):  # the map bends with its constant
        yield change(item, beta=nicer, tensor=item.tensor * (nicer / item.beta))
    for i, j, k in (tuple(int(x) for x in entry) for entry in np.argwhere(item.tensor)):
        if j <= k:
            for nicer in rounded(float(item.tensor[i, j, k])):
                yield change(item, tensor=_with_entry(item, i, j, k, nicer))
    replace: list[tuple[float, Callable[[float], CompositeInstance]]] = [
        (item.step_size, lambda x: change(item, step_size=x)),
        (item.epsilon, lambda x: change(item, epsilon=x)),
    ]
    if item.kink is None:
        replace.append((item.radius, lambda x: change(item, radius=x)))
    else:
        steepness, place = item.kink.steepness, item.kink.place
        replace.append((place, lambda x: change(item, radius=x, kink=Kink(x, steepness))))
        replace.append((steepness, lambda x: change(item, kink=Kink(place, x))))
    for index in range(item.outputs):
        replace.append((item.singular[index], partial(_with_singular, item, index)))
        replace.append((item.target[index], partial(_with_target, item, index)))
    bowl = item.bowl
    if set(bowl.weights) == {bowl.mu} and not (bowl.sine_squared or bowl.log_cosh or bowl.pseudo_huber):
        replace.append((bowl.mu, lambda x: change(item, bowl=change(bowl, weights=(x,) * len(bowl.weights), mu=x))))
        replace.append((bowl.smoothness, lambda x: change(item, bowl=change(bowl, smoothness=x))))
    for value, put in replace:
        for nicer in rounded(value):
            yield put(nicer)


def _with_singular(item: CompositeInstance, index: int, value: float) -> CompositeInstance:
    return dataclasses.replace(item, singular=_put(item.singular, index, value))


def _with_target(item: CompositeInstance, index: int, value: float) -> CompositeInstance:
    return dataclasses.replace(item, target=_put(item.target, index, value))


def _put(values: tuple[float, ...], index: int, value: float) -> tuple[float, ...]:
    return (*values[:index], value, *values[index + 1 :])
