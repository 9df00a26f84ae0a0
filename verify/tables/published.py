"""Whether a published decimal can be a number that is enclosed: to the digits that are printed, rounded or cut off.

A decimal with k digits after the point and the unit u = 10^-k of its last digit is right if the number rounds to it (it is within
u/2, ends included) or is cut off to it (the number is at most u larger in size, and not smaller). It is right when all of the
enclosure is, wrong when none of it is, and undecided otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from verify.report import shown_above, shown_below

MOST_DIGITS = 400
MOST_EXPONENT = 400
_PUBLISHED = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?:[eE](?P<exponent>[+-]?[0-9]{1,6}))?")


class Finding(Enum):
    """What can be said of a printed decimal; the value is the word a reader sees."""

    ROUNDED = "right, rounded"
    TRUNCATED = "right, cut off"
    WRONG = "cannot be right"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Decimals:
    """A printed decimal: its text, its value, the unit of its last digit, how many digits follow the point, and 10^exponent."""

    text: str
    value: Fraction
    unit: Fraction
    places: int
    scale: Fraction


@dataclass(frozen=True)
class Judgement:
    """marked: the text with the digits that cannot be right in brackets, as 1.71[39]. right: the number to as many digits, rounded;
    empty where the enclosure leaves that open. off: how far the text is from the enclosure, at least; 0 unless it is wrong."""

    finding: Finding
    marked: str
    right: str
    off: Fraction

    def distance(self, unit: Fraction) -> str:
        """How far off, and in units of the last digit."""
        if not self.off:
            return ""
        return f"off by at least {shown_below(self.off, 4)}, {shown_below(self.off / unit, 4)} units of the last digit"


def read_decimal(text: str) -> Decimals | None:
    """The decimal that a text prints, in ASCII digits; None for any other text."""
    stripped = text.strip()
    match = _PUBLISHED.fullmatch(stripped)
    if match is None or len(stripped) > MOST_DIGITS or not (match["whole"] or match["part"]):
        return None
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > MOST_EXPONENT:
        return None
    places, scale = len(match["part"] or ""), Fraction(10) ** exponent
    size = Fraction(int((match["whole"] or "") + (match["part"] or "")), 10**places) * scale
    return Decimals(stripped, -size if match["sign"] == "-" else size, scale / 10**places, places, scale)


def judge(printed: Decimals, low: Fraction, high: Fraction) -> Judgement:
    """Judge a printed decimal by an enclosure low <= x <= high of the number that it should be."""
    unit, value = printed.unit, printed.value
    right = _agreed(printed, low, high)
    ends = (value - unit / 2, value + unit / 2)
    if ends[0] <= low and high <= ends[1]:
        return Judgement(Finding.ROUNDED, printed.text, right, Fraction(0))
    inside, outside = _cut_off(printed, low, high)
    if inside:
        return Judgement(Finding.TRUNCATED, printed.text, right, Fraction(0))
    if outside and (high < ends[0] or low > ends[1]):
        return Judgement(Finding.WRONG, _marked(printed, low, high), right, max(value - high, low - value))
    return Judgement(Finding.UNDECIDED, printed.text, right, Fraction(0))


def _cut_off(printed: Decimals, low: Fraction, high: Fraction) -> tuple[bool, bool]:
    """Whether all numbers of the enclosure are cut off to the decimal, and whether none is: at one end the next decimal begins."""
    unit, value = printed.unit, printed.value
    if value == 0:
        return -unit < low and high < unit, high <= -unit or low >= unit
    if value < 0:
        low, high, value = -high, -low, -value
    return value <= low and high < value + unit, high < value or low >= value + unit


def _candidates(printed: Decimals, low: Fraction, high: Fraction) -> list[str]:
    """The numbers of the enclosure's ends to as many digits, rounded and cut off."""
    return [
        _written(number / printed.scale, printed.places, rounded)
        for number in (low, high)
        for rounded in (True, False)
    ]  # fmt: skip


def _written(number: Fraction, places: int, rounded: bool) -> str:
    scaled = abs(number) * 10**places
    whole = (
        (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
        if rounded
        else scaled.numerator // scaled.denominator
    )
    digits = str(whole).rjust(places + 1, "0")
    sign = "-" if number < 0 and whole else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def _agreed(printed: Decimals, low: Fraction, high: Fraction) -> str:
    first, second = (_written(number / printed.scale, printed.places, True) for number in (low, high))
    mark, tail = _exponent(printed.text)
    return f"{first}{mark}{tail}" if first == second else ""


def _exponent(text: str) -> tuple[str, str]:
    _, mark, tail = text.replace("E", "e").partition("e")
    return mark, tail


def _marked(printed: Decimals, low: Fraction, high: Fraction) -> str:
    """Brackets from the first digit on that no number of the enclosure has, rounded or cut off."""
    digits = re.split("[eE]", printed.text)[0]
    tail = printed.text[len(digits) :]
    plain = digits.lstrip("+")
    lead = len(digits) - len(plain)
    padded = plain if not plain.lstrip("-").startswith(".") else plain.replace(".", "0.", 1)
    added = len(padded) - len(plain)
    common = max(_common(padded, candidate) for candidate in _candidates(printed, low, high))
    place = max(common - added, 0) + lead
    return f"{digits[:place]}[{digits[place:]}]{tail}"


def _common(text: str, candidate: str) -> int:
    """How many leading characters agree; none where the integer parts are of different length."""
    if len(text.partition(".")[0]) != len(candidate.partition(".")[0]):
        return 0
    count = 0
    while count < min(len(text), len(candidate)) and text[count] == candidate[count]:
        count += 1
    return count


def enclosure_text(low: Fraction, high: Fraction) -> str:
    """An enclosure in decimals, rounded outward; what is smaller than can be written is rounded to there."""
    tiny = Fraction(1, 10**MOST_EXPONENT)
    low = low if not low or abs(low) >= tiny else Fraction(0) if low > 0 else -tiny
    high = high if not high or abs(high) >= tiny else Fraction(0) if high < 0 else tiny
    return f"[{shown_below(low, 20)}, {shown_above(high, 20)}]"
