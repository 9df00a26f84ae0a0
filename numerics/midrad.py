"""Midpoint-radius matrices: float64 arrays that carry a proof of how far they are from what they stand for.

A ``MidRad`` stands for every real array whose entries are within ``rad`` of ``mid``. Midpoints are computed in ordinary
float64, by BLAS where that is fast; radii bound what that can have cost. What is trusted: IEEE 754 arithmetic rounded to
nearest, and that a sum of m products is one of the 'm - 1 additions in some order' kind, fused or not, for which

    |fl(sum a_i b_i) - sum a_i b_i|  <=  gamma_m sum |a_i||b_i| + m eta,    gamma_m = m u/(1 - m u),   eta = 2^-1074

(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.4 and 3.5; a product that underflows is off by at
most eta/2). No order is assumed, so any BLAS and any number of threads will do; a Strassen product would not.

Radii are rounded too. Each is a quantity computed from nonnegative numbers by sums, products, quotients and roots with fewer
than 2^30 roundings in a row, so the computed value is at least (1 - gamma) times the exact one, gamma < 2^-22: multiplying by
1 + 2^-20 makes it an upper bound again. Underflow inside it is covered by adding TINY = 2^-800: what underflows, by at most eta, is
afterwards multiplied only by a left factor of a product or by a scalar, which are refused above 2^100, and added up in fewer than
2^30 terms. Where anything is not finite, the radius is not finite, and whoever asks for a bound is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.errors import NumericsError
from numerics.roundoff import UNIT_ROUNDOFF, gamma

Array = NDArray[np.float64]

INFLATION = 1.0 + 2.0**-20
TINY = 2.0**-800
LARGEST = 2.0**100
LARGEST_SUM = 2**30
BLOCK = 1024  # of the inner dimension of a product: the roundings in a row are then a block's and one a block


@dataclass(frozen=True)
class MidRad:
    """All arrays within ``rad`` of ``mid``, entry by entry; ``rad`` None means that ``mid`` is exact."""

    mid: Array
    rad: Array | None = None

    @property
    def radius(self) -> Array:
        """The radii, zeros for an exact array."""
        return np.zeros_like(self.mid) if self.rad is None else self.rad

    @property
    def T(self) -> MidRad:
        """The transpose."""
        return MidRad(self.mid.T, None if self.rad is None else self.rad.T)

    def magnitude(self) -> Array:
        """Upper bounds of the entries' absolute values."""
        if self.rad is None:
            return np.abs(self.mid)
        return np.asarray((np.abs(self.mid) + self.rad) * (1.0 + 4.0 * UNIT_ROUNDOFF))

    def reshape(self, *shape: int) -> MidRad:
        """The same entries in another shape."""
        return MidRad(self.mid.reshape(*shape), None if self.rad is None else self.rad.reshape(*shape))


@dataclass(frozen=True)
class Scalar:
    """A real number within ``relative`` |value| of the float64 ``value``."""

    value: float
    relative: float = 0.0


def exact(array: Array) -> MidRad:
    """A float64 array as it stands. Raises NumericsError for entries that are not finite or exceed 2^100 in size."""
    if not (np.abs(array) <= LARGEST).all():  # False for NaN
        raise NumericsError("an enclosure needs finite entries of at most 2^100 in size")
    return MidRad(array)


def product(a: MidRad, b: MidRad) -> MidRad:
    """The matrix product, (p, m) times (m, q).

    |fl(AB) - A'B'| <= gamma |A||B| + |A - A'||B'| + |A||B - B'| + m eta for A', B' within the radii, summed here as
    |A| (gamma |B| + rad B) + rad A (|B| + rad B); gamma of the roundings in a row, a block's plus one for each block.
    """
    length = a.mid.shape[1]
    if length >= LARGEST_SUM:
        raise NumericsError(f"a sum must have fewer than 2^30 terms to be enclosed, got {length}")
    if np.abs(a.mid).max(initial=0.0) > LARGEST:  # what underflows in gamma |B| is multiplied by these
        raise NumericsError("an enclosure needs left factors of at most 2^100 in size")
    mid = np.zeros((a.mid.shape[0], b.mid.shape[1]))
    rad = np.zeros_like(mid)
    blocks = max(-(-length // BLOCK), 1)
    spread = gamma(min(length, BLOCK) + blocks + 2)
    for begin in range(0, length, BLOCK):
        inner = slice(begin, begin + BLOCK)
        left, right = a.mid[:, inner], b.mid[inner]
        mid += left @ right
        size = np.abs(right)
        rad += np.abs(left) @ (spread * size if b.rad is None else spread * size + b.rad[inner])
        if a.rad is not None:
            rad += a.rad[:, inner] @ (size if b.rad is None else size + b.rad[inner])
    return MidRad(mid, rad * INFLATION + TINY)


def scaled(a: MidRad, factor: Scalar) -> MidRad:
    """factor a, the factor's own error included."""
    if not abs(factor.value) <= LARGEST:
        raise NumericsError(f"an enclosure needs scalars of at most 2^100 in size, got {factor.value!r}")
    mid = factor.value * a.mid
    rad = (factor.relative + UNIT_ROUNDOFF) * np.abs(mid)
    if a.rad is not None:
        rad = rad + abs(factor.value) * (1.0 + factor.relative) * a.rad
    # |factor| rad a + relative |factor||a| (1 + ...) + u |factor a|: the products of errors are below the inflation.
    return MidRad(mid, rad * INFLATION + TINY)


def added(a: MidRad, b: MidRad) -> MidRad:
    """a + b, with broadcasting."""
    mid = a.mid + b.mid
    rad = UNIT_ROUNDOFF * np.abs(mid) + a.radius + b.radius
    return MidRad(mid, rad * INFLATION + TINY)


def subtracted(a: MidRad, b: MidRad) -> MidRad:
    """a - b, with broadcasting."""
    return added(a, MidRad(-b.mid, b.rad))


def hadamard(a: MidRad, b: MidRad) -> MidRad:
    """The entrywise product, with broadcasting: u |ab| + |a| rad b + rad a (|b| + rad b)."""
    mid = a.mid * b.mid
    rad = UNIT_ROUNDOFF * np.abs(mid)
    if b.rad is not None:
        rad = rad + np.abs(a.mid) * b.rad
    if a.rad is not None:
        rad = rad + a.rad * (np.abs(b.mid) if b.rad is None else np.abs(b.mid) + b.rad)
    return MidRad(mid, rad * INFLATION + TINY)


def column_norms(a: MidRad) -> Array:
    """Upper bounds of the 2-norms of the columns of an (m, q) matrix."""
    return root_of_squares(np.square(a.magnitude()).sum(axis=0), len(a.mid))


def root_of_squares(sums: Array, terms: int) -> Array:
    """Upper bounds of the roots of exact sums of ``terms`` squares, from the computed sums; TINY covers squares that underflow."""
    return np.asarray(np.sqrt(sums + TINY) * (1.0 + 2.0 * gamma(terms + 8)))


def square_root(values: Array) -> MidRad:
    """The roots of exact nonnegative numbers; IEEE roots are correctly rounded."""
    mid = np.sqrt(values)
    return MidRad(mid, 2.0 * UNIT_ROUNDOFF * mid + TINY)
