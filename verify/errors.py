"""Errors that end a command with exit status 2 and one sentence."""

from __future__ import annotations


class ProblemError(ValueError):
    """The problem, its data or its weights cannot be used; the message is one sentence naming the value."""
