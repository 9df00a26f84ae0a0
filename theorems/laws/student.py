"""The multivariate Student law, scaled to unit covariance."""

from __future__ import annotations

from typing import Any

import sympy

from theorems.laws import parameters
from theorems.laws.images import image, spherical_moment
from theorems.laws.record import Law
from theorems.laws.recursions import gaussian_norm_moment


def student(dimension: Any, degrees_of_freedom: Any) -> Law:
    """Return the law of x = sqrt((nu - 2)/w) g, g standard normal on R^d and w chi-square with nu degrees of freedom, independent.

    This is what a problem file's source "student" draws: elliptical (one w for all coordinates), covariance identity; sqrt(nu/(nu
    - 2)) times it is the unscaled multivariate t. As E w^{-j} = 1/((nu - 2)(nu - 4) ... (nu - 2j)),

        E|x|^{2j} = prod_{i=0}^{j-1} (d + 2i)(nu - 2)/(nu - 2 - 2i),   which exists if and only if 2j < nu.

    Arguments: ``dimension``, d, an integer or a symbol; ``degrees_of_freedom``, nu, a number greater than 2, or a symbol declared
    positive. Raises InputError for anything else.
    """
    d, nu = parameters.dimension(dimension), parameters.degrees_of_freedom(degrees_of_freedom)

    def ratio(k: int) -> sympy.Expr:
        return sympy.Mul(*((nu - 2) / (nu - 2 * i) for i in range(1, k + 1)))

    return Law(
        name="student",
        dimension=d,
        parameters=(("degrees_of_freedom", nu),),
        formula=lambda j: gaussian_norm_moment(d, j) * ratio(j),
        push=lambda law, map: image(law, map, lambda j: spherical_moment(ratio, map, j)),
        exists=lambda j: sympy.Gt(nu, 2 * j),
        highest_moment=2 * sympy.ceiling(nu / 2) - 2,
        note="multivariate Student t, scaled to covariance identity",
    )
