"""Data that cannot be used: one clear sentence each, naming row, column, value or both numbers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verify.data import load_data
from verify.errors import ProblemError
from verify.problem import DataOptions, LossOptions


def weighted(weights: Any) -> LossOptions:
    return LossOptions(name="weighted_square", weights=weights)


def refusal(load: Callable[[], object]) -> str:
    with pytest.raises(ProblemError) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def write_csv(folder: Path, content: str | bytes) -> Path:
    path = folder / "points.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv_options(folder: Path, **options: Any) -> DataOptions:
    return DataOptions(**({"source": "points.csv", "points": 1, "normalize": "none", "folder": folder} | options))


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "points.npz", **arrays)
    return folder


def npz_options(folder: Path, **options: Any) -> DataOptions:
    return csv_options(folder, **({"source": "points.npz"} | options))


BAD_CSV: list[tuple[str | bytes, dict[str, Any], list[str]]] = [
    ("", {}, ["is empty"]),
    ("\n\n", {}, ["is empty"]),
    ("a,b\n", {}, ["header and no rows"]),
    ("1\n2\n", {}, ["feature column", "1 column(s)", "commas"]),
    ("1;2;3\n4;5;6\n", {}, ["feature column"]),
    ("1,2,3\n4,5\n", {}, ["row 1 (line 2) has 2 cells", "first row has 3"]),
    ("a,b,c\n1,2,3\n\n4,5,6,7\n", {}, ["row 1 (line 4) has 4 cells", "header has 3"]),
    ("a,b,c\n1,x,3\n", {}, ["row 0 (line 2), column 1 ('b') is 'x', which is not a number"]),
    ("a,b,c\n1,,3\n", {}, ["row 0 (line 2), column 1 ('b') is empty"]),
    ("1,2,3\n1,1_000,3\n", {}, ["row 1 (line 2), column 1 is '1_000'"]),
    ("1,2,3\n1,１,3\n", {}, ["row 1 (line 2), column 1"]),
    ("a,2,c\n1,2,3\n", {}, ["row 0 (line 1), column 0 is 'a'", "a header is recognized only when"]),
    ("1,2,x\n3,4,y\n", {}, ["column 2 is 'x'", "list the classes in data.classes"]),
    ("a,b,c\n1,2,3\n1,nan,3\n", {}, ["row 1 (line 3), column 1 ('b') is nan", "finite"]),
    ("a,b,c\n1,2,3\n1,-inf,3\n", {}, ["row 1 (line 3), column 1 ('b') is -inf"]),
    ("1,2,3\n1,1e999,3\n", {}, ["row 1 (line 2), column 1 is inf"]),
    ("a,b,c\n1,2,nan\n", {}, ["row 0 (line 2), the target is nan"]),
    ("a,b,c\n1,2,nan\n1,2,3\n", {"classes": (3, 4)}, ["column 2 ('c') is 'nan'", "must have a label"]),
    ("a,b,c\n1,2,\n1,2,3\n", {"classes": (3, 4)}, ["column 2 ('c') is ''", "must have a label"]),
    ("1,2,3\n3,4,3\n", {}, ["the target is 3.0 in every row", "must vary"]),
    ("1,2,3\n", {}, ["the target is 3.0 in every row"]),
    ("1,2,3\n3,4,4\n", {"points": 3}, ["3 points", "has 2 rows"]),
    ("1,2,3\n3,4,4\n", {"classes": (3, 4), "points": 3}, ["3 points", "has 2 rows in the classes 3, 4"]),
    ("1,2,3\n3,4,4\n", {"classes": (3, 11)}, ["11 (int)", "only the classes 3, 4"]),
    ("1,2,cat\n3,4,dog\n", {"classes": ("cat", "dgo")}, ["'dgo' (str)", "classes cat, dog", "did you mean 'dog'"]),
    ("1,2,3\n3,4,4\n", {"classes": (3, "3")}, ["'3' (str)", "same rows"]),
    ("1,2,3\n3,4,4\n", {"target": "c"}, ["data.target", "'c'", "no header"]),
    ("a,b,cost\n1,2,3\n", {"target": "coast"}, ["data.target", "'coast'", "did you mean 'cost'"]),
    ("a,b,c\n1,2,3\n", {"target": "xyz"}, ["'xyz'", "'a', 'b', 'c'"]),
    ("a,a,c\n1,2,3\n", {"target": "a"}, ["'a'", "2 times"]),
    ("1,2,3\n1,2,4\n", {"points": 2}, ["row", "(line", "same point but have different targets"]),
    ("0,2,3\n-0,2,4\n", {"points": 2}, ["same point but have different targets"]),
    (
        "1,5,0\n2,5,1\n3,5,0\n4,5,1\n",
        {"points": 4, "normalize": "sphere"},
        ["same point after scaling but have different targets"],
    ),
    ("1,5,0\n2,5,1\n3,5,0\n", {"points": 3, "normalize": "sphere"}, ["row 1 (line 2) is zero", "sphere"]),
    ('1,2,"3\n4,5,6\n', {}, ["cannot be read as .csv"]),
    ('1,2,"3"4\n', {}, ["cannot be read as .csv"]),
    (b"1,2,\xff\xfe\n", {}, ["cannot be read as .csv"]),
    ("1," + "2" * 200000 + ",3\n", {}, ["cannot be read as .csv", "field larger"]),
]


@pytest.mark.parametrize(("content", "options", "words"), BAD_CSV, ids=range(len(BAD_CSV)))
def test_bad_csv_files_are_refused(tmp_path: Path, content: str | bytes, options: dict[str, Any], words: list[str]) -> None:
    write_csv(tmp_path, content)
    message = refusal(lambda: load_data(csv_options(tmp_path, **options)))
    assert "points.csv" in message
    for word in words:
        assert word in message


def test_bad_weights_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path, "a,mass,y\n1,3,0\n2,0,1\n3,-4,5\n")
    for weights, options, words in (
        ("mass", {"points": 3}, ["the weight in 'mass' is ", "must be positive"]),
        ("mess", {}, ["loss.weights", "'mess'", "did you mean 'mass'"]),
        ("mass", {"target": "mass"}, ["'mass'", "both as data.target and as loss.weights"]),
        ([1.0, 2.0], {"points": 3}, ["2 entries", "data.points is 3"]),
        ("balanced", {}, ["balanced", "data.classes"]),
        ([1e-300, 1e300], {"points": 2}, ["smallest vanishes"]),
    ):
        message = refusal(lambda w=weights, o=options: load_data(csv_options(tmp_path, **o), weighted(w)))
        assert all(word in message for word in words), message
    save(tmp_path, X=np.eye(2), y=np.arange(2), mass=np.ones(3))
    assert "shape (2,)" in refusal(lambda: load_data(npz_options(tmp_path), weighted("mass")))
    assert "no array 'w'" in refusal(lambda: load_data(npz_options(tmp_path), weighted("w")))
    save(tmp_path, X=np.eye(2), y=np.arange(2), mass=np.array([1, np.nan]))
    assert "row 1, the weight is nan" in refusal(lambda: load_data(npz_options(tmp_path), weighted("mass")))


X = np.arange(6.0).reshape(3, 2)
BAD_NPZ: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"y": np.arange(3)}, {}, ["no array 'X'", "'y'"]),
    ({"X": X}, {}, ["no array 'y'", "'X'"]),
    ({"x": X, "y": np.arange(3)}, {}, ["no array 'X'"]),
    ({}, {}, ["no arrays at all"]),
    ({"X": X, "y": np.arange(4)}, {}, ["X has 3 rows and y has 4"]),
    ({"X": X[0], "y": np.arange(2)}, {}, ["'X'", "shape (2,)"]),
    ({"X": X[:, :0], "y": np.arange(3)}, {}, ["'X'", "shape (3, 0)"]),
    ({"X": X[:0], "y": np.arange(0)}, {}, ["has no rows"]),
    ({"X": X, "y": np.zeros((3, 0))}, {}, ["'y'", "shape (3, 0)"]),
    ({"X": X, "y": np.zeros((3, 1, 1))}, {}, ["'y'", "shape (3, 1, 1)"]),
    ({"X": X, "y": np.float64(3)}, {}, ["'y'", "shape ()"]),
    ({"X": X.astype(complex), "y": np.arange(3)}, {}, ["'X'", "complex128"]),
    ({"X": X.astype(object), "y": np.arange(3)}, {}, ["'X'", "never unpickled"]),
    ({"X": X.astype(str), "y": np.arange(3)}, {}, ["'X'", "real numbers"]),
    ({"X": X.astype("datetime64[s]"), "y": np.arange(3)}, {}, ["'X'", "real numbers"]),
    ({"X": X, "y": np.array(["a", "b", "c"])}, {}, ["'y'", "real numbers"]),
    ({"X": X, "y": np.array([1, None, "a"], dtype=object)}, {"classes": (1, 2)}, ["'y'", "never unpickled"]),
    ({"X": X, "y": np.arange(3) * 1j}, {"classes": (1, 2)}, ["'y'", "labels"]),
    ({"X": X, "y": np.arange(6).reshape(3, 2)}, {"classes": (1, 2)}, ["'y'", "one label for each row", "(3, 2)"]),
    ({"X": X, "y": np.array([1, 2, np.nan])}, {"classes": (1, 2)}, ["row 2, the label is nan"]),
    ({"X": X, "y": np.array([1, 2, np.inf])}, {}, ["row 2, the target is inf"]),
    ({"X": X, "y": np.array([[1, 2], [2, np.nan], [0, 0]])}, {}, ["row 1, target column 1 is nan"]),
    ({"X": np.where(X == 3, np.nan, X), "y": np.arange(3)}, {}, ["row 1, column 1 is nan"]),
    ({"X": X, "y": np.array([[1, 2], [2, 2], [0, 2]])}, {}, ["target column 1 is 2.0 in every row"]),
    ({"X": X.astype(np.int64) + 2**60, "y": np.arange(3)}, {}, ["'X'", "beyond 2^53"]),
]


@pytest.mark.parametrize(("content", "options", "words"), BAD_NPZ, ids=range(len(BAD_NPZ)))
def test_bad_npz_files_are_refused(tmp_path: Path, content: dict[str, Any], options: dict[str, Any], words: list[str]) -> None:
    save(tmp_path, **content)
    message = refusal(lambda: load_data(npz_options(tmp_path, **options)))
    assert "points.npz" in message
    for word in words:
        assert word in message


def test_an_npz_that_claims_petabytes_is_refused_from_its_header(tmp_path: Path) -> None:
    header = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**3)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(tmp_path / "points.npz", "w") as file:
        file.writestr("X.npy", header.getvalue())
        file.writestr("y.npy", header.getvalue())
    assert "claims shape (1000000000000, 1000)" in refusal(lambda: load_data(npz_options(tmp_path)))


def test_shipped_sets_and_laws_refuse_what_they_do_not_have() -> None:
    for options, words in (
        (DataOptions(classes=(3, 11)), ["11 (int)", "digits has only the classes 0, 1, 2"]),
        (DataOptions(source="iris", classes=("setosa", "virginca")), ["'virginca'", "did you mean 'virginica'"]),
        (DataOptions(source="iris", classes=(0, "setosa")), ["'setosa' (str)", "same rows"]),
        (DataOptions(classes=(3, 8), points=358), ["358 points", "357 rows"]),
        (DataOptions(source="diabetes", points=443), ["443 points", "442 rows"]),
        (DataOptions(source="gaussian", points=2**62), ["memory"]),
        (DataOptions(source="missing.csv"), ["'missing.csv'", "does not exist"]),
        (DataOptions(source="missing.NPZ"), ["'missing.NPZ'", "does not exist"]),
    ):
        message = refusal(lambda o=options: load_data(o))
        assert all(word in message for word in words), message


def test_targets_that_the_loss_does_not_allow_are_refused() -> None:
    logistic = LossOptions(name="logistic")
    assert load_data(DataOptions(classes=(3, 8)), logistic).outputs == 1
    assert load_data(DataOptions(source="gaussian"), logistic).outputs == 1
    for options in (DataOptions(source="diabetes"), DataOptions(classes=(3, 8, 1))):
        message = refusal(lambda o=options: load_data(o, logistic))
        assert options.source in message
        assert "'logistic' must be -1 or +1" in message


def test_folders_and_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "is a directory" in refusal(lambda: load_data(DataOptions(source="folder.csv", folder=tmp_path)))
    write_csv(tmp_path, "1,2\n" * 1000)
    monkeypatch.setattr("verify.memory.available_memory", lambda: 4000)
    assert "memory" in refusal(lambda: load_data(csv_options(tmp_path)))
