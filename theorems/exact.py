"""The one door through which a number from a run enters the theorem side: a double becomes the rational that it is.

A step size typed as ``0.1`` is not one tenth but the rational with denominator 2^55 that the machine used; the theorem is
evaluated there. Nothing here rounds.
"""

from __future__ import annotations

import math
import numbers
from fractions import Fraction
from typing import Any

from theorems.errors import InputError


def exactly(x: Any) -> Fraction:
    """Return the rational number that ``x`` is.

    Arguments: ``x``, an int, a Fraction (or another exact rational, such as a SymPy one), or a finite float of Python or
    NumPy; booleans are not numbers here.

    Raises InputError for NaN, infinities and every other type, strings and decimals included.
    """
    if isinstance(x, bool) or not isinstance(x, numbers.Real):
        raise InputError(f"a number must be an int, a Fraction or a finite float, got {x!r} ({type(x).__name__})")
    if isinstance(x, numbers.Rational):
        return Fraction(int(x.numerator), int(x.denominator))
    value = float(x)
    # Types wider than a double (long double, SymPy Float) would be rounded by the conversion: refused, not repaired.
    if not math.isfinite(value) or value != x:
        raise InputError(f"a number must be finite and exactly a double, got {x!r} ({type(x).__name__})")
    return Fraction(value)
