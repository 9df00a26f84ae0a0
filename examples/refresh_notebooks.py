"""Execute the notebooks of this folder in place: python examples/refresh_notebooks.py

A notebook is its own source. Its code cells are run in this process, one namespace for each notebook, and what they print and what
their last expression shows is stored as Jupyter would; so neither a kernel nor Jupyter is needed to keep them fresh, and the tests
execute them again in seconds. Figures and magics are not supported, and no cell uses them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


def outputs_of(source: str, namespace: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run a cell; its outputs in the notebook format (nbformat 4.5): printed text, and the value of a last expression.

    What the cell raises is raised.
    """
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), namespace)
    found: list[dict[str, Any]] = []
    if printed.getvalue():
        found.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        found.append({"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"})
    return found


def lines(text: str) -> list[str]:
    """Text as the format stores it: a list of lines that keep their ends."""
    return text.splitlines(keepends=True)


def executed(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with its code cells run, in order, in one namespace."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells, number = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            outputs = outputs_of("".join(cell["source"]), namespace, number)
            cell = {**cell, "execution_count": number, "outputs": outputs}
        cells.append(cell)
    return {**notebook, "cells": cells}


def main() -> int:
    """Execute every notebook and write it back."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = executed(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        sys.stdout.write(f"executed {path.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
