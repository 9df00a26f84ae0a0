"""Verified infimum and supremum of a function of one variable over the whole real line.

The line is cut into [-A, A] and two tails. On the tails s >= A and s <= -A the range is proved by asymptotic expansions with
enclosed coefficients (``theorems.tails``), on [-A, A] by branch and bound with balls (``theorems.search``). Nothing is
sampled. If the budget of boxes ends first the enclosure is wider and still true; if no bound can be proved at all, the
reason is raised.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction

import sympy

from theorems.errors import InputError
from theorems.functions import NotEnclosed, Unbounded
from theorems.growth import Range
from theorems.programs import Program, compile_program, evaluate
from theorems.rewriting import bounded_form
from theorems.search import NO_BOUND, Search, cover, require_defined
from theorems.tails import TailArithmetic, variable

__all__ = ["Enclosure", "NotEnclosed", "Unbounded", "range_over_line", "require_smooth", "supremum_of_absolute_value"]

STARTS = (8, 16, 64, 1024, 1 << 20, 1 << 40)  # candidates for A, powers of two
TAIL_GAP = Fraction(1, 10**7)  # relative excess of the tails over an attained value that is not worth a larger A


@dataclass(frozen=True)
class Enclosure:
    """A real number known to lie between two rationals, both included."""

    lower: Fraction
    upper: Fraction

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise InputError(f"lower must not exceed upper, got lower={self.lower}, upper={self.upper}")

    def __str__(self) -> str:
        return str(Range(self.lower, self.upper))

    @classmethod
    def exact(cls, value: Fraction | int) -> Enclosure:
        """Return the enclosure of one rational number by itself."""
        return cls(Fraction(value), Fraction(value))


def supremum_of_absolute_value(expression: sympy.Expr, symbol: sympy.Symbol) -> Enclosure:
    """Return an enclosure of sup |g(s)| over all real s.

    Arguments: ``expression``, g as an expression in ``symbol`` alone, smooth on the whole line.

    Raises Unbounded when g is proved unbounded, NotEnclosed when no bound can be proved or g is not shown to be smooth (both
    with the reason), InputError for an expression that does not compile.
    """
    return _supremum(expression, symbol, (1, -1))


def range_over_line(expression: sympy.Expr, symbol: sympy.Symbol) -> tuple[Enclosure, Enclosure]:
    """Return enclosures of inf g(s) and of sup g(s) over all real s.

    Arguments and errors as for ``supremum_of_absolute_value``.
    """
    negative = _supremum(expression, symbol, (-1,))
    return Enclosure(-negative.upper, -negative.lower), _supremum(expression, symbol, (1,))


def require_smooth(expression: sympy.Expr, symbol: sympy.Symbol) -> None:
    """Return if every operation in ``expression`` is analytic wherever it is applied as ``symbol`` runs over the real line.

    Then the expression is analytic there and symbolic differentiation is licensed. (SymPy differentiates arctan(1/s) to
    something that simplifies to a harmless function, though arctan(1/s) jumps at 0.)

    Raises NotEnclosed with the reason when this cannot be shown.
    """
    program = compile_program([expression], [symbol])
    end = _period_cover(expression, symbol) or _first_start_with_tails(program)
    require_defined(program, cover(end))


def _supremum(expression: sympy.Expr, symbol: sympy.Symbol, signs: tuple[int, ...]) -> Enclosure:
    """Return an enclosure of the supremum of sign * g over all s and the given signs."""
    program = compile_program([bounded_form(expression)], [symbol])
    search = Search(program, signs)
    end = _period_cover(expression, symbol)
    if end:
        search.add(cover(end))
        bound = search.run(-NO_BOUND)
        # A tail of a periodic function has the range of the whole; the bound |sin| <= 1 is exact there.
        return Enclosure(search.attained, min(bound, _periodic_ceiling(program, signs)))
    covered, floor, bound = 0, NO_BOUND, NO_BOUND
    reason = NotEnclosed("no tail was tried")
    for start in STARTS:
        try:
            ranges = _on_tails(program, start, is_bounded=True)
        except NotEnclosed as refusal:
            reason = refusal
            continue
        # On a tail, sign * g lies between these ends, so the supremum is at least each lower one.
        lows, highs = zip(*(_signed(r, sign) for r in ranges for sign in signs), strict=True)
        search.attained = max(search.attained, *lows)
        try:
            if max(highs) < floor - TAIL_GAP * abs(floor):  # otherwise what was known for the shorter part serves as well
                search.add(cover(start, covered))
                covered, floor = start, max(highs)
            bound = min(bound, search.run(floor))
        except NotEnclosed:
            if bound == NO_BOUND:
                raise
            break  # a shorter part gave a bound, and it stands
        if floor <= search.attained + max(TAIL_GAP * abs(search.attained), search.gap):
            break  # the tails hardly raise the supremum: no need to push them out
    if not covered:
        raise reason
    return Enclosure(search.attained, bound)


def _periodic_ceiling(program: Program, signs: tuple[int, ...]) -> Fraction:
    try:
        (r, _) = _on_tails(program, STARTS[0], is_bounded=True)
    except NotEnclosed:
        return NO_BOUND
    return max(_signed(r, sign)[1] for sign in signs)


def _signed(r: Range, sign: int) -> tuple[Fraction, Fraction]:
    """Return the least and the greatest value of sign * g when g ranges over ``r``."""
    low, high = Fraction(r.low), Fraction(r.high)
    return (low, high) if sign > 0 else (-high, -low)


def _period_cover(expression: sympy.Expr, symbol: sympy.Symbol) -> int:
    """Return a power of two whose double is at least a period of the expression, or 0 if none is seen.

    Seen is a period when the symbol occurs only as sin(a s + c) and cos(a s + c) with rational a: with g the greatest rational
    of which all a are integer multiples, 2 pi/g is a period, and 8/g is larger.
    """
    waves = {}
    for wave in expression.atoms(sympy.sin, sympy.cos):
        frequency = sympy.diff(wave.args[0], symbol)
        if frequency.is_Rational and frequency != 0:
            waves[wave] = frequency
    if not waves or expression.xreplace({wave: sympy.Dummy() for wave in waves}).has(symbol):
        return 0
    half_cover = 4 / functools.reduce(sympy.gcd, (abs(frequency) for frequency in waves.values()))
    if half_cover > STARTS[-1]:
        return 0
    return int(1 << max(0, int(sympy.ceiling(half_cover) - 1).bit_length()))


def _on_tails(program: Program, start: int, is_bounded: bool) -> list[Range]:
    """Prove that the function is defined for |s| >= start and, if asked, return its ranges on the two tails."""
    arithmetic, ranges = TailArithmetic(start), []
    for sign, side in ((1, "+infinity"), (-1, "-infinity")):
        try:
            (tail,) = evaluate(program, arithmetic, [variable(sign)])
            if is_bounded:
                ranges.append(arithmetic.range(tail))
        except (NotEnclosed, Unbounded) as refusal:
            raise type(refusal)(f"as {program.inputs[0]} tends to {side}: {refusal}") from None
    return ranges


def _first_start_with_tails(program: Program) -> int:
    reason = NotEnclosed("no tail was tried")
    for start in STARTS:
        try:
            _on_tails(program, start, is_bounded=False)
        except NotEnclosed as refusal:
            reason = refusal
            continue
        return start
    raise reason
