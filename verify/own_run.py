"""A run of somebody's own training loop: recorded weights, the step, the data; checked at the door and made a ``Setup``.

Weights are in the NTK parametrization of ``numerics.network``: z_l = c_l W_l h_{l-1} + sigma_b b_l, c_l = sigma_w/sqrt(m_{l-1});
``from_standard_parametrization`` converts (docs/normalization.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from verify import fields
from verify.data import Dataset, equal_points, normalized, require_finite
from verify.errors import ProblemError
from verify.fields import one_line, show, unwanted
from verify.problem import Problem, problem_from_mapping
from verify.setup import Setup, setup_on
from verify.sources import Table

Array = NDArray[np.float64]
Record = tuple[Array, ...]

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11}  # unit roundoffs


@dataclass(frozen=True, eq=False, repr=False)
class OwnRun:
    """What was recorded of a run of full-batch gradient descent, theta_{k+1} = theta_k - step_size grad J(theta_k).

    weights: at least two records, each [W_1, ..., W_L] with W_l of shape (m_l, m_{l-1}), L >= 2. biases: records of [b_1, ...,
    b_L], b_l of shape (m_l,), or None; they go with bias_scale > 0. inputs: (n, d). targets: (n,) or (n, k). step_size: of the mean
    loss in these parameters. steps: the number of the step at which each record was taken, increasing; None: 0, 1, 2, ...
    activation, loss: a catalogue name or an expression; ridge: of the losses that have one. weight_scale, bias_scale, output_scale:
    sigma_w, sigma_b, alpha. trained: "all" or the layers that gradient descent moves. offsets: (n, k), subtracted from the outputs
    (the initial function of a centered network), or None. sample_weights: (n,), positive, of the square loss; None: 1/n. precision:
    in which the loop computed, "float64", "float32" or "float16"; None: the coarsest type among the weights. rigor: "floating
    point" or "rigorous", of the certificate.

    Arrays are copied. Raises ProblemError, one sentence, for shapes that do not fit, values that are not finite, records that are
    one and the same array, and what a problem file would refuse of network and loss; ``own_setup`` also for untrained layers that
    move.
    """

    weights: Sequence[Sequence[Any]]
    inputs: Any
    targets: Any
    step_size: float
    steps: Sequence[int] | None = None
    biases: Sequence[Sequence[Any]] | None = None
    activation: str = "tanh"
    loss: str = "square"
    ridge: float | None = None
    weight_scale: float = 1.0
    bias_scale: float = 0.0
    output_scale: float = 1.0
    trained: Literal["all"] | Sequence[int] = "all"
    offsets: Any = None
    sample_weights: Any = None
    precision: str | None = None
    rigor: str = "floating point"

    def __post_init__(self) -> None:
        precision = (
            self.precision if self.precision is not None else coarsest([*_leaves(self.weights), *_leaves(self.biases or ())])
        )
        fields.choice("precision", precision, tuple(ROUNDOFF))
        trained = self.trained if isinstance(self.trained, str) else tuple(self.trained)
        weights = _records("weights", self.weights, 2, trained)
        biases = None if self.biases is None else _records("biases", self.biases, 1, trained)
        _check_shapes(weights, biases)
        inputs = real_array("inputs", self.inputs, 2)
        targets = real_array("targets", self.targets, None)
        targets = targets[:, None] if targets.ndim == 1 else targets
        if inputs.shape[1] != weights[0][0].shape[1]:
            raise ProblemError(f"inputs must have {weights[0][0].shape[1]} columns, as W1 has, got shape {inputs.shape}")
        shape = (len(inputs), weights[0][-1].shape[0])
        if targets.shape != shape:
            raise ProblemError(f"targets must have shape {shape}, points by outputs, got shape {targets.shape}")
        made: dict[str, Any] = {"weights": weights, "biases": biases, "inputs": inputs, "targets": targets}
        made |= {"precision": precision, "trained": trained}
        made["step_size"] = fields.positive("step_size", self.step_size)
        made["bias_scale"] = fields.nonnegative("bias_scale", self.bias_scale)
        made["steps"] = _steps(self.steps, len(weights))
        for name, wanted in (("offsets", shape), ("sample_weights", shape[:1])):
            if getattr(self, name) is not None:
                made[name] = real_array(name, getattr(self, name), len(wanted))
                if made[name].shape != wanted:
                    raise ProblemError(f"{name} must have shape {wanted}, got shape {made[name].shape}")
        for name, value in made.items():
            object.__setattr__(self, name, value)
        if (biases is None) != (self.bias_scale == 0):
            given = "none were given" if biases is None else "biases were given"
            wanted_scale = "0 for a network without biases and positive for one with biases"
            raise ProblemError(f"bias_scale must be {wanted_scale}, got {self.bias_scale}; {given}")
        _problem(self)  # refuses now what a problem file would

    def __repr__(self) -> str:
        """Short: pytest prints it when a test fails."""
        sizes = "-".join(str(size) for size in self.sizes)
        first, last = self.numbers[0], self.numbers[-1]
        return f"OwnRun({sizes} {self.activation}, {len(self.weights)} recorded weights, steps {first} to {last})"

    @property
    def sizes(self) -> tuple[int, ...]:
        """(d, m_1, ..., m_L)."""
        return (self.weights[0][0].shape[1], *(weight.shape[0] for weight in self.weights[0]))

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of the recorded steps, (records,)."""
        return np.asarray(self.steps, dtype=np.int64)

    def theta(self, record: int) -> Array:
        """All parameters of a record in one vector, in the order of ``numerics.network``."""
        parts = []
        for layer, weight in enumerate(self.weights[record]):
            parts.append(weight.ravel())
            if self.biases is not None:
                parts.append(self.biases[record][layer])
        return np.concatenate(parts)


def from_standard_parametrization(
    weights: Sequence[Any], biases: Sequence[Any] | None = None, *, weight_scale: float = 1.0, bias_scale: float = 0.0
) -> tuple[list[Array], list[Array] | None]:
    """One record's (weights, biases) for ``OwnRun`` from W'_l, b'_l of z_l = W'_l h_{l-1} + b'_l.

    W_l = W'_l/c_l, b_l = b'_l/sigma_b. The result is float64; say ``precision="float32"`` of a run that was computed in float32.
    Gradient descent with one step for all layers of the standard parametrization is not gradient descent in these parameters: layer
    l must have moved with the step eta c_l^2, its biases with eta sigma_b^2. ``check_theorem`` notices ("GD"). Source:
    docs/normalization.md.
    """
    sigma_w, sigma_b = fields.positive("weight_scale", weight_scale), fields.nonnegative("bias_scale", bias_scale)
    if biases is not None and sigma_b == 0:
        raise ProblemError("bias_scale must be positive where biases are given, got 0")
    matrices = [real_array(f"weights[{layer}]", weight, 2) for layer, weight in enumerate(weights)]
    scaled = [weight / (sigma_w / math.sqrt(weight.shape[1])) for weight in matrices]
    if biases is None:
        return scaled, None
    return scaled, [real_array(f"biases[{layer}]", bias, 1) / sigma_b for layer, bias in enumerate(biases)]


def own_setup(run: OwnRun) -> Setup:
    """The run's problem made ready, its points as they are. Raises ProblemError or InputError with one sentence."""
    problem = _problem(run)
    table = Table("the run", run.inputs, run.targets)
    require_finite(table)
    points = np.arange(len(run.inputs))
    weighted = run.sample_weights is not None
    dataset = Dataset(
        inputs=run.inputs,
        targets=run.targets,
        sample_weights=normalized(run.sample_weights) if weighted else np.full(len(points), 1.0 / len(points)),
        source_rows=points,
        classes=None,
        feature_names=(),
        duplicates=equal_points(table, points, run.inputs, run.targets),
        notes=(),
        description=f"{len(points)} points of one's own, {run.inputs.shape[1]} features",
    )
    setup = setup_on(problem, dataset, at_initialization=False)
    for layer, moves in enumerate(setup.architecture.trained, 1):
        still = all(np.array_equal(_layer(run, 0, layer), _layer(run, record, layer)) for record in range(1, len(run.weights)))
        if not (moves or still):
            raise ProblemError(f"layer {layer} is not among the trained layers {list(run.trained)}, but its weights move")
    return setup if run.offsets is None else dataclasses.replace(setup, offsets=run.offsets)


def _problem(run: OwnRun) -> Problem:
    """The sections that say the same; data are given as arrays, so the source is only a name."""
    loss: dict[str, Any] = {"name": run.loss} | ({} if run.ridge is None else {"ridge": run.ridge})
    if run.sample_weights is not None:
        if run.loss not in ("square", "weighted_square"):
            raise ProblemError(f"sample_weights belong to the square loss and not to loss = {show(run.loss)}")
        loss = {"name": "weighted_square", "weights": run.sample_weights.tolist()}
    network = {
        "hidden": list(run.sizes[1:-1]),
        "activation": run.activation,
        "weight_scale": run.weight_scale,
        "bias_scale": run.bias_scale,
        "output_scale": run.output_scale,
        "trained": run.trained if isinstance(run.trained, str) else list(run.trained),
        "centered": run.offsets is not None,
    }
    return problem_from_mapping(
        {
            "data": {"source": "own-arrays.npz", "points": len(run.inputs), "normalize": "none"},
            "network": network,
            "loss": loss,
            "training": {"step_size": run.step_size, "steps": len(run.weights)},
            "certificate": {"rigor": run.rigor},
        }
    )


def real_array(name: str, value: object, dimensions: int | None) -> Array:
    """A finite float64 copy with so many dimensions (None: one or two), not empty. Raises ProblemError naming the array."""
    try:
        given = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor that requires grad or lives elsewhere
        raise ProblemError(f"{name} must be an array of real numbers: {one_line(error)[:200]}") from None
    if given.dtype.kind not in "fiu" or given.dtype.itemsize > 8:
        raise ProblemError(f"{name} must be an array of real numbers of at most 64 bits, got {given.dtype} of shape {given.shape}")
    if given.size == 0 or given.ndim not in ((1, 2) if dimensions is None else (dimensions,)):
        wanted = "one or two dimensions" if dimensions is None else f"{dimensions} dimension{'s' if dimensions > 1 else ''}"
        raise ProblemError(f"{name} must have {wanted} and at least one entry, got shape {given.shape}")
    found = np.array(given, dtype=np.float64, order="C")
    if not np.isfinite(found).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        raise ProblemError(f"{name} has {found[place]} at {list(place)}, but every value must be finite")
    return found


def coarsest(arrays: Iterable[Any]) -> str:
    """The coarsest floating-point type among the arrays, by name; integers do not count, and float64 where there is none."""
    names = {str(np.asarray(array).dtype) for array in arrays}
    return max(names & set(ROUNDOFF), key=lambda name: ROUNDOFF[name], default="float64")


def _leaves(records: Sequence[Sequence[Any]]) -> list[Any]:
    """Every array of a list of lists; what is no such list is refused later."""
    return [array for record in records if isinstance(record, list | tuple) for array in record if hasattr(array, "dtype")]


def _records(name: str, given: object, dimensions: int, trained: str | tuple[int, ...]) -> tuple[Record, ...]:
    if not isinstance(given, list | tuple) or len(given) < 2:
        raise unwanted(name, "a list of at least two records, each a list with one array a layer", given)
    memory: dict[int, tuple[int, Any]] = {}  # address: the record whose array lies there, and the array, so that it stays there
    found = []
    for place, record in enumerate(given):
        if not isinstance(record, list | tuple) or len(record) < 2:
            raise unwanted(f"{name}[{place}]", "a list with one array for each of at least two layers", record)
        arrays = []
        for layer, value in enumerate(record, 1):
            arrays.append(real_array(f"{name}[{place}][{layer - 1}]", value, dimensions))
            if not hasattr(value, "__array__") or not (trained == "all" or layer in trained):
                continue
            seen = np.asarray(value)
            earlier, _ = memory.setdefault(seen.__array_interface__["data"][0], (place, seen))
            if earlier != place:
                raise ProblemError(
                    f"{name}[{earlier}] and {name}[{place}] are the same memory, so one record has overwritten the other; "
                    "record copies of the weights"
                )
        found.append(tuple(arrays))
    return tuple(found)


def _check_shapes(weights: tuple[Record, ...], biases: tuple[Record, ...] | None) -> None:
    shapes = [weight.shape for weight in weights[0]]
    for layer, (below, above) in enumerate(zip(shapes, shapes[1:], strict=False), 2):
        if above[1] != below[0]:
            raise ProblemError(f"W{layer} must have {below[0]} columns, as many as W{layer - 1} has rows, got shape {above}")
    for place, record in enumerate(weights):
        if [weight.shape for weight in record] != shapes:
            raise ProblemError(f"weights[{place}] must have the shapes of weights[0], {shapes}, got {[w.shape for w in record]}")
    if biases is None:
        return
    if len(biases) != len(weights):
        raise ProblemError(f"biases must have as many records as weights, {len(weights)}, got {len(biases)}")
    wanted = [(rows,) for rows, _ in shapes]
    for place, record in enumerate(biases):
        if [bias.shape for bias in record] != wanted:
            raise ProblemError(f"biases[{place}] must have the shapes {wanted}, got {[bias.shape for bias in record]}")


def _steps(given: Sequence[int] | None, records: int) -> tuple[int, ...]:
    if given is None:
        return tuple(range(records))
    steps = tuple(fields.integer(f"steps[{place}]", step, 0) for place, step in enumerate(given))
    if len(steps) != records or any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
        raise ProblemError(f"steps must be {records} increasing numbers, one for each record, got {show(list(steps))}")
    return steps


def _layer(run: OwnRun, record: int, layer: int) -> Array:
    weight = run.weights[record][layer - 1].ravel()
    return weight if run.biases is None else np.concatenate([weight, run.biases[record][layer - 1]])
