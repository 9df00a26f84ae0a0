"""What people write into tables: every spelling is judged, or refused in one sentence; nothing is judged that was not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from verify.errors import ProblemError
from verify.tables.check import check_file
from verify.tables.findings import Checked

GAINS = "activation,constant,value\n"


def checked(tmp_path: Path, content: str) -> Checked:
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8", newline="")
    return check_file(path)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + GAINS + "relu,gain,1.7128\n",
        "value,constant,activation\n1.7128,gain,relu\n",
        'id,value,note,activation,constant,page\n1,1.7128,"a, b",relu,gain,3\n',
        GAINS + "\n\nrelu,gain,1.7128\n\n",
        GAINS.replace("\n", "\r\n") + "relu , gain , 1.7128 \r\n",
    ],
    ids=["bom", "order", "extra", "blank", "spaces"],
)
def test_the_same_table_laid_out_otherwise(content, tmp_path) -> None:
    found = checked(tmp_path, content)
    assert (found.status, len(found.findings)) == (0, 1)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        *(
            (text, 0)
            for text in ("1.7128585504", "1.7128585504e0", "17128.6e-4", "0.17128E+1", "+1.7129", ".17128e1", "001.7129", "2")
        ),
        *((text, 1) for text in ("-1.7129", "1.7139e+00", "-0", "0", "1.7128585506", "17.128e-2", "1" + "0" * 398)),
    ],
)
def test_values_in_every_notation(value, status, tmp_path) -> None:
    assert checked(tmp_path, f"{GAINS}relu,gain,{value}\n").status == status


def test_a_negative_zero_is_zero(tmp_path) -> None:
    assert checked(tmp_path, f"{GAINS}tanh,mean,-0\ntanh,mean,-0.000e-3\n").status == 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('"1,7139"', "write a point and not a comma"),
        ("1,7139", "4 cells and not 3; a decimal comma"),
        ("171.39%", "the number that the percentage is"),
        ("1.7140(5)", "leave the uncertainty out"),
        ("1.7140±0.0005", "leave the uncertainty out"),
        ("1.7140 +/- 5e-4", "leave the uncertainty out"),
        ("\N{MINUS SIGN}1.7", "write '-'"),
        ("1." + "7" * 10**5, "it has 100002 characters, and at most 400"),
        *(
            (text, "must be a decimal")
            for text in ("inf", "nan", "1.7...", "1.7×10^0", "1e401", "1e99999999999", "1_0", "0x1p0", "1.7.1")
        ),
    ],
    ids=lambda text: text[:12],
)
def test_other_spellings_are_refused_in_one_sentence(value, words, tmp_path) -> None:
    found = checked(tmp_path, f"{GAINS}relu,gain,{value}\n")
    assert found.status == 2
    (finding,) = found.findings
    assert words in finding.text
    assert "\n" not in finding.text
    assert len(finding.text) < 400


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("activation;constant;value\nrelu;gain;1,7\n", "semicolons"),
        ("activation\tconstant\tvalue\nrelu\tgain\t1.7\n", "tabulators"),
        ("value,value,expression\n1,2,pi\n", "one column 'value', got 2"),
        (GAINS, "no rows"),
        ("expression,value\n\n", "no rows"),
    ],
    ids=["semicolons", "tabulators", "twice", "nothing", "blank"],
)
def test_files_that_are_no_such_table(content, words, tmp_path) -> None:
    with pytest.raises(ProblemError, match=words):
        checked(tmp_path, content)


def test_our_own_tables_without_rows_are_not_fine(tmp_path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"schema": "overparam-table-1", "version": "x", "tables": []}', encoding="utf-8")
    with pytest.raises(ProblemError, match="no rows"):
        check_file(path)


UNDEFINED = (
    *(
        "1/0",
        "0/0",
        "log(0)",
        "log(-1)",
        "sqrt(-1)",
        "arcsin(2)",
        "arccos(-2)",
        "gamma(0)",
        "gamma(-1)",
        "tan(pi/2)",
        "0**-1",
        "0^(-1/2)",
    ),
    *("(-8)**(1/3)", "(-2)**0.5", "9^9^9^9", "gamma(1e300)", "1/sin(0)", "1/(sqrt(2)-sqrt(2))", "exp(exp(exp(9)))"),
)
TOO_LARGE = ("2**4096", "2**4097", "exp(1e10)", "1e400*1e400", "2^(2^(2^4))")
OUTSIDE = (
    *("", "pi)", "(pi", "1e", "e1", "1 2", "2(3)", "sqrt", "exp()", "1//2", "√2", "x", "__import__('os')", "1.5.2", "1e401", "٣"),
    *("(" * 10**4 + "1" + ")" * 10**4, "(" * 60 + "1" + ")" * 60, "-" * 10**4 + "1", "-" * 60 + "1", "1" * 10**5, "1" * 450),
)


@pytest.mark.parametrize("text", [*UNDEFINED, *TOO_LARGE, *OUTSIDE], ids=lambda text: f"{len(text)}:{text[:12]}")
def test_expressions_without_a_value_are_malformed_rows(text, tmp_path) -> None:
    found = checked(tmp_path, f'expression,value\n"{text}",1\n')
    assert found.status == 2
    (finding,) = found.findings
    assert len(finding.text) <= 300
    words = "not defined or not enclosed" if text in UNDEFINED else "to be written out" if text in TOO_LARGE else "must"
    assert words in finding.text


@pytest.mark.parametrize(
    ("text", "value", "status"),
    [
        ("(" * 30 + "1" + ")" * 30, "1", 0),
        ("abs(-0)", "0", 0),
        ("sin(pi)", "0.000", 0),
        ("sin(pi)", "0.001", 1),
        ("cosh(1000)-cosh(1000)", "0", 0),  # 434 digits cancel
        ("cosh(1000)-cosh(1000)", "1", 1),
        ("exp(-exp(100))", "0", 0),
        ("exp(-exp(100))", "1", 1),
        ("exp(-800)", "3.6678746e-348", 0),
        ("erf(1e300)", "1", 0),
        ("sin(1e300)", "-0.98575", 0),
        ("1/3", "0." + "3" * 395, 0),
        ("gamma(171.5)", "9.48336756682e307", 0),
    ],
    ids=lambda x: str(x)[:14],
)
def test_extreme_expressions_are_decided(text, value, status, tmp_path) -> None:
    assert checked(tmp_path, f"expression,value\n{text},{value}\n").status == status
