"""Reading arrays from .npz files that nobody vouches for.

Nothing is unpickled, and every size is read from the header and checked, against the zip directory and against the memory
there is, before room is made for an array: a few bytes of file can claim petabytes.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from theorems.errors import nearest
from verify.errors import ProblemError
from verify.fields import listing, one_line
from verify.files import regular_file
from verify.memory import require_memory

_EXACT_INTEGERS = 2**53  # integers up to this size are float64 numbers


@dataclass(frozen=True)
class Header:
    """What an array claims to be before it is read: its shape, its dtype and its size in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """The size of the array; Python integers, so it cannot overflow."""
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """The arrays of one .npz file: their names and headers, and each array on request.

    path: the file. what: how messages call it, as in "data.source 'points.npz'". Raises ProblemError, one sentence.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.what = what
        self._path = regular_file(path, what)
        with self._members() as members:
            names = [name.removesuffix(".npy") for name in members.namelist() if name.endswith(".npy")]
        self.names: tuple[str, ...] = tuple(names)

    def require(self, name: str) -> None:
        """Raise ProblemError, listing what there is, when there is no array of this name."""
        if name not in self.names:
            there = f"it has {listing(self.names)}" if self.names else "it has no arrays at all"
            raise ProblemError(f"{self.what} has no array {name!r}: {there}{nearest(name, self.names)}")

    def header(self, name: str) -> Header:
        """Return shape and dtype of an array without reading it."""
        self.require(name)
        with self._members(name) as members, members.open(f"{name}.npy") as file:
            return self._checked_header(members, name, file)

    def read(self, name: str) -> NDArray[Any]:
        """Return an array as it stands in the file: of real numbers, booleans or strings, never of Python objects."""
        header = self.header(name)
        require_memory(2 * header.bytes, f"array {name!r} of {self.what}, of shape {header.shape},")
        with self._members(name) as members, members.open(f"{name}.npy") as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):  # reads past the end, which is when the checksum is compared
                raise ValueError("bytes are left over after the array")
            return array

    def read_real(self, name: str) -> NDArray[np.float64]:
        """Return an array of numbers as float64, C-contiguous, converted without rounding or refused."""
        dtype = self.header(name).dtype
        if dtype.kind not in "biuf" or (dtype.kind == "f" and dtype.itemsize > 8):
            raise ProblemError(f"array {name!r} of {self.what} must hold real numbers of at most 64 bits, got dtype {dtype}")
        array = self.read(name)
        if dtype.kind in "iu" and array.size and max(-int(array.min()), int(array.max())) > _EXACT_INTEGERS:
            raise ProblemError(f"array {name!r} of {self.what} holds integers beyond 2^53, which float64 would round")
        return np.ascontiguousarray(array, dtype=np.float64).reshape(array.shape)

    def _checked_header(self, members: zipfile.ZipFile, name: str, file: IO[bytes]) -> Header:
        """Read a header and compare its claims with the size the zip directory states."""
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"npy format {version} is only for arrays with named fields")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers written by Python 2 still say what they mean
            shape, _, dtype = readers[version](file)
        if dtype.hasobject or dtype.names is not None:
            kind = "Python objects, which are never unpickled" if dtype.hasobject else "records with named fields"
            raise ProblemError(f"array {name!r} of {self.what} must hold plain numbers or strings, got {kind}")
        header = Header(tuple(int(size) for size in shape), dtype)
        stated = members.getinfo(f"{name}.npy").file_size - file.tell()
        if any(size < 0 for size in header.shape) or header.bytes != stated:
            raise ProblemError(
                f"array {name!r} of {self.what} claims shape {header.shape} and dtype {dtype}, but {stated} bytes follow its header"
            )
        return header

    @contextmanager
    def _members(self, name: str | None = None) -> Iterator[zipfile.ZipFile]:
        """Open the zip file and turn whatever goes wrong inside into one sentence.

        Every exception, not a list: zip files and array headers that someone built to fail make zipfile, zlib, struct,
        tokenize and ast raise more kinds than either library documents. Interrupts are no ``Exception`` and pass.
        """
        try:
            with zipfile.ZipFile(self._path) as members:
                yield members
        except ProblemError:
            raise
        except Exception as error:
            place = "" if name is None else f"array {name!r} of "
            reason = one_line(error) or type(error).__name__
            raise ProblemError(f"{place}{self.what} cannot be read as .npz: {reason[:200]}") from None
