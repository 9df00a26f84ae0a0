"""The Gaussian law, with any covariance and mean."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

from theorems.errors import InputError
from theorems.exact import exactly
from theorems.laws import parameters
from theorems.laws.images import image, matrix_moment, spherical_moment
from theorems.laws.matrices import AffineMap, Row, column, covariance, from_flint, is_array, to_flint, vector
from theorems.laws.record import Law
from theorems.laws.recursions import gaussian_norm_moment


def gaussian(dimension: Any, covariance: Any = 1, mean: Any = None) -> Law:
    """Return N(mean, covariance).

    E|x|^{2j} = d (d+2) ... (d+2j-2) v^j for mean 0 and covariance v times the identity. Otherwise the moments of |x|^2 follow from
    its cumulants 2^{r-1} (r-1)! (tr S^r + r mean^T S^{r-1} mean), S the covariance.

    Arguments: ``dimension``, d, an integer or a symbol. ``covariance``, a positive number or expression v, which means v times
    the identity, or a symmetric positive semidefinite d x d matrix of numbers. ``mean``, d numbers; None: 0. A matrix or a mean
    needs a number for d.

    Raises InputError for anything else.
    """
    d = parameters.dimension(dimension)
    if mean is None and not is_array(covariance):
        return _isotropic(d, parameters.positive("covariance", covariance))
    if not d.is_Integer:
        raise InputError(f"dimension must be a number where covariance is a matrix or a mean is given, got {d}")
    size = int(d)
    center = (Fraction(0),) * size if mean is None else vector("mean", mean)
    if len(center) != size:
        raise InputError(f"mean must have {size} entries, as the dimension says, got {len(center)}")
    return _full(_spread(covariance, size), center)


def _isotropic(d: sympy.Expr, v: sympy.Expr) -> Law:
    def push(law: Law, map: AffineMap) -> Law:
        if v.is_Rational:
            spread = map.linear * map.linear.transpose() * to_flint(((exactly(v),),))[0, 0]
            return _full(from_flint(spread), map.shift)
        return image(law, map, lambda j: spherical_moment(lambda k: v**k, map, j))

    return Law(
        name="gaussian",
        dimension=d,
        parameters=(("covariance", v), ("mean", None)),
        formula=lambda j: gaussian_norm_moment(d, j) * v**j,
        push=push,
        note="normal with mean 0 and covariance v times the identity",
    )


def _full(spread: tuple[Row, ...], center: Row) -> Law:
    def push(_: Law, map: AffineMap) -> Law:
        moved = map.linear * column(center) + map.offset
        return _full(from_flint(map.linear * to_flint(spread) * map.linear.transpose()), tuple(row[0] for row in from_flint(moved)))

    return Law(
        name="gaussian",
        dimension=sympy.Integer(len(center)),
        parameters=(("covariance", spread), ("mean", center)),
        formula=lambda j: matrix_moment(to_flint(spread), column(center), j),
        push=push,
        note="normal with the given covariance and mean",
    )


def _spread(values: Any, size: int) -> tuple[Row, ...]:
    if is_array(values):
        return covariance("covariance", values, size)
    v = parameters.positive("covariance", values)
    if not v.is_Rational:
        raise InputError(f"covariance must be a number where a mean is given, got {v}")
    return tuple(tuple(exactly(v) if i == k else Fraction(0) for k in range(size)) for i in range(size))
