"""Terminal output that ends in order when nobody reads on."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.console import Console

WIDTH = 120  # of a report that is not shown on a terminal


class ReportConsole(Console):
    """A console whose broken pipe is an error like that of any other output, and not rich's exit with status 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def report_console() -> ReportConsole:
    """The console for reports on standard output."""
    return ReportConsole(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
