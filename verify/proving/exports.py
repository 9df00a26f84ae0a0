"""Scalar lemmas for other provers: SMT-LIB 2 scripts, and Lean 4 statements over Mathlib's real numbers.

Both are written by a walk of their own over the closed list of nodes that the translation to z3 knows, and are the same text on
every machine. A script asserts the premises and the negated conclusion: a solver of nonlinear real arithmetic answers "unsat". The
Lean file states the lemmas and proves none of them; every proof is an honest ``sorry``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sympy
from sympy.core.relational import Relational

from theorems.errors import InputError
from theorems.ledger import Growth, Implication
from theorems.records import Theorem
from verify.errors import ProblemError
from verify.files import atomic_writer

LEAN_FILE = "Lemmas.lean"
COLUMNS = 100

_SMT_SIGNS = {"==": "=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
_LEAN_SIGNS = {"==": "=", ">=": "≥", "<=": "≤", ">": ">", "<": "<"}


@dataclass(frozen=True)
class StatedLemma:
    """A scalar lemma with the words of the step it belongs to."""

    lemma: Implication
    statement: str


def scalar_lemmas(theorems: Sequence[Theorem]) -> list[StatedLemma]:
    """Every scalar lemma of the theorems' proofs, each once, in the order of the proofs."""
    found: dict[str, StatedLemma] = {}
    for theorem in theorems:
        for step in theorem.proof:
            evidence = step.evidence
            lemmas = (evidence,) if isinstance(evidence, Implication) else evidence.lemmas() if isinstance(evidence, Growth) else ()
            for lemma in lemmas:
                known = found.setdefault(lemma.name, StatedLemma(lemma, step.statement))
                assert known.lemma == lemma, f"two lemmas are called {lemma.name}"
    return list(found.values())


def export(theorems: Sequence[Theorem], directory: Path) -> list[str]:
    """Write one SMT-LIB script a lemma and one Lean file, and return their names. Raises ProblemError where that cannot be done."""
    lemmas = scalar_lemmas(theorems)
    contents = {f"{item.lemma.name}.smt2": smt_script(item) for item in lemmas} | {LEAN_FILE: lean_file(lemmas)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            with atomic_writer(directory / name) as file:
                file.write(text.encode())
    except OSError as error:
        raise ProblemError(f"--export {str(directory)!r} cannot be written: {error.strerror or error}") from None
    return list(contents)


def smt_script(item: StatedLemma) -> str:
    """The lemma as an SMT-LIB 2 script, premises and negated conclusion; the expected answer is unsat."""
    lemma = item.lemma
    lines = [f"; {line}" for line in _wrapped(item.statement)]
    if lemma.reduction:
        lines += [f"; {line}" for line in _wrapped(f"Normalized by {lemma.reduction}.")]
    lines += ["(set-info :status unsat)", "(set-logic QF_NRA)"]
    lines += [f"(declare-const {symbol.name} Real)" for symbol in lemma.symbols]
    lines += [f"(assert {_smt_relation(relation)})" for relation in lemma.premises]
    lines += [f"(assert (not {_smt_relation(lemma.conclusion)}))", "(check-sat)"]
    return "\n".join(lines) + "\n"


def lean_file(lemmas: Sequence[StatedLemma]) -> str:
    """All lemmas as Lean 4 statements."""
    head = "import Mathlib\n\n/-! Scalar lemmas of overparam's proof ledger: statements, to be proved. -/\n\nnamespace Overparam\n"
    return "\n".join([head, *(_lean_theorem(item) for item in lemmas), "end Overparam\n"])


def _lean_theorem(item: StatedLemma) -> str:
    lemma = item.lemma
    words = item.statement + (f" Normalized by {lemma.reduction}." if lemma.reduction else "")
    lines = ["/-- " + "\n".join(_wrapped(words)) + " -/", f"theorem {lemma.name}"]
    lines.append(f"    ({' '.join(symbol.name for symbol in lemma.symbols)} : ℝ)")
    lines += [f"    (h{number} : {_lean_relation(relation)})" for number, relation in enumerate(lemma.premises, 1)]
    lines += [f"    : {_lean_relation(lemma.conclusion)} := by", "  sorry", ""]
    return "\n".join(lines)


def _smt_relation(relation: Relational) -> str:
    return f"({_SMT_SIGNS[relation.rel_op]} {_smt(relation.lhs)} {_smt(relation.rhs)})"


def _smt(expression: sympy.Expr) -> str:
    if isinstance(expression, sympy.Symbol):
        return str(expression.name)
    if isinstance(expression, sympy.Rational):
        size = f"{abs(expression.p)}.0" if expression.q == 1 else f"(/ {abs(expression.p)}.0 {expression.q}.0)"
        return f"(- {size})" if expression < 0 else size
    if isinstance(expression, sympy.Add | sympy.Mul):
        sign = "+" if isinstance(expression, sympy.Add) else "*"
        return f"({sign} {' '.join(_smt(part) for part in _parts(expression))})"
    base, exponent = _power(expression)
    return f"(* {' '.join([_smt(base)] * exponent)})" if exponent > 1 else _smt(base)


def _lean_relation(relation: Relational) -> str:
    return f"{_lean(relation.lhs)} {_LEAN_SIGNS[relation.rel_op]} {_lean(relation.rhs)}"


def _lean(expression: sympy.Expr) -> str:
    if isinstance(expression, sympy.Symbol):
        return str(expression.name)
    if isinstance(expression, sympy.Rational):
        size = f"{abs(expression.p)}" if expression.q == 1 else f"{abs(expression.p)} / {expression.q}"
        return f"(-{size} : ℝ)" if expression < 0 else f"({size} : ℝ)"
    if isinstance(expression, sympy.Add):
        return " + ".join(_lean(part) for part in _parts(expression))
    if isinstance(expression, sympy.Mul):
        return " * ".join(f"({_lean(part)})" if isinstance(part, sympy.Add) else _lean(part) for part in _parts(expression))
    base, exponent = _power(expression)
    text = _lean(base)
    return f"{text} ^ {exponent}" if isinstance(base, sympy.Symbol) else f"({text}) ^ {exponent}"


def _parts(expression: sympy.Expr) -> list[sympy.Expr]:
    """Terms, or the coefficient and the factors, in SymPy's canonical order, which does not depend on the machine."""
    if isinstance(expression, sympy.Add):
        return list(expression.as_ordered_terms())
    coefficient, rest = expression.as_coeff_Mul()
    factors = list(rest.as_ordered_factors())
    return factors if coefficient == 1 else [coefficient, *factors]


def _power(expression: sympy.Expr) -> tuple[sympy.Expr, int]:
    if not (isinstance(expression, sympy.Pow) and isinstance(expression.exp, sympy.Integer) and expression.exp > 0):
        raise InputError(f"a polynomial with rational coefficients was wanted, got {expression} ({type(expression).__name__})")
    return expression.base, int(expression.exp)


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in re.split(r"\s+", text):
        if len(lines[-1]) + 1 + len(word) > COLUMNS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
