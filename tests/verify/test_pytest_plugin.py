"""The fixture ``assert_theorem`` in a pytest session of somebody else's project."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

PROJECT = """
import numpy as np
from verify import OwnRun


def run(share):
    generator = np.random.default_rng(0)
    x, t = np.eye(3), np.array([0.1, -0.1, 0.05])
    w1, w2, eta = generator.standard_normal((64, 3)), generator.standard_normal((1, 64)) * 0.0, 1.0
    records = [[w1, w2]]
    for _ in range(30):
        h = np.tanh(x @ w1.T / 3**0.5)
        e = (h @ w2.T / 8 - t[:, None]) / 3
        w1, w2 = w1 - share * eta * (((e @ w2 / 8) * (1 - h**2)).T @ x / 3**0.5), w2 - share * eta * e.T @ h / 8
        records.append([w1, w2])
    return OwnRun(records, x, t, eta)


def test_right(assert_theorem):
    report = assert_theorem(run(1.0), "A")
    assert report.holding > 50


def test_wrong(assert_theorem):
    assert_theorem(run(1.0), "E")
    assert_theorem(run(1.1), "A")


def test_raises(assert_theorem):
    assert_theorem(run(1.0), "Z")
"""


def session(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "verify.pytest_plugin", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_the_fixture_passes_fails_readably_and_refuses(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_mine.py").write_text(PROJECT)
    done = session(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "2 failed" in done.stdout
    failure = done.stdout[done.stdout.index("test_wrong") : done.stdout.index("test_raises")]
    assert "Theorem A is not asserted: GD VIOLATED" in failure
    assert "is layer 2: 1.1" in failure  # the output layer starts at 0, so layer 1 has no gradient yet
    for word in ("bound", "measured", "slack", "at step", "A-b"):
        assert word in failure
    assert "Theorem E from step 0 on" in failure  # the report that came before
    assert failure.count("Theorem A is not asserted") == 1
    assert "assertions.py" not in failure  # no page of our source
    assert "unknown theorem 'Z'" in done.stdout


def test_the_plugin_is_light_and_declared() -> None:
    code = (
        "import sys, verify.pytest_plugin\n"
        "heavy = {'numpy', 'sympy', 'numba', 'scipy', 'flint', 'rich', 'jinja2', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    assert parser["options.entry_points"]["pytest11"].split() == ["overparam", "=", "verify.pytest_plugin"]
