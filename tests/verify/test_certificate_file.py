"""Files that an enemy wrote: one sentence, status 2, bounded memory; nothing is unpickled, nothing outside the folder is read.

Long because it is one table of hostile files after the other, and each needs the builders of bytes at its head.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from tests.verify import forge
from theorems.grammar import S, parse_expression
from verify import certificate_arrays, certificate_expression, checker_balls
from verify.certificate_arrays import Archive, require_affordable
from verify.certificate_expression import Tree, parse_activation
from verify.certificate_file import Certificate, parse_decimal, read_certificate
from verify.checker import check
from verify.commands import cli
from verify.errors import ProblemError

MEGABYTE = 1 << 20


@contextmanager
def bounded_memory(limit: int) -> Iterator[None]:
    """Python's own allocations; what is refused must be refused before room is made for it."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak} bytes"


def refused(path: Path, *, limit: int = 8 * MEGABYTE) -> str:
    """The one sentence with which the file is refused."""
    with bounded_memory(limit), pytest.raises(ProblemError) as caught:
        check(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 600
    return sentence


# --- decimals ---------------------------------------------------------------------------------------------------------------------


@given(st.integers(-(10**30), 10**30), st.integers(-300, 300))
def test_decimals_denote_exact_rationals(mantissa: int, exponent: int) -> None:
    assert parse_decimal(f"{mantissa}e{exponent}") == mantissa * Fraction(10) ** exponent


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", ".5", "5.", "1e", "1e5.0", "+1", " 1", "1 ", "1\n", "1_0", "0x10", "nan", "inf", "1e9999", "1e-401", "1" * 41),
        *("0." + "1" * 61, "1e12345", "١", "1,5", "--1", "1e+-1", "²"),
    ],
)
def test_other_texts_are_no_decimals(text: str) -> None:
    with pytest.raises(ProblemError, match="decimal"):
        parse_decimal(text)


@pytest.mark.parametrize("value", [1, 1.5, True, None, ["1"], {"1": 1}])
def test_decimals_are_strings(value: object) -> None:
    with pytest.raises(ProblemError, match=r"given.beta must be a decimal string"):
        parse_decimal(value, "given.beta")


# --- the JSON ---------------------------------------------------------------------------------------------------------------------


def test_truncated_json(tmp_path: Path) -> None:
    path = forge.forge().write(tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 50):
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"3",
        b'"x"',
        b"null",
        b"\xff\xfe\x00",
        b"\x00" * 1000,
        b"[" * 100000,
        b'{"schema":' * 50000,
        b'{"schema": NaN}',
        b'{"schema": -Infinity}',
        b'{"schema": ' + b"9" * 5000 + b"}",
        b'{"schema": 1e999}',
        b'{"schema": "overparam-certificate-2"}',
        b'{"schema": ["overparam-certificate-2"]}',
        b'{"schema": "a", "schema": "b"}',
        b'{"schema": "\\ud800"}',
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)
def test_json_that_is_no_certificate(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(content)
    refused(path)


def test_json_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    with open(path, "wb") as file:
        file.truncate(1 << 34)  # sparse
    assert "at most" in refused(path)


def test_json_of_many_small_objects_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(b"[" + b"{}," * 300_000 + b"{}]")
    refused(path, limit=50 * MEGABYTE)


def every_key(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from every_key(item, (*path, key))


def parent(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def test_every_key_is_needed_and_no_other_is_known(tmp_path: Path) -> None:
    forgery = forge.forge(inexact=True)
    path = forgery.write(tmp_path)
    text = json.dumps(forgery.document)
    for place in every_key(forgery.document):
        document = json.loads(text)
        holder = parent(document, place)
        if isinstance(holder, dict):
            del holder[place[-1]]
            path.write_text(json.dumps(document))
            refused(path)
            document = json.loads(text)
            parent(document, place)["unknown"] = "1"
            path.write_text(json.dumps(document))
            assert "unknown" in refused(path)


@pytest.mark.parametrize("wrong", [None, True, -1, 1.5, "x", "", [], {}, [[]], ["1"] * 3, "1e400", 10**19], ids=repr)
def test_every_value_of_a_wrong_kind_is_refused_or_rejected(wrong: object, tmp_path: Path) -> None:
    """Never a crash, and accepted only where it is still true, such as another step."""
    forgery = forge.forge(inexact=True)
    path = forgery.write(tmp_path)
    text = json.dumps(forgery.document)
    for place in every_key(forgery.document):
        document = json.loads(text)
        parent(document, place)[place[-1]] = wrong
        path.write_text(json.dumps(document))
        try:
            found = check(path)
        except ProblemError:
            continue
        assert not found.accepted or not forge.falsehoods(document, forgery.arrays), place


@pytest.mark.parametrize(
    "name", ["../certificate.npz", "/etc/passwd", "a/b.npz", "a\\b.npz", "..", ".npz", "", "x.txt", "a\x00.npz", "é.npz"]
)
def test_names_with_tricks_are_refused(name: str, tmp_path: Path) -> None:
    forgery = forge.forge()
    path = forgery.write(tmp_path)
    forgery.document["arrays"]["file"] = name
    path.write_text(json.dumps(forgery.document))
    assert "bare file name" in refused(path)


def test_links_directories_and_pipes_are_refused(tmp_path: Path) -> None:
    forgery = forge.forge()
    path = forgery.write(tmp_path)
    arrays = tmp_path / "certificate.npz"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(arrays.read_bytes())
    arrays.unlink()
    assert "does not exist" in refused(path)
    arrays.symlink_to(elsewhere)
    assert "symbolic link" in refused(path)
    arrays.unlink()
    arrays.mkdir()
    assert "directory" in refused(path)
    arrays.rmdir()
    os.mkfifo(arrays)
    assert "regular file" in refused(path)
    os.mkfifo(tmp_path / "pipe.json")
    assert "regular file" in refused(tmp_path / "pipe.json")
    assert "does not exist" in refused(tmp_path / "absent.json")


def test_status_2_and_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_text('{"schema": "overparam-certificate-2"}')
    result = CliRunner().invoke(cli, ["check", str(path)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


# --- the arrays -------------------------------------------------------------------------------------------------------------------


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


def with_sizes(certificate: Certificate, sizes: tuple[int, ...]) -> Certificate:
    return replace(certificate, network=replace(certificate.network, sizes=sizes, trained=(True,) * (len(sizes) - 1)))


DEEP_WITH_OUTPUTS = (1,) * 60 + (1800,)


@pytest.mark.parametrize(
    ("points", "sizes", "what"),
    [
        (10**5, (2, 3, 1), "multiplications"),
        (1, DEEP_WITH_OUTPUTS, "multiplications"),  # 1800 x 1800 in every layer
        (2000, (1, 1), "multiplications"),
        (1, (2900, 2900), "multiplications"),
        (1, (1,) * 60 + (1000,), "multiplications"),
        (850, (1,) * 60, "multiplications"),
        (64, (1, 131072, 1), "bytes"),
        (8, (1, 1 << 20, 1), "bytes"),
        (2, (1, 70000, 50), "bytes"),
    ],
)
def test_work_and_memory_are_bounded_before_they_are_taken(points: int, sizes: tuple[int, ...], what: str, tmp_path: Path) -> None:
    certificate = with_sizes(read_certificate(forge.forge().write(tmp_path)), sizes)
    with pytest.raises(ProblemError, match=what):
        require_affordable(certificate, points)


@pytest.mark.parametrize(
    ("points", "sizes"),
    [(16, (64, 32768, 1)), (64, (64, 32768, 1)), (64, (64, 256, 256, 1)), (8, (64, 96, 3)), (8, (64, 65536, 1))],
)
def test_what_is_certified_in_practice_is_affordable(points: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    require_affordable(with_sizes(read_certificate(forge.forge().write(tmp_path)), sizes), points)


def wide_open(folder: Path, points: int, sizes: tuple[int, ...]) -> Path:
    """A certificate of that shape with bounds far from the truth, so that every stage up to the theorem is reached."""
    forgery, generator, layers = forge.forge(), np.random.default_rng(1), len(sizes) - 1
    forgery.arrays = {
        "X": generator.standard_normal((points, sizes[0])),
        "y": np.zeros((points, sizes[-1])),
        "offsets": np.zeros((points, sizes[-1])),
        "sample_weights": np.full(points, 1 / points),
        **{f"W{m + 1}": generator.standard_normal((sizes[m + 1], sizes[m])) for m in range(layers)},
    }
    forgery.document["network"] |= {"sizes": list(sizes), "trained": [True] * layers, "activation": "tanh"}
    row = ["1e9"] * points
    forgery.document["bounds"] |= {
        **{"slope": "9", "curvature": "9", "schur": "1e9", "operator_norms": ["1e9"] * layers, "gram_norms": ["1e9"] * layers},
        **{"forward_norms": [row] * layers, "backward_sup": [row] * (layers - 1), "backward_norms": [row] * layers},
    }
    forgery.document["consequences"]["lazy"] |= {
        name: ["1e9"] * layers for name in ("relative_layer_changes_at_most", "neuron_changes_at_most")
    }
    return forgery.write(folder)


BOUNDED = """
import resource, sys
from pathlib import Path
from verify.certificate_arrays import memory
from verify.certificate_file import read_certificate
from verify.checker import check
from verify.errors import ProblemError
path, points, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
limit = limit or memory(read_certificate(path), points)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    outcome = check(path)
    print("accepted" if outcome.accepted else outcome.first_failure, outcome.reason)
except ProblemError as error:
    print("refused:", error)
"""


def checked_within(path: Path, points: int, limit: int = 0) -> str:
    """What a process with so much address space (0: as much as the estimate) says; an abort fails the test."""
    command = [sys.executable, "-c", BOUNDED, str(path), str(points), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "MemoryError" not in done.stdout
    return done.stdout


SMALL = [(4, (1, 20000, 1)), (1, (400, 400, 1)), (100, (1,) * 12), (1, (1,) * 40 + (100,)), (2, (4, 60000, 1)), (4, (2, 400, 20))]
LARGE = [(64, (64, 32768, 1)), (1000, (1, 1, 1)), (1, (1200, 1200, 1)), (1, (1,) * 60 + (400,)), (4, (4, 4000, 100))]


@pytest.mark.parametrize(
    ("points", "sizes"),
    [*SMALL, *(pytest.param(*case, marks=pytest.mark.validate) for case in LARGE)],
    ids=lambda value: str(value)[:20],
)
def test_the_estimated_memory_is_enough(points: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    said = checked_within(wide_open(tmp_path, points, sizes), points)
    assert said.split()[0] in ("slope", "beta", "lambda0", "lambda_max", "residual", "constants.Lambda"), said


@pytest.mark.parametrize(("points", "sizes"), [(1, DEEP_WITH_OUTPUTS), (2000, (1, 1)), (64, (1, 131072, 1))])
def test_hostile_shapes_are_refused_in_little_memory(points: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Small files whose check would take gigabytes, where FLINT would end the process."""
    path = wide_open(tmp_path, points, sizes)
    assert checked_within(path, points, 512 * MEGABYTE).startswith("refused: the check would need")


def test_archive_reads_every_array_exactly(tmp_path: Path) -> None:
    forgery = forge.forge(3, bias_scale=1.0)
    forgery.write(tmp_path)
    archive = Archive(tmp_path / "certificate.json", "certificate.npz")
    for name, array in forgery.arrays.items():
        read = archive.read(name)
        assert read.shape == array.shape
        assert read.values.tobytes() == array.tobytes()


# --- expressions ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("relu", "tanx", "", "s s", "t", "y", "__import__('os')", "s.real", "s[0]", "lambda: s", "s if s else s", "s**s", "s**17"),
        *("s**(1/3)", "exp", "exp()", "exp(s, s)", "exp(*s)", "exp(x=s)", "1j*s", "0x10*s", "1_0*s", "s@s", "s//2", "s%2", "~s"),
        *("not s", "s<1", "s;s", "s\n", "s#", "'s'", "f's'", "s:=1", "(s,)", "{s}", "[s]", "...", "None", "True", "1e999*s"),
        *("s**9**9**9", "s**(9**16)", "s**(1/0)", "s**(16**16)**16", "(" * 300 + "s", "-" * 400 + "s", "-" * 161 + "s"),
        *("s+" * 300 + "s", "ſ", "s\ud800", "1e100*s", "1e00000100*s", "s**sqrt(2)", "s**sqrt(-1)", "s**(2**(1/2))", "s**0**-1"),
        *("00x10*s", "1e*s", "s**pi", "s**sin(0)"),
    ],
)
def test_expressions_outside_the_language_are_refused(text: str) -> None:
    with pytest.raises(ProblemError, match="activation"):
        parse_activation(text)


def tower(depth: int, exponent: str) -> str:
    text = "1"
    for _ in range(depth):
        text = f"({text})**{exponent}"
    return f"s**({text})"


@pytest.mark.parametrize("depth", [1, 10, 57])
@pytest.mark.parametrize("exponent", ["1", "2", "16", "-1"])
def test_constants_are_evaluated_once(depth: int, exponent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice in each level would be 2^57 times."""
    evaluate, count = certificate_expression._rational, 0

    def counted(tree: Tree) -> Fraction:
        nonlocal count
        count += 1
        return evaluate(tree)

    monkeypatch.setattr(certificate_expression, "_rational", counted)
    assert parse_activation(tower(depth, exponent)) == ("**", ("s",), Fraction(1))
    assert count <= 5 * depth + 2


@pytest.mark.parametrize(
    "text",
    [
        "s**(" + "(2" + ")**16)" * 40,
        "s**(" + "(1e-99)**16" + ")**16" * 30 + ")",
        "s**(" * 60 + "1e-99" + ")**16" * 60,
        "s**(" + "*".join(["1e99"] * 90) + ")",
        "s**(" + "+".join(f"1/{i}{'1' * 8}" for i in range(40)) + ")",
        "s" + "**2" * 150,
        "s**(" + "16**" * 100 + "1)",
        "s**(" + "(" * 150 + "2" + ")**4)" * 60,
        "s**(1" + "/3" * 150 + ")",
        "s**(" + "sqrt(" * 80 + "2" + ")" * 81,
        "s**" + "-" * 170 + "1",
    ],
    ids=lambda text: text[:24],
)
def test_no_large_number_is_made_inside_an_exponent(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, arithmetic = [0], certificate_expression._ARITHMETIC

    def watched(compute: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Fraction, Fraction], Fraction]:
        def watch(a: Fraction, b: Fraction) -> Fraction:
            value = compute(a, b)
            made.append(certificate_expression._bits(value))
            return value

        return watch

    monkeypatch.setattr(certificate_expression, "_ARITHMETIC", {sign: watched(compute) for sign, compute in arithmetic.items()})
    with pytest.raises(ProblemError, match="activation"):
        parse_activation(text)
    assert max(made) <= certificate_expression.CONSTANT_BITS + 2


def test_powers_of_long_numbers_are_refused_before_they_are_computed() -> None:
    with pytest.raises(ProblemError, match="bits"):
        parse_activation("s**((1e-99)**16)")


@pytest.mark.parametrize("text", ["s" + "+0*s" * 100, "s" + "*1" * 200, "s" + "-s/9" * 100, "+".join(["s"] * 250)])
def test_long_sums_and_products_are_one_level(text: str) -> None:
    """What theorems.grammar reads is read here, and means the same."""
    at = Fraction(3, 8)
    phi, wanted = checker_balls.function(parse_activation(text)), parse_expression(text).subs(S, sympy.Rational(3, 8))
    assert abs(phi(arb(float(at))) - checker_balls.ball(Fraction(int(wanted.p), int(wanted.q)))) < 1e-12


def test_parentheses_as_deep_as_the_maker_takes_them() -> None:
    """Four levels of the tree for each of 39 parentheses."""
    value = arb(0.375)
    for _ in range(39):
        value = 1 - 2 * arb.sin(value) ** 2
    phi = checker_balls.function(parse_activation("1-2*sin(" * 39 + "s" + ")^2" * 39))
    assert phi(arb(0.375)).overlaps(value)


def test_a_long_sum_is_checked(tmp_path: Path) -> None:
    forgery = forge.forge()
    forgery.document["network"]["activation"] = "tanh(01*s)" + "+0*s" * 120
    assert check(forgery.write(tmp_path)).accepted
