"""Mutants of a theorem: every constant, bound and hypothesis made a little wrong, to see which of them the instances can tell.

A mutant is the record with one thing changed: a constant, a claim's bound or a constant inside one claim scaled by 1 -/+ 1, 5, 20
and 50 percent; a hypothesis relaxed by as much, or tenfold; a term of a sum dropped or with its sign flipped. What depends on a
changed constant follows, because the record's formulas are evaluated and not its values. A mutant that is nowhere stronger than the
record (no margin larger, no claim tighter, compared at many instances) cannot be killed and is called weaker. The others are
killed, by an instance decided in balls, or they survive: there a sharper theorem may exist, or the search was not good enough.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theorems.records import Claim, Hypothesis, Strength, Theorem
from verify.falsify.families import Family, Sides
from verify.falsify.promises import DOMAIN
from verify.falsify.search import Counterexample, climb, decide

Array = NDArray[np.float64]

PERCENTS = (50, 20, 5, 1)
FIRST = 60  # points tried before the rest of the pool
ROUNDS = 6
CLIMBERS = 4
ROUNDING = 1e-12  # relative, below which two evaluations are the same


class Fate(Enum):
    """What became of a mutant; the value is what a reader sees."""

    KILLED = "killed"
    SURVIVES = "survives"
    WEAKER = "weaker: nothing that it says is more than the theorem says"
    UNTRIED = "not tried: no instance met its hypotheses"
    NO_EFFECT = "no effect: no claim and no hypothesis depends on it"


class Target(Enum):
    """What was changed."""

    CONSTANT = "constant"
    HYPOTHESIS = "hypothesis"
    BOUND = "bound of a claim"
    PART = "part of a claim"


@dataclass(frozen=True)
class Mutant:
    """A changed record: what was changed and how, by how many percent (None for a dropped or flipped term)."""

    target: Target
    name: str
    change: str
    percent: int | None
    theorem: Theorem


@dataclass(frozen=True)
class Trial:
    """A mutant, its fate, the counterexample that killed it, the largest ratio seen of any claim."""

    mutant: Mutant
    fate: Fate
    counterexample: Counterexample | None
    ratio: float


def is_required(theorem: Theorem, mutant: Mutant) -> bool:
    """Whether a theorem marked sharp stands for this mutant being killed: 1 percent off a constant, a hypothesis or a whole bound.

    ``Strength.SHARP`` says that q, the radius and the bounds are attained. It does not say so of every coefficient inside a bound.
    """
    return theorem.strength is Strength.SHARP and mutant.percent == 1 and mutant.target is not Target.PART


def mutants(theorem: Theorem) -> list[Mutant]:
    """All mutants of a completed record, each only once, the larger percentages first."""
    found: dict[tuple[Any, ...], Mutant] = {}
    for make in (_of_constants, _of_hypotheses, _of_claims):
        for mutant in make(theorem):
            changed = mutant.theorem
            if not _is_real(changed):
                continue
            key = (
                tuple(item.expression for item in changed.constants),
                tuple(item.margin for item in changed.hypotheses),
                tuple((claim.measured, claim.bound) for claim in changed.claims),
            )
            if key != _key(theorem):
                found.setdefault(key, mutant)
    return list(found.values())


def _key(theorem: Theorem) -> tuple[Any, ...]:
    return (
        tuple(item.expression for item in theorem.constants),
        tuple(item.margin for item in theorem.hypotheses),
        tuple((claim.measured, claim.bound) for claim in theorem.claims),
    )


def _is_real(theorem: Theorem) -> bool:
    """Whether no formula became infinite or imaginary by the change, as sqrt(-x) or 1/0."""
    sides = [item.expression for item in theorem.constants] + [item.margin for item in theorem.hypotheses]
    sides += [side for claim in theorem.claims for side in (claim.measured, claim.bound)]
    return not any(side.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo) for side in sides)


def _factors() -> Iterator[tuple[int, sympy.Rational, str]]:
    for sign in (-1, 1):
        for percent in PERCENTS:
            yield percent, 1 + sign * sympy.Rational(percent, 100), f"{'+' if sign > 0 else '-'}{percent}%"


def _of_constants(theorem: Theorem) -> Iterator[Mutant]:
    for index, constant in enumerate(theorem.constants):

        def changed(expression: sympy.Expr, index: int = index, constant: Any = constant) -> Theorem:
            item = dataclasses.replace(constant, expression=expression)
            return dataclasses.replace(theorem, constants=_put(theorem.constants, index, item))

        for percent, factor, change in _factors():
            yield Mutant(Target.CONSTANT, constant.name, change, percent, changed(constant.expression * factor))
        for change, expression in _without_terms(constant.expression):
            yield Mutant(Target.CONSTANT, constant.name, change, None, changed(expression))


def _of_hypotheses(theorem: Theorem) -> Iterator[Mutant]:
    """The terms with a plus sign grow, so that more is admitted; a root of the margin is continued by 0 beyond its domain."""
    for index, hypothesis in enumerate(theorem.hypotheses):
        positive, negative = _signed_terms(hypothesis.margin)
        if not negative or not positive or hypothesis == DOMAIN:
            continue
        for percent in PERCENTS:
            margin = (1 + sympy.Rational(percent, 100)) * sympy.Add(*positive) + sympy.Add(*negative)
            yield _relaxed(theorem, index, hypothesis, margin, f"relaxed by {percent}%", percent)
        tenfold = 10 * sympy.Add(*positive) + sympy.Add(*negative)
        yield _relaxed(theorem, index, hypothesis, tenfold, "relaxed tenfold", None)


_EVERYWHERE = dataclasses.replace(DOMAIN, margin=sympy.Integer(1))


def _relaxed(theorem: Theorem, index: int, hypothesis: Hypothesis, margin: sympy.Expr, change: str, percent: int | None) -> Mutant:
    root, continued = sympy.sqrt(hypothesis.margin), sympy.sqrt(sympy.Max(hypothesis.margin, 0))

    def beyond(expression: sympy.Expr) -> sympy.Expr:
        return expression.subs(root, continued) if hypothesis.id.startswith("q") else expression

    hypotheses = _put(theorem.hypotheses, index, dataclasses.replace(hypothesis, margin=margin))
    if hypothesis.id.startswith("q"):  # beyond q = 1 the continued rbar exceeds sigma0/beta
        hypotheses = tuple(item for item in hypotheses if item != DOMAIN) + ((_EVERYWHERE,) if DOMAIN in hypotheses else ())
    relaxed = dataclasses.replace(
        theorem,
        hypotheses=hypotheses,
        constants=tuple(dataclasses.replace(item, expression=beyond(item.expression)) for item in theorem.constants),
        claims=tuple(dataclasses.replace(item, bound=beyond(item.bound)) for item in theorem.claims),
    )
    return Mutant(Target.HYPOTHESIS, hypothesis.id, change, percent, relaxed)


def _of_claims(theorem: Theorem) -> Iterator[Mutant]:
    settled = {constant.symbol for constant in theorem.constants} or {item.symbol for item in theorem.quantities}
    for index, claim in enumerate(theorem.claims):

        def changed(index: int = index, claim: Claim = claim, **sides: sympy.Expr) -> Theorem:
            return dataclasses.replace(theorem, claims=_put(theorem.claims, index, dataclasses.replace(claim, **sides)))

        for percent, factor, change in _factors():
            yield Mutant(Target.BOUND, claim.id, f"bound {change}", percent, changed(bound=claim.bound * factor))
            for side in ("bound", "measured"):
                expression = getattr(claim, side)
                for symbol in sorted(expression.free_symbols & settled, key=str):
                    scaled = expression.subs(symbol, factor * symbol)
                    yield Mutant(Target.PART, claim.id, f"{symbol} {change}", percent, changed(**{side: scaled}))
        for side in ("bound", "measured"):
            for change, expression in _without_terms(getattr(claim, side)):
                yield Mutant(Target.PART, claim.id, change, None, changed(**{side: expression}))


def _without_terms(expression: sympy.Expr) -> Iterator[tuple[str, sympy.Expr]]:
    """Every sum inside the expression with one term dropped, and with its sign flipped."""
    for total in sorted(expression.atoms(sympy.Add), key=sympy.default_sort_key):
        for term in total.args:
            yield f"without {term} in {total}", expression.subs(total, total - term)
            yield f"with {-term} for {term} in {total}", expression.subs(total, total - 2 * term)


def _signed_terms(margin: sympy.Expr) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
    terms = sympy.Add.make_args(margin)
    negative = [term for term in terms if term.could_extract_minus_sign()]
    return [term for term in terms if term not in negative], negative


def _put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    return (*items[:index], item, *items[index + 1 :])


def try_mutants(
    family: Family,
    theorem: Theorem,
    points: Sequence[Any],
    generator: np.random.Generator,
    wanted: Callable[[Mutant], bool] = lambda mutant: True,
    rounds: int = ROUNDS,
    progress: Callable[[str], None] = lambda stage: None,
) -> list[Trial]:
    """The fate of every wanted mutant. points: what they are tried on, the extremes first."""
    trials: list[Trial] = []
    survivors: set[tuple[Target, str, str]] = set()
    samples = family.samples(theorem, points)
    before = family.sides(theorem, samples)
    chosen = [mutant for mutant in mutants(theorem) if wanted(mutant)]
    for number, mutant in enumerate(chosen):
        progress(f"mutant {number + 1} of {len(chosen)}")
        fate, columns = _compared(before, family.sides(mutant.theorem, samples))
        if fate is not None:
            trials.append(Trial(mutant, fate, None, np.nan))
            continue
        # A change that survives at 50 percent is not hunted again at 1: the smaller change is the harder one to kill.
        series = (mutant.target, mutant.name, mutant.change.replace(f"{mutant.percent}%", ""))
        climbing = rounds if series not in survivors or is_required(theorem, mutant) else 0
        trial = _attack(family, mutant, columns, points, generator, climbing)
        if trial.fate in (Fate.SURVIVES, Fate.UNTRIED):
            survivors.add(series)
        trials.append(trial)
    return trials


def _compared(before: Sides, after: Sides) -> tuple[Fate | None, list[int]]:
    """WEAKER or NO_EFFECT where nothing is stronger at any instance, else None and the claims in which it may show.

    Stronger: a margin is larger, so that more is admitted and every claim says more, or a claim has less room where it applies.
    """
    claims = range(len(before.rooms))
    everywhere = np.ones_like(after.applies)
    margins = [_change(old, new, everywhere) for old, new in zip(before.margins, after.margins, strict=True)]
    rooms = [_change(new, old, after.applies) for old, new in zip(before.rooms, after.rooms, strict=True)]
    if any(grown for grown, _ in margins):
        return None, list(claims)
    tighter = [index for index in claims if rooms[index][0]]
    if tighter:
        return None, tighter
    return (Fate.WEAKER if any(changed for _, changed in (*margins, *rooms)) else Fate.NO_EFFECT), []


def _change(old: tuple[Array, Array], new: tuple[Array, Array], where: NDArray[np.bool_]) -> tuple[bool, bool]:
    """Whether the first is somewhere below the second by more than rounding, and whether they differ; pairs (value, scale)."""
    with np.errstate(all="ignore"):
        difference = np.where(where, (new[0] - old[0]) / (old[1] + new[1]), 0.0)
    differ = np.any(np.abs(difference) > ROUNDING) or np.any(np.isnan(new[0]) != np.isnan(old[0]))
    return bool(np.any(difference > ROUNDING)), bool(differ)


def _attack(
    family: Family, mutant: Mutant, columns: list[int], points: Sequence[Any], generator: np.random.Generator, rounds: int
) -> Trial:
    theorem = dataclasses.replace(mutant.theorem, claims=tuple(mutant.theorem.claims[column] for column in columns))
    tables: list[Array] = []
    for part in (points[:FIRST], points[FIRST:]):
        if part:
            rows, instances = family.tried(theorem, part)
            tables.append(rows)
            found = decide(family, theorem, instances, rows, shrink=False, proofs=3)
            if found is not None:
                return Trial(mutant, Fate.KILLED, found, _largest(np.vstack(tables)))
    table = np.vstack(tables)
    if rounds and np.any(np.isfinite(table)):
        chosen = [(int(np.nanargmax(table[:, column])), column) for column in range(len(columns)) if np.any(table[:, column] > 0)]
        chosen.sort(key=lambda pair: -table[pair])
        starts, along = [points[row] for row, _ in chosen[:CLIMBERS]], [column for _, column in chosen[:CLIMBERS]]
        ends = climb(family, theorem, starts, along, rounds, generator)
        rows, instances = family.tried(theorem, ends)
        found = decide(family, theorem, instances, rows, shrink=False, proofs=3)
        table = np.vstack([table, rows])
        if found is not None:
            return Trial(mutant, Fate.KILLED, found, _largest(table))
    tried = not np.all(np.isnan(table))
    return Trial(mutant, Fate.SURVIVES if tried else Fate.UNTRIED, None, _largest(table) if tried else np.nan)


def _largest(table: Array) -> float:
    finite = table[np.isfinite(table)]
    return float(finite.max()) if finite.size else 0.0
