"""The door of tables: what a grid means, and one sentence for everything that is none."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest

from theorems.catalogue import THEOREMS
from theorems.errors import InputError
from verify.errors import ProblemError
from verify.tables.formats import FORMATS
from verify.tables.grid import case_of_inputs, grid_from_mapping, grid_from_text, load_grid, tables_of
from verify.tables.kinds import KINDS
from verify.tables.reference import REFERENCE, reference_grid
from verify.tables.statements import keys_of

LAW = {"kind": "law", "law": "gaussian", "dimension": 2}
KERNEL = {"kind": "kernel", "activation": "relu", "points": "circle(4)"}
SQUARE = {"theorem": "A-square", "eta": "1/8", "lambda0": "1/2", "lambda_max": 2, "beta": "1/100", "s0": 1, "R": 8}
APRIORI = {"kind": "apriori", "activation": "tanh", "width": 64, "law": "gaussian", "dimension": 4, "points": 8, "lambda0": "1/10"}


DIGITS = {"source": "digits", "classes": [3, 8], "points": 3}
COUNTED = {"kind": "monte_carlo", "activation": "tanh", "width": 8, "data": DIGITS, "draws": 3}
MEASURED = {"kind": "measured", "problem": {"data": DIGITS}}


def rows(*blocks):
    return [row for table in tables_of(grid_from_mapping({"table": list(blocks)})) for row in table.rows]


def test_the_last_key_varies_fastest_in_the_order_written() -> None:
    found = rows({"kind": "law", "order": [2, 4], "law": ["gaussian", "sphere"], "dimension": 3})
    assert [(dict(row.inputs)["order"], dict(row.inputs)["law"]) for row in found] == [
        ("2", "gaussian"),
        ("2", "sphere"),
        ("4", "gaussian"),
        ("4", "sphere"),
    ]


def test_decimals_are_exact() -> None:
    (block,) = grid_from_text('[[table]]\nkind = "activation"\nactivation = "tanh"\nvariance = 0.1', "a grid")
    assert dict(block.cases[0].inputs())["variance"] == "1/10"
    (block,) = grid_from_text('[[table]]\nkind = "activation"\nactivation = "tanh"\nvariance = "1/3"', "a grid")
    assert block.cases[0].given["variance"] == Fraction(1, 3)


@pytest.mark.parametrize(
    "block",
    [
        {**LAW, "order": 4},
        {"kind": "law", "law": {"name": "student", "degrees_of_freedom": "19/2", "dimension": 3}, "order": 2},
        {**KERNEL, "trained": [2], "weight_scale": "3/2"},
        {**KERNEL, "points": [[1, 0], ["sqrt(1/2)", "-sqrt(1/2)"]]},
        SQUARE,
        {**SQUARE, "beta": "sqrt(2)/100"},
        APRIORI,
        {"kind": "activation", "activation": "s*exp(-s**2/2)", "variance": "2"},
        {**APRIORI, "loss": "logistic", "targets": [-1, 1], "hidden": [3, 1]},
        {
            "kind": "apriori",
            "activation": "tanh",
            "width": 64,
            "data": DIGITS,
            "loss": "weighted_square",
            "loss_weights": [1, 2, "1/2"],
        },
        {"kind": "monte_carlo", "activation": "tanh", "width": 8, "data": DIGITS, "draws": 3, "epsilon": ["1/3"]},
        {"kind": "measured", "problem": {"data": DIGITS, "network": {"weight_scale": 0.3}}, "hidden": [8, 8], "seed": 2},
    ],
    ids=lambda block: block.get("kind", "theorem"),
)
def test_inputs_make_the_case_again(block) -> None:
    (case,) = grid_from_mapping({"table": [block]})[0].cases
    again = case_of_inputs("inputs", case.kind.name, json.loads(json.dumps(dict(case.inputs()))))
    assert again.inputs() == case.inputs()
    entry = case.entries()[0]
    assert again.row(again.entries()[0], "t") == case.row(entry, "t")


def test_trained_and_points_may_be_lists_of_lists() -> None:
    found = grid_from_mapping({"table": [{**KERNEL, "trained": [[1], [2], "all"], "points": [[[1, 0]], [[0, 1], [1, 0]]]}]})
    assert len(found[0].cases) == 6  # points come first in this block, so trained varies fastest
    assert [dict(case.inputs())["trained"] for case in found[0].cases[:3]] == ["[1]", "[2]", "all"]


def test_formulas_without_values() -> None:
    block = {"kind": "law", "law": "student", "dimension": "d", "degrees_of_freedom": "nu", "order": 4, "values": False}
    (row,) = rows(block)
    assert (row.value, row.lower, row.upper, row.status) == ("", "", "", "formula only")
    assert "d" in row.formula
    assert "nu" in row.formula
    assert "nu > 4" in row.hypotheses
    found = rows({"theorem": "A", "values": False})
    assert {row.status for row in found} == {"formula only"}
    assert dict(found[0].inputs)["eta"] == "eta"


def test_identifiers_are_unique_readable_and_follow_from_inputs_alone() -> None:
    found = rows(LAW | {"order": [2, 4]}, KERNEL, SQUARE, APRIORI | {"failure_probability": [0.1, 0.01]})
    assert len({row.id for row in found}) == len(found)
    assert found[0].id.startswith("law/gaussian/2/2/moment~")
    assert all(row.id.isascii() and " " not in row.id for row in found)
    (again,) = rows({**LAW, "title": "other"})
    assert again.id == found[0].id


def test_constants_select() -> None:
    assert [row.constant for row in rows({**KERNEL, "constants": ["ntk[0,1]"]})] == ["ntk[0,1]"]


BAD = [
    ({}, "table"),
    ({"tabel": []}, "did you mean 'table'"),
    ({"table": []}, "at least one"),
    ({"table": [3]}, "table[0] must be a table"),
    ({"table": [{"activation": "tanh"}]}, "table[0].kind is missing"),
    ({"table": [{"kind": "kernle"}]}, "did you mean 'kernel'"),
    ({"table": [{**LAW, "ordre": 2}]}, "did you mean 'order'"),
    ({"table": [{**SQUARE, "lamda0": 1}]}, "did you mean 'lambda0'"),
    ({"table": [{"theorem": "A", "mu": 1}]}, "table[0].L is missing"),
    ({"table": [{"theorem": "A9"}]}, "table[0].theorem must be one of"),
    ({"table": [{**LAW, "order": 3}]}, "an even order"),
    ({"table": [{**LAW, "order": []}]}, "table[0].order must be"),
    ({"table": [{**LAW, "law": "gausian"}]}, "did you mean 'gaussian'"),
    ({"table": [{**LAW, "degrees_of_freedom": 5}]}, "has no parameter 'degrees_of_freedom'"),
    (
        {"table": [{"kind": "law", "law": "student", "dimension": 2, "degrees_of_freedom": 5, "order": 8}]},
        "E|x|^8 of the law 'student'",
    ),
    ({"table": [{**LAW, "points": 5}]}, "belong together"),
    ({"table": [{**LAW, "dimension": "d"}]}, "the symbol 'd' is left free"),
    ({"table": [{**LAW, "digits": 99}]}, "digits must be an integer from 1 to 30"),
    ({"table": [{**APRIORI, "width": 0}]}, "table[0].width must be a positive integer, got 0"),
    ({"table": [{**APRIORI, "width": "m"}]}, "the symbol 'm' is left free"),
    ({"table": [{**APRIORI, "layers": 1}]}, "at least 2"),
    ({"table": [{**APRIORI, "layers": 10**6}]}, "from 1 to 8"),
    ({"table": [{**APRIORI, "failure_probability": 1}]}, "strictly between 0 and 1"),
    ({"table": [{**APRIORI, "failure_probability": 0}]}, "strictly between 0 and 1"),
    ({"table": [{**APRIORI, "target": "3/2"}]}, "in (0, 1]"),
    ({"table": [{**APRIORI, "trained": [3]}]}, "layers from 1 to 2"),
    ({"table": [{**APRIORI, "data": {"source": "digits"}}]}, "exactly one of law and data"),
    ({"table": [{key: value for key, value in APRIORI.items() if key != "lambda0"}]}, "lambda0 is missing"),
    ({"table": [{**APRIORI, "activation": "relu"}]}, "measured, never certified"),
    ({"table": [{**APRIORI, "law": "student", "degrees_of_freedom": 3}]}, "does not exist"),
    ({"table": [{**APRIORI, "outputs": 0}]}, "outputs must be a positive integer"),
    (
        {
            "table": [
                {
                    "kind": "apriori",
                    "activation": "tanh",
                    "width": 9,
                    "outputs": 2,
                    "data": {"source": "digits", "classes": [3, 8], "points": 2},
                }
            ]
        },
        "outputs must be 1",
    ),
    (
        {
            "table": [
                {
                    "kind": "apriori",
                    "activation": "tanh",
                    "layers": 3,
                    "width": 9,
                    "data": {"source": "digits", "classes": [3, 8], "points": 2},
                }
            ]
        },
        "one hidden layer",
    ),
    ({"table": [{**KERNEL, "trained": []}]}, "trained must be"),
    ({"table": [{**KERNEL, "trained": [[]]}]}, "trained[0] must be"),
    ({"table": [{**KERNEL, "points": "circle(0)"}]}, "circle(n)"),
    ({"table": [{**KERNEL, "points": [[1, 0], [1]]}]}, "rows of one length"),
    ({"table": [{**KERNEL, "points": [["pi", 0]]}]}, "an exact number"),
    ({"table": [{"kind": "kernel", "activation": "relu", "data": {"source": "digits", "point": 3}}]}, "did you mean 'points'"),
    ({"table": [{**KERNEL, "activation": "rleu"}]}, "did you mean 'relu'"),
    ({"table": [{**KERNEL, "constants": ["ntk_lambda"]}]}, "did you mean 'ntk_lambda_min'"),
    ({"table": [{"kind": "activation", "activation": "tanh", "variance": float("nan")}]}, "a positive number"),
    ({"table": [{"kind": "activation", "activation": "tanh", "variance": "1e999999"}]}, "a positive number"),
    ({"table": [{"kind": "activation", "activation": "tanh", "variance": True}]}, "a positive number"),
    ({"table": [{**APRIORI, "loss": "logistc"}]}, "did you mean 'logistic'"),
    ({"table": [{**APRIORI, "loss": "logistic"}]}, "targets is missing"),
    ({"table": [{**APRIORI, "loss": "logistic", "targets": [0, 1]}]}, "must be -1 or +1, got 0"),
    ({"table": [{**APRIORI, "loss": "logistic", "targets": [1], "ridge": 0}]}, "not Polyak-Lojasiewicz"),
    ({"table": [{**APRIORI, "loss": "logistic", "targets": [1], "ridge": -1}]}, "nonnegative"),
    ({"table": [{**APRIORI, "ridge": 1}]}, "ridge applies to"),
    ({"table": [{**APRIORI, "loss": "log_cosh", "targets": [1], "label_norm": 1}]}, "belongs to the square loss"),
    ({"table": [{**APRIORI, "targets": [float("inf")]}]}, "an exact number"),
    ({"table": [{**APRIORI, "loss": "weighted_square", "loss_weights": "balanced"}]}, "not those of a law"),
    ({"table": [{**APRIORI, "loss": "weighted_square"}]}, "loss_weights is missing"),
    ({"table": [{**APRIORI, "loss_weights": [1]}]}, "belongs to weighted_square"),
    ({"table": [{"kind": "apriori", "activation": "tanh", "width": 9, "data": DIGITS, "targets": [1]}]}, "belongs to a law"),
    ({"table": [{**APRIORI, "hidden": [1, 0]}]}, "hidden[1] must be a positive integer"),
    ({"table": [{**APRIORI, "hidden": [2, 1], "layers": 2}]}, "layers must be 3"),
    ({"table": [{**APRIORI, "hidden": [1] * 8}]}, "at most 7 layers"),
    ({"table": [{**COUNTED, "draws": 0}]}, "draws must be a positive integer"),
    ({"table": [{**COUNTED, "draws": 10**9}]}, "from 1 to 100000"),
    ({"table": [{**COUNTED, "confidence": 1}]}, "strictly between 0 and 1"),
    ({"table": [{**COUNTED, "epsilon": [1]}]}, "less than 1"),
    ({"table": [{**COUNTED, "epsilon": ["1/2", 0.5]}]}, "must not name a number twice"),
    ({"table": [{**COUNTED, "width": 10**12}]}, "of memory"),
    ({"table": [{**COUNTED, "width": "m"}]}, "the symbol 'm' is left free"),
    ({"table": [{**COUNTED, "activation": "exp(s)"}]}, "no infinite-width kernel"),
    ({"table": [{key: value for key, value in COUNTED.items() if key != "data"}]}, "data is missing"),
    ({"table": [{"kind": "measured"}]}, "problem is missing"),
    ({"table": [{**MEASURED, "problem": "none.toml"}]}, "does not exist"),
    ({"table": [{**MEASURED, "problem": "nonsense"}]}, "the name of a problem file"),
    ({"table": [{**MEASURED, "problem": {"netwrk": {}}}]}, "did you mean 'network'"),
    ({"table": [{**MEASURED, "problem": {"network": {"widths": [3]}}}]}, "unknown key 'widths'"),
    ({"table": [{**MEASURED, "hidden": [10**9]}]}, "of memory"),
    ({"table": [{**SQUARE, "eta": "__import__('os')"}]}, "constant expression"),
    ({"table": [{**SQUARE, "eta": "1/0"}]}, "finite real number"),
    (
        {"table": [{"kind": "activation", "activation": [str(i) + "*s" for i in range(1, 9)], "variance": list(range(1, 3000))}]},
        "more than 10000",
    ),
]


@pytest.mark.parametrize(("document", "words"), BAD, ids=lambda x: x[:30] if isinstance(x, str) else "")
def test_bad_grids_are_refused_in_one_sentence(document, words) -> None:
    with pytest.raises((ProblemError, InputError)) as caught:
        tables_of(grid_from_mapping(document))
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert len(message) < 700


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[table]", "not valid TOML"),
        (b"\xff", "not UTF-8"),
        (
            b"[[table]]\nkind = 'activation'\nactivation = 'tanh'\nvariance = 1e999999999",
            "finite decimal of moderate size, got '1e999999999'",
        ),
        (b"[[table]]\nkind = 'activation'\nactivation = 'tanh'\nvariance = nan", "finite decimal of moderate size, got 'nan'"),
    ],
)
def test_bad_files_are_refused(content, words, tmp_path) -> None:
    path = tmp_path / "grid.toml"
    path.write_bytes(content)
    with pytest.raises(ProblemError, match=words):
        load_grid(path)
    with pytest.raises(ProblemError, match="does not exist"):
        load_grid(tmp_path / "none.toml")
    with pytest.raises(ProblemError, match=r"\.toml"):
        load_grid(tmp_path / "grid.csv")


def test_reference_grids() -> None:
    with pytest.raises(ProblemError, match="defines no constants"):
        reference_grid("E")
    with pytest.raises(InputError, match="unknown theorem"):
        reference_grid("A9")
    assert set(KINDS) == {"activation", "law", "kernel", "theorem", "apriori", "measured", "monte_carlo"}


@pytest.mark.parametrize("identifier", list(THEOREMS))
def test_every_statement_of_the_catalogue_answers(identifier) -> None:
    """A table in every format, or the sentence that there is nothing to tabulate."""
    record = THEOREMS[identifier]
    if not record.constants:
        with pytest.raises(ProblemError, match=f"theorem {re.escape(identifier)} defines no constants"):
            reference_grid(identifier)
        return
    (table,) = tables_of(reference_grid(identifier))
    assert [row.constant for row in table.rows] == [item.name for item in record.constants]
    known = set(REFERENCE) >= {key.name for key in keys_of(record)} - {"theorem"}
    assert {row.status for row in table.rows} == ({"proved"} if known else {"formula only"})
    assert {row.applies for row in table.rows} == ({"yes"} if known else {""})
    assert all(FORMATS[style]((table,)) for style in FORMATS)
