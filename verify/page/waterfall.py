"""The slack waterfall on the page: per chain a figure and a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from verify.page.figures import INK, MEASURED, PROVEN, Figure, drawn
from verify.waterfall.records import Chain, Waterfall

ROW, MARGIN = 0.3, 0.85  # inches
LETTER, BELOW = 0.082, 0.55  # inches: of a letter of a label, on the wide side, and for the labels of the axis below


@dataclass(frozen=True)
class ShownChain:
    """A chain as the page shows it: its reading, its figure, its links as rows of text; starred: whether one is no inequality."""

    claim: str
    reading: str
    where: str
    unit: str
    figure: Figure
    rows: tuple[tuple[str, ...], ...]
    starred: bool


TOTAL = "bound/measured"  # what the last row is called
COLUMNS = ("measured", "bound", "ratio", "±")


def shown_chains(found: Waterfall | None) -> list[ShownChain]:
    """Every chain with its figure and its rows (link, meaning, measured, bound, ratio, error)."""
    chains = found.chains if found is not None else ()
    return [
        ShownChain(
            claim=chain.claim,
            reading=chain.reading,
            where=chain.where,
            unit=chain.unit,
            figure=chain_figure(chain),
            rows=tuple(_rows(chain)),
            starred=not all(link.proved for link in chain.links),
        )
        for chain in chains
    ]


def ball_table(found: Waterfall | None) -> list[tuple[str, ...]]:
    """The ball's quantities as rows of text: name, layer, measured, bound, ratio, statement."""
    rows = found.ball if found is not None else ()
    return [
        (row.name, str(row.layer), f"{row.measured:.4g}", f"{row.bound:.4g}", f"{row.ratio:.3g}", row.statement) for row in rows
    ]


def beta_table(found: Waterfall | None) -> list[tuple[str, ...]]:
    """The terms of E4 as rows of text: term, share on B(R), share at the center."""
    terms = found.beta_terms if found is not None else ()
    words = {1: "movement of W_{l} times derivative of h_{below}", 2: "phi'' at z_{l} times two first derivatives"}
    return [
        (words[term.order].format(l=term.layer, below=term.layer - 1), f"{term.share:.1%}", f"{term.share_at_center:.1%}")
        for term in terms
    ]


def without_chain(found: Waterfall | None) -> list[tuple[str, list[str]]]:
    """What has no chain of its own, by reason."""
    reasons: dict[str, list[str]] = {}
    for what, reason in found.omitted if found is not None else ():
        reasons.setdefault(reason, []).append(what)
    return list(reasons.items())


def _rows(chain: Chain) -> list[tuple[str, ...]]:
    return [
        (
            link.name + ("" if link.proved else "*"),
            link.meaning + (f" (taken apart in {link.explained_by})" if link.explained_by else ""),
            f"{link.measured:.4g}",
            f"{link.bound:.4g}",
            f"{link.ratio:.4g}",
            f"{link.error:.0e}" if link.error > 0 else "0",
        )
        for link in chain.links
    ]


def chain_figure(chain: Chain) -> Figure:
    """The factors one after the other on a logarithmic axis, from 1 to the total."""
    caption = f"{chain.title} ({chain.claim}): from what was measured (1) to the bound, link by link."
    left = 0.2 + LETTER * max(len(name) for name in (*(link.name for link in chain.links), TOTAL))
    return Figure(drawn(lambda axes: _waterfall(axes, chain), MARGIN + ROW * (len(chain.links) + 1), (left, BELOW)), caption)


def _waterfall(axes: Axes, chain: Chain) -> None:
    ratios = np.array([link.ratio for link in chain.links])
    ends = np.cumprod(ratios)
    begins = np.concatenate([[1.0], ends[:-1]])
    rows = np.arange(len(ratios) + 1)[::-1]
    low, high = min(1.0, float(ends.min())), max(1.0, float(ends.max()))
    room = max(high / low, 1.05)
    axes.set_xscale("log")
    axes.set_xlim(low / room**0.04, high * room**0.16)
    for row, begin, end, link in zip(rows, begins, ends, chain.links, strict=False):
        loses = end >= begin
        axes.barh(
            row,
            end - begin,
            left=begin,
            height=0.55,
            color=PROVEN if loses else MEASURED,
            hatch="" if loses else "///",
            edgecolor=PROVEN if loses else INK,
            linewidth=1.0,
        )
        axes.vlines(end, row - 1, row, color=INK, linewidth=0.6, linestyle=":")
        axes.annotate(f"× {link.ratio:.3g}", (max(begin, end), row), xytext=(5, 0), textcoords="offset points", va="center")
    axes.plot([1.0], [rows[0] + 0.62], marker="v", color=MEASURED, markersize=6, clip_on=False)
    axes.plot([ends[-1]], [rows[-1]], marker="D", color=PROVEN, markersize=6, clip_on=False)
    axes.annotate(f"{ends[-1]:.3g}", (ends[-1], rows[-1]), xytext=(7, 0), textcoords="offset points", va="center", weight="bold")
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.set_yticks(rows, [*(link.name for link in chain.links), TOTAL])
    axes.set_ylim(-0.6, len(ratios) + 0.75)
    axes.tick_params(axis="y", length=0)
    axes.grid(alpha=0.2, axis="x")
    axes.set_xlabel("factor (logarithmic)")
    axes.set_axisbelow(True)
    marked = (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0) if room < 2.5 else (1.0, 2.0, 5.0) if room < 50 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=marked))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
