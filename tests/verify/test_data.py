"""Data sets as arrays: known facts of the shipped sets, the laws, files written here, and every refusal."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import datasets

from verify.data import Dataset, load_data
from verify.errors import ProblemError
from verify.problem import DataOptions, LossOptions, built_in_problem

EPS = float(np.finfo(np.float64).eps)


def weighted(weights: Any) -> LossOptions:
    return LossOptions(name="weighted_square", weights=weights)


def check_record(data: Dataset) -> None:
    """What every data set promises whatever it is."""
    n, d, k = data.points, data.dimension, data.outputs
    assert data.inputs.shape == (n, d)
    assert data.targets.shape == (n, k)
    assert data.source_rows.shape == (n,)
    assert len(set(data.source_rows.tolist())) == n
    for array in (data.inputs, data.targets, data.sample_weights):
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert np.isfinite(array).all()
    assert data.sample_weights.shape == (n,)
    assert (data.sample_weights > 0).all()
    # n correctly rounded quotients of numbers with exact sum 1: each off by at most half an ulp of its value
    assert abs(math.fsum(data.sample_weights) - 1.0) <= 2 * EPS


# shipped sets


def test_digits_three_and_eight_are_183_and_174_rows_of_64_features() -> None:
    data = load_data(DataOptions(classes=(3, 8), points=357))
    check_record(data)
    assert data.dimension == 64
    assert (data.targets == -1).sum() == 183
    assert (data.targets == 1).sum() == 174
    assert data.classes == (3, 8)
    assert data.feature_names[0] == "pixel_0_0"
    assert data.duplicates == ()
    assert "357 of 357 rows" in data.description


def test_the_built_in_data_are_the_rows_they_say_they_are() -> None:
    data = load_data(built_in_problem().data, built_in_problem().loss)
    check_record(data)
    assert data.inputs.shape == (16, 64)
    assert data.targets.shape == (16, 1)
    assert np.array_equal(data.sample_weights, np.full(16, 1 / 16))
    raw, labels = datasets.load_digits(return_X_y=True)
    assert np.array_equal(labels[data.source_rows], np.where(data.targets[:, 0] < 0, 3, 8))
    eligible = raw[(labels == 3) | (labels == 8)]
    constant = np.ptp(eligible, axis=0) == 0
    assert data.notes == (f"{constant.sum()} constant features standardize to zero",)
    # the definition again, in exact rational arithmetic, for the first point
    for feature in range(64):
        column = [Fraction(value) for value in eligible[:, feature]]
        mean = sum(column) / len(column)
        variance = sum((value - mean) ** 2 for value in column) / len(column)
        distance = Fraction(raw[data.source_rows[0], feature]) - mean
        exact = 0.0 if variance == 0 else float(distance) / math.sqrt(variance)
        # on the sphere the ratio to the standardized value is the same for every feature
        assert data.inputs[0, feature] == pytest.approx(exact * scale_of(data, eligible, raw), rel=1e-12, abs=1e-13)


def scale_of(data: Dataset, eligible: np.ndarray, raw: np.ndarray) -> float:
    """sqrt(d) over the norm of the first point's standardized features, from NumPy's own mean and deviation."""
    deviation = eligible.std(axis=0)
    moving = deviation > 0
    row = (raw[data.source_rows[0]] - eligible.mean(axis=0))[moving] / deviation[moving]
    return math.sqrt(data.dimension) / float(np.linalg.norm(row))


def test_rows_on_the_sphere_have_norm_root_d() -> None:
    data = load_data(DataOptions(classes=(3, 8), points=300))
    # sums of 64 squares and a few quotients: at most about 64 + 8 roundings, half an ulp each
    assert np.allclose(np.linalg.norm(data.inputs, axis=1), 8.0, rtol=40 * EPS, atol=0)


def test_the_seed_decides_and_fewer_points_are_the_beginning_of_more() -> None:
    few, many = (load_data(DataOptions(classes=(3, 8), points=n, seed=5)) for n in (10, 40))
    assert np.array_equal(few.inputs, many.inputs[:10])
    assert np.array_equal(few.targets, many.targets[:10])
    other = load_data(DataOptions(classes=(3, 8), points=10, seed=6))
    assert not np.array_equal(few.source_rows, other.source_rows)


def test_three_classes_become_one_hot_rows_in_the_listed_order() -> None:
    data = load_data(DataOptions(source="iris", classes=(2, 0, 1), points=150, normalize="none"))
    raw, labels = datasets.load_iris(return_X_y=True)
    order = {2: [1, 0, 0], 0: [0, 1, 0], 1: [0, 0, 1]}
    assert data.targets.tolist() == [order[label] for label in labels[data.source_rows]]
    assert np.array_equal(data.inputs, raw[data.source_rows])
    assert data.notes[0].startswith("1 pair(s) of points are equal")  # iris is known to repeat one flower
    ((i, j),) = data.duplicates
    assert i < j
    assert np.array_equal(data.inputs[i], data.inputs[j])
    check_record(data)


def test_classes_can_be_named() -> None:
    named, numbered = (
        load_data(DataOptions(source="breast_cancer", classes=classes, points=30)) for classes in (("malignant", "benign"), (0, 1))
    )
    assert np.array_equal(named.targets, numbered.targets)
    text = load_data(DataOptions(source="breast_cancer", classes=("0", "1"), points=30))
    assert np.array_equal(text.targets, numbered.targets)


@pytest.mark.parametrize(("source", "rows", "features"), [("diabetes", 442, 10), ("wine", 178, 13), ("digits", 1797, 64)])
def test_regression_targets_are_standardized_over_all_rows(source: str, rows: int, features: int) -> None:
    data = load_data(DataOptions(source=source, points=rows, normalize="standard"))
    check_record(data)
    assert data.inputs.shape == (rows, features)
    assert data.classes is None
    # the residual mean of N numbers of unit variance and the relative error of their mean square: at most N eps
    assert abs(data.targets.mean()) <= rows * EPS
    assert abs(data.targets.var() - 1) <= rows * EPS
    moving = data.inputs.any(axis=0)
    assert np.allclose(data.inputs[:, moving].mean(axis=0), 0, atol=rows * EPS)
    assert np.allclose(data.inputs[:, moving].var(axis=0), 1, atol=rows * EPS)
    raw = getattr(datasets, f"load_{source}")().target[data.source_rows]
    assert np.corrcoef(raw, data.targets[:, 0])[0, 1] == pytest.approx(1, abs=1e-12)


def test_no_classes_on_a_classification_set_means_regression_of_the_label_numbers() -> None:
    data = load_data(DataOptions(source="iris", points=150, normalize="none"))
    # three classes of fifty: labels 0, 1, 2 have mean 1 and variance 2/3
    assert sorted(set(np.round(data.targets[:, 0] * math.sqrt(2 / 3), 12))) == [-1, 0, 1]


# laws


@pytest.mark.parametrize("law", ["gaussian", "sphere", "cube", "student"])
def test_laws_have_mean_zero_and_unit_variance_and_sign_targets(law: str) -> None:
    n, d = 4000, 3
    data = load_data(
        DataOptions(source=law, points=n, dimension=d, degrees_of_freedom=9 if law == "student" else None, normalize="none")
    )
    check_record(data)
    assert set(data.targets.ravel()) == {-1.0, 1.0}
    # The mean of n values of variance 1 has standard error n^-1/2; that of x_i x_j at most (E x_1^4 / n)^1/2, and the
    # fourth moment is largest for the student law, 3 (nu - 2)/(nu - 4) = 4.2. Six standard errors, 12 numbers, 4 laws.
    assert np.abs(data.inputs.mean(axis=0)).max() <= 6 / math.sqrt(n)
    assert abs(data.targets.mean()) <= 6 / math.sqrt(n)
    assert np.abs(data.inputs.T @ data.inputs / n - np.eye(d)).max() <= 6 * math.sqrt(4.2 / n)


def test_laws_have_their_own_supports_and_tails() -> None:
    sphere = load_data(DataOptions(source="sphere", points=500, dimension=7, normalize="none"))
    assert np.allclose(np.linalg.norm(sphere.inputs, axis=1), math.sqrt(7), rtol=16 * EPS)
    cube = load_data(DataOptions(source="cube", points=5000, dimension=2, normalize="none"))
    assert math.sqrt(3) - 0.01 < np.abs(cube.inputs).max() <= math.sqrt(3)
    # E|x|^4 = d(d+2) times 1 (Gaussian) or (nu - 2)/(nu - 4) (Student); nu = 12 has the 8 moments the error needs
    n, d, nu = 20000, 4, 12
    for law, factor in (("gaussian", 1.0), ("student", (nu - 2) / (nu - 4))):
        options = DataOptions(
            source=law, points=n, dimension=d, degrees_of_freedom=nu if law == "student" else None, normalize="none"
        )
        fourth = (load_data(options).inputs ** 2).sum(axis=1) ** 2
        assert abs(fourth.mean() - factor * d * (d + 2)) <= 6 * fourth.std() / math.sqrt(n)


def test_laws_are_not_standardized_again_and_the_first_points_do_not_depend_on_how_many_follow() -> None:
    def load(points: int, normalize: str) -> Dataset:
        return load_data(DataOptions(source="student", points=points, seed=2, normalize=normalize))

    raw, standard, sphere = (load(20, normalize) for normalize in ("none", "standard", "sphere"))
    assert raw.dimension == 16
    assert np.array_equal(raw.inputs, standard.inputs)
    assert "by construction" in standard.notes[0]
    norms = np.linalg.norm(raw.inputs, axis=1, keepdims=True)
    assert np.allclose(sphere.inputs, 4 * raw.inputs / norms, rtol=40 * EPS)
    assert np.array_equal(load(5, "none").inputs, raw.inputs[:5])
    assert np.array_equal(load(5, "none").targets, raw.targets[:5])
    assert raw.source_rows.tolist() == list(range(20))
    check_record(load(1, "sphere"))


# files


def write_csv(folder: Path, content: str | bytes) -> Path:
    path = folder / "points.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv_options(folder: Path, **options: Any) -> DataOptions:
    return DataOptions(**({"source": "points.csv", "points": 1, "normalize": "none", "folder": folder} | options))


def test_csv_with_header_named_target_and_weights(tmp_path: Path) -> None:
    content = '\ufefflength, "the ""mass""",label,width\r\n1,2,a,0.5\r\n\r\n 3 ,4,b,-1e3\r\n5,6,a,.25\r\n'
    write_csv(tmp_path, content)
    options = csv_options(tmp_path, points=3, target="label", classes=("b", "a"))
    data = load_data(options)
    check_record(data)
    expected = np.array([[1, 2, 0.5], [3, 4, -1e3], [5, 6, 0.25]])
    assert np.array_equal(data.inputs, expected[data.source_rows])
    assert np.array_equal(data.targets[:, 0], np.array([1.0, -1.0, 1.0])[data.source_rows])
    assert data.feature_names == ("length", '"the ""mass"""', "width")
    assert "'points.csv'" in data.description or "points.csv" in data.description


def test_csv_without_header_takes_the_last_column_and_integer_classes_read_as_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path, "1,2,3\n4,5,3.0\n7,8,08\n9,9,4\n")
    data = load_data(csv_options(tmp_path, points=3, classes=(3, 8)))
    assert data.feature_names == ()
    assert sorted(zip(data.source_rows.tolist(), data.targets[:, 0].tolist(), strict=True)) == [(0, -1), (1, -1), (2, 1)]
    exact = load_data(csv_options(tmp_path, points=2, classes=("3", "08")))
    assert sorted(exact.source_rows.tolist()) == [0, 2]


def test_csv_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    write_csv(tmp_path, "0.1,1e308,-5e-324,1\n0.30000000000000004,2,3,2\n")
    data = load_data(csv_options(tmp_path, points=2))
    rows = data.inputs[np.argsort(data.source_rows)]
    assert rows.tolist() == [[0.1, 1e308, -5e-324], [0.30000000000000004, 2.0, 3.0]]


def test_sample_weights(tmp_path: Path) -> None:
    write_csv(tmp_path, "a,mass,y\n1,3,0\n2,1,1\n3,4,5\n")
    data = load_data(csv_options(tmp_path, points=3), weighted("mass"))
    assert data.dimension == 1
    assert np.array_equal(data.sample_weights, np.array([3, 1, 4])[data.source_rows] / 8)
    listed = load_data(csv_options(tmp_path, points=3), weighted([1e308, 1e308, 1e308]))
    assert listed.sample_weights == pytest.approx([1 / 3] * 3, rel=2 * EPS)
    plain = load_data(csv_options(tmp_path, points=3), weighted([1, 2, 1]))
    assert plain.sample_weights.tolist() == [0.25, 0.5, 0.25]
    digits = load_data(DataOptions(classes=(3, 8, 1), points=40), weighted("balanced"))
    totals = digits.targets.T @ digits.sample_weights
    assert totals == pytest.approx([1 / 3] * 3, rel=40 * EPS)
    check_record(digits)


def test_the_last_column_that_is_no_weight_is_the_target(tmp_path: Path) -> None:
    write_csv(tmp_path, "a,y,mass\n1,0,3\n2,1,1\n")
    data = load_data(csv_options(tmp_path, points=2), weighted("mass"))
    assert data.feature_names == ("a",)
    assert sorted(data.targets[:, 0].tolist()) == [-1, 1]


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "points.npz", **arrays)
    return folder


def npz_options(folder: Path, **options: Any) -> DataOptions:
    return csv_options(folder, **({"source": "points.npz"} | options))


def test_npz_with_one_or_more_outputs_labels_and_weights(tmp_path: Path) -> None:
    inputs = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
    outputs = np.array([[1, 5], [2, 5], [3, 6], [4, 6]])
    data = load_data(npz_options(save(tmp_path, X=inputs, y=outputs, mass=np.array([1, 1, 2, 4])), points=4), weighted("mass"))
    check_record(data)
    assert data.outputs == 2
    assert np.array_equal(data.inputs, inputs[data.source_rows])
    assert np.array_equal(data.sample_weights, np.array([1, 1, 2, 4])[data.source_rows] / 8)
    assert set(data.targets[:, 1]) == {-1.0, 1.0}
    for labels, classes in (
        (np.array(["cat", "dog", "cat", "emu"]), ("cat", "dog")),
        (np.array([b"cat", b"dog", b"cat", b"emu"]), ("cat", "dog")),
        (np.array([7, 9, 7, 1], dtype=np.uint8), (7, 9)),
        (np.array([7.0, 9.0, 7.0, 1.5]), (7, "9")),
        (np.array([[False], [True], [False], [False]]), (0, 1)),
    ):
        data = load_data(npz_options(save(tmp_path, X=inputs, y=labels), points=3, classes=classes))
        assert np.array_equal(data.targets[:, 0], np.where(data.source_rows == 1, 1, -1))


def test_equal_points_with_equal_targets_are_reported_as_pairs(tmp_path: Path) -> None:
    write_csv(tmp_path, "1,2,0\n1,2,0\n3,3,1\n1,2,0\n")
    data = load_data(csv_options(tmp_path, points=4))
    same = sorted(i for i in range(4) if data.source_rows[i] != 2)
    assert data.duplicates == ((same[0], same[1]), (same[0], same[2]))
    assert "2 pair(s)" in data.notes[-1]


def columns() -> st.SearchStrategy[np.ndarray]:
    entry = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3).map(float)
    return st.tuples(st.integers(2, 12), st.integers(1, 4)).flatmap(lambda shape: arrays(np.float64, shape, elements=entry))


def loaded_or_refused(options: DataOptions) -> Dataset | str:
    """The data set, or the message of the refusal."""
    try:
        return load_data(options)
    except ProblemError as error:
        return str(error)


@settings(deadline=None, max_examples=60)
@given(columns(), st.sampled_from(["sphere", "standard", "none"]))
def test_any_finite_features_are_scaled_to_finite_ones_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, features: np.ndarray, normalize: str
) -> None:
    folder = tmp_path_factory.mktemp("points")
    n, d = features.shape
    save(folder, X=features, y=np.arange(n))
    data = loaded_or_refused(npz_options(folder, points=n, normalize=normalize))
    if isinstance(data, str):
        assert "\n" not in data
        assert "same point" in data or ("is zero" in data and normalize == "sphere")
        return
    check_record(data)
    if normalize == "sphere":
        assert np.allclose(np.linalg.norm(data.inputs, axis=1), math.sqrt(d), rtol=16 * EPS, atol=0)
    if normalize == "standard":
        moving = np.ptp(features / 2, axis=0) > 0
        assert not data.inputs[:, ~moving].any()
        # second centering leaves a mean of at most n eps; the variance carries about as many roundings
        assert np.abs(data.inputs.mean(axis=0)).max() <= 2 * n * EPS
        assert np.allclose((data.inputs[:, moving] ** 2).mean(axis=0), 1, rtol=0, atol=4 * n * EPS)
