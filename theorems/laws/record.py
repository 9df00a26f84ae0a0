"""What a law of the data says about itself: its even moments, up to which order they exist, and its affine images."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy

from theorems.errors import InputError
from theorems.laws.matrices import AffineMap

MAX_INDEX = 64
"""The largest j for which E|x|^{2j} is computed: far beyond what any depth asks for, and still a matter of seconds."""


def _always(_: int) -> sympy.Basic:
    return sympy.true


@dataclass(frozen=True)
class Law:
    """The law of a random point x of R^d, with exact even moments M_{2j} = E|x|^{2j}.

    ``name``, the catalogue name. ``dimension``, d: a positive SymPy integer, or a symbol declared integer and positive.
    ``parameters``, names and values, exact (rational numbers, SymPy expressions, other laws, tuples of these).
    ``highest_moment``, the largest even order 2j with a finite moment, ``sympy.oo`` when all are; an expression where a parameter
    is a symbol. ``note``, one line for readers.

    The other fields are what the methods stand on, and trust their arguments: ``formula(j)``, M_{2j} for j >= 1 where it exists;
    ``exists(j)``, the condition for that, as SymPy ``true``, ``false`` or a relation between parameters; ``push(law, map)``, the
    law of A x + b.
    """

    name: str
    dimension: sympy.Expr
    parameters: tuple[tuple[str, Any], ...] = field(repr=False)
    formula: Callable[[int], sympy.Expr] = field(repr=False, compare=False)
    push: Callable[[Law, AffineMap], Law] = field(repr=False, compare=False)
    exists: Callable[[int], sympy.Basic] = field(default=_always, repr=False, compare=False)
    highest_moment: sympy.Expr = sympy.oo
    note: str = field(default="", compare=False)

    def even_moment(self, j: int) -> sympy.Expr:
        """Return E|x|^{2j} exactly: rational where the parameters are numbers, otherwise an expression in their symbols.

        Arguments: ``j``, an integer from 0 to 64. Where a parameter is a symbol the moment is that of every value which satisfies
        ``condition(j)``.

        Raises InputError when the moment does not exist, naming its order and the largest that does; and for another j.
        """
        j = index(j)
        if self.condition(j) is sympy.false:
            raise InputError(
                f"E|x|^{2 * j} of the law {self.name!r} does not exist: its moments exist up to order {self.highest_moment}"
            )
        return self.formula(j) if j else sympy.Integer(1)

    def condition(self, j: int) -> sympy.Basic:
        """Return when E|x|^{2j} exists: SymPy ``true`` or ``false``, or a relation that the symbols must satisfy."""
        j = index(j)
        return self.exists(j) if j else sympy.true

    def parameter(self, name: str) -> Any:
        """Return a parameter by its name; KeyError when the law has none of that name."""
        return dict(self.parameters)[name]

    def known_dimension(self, what: str) -> int:
        """Return d as an integer; raises InputError saying that ``what`` needs a number where d is a symbol."""
        if not self.dimension.is_Integer:
            raise InputError(f"{what} needs a number for the dimension of the law {self.name!r}, got {self.dimension}")
        return int(self.dimension)


def index(j: Any) -> int:
    """Return the j of an even moment E|x|^{2j}; raises InputError unless it is an integer from 0 to 64."""
    if isinstance(j, bool) or not isinstance(j, numbers.Integral) or not 0 <= int(j) <= MAX_INDEX:
        raise InputError(f"the j of an even moment E|x|^(2j) must be an integer from 0 to {MAX_INDEX}, got {j!r}")
    return int(j)
