"""The loss gap without cancellation, against mpmath, from e = 1e-18 to 1e6."""

import mpmath as mp
import numpy as np
import pytest

from numerics.errors import NumericsError
from numerics.losses import evaluate, program_loss, square_loss

EPS = np.finfo(float).eps
RIDGE = 0.125
#: Relative error of a gap: the rule is exact to about 1e-16, the rest is rounding of nodes, l'' and the sum of 16 terms.
GAP_ACCURACY = 100 * EPS
OFFSETS = np.concatenate([sign * 10.0 ** np.arange(-18, 7) for sign in (1.0, -1.0)])

DIFFERENCE = [("input", (), 0), ("input", (), 1), ("constant", (), -1.0), ("multiply", (1, 2), None), ("add", (0, 3), None)]


def pseudo_huber():
    """sqrt(1 + u^2) - 1 + ridge u^2/2 with u = y - t; slope u/sqrt(1 + u^2) + ridge u; curvature (1 + u^2)^(-3/2) + ridge."""
    return program_loss(
        [
            *DIFFERENCE, ("power", (4,), 2), ("constant", (), 1.0), ("add", (5, 6), None), ("sqrt", (7,), None),  # 8
            ("add", (8, 2), None), ("constant", (), RIDGE / 2), ("multiply", (5, 10), None), ("add", (9, 11), None),  # 12
            ("power", (8,), -1), ("multiply", (4, 13), None), ("constant", (), RIDGE), ("multiply", (4, 15), None),
            ("add", (14, 16), None), ("power", (8,), -3), ("add", (18, 15), None),  # 19
        ],
        (12, 17, 19),
    )  # fmt: skip


def sharp_log_cosh(scale):
    """log cosh(a u)/a^2 + ridge u^2/2: slope tanh(a u)/a + ridge u, curvature 1/cosh(a u)^2 + ridge. Its scale is 1/a."""
    return program_loss(
        [
            *DIFFERENCE, ("constant", (), scale), ("multiply", (4, 5), None), ("cosh", (6,), None), ("log", (7,), None),  # 8
            ("constant", (), 1 / scale**2), ("multiply", (8, 9), None), ("power", (4,), 2), ("constant", (), RIDGE / 2),
            ("multiply", (11, 12), None), ("add", (10, 13), None),  # 14
            ("tanh", (6,), None), ("constant", (), 1 / scale), ("multiply", (15, 16), None), ("constant", (), RIDGE),
            ("multiply", (4, 18), None), ("add", (17, 19), None),  # 20
            ("power", (7,), -2), ("add", (21, 18), None),  # 22
        ],
        (14, 20, 22),
    )  # fmt: skip


def logistic():
    """log(1 + exp(-t y)) + ridge y^2/2 with t = +-1: slope -t/(1 + exp(t y)) + ridge y, curvature 1/(4 cosh(y/2)^2) + ridge."""
    return program_loss(
        [
            *DIFFERENCE[:2], ("multiply", (0, 1), None), ("constant", (), -1.0), ("multiply", (2, 3), None),
            ("exp", (4,), None), ("constant", (), 1.0), ("add", (5, 6), None), ("log", (7,), None), ("power", (0,), 2),
            ("constant", (), RIDGE / 2), ("multiply", (9, 10), None), ("add", (8, 11), None),  # 12
            ("exp", (2,), None), ("add", (13, 6), None), ("power", (14,), -1), ("multiply", (15, 1), None),
            ("multiply", (16, 3), None), ("constant", (), RIDGE), ("multiply", (0, 18), None), ("add", (17, 19), None),  # 20
            ("constant", (), 0.5), ("multiply", (0, 21), None), ("cosh", (22,), None), ("power", (23,), -2),
            ("constant", (), 0.25), ("multiply", (24, 25), None), ("add", (26, 18), None),  # 27
        ],
        (12, 20, 27),
    )  # fmt: skip


def exact_logistic_minimizer(target):
    return mp.findroot(lambda y: -target / (1 + mp.exp(target * y)) + mp.mpf(RIDGE) * y, mp.mpf(target))


def assert_gaps(kernel, loss, target, minimizer, offsets, accuracy=GAP_ACCURACY):
    """Compare with loss(y) - loss(y*), where the gap belongs to the float64 y* that the kernel is given.

    If y* is rounded, l'(y*) e is a genuine part of the difference that the integral leaves out by design: the reference does too.
    """
    y = minimizer + offsets
    targets, minima = np.full_like(y, target), np.full_like(y, minimizer)
    gaps, slopes = evaluate(kernel, y, targets, minima)
    with mp.workdps(120):
        y_star, t = mp.mpf(minimizer), mp.mpf(target)
        tilt = mp.diff(lambda v: loss(v, t), y_star)
        for value, gap, slope in zip(y, gaps, slopes, strict=True):
            e = mp.mpf(float(value)) - y_star
            exact = loss(mp.mpf(float(value)), t) - loss(y_star, t) - tilt * e
            assert abs(mp.mpf(float(gap)) - exact) <= accuracy * abs(exact), float(e)
            # The slope is a plain evaluation: its error is a few ulp of its terms, not of their difference.
            exact_slope = mp.diff(lambda v: loss(v, t), mp.mpf(float(value)))
            terms = 1 + RIDGE * abs(value)
            assert abs(mp.mpf(float(slope)) - exact_slope) <= 8 * EPS * terms, float(e)


def test_square_loss_is_exact():
    y = np.array([0.0, 1.0, 1.0 + 2.0**-30, -3.0])
    gaps, slopes = evaluate(square_loss(), y, np.ones(4), np.ones(4))
    np.testing.assert_array_equal(slopes, y - 1.0)
    np.testing.assert_array_equal(gaps, (y - 1.0) ** 2 / 2)


def test_pseudo_huber():
    def loss(y, t):
        return mp.sqrt(1 + (y - t) ** 2) - 1 + mp.mpf(RIDGE) / 2 * (y - t) ** 2

    assert_gaps(pseudo_huber(), loss, 0.0, 0.0, OFFSETS)
    assert_gaps(pseudo_huber(), loss, 0.75, 0.75, OFFSETS[np.abs(OFFSETS) > EPS])


@pytest.mark.parametrize("scale", [1.0, 8.0, 0.125])
def test_log_cosh_of_any_sharpness(scale):
    """The panels adapt to a loss whose curvature varies on a scale of an eighth, or of eight."""

    def loss(y, t):
        u = y - t
        return mp.log(mp.cosh(scale * u)) / mp.mpf(scale) ** 2 + mp.mpf(RIDGE) / 2 * u**2

    offsets = OFFSETS[np.abs(OFFSETS) * scale < 300.0]  # cosh overflows beyond 710
    assert_gaps(sharp_log_cosh(scale), loss, 0.0, 0.0, offsets)


@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_logistic_with_ridge(target):
    def loss(y, t):
        return mp.log1p(mp.exp(-t * y)) + mp.mpf(RIDGE) / 2 * y**2

    with mp.workdps(60):
        minimizer = float(exact_logistic_minimizer(target))
    assert_gaps(logistic(), loss, target, minimizer, OFFSETS[(np.abs(OFFSETS) > 1e-15) & (np.abs(OFFSETS) < 300.0)])


def test_an_oscillating_loss_far_out_falls_back_to_the_difference():
    """u^2 + 3 sin^2 u is PL and not convex; at e = 1e4 the panels run out and the plain difference is well conditioned."""
    kernel = program_loss(
        [
            *DIFFERENCE, ("power", (4,), 2), ("sin", (4,), None), ("power", (6,), 2), ("constant", (), 3.0),
            ("multiply", (7, 8), None), ("add", (5, 9), None), ("cos", (4,), None), ("multiply", (6, 11), None),
            ("constant", (), 6.0), ("multiply", (12, 13), None), ("constant", (), 2.0), ("multiply", (4, 15), None),
            ("add", (14, 16), None), ("power", (11,), 2), ("multiply", (7, 2), None), ("add", (18, 19), None),
            ("multiply", (20, 13), None), ("add", (21, 15), None),
        ],
        (10, 17, 22),
    )  # fmt: skip
    e = np.array([1e-6, 0.3, 2.0, 30.0, 1e4])
    gaps, slopes = evaluate(kernel, e, np.zeros(5), np.zeros(5))
    with mp.workdps(60):
        for x, gap, slope in zip(e, gaps, slopes, strict=True):
            u = mp.mpf(float(x))
            exact = u**2 + 3 * mp.sin(u) ** 2
            assert abs(mp.mpf(float(gap)) - exact) <= 1e-13 * exact, x
            assert abs(mp.mpf(float(slope)) - 2 * u - 3 * mp.sin(2 * u)) <= 16 * EPS * (2 * u + 3)


def test_no_gap_at_the_minimizer():
    gaps, _ = evaluate(pseudo_huber(), np.full((2, 2), 0.5), np.full((2, 2), 0.5), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(gaps, np.zeros((2, 2)))


def test_not_a_number_stays_one():
    gaps, slopes = evaluate(pseudo_huber(), np.array([np.nan]), np.zeros(1), np.zeros(1))
    assert np.isnan(gaps).all()
    assert np.isnan(slopes).all()


def test_mismatched_arguments_are_refused():
    with pytest.raises(NumericsError, match="one shape"):
        evaluate(square_loss(), np.zeros(3), np.zeros(2), np.zeros(3))
    with pytest.raises(NumericsError, match="three registers"):
        program_loss([("input", (), 0)], (0, 0))
