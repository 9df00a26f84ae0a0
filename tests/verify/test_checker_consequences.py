"""What follows from a certificate, B, C and H: valid statements are accepted, and each one made false is named."""

from __future__ import annotations

import copy
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.verify import forge
from tests.verify.forge_consequences import add_consequences, at, generalization, implicit, known, lazy, put, start_truth
from verify.certificate_consequences import GENERALIZATION_KEYS, IMPLICIT, LAZY, TERM_KEYS
from verify.checker import check
from verify.commands import cli
from verify.errors import ProblemError

JUDGED = {"loss": "clipped", "parameter": 0.5, "centered": True, "own_start": True}
LESS = 1 - Fraction(1, 10**6)
DEEP: dict[str, Any] = {"sizes": (2, 4, 3, 2), "points": 2, "bias_scale": 0.5}
SHAPES: dict[str, dict[str, Any]] = {
    "theta is theta0": {"judged": {**JUDGED, "own_start": False}},
    "another theta0": {"judged": JUDGED},
    "not centered": {"judged": {**JUDGED, "centered": False}, "points": 4, "sizes": (3, 6, 1)},
    "ramp": {"judged": {**JUDGED, "loss": "ramp", "parameter": 1.5}},
    "ramp, logistic": {"judged": {**JUDGED, "loss": "ramp"}, "theorem": "A", "loss": "logistic", "ridge": 0.25},
    "several outputs, biases": {"judged": JUDGED, "activation": "softplus", **DEEP},
    "no hidden layer": {"judged": JUDGED, "sizes": (3, 2)},
    "one layer trained": {"judged": JUDGED, "trained": (True, False), "output_scale": -2.0},
    "log cosh": {"judged": JUDGED, "theorem": "A+", "loss": "log_cosh", "ridge": 0.5, "activation": "sin"},
    "pseudo Huber": {"judged": JUDGED, "theorem": "A0", "loss": "pseudo_huber", "ridge": 0.5, "activation": "gelu"},
}


def made_false(name: str, document: dict[str, Any], arrays: dict[str, np.ndarray], folder: Path) -> None:
    """The certificate is rejected, and that statement is the first that is not proved."""
    found = check(forge.Forgery(document, arrays).write(folder))
    assert not found.accepted
    assert found.first_failure == name, (found.first_failure, found.reason)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_number_made_too_small_is_named(shape: str, tmp_path: Path) -> None:
    """Each bound lies 1e-9 above the truth; 1e-6 lower it is false."""
    forgery = forge.forge(21, **SHAPES[shape])
    document, arrays = forgery.document, forgery.arrays
    assert not forge.falsehoods(document, arrays)
    assert check(forgery.write(tmp_path)).accepted
    found, values = forge.truth(document["network"], arrays), known(document)
    items = [*implicit(document, values), *lazy(document, arrays, values)]
    items += generalization(document, arrays, values, start_truth(document, arrays, found))
    assert len(items) > 20
    for place, name, value in items:
        changed = copy.deepcopy(document)
        stated = Fraction(at(changed, place))
        put(changed, place, forge.decimal(stated * LESS if value else Fraction(-1, 10**6), up=stated == 0, digits=20))
        made_false(name, changed, arrays, tmp_path)


def test_what_is_said_of_uniqueness_is_judged(tmp_path: Path) -> None:
    """t = 1 - sqrt(1 - q): labels are placed at q <= 1/2, and a beta stated so large that q = 0.9 leaves t above 1/2."""
    forgery = forge.forge(22)
    document, given = forgery.document, forgery.document["given"]
    assert document["consequences"]["implicit"]["nearest_is_unique"] is True
    given["beta"] = forge.decimal(Fraction(9, 20) * Fraction(given["lambda0"]) / Fraction(given["residual"]), up=False)
    top = forge.real(Fraction(given["lambda_max"])) ** 0.5 + forge.real(Fraction(given["beta"]) * Fraction(given["ball_radius"]))
    given["step_size"] = float(0.9 / top**2)
    forge.complete(document)
    add_consequences(document, forgery.arrays, forge.truth(document["network"], forgery.arrays), None)
    assert document["consequences"]["implicit"]["nearest_is_unique"] is None
    assert check(forgery.write(tmp_path)).accepted
    document["consequences"]["implicit"]["nearest_is_unique"] = True
    made_false("implicit.nearest_is_unique", document, forgery.arrays, tmp_path)


def test_the_linearized_run_is_for_the_square_loss(tmp_path: Path) -> None:
    forgery = forge.forge(23, theorem="A", loss="log_cosh", ridge=0.5)
    assert forgery.document["consequences"]["lazy"]["linearized_distance_at_most"] is None
    forgery.document["consequences"]["lazy"]["linearized_distance_at_most"] = "1e9"
    made_false("lazy.square", forgery.document, forgery.arrays, tmp_path)


def test_the_linearized_run_needs_a_step_that_contracts(tmp_path: Path) -> None:
    """Steps beyond 2/(lambda0 + lambda_max) are certified by A0 where beta is small; C3 is false for them."""
    forgery = forge.forge(24, theorem="A0", activation="identity", sizes=(3, 2, 1), trained=(True, False))
    document = forgery.document
    lam, top = (Fraction(document["given"][key]) for key in ("lambda0", "lambda_max"))
    document["given"] |= {"step_size": float(2 / (lam + top)) * 1.0001, "ball_radius": "1"}
    forge.complete(document)
    add_consequences(document, forgery.arrays, forge.truth(document["network"], forgery.arrays), None)
    assert document["consequences"]["lazy"]["linearized_distance_at_most"] is None
    assert check(forgery.write(tmp_path)).accepted
    document["consequences"]["lazy"]["linearized_distance_at_most"] = "1e9"
    made_false("lazy.contraction", document, forgery.arrays, tmp_path)


def test_the_ball_about_theta0_must_hold_the_limit(tmp_path: Path) -> None:
    forgery = forge.forge(25, judged=JUDGED)
    forgery.document["consequences"]["generalization"]["index"] = 1
    made_false("generalization.index", forgery.document, forgery.arrays, tmp_path)


def test_layers_that_are_not_trained_are_those_of_theta0(tmp_path: Path) -> None:
    forgery = forge.forge(26, judged=JUDGED, trained=(True, False))
    forgery.arrays["start_W2"] = forgery.arrays["start_W2"] * (1 - 2.0**-40)
    made_false("generalization.start", forgery.document, forgery.arrays, tmp_path)


@pytest.mark.parametrize("name", ["start_W1", "start_W2", "start_b1"])
def test_other_weights_for_theta0_are_rejected(name: str, tmp_path: Path) -> None:
    forgery = forge.forge(27, judged=JUDGED, bias_scale=0.5)
    forgery.arrays[name] = 1.5 * forgery.arrays[name]
    found = check(forgery.write(tmp_path))
    assert not found.accepted
    assert str(found.first_failure).startswith("generalization.")


def test_offsets_that_are_not_the_initial_function_cost_what_they_differ(tmp_path: Path) -> None:
    """The limit fits the labels with the offsets subtracted; what is judged subtracts f_theta0."""
    forgery = forge.forge(28, judged=JUDGED)
    forgery.document["consequences"]["generalization"]["empirical_loss_at_most"] = "1e-12"
    made_false("generalization.empirical_loss_at_most", forgery.document, forgery.arrays, tmp_path)


def test_the_slope_of_the_activation_must_hold_where_inputs_take_it(tmp_path: Path) -> None:
    """|phi'| tends to 3/2 to the left, where inputs of this size take preactivations."""
    forgery = forge.forge(29, activation="sqrt(1 + s**2) - 0.5*s", judged=JUDGED)
    judged = forgery.document["consequences"]["generalization"]
    judged |= {"input_radius": "1e6", "input_slope_at_most": "1e9"}
    assert check(forgery.write(tmp_path)).accepted
    judged["activation_slope_at_most"] = "1.499"
    made_false("generalization.activation_slope_at_most", forgery.document, forgery.arrays, tmp_path)


def test_negative_input_radius(tmp_path: Path) -> None:
    forgery = forge.forge(29, judged=JUDGED)
    forgery.document["consequences"]["generalization"]["input_radius"] = "-1"
    made_false("generalization.input_radius", forgery.document, forgery.arrays, tmp_path)


@pytest.mark.parametrize("activation", ["tanh", "sin", "softplus", "s*exp(-s^2/2)"])
def test_null_claims_nothing(activation: str, tmp_path: Path) -> None:
    forgery = forge.forge(30, activation=activation)
    follows = forgery.document["consequences"]
    follows["implicit"] |= {"distance_quotient_at_most": None, "nearest_is_unique": None}
    follows["lazy"] |= {"relative_change_at_most": None, "linearized_distance_at_most": None}
    follows["lazy"]["relative_layer_changes_at_most"] = [None, None]
    assert check(forgery.write(tmp_path)).accepted


REFUSED = {
    "consequences": (("consequences",), None),
    "implicit": (("consequences", "implicit"), {}),
    "lazy": (("consequences", "lazy"), []),
    "excess_at_most": (("consequences", "implicit", "excess_at_most"), None),
    "kernel_change_at_most": (("consequences", "lazy", "kernel_change_at_most"), None),
    "curvatures_at_most": (("consequences", "generalization", "curvatures_at_most"), [None]),
    "gap_at_most": (("consequences", "generalization", "gap_at_most"), None),
    "nearest_is_unique": (("consequences", "implicit", "nearest_is_unique"), 1),
    "neuron_changes_at_most": (("consequences", "lazy", "neuron_changes_at_most"), [1.0, 2.0]),
    "loss": (("consequences", "generalization", "loss"), "square"),
    "parameter": (("consequences", "generalization", "parameter"), 0),
    "failure_probability": (("consequences", "generalization", "failure_probability"), 1),
    "first_radius": (("consequences", "generalization", "first_radius"), -1.0),
    "index": (("consequences", "generalization", "index"), 10**6),
    "centered": (("consequences", "generalization", "centered"), "yes"),
    "start": (("consequences", "generalization", "start"), {"operator_norms": ["1"]}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_of_the_format_is_refused(name: str, tmp_path: Path) -> None:
    forgery = forge.forge(31, judged=JUDGED)
    place, value = REFUSED[name]
    put(forgery.document, place, value)
    with pytest.raises(ProblemError) as caught:
        check(forgery.write(tmp_path))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("lazy", "neuron_changes_at_most"), ["9"]),
        (("lazy", "relative_layer_changes_at_most"), ["9", "9", "9"]),
        (("generalization", "curvatures_at_most"), ["9"]),
        (("generalization", "start", "forward_norms"), [["9", "9"]]),
        (("generalization", "start", "backward_sup"), [["9"]]),
    ],
    ids=str,
)
def test_lists_of_another_length_are_named(place: tuple[str, ...], value: Any, tmp_path: Path) -> None:
    forgery = forge.forge(32, judged=JUDGED)
    put(forgery.document, ("consequences", *place), value)
    made_false("shapes", forgery.document, forgery.arrays, tmp_path)


def test_missing_weights_of_theta0_are_refused(tmp_path: Path) -> None:
    forgery = forge.forge(33, judged=JUDGED)
    del forgery.arrays["start_W1"]
    with pytest.raises(ProblemError, match="start_W1"):
        check(forgery.write(tmp_path))


def test_every_key_of_the_format_is_wanted(tmp_path: Path) -> None:
    forgery = forge.forge(34, judged=JUDGED)
    path = forgery.write(tmp_path)
    assert set(TERM_KEYS) < set(GENERALIZATION_KEYS)
    for part, keys in (("implicit", IMPLICIT), ("lazy", LAZY), ("generalization", GENERALIZATION_KEYS)):
        for key in keys:
            document = copy.deepcopy(forgery.document)
            del document["consequences"][part][key]
            path.write_text(json.dumps(document))
            with pytest.raises(ProblemError, match=key):
                check(path)


def test_the_command_says_what_follows_and_what_is_assumed(tmp_path: Path) -> None:
    forgery = forge.forge(35, judged=JUDGED)
    printed = CliRunner().invoke(cli, ["check", str(forgery.write(tmp_path))]).stdout
    assert "B1-B5 and C1-C3" in printed
    amount = r"expected clipped loss at most ([^, ]+)(?:, which is vacuous[^(]*)? "
    told = re.search(amount + r"\(H1, but for a probability of 0.01, if the points", printed)
    assert told is not None
    assert Fraction(told[1]) >= Fraction(forgery.document["consequences"]["generalization"]["expected_loss_at_most"])
    shown = json.loads(CliRunner().invoke(cli, ["check", str(tmp_path / "certificate.json"), "--json"]).stdout)
    assert "independent draws" in shown["not_checked"]["sample"]
    stated = forgery.document["consequences"]
    for part, keys in (("implicit", ["excess_at_most"]), ("lazy", ["kernel_change_at_most"]), ("generalization", ["gap_at_most"])):
        for key in keys:
            name = key if part == "generalization" else key.removesuffix("_at_most")
            assert 0 <= Fraction(shown["follows"][part][name]) - Fraction(stated[part][key]) < Fraction(1, 10**9)
