"""Mixtures of laws."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

from theorems.errors import InputError
from theorems.laws.matrices import Row, rational, vector
from theorems.laws.record import Law


def mixture(weights: Any, laws: Any) -> Law:
    """Return the law that draws from ``laws[i]`` with probability ``weights[i]``/(sum of the weights).

    M_{2j} is the mean of theirs with these probabilities, and exists if and only if all of theirs do.

    Arguments: ``weights``, positive numbers, divided by their exact sum; ``laws``, as many records of one dimension.

    Raises InputError for anything else.
    """
    parts = tuple(laws) if isinstance(laws, list | tuple) else ()
    if not parts or not all(isinstance(part, Law) for part in parts):
        raise InputError(f"laws must be a sequence of at least one law, got {laws!r}")
    amounts = vector("weights", weights)
    if len(amounts) != len(parts):
        raise InputError(f"weights must have one entry for each of the {len(parts)} laws, got {len(amounts)}")
    for i, amount in enumerate(amounts):
        if amount <= 0:
            raise InputError(f"weights must be positive, got {amount} at [{i}]")
    for part in parts[1:]:
        if part.dimension != parts[0].dimension:
            raise InputError(f"laws must have one dimension, got {parts[0].dimension} and {part.dimension}")
    total = sum(amounts, start=Fraction(0))
    return _mixed(tuple(amount / total for amount in amounts), parts)


def _mixed(shares: Row, parts: tuple[Law, ...]) -> Law:
    def formula(j: int) -> sympy.Expr:
        return sympy.Add(*(rational(share) * part.even_moment(j) for share, part in zip(shares, parts, strict=True)))

    return Law(
        name="mixture",
        dimension=parts[0].dimension,
        parameters=(("weights", shares), ("laws", parts)),
        formula=formula,
        push=lambda _, map: _mixed(shares, tuple(part.push(part, map) for part in parts)),
        exists=lambda j: sympy.And(*(part.condition(j) for part in parts)),
        highest_moment=sympy.Min(*(part.highest_moment for part in parts)),
        note="drawn from one of several laws",
    )
