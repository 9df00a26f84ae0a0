"""The command about tables of constants."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from verify.command_group import stages


@click.command()
@click.argument("grid", metavar="[GRID.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--theorem", "identifier", metavar="ID", help="The constants of one statement at reference inputs.")
@click.option("--format", "style", type=click.Choice(["csv", "json", "latex", "markdown"]), default="csv", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write here: a file, or with --standard a folder.")
@click.option("--check", "checked", type=click.Path(path_type=Path), help="Compute a table again and mark what cannot be right.")
@click.option(
    "--standard", is_flag=True, help="The tables of docs/tables: write them all, or with --check find those that are stale."
)
@click.option("--json", "as_json", is_flag=True, help="With --check: print the findings as JSON on stdout and nothing else there.")
def table(
    grid: Path | None, identifier: str | None, style: str, out: Path | None, checked: Path | None, standard: bool, as_json: bool
) -> None:
    """Tables of constants over a grid, enclosed, with provenance. Without a grid: the list of standard tables.

    Exit status with --check: 0 all can be right, 1 something cannot be right, 2 malformed rows or bad input, 3 undecided.
    """
    from verify.errors import ProblemError

    given = [name for name, value in (("GRID.toml", grid), ("--theorem", identifier), ("--standard", standard or None)) if value]
    if len(given) > 1 or (checked is not None and given not in ([], ["--standard"])):
        given += ["--check"] if checked is not None else []
        raise ProblemError(f"one thing at a time: got {' and '.join(given)}")
    if as_json and checked is None:
        raise ProblemError("--json belongs to --check; a table as JSON is --format json")
    if checked is not None and out is not None:
        raise ProblemError("--out belongs to a table and not to --check")
    if checked is not None:
        sys.exit(_check_standard(checked, as_json) if standard else _check(checked, as_json))
    if standard:
        _write_standard(out)
    elif grid is None and identifier is None:
        _list_standard()
    else:
        _write(grid, identifier, style, out)


def _check(path: Path, as_json: bool) -> int:
    from verify.tables.check import check_file
    from verify.tables.findings import as_document, as_text

    with stages() as progress:
        progress(f"computing {path} again")
        found = check_file(path)
    _say(as_document(found), as_text(found), as_json)
    return found.status


def _check_standard(folder: Path, as_json: bool) -> int:
    from verify.tables.standard import stale_files

    with stages() as progress:
        progress("computing the standard tables")
        stale = dict(stale_files(folder))
    told = [f"{name}: {what}" for name, what in stale.items()]
    refresh = f"refresh with: overparam table --standard --out {folder}"
    _say(
        {"status": int(bool(stale)), "stale": stale},
        "\n".join([*told, refresh] if told else ["the standard tables are fresh"]),
        as_json,
    )
    return int(bool(stale))


def _say(document: dict[str, object], text: str, as_json: bool) -> None:
    from verify.output import as_text

    click.echo(as_text(document) if as_json else text, nl=not as_json)


def _list_standard() -> None:
    from verify.tables.kinds import KINDS
    from verify.tables.standard import grids

    click.echo("standard tables (written by overparam table --standard --out DIR):")
    for name, text in grids().items():
        click.echo(f"  {name:<12}{text.splitlines()[0].removeprefix('# ')}")
    click.echo(f"kinds of tables in a grid file: {', '.join(KINDS)} (docs/tables.md)")


def _write_standard(folder: Path | None) -> None:
    from verify.errors import ProblemError
    from verify.files import atomic_writer
    from verify.output import require_directory
    from verify.tables.standard import standard_files

    if folder is None:
        raise ProblemError("--standard needs --out DIR, or --check DIR")
    require_directory(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    with stages() as progress:
        for name, content in standard_files():
            progress(name)
            with atomic_writer(folder / name) as file:
                file.write(content)
            names.append(name)
    click.echo(f"written to {folder}: {', '.join(names)}")


def _write(grid: Path | None, identifier: str | None, style: str, out: Path | None) -> None:
    from verify.errors import ProblemError
    from verify.files import atomic_writer
    from verify.tables.formats import FORMATS
    from verify.tables.grid import load_grid, tables_of
    from verify.tables.reference import reference_grid

    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise ProblemError(f"--out {str(out)!r} cannot be written: it must be a file in a folder that exists")
    blocks = load_grid(grid) if grid is not None else reference_grid(identifier or "")
    with stages() as progress:
        progress("computing the table")
        text = FORMATS[style](tables_of(blocks)).encode()
    if out is None:
        click.echo(text, nl=False)
        return
    with atomic_writer(out) as file:
        file.write(text)
    click.echo(f"written to {out}")
