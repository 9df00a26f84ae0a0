"""Weights from and to .npz files, and hostile files."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numerics.network import Architecture, initialize
from verify.archives import Archive
from verify.errors import ProblemError
from verify.files import atomic_writer
from verify.problem import NetworkOptions
from verify.weights import architecture_of, load_weights

BIASED = architecture_of(NetworkOptions(hidden=(4, 3), bias_scale=0.5), 5, 2)
PLAIN = architecture_of(NetworkOptions(hidden=(4,), trained=(1,)), 5, 1)


def arrays(architecture: Architecture, theta: Any = None) -> dict[str, Any]:
    theta = initialize(architecture, "gaussian", 3) if theta is None else theta
    parts: dict[str, Any] = {}
    for layer in range(1, architecture.layers + 1):
        parts[f"W{layer}"] = architecture.weight(theta, layer).copy()
        if architecture.has_bias:
            parts[f"b{layer}"] = architecture.bias(theta, layer).copy()
    return parts


def refusal(path: Path, architecture: Architecture = PLAIN) -> str:
    with pytest.raises(ProblemError) as caught:
        load_weights(path, architecture)
    message = str(caught.value)
    assert "\n" not in message
    assert repr(str(path)) in message
    return message


def test_the_architecture_follows_the_options() -> None:
    assert BIASED.sizes == (5, 4, 3, 2)
    assert BIASED.trained == (True, True, True)
    assert BIASED.has_bias
    assert PLAIN.trained == (True, False)
    options = NetworkOptions(weight_scale=2.0, output_scale=3.0)
    scaled = architecture_of(options, 1, 1)
    assert (scaled.weight_scale, scaled.bias_scale, scaled.output_scale) == (2.0, 0.0, 3.0)


@pytest.mark.parametrize("architecture", [BIASED, PLAIN])
def test_weights_are_read_bit_for_bit(tmp_path: Path, architecture: Architecture) -> None:
    theta = initialize(architecture, "gaussian", 1)
    theta[:3] = [5e-324, -0.0, 1e308]
    np.savez(tmp_path / "w.npz", **arrays(architecture, theta))
    assert load_weights(tmp_path / "w.npz", architecture).tobytes() == theta.tobytes()


def test_single_precision_and_other_orders_of_bytes_and_axes_are_read_exactly(tmp_path: Path) -> None:
    parts = arrays(PLAIN)
    single = parts["W1"].astype(np.float32)
    np.savez(tmp_path / "w.npz", W1=np.asfortranarray(single), W2=parts["W2"].astype(">f8"))
    theta = load_weights(str(tmp_path / "w.npz"), PLAIN)
    assert np.array_equal(PLAIN.weight(theta, 1), single.astype(np.float64))
    assert np.array_equal(PLAIN.weight(theta, 2), parts["W2"])
    np.savez_compressed(tmp_path / "c.npz", **arrays(BIASED))
    assert np.array_equal(BIASED.bias(load_weights(tmp_path / "c.npz", BIASED), 2), arrays(BIASED)["b2"])


BAD_WEIGHTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"W2": None}, ["no array 'W2'", "'W1'"]),
    ({"W1": np.zeros((5, 4))}, ["'W1'", "shape (4, 5)", "got shape (5, 4)"]),
    ({"W2": np.zeros(4)}, ["'W2'", "shape (1, 4)", "got shape (4,)"]),
    ({"W3": np.zeros((1, 1))}, ["unknown array 'W3'"]),
    ({"weights": np.zeros((1, 1))}, ["unknown array 'weights'", "W1, W2"]),
    ({"b1": np.zeros(4)}, ["unknown array 'b1'", "no biases (network.bias_scale = 0)"]),
    ({"W2": np.array([[0.0, 1.0, np.nan, 0.0]])}, ["'W2'", "nan at [0, 2]", "finite"]),
    ({"W2": np.array([[0.0, -np.inf, 1.0, 0.0]])}, ["-inf at [0, 1]"]),
    ({"W2": np.zeros((1, 4), dtype=complex)}, ["'W2'", "real numbers", "complex128"]),
    ({"W2": np.zeros((1, 4), dtype=np.longdouble)}, ["'W2'", "real numbers"]),
    ({"W2": np.array([["a", "b", "c", "d"]])}, ["'W2'", "real numbers"]),
    ({"W2": np.full((1, 4), 2**60 + 1)}, ["'W2'", "beyond 2^53"]),
    ({"W2": np.array([[1, None, "x", []]], dtype=object)}, ["'W2'", "never unpickled"]),
    ({"W2": np.zeros((1, 4), dtype=[("a", "f8")])}, ["'W2'", "named fields"]),
]


@pytest.mark.parametrize(("change", "words"), BAD_WEIGHTS, ids=lambda x: str(x)[:40].replace("\n", " "))
def test_bad_weights_are_refused(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    parts = {name: value for name, value in (arrays(PLAIN) | change).items() if value is not None}
    np.savez(tmp_path / "w.npz", **parts)
    message = refusal(tmp_path / "w.npz")
    for word in words:
        assert word in message


def test_files_that_are_not_archives_are_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    np.savez(whole, **arrays(PLAIN))
    (tmp_path / "cut.npz").write_bytes(whole.getvalue()[:-30])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "noise.npz").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "folder.npz").mkdir()
    np.save(tmp_path / "single.npy", np.zeros(3))
    flipped = bytearray(whole.getvalue())
    flipped[flipped.index(b"\x93NUMPY") + 150] ^= 0xFF  # inside the numbers of W1: the checksum must notice
    (tmp_path / "flipped.npz").write_bytes(bytes(flipped))
    for name, words in {
        "cut.npz": "cannot be read as .npz",
        "empty.npz": "cannot be read as .npz",
        "noise.npz": "cannot be read as .npz",
        "folder.npz": "is a directory",
        "missing.npz": "does not exist",
        "single.npy": "cannot be read as .npz",
        "flipped.npz": "cannot be read as .npz",
    }.items():
        assert words in refusal(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "none.npz", "w"):
        pass
    assert "no arrays at all" in refusal(tmp_path / "none.npz")


def member(header: bytes, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """The bytes of an .npy member with any header text."""
    size = len(header).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + size + header + body


def described(shape: str, descr: str = "'<f8'") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()


HOSTILE: list[tuple[bytes, str]] = [
    (member(described("(1000000000000, 1000000)")), "claims shape (1000000000000, 1000000)"),
    (member(described("(4, 5)"), bytes(7)), "claims shape (4, 5)"),
    (member(described("(4, 5)"), bytes(161)), "claims shape (4, 5)"),
    (member(described("(-4, -5)"), bytes(160)), "claims shape"),
    (member(described("(10**9,)")), "cannot be read as .npz"),
    (member(described("(True, 5)"), bytes(40)), "W1"),
    (member(described("(4, 5)", "'|O'"), b"cos\nsystem\n"), "never unpickled"),
    (member(described("(4, 5)", "'zz'"), bytes(160)), "cannot be read as .npz"),
    (member(b"__import__('os').getcwd()\n"), "cannot be read as .npz"),
    (member(b"(" * 5000 + b"\n"), "cannot be read as .npz"),
    (member(b"{'descr': '<f8', " + b" " * 60000 + b"\n"), "cannot be read as .npz"),
    (member(described("(4, 5)"), bytes(160), b"\x03\x00"), "npy format (3, 0)"),
    (member(described("(4, 5)"), bytes(160), b"\x09\x00"), "cannot be read as .npz"),
    (b"not an array", "cannot be read as .npz"),
    (b"", "cannot be read as .npz"),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_arrays_are_refused_without_making_room_for_them(tmp_path: Path, content: bytes, words: str) -> None:
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as file:
        file.writestr("W1.npy", content)
        file.writestr("W2.npy", member(described("(1, 4)"), bytes(32)))
    assert words in refusal(tmp_path / "w.npz")


def test_an_archive_that_would_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "zeros.npz", X=np.zeros((1000, 1000)))
    monkeypatch.setattr("verify.memory.available_memory", lambda: 10**6)
    with pytest.raises(ProblemError, match=r"array 'X' of the file, of shape \(1000, 1000\), would need about 15\.3 MiB"):
        Archive(tmp_path / "zeros.npz", "the file").read("X")


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "w.npz"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_writer(target) as file:
            file.write(b"half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["w.npz"]
