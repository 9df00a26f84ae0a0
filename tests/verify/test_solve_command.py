"""``overparam certify --solve``: both answers, what is written, and one sentence for what cannot be answered."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from theorems.apriori.threshold import at_width
from verify.apriori.certificate import certificate_of
from verify.apriori.prior import eigenvalue_of, prior_of
from verify.commands import cli
from verify.data import load_data
from verify.problem import Problem, load_problem
from verify.rigor import shown_probability
from verify.solving.start import with_scale, with_width
from verify.verification import certify_only

ROOT = Path(__file__).resolve().parent.parent.parent

SMALL = """
[data]
points = 6
{data}
[network]
hidden = {hidden}
activation = "{activation}"
trained = [1]
[loss]
name = "{loss}"
[certificate]
failure_probability = {probability}
"""
USUAL = {"data": "", "hidden": "[64]", "activation": "softplus", "loss": "square", "probability": "0.01"}


def write(folder: Path, **changes: str) -> str:
    path = folder / "problem.toml"
    path.write_text(SMALL.format(**{**USUAL, **changes}))
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["certify", *arguments])


@pytest.mark.parametrize("unknown", ["width", "output_scale", "label_scale"])
def test_both_halves_are_answered_and_the_solution_is_certified(unknown: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # The matrix Chernoff bound says nothing of lambda0 at small widths.
    path = write(tmp_path, hidden="[512]")
    done = run(path, "--solve", unknown, "--json", "--out", str(out))
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document == json.loads((out / "solution.json").read_text())
    start, prior = document["at_initialization"], document["a_priori"]
    assert start["answered"]
    assert prior["answered"]
    assert Fraction(prior["constants"]["q"]["upper"]) < 1
    assert prior["lambda0_from"] == "theorem F-chernoff"
    assert {event["event"] for event in prior["events"]} == {"signals", "eigenvalue"}
    assert start["certificate"]["certified"]
    again = run(str(out / "solved.toml"), "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["certificate"]["constants"] == start["certificate"]["constants"]
    # What holds for almost all initializations asks for more than what holds for one.
    ratio = Fraction(prior["certified"]["value"]) / Fraction(start["certified"]["value"])
    assert ratio > 1 or (unknown == "label_scale" and ratio < 1)
    # One of those initializations, drawn (others could fail with probability 0.01).
    drawn = problem_at_value(load_problem(path), unknown, Fraction(prior["certified"]["value"]))
    assert certify_only(drawn).certificate.certified


def problem_at_value(problem: Problem, unknown: str, value: Fraction) -> Problem:
    return with_width(problem, int(value)) if unknown == "width" else with_scale(problem, unknown, float(value))


def test_a_report_says_what_is_claimed(tmp_path: Path) -> None:
    done = run(write(tmp_path), "--solve", "output_scale")
    assert done.exit_code == 0, done.output
    for text in ("seed 0", "HYPOTHESIS", "a priori", "monotonicity is not proved", "factors of q", "share", "eigenvalue", "q < 1"):
        assert text in done.output, text


def test_a_hypothesis_is_called_one(tmp_path: Path) -> None:
    path = write(tmp_path, hidden="[64, 64]")
    document = json.loads(run(path, "--solve", "width", "--lambda0", "1/50", "--json").stdout)
    assert "hypothesis" in document["a_priori"]["lambda0_from"].lower()
    assert Fraction(document["a_priori"]["constants"]["lambda0"]["upper"]) >= Fraction(1, 50)


@pytest.mark.validate
def test_a_smaller_q_is_wanted_of_both(tmp_path: Path) -> None:
    document = json.loads(run(write(tmp_path), "--solve", "width", "--target", "0.5", "--json").stdout)
    for constants in (document["at_initialization"]["certificate"]["constants"], document["a_priori"]["constants"]):
        assert Fraction(constants["q"]["upper"]) < Fraction(1, 2)


def test_rigorous_certificates_are_written_for_the_checker(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(write(tmp_path), "--solve", "output_scale", "--rigorous", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "rigorous" in done.output
    checked = CliRunner().invoke(cli, ["check", str(out / "certificate.json")])
    assert checked.exit_code == 0, checked.output


def test_a_half_without_an_answer_says_why(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "solved.toml").write_text("of an earlier question")
    done = run(write(tmp_path, activation="relu"), "--solve", "width", "--out", str(out))
    assert done.exit_code == 3
    assert done.output.count("no answer") == 2
    assert not (out / "solved.toml").exists()
    document = json.loads((out / "solution.json").read_text())
    assert not document["at_initialization"]["answered"]
    assert not document["a_priori"]["answered"]
    assert document["a_priori"]["reason"]


def test_steps_for_all_larger_widths_are_certified_and_grow_below_the_limit(tmp_path: Path) -> None:
    done = run(write(tmp_path), "--solve", "width", "--json")
    document = json.loads(done.output)
    steps = document["steps"]
    assert steps["answered"]
    least = int(document["a_priori"]["certified"]["value"])
    assert steps["certified"][0]["width"] == 2 * least
    sizes = [float(item["step"]) for item in steps["certified"]]
    assert sizes == sorted(sizes)
    assert sizes[-1] < float(steps["limit_of_drawn_networks"]["lower"])
    problem = load_problem(Path(write(tmp_path)))
    data = load_data(problem.data, problem.loss)
    prior = prior_of(problem, data, hidden=[1], eigenvalue=eigenvalue_of(problem, data, None, any_width=True))
    for item in (steps["certified"][0], steps["certified"][2]):  # at that width and at a larger one, by the certificate itself
        for width in (item["width"], 3 * item["width"]):
            assert certificate_of(at_width(prior, width), step_size=Fraction(steps["certified"][0]["step"])).certified
    assert run(write(tmp_path), "--solve", "width").output.count("at every larger one") == 1
    assert json.loads(run(write(tmp_path), "--solve", "label_scale", "--json").output)["steps"] is None


@pytest.mark.validate
def test_the_example_of_the_page_is_what_the_command_prints() -> None:
    page = (ROOT / "docs" / "thresholds.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```\n\$ overparam certify (\S+) --solve width\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    done = run(str(ROOT / block[0]), "--solve", "width")
    assert [line.rstrip() for line in done.output.splitlines()] == block[1].splitlines()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Fraction(0.01), "0.01"),  # as it was given, though the double is a little more than 1/100
        (Fraction(0.1234564), "0.123457"),
        (Fraction(0.01) / 3, "0.00333334"),
        (Fraction(1, 10**12) / 7, "1.42858E-13"),
    ],
)
def test_probabilities_are_rounded_up(value: Fraction, shown: str) -> None:
    assert shown_probability(value, 6) == shown.lower()
    assert float(shown) >= float(value)


def test_an_output_scale_of_more_digits_is_shown_as_it_is(tmp_path: Path) -> None:
    text = Path(write(tmp_path, hidden="[512]")).read_text().replace("[network]", "[network]\noutput_scale = 1.2345678")
    path = tmp_path / "scaled.toml"
    path.write_text(text)
    assert "output scale 1.2345678," in run(str(path), "--solve", "output_scale").output


BAD = {
    "unknown": (("--solve", "witdh"), {}, "output_scale"),
    "target 0": (("--solve", "width", "--target", "0"), {}, "--target"),
    "target above 1": (("--solve", "width", "--target", "1.5"), {}, "--target"),
    "target as text": (("--solve", "width", "--target", "half"), {}, "--target"),
    "lambda0 as text": (("--solve", "width", "--lambda0", "small"), {}, "--lambda0"),
    "lambda0 negative": (("--solve", "width", "--lambda0=-0.1"), {}, "--lambda0"),
    "lambda0 over zero": (("--solve", "width", "--lambda0", "1/0"), {}, "--lambda0"),
    "lambda0 nan": (("--solve", "width", "--lambda0", "nan"), {}, "--lambda0"),
    "lambda0 too small": (("--solve", "width", "--lambda0", "1e-400"), {}, "--lambda0"),
    "lambda0 too large": (("--solve", "width", "--lambda0", "1e400"), {}, "--lambda0"),
    "lambda0 huge": (("--solve", "width", "--lambda0", "1e999999999"), {}, "--lambda0"),
    "lambda0 code": (("--solve", "width", "--lambda0", "__import__('os')"), {}, "--lambda0"),
    "options without a question": (("--target", "0.5"), {}, "--solve"),
    "hypothesis without a question": (("--lambda0", "0.5"), {}, "--solve"),
    "weights from elsewhere": (("--solve", "width", "--weights", "w.npz"), {}, "--weights"),
    "symbolic width": (("--solve", "width"), {"hidden": '["m"]'}, "network.hidden[0]"),
    "width 0": (("--solve", "width"), {"hidden": "[0]"}, "network.hidden[0]"),
    "probability 0": (("--solve", "width"), {"probability": "0"}, "failure_probability"),
    "probability 1": (("--solve", "width"), {"probability": "1.0"}, "failure_probability"),
    "label scale 0": (("--solve", "width"), {"data": "label_scale = 0"}, "data.label_scale"),
    "labels of another loss": (("--solve", "label_scale"), {"loss": "logistic"}, "label_scale"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_status_2(name: str, tmp_path: Path) -> None:
    options, changes, hint = BAD[name]
    done = run(write(tmp_path, **changes), *options, "--out", str(tmp_path / "out"))
    assert done.exit_code == 2, done.output
    assert hint in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()
