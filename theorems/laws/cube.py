"""The uniform law on a cube."""

from __future__ import annotations

from typing import Any

import sympy

from theorems.laws import parameters
from theorems.laws.images import image, independent_moment
from theorems.laws.record import Law
from theorems.laws.recursions import independent_norm_moment


def cube(dimension: Any, half_width: Any = None) -> Law:
    """Return the uniform law on [-a, a]^d; its coordinates are independent, E x_i^{2k} = a^{2k}/(2k+1).

    Arguments: ``dimension``, d, an integer or a symbol. ``half_width``, a, a positive number or expression; None: sqrt(3), which
    gives the covariance identity, as a problem file's source "cube" does.

    Raises InputError for anything else.
    """
    d = parameters.dimension(dimension)
    a = sympy.sqrt(3) if half_width is None else parameters.positive("half_width", half_width)

    def unit(k: int) -> sympy.Expr:
        return sympy.Rational(1, 2 * k + 1)

    return Law(
        name="cube",
        dimension=d,
        parameters=(("half_width", a),),
        formula=lambda j: a ** (2 * j) * independent_norm_moment(unit, d, j),
        push=lambda law, map: image(law, map, lambda j: independent_moment(lambda k: a ** (2 * k) * unit(k), map, j)),
        note="independent coordinates, uniform on [-a, a]",
    )
