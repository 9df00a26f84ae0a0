"""The checker: valid certificates are accepted, and each statement made false is named. The forger and its judge do not use it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flint import arb, ctx
from hypothesis import given, reject
from hypothesis import strategies as st

from tests.verify import forge
from theorems.activations import ACTIVATIONS
from theorems.catalogue import THEOREMS
from theorems.losses import RIDGED_LOSSES
from verify import certificate_expression, certificate_file, check_output, checker, checker_balls
from verify.checker import Outcome, check
from verify.commands import cli

Change = Callable[[dict[str, Any]], None]
DEEP = {"sizes": (2, 4, 3, 2), "points": 2, "bias_scale": 0.5}


def outcome(forgery: forge.Forgery, folder: Path) -> Outcome:
    return check(forgery.write(folder))


def assert_accepted(folder: Path, **options: Any) -> None:
    forgery = forge.forge(**options)
    assert not forge.falsehoods(forgery.document, forgery.arrays)
    found = outcome(forgery, folder)
    assert found.accepted, f"{found.first_failure}: {found.reason}"
    assert found.first_failure is None
    assert found.statements > 30


@pytest.mark.parametrize("name", forge.PHI)
def test_valid_certificates_of_every_activation_are_accepted(name: str, tmp_path: Path) -> None:
    assert_accepted(tmp_path, seed=1, activation=name)
    assert_accepted(tmp_path, seed=2, activation=name, **DEEP)


def test_the_forger_knows_every_activation_of_the_catalogue() -> None:
    smooth = {name for name, record in ACTIVATIONS.items() if record.smooth}
    assert smooth == set(certificate_expression.ACTIVATIONS)
    assert smooth < set(forge.PHI)
    assert set(RIDGED_LOSSES) == set(checker.RIDGED)


@pytest.mark.parametrize("theorem", ["A", "A+", "A0"])
@pytest.mark.parametrize(
    ("loss", "ridge"), [("square", None), ("weighted_square", None), ("log_cosh", 0.1), ("pseudo_huber", 0.5), ("logistic", 0.1)]
)
def test_valid_certificates_of_every_theorem_and_loss_are_accepted(
    theorem: str, loss: str, ridge: float | None, tmp_path: Path
) -> None:
    assert_accepted(tmp_path, seed=3, theorem=theorem, loss=loss, ridge=ridge)


@pytest.mark.parametrize(
    "options",
    [
        {"sizes": (3, 2)},
        {"sizes": (2, 5, 3), "points": 3},
        {"trained": (False, True)},
        {"trained": (True, False), "output_scale": -2.0},
        {"sizes": (2, 4, 4, 4, 1), "trained": (True, False, True, False), "bias_scale": 0.3},
        {"points": 1},
        {"inexact": True},
        {"inexact": True, "theorem": "A", "loss": "log_cosh", "ridge": 0.5},
        {"loss": "weighted_square", "points": 4, "sizes": (3, 6, 1)},
        {"theorem": "A", "loss": "logistic", "ridge": 0.01, "sizes": (2, 5, 2)},
    ],
    ids=str,
)
def test_valid_certificates_of_every_shape_are_accepted(options: dict[str, Any], tmp_path: Path) -> None:
    assert_accepted(tmp_path, seed=4, **options)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5), min_size=2, max_size=4), st.sampled_from(list(forge.PHI)), st.data())
def test_random_networks(seed: int, widths: list[int], name: str, data: st.DataObject) -> None:
    """Whatever the network, the certificate is accepted, unless its kernel is singular."""
    trained = data.draw(st.lists(st.booleans(), min_size=len(widths), max_size=len(widths)).filter(any))
    options = {"sizes": (*widths, data.draw(st.integers(1, 3))), "points": data.draw(st.integers(1, 3)), "trained": tuple(trained)}
    try:
        forgery = forge.forge(seed, activation=name, bias_scale=data.draw(st.sampled_from([0.0, 0.7])), **options)
    except forge.Singular:
        reject()
    with forge.temporary() as folder:
        found = outcome(forgery, folder)
    assert found.accepted, f"{found.first_failure}: {found.reason}"


# --- each statement made false ----------------------------------------------------------------------------------------------------


def scaled(text: str, factor: Fraction) -> str:
    value = Fraction(text) * factor
    return forge.decimal(value, up=value * (factor - 1) > 0, digits=20)


LESS, MORE = 1 - Fraction(1, 10**6), 1 + Fraction(1, 10**6)


def set_at(*path: Any, factor: Fraction) -> Change:
    def change(document: dict[str, Any]) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = scaled(place[path[-1]], factor)

    return change


def put(*path: Any, value: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


NETWORK_CHANGES = {
    "slope": put("bounds", "slope", value="0.99"),
    "curvature": put("bounds", "curvature", value="0.7"),
    "schur": set_at("bounds", "schur", factor=LESS),
    **{f"operator_norms[{m}]": set_at("bounds", "operator_norms", m, factor=LESS) for m in range(3)},
    **{f"gram_norms[{m}]": set_at("bounds", "gram_norms", m, factor=LESS) for m in range(3)},
    **{
        f"{name}[{m}][{i}]": set_at("bounds", name, m, i, factor=LESS)
        for name, rows in (("forward_norms", 3), ("backward_sup", 2), ("backward_norms", 3))
        for m in range(rows)
        for i in range(2)
    },
    "beta": set_at("given", "beta", factor=LESS),
    "lambda0": set_at("given", "lambda0", factor=MORE),
    "lambda_max": set_at("given", "lambda_max", factor=LESS),
    "residual": set_at("given", "residual", factor=LESS),
    "mu": set_at("given", "mu", factor=MORE),
    "smoothness": set_at("given", "smoothness", factor=LESS),
    "ball_radius": put("given", "ball_radius", value="0"),
}


@pytest.mark.parametrize("consequences", [False, True], ids=["alone", "with its consequences"])
@pytest.mark.parametrize("name", NETWORK_CHANGES)
def test_a_false_statement_about_the_network_is_named(name: str, consequences: bool, tmp_path: Path) -> None:
    """Also when every number that follows from it is made to agree, as an enemy would."""
    forgery = forge.forge(5, theorem="A", **DEEP)
    NETWORK_CHANGES[name](forgery.document)
    if consequences and name != "ball_radius":
        if name != "beta" and not name.startswith("s"):
            forgery.document["given"]["beta"] = scaled(forgery.document["given"]["beta"], MORE)
        forge.complete(forgery.document)
    found = outcome(forgery, tmp_path)
    assert not found.accepted
    assert found.first_failure == name, found.reason


@pytest.mark.parametrize("name", ["slope", "curvature", "schur", "operator_norms", "gram_norms"])
def test_a_negative_bound_is_not_squared_away(name: str, tmp_path: Path) -> None:
    forgery = forge.forge(5)
    bound = forgery.document["bounds"][name]
    forgery.document["bounds"][name] = ["-" + bound[0], *bound[1:]] if isinstance(bound, list) else "-" + bound
    assert outcome(forgery, tmp_path).first_failure == (f"{name}[0]" if isinstance(bound, list) else name)


def consequence_changes() -> list[tuple[str, str, Change]]:
    """For each theorem: every end of every constant and margin, and every conclusion, pushed past the truth."""
    changes: list[tuple[str, str, Change]] = []
    for theorem, names in certificate_file.CONSTANTS.items():
        for name in names:
            for end, factor in (("lower", MORE), ("upper", LESS)):
                changes.append((theorem, f"constants.{name}", set_at("constants", name, end, factor=factor)))
        for place, (name, _) in enumerate(certificate_file.HYPOTHESES[theorem]):
            for end, factor in (("lower", MORE), ("upper", LESS)):
                changes.append((theorem, f"hypotheses.{name}", set_at("hypotheses", place, "margin", end, factor=factor)))
            changes.append((theorem, f"hypotheses.{name}", put("hypotheses", place, "margin", "lower", value="-1")))
        for name in certificate_file.CONCLUSIONS:
            factor = MORE if name.endswith("least") else LESS
            changes.append((theorem, f"conclusions.{name}", set_at("conclusions", name, factor=factor)))
    return changes


@pytest.mark.parametrize("theorem", certificate_file.CONSTANTS)
def test_a_false_consequence_is_named(theorem: str, tmp_path: Path) -> None:
    options = {"A-square": {}, "A": {"loss": "log_cosh", "ridge": 0.5}, "A+": {"loss": "logistic", "ridge": 0.3}}
    forgery = forge.forge(6, theorem=theorem, **options.get(theorem, {"loss": "pseudo_huber", "ridge": 0.3}))
    assert outcome(forgery, tmp_path).accepted
    valid = copy.deepcopy(forgery.document)
    for of, name, change in consequence_changes():
        if of == theorem:
            forgery.document = copy.deepcopy(valid)
            change(forgery.document)
            assert outcome(forgery, tmp_path).first_failure == name


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("file", put("arrays", "sha256", value="0" * 64)),
        ("shapes", put("bounds", "operator_norms", value=["9"])),
        ("shapes", put("network", "sizes", value=[2, 4, 1])),
        ("theorem", put("given", "mu", value="0.5")),
        ("loss", put("loss", "ridge", value=0.5)),
        ("constants.rate", put("given", "step_size", value=1e-3)),
        ("inexact.steps", put("inexact", "steps", value=10**18)),
        ("inexact.floor", set_at("inexact", "floor", factor=LESS)),
        ("inexact.floor", put("inexact", "gradient_error", value="2e-14")),
        ("inexact.gradient_error", put("inexact", "gradient_error", value="-1e-14")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_falsehoods_are_named(name: str, change: Change, tmp_path: Path) -> None:
    forgery = forge.forge(7, inexact=True)
    path = forgery.write(tmp_path)
    change(forgery.document)
    path.write_text(json.dumps(forgery.document))
    found = check(path)
    assert found.first_failure == name, found.reason


@pytest.mark.parametrize(
    ("name", "change"),
    [("step", put("given", "step_size", value=1e6)), ("radius", put("given", "ball_radius", value="1e-9"))],
)
def test_a_hypothesis_that_fails_honestly_is_named(name: str, change: Change, tmp_path: Path) -> None:
    """Every enclosure is right, the margin is negative: nothing is certified."""
    forgery = forge.forge(7)
    change(forgery.document)
    forge.complete(forgery.document)
    assert outcome(forgery, tmp_path).first_failure == f"hypotheses.{name}"


def test_an_inexact_run_must_stay_in_the_ball(tmp_path: Path) -> None:
    """q_N < 1 alone is not enough: the errors may carry the run out of B(R) first."""
    forgery = forge.forge(7, inexact=True)
    run = forgery.document["inexact"]
    while "inexact.steps" not in forge.falsehoods(forgery.document, forgery.arrays):
        run = forge.inexact_run(forgery.document, run["gradient_error"], 2 * run["steps"])
        forgery.document["inexact"] = run
    assert forge.inexact_constants(forgery.document, run["gradient_error"], run["steps"])["q_k"] < 1
    assert outcome(forgery, tmp_path).first_failure == "inexact.steps"


def test_logistic_targets_must_be_signs(tmp_path: Path) -> None:
    forgery = forge.forge(7, theorem="A", loss="logistic", ridge=0.1)
    forgery.arrays["y"] = forgery.arrays["y"] * 2
    assert outcome(forgery, tmp_path).first_failure == "targets"


def test_a_loss_of_ones_own_is_not_decided(tmp_path: Path) -> None:
    forgery = forge.forge(7, theorem="A")
    forgery.document["loss"]["name"] = "(y - t)**2/2"
    found = outcome(forgery, tmp_path)
    assert (found.accepted, found.undecided, found.first_failure) == (False, True, "loss")


@pytest.mark.parametrize("name", ["X", "y", "offsets", "sample_weights", "W1", "W2", "b1", "b2"])
def test_a_certificate_for_other_arrays_is_rejected(name: str, tmp_path: Path) -> None:
    forgery = forge.forge(8, bias_scale=0.5)
    other = forge.forge(9, bias_scale=0.5, loss="weighted_square").arrays[name]
    forgery.arrays[name] = other
    found = outcome(forgery, tmp_path)
    assert not found.accepted
    assert found.first_failure not in ("file", "shapes", None)


def test_activation_outside_its_domain_is_rejected(tmp_path: Path) -> None:
    """log(s) has no value at some preactivations: no ball is finite, no statement holds."""
    forgery = forge.forge(8)
    forgery.document["network"]["activation"] = "log(s)"
    assert not outcome(forgery, tmp_path).accepted


def test_activation_smooth_at_theta_but_not_on_the_ball_is_rejected(tmp_path: Path) -> None:
    """1/(s - a) agrees to first order with nothing here; what matters is that a pole inside the range ends the search."""
    phi = checker_balls.function(certificate_expression.parse_activation("1/(s - 0.3)"))
    holds, _ = checker_balls.derivative_at_most(phi, 1, Fraction(10**6), arb(1))
    assert not holds
    holds, _ = checker_balls.derivative_at_most(phi, 1, Fraction(100), arb(0.125))
    assert holds


# --- an error of any kind rejects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ValueError("x"), KeyError("x"), RecursionError(), MemoryError()])
@pytest.mark.parametrize("place", ["norms", "ball_bounds", "_kernel", "_residual", "_values", "_theorem", "_loss", "Signals"])
def test_unexpected_errors_reject(place: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(checker, place, fail)
    found = outcome(forge.forge(1), tmp_path)
    assert not found.accepted
    assert not found.undecided
    assert found.first_failure
    assert ctx.prec == 53


def test_precision_is_restored(tmp_path: Path) -> None:
    before = ctx.prec
    assert outcome(forge.forge(1), tmp_path).accepted
    assert ctx.prec == before


# --- the format agrees with the records -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theorem", certificate_file.CONSTANTS)
def test_keys_are_those_of_the_record(theorem: str) -> None:
    record = THEOREMS[theorem]
    assert certificate_file.CONSTANTS[theorem] == tuple(constant.name for constant in record.constants)
    assert certificate_file.HYPOTHESES[theorem] == tuple((h.id, h.strict) for h in record.hypotheses)


# --- the command ------------------------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    forgery = forge.forge(1)
    path = forgery.write(tmp_path)
    accepted = CliRunner().invoke(cli, ["check", str(path)])
    assert accepted.exit_code == 0
    assert ": accepted, Theorem A-square" in accepted.stdout
    assert "A1" not in accepted.stdout
    assert "H1" not in accepted.stdout
    forgery.document["given"]["lambda0"] = "1e3"
    forgery.write(tmp_path)
    rejected = CliRunner().invoke(cli, ["check", str(path), "--json"])
    assert rejected.exit_code == 1
    assert json.loads(rejected.stdout)["first_failure"] == "lambda0"
    forgery.document["loss"]["name"] = "y**2"
    forgery.write(tmp_path)
    assert CliRunner().invoke(cli, ["check", str(path)]).exit_code == 3
    path.write_text('{"schema": "overparam-result-1"}')
    refused = CliRunner().invoke(cli, ["check", str(path)])
    assert refused.exit_code == 2
    assert "certificate.json" in refused.stderr
    assert refused.stdout == ""


def test_the_command_says_what_is_not_checked(tmp_path: Path) -> None:
    """Theorem A1 assumes its bound of the gradients' error; the step of a run is a label."""
    forgery = forge.forge(1, inexact=True)
    path = forgery.write(tmp_path)
    printed = CliRunner().invoke(cli, ["check", str(path)])
    assert printed.exit_code == 0
    assumed = re.search("Theorem A1: for gradients that err by at most ([^,]+), which is not checked, ", printed.stdout)
    assert assumed
    assert Fraction(assumed[1]) <= Fraction(forgery.document["inexact"]["gradient_error"])
    found = json.loads(CliRunner().invoke(cli, ["check", str(path), "--json"]).stdout)
    assert found["not_checked"] == {"step": 7, "gradient_error": assumed[1], "sample": None}
    assert not {"step", "gradient_error"} & set(found)


@given(st.fractions(), st.sampled_from([ROUND_FLOOR, ROUND_CEILING]))
def test_what_is_printed_remains_true(value: Fraction, rounding: str) -> None:
    printed = Fraction(check_output.rounded(value, rounding))
    assert printed <= value if rounding == ROUND_FLOOR else printed >= value
    assert abs(printed - value) <= abs(value) / 10**14
