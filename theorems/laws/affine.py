"""Affine images of laws."""

from __future__ import annotations

from typing import Any

import sympy

from theorems.errors import InputError
from theorems.exact import exactly
from theorems.laws import parameters
from theorems.laws.matrices import AffineMap, affine_map, is_array
from theorems.laws.record import Law


def affine(law: Any, matrix: Any, shift: Any = None) -> Law:
    """Return the law of A x + b for x from ``law``.

    Each law knows its images: that of a Gaussian is Gaussian, that of a mixture a mixture, that of an empirical measure is
    empirical, that of an image an image of the law it came from. Moments of images of laws with independent coordinates (cube,
    rademacher, student_coordinates) are expanded into joint moments, and refused when asked for beyond a stated size
    (``theorems.laws.images``).

    Arguments: ``matrix``, A, p x d numbers, or a positive number or expression c for c times the identity; ``shift``, b, p
    numbers; None: 0. With a matrix or a shift the dimension of the law is a number; with c alone it may be a symbol.

    Raises InputError for anything else.
    """
    if not isinstance(law, Law):
        raise InputError(f"law must be a law, got {law!r}")
    if not is_array(matrix):
        c = parameters.positive("matrix", matrix)
        if shift is None:
            return _scaled(law, c)
        if not c.is_Rational:
            raise InputError(f"matrix must be a matrix or a number where a shift is given, got {c}")
        size = law.known_dimension("a shift")
        matrix = [[exactly(c) if i == k else 0 for k in range(size)] for i in range(size)]
    return law.push(law, affine_map(matrix, shift, law.known_dimension("a matrix")))


def _scaled(law: Law, c: sympy.Expr) -> Law:
    def push(_: Law, outer: AffineMap) -> Law:
        if not c.is_Rational:
            raise InputError(f"an affine image of a law scaled by {c} needs a rational number for the scale")
        factor = exactly(c)
        return law.push(law, AffineMap(tuple(tuple(factor * entry for entry in row) for row in outer.rows), outer.shift))

    return Law(
        name="affine",
        dimension=law.dimension,
        parameters=(("law", law), ("matrix", c), ("shift", None)),
        formula=lambda j: c ** (2 * j) * law.even_moment(j),
        push=push,
        exists=law.exists,
        highest_moment=law.highest_moment,
        note=f"c x with x from the law {law.name!r}",
    )
