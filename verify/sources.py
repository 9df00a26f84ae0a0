"""Where points come from: the sets that scikit-learn ships, laws to draw from, and .npz files; .csv is in its own module.

Every source gives a :class:`Table`: all its rows, unscaled, with enough names to say in a message which value is meant.
Rows and columns count from 0, as in the arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.archives import Archive
from verify.errors import ProblemError
from verify.memory import require_memory
from verify.options import DataOptions

Label = int | str


@dataclass(frozen=True)
class Table:
    """All rows of a source.

    what: how messages call it. features: shape (N, d). targets: numbers, shape (N, k), or None where only labels are
    known. labels: the N class labels, or None where targets are no labels. label_names: for integer labels 0, 1, ... that
    also have names. feature_names: d names or empty. lines: for each row its line in the file, or empty.
    weights: N sample weights, or None. scaled_in_law: whether features have mean 0 and variance 1 by construction.
    """

    what: str
    features: NDArray[np.float64]
    targets: NDArray[np.float64] | None = None
    labels: tuple[Label, ...] | None = None
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    weights: NDArray[np.float64] | None = None
    scaled_in_law: bool = False

    def row(self, index: int) -> str:
        """Name a row in a message."""
        line = f" (line {self.lines[index]})" if self.lines else ""
        return f"row {index}{line}"

    def column(self, index: int) -> str:
        """Name a feature in a message."""
        name = f" ({self.feature_names[index]!r})" if self.feature_names else ""
        return f"column {index}{name}"


def shipped_set(options: DataOptions) -> Table:
    """Return a data set that scikit-learn carries inside its package; nothing is downloaded."""
    from sklearn import datasets  # takes a second to import: only when it is wanted

    bunch = getattr(datasets, f"load_{options.source}")()
    targets = np.asarray(bunch.target)
    integral = targets.dtype.kind in "iu"
    return Table(
        what=options.source,
        features=np.ascontiguousarray(bunch.data, dtype=np.float64),
        targets=np.asarray(targets, dtype=np.float64).reshape(-1, 1),
        labels=tuple(int(label) for label in targets) if integral else None,
        label_names=tuple(str(name) for name in bunch.target_names) if integral else (),
        feature_names=tuple(str(name) for name in bunch.feature_names),
    )


def synthetic_law(options: DataOptions) -> Table:
    """Draw ``points`` independent rows from a law on R^d with mean 0 and identity covariance, and random sign targets.

    gaussian: standard normal. sphere: uniform on the sphere of radius sqrt(d). cube: independent entries, uniform on
    [-sqrt 3, sqrt 3]. student: the multivariate Student law with nu degrees of freedom, x = sqrt((nu - 2)/w) g with g
    standard normal and w chi-square with nu degrees of freedom, independent; E|x|^{2k} is infinite from 2k >= nu on.

    Three streams (directions, radii, signs) come from the seed, so the first n points do not depend on how many follow.
    """
    n, d = options.points, options.dimension or 1
    require_memory(3 * 8 * n * d, f"drawing {n} points of dimension {d} from the {options.source} law")
    rows, radii, signs = (np.random.default_rng(seed) for seed in np.random.SeedSequence(options.seed).spawn(3))
    root = math.sqrt(3.0)
    features = rows.uniform(-root, root, size=(n, d)) if options.source == "cube" else rows.standard_normal((n, d))
    if options.source == "sphere":
        features *= (math.sqrt(d) / np.linalg.norm(features, axis=1))[:, None]
    elif options.source == "student" and options.degrees_of_freedom is not None:
        nu = options.degrees_of_freedom
        features *= np.sqrt((nu - 2.0) / radii.chisquare(nu, size=n))[:, None]
    targets = np.where(signs.integers(0, 2, size=(n, 1)) == 1, 1.0, -1.0)
    return Table(what=f"the {options.source} law", features=features, targets=targets, scaled_in_law=True)


def npz_file(options: DataOptions, weights: str | None) -> Table:
    """Return X (shape (N, d)) and y (shape (N,) or (N, k)) of an .npz file, and the array of sample weights if one is named.

    y holds numbers, or with ``data.classes`` one label for each row: integers, booleans (0 and 1) or strings.
    """
    archive = Archive(options.path, f"data.source {options.source!r}")
    for name in ("X", "y", *([weights] if weights is not None else [])):
        archive.require(name)
    shape, y_shape = archive.header("X").shape, archive.header("y").shape
    if len(shape) != 2 or shape[1] < 1:
        raise ProblemError(f"array 'X' of {archive.what} must have shape (rows, features), got shape {shape}")
    if len(y_shape) not in (1, 2) or (len(y_shape) == 2 and y_shape[1] < 1):
        raise ProblemError(f"array 'y' of {archive.what} must have shape (rows,) or (rows, outputs), got shape {y_shape}")
    if shape[0] != y_shape[0]:
        raise ProblemError(f"arrays of {archive.what} differ in length: X has {shape[0]} rows and y has {y_shape[0]}")
    features = archive.read_real("X")
    targets, labels = None, None
    if options.classes is None:
        targets = archive.read_real("y").reshape(shape[0], y_shape[1] if len(y_shape) == 2 else 1)
    else:
        labels = _array_labels(archive, y_shape)
    return Table(
        what=archive.what,
        features=features,
        targets=targets,
        labels=labels,
        weights=None if weights is None else _array_weights(archive, weights, shape[0]),
    )


def _array_labels(archive: Archive, shape: tuple[int, ...]) -> tuple[Label, ...]:
    """The labels in y: integers where the numbers are integral, otherwise the text of the number or string."""
    if len(shape) == 2 and shape[1] != 1:
        raise ProblemError(
            f"array 'y' of {archive.what} must hold one label for each row when data.classes is given, got shape {shape}"
        )
    dtype = archive.header("y").dtype
    if dtype.kind not in "biufUS":
        raise ProblemError(f"array 'y' of {archive.what} must hold labels, integers or strings, got dtype {dtype}")
    if dtype.kind in "US":
        return tuple(_label(value) for value in archive.read("y").ravel().tolist())
    values = archive.read_real("y").ravel()
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ProblemError(f"{archive.what}: row {row}, the label is {values[row]}, but every value must be finite")
    return tuple(_label(value) for value in values.tolist())


def _label(value: Any) -> Label:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bytes):
        return value.decode("latin-1").strip()
    return str(value).strip()


def _array_weights(archive: Archive, name: str, rows: int) -> NDArray[np.float64]:
    shape = archive.header(name).shape
    if shape != (rows,):
        raise ProblemError(
            f"array {name!r} of {archive.what} must hold one sample weight for each row, shape ({rows},), got {shape}"
        )
    return archive.read_real(name)
