"""The table of the experiment "assumption", and what its JSON document tells beside it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from verify.data import load_data
from verify.drawn.clopper_pearson import OVERALL_RISK, Count, limits, trials_needed
from verify.drawn.eigenvalue import CONFIDENCE, EPSILONS, QUANTILES, Curve, WidthSample, at_width
from verify.evidence.assumption_results import Counted, Results, describe, states_probability
from verify.result import finite
from verify.rigor import decimal_above, decimal_below, float_above

COLUMNS = (
    *("section", "problem", "data", "points", "dimension", "activation", "layers", "width", "output_layer", "bias_scale"),
    *("centered", "trained", "quantity", "failure_probability", "stated", "bound", "draws", "failures", "failures_possible"),
    *("frequency", "lower", "upper", "confidence", "verdict", "draws_needed", "room", "largest", "epsilon", "limit_lower"),
    *("limit_upper", *(f"quantile_{q:g}" for q in QUANTILES), "deviation", "deviation_lower", "deviation_upper"),
)


def rows_of(results: Results) -> list[dict[str, Any]]:
    """The table: a row for every check, and for every width of every curve its quantiles and one row for each eps."""
    rows = [_check_row(item, results.confidence) for item in results.counted]
    for index, curve in results.curves:
        name, problem = results.problems[index]
        data = load_data(problem.data, problem.loss)
        for sample in curve.samples:
            about = {"problem": index, **describe(name, at_width(problem, sample.width), data)}
            rows += _sample_rows(about, curve, sample)
    return rows


def _check_row(item: Counted, confidence: Fraction) -> dict[str, Any]:
    found = item.frequency
    counts = found.stated is None or found.stated < 1  # where nothing is stated nothing was counted
    row: dict[str, Any] = {
        "section": found.section,
        "problem": item.problem,
        **item.about,
        "quantity": found.quantity,
        "failure_probability": str(found.failure_probability),
        "stated": "surely" if found.stated is None else str(found.stated),
        "bound": found.bound,
        "draws": found.count.trials,
        "failures": found.count.certain if counts else None,
        "failures_possible": found.count.possible if counts else None,
        "verdict": found.verdict(confidence).name,
        "room": found.room,
        "largest": found.largest,
    }
    if states_probability(found):
        row |= {"frequency": found.count.frequency, **_interval(found.count, confidence)}
        row["draws_needed"] = trials_needed(found.stated, confidence)
    return row


def _interval(count: Count, confidence: Fraction) -> dict[str, Any]:
    interval = limits(count, confidence)
    return {
        "lower": str(decimal_below(interval.lower, 6)),
        "upper": str(decimal_above(interval.upper, 6)),
        "confidence": f"1 - {1 - confidence}",
    }


def _sample_rows(about: dict[str, Any], curve: Curve, sample: WidthSample) -> list[dict[str, Any]]:
    ratios, deviation = curve.ratios(sample), curve.deviation(sample)
    limit = {"limit_lower": -float_above(-curve.limit.lower), "limit_upper": float_above(curve.limit.upper)}
    shared = {**about, "draws": len(sample.values), "confidence": f"1 - {1 - CONFIDENCE}", "verdict": "EVIDENCE", **limit}
    quantiles = {f"quantile_{q:g}": float(np.quantile(ratios, q)) for q in QUANTILES}
    rows = [
        {
            **shared,
            "section": "eigenvalue",
            "quantity": "lambda_min(K_0)/lambda_inf",
            **quantiles,
            "deviation": finite(deviation.median),
            "deviation_lower": finite(deviation.lower),
            "deviation_upper": finite(deviation.upper),
        }
    ]
    for epsilon in EPSILONS:
        count = curve.at_least(sample, epsilon)
        rows.append(
            {
                **shared,
                "section": "eigenvalue probability",
                "quantity": "P(lambda_min(K_0) >= (1 - eps) lambda_inf)",
                "epsilon": str(epsilon),
                "frequency": count.frequency,
                **_interval(count, CONFIDENCE),
            }
        )
    return rows


def details_of(results: Results) -> dict[str, Any]:
    """What the JSON document tells beside the rows: problems, seeds, confidences, slopes."""
    slopes = []
    for index, curve in results.curves:
        slope = curve.slope()
        line = {} if slope is None else {name: finite(value) for name, value in vars(slope).items()}
        slopes.append({"problem": index, "widths": [sample.width for sample in curve.samples], **line})
    return {
        "problems": [problem.to_mapping() for _, problem in results.problems],
        "seeds": {
            "points": "data.seed of the problem; the laws' samples: the seed of the experiment",
            "weights": "SeedSequence([seed, L, width]).generate_state(draws, uint64) >> 1; network.seed is not used",
            "draws": results.grid.draws,
            "draws_of_conclusions": results.grid.conclusion_draws,
            "draws_of_curves": results.grid.curve_draws,
        },
        "confidence": {
            "overall_risk": str(OVERALL_RISK),
            "each_check": f"1 - {1 - results.confidence}",
            "evidence": f"1 - {1 - CONFIDENCE}",
        },
        "slopes": slopes,
    }
