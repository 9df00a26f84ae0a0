"""Activation kernels: the built-in ones by hand, a user's expression by the register machine of ``interpreter``.

A kernel is plain data (a code and, for a program, its arrays), so the compiled training loop takes any activation without being
compiled again. Every kernel gives phi(z) and phi'(z) together, because they share their expensive parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics import elementary as el
from numerics._jit import jit
from numerics.errors import NumericsError
from numerics.interpreter import BLOCK, Instructions, assemble, run_block

PROGRAM = -1
#: Activations with a hand-written kernel, in the conventions of the catalogue: gelu(z) = z Phi(z) with the exact normal
#: distribution function, silu(z) = z sigmoid(z), gaussian_bump(z) = exp(-z^2/2), relu'(0) = 0.
BUILTIN: dict[str, int] = {
    "identity": 0,
    "relu": 1,
    "tanh": 2,
    "erf": 3,
    "sin": 4,
    "cos": 5,
    "softplus": 6,
    "gelu": 7,
    "silu": 8,
    "sigmoid": 9,
    "arctan": 10,
    "gaussian_bump": 11,
}


class ActivationKernel(NamedTuple):
    """phi and phi' as data: a built-in code with empty arrays, or PROGRAM with its operations, constants and two registers."""

    code: int
    operations: NDArray[np.int64]
    constants: NDArray[np.float64]
    value_register: int
    derivative_register: int


def builtin_activation(name: str) -> ActivationKernel:
    """The hand-written kernel of a catalogue name; NumericsError for a name without one."""
    if name not in BUILTIN:
        raise NumericsError(f"activation must be one of {', '.join(sorted(BUILTIN))}, got {name!r}")
    return ActivationKernel(BUILTIN[name], np.zeros((1, 3), dtype=np.int64), np.zeros(1), 0, 0)


def program_activation(instructions: Instructions, outputs: Sequence[int]) -> ActivationKernel:
    """The kernel of a straight-line program with one input z and the two outputs phi(z), phi'(z).

    instructions: (operation name, registers read, value or None), see ``interpreter.assemble``; outputs: two registers.
    """
    if len(outputs) != 2:
        raise NumericsError(f"outputs must be two registers (phi, phi'), got {tuple(outputs)}")
    operations, constants = assemble(instructions, outputs, inputs=1)
    return ActivationKernel(PROGRAM, operations, constants, int(outputs[0]), int(outputs[1]))


def workspace_shape(kernel: ActivationKernel) -> tuple[int, int]:
    """The shape of the float64 workspace that ``apply`` needs (one per thread)."""
    return (len(kernel.operations), BLOCK) if kernel.code == PROGRAM else (1, 1)


def evaluate(kernel: ActivationKernel, z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """phi(z) and phi'(z), entrywise, for an array of any shape."""
    flat = np.ascontiguousarray(z, dtype=np.float64).ravel()
    phi, dphi = np.empty_like(flat), np.empty_like(flat)
    apply(*kernel, flat, phi, dphi, np.empty(workspace_shape(kernel)))
    return phi.reshape(np.shape(z)), dphi.reshape(np.shape(z))


@jit
def _program(operations, constants, value_register, derivative_register, z, phi, dphi, workspace):  # type: ignore[no-untyped-def]
    block = workspace.shape[1]
    inputs = z.reshape(1, z.size)
    for begin in range(0, z.size, block):
        count = min(block, z.size - begin)
        run_block(operations, constants, inputs, begin, count, workspace)
        for i in range(count):
            phi[begin + i] = workspace[value_register, i]
            dphi[begin + i] = workspace[derivative_register, i]


@jit
def apply(code, operations, constants, value_register, derivative_register, z, phi, dphi, workspace):  # type: ignore[no-untyped-def]
    """phi[i] = phi(z[i]), dphi[i] = phi'(z[i]) for contiguous vectors that do not overlap; the choice is made once per call."""
    if code == 0:
        for i in range(z.size):
            phi[i] = z[i]
            dphi[i] = 1.0
    elif code == 1:
        for i in range(z.size):
            phi[i] = z[i] if z[i] > 0.0 else 0.0
            dphi[i] = 1.0 if z[i] > 0.0 else 0.0
    elif code == 2:
        for i in range(z.size):
            phi[i], dphi[i] = el.tanh_and_slope(z[i])
    elif code == 3:
        for i in range(z.size):
            phi[i], dphi[i] = el.erf_and_slope(z[i])
    elif code == 4:
        for i in range(z.size):
            phi[i], dphi[i] = el.sine_and_cosine(z[i])
        if el.any_beyond_limit(z, z.size):
            el.repair_sine(z, phi, dphi, z.size)
    elif code == 5:
        for i in range(z.size):
            dphi[i], phi[i] = el.sine_and_cosine(z[i])
        if el.any_beyond_limit(z, z.size):
            el.repair_sine(z, dphi, phi, z.size)
        for i in range(z.size):
            dphi[i] = -dphi[i]
    elif code == 6:
        for i in range(z.size):
            phi[i], dphi[i] = el.softplus_and_slope(z[i])
    elif code == 7:
        for i in range(z.size):
            phi[i], dphi[i] = el.gelu_and_slope(z[i])
    elif code == 8:
        for i in range(z.size):
            s, ds = el.sigmoid_and_slope(z[i])
            phi[i] = z[i] * s
            dphi[i] = s + z[i] * ds
    elif code == 9:
        for i in range(z.size):
            phi[i], dphi[i] = el.sigmoid_and_slope(z[i])
    elif code == 10:
        for i in range(z.size):
            phi[i] = el.arctan(z[i])
            dphi[i] = 1.0 / (1.0 + z[i] * z[i])
    elif code == 11:
        for i in range(z.size):
            phi[i] = el.exp(-0.5 * z[i] * z[i])
            dphi[i] = -z[i] * phi[i]
    else:
        _program(operations, constants, value_register, derivative_register, z, phi, dphi, workspace)
