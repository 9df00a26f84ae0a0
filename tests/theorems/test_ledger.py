"""The ledger's data: no record without a proof, no step without evidence, no lemma that SymPy has decided by itself."""

from __future__ import annotations

import dataclasses

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theorems.catalogue import THEOREMS
from theorems.ledger import Assumed, Compact, Growth, Identity, Implication, ProofStep, Sampled, root

x, y = sympy.symbols("x y", real=True)
NAMES = sorted(THEOREMS)
FACT = Implication("fact", (x >= 1,), x**2 >= 1, x**2 >= 2)


def evidence(kind: type) -> list:
    return list({step.evidence: None for name in NAMES for step in THEOREMS[name].proof if isinstance(step.evidence, kind)})


def test_a_record_without_proof_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"theorem N has no proof"):
        dataclasses.replace(THEOREMS["N"], proof=())


@pytest.mark.parametrize("wrong", [(None,), ("algebra",), (("algebra", "it is clear"),)])
def test_a_proof_consists_of_steps(wrong) -> None:
    with pytest.raises(AssertionError, match=r"theorem N: a proof consists of ProofSteps"):
        dataclasses.replace(THEOREMS["N"], proof=wrong)


@pytest.mark.parametrize("wrong", [None, "z3", x >= 0])
def test_a_step_without_evidence_is_refused(wrong) -> None:
    with pytest.raises(AssertionError, match="needs evidence"):
        ProofStep("it is clear", wrong)


def test_a_step_says_what_it_asserts() -> None:
    with pytest.raises(AssertionError, match="says what it asserts"):
        ProofStep(" ", FACT)


# The analytic facts, about all maps and all functions h: nothing else in these proofs is sampled.
ON_MAPS = ("smallest singular value on a ball", "gradient of J against the gradient of h")
ON_H = ("smoothness of h", "gradient of h against its gap", "residual is Lipschitz")
SAMPLED = {
    "A": {*ON_MAPS, *ON_H, "remainder of the linearization", "whole and shortened steps of A"},
    "A-square": {ON_MAPS[0], "remainder of the linearization", "whole and shortened steps of A-square"},
    "A+": {*ON_MAPS, *ON_H, "remainder of the linearization", "whole and shortened steps of A+"},
    "A0": {*ON_MAPS, ON_H[1], "gradient of J is Lipschitz", "descent of J", "whole and shortened steps of A0"},
    "A1": {*ON_MAPS, *ON_H, "remainder of an inexact step", "whole and shortened steps of A1"},
    "N": {"restriction to the range", "inverse near a point", "remainder of the linearization"},
}


@pytest.mark.parametrize("name", SAMPLED)
def test_scalar_cores_are_proved_and_only_analytic_facts_are_sampled(name: str) -> None:
    """And at most one step is assumed: that a bounded path has a limit."""
    proof = THEOREMS[name].proof
    assert {step.evidence.sampler for step in proof if isinstance(step.evidence, Sampled)} == SAMPLED[name]
    assert sum(isinstance(step.evidence, Assumed) for step in proof) <= 1
    assert sum(isinstance(step.evidence, (Implication, Growth, Compact)) for step in proof) >= 6


def test_names_of_lemmas_are_unique() -> None:
    names = [item.name for kind in (Implication, Growth, Compact) for item in evidence(kind)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("lemma", evidence(Implication), ids=lambda lemma: lemma.name)
def test_a_lemma_is_exact_and_its_mutant_is_another_statement(lemma) -> None:
    for relation in (*lemma.premises, lemma.conclusion, lemma.mutant):
        assert not relation.atoms(sympy.Float)
        assert relation.free_symbols <= set(lemma.symbols)
    assert lemma.mutant != lemma.conclusion


def test_a_symbol_with_a_sign_is_refused() -> None:
    positive = sympy.Symbol("p", positive=True)
    with pytest.raises(AssertionError, match="declared real and nothing more"):
        Implication("fact", (positive > x,), positive**2 > x, positive > x + 1)
    with pytest.raises(AssertionError, match="declared real and nothing more"):
        Implication("fact", (sympy.Symbol("c") >= 1,), x**2 >= 1, x >= 1)


def test_a_relation_that_sympy_decides_is_refused() -> None:
    """x^2 >= 0 becomes True for a real x: nothing would be left to prove."""
    with pytest.raises(AssertionError, match="SymPy decided it"):
        Implication("fact", (x >= 1,), x**2 >= 0, x >= 1)
    with pytest.raises(AssertionError, match="SymPy decided it"):
        Implication("fact", (sympy.Integer(1) > 0,), x >= 1, x >= 1)


@pytest.mark.parametrize("name", ["", "Fact", "a-b", "1a", "a b", "a/../b"])
def test_a_name_is_an_identifier(name) -> None:
    with pytest.raises(AssertionError, match="lower-case identifier"):
        dataclasses.replace(FACT, name=name)


def test_evidence_is_checked_when_it_is_made() -> None:
    with pytest.raises(AssertionError, match="must be positive"):
        Sampled("forward drift", 0)
    with pytest.raises(AssertionError, match="names its source"):
        Assumed(" ")
    with pytest.raises(AssertionError, match="one variable"):
        Growth("g", x * y, x, sympy.Integer(1), x)
    with pytest.raises(AssertionError, match="must not be empty"):
        Growth("g", x, x, sympy.Integer(0), x)
    with pytest.raises(AssertionError, match="needs an interval"):
        Compact("c", x + y, ((x, sympy.Integer(0), sympy.Integer(1)),), "all of it", x)
    with pytest.raises(AssertionError, match="lower end first"):
        Compact("c", x, ((x, sympy.Integer(1), sympy.Integer(0)),), "all of it", x)
    with pytest.raises(AssertionError, match="why the box suffices"):
        Compact("c", x, ((x, sympy.Integer(0), sympy.Integer(1)),), "", x)


@given(st.fractions(0, 100))
def test_a_root_is_the_nonnegative_one(value) -> None:
    sign, square = root(y, x)
    exact = sympy.Rational(value.numerator, value.denominator)
    point = {x: exact**2, y: exact}
    assert sign.subs(point) == square.subs(point) == sympy.true
    if exact:
        assert sign.subs(y, -exact) == sympy.false


def test_the_lemmas_of_a_growth_are_about_its_derivative() -> None:
    fact = Growth("g", -sympy.log(1 - x) - x, x, sympy.Integer(1), -sympy.log(1 - x) - 2 * x)
    sign, defined = fact.lemmas()
    for value in (sympy.Rational(1, 3), sympy.Rational(9, 10)):
        derivative = value / (1 - value)  # by hand
        assert sign.conclusion.lhs.subs(x, value) / defined.conclusion.lhs.subs(x, value) == derivative
    assert sign.premises == (x >= 0, x < 1)


def test_identities_hold_numerically_at_a_point() -> None:
    """The oracle is arithmetic: both sides in 50 digits, at one positive point where q < 1."""
    for item in evidence(Identity):
        symbols = sorted(item.left.free_symbols | item.right.free_symbols, key=str)
        if not all(symbol.is_commutative for symbol in symbols):
            continue
        for scale in (97, 101):
            point = {symbol: sympy.Rational(37 + 7 * index, scale * (3 + index)) for index, symbol in enumerate(symbols)}
            difference = sympy.N(item.left.subs(point) - item.right.subs(point), 50)
            assert abs(difference) < 1e-40, item
