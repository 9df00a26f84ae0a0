"""A theorem of one's own: stated as a record, its proof put to z3, attacked by the falsifier, tested on random problems.

    python examples/own_theorem.py

The statement is a corollary that papers like to print: if q <= 1/2, the path is at most (4 - 2 sqrt 2) s_0/sigma_0 and the residual
falls by 1 - eta lambda_0/2. A second record claims a path of s_0/sigma_0 and is refuted by the same calls. Needs the extra ``test``
(hypothesis).
"""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Eq, Ge, Integer, Le, Rational, Symbol, sqrt

from theorems.arithmetic import FLOAT
from theorems.ledger import Assumed, Implication, ProofStep
from theorems.records import Claim, Constant, Hypothesis, LossClass, Role, Scope, Source, Strength, Theorem
from theorems.statements import notation as n
from verify.composite_problems import CompositeProblem
from verify.falsify.falsification import falsify
from verify.proving.ledger import exit_status, run_ledger
from verify.strategies import composite_problems

PATH = (4 - 2 * sqrt(2)) * n.s0 / sqrt(n.lambda0)
QUOTIENT = 2 * n.beta * n.s0 / n.lambda0

# 2/(1 + u) <= 2/(1 + v) for u = sqrt(1 - q) >= v = sqrt(1/2): t and w are the quotients.
t, u, v, w = (Symbol(name, real=True) for name in "tuvw")
SHORTER = Implication(
    name="halved",
    premises=(Ge(u, 0), Ge(v, 0), Eq(v * v, Rational(1, 2)), Ge(u * u, Rational(1, 2)), Eq(t * (1 + u), 2), Eq(w * (1 + v), 2)),
    conclusion=Le(t, w),
    mutant=Le(t, w * Rational(9, 10)),
)

COROLLARY = Theorem(
    id="corollary",
    title="Convergence with q at most one half",
    statement=(
        "Square loss: if 2 beta s_0/lambda0 <= 1/2, the path is at most (4 - 2 sqrt 2) s_0/sigma0, and the residual falls at "
        "least by the factor 1 - eta lambda0/2 per step."
    ),
    quantities=tuple(item for item in n.COMPOSITE_QUANTITIES if item.symbol not in (n.L, n.mu)),
    hypotheses=(
        Hypothesis("H3", "lambda0 > 0", n.lambda0),
        Hypothesis("step", "eta <= 1/Lambda", 1 - n.eta * n.Lambda, strict=False),
        Hypothesis("q", "q <= 1/2", Rational(1, 2) - n.q, strict=False),
        Hypothesis("radius", "R is larger than the path", n.R - n.rbar),
    ),
    constants=(
        Constant(n.Lambda, (sqrt(n.lambda_max) + n.beta * n.R) ** 2, "bound of |DF|^2 on B(R)"),
        Constant(n.kappa, Integer(1), "1 for the square loss"),
        Constant(n.q, QUOTIENT, "the quotient"),
        Constant(n.rbar, PATH, "bound of the path"),
        Constant(n.rate, 1 - n.eta * n.lambda0 / 2, "factor of the residual per step"),
        Constant(n.lambda_floor, n.lambda0 / 2, "lower bound of lambda_min(K_k)"),
    ),
    claims=(
        Claim("path", "r_k <= (4 - 2 sqrt 2) s_0/sigma0", n.r_next, n.rbar, Scope.STEP),
        Claim("rate", "s_{k+1} <= (1 - eta lambda0/2) s_k", n.s_next, n.rate * n.s, Scope.STEP, iterates=n.s),
    ),
    proof=(
        ProofStep("Theorem A-square with q <= 1/2", Assumed("overparam theorems A-square")),
        ProofStep("its radius 2 (s_0/sigma0)/(1 + sqrt(1 - q)) grows with q", SHORTER),
    ),
    source=Source("you", 2026, "A corollary", "an example", "this file"),
    strength=Strength.UPPER,
    role=Role.CONVERGENCE,
    loss_class=LossClass.SQUARE,
)

WRONG = dataclasses.replace(
    COROLLARY,
    id="wrong",
    constants=tuple(
        dataclasses.replace(item, expression=n.s0 / sqrt(n.lambda0)) if item.symbol == n.rbar else item
        for item in COROLLARY.constants
    ),
)


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(composite_problems(COROLLARY, quotients=st.floats(1e-3, 0.499)))
def test_the_corollary(problem: CompositeProblem) -> None:
    """Gradient descent on random composite problems that satisfy the hypotheses: what the claims say, in plain NumPy."""
    constants = COROLLARY.evaluate_constants(problem.values, FLOAT)
    theta, path, eta = np.zeros(problem.map.linear.shape[1]), 0.0, problem.values["eta"]
    gap = problem.gap(theta)
    for _ in range(100):
        step = eta * problem.gradient(theta)
        theta, path, before, gap = theta - step, path + float(np.linalg.norm(step)), gap, problem.gap(theta - step)
        assert path <= constants["rbar"] * (1 + 1e-9)
        assert np.sqrt(2 * gap) <= constants["rate"] * np.sqrt(2 * before) + 1e-9 * problem.values["s0"]


def main() -> int:
    """Prove what can be proved, attack, and see the wrong version refuted; 0 when all of that comes out."""
    tried = list(run_ledger([COROLLARY]))
    for item in tried:
        sys.stdout.write(f"proof step {item.number}: {item.outcome.status.name}: {item.step.statement}\n")
    attack = falsify(COROLLARY, examples=20, rounds=2)
    told = "a counterexample" if attack.status else f"no counterexample among {attack.search.examined} instances"
    sys.stdout.write(f"falsifier: {told}, {attack.search.admitted} of which met the hypotheses\n")
    test_the_corollary()
    sys.stdout.write("property test: 50 random composite problems, 100 steps each: every claim holds\n")
    refuted = falsify(WRONG, examples=20, rounds=2)
    found = refuted.search.counterexample is not None
    sys.stdout.write(f"the wrong version: {'refuted, in balls' if found else 'not refuted'}\n")
    return 0 if exit_status([item.outcome for item in tried]) == attack.status == 0 and found else 1


if __name__ == "__main__":
    sys.exit(main())
