"""The search for a threshold among integers: from a guess outward by doubling steps, then by halves.

Nothing is assumed of what is searched but the two ends that are returned: each was asked. If the property is not monotone there
may be other thresholds, and they are not looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Bracket:
    """holds: an integer where the property was seen to hold, fails: a smaller one where it was not; None where none was found."""

    holds: int | None
    fails: int | None


def bracket(
    property_at: Callable[[int], bool], guess: int, *, low: int, high: int, step: int, close: Callable[[int], int]
) -> Bracket:
    """Find a place above which the property holds and below which it fails.

    Arguments: ``guess``, where to begin, low <= guess <= high. ``step``, the first one taken from there. ``close``, how far apart
    the two ends may stay, for the upper end given; ends that are neighbors are close. ``holds`` is None when the property fails at
    every place asked up to ``high``, ``fails`` when it holds at every place asked down to ``low``.
    """
    good = bad = guess
    if property_at(guess):
        while good > low:
            bad, step = max(low, good - step), 2 * step
            if not property_at(bad):
                break
            good = bad
        else:
            return Bracket(good, None)
    else:
        while bad < high:
            good, step = min(high, bad + step), 2 * step
            if property_at(good):
                break
            bad = good
        else:
            return Bracket(None, bad)
    while good - bad > max(1, close(good)):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if property_at(middle) else (good, middle)
    return Bracket(good, bad)
