"""The answers of ``overparam certify --solve`` as one JSON document, and the files of ``--out``."""

from __future__ import annotations

import json
import os
from decimal import ROUND_CEILING, ROUND_FLOOR
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theorems.catalogue import THEOREMS
from verify.certificate_fields import outward
from verify.errors import ProblemError
from verify.files import atomic_writer
from verify.output import as_text, verification_files, write_results
from verify.problem import Problem
from verify.result import certificate_json, finite, versions
from verify.solving.factors import FactorRow, FactorTable, sentences
from verify.solving.solve import Solved
from verify.solving.start import Probe, ratios

if TYPE_CHECKING:
    from verify.apriori.solve import AprioriSolution
    from verify.apriori.step import StepSolution

SCHEMA = "overparam-solve-1"
SOLUTION, SOLVED = "solution.json", "solved.toml"


def solve_json(solved: Solved) -> dict[str, Any]:
    """The whole document."""
    return {
        "schema": SCHEMA,
        "problem": solved.problem.to_mapping(),
        "data": {"description": solved.data.description, "notes": list(solved.data.notes)},
        "versions": versions(),
        "unknown": solved.unknown,
        "q_below": str(solved.target),
        "hidden_ratios": list(ratios(solved.problem.network.hidden)) if solved.unknown == "width" else None,
        "at_initialization": _start_json(solved),
        "a_priori": _prior_json(solved.prior, solved.prior_reason),
        "steps": _steps_json(solved.transfer, solved.transfer_reason),
        "factors": None if solved.table is None else _table_json(solved, solved.table),
        "status": solved.status,
        "sources": [f"{name}: {THEOREMS[name].source}" for name in statements_used(solved)],
    }


def statements_used(solved: Solved) -> list[str]:
    """The identifiers of the statements that certify, in the catalogue's order."""
    found = solved.start.reference.certificate
    used = {found.theorem.id, "E"} if found.certified and found.theorem is not None else set()
    if solved.prior is not None:
        used |= {
            solved.prior.certificate.theorem,
            "E",
            "F",
            *(name for name in solved.prior.eigenvalue_source.split() if name in THEOREMS),
        }
    if solved.transfer is not None:
        used |= {"G-persistence", "F"}
    return [name for name in THEOREMS if name in used]


def write_solution(solved: Solved, directory: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Write solution.json into ``directory`` and, where the start is certified, solved.toml beside what certify writes.

    solved.toml is the problem with the value found: ``overparam certify`` certifies it at the same weights. Returns the document
    and the names of all files written. Raises ProblemError when a file cannot be written.
    """
    document = solve_json(solved)
    beside: tuple[str, ...] = ()
    contents = {SOLUTION: as_text(document).encode()}
    if solved.verification is not None:
        beside = ("result.json", "report.html", *verification_files(write_results(solved.verification, directory)))
        contents[SOLVED] = problem_text(solved.start.reference.problem, directory).encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            with atomic_writer(directory / name) as file:
                file.write(content)
        if SOLVED not in contents:  # one of an earlier call would belong to another question
            (directory / SOLVED).unlink(missing_ok=True)
    except OSError as error:
        raise ProblemError(f"--out {str(directory)!r} cannot be written: {error.strerror or error}") from None
    return document, (*contents, *beside)


def problem_text(problem: Problem, directory: Path) -> str:
    """A problem as the text of a problem file in ``directory``, every default filled in; a data file is found from there."""
    mapping = problem.to_mapping()
    if problem.data.kind in (".csv", ".npz"):
        mapping["data"]["source"] = _from(problem.data.path, directory)
    lines = []
    for section, keys in mapping.items():
        lines += [f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in keys.items()), ""]
    return "\n".join(lines)


def _from(path: Path, directory: Path) -> str:
    try:
        return Path(os.path.relpath(path, directory)).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()


def _toml(value: Any) -> str:
    """A value of a problem file: TOML writes strings as JSON does (but for DEL), true and false, integers and finite floats too."""
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _start_json(solved: Solved) -> dict[str, Any]:
    start = solved.start
    undrawn = start.undrawn
    return {
        "answered": solved.verification is not None,
        "about": "the initialization that network.seed draws; only the two values were asked, monotonicity is not proved",
        "seed": solved.problem.network.seed,
        "certified": _probe_json(solved.unknown, start.certified),
        "not_certified": _probe_json(solved.unknown, start.refused),
        "reason": start.reason or None,
        "estimate": None
        if undrawn is None
        else {
            "width": undrawn.width,
            "hidden": list(undrawn.hidden),
            "memory_bytes": undrawn.memory,
            "estimated_from_hidden": list(undrawn.drawn),
        },
        "initializations": start.draws,
        "certificate": None
        if start.reference.certificate.point is None
        else certificate_json(start.reference.certificate, at_initialization=True),
    }


def _probe_json(unknown: str, found: Probe | None) -> dict[str, Any] | None:
    if found is None:
        return None
    value: dict[str, Any] = {"value": found.place if unknown == "width" else found.value}
    if unknown == "width":
        value["hidden"] = list(found.problem.network.hidden)
    return value | {"reason": found.reason or None}


def _prior_json(solution: AprioriSolution | None, reason: str) -> dict[str, Any]:
    if solution is None:
        return {"answered": False, "reason": reason}
    certificate, budget = solution.certificate, solution.budget
    return {
        "answered": certificate.certified,
        "reason": None,
        "about": "all but a share failure_probability of the initializations",
        "certified": {"value": str(solution.value_certified)},
        "not_certified": None if solution.value_refused is None else {"value": str(solution.value_refused)},
        "neighbors": solution.exact,
        "theorem": certificate.theorem,
        "failure_probability": str(certificate.failure_probability),
        "lambda0_from": solution.eigenvalue_source,
        "constants": {name: _ends(*ends) for name, ends in certificate.constants.items()},
        "margins": {name: _ends(*ends) for name, ends in certificate.margins.items()},
        "events": [{"event": name, "share": str(share)} for name, share in budget.shares.items()],
        "factors": [
            {"name": item.name, **_ends(*item.value), "share": item.share, "meaning": item.meaning} for item in solution.factors
        ],
        "notes": list(solution.notes),
    }


def _steps_json(transfer: StepSolution | None, reason: str) -> dict[str, Any] | None:
    if transfer is None:
        return {"answered": False, "reason": reason} if reason else None
    return {
        "answered": True,
        "reason": None,
        "certified": [{"width": width, "step": outward(step, ROUND_FLOOR)} for width, step in transfer.steps],
        "limit_of_drawn_networks": _ends(*transfer.limit),
        "lambda0_from": transfer.eigenvalue_source,
        "events": [{"event": name, "share": str(share)} for name, share in transfer.budget.shares.items()],
    }


def _ends(low: Fraction, high: Fraction) -> dict[str, str]:
    return {"lower": outward(low, ROUND_FLOOR), "upper": outward(high, ROUND_CEILING)}


def _table_json(solved: Solved, table: FactorTable) -> dict[str, Any]:
    return {
        "at": _probe_json(solved.unknown, solved.start.reference),
        "ball_radius": float(table.radius),
        "lambda0_from": table.source or None,
        "rows": [_row_json(row) for row in table.rows],
        "no_a_priori_column": solved.table_reason or None,
        "beta_terms": [
            {"layer": term.layer, "order": term.order, "name": term.name, "share": share} for term, share in table.terms
        ],
        "sentences": sentences(table),
    }


def _row_json(row: FactorRow) -> dict[str, Any]:
    rounding = ROUND_CEILING if row.above else ROUND_FLOOR
    return {
        "name": row.name,
        "bound": "upper" if row.above else "lower",
        "at_initialization": outward(row.measured, rounding),
        "a_priori": None if row.prior is None else outward(row.prior, rounding),
        "ratio": None if row.ratio is None else finite(row.ratio),
    }
