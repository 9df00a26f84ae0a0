"""Arrays that an enemy wrote: one sentence, bounded memory; nothing is unpickled, nothing outside the folder is read."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.verify import forge
from tests.verify.refusal import refused
from verify import certificate_arrays
from verify.certificate_arrays import Archive
from verify.checker import check
from verify.errors import ProblemError


def with_members(folder: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A certificate whose .npz holds these members in place of those of the same name, the hash made to fit."""
    forgery = forge.forge()
    forgery.write(folder)
    arrays = folder / "certificate.npz"
    with zipfile.ZipFile(arrays) as old:
        kept = [(name, old.read(name)) for name in old.namelist() if name not in dict(members)]
    with zipfile.ZipFile(arrays, "w", compression) as new:
        for name, content in [*kept, *members]:
            new.writestr(name, content)
    return with_hash(folder, forgery)


def with_hash(folder: Path, forgery: forge.Forgery) -> Path:
    forgery.document["arrays"]["sha256"] = forge.sha256(folder / "certificate.npz")
    path = folder / "certificate.json"
    path.write_text(json.dumps(forgery.document))
    return path


def npy(array: Any, version: tuple[int, int] | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), version=version, **options)
    return file.getvalue()


def header(text: str, body: bytes = b"", version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode() + body


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (os.mkdir, ("unpickled",))


X = forge.forge().arrays["X"]
HOSTILE = {
    "a pickle": pickle.dumps(Bomb()),
    "an array of objects": npy(np.array([[Bomb(), 1], [2, 3]], dtype=object), allow_pickle=True),
    "Fortran order": npy(np.asfortranarray(np.ones((2, 2)))),
    "big-endian": npy(X.astype(">f8")),
    "float32": npy(X.astype("f4")),
    "integers": npy(X.astype("i8")),
    "complex": npy(X.astype("c16")),
    "strings": npy(np.array([["a", "b"], ["c", "d"]])),
    "records": npy(np.zeros((2, 2), dtype=[("a", "<f8")])),
    "NaN": npy(np.full((2, 2), np.nan)),
    "infinity": npy(np.full((2, 2), np.inf)),
    "version 3": npy(X, version=(3, 0)),
    "empty": b"",
    "text": b"hello",
    "only the magic": b"\x93NUMPY",
    "half a header": npy(X)[:40],
    "truncated": npy(X)[:-1],
    "a byte too many": npy(X) + b"\0",
    "a shape of 10^9 x 10^9": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }\n"),
    "a negative shape": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -2), }\n", bytes(32)),
    "huge integers in the shape": header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'9' * 3000},), }}\n"),
    "many dimensions": header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'1, ' * 60}), }}\n", bytes(8)),
    "code in the header": header("{'descr': __import__('os').mkdir('unpickled'), 'fortran_order': False, 'shape': (2, 2), }\n"),
    "nesting in the header": header("(" * 60000),
    "a header of 64 kB": header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }" + " " * 65000 + "\n", bytes(32)),
    "a header of 4 GB": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    "two headers' keys": header("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n", bytes(32)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arrays_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = with_members(tmp_path, [("X.npy", HOSTILE[name])])
    assert "'X'" in refused(path)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0,), (), (4,), (2, 2, 1), (1, 2, 2)])
def test_other_shapes_are_rejected(shape: tuple[int, ...], tmp_path: Path) -> None:
    found = check(with_members(tmp_path, [("X.npy", npy(np.ones(shape)))]))
    assert found.first_failure == "shapes"


@pytest.mark.parametrize("weights", [[0.5, 0.0], [0.5, -0.0], [0.5, -0.5]])
def test_weights_must_be_positive(weights: list[float], tmp_path: Path) -> None:
    assert "positive" in refused(with_members(tmp_path, [("sample_weights.npy", npy(np.array(weights)))]))


def test_no_points_at_all(tmp_path: Path) -> None:
    empty = {"X": (0, 2), "y": (0, 1), "offsets": (0, 1), "sample_weights": (0,)}
    found = check(with_members(tmp_path, [(f"{name}.npy", npy(np.ones(shape))) for name, shape in empty.items()]))
    assert found.first_failure == "shapes"


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_both_versions_and_compressions_are_read(version: tuple[int, int], compression: int, tmp_path: Path) -> None:
    assert check(with_members(tmp_path, [("X.npy", npy(X, version=version))], compression)).accepted


def test_further_arrays_are_ignored(tmp_path: Path) -> None:
    assert check(with_members(tmp_path, [("minimizers.npy", b"anything"), ("b1.npy", pickle.dumps(Bomb()))])).accepted


def test_a_bomb_of_zeros_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Megabytes of zeros in kilobytes, and a header that tells the truth about them."""
    size = 1 << 20
    monkeypatch.setattr(certificate_arrays, "NUMBERS", size)
    bomb = header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({size}, 1), }}\n") + bytes(8 * size)
    path = with_members(tmp_path, [("X.npy", bomb), ("y.npy", bomb)])
    sentence = refused(path, limit=3 * 8 * size)
    assert "numbers in all" in sentence
    monster = with_members(tmp_path, [("X.npy", bomb + bomb)])
    assert "numbers in all" in refused(monster)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(compression: int, tmp_path: Path) -> None:
    assert "stored or deflated" in refused(with_members(tmp_path, [("X.npy", npy(X))], compression))


def test_a_member_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = with_members(tmp_path, [("X.npy", npy(X)), ("X.npy", npy(X))])
    assert "twice" in refused(path)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    forgery = forge.forge()
    del forgery.arrays["W2"]
    assert "no array 'W2'" in refused(forgery.write(tmp_path))


def patched(folder: Path, marker: bytes, offset: int, replacement: bytes) -> Path:
    """A certificate in whose .npz the bytes at ``offset`` after the last ``marker`` are others; the hash is right."""
    forgery = forge.forge()
    forgery.write(folder)
    arrays = folder / "certificate.npz"
    content = bytearray(arrays.read_bytes())
    place = content.rindex(marker) + offset
    content[place : place + len(replacement)] = replacement
    arrays.write_bytes(content)
    return with_hash(folder, forgery)


@pytest.mark.parametrize(
    ("offset", "replacement"),
    [
        (24, b"\xff\xff\xff\xff"),  # the size in the directory: zip64 without its field
        (24, b"\xff\xff\xff\x7f"),  # two gigabytes
        (24, b"\0\0\0\0"),
        (20, b"\xff\xff\xff\x7f"),  # the compressed size
        (8, b"\1\0"),  # encrypted
        (10, b"\x63\0"),  # an unknown compression
        (42, b"\xff\xff\xff\x7f"),  # the offset of the member
        (28, b"\xff\xff"),  # the length of its name
    ],
)
def test_lies_in_the_directory_are_refused_or_harmless(offset: int, replacement: bytes, tmp_path: Path) -> None:
    """Some are overridden by what the member says of itself: then the numbers read are the right ones."""
    path = patched(tmp_path, b"PK\1\2", offset, replacement)
    try:
        archive = Archive(path, "certificate.npz")
        read = {name: archive.read(name).values.tobytes() for name in forge.forge().arrays}
    except ProblemError:
        refused(path)
    else:
        assert read == {name: array.tobytes() for name, array in forge.forge().arrays.items()}


@pytest.mark.parametrize(
    ("offset", "replacement"),
    [(8, b"\xff\xff\xff\xff"), (10, b"\xff\xff"), (12, b"\xff\xff\xff\xff"), (16, b"\xff\xff\xff\xff"), (20, b"\1\0")],
)
def test_lies_in_the_end_record_are_refused(offset: int, replacement: bytes, tmp_path: Path) -> None:
    refused(patched(tmp_path, b"PK\5\6", offset, replacement))


def test_a_zip64_locator_is_refused(tmp_path: Path) -> None:
    forgery = forge.forge()
    forgery.write(tmp_path)
    arrays = tmp_path / "certificate.npz"
    content = arrays.read_bytes()
    arrays.write_bytes(content[:-22] + b"PK\6\7" + bytes(16) + content[-22:])
    assert "truncated" in refused(with_hash(tmp_path, forgery))


def test_truncated_arrays(tmp_path: Path) -> None:
    """Whether or not the hash is made to fit."""
    forgery = forge.forge()
    path = forgery.write(tmp_path)
    arrays = tmp_path / "certificate.npz"
    whole = arrays.read_bytes()
    for length in range(0, len(whole), 50):
        arrays.write_bytes(whole[:length])
        refused(path)
        refused(with_hash(tmp_path, forgery))
        path = forgery.write(tmp_path)


def test_arrays_beyond_the_limit_are_not_read(tmp_path: Path) -> None:
    path = forge.forge().write(tmp_path)
    with open(tmp_path / "certificate.npz", "wb") as file:
        file.truncate(1 << 34)  # sparse
    assert "at most" in refused(path, limit=2 * certificate_arrays.NPZ_BYTES)


def test_archive_reads_every_array_exactly(tmp_path: Path) -> None:
    forgery = forge.forge(3, bias_scale=1.0)
    forgery.write(tmp_path)
    archive = Archive(tmp_path / "certificate.json", "certificate.npz")
    for name, array in forgery.arrays.items():
        read = archive.read(name)
        assert read.shape == array.shape
        assert read.values.tobytes() == array.tobytes()
