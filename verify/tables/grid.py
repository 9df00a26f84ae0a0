"""The door of tables: a grid file, its blocks, and the cases that their lists spell out.

Every ``[[table]]`` block is the product of its lists, in the order in which the keys are written; the last key varies fastest.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theorems.errors import InputError, nearest
from verify import fields
from verify.errors import ProblemError
from verify.fields import listing, one_line, show, unwanted
from verify.files import regular_file
from verify.tables.keys import Key, Symbol, boolean, exact_decimal, integer, read_symbol, text
from verify.tables.kinds import KINDS, Kind
from verify.tables.records import MOST_DIGITS, Entry, Row, Table, row_of

LARGEST_FILE = 2**22
MOST_CASES = 10_000
DIGITS = 12
_COMMON = ("title", "kind", "theorem", "digits", "values", "constants")


@dataclass(frozen=True)
class Case:
    """One point of a grid: the kind of table, and the values of its keys. digits, values: as in a block."""

    kind: Kind
    keys: tuple[Key, ...]
    given: Mapping[str, Any]
    digits: int
    values: bool

    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Names and exact texts, from which ``case_of_inputs`` makes the case again."""
        found = [
            (key.name, value.name if isinstance(value, Symbol) else key.write(value))
            for key in self.keys
            if (value := self.given.get(key.name)) is not None
        ]
        found.append(("digits", str(self.digits)))
        return tuple(found if self.values else [*found, ("values", "false")])

    def shown(self) -> tuple[str, ...]:
        """The texts of the inputs that name a row."""
        texts = dict(self.inputs())
        return tuple(texts[key.name] for key in self.keys if key.shown and key.name in texts)

    def entries(self) -> tuple[Entry, ...]:
        """The constants of this case, in the order of their kind."""
        return tuple(self.kind.make(self.given))

    def row(self, entry: Entry, table: str) -> Row:
        """The row of one of the entries."""
        return row_of(entry, table, self.kind.name, self.inputs(), self.shown(), self.digits, self.values)


@dataclass(frozen=True)
class Block:
    """A table that is wanted: its title, its cases, and which constants of them (None: all)."""

    title: str
    cases: tuple[Case, ...]
    constants: tuple[str, ...] | None


def load_grid(path: Path) -> tuple[Block, ...]:
    """The blocks of a grid file; relative data paths in it are relative to its folder.

    Raises ProblemError: one sentence, also when the file is missing, is not a regular file or is not TOML.
    """
    what = f"grid file {str(path)!r}"
    if path.suffix.lower() != ".toml":
        raise ProblemError(f"{what} must have a name that ends in .toml")
    try:
        if regular_file(path, what).stat().st_size > LARGEST_FILE:
            raise ProblemError(f"{what} has more than the {LARGEST_FILE} bytes it may have")
        content = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ProblemError(f"{what} cannot be read: {one_line(error.strerror or error)}") from None
    except UnicodeDecodeError as error:
        raise ProblemError(f"{what} is not UTF-8 text: {one_line(error)}") from None
    return grid_from_text(content, what, path.parent)


def grid_from_text(content: str, what: str, folder: Path = Path()) -> tuple[Block, ...]:
    """The blocks of the text of a grid file; ``what`` begins the message where it is not TOML."""
    try:
        document = tomllib.loads(content, parse_float=_exact)
    except _NoDecimal as error:
        raise ProblemError(f"{what} has a number that is none here: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ProblemError(f"{what} is not valid TOML: {one_line(error)[:200]}") from None
    return grid_from_mapping(document, folder)


class _NoDecimal(ValueError):
    """A number of TOML that is no finite decimal of moderate size."""


def _exact(literal: str) -> Any:
    found = exact_decimal(literal.replace("_", ""))
    if found is None:
        raise _NoDecimal(f"a number must be a finite decimal of moderate size, got {literal[:40]!r}")
    return found


def grid_from_mapping(document: Mapping[str, Any], folder: Path = Path()) -> tuple[Block, ...]:
    """The blocks of a mapping with the nesting of a grid file: {"table": [{...}, ...]}.

    Raises ProblemError naming the block and the key, what was wanted, and the value.
    """
    if not isinstance(document, Mapping):
        raise unwanted("a grid", 'a mapping with the key "table"', document)
    for name in document:
        if name != "table":
            raise ProblemError(
                f"unknown section {show(name)} in a grid{nearest(str(name), ['table'])}; a grid holds [[table]] blocks"
            )
    blocks = fields.entries("table", document.get("table"), "at least one [[table]] block", lambda _, item: item)
    return tuple(_block(f"table[{place}]", block, folder) for place, block in enumerate(blocks))


def _block(where: str, block: Any, folder: Path) -> Block:
    if not isinstance(block, Mapping):
        raise unwanted(where, "a table of keys", block)
    given = dict(block)
    kind = _kind(where, given)
    digits = integer(1, MOST_DIGITS)(f"{where}.digits", given.pop("digits", DIGITS))
    values = boolean(f"{where}.values", given.pop("values", True))
    title = text(f"{where}.title", given.pop("title", kind.title))
    constants = given.pop("constants", None)
    if constants is not None:
        constants = fields.entries(f"{where}.constants", constants, "a list of constants", text)
    cases = tuple(_cases(where, kind, given, digits, values, folder))
    if constants is not None:
        known = dict.fromkeys(entry.constant for case in cases for entry in case.entries())
        for name in constants:
            if name not in known:
                raise ProblemError(f"{where}.constants names {name!r}{nearest(name, known)}; there are {listing(known)}")
    return Block(title, cases, constants)


def _kind(where: str, given: dict[str, Any]) -> Kind:
    name = given.pop("kind", "theorem" if "theorem" in given else None)
    if name is None:
        raise ProblemError(f"{where}.kind is missing: it is one of {', '.join(KINDS)}")
    return KINDS[fields.choice(f"{where}.kind", name, tuple(KINDS))]


def _cases(where: str, kind: Kind, given: dict[str, Any], digits: int, values: bool, folder: Path) -> Iterator[Case]:
    variants = kind.variants(where, given)
    known = dict.fromkeys(key.name for keys, _ in variants for key in keys)
    for name in given:
        if name not in known:
            hint = nearest(str(name), (*known, *_COMMON)) or f"; the keys of this kind are {', '.join(known)}"
            raise ProblemError(f"unknown key {where}.{one_line(str(name))[:60]}{hint}")
    for keys, mapping in variants:
        names = {key.name: key for key in keys}
        axes = {name: _choices(where, names[name], value, values) for name, value in mapping.items() if name in names}
        if len(list(itertools.islice(itertools.product(*axes.values()), MOST_CASES + 1))) > MOST_CASES:
            raise ProblemError(f"{where} asks for more than {MOST_CASES} cases")
        for choice in itertools.product(*axes.values()):
            yield completed(where, kind, keys, dict(zip(axes, choice, strict=True)), digits, values, folder)


def _choices(where: str, key: Key, value: Any, values: bool) -> tuple[Any, ...]:
    """The values of a key: those of its list, or its only one. A word in a list, as "all", stands for a whole value."""
    place = f"{where}.{key.name}"
    if not isinstance(value, list | tuple) or (value and not any(_is_word(x) or _depth(x) >= key.depth for x in value)):
        return (_read(key, place, value, values),)
    return fields.entries(place, value, "a value or a list of values", lambda label, item: _read(key, label, item, values))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and exact_decimal(value) is None


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list | tuple) else 0


def _read(key: Key, place: str, value: Any, values: bool) -> Any:
    free = read_symbol(value) if key.symbol else None
    if free is None:
        return key.read(place, value)
    if values:
        raise ProblemError(f"{place} must be a number, the symbol {free.name!r} is left free (values = false prints formulas only)")
    return free


def completed(
    where: str, kind: Kind, keys: tuple[Key, ...], given: dict[str, Any], digits: int, values: bool, folder: Path = Path()
) -> Case:
    """A case with its defaults filled in, in the order of the kind's keys; raises ProblemError where a required key is missing."""
    found = {}
    for key in keys:
        if key.name in given:
            found[key.name] = given[key.name]
        elif key.default is not None:
            found[key.name] = key.read(f"{where}.{key.name}", key.default)
        elif key.required and key.symbol and not values:
            found[key.name] = Symbol(key.name)
        elif key.required:
            raise ProblemError(f"{where}.{key.name} is missing: a table of kind {kind.name!r} needs it")
    return Case(kind, keys, kind.finish(where, found, folder), digits, values)


def case_of_inputs(where: str, kind_name: str, inputs: Mapping[str, str], folder: Path = Path()) -> Case:
    """The case of a row from its kind and its inputs. Raises ProblemError where they are not those of a row."""
    kind = KINDS[fields.choice(f"{where}.kind", kind_name, tuple(KINDS))]
    rest = dict(inputs)
    digits = integer(1, MOST_DIGITS)(f"{where}.digits", rest.pop("digits", None))
    values = boolean(f"{where}.values", rest.pop("values", "true"))
    ((keys, mapping),) = kind.variants(where, rest)
    names = {key.name: key for key in keys}
    for name in rest:
        if name not in names:
            raise ProblemError(f"{where} has an unknown input {show(name)}{nearest(name, names)}")
    given = {name: _read(names[name], f"{where}.{name}", value, values) for name, value in mapping.items()}
    return completed(where, kind, keys, given, digits, values, folder)


def tables_of(blocks: tuple[Block, ...]) -> tuple[Table, ...]:
    """Compute every block. Raises InputError or ProblemError for a case that has no table."""
    return tuple(Table(block.title, tuple(_rows(block))) for block in blocks)


def _rows(block: Block) -> Iterator[Row]:
    for case in block.cases:
        try:
            for entry in case.entries():
                if block.constants is None or entry.constant in block.constants:
                    yield case.row(entry, block.title)
        except InputError as error:
            names = ", ".join(f"{name} = {text}" for name, text in case.inputs() if len(text) <= 40)
            raise ProblemError(f"table {block.title!r}, {names}: {one_line(error)}") from None
