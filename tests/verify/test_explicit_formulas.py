"""The explicit polynomial of Theorem F and the pages of the theorems, as the command prints and writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sympy
from click.testing import CliRunner, Result
from matplotlib.mathtext import MathTextParser

from theorems.apriori.display import LETTERS, formulas
from theorems.catalogue import THEOREMS
from theorems.records import Role
from verify.commands import cli
from verify.explicit_formulas import GIVEN, render_formulas
from verify.statements import latex, render


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def parsed(line: str) -> None:
    """A line of an align* environment is one formula, with every \\left closed, in macros that are known (and two of amsmath)."""
    line = line.removesuffix(chr(92) * 2).replace("&", "").replace(r"\lvert", "|").replace(r"\rvert", "|")
    MathTextParser("path").parse(f"${line.strip()}$")


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_latex_compiles_line_by_line(layers) -> None:
    text = render_formulas("F", layers, "latex")
    assert re.findall(r"\\begin\{(\S+)\}", text) == re.findall(r"\\end\{(\S+)\}", text) == ["itemize", "align*"]
    body = text.partition(r"\begin{align*}")[2].partition(r"\end{align*}")[0].strip().splitlines()
    assert len(body) == len(formulas(layers).definitions) + 1 + layers + 1  # beta(x), and a term a moment
    for line in body:
        parsed(line)
    assert all(line.endswith(r" \\") for line in body[:-1])
    prose = text.partition(r"\begin{itemize}")[2].partition(r"\end{itemize}")[0]
    assert not re.search(r"(?<!\\)[#%&]", prose)
    assert not re.search(r"(?<!\\)[_^]", re.sub(r"\$[^$]*\$", "", prose))


@pytest.mark.parametrize("layers", [2, 4, 6])
def test_every_style_holds_every_definition_and_explains_its_letters(layers) -> None:
    found = formulas(layers)
    used = {str(symbol).partition("_")[0] for symbol, _ in found.definitions}
    document = json.loads(render_formulas("F", layers, "json"))
    assert document["letters"].keys() == used
    assert [item["name"] for item in document["definitions"]] == [str(symbol) for symbol, _ in found.definitions]
    names = {str(symbol): symbol for symbol, _ in found.definitions} | {
        str(symbol): symbol for _, expression in found.definitions for symbol in expression.free_symbols
    }
    for item, (_, expression) in zip(document["definitions"], found.definitions, strict=True):
        difference = sympy.parse_expr(item["formula"], local_dict=names) - expression  # SymPy may multiply out what it reads
        assert abs(difference.subs({x: sympy.prime(k + 5) for k, x in enumerate(names.values())}).evalf(30, chop=True)) < 1e-20
    terminal = render_formulas("F", layers, "terminal")
    table = render_formulas("F", layers, "markdown")
    for symbol, expression in found.definitions:
        assert f"  {symbol} = {expression}\n" in terminal
    for letter in used:
        assert f"  {letter:<10}{LETTERS[letter]}" in terminal
        assert LETTERS[letter].replace("|", r"\|") in table
    free = {str(x) for _, expression in found.definitions for x in expression.free_symbols} - {str(s) for s, _ in found.definitions}
    assert {re.sub(r"^m_\d+$", "m_l", name) for name in free} <= set(GIVEN)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("F", "--layers", "1"), "--layers must be an integer from 2 to 6, got 1"),
        (("F", "--layers", "7"), "--layers must be an integer from 2 to 6, got 7"),
        (("A", "--layers", "3"), "--layers belongs to theorem F, whose formulas depend on the number of layers, got theorem A"),
        (("--layers", "3"), "got no theorem"),
        (("F", "--layers", "two"), "'two' is not a valid integer"),
        (("F", "--layers", "2", "--format", "markdown", "--out", "x"), "--out writes the theorems' pages"),
        (("--out", "x"), "goes with --format markdown alone"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, sentence) -> None:
    done = run("theorems", *arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("style", ["terminal", "latex", "markdown", "json"])
def test_the_command_prints_the_formulas(style) -> None:
    done = run("theorems", "F", "--layers", "2", "--format", style)
    assert done.exit_code == 0
    assert done.stdout == render_formulas("F", 2, style) + "\n"


def test_one_page_is_written_without_the_index(tmp_path: Path) -> None:
    done = run("theorems", "F-moments", "--format", "markdown", "--out", str(tmp_path / "new" / "docs"))
    assert done.exit_code == 0, done.output
    written = [path.relative_to(tmp_path / "new" / "docs") for path in tmp_path.rglob("*.md")]
    assert written == [Path("theorems/F-moments.md")]
    text = (tmp_path / "new" / "docs" / written[0]).read_text(encoding="utf-8")
    assert text.rstrip("\n") == run("theorems", "F-moments", "--format", "markdown").stdout.rstrip("\n")


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = run("theorems", "F-moments", "--format", "markdown", "--out", str(tmp_path / "taken"))
    assert done.exit_code == 2
    assert "--out" in done.stderr
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize("name", [name for name, record in THEOREMS.items() if record.role is Role.PRIOR])
def test_formulas_of_the_records_have_known_macros(name) -> None:
    record = THEOREMS[name]
    for expression in [item.expression for item in record.constants] + [item.margin for item in record.hypotheses]:
        parsed(latex(expression))
    for claim in record.claims:
        parsed(f"{latex(claim.measured)} \\leq {latex(claim.bound)}")
    text = render([record], "latex", True)
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert text.count("{") == text.count("}")
