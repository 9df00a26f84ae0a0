"""Branch and bound for the supremum of a function of one variable on [-A, A], with balls.

Every box carries an upper bound that is a proof; the box with the largest is split until that bound lies within a small gap of
a value that is attained. Values at points only ever prove that the supremum is at least so large.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from theorems.ball_arithmetic import as_ball, lower, upper, working_precision
from theorems.errors import InputError
from theorems.functions import NotEnclosed, Undefined
from theorems.jets import JETS, Jet, variable
from theorems.programs import Program, evaluate

RELATIVE_GAP = Fraction(1, 10**12)  # at which a bound is close enough to an attained value
ABSOLUTE_GAP = Fraction(1, 1 << 60)  # the same for a supremum near zero, relative to the size of the function
FLOOR_GAP = Fraction(1, 10**9)  # at which a bound is close enough to what the tails allow, after ``PATIENCE`` boxes
PATIENCE = 200
MAX_WORK = 500_000  # over all boxes, in instructions: a few seconds
OVERHEAD = 60  # what handling a box costs beside running the program
SMALLEST_BOX = Fraction(1, 1 << 40)  # radius, relative to the distance from the origin or 1, that is not split again

NO_BOUND = Fraction(1 << 70_000)  # larger than every upper bound that is written out as a rational


@dataclass(frozen=True)
class Box:
    """The interval of all s within ``radius`` of ``middle``, in exact rationals."""

    middle: Fraction
    radius: Fraction

    def split(self) -> tuple[Box, ...]:
        """Return boxes that cover this one."""
        half = self.radius / 2
        if self.middle == 0:  # keep the origin a midpoint: extrema sit there, and there Taylor's bound is exact
            return (Box(-3 * half / 2, half / 2), Box(Fraction(0), half), Box(3 * half / 2, half / 2))
        return (Box(self.middle - half, half), Box(self.middle + half, half))

    @property
    def is_too_small(self) -> bool:
        """Whether splitting it further is pointless."""
        return self.radius < SMALLEST_BOX * max(Fraction(1), abs(self.middle))


def cover(end: int, start: int = 0) -> Iterator[Box]:
    """Yield boxes covering start <= |s| <= end: [-1, 1] if start is 0, then +-[1, 2], +-[2, 4], and so on.

    Arguments: ``end`` and ``start``, powers of two, or start = 0.
    """
    if start == 0:
        yield Box(Fraction(0), Fraction(1))
    inner = Fraction(max(start, 1))
    while inner < end:
        for sign in (1, -1):
            yield Box(sign * 3 * inner / 2, inner / 2)
        inner *= 2


def jet_at(program: Program, s: Any) -> Jet:
    """Return the jet of the function at ``s``, an exact number or a ball; raises Undefined."""
    with working_precision():
        (jet,) = evaluate(program, JETS, [variable(as_ball(s))])
    return Jet(*jet)


def jet_over(program: Program, box: Box) -> Jet:
    """Return a jet that holds on the whole box; raises Undefined."""
    with working_precision():
        ball = as_ball(box.middle) + arb(0, 1) * as_ball(box.radius)
    return jet_at(program, ball)


def refuse_if_hopeless(program: Program, box: Box, reason: Undefined) -> None:
    """Raise NotEnclosed when a box on which the function is undefined cannot be cured by splitting it."""
    refusal = NotEnclosed(f"the function is not shown to be smooth near {program.inputs[0]} = {float(box.middle):.6g}: {reason}")
    if box.is_too_small:
        raise refusal
    try:
        jet_at(program, box.middle)
    except Undefined:
        raise refusal from None


def require_defined(program: Program, boxes: Iterable[Box]) -> None:
    """Return if every operation of the program is smooth at its argument throughout the boxes; raises NotEnclosed."""
    tickets = itertools.count()
    pending = [(0.0, next(tickets), box) for box in boxes]
    for _ in range(MAX_WORK // (OVERHEAD + len(program.instructions))):
        if not pending:
            return
        box = heapq.heappop(pending)[2]
        try:
            jet_over(program, box)
        except Undefined as reason:
            refuse_if_hopeless(program, box, reason)
            for part in box.split():
                heapq.heappush(pending, (reason.distance, next(tickets), part))
    raise NotEnclosed("the function could not be shown to be smooth with the work allowed")


class Search:
    """The search for the supremum of sign * g over all s and the given signs; both signs give sup |g|.

    Arguments: ``program``, one input and one output g; ``signs``, from 1 and -1.
    """

    def __init__(self, program: Program, signs: Sequence[int]) -> None:
        self.program = program
        self.signs = signs
        self.attained = -NO_BOUND  # the supremum is at least this, proved
        self._scale = Fraction(0)  # the largest |g| seen
        self._heap: list[tuple[Fraction, float, int, Box]] = []
        self._tickets = itertools.count()
        self._work = MAX_WORK

    @property
    def gap(self) -> Fraction:
        """The excess over an attained value that is good enough for an upper bound."""
        return max(RELATIVE_GAP * min(abs(self.attained), self._scale), ABSOLUTE_GAP * self._scale)

    def record(self, value: Any) -> None:
        """Take note that g attains a value within the ball ``value``."""
        bound = _largest([abs(value)])
        if bound < NO_BOUND:
            self._scale = max(self._scale, bound)
            self.attained = max(self.attained, *(lower(value) if sign > 0 else -upper(value) for sign in self.signs))

    def add(self, boxes: Iterable[Box]) -> None:
        """Add boxes to the set over which the supremum is sought."""
        for box in boxes:
            self._push(box)

    def run(self, floor: Fraction) -> Fraction:
        """Return an upper bound of the supremum over the boxes added, not tightened below ``floor``.

        Can be called again with another floor and more boxes; the budget is for all calls together.

        Raises NotEnclosed when g is undefined somewhere in the boxes, or not bounded when the budget has been used.
        """
        for count in itertools.count():
            bound, box = -self._heap[0][0], self._heap[0][3]
            slack = FLOOR_GAP * self._scale if count >= PATIENCE else 0
            is_close = bound <= max(floor + slack, self.attained + self.gap)
            if is_close or (bound < NO_BOUND and box.is_too_small) or self._work <= 0:
                break
            heapq.heappop(self._heap)
            self.add(box.split())
        if bound >= NO_BOUND:
            raise NotEnclosed(f"no bound was found near {self.program.inputs[0]} = {float(box.middle):.6g} with the work allowed")
        return max(bound, floor)

    def _push(self, box: Box) -> None:
        self._work -= OVERHEAD + len(self.program.instructions)
        try:
            bound, distance = self._bound(box), 0.0
        except Undefined as reason:
            refuse_if_hopeless(self.program, box, reason)
            bound, distance = NO_BOUND, reason.distance
        # The order among undefined boxes corners a point where g is really undefined.
        heapq.heappush(self._heap, (-bound, distance, next(self._tickets), box))

    def _bound(self, box: Box) -> Fraction:
        """Return an upper bound of sign * g on the box.

        For a g seen to be monotone it is the larger end; otherwise the smaller of the range of g over the box and Taylor's
        formula about its middle with g'' over the box.
        """
        middle, over = jet_at(self.program, box.middle), jet_over(self.program, box)
        self.record(middle.value)
        with working_precision():
            if over.first.is_finite() and not over.first.contains(0):
                ends = [jet_at(self.program, box.middle + side * box.radius).value for side in (1, -1)]
                for end in ends:
                    self.record(end)
                return _largest([end * sign for end in ends for sign in self.signs])
            self._probe(box, middle)
            radius = as_ball(box.radius)
            parabolas = [_parabola(middle, over.second, sign, radius) for sign in self.signs]
            return min(_largest(parabolas), _largest([over.value * sign for sign in self.signs]))

    def _probe(self, box: Box, middle: Jet) -> None:
        """Record the value where a Newton step from the middle expects an extremum, if it is inside and promising."""
        slope, bend, reach = middle.first.mid(), middle.second.mid(), as_ball(box.radius)
        if bend.is_zero() or slope.is_zero() or not abs(slope) < abs(bend) * reach:
            return
        expected = [sign * middle.value + abs(slope) * reach for sign in self.signs]
        if _largest(expected) > self.attained:
            self.record(jet_at(self.program, (as_ball(box.middle) - slope / bend).mid()).value)


def _parabola(middle: Jet, second: Any, sign: int, radius: Any) -> Any:
    """Return a ball whose upper end is at least sign * (g + g' h + second h^2/2) for all |h| <= radius.

    With c = |g'| and b an upper bound of sign * second/2, the maximum of c x + b x^2 over 0 <= x <= radius is at the radius
    unless b < 0 and the vertex c/(-2b), where the value is c^2/(-4b), lies before it.
    """
    value, slope, bend = sign * middle.value, middle.first.abs_upper(), (sign * second / 2).upper()
    if bend < 0 and slope < -2 * bend * radius:
        return value - slope * slope / (4 * bend)
    # When the comparison is undecided the vertex is at the radius up to rounding, and both values are covered.
    at_radius = value + slope * radius + bend * radius * radius
    if bend < 0 and not slope >= -2 * bend * radius:
        return at_radius.union(value - slope * slope / (4 * bend))
    return at_radius


def _largest(balls: Sequence[Any]) -> Fraction:
    """Return the largest upper end, or ``NO_BOUND``."""
    try:
        return max(upper(ball) for ball in balls)
    except InputError:  # not finite, or too large to be written out
        return NO_BOUND
