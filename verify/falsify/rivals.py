"""Bounds with a short proof, against which a theorem that is marked sharp must stand.

A theorem can be false in a second way without being violated: it says that its bound is attained, and a smaller bound is proved.
Then no instance attains it. The rivals here are elementary; each carries its proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import sympy

from theorems.arithmetic import BALL
from theorems.records import Hypothesis, Strength, Theorem, evaluate_expression, is_met
from theorems.statements.notation import L, eta, gap, gap_next, mu


@dataclass(frozen=True)
class Rival:
    """A proved upper bound of ``measured`` over the symbols of a statement, where its hypotheses hold."""

    name: str
    statement: str
    proof: str
    measured: sympy.Expr
    bound: sympy.Expr
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True)
class Domination:
    """Where a rival is smaller than a bound marked sharp: the claim, the rival, the symbols' values and both bounds at gap 1."""

    claim: str
    rival: Rival
    values: dict[str, Fraction]
    bound: float
    smaller: float


TEXTBOOK = Rival(
    name="one step of gradient descent on an L-smooth, mu-PL function",
    statement="h(y_+) - h* <= (1 - mu eta (2 - L eta)) (h(y) - h*) for 0 < eta < 2/L",
    proof=(
        "descent lemma: h(y_+) <= h(y) - eta (1 - L eta/2) |grad h|^2; the factor is positive, and |grad h|^2 >= 2 mu (h(y) - h*)"
    ),
    measured=gap_next,
    bound=(1 - mu * eta * (2 - L * eta)) * gap,
    hypotheses=(Hypothesis("step", "eta < 2/L", 2 - L * eta), Hypothesis("constants", "mu <= L", L - mu, strict=False)),
)

RIVALS = (TEXTBOOK,)

_TENTHS = tuple(Fraction(k, 10) for k in range(1, 20))


def dominated(theorem: Theorem) -> Domination | None:
    """The place, on a grid with L = 1, where a proved bound is smallest beside one of a theorem marked sharp; decided in balls."""
    given = {str(item.symbol.name) for item in theorem.quantities}
    if theorem.strength is not Strength.SHARP or not given <= {"L", "mu", "eta"}:
        return None
    best: Domination | None = None
    for claim, rival in product(theorem.claims, RIVALS):
        if claim.measured != rival.measured or claim.lower:
            continue
        for m, step in product(_TENTHS[:10], _TENTHS):
            values = {"L": Fraction(1), "mu": m, "eta": step}
            known = theorem.evaluate_constants({name: BALL.numbers(value) for name, value in values.items()}, BALL)
            known["gap"] = BALL.numbers(1)
            margins = [_is_met(item, known) for item in (*theorem.hypotheses, *rival.hypotheses)]
            bound, smaller = (evaluate_expression(side, known, BALL) for side in (claim.bound, rival.bound))
            if all(margins) and smaller < bound:
                found = Domination(claim.id, rival, values, float(bound.mid()), float(smaller.mid()))
                if best is None or found.bound / found.smaller > best.bound / best.smaller:
                    best = found
    return best


def _is_met(hypothesis: Hypothesis, known: dict[str, Any]) -> bool:
    margin = evaluate_expression(hypothesis.margin, known, BALL)
    return bool(is_met(margin, hypothesis.strict))
