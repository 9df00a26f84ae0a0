"""Documents that are rendered from the code are compared with what the code renders now; and the README's commands are CI's."""

from __future__ import annotations

import re
from pathlib import Path

from theorems.catalogue import THEOREMS
from verify.statements import theorem_page

ROOT = Path(__file__).resolve().parent.parent


def test_theorem_page_is_fresh() -> None:
    """Refresh with: overparam theorems --format markdown > docs/theorems.md"""
    assert (ROOT / "docs" / "theorems.md").read_text() == theorem_page(list(THEOREMS.values())) + "\n"


def test_every_result_constant_is_in_the_notation_page() -> None:
    page = (ROOT / "docs" / "notation.md").read_text()
    for name in ("lambda0", "lambda_max", "beta", "q", "radius", "step_size", "mu", "smoothness", "kappa", "ball_radius", "Lambda"):
        assert f"`{name}`" in page, name


def test_readme_has_exactly_two_commands() -> None:
    """The two install commands of the README: the main job and the tests."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(commands) == 2
    assert commands[0].endswith("overparam verify")
    assert commands[1].endswith("pytest")
