"""The arrays of a certificate: the .npz file beside it, read without NumPy and without trust.

Of the formats that .npz allows, only what np.savez and np.savez_compressed write for float64 in C order is read. The directory of
the zip file is bounded before it is parsed, every size is compared with the size that the directory states before room is made,
and no more than that is decompressed. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import struct
import sys
import zipfile
from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from verify.certificate_consequences import NORMS, NormBounds
from verify.certificate_file import Certificate, bounded_content
from verify.errors import ProblemError
from verify.fields import listing, one_line

NPZ_BYTES = 1 << 27
NUMBERS = 1 << 23  # doubles in all arrays together
WORK = 1 << 35  # multiplications of balls: some minutes
MEMORY = 3 << 30  # bytes; where the machine has less, FLINT ends the process instead of raising an error
START = "start_"  # of the names of arrays of theta0
JET_WORK = 100  # what one value of the activation with its derivatives costs for each character, in multiplications
_MEMBERS, _DIRECTORY_BYTES, _HEADER_BYTES = 1000, 1 << 18, 4096
_HEADER = re.compile(rb"\{'descr': '<f8', 'fortran_order': False, 'shape': \(((?:[0-9]{1,10}(?:, |,|(?=\)))){0,4})\), \} *\n")


@dataclass(frozen=True)
class Doubles:
    """An array of float64 in C order."""

    shape: tuple[int, ...]
    values: array[float]


class Archive:
    """The .npz file of a certificate: ``sha256`` of its bytes, and its arrays on request.

    Raises ProblemError when the file is missing, too large, behind a symbolic link, or not a complete zip file.
    """

    def __init__(self, certificate_path: Path, name: str) -> None:
        self.what = f"the arrays {name!r}"
        path = certificate_path.parent / name  # a bare name: the format has no separators
        if path.is_symlink():
            raise ProblemError(f"{self.what} must be a file beside the certificate, not a symbolic link")
        content = bounded_content(path, self.what, NPZ_BYTES)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._zip = self._opened(content)
        self._left = NUMBERS

    def _opened(self, content: bytes) -> zipfile.ZipFile:
        """The end record says how large the directory is; it is read first, so that a directory of millions stays unread."""
        end = content[-22:]
        if len(end) < 22 or end[:4] != b"PK\5\6" or end[-2:] != b"\0\0" or content[-42:-38] == b"PK\6\7":
            raise ProblemError(f"{self.what} cannot be read as .npz: no end of a zip file where it should be; is it truncated?")
        members, directory_bytes = struct.unpack("<HI", end[10:16])
        if members > _MEMBERS or directory_bytes > _DIRECTORY_BYTES:
            raise ProblemError(f"{self.what} must hold at most {_MEMBERS} arrays, and claims {members}")
        try:
            opened = zipfile.ZipFile(io.BytesIO(content))
        except Exception as error:  # zipfile raises more kinds than it documents
            raise self._unreadable(error) from None
        names = opened.namelist()
        if len(set(names)) != len(names):
            raise ProblemError(f"{self.what} must not name a member twice, got {listing(names)}")
        return opened

    def read(self, name: str) -> Doubles:
        """Return an array; raises ProblemError when it is missing, malformed, not finite float64, or too large."""
        try:
            info = self._zip.getinfo(f"{name}.npy")
        except KeyError:
            raise ProblemError(f"{self.what} has no array {name!r}") from None
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise ProblemError(f"array {name!r} of {self.what} must be stored or deflated, and not encrypted")
        if info.file_size > 8 * self._left + _HEADER_BYTES:
            raise ProblemError(
                f"{self.what} must hold at most {NUMBERS} numbers in all, and {name!r} alone claims {info.file_size} bytes"
            )
        try:
            with self._zip.open(info) as file:
                header = file.read(min(info.file_size, _HEADER_BYTES))
                shape, start = _header(header)
                if start + 8 * math.prod(shape) != info.file_size:
                    raise ValueError(f"it claims shape {shape}, but {info.file_size - start} bytes follow its header")
                content = header[start:] + file.read(
                    info.file_size - len(header) + 1
                )  # past the end, where the checksum is compared
            if len(content) != 8 * math.prod(shape):
                raise ValueError("it is shorter or longer than it claims")
        except Exception as error:  # zipfile, zlib and struct raise more kinds than they document
            raise self._unreadable(error, name) from None
        values = array("d")
        values.frombytes(content)
        if sys.byteorder == "big":
            values.byteswap()
        if not all(map(math.isfinite, values)):
            raise ProblemError(f"array {name!r} of {self.what} must be finite, and holds NaN or an infinity")
        self._left -= len(values)
        return Doubles(shape, values)

    def _unreadable(self, error: Exception, name: str = "") -> ProblemError:
        place = f"array {name!r} of " if name else ""
        return ProblemError(f"{place}{self.what} cannot be read as .npz: {(one_line(error) or type(error).__name__)[:200]}")


def _header(content: bytes) -> tuple[tuple[int, ...], int]:
    """Return the shape that a .npy header claims, and where the numbers begin."""
    if content[:8] == b"\x93NUMPY\1\0":
        start, length = 10, struct.unpack("<H", content[8:10])[0]
    elif content[:8] == b"\x93NUMPY\2\0":
        start, length = 12, struct.unpack("<I", content[8:12])[0]
    else:
        raise ValueError("it is not an array in the .npy format 1.0 or 2.0")
    if start + length > len(content):
        raise ValueError("its header is longer than the array, or than any header of a plain array")
    match = _HEADER.fullmatch(content[start : start + length])
    if match is None:
        raise ValueError("it must hold little-endian float64 in C order")
    return tuple(int(size) for size in match[1].replace(b",", b" ").split()), start + length


def read_arrays(archive: Archive, certificate: Certificate) -> dict[str, Doubles]:
    """Return X, y, sample_weights, offsets, W1, ..., WL and, with biases, b1, ..., bL; where H1 is stated about weights of its own,
    those too, under START and these names. Other arrays are ignored.
    """
    letters = ("W",) if certificate.network.bias_scale == 0 else ("W", "b")
    weights = [f"{letter}{layer}" for letter in letters for layer in range(1, len(certificate.network.sizes))]
    names = ["X", "y", "sample_weights", "offsets", *weights, *(START + name for name in weights if has_start(certificate))]
    found = {name: archive.read(name) for name in names}
    if not all(weight > 0 for weight in found["sample_weights"].values):
        raise ProblemError("sample_weights must be positive")
    return found


def has_start(certificate: Certificate) -> bool:
    """Whether H1 is stated about weights theta0 other than theta."""
    judged = certificate.consequences.generalization
    return judged is not None and judged.start is not None


def wrong_shape(certificate: Certificate, arrays: dict[str, Doubles]) -> str:
    """Return what is wrong with the shapes of arrays and bounds, or an empty string."""
    sizes = certificate.network.sizes
    layers, points = len(sizes) - 1, len(arrays["sample_weights"].values)
    wanted = {"X": (points, sizes[0]), "y": (points, sizes[-1]), "sample_weights": (points,), "offsets": (points, sizes[-1])}
    for layer in range(1, layers + 1):
        wanted |= {f"W{layer}": (sizes[layer], sizes[layer - 1]), f"b{layer}": (sizes[layer],)}
    for name, item in arrays.items():
        if item.shape != wanted[name.removeprefix(START)]:
            return f"array {name} must have shape {wanted[name.removeprefix(START)]}, and has {item.shape}"
    per_layer = {"bounds.gram_norms": certificate.bounds.gram_norms} | _norm_lists("bounds", certificate.bounds.norms)
    lazy, judged = certificate.consequences.lazy, certificate.consequences.generalization
    per_layer["lazy.relative_layer_changes_at_most"] = lazy.relative_layer_changes
    per_layer["lazy.neuron_changes_at_most"] = lazy.neuron_changes
    if judged is not None:
        per_layer |= _norm_lists("generalization.start", judged.start) if judged.start is not None else {}
        if len(judged.curvatures) != points:
            name, has = "generalization.curvatures_at_most", len(judged.curvatures)
            return f"{name} must have {points} entries, one for each point, and has {has}"
    for name, given in per_layer.items():
        length = layers - 1 if name.endswith("backward_sup") else layers
        if len(given) != length:
            return f"{name} must have {length} entries, one for each layer, and has {len(given)}"
        for index, row in enumerate(given):
            if isinstance(row, tuple) and len(row) != points:
                return f"{name}[{index}] must have {points} entries, one for each point, and has {len(row)}"
    return ""


def _norm_lists(prefix: str, norms: NormBounds[Fraction]) -> dict[str, tuple[object, ...]]:
    return {f"{prefix}.{name}": getattr(norms, name) for name in NORMS}


def require_affordable(certificate: Certificate, points: int) -> None:
    """Refuse with a ProblemError a certificate whose check would take more than WORK multiplications or MEMORY bytes."""
    work, room = multiplications(certificate, points), memory(certificate, points)
    if work > WORK:
        raise ProblemError(f"the check would need {work:.1e} multiplications, more than the {WORK:.1e} that it may take")
    if room > MEMORY:
        raise ProblemError(f"the check would need {room:.1e} bytes of memory, more than the {MEMORY:.1e} that it may take")


def multiplications(certificate: Certificate, points: int) -> int:
    """Return about how many multiplications of balls a check takes, anything else counted as so many."""
    sizes, k = certificate.network.sizes, certificate.network.sizes[-1]
    times = 2 if has_start(certificate) else 1
    columns, jet = points * k, JET_WORK * (10 + len(certificate.network.activation))
    work = 4 * columns**3
    for below, here in zip(sizes, sizes[1:], strict=False):
        least = min(below, here)
        work += below * here * (points + columns) + least * below * here + least**3  # signals, operator norm
        work += columns**2 * here + points**2 * below + points**3 + jet * points * here + 20 * columns * here  # Gram matrices
        work += 20 * columns**2 + 4 * points * k**3 + 100 * points * len(sizes)  # kernel, |delta|, ball bounds
    return times * work + (100 * points * len(sizes) ** 3 if certificate.consequences.generalization is not None else 0)


def memory(certificate: Certificate, points: int) -> int:
    """Return about how many bytes a check takes at most; larger than what was measured for each kind of shape.

    An entry of a ball matrix takes 48 bytes, and FLINT converts the factors of a product. What is kept of each layer: its weights,
    phi' of its units at every point, the Gram matrix of the points and one of the outputs for each point. What comes and goes:
    copies of z, eta and delta, the elimination of the kernel and of the Gram matrix of the weights.
    """
    sizes, k = certificate.network.sizes, certificate.network.sizes[-1]
    layers, columns = list(zip(sizes, sizes[1:], strict=False)), points * k
    kept = sum(160 * below * here + 48 * points * (here + points + k**2) + 1000 * points for below, here in layers)
    passing = 400 * columns * max(sizes) + 800 * columns**2 + 500 * max(min(pair) for pair in layers) ** 2
    return 2 * NPZ_BYTES + kept + passing
