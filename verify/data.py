"""From the [data] section to arrays: rows are chosen, scaled, labeled, weighted and checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theorems.errors import nearest
from verify.csv_source import csv_file
from verify.errors import ProblemError
from verify.expressions import loss_of, require_targets
from verify.fields import listing, show
from verify.memory import require_memory
from verify.options import DataOptions, LossOptions
from verify.sources import Label, Table, npz_file, shipped_set, synthetic_law

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Dataset:
    """The points of a problem, as the network sees them.

    inputs: shape (n, d), float64, C-contiguous, scaled as ``data.normalize`` says. targets: shape (n, k), likewise.
    sample_weights: shape (n,), positive, summing to 1: the measure nu of the nu-norm; uniform unless the loss says more.
    source_rows: shape (n,), which rows of the source these are, counting from 0.
    classes: the class labels in the order of ``data.classes``, or None for regression and laws.
    feature_names: d names, or empty. duplicates: pairs (i, j), i < j, of points with equal inputs (and equal targets: others
        are refused); each makes the kernel singular. notes: sentences a reader of the report should see.
    description: the data in one line.
    """

    inputs: Array
    targets: Array
    sample_weights: Array
    source_rows: NDArray[np.int64]
    classes: tuple[Label, ...] | None
    feature_names: tuple[str, ...]
    duplicates: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]
    description: str

    @property
    def points(self) -> int:
        """The number n of points."""
        return int(self.inputs.shape[0])

    @property
    def dimension(self) -> int:
        """The number d of features."""
        return int(self.inputs.shape[1])

    @property
    def outputs(self) -> int:
        """The number k of outputs."""
        return int(self.targets.shape[1])


def load_data(options: DataOptions, loss: LossOptions | None = None) -> Dataset:
    """Return the points that a [data] section describes, with the sample weights of a [loss] section.

    Rows. With ``classes``, the rows of these classes; otherwise all rows. A seeded permutation of them puts ``points``
    rows first, which are taken, so fewer points are the beginning of more.
    Targets. Two classes: -1 for the first listed and +1 for the second; more: one-hot rows in the listed order. No
    classes: the numbers of the source, each column shifted and scaled to mean 0 and variance 1 over all its rows. Laws
    bring sign targets, which stay as they are. All of them are then multiplied by ``label_scale`` (in float64).
    Scaling. "standard": every feature has mean 0 and variance 1 (divisor N) over all rows of the chosen classes, a
    constant feature becomes zero. "sphere": then each row is scaled to Euclidean norm sqrt(d). "none": features as they
    are. The laws have mean 0 and variance 1 by construction and keep it, so that rows stay independent: for them "standard"
    changes nothing and "sphere" only scales rows.
    Weights. Uniform, or for weighted_square: "balanced" gives each class that occurs the same total, a list is in the
    order of the points taken, a name is a column or array of the file.

    Raises ProblemError, one sentence: for what cannot be read; NaN or infinity (row and column named); too few rows;
    classes that do not occur; a constant regression target; a row that is zero where it should be scaled to a sphere;
    points that are equal and have different targets; targets that the loss does not allow.
    """
    weights = None if loss is None else loss.weights
    found = eligible_rows(options, weights if isinstance(weights, str) and weights != "balanced" else None)
    table, class_of, notes = found.table, found.class_of, list(found.notes)
    taken = found.order[: options.points]
    source_rows = found.rows[taken]
    inputs, targets = found.points(options, taken, notes)
    if loss is not None:
        require_targets(loss_of(loss.name, loss.ridge), np.unique(targets).tolist(), table.what)
    duplicates = equal_points(table, source_rows, inputs, targets)
    if duplicates:
        notes.append(f"{len(duplicates)} pair(s) of points are equal, targets too: the smallest kernel eigenvalue is 0")
    return Dataset(
        inputs=inputs,
        targets=targets,
        sample_weights=_sample_weights(weights, table, source_rows, None if class_of is None else class_of[taken]),
        source_rows=source_rows,
        classes=options.classes,
        feature_names=table.feature_names,
        duplicates=duplicates,
        notes=tuple(notes),
        description=_description(table, options, len(found.rows)),
    )


@dataclass(frozen=True)
class EligibleRows:
    """All N rows of a source that a [data] section can take, before rows are scaled to a sphere and labels by their scale.

    rows: (N,), in the source. targets: (N, k). class_of: (N,), the number of each row's class, or None. features: (N, d),
    standardized or not. order: (N,), positions in the order in which they are taken. notes: sentences on the scaling.
    """

    table: Table
    rows: NDArray[np.int64]
    targets: Array
    class_of: NDArray[np.int64] | None
    features: Array
    order: NDArray[np.int64]
    notes: tuple[str, ...]

    def points(self, options: DataOptions, taken: NDArray[np.int64], notes: list[str]) -> tuple[Array, Array]:
        """Inputs and targets at these positions as the network sees them; a note on the labels' scale is appended."""
        inputs, targets = np.ascontiguousarray(self.features[taken]), self.targets[taken]
        targets = _scaled_labels(targets, options, self.table, notes)
        if options.normalize == "sphere":
            inputs = _on_sphere(inputs, self.rows[taken], self.table, len(self.rows))
        return inputs, targets


def eligible_rows(options: DataOptions, weights: str | None = None) -> EligibleRows:
    """Read the source, check it and scale its features; weights: the column or array of sample weights to read."""
    table = _read(options, weights)
    require_finite(table)
    rows, targets, class_of = _targets(table, options)
    if options.points > len(rows):
        chosen = "" if options.classes is None else f" in the classes {listing(options.classes)}"
        raise ProblemError(f"data.points asks for {options.points} points, but {table.what} has {len(rows)} rows{chosen}")
    features, notes = _scaled(table, rows, options.normalize)
    order = np.random.default_rng(options.seed).permutation(len(rows))
    if table.scaled_in_law:  # the draw is random already
        order = np.arange(len(rows))
    return EligibleRows(table, rows, targets, class_of, features, order, tuple(notes))


def _read(options: DataOptions, weights: str | None) -> Table:
    """Dispatch on the kind of source."""
    if options.kind == "set":
        return shipped_set(options)
    if options.kind == "law":
        return synthetic_law(options)
    return csv_file(options, weights) if options.kind == ".csv" else npz_file(options, weights)


def require_finite(table: Table) -> None:
    """Refuse NaN and infinity anywhere in the source, naming row and column."""
    if table.features.shape[0] < 1:
        raise ProblemError(f"{table.what} has no rows")
    for part, array in (("features", table.features), ("targets", table.targets), ("weights", table.weights)):
        if array is None or np.isfinite(array).all():
            continue
        place = np.argwhere(~np.isfinite(array))[0]
        row = table.row(int(place[0]))
        column = table.column(int(place[1])) if part == "features" else "the target" if part == "targets" else "the weight"
        if part == "targets" and array.shape[1] > 1:
            column = f"target column {int(place[1])}"
        raise ProblemError(f"{table.what}: {row}, {column} is {array[tuple(place)]}, but every value must be finite")


def _targets(table: Table, options: DataOptions) -> tuple[NDArray[np.int64], Array, NDArray[np.int64] | None]:
    """Return the eligible rows, their targets of shape (rows, k), and for classification the class number of each."""
    if options.classes is None:
        if table.targets is None:
            raise ProblemError(f"{table.what} has labels and no numeric target: list the classes in data.classes")
        rows = np.arange(table.features.shape[0], dtype=np.int64)
        return rows, table.targets if table.scaled_in_law else _standard_targets(table), None
    if table.labels is None:
        raise ProblemError(f"data.classes does not apply to {table.what}, got {show(list(options.classes))}")
    class_of = np.full(len(table.labels), -1, dtype=np.int64)
    members = _members(table.labels, table.label_names, options.classes)
    for number, (label, rows_of_label) in enumerate(zip(options.classes, members, strict=True)):
        if not rows_of_label:
            raise _no_such_class(table, label)
        if (class_of[rows_of_label] >= 0).any():
            raise ProblemError(f"data.classes lists {show(label)}, the same rows of {table.what} as an earlier class")
        class_of[rows_of_label] = number
    rows = np.flatnonzero(class_of >= 0).astype(np.int64)
    chosen = class_of[rows]
    count = len(options.classes)
    if count == 2:
        return rows, np.where(chosen[:, None] == 1, 1.0, -1.0), chosen
    require_memory(8 * len(rows) * count, f"one-hot targets for {len(rows)} rows and {count} classes")
    targets = np.zeros((len(rows), count))
    targets[np.arange(len(rows)), chosen] = 1.0
    return rows, targets, chosen


def _members(labels: tuple[Label, ...], names: tuple[str, ...], classes: tuple[Label, ...]) -> list[list[int]]:
    """The rows of each class.

    An integer class matches labels that read as that integer ("3", "03", "3.0" in a file). A string class matches the
    label as written, or the name of an integer label where the source has names.
    """
    rows_of: dict[Label, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    members = []
    for wanted in classes:
        matching = [label for label in rows_of if _matches(wanted, label, names)]
        members.append(sorted(row for label in matching for row in rows_of[label]))
    return members


def _matches(wanted: Label, label: Label, names: tuple[str, ...]) -> bool:
    if isinstance(wanted, str):
        named = isinstance(label, int) and 0 <= label < len(names) and names[label] == wanted
        return named or str(label) == wanted
    if isinstance(label, int):
        return label == wanted
    try:
        return float(label) == wanted
    except ValueError:
        return False


def _no_such_class(table: Table, label: Label) -> ProblemError:
    """The error for a class without rows: what classes there are, or the nearest."""
    present = sorted({str(label) for label in table.labels or ()}, key=lambda text: (len(text), text))
    named = [*table.label_names, *present]
    hint = nearest(label, named) if isinstance(label, str) else ""
    return ProblemError(
        f"data.classes names {show(label)}, but {table.what} has only the classes {', '.join(present[:12])}"
        f"{', ...' if len(present) > 12 else ''}{hint}"
    )


def _standard_targets(table: Table) -> Array:
    """Regression targets with mean 0 and variance 1 over all rows; a constant column would leave nothing to learn."""
    targets = table.targets if table.targets is not None else np.empty((0, 0))
    standard, constant = _standardized(targets)
    if constant.any():
        column = int(np.flatnonzero(constant)[0])
        place = "the target" if targets.shape[1] == 1 else f"target column {column}"
        raise ProblemError(
            f"{table.what}: {place} is {float(targets[0, column])!r} in every row, but a regression target must vary"
        )
    return standard


def _standardized(columns: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return columns with mean 0 and variance 1 (divisor N), and which were constant (these become zero).

    Each column is first scaled by a power of two, which is exact and keeps sums and squares from overflowing; the mean is
    taken twice, because rounding in the first leaves a residue of the size of the column's offset.
    """
    constant = (columns == columns[0]).all(axis=0)
    exponents = np.frexp(np.abs(columns).max(axis=0))[1]
    centered = np.ldexp(columns, -exponents)
    for _ in range(2):
        centered = centered - centered.mean(axis=0)
    deviation = np.sqrt(np.mean(centered**2, axis=0))
    return np.where(constant, 0.0, centered / np.where(constant, 1.0, deviation)), constant


def _scaled(table: Table, rows: NDArray[np.int64], normalize: str) -> tuple[Array, list[str]]:
    """Return the features of the eligible rows, standardized unless they should not be, and notes on it."""
    features = table.features[rows]
    if normalize == "none":
        return features, []
    if table.scaled_in_law:
        return features, [f"{table.what} has mean 0 and variance 1 by construction: features are not standardized again"]
    standard, constant = _standardized(features)
    count = int(constant.sum())
    if count == 0:
        return standard, []
    verb = "feature standardizes" if count == 1 else "features standardize"
    return standard, [f"{count} constant {verb} to zero"]


def _on_sphere(inputs: Array, source_rows: NDArray[np.int64], table: Table, averaged: int) -> Array:
    """Scale rows to norm sqrt(d).

    A row at the mean of all rows has no direction. The mean of N numbers carries a rounding error of up to N eps in each
    feature of unit variance, so a row whose entries are all below N eps counts as zero: scaling it up would put noise on
    the sphere. Rows are divided by their largest entry before squaring, so that nothing underflows.
    """
    largest = np.abs(inputs).max(axis=1, keepdims=True)
    dimension = inputs.shape[1]
    noise = 0.0 if table.scaled_in_law else averaged * np.finfo(np.float64).eps
    zero = np.flatnonzero(largest[:, 0] <= noise)
    if zero.size:
        row = table.row(int(source_rows[zero[0]]))
        raise ProblemError(
            f'{table.what}: {row} is zero after its features are standardized, so data.normalize = "sphere" cannot scale it'
        )
    directions = inputs / largest
    norms = np.sqrt(np.sum(directions**2, axis=1, keepdims=True))
    return np.ascontiguousarray(directions * (math.sqrt(dimension) / norms))


def _scaled_labels(targets: Array, options: DataOptions, table: Table, notes: list[str]) -> Array:
    """The targets times ``label_scale``, and a note on it; refused where a target overflows or vanishes."""
    scale = options.label_scale
    if scale == 1:
        return np.ascontiguousarray(targets)
    with np.errstate(over="ignore", under="ignore"):
        found = np.ascontiguousarray(targets * scale)
    tiny = float(np.finfo(np.float64).tiny)  # below it a product loses digits
    if not np.isfinite(found).all() or (np.abs(found[targets != 0]) < tiny).any():
        raise ProblemError(f"data.label_scale takes the targets of {table.what} out of the range of float64, got {show(scale)}")
    notes.append(f"targets are multiplied by {scale!r}")
    return found


def equal_points(table: Table, source_rows: NDArray[np.int64], inputs: Array, targets: Array) -> tuple[tuple[int, int], ...]:
    """Return the pairs of points that are equal, before scaling or after it; refuse pairs whose targets differ."""
    pairs: dict[tuple[int, int], str] = {}
    for when, array in (("", table.features[source_rows]), (" after scaling", inputs)):
        first: dict[bytes, int] = {}
        for point, row in enumerate(array + 0.0):  # adding zero makes -0 and 0 the same bytes
            earlier = first.setdefault(row.tobytes(), point)
            if earlier != point:
                pairs.setdefault((earlier, point), when)
    for (i, j), when in pairs.items():
        if not np.array_equal(targets[i], targets[j]):
            names = " and ".join(table.row(int(source_rows[point])) for point in (i, j))
            raise ProblemError(
                f"{table.what}: {names} are the same point{when} but have different targets, {_shown(targets[i])} and "
                f"{_shown(targets[j])}"
            )
    return tuple(sorted(pairs))


def _shown(target: Array) -> str:
    return repr(float(target[0])) if target.size == 1 else repr([float(value) for value in target[:8]])


def _sample_weights(
    weights: str | tuple[float, ...] | None,
    table: Table,
    source_rows: NDArray[np.int64],
    class_of: NDArray[np.int64] | None,
) -> Array:
    """Return positive weights that sum to 1."""
    n = len(source_rows)
    if weights is None:
        return np.full(n, 1.0 / n)
    if weights == "balanced":
        if class_of is None:
            raise ProblemError('loss.weights = "balanced" weighs classes alike, but data.classes names none')
        return normalized(1.0 / np.bincount(class_of)[class_of])
    if isinstance(weights, tuple):
        if len(weights) != n:
            raise ProblemError(f"loss.weights has {len(weights)} entries, but data.points is {n}")
        return normalized(weights)
    column = table.weights if table.weights is not None else np.empty(0)
    bad = np.flatnonzero(column[source_rows] <= 0)
    if bad.size:
        row = int(source_rows[bad[0]])
        raise ProblemError(
            f"{table.what}: {table.row(row)}, the weight in {weights!r} is {column[row]}, but weights must be positive"
        )
    return normalized(column[source_rows])


def normalized(weights: Iterable[float]) -> Array:
    """Divide by the largest, so that the sum cannot overflow, then by the correctly rounded sum."""
    array: Array = np.asarray(list(weights), dtype=np.float64)
    array /= array.max()
    if not array.all():
        raise ProblemError("loss.weights must not differ so much that the smallest vanishes beside the largest in float64")
    array /= math.fsum(array)
    return array


def _description(table: Table, options: DataOptions, rows: int) -> str:
    """The data in one line."""
    n, d = options.points, table.features.shape[1]
    name = options.source if options.kind != "law" else table.what
    if options.kind == "law":
        return f"{name}: {n} points, {d} features, random signs as targets, normalize {options.normalize}"
    kind = "regression" if options.classes is None else "classes " + ", ".join(str(label) for label in options.classes)
    return f"{name}: {kind}, {n} of {rows} rows, {d} features, normalize {options.normalize}"
