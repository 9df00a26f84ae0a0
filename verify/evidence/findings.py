"""An experiment as data: what it is called, what it found, and the files that say so."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from verify.errors import ProblemError
from verify.evidence.tabulated import Row, total_counts
from verify.evidence.team import Team
from verify.files import atomic_writer
from verify.output import as_text
from verify.result import versions
from verify.verdict import Verdict, counted

Grid = TypeVar("Grid")
Measured = TypeVar("Measured")

SCHEMA = "overparam-experiment-1"
PAGES, FIGURES = "evidence", "figures"
"""The folders of pages with their tables, and of figures, under the directory asked for."""


@dataclass(frozen=True)
class Findings:
    """What an experiment found.

    rows: one mapping a line of the table, with values of text, integers, doubles or None; columns: their order. details: what else
    the JSON document tells. counts: checks by verdict. figures: SVG by file name. page: the summary in Markdown, with each figure
    by ``picture``.
    """

    rows: Sequence[Row]
    columns: Sequence[str]
    details: Mapping[str, Any]
    counts: Mapping[Verdict, int]
    figures: Mapping[str, bytes]
    page: str

    @property
    def status(self) -> int:
        """1 if a check is VIOLATED, 3 if one is UNDECIDED, else 0."""
        if self.counts.get(Verdict.VIOLATED, 0):
            return 1
        return 3 if self.counts.get(Verdict.UNDECIDED, 0) else 0


@dataclass(frozen=True)
class Experiment(Generic[Grid, Measured]):
    """An entry of the catalogue: what is run and, of what was measured, what is written.

    quick, full: the grids. measure: called with a grid, the seed and who measures. columns: their order in the table. figures: of
    what was measured. page: of what was measured, ``quick`` and the seed. rows, details, counts: these parts of ``Findings``, where
    what was measured is more than rows.
    """

    name: str
    summary: str
    quick: Grid
    full: Grid
    measure: Callable[[Grid, int, Team], Measured]
    columns: Sequence[str]
    figures: Callable[[Measured], Mapping[str, bytes]]
    page: Callable[[Measured, bool, int], str]
    rows: Callable[[Any], Sequence[Row]] = list
    details: Callable[[Any], Mapping[str, Any]] = lambda measured: {}
    counts: Callable[[Any], Mapping[Verdict, int]] = total_counts

    def run(self, quick: bool, seed: int, team: Team) -> Findings:
        """Measure a grid and put it into words and figures."""
        measured = self.measure(self.quick if quick else self.full, seed, team)
        team.progress("figures")
        return Findings(
            rows=self.rows(measured),
            columns=self.columns,
            details=self.details(measured),
            counts=self.counts(measured),
            figures=self.figures(measured),
            page=self.page(measured, quick, seed),
        )


def document(experiment: Experiment[Any, Any], findings: Findings, *, quick: bool, seed: int) -> dict[str, Any]:
    """The JSON document."""
    return {
        "schema": SCHEMA,
        "experiment": experiment.name,
        "quick": quick,
        "seed": seed,
        "versions": versions(),
        **findings.details,
        "counts": {verdict.name: count for verdict, count in counted(dict(findings.counts)).items()},
        "status": findings.status,
        "rows": [dict(row) for row in findings.rows],
    }


def contents(experiment: Experiment[Any, Any], findings: Findings, stated: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of an experiment by their places, complete before any is written."""
    page = f"{PAGES}/{experiment.name}"
    return {
        f"{page}.csv": as_csv(findings).encode(),
        f"{page}.json": as_text(dict(stated)).encode(),
        f"{page}.md": findings.page.encode(),
        **{f"{FIGURES}/{name}": figure for name, figure in findings.figures.items()},
    }


def picture(caption: str, name: str) -> str:
    """The figure ``name`` of a page, in Markdown."""
    return f"![{caption}](../{FIGURES}/{name})"


def as_csv(findings: Findings) -> str:
    """One row a line; an empty cell where a column does not apply."""
    out = io.StringIO()
    writer = csv.DictWriter(out, findings.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(findings.rows)
    return out.getvalue()


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write the files under ``directory`` (made if needed), each whole or not at all. Raises ProblemError when it cannot."""
    try:
        for name, content in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            with atomic_writer(directory / name) as file:
                file.write(content)
    except OSError as error:
        raise ProblemError(f"--out {str(directory)!r} cannot be written: {error.strerror or error}") from None
