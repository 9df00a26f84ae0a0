"""What ``overparam certify --solve`` does with its options."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click

from verify.command_group import stages
from verify.console import report_console
from verify.output import as_text, require_directory
from verify.problem import Problem
from verify.solving.document import solve_json, write_solution
from verify.solving.report import print_solution
from verify.solving.solve import lambda0_of, solve, target_of


def solve_and_show(
    problem: Problem, unknown: str, target: str | None, lambda0: str | None, optimize: bool, out: Path | None, as_json: bool
) -> int:
    """Solve, write what ``out`` asks for, print the report or the document; returns the exit status.

    Raises ProblemError or InputError, one sentence, for bad input.
    """
    goal = Fraction(1) if target is None else target_of(target)
    hypothesis = None if lambda0 is None else lambda0_of(lambda0)
    if out is not None:
        require_directory(out)
    with stages() as stage:
        solved = solve(problem, unknown, target=goal, lambda0=hypothesis, optimize=optimize, stage=stage)
    document, written = (solve_json(solved), ()) if out is None else write_solution(solved, out)
    if as_json:
        click.echo(as_text(document), nl=False)
        return solved.status
    print_solution(solved, report_console())
    if out is not None:
        click.echo(f"written to {out}: {', '.join(written)}")
    return solved.status
