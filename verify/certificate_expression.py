"""The activation of a certificate: a catalogue name, or an expression in s, as a tree that a checker can walk.

The language is that of docs/problem-file.md: numbers, ``+ - * /``, ``**`` or ``^``, parentheses, ``pi``, s and the functions below.
Python's own parser makes a syntax tree, of which a closed list of nodes is translated and everything else refused; nothing is
executed. Numbers are exact: ``0.1`` is one tenth.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from verify.errors import ProblemError
from verify.fields import one_line, unwanted

#: What the catalogue's names mean, in the language of a user's own expression.
ACTIVATIONS = {
    "identity": "s",
    "tanh": "tanh(s)",
    "erf": "erf(s)",
    "sin": "sin(s)",
    "cos": "cos(s)",
    "softplus": "softplus(s)",
    "gelu": "s*(1 + erf(s/sqrt(2)))/2",
    "silu": "s*sigmoid(s)",
    "sigmoid": "sigmoid(s)",
    "arctan": "arctan(s)",
    "gaussian_bump": "exp(-s**2/2)",
}
FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sinh", "cosh", "erf", "arctan", "atan", "sigmoid", "softplus")

#: A sum or a product of many terms is one level; four levels (sum, product, power, function) for each parenthesis of the maker's.
EXPRESSION_LENGTH, EXPRESSION_DEPTH, LARGEST_EXPONENT = 500, 160, 16
CONSTANT_BITS = 4096  # of numerator and denominator together, for every number and everything computed inside an exponent
_CHARACTERS = re.compile(r"[0-9A-Za-z.+\-*/^() \t]*")
_NUMBER = re.compile(r"([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,8})?")
_DECIMAL_EXPONENT = 99
_LEADING_ZEROS = re.compile(r"(?<![0-9A-Za-z.])0+(?=[0-9])")  # which Python's parser does not take
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_ARITHMETIC: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}

#: ("s",), ("pi",), ("number", q), (operator, a, b) for + - * /, ("**", a, p) or (function, a): a, b trees, q and p rationals.
Tree = tuple[Any, ...]


def parse_activation(text: str) -> Tree:
    """Return the tree of a catalogue name or of an expression in s; exponents are multiples of 1/2 from -16 to 16.

    Raises ProblemError for anything outside the language, for relu, which is measured and never certified, and for an expression
    that is too long or too deep.
    """
    if text == "relu":
        raise ProblemError("network.activation 'relu' is measured, never certified: its second derivative does not exist at 0")
    source = ACTIVATIONS.get(text, text)
    if len(source) > EXPRESSION_LENGTH or not _CHARACTERS.fullmatch(source):
        raise unwanted("network.activation", f"an expression in s of at most {EXPRESSION_LENGTH} characters", text)
    source = _LEADING_ZEROS.sub("", source.replace("^", "**")).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(source, mode="eval").body
        return _translated(node, source, 0)
    except ProblemError:
        raise
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        raise unwanted("network.activation", "an expression in s", text, f": {one_line(error)[:80]}") from None


def _translated(node: ast.expr, source: str, depth: int) -> Tree:
    if depth > EXPRESSION_DEPTH:
        raise ValueError(f"nested more than {EXPRESSION_DEPTH} deep")
    match node:
        case ast.Name(id="s"):
            return ("s",)
        case ast.Name(id="pi"):
            return ("pi",)
        case ast.Constant():
            return ("number", _number(ast.get_source_segment(source, node) or ""))
        case ast.UnaryOp(op=ast.UAdd()):
            return _translated(node.operand, source, depth + 1)
        case ast.UnaryOp(op=ast.USub()):
            return ("-", ("number", Fraction(0)), _translated(node.operand, source, depth + 1))
        case ast.BinOp(op=ast.Pow()):
            return ("**", _translated(node.left, source, depth + 1), _exponent(_translated(node.right, source, depth + 1)))
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return _chain(node, source, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return ("arctan" if name == "atan" else name, _translated(argument, source, depth + 1))
        case _:
            raise ValueError(f"{type(node).__name__} at position {node.col_offset + 1} is outside the language")


def _chain(node: ast.expr, source: str, depth: int) -> Tree:
    """a + b - c and a * b / c, nested to the left, without a level for each term."""
    terms: list[tuple[str, ast.expr]] = []
    while isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        terms.append((_OPERATORS[type(node.op)], node.right))
        node = node.left
    tree = _translated(node, source, depth)
    for sign, right in reversed(terms):
        tree = (sign, tree, _translated(right, source, depth))
    return tree


def _number(digits: str) -> Fraction:
    exponent = digits.lower().partition("e")[2]
    if not _NUMBER.fullmatch(digits) or abs(int(exponent or "0")) > _DECIMAL_EXPONENT:
        raise ValueError(f"the number {digits[:40]!r} has too many digits or another form")
    return Fraction(digits)


def _exponent(tree: Tree) -> Fraction:
    exponent = _rational(tree)
    if abs(exponent) > LARGEST_EXPONENT or exponent.denominator > 2:
        raise ValueError(f"an exponent must be a multiple of 1/2 between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}")
    return exponent


def _rational(tree: Tree) -> Fraction:
    """The value of a constant of numbers, + - * /, powers and exact square roots; every part is evaluated once.

    Raises ValueError for anything else, and before a number of more than CONSTANT_BITS bits is made.
    """
    match tree:
        case ("number", value):
            return Fraction(value)
        case ("+" | "-" | "*" | "/" as sign, left, right):
            a, b = _rational(left), _rational(right)
            _refuse_long(_bits(a) + _bits(b))
            return _ARITHMETIC[sign](a, b)
        case ("**", base, exponent):  # the exponent was checked when this power was translated
            value = _rational(base)
            _refuse_long(_bits(value) * abs(exponent.numerator))
            return (value if exponent.denominator == 1 else _root(value)) ** int(exponent.numerator)
        case ("sqrt", argument):
            return _root(_rational(argument))
        case _:
            raise ValueError("an exponent must be a rational number, or made of them")


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _refuse_long(bits: int) -> None:
    if bits > CONSTANT_BITS:
        raise ValueError(f"an exponent must be made of numbers of at most {CONSTANT_BITS} bits")


def _root(value: Fraction) -> Fraction:
    """The square root of the square of a rational."""
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))  # of a negative number: ValueError
    if root * root != value:
        raise ValueError("an exponent must be rational")
    return root
