"""The uniform law on a sphere."""

from __future__ import annotations

from typing import Any

import sympy

from theorems.laws import parameters
from theorems.laws.images import image, spherical_moment
from theorems.laws.record import Law
from theorems.laws.recursions import gaussian_norm_moment


def sphere(dimension: Any, radius: Any = None) -> Law:
    """Return the uniform law on the sphere of that radius about 0 in R^d; E|x|^{2j} = radius^{2j}.

    Arguments: ``dimension``, d, an integer or a symbol. ``radius``, a positive number or expression; None: sqrt(d), which gives
    the covariance identity, as a problem file's source "sphere" does.

    Raises InputError for anything else.
    """
    d = parameters.dimension(dimension)
    r = sympy.sqrt(d) if radius is None else parameters.positive("radius", radius)

    def ratio(k: int) -> sympy.Expr:
        return r ** (2 * k) / gaussian_norm_moment(d, k)

    return Law(
        name="sphere",
        dimension=d,
        parameters=(("radius", r),),
        formula=lambda j: r ** (2 * j),
        push=lambda law, map: image(law, map, lambda j: spherical_moment(ratio, map, j)),
        note="uniform on the sphere of the given radius",
    )
