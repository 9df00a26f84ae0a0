"""The tables that are shipped in docs/tables: one grid each, computed afresh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from verify.errors import ProblemError
from verify.tables import activation
from verify.tables.formats import FORMATS, SUFFIXES
from verify.tables.grid import grid_from_text, tables_of
from verify.tables.reference import REFERENCE

SHIPPED = ("csv", "latex", "markdown")  # JSON says the same at twice the size
_FACTS = '[["1", "0"], ["0", "1"], ["sqrt(1/2)", "sqrt(1/2)"], ["-1", "0"]]'
_SMOOTH = ("tanh", "erf", "sin", "cos", "softplus", "gelu", "silu", "sigmoid", "arctan", "gaussian_bump")
_CONVERGENCE = ("A", "A-square", "A+", "A0", "A1", "N")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def grids() -> dict[str, str]:
    """The names of the standard tables and their grid files."""
    return {
        "activations": f"""\
# Suprema of derivatives and Gaussian moments of every activation with a name.
[[table]]
kind = "activation"
title = "Constants of activations"
activation = [{_listed((*activation.names(), "leaky_relu(1/10)"))}]
""",
        "laws": """\
# Even moments, and what a sample of 1000 points keeps to with probability 99%.
[[table]]
kind = "law"
title = "Moments of laws, dimension 10"
law = ["gaussian", "sphere", "cube", "rademacher"]
dimension = 10
order = [2, 4, 6, 8]
points = 1000
failure_probability = 0.01

[[table]]
kind = "law"
title = "Moments of Student t, dimension 10"
law = "student"
dimension = 10
degrees_of_freedom = [9, 17]
order = [2, 4, 6, 8]
points = 1000
failure_probability = 0.01

[[table]]
kind = "law"
title = "Moments of the scikit-learn digits, pixels as they are"
law = { name = "empirical", data = { source = "digits", points = 1797, normalize = "none" } }
order = [2, 4]
""",
        "kernels": f"""\
# Infinitely wide networks: e1, e2, (e1 + e2)/sqrt 2, -e1, and equispaced points on the circle.
[[table]]
kind = "kernel"
title = "Kernels on four points, no biases"
activation = ["relu", "erf", "gelu"]
points = {_FACTS}

[[table]]
kind = "kernel"
title = "Two hidden layers, no biases"
activation = "relu"
hidden_layers = 2
points = {_FACTS}

[[table]]
kind = "kernel"
title = "Kernels on four points, with biases"
activation = ["sin", "relu"]
weight_scale = 1.5
bias_scale = 0.3
points = {_FACTS}

[[table]]
kind = "kernel"
title = "Smallest eigenvalues on the circle, no biases"
activation = ["relu", "gelu", "tanh", "cos"]
points = ["circle(4)", "circle(8)"]
constants = ["nngp_lambda_min", "ntk_lambda_min"]
""",
        "widths": f"""\
# One hidden layer, trained alone: the least width that is certified before any weight is drawn.
[[table]]
kind = "apriori"
title = "Least width of one hidden layer with q(R*) < 1, Gaussian inputs"
activation = [{_listed(_SMOOTH)}]
width = 1
law = "gaussian"
dimension = 10
points = 16
lambda0 = 0.1
failure_probability = [0.1, 0.01, 0.001]
trained = [1]
constants = ["least_width"]

[[table]]
kind = "apriori"
title = "Least width of one hidden layer with q(R*) < 1, lambda0 by matrix Chernoff, 16 digits (3 against 8)"
activation = ["tanh", "erf", "sin", "softplus", "gelu", "silu"]
width = 1
data = {{ source = "digits", classes = [3, 8], points = 16 }}
failure_probability = [0.1, 0.01, 0.001]
trained = [1]
constants = ["least_width"]
""",
        "apriori": """\
# All layers trained, equal widths; lambda0 is a hypothesis.
[[table]]
kind = "apriori"
title = "A-priori constants, Gaussian inputs"
activation = ["tanh", "softplus"]
layers = [2, 3, 4]
width = 1_000_000_000_000
law = "gaussian"
dimension = 10
points = 16
lambda0 = 0.1
""",
        "losses": """\
# Every loss that has L and mu: targets -1 and 1, ridges 1/10.
[[table]]
kind = "apriori"
title = "Losses before any weight is drawn: tanh, widths 2m and m, Gaussian inputs"
loss = ["square", "log_cosh", "pseudo_huber", "logistic", "log(cosh(y - t)) + (y - t)**2/4"]
targets = [-1, 1]
activation = "tanh"
hidden = [2, 1]
width = 1_000_000_000_000
law = "gaussian"
dimension = 10
points = 16
lambda0 = 0.1
constants = ["L", "mu", "s0", "q", "certified_step", "certified_q", "certified_path", "certified_rate", "least_width"]
""",
        "measured": """\
# Drawn networks: constants of one at its seed in floating point, and probabilities counted on hundreds of them.
[[table]]
kind = "measured"
title = "Drawn networks, one hidden layer of softplus, trained alone, 8 digits (3 against 8)"
problem = { data = { classes = [3, 8], source = "digits", points = 8 }, network = { activation = "softplus", trained = [1] } }
hidden = [[64], [1024], [4096]]

[[table]]
kind = "monte_carlo"
title = "Smallest eigenvalue and events at initialization, one hidden layer, 16 digits (3 against 8)"
activation = "tanh"
width = [64, 256]
data = { source = "digits", classes = [3, 8], points = 16 }
draws = 200
epsilon = ["1/10", "1/4", "1/2"]
failure_probability = 0.05

[[table]]
kind = "monte_carlo"
title = "The same with two hidden layers"
activation = "tanh"
layers = 3
width = 64
data = { source = "digits", classes = [3, 8], points = 16 }
draws = 100
epsilon = ["1/10", "1/4", "1/2"]
failure_probability = 0.2
""",
        "theorems": f"""\
# Reference inputs: L/mu = 2, beta small against lambda0.
[[table]]
title = "Convergence and existence at reference inputs"
theorem = [{_listed(_CONVERGENCE)}]
{_reference(("L", "mu", "eta", "lambda0", "lambda_max", "beta", "s0", "R", "epsilon", "steps", "newton_step"))}
""",
    }


def _reference(names: tuple[str, ...]) -> str:
    return "\n".join(f'{name} = "{REFERENCE[name]}"' for name in names)


def standard_files(names: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    """The names and contents of the shipped files, of all standard tables or of those named."""
    known: Mapping[str, str] = grids()
    for name in names or tuple(known):
        yield f"{name}.toml", known[name].encode()
        tables = tables_of(grid_from_text(known[name], f"the grid {name}"))
        for style in SHIPPED:
            yield f"{name}{SUFFIXES[style]}", FORMATS[style](tables).encode()


def stale_files(folder: Path, names: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Which files of the standard tables (of those named) in a folder are missing, or not what the program writes now."""
    if not folder.is_dir():
        raise ProblemError(f"--check {str(folder)!r} must be a folder that holds the standard tables")
    for name, content in standard_files(names):
        path = folder / name
        if not path.is_file():
            yield name, "missing"
            continue
        found = path.read_bytes()
        if found != content:
            pairs = zip(found.splitlines(), content.splitlines(), strict=False)
            place = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), 1 + min(found.count(b"\n"), content.count(b"\n")))
            yield name, f"differs from line {place} on"
