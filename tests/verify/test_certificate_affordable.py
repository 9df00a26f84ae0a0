"""Certificates whose check would take too long or too much memory are refused before that; what is made in practice is not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.verify import forge
from verify.certificate_arrays import require_affordable
from verify.certificate_file import Certificate, read_certificate
from verify.errors import ProblemError

MEGABYTE = 1 << 20


def with_sizes(certificate: Certificate, sizes: tuple[int, ...]) -> Certificate:
    return replace(certificate, network=replace(certificate.network, sizes=sizes, trained=(True,) * (len(sizes) - 1)))


DEEP_WITH_OUTPUTS = (1,) * 60 + (1800,)


@pytest.mark.parametrize(
    ("points", "sizes", "what"),
    [
        (10**5, (2, 3, 1), "multiplications"),
        (1, DEEP_WITH_OUTPUTS, "multiplications"),  # 1800 x 1800 in every layer
        (2000, (1, 1), "multiplications"),
        (1, (2900, 2900), "multiplications"),
        (1, (1,) * 60 + (1000,), "multiplications"),
        (850, (1,) * 60, "multiplications"),
        (64, (1, 131072, 1), "bytes"),
        (8, (1, 1 << 20, 1), "bytes"),
        (2, (1, 70000, 50), "bytes"),
    ],
)
def test_work_and_memory_are_bounded_before_they_are_taken(points: int, sizes: tuple[int, ...], what: str, tmp_path: Path) -> None:
    certificate = with_sizes(read_certificate(forge.forge().write(tmp_path)), sizes)
    with pytest.raises(ProblemError, match=what):
        require_affordable(certificate, points)


@pytest.mark.parametrize(
    ("points", "sizes"),
    [(16, (64, 32768, 1)), (64, (64, 32768, 1)), (64, (64, 256, 256, 1)), (8, (64, 96, 3)), (8, (64, 65536, 1))],
)
def test_what_is_certified_in_practice_is_affordable(points: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    require_affordable(with_sizes(read_certificate(forge.forge().write(tmp_path)), sizes), points)


def wide_open(folder: Path, points: int, sizes: tuple[int, ...]) -> Path:
    """A certificate of that shape with bounds far from the truth, so that every stage up to the theorem is reached."""
    forgery, generator, layers = forge.forge(), np.random.default_rng(1), len(sizes) - 1
    forgery.arrays = {
        "X": generator.standard_normal((points, sizes[0])),
        "y": np.zeros((points, sizes[-1])),
        "offsets": np.zeros((points, sizes[-1])),
        "sample_weights": np.full(points, 1 / points),
        **{f"W{m + 1}": generator.standard_normal((sizes[m + 1], sizes[m])) for m in range(layers)},
    }
    forgery.document["network"] |= {"sizes": list(sizes), "trained": [True] * layers, "activation": "tanh"}
    row = ["1e9"] * points
    forgery.document["bounds"] |= {
        **{"slope": "9", "curvature": "9", "schur": "1e9", "operator_norms": ["1e9"] * layers, "gram_norms": ["1e9"] * layers},
        **{"forward_norms": [row] * layers, "backward_sup": [row] * (layers - 1), "backward_norms": [row] * layers},
    }
    forgery.document["consequences"]["lazy"] |= {
        name: ["1e9"] * layers for name in ("relative_layer_changes_at_most", "neuron_changes_at_most")
    }
    return forgery.write(folder)


BOUNDED = """
import resource, sys
from pathlib import Path
from verify.certificate_arrays import memory
from verify.certificate_file import read_certificate
from verify.checker import check
from verify.errors import ProblemError
path, points, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
limit = limit or memory(read_certificate(path), points)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    outcome = check(path)
    print("accepted" if outcome.accepted else outcome.first_failure, outcome.reason)
except ProblemError as error:
    print("refused:", error)
"""


def checked_within(path: Path, points: int, limit: int = 0) -> str:
    """What a process with so much address space (0: as much as the estimate) says; an abort fails the test."""
    command = [sys.executable, "-c", BOUNDED, str(path), str(points), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "MemoryError" not in done.stdout
    return done.stdout


SMALL = [(4, (1, 20000, 1)), (1, (400, 400, 1)), (100, (1,) * 12), (1, (1,) * 40 + (100,)), (2, (4, 60000, 1)), (4, (2, 400, 20))]
LARGE = [(64, (64, 32768, 1)), (1000, (1, 1, 1)), (1, (1200, 1200, 1)), (1, (1,) * 60 + (400,)), (4, (4, 4000, 100))]


@pytest.mark.parametrize(
    ("points", "sizes"),
    [*SMALL, *(pytest.param(*case, marks=pytest.mark.validate) for case in LARGE)],
    ids=lambda value: str(value)[:20],
)
def test_the_estimated_memory_is_enough(points: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    said = checked_within(wide_open(tmp_path, points, sizes), points)
    assert said.split()[0] in ("slope", "beta", "lambda0", "lambda_max", "residual", "constants.Lambda"), said


@pytest.mark.parametrize(("points", "sizes"), [(1, DEEP_WITH_OUTPUTS), (2000, (1, 1)), (64, (1, 131072, 1))])
def test_hostile_shapes_are_refused_in_little_memory(points: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    """Small files whose check would take gigabytes, where FLINT would end the process."""
    path = wide_open(tmp_path, points, sizes)
    assert checked_within(path, points, 512 * MEGABYTE).startswith("refused: the check would need")
