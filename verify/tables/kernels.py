"""Kernels of infinitely wide networks on given points, and their smallest eigenvalues."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from theorems.arithmetic import exactly
from theorems.infinite_kernel import Normalization, WideNetwork, limit_kernels, wide_network
from theorems.input_gram import InputGram, gram_of
from verify.errors import ProblemError
from verify.infinite_width import LimitEigenvalue, LimitSpectrum, limit_spectrum
from verify.rigor import decimal_above, decimal_below
from verify.tables.keys import Key, integer, listed_text, moves, nonnegative, positive, text, trained, word
from verify.tables.kind import Kind, fixed
from verify.tables.points import geometry, load_points, read_data, read_points
from verify.tables.records import Entry, Rounding, Value, of_ball

KEYS = (
    Key("activation", text, required=True, shown=True),
    Key("hidden_layers", integer(1, 64), default=1, shown=True),
    Key("weight_scale", positive, default=1),
    Key("bias_scale", nonnegative, default=0),
    Key("output_scale", positive, default=1),
    Key("trained", trained, listed_text, default="all", depth=1),
    Key("points", read_points, depth=2, shown=True),
    Key("data", read_data),
    Key("normalization", word("sum", "mean"), default="sum"),
)
EIGENVALUE_DIGITS = 13
MOST_ENTRIES = 16  # points whose kernel is tabulated entry by entry
SOURCE = "recursions of theorems.infinite_kernel in ball arithmetic; Jacot, Gabriel and Hongler (2018), Lee et al. (2018)"
NORMALIZATIONS = {
    "sum": "z_l = sigma_w/sqrt(fan-in) W_l h_{l-1} + sigma_b b_l, unit variances; the kernel itself, without any 1/n",
    "mean": "z_l = sigma_w/sqrt(fan-in) W_l h_{l-1} + sigma_b b_l, unit variances; entries times sqrt(nu_i nu_j), uniformly 1/n",
}
FORMULAS = {
    "nngp": (
        "alpha**2*Sigma_L; Sigma_1 = sigma_w**2*x.x'/d + sigma_b**2; Sigma_{l+1} = sigma_w**2*E[phi(u)*phi(v)] + sigma_b**2",
        r"\alpha^2\Sigma_L,\quad \Sigma_{l+1} = \sigma_w^2 E\phi(u)\phi(v) + \sigma_b^2,\quad (u,v)\sim N(0,\Sigma_l)",
    ),
    "ntk": (
        "alpha**2*Theta_L; Theta_1 = [1 in T]*Sigma_1; "
        "Theta_{l+1} = sigma_w**2*E[phi'(u)*phi'(v)]*Theta_l + [l+1 in T]*Sigma_{l+1}",
        r"\alpha^2\Theta_L,\quad \Theta_{l+1} = \sigma_w^2 E\phi'(u)\phi'(v)\,\Theta_l + \mathbf{1}[l+1\in T]\,\Sigma_{l+1}",
    ),
}
LETTERS = {"nngp": r"\Sigma", "ntk": r"\Theta"}


def _finish(where: str, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    if ("points" in case) == ("data" in case):
        raise ProblemError(f"{where} needs exactly one of points and data")
    layers = case["hidden_layers"] + 1
    moved = moves(f"{where}.trained", case["trained"], layers)
    network = wide_network(
        case["activation"],
        case["hidden_layers"],
        weight_scale=case["weight_scale"],
        bias_scale=case["bias_scale"],
        output_scale=case["output_scale"],
        trained=moved,
    )
    if "points" in case:
        return case | {"_network": network, "_gram": geometry(case["points"]), "_weights": None}
    data = load_points(f"{where}.data", case["data"], folder)
    weights = [exactly(float(x)) for x in data.sample_weights]
    return case | {"_network": network, "_gram": gram_of(data.inputs), "_weights": weights}


def make(case: Mapping[str, Any]) -> Iterator[Entry]:
    """Entries (i, j), i <= j, points counted from 0, of kernels on at most 16 points, and the smallest eigenvalues."""
    gram: InputGram = case["_gram"]
    network: WideNetwork = case["_network"]
    normalization = Normalization[case["normalization"].upper()]
    weights = case["_weights"] if normalization is Normalization.MEAN else None

    @functools.cache
    def spectrum() -> LimitSpectrum:
        return limit_spectrum(network, gram, normalization=normalization, sample_weights=weights)

    @functools.cache
    def kernels() -> Any:
        return limit_kernels(network, gram, normalization=normalization, sample_weights=weights)

    def entry(name: str, symbol: str, kernel: str, head: str, rounding: Rounding, compute: Any) -> Entry:
        formula, latex = FORMULAS[kernel]
        return Entry(
            name,
            symbol,
            f"{head}{formula}" if head == "" else f"lambda_min of {formula}",
            latex if head == "" else rf"\lambda_{{\min}}({LETTERS[kernel]}_L),\quad {latex}",
            rounding,
            "hidden widths tend to infinity one after the other; independent entries of mean 0 and variance 1",
            NORMALIZATIONS[case["normalization"]],
            SOURCE,
            compute,
        )

    for kernel in ("nngp", "ntk"):
        if gram.points <= MOST_ENTRIES:
            for i in range(gram.points):
                for j in range(i, gram.points):
                    name, symbol = f"{kernel}[{i},{j}]", rf"{LETTERS[kernel]}_{{{i},{j}}}"
                    yield entry(name, symbol, kernel, "", Rounding.NEAREST, _entry_of(kernels, kernel, i, j))
        symbol = rf"\lambda_{{\min}}({LETTERS[kernel]})"
        yield entry(f"{kernel}_lambda_min", symbol, kernel, "min", Rounding.DOWN, _smallest(spectrum, kernel))


KIND = Kind("kernel", "Kernels of infinitely wide networks", fixed(KEYS), make, _finish)


def _entry_of(kernels: Any, kernel: str, i: int, j: int) -> Any:
    return lambda: of_ball(getattr(kernels(), kernel)[i, j])


def _smallest(spectrum: Any, kernel: str) -> Any:
    def compute() -> Value:
        found: LimitEigenvalue = spectrum().tangent if kernel == "ntk" else spectrum().covariance
        if found.zero is not None:
            return Value(found.lower, found.upper, note=f"exactly 0: {found.zero.reason}")
        note = "" if found.nearby is None else f"exactly 0 for points within 2^-44 of these: {found.nearby.reason}"
        # The last digits of a proof that starts from LAPACK's vectors differ between machines; these do not.
        return Value(
            Fraction(decimal_below(found.lower, EIGENVALUE_DIGITS)),
            Fraction(decimal_above(found.upper, EIGENVALUE_DIGITS)),
            note=note,
        )

    return compute
