"""Positivity on a box by branch and bound with balls: pieces are enclosed, and split where the enclosure does not tell."""

from __future__ import annotations

import heapq
import itertools
import math
from fractions import Fraction

from theorems.arithmetic import BALL, as_ball, ball
from theorems.ledger import Compact
from theorems.programs import compile_program, evaluate
from verify.proving.outcome import Outcome, Status

PIECES = 20_000

Piece = tuple[tuple[Fraction, Fraction], ...]


def prove_on_box(fact: Compact, pieces: int = PIECES) -> Outcome:
    """Try to show that the expression is > 0 on the whole box.

    PROVED when every piece has a positive enclosure; VIOLATED at a point where the enclosure is <= 0; UNDECIDED when the pieces
    are used up, as they are where the expression comes down to 0. A piece where it is not shown to be defined counts as one that
    does not tell.
    """
    by = "balls, branch and bound"
    symbols = [symbol for symbol, _, _ in fact.box]
    program = compile_program([fact.expression], symbols)
    whole: Piece = tuple((_fraction(low), _fraction(high)) for _, low, high in fact.box)
    pending, tickets = [(0.0, 0, whole)], itertools.count(1)  # the piece with the least lower bound first
    for count in range(1, pieces + 1):
        piece = heapq.heappop(pending)[2]
        middle = [(low + high) / 2 for low, high in piece]
        there = evaluate(program, BALL, [as_ball(coordinate) for coordinate in middle])[0]
        if there.is_finite() and there <= 0:
            words = ", ".join(f"{symbol} = {float(x):.6g}" for symbol, x in zip(symbols, middle, strict=True))
            return Outcome(Status.VIOLATED, by, f"not positive at {words}")
        for half in _halves(piece):
            value = evaluate(program, BALL, [ball(low, high) for low, high in half])[0]
            if not (value.is_finite() and value > 0):
                least = float(value.lower()) if value.is_finite() else -math.inf
                heapq.heappush(pending, (least, next(tickets), half))
        if not pending:
            return Outcome(Status.PROVED, by, f"{count} pieces")
    return Outcome(Status.UNDECIDED, by, f"not decided with {pieces} pieces")


def _halves(piece: Piece) -> list[Piece]:
    widest = max(range(len(piece)), key=lambda index: piece[index][1] - piece[index][0])
    low, high = piece[widest]
    middle = (low + high) / 2
    return [(*piece[:widest], part, *piece[widest + 1 :]) for part in ((low, middle), (middle, high))]


def _fraction(value: object) -> Fraction:
    return Fraction(int(value.p), int(value.q))  # type: ignore[attr-defined]
