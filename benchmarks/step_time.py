"""Time of one recorded step of gradient descent against a peer, the same step written in NumPy, in one interleaved run.

    python benchmarks/step_time.py [--threads T] [--repeats R]

Each line: the shape, milliseconds per step (wall clock, best of R), processor milliseconds per step of the same repeat (with one
thread the two differ by what other processes took), cores used by others meanwhile, GFLOP/s of the products, and the median over
the repeats of NumPy's time divided by ours (the peer records nothing: no residual, path or displacement). The first line is the
first call: compilation, or loading from numba's cache.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numba
import numpy as np

from numerics.activations import builtin_activation
from numerics.losses import square_loss
from numerics.network import Architecture, initialize
from numerics.training import GradientDescent, workspace_bytes

#: (sizes, points, steps per repeat)
SHAPES = [
    ((64, 64, 1), 16, 2000),
    ((64, 256, 256, 1), 32, 200),
    ((16, 65536, 1), 16, 20),
    ((16, 10**6, 1), 16, 5),
    ((64, 10**6, 1), 16, 3),
    ((32, 1024, 1024, 1), 128, 10),
]


def problem(sizes: tuple[int, ...], points: int) -> tuple[GradientDescent, np.ndarray]:
    """Random inputs on the sphere of radius sqrt(d), random targets, a tanh network with all layers trained."""
    generator = np.random.default_rng(0)
    architecture = Architecture(sizes, 1.0, 0.0, 1.0, (True,) * (len(sizes) - 1))
    inputs = generator.standard_normal((points, sizes[0]))
    inputs *= np.sqrt(sizes[0]) / np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = generator.standard_normal((points, sizes[-1]))
    weights, offsets = np.full(points, 1.0 / points), np.zeros_like(targets)
    descent = GradientDescent(
        architecture, builtin_activation("tanh"), square_loss(), inputs, targets, weights, offsets, targets, 1.0, 0.5 / points
    )
    return descent, initialize(architecture, "signs", 0)


def busy_cores() -> float:
    """Processor seconds that the whole machine has spent working; 0 where the system does not tell."""
    try:
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    except OSError:
        return 0.0
    return (sum(fields) - fields[3] - fields[4]) / 100.0


def numpy_step(descent: GradientDescent, theta: np.ndarray, inputs: np.ndarray, targets: np.ndarray) -> None:
    """One step of gradient descent for the tanh network and the square loss, with NumPy and nothing recorded."""
    architecture, n = descent.architecture, len(inputs)
    weights = [architecture.weight(theta, layer) for layer in range(1, architecture.layers + 1)]
    scales = architecture.fan_in_scales
    signals = [inputs.T]
    for layer, (scale, weight) in enumerate(zip(scales, weights, strict=True), 1):
        z = scale * (weight @ signals[-1])
        signals.append(np.tanh(z) if layer < architecture.layers else z)
    delta = (signals[-1] - targets.T) / n
    for layer in range(architecture.layers, 0, -1):
        weight, scale, below = weights[layer - 1], scales[layer - 1], signals[layer - 1]
        gradient = scale * (delta @ below.T)
        if layer > 1:
            delta = scale * (weight.T @ delta) * (1 - below**2)
        weight -= descent.step_size * gradient


def measure(sizes: tuple[int, ...], points: int, steps: int, repeats: int) -> str:
    descent, theta = problem(sizes, points)
    reference = theta.copy()
    descent.advance(theta, 1, 0.0, reference)
    best, ratios = (np.inf, 0.0, 0.0), []
    peer = theta.copy()
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(max(steps // 4, 1)):
            numpy_step(descent, peer, descent.inputs, descent.targets)
        peer_time = (time.perf_counter() - begin) / max(steps // 4, 1)
        wall, own, all_cores = time.perf_counter(), time.process_time(), busy_cores()
        descent.advance(theta, steps, 0.0, reference)
        wall, own, all_cores = time.perf_counter() - wall, time.process_time() - own, busy_cores() - all_cores
        ratios.append(peer_time / (wall / steps))
        best = min(best, (wall, own, max(0.0, (all_cores - own) / wall)))
    # Forward and gradient products of every layer, and the backward product of all but the first.
    pairs = [rows * columns for rows, columns in zip(sizes[1:], sizes[:-1], strict=True)]
    work = 2.0 * points * (2 * sum(pairs) + sum(pairs[1:]))
    scratch = workspace_bytes(descent.architecture, points) / 1e6
    wall, own, others = 1e3 * best[0] / steps, 1e3 * best[1] / steps, best[2]
    shape, speed = "-".join(map(str, sizes)), work / wall / 1e6
    columns = f"{shape:>18} n={points:<4} {wall:9.4f} ms/step {own:9.4f} processor {others:5.2f} others"
    return f"{columns} {speed:7.1f} GFLOP/s {scratch:7.1f} MB besides theta {np.median(ratios):6.2f} x NumPy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    begin = time.perf_counter()
    measure((4, 8, 1), 2, 1, 1)
    sys.stdout.write(f"first call: {time.perf_counter() - begin:.2f} s; {options.threads} threads\n")
    for shape in SHAPES:
        sys.stdout.write(measure(*shape, options.repeats) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
