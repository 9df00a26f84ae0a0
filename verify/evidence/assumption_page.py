"""The summary of the experiment "assumption": what was run, what was seen, what was not seen."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from verify.drawn.clopper_pearson import OVERALL_RISK, limits, trials_needed
from verify.drawn.eigenvalue import CONFIDENCE, EPSILONS, Curve
from verify.evidence.assumption_results import Counted, Results, states_probability
from verify.evidence.findings import picture
from verify.evidence.slopes import shown_limits
from verify.result import versions
from verify.rigor import decimal_above, decimal_below
from verify.verdict import Verdict

ORDER = (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.HOLDS, Verdict.NOT_APPLICABLE)


def page(results: Results, quick: bool, seed: int) -> str:
    """The page in Markdown."""
    parts = [_head(results, quick, seed), _checks(results), _exceptions(results), _assumption(results), _not_seen(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results: Results, quick: bool, seed: int) -> str:
    grid, counts = results.grid, results.counts
    known = versions()
    drawn = ", ".join(str(delta) for delta in grid.failure_probabilities)
    command = f"overparam experiments assumption{' --quick' if quick else ''} --seed {seed}"
    return f"""# Evidence: events, moments, and the smallest eigenvalue at initialization

Written by `{command}` (overparam {known["overparam"]}, numpy {known["numpy"]}). Every number is in
`assumption.csv`; problems, seeds and versions are in the `assumption.json` that the command writes beside it.

## What was run

* **Events and conclusions** of the a-priori bounds (docs/theory.md, F) on {len(grid.events)} networks of 2 to 4 layers, for failure
  probabilities δ = {drawn}, the budget split equally over the events. Points are fixed, weights are drawn:
  {grid.draws} times for the events, the first {grid.conclusion_draws} of these for the conclusions. λ₀ is no event there.
* **Moments**: {grid.draws} samples of 16 points from each of {len(grid.moments)} laws.
* **Matrix Chernoff event** for one hidden layer, only the first layer trained, outputs ±1: {grid.conclusion_draws} draws at each
  width.
* **The assumption** λ_min(K₀) > 0: {len(grid.curves)} curves (data, activation, depth) over widths, {grid.curve_draws} draws
  at each.

A stated probability p of failure is *VIOLATED* when the lower Clopper–Pearson limit of the frequency of failure exceeds p, *HOLDS*
when the upper limit is at most p, *UNDECIDED* otherwise, and *NOT_APPLICABLE* where p ≥ 1. All limits together have confidence
1 − {OVERALL_RISK}: each has 1 − {float(1 - results.confidence):.3g}. A sure statement (no probability) HOLDS when no draw is
an exception. All numbers are floating point; what lies within a relative 1e-9 of a bound counts as a failure for the upper limit
and as none for the lower.

Verdicts: {", ".join(f"{counts[verdict]} {verdict.name}" for verdict in ORDER)}."""


def _checks(results: Results) -> str:
    groups: dict[tuple[str, str], list[Counted]] = {}
    for item in results.counted:
        groups.setdefault((item.frequency.section, item.frequency.quantity), []).append(item)
    lines = [
        "| part | statement | checks | VIOLATED / UNDECIDED / HOLDS / not applicable | largest frequency ÷ stated | least room |",
        "|---|---|---|---|---|---|",
    ]
    for (section, quantity), items in groups.items():
        found = [item.frequency for item in items]
        verdicts = [row.verdict(results.confidence) for row in found]
        totals = " / ".join(str(sum(v is verdict for v in verdicts)) for verdict in ORDER)
        shares = [row.count.frequency / float(row.stated) for row in found if states_probability(row) and row.stated is not None]
        rooms = [row.room for row in found if row.room is not None]
        share = f"{max(shares):.3g}" if shares else "surely" if found[0].stated is None else "–"
        text = quantity.replace("|", "\\|").replace("_", "\\_")
        lines.append(f"| {section} | {text} | {len(items)} | {totals} | {share} | {f'{min(rooms):.3g}' if rooms else '–'} |")
    stated = [item.frequency for item in results.counted if states_probability(item.frequency)]
    needed = max((trials_needed(row.stated, results.confidence) for row in stated), default=0)
    return "\n".join(
        [
            "## Stated probabilities against frequencies",
            "",
            *lines,
            "",
            "Room: the median over the draws of bound ÷ measured, the least over the checks. For an event: its t ÷ the least t",
            "that would have done, – where that is not positive.",
            f"For the smallest share stated here, {needed} draws without any failure are needed for HOLDS.",
            "",
            picture("Frequencies against stated probabilities", "assumption_events.svg"),
        ]
    )


def _exceptions(results: Results) -> str:
    wanted = (Verdict.VIOLATED, Verdict.UNDECIDED)
    rows = [item for item in results.counted if item.frequency.verdict(results.confidence) in wanted]
    if not rows:
        return ""
    lines = [
        "| verdict | statement | about | stated | failures | limits | draws needed without failure |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in rows:
        found = item.frequency
        about = ", ".join(f"{name} {value}" for name, value in item.about.items())
        interval, needed = "–", "–"
        if states_probability(found):
            ends = limits(found.count, results.confidence)
            interval = f"[{decimal_below(ends.lower, 3)}, {decimal_above(ends.upper, 3)}]"
            needed = str(trials_needed(found.stated, results.confidence))
        text = found.quantity.replace("|", "\\|").replace("_", "\\_")
        stated = "never" if found.stated is None else str(found.stated)
        verdict = found.verdict(results.confidence).name
        lines.append(f"| {verdict} | {text} | {about} | {stated} | {_failures(item)} | {interval} | {needed} |")
    return "\n".join(["### Violated or undecided", "", *lines])


def _failures(item: Counted) -> str:
    count = item.frequency.count
    doubt = f" to {count.possible}" if count.possible > count.certain else ""
    return f"{count.certain}{doubt} of {count.trials}"


def _assumption(results: Results) -> str:
    if not results.curves:
        return ""
    lines = [
        "| data | activation | hidden layers | λ_∞ | widths | median λ_min/λ_∞ | P(λ_min ≥ λ_∞/2) | slope |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for index, curve in results.curves:
        network, (first, last) = curve.problem.network, (curve.samples[0], curve.samples[-1])
        medians = (np.median(curve.ratios(sample)) for sample in (first, last))
        slope = curve.slope()
        text = "–" if slope is None else f"{slope.estimate:.2f} {shown_limits(slope.lower, slope.upper)}"
        lines.append(
            f"| {results.problems[index][0]} | {network.activation} | {len(network.hidden)} | {curve.limit_value:.4g} | "
            f"{first.width} – {last.width} | {_arrow(f'{x:.3f}' for x in medians)} | "
            f"{_arrow(_probability(curve, i, Fraction(1, 2)) for i in (0, -1))} | {text} |"
        )
    risk = float(1 - CONFIDENCE)
    return "\n".join(
        [
            "## The assumption: λ_min(K₀) against infinite width (evidence, no verdict)",
            "",
            "No theorem here bounds λ_min(K₀) from below for more than one hidden layer: what follows are frequencies, and a",
            "hypothesis stays a hypothesis. λ_∞ is the enclosed smallest eigenvalue of the infinite-width kernel with the same",
            f"1/n. First and last width; limits of probabilities and slopes at confidence 1 − {risk:g} each. Slope: of the",
            "logarithm of the median \\|λ_min/λ_∞ − 1\\| against that of the width, with distribution-free limits; −1/2 is what",
            "a central limit theorem would give.",
            "",
            *lines,
            "",
            f"The other ε ({', '.join(str(e) for e in EPSILONS)}), every width and the quantiles are in `assumption.csv`.",
            "",
            picture("Smallest eigenvalue against width", "assumption_eigenvalue.svg"),
            "",
            picture("Probability of half the limit against width", "assumption_probability.svg"),
            "",
            picture("Median deviation against width; dashed: slope -1/2", "assumption_rate.svg"),
        ]
    )


def _arrow(items: Iterable[str]) -> str:
    return " → ".join(items)


def _probability(curve: Curve, number: int, epsilon: Fraction) -> str:
    count = curve.at_least(curve.samples[number], epsilon)
    ends = limits(count, CONFIDENCE)
    return f"{count.frequency:.2f} {shown_limits(float(ends.lower), float(ends.upper))}"


def _not_seen(results: Results) -> str:
    """What the run says about its own limits, from its numbers."""
    lines = ["## What was not seen", ""]
    smallest = min(results.grid.failure_probabilities)
    lines.append(
        f"* Failure probabilities below δ = {smallest}: the default of a problem file, 0.01, would need about "
        f"{_needed_for(results, Fraction(1, 100))} draws without a failure for each event of the largest budget here."
    )
    widths = [item.about["width"] for item in results.counted if item.frequency.section == "event" and "width" in item.about]
    if widths:
        lines.append(f"* Events at widths beyond {max(widths)}.")
    silent = [item.about for item in results.counted if item.frequency.stated is not None and item.frequency.stated >= 1]
    if silent:
        names = dict.fromkeys(f"{about['data']} {about['activation']} at width {about['width']}" for about in silent)
        lines.append(f"* The Chernoff event for some δ, because its ε is 1 or more and nothing is stated: {'; '.join(names)}.")
    lines.append("* Shares split otherwise than equally.")
    if results.curves:
        never = [_curve_name(results, i, c) for i, c in results.curves if not _reaches(c, Fraction(9, 10))]
        if never:
            sure = f"confidence 1 − {float(1 - CONFIDENCE):g}"
            lines.append(f"* P(λ_min ≥ λ_∞/2) ≥ 0.9 at the largest width, with {sure}: not for {'; '.join(never)}.")
        other = [_curve_name(results, i, c) for i, c in results.curves if not _half_slope(c)]
        if other:
            share = f"{len(other)} of {len(results.curves)} curves"
            lines.append(f"* The slope −1/2 within its limits: not for {'; '.join(other)} ({share}).")
        shortest = min(float(np.min(c.ratios(s))) for _, c in results.curves for s in c.samples)
        lines.append(f"* A singular K₀: the smallest λ_min(K₀)/λ_∞ of all draws is {shortest:.3g}.")
        lines.append("* Other data sets, more points (λ_∞ falls with n), and networks of more than 4 layers.")
    return "\n".join(lines)


def _needed_for(results: Results, delta: Fraction) -> int:
    shares = [
        item.frequency.stated / item.frequency.failure_probability
        for item in results.counted
        if item.frequency.section == "event" and item.frequency.stated is not None
    ]
    return trials_needed(delta * min(shares, default=Fraction(1)), results.confidence)


def _reaches(curve: Curve, level: Fraction) -> bool:
    return limits(curve.at_least(curve.samples[-1], Fraction(1, 2)), CONFIDENCE).lower >= level


def _half_slope(curve: Curve) -> bool:
    slope = curve.slope()
    return slope is None or slope.lower <= -0.5 <= slope.upper


def _curve_name(results: Results, index: int, curve: Curve) -> str:
    network = curve.problem.network
    return f"{results.problems[index][0]} {network.activation} with {len(network.hidden)} hidden (width {curve.samples[-1].width})"
