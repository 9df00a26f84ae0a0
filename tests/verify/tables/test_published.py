"""Decimals in print against enclosures, and the grammar of constants."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theorems.arithmetic import lower, upper
from verify.errors import ProblemError
from verify.tables.check_others import HEADERS, check_published
from verify.tables.constants import constant_text, evaluated
from verify.tables.findings import Kind
from verify.tables.published import Finding, judge, read_decimal

ROOT_TWO = (Fraction(141421356237309504880, 10**20), Fraction(141421356237309504881, 10**20))


def judged(text: str, low: Fraction, high: Fraction | None = None):
    printed = read_decimal(text)
    assert printed is not None
    return judge(printed, low, low if high is None else high)


@pytest.mark.parametrize(
    ("text", "finding", "marked"),
    [
        ("1.4142", Finding.ROUNDED, "1.4142"),
        ("1.41421", Finding.ROUNDED, "1.41421"),
        ("1.4142135", Finding.TRUNCATED, "1.4142135"),
        ("1.4142136", Finding.ROUNDED, "1.4142136"),
        ("1.4142137", Finding.WRONG, "1.414213[7]"),
        ("1.4152", Finding.WRONG, "1.41[52]"),
        ("2", Finding.WRONG, "[2]"),
        ("1", Finding.ROUNDED, "1"),
        ("14.142e-1", Finding.ROUNDED, "14.142e-1"),
        ("14.143e-1", Finding.WRONG, "14.14[3]e-1"),
        ("-1.4142", Finding.WRONG, "[-1.4142]"),
        ("+1.4142", Finding.ROUNDED, "+1.4142"),
        ("1.4142135623730950488", Finding.ROUNDED, "1.4142135623730950488"),
        ("1.414213562373095048801688724209698", Finding.UNDECIDED, "1.414213562373095048801688724209698"),
    ],
)
def test_root_two(text, finding, marked) -> None:
    found = judged(text, *ROOT_TWO)
    assert found.finding is finding
    assert found.marked == marked
    assert (found.off > 0) == (finding is Finding.WRONG)


@pytest.mark.parametrize(
    ("text", "number", "finding"),
    [
        (".5", "1/2", Finding.ROUNDED),
        (".4", "1/2", Finding.WRONG),
        (".3", "1/4", Finding.ROUNDED),  # a tie may go either way
        (".2", "1/4", Finding.ROUNDED),
        ("-.2", "-29/100", Finding.TRUNCATED),
        ("-.3", "-29/100", Finding.ROUNDED),
        ("-.4", "-29/100", Finding.WRONG),
        ("0.0", "9/100", Finding.TRUNCATED),
        ("0.0", "1/10", Finding.WRONG),
        ("0", "0", Finding.ROUNDED),
        ("9.99", "10", Finding.WRONG),
        ("10.00", "9999/1000", Finding.ROUNDED),
    ],
)
def test_ties_signs_and_zero(text, number, finding) -> None:
    assert judged(text, Fraction(number)).finding is finding


@given(st.fractions(min_value=-1000, max_value=1000), st.integers(0, 8), st.booleans())
def test_what_is_rounded_or_cut_off_is_right_and_two_units_more_is_wrong(number, places, cut) -> None:
    scaled = abs(number) * 10**places
    whole = math.floor(scaled) if cut else round(scaled)
    for shift in (0, 2):
        digits = str(whole + shift).rjust(places + 1, "0")
        text = ("-" if number < 0 else "") + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
        found = judged(text, number)
        assert (found.finding is Finding.WRONG) == (shift == 2)
        if shift:
            assert "[" in found.marked
            assert found.marked.replace("[", "").replace("]", "") == text


@pytest.mark.parametrize("text", ["", ".", "1.2.3", "1e", "1e9999", "٣.١٤", "0x10", "nan", "inf", "1_000", "1,5", "½", "1" * 500])
def test_what_is_no_decimal(text) -> None:
    assert read_decimal(text) is None


# The grammar of constants


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/3", lambda: mpmath.mpf(1) / 3),
        ("sqrt(2) + pi", lambda: mpmath.sqrt(2) + mpmath.pi),
        ("-2**2", lambda: mpmath.mpf(-4)),
        ("2**3**2", lambda: mpmath.mpf(512)),
        ("2^-1", lambda: mpmath.mpf(1) / 2),
        ("e - exp(1)", lambda: mpmath.mpf(0)),
        ("gamma(1/2)**2", lambda: +mpmath.pi),
        ("erf(1)/erfc(1)", lambda: mpmath.erf(1) / mpmath.erfc(1)),
        ("2**0.5", lambda: mpmath.sqrt(2)),
        ("1.5e-3*ln(10)", lambda: mpmath.mpf("0.0015") * mpmath.log(10)),
        ("arctan(tan(1/2)) + arcsin(sin(0.25)) - abs(-arccos(1))", lambda: mpmath.mpf("0.75")),
        ("tanh(1) + sinh(1)/cosh(1)", lambda: 2 * mpmath.tanh(1)),
    ],
)
def test_constants_are_enclosed(text, value) -> None:
    with mpmath.workdps(50):
        exact = value()
        ball = evaluated("expression", text)
        low, high = (mpmath.mpf(x.numerator) / x.denominator for x in (lower(ball), upper(ball)))
        assert low - mpmath.mpf("1e-45") <= exact <= high + mpmath.mpf("1e-45")
        assert high - low < mpmath.mpf("1e-35")


NO_CONSTANTS = [
    *("", "()", "1+", "sqrt 2", "sqrt(2", "1 2", "x", "log(0)", "sqrt(-1)", "1/0", "1/(1-1)", "gamma(-1)", "(-8)**(1/3)"),
    *("exp(exp(exp(9)))", "__import__('os')", "1;2", "lambda: 1", "pi.x", "[1]", "²", "1_0", "0x1", "9**9**9**9**9"),
    "(" * 60 + "1" + ")" * 60,
    "9" * 501,
]


@pytest.mark.parametrize("text", NO_CONSTANTS, ids=lambda text: text[:20])
def test_what_is_no_constant(text) -> None:
    with pytest.raises(ProblemError) as caught:
        evaluated("expression", text)
    assert str(caught.value).startswith("expression must")


def test_texts_of_constants() -> None:
    assert constant_text("k", "0.25") == "1/4"
    assert constant_text("k", 3) == "3"
    assert constant_text("k", " sqrt(2) ") == "sqrt(2)"
    for bad in (True, None, [1], "sqrt(", "a\0b"):
        with pytest.raises(ProblemError):
            constant_text("k", bad)


def test_more_digits_take_more_bits() -> None:
    with mpmath.workdps(300):
        text = mpmath.nstr(mpmath.pi, 250)
    (found,) = check_published(HEADERS[1], (0, 1), [(2, ["pi", text])], 2).findings
    assert found.kind is Kind.RIGHT
    (found,) = check_published(HEADERS[1], (0, 1), [(2, ["pi", text[:100] + "55" + text[102:]])], 2).findings
    assert found.kind is Kind.WRONG
    assert found.text.startswith(text[:99])
