"""The command that runs the evidence: figures and tables of what is claimed with a probability, or seen and not proved."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from verify.command_group import stages


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("overparam-experiments"), show_default=True, help="Where to write."
)
@click.option("--list", "listed", is_flag=True, help="List the experiments and run none.")
@click.option("--quick", is_flag=True, help="A smaller grid and fewer draws.")
@click.option("--seed", type=int, default=0, show_default=True, help="Everything follows from it.")
@click.option("--workers", type=int, help="Processes that measure; no number depends on it.  [default: one a core]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout and nothing else there.")
def experiments(name: str | None, out: Path, listed: bool, quick: bool, seed: int, workers: int | None, as_json: bool) -> None:
    """Run an experiment, or without a name all of them.

    Writes evidence/NAME.csv, .json and .md and figures/NAME.svg under DIR, and of all together evidence.html, one self-contained
    page. Exit status: 0 every check holds, 1 one is violated, 3 one is undecided, 2 bad input.
    """
    from verify import fields
    from verify.evidence import catalogue, findings, one_page
    from verify.evidence.team import team_of
    from verify.output import as_text, require_directory
    from verify.verdict import counted
    from verify.workers import how_many

    if listed:
        if as_json:
            click.echo(as_text({item.name: item.summary for item in catalogue.EXPERIMENTS.values()}), nl=False)
            return
        for item in catalogue.EXPERIMENTS.values():
            click.echo(f"{item.name}: {item.summary}")
        return
    chosen = list(catalogue.EXPERIMENTS.values()) if name is None else [catalogue.experiment(name)]
    fields.integer("--seed", seed, 0)
    many = how_many(workers)
    require_directory(out)
    documents: dict[str, object] = {}
    done: dict[str, findings.Findings] = {}
    statuses = []
    with stages() as progress, team_of(many, progress) as team:
        for item in chosen:
            found = item.run(quick, seed, team.about(item.name))
            document = findings.document(item, found, quick=quick, seed=seed)
            documents[item.name] = document
            files = findings.contents(item, found, document)
            findings.write(out, files)
            statuses.append(found.status)
            done[item.name] = found
            if not as_json:
                totals = ", ".join(f"{count} {verdict.name}" for verdict, count in counted(dict(found.counts)).items())
                click.echo(f"{item.name}: {totals}\nwritten to {out}: {', '.join(files)}")
    if name is None:
        findings.write(out, {one_page.NAME: one_page.one_page(done)})
        if not as_json:
            click.echo(f"all of it as one page: {out / one_page.NAME}")
    if as_json:
        click.echo(as_text(documents if name is None else document), nl=False)
    sys.exit(1 if 1 in statuses else max(statuses))
