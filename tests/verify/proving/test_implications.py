"""z3 and its translation: lemmas are proved, mutants refuted with counterexamples that hold water, nothing undecided passes."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
import sympy
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.catalogue import THEOREMS
from theorems.errors import InputError
from theorems.ledger import Growth, Implication
from theorems.lemmas import letters as n
from theorems.lemmas.composite import CLAIM
from theorems.lemmas.inexact import CONSERVED_1, c1
from verify.proving import implications
from verify.proving.exports import scalar_lemmas, smt_script
from verify.proving.implications import is_counterexample, prove, prove_growth
from verify.proving.outcome import Status
from verify.proving.translation import polynomial_to_z3, relation_to_z3

x, y, w = sympy.symbols("x y w", real=True)
LEMMAS = scalar_lemmas(list(THEOREMS.values()))


def mutant(lemma: Implication) -> Implication:
    return dataclasses.replace(lemma, conclusion=lemma.mutant)


def exact(values: dict) -> dict:
    return {symbol: (sympy.Rational(value), True) for symbol, value in values.items()}


@pytest.mark.parametrize("item", LEMMAS, ids=lambda item: item.lemma.name)
def test_a_lemma_is_proved_and_its_mutant_refuted(item) -> None:
    assert prove(item.lemma).status is Status.PROVED
    outcome = prove(mutant(item.lemma))
    assert outcome.status is Status.VIOLATED, outcome
    assert outcome.detail.startswith("false at ")


def test_kappa_squared_two_percent_too_large_is_refuted_in_rational_numbers() -> None:
    """omega = 1/2, rho = 7/16 make kappa = 4/5 rational; the larger kappa' = 101/125 fails at xi = kappa', w = omega, tau = 1."""
    lemma = CLAIM.evidence
    values = exact({n.omega: "1/2", n.w: "1/2", n.rho: "7/16", n.kappa: "4/5", n.xi: "101/125", n.tau: 1})
    assert is_counterexample(mutant(lemma), values)
    assert not is_counterexample(lemma, values)


def test_c1_without_sigma0_is_refuted_in_rational_numbers() -> None:
    """A linear map, one step against the gradient: s + sigma0 r rises by eta epsilon (sqrt(Lambda) + sigma0)."""
    lemma = CONSERVED_1.evidence
    values = exact(
        {n.beta: 0, n.bent: 0, n.eta: 1, n.epsilon: 1, n.y: 1, n.r: 0, n.d: 1, n.kappa: 1, n.z: 1, n.x: 0, n.s: 1, n.s_next: 2}
        | {n.sigma0: 1, c1: 2}
    )
    assert is_counterexample(mutant(lemma), values)
    assert not is_counterexample(lemma, values)


def test_a_counterexample_must_meet_every_premise() -> None:
    lemma = Implication("fact", (x >= 1, sympy.Eq(y**2, 2)), x + y >= 3, x >= 2)
    root = sympy.Rational(sympy.sqrt(2).n(80))
    assert is_counterexample(lemma, {x: (sympy.Integer(1), True), y: (root, False)})
    assert not is_counterexample(lemma, {x: (sympy.Integer(0), True), y: (root, False)})
    assert not is_counterexample(lemma, {x: (sympy.Integer(1), True), y: (root + sympy.Rational(1, 10**50), False)})
    assert not is_counterexample(lemma, {x: (sympy.Integer(1), True), y: (root, True)})  # sqrt(2) is not rational


def test_algebraic_counterexamples_are_believed() -> None:
    outcome = prove(Implication("fact", (sympy.Eq(x**2, 2), x > 0), 5 * x >= 8, x >= 2))
    assert outcome.status is Status.VIOLATED
    assert "x = 1.41421" in outcome.detail


def test_contradictory_premises_prove_nothing() -> None:
    outcome = prove(Implication("fact", (x > 1, x < 0), y >= 1, y >= 2))
    assert outcome.status is Status.UNDECIDED
    assert "contradict each other" in outcome.detail


@pytest.mark.parametrize("answers", [[z3.unknown], [z3.unsat, z3.unknown]])
def test_unknown_is_undecided(monkeypatch, answers) -> None:
    given_answers = iter(answers)
    monkeypatch.setattr(implications, "_ask", lambda constraints, seconds: (next(given_answers), None))
    assert prove(CLAIM.evidence).status is Status.UNDECIDED


def test_a_wrong_model_is_undecided(monkeypatch) -> None:
    """A solver that claims a counterexample without having one does not make a true lemma VIOLATED."""
    monkeypatch.setattr(implications, "is_counterexample", lambda lemma, values: False)
    outcome = prove(mutant(CLAIM.evidence))
    assert outcome.status is Status.UNDECIDED
    assert "not borne out" in outcome.detail


def test_growth_is_proved_only_from_zero_and_upwards() -> None:
    good = Growth("g", -sympy.log(1 - x) - x, x, sympy.Integer(1), -sympy.log(1 - x) - 2 * x)
    assert prove_growth(good).status is Status.PROVED
    for wrong in (good.mutant, good.expression - 1, good.expression + sympy.Rational(1, 100), sympy.log(1 - x) + x):
        assert prove_growth(dataclasses.replace(good, expression=wrong)).status is Status.UNDECIDED, wrong
    # The derivative must exist on the whole interval: ln(1 - x) ends at 1.
    assert prove_growth(dataclasses.replace(good, end=sympy.Integer(2))).status is Status.UNDECIDED


@pytest.mark.parametrize("lemma", [step.evidence for step in THEOREMS["A"].proof if isinstance(step.evidence, Growth)])
def test_mutants_of_growths_are_not_proved(lemma) -> None:
    assert prove_growth(dataclasses.replace(lemma, expression=lemma.mutant)).status is Status.UNDECIDED


@pytest.mark.parametrize(
    "wrong",
    [x / y, sympy.sqrt(x), x**y, sympy.exp(x), 0.5 * x, sympy.pi * x, sympy.Abs(x), x**1000, sympy.Symbol("A", commutative=False)],
    ids=str,
)
def test_only_polynomials_are_translated(wrong) -> None:
    with pytest.raises(InputError, match="polynomial"):
        polynomial_to_z3(wrong)


def test_only_relations_are_translated() -> None:
    for wrong in (sympy.Ne(x, y), sympy.true, sympy.Or(x > 0, y > 0)):
        with pytest.raises(InputError, match="relation must be"):
            relation_to_z3(wrong)


terms = st.recursive(
    st.sampled_from([x, y, w]) | st.fractions(-3, 3, max_denominator=7).map(lambda f: sympy.Rational(f.numerator, f.denominator)),
    lambda inner: (
        st.tuples(inner, inner).map(lambda p: p[0] + p[1])
        | st.tuples(inner, inner).map(lambda p: p[0] * p[1])
        | st.tuples(inner, st.integers(1, 4)).map(lambda p: p[0] ** p[1])
    ),
    max_leaves=8,
)
RELATIONS = {"<=": sympy.Le, "<": sympy.Lt, ">=": sympy.Ge, ">": sympy.Gt, "==": sympy.Eq}


@settings(max_examples=60)
@given(terms, terms, st.sampled_from(sorted(RELATIONS)), st.lists(st.fractions(-2, 2, max_denominator=5), min_size=3, max_size=3))
def test_translations_mean_what_sympy_means(left, right, sign, numbers) -> None:
    """To z3 and to SMT-LIB text: both decide a relation at a rational point as SymPy does."""
    relation = RELATIONS[sign](left, right)
    point = dict(zip((x, y, w), (sympy.Rational(f.numerator, f.denominator) for f in numbers), strict=True))
    if relation in (sympy.true, sympy.false):
        return
    expected = relation.subs(point) == sympy.true
    values = [(z3.Real(symbol.name), z3.Q(int(value.p), int(value.q))) for symbol, value in point.items()]
    assert z3.is_true(z3.simplify(z3.substitute(relation_to_z3(relation), *values))) == expected
    lemma = Implication("fact", (), relation, relation)
    *_, negated = z3.parse_smt2_string(smt_script(dataclasses.replace(LEMMAS[0], lemma=lemma)))
    assert z3.is_true(z3.simplify(z3.substitute(negated, *values))) == (not expected)


@given(st.fractions(-10, 10))
def test_numbers_are_exact(value) -> None:
    assert polynomial_to_z3(sympy.Rational(value.numerator, value.denominator)).as_fraction() == Fraction(value)
