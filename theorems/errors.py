"""Errors that a user's input can raise on the theorem side, and the suggestion of a nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The user's input is outside what is defined; the message is one sentence naming argument, wanted and value."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'tanh'?"`` for a name close to a known one, or an empty string."""
    folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[matches[0]]!r}?" if matches else ""
