"""Mutated certificates: never a crash, and whatever is accepted is true by the judge of ``tests.verify.forge``, another program.

A mutation of certificate.json is one character, one bit or one number; the hash of the arrays stays right. Of the arrays it is one
bit of one number, the hash made to fit. Many mutations leave a certificate true, as a bound that grew does, so that both outcomes
must occur.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.verify import forge
from verify.checker import Outcome, check
from verify.errors import ProblemError

SHAPES: dict[str, dict[str, Any]] = {
    "one hidden layer": {
        "inexact": True,
        "judged": {"loss": "clipped", "parameter": 0.5, "centered": True, "own_start": True},
    },
    "two outputs, biases": {
        "sizes": (2, 3, 2),
        "bias_scale": 0.5,
        "activation": "softplus",
        "theorem": "A",
        "loss": "log_cosh",
        "ridge": 0.5,
    },
    "two hidden layers": {"sizes": (2, 3, 3, 1), "activation": "sin", "theorem": "A0", "loss": "pseudo_huber", "ridge": 0.5},
    "logistic": {
        "theorem": "A+",
        "loss": "logistic",
        "ridge": 0.25,
        "activation": "gelu",
        "trained": (True, False),
        "judged": {"loss": "ramp", "parameter": 1.5, "centered": False, "own_start": True},
    },
}
DIGITS = "0123456789"
CHARACTERS = DIGITS + '.-eE+"{}[],: ntfalsr'


def outcome(path: Path) -> Outcome | None:
    """None for a file refused with one sentence; any other error fails the test."""
    try:
        return check(path)
    except ProblemError:
        return None


def one_character(text: str, generator: np.random.Generator) -> bytes:
    """Another character at some place, one more, one less, two neighbors exchanged, or one bit of one byte."""
    place, kind = int(generator.integers(len(text) - 1)), int(generator.integers(5))
    drawn = CHARACTERS[int(generator.integers(len(CHARACTERS)))]
    if kind == 4:
        content = bytearray(text.encode())
        content[place] ^= 1 << int(generator.integers(8))
        return bytes(content)
    parts = ((drawn, 1), (drawn, 0), ("", 1), (text[place + 1] + text[place], 2))
    inserted, removed = parts[kind]
    return (text[:place] + inserted + text[place + removed :]).encode()


def one_digit(text: str, generator: np.random.Generator) -> bytes:
    """Another digit in place of one: most mutations of this kind are well-formed."""
    places = [match.start() for match in re.finditer("[0-9]", text)]
    place = places[int(generator.integers(len(places)))]
    return (text[:place] + DIGITS[int(generator.integers(10))] + text[place + 1 :]).encode()


def one_number(text: str, generator: np.random.Generator) -> bytes:
    """A decimal string moved up or down by a relative 10^-2 to 10^-12, its neighbors as they were."""
    matches = list(re.finditer(r'"(-?[0-9.]+(?:e-?[0-9]+)?)"', text))
    match = matches[int(generator.integers(len(matches)))]
    share = forge.Fraction(int(generator.choice([-1, 1])), 10 ** int(generator.integers(2, 13)))
    moved = forge.decimal(forge.Fraction(match[1]) * (1 + share), up=share > 0, digits=25)
    return (text[: match.start(1)] + moved + text[match.end(1) :]).encode()


def mutate(shape: str, seed: int, examples: int, folder: Path) -> Counter[str]:
    forgery = forge.forge(seed, **SHAPES[shape])
    path, counts, generator = forgery.write(folder), Counter[str](), np.random.default_rng(seed)
    text, found = path.read_text(), forge.truth(forgery.document["network"], forgery.arrays)
    accepted = outcome(path)
    assert accepted is not None
    assert accepted.accepted, accepted.reason
    for mutation in (one_character, one_digit, one_number):
        for _ in range(examples // 3):
            content = mutation(text, generator)
            path.write_bytes(content)
            result = outcome(path)
            counts["refused" if result is None else "accepted" if result.accepted else "rejected"] += 1
            if result is not None and result.accepted:
                document = json.loads(content)
                same = document["network"] == forgery.document["network"]
                assert not forge.falsehoods(document, forgery.arrays, found if same else None), content
    return counts


@pytest.mark.parametrize("shape", SHAPES)
def test_mutated_json(shape: str, tmp_path: Path) -> None:
    counts = mutate(shape, 11, 150, tmp_path)
    assert min(counts[key] for key in ("refused", "accepted", "rejected")) > 5, counts


@pytest.mark.validate
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(2))
def test_mutated_json_by_the_thousand(shape: str, seed: int, tmp_path: Path) -> None:
    mutate(shape, 100 + seed, 2000, tmp_path)


def bit_flips(array: np.ndarray, generator: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    for _ in range(count):
        flipped = array.copy()
        words = flipped.reshape(-1).view(np.uint64)
        words[generator.integers(words.size)] ^= np.uint64(1) << np.uint64(generator.integers(64))
        yield flipped


def flip_arrays(shape: str, seed: int, count: int, folder: Path) -> Counter[str]:
    forgery, counts, generator = forge.forge(seed, **SHAPES[shape]), Counter[str](), np.random.default_rng(seed)
    arrays = forgery.arrays
    for name in arrays:
        for flipped in bit_flips(arrays[name], generator, count):
            forgery.arrays = {**arrays, name: flipped}
            result = outcome(forgery.write(folder))
            counts["refused" if result is None else "accepted" if result.accepted else "rejected"] += 1
            if result is not None and result.accepted:
                assert not forge.falsehoods(forgery.document, forgery.arrays), name
    return counts


@pytest.mark.parametrize("shape", SHAPES)
def test_flipped_bits_of_the_numbers(shape: str, tmp_path: Path) -> None:
    """A low bit moves everything by less than the bounds' slack of 1e-9, a high one makes the certificate false."""
    counts = flip_arrays(shape, 12, 8, tmp_path)
    assert counts["accepted"] > 3
    assert counts["rejected"] > 15


@pytest.mark.validate
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(2))
def test_flipped_bits_of_the_numbers_by_the_thousand(shape: str, seed: int, tmp_path: Path) -> None:
    flip_arrays(shape, 200 + seed, 100, tmp_path)


@pytest.mark.parametrize("fitting", [False, True], ids=["hash as it was", "hash made to fit"])
def test_flipped_bits_of_the_file(fitting: bool, tmp_path: Path) -> None:
    """Any bit of the .npz: without the hash nothing is accepted; with it only what does not touch the arrays that are read."""
    forgery = forge.forge(13)
    path, arrays = forgery.write(tmp_path), tmp_path / "certificate.npz"
    whole, generator = arrays.read_bytes(), np.random.default_rng(13)
    for _ in range(80):
        content = bytearray(whole)
        content[int(generator.integers(len(whole)))] ^= 1 << int(generator.integers(8))
        arrays.write_bytes(content)
        if fitting:
            document = copy.deepcopy(forgery.document)
            document["arrays"]["sha256"] = forge.sha256(arrays)
            path.write_text(json.dumps(document))
        result = outcome(path)
        if not fitting:
            assert result is None or result.first_failure == "file"
        elif result is not None and result.accepted:
            with np.load(arrays) as read:
                assert all(np.array_equal(read[name], array) for name, array in forgery.arrays.items())


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*place, key))
    else:
        yield place, value


@pytest.mark.parametrize("shape", SHAPES)
def test_digits_exchanged_in_every_number(shape: str, tmp_path: Path) -> None:
    """Every decimal string of the certificate: its first two different neighboring digits exchanged, and its sign changed."""
    forgery = forge.forge(14, **SHAPES[shape])
    path, text = forgery.write(tmp_path), json.dumps(forgery.document)
    found = forge.truth(forgery.document["network"], forgery.arrays)
    for place, value in leaves(forgery.document):
        if not isinstance(value, str) or not re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", value):
            continue
        swapped = re.sub(r"([0-9])(?!\1)([0-9])", r"\2\1", value, count=1)
        for other in {swapped, "-" + value, value.lstrip("-")} - {value}:
            document = json.loads(text)
            holder = document
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = other
            path.write_text(json.dumps(document))
            result = outcome(path)
            if result is not None and result.accepted:
                assert not forge.falsehoods(document, forgery.arrays, found), (place, other)


def test_expressions_mutated(tmp_path: Path) -> None:
    """A user's expression with one character changed: no crash, and accepted only if it is the same function."""
    forgery = forge.forge(15, activation="s*exp(-s^2/2)")
    path, generator = forgery.write(tmp_path), np.random.default_rng(15)
    text = forgery.document["network"]["activation"]
    accepted = set()
    for _ in range(250):
        place, drawn = int(generator.integers(len(text))), "s()*+-/^0123 .pie"[int(generator.integers(17))]
        changed = text[:place] + drawn + text[place + int(generator.integers(2)) :]
        document = copy.deepcopy(forgery.document)
        document["network"]["activation"] = changed
        path.write_text(json.dumps(document))
        result = outcome(path)
        if result is not None and result.accepted:
            plain = re.sub(r"(?<![0-9.])0+(?=[0-9])|(?<=[0-9])\.(?![0-9])", "", changed)  # 02 and 2. are 2
            accepted.add(plain.replace(" ", "").replace("+", ""))
    assert accepted == {text}
