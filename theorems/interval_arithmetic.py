"""Intervals of doubles, whole arrays at a time: the arithmetic that checks an inequality at every step of a training run.

Every operation rounds its two ends outward. The four rules and the square root are correctly rounded by the processor, so
one step of ``nextafter`` each way encloses them. Functions of the mathematics library are *assumed* accurate to
``LIBRARY_ULPS`` units in the last place and are widened by as many steps: an assumption about the installed library, which
is why proofs are made with balls and not here.

A NaN end means "undecided": it propagates to both ends of every result, and every comparison with it is false.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special

from theorems.errors import InputError
from theorems.exact import exactly

Array = npt.NDArray[np.float64]

# NumPy's vector loops promise 4 ulp for their double-precision functions, SciPy's erf about 2; doubled for safety.
LIBRARY_ULPS = 8
# The same for sine and cosine, absolute: their values are at most 1, but relative accuracy is lost near their zeros.
_SINE_ERROR = LIBRARY_ULPS * 2.0**-52


@dataclass(frozen=True, eq=False)
class Interval:
    """An array of intervals: ``lower <= upper`` elementwise, of one shape, or both NaN where nothing is known."""

    lower: Array
    upper: Array

    def __post_init__(self) -> None:
        low, high = np.asarray(self.lower, dtype=np.float64), np.asarray(self.upper, dtype=np.float64)
        if low.shape != high.shape:
            raise InputError(f"lower and upper must have one shape, got {low.shape} and {high.shape}")
        if np.any(low > high):
            raise InputError("lower must not exceed upper anywhere in an interval")
        unknown = np.isnan(low) | np.isnan(high)
        object.__setattr__(self, "lower", np.where(unknown, np.nan, low))
        object.__setattr__(self, "upper", np.where(unknown, np.nan, high))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lower.shape

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.lower[index], self.upper[index])


def as_interval(x: Any) -> Interval:
    """Return ``x`` as intervals: doubles (a scalar or an array) as points, other exact numbers rounded outward."""
    if isinstance(x, Interval):
        return x
    array = np.asarray(x)
    if array.dtype == np.float64:
        return Interval(array, array)
    ends = np.frompyfunc(_ends_of_rational, 1, 2)(array.astype(object))
    return Interval(*(np.asarray(end, dtype=np.float64) for end in ends))


def certainly_at_most(x: Any, y: Any) -> npt.NDArray[np.bool_]:
    """Return, elementwise, whether every number in ``x`` is at most every number in ``y``; false where undecided."""
    return np.asarray(as_interval(x).upper <= as_interval(y).lower)


def certainly_exceeds(x: Any, y: Any) -> npt.NDArray[np.bool_]:
    """Return, elementwise, whether every number in ``x`` exceeds every number in ``y``; false where undecided."""
    return np.asarray(as_interval(x).lower > as_interval(y).upper)


def _ends_of_rational(x: Any) -> tuple[float, float]:
    value = exactly(x)
    try:
        nearest_double = float(value)
    except OverflowError:
        largest = float(np.finfo(np.float64).max)
        return (largest, np.inf) if value > 0 else (-np.inf, -largest)
    error = Fraction(nearest_double) - value
    return (
        float(np.nextafter(nearest_double, -np.inf)) if error > 0 else nearest_double,
        float(np.nextafter(nearest_double, np.inf)) if error < 0 else nearest_double,
    )


def _down(x: Array, steps: int = 1) -> Array:
    for _ in range(steps):
        x = np.nextafter(x, -np.inf)
    return x


def _up(x: Array, steps: int = 1) -> Array:
    for _ in range(steps):
        x = np.nextafter(x, np.inf)
    return x


def _quiet() -> AbstractContextManager[Any]:
    return np.errstate(all="ignore")


def _increasing(
    function: Callable[[Array], Array], least: float = -np.inf, greatest: float = np.inf, steps: int = LIBRARY_ULPS
) -> Callable[[Interval], Interval]:
    """Lift an increasing function with values in [least, greatest], accurate to ``steps`` ulp, to intervals."""

    def enclose(x: Interval) -> Interval:
        low = np.clip(_down(function(x.lower), steps), least, greatest)
        return Interval(low, np.clip(_up(function(x.upper), steps), least, greatest))

    return enclose


def _lipschitz_one(function: Callable[[Array], Array]) -> Callable[[Interval], Interval]:
    """Lift sine or cosine: the value at a middle point, more or less the distance to the farther end."""

    def enclose(x: Interval) -> Interval:
        middle = x.lower + (x.upper - x.lower) / 2  # any point of the interval would do, so its rounding is harmless
        middle = np.clip(middle, x.lower, x.upper)
        radius = _up(np.maximum(x.upper - middle, middle - x.lower)) + _SINE_ERROR
        radius = np.where(np.isnan(radius) & ~np.isnan(x.lower), 2.0, _up(radius))  # an infinite interval: all values
        value = np.where(np.isfinite(middle) | np.isnan(middle), function(middle), 0.0)
        value = np.where(np.isnan(middle) & ~np.isnan(x.lower), 0.0, value)
        return Interval(np.clip(_down(value - radius), -1.0, 1.0), np.clip(_up(value + radius), -1.0, 1.0))

    return enclose


def _least_and_greatest_modulus(x: Interval) -> tuple[Array, Array]:
    low, high = np.abs(x.lower), np.abs(x.upper)
    least = np.where((x.lower <= 0) & (x.upper >= 0), 0.0, np.minimum(low, high))
    return least, np.maximum(low, high)


def _absolute(x: Interval) -> Interval:
    return Interval(*_least_and_greatest_modulus(x))


def _cosh(x: Interval) -> Interval:
    least, greatest = _least_and_greatest_modulus(x)
    low = np.maximum(_down(np.cosh(least), LIBRARY_ULPS), 1.0)
    return Interval(low, np.maximum(_up(np.cosh(greatest), LIBRARY_ULPS), 1.0))


def _add(x: Interval, y: Interval) -> Interval:
    low, high = _down(x.lower + y.lower), _up(x.upper + y.upper)
    # A sum of nonnegative numbers stays nonnegative, although the step outward from zero would say otherwise.
    low = np.where((x.lower >= 0) & (y.lower >= 0), np.maximum(low, 0.0), low)
    return Interval(low, np.where((x.upper <= 0) & (y.upper <= 0), np.minimum(high, 0.0), high))


def _product_of_ends(a: Array, b: Array) -> Array:
    """Product where zero times infinity is zero: an infinite end stands for arbitrarily large finite numbers."""
    product = np.where((a == 0) | (b == 0), 0.0, a * b)
    return np.where(np.isnan(a) | np.isnan(b), np.nan, product)


def _multiply(x: Interval, y: Interval) -> Interval:
    products = [_product_of_ends(a, b) for a in (x.lower, x.upper) for b in (y.lower, y.upper)]
    low, high = np.minimum.reduce(products), np.maximum.reduce(products)
    nonnegative = ((x.lower >= 0) & (y.lower >= 0)) | ((x.upper <= 0) & (y.upper <= 0))
    nonpositive = ((x.lower >= 0) & (y.upper <= 0)) | ((x.upper <= 0) & (y.lower >= 0))
    low = np.where(nonnegative, np.maximum(_down(low), 0.0), _down(low))
    return Interval(low, np.where(nonpositive, np.minimum(_up(high), 0.0), _up(high)))


def _reciprocal(x: Interval) -> Interval:
    zero_inside = (x.lower <= 0) & (x.upper >= 0)
    low, high = _down(1.0 / x.upper), _up(1.0 / x.lower)
    low = np.where(x.lower > 0, np.maximum(low, 0.0), low)
    high = np.where(x.upper < 0, np.minimum(high, 0.0), high)
    return Interval(np.where(zero_inside, -np.inf, low), np.where(zero_inside, np.inf, high))


def _power_rounded(x: Array, exponent: int, step: Callable[[Array], Array]) -> Array:
    """Power of nonnegative doubles by repeated squaring, every product moved by ``step`` (down or up)."""
    result = np.where(np.isnan(x), np.nan, 1.0)
    square = x
    while exponent:
        if exponent % 2:
            result = np.maximum(step(_product_of_ends(result, square)), 0.0)
        exponent //= 2
        if exponent:
            square = np.maximum(step(_product_of_ends(square, square)), 0.0)
    return result


def _power(x: Interval, exponent: int) -> Interval:
    if exponent < 0:
        return _power(_reciprocal(x), -exponent)
    if exponent == 1:
        return x
    if exponent % 2 == 0:
        least, greatest = _least_and_greatest_modulus(x)
        return Interval(_power_rounded(least, exponent, _down), _power_rounded(greatest, exponent, _up))
    # Odd: the sign stays, and outward on a negative end is away from zero.
    low_up, low_down = (_power_rounded(np.abs(x.lower), exponent, step) for step in (_up, _down))
    high_up, high_down = (_power_rounded(np.abs(x.upper), exponent, step) for step in (_up, _down))
    return Interval(np.where(x.lower < 0, -low_up, low_down), np.where(x.upper < 0, -high_down, high_up))


_HALF_PI_ABOVE = float(np.nextafter(np.pi / 2, np.inf))
_UNARY: dict[str, Callable[[Interval], Interval]] = {
    "sqrt": _increasing(np.sqrt, 0.0, steps=1),  # np.sqrt and np.log of a negative end are NaN, hence undecided
    "exp": _increasing(np.exp, 0.0),
    "log": _increasing(np.log),
    "tanh": _increasing(np.tanh, -1.0, 1.0),
    "erf": _increasing(scipy.special.erf, -1.0, 1.0),
    "arctan": _increasing(np.arctan, -_HALF_PI_ABOVE, _HALF_PI_ABOVE),
    "sinh": _increasing(np.sinh),
    "cosh": _cosh,
    "sin": _lipschitz_one(np.sin),
    "cos": _lipschitz_one(np.cos),
    "absolute": _absolute,
}


class IntervalArithmetic:
    """Arithmetic of arrays of intervals, of doubles (taken as points) and of exact numbers (rounded outward)."""

    def context(self) -> AbstractContextManager[Any]:
        return _quiet()

    def _run(self, function: Callable[..., Interval], *arguments: Any) -> Interval:
        with _quiet():
            return function(*(as_interval(x) for x in arguments))

    def numbers(self, values: Any) -> Interval:
        """Return exact numbers (a scalar or an array) as intervals containing them; intervals stay."""
        return as_interval(values)

    def constant(self, value: Fraction) -> Interval:
        return as_interval(np.asarray(exactly(value), dtype=object))

    def pi(self) -> Interval:
        return Interval(np.asarray(np.pi), np.nextafter(np.asarray(np.pi), np.inf))  # the double is below pi

    def add(self, x: Any, y: Any) -> Interval:
        return self._run(_add, x, y)

    def subtract(self, x: Any, y: Any) -> Interval:
        return self._run(lambda a, b: _add(a, Interval(-b.upper, -b.lower)), x, y)

    def multiply(self, x: Any, y: Any) -> Interval:
        return self._run(_multiply, x, y)

    def divide(self, x: Any, y: Any) -> Interval:
        return self._run(lambda a, b: _multiply(a, _reciprocal(b)), x, y)

    def power(self, x: Any, exponent: int) -> Interval:
        return self._run(lambda a: _power(a, int(exponent)), x)

    def sqrt(self, x: Any) -> Interval:
        return self._run(_UNARY["sqrt"], x)

    def exp(self, x: Any) -> Interval:
        return self._run(_UNARY["exp"], x)

    def log(self, x: Any) -> Interval:
        return self._run(_UNARY["log"], x)

    def sin(self, x: Any) -> Interval:
        return self._run(_UNARY["sin"], x)

    def cos(self, x: Any) -> Interval:
        return self._run(_UNARY["cos"], x)

    def tanh(self, x: Any) -> Interval:
        return self._run(_UNARY["tanh"], x)

    def erf(self, x: Any) -> Interval:
        return self._run(_UNARY["erf"], x)

    def arctan(self, x: Any) -> Interval:
        return self._run(_UNARY["arctan"], x)

    def sinh(self, x: Any) -> Interval:
        return self._run(_UNARY["sinh"], x)

    def cosh(self, x: Any) -> Interval:
        return self._run(_UNARY["cosh"], x)

    def absolute(self, x: Any) -> Interval:
        return self._run(_UNARY["absolute"], x)

    def maximum(self, x: Any, y: Any) -> Interval:
        return self._run(lambda a, b: Interval(np.maximum(a.lower, b.lower), np.maximum(a.upper, b.upper)), x, y)

    def minimum(self, x: Any, y: Any) -> Interval:
        return self._run(lambda a, b: Interval(np.minimum(a.lower, b.lower), np.minimum(a.upper, b.upper)), x, y)

    def maximum_over(self, array: Any, axis: int | None = None) -> Interval:
        """Return the largest entry, or the largest along one axis, of a nonempty array."""
        entries = as_interval(array)
        if entries.lower.size == 0:
            raise InputError(f"the maximum is taken over at least one entry, got an array of shape {entries.shape}")
        with _quiet():
            return Interval(np.asarray(np.max(entries.lower, axis=axis)), np.asarray(np.max(entries.upper, axis=axis)))

    def largest_eigenvalue(self, matrix: Any) -> Interval:
        raise InputError("largest_eigenvalue is not defined for arrays of intervals; use balls")


INTERVAL = IntervalArithmetic()
