"""The grammar of constants: text to a ball, by a tokenizer and recursive descent of our own. Nothing of the text is executed.

    sum      = product (("+" | "-") product)*
    product  = unary (("*" | "/") unary)*
    unary    = ("+" | "-") unary | power
    power    = primary (("**" | "^") unary)?
    primary  = decimal | "pi" | "e" | function "(" sum ")" | "(" sum ")"

Numbers are exact, 0.1 is one tenth. Values are balls throughout, so no text can make a number that fills the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flint import arb, fmpq

from theorems.arithmetic import as_ball, working_precision
from theorems.errors import nearest
from theorems.exact import exactly
from verify import fields
from verify.errors import ProblemError
from verify.tables.keys import exact_decimal

LONGEST = 500
DEEPEST = 40
LARGEST_POWER = 4096  # of an integer power; beyond, exp(y log x)
BITS = 192
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sqrt": lambda x: x.sqrt(),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "ln": lambda x: x.log(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "tan": lambda x: x.tan(),
    "arcsin": lambda x: x.asin(),
    "arccos": lambda x: x.acos(),
    "arctan": lambda x: x.atan(),
    "sinh": lambda x: x.sinh(),
    "cosh": lambda x: x.cosh(),
    "tanh": lambda x: x.tanh(),
    "erf": lambda x: x.erf(),
    "erfc": lambda x: x.erfc(),
    "gamma": lambda x: x.gamma(),
    "abs": abs,
}
CONSTANTS: dict[str, Callable[[], Any]] = {"pi": arb.pi, "e": arb.const_e}
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9]*)|(?P<operator>\*\*|[-+*/^()])|(?P<space>[ \t]+)"
)


def constant_text(key: str, value: Any) -> str:
    """The text of a constant: an exact rational as "1/3", another expression as it is written. Raises ProblemError."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
            raise fields.unwanted(key, "a number or a constant expression", value)
        return str(exactly(value))
    exact = exact_decimal(value)
    if exact is not None:
        return str(exact)
    text = fields.text(key, value, longest=LONGEST).strip()
    evaluated(key, text)
    return text


def evaluated(key: str, text: str, bits: int = BITS) -> Any:
    """The ball of a constant expression at ``bits`` bits.

    Raises ProblemError naming ``key`` for a text outside the grammar, and for one that is not defined or not finite.
    """
    if len(text) > LONGEST:
        raise ProblemError(f"{key} must have at most {LONGEST} characters, got {len(text)}")
    with working_precision(bits):
        parser = _Parser(key, text)
        found = parser.sum()
        parser.end()
        if not found.is_finite():
            raise ProblemError(f"{key} must be a finite real number, {text[:60]!r} is not defined or not enclosed at {bits} bits")
        return found


class _Parser:
    """Recursive descent over the tokens; one method for each line of the grammar."""

    def __init__(self, key: str, text: str) -> None:
        self.key, self.text = key, text
        self.tokens: list[tuple[str, str, int]] = []
        place = 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise self.error(f"numbers, names, + - * / ** ^ and parentheses, got {text[place]!r} at position {place + 1}")
            if match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), match.group(), place + 1))
            place = match.end()
        self.tokens.append(("end", "the end", len(text) + 1))
        self.next = self.nesting = 0

    def error(self, wanted: str) -> ProblemError:
        return ProblemError(f"{self.key} must be a constant expression of {wanted}")

    def unexpected(self) -> ProblemError:
        _, token, place = self.tokens[self.next]
        return self.error(f"the documented grammar, got {token[:20]!r} at position {place}")

    def take(self, *operators: str) -> str | None:
        kind, token, _ = self.tokens[self.next]
        if kind != "operator" or token not in operators:
            return None
        self.next += 1
        return token

    def end(self) -> None:
        if self.tokens[self.next][0] != "end":
            raise self.unexpected()

    def sum(self) -> Any:
        total = self.product()
        while (sign := self.take("+", "-")) is not None:
            term = self.product()
            total = total + term if sign == "+" else total - term
        return total

    def product(self) -> Any:
        total = self.unary()
        while (sign := self.take("*", "/")) is not None:
            factor = self.unary()
            total = total * factor if sign == "*" else total / factor
        return total

    def unary(self) -> Any:
        self.nesting += 1  # every cycle of the grammar passes here
        if self.nesting > DEEPEST:
            raise self.error(f"at most {DEEPEST} nested parts, got {self.text[:40]!r}")
        sign = self.take("+", "-")
        found = self.power() if sign is None else self.unary() if sign == "+" else -self.unary()
        self.nesting -= 1
        return found

    def power(self) -> Any:
        base = self.primary()
        if self.take("**", "^") is None:
            return base
        exponent = self.unary()
        if exponent.is_integer() and abs(exponent) <= LARGEST_POWER:
            count = int(exponent.unique_fmpz())
            return base**count if count >= 0 else 1 / base**-count
        return (exponent * base.log()).exp()

    def primary(self) -> Any:
        kind, token, place = self.tokens[self.next]
        if kind == "number":
            self.next += 1
            exact = exact_decimal(token)
            if exact is None:
                raise self.error(f"decimals of moderate size, got {token[:20]!r} at position {place}")
            return arb(fmpq(exact.numerator, exact.denominator))
        if kind == "name":
            self.next += 1
            if token in CONSTANTS:
                return as_ball(CONSTANTS[token]())
            known = (*CONSTANTS, *FUNCTIONS)
            if token not in FUNCTIONS:
                raise self.error(f"the names {', '.join(known)}, got {token[:30]!r} at position {place}{nearest(token, known)}")
            return FUNCTIONS[token](self.parenthesis())
        return self.parenthesis()

    def parenthesis(self) -> Any:
        if self.take("(") is None:
            raise self.unexpected()
        found = self.sum()
        if self.take(")") is None:
            raise self.unexpected()
        return found
