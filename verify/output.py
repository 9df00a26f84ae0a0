"""Writing a verification to a directory: result.json, certificate.npz, run.npz and the figure, each whole or not at all."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from verify.certificate_arrays import NUMBERS, require_affordable
from verify.certificate_document import certificate_document
from verify.certificate_file import read_certificate
from verify.errors import ProblemError
from verify.files import atomic_writer
from verify.result import Verification, certificate_arrays, result_json, run_arrays, sha256


def write_results(verification: Verification, directory: Path) -> dict[str, object]:
    """Write the files into ``directory`` (made if needed) and return the JSON document. Raises ProblemError when it cannot."""
    from verify.page.page import report_page

    contents = {"certificate.npz": _npz(certificate_arrays(verification))}
    if verification.run is not None:
        from verify.figure import draw

        contents["run.svg"] = draw(verification)
        contents["run.npz"] = _npz(run_arrays(verification.run))
    on_ball = verification.guarantee.on_ball if verification.guarantee is not None else None
    digest = sha256(contents["certificate.npz"])
    stated = certificate_document(verification.setup, verification.certificate, verification.consequences, digest, on_ball)
    if stated is not None:
        contents["certificate.json"] = as_text(stated).encode()
    document = result_json(verification, {name: sha256(content) for name, content in contents.items()})
    contents["report.html"] = report_page(verification, document).encode()
    contents["result.json"] = as_text(document).encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            with atomic_writer(directory / name) as file:
                file.write(content)
        if stated is None:  # one of an earlier run would speak of other weights
            (directory / "certificate.json").unlink(missing_ok=True)
    except OSError as error:
        raise ProblemError(f"--out {str(directory)!r} cannot be written: {error.strerror or error}") from None
    return document


FILES = ("result.json", "report.html", "certificate.npz", "certificate.json", "run.npz", "run.svg")


def beyond_the_checker(directory: Path, verification: Verification) -> str | None:
    """Why ``overparam check`` would refuse the certificate written there as too large, or None."""
    path = directory / "certificate.json"
    if not path.exists():
        return None
    numbers = sum(array.size for name, array in certificate_arrays(verification).items() if name != "minimizers")
    if numbers > NUMBERS:
        return f"its arrays hold {numbers} numbers, more than the {NUMBERS} that the checker reads"
    try:
        require_affordable(read_certificate(path), verification.setup.dataset.points)
    except ProblemError as error:
        return str(error)
    return None


def require_directory(directory: Path) -> None:
    """Raise ProblemError when results could not be written there, before the work is done; leaves nothing behind."""
    what = f"--out {str(directory)!r}"
    taken = [name for name in FILES if (directory / name).is_dir()]
    if taken:
        raise ProblemError(f"{what} cannot be used, because {taken[0]!r} in it is a directory")
    made = next((path for path in reversed([directory, *directory.parents]) if not path.exists()), None)
    probe = directory / f".overparam-{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ProblemError(f"{what} cannot be written: {error.strerror or error}") from None
    finally:
        if made is not None and made.exists():
            for path in [directory, *directory.parents]:
                if path == made.parent:
                    break
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()


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
