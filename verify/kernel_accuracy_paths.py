"""Ways through a kernel while its argument z runs over a box.

Where the box does not decide a comparison or a rounding to integers, the ``Path`` takes a choice, and the run is repeated for every
sequence of choices: the union of the paths covers what the kernel can do. A choice may narrow base to where it is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flint import arb

ZERO, ONE = arb(0), arb(1)


class NotProved(Exception):
    """The abstract run cannot go on: a quotient by a ball with 0, an argument beyond a polynomial's interval, too large an
    exponent."""


class Infeasible(Exception):
    """The choices made so far exclude each other."""


@dataclass(frozen=True)
class Reduction:
    """x = period K + r: the first and the last K, and a ball for r."""

    first: int
    last: int
    rest: Any


@dataclass
class Path:
    """One way through a kernel: the box, as narrowed by the choices, and what the choices were.

    covered: how far the pieces of the reduced argument reach that are tried, one after the other. wide: sums of different
    powers of base may be kept at the higher power. exponent_base: base is 2^K, not |z|. reduced: the part of the reduced
    argument to be covered where K is not one integer. saturated: the argument was clipped, so what the variables stand for is
    no longer the function of z.
    """

    base: Any
    wide: bool = False
    exponent_base: bool = False
    reduced: Any = None
    covered: Any = None
    prefix: list[int] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)
    saturated: bool = False

    def choose(self, count: int) -> int:
        """One of 0, ..., count - 1."""
        place = len(self.taken)
        chosen = self.prefix[place] if place < len(self.prefix) else 0
        self.taken.append((chosen, count))
        return chosen

    def narrow(self, low: Any, high: Any) -> None:
        """Restrict base to [low, high] (exact balls; None for no end)."""
        self.base = narrowed(self.base, low, high)

    def narrow_power(self, p: int, low: Any, high: Any) -> None:
        """Restrict base so that base^p, p = 1 or 2, is in [low, high]."""
        if high is not None and not high >= 0:
            raise Infeasible
        if p == 2:
            low, high = (end if end is None else end.max(ZERO).sqrt() for end in (low, high))
            low, high = low if low is None else low.lower(), high if high is None else high.upper()
        self.narrow(low, high)

    def power(self, exponent: int) -> Any:
        """base^exponent."""
        if exponent == 0:
            return ONE
        low, high = self.base.abs_lower(), self.base.abs_upper()
        if exponent > 0:
            return hull(low**exponent, high**exponent)
        if not low > 0:
            raise NotProved("a quotient by a quantity that may vanish")
        return hull((1 / high**-exponent).lower(), (1 / low**-exponent).upper())


def every_path(make: Callable[[list[int]], Path], run: Callable[[Path], Any]) -> Iterator[tuple[Path, Any]]:
    """Run with every sequence of choices, depth first; infeasible ones are left out."""
    prefix: list[int] = []
    while True:
        path = make(prefix)
        try:
            result = run(path)
        except Infeasible:
            pass
        else:
            yield path, result
        taken = path.taken
        while taken and taken[-1][0] == taken[-1][1] - 1:
            taken.pop()
        if not taken:
            return
        prefix = [chosen for chosen, _ in taken[:-1]] + [taken[-1][0] + 1]


def hull(low: Any, high: Any) -> Any:
    """The ball from one exact ball to another."""
    return low if bool(low == high) else low.union(high)


def narrowed(ball: Any, low: Any, high: Any) -> Any:
    """The part of a ball between two exact balls (None for no end). Raises Infeasible when there is none."""
    bottom, top = ball.lower(), ball.upper()
    bottom = bottom if low is None else bottom.max(low)
    top = top if high is None else top.min(high)
    if not bottom <= top:
        raise Infeasible
    return hull(bottom, top)
