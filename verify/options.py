"""The six sections of a problem file as frozen records; each checks its own fields when it is made.

There is no other way in: reading a file, building a record in Python and ``dataclasses.replace`` all pass here. What
concerns two sections at once is checked by :class:`verify.problem.Problem`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from theorems.errors import nearest
from verify import fields
from verify.errors import ProblemError
from verify.expressions import activation_of, loss_of, ridge_in_use
from verify.fields import show, unwanted
from verify.rigor import Rigor

CLASSIFICATION_SETS = ("digits", "breast_cancer", "wine", "iris")
REGRESSION_SETS = ("diabetes",)
SYNTHETIC_LAWS = ("gaussian", "sphere", "cube", "student")
FILE_SUFFIXES = (".csv", ".npz")

_DEFAULT_DIMENSION = 16
_DEFAULT_DEGREES_OF_FREEDOM = 5.0


@dataclass(frozen=True)
class DataOptions:
    """The points: where they come from, which are taken and how they are scaled.

    source: a data set of scikit-learn (digits, breast_cancer, wine, iris, diabetes); a law to draw from (gaussian, sphere,
        cube, student), with random sign targets; or the path of a .csv or .npz file, relative to ``folder``.
    classes: at least two labels, integers or strings: two become targets -1 (the first) and +1, more become one-hot rows.
        None: regression, targets standardized.
    points: how many rows to take, at random. seed: of that choice, or of the draw from a law.
    normalize: "sphere", "standard" or "none"; see :func:`verify.data.load_data`.
    label_scale: positive; the targets are multiplied by it after everything else.
    target: the column of a .csv file that holds the target; None: the last.
    dimension: number of features, for laws only (default 16). degrees_of_freedom: of the student law only (default 5);
        greater than 2, because the law is scaled to unit variance.
    folder: what a relative path is relative to; not part of the echo.
    """

    source: str = "digits"
    classes: tuple[int | str, ...] | None = None
    points: int = 16
    seed: int = 0
    normalize: str = "sphere"
    label_scale: float = 1.0
    target: str | None = None
    dimension: int | None = None
    degrees_of_freedom: float | None = None
    folder: Path = field(default=Path(), metadata={"echoed": False})

    def __post_init__(self) -> None:
        _set(self, "source", fields.text("data.source", self.source))
        _set(self, "points", fields.integer("data.points", self.points, 1))
        _set(self, "seed", fields.integer("data.seed", self.seed, 0))
        fields.choice("data.normalize", self.normalize, ("sphere", "standard", "none"))
        _set(self, "label_scale", fields.positive("data.label_scale", self.label_scale))
        if self.kind == "unknown":
            known = (*CLASSIFICATION_SETS, *REGRESSION_SETS, *SYNTHETIC_LAWS)
            wanted = f"one of {', '.join(known)}, or a path that ends in .csv or .npz"
            raise unwanted("data.source", wanted, self.source, nearest(self.source, known))
        if self.classes is not None:
            _set(self, "classes", _labels(self.classes))
            if self.kind == "law" or self.source in REGRESSION_SETS:
                raise ProblemError(f"data.classes does not apply to {self.source}, got {show(list(self.classes))}")
        if self.target is not None:
            fields.text("data.target", self.target, "the name of a column")
            self._belongs("target", "a .csv file", self.kind == ".csv")
        self._law_options()

    @property
    def kind(self) -> Literal["set", "law", ".csv", ".npz", "unknown"]:
        """What sort of source it is: a shipped set, a law to draw from, or a file by its suffix."""
        if self.source in CLASSIFICATION_SETS + REGRESSION_SETS:
            return "set"
        if self.source in SYNTHETIC_LAWS:
            return "law"
        suffix = Path(self.source).suffix.lower()
        return ".csv" if suffix == ".csv" else ".npz" if suffix == ".npz" else "unknown"

    @property
    def path(self) -> Path:
        """Where the file is, for the sources that are files."""
        return self.folder / self.source

    def _law_options(self) -> None:
        """Fill in and check the two options that only laws have."""
        if self.dimension is None and self.kind == "law":
            _set(self, "dimension", _DEFAULT_DIMENSION)
        if self.degrees_of_freedom is None and self.source == "student":
            _set(self, "degrees_of_freedom", _DEFAULT_DEGREES_OF_FREEDOM)
        if self.dimension is not None:
            _set(self, "dimension", fields.integer("data.dimension", self.dimension, 1))
            self._belongs("dimension", "the laws " + ", ".join(SYNTHETIC_LAWS), self.kind == "law")
        if self.degrees_of_freedom is not None:
            wanted = "a finite number greater than 2 (the law is scaled to unit variance)"
            key, value = "data.degrees_of_freedom", self.degrees_of_freedom
            _set(self, "degrees_of_freedom", fields.number(key, value, wanted=wanted, accept=lambda x: x > 2))
            self._belongs("degrees_of_freedom", "the student law", self.source == "student")

    def _belongs(self, name: str, owner: str, applies: bool) -> None:
        """Refuse an option that the source would silently ignore."""
        if not applies:
            raise ProblemError(
                f"data.{name} belongs to {owner} and not to data.source = {self.source!r}, got {show(getattr(self, name))}"
            )


@dataclass(frozen=True)
class NetworkOptions:
    """The network: see :mod:`numerics.network` for the parametrization.

    hidden: widths of the hidden layers, at least one. activation: a catalogue name or an expression in s.
    weight_scale: sigma_w > 0. bias_scale: sigma_b >= 0, 0 for none. output_layer: "signs" or "gaussian".
    output_scale: alpha > 0. trained: "all", or the numbers of the trained layers, 1 = first, in increasing order.
    centered: subtract the initial function. seed: of the weights.
    """

    hidden: tuple[int, ...] = (64,)
    activation: str = "tanh"
    weight_scale: float = 1.0
    bias_scale: float = 0.0
    output_layer: str = "signs"
    output_scale: float = 1.0
    trained: Literal["all"] | tuple[int, ...] = "all"
    centered: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        wanted = "a list of at least one hidden layer's width, such as [64]"
        widths = fields.entries("network.hidden", self.hidden, wanted, lambda key, item: fields.integer(key, item, 1))
        _set(self, "hidden", widths)
        fields.text("network.activation", self.activation, "an activation's name or an expression in s", 500)
        for name in ("weight_scale", "output_scale"):
            _set(self, name, fields.positive(f"network.{name}", getattr(self, name)))
        _set(self, "bias_scale", fields.nonnegative("network.bias_scale", self.bias_scale))
        fields.choice("network.output_layer", self.output_layer, ("signs", "gaussian"))
        fields.boolean("network.centered", self.centered)
        _set(self, "seed", fields.integer("network.seed", self.seed, 0))
        if self.trained != "all":
            _set(self, "trained", self._trained_layers(self.trained))
        activation_of(self.activation)

    @property
    def layers(self) -> int:
        """The number L of layers with weights: the hidden ones and the output layer."""
        return len(self.hidden) + 1

    def trains(self, layer: int) -> bool:
        """Whether gradient descent moves ``layer`` (1..L)."""
        return self.trained == "all" or layer in self.trained

    def _trained_layers(self, value: object) -> tuple[int, ...]:
        if isinstance(value, str):
            raise unwanted("network.trained", '"all" or a list of layers', value, nearest(value, ["all"]))
        wanted = f'"all" or a list of layers from 1 to {self.layers}, such as [1]'
        layers = fields.entries("network.trained", value, wanted, lambda key, item: fields.integer(key, item, 1))
        for layer in layers:
            if layer > self.layers:
                raise ProblemError(
                    f"network.trained must name layers from 1 to {self.layers}, the number of layers with weights, "
                    f"got {show(layer)}"
                )
        fields.distinct("network.trained", layers)
        return tuple(sorted(layers))


@dataclass(frozen=True)
class LossOptions:
    """The loss of one sample, and how samples are weighted.

    name: a catalogue name or an expression in y (prediction) and t (target).
    ridge: coefficient of the ridge of the losses that have one (log_cosh, pseudo_huber, logistic), default 0.1; 0 is
        accepted and leads to a refusal of the certificate, with the reason. None for a loss without ridge.
    weights: of weighted_square: "balanced" (all classes weigh the same), positive numbers, one for each point in the
        order taken, or the name of a column of the .csv file or an array of the .npz file. They are scaled to sum to 1.
    """

    name: str = "square"
    ridge: float | None = None
    weights: str | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        fields.text("loss.name", self.name, "a loss's name or an expression in y and t", 500)
        if self.ridge is not None:
            _set(self, "ridge", fields.nonnegative("loss.ridge", self.ridge))
        if isinstance(self.weights, str):
            fields.text("loss.weights", self.weights)
        elif self.weights is not None:
            wanted = '"balanced", a list of positive numbers, or the name of a column'
            _set(self, "weights", fields.entries("loss.weights", self.weights, wanted, fields.positive))
        _set(self, "ridge", ridge_in_use(self.name, self.ridge))
        weighted = loss_of(self.name, self.ridge).weighted
        if weighted and self.weights is None:
            wanted = '"balanced", a list of positive numbers, or the name of a column'
            raise ProblemError(f"loss.weights is missing: {self.name} needs {wanted}")
        if not weighted and self.weights is not None:
            shown = show(self.weights if isinstance(self.weights, str) else list(self.weights))
            raise ProblemError(f"loss.weights belongs to weighted_square and not to loss.name = {self.name!r}, got {shown}")


@dataclass(frozen=True)
class TrainingOptions:
    """Full-batch gradient descent: its step size, the most steps it takes and the RMS residual at which it stops."""

    step_size: Literal["certified"] | float = "certified"
    steps: int = 20000
    stop_residual: float = 1e-10

    def __post_init__(self) -> None:
        if self.step_size != "certified":
            key, wanted = "training.step_size", '"certified" or a positive finite number'
            if isinstance(self.step_size, str):
                raise unwanted(key, wanted, self.step_size, nearest(self.step_size, ["certified"]))
            _set(self, "step_size", fields.number(key, self.step_size, wanted=wanted, accept=lambda x: x > 0))
        _set(self, "steps", fields.integer("training.steps", self.steps, 1))
        _set(self, "stop_residual", fields.nonnegative("training.stop_residual", self.stop_residual))


@dataclass(frozen=True)
class CertificateOptions:
    """How a certificate is computed, and the chance of failure allowed to statements about random weights."""

    rigor: str = "floating point"
    failure_probability: float = 0.01

    def __post_init__(self) -> None:
        kinds = [kind.value for kind in Rigor]
        if self.rigor not in kinds:
            wanted = " or ".join(f'"{kind}"' for kind in kinds)
            hint = nearest(self.rigor, kinds) if isinstance(self.rigor, str) else ""
            raise unwanted("certificate.rigor", wanted, self.rigor, hint)
        key, wanted = "certificate.failure_probability", "a number strictly between 0 and 1"
        probability = fields.number(key, self.failure_probability, wanted=wanted, accept=lambda x: 0 < x < 1)
        _set(self, "failure_probability", probability)


@dataclass(frozen=True)
class GeneralizationOptions:
    """How a trained network is judged on points that it was not trained on (statements H1 and H2).

    held_out: whether it is judged at all. loss: "clipped", the loss it was trained with, less its infimum, clipped at ``clip``
        (default 0.5); or "ramp", clip(1 - y sign(t)/margin, 0, 1), for one output, with ``margin`` (default 1).
    first_radius: r_1 of the radii r_1, 2 r_1, 4 r_1, ...; "1/output_scale", or a positive number.
    All of this must be chosen before the sample is seen.
    """

    held_out: bool = True
    loss: str = "clipped"
    clip: float | None = None
    margin: float | None = None
    first_radius: Literal["1/output_scale"] | float = "1/output_scale"

    def __post_init__(self) -> None:
        _set(self, "held_out", fields.boolean("generalization.held_out", self.held_out))
        _set(self, "loss", fields.choice("generalization.loss", self.loss, tuple(_RANGES)))
        for loss, (name, default) in _RANGES.items():
            value, key = getattr(self, name), f"generalization.{name}"
            if value is not None:
                _set(self, name, fields.positive(key, value))
            if value is not None and self.loss != loss:
                raise ProblemError(f'{key} belongs to generalization.loss = "{loss}" and not to {self.loss!r}, got {show(value)}')
            if self.loss == loss and value is None:
                _set(self, name, default)
        if self.first_radius != "1/output_scale":
            key, wanted = "generalization.first_radius", '"1/output_scale" or a positive finite number'
            _set(self, "first_radius", fields.number(key, self.first_radius, wanted=wanted, accept=lambda x: x > 0))


_RANGES = {"clipped": ("clip", 0.5), "ramp": ("margin", 1.0)}  # the loss: its own key, and its default


def _labels(value: object) -> tuple[int | str, ...]:
    """Check the list of classes: at least two, distinct, integers or strings."""

    def label(key: str, item: object) -> int | str:
        if isinstance(item, str):
            return fields.text(key, item)
        if isinstance(item, bool) or not isinstance(item, int) or abs(item) >= 2**63:
            raise unwanted(key, "an integer of at most 64 bits or a string", item)
        return item

    wanted = "a list of at least two classes, such as [3, 8]"
    labels = fields.entries("data.classes", value, wanted, label)
    if len(labels) < 2:
        raise unwanted("data.classes", wanted, list(labels))
    fields.distinct("data.classes", labels)
    return labels


def _set(record: object, name: str, value: object) -> None:
    """Give a field of a frozen record its checked form while the record is being made."""
    object.__setattr__(record, name, value)
