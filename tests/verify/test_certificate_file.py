"""Certificates that an enemy wrote, the JSON and its decimals: one sentence, status 2, bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.verify import forge
from tests.verify.refusal import MEGABYTE, refused
from verify.certificate_file import parse_decimal
from verify.checker import check
from verify.commands import cli
from verify.errors import ProblemError

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
