"""Make the README's pictures again: python docs/figures/refresh.py (needs Chromium).

Runs the built-in problem; report.png is the top of its report.html, run.svg the figure beside it. Both depend on the last bits of
a run, hence on the processor, and are compared with nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from verify.output import write_results
from verify.problem import built_in_problem
from verify.verification import verify

FOLDER = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = "1000,1020"


def main() -> None:
    """Write both files beside this one."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"one of {', '.join(BROWSERS)} must be on the path")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_results(verify(built_in_problem()), folder)
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}")
        picture = f"--screenshot={FOLDER / 'report.png'}"
        command = [browser, *flags, f"--window-size={SIZE}", picture, (folder / "report.html").as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        shutil.copyfile(folder / "run.svg", FOLDER / "run.svg")


if __name__ == "__main__":
    main()
