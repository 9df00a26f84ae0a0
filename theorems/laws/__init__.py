"""Laws of the data with exact even moments: one file each, one line each in the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from theorems.errors import InputError, nearest
from theorems.laws.affine import affine
from theorems.laws.cube import cube
from theorems.laws.empirical import empirical
from theorems.laws.gaussian import gaussian
from theorems.laws.mixture import mixture
from theorems.laws.rademacher import rademacher
from theorems.laws.record import Law
from theorems.laws.sphere import sphere
from theorems.laws.student import student
from theorems.laws.student_coordinates import student_coordinates

__all__ = [
    "LAWS",
    "Law",
    "affine",
    "cube",
    "empirical",
    "gaussian",
    "law_maker",
    "mixture",
    "rademacher",
    "sphere",
    "student",
    "student_coordinates",
]

LAWS: dict[str, Callable[..., Law]] = {
    make.__name__: make
    for make in (
        gaussian,
        sphere,
        cube,
        rademacher,
        student,
        student_coordinates,
        mixture,
        affine,
        empirical,
    )
}


def law_maker(name: Any) -> Callable[..., Law]:
    """Return the function that makes the laws of that name; raises InputError for an unknown one, naming the nearest."""
    if not isinstance(name, str) or name not in LAWS:
        suggestion = nearest(name, LAWS) if isinstance(name, str) else ""
        raise InputError(f"law must be one of {', '.join(LAWS)}, got {name!r}{suggestion}")
    return LAWS[name]
