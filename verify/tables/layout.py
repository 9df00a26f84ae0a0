"""What the two formats for readers share: which inputs vary within a table and become columns, and the legend below it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from verify.tables.records import Row, Table

LONGEST_FORMULA = 400  # in LaTeX; beyond, a legend points to the other formats
_ENTRY = re.compile(r"_\{[0-9]+,[0-9]+\}$")  # the indices of an entry of a matrix
RELATIONS = {"up": r"\leq", "down": r"\geq", "nearest": r"\approx", "exact": "="}


@dataclass(frozen=True)
class Layout:
    """varying: the inputs that differ between rows, in their order. common: those that all rows share. noted: whether any row has a
    note, or says whether a statement applies."""

    varying: tuple[str, ...]
    common: tuple[tuple[str, str], ...]
    noted: bool


@dataclass(frozen=True)
class Definition:
    """A constant of the legend: its letter, what it is, its formula in LaTeX (None: too long), where it is taken from."""

    symbol: str
    constant: str
    formula: str | None
    source: str


def layout_of(table: Table) -> Layout:
    """Split the inputs of a table into columns and a common part."""
    names = dict.fromkeys(name for row in table.rows for name, _ in row.inputs if name not in ("digits", "values"))
    rows = [dict(row.inputs) for row in table.rows]
    varying = tuple(name for name in names if len({inputs.get(name) for inputs in rows}) > 1)
    common = tuple((name, rows[0][name]) for name in names if name not in varying) if rows else ()
    return Layout(varying, common, any(note_of(row) for row in table.rows))


def note_of(row: Row) -> str:
    """What a reader must know of a row: whether the statement applies, why there is no number, why a zero is exact."""
    status = "" if row.status == "proved" else row.status
    applies = f"applies: {row.applies}" if row.applies and row.applies != "yes" else ""
    return "; ".join(part for part in (status, applies, row.note) if part)


def legend_of(table: Table) -> list[Definition]:
    """Each constant once for each formula that it has in this table; entries of one matrix once in all."""
    found: dict[tuple[str, str], Definition] = {}
    for row in table.rows:
        head = row.constant.partition("[")[0]
        formula = row.latex if 0 < len(row.latex) <= LONGEST_FORMULA else None
        symbol = row.symbol if head == row.constant else _ENTRY.sub("", row.symbol)
        key = (head, row.latex)
        known = found.setdefault(key, Definition(symbol, head, formula, row.source))
        if known.source != row.source:
            found[key] = replace(known, source="Source: row by row in the other formats")
    heads: dict[str, int] = {}
    for head, _ in found:
        heads[head] = heads.get(head, 0) + 1
    # A formula that changes from row to row, as an integral over phi does, is no definition of the constant.
    return [item for (head, _), item in found.items() if heads[head] == 1]
