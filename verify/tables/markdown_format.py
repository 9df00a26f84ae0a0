"""Tables as Markdown: a heading, what all rows share, the table, the formulas."""

from __future__ import annotations

from collections.abc import Sequence

from verify.tables.layout import RELATIONS, layout_of, legend_of, note_of
from verify.tables.records import Row, Table

SIGNS = {r"\leq": "≤", r"\geq": "≥", r"\approx": "≈", "=": "="}


def as_markdown(tables: Sequence[Table]) -> str:
    """One section a table; a "|" inside a cell is escaped."""
    return "\n".join(_section(table) for table in tables)


def _section(table: Table) -> str:
    layout = layout_of(table)
    lines = [f"## {escaped(table.title)}", ""]
    if table.rows:
        lines += [f"{escaped(table.rows[0].normalization)}.", ""]
    if layout.common:
        lines += [f"All rows: {', '.join(f'{name} = `{_code(text)}`' for name, text in layout.common)}.", ""]
    head = [*layout.varying, "constant", "", "value", "lower", "upper", *(["note"] if layout.noted else [])]
    lines += [_line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, layout.varying, layout.noted)) for row in table.rows]
    legend = legend_of(table)
    if legend:
        lines += ["", "Formulas that are the same in all rows (--format csv and json have them row by row):", ""]
    for item in legend:
        formula = "(long: see --format csv or json)" if item.formula is None else f"${_math(item.formula)}$"
        lines.append(f"- {item.constant}, ${_math(item.symbol)}$: {formula}. {item.source}.")
    return "\n".join([*lines, ""])


def _cells(row: Row, varying: Sequence[str], noted: bool) -> list[str]:
    inputs = dict(row.inputs)
    relation = SIGNS[RELATIONS[row.rounded]] if row.rounded else ""
    cells = [*(escaped(inputs.get(name, "")) for name in varying), escaped(row.constant), relation, row.value, row.lower, row.upper]
    return [*cells, escaped(note_of(row))] if noted else cells


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for character in "\\|*_`<>[]":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def _code(text: str) -> str:
    return text.replace("`", "'").replace("\n", " ")


def _math(text: str) -> str:
    """A formula without a raw "|", which would end a cell elsewhere in the page's tables."""
    return text.replace("|", r"\vert ").replace(r"\left\vert ", r"\left|").replace(r"\right\vert ", r"\right|")
