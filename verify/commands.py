"""The command line: verify, certify, theorems.

Exit statuses: 0 certified and every check holds, 1 a check is violated, 2 bad input, 3 no certificate or something undecided.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from verify.problem import Problem
    from verify.result import Verification

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


class SuggestingGroup(click.Group):
    """A group that names the nearest command when one is unknown, and turns input errors into one sentence and status 2."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from theorems.errors import nearest

            raise click.UsageError(f"no such command {args[0]!r}{nearest(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, standalone_mode: bool = True, **kwargs: Any) -> Any:  # type: ignore[override]
        """Run the command line; errors of usage are one sentence too."""
        run: Callable[..., Any] = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **kwargs)
        try:
            status = run(*args, standalone_mode=False, **kwargs)
        except click.ClickException as error:
            _refuse(error.format_message())
        except click.Abort:
            sys.exit(INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        from numerics.errors import NumericsError
        from theorems.errors import InputError
        from verify.errors import ProblemError

        try:
            return super().invoke(ctx)
        except (InputError, ProblemError, NumericsError) as error:
            _refuse(str(error))
        except OverflowError:
            _refuse(
                "a number of this problem exceeds the range of double precision; look at weight_scale, output_scale and the data"
            )
        except MemoryError:
            _refuse("this problem does not fit into memory")
        except KeyboardInterrupt:
            click.echo("overparam: interrupted", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                _refuse(f"standard output or a file cannot be written: {error.strerror or error}")
            # Nobody reads on; without this the interpreter would complain about stdout once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)


def _refuse(sentence: str) -> NoReturn:
    click.echo(f"overparam: {sentence}", err=True)
    sys.exit(BAD_INPUT)


@click.group(cls=SuggestingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="overparam", prog_name="overparam")
def cli() -> None:
    """Certify training runs of overparameterized networks, and check the theory's inequalities against them."""


@cli.command()
@click.argument("problem_file", metavar="[PROBLEM.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("overparam-run"), show_default=True, help="Where to write.")
@click.option("--rigorous", is_flag=True, help="Enclose every number of the certificate, and write certificate.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout and nothing else there.")
def verify(problem_file: Path | None, out: Path, rigorous: bool, as_json: bool) -> None:
    """Train, certify and check every step. Without a file: scikit-learn digits, 3 against 8."""
    from verify.output import require_directory, verification_files, write_results
    from verify.verification import verify as run_verification

    problem = _problem(problem_file, rigorous)
    require_directory(out)
    with _progress() as progress:
        verification = run_verification(problem, progress)
    document = write_results(verification, out)
    _show(verification, document if as_json else None)
    if not as_json:
        click.echo(f"written to {out}: {', '.join(['result.json', *verification_files(document)])}")
        _tell_limits(verification, out)
    sys.exit(verification.status)


@cli.command()
@click.argument("problem_file", metavar="PROBLEM.toml", type=click.Path(path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), help="Weights trained elsewhere (.npz with W1, b1, W2, ...).")
@click.option("--out", type=click.Path(path_type=Path), help="Write result.json and certificate.npz here.")
@click.option("--rigorous", is_flag=True, help="Enclose every number of the certificate, and write certificate.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout and nothing else there.")
def certify(problem_file: Path, weights: Path | None, out: Path | None, rigorous: bool, as_json: bool) -> None:
    """Certify without training: at the initialization, or at weights trained elsewhere."""
    from verify.output import write_results
    from verify.result import result_json
    from verify.verification import certify_only

    verification = certify_only(_problem(problem_file, rigorous), weights)
    document = write_results(verification, out) if out is not None else result_json(verification, {})
    _show(verification, document if as_json else None)
    if out is not None and not as_json:
        _tell_limits(verification, out)
    sys.exit(verification.status)


@cli.command()
@click.argument("certificate", metavar="CERTIFICATE.json", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout and nothing else there.")
def check(certificate: Path, as_json: bool) -> None:
    """Derive every statement of a rigorous certificate again, by a program that shares no numerical code with its maker.

    Exit status: 0 accepted, 1 rejected at the statement named, 2 not a certificate or malformed, 3 not decided.
    """
    from verify import check_output
    from verify.checker import check as check_certificate

    outcome = check_certificate(certificate)
    click.echo(check_output.as_json(outcome) if as_json else check_output.verdict_line(certificate, outcome))
    sys.exit(check_output.exit_status(outcome))


@cli.command()
@click.argument("identifier", metavar="[ID]", required=False)
@click.option(
    "--format", "style", type=click.Choice(["terminal", "latex", "markdown", "json"]), default="terminal", show_default=True
)
def theorems(identifier: str | None, style: str) -> None:
    """List the theorems, or show one: statement, hypotheses, constants, claims, proof steps, source."""
    from theorems.catalogue import THEOREMS, theorem
    from verify.statements import render

    chosen = [theorem(identifier)] if identifier is not None else list(THEOREMS.values())
    ledger = None
    if style == "markdown":  # for documents, which say how each step fares
        from verify.proving.ledger import ledger_phrases, run_ledger

        ledger = ledger_phrases(list(run_ledger(chosen)))
    click.echo(render(chosen, style, identifier is not None, ledger))


@cli.command()
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
    with _stages() as progress:
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


@cli.command()
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
    with _stages() as progress:
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


@contextmanager
def _stages() -> Iterator[Callable[[str], None]]:
    """The present stage on stderr when it is a terminal, else silence."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda stage: status.update(stage)


def _problem(path: Path | None, rigorous: bool) -> Problem:
    from verify.problem import built_in_problem, load_problem, rigorously

    problem = built_in_problem() if path is None else load_problem(path)
    return rigorously(problem) if rigorous else problem


def _tell_limits(verification: Verification, out: Path) -> None:
    from verify.output import beyond_the_checker

    reason = beyond_the_checker(out, verification)
    if reason is not None:
        click.echo(f"note: overparam check will refuse this certificate: {reason}")


def _show(verification: Verification, document: dict[str, object] | None) -> None:
    if document is not None:
        from verify.output import as_text

        click.echo(as_text(document), nl=False)
        return
    from verify.console import report_console
    from verify.report import print_report

    print_report(verification, report_console())


@contextmanager
def _progress() -> Iterator[Callable[[int, int, float], None]]:
    """A progress bar on stderr when it is a terminal, else silence."""
    if not sys.stderr.isatty():
        yield lambda step, steps, residual: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("training"), BarColumn(), TextColumn("step {task.completed} {task.fields[residual]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=None, residual="")

        def show(step: int, steps: int, residual: float) -> None:
            bar.update(task, completed=step, total=steps, residual=f"residual {residual:.2e}")

        yield show
