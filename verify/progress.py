"""Where a long measurement says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(stage: str) -> None:
    """Shows nothing."""


def prefixed(progress: Progress, prefix: str) -> Progress:
    """The same with a prefix."""

    def show(stage: str) -> None:
        progress(prefix + stage)

    return show
