"""Errors that the floating-point side raises on arguments it cannot work with."""

from __future__ import annotations


class NumericsError(ValueError):
    """An argument has the wrong shape, type or value; the message is one sentence naming it."""
