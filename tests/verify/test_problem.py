"""The problem file: defaults, echo, and one clear sentence for everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import math
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import ProblemError
from verify.problem import (
    CertificateOptions,
    DataOptions,
    GeneralizationOptions,
    LossOptions,
    NetworkOptions,
    TrainingOptions,
    built_in_problem,
    load_problem,
    problem_from_mapping,
)

NAN, INFINITY = math.nan, math.inf

# section, key, value, and words the message must have beside "section.key"
BAD_VALUES: list[tuple[str, str, Any, list[str]]] = [
    ("data", "source", "digts", ["'digts' (str)", "did you mean 'digits'"]),
    ("data", "source", "points.parquet", ["'points.parquet'", ".csv or .npz"]),
    ("data", "source", "", ["''"]),
    ("data", "source", "   ", ["not empty"]),
    ("data", "source", "points\0.csv", ["not empty", "points"]),
    ("data", "source", 3, ["3 (int)"]),
    ("data", "classes", [], ["at least two classes", "[] (list)"]),
    ("data", "classes", [3], ["at least two classes", "[3] (list)"]),
    ("data", "classes", 3, ["3 (int)"]),
    ("data", "classes", "38", ["'38' (str)"]),
    ("data", "classes", [3, 3], ["repeat", "3 (int)"]),
    ("data", "classes", [3, 8.0], ["[1]", "8.0 (float)"]),
    ("data", "classes", [True, False], ["[0]", "True (bool)"]),
    ("data", "classes", [3, ""], ["[1]", "''"]),
    ("data", "points", 0, ["positive integer", "0 (int)"]),
    ("data", "points", -4, ["positive integer", "-4 (int)"]),
    ("data", "points", 16.0, ["positive integer", "16.0 (float)"]),
    ("data", "points", True, ["positive integer", "True (bool)"]),
    ("data", "points", "16", ["positive integer", "'16' (str)"]),
    ("data", "points", -(10**5000), ["positive integer", "bits (int)"]),
    ("data", "points", 2**63, ["below 2^63", "9223372036854775808 (int)"]),
    ("data", "seed", -1, ["nonnegative integer", "-1 (int)"]),
    ("data", "seed", 0.5, ["nonnegative integer", "0.5 (float)"]),
    ("data", "normalize", "spere", ["'spere' (str)", "did you mean 'sphere'"]),
    ("data", "normalize", None, ["None (NoneType)"]),
    ("data", "label_scale", 0, ["a positive finite number", "0 (int)"]),
    ("data", "label_scale", float("nan"), ["a positive finite number", "nan"]),
    ("data", "label_scale", "1", ["a positive finite number", "'1' (str)"]),
    ("data", "target", "age", ["belongs to a .csv file", "'age'"]),
    ("data", "target", 3, ["3 (int)"]),
    ("data", "dimension", 5, ["belongs to the laws", "5 (int)"]),
    ("data", "degrees_of_freedom", 5.0, ["belongs to the student law", "5.0 (float)"]),
    ("network", "hidden", [], ["at least one hidden layer", "[] (list)"]),
    ("network", "hidden", 64, ["at least one hidden layer", "64 (int)"]),
    ("network", "hidden", [0], ["[0]", "positive integer", "0 (int)"]),
    ("network", "hidden", [64, 0.5], ["[1]", "0.5 (float)"]),
    ("network", "hidden", [64, -1], ["[1]", "-1 (int)"]),
    ("network", "hidden", [True], ["True (bool)"]),
    ("network", "hidden", ["64"], ["'64' (str)"]),
    ("network", "hidden", [[64]], ["[64] (list)"]),
    ("network", "hidden", [NAN], ["nan (float)"]),
    ("network", "activation", "tahn", ["tahn", "did you mean 'tanh'"]),
    ("network", "activation", "__import__('os').getcwd()", ["__import__"]),
    ("network", "activation", 3, ["3 (int)"]),
    ("network", "activation", "", ["''"]),
    ("network", "weight_scale", 0, ["positive finite number", "0 (int)"]),
    ("network", "weight_scale", -1.0, ["positive finite number", "-1.0 (float)"]),
    ("network", "weight_scale", NAN, ["positive finite number", "nan (float)"]),
    ("network", "weight_scale", INFINITY, ["positive finite number", "inf (float)"]),
    ("network", "weight_scale", True, ["positive finite number", "True (bool)"]),
    ("network", "weight_scale", "1", ["positive finite number", "'1' (str)"]),
    ("network", "weight_scale", 10**400, ["positive finite number", "bits (int)"]),
    ("network", "bias_scale", -0.1, ["nonnegative finite number", "-0.1 (float)"]),
    ("network", "bias_scale", NAN, ["nan (float)"]),
    ("network", "output_layer", "sings", ['"signs" or "gaussian"', "did you mean 'signs'"]),
    ("network", "output_layer", 1, ["1 (int)"]),
    ("network", "output_scale", 0.0, ["positive finite number", "0.0 (float)"]),
    ("network", "trained", "al", ['"all" or a list', "did you mean 'all'"]),
    ("network", "trained", [], ["[] (list)"]),
    ("network", "trained", [0], ["positive integer", "0 (int)"]),
    ("network", "trained", [3], ["from 1 to 2", "3 (int)"]),
    ("network", "trained", [1, 1], ["repeat", "1 (int)"]),
    ("network", "trained", [1.0], ["1.0 (float)"]),
    ("network", "trained", [True], ["True (bool)"]),
    ("network", "trained", 1, ["1 (int)"]),
    ("network", "centered", 1, ["true or false", "1 (int)"]),
    ("network", "centered", "true", ["'true' (str)"]),
    ("network", "seed", -1, ["-1 (int)"]),
    ("network", "seed", False, ["False (bool)"]),
    ("loss", "name", "sqare", ["sqare", "did you mean 'square'"]),
    ("loss", "name", ["square"], ["(list)"]),
    ("loss", "ridge", -1.0, ["nonnegative finite number", "-1.0 (float)"]),
    ("loss", "ridge", NAN, ["nan (float)"]),
    ("loss", "ridge", 0.1, ["square"]),
    ("loss", "weights", "balanced", ["weighted_square", "'balanced' (str)"]),
    ("loss", "weights", [1.0, 0.0], ["[1]", "0.0 (float)"]),
    ("loss", "weights", [1.0, NAN], ["[1]", "nan (float)"]),
    ("loss", "weights", [], ["[] (list)"]),
    ("loss", "weights", 3, ["3 (int)"]),
    ("training", "step_size", 0, ["positive finite number", "0 (int)"]),
    ("training", "step_size", -0.5, ["-0.5 (float)"]),
    ("training", "step_size", "certifed", ["did you mean 'certified'"]),
    ("training", "step_size", True, ["True (bool)"]),
    ("training", "step_size", INFINITY, ["inf (float)"]),
    ("training", "step_size", NAN, ["nan (float)"]),
    ("training", "steps", 0, ["positive integer", "0 (int)"]),
    ("training", "steps", 2e4, ["positive integer", "20000.0 (float)"]),
    ("training", "steps", True, ["True (bool)"]),
    ("training", "stop_residual", -1e-10, ["nonnegative finite number", "-1e-10 (float)"]),
    ("training", "stop_residual", "1e-10", ["'1e-10' (str)"]),
    ("training", "stop_residual", date(2024, 1, 1), ["(date)"]),
    ("certificate", "rigor", "rigourous", ['"floating point"', "did you mean 'rigorous'"]),
    ("certificate", "rigor", 1, ["1 (int)"]),
    ("certificate", "failure_probability", 0.0, ["between 0 and 1", "0.0 (float)"]),
    ("certificate", "failure_probability", 1, ["between 0 and 1", "1 (int)"]),
    ("certificate", "failure_probability", NAN, ["nan (float)"]),
    ("generalization", "held_out", 1, ["true or false", "1 (int)"]),
    ("generalization", "loss", "clip", ['"clipped" or "ramp"', "did you mean 'clipped'"]),
    ("generalization", "loss", None, ["None (NoneType)"]),
    ("generalization", "clip", 0, ["positive finite number", "0 (int)"]),
    ("generalization", "clip", NAN, ["nan (float)"]),
    ("generalization", "margin", 1.0, ['belongs to generalization.loss = "ramp"', "'clipped'", "1.0 (float)"]),
    ("generalization", "first_radius", -1, ['"1/output_scale" or a positive finite number', "-1 (int)"]),
    ("generalization", "first_radius", "1/alpha", ["'1/alpha' (str)"]),
]


def refusal(mapping: Any, folder: Path = Path()) -> str:
    """The message of the refusal; one sentence on one line."""
    with pytest.raises(ProblemError) as caught:
        problem_from_mapping(mapping, folder)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    assert len(message) < 600
    return message


def short_id(value: Any) -> str:
    """A test's name; Python does not print integers of thousands of digits."""
    return str(value)[:40] if not isinstance(value, int) or abs(value) < 10**9 else "large"


@pytest.mark.parametrize(("section", "key", "value", "words"), BAD_VALUES, ids=short_id)
def test_a_bad_value_is_refused_with_its_key_and_the_value(section: str, key: str, value: Any, words: list[str]) -> None:
    message = refusal({section: {key: value}})
    assert f"{section}.{key}" in message
    for word in words:
        assert word in message


BAD_MAPPINGS: list[tuple[Any, list[str]]] = [
    ({"netwrok": {}}, ["'netwrok'", "did you mean 'network'"]),
    ({"hidden": [64]}, ["'hidden'", "[network]"]),
    ({"colour": {}}, ["'colour'", "'data', 'network', 'loss', 'training', 'certificate', 'generalization'"]),
    ({"network": {"hiden": [64]}}, ["'hiden'", "[network]", "did you mean 'hidden'"]),
    ({"training": {"speed": 3}}, ["'speed'", "[training]"]),
    ({"training": {"xyz": 3}}, ["'xyz'", "step_size, steps, stop_residual"]),
    ({"data": {"folder": "/"}}, ["unknown key 'folder'"]),
    ({"data": {"line\nbreak": 3}}, ["unknown key"]),
    ({"network": [64]}, ["[network]", "table", "[64] (list)"]),
    ({"network": 3}, ["[network]", "3 (int)"]),
    ([], ["mapping", "[] (list)"]),
    ({"data": {"source": "diabetes", "classes": [0, 1]}}, ["data.classes", "diabetes", "[0, 1]"]),
    ({"data": {"source": "gaussian", "classes": [0, 1]}}, ["data.classes", "gaussian"]),
    ({"data": {"source": "gaussian", "dimension": 0}}, ["data.dimension", "0 (int)"]),
    ({"data": {"source": "gaussian", "degrees_of_freedom": 5}}, ["student", "5.0 (float)"]),
    ({"data": {"source": "student", "degrees_of_freedom": 2}}, ["greater than 2", "2 (int)"]),
    ({"data": {"source": "x.npz", "target": "y"}}, ["data.target", ".csv", "'y'"]),
    ({"loss": {"name": "weighted_square"}}, ["loss.weights", "balanced"]),
    ({"loss": {"name": "weighted_square", "weights": [1, 2]}}, ["2 entries", "data.points is 16"]),
    ({"loss": {"name": "weighted_square", "weights": "mass"}}, ["'mass'", "digits"]),
    (
        {"data": {"source": "x.csv"}, "loss": {"name": "weighted_square", "weights": "balanced"}},
        ["balanced", "data.classes"],
    ),
    ({"generalization": {"loss": "ramp", "clip": 1.0}}, ["generalization.clip", '"clipped"', "'ramp'", "1.0 (float)"]),
    ({"generalization": {"loss": "ramp"}, "data": {"classes": [1, 2, 3]}}, ["generalization.loss", "two classes", "names 3"]),
    ({"generalization": {"heldout": False}}, ["'heldout'", "[generalization]", "did you mean 'held_out'"]),
    ({"generalisation": {}}, ["did you mean 'generalization'"]),
    ({"margin": 1.0}, ["key of section [generalization]"]),
    ({"network": {"hidden": [8, 8], "trained": [1, 4]}}, ["network.trained", "from 1 to 3", "4 (int)"]),
]


@pytest.mark.parametrize(("mapping", "words"), BAD_MAPPINGS, ids=short_id)
def test_a_bad_mapping_is_refused(mapping: Any, words: list[str]) -> None:
    message = refusal(mapping)
    for word in words:
        assert word in message


def test_long_values_are_shortened_in_messages() -> None:
    assert len(refusal({"data": {"points": "7" * 10**6}})) < 300
    assert len(refusal({"network": {"hidden": ["7" * 10**6]}})) < 300
    assert len(refusal({"x" * 10**6: {}})) < 300
    assert len(refusal({"network": {"activation": "s" * 10**6}})) < 300
    assert len(refusal({"loss": {"name": "y" * 10**6}})) < 300
    assert len(refusal({"data": {"source": "y" * 10**6 + ".csv"}})) < 300


def test_the_built_in_problem_is_the_documented_one() -> None:
    assert built_in_problem().to_mapping() == {
        "data": {"source": "digits", "classes": [3, 8], "points": 16, "seed": 0, "normalize": "sphere", "label_scale": 1.0},
        "network": {
            "hidden": [64],
            "activation": "tanh",
            "weight_scale": 1.0,
            "bias_scale": 0.0,
            "output_layer": "signs",
            "output_scale": 1.0,
            "trained": "all",
            "centered": True,
            "seed": 0,
        },
        "loss": {"name": "square"},
        "training": {"step_size": "certified", "steps": 20000, "stop_residual": 1e-10},
        "certificate": {"rigor": "floating point", "failure_probability": 0.01},
        "generalization": {"held_out": True, "loss": "clipped", "clip": 0.5, "first_radius": "1/output_scale"},
    }


def test_leaving_out_the_classes_of_a_named_source_means_regression() -> None:
    assert problem_from_mapping({"data": {"source": "digits"}}, Path()).data.classes is None
    assert problem_from_mapping({"data": {"points": 32}}, Path()).data.classes == (3, 8)
    assert problem_from_mapping({"data": {"classes": [0, 1]}}, Path()).data.classes == (0, 1)


def test_defaults_that_depend_on_the_source_or_the_loss_are_filled_in() -> None:
    mapping = {"data": {"source": "student"}, "loss": {"name": "log_cosh"}}
    problem = problem_from_mapping(mapping, Path())
    assert (problem.data.dimension, problem.data.degrees_of_freedom) == (16, 5.0)
    assert problem.loss.ridge == 0.1
    assert problem_from_mapping({"data": {"source": "cube"}}, Path()).data.degrees_of_freedom is None
    assert problem_from_mapping({"generalization": {"loss": "ramp"}}).generalization.margin == 1.0
    for name in ("log_cosh", "pseudo_huber", "logistic"):
        assert LossOptions(name=name, ridge=0).ridge == 0.0


def test_integers_become_numbers_and_lists_become_tuples() -> None:
    network = NetworkOptions(hidden=[8, 4], weight_scale=2, trained=[3, 1])  # type: ignore[arg-type]
    assert network.hidden == (8, 4)
    assert network.trained == (1, 3)
    assert [network.trains(layer) for layer in (1, 2, 3)] == [True, False, True]
    assert isinstance(network.weight_scale, float)
    assert hash(network)


def test_records_made_in_python_pass_the_same_door() -> None:
    for make in (
        lambda: DataOptions(points=0),
        lambda: NetworkOptions(hidden=(0,)),
        lambda: LossOptions(name="cube root"),
        lambda: TrainingOptions(steps=False),
        lambda: CertificateOptions(failure_probability=2.0),
        lambda: GeneralizationOptions(clip=-1.0),
        lambda: dataclasses.replace(built_in_problem().network, hidden=()),
    ):
        with pytest.raises(ProblemError):
            make()


def widths() -> st.SearchStrategy[int]:
    return st.integers(1, 10**6)


def scales() -> st.SearchStrategy[float | int]:
    return st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False) | st.integers(1, 10**12)


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Problem mappings that are right, with any of the keys left out."""
    source = draw(st.sampled_from(["digits", "diabetes", "gaussian", "student", "some/points.csv", "POINTS.NPZ"]))
    data: dict[str, Any] = {"source": source, "points": draw(st.integers(1, 50)), "seed": draw(st.integers(0, 2**63 - 1))}
    data["normalize"] = draw(st.sampled_from(["sphere", "standard", "none"]))
    data["label_scale"] = draw(st.sampled_from([1, 0.25, 3.7]))
    label = st.integers(-5, 2**62) | st.text(st.characters(exclude_characters="\0"), min_size=1).filter(str.strip)
    if source not in ("diabetes", "gaussian", "student"):
        data["classes"] = draw(st.lists(label, min_size=2, max_size=5, unique=True))
    if source == "student":
        data["degrees_of_freedom"] = draw(st.floats(2, 1e6, exclude_min=True))
    hidden = draw(st.lists(widths(), min_size=1, max_size=4))
    layers = st.lists(st.integers(1, len(hidden) + 1), min_size=1, unique=True)
    network = {
        "hidden": hidden,
        "activation": draw(st.sampled_from(["tanh", "relu", "s*exp(-s**2/2)"])),
        "weight_scale": draw(scales()),
        "bias_scale": draw(scales() | st.just(0)),
        "output_layer": draw(st.sampled_from(["signs", "gaussian"])),
        "output_scale": draw(scales()),
        "trained": draw(st.just("all") | layers),
        "centered": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**63 - 1)),
    }
    loss: dict[str, Any] = draw(st.sampled_from([{"name": "square"}, {"name": "logistic"}, {"name": "(y - t)**2"}]))
    if draw(st.booleans()):
        weight = st.floats(1e-3, 1e3)
        count = data["points"]
        loss = {"name": "weighted_square", "weights": draw(st.lists(weight, min_size=count, max_size=count))}
    training = {"step_size": draw(st.just("certified") | scales()), "steps": draw(widths())}
    training["stop_residual"] = draw(scales() | st.just(0.0))
    certificate = {"failure_probability": draw(st.floats(0, 1, exclude_min=True, exclude_max=True))}
    judged: dict[str, Any] = draw(st.sampled_from([{"clip": 2, "held_out": False}, {"first_radius": 0.5}]))
    sections = {"data": data, "network": network, "loss": loss, "training": training, "certificate": certificate}
    sections["generalization"] = judged
    optional = [
        (name, key)
        for name, table in sections.items()
        for key in table
        if key not in ("source", "hidden", "trained", "points", "name", "weights")
    ]
    for name, key in draw(st.lists(st.sampled_from(optional), unique=True)):
        del sections[name][key]
    return sections


@given(mappings())
def test_the_echo_is_the_same_problem_and_keeps_every_given_value(mapping: dict[str, dict[str, Any]]) -> None:
    problem = problem_from_mapping(mapping, Path("somewhere"))
    echo = problem.to_mapping()
    assert problem_from_mapping(echo, Path("somewhere")) == problem
    assert problem_from_mapping(echo, Path("somewhere")).to_mapping() == echo
    for section, table in mapping.items():
        for key, value in table.items():
            expected = sorted(value) if key == "trained" and value != "all" else value
            assert echo[section][key] == expected
    assert hash(problem)


def test_a_problem_file_is_read_and_its_folder_is_where_data_are_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "problem.toml"
    file.write_text('[data]\nsource = "sub/points.csv"\npoints = 3\n[training]\nstep_size = 0.25\n', encoding="utf-8")
    problem = load_problem(file)
    assert problem.data.path == tmp_path / "sub" / "points.csv"
    assert problem.training.step_size == 0.25
    assert problem.to_mapping()["data"]["source"] == "sub/points.csv"
    assert load_problem(str(file)) == problem
    absolute = DataOptions(source=str(tmp_path / "p.csv"), folder=Path("elsewhere"))
    assert absolute.path == tmp_path / "p.csv"


BAD_CONTENTS: list[tuple[bytes, list[str]]] = [
    (b"[data\nsource = 3", ["not valid TOML", "line 1"]),
    (b"[data]\nsource = ", ["not valid TOML", "at end of document"]),
    (b"[data]\nseed = 1\nseed = 2\n", ["not valid TOML", "line 3"]),
    (b"[data]\nseed = " + b"9" * 5000, ["not valid TOML"]),
    (b"a = " + b"[" * 5000, ["not valid TOML"]),
    (b"\xff\xfe", ["not UTF-8"]),
    (b"[data]\nsource = \x00", ["not valid TOML"]),
    (b"[network]\nhidden = [0]\n", ["network.hidden[0]"]),
    (b"[data]\npoints = 0x" + b"f" * 10000, ["data.points", "below 2^63", "integer of 40000 bits"]),
]


@pytest.mark.parametrize(("content", "words"), BAD_CONTENTS, ids=short_id)
def test_a_bad_problem_file_is_refused(tmp_path: Path, content: bytes, words: list[str]) -> None:
    file = tmp_path / "problem.toml"
    file.write_bytes(content)
    with pytest.raises(ProblemError) as caught:
        load_problem(file)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_file_that_cannot_be_a_problem_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "problem.json").write_text("{}", encoding="utf-8")
    (tmp_path / "large.toml").write_bytes(b"#" * (2**24 + 1))
    for name, words in {
        "missing.toml": "does not exist",
        "folder.toml": "is a directory",
        "problem.json": "ends in .toml",
        "large.toml": "bytes, more than",
        "null\0.toml": "does not exist|cannot be read",
        "x" * 300 + ".toml": "cannot be read",
    }.items():
        with pytest.raises(ProblemError, match=words) as caught:
            load_problem(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_pipe_is_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ProblemError, match="not a regular file"):
        load_problem(tmp_path / "pipe.toml")
