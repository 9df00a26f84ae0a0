"""The text of an activation in a certificate: what the language has, what it refuses, and in how much time."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import sympy
from flint import arb

from tests.verify import forge
from theorems.grammar import S, parse_expression
from verify import certificate_expression, checker_balls
from verify.certificate_expression import Tree, parse_activation
from verify.checker import check
from verify.errors import ProblemError


@pytest.mark.parametrize(
    "text",
    [
        *("relu", "tanx", "", "s s", "t", "y", "__import__('os')", "s.real", "s[0]", "lambda: s", "s if s else s", "s**s", "s**17"),
        *("s**(1/3)", "exp", "exp()", "exp(s, s)", "exp(*s)", "exp(x=s)", "1j*s", "0x10*s", "1_0*s", "s@s", "s//2", "s%2", "~s"),
        *("not s", "s<1", "s;s", "s\n", "s#", "'s'", "f's'", "s:=1", "(s,)", "{s}", "[s]", "...", "None", "True", "1e999*s"),
        *("s**9**9**9", "s**(9**16)", "s**(1/0)", "s**(16**16)**16", "(" * 300 + "s", "-" * 400 + "s", "-" * 161 + "s"),
        *("s+" * 300 + "s", "ſ", "s\ud800", "1e100*s", "1e00000100*s", "s**sqrt(2)", "s**sqrt(-1)", "s**(2**(1/2))", "s**0**-1"),
        *("00x10*s", "1e*s", "s**pi", "s**sin(0)"),
    ],
)
def test_expressions_outside_the_language_are_refused(text: str) -> None:
    with pytest.raises(ProblemError, match="activation"):
        parse_activation(text)


def tower(depth: int, exponent: str) -> str:
    text = "1"
    for _ in range(depth):
        text = f"({text})**{exponent}"
    return f"s**({text})"


@pytest.mark.parametrize("depth", [1, 10, 57])
@pytest.mark.parametrize("exponent", ["1", "2", "16", "-1"])
def test_constants_are_evaluated_once(depth: int, exponent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice in each level would be 2^57 times."""
    evaluate, count = certificate_expression._rational, 0

    def counted(tree: Tree) -> Fraction:
        nonlocal count
        count += 1
        return evaluate(tree)

    monkeypatch.setattr(certificate_expression, "_rational", counted)
    assert parse_activation(tower(depth, exponent)) == ("**", ("s",), Fraction(1))
    assert count <= 5 * depth + 2


@pytest.mark.parametrize(
    "text",
    [
        "s**(" + "(2" + ")**16)" * 40,
        "s**(" + "(1e-99)**16" + ")**16" * 30 + ")",
        "s**(" * 60 + "1e-99" + ")**16" * 60,
        "s**(" + "*".join(["1e99"] * 90) + ")",
        "s**(" + "+".join(f"1/{i}{'1' * 8}" for i in range(40)) + ")",
        "s" + "**2" * 150,
        "s**(" + "16**" * 100 + "1)",
        "s**(" + "(" * 150 + "2" + ")**4)" * 60,
        "s**(1" + "/3" * 150 + ")",
        "s**(" + "sqrt(" * 80 + "2" + ")" * 81,
        "s**" + "-" * 170 + "1",
    ],
    ids=lambda text: text[:24],
)
def test_no_large_number_is_made_inside_an_exponent(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, arithmetic = [0], certificate_expression._ARITHMETIC

    def watched(compute: Callable[[Fraction, Fraction], Fraction]) -> Callable[[Fraction, Fraction], Fraction]:
        def watch(a: Fraction, b: Fraction) -> Fraction:
            value = compute(a, b)
            made.append(certificate_expression._bits(value))
            return value

        return watch

    monkeypatch.setattr(certificate_expression, "_ARITHMETIC", {sign: watched(compute) for sign, compute in arithmetic.items()})
    with pytest.raises(ProblemError, match="activation"):
        parse_activation(text)
    assert max(made) <= certificate_expression.CONSTANT_BITS + 2


def test_powers_of_long_numbers_are_refused_before_they_are_computed() -> None:
    with pytest.raises(ProblemError, match="bits"):
        parse_activation("s**((1e-99)**16)")


@pytest.mark.parametrize("text", ["s" + "+0*s" * 100, "s" + "*1" * 200, "s" + "-s/9" * 100, "+".join(["s"] * 250)])
def test_long_sums_and_products_are_one_level(text: str) -> None:
    """What theorems.grammar reads is read here, and means the same."""
    at = Fraction(3, 8)
    phi, wanted = checker_balls.function(parse_activation(text)), parse_expression(text).subs(S, sympy.Rational(3, 8))
    assert abs(phi(arb(float(at))) - checker_balls.ball(Fraction(int(wanted.p), int(wanted.q)))) < 1e-12


def test_parentheses_as_deep_as_the_maker_takes_them() -> None:
    """Four levels of the tree for each of 39 parentheses."""
    value = arb(0.375)
    for _ in range(39):
        value = 1 - 2 * arb.sin(value) ** 2
    phi = checker_balls.function(parse_activation("1-2*sin(" * 39 + "s" + ")^2" * 39))
    assert phi(arb(0.375)).overlaps(value)


def test_a_long_sum_is_checked(tmp_path: Path) -> None:
    forgery = forge.forge()
    forgery.document["network"]["activation"] = "tanh(01*s)" + "+0*s" * 120
    assert check(forgery.write(tmp_path)).accepted
