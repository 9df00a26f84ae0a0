"""How tests see a hostile file refused: one sentence, and little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from verify.checker import check
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
