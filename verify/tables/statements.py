"""The constants of any statement of the catalogue at given quantities; whether the statement applies is decided by its margins."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy

from theorems.arithmetic import BALL, working_precision
from theorems.catalogue import THEOREMS, theorem
from theorems.errors import nearest
from theorems.records import Theorem, is_met
from verify import fields
from verify.errors import ProblemError
from verify.statements import latex
from verify.tables.constants import constant_text, evaluated
from verify.tables.keys import Key, exact_decimal
from verify.tables.kind import Kind, Variants
from verify.tables.records import Entry, Rounding, Value, of_ball

NORMALIZATION = "norms of L2(nu): the tangent kernel K = DF DF^* and every norm of residuals carry the weights nu_i, 1/n each"


def read_theorem(key: str, value: Any) -> str:
    """The identifier of a statement; ProblemError for an unknown one, naming the nearest."""
    name = fields.text(key, value)
    if name not in THEOREMS:
        raise ProblemError(f"{key} must be one of {', '.join(THEOREMS)}, got {name[:60]!r}{nearest(name, THEOREMS)}")
    return name


def keys_of(record: Theorem) -> tuple[Key, ...]:
    """The key theorem, and one for each quantity on which the constants or the hypotheses depend."""
    needed = set().union(*(item.expression.free_symbols for item in record.constants))
    needed |= set().union(*(item.margin.free_symbols for item in record.hypotheses))
    needed -= {item.symbol for item in record.constants}
    names = [str(item.symbol.name) for item in record.quantities if item.symbol in needed]
    quantities = [Key(name, constant_text, required=True, symbol=True) for name in names]
    return (Key("theorem", read_theorem, required=True, shown=True), *quantities)


def _variants(where: str, given: dict[str, Any]) -> Variants:
    value = given.get("theorem")
    names = value if isinstance(value, list | tuple) else [value]
    if not names or value is None:
        raise ProblemError(f"{where}.theorem is missing: it is one of {', '.join(THEOREMS)}")
    found: Variants = []
    for name in names:
        keys = keys_of(theorem(read_theorem(f"{where}.theorem", name)))
        known = {key.name for key in keys}
        found.append((keys, {key: name if key == "theorem" else item for key, item in given.items() if key in known}))
    return found


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """The constants of a statement in the order of its record. Raises ProblemError for a statement without constants."""
    record = theorem(case["theorem"])
    if not record.constants:
        raise ProblemError(f"theorem {record.id} defines no constants: there is nothing to tabulate")

    @functools.cache
    def known() -> tuple[dict[str, Any], str]:
        with working_precision():
            given = {name: evaluated(name, text) for name, text in case.items() if name != "theorem"}
            values = record.evaluate_constants(given, BALL)
            return values, applies(record, values)

    @functools.cache
    def rational() -> dict[str, Fraction]:
        return rational_constants(record, case)

    hypotheses = "; ".join(item.statement for item in record.hypotheses)
    for item in record.constants:
        yield Entry(
            item.name,
            latex(item.symbol),
            str(item.expression),
            latex(item.expression),
            Rounding.DOWN if item.lower else Rounding.UP,
            hypotheses,
            NORMALIZATION,
            f"Theorem {record.id}: {record.source}",
            _compute(known, rational, item.name),
        )


KIND = Kind("theorem", "Constants of theorems", _variants, make)


def _compute(known: Any, rational: Any, name: str) -> Any:
    def compute() -> Value:
        values, whether = known()
        found, exact = of_ball(values[name], whether), rational().get(name)
        if exact is None or found.lower is None or found.upper is None or not found.lower <= exact <= found.upper:
            return found
        return dataclasses.replace(found, lower=exact, upper=exact)

    return compute


def rational_constants(record: Theorem, case: Mapping[str, Any]) -> dict[str, Fraction]:
    """The constants that are rational numbers at rational inputs, by SymPy: 1/100 is then no ball about it."""
    given = {name: exact_decimal(text) for name, text in case.items() if name != "theorem"}
    known = {
        item.symbol: sympy.Rational(value.numerator, value.denominator)
        for item in record.quantities
        if (value := given.get(str(item.symbol.name))) is not None
    }
    found = {}
    for item in record.constants:
        free_powers = any(power.exp.free_symbols for power in item.expression.atoms(sympy.Pow))  # 2**j may fill the memory
        if free_powers or not item.expression.free_symbols <= known.keys():
            continue
        value = item.expression.subs(known)
        if value.is_Rational:
            known[item.symbol] = value
            found[item.name] = Fraction(int(value.p), int(value.q))
    return found


def applies(record: Theorem, values: Mapping[str, Any], given: Collection[str] = ()) -> str:
    """ "yes", or the hypotheses that fail, or else those that are not decided: margins in balls.

    Of records that speak of lambda0 and lambda_max, lambda0 <= lambda_max is asked too, which holds of every kernel: without it no
    network has these numbers, and what follows from them (a negative rate) says nothing. ``given``: hypotheses that need not be
    asked, as they hold by the meaning of the numbers.
    """
    margins = record.margins(values, BALL)
    asked = [(item.id, margins[item.id], item.strict) for item in record.hypotheses if item.id not in given]
    if {"lambda0", "lambda_max"} <= values.keys() and "spectrum" not in margins:
        asked.append(("lambda0 <= lambda_max", values["lambda_max"] - values["lambda0"], False))
    fails: list[str] = []
    open_ones: list[str] = []
    for name, margin, strict in asked:
        if not is_met(margin, strict):
            (fails if (margin <= 0 if strict else margin < 0) else open_ones).append(name)
    if fails:
        return f"no: {', '.join(fails)}"
    return f"not decided: {', '.join(open_ones)}" if open_ones else "yes"
