"""The command about many problems at once: sweep."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from verify.command_group import INTERRUPTED

if TYPE_CHECKING:
    from verify.sweeps.export import Row
    from verify.sweeps.plan import Plan
    from verify.sweeps.runner import Dispatch
    from verify.sweeps.runner import Progress as ProgressCallback
    from verify.sweeps.single import Outcome


@click.command()
@click.argument("sweep_file", metavar="SWEEP.toml", type=click.Path(path_type=Path))
@click.option("--store", "store_file", type=click.Path(path_type=Path), help="The results' SQLite file.  [default: SWEEP.db]")
@click.option("--scheduler", metavar="ADDRESS", help="Run on the workers of this Dask scheduler, such as tcp://host:8786.")
@click.option("--workers", type=int, help="Worker processes of this machine.  [default: one a core]")
@click.option("--resume", is_flag=True, help="Continue an existing store, also with a plan that has changed.")
@click.option("--retry-failed", is_flag=True, help="Run those again that failed before.")
@click.option("--no-run", is_flag=True, help="Run nothing: show and export what the store holds, also while a sweep runs.")
@click.option("--export", "export_file", type=click.Path(path_type=Path), help="Write the table here: .csv, .parquet or .json.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON on stdout and nothing else there.")
def sweep(
    sweep_file: Path,
    store_file: Path | None,
    scheduler: str | None,
    workers: int | None,
    resume: bool,
    retry_failed: bool,
    no_run: bool,
    export_file: Path | None,
    as_json: bool,
) -> None:
    """Verify every problem of a grid in parallel, with the results in one store that an interruption cannot harm.

    Exit status: 0 every run certified and every check holds, 1 a check is violated, 2 bad input, 3 something else is missing.
    """
    from verify.sweeps.export import writer_for
    from verify.sweeps.plan import load_sweep

    _require_one_purpose(
        no_run, {"--scheduler": scheduler, "--workers": workers, "--resume": resume, "--retry-failed": retry_failed}
    )
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers are processes of this machine, and --scheduler has workers of its own; give one of them")
    write = writer_for(export_file) if export_file is not None else None
    plan = load_sweep(sweep_file)
    path = store_file if store_file is not None else sweep_file.with_suffix(".db")
    rows = _read(plan, path) if no_run else _run(plan, path, _dispatch(scheduler, workers), resume, retry_failed)
    if write is not None:
        write(plan, rows)
    sys.exit(_show(plan, rows, as_json, [path, *([export_file] if export_file is not None else [])]))


def _require_one_purpose(no_run: bool, running: dict[str, object]) -> None:
    given = [name for name, value in running.items() if value]
    if no_run and given:
        raise click.UsageError(f"--no-run runs nothing, so {given[0]} says nothing")


def _dispatch(scheduler: str | None, workers: int | None) -> Dispatch:
    from verify.sweeps.runner import processes

    if scheduler is None:
        return processes(workers)
    from verify.sweeps.cluster import cluster

    return cluster(scheduler, lambda sentence: click.echo(f"overparam: {sentence}", err=True))


def _run(plan: Plan, path: Path, dispatch: Dispatch, resume: bool, retry_failed: bool) -> list[Row]:
    from verify.sweeps.export import sweep_rows
    from verify.sweeps.runner import run_sweep
    from verify.sweeps.single import Status
    from verify.sweeps.store import lead

    with lead(path, plan, resume) as store:
        try:
            with _progress() as progress:
                run_sweep(plan, store, dispatch, progress, retry_failed)
        except KeyboardInterrupt:
            done = store.counts()[Status.FINISHED]
            click.echo(
                f"overparam: interrupted; {done} of {len(plan.runs)} runs are finished and in {path}, the same command goes on",
                err=True,
            )
            sys.exit(INTERRUPTED)
        return sweep_rows(plan, store)


def _read(plan: Plan, path: Path) -> list[Row]:
    from verify.sweeps.export import sweep_rows
    from verify.sweeps.store import read

    with read(path, plan) as store:
        return sweep_rows(plan, store)


def _show(plan: Plan, rows: list[Row], as_json: bool, written: list[Path]) -> int:
    """Print the table, and return the exit status."""
    from verify.sweeps.export import sweep_status, table_document

    if as_json:
        from verify.output import as_text

        click.echo(as_text(table_document(plan, rows)), nl=False)
    else:
        from verify.console import report_console
        from verify.sweeps.report import print_sweep

        print_sweep(plan, rows, report_console())
        click.echo(f"results in {' and '.join(map(str, written))}")
    return sweep_status(rows)


@contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """A bar for the whole sweep, with the time that remains, on stderr when it is a terminal; else silence."""
    from verify.sweeps.runner import silent

    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}"))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=Console(stderr=True), transient=True) as bar:
        task, failed = bar.add_task("sweep", total=None, failed=""), 0

        def show(done: int, total: int, outcome: Outcome | None) -> None:
            nonlocal failed
            if outcome is None:
                # What the store has already says nothing about the time that the others take.
                bar.reset(task, total=total, completed=done, failed="")
                return
            failed += outcome.result is None
            bar.update(task, completed=done, failed=f"{failed} without a result" if failed else "")

        yield show
