"""The activation of a certificate: a catalogue name, or an expression in s, as a tree that a checker can walk.

The language is that of docs/problem-file.md: numbers, ``+ - * /``, ``**`` or ``^``, parentheses, ``pi``, s and the functions below.
Python's own parser makes a syntax tree, of which a closed list of nodes is translated and everything else refused; nothing is
executed. Numbers are exact: ``0.1`` is one tenth.
"""

from __future__ import annotations

import ast
import re
import warnings
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

EXPRESSION_LENGTH, EXPRESSION_DEPTH, LARGEST_EXPONENT = 500, 60, 16
_CHARACTERS = re.compile(r"[0-9A-Za-z.+\-*/^() \t]*")
_NUMBER = re.compile(r"([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

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
    source = source.replace("^", "**").strip()
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
            operator = _OPERATORS[type(node.op)]
            return (operator, _translated(node.left, source, depth + 1), _translated(node.right, source, depth + 1))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return ("arctan" if name == "atan" else name, _translated(argument, source, depth + 1))
        case _:
            raise ValueError(f"{type(node).__name__} at position {node.col_offset + 1} is outside the language")


def _number(digits: str) -> Fraction:
    if not _NUMBER.fullmatch(digits):
        raise ValueError(f"the number {digits[:40]!r} has too many digits or another form")
    return Fraction(digits)


def _exponent(tree: Tree) -> Fraction:
    exponent = _rational(tree)
    if abs(exponent) > LARGEST_EXPONENT or exponent.denominator > 2:
        raise ValueError(f"an exponent must be a multiple of 1/2 between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}")
    return exponent


def _rational(tree: Tree) -> Fraction:
    """The value of a constant from numbers, + - * / and powers small enough not to be costly."""
    match tree:
        case ("number", value):
            return Fraction(value)
        case ("+", left, right):
            return _rational(left) + _rational(right)
        case ("-", left, right):
            return _rational(left) - _rational(right)
        case ("*", left, right):
            return _rational(left) * _rational(right)
        case ("/", left, right):
            return _rational(left) / _rational(right)
        case ("**", base, exponent) if exponent.denominator == 1 and abs(_rational(base)) <= LARGEST_EXPONENT:
            return _rational(base) ** int(exponent)
        case _:
            raise ValueError("an exponent must be a number, or made of small ones")
