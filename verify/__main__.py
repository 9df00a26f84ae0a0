"""The entry point of the command ``overparam``; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Run the command line."""
    # One thread pool: kernels run on numba's threads and call single-threaded BLAS. Of numba's pools, workqueue neither spins
    # nor suffers from busy neighbors. Both must be chosen before the libraries are imported; a user's own choice is kept.
    os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names with accents on a terminal that has none
    from verify.commands import cli

    cli()


if __name__ == "__main__":
    main()
