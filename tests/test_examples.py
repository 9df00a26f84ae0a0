"""The examples run: the script always, the problem files in full with --validate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from verify.problem import load_problem
from verify.verdict import Verdict
from verify.verification import verify

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOT_PROBLEMS = ("sweep", "table")  # grids: of runs, and of constants
PROBLEMS = sorted(path for path in EXAMPLES.glob("*.toml") if path.stem not in NOT_PROBLEMS)


@pytest.mark.parametrize("path", PROBLEMS, ids=lambda path: path.stem)
def test_problem_file_is_valid(path: Path) -> None:
    problem = load_problem(path)
    assert load_problem(path) == problem


@pytest.mark.validate
@pytest.mark.parametrize("path", PROBLEMS, ids=lambda path: path.stem)
def test_problem_is_certified_and_every_check_holds(path: Path) -> None:
    found = verify(load_problem(path))
    assert found.certificate.certified
    assert found.counts[Verdict.VIOLATED] == found.counts[Verdict.UNDECIDED] == 0
    assert (found.certificate.step == 0) == (path.stem == "wide")


def test_weights_from_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "weights_from_elsewhere.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "certified" in done.stdout
