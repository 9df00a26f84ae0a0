"""The command line: exit statuses, one sentence for bad input, nothing written by it, machine-readable output."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from verify.commands import cli

SMALL = """
[data]
source = "digits"
classes = [3, 8]
points = 8
[network]
hidden = [32]
{network}
[training]
steps = 3000
stop_residual = 1e-6
{training}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def write(folder: Path, network: str = "", training: str = "") -> str:
    path = folder / "problem.toml"
    path.write_text(SMALL.format(network=network, training=training))
    return str(path)


def test_verify_writes_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("verify", write(tmp_path), "--out", str(out))
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {"result.json", "report.html", "certificate.npz", "run.npz", "run.svg"}
    assert "CERTIFIED from step" in done.output
    assert "sources" in done.output
    result = json.loads((out / "result.json").read_text())
    for name, digest in result["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    for constant in result["certificate"]["constants"].values():
        assert float(constant["lower"]) <= constant["value"] <= float(constant["upper"])
    total = {verdict: sum(claim["counts"][verdict] for claim in result["claims"]) for verdict in result["counts"]}
    assert total == result["counts"]
    with np.load(out / "certificate.npz") as arrays:
        assert arrays["W1"].shape == (32, 64)


def test_json_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    done = run("verify", write(tmp_path), "--out", str(tmp_path / "out"), "--json")
    result = json.loads(done.stdout)
    assert result == json.loads((tmp_path / "out" / "result.json").read_text())
    assert done.stderr == ""


def test_no_certificate_is_status_3(tmp_path: Path) -> None:
    assert run("verify", write(tmp_path, 'activation = "relu"'), "--out", str(tmp_path / "out")).exit_code == 3
    assert run("certify", write(tmp_path)).exit_code == 3


def test_certify_takes_weights(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert run("verify", path, "--out", str(tmp_path / "out")).exit_code == 0
    weights = str(tmp_path / "out" / "certificate.npz")
    done = run("certify", path, "--weights", weights, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["certificate"]["certified"]
    np.savez(tmp_path / "bad.npz", W1=np.zeros((3, 3)), W2=np.zeros((1, 32)))
    refused = run("certify", path, "--weights", str(tmp_path / "bad.npz"))
    assert refused.exit_code == 2
    assert "W1" in refused.stderr


BAD = {
    "unknown key": ("trianed = [1]", "", "trained"),
    "unknown activation": ('activation = "tahn"', "", "tanh"),
    "python": ("activation = \"__import__('os').getcwd()\"", "", "activation"),
    "attribute": ('activation = "s.real"', "", "activation"),
    "call of an unknown name": ('activation = "open(s)"', "", "open"),
    "width as text": ('output_scale = "big"', "", "output_scale"),
    "negative step": ("", "step_size = -1.0", "step_size"),
    "zero step": ("", "step_size = 0", "step_size"),
    "step as text": ("", 'step_size = "certifed"', "certified"),
    "trained layer that is not there": ("trained = [3]", "", "trained"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_status_2(name: str, tmp_path: Path) -> None:
    network, training, hint = BAD[name]
    done = run("verify", write(tmp_path, network, training), "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert hint in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("verify", "missing.toml"), "missing.toml"),
        (("certify",), "PROBLEM"),
        (("verfiy",), "verify"),
        (("theorems", "A-sqare"), "A-square"),
        (("theorems", "--format", "pdf"), "pdf"),
        (("verify", "--ouput", "x"), "--ou"),
    ],
)
def test_bad_usage_is_status_2(arguments: tuple[str, ...], hint: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert hint in done.output


def test_a_network_that_does_not_fit_says_how_much_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "problem.toml"
    path.write_text("[network]\nhidden = [10000000, 10000000]\n")
    done = run("verify", str(path), "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert "TiB" in done.stderr or "PiB" in done.stderr or "GiB" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("style", ["terminal", "latex", "markdown", "json"])
def test_theorems_are_shown_in_every_style(style: str) -> None:
    # All of them in Markdown run the whole ledger, which continuous integration does when it compares docs/theorems.md.
    for arguments in (("A+",),) if style == "markdown" else ((), ("A+",)):
        done = run("theorems", *arguments, "--format", style)
        assert done.exit_code == 0
        assert "A+" in done.output


def test_out_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("verify", write(tmp_path), "--out", str(tmp_path / "file"))
    assert done.exit_code == 2
    assert "--out" in done.stderr


@pytest.mark.parametrize("arguments", [["prove", "N"], ["theorems", "A"]])
def test_a_closed_pipe_is_no_violation(arguments: list[str]) -> None:
    """141, as shells report a broken pipe; 1 would say that a check is violated."""
    code = "import sys; from verify.__main__ import main; main()"
    started = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout.close()
    errors = started.stderr.read()
    started.stderr.close()
    assert started.wait() == 141
    assert errors == b""
