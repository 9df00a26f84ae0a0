"""The problem: what data, which network, which loss, how it is trained and what is certified about it.

:func:`load_problem` reads a TOML file, :func:`problem_from_mapping` takes the same nesting of sections and keys as a
mapping, :func:`built_in_problem` is what ``overparam verify`` runs without a file, and ``Problem.to_mapping`` writes all of
it back with every default filled in. The sections themselves are the records of :mod:`verify.options`.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from theorems.errors import nearest
from verify.errors import ProblemError
from verify.fields import listing, one_line, unwanted
from verify.files import regular_file
from verify.options import (
    FILE_SUFFIXES,
    CertificateOptions,
    DataOptions,
    GeneralizationOptions,
    LossOptions,
    NetworkOptions,
    TrainingOptions,
)
from verify.rigor import Rigor

__all__ = [
    "CertificateOptions",
    "DataOptions",
    "GeneralizationOptions",
    "LossOptions",
    "NetworkOptions",
    "Problem",
    "TrainingOptions",
    "built_in_problem",
    "dotted_keys",
    "load_problem",
    "problem_from_mapping",
    "read_toml",
    "rigorously",
]

_MAXIMAL_FILE_BYTES = 2**24  # these files are written by hand; a larger one is something else


@dataclass(frozen=True)
class Problem:
    """A complete problem: one record for each section of a problem file."""

    data: DataOptions
    network: NetworkOptions
    loss: LossOptions
    training: TrainingOptions
    certificate: CertificateOptions
    generalization: GeneralizationOptions = field(default_factory=GeneralizationOptions)

    def __post_init__(self) -> None:
        weights = self.loss.weights
        if weights == "balanced" and self.data.classes is None:
            raise ProblemError('loss.weights = "balanced" weighs classes alike, but data.classes names none')
        if isinstance(weights, tuple) and len(weights) != self.data.points:
            raise ProblemError(f"loss.weights has {len(weights)} entries, but data.points is {self.data.points}")
        if isinstance(weights, str) and weights != "balanced" and self.data.kind not in FILE_SUFFIXES:
            raise ProblemError(
                f"loss.weights = {weights!r} would be a column or an array of a file, but data.source is "
                f'{self.data.source}; use "balanced" or a list of positive numbers'
            )
        classes = self.data.classes
        if self.generalization.loss == "ramp" and classes is not None and len(classes) > 2:
            raise ProblemError(f'generalization.loss = "ramp" must have two classes, but data.classes names {len(classes)}')

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """Return sections and keys as they could stand in a problem file, every default filled in.

        Keys that do not apply (no classes, no such option for this source or loss) are absent. ``problem_from_mapping`` of
        the result, with the same folder, is this problem again.
        """
        return {section: _echo(getattr(self, section)) for section in _SECTIONS}


_SECTIONS: dict[str, type] = {
    "data": DataOptions,
    "network": NetworkOptions,
    "loss": LossOptions,
    "training": TrainingOptions,
    "certificate": CertificateOptions,
    "generalization": GeneralizationOptions,
}


def built_in_problem() -> Problem:
    """Return the problem of ``overparam verify`` without a file: scikit-learn digits, 3 against 8, and every default."""
    return problem_from_mapping({})


def problem_from_mapping(mapping: Mapping[str, Any], folder: Path = Path()) -> Problem:
    """Return the problem that a mapping of sections to keys to values describes.

    mapping: what a problem file holds; sections and keys left out take their defaults. Without ``data.source`` the data
    are the digits, and then without ``data.classes`` the classes are 3 and 8; where a source is named, leaving out the
    classes means regression.
    folder: what relative data paths are relative to; by default the current directory.

    Raises ProblemError: one sentence naming the section or key, what was wanted, and the value.
    """
    if not isinstance(mapping, Mapping):
        raise unwanted("a problem", "a mapping of sections", mapping)
    for section in mapping:
        if section not in _SECTIONS:
            raise _unknown_section(section)
    given = {section: _keys(section, mapping.get(section, {})) for section in _SECTIONS}
    if "source" not in given["data"]:
        given["data"] = {"classes": (3, 8)} | given["data"]
    given["data"]["folder"] = Path(folder)
    return Problem(**{section: record(**given[section]) for section, record in _SECTIONS.items()})


def rigorously(problem: Problem) -> Problem:
    """Return the same problem with certificates in which every number is enclosed."""
    return dataclasses.replace(problem, certificate=dataclasses.replace(problem.certificate, rigor=Rigor.RIGOROUS.value))


def load_problem(path: Path | str) -> Problem:
    """Return the problem in a TOML file; relative data paths in it are relative to the file's folder.

    Raises ProblemError: one sentence, also when the file is missing, is not a regular file or is not TOML.
    """
    path = Path(path)
    return problem_from_mapping(read_toml(path, f"problem file {str(path)!r}"), path.parent)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return what a TOML file written by hand holds. ``what`` begins the message, as in "problem file 'deep.toml'".

    Raises ProblemError: one sentence, also when the file is missing, is not a regular file or is not TOML.
    """
    if path.suffix.lower() != ".toml":
        raise ProblemError(f"{what} must have a name that ends in .toml")
    try:
        size = regular_file(path, what).stat().st_size
        if size > _MAXIMAL_FILE_BYTES:
            raise ProblemError(f"{what} has {size} bytes, more than the {_MAXIMAL_FILE_BYTES} it may have")
        content = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ProblemError(f"{what} cannot be read: {one_line(error.strerror or error)}") from None
    except UnicodeDecodeError as error:
        raise ProblemError(f"{what} is not UTF-8 text: {one_line(error)}") from None
    try:
        return tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError: TOMLDecodeError, and integers too long to convert
        raise ProblemError(f"{what} is not valid TOML: {one_line(error)[:200]}") from None


def _echo(record: Any) -> dict[str, Any]:
    """The keys of one section with their values as a problem file would write them."""
    shown = {}
    for entry in dataclasses.fields(record):
        value = getattr(record, entry.name)
        if value is not None and entry.metadata.get("echoed", True):
            shown[entry.name] = list(value) if isinstance(value, tuple) else value
    return shown


def _known_keys(section: str) -> tuple[str, ...]:
    return tuple(e.name for e in dataclasses.fields(_SECTIONS[section]) if e.metadata.get("echoed", True))


def _keys(section: str, table: object) -> dict[str, Any]:
    """The keys of one section, every one of them known."""
    if not isinstance(table, Mapping):
        raise unwanted(f"section [{section}]", "a table of keys", table)
    known = _known_keys(section)
    for key in table:
        if key not in known:
            hint = nearest(str(key), known) or f"; the keys of [{section}] are {', '.join(known)}"
            raise ProblemError(f"unknown key {one_line(repr(key))[:80]} in section [{section}]{hint}")
    return dict(table)


def dotted_keys() -> tuple[str, ...]:
    """Every key a problem file can have, as ``section.key``."""
    return tuple(f"{section}.{key}" for section in _SECTIONS for key in _known_keys(section))


def _unknown_section(section: object) -> ProblemError:
    """The error for a word at the top level that is no section; it may be a key that lost its section."""
    name = one_line(repr(section))[:80]
    for owner in _SECTIONS:
        if section in _known_keys(owner):
            return ProblemError(f"unknown section {name}: it is a key of section [{owner}]")
    hint = nearest(str(section), _SECTIONS) or f"; the sections are {listing(_SECTIONS)}"
    return ProblemError(f"unknown section {name}{hint}")
