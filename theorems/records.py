"""What a theorem is here: a frozen record, stated once, from which checks, tables and documents are derived.

A record holds symbols, hypotheses, constants and claims as SymPy expressions. Constants are listed in the order in which
they can be computed: each may use the record's symbols and the constants before it. A hypothesis is a *margin*, an expression
that must be positive (``strict``) or nonnegative. A claim is a pair of expressions, measured and bound, over the constants
and over the quantities that a run provides at each step or mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import sympy

from theorems.ledger import ProofStep
from theorems.programs import Program, compile_program, evaluate

CERTIFICATE_CONSTANTS = {"Lambda", "kappa", "q", "rbar", "rate", "lambda_floor"}  # of every statement that certifies a run


class Scope(Enum):
    """When a claim is checked."""

    STEP = "at every recorded step"
    MARK = "at every mark, where the kernel and the signals are measured"
    LIMIT = "at the limit of the run"
    PRIOR = "before training"
    HELD_OUT = "after training, on points that were held out"


class Role(Enum):
    """What a statement is for."""

    CONVERGENCE = "certifies gradient descent"
    EXISTENCE = "certifies that a solution exists"
    INEXACT = "says what errors of the gradient can do to a certified run"
    ALONG = "holds along every certified run, whichever theorem certifies it"
    LIMIT = "says where every certified run ends, beside the nearest solution"
    LAZY = "compares every certified run with its start and with the linearized run"
    PRIOR = "holds before any weight is drawn, with a stated probability"
    GENERALIZATION = "bounds the loss of a trained network on unseen data"


class LossClass(Enum):
    """For which losses a statement is the one to use."""

    SQUARE = "the square loss, L = mu = 1"
    GENERAL = "any loss with constants L and mu"
    ANY = "every loss, the square loss included"


class Strength(Enum):
    """What kind of bound a theorem gives."""

    SHARP = "attained: no smaller q, radius, bound or threshold is valid without more information"
    PARTLY = "an upper bound, attained in the cases that the statement names and not known to be in others"
    UPPER = "an upper bound, not known to be attained"


@dataclass(frozen=True)
class Source:
    """Where a statement comes from: authors, year, title, stable identifier, and the place in it."""

    authors: str
    year: int
    title: str
    identifier: str
    place: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}), {self.title}, {self.identifier}; {self.place}"


@dataclass(frozen=True)
class Quantity:
    """A symbol of a record and what it stands for."""

    symbol: sympy.Symbol
    meaning: str


@dataclass(frozen=True)
class Hypothesis:
    """A condition ``margin > 0`` (or ``>= 0`` when not strict), with the sentence that states it."""

    id: str
    statement: str
    margin: sympy.Expr
    strict: bool = True


def is_met(margin: Any, strict: bool) -> Any:
    """Whether a margin is on its side: a truth value, or an array of them. NaN, and a ball across 0, are not."""
    return margin > 0 if strict else margin >= 0


@dataclass(frozen=True)
class Constant:
    """A named constant: its symbol, its formula, what it is.

    lower: a smaller value is the safe one, as of a step size, a floor or a factor of the decrease; of every other constant a larger
    one is, which makes no hypothesis easier and no promise stronger.
    """

    symbol: sympy.Symbol
    expression: sympy.Expr
    meaning: str
    lower: bool = False

    @property
    def name(self) -> str:
        """The name under which values of this constant travel."""
        return str(self.symbol.name)


@dataclass(frozen=True)
class Claim:
    """One inequality: ``measured <= bound``, or ``measured >= bound`` when ``lower`` is set.

    iterates: the bound is an
    increasing function of this quantity that bounds the quantity's next value; applied p times it bounds the value p steps on,
    which is what can still be decided where one step's decrease is below the error of measurement. nonlinear: both sides are 0 (or
    equal) for a map that is linear in its parameters, and only rounding would be compared.
    """

    id: str
    statement: str
    measured: sympy.Expr
    bound: sympy.Expr
    scope: Scope
    lower: bool = False
    iterates: sympy.Symbol | None = None
    nonlinear: bool = False


@dataclass(frozen=True)
class Theorem:
    """A statement with everything needed to check it, render it and cite it."""

    id: str
    title: str
    statement: str
    quantities: tuple[Quantity, ...]
    hypotheses: tuple[Hypothesis, ...]
    constants: tuple[Constant, ...]
    claims: tuple[Claim, ...]
    proof: tuple[ProofStep, ...]
    source: Source
    strength: Strength
    role: Role
    loss_class: LossClass = LossClass.ANY

    def __post_init__(self) -> None:
        assert self.proof, f"theorem {self.id} has no proof: a statement brings the steps of its proof (theorems.ledger)"
        assert all(isinstance(step, ProofStep) for step in self.proof), f"theorem {self.id}: a proof consists of ProofSteps"
        known = {quantity.symbol for quantity in self.quantities}
        for constant in self.constants:
            unknown = constant.expression.free_symbols - known
            assert not unknown, f"theorem {self.id}: {constant.name} uses {unknown} before their definition"
            known.add(constant.symbol)
        for hypothesis in self.hypotheses:
            unknown = hypothesis.margin.free_symbols - known
            assert not unknown, f"theorem {self.id}: hypothesis {hypothesis.id} uses unknown {unknown}"
        if self.role is Role.CONVERGENCE:
            missing = CERTIFICATE_CONSTANTS - {constant.name for constant in self.constants}
            assert not missing, f"theorem {self.id} certifies gradient descent and must define {missing}"

    def __repr__(self) -> str:
        return f"Theorem({self.id!r})"

    def claim(self, name: str) -> Claim:
        """The claim of that id, which the theorem has."""
        return next(claim for claim in self.claims if claim.id == name)

    def claim_about(self, measured: sympy.Expr) -> Claim | None:
        """The claim about this quantity, or None."""
        return next((claim for claim in self.claims if claim.measured == measured), None)

    def evaluate_constants(self, values: Mapping[str, Any], arithmetic: Any) -> dict[str, Any]:
        """Return ``values`` together with every constant, computed in the given arithmetic (scalars or arrays)."""
        known = dict(values)
        for constant in self.constants:
            known[constant.name] = evaluate_expression(constant.expression, known, arithmetic)
        return known

    def margins(self, values: Mapping[str, Any], arithmetic: Any) -> dict[str, Any]:
        """Return each hypothesis' margin, given the symbols' and the constants' values."""
        return {h.id: evaluate_expression(h.margin, values, arithmetic) for h in self.hypotheses}


@lru_cache(maxsize=4096)
def _program(expression: sympy.Expr) -> tuple[Program, tuple[str, ...]]:
    symbols = sorted(expression.free_symbols, key=lambda symbol: str(symbol.name))
    return compile_program([expression], symbols), tuple(str(symbol.name) for symbol in symbols)


def evaluate_expression(expression: sympy.Expr, values: Mapping[str, Any], arithmetic: Any) -> Any:
    """Evaluate one expression over named values in the given arithmetic, through the closed walker."""
    program, names = _program(expression)
    return evaluate(program, arithmetic, [values[name] for name in names])[0]
