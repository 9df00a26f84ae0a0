"""The grammar of a user's expression: text to SymPy by a tokenizer and recursive descent of our own.

Nothing of the text is ever executed: there is no ``eval`` and no ``sympify``, and a name means something only if it is in
the table below. The language:

    sum      = product (("+" | "-") product)*
    product  = unary (("*" | "/") unary)*
    unary    = ("+" | "-") unary | power
    power    = primary (("**" | "^") unary)?          so -s**2 is -(s**2), and s**2**3 is s**(2**3)
    primary  = number | "pi" | variable | function "(" sum ")" | "(" sum ")"

An exponent is a rational constant p with |p| <= 16 and 2p an integer: the powers that every arithmetic here evaluates.
Numbers are exact: ``0.1`` is one tenth.

Text is refused before SymPy sees it when building it could be costly: SymPy multiplies out numbers eagerly, so a tower of
powers of ten characters could fill the memory. Hence the bounds on length, digits, nesting and exponents of exponents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from theorems.errors import InputError, nearest

S = sympy.Symbol("s", real=True)
Y = sympy.Symbol("y", real=True)
T = sympy.Symbol("t", real=True)

MAX_LENGTH = 500
MAX_NESTING = 40
MAX_DIGITS = 40
MAX_DECIMAL_EXPONENT = 40
MAX_EXPONENT = 16
MAX_EXPONENT_TOWER = 64  # (s**8)**8 is the most

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tanh": sympy.tanh,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "erf": sympy.erf,
    "arctan": sympy.atan,
    "atan": sympy.atan,
    # Written with tanh, which overflows nowhere and whose enclosures stay bounded; 1/(1 + exp(-x)) does neither.
    "sigmoid": lambda x: (1 + sympy.tanh(x / 2)) / 2,
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
}

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9]*)"
    r"|(?P<operator>\*\*|[-+*/^()])"
    r"|(?P<space>[ \t]+)"
)


@dataclass(frozen=True)
class _Token:
    kind: str  # number, name, operator, end
    text: str
    position: int  # from 1, as a reader counts

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 20 else self.text[:20] + "..."
        return f"{shown!r} at position {self.position}" if self.kind != "end" else "the end of the expression"


@dataclass(frozen=True)
class _Term:
    """A parsed piece with the largest product of exponents nested in it."""

    expression: Any
    tower: Fraction = Fraction(1)


def parse_expression(text: str, variables: Sequence[str] = ("s",)) -> sympy.Expr:
    """Return the SymPy expression that ``text`` denotes, in real symbols.

    Arguments: ``text``, an expression in the grammar of this module, such as ``"s*exp(-s**2/2)"``; ``variables``, the names
    it may use, of which it must depend on the first.

    Raises InputError with the position for anything outside the grammar or its bounds, for an unknown name (with the
    nearest known one), for a division by zero, and for an expression that is not a finite real one or does not depend on
    the first variable.
    """
    if not isinstance(text, str):
        raise InputError(f"an expression must be a string, got {text!r} ({type(text).__name__})")
    if len(text) > MAX_LENGTH:
        raise InputError(f"an expression must have at most {MAX_LENGTH} characters, got {len(text)}")
    parser = _Parser(_tokens(text), {name: sympy.Symbol(name, real=True) for name in variables})
    expression = parser.parse()
    if variables[0] not in {symbol.name for symbol in expression.free_symbols}:
        raise InputError(f"an expression must depend on {variables[0]}, got {text!r}, which equals {expression}")
    return expression


def _tokens(text: str) -> list[_Token]:
    tokens, start = [], 0
    while start < len(text):
        match = _TOKEN.match(text, start)
        if match is None:
            raise InputError(
                "an expression may contain numbers, names, + - * / ** ^ and parentheses, "
                f"got {text[start]!r} at position {start + 1}"
            )
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match.group(), start + 1))
        start = match.end()
    if not tokens:
        raise InputError(f"an expression must not be empty, got {text!r}")
    return [*tokens, _Token("end", "", len(text) + 1)]


class _Parser:
    """Recursive descent over the tokens; one method for each line of the grammar."""

    def __init__(self, tokens: list[_Token], variables: dict[str, sympy.Symbol]) -> None:
        self.tokens = tokens
        self.variables = variables
        self.next = 0
        self.nesting = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def take(self, *operators: str) -> _Token | None:
        """Consume and return the next token if it is one of ``operators``."""
        token = self.token
        if token.kind == "operator" and token.text in operators:
            self.next += 1
            return token
        return None

    def parse(self) -> Any:
        term = self.sum()
        if self.token.kind != "end":
            raise InputError(f"an expression must have an operator between its parts, got {self.token}")
        return term.expression

    def sum(self) -> _Term:
        start = self.token
        terms = [self.product()]
        while (operator := self.take("+", "-")) is not None:
            term = self.product()
            terms.append(_Term(-term.expression, term.tower) if operator.text == "-" else term)
        return _combined(sympy.Add, terms, start)

    def product(self) -> _Term:
        start = self.token
        factors = [self.unary()]
        while (operator := self.take("*", "/")) is not None:
            divisor = self.token
            factor = self.unary()
            if operator.text == "/":
                _refuse_zero(factor, divisor)
                factor = _Term(1 / factor.expression, factor.tower)
            factors.append(factor)
        return _combined(sympy.Mul, factors, start)

    def unary(self) -> _Term:
        # Every cycle of the grammar passes here, so this one counter bounds the depth of the recursion.
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise InputError(f"an expression must be nested at most {MAX_NESTING} deep, got {self.token}")
        sign = self.take("+", "-")
        if sign is None:
            term = self.power()
        else:
            term = self.unary()
            term = _Term(-term.expression, term.tower) if sign.text == "-" else term
        self.nesting -= 1
        return term

    def power(self) -> _Term:
        start = self.token
        base = self.primary()
        if self.take("**", "^") is None:
            return base
        position = self.token
        exponent = _checked_exponent(self.unary().expression, position)
        tower = base.tower * max(abs(exponent), Fraction(1))
        if tower > MAX_EXPONENT_TOWER:
            raise InputError(f"exponents of exponents must multiply to at most {MAX_EXPONENT_TOWER}, got {position}")
        if exponent < 0:
            _refuse_zero(base, start)
        return _finite(base.expression ** sympy.Rational(exponent.numerator, exponent.denominator), tower, start)

    def primary(self) -> _Term:
        token = self.token
        if self.take("(") is not None:
            return self.closed(token)
        if token.kind == "number":
            self.next += 1
            return _Term(_number(token))
        if token.kind == "name":
            self.next += 1
            return self.named(token)
        raise InputError(f"a number, a name or a parenthesis was expected in the expression, got {token}")

    def named(self, token: _Token) -> _Term:
        if token.text in self.variables:
            return _Term(self.variables[token.text])
        if token.text == "pi":
            return _Term(sympy.pi)
        if token.text not in FUNCTIONS:
            known = (*self.variables, "pi", *FUNCTIONS)
            raise InputError(f"an expression may use the names {', '.join(known)}, got {token}{nearest(token.text, known)}")
        opening = self.token
        if self.take("(") is None:
            raise InputError(f"the function {token.text} must be followed by a parenthesis, got {opening}")
        argument = self.closed(opening)
        return _finite(FUNCTIONS[token.text](argument.expression), argument.tower, token)

    def closed(self, opening: _Token) -> _Term:
        term = self.sum()
        if self.take(")") is None:
            raise InputError(f"the parenthesis at position {opening.position} must be closed, got {self.token}")
        return term


def _number(token: _Token) -> sympy.Rational:
    digits, _, exponent = token.text.lower().partition("e")
    if len(digits) > MAX_DIGITS:
        raise InputError(f"a number must have at most {MAX_DIGITS} digits, got {token}")
    if len(exponent) > 8 or abs(int(exponent or "0")) > MAX_DECIMAL_EXPONENT:
        raise InputError(f"a decimal exponent must be at most {MAX_DECIMAL_EXPONENT} in size, got {token}")
    value = Fraction(digits) * Fraction(10) ** int(exponent or "0")
    return sympy.Rational(value.numerator, value.denominator)


def _checked_exponent(expression: Any, token: _Token) -> Fraction:
    if not isinstance(expression, sympy.Rational):
        raise InputError(f"an exponent must be a rational constant (write exp(...) otherwise), got {token}")
    exponent = Fraction(int(expression.p), int(expression.q))
    if abs(exponent) > MAX_EXPONENT or exponent.denominator > 2:
        raise InputError(f"an exponent must be a multiple of 1/2 between -{MAX_EXPONENT} and {MAX_EXPONENT}, got {token}")
    return exponent


def _combined(operation: Callable[..., Any], terms: list[_Term], start: _Token) -> _Term:
    if len(terms) == 1:
        return terms[0]
    return _finite(operation(*(term.expression for term in terms)), max(term.tower for term in terms), start)


def _refuse_zero(term: _Term, token: _Token) -> None:
    if term.expression.is_zero:
        raise InputError(f"an expression must not divide by zero, got a zero divisor, {token}")


def _finite(expression: Any, tower: Fraction, start: _Token) -> _Term:
    """Return the piece, unless SymPy has found it infinite, undefined or imaginary."""
    if expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
        raise InputError(f"an expression must be finite and real, got {expression} from {start} on")
    return _Term(expression, tower)
