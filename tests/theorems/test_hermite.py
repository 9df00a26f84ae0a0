"""Enclosed Hermite expansions: coefficients against mpmath, moments against published values, the error bound against its truth."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from theorems import hermite
from theorems.activations import activation
from theorems.arithmetic import BALL, FLOAT, SYMBOLIC, ball, lower, upper
from theorems.dual import Covariance, covariance, dual_activation, series_of
from theorems.errors import InputError

CONTEXT = mpmath.MPContext()
CONTEXT.dps = 30
PHI: dict[str, Any] = {
    "tanh": CONTEXT.tanh,
    "softplus": lambda s: CONTEXT.log1p(CONTEXT.exp(s)),
    "sqrt(1+s**2)": lambda s: CONTEXT.sqrt(1 + s * s),
}


def hermite_integral(phi: Any, sigma: Any, k: int) -> Any:
    """E phi(sigma Z) h_k(Z) by mpmath's own Gauss-Legendre panels."""
    factor = CONTEXT.sqrt(2 * CONTEXT.pi) * CONTEXT.sqrt(CONTEXT.factorial(k))

    def integrand(z: Any) -> Any:
        probabilists = CONTEXT.hermite(k, z / CONTEXT.sqrt(2)) / CONTEXT.mpf(2) ** (CONTEXT.mpf(k) / 2)
        return phi(sigma * z) * probabilists * CONTEXT.exp(-z * z / 2)

    return CONTEXT.quad(integrand, CONTEXT.linspace(-14, 14, 15)) / factor


@pytest.mark.parametrize("name", PHI)
def test_coefficients_against_quadrature(name: str) -> None:
    found = hermite.expansion(activation(name), Fraction(9, 4))
    for k in (1, 10):
        oracle = hermite_integral(PHI[name], CONTEXT.mpf(3) / 2, k)
        near = Fraction(int(CONTEXT.floor(oracle * 10**28)), 10**28)
        assert lower(found.value.coefficients[k]) <= near + Fraction(1, 10**20)
        assert near - Fraction(1, 10**20) <= upper(found.value.coefficients[k])
        assert upper(found.value.coefficients[k]) - lower(found.value.coefficients[k]) < Fraction(1, 10**21)


# Computed independently (docs: Gaussian moments of activations): E phi and E phi^2, 14 digits.
MOMENTS = {
    "tanh": (0.0, 0.39429449039784),
    "sigmoid": (0.5, 0.29337903585809),
    "silu": (0.20662096414191, 0.35577551981735),
    "gelu": (0.28209479177388, 0.42522148257030),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_published_moments(name: str) -> None:
    mean, square = MOMENTS[name]
    found = hermite.expansion(activation(name), 1)
    assert abs(float(found.value.coefficients[0].mid()) - mean) < 1e-14
    assert abs(float(found.value.square.mid()) - square) < 1e-14


@pytest.mark.parametrize("name", ["gelu", "silu", "softplus", "sigmoid", "tanh", "arctan"])
def test_relative_width_at_unit_variance(name: str) -> None:
    series = series_of(activation(name))
    for c in (Fraction(1, 3), Fraction(-9, 10), 1 - Fraction(1, 10**12), Fraction(-1)):
        for form in (series.value, series.slope):
            enclosure = form(covariance(1, 1, c, BALL), BALL)
            assert upper(enclosure) - lower(enclosure) <= Fraction(1, 10**12) * abs(lower(enclosure))


def test_the_error_bound_holds_on_cells_that_are_too_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the coarsest cells only and a large variance errors are visible: the bound covers them."""
    phi, variance = activation("arctan"), Fraction(9, 4)
    fine = hermite.expansion(phi, variance)
    monkeypatch.setattr(hermite, "LEVELS", ((0, 4),))
    hermite._expansion.cache_clear()
    coarse = hermite.expansion(phi, variance)
    hermite._expansion.cache_clear()
    radius = [float(x.rad()) for x in (coarse.value.coefficients[5], fine.value.coefficients[5])]
    assert radius[0] > 10 * radius[1]
    assert all(x.overlaps(y) for x, y in zip(coarse.value.coefficients, fine.value.coefficients, strict=False))
    assert coarse.value.square.overlaps(fine.value.square)


def test_quadrature_alone_is_off_by_no_more_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer nodes make the quadrature error large enough to be seen in the midpoints; each is within its radius of the truth."""
    phi = activation("tanh")
    truth = hermite.expansion(phi, Fraction(4)).value.coefficients[:20]
    monkeypatch.setattr(hermite, "NODES", 6)
    monkeypatch.setattr(hermite, "DEGREE", 12)
    monkeypatch.setattr(hermite, "LEVELS", ((0, 4),))
    monkeypatch.setattr(hermite, "TERMS", (64,))
    caches = (hermite._expansion, hermite._basis, hermite._derivatives, hermite._leibniz)
    for cache in caches:
        cache.cache_clear()
    rough = hermite.expansion(phi, Fraction(4)).value.coefficients[:20]
    for cache in caches:
        cache.cache_clear()
    off = [abs(float(x.mid() - y.mid())) for x, y in zip(rough, truth, strict=True)]
    assert max(off) > 1e-9  # it is seen
    assert all(x.overlaps(y) for x, y in zip(rough, truth, strict=True))


def test_remainders_are_upper_bounds() -> None:
    found = hermite.expansion(activation("tanh"), 1)
    total = sum((a * a for a in found.value.coefficients), BALL.constant(Fraction(0)))
    assert found.value.left[0] >= found.value.square.lower()
    assert len(found.value.left) == len(found.value.coefficients) + 1
    assert all(x >= y for x, y in zip(found.value.left, found.value.left[1:], strict=False))
    assert lower(total) <= upper(found.value.square)


@pytest.mark.parametrize("name", ["tanh", "softplus"])
def test_doubles_are_near_the_balls(name: str) -> None:
    series = series_of(activation(name))
    a, b, c = np.array([1.0, 2.0, 0.25, 0.0]), np.array([1.0, 0.5, 1.0, 1.0]), np.array([1.0, -0.75, 0.25, 0.0])
    doubles = Covariance(a, b, c, a * b - c * c)
    balls = covariance(a, b, c, BALL)
    for form in (series.value, series.slope):
        exact = [float(x.mid()) for x in form(balls, BALL)]
        np.testing.assert_allclose(form(doubles, FLOAT), exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh(s)**3", "arctan(s)", "sin(s+1)-sin(1)"])
def test_a_correlation_that_is_a_ball_about_zero_is_as_good_as_any(name: str) -> None:
    """Two orthogonal points and layers above: their correlation is a ball with midpoint 0, of which Arb's power is NaN."""
    series = series_of(activation(name))
    around = ball(Fraction(-1, 1 << 90), Fraction(1, 1 << 90))
    for form in (series.value, series.slope):
        wide, exact = (form(covariance(1, 1, c, BALL), BALL) for c in (around, 0))
        assert wide.is_finite()
        assert wide.contains(exact)
        assert upper(wide) - lower(wide) <= 1e-20


def test_refused() -> None:
    phi = activation("tanh")
    for variance in (-1, BALL.constant(Fraction(1)) / 0):
        with pytest.raises(InputError, match="variance"):
            hermite.expansion(phi, variance)
    with pytest.raises(InputError, match="grow"):
        series_of(activation("exp(s)"))
    with pytest.raises(InputError, match="closed-form"):
        dual_activation("tanh").value(covariance(1, 1, 0, BALL), SYMBOLIC)
    with pytest.raises(InputError, match="no bound"):
        hermite.expansion(phi, 10**12)
