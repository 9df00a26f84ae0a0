"""From an expression to numbers: a closed walk over SymPy's nodes into a straight-line program.

A program is pure data, a list of operations on earlier results, and the only road from an expression to a number. The walk
knows a closed list of node types and raises on everything else; it never falls back on another evaluator. (SymPy's own
``lambdify`` turns rationals into floats and lets functions unknown to the chosen arithmetic through, so an enclosure can
vanish without a word.) Constants stay exact rationals; a SymPy ``Float`` is refused, because nobody says which real it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy

from theorems.arithmetic import Arithmetic
from theorems.errors import InputError

# A larger exponent is surely a mistake, and symbolic arithmetic would fill the memory with it.
LARGEST_EXPONENT = 1_000_000

# Denominators of exponents, and how many square roots they take: SymPy merges the roots of nested square roots.
_ROOTS: dict[int, int] = {1: 0, 2: 1, 4: 2, 8: 3}


@dataclass(frozen=True)
class Instruction:
    """One operation: its name, the numbers of the earlier instructions it takes, and its constant if it has one.

    ``value`` is the number for "constant", the integer exponent for "power", the index of the input for "input".
    """

    operation: str
    arguments: tuple[int, ...] = ()
    value: Fraction | None = None


@dataclass(frozen=True)
class Program:
    """A straight-line program: names of the inputs, instructions in order, and the instructions that are outputs."""

    inputs: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[int, ...]


_UNARY: dict[Any, str] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tanh: "tanh",
    sympy.erf: "erf",
    sympy.atan: "arctan",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.Abs: "abs",
}
_FOLDED: dict[Any, str] = {
    sympy.Add: "add",
    sympy.Mul: "multiply",
    sympy.Max: "maximum",
    sympy.Min: "minimum",
}

_METHODS: dict[str, str] = {
    "add": "add",
    "multiply": "multiply",
    "maximum": "maximum",
    "minimum": "minimum",
    "sqrt": "sqrt",
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "tanh": "tanh",
    "erf": "erf",
    "arctan": "arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "abs": "absolute",
}

OPERATIONS: frozenset[str] = frozenset(_METHODS) | {"input", "constant", "pi", "power"}


def compile_program(expressions: Sequence[sympy.Expr], inputs: Sequence[sympy.Symbol]) -> Program:
    """Return the program that computes ``expressions`` from ``inputs``; equal subexpressions are computed once.

    Arguments: ``expressions``, SymPy expressions over rationals, pi, E, the inputs, sums, products, powers with exponent an
    integer or a half, quarter or eighth of one (of a positive base: any exponent), exp, log, sin, cos, tanh, erf, atan,
    sinh, cosh, sech, Abs, Max and Min; ``inputs``, distinct symbols, in the order in which ``evaluate`` takes values.

    Raises InputError for any other node (naming it), for a ``Float``, for a symbol that is no input.
    """
    names = tuple(symbol.name for symbol in inputs)
    if len(set(inputs)) != len(names):
        raise InputError(f"inputs must be distinct symbols, got {names}")
    compiler = _Compiler({symbol: index for index, symbol in enumerate(inputs)})
    outputs = tuple(compiler.compile(_checked(expression)) for expression in expressions)
    return Program(names, tuple(compiler.instructions), outputs)


def _checked(expression: Any) -> sympy.Expr:
    if not isinstance(expression, sympy.Expr):
        raise InputError(f"an expression must be a SymPy expression, got {expression!r} ({type(expression).__name__})")
    return expression


@dataclass
class _Compiler:
    """The walk's state: instructions so far, and two tables by which nothing is computed twice."""

    inputs: dict[sympy.Symbol, int]
    instructions: dict[Instruction, int] = field(default_factory=dict)  # in order of insertion
    known: dict[sympy.Expr, int] = field(default_factory=dict)

    def emit(self, operation: str, *arguments: int, value: Fraction | None = None) -> int:
        return self.instructions.setdefault(Instruction(operation, arguments, value), len(self.instructions))

    def compile(self, node: Any) -> int:
        if node not in self.known:
            self.known[node] = self._compile_new(node)
        return self.known[node]

    def _compile_new(self, node: Any) -> int:
        if isinstance(node, sympy.Rational):
            return self.emit("constant", value=Fraction(int(node.p), int(node.q)))
        if isinstance(node, sympy.Symbol):
            return self._input(node)
        if node is sympy.pi:
            return self.emit("pi")
        if node is sympy.E:
            return self.emit("exp", self.emit("constant", value=Fraction(1)))
        if isinstance(node, sympy.Pow):
            return self._power(node)
        if node.func in _UNARY:
            return self.emit(_UNARY[node.func], self.compile(node.args[0]))
        if node.func in _FOLDED:
            return self._fold(_FOLDED[node.func], node.args)
        if node.func is sympy.sech:
            return self.emit("power", self.emit("cosh", self.compile(node.args[0])), value=Fraction(-1))
        raise _refusal(node)

    def _input(self, node: sympy.Symbol) -> int:
        if node not in self.inputs:
            known = ", ".join(symbol.name for symbol in self.inputs) or "none"
            # The assumptions are part of a symbol, so two symbols of one name can differ.
            raise InputError(f"an expression may use only its inputs ({known}), got the symbol {sympy.srepr(node)}")
        return self.emit("input", value=Fraction(self.inputs[node]))

    def _fold(self, operation: str, arguments: tuple[Any, ...]) -> int:
        result = self.compile(arguments[0])
        for argument in arguments[1:]:
            result = self.emit(operation, result, self.compile(argument))
        return result

    def _power(self, node: Any) -> int:
        base, exponent = node.args
        if base is sympy.E:  # how SymPy stores exp(x) when it was built as E**x unevaluated
            return self.emit("exp", self.compile(exponent))
        if not isinstance(exponent, sympy.Rational) or exponent.q not in _ROOTS:
            return self._power_of_positive(node)
        if abs(exponent.p) > LARGEST_EXPONENT:
            raise InputError(f"an exponent must be at most {LARGEST_EXPONENT} in size, got {exponent}")
        result = self.compile(base)
        for _ in range(_ROOTS[exponent.q]):
            result = self.emit("sqrt", result)
        return result if exponent.p == 1 else self.emit("power", result, value=Fraction(int(exponent.p)))

    def _power_of_positive(self, node: Any) -> int:
        """Compile b^x as exp(x log b). SymPy turns exp(log(2)/3) into 2**(1/3), so such powers do occur."""
        base, exponent = node.args
        # Nothing rests on SymPy's word here: where the base is not positive, the logarithm is undefined and says so.
        if base.is_positive is not True:
            raise InputError(f"an exponent must be an integer, or one divided by 2, 4 or 8, got {exponent} in {node}")
        logarithm = self.emit("log", self.compile(base))
        return self.emit("exp", self.emit("multiply", self.compile(exponent), logarithm))


def _refusal(node: Any) -> InputError:
    name = type(node).__name__
    if isinstance(node, sympy.Float):
        return InputError(f"an expression must have exact constants, got the Float {node}; use a rational number")
    return InputError(f"an expression may not contain a node of type {name}, got {node}")


def evaluate(program: Program, arithmetic: Arithmetic, values: Sequence[Any]) -> list[Any]:
    """Return the outputs of ``program`` at ``values``, computed in ``arithmetic``, one for each output.

    Arguments: ``values``, one for each input, scalars or arrays that broadcast, of the kind ``arithmetic`` takes. An output
    that depends on no input is a scalar.

    Raises InputError when the number of values is wrong or an operation is unknown.
    """
    if len(values) != len(program.inputs):
        raise InputError(f"values must hold one value for each of the inputs {program.inputs}, got {len(values)}")
    results: list[Any] = []
    with arithmetic.context():
        for instruction in program.instructions:
            results.append(_execute(instruction, arithmetic, values, results))
    return [results[output] for output in program.outputs]


def _execute(instruction: Instruction, arithmetic: Arithmetic, values: Sequence[Any], results: list[Any]) -> Any:
    operation, value = instruction.operation, instruction.value
    if operation == "pi":
        return arithmetic.pi()
    if operation in _METHODS:
        method: Callable[..., Any] = getattr(arithmetic, _METHODS[operation])
        return method(*(results[argument] for argument in instruction.arguments))
    if value is None:
        raise InputError(f"the operation {operation!r} must be known and carry its value, got none")
    if operation == "input":
        return arithmetic.numbers(values[int(value)])
    if operation == "constant":
        return arithmetic.constant(value)
    if operation == "power":
        return arithmetic.power(results[instruction.arguments[0]], int(value))
    raise InputError(f"the operation {operation!r} of a program is unknown")
