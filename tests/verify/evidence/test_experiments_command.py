"""overparam experiments: files, JSON, statuses, silence, and nothing half-written; the run that is shipped under docs/evidence."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from verify.commands import cli
from verify.drawn.clopper_pearson import Count
from verify.drawn.frequencies import Frequency
from verify.evidence import catalogue
from verify.evidence.assumption import ASSUMPTION
from verify.evidence.assumption_grid import FULL, QUICK, Grid
from verify.evidence.assumption_results import Counted, Results
from verify.evidence.assumption_rows import COLUMNS
from verify.evidence.findings import Experiment, Findings, picture
from verify.evidence.one_page import one_page
from verify.evidence.tabulated import Row
from verify.verdict import Verdict

ROOT = Path(__file__).parents[3]
TINY = Grid(
    failure_probabilities=(Fraction(1, 2),),
    draws=120,
    conclusion_draws=40,
    events=(("sphere", {"hidden": [8], "activation": "sin"}),),
    moments=(("student, 9 degrees of freedom", 2),),
    curves=(("sphere", "relu", 2, (16, 32)),),
    curve_draws=8,
    chernoff=(("sphere", "sin", (16,)),),
)
FILES = {
    *(f"evidence/assumption.{kind}" for kind in ("csv", "json", "md")),
    *(f"figures/assumption_{name}.svg" for name in ("events", "eigenvalue", "probability", "rate")),
}


def changed(monkeypatch, **fields) -> None:
    """The experiment "assumption" of the catalogue with other fields."""
    monkeypatch.setitem(catalogue.EXPERIMENTS, "assumption", replace(ASSUMPTION, **fields))


@pytest.fixture
def tiny(monkeypatch):
    changed(monkeypatch, quick=TINY)


def call(*arguments: str):
    return CliRunner().invoke(cli, ["experiments", "--workers", "1", *arguments])


def test_they_are_listed() -> None:
    assert call("--list").output.startswith("assumption: ")
    names = {"assumption", "certification", "implicit", "generalization", "lazy", "transfer"}
    assert set(json.loads(call("--list", "--json").output)) == names


def test_without_a_name_all_are_run(tmp_path, monkeypatch) -> None:
    def stand_in(name: str, status: Verdict) -> Experiment[None, list[Row]]:
        return Experiment(
            name=name,
            summary="",
            quick=None,
            full=None,
            measure=lambda grid, seed, team: [],
            columns=(),
            figures=lambda rows: {},
            page=lambda rows, quick, seed: f"{name}{quick}{seed}",
            counts=lambda rows: {status: 1},
        )

    known = {name: stand_in(name, Verdict.HOLDS) for name in catalogue.EXPERIMENTS}
    monkeypatch.setattr(catalogue, "EXPERIMENTS", known)
    done = call("--quick", "--json", "--out", str(tmp_path), "--seed", "7")
    assert done.exit_code == 0
    assert set(json.loads(done.output)) == set(known)
    assert {path.read_text() for path in tmp_path.glob("evidence/*.md")} == {f"{name}True7" for name in known}
    page = (tmp_path / "evidence.html").read_text()
    for name in known:
        assert f"{name}True7" in page
        assert f'<a href="#{name}">' in page
    for status, code in ((Verdict.UNDECIDED, 3), (Verdict.VIOLATED, 1)):
        known["lazy"] = stand_in("lazy", status)
        assert call("--quick", "--out", str(tmp_path)).exit_code == code


def test_the_one_page_holds_its_figures_and_escapes_what_is_no_markdown() -> None:
    words = "# Evidence\n\n<b>x</b>\n\n" + picture("a figure", "a.svg")
    page = one_page({"lazy": Findings((), (), {}, {Verdict.HOLDS: 3}, {"a.svg": b"<svg/>"}, words)}).decode()
    assert "<h2>Evidence</h2>" in page
    assert "&lt;b&gt;x" in page
    assert re.findall(r'src="([^"]*)"', page) == ["data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()]
    assert "http" not in page


def test_a_run_writes_everything_and_says_so(tiny, tmp_path) -> None:
    done = call("assumption", "--quick", "--out", str(tmp_path / "a"), "--seed", "3")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""  # no progress in a pipe
    assert {str(path.relative_to(tmp_path / "a")) for path in (tmp_path / "a").rglob("*.*")} == FILES
    document = json.loads((tmp_path / "a/evidence/assumption.json").read_text(), parse_constant=pytest.fail)
    assert document["schema"] == "overparam-experiment-1"
    assert (document["experiment"], document["quick"], document["seed"], document["status"]) == ("assumption", True, 3, 0)
    assert {"overparam", "numpy"} <= set(document["versions"])
    assert document["counts"]["VIOLATED"] == document["counts"]["UNDECIDED"] == 0
    assert document["counts"]["NOT_APPLICABLE"] == 1  # Chernoff at width 16
    assert all(problem["data"]["seed"] == 3 for problem in document["problems"])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a/evidence/assumption.csv").read_text())))
    assert len(rows) == len(document["rows"])
    verdicts = Counter(row["verdict"] for row in rows)
    assert verdicts["EVIDENCE"] == 2 * 6  # widths, quantiles and five eps
    assert verdicts["HOLDS"] == document["counts"]["HOLDS"]
    again = call("assumption", "--quick", "--seed", "3", "--json", "--out", str(tmp_path / "b"))
    assert json.loads(again.stdout) == document
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def results(count: Count) -> Results:
    frequency = Frequency("event", "units", Fraction(1, 2), Fraction(1, 2), 1.0, count, None, 2.0)
    return Results(TINY, (), (Counted(None, {"data": "none"}, frequency),), ())


@pytest.mark.parametrize(("count", "status"), [(Count(90, 90, 100), 1), (Count(1, 1, 3), 3), (Count(0, 0, 100), 0)])
def test_the_status_is_that_of_the_worst_verdict(count, status, monkeypatch, tmp_path) -> None:
    changed(monkeypatch, measure=lambda *arguments: results(count))
    done = call("assumption", "--out", str(tmp_path))
    assert done.exit_code == status
    page = (tmp_path / "evidence/assumption.md").read_text()
    assert ("### Violated or undecided" in page) == (status != 0)


def test_an_interrupt_leaves_no_file(tmp_path, monkeypatch) -> None:
    def interrupted(*arguments):
        raise KeyboardInterrupt

    changed(monkeypatch, quick=TINY, figures=interrupted)
    done = call("assumption", "--quick", "--out", str(tmp_path / "a"))
    assert done.exit_code == 130
    assert not (tmp_path / "a").exists()


def test_bad_input_is_one_sentence(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    for arguments, words in (
        (["assumptions"], "did you mean"),
        (["assumption", "--seed", "-1", "--out", str(tmp_path)], "--seed must be a nonnegative integer"),
        (["assumption", "--workers", "0", "--out", str(tmp_path)], "--workers must be a positive integer"),
        (["assumption", "--out", str(tmp_path / "file")], "cannot be"),
    ):
        done = call(*arguments)
        assert done.exit_code == 2, done.output
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_findings_know_their_status() -> None:
    counts = {Verdict.VIOLATED: 1, Verdict.UNDECIDED: 4}
    assert Findings((), (), {}, counts, {}, "").status == 1


def test_the_grids_can_decide_what_they_state() -> None:
    """Enough draws for every share, if nothing fails; the confidence is that of a generous number of checks."""
    from verify.drawn.clopper_pearson import shared_confidence, trials_needed

    for grid in (FULL, QUICK):
        smallest = min(grid.failure_probabilities)
        assert grid.draws >= trials_needed(
            smallest / 7, shared_confidence(400)
        )  # no network of 2 to 4 layers has more than 7 events
        assert grid.conclusion_draws >= trials_needed(smallest, shared_confidence(400))


def test_the_page_shipped_is_of_the_table_shipped() -> None:
    folder = ROOT / "docs" / "evidence"
    page = (folder / "assumption.md").read_text()
    with open(folder / "assumption.csv") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    verdicts = Counter(row["verdict"] for row in rows)
    stated = re.search(r"Verdicts: (\d+) VIOLATED, (\d+) UNDECIDED, (\d+) HOLDS, (\d+) NOT_APPLICABLE", page)
    assert stated is not None
    names = ("VIOLATED", "UNDECIDED", "HOLDS", "NOT_APPLICABLE")
    assert tuple(int(x) for x in stated.groups()) == tuple(verdicts[name] for name in names)
    for figure in re.findall(r"\]\(([^)]+\.svg)\)", page):
        assert 0 < (folder / figure).stat().st_size < 150_000
    assert f"{FULL.draws} times for the events" in page
