"""`overparam prove`: the whole ledger passes, statuses and exit statuses are honest, exports are what other provers read."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import sympy
import z3
from click.testing import CliRunner, Result

from theorems import catalogue
from theorems.catalogue import THEOREMS
from theorems.ledger import Assumed, Implication, ProofStep
from verify.commands import cli
from verify.proving import ledger as running
from verify.proving.exports import LEAN_FILE, export, lean_file, scalar_lemmas, smt_script
from verify.proving.ledger import exit_status, ledger_phrases, run_ledger
from verify.proving.outcome import Outcome, Status

x = sympy.Symbol("x", real=True)
FALSE = ProofStep("everything is large", Implication("false", (x >= 1,), x >= 2, x >= 3))
LEMMAS = scalar_lemmas(list(THEOREMS.values()))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_nothing_in_the_ledger_is_violated_or_undecided(ledger) -> None:
    assert [(item.theorem, item.number) for item in ledger] == [
        (name, number) for name in THEOREMS for number in range(1, len(THEOREMS[name].proof) + 1)
    ]
    assert exit_status([item.outcome for item in ledger]) == 0


def test_each_kind_of_evidence_ends_as_it_should(ledger) -> None:
    expected = {"sampled": Status.SAMPLED, "assumed": Status.ASSUMED}
    for item in ledger:
        assert item.outcome.status is expected.get(item.step.kind, Status.PROVED), item
        if item.step.kind == "sampled":
            assert item.outcome.count >= 60
            assert item.outcome.margin >= 0
        if item.step.kind == "assumed":
            assert item.outcome.detail


def test_shared_evidence_is_tried_once(monkeypatch) -> None:
    tried = []
    monkeypatch.setattr(running, "try_evidence", lambda evidence: tried.append(evidence) or Outcome(Status.PROVED, "nobody"))
    list(run_ledger(list(THEOREMS.values())))
    assert len(tried) == len(set(tried)) == len({step.evidence for item in THEOREMS.values() for step in item.proof})


def test_a_status_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"status is Status\.UNDECIDED"):
        bool(Status.UNDECIDED)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], 0),
        ([Status.PROVED, Status.SAMPLED, Status.ASSUMED], 0),
        ([Status.PROVED, Status.UNDECIDED], 3),
        ([Status.UNDECIDED, Status.VIOLATED], 1),
    ],
)
def test_exit_status(statuses, expected) -> None:
    assert exit_status([Outcome(status, "") for status in statuses]) == expected


def test_phrases_do_not_depend_on_the_machine(ledger) -> None:
    for phrases in ledger_phrases(ledger).values():
        for phrase in phrases:
            assert re.fullmatch(
                r"proved by [\w' ]+|identity, by SymPy|sampled, \d+ instances without a violation|assumed: .+", phrase
            )


def test_one_theorem_in_the_terminal() -> None:
    done = run("prove", "N")
    assert done.exit_code == 0, done.output
    assert "Theorem N" in done.output
    count = len(THEOREMS["N"].proof)
    assert f"{count} steps" in done.output
    assert "0 violated, 0 undecided" in done.output
    assert "PROVED" in done.output


def test_json_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    done = run("prove", "N", "--json", "--export", str(tmp_path / "lemmas"))
    document = json.loads(done.stdout)
    assert document["status"] == done.exit_code == 0
    assert len(document["steps"]) == len(THEOREMS["N"].proof)
    assert sum(document["counts"].values()) == len(document["steps"])
    assert set(document["exported"]) == {path.name for path in (tmp_path / "lemmas").iterdir()}
    algebra = next(step for step in document["steps"] if step["kind"] == "algebra")
    assert algebra["by"] == "z3"
    assert algebra["evidence"]["premises"]


def test_unknown_theorems_are_refused_with_the_nearest() -> None:
    done = run("prove", "A-sqare")
    assert done.exit_code == 2
    assert "did you mean 'A-square'" in done.stderr
    assert done.stdout == ""


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = run("prove", "N", "--export", str(tmp_path / "taken"))
    assert done.exit_code == 2
    assert "--export" in done.stderr


def test_violated_and_undecided_steps_show_in_the_exit_status(monkeypatch) -> None:
    contradiction = ProofStep("nothing is proved", Implication("void", (x > 1, x < 0), x >= 5, x >= 6))
    for step, status, word in ((FALSE, 1, "false at x"), (contradiction, 3, "contradict")):
        planted = dataclasses.replace(THEOREMS["N"], id="planted", proof=(ProofStep("known", Assumed("a book")), step))
        monkeypatch.setitem(catalogue.THEOREMS, "planted", planted)
        done = run("prove", "planted")
        assert done.exit_code == status
        assert word in done.output


def test_theorems_show_what_each_step_rests_on() -> None:
    document = json.loads(run("theorems", "A", "--format", "json").stdout)
    assert {step["kind"] for step in document["proof"]} == {"algebra", "calculus", "identity", "sampled", "assumed"}
    assert all(step["evidence"] for step in document["proof"])
    page = run("theorems", "N", "--format", "markdown").stdout
    assert "[proved by z3] " in page
    assert "[algebra]" in run("theorems", "N").stdout
    latex = run("theorems", "N", "--format", "latex").stdout
    assert latex.count(r"\item (") == len(THEOREMS["N"].proof)
    assert latex.count(r"\begin{") == latex.count(r"\end{")


def check(script: str) -> str:
    solver = z3.SolverFor("QF_NRA")
    solver.add(z3.parse_smt2_string(script))
    return str(solver.check())


@pytest.mark.parametrize("item", LEMMAS, ids=lambda item: item.lemma.name)
def test_scripts_are_unsatisfiable_and_those_of_mutants_are_not(item) -> None:
    script = smt_script(item)
    assert script.count("(check-sat)") == 1
    assert script.count("(assert") == len(item.lemma.premises) + 1
    assert check(script) == "unsat"
    lemma = dataclasses.replace(item.lemma, conclusion=item.lemma.mutant)
    assert check(smt_script(dataclasses.replace(item, lemma=lemma))) == "sat"


def test_exports_are_deterministic_and_complete(tmp_path: Path) -> None:
    theorems = list(THEOREMS.values())
    names = export(theorems, tmp_path / "one")
    assert names == export(theorems, tmp_path / "two")
    assert set(names) == {f"{item.lemma.name}.smt2" for item in LEMMAS} | {LEAN_FILE}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert {path.name for path in (tmp_path / "one").iterdir()} == set(names)


def test_lean_states_every_lemma_and_proves_none() -> None:
    text = lean_file(LEMMAS)
    assert text.startswith("import Mathlib\n")
    assert re.findall(r"^theorem (\w+)$", text, re.MULTILINE) == [item.lemma.name for item in LEMMAS]
    assert text.count("  sorry\n") == len(LEMMAS)
    assert text.count("(") == text.count(")")
    for item in LEMMAS:
        body = text.partition(f"theorem {item.lemma.name}\n")[2].partition("sorry")[0]
        assert body.count("(h") == len(item.lemma.premises)
        names = body.partition("(")[2].partition(" : ℝ)")[0].split()
        assert names == [symbol.name for symbol in item.lemma.symbols]


def test_lean_expressions_mean_what_sympy_means() -> None:
    """The oracle: Python's grammar agrees with Lean's on these operators, once powers and casts are rewritten."""
    for item in LEMMAS:
        body = lean_file([item]).partition(f"theorem {item.lemma.name}\n")[2]
        stated = [*re.findall(r"\(h\d+ : (.*)\)\n", body), re.search(r"\n    : (.*) := by", body).group(1)]
        relations = [*item.lemma.premises, item.lemma.conclusion]
        assert len(stated) == len(relations)
        symbols = {symbol.name: sympy.Rational(3 + 2 * k, 7 + k) for k, symbol in enumerate(item.lemma.symbols)}
        for text, relation in zip(stated, relations, strict=True):
            left, right = re.split(r" [≤≥<>=] ", text)
            for side, expected in ((left, relation.lhs), (right, relation.rhs)):
                python = side.replace(" : ℝ", "").replace("^", "**")
                python = re.sub(r"(?<![\w*])(\d+)", r"sympy.Integer(\1)", python)
                value = eval(python, {"sympy": sympy, **symbols})
                assert value == expected.subs({symbol: symbols[symbol.name] for symbol in item.lemma.symbols}), text
