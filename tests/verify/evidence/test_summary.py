"""docs/evidence.md: every number that it says was seen, or not seen, computed from the tables that are shipped."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.verify.evidence.test_experiments import rows_from
from verify.evidence.slopes import Slope, slope_over_draws
from verify.evidence.tabulated import by_draw, chosen, distinct, widths_of
from verify.rigor import decimal_above, decimal_below

DOCS = Path(__file__).parents[3] / "docs"
# What is no measurement: names of theorems and quantities, what a run is about, rates of the theory.
NAMES = r"\b[A-Z]\d\b|\w_0|\|θ_0\|²|L = \d|output scale 1\b|− 1\b|−1/2|−1\b|±1/4|−1/4|1/\(L λ|the 1/2 of|\(d \+ 1\)"


@cache
def shipped(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(rows_from((DOCS / "evidence" / f"{name}.csv").read_text()))


def slope(name: str, column: str, **about: Any) -> Slope:
    rows = chosen(shipped(name), **about)
    found = slope_over_draws(widths_of(rows), by_draw(rows, column, widths_of(rows)))
    assert found is not None
    return found


def number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def slopes(name: str, column: str, *abouts: dict[str, Any]) -> str:
    return " and ".join(number(slope(name, column, **about).estimate) for about in abouts)


def span(estimates: Iterable[float]) -> str:
    """From the flattest to the steepest."""
    ordered = sorted(estimates)
    return f"{number(ordered[-1])} to {number(ordered[0])}"


def at_least(values: Iterable[float], digits: int) -> str:
    """The least, rounded down, in full."""
    return f"{decimal_below(Fraction(min(values)), digits):f}"


def ratios(name: str, bound: str, measured: str) -> list[float]:
    return [row[bound] / row[measured] for row in shipped(name) if row.get(bound) and row.get(measured)]


def power(value: float) -> str:
    exponent = math.floor(math.log10(value))
    return f"{value / 10**exponent:.0f}·10{str(exponent).translate(str.maketrans('0123456789-', '⁰¹²³⁴⁵⁶⁷⁸⁹⁻'))}"


def certification() -> list[str]:
    rows = shipped("certification")
    done = [row["certification_step"] for row in rows if row["certified"]]
    falls = [slope("certification", "q_start", points=n, layers=depth).estimate for n, depth in distinct(rows, "points", "layers")]
    few = [row for row in chosen(rows, points=16, width=512) if row["width_estimate"] is not None]
    widths = sorted(row["width_estimate"] for row in few)
    assert {row["layers"] for row in few} == {2, 3, 4}
    assert min(done) > 0
    return [
        f"{len(done)} of {len(rows)} runs are certified before they end, "
        f"all from a step within the first {100 * math.ceil(max(done) / 100)}",
        f"slopes {span(falls)}, near −1/2",
        f"about {power(widths[0])} to {power(widths[-1])} by estimate (n = 16, L = 2 to 4, from width 512)",
    ]


def implicit() -> list[str]:
    certified = ({"layers": 2, "output_scale": 64.0}, {"layers": 3, "output_scale": 256.0})
    late = chosen(shipped("implicit"), output_scale=1.0)
    rows = shipped("implicit")
    assert all(row["excess_bound_second"] > row["excess"] > 0 for row in rows)
    worst = decimal_above(100 * Fraction(max(row["deviation"] for row in late)), 2)
    first = [*ratios("implicit", "outside_bound", "outside"), *ratios("implicit", "deviation_bound", "deviation")]
    return [
        f"|θ_∞ − θ*|/dist falls with slopes {slopes('implicit', 'deviation', *certified)}",
        f"the part outside the range with {slopes('implicit', 'outside', *certified)}",
        f"the excess |v|/dist − 1 with {slopes('implicit', 'excess', *certified)}",
        f"in all {len(rows)} runs, though the excess is only {power(min(row['excess'] for row in rows))} in one of them",
        f"ends within {worst}% of dist",
        f"B1 and B3 exceed what is measured by a factor of {at_least(first, 2)} at least, "
        f"B2 and B4 by one of {at_least(ratios('implicit', 'excess_bound', 'excess'), 2)}",
    ]


def generalization() -> list[str]:
    rows = shipped("generalization")
    good = [row for row in rows if not row["vacuous"]]
    widths = " and ".join(map(str, widths_of(good)))
    ((data, points, steps),) = distinct(good, "data", "points", "steps")
    assert all(not row["vacuous"] for row in chosen(rows, data=data, points=points, steps=steps) if row["width"] in widths_of(good))
    assert all(row["transport_vacuous"] for row in rows)
    best = min(rows, key=lambda row: row["bound"])
    gaps = [row["bound_of_gap"] / abs(row["gap"]) for row in rows if row["gap"]]
    return [
        f"for {data.replace('_', ' ')} with {points} points after {steps} steps at widths {widths}",
        f"bounded by {decimal_above(Fraction(best['bound']), 3)} at best",
        f"where {number(best['test_loss'], 3)} is measured",
        f"at least {at_least(ratios('generalization', 'certified_bound', 'bound'), 2)} times that",
        f"after 200 steps ({len(rows) - len(good)} of {len(rows)} judgments)",
        f"by a factor of {at_least(gaps, 2)} at least",
    ]


def lazy() -> list[str]:
    two, three = ([{"layers": depth, "output_scale": scale} for scale in (1.0, big)] for depth, big in ((2, 64.0), (3, 256.0)))
    others = [slope("lazy", column, **about).estimate for column in ("kernel_drift", "linear_gap") for about in (*two, *three)]
    assert max(others) < -0.5
    single = [slope("lazy", column, **about).estimate for column in ("layer_change", "neuron_change") for about in (*two, *three)]
    names = ("kernel_drift", "weight_change", "linear_gap", "layer_change", "neuron_change")
    factors = [at_least(ratios("lazy", f"{name}_bound", name), 2) for name in names]
    return [
        f"with {slopes('lazy', 'weight_change', *two)} for L = 2",
        f"with {slopes('lazy', 'weight_change', *three)} for L = 3",
        f"fall like {span(others)}",
        f"with {span(single)}, as the theory's",
        f"by a factor of {factors[0]} at least, C2 by {factors[1]} (for layers {factors[3]}, for neurons {factors[4]}), "
        f"C3 by {factors[2]}",
    ]


def transfer() -> list[str]:
    rows = chosen(shipped("transfer"), section="slope")
    ntk, standard = (chosen(rows, parametrization=name) for name in ("NTK", "standard"))
    assert all(-0.25 <= row["slope_lower"] <= row["slope_upper"] <= 0.25 for row in ntk)
    certified = chosen(ntk, quantity="certified_step")
    assert all(row["slope_lower"] <= 0 <= row["slope_upper"] for row in ntk if row not in certified)
    assert all(row["slope_upper"] < -0.25 for row in standard)
    (best,) = chosen(ntk, layers=3, quantity="best_step")
    runs = chosen(shipped("transfer"), section="run", parametrization="NTK")
    starts = [row for row in runs if row["certified_at"] == 0]
    assert {row["output_scale"] for row in starts} == {128.0}
    assert all(row["holds"] for row in starts)
    assert all(0.4 < row["certified_step"] / row["stable_step"] < 0.6 for row in starts)
    assert all(0.8 < row["certified_step"] / row["limit_step"] <= 1.1 for row in starts)
    widest = decimal_above(Fraction(max(-best["slope_lower"], best["slope_upper"])), 2)
    return [
        "and 0 lies within the limits of the first two",
        f"with a slope of {decimal_above(Fraction(max(row['slope'] for row in certified)), 1)} at most",
        f"they are {span(row['slope'] for row in standard)}, below −1/4 with all their limits",
        f"(output scale {starts[0]['output_scale']:g})",
        f"certified at all {len(starts)} starts of all widths",
        f"for L = 3 is nearer to 0 than {widest}",
    ]


def assumption() -> list[str]:
    rows, page = shipped("assumption"), (DOCS / "evidence" / "assumption.md").read_text()
    halves = chosen(rows, section="eigenvalue probability", epsilon="1/2")
    curves = {problem: max(row["width"] for row in chosen(halves, problem=problem)) for (problem,) in distinct(halves, "problem")}
    last = [row for row in halves if row["width"] == curves[row["problem"]]]
    assert {row["frequency"] for row in last} == {1.0}
    (draws,) = {row["draws"] for row in last}
    smallest = re.search(r"of all draws is ([\d.]+)\.", page)
    limits = [tuple(map(float, found)) for found in re.findall(r"\| \S+ \[(\S+), (\S+)\] \|$", page, re.MULTILINE)]
    assert len(limits) == len(curves)
    outside = [ends for ends in limits if not ends[0] <= -0.5 <= ends[1]]
    assert smallest is not None
    assert all(ends[1] < -0.5 for ends in outside)
    return [
        f"at least half of it in all {draws} draws",
        f"the smallest is {smallest[1]} of it",
        f"outside its limits for {len(outside)} of {len(curves)} curves",
    ]


@pytest.mark.parametrize("statements", [certification, implicit, generalization, lazy, transfer, assumption])
def test_every_number_of_the_summary_is_in_the_tables(statements: Callable[[], list[str]]) -> None:
    """Each statement is there as it is computed, and no number is left that was not computed."""
    text = (DOCS / "evidence.md").read_text()
    (section,) = [part for part in text.split("\n## ") if f"→ [{statements.__name__}](evidence/" in part]
    seen = " ".join(section[section.index("*Seen.*") :].split())
    for statement in statements():
        assert statement in seen
        seen = seen.replace(statement, "")
    assert not re.search(r"\d", re.sub(NAMES, "", re.sub(r"!\[.*?\)", "", seen))), seen
