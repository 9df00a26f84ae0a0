"""The constants of any statement of the catalogue at given quantities; whether the statement applies is decided by its margins."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from theorems.arithmetic import BALL, working_precision
from theorems.catalogue import THEOREMS, theorem
from theorems.errors import nearest
from theorems.records import Theorem
from verify import fields
from verify.errors import ProblemError
from verify.statements import latex
from verify.tables.constants import constant_text, evaluated
from verify.tables.keys import Key
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

    hypotheses = "; ".join(item.statement for item in record.hypotheses)
    for item in record.constants:
        yield Entry(
            item.name,
            latex(item.symbol),
            str(item.expression),
            latex(item.expression),
            Rounding.NEAREST,
            hypotheses,
            NORMALIZATION,
            f"Theorem {record.id}: {record.source}",
            _compute(known, item.name),
        )


KIND = Kind("theorem", "Constants of theorems", _variants, make)


def _compute(known: Any, name: str) -> Any:
    def compute() -> Value:
        values, whether = known()
        return of_ball(values[name], whether)

    return compute


def applies(record: Theorem, values: Mapping[str, Any]) -> str:
    """ "yes", or the hypotheses that fail, or else those that are not decided: margins in balls."""
    margins = record.margins(values, BALL)
    fails: list[str] = []
    open_ones: list[str] = []
    for item in record.hypotheses:
        margin = margins[item.id]
        if not (margin > 0 if item.strict else margin >= 0):
            (fails if (margin <= 0 if item.strict else margin < 0) else open_ones).append(item.id)
    if fails:
        return f"no: {', '.join(fails)}"
    return f"not decided: {', '.join(open_ones)}" if open_ones else "yes"
