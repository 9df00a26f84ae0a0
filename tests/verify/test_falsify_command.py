"""overparam falsify: exit statuses, JSON, the written program, one sentence for bad input."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from theorems import catalogue
from theorems.catalogue import theorem
from verify.commands import cli


def call(*arguments: str):
    return CliRunner().invoke(cli, ["falsify", *arguments])


def test_a_true_theorem_ends_with_status_0_and_a_program() -> None:
    done = call("N", "--examples", "10")
    assert done.exit_code == 0, done.output
    assert "No counterexample." in done.output
    assert "The instance of N-distance as a program:" in done.output


def test_json_is_all_that_is_printed_and_has_no_infinities(tmp_path) -> None:
    path = tmp_path / "instance.py"
    done = call("N", "--examples", "5", "--json", "--out", str(path))
    assert done.exit_code == 0
    document = json.loads(done.output, parse_constant=pytest.fail)
    assert document["theorem"] == "N"
    assert document["status"] == 0
    assert {item["claim"] for item in document["tightest"]} == {"N-distance"}
    assert document["script"] == path.read_text()
    printed = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True).stdout.split()
    assert printed[::2] == ["measured", "bound", "ratio"]


def test_mutants_of_a_sharp_theorem_are_killed() -> None:
    done = call("N", "--examples", "5", "--mutate", "--json")
    document = json.loads(done.output)
    assert done.exit_code == 0
    assert document["not_confirmed_sharp"] == []
    fates = {item["fate"] for item in document["mutants"]}
    assert fates <= {"killed", "weaker", "survives", "untried", "no_effect"}
    assert all((item["killed_by"] is not None) == (item["fate"] == "killed") for item in document["mutants"])


def test_a_false_theorem_ends_with_status_1(monkeypatch) -> None:
    record = theorem("N")
    halved = [dataclasses.replace(item, expression=item.expression / 2) for item in record.constants]
    monkeypatch.setitem(catalogue.THEOREMS, "N", dataclasses.replace(record, constants=tuple(halved)))
    done = call("N", "--examples", "5")
    assert done.exit_code == 1
    assert "COUNTEREXAMPLE to N-distance" in done.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("A-sqare",), "unknown theorem 'A-sqare'; did you mean 'A-square'?"),
        (("N", "--examples", "-3"), "examples must be at least 1 and at most 100000, got -3"),
        (("N", "--examples", "many"), "'many' is not a valid integer"),
        (("N", "--seed", "-1"), "seed must not be negative, got -1"),
        ((), "Missing argument 'ID'"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, sentence) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert sentence in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path) -> None:
    done = call("N", "--examples", "5", "--out", str(tmp_path / "no" / "such" / "folder.py"))
    assert done.exit_code == 2
    assert "cannot be written" in done.output
