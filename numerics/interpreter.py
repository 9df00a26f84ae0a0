"""A register machine for straight-line programs, block by block, so that a user's expression needs no compilation.

A program is a list of instructions; instruction i writes register i, one row of a workspace of shape (instructions, BLOCK).
Each instruction is a vectorized loop over at most BLOCK elements, so the cost of decoding is shared by hundreds of elements
and the registers stay in cache. Nothing is compiled or executed on behalf of the user: an unknown operation is an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from numerics import elementary as el
from numerics._jit import jit
from numerics.errors import NumericsError

#: Elements per block: a row of 4 KB, so that ten live registers fit the first-level cache.
BLOCK = 512

#: Operation name -> (opcode, number of arguments). The codes are private to this module.
OPERATIONS: dict[str, tuple[int, int]] = {
    "input": (0, 0),
    "constant": (1, 0),
    "pi": (1, 0),
    "add": (2, 2),
    "multiply": (3, 2),
    "power": (4, 1),
    "sqrt": (5, 1),
    "exp": (6, 1),
    "log": (7, 1),
    "sin": (8, 1),
    "cos": (9, 1),
    "tanh": (10, 1),
    "erf": (11, 1),
    "arctan": (12, 1),
    "sinh": (13, 1),
    "cosh": (14, 1),
    "abs": (15, 1),
    "maximum": (16, 2),
    "minimum": (17, 2),
}

Instructions = Sequence[tuple[str, Sequence[int], float | None]]


def assemble(instructions: Instructions, outputs: Sequence[int], inputs: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Check a program and put it into arrays: operations (instructions, 3) of (opcode, argument, argument), constants.

    instructions: (operation name, registers read, value); the value is the constant, the index of the input or the integer
    exponent, and None otherwise. Raises NumericsError for an unknown operation, a register that is not yet written, an
    input beyond ``inputs``, a constant that is not finite or an exponent that is not an integer.
    """
    if not instructions:
        raise NumericsError("instructions must not be empty")
    operations = np.zeros((len(instructions), 3), dtype=np.int64)
    constants: list[float] = []
    for row, (name, arguments, value) in enumerate(instructions):
        if name not in OPERATIONS:
            raise NumericsError(f"instruction {row} has the unknown operation {name!r}")
        code, arity = OPERATIONS[name]
        if len(arguments) != arity:
            raise NumericsError(f"instruction {row} ({name}) needs {arity} arguments, got {len(arguments)}")
        if any(not 0 <= register < row for register in arguments):
            raise NumericsError(f"instruction {row} ({name}) reads {tuple(arguments)}, not all of them written before")
        operations[row, 0] = code
        operations[row, 1 : 1 + arity] = arguments
        if name == "input":
            operations[row, 1] = _integer(row, name, value, 0, inputs - 1)
        elif name == "power":
            operations[row, 2] = _integer(row, name, value, -(2**31), 2**31)
        elif code == 1:
            constant = float(np.pi) if name == "pi" else value
            if constant is None or not np.isfinite(constant):
                raise NumericsError(f"instruction {row} (constant) needs a finite value, got {value}")
            operations[row, 1] = len(constants)
            constants.append(float(constant))
    if any(not 0 <= register < len(instructions) for register in outputs):
        raise NumericsError(f"outputs must be registers 0..{len(instructions) - 1}, got {tuple(outputs)}")
    return operations, np.array(constants or [0.0])


def _integer(row: int, name: str, value: float | None, least: int, greatest: int) -> int:
    if value is None or not least <= value <= greatest or value != int(value):
        raise NumericsError(f"instruction {row} ({name}) needs an integer in [{least}, {greatest}], got {value}")
    return int(value)


@jit
def _power(x, exponent, out, count):  # type: ignore[no-untyped-def]
    """out = x ** exponent by repeated squaring, each squaring and product a loop over the block."""
    n = abs(exponent)
    for i in range(count):
        base = x[i]
        result = 1.0
        m = n
        while m > 0:
            if m & 1:
                result *= base
            base *= base
            m >>= 1
        out[i] = 1.0 / result if exponent < 0 else result


@jit
def _square(x, out, count):  # type: ignore[no-untyped-def]
    for i in range(count):
        out[i] = x[i] * x[i]


@jit
def _binary(code, x, y, out, count):  # type: ignore[no-untyped-def]
    if code == 2:
        for i in range(count):
            out[i] = x[i] + y[i]
    elif code == 3:
        for i in range(count):
            out[i] = x[i] * y[i]
    elif code == 16:
        for i in range(count):
            out[i] = x[i] if x[i] >= y[i] else y[i]
    else:
        for i in range(count):
            out[i] = x[i] if x[i] <= y[i] else y[i]


@jit
def _sine(x, out, count, shifted):  # type: ignore[no-untyped-def]
    """sin x, or cos x when ``shifted``; libm for the rare elements beyond the range of the vector code."""
    if shifted:
        for i in range(count):
            out[i] = el.sine_and_cosine(x[i])[1]
    else:
        for i in range(count):
            out[i] = el.sine_and_cosine(x[i])[0]
    if el.any_beyond_limit(x, count):
        for i in range(count):
            if not abs(x[i]) <= el.TRIGONOMETRIC_LIMIT:
                out[i] = math.cos(x[i]) if shifted else math.sin(x[i])


@jit
def _unary(code, x, out, count):  # type: ignore[no-untyped-def]
    if code == 5:
        for i in range(count):
            out[i] = np.sqrt(x[i])
    elif code == 6:
        for i in range(count):
            out[i] = el.exp(x[i])
    elif code == 7:
        for i in range(count):
            out[i] = el.log(x[i])
    elif code == 10:
        for i in range(count):
            out[i] = el.tanh_and_slope(x[i])[0]
    elif code == 11:
        for i in range(count):
            out[i] = el.erf_and_slope(x[i])[0]
    elif code == 12:
        for i in range(count):
            out[i] = el.arctan(x[i])
    elif code == 13:
        for i in range(count):
            out[i] = el.sinh(x[i])
    elif code == 14:
        for i in range(count):
            out[i] = el.cosh(x[i])
    elif code == 8 or code == 9:
        _sine(x, out, count, code == 9)
    else:
        for i in range(count):
            out[i] = abs(x[i])


@jit
def run_block(operations, constants, inputs, begin, count, workspace):  # type: ignore[no-untyped-def]
    """Fill workspace[:, :count] with all registers for the elements begin .. begin + count of inputs (n_inputs, n)."""
    for row in range(operations.shape[0]):
        code = operations[row, 0]
        first = operations[row, 1]
        second = operations[row, 2]
        out = workspace[row]
        if code == 0:
            for i in range(count):
                out[i] = inputs[first, begin + i]
        elif code == 1:
            value = constants[first]
            for i in range(count):
                out[i] = value
        elif code == 4:
            if second == 2:
                _square(workspace[first], out, count)
            else:
                _power(workspace[first], second, out, count)
        elif code == 2 or code == 3 or code >= 16:
            _binary(code, workspace[first], workspace[second], out, count)
        else:
            _unary(code, workspace[first], out, count)
