"""The examples run: the script always, the problem files in full with --validate."""

from __future__ import annotations

import dataclasses
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
    assert found.counts[Verdict.VIOLATED] == found.counts[Verdict.UNDECIDED] == 0
    if path.stem == "generalization":  # 20 steps, for a bound on unseen data that says something
        assert found.status == 3
        bound = found.unseen.found.measured
        assert bound.bound == pytest.approx(0.483, abs=5e-4)  # as its comment and docs/theory.md say
        assert next(claim for claim in found.claims if claim.id == "H1-risk").outcome == "HOLDS"
        easier = dataclasses.replace(found.setup.problem.certificate, failure_probability=0.01)
        again = verify(dataclasses.replace(found.setup.problem, certificate=easier)).unseen.found
        assert again.measured.bound == pytest.approx(0.458, abs=5e-4)
        assert again.test_loss == pytest.approx(0.08, abs=5e-3)
        return
    assert found.certificate.certified
    assert found.unseen.found.measured.vacuous  # as docs/theory.md says
    assert found.unseen.found.transport_vacuous
    assert (found.certificate.step == 0) == (path.stem == "wide")


def test_weights_from_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "weights_from_elsewhere.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "certified" in done.stdout
