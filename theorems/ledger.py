"""What stands behind each step of a proof: data that a machine can try, not prose.

A step says in words what it asserts; its evidence says how far that has been checked. Scalar algebra is an implication between
polynomial relations over the reals, decided by an SMT solver; identities are decided exactly by computer algebra; what needs
matrices, networks or functions is sampled on random instances; what is taken from the literature is assumed and says from where.
Here stands only what is asserted. ``verify.proving`` tries it.

Lemmas are polynomial: a square root z of e enters as z >= 0 and z z = e, a quotient t = a/b as t b = a. Their symbols are real and
nothing more, so every sign that a proof uses is one of its premises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sympy
from sympy.core.relational import Equality, GreaterThan, LessThan, Relational, StrictGreaterThan, StrictLessThan

RELATIONS = (Equality, GreaterThan, LessThan, StrictGreaterThan, StrictLessThan)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Implication:
    """The premises imply the conclusion, for all real values of the symbols.

    name: of the exported lemma, a lower-case identifier. reduction: in words, the normalization under which the general statement
    becomes this one; empty when there is none. mutant: a stronger conclusion that is false; the tests see it refuted, so that a
    solver that "proves" everything is found out.
    """

    name: str
    premises: tuple[Relational, ...]
    conclusion: Relational
    mutant: Relational
    reduction: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        for relation in (*self.premises, self.conclusion, self.mutant):
            assert isinstance(relation, RELATIONS), (
                f"{self.name}: {relation} is no relation between polynomials (SymPy decided it?)"
            )
            for side in (relation.lhs, relation.rhs):
                bad = [atom for atom in side.free_symbols if atom.is_positive is not None or not atom.is_real]
                assert not bad, f"{self.name}: the symbols must be declared real and nothing more, got {bad}"

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """Every symbol, by name."""
        found = set().union(*(relation.free_symbols for relation in (*self.premises, self.conclusion)))
        return tuple(sorted(found, key=lambda symbol: str(symbol.name)))


@dataclass(frozen=True)
class Growth:
    """An expression is >= 0 for 0 <= variable < end: it is 0 at 0, and its derivative, a rational function, is >= 0.

    expression: may hold logarithms, in one variable. By the mean value theorem it suffices that numerator times denominator of the
    derivative is >= 0 and the denominator not 0. mutant: a smaller expression that is negative somewhere.
    """

    name: str
    expression: sympy.Expr
    variable: sympy.Symbol
    end: sympy.Rational
    mutant: sympy.Expr

    def __post_init__(self) -> None:
        _check_name(self.name)
        assert self.expression.free_symbols == {self.variable}, f"{self.name}: one variable, got {self.expression}"
        assert self.end > 0, f"{self.name}: the interval must not be empty, got its end {self.end}"

    def lemmas(self) -> tuple[Implication, Implication]:
        """The two facts about the derivative."""
        derivative = sympy.cancel(sympy.together(sympy.diff(self.expression, self.variable)))
        numerator, denominator = sympy.fraction(derivative)
        interval = (self.variable >= 0, self.variable < self.end)
        sign, square = numerator * denominator, denominator**2
        # What they are at 0, where the interval begins, they do not exceed there.
        return (
            Implication(f"{self.name}_sign", interval, sign >= 0, sign > sign.subs(self.variable, 0)),
            Implication(f"{self.name}_defined", interval, square > 0, square > square.subs(self.variable, 0)),
        )


@dataclass(frozen=True)
class Compact:
    """An expression is > 0 on a box; shown by branch and bound with balls.

    expression: anything that ``theorems.programs`` evaluates. box: for each symbol its interval, with rational ends. reduction:
    why the box suffices, in words. mutant: a smaller expression that is not positive somewhere on the box.
    """

    name: str
    expression: sympy.Expr
    box: tuple[tuple[sympy.Symbol, sympy.Rational, sympy.Rational], ...]
    reduction: str
    mutant: sympy.Expr

    def __post_init__(self) -> None:
        _check_name(self.name)
        assert self.reduction.strip(), f"{self.name}: says why the box suffices"
        named = {symbol for symbol, _, _ in self.box}
        assert self.expression.free_symbols | self.mutant.free_symbols <= named, f"{self.name}: every symbol needs an interval"
        assert all(low <= high for _, low, high in self.box), f"{self.name}: an interval has its lower end first, got {self.box}"


@dataclass(frozen=True)
class Identity:
    """left = right wherever both are defined; rational functions, square roots, logarithms, also of noncommuting symbols."""

    left: sympy.Expr
    right: sympy.Expr

    def __post_init__(self) -> None:
        assert isinstance(self.left, sympy.Expr), self.left
        assert isinstance(self.right, sympy.Expr), self.right


@dataclass(frozen=True)
class Sampled:
    """Tried on ``count`` random instances by the sampler of that name in ``verify.proving.samplers``."""

    sampler: str
    count: int

    def __post_init__(self) -> None:
        assert self.count > 0, f"{self.sampler}: the number of instances must be positive, got {self.count}"


@dataclass(frozen=True)
class Assumed:
    """Taken from elsewhere; source: where it is proved."""

    source: str

    def __post_init__(self) -> None:
        assert self.source.strip(), "an assumption names its source"


Evidence = Implication | Growth | Compact | Identity | Sampled | Assumed

KINDS: dict[type, str] = {
    Implication: "algebra",
    Growth: "calculus",
    Compact: "compact",
    Identity: "identity",
    Sampled: "sampled",
    Assumed: "assumed",
}


@dataclass(frozen=True)
class ProofStep:
    """One step of a proof: what it asserts, and what stands behind it."""

    statement: str
    evidence: Evidence

    def __post_init__(self) -> None:
        assert self.statement.strip(), "a step of a proof says what it asserts"
        assert type(self.evidence) in KINDS, f"a step of a proof needs evidence, got {self.evidence!r}: {self.statement}"

    @property
    def kind(self) -> str:
        """How the step is checked, in one word."""
        return KINDS[type(self.evidence)]


def root(symbol: sympy.Symbol, radicand: sympy.Expr) -> tuple[Relational, ...]:
    """The premises that make a symbol the square root of an expression."""
    return (symbol >= 0, sympy.Eq(symbol**2, radicand))


def _check_name(name: str) -> None:
    assert _NAME.fullmatch(name), f"the name of a lemma is a lower-case identifier, got {name!r}"
