"""Files at the border: what may be read, and writing that leaves either the whole new file or the old one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from verify.errors import ProblemError
from verify.fields import one_line


def regular_file(path: Path, what: str) -> Path:
    """Return the path of an existing regular file.

    Pipes and devices are refused before they are opened, because opening one can wait for ever or never end.
    ``what`` begins the message, as in "data.source 'points.csv'". Raises ProblemError.
    """
    try:
        if path.is_dir():
            raise ProblemError(f"{what} is a directory, not a file")
        if not path.exists():
            raise ProblemError(f"{what} does not exist")
        if not path.is_file():
            raise ProblemError(f"{what} is not a regular file")
    except (OSError, ValueError) as error:
        if isinstance(error, ProblemError):
            raise
        raise ProblemError(f"{what} cannot be read: {one_line(error)}") from None
    return path


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing bytes that appears under its name only once it is complete.

    The bytes go to a neighbor in the same folder, which takes the name when the block ends well and is removed when it
    does not, also after Ctrl-C. Not ``tempfile.mkstemp``: its files are private to the owner whatever the umask says.
    """
    neighbor = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(neighbor, "wb") as file:
            yield file
        os.replace(neighbor, path)
    finally:
        neighbor.unlink(missing_ok=True)
