"""Maker against checker: what ``verify --rigorous`` states, the independent program derives again; what is changed, it rejects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verify.certificate_document import certificate_document
from verify.checker import check
from verify.consequences import consequences
from verify.output import write_results
from verify.problem import problem_from_mapping, rigorously
from verify.result import Verification
from verify.verification import certify_only, verify

DIGITS = {"source": "digits", "classes": [3, 8], "points": 8}
PROBLEMS: dict[str, dict[str, Any]] = {
    "tanh": {"data": DIGITS, "network": {"hidden": [32]}},
    "deep sin": {"data": DIGITS, "network": {"hidden": [48, 48], "activation": "sin"}},
    "biases, one layer": {"data": DIGITS, "network": {"hidden": [64], "activation": "erf", "bias_scale": 0.3, "trained": [1]}},
    "three classes": {"data": {**DIGITS, "classes": [1, 3, 8]}, "network": {"hidden": [96], "activation": "gelu"}},
    "logistic, own activation": {
        "data": DIGITS,
        "network": {"hidden": [64], "activation": "s*exp(-s**2/2)"},
        "loss": {"name": "logistic"},
    },
    "log cosh": {"data": DIGITS, "network": {"hidden": [64], "activation": "softplus"}, "loss": {"name": "log_cosh"}},
    "not centered, gaussian output": {
        "data": DIGITS,
        "network": {"hidden": [64], "centered": False, "output_layer": "gaussian", "output_scale": 2.0},
    },
}


def made(name: str) -> Verification:
    return verify(rigorously(problem_from_mapping({**PROBLEMS[name], "training": {"steps": 20000}}, Path())))


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_checker_accepts_what_the_maker_states(name: str, tmp_path: Path) -> None:
    """The certificate itself, and those by other statements at the same weights."""
    found = made(name)
    assert found.certificate.certified
    document = write_results(found, tmp_path)
    outcome = check(tmp_path / "certificate.json")
    assert outcome.accepted, (outcome.first_failure, outcome.reason)
    files = document["files"]
    assert isinstance(files, dict)
    for other in found.certificate.others:
        assert found.certified_theta is not None
        follows = consequences(found.setup, other, found.certified_theta, found.initial_theta)
        stated = certificate_document(found.setup, other, follows, files["certificate.npz"])
        assert stated is not None
        (tmp_path / "other.json").write_text(json.dumps(stated))
        outcome = check(tmp_path / "other.json")
        assert outcome.accepted, (other.theorem, outcome.first_failure, outcome.reason)


def test_a_large_step_is_certified_by_the_descent_form_and_checked(tmp_path: Path) -> None:
    """Between 1/(L Lambda) and 2/L_J only Theorem A0 applies."""
    small = made("tanh")
    largest = 1 / float(small.certificate.constants["lambda_max"].value)
    problem = {**PROBLEMS["tanh"], "training": {"steps": 20000, "step_size": 1.2 * largest}}
    found = verify(rigorously(problem_from_mapping(problem, Path())))
    assert found.certificate.theorem is not None
    assert found.certificate.theorem.id == "A0"
    write_results(found, tmp_path)
    assert check(tmp_path / "certificate.json").accepted


def test_a_certificate_without_a_run_is_checked_too(tmp_path: Path) -> None:
    problem = {"data": DIGITS, "network": {"hidden": [4096], "activation": "softplus", "trained": [1], "output_scale": 4.0}}
    found = certify_only(rigorously(problem_from_mapping(problem, Path())))
    assert found.certificate.certified
    write_results(found, tmp_path)
    outcome = check(tmp_path / "certificate.json")
    assert outcome.accepted, (outcome.first_failure, outcome.reason)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate")
    write_results(made("tanh"), path)
    return path


def test_theorem_a1_is_stated_and_checked(folder: Path, tmp_path: Path) -> None:
    document = json.loads((folder / "certificate.json").read_text())
    assert document["inexact"] is not None
    (tmp_path / "certificate.npz").write_bytes((folder / "certificate.npz").read_bytes())
    for key, value in (("steps", document["inexact"]["steps"] * 1000), ("floor", "1E-20")):
        changed = {**document, "inexact": {**document["inexact"], key: value}}
        (tmp_path / "certificate.json").write_text(json.dumps(changed))
        outcome = check(tmp_path / "certificate.json")
        assert not outcome.accepted
        assert str(outcome.first_failure).startswith("inexact")


def changed_number(text: str) -> str:
    """A stated number with its third significant digit changed."""
    digits = [i for i, c in enumerate(text.partition("E")[0]) if c.isdigit() and text[: i + 1].strip("0.-")]
    at = digits[min(2, len(digits) - 1)]
    return text[:at] + str((int(text[at]) + 5) % 10) + text[at + 1 :]


def test_every_kind_of_stated_number_is_looked_at(folder: Path, tmp_path: Path) -> None:
    """A digit changed towards a stronger statement, or in an enclosure, is found wherever it stands."""
    (tmp_path / "certificate.npz").write_bytes((folder / "certificate.npz").read_bytes())
    text = (folder / "certificate.json").read_text()

    def rejected(change: Any) -> bool:
        document = json.loads(text)
        change(document)
        (tmp_path / "certificate.json").write_text(json.dumps(document))
        return not check(tmp_path / "certificate.json").accepted

    # A wider enclosure would be true; one that lies beside the constant is not.
    for name, ends in json.loads(text)["constants"].items():
        low, high = float(ends["lower"]), float(ends["upper"])
        assert rejected(lambda d, n=name, x=high: d["constants"][n].update(lower=str(x * 1.001 + 1e-9), upper="9E9")), name
        assert rejected(lambda d, n=name, x=low: d["constants"][n].update(lower="0", upper=str(x * 0.999))), name
    for name in json.loads(text)["given"]:
        if name != "step_size":
            assert rejected(lambda d, n=name: d["given"].update({n: changed_number(d["given"][n])})), name
    assert rejected(lambda d: d["given"].update(step_size=d["given"]["step_size"] * 1.001))
    for name in json.loads(text)["conclusions"]:
        factor = "1.01" if name == "smallest_eigenvalue_at_least" else "0.99"
        assert rejected(lambda d, n=name, f=factor: d["conclusions"].update({n: str(float(d["conclusions"][n]) * float(f))})), name
    for index in range(len(json.loads(text)["hypotheses"])):
        assert rejected(lambda d, i=index: d["hypotheses"][i]["margin"].update(lower="0.999")), index
    assert rejected(lambda d: d["network"].update(activation="erf"))
    assert rejected(lambda d: d["network"].update(output_scale=1.0001))
    assert rejected(lambda d: d["network"].update(weight_scale=1.0001))
    assert rejected(lambda d: d["network"].update(trained=[True, False]))


def test_a_certificate_is_about_its_own_data(folder: Path, tmp_path: Path) -> None:
    """Other data, other weights: rejected by the hash, and with the hash mended by the numbers."""
    import hashlib

    arrays = dict(np.load(folder / "certificate.npz"))
    document = json.loads((folder / "certificate.json").read_text())
    for name in ("X", "y", "W1", "W2", "offsets", "sample_weights"):
        changed = {**arrays, name: arrays[name] * 1.01 + (0.1 if name == "offsets" else 0.0)}
        np.savez(tmp_path / "certificate.npz", **changed)
        for mended in (False, True):
            if mended:
                document["arrays"]["sha256"] = hashlib.sha256((tmp_path / "certificate.npz").read_bytes()).hexdigest()
            (tmp_path / "certificate.json").write_text(json.dumps(document))
            outcome = check(tmp_path / "certificate.json")
            assert not outcome.accepted, (name, mended)


def test_a_certificate_too_large_for_the_checker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import verify.certificate_arrays as limits
    import verify.output as output

    found = made("tanh")
    write_results(found, tmp_path)
    assert output.beyond_the_checker(tmp_path, found) is None
    with monkeypatch.context() as patched:
        patched.setattr(output, "NUMBERS", 100)
        assert "more than the 100" in str(output.beyond_the_checker(tmp_path, found))
    monkeypatch.setattr(limits, "WORK", 1000)
    assert "multiplications" in str(output.beyond_the_checker(tmp_path, found))
