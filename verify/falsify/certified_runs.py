"""Many composite instances at once, each with a run that a theorem certifies: what B and C are tested on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from theorems.records import Theorem, evaluate_expression
from verify.falsify.bulk import BULK
from verify.falsify.families import Sides
from verify.falsify.instances import CompositeInstance
from verify.falsify.promises import evaluate, met

Array = NDArray[np.float64]
Values = dict[str, Array]


def certified_symbols(items: Sequence[CompositeInstance]) -> Values:
    """What Theorem A reads, but for s_0: a column (B, 1) a symbol."""
    exact = [item.exact_values() for item in items]
    names = ("L", "mu", "lambda0", "lambda_max", "beta", "eta", "R")
    return {name: np.array([[float(row[name])] for row in exact]) for name in names}


def of_one_size(items: Sequence[CompositeInstance]) -> list[list[int]]:
    """The rows of the instances of each n and p."""
    groups: dict[tuple[int, int], list[int]] = {}
    for row, item in enumerate(items):
        groups.setdefault((item.outputs, item.parameters), []).append(row)
    return list(groups.values())


def sides_over(theorem: Theorem, values: Values, shape: tuple[int, ...]) -> Sides:
    """Margins and rooms at instances with these values, over every step of a run: broadcast to ``shape`` and flattened."""
    with np.errstate(all="ignore"):
        known, margins = evaluate(theorem, values, BULK)
        rooms = []
        for claim in theorem.claims:
            both = (evaluate_expression(side, known, BULK) for side in (claim.measured, claim.bound))
            left, right = (np.broadcast_to(side, shape).ravel() for side in both)
            rooms.append((left - right if claim.lower else right - left, np.abs(left) + np.abs(right)))
        flat = {name: np.broadcast_to(margin, shape).ravel() for name, margin in margins.items()}
    return Sides(met(theorem, flat), [(x, np.abs(x)) for x in flat.values()], rooms)
