"""Elementary functions that LLVM turns into vector code: no branches, no calls, no tables, explicit fused multiply-adds.

The scalar functions of libm cost 5 to 15 ns an element inside a compiled loop and stop it from being vectorized; these cost
about 1 ns. Each is an argument reduction with exact or two-part constants, one polynomial, and selections for the ends of the
range. Bits do not depend on how a loop was vectorized, because nothing is contracted or reordered: every fused operation is
written ``fma``.

Where the polynomials come from: each table below holds the coefficients (ascending, rounded to float64) of the polynomial that
interpolates the named function in the Chebyshev nodes of the named interval, computed with 80 digits; the test suite
recomputes them. Their relative error is below 6e-17 of the function that is built from them.

Error bounds (``ULP_BOUND``, in units in the last place of the correctly rounded result) are tested against mpmath, not proved.
"""

from __future__ import annotations

import math
from typing import Any

import numba.extending
from llvmlite import ir
from numba import types

from numerics._jit import jit

intrinsic: Any = numba.extending.intrinsic

#: Tested bounds on the error over the whole range, in ulp.
ULP_BOUND: dict[str, float] = {
    "exp": 1.0, "log": 1.5, "log1p": 2.0, "tanh": 3.0, "sinh": 3.0, "cosh": 2.0, "erf": 2.5, "sin": 2.0, "cos": 2.0,
    "arctan": 2.0, "sigmoid": 2.5, "softplus": 2.5,
}  # fmt: skip

#: (e^r - 1 - r)/r^2 on |r| <= 0.3466 (a little more than ln(2)/2).
EXP_Q = (
    0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326136, 0.001388888888888375, 0.00019841269874815834,
    2.480158732554432e-05, 2.7557255406285044e-06, 2.7557273647451087e-07, 2.5105214474751413e-08, 2.0914685161418067e-09,
)  # fmt: skip
#: (2 artanh(s)/s - 2)/z with z = s^2 on [0, 0.02945], where log(1 + f) = 2 artanh(s), s = f/(2 + f), 1 + f in [2^-1/2, 2^1/2].
LOG_Q = (
    0.666666666666667, 0.3999999999989924, 0.2857142862609589, 0.2222221111514416, 0.18182890556695602,
    0.1533167403016786, 0.1461703754879165,
)  # fmt: skip
#: (sin(r)/r - 1)/z and (cos(r) - 1 + z/2)/z^2 with z = r^2 on [0, 0.6172] (a little more than (pi/4)^2).
SIN_Q = (
    -0.16666666666666666, 0.008333333333330941, -0.00019841269836748352, 2.755731609725143e-06, -2.5051130740503045e-08,
    1.5918049742485297e-10,
)  # fmt: skip
COS_Q = (
    0.041666666666666664, -0.0013888888888887393, 2.4801587298759292e-05, -2.755731726841358e-07, 2.0876145577441954e-09,
    -1.1382582658234034e-11,
)  # fmt: skip
#: (arctan(r)/r - 1)/z with z = r^2 on [0, 0.1717] (a little more than tan(pi/8)^2).
ATAN_Q = (
    -0.3333333333333333, 0.1999999999999549, -0.1428571428466014, 0.11111111014741562, -0.09090904557214267,
    0.0769218270524632, -0.06664504610032648, 0.05858089538610203, -0.050851391487066376, 0.03922268882347632,
    -0.0191659065063043,
)  # fmt: skip
#: erf(x)/x with z = x^2 on [0, 0.25].
ERF_Q = (
    1.1283791670955126, -0.3761263890318375, 0.1128379167095487, -0.02686617064499972, 0.0052239776220169365,
    -0.0008548326510724796, 0.00012055286202005714, -1.4923003368152099e-05, 1.637123442577e-06, -1.462091340945175e-07,
)  # fmt: skip
#: (1 + 2x) exp(x^2) erfc(x) with t = (x - 3)/(x + 3) for x in [0.5, 28].
ERFC_Q = (
    1.2530080582697296, -0.13562110612458134, -0.04756229435345058, 0.1296451587027835, -0.11927366341532432,
    0.06830802734307077, -0.023770514918036445, 0.002529391832675186, 0.0018886903466049378, -0.0007798324398793133,
    -0.0001051596522473519, 0.00012510037313823361, 4.9484535339192485e-06, -2.0104454851557477e-05, -7.270603109882931e-07,
    3.481686983452046e-06, 3.4482536968247793e-07, -6.299129103282541e-07, -1.2169240627639653e-07, 1.1177528463195771e-07,
    2.292393009921899e-08, -1.541055292474667e-08,
)  # fmt: skip

# Adding ROUND to a number below 2^51 in absolute value rounds it to an integer, which is then found in the low bits.
ROUND = 1.5 * 2.0**52
LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first of 42 bits, so that its product with an exponent of 11 bits is exact.
LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-1")
LN2_LOW = float.fromhex("0x1.ef35793c76730p-45")
# pi/2 in three parts, two of 36 bits: products with an integer below 2^17 are exact, which sets the bound on |x|.
HALF_PI_1 = 1.5707963267923333
HALF_PI_2 = 2.5633441515839558e-12
HALF_PI_3 = 1.0562999066987428e-23
TWO_OVER_PI = 0.6366197723675814
#: Beyond this |x|, sin and cos of single elements come from libm, whose reduction is exact for every argument.
TRIGONOMETRIC_LIMIT = 1.0e5
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
TWO_52_BITS = 0x4330000000000000
TAN_PI_8 = 0.41421356237309503
TAN_3PI_8 = 2.414213562373095
QUARTER_PI, QUARTER_PI_LOW = 0.7853981633974483, 3.061616997868383e-17
HALF_PI, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17
TWO_OVER_SQRT_PI = 1.1283791670955126
NORMAL_DENSITY = 0.3989422804014327
SQRT_HALF = math.sqrt(0.5)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c with one rounding."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), code


@intrinsic
def horner(typing: Any, x: Any, coefficients: Any) -> Any:
    """The polynomial with the given tuple of ascending coefficients, unrolled into a chain of fma."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        point, table = arguments
        value = builder.extract_value(table, coefficients.count - 1)
        for index in range(coefficients.count - 2, -1, -1):
            value = builder.fma(value, point, builder.extract_value(table, index))
        return value

    return types.float64(types.float64, coefficients), code


@intrinsic
def to_bits(typing: Any, x: Any) -> Any:
    """The 64 bits of a float64, as an int64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), code


@intrinsic
def from_bits(typing: Any, bits: Any) -> Any:
    """The float64 with the given 64 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), code


@intrinsic
def exponent_field(typing: Any, bits: Any) -> Any:
    """bits shifted right by 52 places, zeros moving in (numba's >> would keep the sign, which AVX2 cannot do)."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], ir.Constant(ir.IntType(64), 52))

    return types.int64(types.int64), code


@jit(forceinline=True)
def _power_of_two(k):  # type: ignore[no-untyped-def]
    """2^k for an integral float k with |k| <= 1022."""
    return from_bits(to_bits(k + (ROUND + 1023.0)) << 52)


@jit(forceinline=True)
def _reduced(x):  # type: ignore[no-untyped-def]
    """(k, e^r - 1) with x = k ln 2 + r, |r| <= ln(2)/2 (x already limited so that k fits eleven bits; NaN stays NaN)."""
    k = (x * LOG2_E + ROUND) - ROUND
    r = fma(-k, LN2_LOW, fma(-k, LN2_HIGH, x))
    return k, fma(r * r, horner(r, EXP_Q), r)


@jit(forceinline=True)
def _limited(x, low, high):  # type: ignore[no-untyped-def]
    """x clipped to [low, high]; NaN stays NaN because both comparisons fail."""
    x = low if x < low else x
    return high if x > high else x


@jit(forceinline=True)
def exp(x):  # type: ignore[no-untyped-def]
    """e^x, gradual underflow included."""
    k, p = _reduced(_limited(x, -746.0, 710.0))
    half = (0.5 * k + ROUND) - ROUND
    return (1.0 + p) * _power_of_two(half) * _power_of_two(k - half)


@jit(forceinline=True)
def _log_parts(u):  # type: ignore[no-untyped-def]
    """(k, m) with u = 2^k m and m in [2^-1/2, 2^1/2) for a positive normal u."""
    bits = to_bits(u)
    field = exponent_field(bits - SQRT_HALF_BITS + (1023 << 52))
    k = from_bits(field | TWO_52_BITS) - (2.0**52 + 1023.0)
    return k, from_bits(bits - ((field - 1023) << 52))


@jit(forceinline=True)
def _log_near_one(f):  # type: ignore[no-untyped-def]
    """log(1 + f) for 1 + f in [2^-1/2, 2^1/2]: 2 artanh(s) = f - s (f - R) keeps the leading term exact."""
    s = f / (2.0 + f)
    z = s * s
    return fma(-s, f - z * horner(z, LOG_Q), f)


@jit(forceinline=True)
def log(x):  # type: ignore[no-untyped-def]
    """The natural logarithm; -inf at 0 and NaN below."""
    subnormal = x < 2.2250738585072014e-308
    k, m = _log_parts(x * 2.0**54 if subnormal else x)
    k = k - 54.0 if subnormal else k
    value = fma(k, LN2_HIGH, fma(k, LN2_LOW, _log_near_one(m - 1.0)))
    value = value if x < math.inf else x  # +inf and NaN
    value = value if x != 0.0 else -math.inf
    return math.nan if x < 0.0 else value


@jit(forceinline=True)
def log1p(x):  # type: ignore[no-untyped-def]
    """log(1 + x), relatively accurate near 0; the rounding error of 1 + x is put back into the reduced argument."""
    u = 1.0 + x
    lost = x - (u - 1.0) if x < 1.0 else 1.0 - (u - x)
    k, m = _log_parts(u)
    # 2^-k has no representation at k = 1024, but there ``lost`` is far below half an ulp.
    carried = lost * _power_of_two(-k) if x < 2.0**60 else 0.0
    value = fma(k, LN2_HIGH, fma(k, LN2_LOW, _log_near_one((m - 1.0) + carried)))
    value = value if x < math.inf else x
    value = value if x != -1.0 else -math.inf
    return math.nan if x < -1.0 else value


@jit(forceinline=True)
def tanh_and_slope(x):  # type: ignore[no-untyped-def]
    """(tanh x, 1/cosh^2 x), both relatively accurate: tanh = E/(E + 2) and 1 - tanh = 2/(E + 2) with E = e^{2|x|} - 1."""
    k, p = _reduced(_limited(2.0 * abs(x), 0.0, 708.0))
    s = _power_of_two(k)
    e = fma(s, p, s - 1.0)
    d = 1.0 / (e + 2.0)
    t = e * d
    return math.copysign(t, x), 2.0 * d * (1.0 + t)


@jit(forceinline=True)
def _half_exponentials(x):  # type: ignore[no-untyped-def]
    """(e^x/2, (e^x - 1)/2) for x >= 0, up to the overflow of the first."""
    k, p = _reduced(_limited(x, 0.0, 710.5))
    s = _power_of_two(k - 2.0)
    return 2.0 * fma(s, p, s), 2.0 * fma(s, p, s - 0.25)


@jit(forceinline=True)
def sinh(x):  # type: ignore[no-untyped-def]
    """(e^x - e^-x)/2 = (E + E/(E + 1))/2 with E = e^{|x|} - 1."""
    half, m = _half_exponentials(abs(x))
    quotient = m / half if m < 2.0**60 else 1.0  # E/(E + 1) without inf/inf
    return x if abs(x) < 1e-17 else math.copysign(m + 0.5 * quotient, x)


@jit(forceinline=True)
def cosh(x):  # type: ignore[no-untyped-def]
    """(e^x + e^-x)/2."""
    half = _half_exponentials(abs(x))[0]
    return half + 0.25 / half


@jit(forceinline=True)
def sigmoid_and_slope(x):  # type: ignore[no-untyped-def]
    """(1/(1 + e^-x), its derivative), from e^{-|x|}, which cannot overflow."""
    e = exp(-abs(x))
    d = 1.0 / (1.0 + e)
    return (e * d if x < 0.0 else d), e * d * d


@jit(forceinline=True)
def softplus_and_slope(x):  # type: ignore[no-untyped-def]
    """(log(1 + e^x), sigmoid(x))."""
    e = exp(-abs(x))
    d = 1.0 / (1.0 + e)
    return (x if x > 0.0 else 0.0) + log1p(e), (e * d if x < 0.0 else d)


@jit(forceinline=True)
def _gaussian(square, rest):  # type: ignore[no-untyped-def]
    """exp(-(square + rest)) where rest is the rounding error of the computed square."""
    e = exp(-square)
    return fma(-rest, e, e)


@jit(forceinline=True)
def _scaled_erfc(x):  # type: ignore[no-untyped-def]
    """exp(x^2) erfc(x) for x in [0.5, 28], one division for the quotients t and 1/(1 + 2x)."""
    a = x + 3.0
    b = 1.0 + 2.0 * x
    d = 1.0 / (a * b)
    return horner((x - 3.0) * b * d, ERFC_Q) * (a * d)


@jit(forceinline=True)
def erf_and_slope(x):  # type: ignore[no-untyped-def]
    """(erf x, (2/sqrt(pi)) exp(-x^2))."""
    a = _limited(abs(x), 0.0, 28.0)
    z = a * a
    g = _gaussian(z, fma(a, a, -z))
    tail = 1.0 - g * _scaled_erfc(a if a > 0.5 else 0.5)
    value = abs(x) * horner(z, ERF_Q) if a <= 0.5 else tail
    return math.copysign(value, x), TWO_OVER_SQRT_PI * g


@jit(forceinline=True)
def gelu_and_slope(x):  # type: ignore[no-untyped-def]
    """(x P, P + x p) with the normal distribution function P(x) = erfc(-x/sqrt 2)/2 and density p; no cancellation for x < 0."""
    c = _limited(abs(x), 0.0, 39.5)
    z = 0.5 * (c * c)
    g = _gaussian(z, 0.5 * fma(c, c, -(c * c)))
    a = c * SQRT_HALF
    tail = 0.5 * g * _scaled_erfc(a if a > 0.5 else 0.5)
    tail = 0.5 - 0.5 * (a * horner(z, ERF_Q)) if a <= 0.5 else tail
    distribution = tail if x < 0.0 else 1.0 - tail
    # Far out the clipped |x| serves as well, and keeps inf * 0 away.
    near = -c if x < 0.0 else c
    return (x if x > 0.0 else near) * distribution, fma(near, NORMAL_DENSITY * g, distribution)


@jit(forceinline=True)
def sine_and_cosine(x):  # type: ignore[no-untyped-def]
    """(sin x, cos x) for |x| <= TRIGONOMETRIC_LIMIT (sin -0 is +0); callers repair what lies beyond: ``repair_sine``."""
    t = x * TWO_OVER_PI + ROUND
    quadrant = to_bits(t)
    k = t - ROUND
    first = fma(-k, HALF_PI_1, x)
    second = fma(-k, HALF_PI_2, first)
    r = second + fma(-k, HALF_PI_3, fma(-k, HALF_PI_2, first - second))
    z = r * r
    s = fma(r * z, horner(z, SIN_Q), r)
    c = fma(z * z, horner(z, COS_Q), fma(-0.5, z, 1.0))
    odd = (quadrant & 1) != 0
    sine, cosine = (c, s) if odd else (s, c)
    return from_bits(to_bits(sine) ^ ((quadrant & 2) << 62)), from_bits(to_bits(cosine) ^ (((quadrant + 1) & 2) << 62))


@jit(forceinline=True)
def arctan(x):  # type: ignore[no-untyped-def]
    """arctan x by one of arctan(a), pi/4 + arctan((a - 1)/(a + 1)), pi/2 + arctan(-1/a), a = |x|, with a single division."""
    a = abs(x)
    small = a < TAN_PI_8
    large = a > TAN_3PI_8
    numerator = a if small else (-1.0 if large else a - 1.0)
    denominator = 1.0 if small else (a if large else a + 1.0)
    base = 0.0 if small else (HALF_PI if large else QUARTER_PI)
    low = 0.0 if small else (HALF_PI_LOW if large else QUARTER_PI_LOW)
    r = numerator / denominator
    z = r * r
    return math.copysign(base + (r + fma(r * z, horner(z, ATAN_Q), low)), x)


@jit
def any_beyond_limit(x, count):  # type: ignore[no-untyped-def]
    """Whether some of the first ``count`` elements is outside the range of ``sine_and_cosine`` (NaN counts)."""
    outside = 0
    for i in range(count):
        outside += 0 if abs(x[i]) <= TRIGONOMETRIC_LIMIT else 1
    return outside > 0


@jit
def repair_sine(x, sine, cosine, count):  # type: ignore[no-untyped-def]
    """Put libm's values where ``sine_and_cosine`` does not apply (the three arrays must not overlap)."""
    for i in range(count):
        if not abs(x[i]) <= TRIGONOMETRIC_LIMIT:
            sine[i] = math.sin(x[i])
            cosine[i] = math.cos(x[i])
