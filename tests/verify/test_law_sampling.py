"""Draws from the laws: what a problem file draws, the moments of the theorem side, seeds, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
import sympy

from theorems.laws import (
    LAWS,
    affine,
    cube,
    empirical,
    gaussian,
    mixture,
    rademacher,
    sphere,
    student,
    student_coordinates,
)
from theorems.laws.sampling_bounds import METHODS, sample_moment_bounds
from verify.errors import ProblemError
from verify.law_sampling import SAMPLERS, draw
from verify.options import DataOptions
from verify.sources import synthetic_law

MATRIX = [[1, 2, 0], [Fraction(1, 2), 0, -1]]
EXAMPLES = [
    gaussian(4, Fraction(9, 4)),
    gaussian(2, [[2, 1], [1, 1]], [1, -3]),
    gaussian(3, [[1, 2, 0], [2, 4, 0], [0, 0, 0]]),
    sphere(3, 2),
    cube(5, 1.25),
    rademacher(3),
    student(4, 21),
    student_coordinates(4, 21),
    mixture([1, 3], [sphere(3, 4), gaussian(3)]),
    affine(sphere(3), MATRIX, [1, 2]),
    affine(cube(3), MATRIX, [1, 2]),
    affine(student(3, 25), MATRIX),
    affine(cube(2), sympy.sqrt(2)),
    affine(rademacher(3), MATRIX, [0, -1]),
    empirical([[1, 2], [0.1, -7], [3, 3]], [1, 2, 5]),
    empirical([[1], [2], [4]]),
]
DEVIATIONS = 5.0  # a correct mean is farther off with probability 6e-7 by the central limit theorem; seeds are fixed


def names(law):
    return law.name


def test_every_law_has_a_sampler():
    assert set(SAMPLERS) == set(LAWS) == {law.name for law in EXAMPLES}


@pytest.mark.parametrize("law", [gaussian(3), sphere(3), cube(3), student(3, 7.5)], ids=names)
def test_the_laws_of_a_problem_file_are_drawn_as_there(law):
    nu = 7.5 if law.name == "student" else None
    options = DataOptions(source=law.name, points=50, dimension=3, seed=11, degrees_of_freedom=nu, normalize="none")
    assert np.array_equal(draw(law, 50, 11), synthetic_law(options).features)


def check_moments(law, count, seed, orders):
    """The mean of |x|^{2j} lies within DEVIATIONS standard deviations, those from the exact M_{4j}, or rounding of M_{2j}."""
    squares = np.sum(draw(law, count, seed) ** 2, axis=1)
    for j in orders:
        exact, second = float(law.even_moment(j)), float(law.even_moment(2 * j))
        deviation = math.sqrt(max(second - exact**2, 0.0) / count)
        # A draw is off by a few roundings relatively, |x|^{2j} by 2j times as much; the mean sums pairwise.
        rounding = 64 * j * np.finfo(float).eps * exact
        assert abs(np.mean(squares**j) - exact) <= DEVIATIONS * deviation + rounding, (law.name, j)


@pytest.mark.parametrize("law", EXAMPLES, ids=names)
def test_moments_of_draws(law):
    check_moments(law, 20_000, 5, (1, 2))


@pytest.mark.validate
@pytest.mark.parametrize("law", EXAMPLES, ids=names)
def test_moments_of_many_draws(law):
    for seed in range(5):
        check_moments(law, 1_000_000, seed, (1, 2, 3))


def test_draws_of_a_wrong_law_are_noticed():
    """The two Student laws differ in M_4 only: the interval of the one does not hold the mean of the other."""
    law, other = student(16, 21), student_coordinates(16, 21)
    squares = np.sum(draw(other, 20_000, 5) ** 2, axis=1)
    exact, second = float(law.even_moment(2)), float(law.even_moment(4))
    assert abs(np.mean(squares**2) - exact) > DEVIATIONS * math.sqrt((second - exact**2) / 20_000)


@pytest.mark.parametrize("law", EXAMPLES, ids=names)
def test_seeds(law):
    points = draw(law, 300, 3)
    assert points.shape == (300, law.dimension)
    assert points.dtype == np.float64
    assert np.array_equal(points, draw(law, 300, 3))
    assert not np.array_equal(points, draw(law, 300, 4))
    # But for the rounding of matrix products of at most three terms, the first points do not depend on how many follow.
    assert np.allclose(points[:77], draw(law, 77, 3), rtol=0, atol=16 * np.finfo(float).eps * np.abs(points).max())


def test_a_weight_of_zero_is_never_drawn():
    points = draw(empirical([[1], [2], [3]], [0, 1, 0]), 1000, 0)
    assert (points == 2).all()


D, C = sympy.Symbol("d", integer=True, positive=True), sympy.Symbol("c", positive=True)
BAD = [
    (
        lambda: draw(gaussian(D), 3, 0),
        "drawing points needs a number for the dimension",
    ),
    (lambda: draw(sphere(2, C), 3, 0), "radius must be a number where points are drawn, got"),
    (
        lambda: draw(student(2, C), 3, 0),
        "degrees_of_freedom must be a number where points are drawn",
    ),
    (lambda: draw(affine(cube(2), C), 3, 0), "matrix must be a number where points are drawn"),
    (lambda: draw("gaussian", 3, 0), "law must be a law that can be drawn from"),
    (lambda: draw(cube(2), 0, 0), "count must be a positive integer, got 0"),
    (lambda: draw(cube(2), 2.5, 0), "count must be a positive integer, got 2.5"),
    (lambda: draw(cube(2), 2, -1), "seed must be a nonnegative integer, got -1"),
    (lambda: draw(cube(10**6), 10**9, 0), "of memory"),
    (lambda: draw(empirical([[10**400]]), 2, 0), "points must be within the range of doubles"),
    (lambda: draw(cube(2, 10**400), 2, 0), "half_width must be within the range of doubles"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_one_sentence(make, message):
    with pytest.raises(ProblemError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.validate
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("law", [gaussian(5), cube(5), student(5, 17), student_coordinates(5, 17), EXAMPLES[8]], ids=names)
def test_bounds_of_sample_moments_fail_as_seldom_as_stated(law, method):
    """Failing samples counted against the binomial law of the stated probability: more would occur by chance once in 10^6."""
    layers, n, delta, samples = 3, 40, 0.2, 4000
    bounds = [float(bound.bound) for bound in sample_moment_bounds(law, layers, n, delta, method)]
    squares = np.sum(draw(law, n * samples, 17) ** 2, axis=1).reshape(samples, n)
    exceeded = np.stack([np.mean(squares**j, axis=1) > bound for j, bound in enumerate(bounds, start=1)])
    assert exceeded.any(axis=0).sum() <= scipy.stats.binom(samples, delta).ppf(1 - 1e-6)
    assert (exceeded.sum(axis=1) <= scipy.stats.binom(samples, delta / layers).ppf(1 - 1e-6)).all()
