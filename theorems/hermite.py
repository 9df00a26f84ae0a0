"""Enclosed Hermite series of an activation: E phi(u) phi(v) for the activations that have no closed form.

With h_k the orthonormal Hermite polynomials, Z standard normal, a_k(s) = E phi(sZ) h_k(Z), and (u, v) centered Gaussian with
standard deviations s, t and correlation rho (Mehler),

    E phi(u) phi(v)   = sum_k a_k(s) a_k(t) rho^k,
    E phi'(u) phi'(v) = sum_k a'_k(s) a'_k(t) rho^k,     a'_k(s) = sqrt(k+1) a_{k+1}(s)/s   (Stein),

and what is left after n terms is at most |rho|^n (R_n(s) R_n(t))^{1/2}, R_n(s) = E phi(sZ)^2 - sum_{k<n} a_k(s)^2 (Cauchy-Schwarz).
Nothing singular happens at rho = +-1. The coefficients are integrals over z in [-A, A] by Gauss-Legendre with m nodes a cell of
length H, whose error on a cell is at most

    H^{2m+1} m!^4/((2m+1) (2m)!^2) sup |f^{(2m)}/(2m)!|,   f(z) = phi(sz) h_k(z) w(z),   w the normal density.

Leibniz: |f^{(2m)}|/(2m)! <= sum_i s^i |phi^{(i)}/i!| sup |(h_k w)^{(j)}|/j!, j = 2m - i; the Taylor coefficients of phi are
enclosed by power series about balls that cover the cell, and (h_k w)^{(j)} = (-1)^j ((k+j)!/k!)^{1/2} h_{k+j} w with Cramer's
|h_n(z)| <= K e^{z^2/4}, K = 1.086435 (Abramowitz and Stegun 22.14.17). On the tails |phi(s)| <= C (1 + s^2)^p, proved over the
whole line, and Cramer again.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, arb_poly
from numpy.typing import NDArray

from theorems.activations.record import Activation
from theorems.arithmetic import BITS, FLOAT, Arithmetic, BallArithmetic, FloatArithmetic, as_ball, lower, upper, working_precision
from theorems.enclosures import NotEnclosed, Unbounded, supremum_of_absolute_value
from theorems.errors import InputError
from theorems.functions import Undefined
from theorems.grammar import S
from theorems.programs import compile_program, evaluate
from theorems.series import SeriesArithmetic, variable

Array = NDArray[np.float64]

REACH = 18  # A
NODES = 24  # m
DEGREE = 2 * NODES
TERMS = (64, 128, 256, 512)  # how many coefficients, the fewest whose remainders R are below TAIL of the whole
# Cells of length H = 2^-first, the derivatives of phi on them enclosed on balls of radius 2^-second in s: the first pair that is
# accurate enough, or the most accurate of all. MOST_TERMS by the first: nodes times terms would fill the memory.
LEVELS = ((0, 4), (1, 5), (2, 5), (3, 5), (3, 7), (4, 5), (4, 7))
MOST_TERMS = (512, 512, 256, 256, 128)
TAIL = 2.0**-50
ACCURATE = 1e-23  # of the coefficients, relative to the growth constant C
CRAMER = 1.0865 / math.sqrt(2 * math.pi)
GROWTHS = (0, 1, 2, 4)
# Bounds of errors are sums and products of fewer than 10^6 positive doubles; this factor is far above their rounding, TINY above
# what underflows.
INFLATION = 1.0 + 1e-6
TINY = 1e-200
MOST_BALLS = 20000  # in one enclosure of the derivatives: beyond, the standard deviation is taken to be out of reach
STEP = 1.0 / 64.0  # of the trapezoidal rule in doubles

_BALLS = BallArithmetic(BITS + 32)


@dataclass(frozen=True)
class Growth:
    """|phi(s)| <= value (1 + s^2)^(power + 1) and |phi'(s)| <= slope (1 + s^2)^power on the whole line."""

    value: float
    slope: float
    power: int


@dataclass(frozen=True)
class Series:
    """g(sZ) in Hermite polynomials, as balls: coefficients a_0..a_{n-1}; left: R_0..R_n, upper bounds of the energies that remain
    after so many; square: E g(sZ)^2."""

    coefficients: list[Any]
    left: list[Any]
    square: Any


@dataclass(frozen=True)
class Expansion:
    """The series of phi(sZ) and of phi'(sZ)."""

    value: Series
    slope: Series


@dataclass(frozen=True)
class _Variance:
    """A ball as a key: equal when it is the same ball."""

    key: str
    ball: Any = field(compare=False)


@dataclass(frozen=True)
class HermiteSeries:
    """Dual forms of one activation, elementwise in a = Var u, b = Var v, c = Cov(u, v); ``same`` says that u = v."""

    phi: Activation

    def __post_init__(self) -> None:
        growth(self.phi)  # refuse at the door what cannot be integrated

    def value(self, a: Any, b: Any, c: Any, same: bool, arithmetic: Arithmetic) -> Any:
        """E phi(u) phi(v); raises InputError when the arithmetic is neither balls nor doubles, or phi cannot be enclosed."""
        return self._form(a, b, c, same, arithmetic, slope=False)

    def slope(self, a: Any, b: Any, c: Any, same: bool, arithmetic: Arithmetic) -> Any:
        """E phi'(u) phi'(v); errors as for ``value``."""
        return self._form(a, b, c, same, arithmetic, slope=True)

    def _form(self, a: Any, b: Any, c: Any, same: bool, arithmetic: Arithmetic, slope: bool) -> Any:
        if isinstance(arithmetic, FloatArithmetic):
            a, b, c = np.broadcast_arrays(a, b, c)
            return _float_form(self.phi, a, b, c, same, slope)
        if not isinstance(arithmetic, BallArithmetic):
            raise InputError(f"activation {self.phi.name!r} has no closed-form kernel: use balls or doubles, got {arithmetic!r}")
        pair = np.frompyfunc(lambda a, b, c: _pair(self.phi, a, b, c, same, slope), 3, 1)
        with _BALLS.context():
            return pair(arithmetic.numbers(a), arithmetic.numbers(b), arithmetic.numbers(c))


def expansion(phi: Activation, variance: Any) -> Expansion:
    """The Hermite expansion of phi(sZ), s^2 = ``variance``, a nonnegative exact number or ball.

    Raises InputError where the variance is not finite, is surely negative or phi cannot be enclosed on the line.
    """
    ball = as_ball(variance)
    if not ball.is_finite() or ball < 0:
        raise InputError(f"variance must be finite and not negative, got {ball}")
    return _expansion(phi, _Variance(f"{ball.mid().man_exp()} {ball.rad().man_exp()}", ball))


@functools.lru_cache(maxsize=64)
def growth(phi: Activation) -> Growth:
    """Proved growth of phi and phi'. Raises InputError when phi is not smooth or phi' outgrows (1 + s^2)^4."""
    with working_precision():
        at_zero = abs(evaluate(phi.program(), _BALLS, [arb(0)])[0])
    for power in GROWTHS:
        try:
            bound = supremum_of_absolute_value(phi.derivative / (1 + S**2) ** power, S).upper
        except (Unbounded, NotEnclosed):
            continue
        slope = float(bound) * INFLATION + TINY
        return Growth((float(upper(at_zero)) + slope) * INFLATION, slope, power)
    raise InputError(
        f"activation {phi.name!r} has no kernel here: its slope is not shown to grow at most like (1 + s^2)^{GROWTHS[-1]}"
    )


def _pair(phi: Activation, a: Any, b: Any, c: Any, same: bool, slope: bool) -> Any:
    first = _series(phi, a, slope)
    if same:
        return first.square
    second, rho = _series(phi, b, slope), _correlation(a, b, c)
    terms = min(len(first.coefficients), len(second.coefficients))
    total = arb_poly(list(map(operator.mul, first.coefficients, second.coefficients)))(rho)
    rest = rho.abs_upper() ** terms * (first.left[terms] * second.left[terms]).sqrt()  # a power of a point: see ball_arithmetic
    return total + arb(0, 1) * rest.upper()


def _series(phi: Activation, variance: Any, slope: bool) -> Series:
    found = expansion(phi, variance)
    return found.slope if slope else found.value


def _correlation(a: Any, b: Any, c: Any) -> Any:
    if a.is_zero() or b.is_zero():
        return arb(0)
    rho = c / (a.sqrt() * b.sqrt())
    whole = arb(0, 1)
    if not rho.is_finite():
        return whole
    return rho if abs(rho) <= 1 else rho.intersection(whole)


@functools.lru_cache(maxsize=2048)
def _expansion(phi: Activation, variance: _Variance) -> Expansion:
    with _BALLS.context():
        if variance.ball.is_zero():
            return _at_zero(phi)
        sigma = _BALLS.sqrt(variance.ball)
        level, error = _best_level(phi, (float(lower(sigma)) / INFLATION, float(upper(sigma)) * INFLATION))
        nodes, weights, _, _ = _basis(level, TERMS[0])
        here, there = (evaluate(phi.program(), _BALLS, [sigma * sign * nodes]) for sign in (1, -1))
        square, slope_square = (np.dot(weights, x * x + y * y) + arb(0, e) for x, y, e in zip(here, there, error[1:], strict=True))
        halves = [arb_mat([[x] for x in half]) for half in (here[0] + there[0], here[0] - there[0])]
        for terms in (n for n in TERMS if n <= MOST_TERMS[level]):
            _, _, *rows = _basis(level, terms)
            columns = [(matrix * half).entries() for matrix, half in zip(rows, halves, strict=True)]
            a = [columns[k % 2][k // 2] + arb(0, error[0]) for k in range(terms + 1)]
            slopes = [arb(k + 1).sqrt() * a[k + 1] / sigma for k in range(terms)]
            found = Expansion(_completed(a, square), _completed(slopes, slope_square))
            if all(series.left[-1] <= TAIL * series.square for series in (found.value, found.slope)):
                break
        return found


def _at_zero(phi: Activation) -> Expansion:
    value, slope = map(as_ball, evaluate(phi.program(), _BALLS, [arb(0)]))
    squares = [x.abs_upper() * x.abs_upper() for x in (value, slope)]
    return Expansion(*(Series([x], [square, arb(0)], x * x) for x, square in zip((value, slope), squares, strict=True)))


def _completed(coefficients: list[Any], square: Any) -> Series:
    """The series with upper bounds of square - sum_{k<n} a_k^2, n = 0, ..., exact and nonnegative; NaN stays NaN."""
    rest = (square - sum((a * a for a in coefficients), arb(0))).upper()
    left = [arb(0) if rest <= 0 else rest]
    for a in reversed(coefficients):
        left.append((left[-1] + a * a).upper())
    return Series(coefficients, left[::-1], square)


def _best_level(phi: Activation, sigma: tuple[float, float]) -> tuple[int, tuple[float, float, float]]:
    """The coarsest cells that are accurate enough, or the most accurate; with the errors of a_k, E phi^2 and E phi'^2."""
    best = (0, (math.inf,) * 3)
    grown = growth(phi)
    for level, fineness in LEVELS:
        error = _error(phi, sigma, level, fineness)
        if max(error) < max(best[1]) or best[1][0] == math.inf:
            best = (level, error)
        if error[0] <= ACCURATE * grown.value and error[1] <= ACCURATE * grown.value**2 and error[2] <= ACCURATE * grown.slope**2:
            break
    if not max(best[1]) < math.inf:
        raise InputError(
            f"activation {phi.name!r} could not be integrated at standard deviation {sigma[1]:.3g}: no bound was found"
        )
    return best


def _error(phi: Activation, sigma: tuple[float, float], level: int, fineness: int) -> tuple[float, float, float]:
    """Bounds of the errors of a_k (any k <= max TERMS), E phi^2 and E phi'^2 on cells of length 2^-level, for sigma in an
    interval."""
    cells, width = REACH << level, Fraction(1, 1 << level)
    rule = width ** (DEGREE + 1) * Fraction(math.factorial(NODES) ** 4, (DEGREE + 1) * math.factorial(DEGREE) ** 2)
    # Cell by cell the balls j with [j, j+1] 2^(1-fineness) that meet the cell's image under any of the sigmas.
    edges = np.arange(-cells, cells + 1) * (float(width) * (1 << (fineness - 1)))
    images = np.stack([s * edges for s in sigma])
    first, last = (np.floor(f(images, axis=0) + e).astype(int) for f, e in ((np.min, -1e-3), (np.max, 1e-3)))
    first, last = first[:-1], last[1:]
    if last.max() - first.min() > MOST_BALLS:
        return (math.inf,) * 3
    low = int(first.min())
    table = np.array([_derivatives(phi, fineness, j) for j in range(low, int(last.max()) + 1)])
    nearest = np.minimum(abs(np.arange(-cells, cells)), abs(np.arange(-cells + 1, cells + 1))) * float(width)
    powers = sigma[1] ** np.arange(DEGREE + 1.0)
    weight = np.stack([powers * _leibniz(max(TERMS) + 1), powers * _leibniz(0), powers * _leibniz(0)])
    total = np.zeros(3)
    with np.errstate(all="ignore"):
        for i in range(2 * cells):
            worst = table[first[i] - low : last[i] - low + 1].max(axis=0)
            total += math.exp(-(nearest[i] ** 2) / 4) * (worst * weight).sum(axis=1)
        total = (total * float(rule) * CRAMER + _tails(growth(phi), sigma[1])) * INFLATION + TINY
    return tuple(float(x) if x < math.inf else math.inf for x in total)  # type: ignore[return-value]


def _tails(grown: Growth, sigma: float) -> Array:
    """2 C (1 + sigma^2 A^2)^p CRAMER (4/A) e^{-A^2/4}: (1 + s^2 z^2) <= (1 + s^2 A^2)(z/A)^2 beyond A, z^{2p} e^{-z^2/8} falls
    there for A^2 >= 8 p, and the integral of e^{-z^2/8} is at most (4/A) e^{-A^2/8}."""
    p = grown.power
    assert 16 * (p + 1) <= REACH**2
    base = 1 + sigma**2 * REACH**2
    bounds = np.array([grown.value * base ** (p + 1), grown.value**2 * base ** (2 * p + 2), grown.slope**2 * base ** (2 * p)])
    return np.asarray(bounds * 2 * CRAMER * (4 / REACH) * math.exp(-(REACH**2) / 4))


@functools.lru_cache(maxsize=4)
def _leibniz(k: int) -> Array:
    """((k+j)!/k!)^{1/2}/j! at j = 2m - i, for i = 0..2m; increasing in k."""
    log = [0.5 * (math.lgamma(k + j + 1) - math.lgamma(k + 1)) - math.lgamma(j + 1) for j in range(DEGREE, -1, -1)]
    return np.exp(log) * (1 + 1e-9)


@functools.lru_cache(maxsize=1 << 15)
def _derivatives(phi: Activation, fineness: int, j: int) -> Array:
    """Bounds of the Taylor coefficients 0..2m of phi, phi^2 and phi'^2 on [j, j+1] 2^(1-fineness), (3, 2m+1); infinite if not
    enclosed."""
    radius = Fraction(1, 1 << fineness)
    arithmetic = SeriesArithmetic(DEGREE + 2)
    with working_precision():
        center = as_ball((2 * j + 1) * radius) + arb(0, as_ball(radius))
        try:
            (series,) = evaluate(compile_series(phi), arithmetic, [variable(center, DEGREE + 2)])
            value = arithmetic.coefficients(series)
        except Undefined:
            return np.full((3, DEGREE + 1), np.inf)
        slope = [(k + 1) * term for k, term in enumerate(value[1:])]
        return np.array([_magnitudes(terms) for terms in (value, arb_poly(value) ** 2, arb_poly(slope) ** 2)])


def _magnitudes(terms: Any) -> list[float]:
    sizes = [terms[k].abs_upper() for k in range(DEGREE + 1)]
    return [float(x) * (1 + 2.0**-50) if x.is_finite() else math.inf for x in sizes]


@functools.lru_cache(maxsize=64)
def compile_series(phi: Activation) -> Any:
    """The program of phi alone, in the form that is analytic operation by operation."""
    return compile_program([phi.expression], [S])


@functools.lru_cache(maxsize=16)
def _basis(level: int, terms: int) -> tuple[Any, Any, Any, Any]:
    """Positive nodes z (an array of balls), weights W w(z), and the matrices of W w(z) h_k(z) for even and for odd k <= terms.

    The recurrence of h_k multiplies radii by at most e^{k/2} relative to what it returns, hence the extra bits.
    """
    cells = REACH << level
    with working_precision(_BALLS.bits + terms + 64):
        roots = [arb.legendre_p_root(NODES, k, weight=True) for k in range(NODES)]
        half = arb(1) / (2 << level)
        nodes = [(2 * i + 1 + x) * half for i in range(cells) for x, _ in roots]
        scale = half / (2 * arb.pi()).sqrt()
        weights = [w * scale for _ in range(cells) for _, w in roots]
        weights = [w * (-z * z / 2).exp() for z, w in zip(nodes, weights, strict=True)]
        rows = [weights, [z * w for z, w in zip(nodes, weights, strict=True)]]
        for k in range(1, terms):
            p, q = arb(k + 1).rsqrt(), (arb(k) / (k + 1)).sqrt()
            rows.append([p * z * x - q * y for z, x, y in zip(nodes, rows[-1], rows[-2], strict=True)])
    with _BALLS.context():
        rounded = [[+x for x in row] for row in rows]
        even, odd = arb_mat(rounded[0::2]), arb_mat(rounded[1::2])
        return np.array([+z for z in nodes], dtype=object), np.array(rounded[0], dtype=object), even, odd


def _float_form(phi: Activation, a: Array, b: Array, c: Array, same: bool, slope: bool) -> Any:
    """The same in doubles, by the trapezoidal rule, which converges exponentially for analytic integrands; no error bound."""
    nodes, weights, basis = _float_basis()
    variances, places = np.unique(np.concatenate([np.ravel(a), np.ravel(b)]), return_inverse=True)
    sigma = np.sqrt(variances)
    values = evaluate(phi.program(), FLOAT, [sigma[:, None] * nodes])
    first, second = places[: a.size], places[a.size :]
    if same:
        return ((values[slope] ** 2) @ weights)[first].reshape(a.shape)
    coefficients = values[slope] @ basis.T
    root = np.sqrt(np.ravel(a)) * np.sqrt(np.ravel(b))
    rho = np.clip(np.ravel(c) / np.where(root == 0, 1.0, root), -1.0, 1.0)
    total = np.zeros(a.size)
    for column in coefficients.T[::-1]:
        total = total * rho + column[first] * column[second]
    return total.reshape(a.shape)


@functools.lru_cache(maxsize=1)
def _float_basis() -> tuple[Array, Array, Array]:
    nodes: Array = np.asarray(STEP * np.arange(-64 * REACH, 64 * REACH + 1), dtype=np.float64)
    root = np.exp(-(nodes**2) / 4)
    rows = [root, nodes * root]  # h_k w^{1/2}, which neither overflows nor loses digits
    for k in range(1, max(TERMS)):
        rows.append((nodes * rows[-1] - math.sqrt(k) * rows[-2]) / math.sqrt(k + 1))
    weights = STEP / math.sqrt(2 * math.pi) * root
    return nodes, np.asarray(weights * root), np.asarray(np.array(rows) * weights)
