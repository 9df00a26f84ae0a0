"""Independent Student coordinates, scaled to unit variance."""

from __future__ import annotations

from typing import Any

import sympy

from theorems.laws import parameters
from theorems.laws.images import image, independent_moment
from theorems.laws.record import Law
from theorems.laws.recursions import independent_norm_moment


def student_coordinates(dimension: Any, degrees_of_freedom: Any) -> Law:
    """Return the law of d independent coordinates sqrt((nu - 2)/nu) t, t Student with nu degrees of freedom.

    E x_i^{2k} = prod_{i=1}^{k} (2i - 1)(nu - 2)/(nu - 2i); E|x|^{2j} exists if and only if 2j < nu. It is another law than
    "student", whose coordinates share one chi-square: equal for d = 1 only.

    Arguments: ``dimension``, d, an integer or a symbol; ``degrees_of_freedom``, nu, a number greater than 2, or a symbol declared
    positive. Raises InputError for anything else.
    """
    d, nu = parameters.dimension(dimension), parameters.degrees_of_freedom(degrees_of_freedom)

    def coordinate(k: int) -> sympy.Expr:
        return sympy.Mul(*((2 * i - 1) * (nu - 2) / (nu - 2 * i) for i in range(1, k + 1)))

    return Law(
        name="student_coordinates",
        dimension=d,
        parameters=(("degrees_of_freedom", nu),),
        formula=lambda j: independent_norm_moment(coordinate, d, j),
        push=lambda law, map: image(law, map, lambda j: independent_moment(coordinate, map, j)),
        exists=lambda j: sympy.Gt(nu, 2 * j),
        highest_moment=2 * sympy.ceiling(nu / 2) - 2,
        note="independent coordinates, Student t scaled to unit variance",
    )
