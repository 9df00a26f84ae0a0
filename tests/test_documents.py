"""Documents that are rendered from the code are compared with what the code renders now; what they name and run is the code's."""

from __future__ import annotations

import csv
import dataclasses
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from numerics.norms import EIGENVALUE_CONSTANT
from numerics.rounding import ACTIVATION_ULPS
from theorems.activations import ACTIVATIONS
from theorems.catalogue import THEOREMS
from theorems.grammar import FUNCTIONS
from theorems.interval_arithmetic import LIBRARY_ULPS
from theorems.losses import LOSSES, RIDGED_LOSSES
from verify import options, verification
from verify.proving.ledger import ledger_phrases
from verify.result import PUBLIC_NAMES
from verify.statements import page_name, theorem_pages

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = [record for _, record in inspect.getmembers(options, dataclasses.is_dataclass)]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a document in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)


def has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def test_theorem_pages_are_fresh(ledger) -> None:
    """Refresh with: overparam theorems --format markdown --out docs"""
    pages = theorem_pages(list(THEOREMS.values()), ledger_phrases(ledger))
    assert {path.name for path in (ROOT / "docs" / "theorems").iterdir()} == {Path(name).name for name in pages} - {"theorems.md"}
    for name, text in pages.items():
        assert page(f"docs/{name}") == text, name


def test_the_pages_have_names_that_every_system_tells_apart() -> None:
    names = [page_name(identifier) for identifier in THEOREMS]
    assert len({name.lower() for name in names}) == len(names)
    reserved = {"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(1, 10))}
    assert not {Path(name).stem.lower() for name in names} & reserved
    assert page_name("A+") == "A-plus.md"
    with pytest.raises(AssertionError, match="no file can be named"):
        page_name("A/B")


def test_links_between_documents_lead_somewhere() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:\s]+\.md)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).is_file(), f"{path.relative_to(ROOT)}: {link}"


PAGES = ["docs/theorems.md", "docs/notation.md", *(f"docs/theorems/{page_name(identifier)}" for identifier in THEOREMS)]


@pytest.mark.parametrize("name", PAGES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(name: str) -> None:
    """A raw "|" ends a cell, inside a formula too."""
    rows = [line for line in page(name).splitlines() if line.startswith("|")]
    assert rows or name in {f"docs/theorems/{page_name(item.id)}" for item in THEOREMS.values() if not item.constants}
    for row in rows:
        assert row.count("|") - row.count(r"\|") == 4, row


def test_every_constant_and_quantity_of_the_statements_is_in_the_notation_page() -> None:
    text = page("docs/notation.md")
    for theorem in THEOREMS.values():
        for symbol in [item.symbol for item in (*theorem.quantities, *theorem.constants)]:
            name = PUBLIC_NAMES.get(symbol.name, symbol.name)
            assert f"`{name}`" in text, f"{name} of Theorem {theorem.id}"


def test_notation_page_names_what_the_error_bounds_trust() -> None:
    text = page("docs/notation.md").replace("\n", " ")
    for constant in (f"{EIGENVALUE_CONSTANT:.0f} n u |A|", f"{ACTIVATION_ULPS:.0f} u", f"{LIBRARY_ULPS} ulp"):
        assert constant in text, constant


def test_problem_file_page_names_every_activation_loss_and_function() -> None:
    text = page("docs/problem-file.md")
    activations, losses = (text.partition(f"**{head}.**")[2].partition("\n\n")[0] for head in ("Activations", "Losses"))
    before, _, after = activations.partition("the functions ")
    functions, _, after = after.partition(". ")
    assert [name for name in ACTIVATIONS if not has_word(before + after, name)] == []
    assert [name for name in (*LOSSES, *RIDGED_LOSSES) if not has_word(losses, name)] == []
    assert [name for name in FUNCTIONS if not has_word(functions, name)] == []


@pytest.mark.parametrize("record", SECTIONS, ids=lambda record: record.__name__)
def test_problem_file_page_names_every_key(record: type) -> None:
    """In the example, where a key stands at the beginning of a line, or in the text as section.key."""
    text = page("docs/problem-file.md")
    section = record.__name__.removesuffix("Options").lower()
    (example,) = blocks("docs/problem-file.md", "toml")
    keys = re.findall(r"^(\w+) =", example.partition(f"[{section}]\n")[2].partition("\n[")[0], re.MULTILINE)
    for item in dataclasses.fields(record):
        if item.metadata.get("echoed", True):
            assert item.name in keys or f"`{section}.{item.name}`" in text, item.name


def test_problem_file_page_describes_the_pilot_run() -> None:
    text = page("docs/problem-file.md").partition("**Step size.**")[2]
    assert verification.PILOT_SHARE == 0.5
    pilot = (f"{verification.PILOT_STEPS} steps", f"1/{verification.PILOT_PART} of", "½ · 1/(L λ_max(K_0))")
    for words in (*pilot, f"{verification.STEP_SHARE}/(L Λ)"):
        assert words in text, words


def test_readme_has_exactly_two_commands() -> None:
    """The two install commands of the README: the main job and the tests."""
    commands = [line for block in blocks("README.md", "sh") for line in block.splitlines() if line.strip()]
    assert len(commands) == 2
    assert commands[0].endswith("overparam verify")
    assert commands[1].endswith("pytest")


# What is run in place of a document's words, so that it takes seconds: the same calls on a smaller problem.
SHRUNK = {
    "README.md": ('"network": {"hidden": [128, 128], ', '"training": {"steps": 20}, "network": {"hidden": [8], '),
    "docs/strategies.md": ("@given(", "@settings(max_examples=10)\n@given("),
}


@pytest.mark.parametrize("name", ["README.md", "docs/strategies.md"])
def test_python_in_documents_runs(name: str, tmp_path: Path) -> None:
    """Every block, in a folder of its own and with warnings as errors; tests in it are called."""
    found, (old, new) = blocks(name, "python"), SHRUNK[name]
    assert any(old in code for code in found), "the words to be shrunk have changed"
    for code in found:
        code = code.replace(old, new).replace("from hypothesis import given", "from hypothesis import given, settings")
        calls = "".join(f"{test}()\n" for test in re.findall(r"^def (test_\w+)", code, re.MULTILINE))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code + calls], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_readme_shows_the_widths_of_the_standard_table_and_the_answer_of_the_thresholds_page() -> None:
    readme = page("README.md")
    with (ROOT / "docs/tables/widths.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "16 digits" in row["table"]]
    known = {tuple(json.loads(row["inputs"])[key] for key in ("activation", "failure_probability")): row["value"] for row in rows}
    _, _, table = readme.partition("| least certified width |")
    shares = ("1/10", "1/100", "1/1000")
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:8]]
    assert {(name, share): width for name, *widths in shown for share, width in zip(shares, widths, strict=True)} == known
    block = next(text for text in blocks("README.md", "text") if "--solve width" in text)
    thresholds = {line.rstrip() for line in page("docs/thresholds.md").splitlines()}
    assert [line for line in block.splitlines() if line != "..." and line.rstrip() not in thresholds] == []
