"""Links and chains: a proof as a sequence of numbers, each a bound of the one before, from what is measured to what is claimed.

Neighbors are divided, so the product of the links' ratios is the slack of the whole, exactly up to rounding, whatever the numbers
in between are and however well they are measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

PRINTS_AS_ONE = 0.005  # a ratio this near 1 is left out of a reading


@dataclass(frozen=True)
class Constants:
    """The certificate's constants under their symbols' names: middles of their enclosures, and half widths with rounding."""

    values: Mapping[str, float]
    errors: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def stage(self, name: str, link: str, meaning: str, statement: str, explained_by: str = "") -> Stage:
        """A stage that is one of the constants."""
        return Stage(self.values[name], self.errors[name], link, meaning, True, statement, explained_by)


@dataclass(frozen=True)
class Stage:
    """One of the numbers between measurement and claim.

    name: of the link that leads to it, "" for the first. meaning: what is used there, one sentence. error: absolute, of ``value``.
    proved: whether the proof says that the link loses, ratio >= 1; where it does not, the link may also gain.
    statement: where docs/theory.md proves it. explained_by: the claim whose chain takes the link apart.
    """

    value: float
    error: float = 0.0
    name: str = ""
    meaning: str = ""
    proved: bool = True
    statement: str = ""
    explained_by: str = ""


@dataclass(frozen=True)
class Link:
    """One inequality of a proof: what is on its two sides in this run.

    ratio: by which factor it loses, at least 1 up to ``error`` where it is ``proved``; bound/measured, or measured/bound for a
    bound from below. error: of the ratio, an estimate. The rest as in Stage; all numbers are floating point.
    """

    name: str
    meaning: str
    measured: float
    bound: float
    ratio: float
    error: float
    proved: bool
    statement: str
    explained_by: str

    @property
    def contradicted(self) -> bool:
        """Whether the ratio is below 1 by more than its error although the proof says that it is not."""
        return self.proved and self.ratio + self.error < 1


@dataclass(frozen=True)
class Chain:
    """The links from a measured value to a claimed one.

    claim: its id. title: what it bounds. unit: of the numbers in the links. lower: whether they are bounds from below. where: at
    which steps. measured, bound: of the claim, with total = the factor between them.
    """

    claim: str
    title: str
    unit: str
    lower: bool
    where: str
    measured: float
    bound: float
    total: float
    links: tuple[Link, ...]

    @property
    def product(self) -> float:
        """The product of the ratios; equal to ``total`` up to rounding."""
        return math.prod(link.ratio for link in self.links)

    @property
    def reading(self) -> str:
        """The chain in one sentence."""
        told = [link for link in self.links if abs(link.ratio - 1) >= PRINTS_AS_ONE]
        factors = " x ".join(f"{_digits(link.ratio)}{_doubt(link)} ({link.name})" for link in told)
        return f"{self.title}: {_digits(self.total)} = {factors or '1: nothing is lost'}"


@dataclass(frozen=True)
class BallRow:
    """A quantity of the ball recursion: the largest measured on the run and its bound on B(R), at the layer and point of the least
    room. error: of ``measured``, absolute."""

    name: str
    layer: int
    measured: float
    bound: float
    ratio: float
    error: float
    statement: str


@dataclass(frozen=True)
class BetaTerm:
    """A term of E4: its layer, order (see ``theorems.ball.CurvatureTerm``) and shares in beta, on B(R) and at its center."""

    layer: int
    order: int
    share: float
    share_at_center: float


@dataclass(frozen=True)
class Waterfall:
    """All chains of a certified run.
    ball: the quantities of E1-E3. beta_terms: of E4. omitted: title and reason of every chain that could not be drawn up."""

    chains: tuple[Chain, ...]
    ball: tuple[BallRow, ...]
    beta_terms: tuple[BetaTerm, ...]
    omitted: tuple[tuple[str, str], ...]


def chain_of(claim: str, title: str, unit: str, lower: bool, where: str, ends: tuple[float, float], stages: list[Stage]) -> Chain:
    """Link the stages. ends: what the claim measures and its bound, in its own units. Raises NoChain with the reason, where a stage
    is not a positive number, or not known to be one."""
    bad = next((stage for stage in stages if not (math.isfinite(stage.value) and stage.value > 0)), None)
    if bad is not None:
        raise NoChain(f"{bad.meaning or bad.name or 'what is measured'} comes out as {bad.value:.3g}, not as a positive number")
    lost = next((stage for stage in stages if not stage.error < stage.value), None)
    if lost is not None:  # a link to it could not be contradicted
        told = f"{lost.value:.3g} +- {lost.error:.1g}"
        raise NoChain(f"{lost.meaning or lost.name or 'what is measured'} comes out as {told}, below the error of measurement")
    links = tuple(_link(before, after, lower) for before, after in zip(stages[:-1], stages[1:], strict=True))
    first, last = float(stages[0].value), float(stages[-1].value)
    total = first / last if lower else last / first
    return Chain(claim, title, unit, lower, where, *ends, total, links)


class NoChain(Exception):
    """Why a chain cannot be drawn up for this run."""


def _link(before: Stage, after: Stage, lower: bool) -> Link:
    ratio = before.value / after.value if lower else after.value / before.value
    error = ratio * (before.error / before.value + after.error / after.value)
    return Link(
        name=after.name,
        meaning=after.meaning,
        measured=float(before.value),
        bound=float(after.value),
        ratio=float(ratio),
        error=float(error),
        proved=after.proved,
        statement=after.statement,
        explained_by=after.explained_by,
    )


def _doubt(link: Link) -> str:
    """The error, where it is as large as the ratio."""
    return f" +- {_digits(link.error)}" if link.error >= link.ratio else ""


def _digits(value: float) -> str:
    """Three digits, rounded to nearest: a reading bounds nothing."""
    return f"{value:#.3g}".rstrip(".") if 0.01 <= value < 1000 else f"{value:.2e}"
