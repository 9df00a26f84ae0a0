"""The forger's and the judge's view of what follows from a certificate: B, C and H in mpmath, from the formulas of docs/theory.md.

One list of (place in the file, name of the statement, least number that may be stated there), in an order in which each may use
what the ones before it state. The forger writes the numbers, raised a little; the judge compares. beta_i alone comes from
``theorems`` in balls, as beta does in ``tests.verify.forge``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tests.verify import forge
from theorems.arithmetic import BALL, upper, working_precision
from theorems.ball import SignalsAtPoint, ball_bounds
from theorems.neurons import neuron_constants
from theorems.pointwise import pointwise_betas

Place = tuple[Any, ...]
Least = tuple[Place, str, Any]
SQUARES = ("square", "weighted_square")
NORMS = ("operator_norms", "forward_norms", "backward_sup", "backward_norms")


def real(text: Any) -> Any:
    return forge.real(Fraction(text))


def at(document: dict[str, Any], place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def put(document: Any, place: Place, value: Any) -> None:
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = value


def known(document: dict[str, Any]) -> dict[str, Any]:
    """The theorem's constants and quantities, as large as they may be where that is the weaker statement."""
    given = {forge.SYMBOLS.get(key, key): BALL.constant(Fraction(value)) for key, value in document["given"].items()}
    values = forge.theorem_of(document["theorem"]).evaluate_constants(given, BALL)
    return {name: forge.real(upper(value)) for name, value in values.items()}


def signals(document: dict[str, Any], norms: dict[str, Any]) -> SignalsAtPoint:
    """What the recursion reads at the stated norms; p^nu and the Schur constant are those at theta."""
    network, bounds = document["network"], document["bounds"]
    points = len(bounds["forward_norms"][0])

    def balls(values: Any) -> Any:
        if isinstance(values, str):
            return BALL.constant(Fraction(values))
        array = np.array(values, dtype=object).reshape(np.shape(values) if values else (0, points))
        out = np.empty(array.shape, dtype=object)
        for place in np.ndindex(out.shape):
            out[place] = BALL.constant(Fraction(array[place]))
        return out

    scale = BALL.constant(Fraction(network["weight_scale"]))
    return SignalsAtPoint(
        fan_in_scales=tuple(BALL.divide(scale, BALL.sqrt(BALL.constant(Fraction(m)))) for m in network["sizes"][:-1]),
        bias_scale=BALL.constant(Fraction(network["bias_scale"])),
        output_scale=BALL.constant(abs(Fraction(network["output_scale"]))),
        trained=tuple(network["trained"]),
        **{name: balls(values) for name, values in {**bounds, **norms}.items()},
    )


def layer_norm(document: dict[str, Any], arrays: dict[str, Any], layer: int, other: str | None = None) -> Any:
    """|theta^l|, or the distance from the weights with the prefix ``other``."""
    letters = ("W", "b") if document["network"]["bias_scale"] else ("W",)
    total = mpf(0)
    for name in (f"{letter}{layer + 1}" for letter in letters):
        there = arrays[f"{other}{name}"] if other is not None else np.zeros_like(arrays[name])
        total += sum((mpf(float(x)) - mpf(float(y))) ** 2 for x, y in zip(arrays[name].flat, there.flat, strict=True))
    return mp.sqrt(total)


def implicit(document: dict[str, Any], values: dict[str, Any]) -> Iterator[Least]:
    sigma, beta, rbar = mp.sqrt(values["lambda0"]), values["beta"], values["rbar"]
    t = beta * rbar / sigma
    lost = -mp.log(1 - t) - t
    for name, value in {
        "outside_range": sigma / beta * lost,
        "excess": sigma / beta * (t**2 + lost),
        "distance_to_nearest": sigma / beta * (lost + t**2 / (1 - t)) / mp.sqrt(1 - t**2),
        "distance_quotient": rbar * mp.sqrt(values["Lambda"] * values["L"] / values["mu"]) / values["s0"],
    }.items():
        yield ("consequences", "implicit", f"{name}_at_most"), f"implicit.{name}_at_most", value


def lazy(document: dict[str, Any], arrays: dict[str, Any], values: dict[str, Any]) -> Iterator[Least]:
    trained, place = document["network"]["trained"], ("consequences", "lazy")
    sigma, beta, rbar = mp.sqrt(values["lambda0"]), values["beta"], values["rbar"]
    t = beta * rbar / sigma
    yield (*place, "kernel_change_at_most"), "lazy.kernel_change_at_most", 2 * mp.sqrt(values["Lambda"]) * beta * rbar
    norms = [layer_norm(document, arrays, layer) for layer in range(len(trained))]
    total = mp.sqrt(sum(norm**2 for norm, moves in zip(norms, trained, strict=True) if moves))
    yield (*place, "relative_change_at_most"), "lazy.relative_change_at_most", rbar / total
    with working_precision():
        radius = BALL.constant(Fraction(document["given"]["ball_radius"]))
        reach = [forge.real(upper(c)) for c in neuron_constants(signals(document, {}), radius, BALL)]
    for layer, moves in enumerate(trained):
        for key, value in (
            ("relative_layer_changes_at_most", rbar / norms[layer]),
            ("neuron_changes_at_most", reach[layer] * -mp.log(1 - t) / beta),
        ):
            yield (*place, key, layer), f"lazy.{key}[{layer}]", value if moves else mpf(0)
    if at(document, (*place, "linearized_distance_at_most")) is not None:
        top, lost = values["lambda_max"], sigma / beta * (-mp.log(1 - t) - t)
        gap = mp.sqrt(top) * min(beta * rbar * values["s0"] / values["lambda0"], lost) + beta * rbar**2 / 2
        yield (*place, "linearized_distance_at_most"), "lazy.linearized_distance_at_most", gap


def has_linearized(document: dict[str, Any], values: dict[str, Any]) -> bool:
    square = document["loss"]["name"] in SQUARES and values["mu"] == values["L"] == 1
    return square and values["eta"] * (values["lambda0"] + values["lambda_max"]) <= 2


def generalization(document: dict[str, Any], arrays: dict[str, Any], values: dict[str, Any], start: forge.Truth) -> Iterator[Least]:
    """start: the truth at theta0."""
    place = ("consequences", "generalization")
    judged, network, n, k = at(document, place), document["network"], len(arrays["X"]), document["network"]["sizes"][-1]
    own = judged["start"] is not None
    norms = judged["start"] if own else {}
    if own:
        for name in NORMS:
            for index in np.ndindex(np.array(start.norms[name], dtype=object).shape):
                shown = "".join(f"[{i}]" for i in index)
                yield (*place, "start", name, *index), f"generalization.start.{name}{shown}", at(start.norms[name], index)
    moved = [layer_norm(document, arrays, layer, "start_") ** 2 for layer in range(len(network["trained"]))] if own else [mpf(0)]

    def term(name: str) -> Any:
        return real(judged[f"{name}_at_most"])

    def least(name: str, value: Any) -> Least:
        return (*place, f"{name}_at_most"), f"generalization.{name}_at_most", value

    yield least("distance", mp.sqrt(sum(moved)) + values["rbar"])
    radius = real(judged["first_radius"]) * 2 ** (judged["index"] - 1)
    with working_precision():
        r_j = BALL.constant(Fraction(judged["first_radius"]) * 2 ** (judged["index"] - 1))
        betas = [forge.real(upper(beta)) for beta in pointwise_betas(signals(document, norms), r_j, BALL)]
    for i, beta in enumerate(betas):
        shrunk = beta * (1 - mpf(10) ** -13)  # what balls lose in an eigenvalue
        yield (*place, "curvatures_at_most", i), f"generalization.curvatures_at_most[{i}]", shrunk
    b, rho = (mpf(1), 1 / real(judged["parameter"])) if judged["loss"] == "ramp" else (real(judged["parameter"]), None)
    yield least("loss_slope", rho if rho is not None else mp.sqrt(2 * values["L"] * b))
    yield least("kernel_mean", start.kernel_mean)
    contraction = mpf(1) if k == 1 else mp.sqrt(2)
    yield least("linear_term", 2 * term("loss_slope") * contraction * radius * mp.sqrt(term("kernel_mean") / n))
    mean = sum(real(beta) for beta in judged["curvatures_at_most"]) / n
    yield least("curvature_term", term("loss_slope") * radius**2 * mean)
    delta = 6 * real(judged["failure_probability"]) / (mp.pi * judged["index"]) ** 2
    yield least("deviation_term", 3 * b * mp.sqrt(mp.log(2 / delta) / (2 * n)))
    yield least("gap", term("linear_term") + term("curvature_term") + term("deviation_term"))
    yield least("empirical_loss", loss_at_limit(document, arrays, start))
    yield least("expected_loss", term("empirical_loss") + term("gap"))
    yield least("input_slope", input_slope(document, norms))


def loss_at_limit(document: dict[str, Any], arrays: dict[str, Any], start: forge.Truth) -> Any:
    """Mean over the points of the loss at the minimizers, and of slope |offset - f_theta0|."""
    judged, total = document["consequences"]["generalization"], mpf(0)
    for i, row in enumerate(start.predictions):
        away = [mpf(float(o)) - (p if judged["centered"] else 0) for o, p in zip(arrays["offsets"][i], row, strict=True)]
        total += real(judged["loss_slope_at_most"]) * mp.sqrt(sum(x**2 for x in away))
        if judged["loss"] == "ramp":
            best = forge.minimizer(document["loss"]["name"], document["loss"]["ridge"], mpf(float(arrays["y"][i, 0])))
            total += max(mpf(0), 1 - abs(best) / real(judged["parameter"]))
    return total / len(arrays["X"])


def input_slope(document: dict[str, Any], norms: dict[str, Any]) -> Any:
    """|alpha| Lp^(L-1) prod c_l (|W_l| + R 1[l in T]), and that of theta0 at R = 0 for a centered network."""
    network, own = document["network"], document["bounds"]["operator_norms"]
    steepest = real(judged_of(document)["activation_slope_at_most"])

    def gain(weights: list[str], radius: Any) -> Any:
        found = abs(mpf(network["output_scale"]))
        for m, weight in enumerate(weights):
            c = mpf(network["weight_scale"]) / mp.sqrt(network["sizes"][m])
            found *= c * (real(weight) + radius * network["trained"][m]) * (steepest if m else 1)
        return found

    centered = document["consequences"]["generalization"]["centered"]
    return gain(own, real(document["given"]["ball_radius"])) + centered * gain(norms.get("operator_norms", own), mpf(0))


def reaches(document: dict[str, Any], arrays: dict[str, Any], start: forge.Truth) -> tuple[Any, Any]:
    """How large preactivations get on B(r_j) at the points, and for inputs of norm input_radius where H2's slope is stated."""
    judged, network = document["consequences"]["generalization"], document["network"]
    norms = judged["start"] or {}
    with working_precision():
        radius = Fraction(judged["first_radius"]) * 2 ** (judged["index"] - 1)
        drift = ball_bounds(signals(document, norms), BALL.constant(radius), BALL).forward_drift
        moved = [[forge.real(upper(x)) * forge.real(radius) for x in row] for row in drift]
    heights = start.preactivations[:-1]
    pairs = [pair for rows in zip(heights, moved, strict=False) for pair in zip(*rows, strict=True)]
    about = max([mpf(0), *(height + far for height, far in pairs)])
    places = [(document["bounds"]["operator_norms"], real(document["given"]["ball_radius"]), "")]
    if judged["centered"]:
        prefix = "" if judged["start"] is None else "start_"
        places.append(((judged["start"] or document["bounds"])["operator_norms"], mpf(0), prefix))
    farthest, at_zero, sigma_b = mpf(0), abs(forge.PHI[network["activation"]][0](mpf(0))), mpf(network["bias_scale"])
    for weights, room, prefix in places:
        h = real(judged["input_radius"])
        for m, weight in enumerate(weights[:-1]):
            c, moving = mpf(network["weight_scale"]) / mp.sqrt(network["sizes"][m]), room * network["trained"][m]
            bias = sigma_b * mp.norm([mpf(float(x)) for x in arrays[f"{prefix}b{m + 1}"]]) if sigma_b else 0
            z = c * real(weight) * h + moving * mp.sqrt(c**2 * h**2 + sigma_b**2) + bias
            farthest, h = (
                max(farthest, z),
                at_zero * mp.sqrt(network["sizes"][m + 1]) + real(judged["activation_slope_at_most"]) * z,
            )
    return about, farthest


def start_truth(document: dict[str, Any], arrays: dict[str, Any], found: forge.Truth) -> forge.Truth:
    """The truth at theta0."""
    if document["consequences"]["generalization"]["start"] is None:
        return found
    here = {name.removeprefix("start_"): value for name, value in arrays.items() if name.startswith("start_")}
    return forge.truth(document["network"], {**arrays, **here})


def add_consequences(document: dict[str, Any], arrays: dict[str, Any], found: forge.Truth, judged: dict[str, Any] | None) -> None:
    """State everything that follows. judged: loss, parameter, centered and own_start of the part generalization, or None."""
    values, layers = known(document), len(document["network"]["trained"])
    t = values["beta"] * values["rbar"] / mp.sqrt(values["lambda0"])
    places: dict[str, Any] = {
        "implicit": {"nearest_is_unique": True if t < mpf(1) / 2 else None},
        "lazy": {
            "relative_layer_changes_at_most": [""] * layers,
            "neuron_changes_at_most": [""] * layers,
            "linearized_distance_at_most": "" if has_linearized(document, values) else None,
        },
        "generalization": None,
    }
    document["consequences"] = places
    for least in (*implicit(document, values), *lazy(document, arrays, values)):
        _state(document, least)
    if judged is None:
        return
    points, rbar = len(arrays["X"]), float(values["rbar"])
    places["generalization"] = {
        **{name: judged[name] for name in ("loss", "parameter", "centered")},
        **{"failure_probability": 0.01, "first_radius": rbar / 3, "index": 4, "start": None, "input_radius": "2.5"},
        "activation_slope_at_most": forge.decimal(Fraction(document["bounds"]["slope"]) * Fraction(1001, 1000), up=True),
        "curvatures_at_most": [""] * points,
    }
    if judged["own_start"]:
        shapes = {name: _blank(value) for name, value in found.norms.items() if name in NORMS}
        places["generalization"]["start"] = shapes
        for name in [name for name in arrays if name[0] in "Wb"]:
            moves = document["network"]["trained"][int(name[1:]) - 1]
            arrays[f"start_{name}"] = arrays[name] + moves * rbar / 100 * np.sign(arrays[name])
    start = start_truth(document, arrays, found)
    for least in generalization(document, arrays, values, start):
        _state(document, least)
        if least[1].endswith("distance_at_most"):  # the ball that holds it
            while real(judged_of(document)["first_radius"]) * 2 ** (judged_of(document)["index"] - 1) < least[2] * (
                1 + mpf("1e-6")
            ):
                judged_of(document)["index"] += 1


def judged_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["consequences"]["generalization"]
    return found


def _blank(value: Any) -> Any:
    return [_blank(item) for item in value] if isinstance(value, list) else ""


def _state(document: dict[str, Any], least: Least) -> None:
    place, _, value = least
    put(document, place, forge.decimal(value, up=True, slack=forge.SLACK))


def false_consequences(document: dict[str, Any], arrays: dict[str, Any], found: forge.Truth) -> list[str]:
    """The names of the statements about B, C and H that are false."""
    values, false = known(document), list[str]()
    stated = document["consequences"]
    items = [*implicit(document, values), *lazy(document, arrays, values)]
    t = values["beta"] * values["rbar"] / mp.sqrt(values["lambda0"])
    if stated["implicit"]["nearest_is_unique"] and not t < mpf(1) / 2:
        false.append("implicit.nearest_is_unique")
    if stated["lazy"]["linearized_distance_at_most"] is not None and not has_linearized(document, values):
        false.append("lazy.linearized_distance_at_most")
    judged = stated["generalization"]
    if judged is not None:
        start = start_truth(document, arrays, found)
        items += generalization(document, arrays, values, start)
        radius = Fraction(judged["first_radius"]) * 2 ** (judged["index"] - 1)
        if Fraction(judged["distance_at_most"]) > radius:
            false.append("generalization.index")
        about, farthest = reaches(document, arrays, start)
        bounds = document["bounds"]
        for name, key, bound, reach in (
            ("slope", "slope", bounds["slope"], about),
            ("curvature", "curvature", bounds["curvature"], about),
            ("activation_slope_at_most", "slope", judged["activation_slope_at_most"], farthest),
        ):
            if not forge.bounds_supremum(document["network"]["activation"], key, bound, reach):
                false.append(f"generalization.{name}")
        false += ["generalization.input_radius"] * (Fraction(judged["input_radius"]) < 0)
    for place, name, value in items:
        bound = at(document, place)
        if bound is not None and not value <= real(bound) * (1 + mpf(10) ** -30):
            false.append(name)
    return false
