"""Activations: one file each, one line each in the catalogue; or a user's expression in s.

Only expressions are written down. The bounds of phi' and phi'' that theorems need are proved from them
(``theorems.enclosures``), for built-in activations and for a user's alike.
"""

from __future__ import annotations

import functools
import re

from theorems.activations.arctan import ARCTAN
from theorems.activations.cos import COS
from theorems.activations.erf import ERF
from theorems.activations.gaussian_bump import GAUSSIAN_BUMP
from theorems.activations.gelu import GELU
from theorems.activations.identity import IDENTITY
from theorems.activations.record import Activation
from theorems.activations.relu import RELU
from theorems.activations.sigmoid import SIGMOID
from theorems.activations.silu import SILU
from theorems.activations.sin import SIN
from theorems.activations.softplus import SOFTPLUS
from theorems.activations.tanh import TANH
from theorems.enclosures import NotEnclosed, require_smooth
from theorems.errors import InputError, nearest
from theorems.grammar import S, parse_expression

__all__ = ["ACTIVATIONS", "Activation", "S", "activation"]

ACTIVATIONS: dict[str, Activation] = {
    record.name: record
    for record in (
        TANH,
        ERF,
        SIN,
        COS,
        SOFTPLUS,
        GELU,
        SILU,
        SIGMOID,
        ARCTAN,
        GAUSSIAN_BUMP,
        IDENTITY,
        RELU,
    )
}

_NAME = re.compile(r"[A-Za-z_]\w*")


def activation(text: str) -> Activation:
    """Return the activation of a catalogue name, or the one that an expression in s denotes.

    Arguments: ``text``, such as ``"gelu"`` or ``"s*exp(-s**2/2)"``.

    Raises InputError for an unknown name (naming the nearest), for a text outside the grammar of expressions, and for an
    expression that is not shown to be smooth on the whole real line (saying where and why).
    """
    if not isinstance(text, str):
        raise InputError(f"activation must be a string, got {text!r} ({type(text).__name__})")
    return ACTIVATIONS[text] if text in ACTIVATIONS else _from_expression(text)


@functools.lru_cache(maxsize=256)
def _from_expression(text: str) -> Activation:
    if _NAME.fullmatch(text) and text != "s":
        known = ", ".join(ACTIVATIONS)
        raise InputError(
            f"activation must be one of {known}, or an expression in s, got {text!r}{nearest(text.lower(), ACTIVATIONS)}"
        )
    expression = parse_expression(text, ("s",))
    try:
        require_smooth(expression, S)
    except NotEnclosed as reason:
        raise InputError(f"activation must be smooth on the whole real line, got {text!r}: {reason}") from None
    return Activation(text, expression, note="a user's expression")
