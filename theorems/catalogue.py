"""The catalogue of statements: one line each. Checks, documents and the command line enumerate it."""

from __future__ import annotations

from theorems.errors import InputError, nearest
from theorems.records import Theorem
from theorems.statements import implicit, lazy
from theorems.statements.apriori import THEOREM_F, THEOREM_F_CHERNOFF, THEOREM_F_MOMENTS, THEOREM_F_WIDTH, THEOREM_G
from theorems.statements.composite import THEOREM_A, THEOREM_A_SQUARE
from theorems.statements.composite_plus import THEOREM_A_PLUS
from theorems.statements.descent import DESCENT, THEOREM_A0
from theorems.statements.generalization import THEOREM_H1, THEOREM_H2
from theorems.statements.inexact import THEOREM_A1
from theorems.statements.network import THEOREM_E
from theorems.statements.newton import THEOREM_N
from theorems.statements.threshold import THEOREM_ANY_STEP, THEOREM_PERSISTENCE, THEOREM_SCALE

THEOREMS: dict[str, Theorem] = {
    theorem.id: theorem
    for theorem in (
        THEOREM_A,
        THEOREM_A_SQUARE,
        THEOREM_A_PLUS,
        THEOREM_A0,
        THEOREM_A1,
        DESCENT,
        THEOREM_N,
        THEOREM_E,
        *implicit.RECORDS,
        *lazy.RECORDS,
        THEOREM_F,
        THEOREM_F_MOMENTS,
        THEOREM_F_CHERNOFF,
        THEOREM_F_WIDTH,
        THEOREM_ANY_STEP,
        THEOREM_SCALE,
        THEOREM_G,
        THEOREM_PERSISTENCE,
        THEOREM_H1,
        THEOREM_H2,
    )
}


def theorem(identifier: str) -> Theorem:
    """Return the statement of that identifier.

    Raises InputError when there is none, naming the theorem that has a claim of this name, those of this family, or the nearest.
    """
    if identifier in THEOREMS:
        return THEOREMS[identifier]
    owner = next((item.id for item in THEOREMS.values() if identifier in [claim.id for claim in item.claims]), None)
    if owner is not None:
        raise InputError(f"unknown theorem {identifier!r}: it is a claim of theorem {owner}, ask for that")
    family = [name for name in THEOREMS if name.startswith(f"{identifier}-")]
    hint = f"; there are {' and '.join(family)}" if family else nearest(identifier, THEOREMS)
    raise InputError(f"unknown theorem {identifier!r}{hint} (known: {', '.join(THEOREMS)})")
