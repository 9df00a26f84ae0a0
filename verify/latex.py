"""Prose in LaTeX."""

from __future__ import annotations


def escape(text: str) -> str:
    """Prose with formulas in plain text, made safe for LaTeX."""
    table = {character: f"\\{character}" for character in "{}_&%#"}
    table |= {"^": r"\^{}", "~": r"\~{}", "<": r"$<$", ">": r"$>$", "|": r"$|$"}
    return "".join(table.get(character, character) for character in text)
