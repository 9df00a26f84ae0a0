"""Theorem-side programs become kernels of the floating-point side: hand-written where there is one, else generated."""

from __future__ import annotations

from numerics.activations import BUILTIN, ActivationKernel, builtin_activation, program_activation
from numerics.losses import LossKernel, program_loss, square_loss
from theorems.activations import Activation
from theorems.losses import Loss
from theorems.programs import Program


def activation_kernel(phi: Activation) -> ActivationKernel:
    """The kernel of an activation: hand-written where there is one, else generated from its program."""
    if phi.name in BUILTIN:
        return builtin_activation(phi.name)
    return program_activation(*as_instructions(phi.program()))


def loss_kernel(chosen: Loss) -> LossKernel:
    """The kernel of a loss: hand-written for the square loss, else generated from its program."""
    if chosen.is_square:
        return square_loss()
    return program_loss(*as_instructions(chosen.program()))


def as_instructions(program: Program) -> tuple[list[tuple[str, tuple[int, ...], float | None]], tuple[int, ...]]:
    """A theorem-side program as the plain data that kernels are generated from; exact constants become the nearest doubles."""
    instructions = [
        (item.operation, item.arguments, None if item.value is None else float(item.value)) for item in program.instructions
    ]
    return instructions, program.outputs
