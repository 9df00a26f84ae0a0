"""An experiment as data: what it is called, what it found, and the files that say so."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.errors import ProblemError
from verify.evidence.team import Team
from verify.files import atomic_writer
from verify.output import as_text
from verify.result import versions
from verify.verdict import Verdict, counted

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

    rows: Sequence[Mapping[str, Any]]
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
class Experiment:
    """An entry of the catalogue. run: called with ``quick``, the seed and who measures."""

    name: str
    summary: str
    run: Callable[[bool, int, Team], Findings]


def document(experiment: Experiment, findings: Findings, *, quick: bool, seed: int) -> dict[str, Any]:
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


def contents(experiment: Experiment, findings: Findings, stated: Mapping[str, Any]) -> dict[str, bytes]:
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
