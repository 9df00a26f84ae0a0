"""Rows of an experiment: columns as arrays, tables and sentences of its page. Pages are made from the rows alone."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.result import versions
from verify.verdict import CheckedClaim, Verdict, counted

Array = NDArray[np.float64]
Row = Mapping[str, Any]

PAGE_WIDTH = 120
ORDER = (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.HOLDS, Verdict.NOT_APPLICABLE)
COUNTS = tuple(verdict.name.lower() for verdict in ORDER)
"""The columns that count the claims of a run by verdict."""


def chosen(rows: Iterable[Row], **about: Any) -> list[Row]:
    """The rows with these values."""
    return [row for row in rows if all(row.get(name) == value for name, value in about.items())]


def distinct(rows: Iterable[Row], *columns: str) -> list[tuple[Any, ...]]:
    """The values of some columns that occur, in their order of occurrence."""
    return list(dict.fromkeys(tuple(row.get(name) for name in columns) for row in rows))


def widths_of(rows: Iterable[Row]) -> list[int]:
    """The widths that occur, increasing."""
    return sorted({int(row["width"]) for row in rows})


def by_draw(rows: Sequence[Row], column: str, places: Sequence[Any], along: str = "width") -> Array:
    """A column as an array of shape (draws, places), NaN where it is missing."""
    draws = sorted({row["draw"] for row in rows})
    found = np.full((len(draws), len(places)), np.nan)
    for row in rows:
        if row.get(column) is not None:
            found[draws.index(row["draw"]), places.index(row[along])] = row[column]
    return found


def in_words(row: Row) -> str:
    """Which run a row is about, for the progress."""
    names = {"data": "", "points": "n = ", "layers": "L = ", "output_scale": "scale ", "width": "width ", "draw": "draw "}
    return ", ".join(f"{word}{row[name]}" for name, word in names.items() if name in row)


def claim_counts(claims: Iterable[CheckedClaim]) -> dict[str, Any]:
    """The columns COUNTS, each claim counted by its worst verdict, and ``doubtful``: those violated or undecided."""
    claims = list(claims)
    totals = counted()
    for claim in claims:
        totals[claim.verdict] += 1
    bad = [claim.id for claim in claims if claim.verdict in (Verdict.VIOLATED, Verdict.UNDECIDED)]
    return {name: totals[verdict] for name, verdict in zip(COUNTS, ORDER, strict=True)} | {"doubtful": " ".join(bad) or None}


def total_counts(rows: Iterable[Row]) -> dict[Verdict, int]:
    """The sums of the columns COUNTS."""
    totals = counted()
    for row in rows:
        for name, verdict in zip(COUNTS, ORDER, strict=True):
            totals[verdict] += int(row.get(name) or 0)
    return totals


def verdict_line(rows: Iterable[Row]) -> str:
    """The sentence that every page has."""
    totals = total_counts(rows)
    return f"Verdicts: {', '.join(f'{totals[verdict]} {verdict.name}' for verdict in ORDER)}."


def doubts(rows: Iterable[Row], *columns: str) -> str:
    """A section that names every run with a claim violated or undecided; empty where there is none."""
    found = [row for row in rows if row.get("doubtful")]
    if not found:
        return ""
    lines = [[*(row.get(name) for name in columns), row["doubtful"]] for row in found]
    return "\n".join(["### Violated or undecided", "", table([*columns, "claims"], lines)])


def heading(title: str, name: str, quick: bool, seed: int) -> str:
    """Title, and how the page came about."""
    known = versions()
    command = f"overparam experiments {name}{' --quick' if quick else ''} --seed {seed}"
    return f"""# Evidence: {title}

Written by `{command}` (overparam {known["overparam"]}, numpy {known["numpy"]}). Every number is in
`{name}.csv`, with the seeds of the weights; the `{name}.json` that the command writes beside it has all versions."""


def table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown."""
    cells = [[_cell(value) for value in one] for one in lines]
    return "\n".join(f"| {' | '.join(one)} |" for one in [list(head), ["---"] * len(head), *cells])


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "–"
    return (f"{value:.3g}" if isinstance(value, float) else str(value)).replace("|", "\\|")


def first_to_last(values: Array) -> str:
    """The medians at the first and the last place, where every draw has a value."""
    ends = (values[:, 0], values[:, -1])
    return " → ".join(_cell(float(np.median(x)) if np.isfinite(x).all() else None) for x in ends)


def joined(*parts: str) -> str:
    """A page from its parts, paragraphs filled; empty parts are left out."""
    blocks = [block for part in parts if part for block in part.split("\n\n")]
    return "\n\n".join(_filled(block) for block in blocks) + "\n"


def _filled(block: str) -> str:
    """A paragraph, or a list of them, with lines of a common length; tables, headings and images stay as they are."""
    if block.startswith(("|", "#", "![")):
        return block
    items = re.split(r"\n(?=\* )", block)
    return "\n".join(
        textwrap.fill(
            item,
            PAGE_WIDTH,
            subsequent_indent="  " if item.startswith("* ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )
