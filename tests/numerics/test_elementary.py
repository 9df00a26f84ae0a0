"""The vectorizable elementary functions against mpmath, and their coefficients against the recipe that made them."""

import math
import struct

import mpmath as mp
import numba
import numpy as np
import pytest

from numerics import elementary as el

PRECISION = 160  # bits: enough for the cancellation in the references below at every argument tried
POINTS = 1500  # random arguments per range


def second(function):
    """The jitted function that returns the second of a pair."""

    @numba.njit(forceinline=True)
    def pick(x):
        return function(x)[1]

    return pick


def first(function):
    @numba.njit(forceinline=True)
    def pick(x):
        return function(x)[0]

    return pick


def softplus(x):
    return mp.log1p(mp.exp(-abs(x))) + max(x, 0)


FUNCTIONS = {
    "exp": (el.exp, mp.exp),
    "log": (el.log, mp.log),
    "log1p": (el.log1p, mp.log1p),
    "tanh": (first(el.tanh_and_slope), mp.tanh),
    "sinh": (el.sinh, mp.sinh),
    "cosh": (el.cosh, mp.cosh),
    "erf": (first(el.erf_and_slope), mp.erf),
    "sin": (first(el.sine_and_cosine), mp.sin),
    "cos": (second(el.sine_and_cosine), mp.cos),
    "arctan": (el.arctan, mp.atan),
    "sigmoid": (first(el.sigmoid_and_slope), lambda x: 1 / (1 + mp.exp(-x))),
    "softplus": (first(el.softplus_and_slope), softplus),
}


def loop_over(function):
    """A compiled loop, so that the vectorized code is what is tested; odd lengths exercise its scalar remainder too."""

    @numba.njit(error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    def apply(x):
        x = np.ascontiguousarray(x, dtype=np.float64)
        out = np.empty_like(x)
        loop(x, out)
        return out

    return apply


LOOPS = {name: loop_over(function) for name, (function, _) in FUNCTIONS.items()}


def arguments(name):
    """Dense and random arguments over the whole range: tiny, subnormal, moderate, huge, and near what each function dislikes."""
    rng = np.random.default_rng(len(name))
    signs = rng.choice([-1.0, 1.0], POINTS)
    x = np.concatenate([
        np.linspace(-3.0, 3.0, 1001),
        rng.uniform(-1.0, 1.0, POINTS),
        rng.uniform(-40.0, 40.0, POINTS),
        signs * np.exp(rng.uniform(-40.0, 6.6, POINTS)),
        signs * np.exp(rng.uniform(-740.0, 700.0, POINTS)),
        [0.0, 5e-324, -5e-324, 1e-310, -1e-310, 709.7, -709.7, -740.0, 1.7e308, -1.7e308],
    ])  # fmt: skip
    if name in ("sin", "cos"):
        multiples = rng.integers(-63661, 63661, POINTS) * (math.pi / 2)
        x = np.concatenate([x, multiples, np.nextafter(multiples, np.inf), rng.uniform(-1e5, 1e5, POINTS)])
        return x[np.abs(x) <= el.TRIGONOMETRIC_LIMIT]
    if name == "log":
        return np.abs(np.concatenate([x[x != 0.0], 1.0 + 1e-3 * rng.standard_normal(POINTS)]))
    return x[x > -1.0] if name == "log1p" else x


def ulps(computed, exact):
    """|computed - exact| in units in the last place of the float64 nearest to exact."""
    unit = float(np.spacing(abs(float(exact)))) if exact else 5e-324
    return float(abs(mp.mpf(float(computed)) - exact) / mp.mpf(unit))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_is_within_the_named_bound(name):
    x = arguments(name)
    largest = np.finfo(float).max
    with mp.workprec(PRECISION):
        for argument, value in zip(x, LOOPS[name](x), strict=True):
            exact = FUNCTIONS[name][1](mp.mpf(float(argument)))
            if abs(exact) > largest:
                assert value == math.copysign(math.inf, exact), argument
            else:
                assert ulps(value, exact) <= el.ULP_BOUND[name], argument


def test_every_bound_has_its_function():
    assert set(el.ULP_BOUND) == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("name", "below", "above"),
    [
        ("exp", 0.0, math.inf), ("tanh", -1.0, 1.0), ("sinh", -math.inf, math.inf), ("cosh", math.inf, math.inf),
        ("erf", -1.0, 1.0), ("arctan", -math.pi / 2, math.pi / 2), ("sigmoid", 0.0, 1.0), ("softplus", 0.0, math.inf),
        ("log", math.nan, math.inf), ("log1p", math.nan, math.inf),
    ],
)  # fmt: skip
def test_ends_of_the_range(name, below, above):
    np.testing.assert_array_equal(LOOPS[name]([-math.inf, math.inf, math.nan]), [below, above, math.nan])


def test_logarithms_at_their_singularities():
    np.testing.assert_array_equal(LOOPS["log"]([0.0, -1.0]), [-math.inf, math.nan])
    np.testing.assert_array_equal(LOOPS["log1p"]([-1.0, -1.5]), [-math.inf, math.nan])


@pytest.mark.parametrize("name", ["tanh", "sinh", "erf", "arctan"])
def test_odd_functions_keep_the_sign_of_zero(name):
    assert np.signbit(LOOPS[name]([-0.0, 0.0])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("pair", "slope", "bound"),
    [
        # Named bounds, a little above what is seen: each slope is a handful of rounded operations.
        (el.tanh_and_slope, lambda x: mp.sech(x) ** 2, 4.0),
        (el.erf_and_slope, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x), 3.0),
        (el.sigmoid_and_slope, lambda x: 1 / ((1 + mp.exp(-x)) * (1 + mp.exp(x))), 5.0),
        (el.softplus_and_slope, lambda x: 1 / (1 + mp.exp(-x)), 2.5),
    ],
)
def test_slopes_are_relatively_accurate_far_out(pair, slope, bound):
    x = np.concatenate([np.linspace(-26.0, 26.0, 1203), np.random.default_rng(0).standard_normal(POINTS)])
    with mp.workprec(PRECISION):
        for argument, value in zip(x, loop_over(second(pair))(x), strict=True):
            assert ulps(value, slope(mp.mpf(float(argument)))) <= bound, argument


def test_bits_do_not_depend_on_the_position_in_a_loop():
    """Vector lanes, the unrolled body and the scalar remainder must agree: the same argument 37 times gives one value."""
    for name, loop in LOOPS.items():
        assert len(set(loop(np.full(37, 0.7310585)).tolist())) == 1, name


def chebyshev_interpolant(function, begin, end, count):
    """Ascending coefficients of the polynomial through the Chebyshev nodes, by divided differences, in the working precision."""
    begin, end = mp.mpf(begin), mp.mpf(end)
    nodes = [(begin + end) / 2 + (end - begin) / 2 * mp.cos(mp.pi * (j + mp.mpf(1) / 2) / count) for j in range(count)]
    newton = [function(node) for node in nodes]
    for order in range(1, count):
        for j in range(count - 1, order - 1, -1):
            newton[j] = (newton[j] - newton[j - 1]) / (nodes[j] - nodes[j - order])
    polynomial = [mp.mpf(0)]
    for j in range(count - 1, -1, -1):
        shifted = [mp.mpf(0), *polynomial]
        polynomial = [a - nodes[j] * b for a, b in zip(shifted, [*polynomial, mp.mpf(0)], strict=True)]
        polynomial[0] += newton[j]
    return polynomial[:count]


def of_root(function, limit):
    """z -> function(sqrt(z)), with its limit at z = 0, where the formula would divide by zero."""
    return lambda z: limit if abs(z) < mp.mpf(10) ** -30 else function(mp.sqrt(z))


def erfc_of_t(t):
    x = 3 * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.erfc(x) * mp.exp(x * x)


def test_coefficients_are_those_of_the_recipe():
    with mp.workdps(80):
        third = mp.mpf(1) / 3
        recipes = {
            "EXP_Q": (
                lambda r: mp.mpf(1) / 2 if abs(r) < mp.mpf(10) ** -30 else (mp.expm1(r) - r) / r**2, "-0.3466", "0.3466"
            ),
            "LOG_Q": (of_root(lambda s: 2 * (mp.atanh(s) / s - 1) / s**2, 2 * third), "0", "0.02945"),
            "SIN_Q": (of_root(lambda r: (mp.sin(r) / r - 1) / r**2, -third / 2), "0", "0.6172"),
            "COS_Q": (of_root(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4, third / 8), "0", "0.6172"),
            "ATAN_Q": (of_root(lambda r: (mp.atan(r) / r - 1) / r**2, -third), "0", "0.1717"),
            "ERF_Q": (of_root(lambda x: mp.erf(x) / x, 2 / mp.sqrt(mp.pi)), "0", "0.25"),
            "ERFC_Q": (erfc_of_t, mp.mpf("-2.5") / mp.mpf("3.5"), mp.mpf(25) / 31),
        }  # fmt: skip
        for name, (function, begin, end) in recipes.items():
            table = getattr(el, name)
            assert [float(c) for c in chebyshev_interpolant(function, begin, end, len(table))] == list(table), name


def test_split_constants():
    with mp.workdps(60):
        assert float(mp.log(2) - mp.mpf(el.LN2_HIGH)) == el.LN2_LOW
        assert float(mp.pi / 2 - mp.mpf(el.HALF_PI_1) - mp.mpf(el.HALF_PI_2)) == el.HALF_PI_3
        assert float(mp.pi / 2 - mp.mpf(el.HALF_PI)) == el.HALF_PI_LOW
        assert float(mp.pi / 4 - mp.mpf(el.QUARTER_PI)) == el.QUARTER_PI_LOW

    def trailing_zeros(x):
        bits = struct.unpack("<q", struct.pack("<d", x))[0]
        return (bits & -bits).bit_length() - 1

    # 53 - 42 and 53 - 36 bits are free for the integer factor.
    assert trailing_zeros(el.LN2_HIGH) >= 11
    assert min(trailing_zeros(el.HALF_PI_1), trailing_zeros(el.HALF_PI_2)) >= 17
    assert el.TRIGONOMETRIC_LIMIT * 2 / math.pi < 2**17
