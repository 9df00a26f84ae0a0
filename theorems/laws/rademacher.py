"""Independent signs."""

from __future__ import annotations

from typing import Any

import sympy

from theorems.laws import parameters
from theorems.laws.images import image, independent_moment
from theorems.laws.record import Law


def rademacher(dimension: Any) -> Law:
    """Return the uniform law on {-1, 1}^d; |x|^2 = d, so E|x|^{2j} = d^j.

    Arguments: ``dimension``, d, an integer or a symbol; raises InputError for anything else.
    """
    d = parameters.dimension(dimension)
    return Law(
        name="rademacher",
        dimension=d,
        parameters=(),
        formula=lambda j: d**j,
        push=lambda law, map: image(law, map, lambda j: independent_moment(lambda _: sympy.Integer(1), map, j)),
        note="independent coordinates, -1 or 1 with probability 1/2",
    )
