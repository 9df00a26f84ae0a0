"""Losses: one file each, one line each in the catalogue; or a user's expression in y and t."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from theorems.errors import InputError, nearest
from theorems.exact import exactly
from theorems.grammar import parse_expression
from theorems.losses.log_cosh import log_cosh
from theorems.losses.logistic import logistic
from theorems.losses.pseudo_huber import pseudo_huber
from theorems.losses.record import Loss, LossConstants
from theorems.losses.square import SQUARE
from theorems.losses.weighted_square import WEIGHTED_SQUARE

__all__ = ["LOSSES", "RIDGED_LOSSES", "Loss", "LossConstants", "loss"]

#: Losses without a parameter.
LOSSES: dict[str, Loss] = {record.name: record for record in (SQUARE, WEIGHTED_SQUARE)}

#: Losses that take a ridge.
RIDGED_LOSSES: dict[str, Callable[[Fraction], Loss]] = {
    make.__name__: make
    for make in (
        log_cosh,
        pseudo_huber,
        logistic,
    )
}

_NAME = re.compile(r"[A-Za-z_]\w*")


def loss(text: str, ridge: Fraction | None = None) -> Loss:
    """Return the loss of a catalogue name, or the one that an expression in y and t denotes.

    Arguments: ``text``, such as ``"logistic"`` or ``"log(cosh(y - t)) + (y - t)**2/20"``; ``ridge``, the coefficient of the
    ridge, an exact number >= 0, for the losses that have one (None means 0: such a loss is measured, not certified).

    Raises InputError for an unknown name (naming the nearest), a text outside the grammar of expressions, and a ridge that
    is negative or does not apply.
    """
    if not isinstance(text, str):
        raise InputError(f"loss must be a string, got {text!r} ({type(text).__name__})")
    if text in RIDGED_LOSSES:
        amount = exactly(0 if ridge is None else ridge)
        if amount < 0:
            raise InputError(f"ridge must be at least 0, got {ridge!r}")
        return RIDGED_LOSSES[text](amount)
    if ridge is not None:
        raise InputError(f"ridge applies to the losses {', '.join(RIDGED_LOSSES)}, not to {text!r}, got ridge={ridge}")
    if text in LOSSES:
        return LOSSES[text]
    if _NAME.fullmatch(text) and text != "y":
        known = (*LOSSES, *RIDGED_LOSSES)
        suggestion = nearest(text.lower(), known)
        raise InputError(f"loss must be one of {', '.join(known)}, or an expression in y and t, got {text!r}{suggestion}")
    return Loss(text, parse_expression(text, ("y", "t")), note="a user's expression")
