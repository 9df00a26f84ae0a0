"""The source of ``numerics.elementary`` over abstract numbers: its functions with other globals, and lemmas in place of bits.

The lemmas are stated in ``kernel_accuracy``; each refuses (NotProved) arguments for which it is not stated.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any

from flint import arb

from numerics import elementary as el
from theorems.ball_arithmetic import as_ball
from verify.kernel_accuracy_numbers import UNIT, ExponentRange, Number, Rounder, fma
from verify.kernel_accuracy_paths import ONE, ZERO, NotProved, Path, hull
from verify.kernel_accuracy_tables import Approximation

UNDERFLOW = arb(2) ** -400  # what is allowed for underflow in the error model


def namespace(path: Path, tables: Mapping[str, tuple[float, ...]], approximations: Mapping[str, Approximation]) -> dict[str, Any]:
    """The globals of ``elementary`` with its functions over abstract numbers, and the lemmas in place."""
    space: dict[str, Any] = dict(vars(el))
    for name, value in vars(el).items():
        if hasattr(value, "py_func"):
            space[name] = types.FunctionType(value.py_func.__code__, space)
    names = {id(table): name for name, table in tables.items()}
    space.update(_constants(path), **tables)

    def horner(x: Any, table: Any) -> Number:
        number = x if isinstance(x, Number) else Number(path, arb(x))
        return _horner(number, table, approximations[names[id(table)]])

    def log1p(x: Any) -> Number:
        return _log1p(path, space, x)

    def gaussian(square: Number, rest: Number) -> Number:
        return _gaussian(path, space, square, rest)

    def limited(x: Number, low: float, high: float) -> Number:
        # A lower limit of 0 is there for absolute values only, which keep to it.
        below = low != 0.0 and x < low
        if below or x > high:
            path.saturated = True
            return Number(path, arb(low if below else high))
        return x

    def copysign(magnitude: Number, signed: Number) -> Number:
        return magnitude.copysign(signed)

    space.update(
        fma=fma, horner=horner, log1p=log1p, _gaussian=gaussian, _limited=limited, _power_of_two=lambda k: _power_of_two(path, k),
        ROUND=Rounder(path), math=types.SimpleNamespace(copysign=copysign, inf=math.inf, nan=math.nan),
        to_bits=_Bits, from_bits=lambda bits: bits.value, any_beyond_limit=lambda x, count: False,
    )  # fmt: skip
    return space


def _constants(path: Path) -> dict[str, Number]:
    """Constants that stand for real numbers, with their own rounding errors."""
    ln2, half_pi = arb(2).log(), arb.pi() / 2
    meant = {
        "LN2_LOW": ln2 - arb(el.LN2_HIGH), "HALF_PI_3": half_pi - arb(el.HALF_PI_1) - arb(el.HALF_PI_2),
        "QUARTER_PI_LOW": half_pi / 2 - arb(el.QUARTER_PI), "HALF_PI_LOW": half_pi - arb(el.HALF_PI),
        "LOG2_E": 1 / ln2, "TWO_OVER_PI": 1 / half_pi, "TWO_OVER_SQRT_PI": 2 / arb.pi().sqrt(),
        "NORMAL_DENSITY": 1 / (2 * arb.pi()).sqrt(), "SQRT_HALF": 1 / arb(2).sqrt(),
    }  # fmt: skip
    constants = {name: Number(path, exact, e=abs(exact - arb(getattr(el, name))).abs_upper()) for name, exact in meant.items()}
    constants["LOG2_E"].period, constants["TWO_OVER_PI"].period = ln2, half_pi
    return constants


def _power_of_two(path: Path, k: Any) -> Number:
    if isinstance(k, float):
        if not abs(k) <= 1022:
            raise NotProved("a power of two that is no normal number")
        return Number(path, arb(2) ** int(k))
    if isinstance(k, Number) and path.exponent_base:
        return Number(path, ONE, 1)
    low, high = (k.low, k.high) if isinstance(k, ExponentRange) else (float(end) for end in k.computed())
    if not (low >= -1022 and high <= 1022):
        raise NotProved("a power of two that is no normal number")
    return Number(path, hull(arb(2) ** math.floor(low), arb(2) ** math.ceil(high)))


def _horner(x: Number, coefficients: tuple[float, ...], approximation: Approximation) -> Number:
    """The table's function of x: a chain of fma, and the polynomial's distance from the function."""
    low, high = x.computed()
    if not (low >= as_ball(approximation.low) and high <= as_ball(approximation.high)):
        raise NotProved(f"an argument beyond the interval of {approximation.name}")
    ball, error = x.plain(), x.error()
    largest = ball.abs_upper()
    g, e = arb(coefficients[-1]), ZERO
    for coefficient in coefficients[-2::-1]:
        e = g.abs_upper() * error + largest * e + error * e
        g = g * ball + arb(coefficient)
        e = (e + UNIT * (g.abs_upper() + e)).abs_upper()
    distance = approximation.error
    # Underflow in at most 22 products, each then multiplied by |x| < 1.
    return Number(x.path, g + hull(-distance, distance), e=(e + distance).abs_upper(), t=arb(2) ** -1068)


def _log1p(path: Path, space: Mapping[str, Any], x: Number) -> Number:
    low, high = x.computed()
    if not (low >= -UNIT and high <= arb(3) / 2):
        raise NotProved("log1p outside [0, 3/2]")
    # u = fl(1 + x) < 2^(1/2) decides; x as narrow as that is not needed, both are tried near it.
    root = arb(2).sqrt() - 1
    if high < root - 4 * UNIT:
        k = 0.0
    elif low > root + 4 * UNIT:
        k = 1.0
    else:
        k = float(path.choose(2))
    f = x
    if k == 1.0:
        f = Number(path, (x.plain() - 1) / 2, e=(x.error() / 2).abs_upper()).rounded()
    return near_one(space, k, f)


def near_one(space: Mapping[str, Any], k: float, f: Number) -> Number:
    """k ln 2 + log(1 + f) as ``log`` and ``log1p`` end."""
    inner = fma(k, space["LN2_LOW"], space["_log_near_one"](f))
    result: Number = fma(k, space["LN2_HIGH"], inner)
    return result


def _gaussian(path: Path, space: Mapping[str, Any], square: Number, rest: Number) -> Number:
    if not rest.residual:
        raise NotProved("a Gaussian without the rest of its square")
    low, high = square.computed()
    e = space["exp"](-Number(path, hull(low, high)))  # of the computed square, which is exact data here
    deviation = square.error()
    shift = (deviation * deviation * deviation.exp()).abs_upper()
    e = e.to_power(0)
    factor = hull((1 - deviation).lower(), (1 + deviation).upper())
    corrected = Number(path, e.g * factor, e=(e.e * (1 + deviation)).abs_upper(), t=(2 * e.t).abs_upper()).rounded()
    corrected.e = (corrected.e + e.g.abs_upper() * shift).abs_upper()
    corrected.g = corrected.g + hull(-e.g.abs_upper() * shift, e.g.abs_upper() * shift)
    return corrected


class _Bits:
    """The bits of a number, of which the kernels here take a quadrant, or flip the sign."""

    def __init__(self, value: Any, turned: int = 0) -> None:
        self.value, self.turned = value, turned

    def __add__(self, quarters: int) -> _Bits:
        return _Bits(self.value, self.turned + quarters)

    def __and__(self, mask: int) -> int:
        integer = self.value.integer
        if isinstance(integer, float):
            return (int(integer) + self.turned) & mask
        reduction = integer.linear[2]
        if reduction.first == reduction.last:
            return (int(reduction.first) + self.turned) & mask
        return int(mask) * int(integer.path.choose(2))  # of an integer that is not known: both

    def __xor__(self, sign: int) -> _Bits:
        return _Bits(-self.value if sign else self.value)
