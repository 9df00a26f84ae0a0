"""The examples about one's own code and theorems: the recorded PyTorch run is checked, PyTorch itself is not needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from verify import OwnRun, assert_theorem

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run_script(*arguments: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_recorded_pytorch_run_is_certified(tmp_path: Path) -> None:
    told = run_script(str(EXAMPLES / "pytorch_run.py"), "--check", str(EXAMPLES / "pytorch_run.npz"), folder=tmp_path)
    assert "certified at step 100 by Theorem A-square" in told
    assert "VIOLATED" not in told
    assert "(3 of 3 steps); 3 stretches between records are not seen" in told  # consecutive ones are seen to be gradient descent
    assert "A-e        not checked" in told


def test_another_step_size_than_pytorchs_is_noticed() -> None:
    with np.load(EXAMPLES / "pytorch_run.npz") as file:
        records = [[w1, w2] for w1, w2 in zip(file["W1"], file["W2"], strict=True)]
        run = OwnRun(records, file["X"], file["y"], 1.05 * float(file["step_size"]), steps=file["steps"].tolist())
    with pytest.raises(AssertionError, match=r"GD VIOLATED[\s\S]*layer 1: 0\.9524, layer 2: 0\.9524"):
        assert_theorem(run, "A")


def test_a_theorem_of_ones_own(tmp_path: Path) -> None:
    told = run_script(str(EXAMPLES / "own_theorem.py"), folder=tmp_path)
    assert "proof step 2: PROVED" in told
    assert "no counterexample" in told
    assert "every claim holds" in told
    assert "the wrong version: refuted, in balls" in told


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "docs" / "own-code.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    told = run_script("-W", "error", "-c", blocks[0], folder=tmp_path)
    assert re.match(r"Theorem A from step 0 on: \d+ HOLDS\n", told)
