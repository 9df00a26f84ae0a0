"""The identity checker accepts what is identical and nothing else, also among roots, logarithms and noncommuting symbols."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, log, sqrt

from theorems.catalogue import THEOREMS
from theorems.errors import InputError
from theorems.ledger import Identity
from verify.proving.identities import check_identity
from verify.proving.outcome import Status

a, b, c = sympy.symbols("a b c")
p, q = sympy.symbols("p q", positive=True)
A, B = sympy.symbols("A B", commutative=False)

TRUE = [
    ((a + b) ** 3, a**3 + 3 * a**2 * b + 3 * a * b**2 + b**3),
    (1 / (a - b) - 1 / (a + b), 2 * b / (a**2 - b**2)),
    (1 - sqrt(1 - a), a / (1 + sqrt(1 - a))),
    (sqrt(a + b) ** 3, (a + b) * sqrt(a + b)),
    (sqrt(a**2 - 2 * a * b + b**2 + c) - sqrt((a - b) ** 2 + c), sympy.Integer(0)),
    (1 / sqrt(p), sqrt(p) / p),
    (sqrt(1 + sqrt(a)) ** 4, 1 + 2 * sqrt(a) + a),
    (log((a**2 - b**2) / (a + b)), log(a - b)),
    (log(1 + a - a), sympy.Integer(0)),
    ((A + B) ** 2, A**2 + A * B + B * A + B**2),
]
FALSE = [
    ((a + b) ** 2, a**2 + b**2),
    (1 - sqrt(1 - a), a / (2 + sqrt(1 - a))),
    (sqrt(p + q), sqrt(p) + sqrt(q)),
    (A * B, B * A),
    (log(1 + p), p),
    (a, a + Rational(1, 10**30)),
]


@pytest.mark.parametrize(("left", "right"), TRUE, ids=str)
def test_identities_are_proved(left, right) -> None:
    assert check_identity(Identity(left, right)).status is Status.PROVED


@pytest.mark.parametrize(("left", "right"), FALSE, ids=str)
def test_what_differs_is_refuted(left, right) -> None:
    outcome = check_identity(Identity(left, right))
    assert outcome.status is Status.VIOLATED
    assert "left - right" in outcome.detail


def test_the_sign_of_a_root_is_not_guessed() -> None:
    """sqrt(a^2) = a at the positive points tried, and is no identity: neither proved nor refuted."""
    assert check_identity(Identity(sqrt(a**2), a)).status is Status.UNDECIDED


def test_pi_is_a_letter() -> None:
    assert check_identity(Identity((sympy.pi * a + a) / (sympy.pi + 1), a)).status is Status.PROVED
    assert check_identity(Identity(sympy.pi * a, Rational(22, 7) * a)).status is Status.VIOLATED


@pytest.mark.parametrize("wrong", [0.5 * a, sympy.E * a, sympy.sin(a), a**b, sympy.Abs(a), a ** Rational(1, 3)], ids=str)
def test_only_listed_nodes_are_compared(wrong) -> None:
    with pytest.raises(InputError, match="identity is of rational functions"):
        check_identity(Identity(wrong, a))


def test_noncommuting_symbols_come_in_polynomials() -> None:
    with pytest.raises(InputError, match="one of polynomials"):
        check_identity(Identity(A**-1 * B, B))


def test_an_identity_is_defined_somewhere() -> None:
    with pytest.raises(InputError, match="defined somewhere"):
        check_identity(Identity(1 / (sqrt(a**2 - 2 * a * b + b**2 + c) - sqrt((a - b) ** 2 + c)), a))


@pytest.mark.parametrize("name", sorted(THEOREMS))
def test_mutants_of_the_identities_are_refuted(name) -> None:
    """Each side in turn 2% larger: no identity of the catalogue is between two zeros."""
    for step in THEOREMS[name].proof:
        if isinstance(step.evidence, Identity):
            left, right = step.evidence.left, step.evidence.right
            for wrong in (Identity(Rational(51, 50) * left, right), Identity(left, Rational(51, 50) * right)):
                assert check_identity(wrong).status is Status.VIOLATED, step.statement


polynomials = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4)


@settings(max_examples=50)
@given(polynomials, polynomials)
def test_polynomials_agree_with_their_coefficients(one, two) -> None:
    """The oracle: the coefficients, summed by hand."""

    def total(terms) -> dict:
        sums: dict = {}
        for coefficient, i, j in terms:
            sums[i, j] = sums.get((i, j), 0) + coefficient
        return {key: value for key, value in sums.items() if value}

    def expression(terms) -> sympy.Expr:
        return sum((coefficient * sqrt(a) ** i * (b + 1) ** j for coefficient, i, j in terms), sympy.Integer(0))

    proved = check_identity(Identity(expression(one), expression(two))).status is Status.PROVED
    assert proved == (total(one) == total(two))
