"""The proofs about the activation kernels: against exact values, against planted bugs, and the lemmas against the compiled code."""

from __future__ import annotations

import itertools
import math
import types
from fractions import Fraction

import numba
import numpy as np
import pytest
from flint import arb

from numerics import elementary as el
from numerics.activations import BUILTIN, builtin_activation, evaluate
from numerics.rounding import ACTIVATION_ULPS
from theorems.activations import ACTIVATIONS, activation
from theorems.arithmetic import BallArithmetic, working_precision
from theorems.programs import evaluate as evaluate_program
from verify import kernel_accuracy as ka
from verify.kernel_accuracy_paths import NotProved, every_path
from verify.kernel_accuracy_tables import TABLES, approximation, approximation_of
from verify.kernels import activation_kernel

SMOOTH = [name for name in BUILTIN if ACTIVATIONS[name].smooth]
BITS = 1400  # sin 10^5, 1 - tanh 300 and exp(-740) keep many digits
POINTS = 100  # random arguments per range

#: phi and phi' in balls, by formulas that lose no more than BITS can spare.
EXACT = {
    "identity": (lambda z: z, lambda z: arb(1)),
    "tanh": (lambda z: z.tanh(), lambda z: z.sech() ** 2),
    "erf": (lambda z: z.erf(), lambda z: 2 * (-z * z).exp() / arb.pi().sqrt()),
    "sin": (lambda z: z.sin(), lambda z: z.cos()),
    "cos": (lambda z: z.cos(), lambda z: -z.sin()),
    "softplus": (lambda z: z.max(arb(0)) + (-abs(z)).exp().log1p(), lambda z: 1 / (1 + (-z).exp())),
    "gelu": (lambda z: z * normal(z), lambda z: normal(z) + z * (-z * z / 2).exp() / (2 * arb.pi()).sqrt()),
    "silu": (lambda z: z / (1 + (-z).exp()), lambda z: 1 / (1 + (-z).exp()) + z / (2 + z.exp() + (-z).exp())),
    "sigmoid": (lambda z: 1 / (1 + (-z).exp()), lambda z: 1 / (2 + z.exp() + (-z).exp())),
    "arctan": (lambda z: z.atan(), lambda z: 1 / (1 + z * z)),
    "gaussian_bump": (lambda z: (-z * z / 2).exp(), lambda z: -z * (-z * z / 2).exp()),
}
THRESHOLDS = [0.5, 0.5 * math.sqrt(2), el.TAN_PI_8, el.TAN_3PI_8, 0.34657359, 0.1732868, -math.log(math.sqrt(2) - 1), 1.0]
ENDS = [20.0, 27.25, 28.0, 38.5, 38.6263, 39.5, 354.0, 355.0, 708.0, 744.0, 745.13, 746.0]


def normal(z):
    return (-z / arb(2).sqrt()).erfc() / 2


def arguments(name: str, largest: float) -> np.ndarray:
    """Random arguments of every size, and those where a reduction, a selection or a clip changes."""
    rng = np.random.default_rng(sum(map(ord, name)))
    halves = rng.integers(-1000, 1000, POINTS) + 0.5
    places = [halves * math.log(2), halves * math.log(2) / 2, np.sqrt(np.abs(halves) * math.log(2) * 2), halves * math.pi / 2]
    near = np.concatenate([np.array(THRESHOLDS + ENDS), *places])
    for _ in range(2):
        near = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
    sizes = np.concatenate([
        rng.uniform(0, 4, 4 * POINTS),
        rng.uniform(0, 50, POINTS),
        np.exp2(rng.uniform(-30, 10, POINTS)),
        np.exp2(rng.uniform(-300, math.log2(largest), POINTS)),
        [5e-324, 1e-310, 2.0**-1022, largest],
    ])  # fmt: skip
    points = np.concatenate([sizes, -sizes, near, -near, [0.0]])
    return points[np.abs(points) <= largest]


def exact_values(name: str, z: float):
    clipped = max(min(z, 1e5), -1e5) if name in ("tanh", "erf", "sigmoid", "gaussian_bump") else z  # what is beyond is below 2^-400
    point = arb(clipped)
    if name in ("softplus", "silu", "gelu") and abs(z) > 1e5:
        return arb(max(z, 0.0)), arb(float(z > 0))
    return tuple(function(point) for function in EXACT[name])


@pytest.mark.parametrize("name", SMOOTH)
def test_the_observed_error_never_exceeds_the_proved_one(name):
    proved = ka.proved_accuracy(name)
    assert proved is not None
    assert proved.ulps <= ACTIVATION_ULPS
    points = arguments(name, proved.largest)
    values, slopes = evaluate(builtin_activation(name), points)
    record, worst = ACTIVATIONS[name], 0.0
    slope = record.slope_bound().lower
    with working_precision(BITS):
        at_zero = abs(EXACT[name][0](arb(0)))
        bound = arb(slope.numerator) / slope.denominator
        unit, tiny = arb(2) ** -53, arb(2) ** -400
        for z, value, derivative in zip(points.tolist(), values.tolist(), slopes.tolist(), strict=True):
            phi, dphi = exact_values(name, z)
            size = unit * (at_zero + bound * abs(arb(z)))
            assert abs(arb(value) - phi) <= arb(proved.ulps) * size + tiny, z
            assert abs(arb(derivative) - dphi) <= arb(proved.ulps) * unit * bound + tiny, z
            worst = max(worst, float((abs(arb(derivative) - dphi) - tiny) / (unit * bound)))
    # A proof by the worst case of every rounding is not sharp, but not vacuous either.
    assert name == "identity" or worst >= proved.ulps / 40


@pytest.mark.parametrize("name", SMOOTH)
def test_what_the_variables_stand_for_is_phi_and_its_slope(name):
    """On single points: the ball of the abstract run contains the exact value, and its error bound the observed error."""
    points = arguments(name, 1e5 if name in ("sin", "cos") else 300.0)[::9]
    points = points[np.abs(points) > 1e-300]
    values, slopes = evaluate(builtin_activation(name), points)
    with working_precision():
        proof = ka._Proof(name, {table: approximation(table) for table in TABLES}, {})
    for z, *computed in zip(points.tolist(), values.tolist(), slopes.tolist(), strict=True):
        box = ka._Box(abs(z), abs(z), -1 if z < 0 else 1)
        with working_precision():
            paths = list(every_path(lambda prefix, b=box: proof._path(b, prefix), lambda path, b=box: proof._run(b, path)))
            # An undecided comparison at a single point is one that rounding could turn; every path it leads to must be right.
            found = [[(number.plain(), number.error()) for number in result] for path, result in paths if not path.saturated]
        with working_precision(BITS):
            exact = exact_values(name, z)
        with working_precision():
            for result in found:
                for (ball, _), truth in zip(result, exact, strict=True):
                    assert ball.overlaps(truth), (z, ball, truth)
            for index, (truth, value) in enumerate(zip(exact, computed, strict=True)):
                assert not found or abs(arb(value) - truth) <= max((r[index][1] for r in found), key=float) + truth.rad(), z


@pytest.mark.parametrize("name", SMOOTH)
def test_the_boxes_cover_the_range_without_a_gap(name):
    boxes = ka._boxes(name)
    largest = ka._QUARTER if name in ("sin", "cos") else ka.LARGEST
    for sign in (1,) if name in ka._ONE_SIGN else (1, -1):
        ends = [(box.low, box.high) for box in boxes if box.sign == sign and not box.reduced]
        assert ends[0][0] == 0.0
        assert ends[-1][1] == largest
        assert all(a[1] == b[0] for a, b in itertools.pairwise(ends))
    pieces = [(box.low, box.high) for box in boxes if box.reduced]
    assert bool(pieces) == (name in ("sin", "cos"))
    if pieces:
        assert (pieces[0][0], pieces[-1][1]) == (-ka._QUARTER, ka._QUARTER)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))
        assert math.pi / 4 < ka._QUARTER


def test_other_kernels_have_no_proof():
    assert ka.proved_accuracy("relu") is None
    assert ka.proved_accuracy("abs(s)") is None
    assert ka.proved_accuracy("no such activation") is None


EXPRESSIONS = [
    "s*exp(-s**2/2)", "s/(1+s**2)", "s/sqrt(1+s**2)", "log(1+exp(s))", "erf(s)+s/10", "cos(s)+s/3",
    pytest.param("sin(s)*exp(-s**2)", marks=pytest.mark.validate), pytest.param("s*tanh(s)/2", marks=pytest.mark.validate),
    "tanh(s-1)", "sinh(s/8)/cosh(s/8)", "s/3", "atan(s)+s**3/(7+s**2)/9",
]  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_users_expression_is_proved_and_the_observed_error_is_below(text):
    proved = ka.proved_accuracy(text)
    assert proved is not None
    phi = activation(text)
    points = arguments(text, proved.largest)[::9]
    points = points[np.abs(points) > 1e-290]
    values, slopes = evaluate(activation_kernel(phi), points)
    program, bound = phi.program(), phi.slope_bound().lower
    arithmetic = BallArithmetic(3200)  # log(1 + e^-1000) keeps digits
    with working_precision(3200):
        lp, unit, tiny = arb(bound.numerator) / bound.denominator, arb(2) ** -53, arb(2) ** -400
        at_zero = abs(evaluate_program(program, arithmetic, [arb(0)])[0])
        for z, value, derivative in zip(points.tolist(), values.tolist(), slopes.tolist(), strict=True):
            exact, slope = evaluate_program(program, arithmetic, [arb(z)])
            assert abs(arb(value) - exact) <= proved.ulps * unit * (at_zero + lp * abs(arb(z))) + tiny, z
            assert abs(arb(derivative) - slope) <= proved.ulps * unit * lp + tiny, z


@pytest.mark.parametrize("text", ["sqrt(1+s**2)-1", "log(cosh(s))", "1/(1+s**2)-1/(2+s**2)-1/2"])
def test_an_expression_that_cancels_at_zero_has_no_proof(text):
    assert ka.proved_accuracy(text) is None


#: Who uses a table, and a box in which it matters.
USERS = {
    "EXP_Q": ("tanh", 0.1, 0.15), "LOG_Q": ("softplus", 0.95, 0.97), "SIN_Q": ("sin", 0.5, 0.55), "COS_Q": ("cos", 0.5, 0.55),
    "ATAN_Q": ("arctan", 0.3, 0.35), "ERF_Q": ("erf", 0.4, 0.45), "ERFC_Q": ("gelu", 1.0, 1.05),
}  # fmt: skip


def box_ulps(name, box, tables):
    with working_precision():
        approximations = {t: approximation_of(t, tables[t]) if t in tables else approximation(t) for t in TABLES}
        return float(ka._Proof(name, approximations, tables).ulps(box))


@pytest.mark.parametrize(("table", "user"), USERS.items())
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_wrong_coefficient_is_found(table, user, place):
    name, low, high = user
    coefficients = list(getattr(el, table))
    coefficients[place] *= 1 + 1e-6
    assert approximation_of(table, tuple(coefficients)).error > 10 * approximation(table).error
    assert box_ulps(name, ka._Box(low, high, 1), {}) <= ACTIVATION_ULPS
    assert box_ulps(name, ka._Box(low, high, 1), {table: tuple(coefficients)}) > 2 * ACTIVATION_ULPS


def proved_boxes(name):
    """The boxes that need no halving as long as nothing is wrong, each with its A at most the model's."""
    boxes = [box for box in ka._boxes(name) if box_ulps(name, box, {}) <= ACTIVATION_ULPS]
    assert len(boxes) > len(ka._boxes(name)) / 2
    return boxes


CONSTANTS = [
    ("LN2_LOW", 0.0, "sigmoid"), ("LN2_HIGH", 1 + 1e-9, "tanh"), ("HALF_PI_2", 1 - 1e-5, "sin"), ("HALF_PI", 1 - 1e-9, "arctan"),
    ("TWO_OVER_SQRT_PI", 1 + 1e-13, "erf"), ("NORMAL_DENSITY", 1 + 1e-10, "gelu"), ("SQRT_HALF", 1 - 1e-13, "gelu"),
]  # fmt: skip


@pytest.mark.parametrize(("constant", "factor", "name"), CONSTANTS)
def test_a_wrong_constant_is_found(constant, factor, name, monkeypatch):
    boxes = proved_boxes(name)
    monkeypatch.setattr(el, constant, getattr(el, constant) * factor)
    assert max(box_ulps(name, box, {}) for box in boxes) > ACTIVATION_ULPS


def test_a_constant_that_does_not_matter_is_found_not_to():
    """The third part of pi/2, 10^-23, times at most 6.4e4, is below u: the model does not ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(el, "HALF_PI_3", 0.0)
        assert ka.prove("sin", {}).ulps <= ACTIVATION_ULPS


def planted(function):
    """A Python function in the place of a compiled one, as the proof sees it."""
    return types.SimpleNamespace(py_func=function)


def cancelling_tanh(x):
    e = exp(2.0 * abs(x))  # noqa: F821
    return math.copysign((e - 1.0) / (e + 1.0), x), 4.0 * e / ((e + 1.0) * (e + 1.0))


def another_function(x):
    s = exp(-abs(x))  # noqa: F821
    d = 1.0 / (1.0 + s)
    return d, s * d * d * (1.0 + 1e-12)


def test_code_that_cancels_is_found(monkeypatch):
    boxes = proved_boxes("tanh")
    monkeypatch.setattr(el, "tanh_and_slope", planted(cancelling_tanh))
    assert box_ulps("tanh", ka._Box(0.0, 2.0**-20, 1), {}) == math.inf
    assert max(box_ulps("tanh", box, {}) for box in boxes) > ACTIVATION_ULPS


def test_accurate_code_for_another_function_is_found(monkeypatch):
    monkeypatch.setattr(el, "sigmoid_and_slope", planted(another_function))
    with pytest.raises(NotProved, match="another function"):
        ka.prove("sigmoid", {})


# ---- the lemmas, bit by bit ----


@numba.njit(error_model="numpy")
def compiled_fma(x, y, z):
    return el.fma(x, y, z)


@numba.njit(error_model="numpy")
def compiled_horner(x):
    return (
        el.horner(x, el.EXP_Q), el.horner(x, el.LOG_Q), el.horner(x, el.SIN_Q), el.horner(x, el.COS_Q), el.horner(x, el.ATAN_Q),
        el.horner(x, el.ERF_Q), el.horner(x, el.ERFC_Q),
    )  # fmt: skip


def rational_fma(x: float, y: float, z: float) -> float:
    """Correctly rounded: Python rounds a quotient of integers once."""
    return float(Fraction(x) * Fraction(y) + Fraction(z))


def test_fma_rounds_once_and_horner_is_a_chain_of_it():
    rng = np.random.default_rng(0)
    for x, y, z in rng.standard_normal((300, 3)).tolist():
        assert compiled_fma(x, y, z) == rational_fma(x, y, z)
        assert compiled_fma(x, x, -(x * x)) == float(Fraction(x) ** 2 - Fraction(x * x))
    for x in rng.uniform(-0.3, 0.3, 100).tolist():
        for name, value in zip(TABLES, compiled_horner(x), strict=True):
            expected = getattr(el, name)[-1]
            for coefficient in getattr(el, name)[-2::-1]:
                expected = rational_fma(expected, x, coefficient)
            assert value == expected, name


def test_the_rest_of_a_square_is_exact():
    rng = np.random.default_rng(1)
    for a in (rng.uniform(0, 40, 500) * np.exp2(rng.integers(-40, 1, 500))).tolist():
        assert Fraction(compiled_fma(a, a, -(a * a))) == Fraction(a) ** 2 - Fraction(a * a)


def test_powers_of_two_and_rounding_to_integers():
    assert all(el._power_of_two(float(k)) == 2.0**k for k in range(-1022, 1023))
    rng = np.random.default_rng(2)
    for y in np.concatenate([rng.uniform(-2000, 2000, 500), rng.integers(-99, 99, 50) + 0.5, rng.uniform(-7e4, 7e4, 100)]).tolist():
        assert (y + el.ROUND) - el.ROUND == round(y)


def test_log1p_reduces_to_one_rounding_of_its_argument():
    rng = np.random.default_rng(3)
    root = math.sqrt(2) - 1
    near = root + np.arange(-40, 41) * 2.0**-54
    points = np.concatenate([rng.uniform(0, 1.5, 1000), np.exp2(rng.uniform(-1074, 0, 300)), near, [0.0, 1.0, 1.0 - 2.0**-53, 1.5]])
    for x in points.tolist():
        k = 0.0 if 1.0 + x < math.sqrt(2) else 1.0
        f = float((1 + Fraction(x)) / 2 ** int(k) - 1)
        inner = compiled_fma(k, el.LN2_LOW, el._log_near_one(f))
        assert el.log1p(x) == compiled_fma(k, el.LN2_HIGH, inner), x


@pytest.mark.parametrize("name", sorted(ka._ONE_SIGN))
def test_kernels_run_for_one_sign_are_odd_or_even_bit_for_bit(name):
    points = np.abs(arguments(name, ka.LARGEST))
    (values, slopes), (mirrored, turned) = (evaluate(builtin_activation(name), signed) for signed in (points, -points))
    assert np.array_equal(mirrored, values if name == "gaussian_bump" else -values)
    assert np.array_equal(turned, -slopes if name == "gaussian_bump" else slopes)


FUNCTIONS = {
    "EXP_Q": lambda r: (r.expm1() - r) / r**2,
    "LOG_Q": lambda z: (2 * z.sqrt().atanh() / z.sqrt() - 2) / z,
    "SIN_Q": lambda z: (z.sqrt().sin() / z.sqrt() - 1) / z,
    "COS_Q": lambda z: (z.sqrt().cos() - 1 + z / 2) / z**2,
    "ATAN_Q": lambda z: (z.sqrt().atan() / z.sqrt() - 1) / z,
    "ERF_Q": lambda z: z.sqrt().erf() / z.sqrt(),
    "ERFC_Q": lambda t: (1 + 2 * (3 * (1 + t) / (1 - t))) * ((3 * (1 + t) / (1 - t)) ** 2).exp() * (3 * (1 + t) / (1 - t)).erfc(),
}


@pytest.mark.parametrize("table", TABLES)
def test_the_distance_of_a_polynomial_is_bounded_and_nearly_attained(table):
    found = approximation(table)
    low = max(float(found.low), 1e-9) if table not in ("EXP_Q", "ERFC_Q") else float(found.low)
    worst = 0.0
    with working_precision(400):
        for point in np.linspace(low, float(found.high), 801).tolist():
            if point == 0.0 or not found.low <= Fraction(point) <= found.high:
                continue
            value = arb(0)
            for coefficient in reversed(getattr(el, table)):
                value = value * arb(point) + arb(coefficient)
            distance = abs(value - FUNCTIONS[table](arb(point)))
            assert distance <= found.error
            worst = max(worst, float(distance))
    assert float(found.error) <= 1.3 * worst
