"""The commands about statements rather than runs: theorems, prove, falsify."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from verify.command_group import stages


@click.command()
@click.argument("identifier", metavar="[ID]", required=False)
@click.option(
    "--format", "style", type=click.Choice(["terminal", "latex", "markdown", "json"]), default="terminal", show_default=True
)
@click.option("--layers", type=int, help="Theorem F: the explicit polynomial beta(x) of a network with this many layers, 2 to 6.")
@click.option("--out", "directory", type=click.Path(path_type=Path), help="Write Markdown pages here, one each and an index.")
def theorems(identifier: str | None, style: str, layers: int | None, directory: Path | None) -> None:
    """List the theorems, or show one: statement, hypotheses, constants, claims, proof steps, source."""
    from theorems.catalogue import THEOREMS, theorem
    from verify.errors import ProblemError
    from verify.statements import render, write_pages

    chosen = [theorem(identifier)] if identifier is not None else list(THEOREMS.values())
    if directory is not None and (style != "markdown" or layers is not None):
        raise ProblemError(f"--out writes the theorems' pages and goes with --format markdown alone, got --out {str(directory)!r}")
    if layers is not None:
        from verify.explicit_formulas import render_formulas

        click.echo(render_formulas(identifier, layers, style))
        return
    ledger = None
    if style == "markdown":  # for documents, which say how each step fares
        from verify.proving.ledger import ledger_phrases, run_ledger

        ledger = ledger_phrases(list(run_ledger(chosen)))
    if directory is None:
        click.echo(render(chosen, style, identifier is not None, ledger))
        return
    assert ledger is not None
    names = write_pages(chosen, ledger, directory, index=identifier is None)
    click.echo(f"written to {directory}: {', '.join(names)}")


@click.command()
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--export", "directory", type=click.Path(path_type=Path), help="Write the scalar lemmas here (SMT-LIB 2 and Lean 4).")
@click.option("--json", "as_json", is_flag=True, help="Print the ledger as JSON on stdout and nothing else there.")
def prove(identifier: str | None, directory: Path | None, as_json: bool) -> None:
    """Try the proof of every theorem, or of one, step by step: proved, sampled, assumed."""
    from theorems.catalogue import THEOREMS, theorem
    from verify.proving.exports import export
    from verify.proving.ledger import exit_status, run_ledger
    from verify.proving.report import as_document, print_ledger

    chosen = [theorem(identifier)] if identifier is not None else list(THEOREMS.values())
    exported = export(chosen, directory) if directory is not None else []
    tried = []
    with stages() as progress:
        for item in run_ledger(chosen):
            progress(f"Theorem {item.theorem}: step {item.number}, {item.outcome.status.name}")
            tried.append(item)
    status = exit_status([item.outcome for item in tried])
    if as_json:
        from verify.output import as_text

        click.echo(as_text(as_document(tried, status, exported)), nl=False)
        sys.exit(status)
    from verify.console import report_console

    print_ledger(chosen, tried, report_console())
    if exported:
        click.echo(f"written to {directory}: {len(exported)} files, {exported[0]} to {exported[-1]}")
    sys.exit(status)


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--examples", type=int, default=200, show_default=True, help="Random instances, beside the extreme ones.")
@click.option("--seed", type=int, default=0, show_default=True, help="Everything follows from it.")
@click.option("--mutate", is_flag=True, help="Also try wrong constants, bounds and hypotheses: which are noticed?")
@click.option("--out", type=click.Path(path_type=Path), help="Write the program of the tightest instance or counterexample here.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout and nothing else there.")
def falsify(identifier: str, examples: int, seed: int, mutate: bool, out: Path | None, as_json: bool) -> None:
    """Look for a counterexample to a theorem, or for the instance that comes nearest to its bounds.

    Exit status: 0 no counterexample, and with --mutate every 1% mutant of a sharp theorem is killed; 1 otherwise; 2 bad input.
    """
    from theorems.catalogue import theorem
    from verify.falsify.falsification import falsify as run_falsifier
    from verify.falsify.report import as_json as as_document
    from verify.falsify.report import as_text as as_report
    from verify.falsify.report import script

    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        from verify.errors import ProblemError

        raise ProblemError(f"--out {str(out)!r} cannot be written: it must be a file in a folder that exists")
    with stages() as progress:
        result = run_falsifier(theorem(identifier), examples, seed, mutate, progress=progress)
    program, claim = script(result)
    if out is not None:
        from verify.files import atomic_writer

        with atomic_writer(out) as file:
            file.write(program.encode())
    if as_json:
        from verify.output import as_text

        click.echo(as_text(as_document(result)), nl=False)
    else:
        click.echo(as_report(result))
        click.echo(f"\nThe instance of {claim.id} as a program:\n\n{program}" if out is None else f"written to {out}")
    sys.exit(result.status)
