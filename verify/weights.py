"""Weights trained elsewhere: the architecture a problem asks for, and theta from and to .npz files.

A file holds W1, b1, W2, b2, ... in the NTK parametrization of :mod:`numerics.network`: W_l of shape (m_l, m_{l-1}) with
entries of unit variance, the division by the root of the fan-in left to the network; b_l of shape (m_l,), only where
``network.bias_scale`` is positive.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numerics.network import Architecture
from theorems.errors import nearest
from verify.archives import Archive
from verify.certificate_arrays import START
from verify.errors import ProblemError
from verify.options import NetworkOptions

# What certificate.npz holds beside the weights.
COMPANIONS = ("X", "y", "sample_weights", "offsets", "minimizers")


def architecture_of(network: NetworkOptions, dimension: int, outputs: int) -> Architecture:
    """Return the architecture of a [network] section for inputs of ``dimension`` features and ``outputs`` targets."""
    return Architecture(
        sizes=(dimension, *network.hidden, outputs),
        weight_scale=network.weight_scale,
        bias_scale=network.bias_scale,
        output_scale=network.output_scale,
        trained=tuple(network.trains(layer) for layer in range(1, network.layers + 1)),
    )


def load_offsets(path: Path | str, inputs: NDArray[np.float64], outputs: int) -> NDArray[np.float64] | None:
    """Return the array "offsets", shape (n, k), of a weights file: the initial function at the points. None when there is none.

    Where the file holds the points X as well, they must be these inputs, shape (n, d). Raises ProblemError otherwise.
    """
    shape = (len(inputs), outputs)
    archive = Archive(Path(path), f"weights file {str(path)!r}")
    if "offsets" not in archive.names:
        return None
    found = archive.header("offsets").shape
    if found != shape:
        raise ProblemError(f"array 'offsets' of {archive.what} must have shape {shape}, got shape {found}")
    if "X" in archive.names and (archive.header("X").shape != inputs.shape or not np.array_equal(archive.read_real("X"), inputs)):
        raise ProblemError(f"array 'offsets' of {archive.what} belongs to other points: its array 'X' is not the problem's data")
    values = archive.read_real("offsets")
    if not np.isfinite(values).all():
        raise ProblemError(f"array 'offsets' of {archive.what} must be finite")
    return np.ascontiguousarray(values)


def load_weights(path: Path | str, architecture: Architecture) -> NDArray[np.float64]:
    """Return theta, shape (P,), from an .npz file with arrays W1, b1, W2, ... of exactly the architecture's shapes.

    What else a certificate.npz holds (X, y, sample_weights, offsets, minimizers) may lie beside them.

    float32 and smaller are converted, which is exact. Raises ProblemError, one sentence: when the file cannot be read, an
    array is missing, unknown, of another shape or not of real numbers, or a weight is NaN or infinite (its place named).
    """
    path = Path(path)
    archive = Archive(path, f"weights file {str(path)!r}")
    expected = _expected_shapes(architecture)
    for name in archive.names:
        if name.removeprefix(START) not in expected and name not in COMPANIONS:  # of a certificate: theta0 too
            raise _unknown(archive, name, architecture, expected)
    for name, shape in expected.items():  # all shapes before any array, so that a wrong file costs no memory
        found = archive.header(name).shape
        if found != shape:
            raise ProblemError(f"array {name!r} of {archive.what} must have shape {shape}, got shape {found}")
    theta = np.empty(architecture.parameters)
    for name, shape in expected.items():
        values = archive.read_real(name)
        if not np.isfinite(values).all():
            place = [int(i) for i in np.argwhere(~np.isfinite(values))[0]]
            raise ProblemError(
                f"array {name!r} of {archive.what} has {values[tuple(place)]} at {place}, but every weight must be finite"
            )
        part = architecture.weight if len(shape) == 2 else architecture.bias
        part(theta, int(name[1:]))[...] = values
    return theta


def _expected_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays, in the order of theta."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(1, architecture.layers + 1):
        shapes[f"W{layer}"] = (architecture.sizes[layer], architecture.sizes[layer - 1])
        if architecture.has_bias:
            shapes[f"b{layer}"] = (architecture.sizes[layer],)
    return shapes


def _unknown(archive: Archive, name: str, architecture: Architecture, expected: dict[str, tuple[int, ...]]) -> ProblemError:
    """The error for an array that the architecture has no place for."""
    if not architecture.has_bias and name in [f"b{layer}" for layer in range(1, architecture.layers + 1)]:
        hint = "; the network has no biases (network.bias_scale = 0)"
    else:
        hint = nearest(name, expected) or f"; the network has {', '.join(list(expected)[:12])}"
    return ProblemError(f"{archive.what} has an unknown array {name[:80]!r}{hint}")
