"""From the words of a problem file to the activation and the loss of the theorem side.

Imports are inside the functions: the theorem side brings SymPy, which commands that only print help must not wait for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from theorems.errors import InputError
from theorems.exact import exactly
from verify.errors import ProblemError
from verify.fields import one_line, show

if TYPE_CHECKING:
    from theorems.activations import Activation
    from theorems.losses import Loss

DEFAULT_RIDGE = 0.1


def activation_of(text: str) -> Activation:
    """Return the activation that ``network.activation`` names or writes out; ProblemError when there is none."""
    from theorems.activations import activation

    try:
        return activation(text)
    except InputError as error:
        raise _with_key("network.activation", text, error) from None


def loss_of(name: str, ridge: float | None) -> Loss:
    """Return the loss that ``loss.name`` names or writes out; ProblemError when there is none.

    The ridge is handed over as the rational number that the double is, the one the machine will use.
    """
    from theorems.losses import loss

    try:
        return loss(name, None if ridge is None else exactly(ridge))
    except InputError as error:
        raise _with_key("loss.name", name, error) from None


def ridge_in_use(name: str, ridge: float | None) -> float | None:
    """Return the ridge with its default filled in for the losses that have one; ProblemError for one that has none."""
    from theorems.losses import RIDGED_LOSSES

    if name in RIDGED_LOSSES:
        return DEFAULT_RIDGE if ridge is None else ridge
    if ridge is not None:
        raise ProblemError(f"loss.ridge belongs to {', '.join(RIDGED_LOSSES)} and not to loss.name = {name!r}, got {show(ridge)}")
    return None


def require_targets(loss: Loss, targets: Iterable[float], what: str) -> None:
    """Raise ProblemError naming the first target that the loss does not allow; ``what`` says where targets come from."""
    try:
        loss.check_targets(targets)
    except InputError as error:
        raise ProblemError(f"{what}: {error}") from None


def _with_key(key: str, value: str, error: InputError) -> ProblemError:
    """The theorem side's sentence with the problem file's key, and the value where the sentence shows only a part of it."""
    message = one_line(error)
    subject = key.split(".")[0 if key == "loss.name" else 1] + " "
    if message.startswith(subject) and repr(value) in message:
        return ProblemError(f"{key} {message.removeprefix(subject)}")
    return ProblemError(f"{key} = {show(value)} cannot be used: {message}")
