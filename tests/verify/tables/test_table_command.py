"""The standard tables, and the command."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from verify.commands import cli
from verify.errors import ProblemError
from verify.tables.csv_format import HEADER
from verify.tables.standard import grids, stale_files, standard_files

SHIPPED = Path(__file__).resolve().parents[3] / "docs" / "tables"
SLOW = ("activations", "laws", "widths", "losses")  # .ci/run looks at all of them too


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.validate] * (name in SLOW)) for name in grids()])
def test_the_shipped_tables_are_fresh(name) -> None:
    """Refresh with: overparam table --standard --out docs/tables"""
    assert dict(stale_files(SHIPPED, (name,))) == {}


def test_a_stale_table_is_found(tmp_path) -> None:
    for name, content in standard_files(("theorems",)):
        (tmp_path / name).write_bytes(content.replace(b"0.98", b"0.89"))
    (tmp_path / "theorems.csv").unlink()
    found = dict(stale_files(tmp_path, ("theorems",)))
    assert found["theorems.csv"] == "missing"
    assert found["theorems.md"].startswith("differs from line")
    with pytest.raises(ProblemError, match="must be a folder"):
        dict(stale_files(tmp_path / "none"))


def run(*arguments: str):
    result = CliRunner().invoke(cli, ["table", *arguments])
    return result.exit_code, result.stdout_bytes.decode(), result.stderr


def test_the_command(tmp_path) -> None:
    status, listed, _ = run()
    assert status == 0
    assert all(name in listed for name in grids())
    grid = tmp_path / "grid.toml"
    grid.write_text('[[table]]\ntheorem = "N"\nlambda0 = 1\nbeta = 0.1\nnewton_step = 1\nR = 4\n', encoding="utf-8")
    status, text, _ = run(str(grid))
    assert status == 0
    assert next(csv.reader(io.StringIO(text, newline=""), strict=True)) == list(HEADER)
    out = tmp_path / "out.csv"
    assert run(str(grid), "--out", str(out))[0] == 0
    assert out.read_bytes().decode() == text
    status, told, _ = run("--check", str(out), "--json")
    assert status == 0
    assert json.loads(told)["counts"]["right"] == 2
    status, told, _ = run("--check", str(SHIPPED / "published_gains.csv"))
    assert status == 1
    assert "1.71[39588594]" in told
    assert run("--theorem", "A+", "--format", "latex")[0] == 0
    for arguments, words in (
        ((str(grid), "--theorem", "A"), "one thing at a time"),
        (("--check", str(out), "--theorem", "A"), "one thing at a time"),
        (("--standard",), "needs --out DIR"),
        (("--json",), "belongs to --check"),
        (("--check", str(out), "--out", str(out)), "--out belongs"),
        (("--theorem", "A", "--out", str(tmp_path)), "cannot be written"),
        ((str(tmp_path / "none.toml"),), "does not exist"),
        (("--check", str(tmp_path / "none.csv")), "does not exist"),
    ):
        status, _, told = run(*arguments)
        assert status == 2, arguments
        assert words in told
        assert told.count("\n") == 1
