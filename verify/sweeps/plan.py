"""The plan of a sweep: which problems a sweep file asks for, each one checked and named before anything runs.

A sweep file holds a base problem, either as the sections of a problem file or as ``problem = "file.toml"``; a table ``[grid]``
whose keys are those of a problem file as ``section.key`` and whose values are lists, of which the cartesian product is taken in
the order of the file, the last key fastest; and tables ``[[also]]``, each one more point, with single values. Relative paths of
data are relative to the file in which the base problem stands.

A run is named by what it computes: the SHA-256 of its complete problem, every default filled in, the version of this tool and,
for data in a file, the SHA-256 of that file. Equal names are equal computations, so a finished run need never be run again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theorems.errors import InputError, nearest
from verify.errors import ProblemError
from verify.fields import entries, listing, one_line, text, unwanted
from verify.files import regular_file
from verify.options import FILE_SUFFIXES
from verify.problem import Problem, dotted_keys, problem_from_mapping, read_toml

MOST_RUNS = 100_000
_OWN_KEYS = ("problem", "grid", "also")
_SHOWN_CHARACTERS = 200
_CHUNK = 2**20

Sections = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class PlannedRun:
    """One run. id: its name, 64 hexadecimal digits. problem: the complete problem, as ``Problem.to_mapping`` gives it."""

    id: str
    problem: Sections


@dataclass(frozen=True)
class Plan:
    """What a sweep runs.

    keys: the dotted keys that the sweep varies, in the order of the file. runs: in the order of the grid, then of ``[[also]]``.
    folder: what relative data paths are relative to. version: of this tool. given: the sweep as it was given.
    """

    keys: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    folder: Path
    version: str
    given: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the set of runs: two plans with the same digest compute the same."""
        return hashlib.sha256("\n".join(sorted(run.id for run in self.runs)).encode()).hexdigest()


def load_sweep(path: Path | str) -> Plan:
    """Return the plan that a sweep file (TOML) describes.

    Raises ProblemError, one sentence: when the file cannot be read, a name in it is unknown, or a point is not a valid problem.
    """
    path = Path(path)
    return plan_from_mapping(read_toml(path, f"sweep file {str(path)!r}"), path.parent)


def plan_from_mapping(sweep: Mapping[str, Any], folder: Path = Path()) -> Plan:
    """Return the plan that a mapping, nested as a sweep file is, describes.

    folder: what relative paths are relative to. Raises ProblemError.
    """
    base, folder = _base(sweep, Path(folder))
    grid = _assignments("[grid]", sweep.get("grid", {}))
    for key, values in grid.items():
        entries(f"{key} in [grid]", values, "a list of at least one value", lambda place, item: item)
    extra = sweep.get("also", [])
    if not isinstance(extra, list | tuple):
        raise unwanted("[[also]]", "a list of tables", extra)
    also = [_assignments(f"[[also]] {place}", table) for place, table in enumerate(extra, 1)]
    if not grid and not also:
        raise ProblemError("the sweep varies nothing: it has neither keys in [grid] nor points in [[also]]")
    size = (math.prod(len(values) for values in grid.values()) if grid else 0) + len(also)
    if size > MOST_RUNS:
        raise ProblemError(f"the sweep has {size} runs, more than the {MOST_RUNS} it may have")
    version = tool_version()
    digests: dict[Path, str] = {}
    runs: dict[str, PlannedRun] = {}
    labels: dict[str, str] = {}
    for label, point in _points(grid, also):
        try:
            problem = problem_from_mapping(_merged(base, point), folder)
            run = _named(problem, version, digests)
        except (ProblemError, InputError) as error:
            raise ProblemError(f"{label}: {error}") from None
        if run.id in runs:
            raise ProblemError(f"{label} is the same problem as {labels[run.id]}")
        runs[run.id], labels[run.id] = run, label
    keys = dict.fromkeys([*grid, *(key for point in also for key in point)])
    return Plan(tuple(keys), tuple(runs.values()), folder.absolute(), version, dict(sweep))


def tool_version() -> str:
    """The version of overparam that runs now."""
    return importlib.metadata.version("overparam")


def value_at(problem: Sections, key: str) -> Any:
    """A complete problem's value at a dotted key; None where the key does not apply to it."""
    section, _, name = key.partition(".")
    return problem[section].get(name)


def canonical(document: object) -> str:
    """JSON with sorted keys and no spaces: equal documents give equal texts. Numbers that are not finite are refused."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _base(sweep: Mapping[str, Any], folder: Path) -> tuple[Sections, Path]:
    """The sections of the base problem, and what its relative paths are relative to."""
    if not isinstance(sweep, Mapping):
        raise unwanted("a sweep", "a mapping of sections", sweep)
    sections = dict.fromkeys(key.partition(".")[0] for key in dotted_keys())
    known = (*sections, *_OWN_KEYS)
    for name in sweep:
        if name not in known:
            hint = nearest(str(name), known) or f"; a sweep file has {listing(known)}"
            hint = "; it belongs into [grid] or [[also]]" if name in dotted_keys() else hint
            raise ProblemError(f"unknown name {one_line(repr(name))[:80]} in the sweep file{hint}")
    inline = {name: sweep[name] for name in sections if name in sweep}
    if "problem" not in sweep:
        return inline, folder
    if inline:
        raise ProblemError(
            f"the base problem must stand either in the sweep file or in problem = {sweep['problem']!r}, "
            f"but the sweep file has the section {listing(inline)} too"
        )
    path = folder / text("problem", sweep["problem"], "the path of a problem file")
    return read_toml(path, f"problem file {str(path)!r}"), path.parent


def _assignments(where: str, table: object) -> dict[str, Any]:
    """The dotted keys of a table and their values. ``network.seed`` without quotes is TOML's nested table, and means the same."""
    if not isinstance(table, Mapping):
        raise unwanted(where, "a table of keys", table)
    found: dict[str, Any] = {}
    known = dotted_keys()
    for outer, value in table.items():
        inner = {f"{outer}.{key}": item for key, item in value.items()} if isinstance(value, Mapping) else {outer: value}
        for key, item in inner.items():
            if key not in known:
                owners = " or ".join(repr(name) for name in known if name.partition(".")[2] == key)
                hint = f"; did you mean {owners}?" if owners else nearest(str(key), known)
                example = '; keys are those of a problem file, such as "network.seed"'
                raise ProblemError(f"unknown key {one_line(repr(key))[:80]} in {where}{hint or example}")
            if key in found:
                raise ProblemError(f"{key} stands twice in {where}")
            found[key] = item
    return found


def _points(grid: dict[str, list[Any]], also: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every point with what messages call it."""
    products = itertools.product(*grid.values()) if grid else iter(())
    for place, values in enumerate(products, 1):
        point = dict(zip(grid, values, strict=True))
        yield f"grid point {place} ({shown_point(point)})", point
    for place, point in enumerate(also, 1):
        yield f"[[also]] {place} ({shown_point(point)})", point


def shown_point(point: Mapping[str, Any]) -> str:
    """Keys and values for one line of a message or a table."""
    shown = ", ".join(f"{key} = {one_line(repr(value))}" for key, value in point.items())
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 3] + "..."


def _merged(base: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """The base problem with the point's keys in place of its own."""
    merged = dict(base)
    for key, value in point.items():
        section, _, name = key.partition(".")
        table = merged.get(section, {})
        if not isinstance(table, Mapping):
            raise unwanted(f"section [{section}]", "a table of keys", table)
        merged[section] = {**table, name: value}
    return merged


def _named(problem: Problem, version: str, digests: dict[Path, str]) -> PlannedRun:
    """The run of a problem under its name. digests: SHA-256 of the data files met so far."""
    mapping = problem.to_mapping()
    identity = {"problem": mapping, "version": version}
    if problem.data.kind in FILE_SUFFIXES:
        path = problem.data.path
        if path not in digests:
            digests[path] = _file_digest(path, f"data.source {problem.data.source!r}")
        identity["data"] = digests[path]
    return PlannedRun(hashlib.sha256(canonical(identity).encode()).hexdigest(), mapping)


def _file_digest(path: Path, what: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(regular_file(path, what), "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ProblemError(f"{what} cannot be read: {one_line(error.strerror or error)}") from None
    return digest.hexdigest()
