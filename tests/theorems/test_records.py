"""Every record of the catalogue is well formed, and every record defined in the package is in the catalogue."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import theorems.statements
from theorems.arithmetic import BALL, FLOAT, SYMBOLIC, lower, upper
from theorems.catalogue import THEOREMS, theorem
from theorems.errors import InputError
from theorems.ledger import KINDS
from theorems.programs import compile_program
from theorems.records import Constant, Hypothesis, LossClass, Role, Scope, Strength, Theorem, evaluate_expression
from theorems.statements.apriori import PRIOR_QUANTITIES
from theorems.statements.generalization import GENERALIZATION_QUANTITIES
from theorems.statements.implicit import LIMIT_QUANTITIES
from theorems.statements.lazy import LAZY_QUANTITIES
from theorems.statements.notation import RUN_QUANTITIES, beta
from theorems.statements.threshold import THRESHOLD_QUANTITIES
from verify.strategies import composite_problems
from verify.tables.reference import REFERENCE

EPS = np.finfo(np.float64).eps
NAMES = sorted(THEOREMS)
MEASURED = {
    Role.PRIOR: (*PRIOR_QUANTITIES, *THRESHOLD_QUANTITIES),
    Role.GENERALIZATION: GENERALIZATION_QUANTITIES,
    Role.LIMIT: LIMIT_QUANTITIES,
    Role.LAZY: LAZY_QUANTITIES,
}
CONVERGENCE = [name for name in NAMES if THEOREMS[name].role is Role.CONVERGENCE]

# The ids on which results, reports and readers rely.
CLAIM_IDS = {
    "A": ["A-a", "A-b", "A-c", "A-d", "A-e"],
    "A-square": ["A-a", "A-b", "A-c", "A-d", "A-e"],
    "A+": ["A+-a", "A+-b", "A+-c", "A+-e"],
    "A0": ["A0-a", "A0-b", "A0-c", "A0-d", "A0-e"],
    "A0-descent": ["A0-descent"],
    "E": ["E-forward", "E-jacobian", "E-kernel", "C1"],
    "N": [],
    "B1": ["B1"],
    "B2": ["B2", "B2-second"],
    "B3": ["B3"],
    "B4": ["B4", "B4-second"],
    "B5": ["B5"],
    "C2": ["C2", "C2-layers", "C2-neurons"],
    "C3": ["C3", "C3-sum"],
    "F": ["F-jacobian", "F-kernel", "F-ball", "F-path", "F-descent-path", "F-descent-quotient"],
    "F-moments": ["F-markov", "F-chebyshev", "F-cantelli"],
    "F-chernoff": ["F-tail"],
    "F-width": ["F-refused", "F-certified"],
    "F-any-step": ["any-certified", "any-refused", "any-quotient", "any-path"],
    "F-scale": ["scale-output", "scale-labels", "scale-initial"],
    "G-step": ["G-admissible", "G-quotient"],
    "G-persistence": ["persists-quotient", "persists-path", "persists-rate"],
    "H1": ["H1-risk"],
    "H2": ["H2-lipschitz", "H2-risk"],
}


def defined() -> dict[str, Theorem]:
    """Every Theorem at the top level of a module of theorems.statements, by "module.name"."""
    found = {}
    for information in pkgutil.walk_packages(theorems.statements.__path__, "theorems.statements."):
        module = importlib.import_module(information.name)
        found |= {f"{information.name}.{name}": item for name, item in vars(module).items() if isinstance(item, Theorem)}
    return found


def test_every_theorem_defined_is_in_the_catalogue() -> None:
    missing = {place for place, item in defined().items() if THEOREMS.get(item.id) is not item}
    assert not missing
    assert {item.id for item in defined().values()} == set(THEOREMS)


def test_the_catalogue_is_keyed_by_unique_ids() -> None:
    assert [item.id for item in THEOREMS.values()] == list(THEOREMS)
    assert len({id(item) for item in THEOREMS.values()}) == len(THEOREMS)
    assert len({item.title for item in THEOREMS.values()}) == len(THEOREMS)


@pytest.mark.parametrize("name", sorted(CLAIM_IDS))
def test_the_claims_that_others_rely_on_exist(name) -> None:
    assert [claim.id for claim in theorem(name).claims] == CLAIM_IDS[name]


def test_a_claim_id_means_one_thing() -> None:
    """Theorem A and its square form share ids, because they are the same claims; nothing else does."""
    owners: dict[str, set[str]] = {}
    for name in NAMES:
        for claim in THEOREMS[name].claims:
            owners.setdefault(claim.id, set()).add(name)
    assert all(len(names) == 1 or names == {"A", "A-square"} for names in owners.values()), owners


@pytest.mark.parametrize("name", NAMES)
def test_a_record_says_what_it_is(name) -> None:
    item = theorem(name)
    for text in (item.title, item.statement, item.source.authors, item.source.title, item.source.identifier, item.source.place):
        assert text.strip() == text != ""
    assert 1900 < item.source.year < 2100
    assert str(item.source.year) in str(item.source)
    assert item.source.identifier in str(item.source)
    assert item.proof
    assert all(step.kind in KINDS.values() and step.statement for step in item.proof)
    assert isinstance(item.strength, Strength)
    assert isinstance(item.loss_class, LossClass)
    for part in (*item.quantities, *item.constants):
        assert part.meaning
    for part in (*item.hypotheses, *item.claims):
        assert part.id
        assert part.statement
    assert all((claim.scope is Scope.PRIOR) == (item.role is Role.PRIOR) for claim in item.claims)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_well_formed(name) -> None:
    item = theorem(name)
    known = [quantity.symbol for quantity in item.quantities] + [constant.symbol for constant in item.constants]
    assert len(set(known)) == len(known), "a symbol is defined twice"
    assert len({str(symbol) for symbol in known}) == len(known), "two symbols of one name"
    for group in (item.hypotheses, item.claims):
        assert len({part.id for part in group}) == len(group)
    run = {quantity.symbol for quantity in (*RUN_QUANTITIES, *MEASURED.get(item.role, ()))}
    for claim in item.claims:
        assert (claim.measured.free_symbols | claim.bound.free_symbols) <= run | set(known), claim.id
        assert claim.measured.free_symbols & run, f"{claim.id} measures nothing"
        if claim.iterates is not None:
            assert claim.iterates in claim.bound.free_symbols
            assert str(claim.measured) == f"{claim.iterates}_next"
    # What a limit is compared with enters hypotheses and constants too, so the measured quantities are the statement's own.
    assert item.role in (Role.LIMIT, Role.LAZY) or not run & set(known)


@pytest.mark.parametrize("name", NAMES)
def test_every_expression_compiles_and_is_exact(name) -> None:
    item = theorem(name)
    expressions = [constant.expression for constant in item.constants] + [part.margin for part in item.hypotheses]
    expressions += [side for claim in item.claims for side in (claim.measured, claim.bound)]
    for expression in expressions:
        assert not expression.atoms(sympy.Float)
        compile_program([expression], sorted(expression.free_symbols, key=str))


@pytest.mark.parametrize("name", CONVERGENCE)
def test_convergence_theorems_have_what_a_certificate_reads(name) -> None:
    item = theorem(name)
    assert {"H3", "step", "q", "radius"} <= {part.id for part in item.hypotheses}
    constants = {constant.name for constant in item.constants}
    assert {"Lambda", "kappa", "q", "rbar", "rate", "lambda_floor", "Tbar"} <= constants
    symbols = {str(quantity.symbol) for quantity in item.quantities}
    assert {"eta", "lambda0", "lambda_max", "beta", "s0", "R"} <= symbols
    assert ({"L", "mu"} <= symbols) == (item.loss_class is not LossClass.SQUARE)


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=6)
@given(data=st.data())
def test_balls_enclose_floats_and_symbols_agree(name, data) -> None:
    item = theorem(name)
    values = data.draw(composite_problems(item, quotients=st.floats(0.1, 0.9), shares=st.floats(0.1, 0.9))).values
    values = {str(quantity.symbol): values[str(quantity.symbol)] for quantity in item.quantities}
    floats = item.evaluate_constants(values, FLOAT)
    balls = item.evaluate_constants({symbol: BALL.numbers(value) for symbol, value in values.items()}, BALL)
    exact = item.evaluate_constants({symbol: SYMBOLIC.numbers(value) for symbol, value in values.items()}, SYMBOLIC)
    for constant, value in floats.items():
        low, high = lower(balls[constant]), upper(balls[constant])
        # Sums of at most a dozen terms with differences 1 - q and 1 - eta L lambda0 not below 0.1: a few hundred u.
        assert float(low) - 1024 * EPS * abs(value) <= value <= float(high) + 1024 * EPS * abs(value), constant
        reference = sympy.Rational(low.numerator, low.denominator)
        assert abs(exact[constant].evalf(40) - reference) <= sympy.Float(2) ** -90 * abs(reference), constant


# kappa also multiplies what the errors of A1 add. That harms no table: numbers are computed from the exact kappa, and rounded then.
OTHER_WAY = {("A1", "kappa", "c2"), ("A1", "kappa", "S_k")}


@pytest.mark.parametrize("name", [name for name in NAMES if THEOREMS[name].constants])
def test_the_safe_side_of_a_constant_is_the_safe_side_of_what_follows(name) -> None:
    """Moved to its safe side, a constant moves what is computed from it to the safe side, and no hypothesis becomes easier."""
    item = theorem(name)
    symbols = [str(quantity.symbol) for quantity in item.quantities]
    given = {symbol: FLOAT.numbers(float(Fraction(REFERENCE[symbol]))) for symbol in symbols if symbol in REFERENCE}
    values = item.evaluate_constants(given, FLOAT)
    found = set()
    for place, moved in enumerate(item.constants):
        shifted = {**values, moved.name: values[moved.name] * (0.999 if moved.lower else 1.001)}
        for later in item.constants[place + 1 :]:
            change = evaluate_expression(later.expression, shifted, FLOAT) - values[later.name]
            if (change if later.lower else -change) > 4 * EPS * abs(values[later.name]):
                found.add((name, moved.name, later.name))
        easier = item.margins(shifted, FLOAT)
        found |= {(name, moved.name, part) for part, margin in item.margins(values, FLOAT).items() if easier[part] > margin}
    assert found == {entry for entry in OTHER_WAY if entry[0] == name}


@pytest.mark.parametrize("name", CONVERGENCE)
@settings(max_examples=15)
@given(data=st.data())
def test_an_iterated_bound_is_increasing_and_contracts(name, data) -> None:
    """``iterates`` lets a check apply the bound repeatedly; that is only right for a bound that increases on [0, start]."""
    problem = data.draw(composite_problems(theorem(name)))
    constants = problem.theorem.evaluate_constants(problem.values, FLOAT)
    mu = constants.get("mu", 1.0)
    start = {"s": constants["s0"], "gap": mu * constants["s0"] ** 2 / 2}
    claims = [claim for claim in problem.theorem.claims if claim.iterates is not None]
    assert claims
    for claim in claims:
        grid = np.linspace(0, 1, 200) * start[str(claim.iterates)]
        values = evaluate_expression(claim.bound, {**constants, str(claim.iterates): grid}, FLOAT)
        assert np.all(np.diff(values) >= 0)
        assert np.all(values[1:] < grid[1:])


@settings(max_examples=30)
@given(composite_problems(theorem("A")))
def test_the_plus_form_is_never_worse(problem) -> None:
    """Where Theorem A holds, so does A+ on the same ball, with a smaller q, a shorter path and a better rate."""
    plus = theorem("A+")
    plain = problem.theorem.evaluate_constants(problem.values, FLOAT)
    refined = plus.evaluate_constants(problem.values, FLOAT)
    margins = plus.margins(refined, FLOAT)
    # kappa is computed from 1 - eta L lambda0, q from its square.
    rounding = 64 * EPS / (1 - problem.values["eta"] * problem.values["L"] * problem.values["lambda0"])
    assert all(margin > 0 for name, margin in margins.items() if name != "step")
    assert margins["step"] >= 0
    for name in ("q", "rbar", "rate"):
        assert refined[name] <= plain[name] * (1 + rounding / (1 - plain["q"])), name


def test_a_constant_must_be_defined_before_it_is_used() -> None:
    unknown = sympy.Symbol("unknown", positive=True)
    with pytest.raises(AssertionError, match="before their definition"):
        dataclasses.replace(theorem("A"), constants=(Constant(beta, unknown + 1, "nothing"),))
    with pytest.raises(AssertionError, match="hypothesis H uses unknown"):
        dataclasses.replace(theorem("A"), hypotheses=(Hypothesis("H", "nothing", unknown),))


@pytest.mark.parametrize("name", NAMES)
def test_records_are_frozen(name) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        theorem(name).id = "other"


def test_an_unknown_theorem_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="unknown theorem 'A-sqare'; did you mean 'A-square'"):
        theorem("A-sqare")
