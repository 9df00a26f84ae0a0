"""Writing a verification to a directory: result.json, certificate.npz, run.npz and the figure, each whole or not at all."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from verify.errors import ProblemError
from verify.files import atomic_writer
from verify.result import Verification, certificate_arrays, result_json, run_arrays, sha256


def write_results(verification: Verification, directory: Path) -> dict[str, object]:
    """Write the files into ``directory`` (made if needed) and return the JSON document. Raises ProblemError when it cannot."""
    contents = {"certificate.npz": _npz(certificate_arrays(verification))}
    if verification.run is not None:
        from verify.figure import draw

        contents["run.svg"] = draw(verification)
        contents["run.npz"] = _npz(run_arrays(verification.run))
    document = result_json(verification, {name: sha256(content) for name, content in contents.items()})
    contents["result.json"] = as_text(document).encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            with atomic_writer(directory / name) as file:
                file.write(content)
    except OSError as error:
        raise ProblemError(f"--out {str(directory)!r} cannot be written: {error.strerror or error}") from None
    return document


def require_directory(directory: Path) -> None:
    """Raise ProblemError when results could not be written there, before the work is done; makes nothing."""
    nearest = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ProblemError(f"--out {str(directory)!r} cannot be a directory, because {str(nearest)!r} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ProblemError(f"--out {str(directory)!r} cannot be written: no permission in {str(nearest)!r}")


def verification_files(document: dict[str, object]) -> list[str]:
    """The names of the files written beside result.json."""
    files = document["files"]
    assert isinstance(files, dict)
    return list(files)


def as_text(document: dict[str, object]) -> str:
    """The document as JSON text; NaN and infinities cannot occur in it and are refused."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _npz(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
