"""The plan: what is asked for, under names that depend on nothing but what is computed."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import ProblemError
from verify.problem import built_in_problem, load_problem
from verify.sweeps import plan as plans
from verify.sweeps.plan import load_sweep, plan_from_mapping, tool_version, value_at

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SETTINGS: dict[str, list[Any]] = {
    "network.hidden": [[4], [8, 8], [64]],
    "network.seed": [0, 1],
    "data.points": [2, 16],
    "training.step_size": ["certified", 0.25],
    "training.steps": [5, 20000],
}


def test_product_in_the_order_of_the_file_then_the_extra_points() -> None:
    seeds, points = [5, 1, 3], [2, 1]
    plan = plan_from_mapping({"grid": {"network.seed": seeds, "data.points": points}, "also": [{"training.steps": 7}]})
    found = [tuple(value_at(run.problem, key) for key in plan.keys) for run in plan.runs]
    assert plan.keys == ("network.seed", "data.points", "training.steps")
    assert found == [(s, n, 20000) for s, n in itertools.product(seeds, points)] + [(0, 16, 7)]


def test_a_name_is_the_hash_of_the_complete_problem_and_the_version() -> None:
    (run,) = plan_from_mapping({"also": [{"network.seed": 0}]}).runs
    document = {"problem": built_in_problem().to_mapping(), "version": tool_version()}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert run.id == hashlib.sha256(text.encode()).hexdigest()


@given(st.fixed_dictionaries({key: st.tuples(st.sampled_from(values), st.integers(0, 2)) for key, values in SETTINGS.items()}))
def test_a_name_does_not_depend_on_where_a_value_stands(settings: dict[str, tuple[Any, int]]) -> None:
    base: dict[str, dict[str, Any]] = {}
    grid: dict[str, Any] = {"loss.name": ["square"]}
    for key, (value, place) in settings.items():
        section, _, name = key.partition(".")
        if place == 0:
            base.setdefault(section, {})[name] = value
        elif place == 1:
            grid[key] = [value]
        else:
            grid.setdefault(section, {})[name] = [value]
    (mixed,) = plan_from_mapping({**base, "grid": grid}).runs
    (plain,) = plan_from_mapping({"also": [{key: value for key, (value, _) in settings.items()}]}).runs
    assert mixed == plain


def test_a_name_changes_with_every_key_and_with_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {run.id for key, values in SETTINGS.items() for run in plan_from_mapping({"grid": {key: values}}).runs}
    others = len(SETTINGS) - 1  # the built-in problem is one of the points for each key but the steps' and the widths' too
    assert len(names) == sum(map(len, SETTINGS.values())) - others
    monkeypatch.setattr(plans, "tool_version", lambda: "another")
    (run,) = plan_from_mapping({"also": [{"network.seed": 0}]}).runs
    assert run.id not in names


def test_a_name_changes_with_the_bytes_of_the_data_and_not_with_their_folder(tmp_path: Path) -> None:
    def name(folder: str, content: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "points.csv").write_text(content)
        sweep = {"data": {"source": "points.csv", "points": 2}, "also": [{"network.seed": 1}]}
        return plan_from_mapping(sweep, tmp_path / folder).runs[0].id

    assert name("a", "1,2\n3,4\n") == name("b", "1,2\n3,4\n") != name("a", "1,2\n3,5\n")


def test_base_problem_in_a_file_of_its_own(tmp_path: Path) -> None:
    plan = load_sweep(EXAMPLES / "sweep.toml")
    assert plan.folder == EXAMPLES
    assert len(plan.runs) == 5
    deep = load_problem(EXAMPLES / "deep.toml").to_mapping()
    for run in plan.runs:
        assert {**run.problem, "network": 0} == {**deep, "network": 0}
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "p.toml").write_text('[data]\nsource = "points.csv"\npoints = 2\n')
    (tmp_path / "inner" / "points.csv").write_text("1,2\n3,4\n")  # relative to the problem's file, not to the sweep's
    (tmp_path / "s.toml").write_text('problem = "inner/p.toml"\n[grid]\nnetwork.seed = [0, 1]\n')
    assert load_sweep(tmp_path / "s.toml").folder == tmp_path / "inner"


def test_equal_sets_of_runs_have_equal_digests() -> None:
    one = plan_from_mapping({"grid": {"network.seed": [0, 1], "data.points": [2, 3]}})
    two = plan_from_mapping({"grid": {"data.points": [3, 2], "network.seed": [1, 0]}})
    more = plan_from_mapping({"grid": {"data.points": [3, 2], "network.seed": [1, 0, 2]}})
    assert one.digest == two.digest != more.digest


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"grid": {"network.hiden": [[4]]}}, "unknown key 'network.hiden' in [grid]; did you mean 'network.hidden'?"),
        ({"grid": {"seed": [1]}}, "unknown key 'seed' in [grid]; did you mean 'data.seed' or 'network.seed'?"),
        ({"grid": {"netwrk": {"seed": [1]}}}, "unknown key 'netwrk.seed' in [grid]; did you mean 'network.seed'?"),
        ({"grid": {"x": [1]}}, "unknown key 'x' in [grid]; keys are those of a problem file"),
        ({"grid": {"data.folder": ["x"]}}, "unknown key 'data.folder' in [grid]"),
        ({"grid": {"network.seed": {"a": [1]}}}, "unknown key 'network.seed.a' in [grid]"),
        ({"grid": {"network.seed": [0], "network": {"seed": [1]}}}, "network.seed stands twice in [grid]"),
        ({"also": [{"network.sed": 1}]}, "unknown key 'network.sed' in [[also]] 1; did you mean 'network.seed'?"),
        ({"gird": {}}, "unknown name 'gird' in the sweep file; did you mean 'grid'?"),
        ({"network.seed": [0]}, "unknown name 'network.seed' in the sweep file; it belongs into [grid] or [[also]]"),
        ({"grid": 3}, "[grid] must be a table of keys, got 3 (int)"),
        ({"also": {"network.seed": 1}}, "[[also]] must be a list of tables"),
        ({"also": [3]}, "[[also]] 1 must be a table of keys, got 3 (int)"),
        ({"data": 3, "grid": {"data.points": [1]}}, "section [data] must be a table of keys, got 3 (int)"),
        ({}, "the sweep varies nothing"),
        ({"grid": {}}, "the sweep varies nothing"),
        ({"grid": {"network.seed": 3}}, "network.seed in [grid] must be a list of at least one value, got 3 (int)"),
        ({"grid": {"network.seed": []}}, "network.seed in [grid] must be a list of at least one value, got [] (list)"),
        (
            {"grid": {"data.points": [1, 2], "network.seed": [0, -1]}},
            "grid point 2 (data.points = 1, network.seed = -1): ",
        ),
        ({"grid": {"network.activation": ["tnh"]}}, "did you mean 'tanh'?"),
        ({"grid": {"network.seed": [0, 0]}}, "grid point 2 (network.seed = 0) is the same problem as grid point 1"),
        (
            {"grid": {"network.seed": [0]}, "also": [{"network.hidden": [64]}]},
            "[[also]] 1 (network.hidden = [64]) is the same",
        ),
        ({"problem": "p.toml", "network": {}}, "either in the sweep file or in problem = 'p.toml'"),
        ({"problem": 3}, "problem must be the path of a problem file, got 3 (int)"),
        ({"problem": "missing.toml", "also": [{}]}, "does not exist"),
        ({"problem": "p.json", "also": [{}]}, "must have a name that ends in .toml"),
        ({"data": {"source": "missing.csv"}, "also": [{}]}, "[[also]] 1 (): data.source 'missing.csv' does not exist"),
        ({"grid": {"network.seed": list(range(1000)), "data.seed": list(range(1000))}}, "has 1000000 runs, more than the 100000"),
        ([], "a sweep must be a mapping of sections"),
    ],
)
def test_bad_sweeps_are_refused_in_one_sentence(sweep: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        plan_from_mapping(sweep, tmp_path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("s.txt", b"", "ends in .toml"), ("s.toml", b"[grid\n", "not valid TOML"), ("s.toml", b"\xff", "not UTF-8")],
)
def test_bad_files_are_refused(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ProblemError, match="sweep file") as caught:
        load_sweep(tmp_path / name)
    assert words in str(caught.value)
