"""Even moments of affine images A x + b: of rotation-invariant laws at any size, of independent coordinates up to a stated size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import sympy
from flint import fmpq, fmpq_mat, fmpq_poly

from theorems.errors import InputError
from theorems.laws.matrices import AffineMap, rational
from theorems.laws.record import Law
from theorems.laws.recursions import gaussian_form_cumulants, gaussian_form_parts, moments_from_cumulants

MAX_PRODUCTS = 2_000_000
"""How many products of integers the expansion of one moment may take; beyond, the moment is refused. A few seconds."""


def image(base: Law, map: AffineMap, formula: Callable[[int], sympy.Expr]) -> Law:
    """Return the record of the law of A x + b, x ~ ``base``, from its moments; its own images are images of ``base``.

    A matrix of zeros makes the point b of every law: then all moments exist, and are |b|^{2j}.
    """
    moving = any(entry != 0 for row in map.rows for entry in row)
    length = sum((entry**2 for entry in map.shift), start=Fraction(0))
    return Law(
        name="affine",
        dimension=sympy.Integer(map.target),
        parameters=(("law", base), ("matrix", map.rows), ("shift", map.shift)),
        formula=formula if moving else lambda j: rational(length) ** j,
        push=lambda _, outer: base.push(base, outer.after(map)),
        exists=base.exists if moving else lambda _: sympy.true,
        highest_moment=base.highest_moment if moving else sympy.oo,
        note=f"A x + b with x from the law {base.name!r}",
    )


def spherical_moment(ratio: Callable[[int], sympy.Expr], map: AffineMap, j: int) -> sympy.Expr:
    """Return E|A x + b|^{2j} for a law of x that no rotation changes; ``ratio(k)`` = E|x|^{2k}/(d (d+2) ... (d+2k-2)).

    Write |A x + b|^{2j} = p_0(x) + p_1(x) + ..., p_i homogeneous of degree i. The direction of x is uniform on the sphere and
    independent of |x|, as for a standard normal g; hence E p_{2k}(x) = ratio(k) E p_{2k}(g), and odd degrees vanish. And
    E|sqrt(t) A g + b|^{2j} = sum_k t^k E p_{2k}(g), a polynomial in t that the cumulants of the Gaussian quadratic form give.
    """
    parts = gaussian_form_parts(map.linear * map.linear.transpose(), map.offset, j)
    polynomials = moments_from_cumulants(gaussian_form_cumulants(parts, fmpq_poly([0, 1])), fmpq_poly([1]))
    terms = [rational(coefficient) * ratio(k) for k, coefficient in enumerate(polynomials[j].coeffs()) if coefficient != 0]
    return _tidy(sympy.Add(*terms))


def independent_moment(coordinate: Callable[[int], sympy.Expr], map: AffineMap, j: int) -> sympy.Expr:
    """Return E|A x + b|^{2j} for independent coordinates of one symmetric law, E x_i^{2k} = ``coordinate(k)``.

    With Q = A^T A and c = A^T b: |A x + b|^2 = |b|^2 + sum over blocks C of V_C = x_C^T Q_C x_C + 2 c_C^T x_C. The blocks are the
    connected components of the graph of the off-diagonal entries of Q that are not 0 (single coordinates when the columns of A
    are orthogonal). Moments of V_C: the powers V_C^r are expanded into monomials one factor at a time, and E of a monomial is the
    product of its coordinates' moments. The blocks are independent: E(U + V)^r = sum_i C(r, i) E U^i E V^{r-i}. For j <= 2 a closed
    form serves at any size.

    Raises InputError when the expansions would take more than ``MAX_PRODUCTS`` products of integers.
    """
    return _low_moment(coordinate, map, j) if j <= 2 else expanded_moment(coordinate, map, j)


def expanded_moment(coordinate: Callable[[int], sympy.Expr], map: AffineMap, j: int) -> sympy.Expr:
    """Return what ``independent_moment`` does, by the expansion for every j."""
    quadratic, linear, constant, denominator = _integral_form(map)
    blocks = [_block_form(block, quadratic, linear) for block in _components(quadratic)]
    work = sum(_work(*block, j) for block in blocks)
    if work > MAX_PRODUCTS:
        raise InputError(
            f"E|A x + b|^{2 * j} of a law with independent coordinates would take about {work:.1e} products, at most "
            f"{MAX_PRODUCTS} are tried: its largest block of coordinates that A^T A couples has {max(size for size, _ in blocks)}"
        )
    known = {k: coordinate(k) for k in range(1, j + 1)}
    # Other moments than rational numbers are letters m_1, m_2, ... until the end: sums of such expressions are slow to simplify.
    letters = {k: sympy.Symbol(f"m_{k}") for k in known} if any(not moment.is_Rational for moment in known.values()) else known
    ring = sympy.QQ[tuple(letters.values())] if letters is not known else sympy.QQ
    values = {k: ring.from_sympy(letter) for k, letter in letters.items()}
    moments = [ring.from_sympy(sympy.Integer(constant) ** r) for r in range(j + 1)]
    for _, form in blocks:
        added = _form_moments(form, values, ring.one, j)
        moments = [
            sum((math.comb(r, i) * (moments[i] * added[r - i]) for i in range(r + 1)), start=ring.zero) for r in range(j + 1)
        ]
    total = ring.to_sympy(moments[j]) / sympy.Integer(denominator) ** j
    return total if letters is known else _tidy(total.xreplace({letters[k]: known[k] for k in known}))


def _low_moment(coordinate: Callable[[int], sympy.Expr], map: AffineMap, j: int) -> sympy.Expr:
    """E|A x + b|^2 = v tr Q + |b|^2 (j = 1), or its square plus the variance k4 sum_i Q_ii^2 + 2 v^2 tr Q^2 + 4 v |c|^2 (j = 2).

    v = E x_i^2 and k4 = E x_i^4 - 3 v^2, the fourth cumulant; odd moments of a coordinate are 0.
    """
    v = coordinate(1)
    parts = gaussian_form_parts(map.linear * map.linear.transpose(), map.offset, j)
    mean = v * rational(parts[0][0]) + rational(parts[0][1])
    if j == 1:
        return _tidy(mean)
    trace, form = (rational(part) for part in parts[1])
    columns = zip(*map.rows, strict=True)
    squares = sum((sum(entry**2 for entry in entries) ** 2 for entries in columns), start=Fraction(0))
    return _tidy(mean**2 + (coordinate(2) - 3 * v**2) * rational(squares) + 2 * v**2 * trace + 4 * v * form)


Form = Mapping[tuple[int, ...], int]  # monomial, the sorted tuple of its variables with repetition -> coefficient


def _integral_form(map: AffineMap) -> tuple[list[list[int]], list[int], int, int]:
    """Q, 2 c, |b|^2 and D, integers: |A x + b|^2 = (x^T Q x + 2 c^T x + |b|^2)/D."""
    linear, offset = map.linear, map.offset
    size = map.source
    whole = fmpq_mat(size + 2, size)
    gram, cross = linear.transpose() * linear, linear.transpose() * offset
    square = (offset.transpose() * offset)[0, 0]
    for i in range(size):
        for k in range(size):
            whole[i, k] = gram[i, k]
        whole[size, i] = 2 * cross[i, 0]
    whole[size + 1, 0] = square
    integers, denominator = whole.numer_denom()
    rows = [[int(entry) for entry in row] for row in integers.tolist()]
    return rows[:size], rows[size], rows[size + 1][0], int(denominator)


def _components(quadratic: list[list[int]]) -> list[list[int]]:
    """The sets of coordinates that the off-diagonal entries of Q connect, coordinates that do not occur included."""
    left, found = set(range(len(quadratic))), []
    while left:
        block, front = [], [min(left)]
        left -= set(front)
        while front:
            i = front.pop()
            block.append(i)
            near = {k for k in left if quadratic[i][k] != 0}
            left -= near
            front.extend(sorted(near))
        found.append(sorted(block))
    return found


def _block_form(block: list[int], quadratic: list[list[int]], linear: list[int]) -> tuple[int, Form]:
    """The number of coordinates of a block, and its V_C."""
    form: dict[tuple[int, ...], int] = {}
    for place, i in enumerate(block):
        form[(i,)] = linear[i]
        form[(i, i)] = quadratic[i][i]
        form |= {(i, k): 2 * quadratic[i][k] for k in block[place + 1 :]}
    return len(block), {monomial: value for monomial, value in form.items() if value != 0}


def _work(size: int, form: Form, j: int) -> int:
    """At most how many products the powers up to the j-th take: the terms of V_C^{r-1} times those of V_C."""
    centered = all(len(monomial) == 2 for monomial in form)
    terms = [math.comb(size + 2 * r - centered, 2 * r) for r in range(j)]
    return sum(terms) * len(form)


def _form_moments(form: Form, values: Mapping[int, Any], one: Any, j: int) -> list[Any]:
    """E V^0, ..., E V^j of a block; ``values[k]`` = E x_i^{2k}, in the ring whose 1 is ``one``.

    A monomial is coded as one integer, the exponents its digits to the base 2j + 1.
    """
    variables = sorted({i for monomial in form for i in monomial})
    base = 2 * j + 1
    digit = {i: base**place for place, i in enumerate(variables)}
    factor = [(sum(digit[i] for i in monomial), value) for monomial, value in form.items()]
    power: dict[int, int] = {0: 1}
    moments = [one]
    for _ in range(j):
        product: dict[int, int] = {}
        for code, value in power.items():
            for other, weight in factor:
                key = code + other
                product[key] = product.get(key, 0) + value * weight
        power = product
        moments.append(_expectation(power, base, values, one))
    return moments


def _expectation(polynomial: Mapping[int, int], base: int, values: Mapping[int, Any], one: Any) -> Any:
    """Sum the coefficients of monomials with the same exponents up to order, all of them even; then take the expectation."""
    patterns: Counter[tuple[int, ...]] = Counter()
    for code, value in polynomial.items():
        exponents = []
        while code:
            code, exponent = divmod(code, base)
            exponents.append(exponent)
        if all(exponent % 2 == 0 for exponent in exponents):
            patterns[tuple(sorted(exponent // 2 for exponent in exponents if exponent))] += value
    return sum((value * math.prod((values[k] for k in pattern), start=one) for pattern, value in patterns.items()), start=0 * one)


def _tidy(expression: Any) -> sympy.Expr:
    return expression if expression.is_Rational else sympy.factor(expression)


def matrix_moment(spread: fmpq_mat, mean: fmpq_mat, j: int) -> sympy.Expr:
    """Return E|z|^{2j} for z ~ N(mu, S), from the cumulants of the quadratic form."""
    return rational(moments_from_cumulants(gaussian_form_cumulants(gaussian_form_parts(spread, mean, j)), fmpq(1))[j])
