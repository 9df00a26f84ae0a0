"""Deciding implications between polynomial relations with z3's engine for nonlinear real arithmetic.

Each query has a solver of its own: after a second check, or push and pop, z3 falls back on an engine that mostly answers "unknown".
That the premises can be met is asked separately, because contradictory premises prove anything. A counterexample is believed only
when its numbers, put into the relations, bear it out: exactly where they are rational, in balls of 10^-60 where they are algebraic.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy
import z3
from flint import arb
from sympy.core.relational import Equality, GreaterThan, LessThan, Relational, StrictGreaterThan

from theorems.arithmetic import BallArithmetic, as_ball, working_precision
from theorems.ledger import Growth, Implication
from theorems.programs import compile_program, evaluate
from verify.proving.identities import vanishes
from verify.proving.outcome import Outcome, Status
from verify.proving.translation import rational_value, readable, relation_to_z3, variable

SECONDS = 20.0  # for one query; the lemmas of the catalogue take less than one
DIGITS = 60
BALLS = BallArithmetic(512)  # of more than 60 digits


def prove(lemma: Implication, seconds: float = SECONDS) -> Outcome:
    """Try to prove the implication.

    PROVED when no values meet the premises and break the conclusion, and some meet the premises; VIOLATED with a counterexample;
    UNDECIDED where z3 gives up, where the premises contradict each other, or where a counterexample is not borne out.
    """
    premises = [relation_to_z3(relation) for relation in lemma.premises]
    answer, model = _ask([*premises, z3.Not(relation_to_z3(lemma.conclusion))], seconds)
    if answer == z3.sat:
        return _counterexample(lemma, model)
    if answer != z3.unsat:
        return Outcome(Status.UNDECIDED, "z3", f"no answer within {seconds:g} s")
    answer, _ = _ask(premises, seconds)
    if answer == z3.sat:
        return Outcome(Status.PROVED, "z3")
    what = "contradict each other, and would prove anything" if answer == z3.unsat else "are not seen to be satisfiable"
    return Outcome(Status.UNDECIDED, "z3", f"the premises {what}")


def prove_growth(fact: Growth, seconds: float = SECONDS) -> Outcome:
    """Try to prove that an expression that vanishes at 0 grows: exactly at 0, then the sign of its derivative by z3."""
    by = "SymPy's derivative and z3"
    if not vanishes(fact.expression.subs(fact.variable, sympy.Integer(0))):
        return Outcome(Status.UNDECIDED, by, "the expression is not seen to vanish at 0")
    for lemma in fact.lemmas():
        outcome = prove(lemma, seconds)
        if outcome.status is not Status.PROVED:
            # A derivative of the wrong sign does not refute the fact, it only ends this proof.
            return Outcome(Status.UNDECIDED, by, f"{lemma.name}: {outcome.detail}")
    return Outcome(Status.PROVED, by)


def _ask(constraints: Sequence[Any], seconds: float) -> tuple[Any, Any]:
    """One query to a fresh solver: its answer, and the model when satisfiable."""
    solver = z3.SolverFor("QF_NRA")
    solver.set("timeout", max(1, int(1000 * seconds)))
    solver.set("ctrl_c", False)  # let Ctrl-C end the program and not only the query
    solver.add(*constraints)
    answer = solver.check()
    return answer, solver.model() if answer == z3.sat else None


def _counterexample(lemma: Implication, model: Any) -> Outcome:
    found = {symbol: model.eval(variable(symbol), model_completion=True) for symbol in lemma.symbols}
    values = {symbol: rational_value(value, DIGITS) for symbol, value in found.items()}
    words = ", ".join(f"{symbol} = {readable(value)}" for symbol, (value, _) in values.items())
    if is_counterexample(lemma, values):
        return Outcome(Status.VIOLATED, "z3", f"false at {words}")
    return Outcome(Status.UNDECIDED, "z3", f"the solver's counterexample is not borne out by its numbers: {words}")


def is_counterexample(lemma: Implication, values: dict[sympy.Symbol, tuple[sympy.Rational, bool]]) -> bool:
    """Whether the values break the conclusion beyond doubt, and no premise beyond the accuracy of inexact values.

    values: for each symbol a rational, and whether it is exact; otherwise it is off by at most 10^-60. With exact values the
    premises hold exactly.
    """
    exact = all(known for _, known in values.values())
    with working_precision(BALLS.bits):
        balls = {symbol: _ball(value, known) for symbol, (value, known) in values.items()}
        signs = [_difference(relation, balls) for relation in (*lemma.premises, lemma.conclusion)]
        *premises, conclusion = [
            _holds(relation, sign) for relation, sign in zip((*lemma.premises, lemma.conclusion), signs, strict=True)
        ]
    if exact:
        point = {symbol: value for symbol, (value, _) in values.items()}
        premises = [bool(relation.subs(point) == sympy.true) for relation in lemma.premises]
        return all(premises) and lemma.conclusion.subs(point) == sympy.false
    return conclusion is False and all(held is not False for held in premises)


def _ball(value: sympy.Rational, exact: bool) -> Any:
    middle = as_ball(Fraction(int(value.p), int(value.q)))
    return middle if exact else middle + arb(0, 1) * as_ball(Fraction(1, 10**DIGITS))


def _difference(relation: Relational, balls: dict[sympy.Symbol, Any]) -> Any:
    symbols = sorted(relation.free_symbols, key=lambda symbol: str(symbol.name))
    program = compile_program([relation.lhs - relation.rhs], symbols)
    return evaluate(program, BALLS, [balls[symbol] for symbol in symbols])[0]


def _holds(relation: Relational, difference: Any) -> bool | None:
    """Whether left - right, known to lie in a ball, satisfies the relation; None where the ball does not tell."""
    if isinstance(relation, Equality):
        return False if not difference.contains(0) else (True if difference.is_zero() else None)
    up = difference if isinstance(relation, GreaterThan | StrictGreaterThan) else -difference
    if isinstance(relation, GreaterThan | LessThan):
        return True if up >= 0 else (False if up < 0 else None)
    return True if up > 0 else (False if up <= 0 else None)
