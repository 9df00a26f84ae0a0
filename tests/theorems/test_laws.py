"""Even moments of laws: against summation, integration and published values; which exist; what is refused; what they must obey."""

from __future__ import annotations

import importlib
import itertools
import math
import pkgutil
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.stats
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import theorems.laws
from theorems.errors import InputError
from theorems.laws import (
    LAWS,
    affine,
    cube,
    empirical,
    gaussian,
    law_maker,
    mixture,
    rademacher,
    sphere,
    student,
    student_coordinates,
)
from theorems.laws.images import matrix_moment
from theorems.laws.matrices import to_flint
from theorems.laws.recursions import cumulants_from_moments, moments_from_cumulants

D = sympy.Symbol("d", integer=True, positive=True)
NU = sympy.Symbol("nu", positive=True)
A = sympy.Symbol("a", positive=True)
DIGITS = 40
EPS = float(np.finfo(float).eps)
half = Fraction(1, 2)


def close(value, reference, digits=30):
    """Both to ``digits`` digits; the quadratures below work with ten more."""
    with mpmath.workdps(DIGITS):
        return abs(mpmath.mpf(str(sympy.N(value, DIGITS))) - reference) <= mpmath.mpf(10) ** -digits * abs(reference)


# Published and exact values.


def even_moments(law, count):
    return tuple(law.even_moment(j) for j in range(1, count + 1))


def test_digits_moments_are_the_published_sums():
    """Sums over the 1797 rows, computed elsewhere."""
    law = empirical(load_digits().data)
    assert [1797 * moment for moment in even_moments(law, 2)] == [6907012, 27148857892]
    assert law.dimension == 64


@pytest.mark.parametrize("j", range(8))
def test_standard_gaussian_is_the_rising_product(j):
    product = math.prod([D + 2 * i for i in range(j)], start=sympy.Integer(1))
    assert sympy.expand(gaussian(D).even_moment(j) - product) == 0
    assert sympy.expand(gaussian(D, A).even_moment(j) - product * A**j) == 0


def test_moments_that_are_a_power():
    assert even_moments(sphere(D, A), 4) == tuple(A ** (2 * j) for j in range(1, 5))
    assert even_moments(sphere(D), 4) == even_moments(rademacher(D), 4) == (D, D**2, D**3, D**4)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_rademacher_by_enumeration(d):
    points = list(itertools.product((-1, 1), repeat=d))
    for j in range(5):
        assert rademacher(d).even_moment(j) == Fraction(sum(sum(x * x for x in point) ** j for point in points), len(points))


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("j", [1, 2, 3, 4])
def test_cube_by_integration(d, j):
    symbols = sympy.symbols(f"x:{d}")
    integral = sum(x**2 for x in symbols) ** j
    for x in symbols:
        integral = sympy.integrate(sympy.expand(integral), (x, -A, A)) / (2 * A)
    assert sympy.expand(cube(d, A).even_moment(j) - integral) == 0
    assert sympy.expand(cube(D, A).even_moment(j).subs(D, d) - integral) == 0
    assert cube(d).even_moment(j) == integral.subs(A, sympy.sqrt(3)).expand()


@pytest.mark.parametrize(("d", "nu"), [(1, 9), (2, Fraction(19, 2)), (5, 8.125), (16, 30)])
def test_student_by_its_radial_density(d, nu):
    """The density is proportional to (1 + |x|^2/(nu - 2))^{-(nu + d)/2}."""
    law = student(d, nu)
    with mpmath.workdps(DIGITS):
        exact = mpmath.mpf(Fraction(nu).numerator) / Fraction(nu).denominator

        def radial(power):
            return mpmath.quad(
                lambda r: r ** (d - 1 + power) * (1 + r * r / (exact - 2)) ** (-(exact + d) / 2), [0, 1, 4, 16, 256, mpmath.inf]
            )

        mass = radial(0)
        for j in (1, 2, 3):
            assert close(law.even_moment(j), radial(2 * j) / mass, 12)  # the tail r^{-nu + 2j - 1} is what limits the quadrature


@pytest.mark.parametrize("nu", [9, 12.5])
def test_student_against_another_library(nu):
    """One coordinate, where the two Student laws agree: variance and excess kurtosis of scipy's t, which it has in closed form."""
    variance, excess = (float(value) for value in scipy.stats.t(nu).stats("vk"))
    for law in (student(1, nu), student_coordinates(1, nu)):
        assert law.even_moment(1) == 1
        assert abs(variance * (nu - 2) / nu - 1) <= 4 * EPS
        assert abs(float(law.even_moment(2)) - (3 + excess)) <= 8 * EPS * (3 + excess)


@pytest.mark.parametrize("nu", [9, Fraction(25, 2), 40])
def test_student_by_the_gamma_function(nu):
    """E t^{2k} = nu^k Gamma(k + 1/2) Gamma(nu/2 - k)/(sqrt(pi) Gamma(nu/2)) for the unscaled t."""
    with mpmath.workdps(DIGITS):
        v = mpmath.mpf(Fraction(nu).numerator) / Fraction(nu).denominator
        for k in (1, 2, 3, 4):
            known = (v - 2) ** k * mpmath.gamma(k + 0.5) * mpmath.gamma(v / 2 - k) / (mpmath.sqrt(mpmath.pi) * mpmath.gamma(v / 2))
            assert close(student(1, nu).even_moment(k), known)
            assert close(student_coordinates(1, nu).even_moment(k), known)


def test_student_coordinates_by_summation_over_the_coordinates():
    """E(x_1^2 + ... + x_d^2)^j by the multinomial theorem, from E t^2 = 1 and E t^4 = 3 (nu - 2)/(nu - 4)."""
    fourth = 3 * (NU - 2) / (NU - 4)
    assert sympy.simplify(student_coordinates(D, NU).even_moment(2) - (D * fourth + D * (D - 1))) == 0
    sixth = 15 * (NU - 2) ** 2 / ((NU - 4) * (NU - 6))
    known = D * sixth + 3 * D * (D - 1) * fourth + D * (D - 1) * (D - 2)
    assert sympy.simplify(student_coordinates(D, NU).even_moment(3) - known) == 0


@pytest.mark.parametrize("j", [1, 2, 3, 4, 5])
def test_gaussian_with_covariance_by_gauss_hermite(j):
    """In the plane; a rule of j + 1 nodes is exact for polynomials of degree 2j + 1."""
    factor, mean = ((Fraction(3, 2), 0), (-1, Fraction(2, 3))), (Fraction(1, 4), -2)
    covariance = [[sum(factor[i][m] * factor[k][m] for m in range(2)) for k in range(2)] for i in range(2)]
    law = gaussian(2, covariance, mean)
    from sympy.integrals.quadrature import gauss_hermite

    nodes, weights = gauss_hermite(j + 1, DIGITS)
    total = 0
    for (u, p), (v, q) in itertools.product(zip(nodes, weights, strict=True), repeat=2):
        z = [mean[i] + sympy.sqrt(2) * (factor[i][0] * u + factor[i][1] * v) for i in range(2)]
        total += p * q / sympy.pi * (z[0] ** 2 + z[1] ** 2) ** j
    with mpmath.workdps(DIGITS):
        assert close(law.even_moment(j), mpmath.mpf(str(sympy.N(total, DIGITS))))


def test_gaussian_on_the_line_by_integration():
    """E z^{2j}, z ~ N(3/4, 2), by quadrature of the density."""
    law = gaussian(1, 2, [0.75])
    with mpmath.workdps(DIGITS):
        for j in (1, 4, 8):
            density = lambda z, j=j: z ** (2 * j) * mpmath.npdf(z, mpmath.mpf(3) / 4, mpmath.sqrt(2))  # noqa: E731
            assert close(law.even_moment(j), mpmath.quad(density, [-40, -10, -3, 0, 3, 10, 40]), 25)


@given(st.integers(1, 4).flatmap(lambda d: st.lists(st.lists(st.integers(-9, 9), min_size=d, max_size=d), min_size=1, max_size=5)))
def test_empirical_by_summation(rows):
    for j in range(4):
        assert empirical(rows).even_moment(j) == Fraction(sum(sum(x * x for x in row) ** j for row in rows), len(rows))


@given(st.lists(st.tuples(st.floats(-1e150, 1e150), st.floats(-1, 1)), min_size=1, max_size=4), st.data())
def test_empirical_of_doubles_is_exact(rows, data):
    weights = data.draw(st.lists(st.floats(0, 1), min_size=len(rows), max_size=len(rows)).filter(any))
    exact = [[Fraction(x) for x in row] for row in rows]
    total = sum(map(Fraction, weights))
    for j in (1, 2):
        value = sum(Fraction(w) * sum(x * x for x in row) ** j for w, row in zip(weights, exact, strict=True)) / total
        assert empirical(np.array(rows), np.array(weights)).even_moment(j) == value


def test_arrays_lists_and_sympy_matrices_are_the_same_data():
    rows = [[1, 2], [3, -4]]
    laws = [empirical(form) for form in (rows, np.array(rows), np.array(rows, dtype=np.float32), sympy.Matrix(rows))]
    assert len(set(laws)) == 1


def test_sympy_matrices_are_read_as_matrices():
    spread, center = [[2, 1], [1, 1]], [1, -3]
    assert gaussian(2, sympy.Matrix(spread), sympy.Matrix(center)) == gaussian(2, spread, np.array(center))
    law = affine(cube(2), sympy.Matrix(spread), sympy.Matrix([center]))
    assert law == affine(cube(2), np.array(spread), center)
    assert even_moments(law, 3) == even_moments(affine(cube(2), spread, center), 3)


def test_a_typed_tenth_is_the_double_it_is():
    assert sphere(3, 0.1).even_moment(1) == Fraction(0.1) ** 2 != Fraction(1, 100)


# What exists.


@pytest.mark.parametrize("make", [student, student_coordinates])
@pytest.mark.parametrize(("nu", "highest"), [(2.5, 2), (3, 2), (4, 2), (Fraction(401, 100), 4), (5, 4), (6, 4), (6.5, 6), (11, 10)])
def test_student_moments_exist_below_nu_only(make, nu, highest):
    law = make(3, nu)
    assert law.highest_moment == highest
    for j in range(1, 8):
        if 2 * j < nu:
            assert law.condition(j) is sympy.true
            assert law.even_moment(j) > 0
        else:
            assert law.condition(j) is sympy.false
            message = rf"E\|x\|\^{2 * j} of the law '{law.name}' does not exist: its moments exist up to order {highest}$"
            with pytest.raises(InputError, match=message):
                law.even_moment(j)


@pytest.mark.parametrize("make", [student, student_coordinates])
def test_a_symbol_for_nu_carries_its_condition(make):
    law = make(4, NU)
    assert law.condition(3) == (NU > 6)
    assert law.highest_moment.subs(NU, 7) == 6
    assert law.even_moment(3).subs(NU, 7) == make(4, 7).even_moment(3)
    assert mixture([1, 1], [law, make(4, 7)]).condition(2) == (NU > 4)


def test_a_moment_missing_in_a_part_is_missing_in_the_whole():
    whole = mixture([1, 3], [gaussian(2), student(2, 5)])
    for law in (whole, affine(whole, 2), affine(whole, [[1, 1]], [3]), affine(student(2, 5), [[1, 0]])):
        assert law.highest_moment == 4
        law.even_moment(2)
        with pytest.raises(InputError, match=r"E\|x\|\^6 .* does not exist: its moments exist up to order 4$"):
            law.even_moment(3)


def test_an_image_in_one_point_has_every_moment():
    law = affine(student(2, 5), [[0, 0]], [Fraction(3, 2)])
    assert law.highest_moment == sympy.oo
    assert law.even_moment(7) == Fraction(3, 2) ** 14


# What moments obey.

LAWS_DRAWN = st.one_of(
    st.builds(gaussian, st.integers(1, 6), st.fractions(half, 3)),
    st.builds(sphere, st.integers(1, 6), st.fractions(half, 3)),
    st.builds(cube, st.integers(1, 6), st.fractions(half, 3)),
    st.builds(rademacher, st.integers(1, 6)),
    st.builds(student, st.integers(1, 6), st.fractions(Fraction(121, 10), 40)),
    st.builds(student_coordinates, st.integers(1, 6), st.fractions(Fraction(121, 10), 40)),
)
COMPOSED = st.one_of(
    LAWS_DRAWN,
    st.lists(st.tuples(st.integers(1, 5), st.floats(0.5, 2)), min_size=1, max_size=3).map(
        lambda parts: mixture([weight for weight, _ in parts], [gaussian(3, scale) for _, scale in parts])
    ),
    st.lists(st.integers(-5, 5), min_size=3, max_size=3).map(
        lambda row: affine(cube(3), [row, [1, 0, 2]], [half, -1]) if any(row) else sphere(2)
    ),
    st.lists(st.lists(st.floats(-4, 4), min_size=2, max_size=2), min_size=1, max_size=5).map(empirical),
)


@given(COMPOSED)
def test_lyapunov(law):
    """M_{2j}^2 <= M_{2j-2} M_{2j+2} (Cauchy-Schwarz), and M_{2j}^{1/2j} increases."""
    moments = [law.even_moment(j) for j in range(7)]
    assert moments[0] == 1
    for low, middle, high in zip(moments, moments[1:], moments[2:], strict=False):
        assert middle**2 <= low * high
    for j in range(1, 6):
        assert moments[j] ** (j + 1) <= moments[j + 1] ** j


@given(COMPOSED, st.fractions(Fraction(1, 7), 7))
def test_scaling(law, c):
    scaled = affine(law, c)
    by_matrix = affine(law, [[-c if i == k else 0 for k in range(law.dimension)] for i in range(law.dimension)])
    for j in range(5):
        assert scaled.even_moment(j) == by_matrix.even_moment(j) == sympy.Rational(c) ** (2 * j) * law.even_moment(j)


def test_scaling_by_a_symbol():
    for law in (gaussian(D), cube(D), student(D, NU)):
        assert affine(law, A).even_moment(3) == A**6 * law.even_moment(3)
        assert affine(law, sympy.sqrt(D)).even_moment(2) == D**2 * law.even_moment(2)


@given(st.lists(st.tuples(st.integers(1, 9), LAWS_DRAWN), min_size=1, max_size=4))
def test_mixtures_are_linear(parts):
    parts = [(weight, affine(law, [[1] * int(law.dimension)])) for weight, law in parts]
    whole = mixture([weight for weight, _ in parts], [law for _, law in parts])
    total = sum(weight for weight, _ in parts)
    for j in range(4):
        assert whole.even_moment(j) == sum(Fraction(weight, total) * law.even_moment(j) for weight, law in parts)


def test_a_mixture_of_points_is_the_empirical_measure():
    points = [[1, 2], [half, -3], [0, 4]]
    law = mixture([1, 2, 5], [empirical([point]) for point in points])
    for j in range(6):
        assert law.even_moment(j) == empirical(points, [1, 2, 5]).even_moment(j)


@given(st.lists(st.fractions(-4, 4, max_denominator=9), min_size=1, max_size=8))
def test_cumulants_and_moments_are_inverse(cumulants):
    assert cumulants_from_moments(moments_from_cumulants(cumulants, Fraction(1))) == cumulants


def test_a_scalar_covariance_is_that_times_the_identity():
    rows = ((Fraction(5, 3), Fraction(0)), (Fraction(0), Fraction(5, 3)))
    zero = to_flint(((Fraction(0),), (Fraction(0),)))
    for j in range(1, 7):
        assert gaussian(2, Fraction(5, 3)).even_moment(j) == matrix_moment(to_flint(rows), zero, j)
        assert gaussian(2, Fraction(5, 3), [1, 2]) == gaussian(2, rows, [1, 2])


def test_a_singular_covariance_lives_on_a_line():
    law, line = gaussian(3, [[1, 2, 0], [2, 4, 0], [0, 0, 0]]), gaussian(1, 5)
    assert even_moments(law, 5) == even_moments(line, 5)


@pytest.mark.parametrize(
    "law", [gaussian(D), sphere(D), cube(D), rademacher(D), student(D, NU), student_coordinates(D, NU)], ids=lambda law: law.name
)
def test_symbols_can_be_filled_in_afterwards(law):
    number = LAWS[law.name](*([7, 31] if law.parameters and law.parameters[0][0] == "degrees_of_freedom" else [7]))
    for j in range(6):
        assert sympy.simplify(law.even_moment(j).subs({D: 7, NU: 31}) - number.even_moment(j)) == 0


def test_every_law_defined_is_in_the_catalogue():
    modules = {module.name for module in pkgutil.iter_modules(theorems.laws.__path__)}
    defined = {name for name in modules if callable(vars(importlib.import_module(f"theorems.laws.{name}")).get(name, None))}
    assert defined == set(LAWS)
    assert all(law_maker(name) is make for name, make in LAWS.items())
