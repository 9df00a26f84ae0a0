"""Formats of tables, their way back, and everything that a check must notice."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from matplotlib.mathtext import MathTextParser
from threadpoolctl import threadpool_limits

from verify.errors import ProblemError
from verify.tables.check import check_file
from verify.tables.csv_format import HEADER
from verify.tables.findings import Kind
from verify.tables.formats import FORMATS
from verify.tables.grid import grid_from_mapping, load_grid, tables_of
from verify.tables.latex_format import escaped
from verify.tables.records import COLUMNS
from verify.tables.standard import grids

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "docs" / "tables"
GRID = {
    "table": [
        {"kind": "activation", "activation": ["tanh", "relu"], "title": "One | two & {three}"},
        {"kind": "law", "law": "gaussian", "dimension": 3, "order": [2, 4], "points": 10, "failure_probability": "1/10"},
        {"kind": "kernel", "activation": "erf", "points": [[1, 0], [-1, 0]]},
        {"theorem": "A-square", "eta": ["1/8", "9"], "lambda0": "1/2", "lambda_max": 2, "beta": "sqrt(2)/100", "s0": 1, "R": 8},
        {"kind": "apriori", "activation": "tanh", "width": 10**6, "law": "sphere", "dimension": 3, "points": 4, "lambda0": "1/5"},
    ]
}


@pytest.fixture(scope="module")
def made():
    return tables_of(grid_from_mapping(GRID))


@pytest.fixture(scope="module")
def small():
    return tables_of(grid_from_mapping({"table": [{"kind": "law", "law": "cube", "dimension": 3, "order": [2, 4, 6]}]}))


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def written(lines: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(lines)
    return file.getvalue()


def checked(tmp_path: Path, content: str | bytes, name: str = "t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_file(path)


# Formats


def test_csv_and_json_say_the_same_and_pass_their_check(made, tmp_path) -> None:
    lines = parsed(FORMATS["csv"](made))
    assert tuple(lines[0]) == HEADER
    assert {len(line) for line in lines} == {len(HEADER)}
    document = json.loads(FORMATS["json"](made))
    assert document["schema"] == "overparam-table-1"
    flat = [row for table in document["tables"] for row in table["rows"]]
    for line, row in zip(lines[1:], flat, strict=True):
        cells = dict(zip(HEADER, line, strict=True))
        assert json.loads(cells["inputs"]) == row["inputs"]
        assert all(cells[name] == row[name] for name in COLUMNS if name != "inputs")
    for style, name in (("csv", "t.csv"), ("json", "t.json")):
        found = checked(tmp_path, FORMATS[style](made), name)
        assert found.status == 0
        assert found.count(Kind.RIGHT) == len(flat)


def test_markdown_rows_have_as_many_cells_as_their_head(made) -> None:
    text = FORMATS["markdown"](made)
    sections = text.split("\n## ")
    assert len(sections) == 5
    for section in sections:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        assert len({line.count("|") - line.count(r"\|") for line in lines}) == 1
    assert r"One \| two & {three}" in text


LATEX = [pytest.param(name, marks=[] if name in ("widths", "measured") else pytest.mark.validate) for name in grids()]


def formulas_in(text: str) -> list[str]:
    return re.findall(r"(?<!\\)\$((?:[^$\\]|\\.)+)\$", text)


@pytest.mark.parametrize("name", LATEX)
def test_latex_is_balanced_and_every_formula_parses(name) -> None:
    text = (SHIPPED / f"{name}.tex").read_text(encoding="utf-8")
    bare = re.sub(r"\\[{}\\]", "", "\n".join(line for line in text.splitlines() if not line.startswith("%")))
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") > 0
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    for line in text.split(r"\begin{tabular}")[1:]:
        head, _, body = line.partition(r"\toprule")
        columns = len(re.findall("[lr]", re.sub(r"@\{\}", "", head)))
        for row in body.partition(r"\bottomrule")[0].splitlines():
            if row.endswith(r"\\") and "multicolumn" not in row:
                assert len(re.findall(r"(?<!\\)&", row)) == columns - 1, row
    parse = MathTextParser("path").parse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that a font lacks are no concern of the syntax
        for formula in sorted(set(formulas_in(text))):
            parse(f"${_mathtext(formula)}$")


def _mathtext(formula: str) -> str:
    """What matplotlib's subset of LaTeX calls otherwise."""
    return formula.replace(r"\text{", r"\mathrm{").replace(r"\lvert", "|").replace(r"\rvert", "|").replace(r"\textstyle", "")


def test_every_latex_of_a_row_parses(made) -> None:
    parse = MathTextParser("path").parse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for formula in sorted({text for table in made for row in table.rows for text in (row.latex, row.symbol) if text}):
            parse(f"${_mathtext(formula)}$")


def test_latex_escapes() -> None:
    assert escaped("a_b & 5% #1 {x} $ ~ ^ \\") == (
        r"a\_b \& 5\% \#1 \{x\} \$ \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )


DRAWN = """
[[table]]
kind = "monte_carlo"
activation = "tanh"
hidden = [1, 1]
width = 40
data = { source = "digits", classes = [3, 8], points = 12 }
draws = 6

[[table]]
kind = "measured"
problem = { network = { activation = "softplus", trained = [1] }, data = { classes = [3, 8], source = "digits", points = 12 } }
hidden = [[60], [30, 30]]
"""


def test_two_runs_are_the_same_to_the_byte_whatever_the_threads(tmp_path) -> None:
    grid = tmp_path / "grid.toml"
    points = [[str((7 * i * j + i) % 11) for j in range(6)] for i in range(1, 7)]
    kernels = f'[[table]]\nkind = "kernel"\nactivation = ["gelu", "relu"]\npoints = {json.dumps(points)}\n'
    grid.write_text(kernels + DRAWN, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "2"}
    command = [sys.executable, "-m", "verify", "table", str(grid), "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=True, env=environment, cwd=ROOT)
    with threadpool_limits(1):
        assert done.stdout.decode() == FORMATS["json"](tables_of(load_grid(grid)))


# Tampering


@pytest.mark.parametrize("column", HEADER)
def test_a_change_in_any_column_is_noticed(column, small, tmp_path) -> None:
    lines = parsed(FORMATS["csv"](small))
    place = HEADER.index(column)
    old = lines[2][place]
    lines[2][place] = {"inputs": old.replace('"4"', '"2"'), "version": "overparam 0.0.1"}.get(column, f"{old}9" if old else "x")
    found = checked(tmp_path, written(lines))
    assert any(item.kind is not Kind.RIGHT for item in found.findings)
    assert found.status == (0 if column == "version" else 2 if column in ("kind", "constant") else 1)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_change_in_any_key_is_noticed(name, small, tmp_path) -> None:
    document = json.loads(FORMATS["json"](small))
    row = document["tables"][0]["rows"][1]
    row[name] = {**row["inputs"], "order": "2"} if name == "inputs" else f"{row[name]}9"
    found = checked(tmp_path, json.dumps(document), "t.json")
    assert any(item.kind is not Kind.RIGHT for item in found.findings)
    assert found.status in (1, 2)


def test_one_digit_is_marked(made, tmp_path) -> None:
    text = FORMATS["csv"](made).replace(",1.59253741972,", ",1.59253741872,", 1)
    found = checked(tmp_path, text)
    (wrong,) = [item for item in found.findings if item.kind is Kind.WRONG]
    assert found.status == 1
    assert "1.592537418[72]" not in wrong.text
    assert "1.59253741[872], computed again it is 1.59253741972" in wrong.text
    assert "tanh/gain" in wrong.name


@pytest.mark.parametrize("change", ["missing", "last", "twice", "swapped"])
def test_rows_that_are_missing_repeated_or_moved_are_noticed(change, small, tmp_path) -> None:
    lines = parsed(FORMATS["csv"](small))
    lines = {
        "missing": [lines[0], lines[1], lines[3]],
        "last": lines[:3],
        "twice": [lines[0], lines[1], lines[1], lines[2], lines[3]],
        "swapped": [lines[0], lines[2], lines[1], lines[3]],
    }[change]
    found = checked(tmp_path, written(lines))
    assert found.status == 1
    told = [finding.text for finding in found.findings if finding.kind is Kind.WRONG]
    assert (
        told
        == {
            "missing": ["row 2 is missing before row 3 of 3"],
            "last": ["the table ends with row 2 of 3"],
            "twice": ["row 1 of 3 stands where row 2 should"],
            "swapped": ["row 1 is missing before row 2 of 3", "row 1 of 3 stands where row 3 should"],
        }[change]
    )


def test_many_missing_rows_are_one_finding(made, tmp_path) -> None:
    lines = parsed(FORMATS["csv"](made))
    where = [HEADER.index(name) for name in ("row", "rows")]
    gone = next(i for i, line in enumerate(lines) if line[where[0]] == "2" and int(line[where[1]]) > 5)
    found = checked(tmp_path, written([*lines[:gone], *lines[gone + 3 :]]))
    assert [f.text for f in found.findings if f.kind is Kind.WRONG] == [
        f"rows 2 to 4 are missing before row 5 of {lines[gone][where[1]]}"
    ]


def test_another_version_is_told_and_its_numbers_are_judged(small, tmp_path) -> None:
    lines = parsed(FORMATS["csv"](small))
    version, low, high, value, note = (HEADER.index(name) for name in ("version", "lower", "upper", "value", "note"))
    for line in lines[1:]:
        line[version], line[note] = "overparam 0.0.1", "said otherwise"
    lines[3][low], lines[3][high] = "49.9", "50"  # wider, and true: E|x|^6 = 1749/35 = 49.97...
    found = checked(tmp_path, written(lines))
    assert found.status == 0
    assert found.count(Kind.NOTE) == 6
    lines[3][low], lines[3][high] = "50.1", "51"
    assert checked(tmp_path, written(lines)).status == 1
    lines[3][low], lines[3][high], lines[3][value] = "49.9", "50", "49.9814285714"
    assert checked(tmp_path, written(lines)).status == 1
    lines[3][value] = "nonsense"
    assert checked(tmp_path, written(lines)).status == 2


# Tables of others


def test_published_gains_are_found_out() -> None:
    """FACTS: all five are wrong from the fourth digit on."""
    found = check_file(SHIPPED / "published_gains.csv")
    assert found.status == 1
    assert found.count(Kind.WRONG) == len(found.findings) == 5
    for item, marked, right in zip(
        found.findings,
        ["1.71[39588594]", "1.59[39117670]", "4.80[38353920]", "1.78[81293297]", "1.70[15043497]"],
        ["1.7128585504", "1.5925374197", "4.8013133720", "1.7871872221", "1.7009262434"],
        strict=True,
    ):
        assert item.text.startswith(marked)
        assert f"it is {right};" in item.text
        assert "units of the last digit" in item.text


def test_a_table_of_others_with_all_four_answers(tmp_path) -> None:
    text = "Activation, Constant ,VALUE,where\nrelu,gain,1.7128585504497,here\ntanh,mean,0,\n"
    assert checked(tmp_path, text).status == 0
    text += "tanh,mean_square,0.333,\n"
    assert checked(tmp_path, text).status == 1
    undecided = "activation,constant,value\nrelu,gain,1.71285855044966270551231231231231231231231231\n"
    assert checked(tmp_path, undecided).status in (1, 3)
    assert checked(tmp_path, "activation,constant,value\nsin,slope_bound,0.99999999999999999999999999999999\n").status in (1, 3)
    for bad in (
        "relu,gian,1",
        "rleu,gain,1",
        "relu,gain,",
        "relu,gain,1,2",
        "relu,gain,٣",
        "relu,gain,1e99999999",
        "relu,curvature_bound,x",
    ):
        found = checked(tmp_path, f"activation,constant,value\n{bad}\n")
        assert found.status == 2, bad
        assert found.findings[0].where == "line 2"
    assert checked(tmp_path, "activation,constant,value\nrelu,curvature_bound,1\n").status == 1


def test_undecided_is_not_right(tmp_path) -> None:
    """sup|phi''| of tanh is known to 12 digits here, and somebody prints 30."""
    found = checked(tmp_path, "activation,constant,value\ntanh,curvature_bound,0.769800358919501017823405938749\n")
    assert found.status in (1, 3)
    low_digits = checked(tmp_path, "activation,constant,value\ntanh,curvature_bound,0.769800358919957\n")
    assert low_digits.status == 3


HOSTILE = [
    (b"", "is empty"),
    (b"activation,constant,value\nrelu,ga\0in,1\n", "null character in line 2"),
    (b"a," * 10**6 + b"b\n", "at most 64 columns"),
    (b'activation,constant,value\n"relu,gain,1\n', "cannot be read as .csv"),
    (b'activation,constant,value\n"re"lu,gain,1\n', "cannot be read as .csv"),
    (b"x,y\n1,2\n", "must have the columns"),
    (b"\xff\xfe", "not UTF-8"),
    (b"activation,constant,value\n" + b"x" * 200_000 + b",gain,1\n", "field larger"),
]


@pytest.mark.parametrize(("content", "words"), HOSTILE, ids=[words for _, words in HOSTILE])
def test_hostile_files_are_refused_in_one_sentence(content, words, tmp_path) -> None:
    with pytest.raises(ProblemError, match=re.escape(words)) as caught:
        checked(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": "x"}',
        '{"schema": "overparam-table-1"}',
        '{"schema": "overparam-table-1", "tables": [1]}',
        "[" * 10**5,
    ],
)
def test_hostile_json_is_refused(content, tmp_path) -> None:
    with pytest.raises(ProblemError):
        checked(tmp_path, content, "t.json")
    with pytest.raises(ProblemError, match=r"\.csv or \.json"):
        checked(tmp_path, content, "t.txt")


@pytest.mark.parametrize(
    "inputs",
    [
        *("{", "[]", '{"order": 4}', "[" * 10**5, '{"digits": "12"}'),
        '{"law": "cube", "dimension": "3", "order": "10000000000", "digits": "12"}',
        '{"law": "cube", "dimension": "d", "order": "2", "digits": "12"}',
        '{"law": "cube", "dimension": "3", "x": "1", "digits": "12"}',
        '{"law": "empirical", "dimension": "3", "digits": "12"}',
        '{"law": "{\\"name\\": \\"affine\\"}", "digits": "12"}',
    ],
    ids=lambda text: text[:40],
)
def test_hostile_inputs_are_malformed_rows(inputs, small, tmp_path) -> None:
    lines = parsed(FORMATS["csv"](small))
    lines[1][HEADER.index("inputs")] = inputs
    found = checked(tmp_path, written(lines))
    assert found.status == 2
    assert found.findings[0].kind is Kind.MALFORMED
    assert len(found.findings[0].text) <= 300
