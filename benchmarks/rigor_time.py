"""Time of an enclosed snapshot against its floating-point peer, at the same weights, in one interleaved run.

    python benchmarks/rigor_time.py [--repeats R]

Each line: the shape, seconds of the enclosed snapshot (wall clock, best of R), the first one included where the activation's
table is made, and the median over the repeats of its time divided by that of the floating-point snapshot. Targets: 5 s for
64 points and 256-256 units, 10 s for 16 points and 32768 units.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from verify.problem import problem_from_mapping
from verify.setup import prepare

#: (hidden widths, points, activation)
SHAPES = [
    ([64], 16, "tanh"),
    ([256, 256], 64, "tanh"),
    ([256, 256, 256], 64, "gelu"),
    ([32768], 16, "softplus"),
    ([32768], 64, "s*exp(-s**2/2)"),
]


def measure(hidden: list[int], points: int, activation: str, repeats: int) -> str:
    setup, theta = prepare(
        problem_from_mapping({"data": {"points": points}, "network": {"hidden": hidden, "activation": activation}})
    )
    setup.snapshot(theta)
    begin = time.perf_counter()
    setup.exact_point(theta, 0)
    first, best, ratios = time.perf_counter() - begin, np.inf, []
    for _ in range(repeats):
        begin = time.perf_counter()
        setup.snapshot(theta)
        peer = time.perf_counter() - begin
        begin = time.perf_counter()
        setup.exact_point(theta, 0)
        own = time.perf_counter() - begin
        best, ratios = min(best, own), [*ratios, own / peer]
    shape = "-".join(map(str, hidden))
    columns = f"{shape:>14} n={points:<4} {activation:<16}"
    return f"{columns} first {first:6.2f} s, best {best:6.2f} s, {np.median(ratios):6.1f} x floating point"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for shape in SHAPES:
        sys.stdout.write(measure(*shape, options.repeats) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
