"""Doubles in bulk: the arithmetic of the search, NumPy's functions and nothing around them.

Unlike ``theorems.arithmetic.FLOAT`` it leaves NumPy's warnings to the caller, who silences them once around a whole search.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.special


@lru_cache(maxsize=4096)
def _double(value: Fraction) -> np.float64:
    return np.float64(float(value))


class BulkArithmetic:
    """What ``theorems.programs.evaluate`` asks of numbers, for arrays of doubles."""

    add = staticmethod(np.add)
    subtract = staticmethod(np.subtract)
    multiply = staticmethod(np.multiply)
    divide = staticmethod(np.divide)
    power = staticmethod(np.float_power)
    sqrt = staticmethod(np.sqrt)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    sin = staticmethod(np.sin)
    cos = staticmethod(np.cos)
    tanh = staticmethod(np.tanh)
    erf = staticmethod(scipy.special.erf)
    arctan = staticmethod(np.arctan)
    sinh = staticmethod(np.sinh)
    cosh = staticmethod(np.cosh)
    absolute = staticmethod(np.abs)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    constant = staticmethod(_double)

    def context(self) -> AbstractContextManager[Any]:
        """Nothing: the caller has silenced NumPy."""
        return nullcontext()

    def numbers(self, values: Any) -> Any:
        """Doubles stay what they are."""
        return values

    def pi(self) -> Any:
        """The nearest double."""
        return np.float64(np.pi)


BULK = BulkArithmetic()
