"""Tables as LaTeX: booktabs, numbers aligned at their decimal points by pairs of columns."""

from __future__ import annotations

from collections.abc import Sequence

from verify.tables.layout import RELATIONS, layout_of, legend_of, note_of
from verify.tables.records import Row, Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    '"': r"\textquotedbl{}",
}


def as_latex(tables: Sequence[Table]) -> str:
    """One tabular a table, with the common inputs and the formulas below it. Needs \\usepackage{booktabs}, amsmath and T1 fonts."""
    head = "% Made by `overparam table --format latex`. Needs \\usepackage[T1]{fontenc}, \\usepackage{amsmath,booktabs}."
    return "\n".join([head, *(_tabular(table) for table in tables)])


def _tabular(table: Table) -> str:
    layout = layout_of(table)
    columns = "l" * len(layout.varying) + "l" + "r@{}r@{}l" + "l" * layout.noted
    names = [rf"\texttt{{{escaped(name)}}}" for name in layout.varying]
    head = [*names, "constant", r"\multicolumn{3}{c}{value}", *(["note"] if layout.noted else [])]
    lines = ["", rf"% {table.title}".replace("\n", " "), rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _line(head), r"\midrule"]
    lines += [_line(_cells(row, layout.varying, layout.noted)) for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\par\smallskip\noindent"]
    if table.rows:
        lines.append(f"{escaped(table.title)}. {escaped(table.rows[0].normalization)}.")
    if layout.common:
        common = [rf"\texttt{{{escaped(name)}}} = {escaped(text)}" for name, text in layout.common]
        lines.append(f"All rows: {', '.join(common)}.")
    for item in legend_of(table):
        formula = "see the other formats" if item.formula is None else f"${item.formula}$"
        lines.append(f"${item.symbol}$: {formula} ({escaped(item.source)}).")
    return "\n".join([*lines, r"\par", ""])


def _cells(row: Row, varying: Sequence[str], noted: bool) -> list[str]:
    inputs = dict(row.inputs)
    cells = [*(escaped(inputs.get(name, "")) for name in varying), f"${row.symbol}$", *_number(row)]
    return [*cells, escaped(note_of(row))] if noted else cells


def _number(row: Row) -> tuple[str, str, str]:
    r"""Relation, integer part, and the rest, such as ".25" or "\cdot 10^{-7}"."""
    if not row.value:
        return "", "---", ""
    digits, _, exponent = row.value.partition("e")
    whole, _, part = digits.partition(".")
    power = rf"\cdot 10^{{{int(exponent)}}}" if exponent else ""
    rest = (f".{part}" if part else "") + power
    return f"${RELATIONS[row.rounded]}\\,$", f"${whole}$", f"${rest}$" if rest else ""


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def escaped(text: str) -> str:
    """Text with LaTeX's special characters written out."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
