"""The notebooks under examples/ are executed again, and show what they say they show.

Cells run in this process, by the script that refreshes the notebooks; a Jupyter kernel would cost more than they do. Printed text
is compared to the letter: the cells print few digits. What is shown as a value is compared but for its numbers, because the last
digits of a float64 run belong to the machine, as those at the floor of rounding do.
"""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_notebooks", EXAMPLES / "refresh_notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(output: dict[str, Any]) -> tuple[str, ...]:
    """What must be the same on every machine."""
    if output["output_type"] == "stream":
        return (output["name"], "".join(output["text"]))
    return tuple(f"{kind}: {NUMBER.sub('#', ''.join(text))}" for kind, text in sorted(output["data"].items()))


def test_both_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["certify_a_run", "constants_before_drawing"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_its_cells_say_now(path: Path, tool: ModuleType) -> None:
    """Refresh with: python examples/refresh_notebooks.py"""
    stored = json.loads(path.read_text(encoding="utf-8"))
    again = tool.executed(stored)
    assert sum(cell["cell_type"] == "code" for cell in stored["cells"]) >= 5
    for before, after in zip(stored["cells"], again["cells"], strict=True):
        if before["cell_type"] == "code":
            source = "".join(before["source"])
            assert before["execution_count"] == after["execution_count"], source
            assert [told(output) for output in before["outputs"]] == [told(output) for output in after["outputs"]], source


def test_the_stored_format_is_that_of_jupyter() -> None:
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        names = [cell["id"] for cell in notebook["cells"]]
        assert len(set(names)) == len(names)
        for cell in notebook["cells"]:
            assert isinstance(cell["source"], list)
            assert cell["cell_type"] == "markdown" or cell["outputs"] or "print" not in "".join(cell["source"])


def test_a_cell_that_shows_something_else_is_noticed(tool: ModuleType) -> None:
    cell = {"cell_type": "code", "source": ["print('q <= 0.951')\n", "1 + 1"], "execution_count": 1, "outputs": []}
    (found,) = tool.executed({"cells": [cell]})["cells"]
    assert [told(output) for output in found["outputs"]] == [("stdout", "q <= 0.951\n"), ("text/plain: #",)]
    with pytest.raises(ZeroDivisionError):
        tool.executed({"cells": [{**cell, "source": ["1 / 0"]}]})
