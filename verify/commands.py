"""The command line: the group, and the commands about problems: verify, certify, check.

Exit statuses: 0 certified and every check holds, 1 a check is violated, 2 bad input, 3 no certificate or something undecided.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from verify import experiments_command, sweep_command, table_command, theory_commands
from verify.command_group import SuggestingGroup
from verify.unknowns import UNKNOWNS

if TYPE_CHECKING:
    from verify.problem import Problem
    from verify.result import Verification


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
        click.echo(f"written to {out}: {', '.join(['report.html', 'result.json', *verification_files(document)])}")
        _tell_limits(verification, out)
    sys.exit(verification.status)


@cli.command()
@click.argument("problem_file", metavar="PROBLEM.toml", type=click.Path(path_type=Path))
@click.option("--weights", type=click.Path(path_type=Path), help="Weights trained elsewhere (.npz with W1, b1, W2, ...).")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write result.json and certificate.npz here, with --solve also solved.toml."
)
@click.option("--rigorous", is_flag=True, help="Enclose every number of the certificate, and write certificate.json.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout and nothing else there.")
@click.option("--solve", "unknown", type=click.Choice(UNKNOWNS), help="Find the value that is certified: drawn, and a priori.")
@click.option("--target", metavar="Q", help="With --solve: q < Q wanted, Q in (0, 1]; below 1 for a square loss or a given step.")
@click.option("--lambda0", metavar="VALUE", help="With --solve: the hypothesis lambda_min(K_0) >= VALUE, a priori.")
@click.option("--optimize-budget", is_flag=True, help="With --solve: split the failure probability by a search, a priori.")
def certify(
    problem_file: Path,
    weights: Path | None,
    out: Path | None,
    rigorous: bool,
    as_json: bool,
    unknown: str | None,
    target: str | None,
    lambda0: str | None,
    optimize_budget: bool,
) -> None:
    """Certify without training: at the initialization, or at weights trained elsewhere; or solve for what would be certified."""
    if unknown is not None:
        from verify.solving.command import solve_and_show

        if weights is not None:
            raise click.UsageError("--solve is about the weights that network.seed draws and does not take --weights")
        sys.exit(solve_and_show(_problem(problem_file, rigorous), unknown, target, lambda0, optimize_budget, out, as_json))
    for option, given in (("--target", target), ("--lambda0", lambda0), ("--optimize-budget", optimize_budget or None)):
        if given is not None:
            raise click.UsageError(f"{option} belongs to --solve")
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


for _command in (
    theory_commands.theorems,
    theory_commands.prove,
    theory_commands.falsify,
    experiments_command.experiments,
    table_command.table,
    sweep_command.sweep,
):
    cli.add_command(_command)
