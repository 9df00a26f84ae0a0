"""Moments of affine images: by enumeration, by rules that are exact for polynomials, and by other routes to the same law."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.errors import InputError
from theorems.laws import affine, cube, empirical, gaussian, mixture, rademacher, sphere, student, student_coordinates
from theorems.laws.images import MAX_PRODUCTS, expanded_moment, independent_moment, spherical_moment
from theorems.laws.matrices import AffineMap, affine_map

DIGITS = 40
half = Fraction(1, 2)
FRACTIONS = st.fractions(-3, 3, max_denominator=4)
# Pythagorean rotations: rational entries, orthogonal.
TURN = ((Fraction(3, 5), Fraction(-4, 5), 0), (Fraction(4, 5), Fraction(3, 5), 0), (0, 0, 1))
TILT = ((1, 0, 0), (0, Fraction(5, 13), Fraction(12, 13)), (0, Fraction(-12, 13), Fraction(5, 13)))
ROTATION = tuple(tuple(sum(TURN[i][m] * TILT[m][k] for m in range(3)) for k in range(3)) for i in range(3))


def vectors(size):
    return st.lists(FRACTIONS, min_size=size, max_size=size)


@st.composite
def maps(draw, most=3):
    d, p = draw(st.integers(1, most)), draw(st.integers(1, most))
    rows = draw(st.lists(vectors(d), min_size=p, max_size=p).filter(lambda rows: any(any(row) for row in rows)))
    return affine_map(rows, draw(vectors(p)), d)


def squared(map, x):
    image = [sum(a * entry for a, entry in zip(row, x, strict=True)) + b for row, b in zip(map.rows, map.shift, strict=True)]
    return sum(entry**2 for entry in image)


def imaged(law, map):
    return affine(law, map.rows, map.shift)


@given(maps(4))
def test_signs_by_enumeration(map):
    points = list(itertools.product((-1, 1), repeat=map.source))
    for j in range(5):
        assert imaged(rademacher(map.source), map).even_moment(j) == sum(squared(map, x) ** j for x in points) / len(points)


@given(maps(3), st.integers(1, 4))
@settings(max_examples=25)
def test_cube_by_integration(map, j):
    symbols = sympy.symbols(f"x:{map.source}")
    total = sympy.Integer(0)
    for monomial, coefficient in sympy.Poly(squared(map, symbols) ** j, *symbols).terms():
        integrals = [sympy.Integer(0) if k % 2 else sympy.Rational(2**k, k + 1) for k in monomial]  # over [-2, 2], the mean of x^k
        total += coefficient * math.prod(integrals)
    assert imaged(cube(map.source, 2), map).even_moment(j) == total


@given(maps(4), st.integers(1, 2))
def test_the_closed_form_of_low_orders_is_the_expansion(map, j):
    for coordinate in (lambda k: sympy.Rational(1, 2 * k + 1), lambda k: sympy.Integer(3) ** k, lambda k: sympy.Symbol("m") ** k):
        difference = independent_moment(coordinate, map, j) - expanded_moment(coordinate, map, j)
        assert sympy.expand(difference) == 0


@given(maps(3), st.integers(1, 4), st.fractions(half, 4))
@settings(max_examples=40)
def test_gaussian_by_three_routes(map, j, v):
    """The image's own covariance and mean; rotation invariance; independent coordinates with E g^{2k} = 1 3 ... (2k-1) v^k."""
    law = imaged(gaussian(map.source, v), map)
    assert law.name == "gaussian"
    spread = [[v * sum(a * b for a, b in zip(row, other, strict=True)) for other in map.rows] for row in map.rows]
    exact = sympy.Rational(v)
    known = gaussian(map.target, spread, map.shift)
    assert law == known
    assert known.even_moment(j) == spherical_moment(lambda k: exact**k, map, j)
    assert known.even_moment(j) == independent_moment(lambda k: sympy.factorial2(2 * k - 1) * exact**k, map, j)


def test_a_gaussian_with_a_symbol_for_its_variance_has_images():
    v = sympy.Symbol("v", positive=True)
    law = affine(gaussian(2, v), [[1, 2], [0, half]], [1, -1])
    for j in range(1, 4):
        assert sympy.expand(law.even_moment(j)).subs(v, 3) == affine(gaussian(2, 3), [[1, 2], [0, half]], [1, -1]).even_moment(j)


@pytest.mark.parametrize("j", [1, 2, 3, 4])
def test_circle_by_equispaced_points(j):
    """2j + 1 equispaced points integrate trigonometric polynomials of degree 2j exactly."""
    map = affine_map([[1, half], [-2, Fraction(1, 3)], [0, 3]], [1, 0, half], 2)
    with mpmath.workdps(DIGITS):
        angles = [2 * mpmath.pi * i / (2 * j + 1) for i in range(2 * j + 1)]
        values = [_numeric(map, (5 * mpmath.cos(t), 5 * mpmath.sin(t))) ** j for t in angles]
        exact = imaged(sphere(2, 5), map).even_moment(j)
        assert abs(mpmath.mpf(exact.p) / exact.q - mpmath.fsum(values) / len(values)) <= mpmath.mpf(10) ** -30 * exact


@pytest.mark.parametrize("j", [1, 2, 3, 4])
def test_ball_surface_by_gauss_legendre(j):
    """In space the height is uniform (Archimedes): Gauss-Legendre in it, equispaced angles, exact to degree 2j."""
    from sympy.integrals.quadrature import gauss_legendre

    map = affine_map([[1, half, 0], [-2, Fraction(1, 3), 2]], [1, -3], 3)
    nodes, weights = gauss_legendre(j + 1, DIGITS)
    with mpmath.workdps(DIGITS):
        total = mpmath.mpf(0)
        for node, weight in zip(nodes, weights, strict=True):
            z = mpmath.mpf(str(node))
            rim = mpmath.sqrt(1 - z * z)
            for i in range(2 * j + 1):
                t = 2 * mpmath.pi * i / (2 * j + 1)
                point = (2 * rim * mpmath.cos(t), 2 * rim * mpmath.sin(t), 2 * z)
                total += mpmath.mpf(str(weight)) / 2 * _numeric(map, point) ** j / (2 * j + 1)
        exact = imaged(sphere(3, 2), map).even_moment(j)
        assert abs(mpmath.mpf(exact.p) / exact.q - total) <= mpmath.mpf(10) ** -30 * exact


@pytest.mark.parametrize("j", [1, 2, 3])
def test_student_in_the_plane_by_integration(j):
    map = affine_map([[1, half], [-2, Fraction(1, 3)]], [1, half], 2)
    nu = 13
    with mpmath.workdps(DIGITS):

        def mean_on_circle(r):
            angles = [2 * mpmath.pi * i / (2 * j + 1) for i in range(2 * j + 1)]
            return mpmath.fsum(_numeric(map, (r * mpmath.cos(t), r * mpmath.sin(t))) ** j for t in angles) / len(angles)

        def radial(function):
            density = lambda r: r * (1 + r * r / (nu - 2)) ** (-mpmath.mpf(nu + 2) / 2)  # noqa: E731
            return mpmath.quad(lambda r: function(r) * density(r), [0, 1, 4, 16, 256, mpmath.inf])

        exact = imaged(student(2, nu), map).even_moment(j)
        value = radial(mean_on_circle) / radial(lambda r: mpmath.mpf(1))
        assert abs(mpmath.mpf(exact.p) / exact.q - value) <= mpmath.mpf(10) ** -12 * exact


def test_the_two_student_laws_share_second_moments_only():
    matrix, shift = [[1, 2], [half, -1]], [1, 1]
    one, other = affine(student(2, 9), matrix, shift), affine(student_coordinates(2, 9), matrix, shift)
    assert one.even_moment(1) == other.even_moment(1)
    assert one.even_moment(2) > other.even_moment(2)


@given(st.lists(vectors(3), min_size=1, max_size=4), vectors(3), st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_empirical_image_moves_the_points(points, shift, weights):
    map = AffineMap(affine_map(ROTATION, None, 3).rows, tuple(shift))
    weights = weights[: len(points)]
    law = imaged(empirical(points, weights), map)
    for j in range(4):
        value = sum(w * squared(map, x) ** j for w, x in zip(weights, points, strict=True)) / sum(weights)
        assert law.even_moment(j) == value


LAWS_IN_SPACE = [
    gaussian(3, 2),
    gaussian(3, [[2, 1, 0], [1, 2, 0], [0, 0, 1]], [1, 2, 3]),
    sphere(3, 2),
    cube(3),
    rademacher(3),
    student(3, 15),
    student_coordinates(3, 15),
    mixture([1, 2], [sphere(3), cube(3)]),
    empirical([[1, 2, 3], [0.1, 0, -7]]),
]


@pytest.mark.parametrize("law", LAWS_IN_SPACE, ids=lambda law: law.name)
def test_rotation_and_composition(law):
    """A rotation changes no |x|; two maps one after the other are one map; a square matrix and its rotated form agree."""
    rotated = affine(law, ROTATION)
    for j in range(1, 6):
        assert rotated.even_moment(j) == law.even_moment(j)
    inner, outer = ([[1, 2, 0], [0, half, 1]], [1, 0]), ([[1, -1], [2, 0], [0, 3]], [0, half, 2])
    product = [[sum(Fraction(outer[0][i][m]) * inner[0][m][k] for m in range(2)) for k in range(3)] for i in range(3)]
    moved = [sum(Fraction(outer[0][i][m]) * inner[1][m] for m in range(2)) + outer[1][i] for i in range(3)]
    twice, once = affine(affine(law, *inner), *outer), affine(law, product, moved)
    turned = affine(once, ROTATION)
    for j in range(1, 4):
        assert twice.even_moment(j) == once.even_moment(j) == turned.even_moment(j)


@pytest.mark.parametrize("make", [gaussian, sphere, lambda d: student(d, 15)], ids=["gaussian", "sphere", "student"])
def test_laws_that_no_rotation_changes(make):
    law, matrix = make(3), ((1, 2, 0), (half, 0, 1))
    rotated = [[sum(matrix[i][m] * ROTATION[m][k] for m in range(3)) for k in range(3)] for i in range(2)]
    for j in range(1, 5):
        assert affine(law, rotated, [1, 2]).even_moment(j) == affine(law, matrix, [1, 2]).even_moment(j)


def test_symbols_and_roots_in_the_law_of_the_coordinates():
    """Filled in afterwards they give the moments of numbers; rows that couple two coordinates and one alone."""
    a, nu = sympy.symbols("a nu", positive=True)
    map = [[1, 2, 0], [0, half, 0], [0, 0, 3]], [1, 0, -2]
    for j in range(1, 5):
        by_symbol, by_root = affine(cube(3, a), *map).even_moment(j), affine(cube(3, sympy.root(2, 4)), *map).even_moment(j)
        assert by_symbol.subs(a, 5) == affine(cube(3, 5), *map).even_moment(j)
        assert sympy.expand(by_symbol.subs(a, sympy.root(2, 4)) - by_root) == 0
        image = affine(student_coordinates(3, nu), *map)
        assert image.even_moment(j).subs(nu, 15) == affine(student_coordinates(3, 15), *map).even_moment(j)
        assert image.condition(j) == (nu > 2 * j)


def test_scaled_laws_have_images():
    for law in (cube(2), student(2, 15), gaussian(2)):
        one, other = affine(affine(law, 3), [[1, 2]], [half]), affine(law, [[3, 6]], [half])
        assert all(one.even_moment(j) == other.even_moment(j) for j in range(1, 4))


def test_large_images():
    """Rotation-invariant laws at any size; independent coordinates where A^T A couples few, or for j <= 2."""
    rng = np.random.default_rng(3)
    dense, shift = rng.standard_normal((48, 48)), rng.standard_normal(48)
    for law in (sphere(48), student(48, 40), gaussian(48)):
        assert affine(law, dense, shift).even_moment(6) > 0
    diagonal = affine(cube(48), np.diag(dense[0]), shift)
    assert diagonal.even_moment(6) > diagonal.even_moment(3) ** 2
    product = affine(cube(48), dense, shift)
    assert product.even_moment(2) > product.even_moment(1) ** 2
    with pytest.raises(InputError, match=rf"at most {MAX_PRODUCTS} are tried: its largest block .* couples has 48$") as error:
        product.even_moment(3)
    assert "\n" not in str(error.value)


def _numeric(map, point):
    """|A x + b|^2 in mpmath numbers."""
    total = mpmath.mpf(0)
    for row, b in zip(map.rows, map.shift, strict=True):
        entry = mpmath.mpf(b.numerator) / b.denominator
        for a, x in zip(row, point, strict=True):
            entry += mpmath.mpf(a.numerator) / a.denominator * x
        total += entry**2
    return total
