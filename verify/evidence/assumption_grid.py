"""What the experiment "assumption" runs: the full grid and the quick one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.laws import Law, cube, gaussian, student

DATA: dict[str, dict[str, Any]] = {
    "digits 3/8": {"source": "digits", "classes": [3, 8], "points": 16},
    "gaussian": {"source": "gaussian", "dimension": 16, "points": 16, "normalize": "none"},
    "sphere": {"source": "sphere", "dimension": 16, "points": 16},
}
# Not the sphere: its moments are constants, and nothing fails.
LAWS: dict[str, Callable[[], Law]] = {
    "gaussian": lambda: gaussian(16),
    "cube": lambda: cube(16),
    "student, 9 degrees of freedom": lambda: student(16, 9),
}


@dataclass(frozen=True)
class Grid:
    """What is run.

    draws: of the weights for events, and of samples for moments; conclusion_draws: for conclusions and the matrix
    Chernoff event. events: (data, network keys) of each network on which events are counted. moments: (law, highest order L).
    curves: (data, activation, number of hidden layers, widths). chernoff: (data, activation, widths)."""

    failure_probabilities: tuple[Fraction, ...]
    draws: int
    conclusion_draws: int
    events: tuple[tuple[str, dict[str, Any]], ...]
    moments: tuple[tuple[str, int], ...]
    curves: tuple[tuple[str, str, int, tuple[int, ...]], ...]
    curve_draws: int
    chernoff: tuple[tuple[str, str, tuple[int, ...]], ...]


_UNCENTERED: dict[str, Any] = {"output_layer": "gaussian", "centered": False}
_BIASED: dict[str, Any] = {"activation": "softplus", "bias_scale": 0.5, "centered": False}

FULL = Grid(
    failure_probabilities=(Fraction(1, 2), Fraction(1, 10)),
    # What is stated with p = 1/70, the smallest share here, and fails with p/4, is then decided but for a fluctuation of 3 sigma.
    draws=6000,
    conclusion_draws=1000,
    events=(
        *(("digits 3/8", {"hidden": [32] * depth}) for depth in (1, 2, 3)),
        ("digits 3/8", {"hidden": [128]}),
        ("digits 3/8", {"hidden": [64] * 2}),
        ("digits 3/8", {"hidden": [32] * 2, **_UNCENTERED}),
        ("gaussian", {"hidden": [32] * 2}),
        ("gaussian", {"hidden": [32] * 3, **_UNCENTERED}),
        ("gaussian", {"hidden": [32] * 2, **_BIASED}),
        ("sphere", {"hidden": [32], **_UNCENTERED}),
        ("sphere", {"hidden": [32] * 2, **_BIASED}),
        ("sphere", {"hidden": [32] * 3}),
    ),
    moments=(("gaussian", 4), ("cube", 4), ("student, 9 degrees of freedom", 2)),
    curves=tuple(
        (data, activation, depth, tuple(2**k for k in range(5, 13 - depth)))
        for data in DATA
        for activation in ("tanh", "softplus", "relu")
        for depth in (1, 2, 3)
    ),
    curve_draws=100,
    chernoff=tuple((data, activation, (512, 2048)) for data in ("digits 3/8", "sphere") for activation in ("tanh", "softplus")),
)
QUICK = Grid(
    failure_probabilities=(Fraction(1, 2),),
    draws=800,
    conclusion_draws=200,
    events=(
        ("digits 3/8", {"hidden": [32]}),
        ("digits 3/8", {"hidden": [32] * 2, **_UNCENTERED}),
        ("gaussian", {"hidden": [16] * 3}),
        ("sphere", {"hidden": [32] * 2, **_BIASED}),
    ),
    moments=(("gaussian", 3), ("student, 9 degrees of freedom", 2)),
    curves=tuple(("digits 3/8", activation, depth, (32, 64, 128, 256)) for activation in ("tanh", "relu") for depth in (1, 2, 3)),
    curve_draws=40,
    chernoff=(("digits 3/8", "tanh", (1024,)),),
)
