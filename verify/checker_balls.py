"""What the checker knows of balls in general: definite matrices, and derivatives of a function of one variable on an interval.

A ball (Arb) contains the exact number, so a comparison that is true of balls is true of the numbers; NaN, infinity and overlap make
every comparison false. Nothing here knows of networks or theorems, and nothing here is shared with the maker of certificates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from flint import arb, arb_mat, arb_series, fmpq

from verify.certificate_expression import Tree
from verify.certificate_file import Enclosure

Statement = tuple[str, bool | None, str]  # its name, whether it is proved (None: not decided here), what was compared
BOXES = 20000  # of the branch and bound for one derivative


def ball(value: Any) -> Any:
    """A rational, a double or an integer as the narrowest ball."""
    return arb(fmpq(value.numerator, value.denominator)) if isinstance(value, Fraction) else arb(value)


def show(value: Any) -> str:
    """A number as messages print it."""
    return str(ball(value).str(15, radius=False))


def at_most(name: str, value: Any, bound: Fraction, what: str, power: int = 1) -> Statement:
    """value <= bound^power, and the bound is not negative; ``value`` is the power of what the message names. A rational exactly."""
    if isinstance(value, Fraction):
        return name, bound >= 0 and value <= bound, f"{what} is {show(value)}, stated at most {show(bound)}"
    found = value if power == 1 else value.sqrt()
    return name, bound >= 0 and bool(value <= ball(bound) ** power), f"{what} is {show(found)}, stated at most {show(bound)}"


def inside(name: str, value: Any, enclosure: Enclosure) -> Statement:
    """lower <= value <= upper; a rational is compared exactly."""
    lower, upper = enclosure.lower, enclosure.upper
    compared = f"it is {show(value)}, stated in [{show(lower)}, {show(upper)}]"
    if not isinstance(value, Fraction):
        return name, bool(ball(lower) <= value) and bool(value <= ball(upper)), compared
    return name, lower <= value <= upper, compared


def largest(values: Iterable[Any]) -> Any:
    """The largest of nonnegative values, 0 of none."""
    found = arb(0)
    for value in values:
        found = found.max(value)
    return found


def part(matrix: Any, rows: range, columns: range) -> Any:
    """The submatrix of these rows and columns; filled in place, because a list of Python's balls takes far more room."""
    found = arb_mat(len(rows), len(columns))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            found[i, j] = matrix[row, column]
    return found


def blockwise(matrix: Any, factor: Any) -> Any:
    """The matrix cut into as many equal blocks as ``factor`` has entries, each block times its entry."""
    found, rows, columns = arb_mat(matrix), matrix.nrows() // factor.nrows(), matrix.ncols() // factor.ncols()
    for i in range(matrix.nrows()):
        for j in range(matrix.ncols()):
            found[i, j] *= factor[i // rows, j // columns]
    return found


def shifted(matrix: Any, value: Any) -> Any:
    """matrix + value I."""
    found = arb_mat(matrix)
    for i in range(matrix.nrows()):
        found[i, i] += value
    return found


def semidefinite(matrix: Any, strictly: bool = False) -> bool:
    """Whether the symmetric matrix in ``matrix`` is shown to be positive semidefinite, or positive definite when ``strictly``.

    A symmetric [[P, Q], [Q^T, S]] is positive definite if and only if P and S - Q^T P^-1 Q are (block elimination is a congruence),
    and positive semidefinite if P is positive definite and the Schur complement semidefinite. Halving down to one row decides it:
    the ball matrix stands for one exact symmetric matrix, every step encloses its exact blocks, and pivots are compared with 0.
    """
    size = matrix.nrows()
    if size == 1:
        return bool(matrix[0, 0] > 0 if strictly else matrix[0, 0] >= 0)
    if not strictly and all(matrix[i, j] == 0 for i in range(size) for j in range(size)):
        return True
    upper, lower = range(size // 2), range(size // 2, size)
    first, side = part(matrix, upper, upper), part(matrix, upper, lower)
    if not semidefinite(first, strictly=True):
        return False
    try:
        complement = part(matrix, lower, lower) - side.transpose() * first.solve(side)
    except ZeroDivisionError:  # not shown to be invertible
        return False
    return semidefinite(complement, strictly)


def eigenvalues_at_most(name: str, matrix: Any, bound: Fraction, what: str, power: int = 2) -> Statement:
    """lambda_max(matrix) <= bound^power of a symmetric matrix, and the bound is not negative."""
    if bound >= 0 and semidefinite(shifted(-matrix, ball(bound) ** power)):
        return name, True, ""
    found = rayleigh_quotient(matrix)
    return name, False, f"{what} is at least {show(found if power == 1 else found.sqrt())}, stated at most {show(bound)}"


def rayleigh_quotient(matrix: Any, inverse: bool = False) -> Any:
    """x.Mx/x.x for an x found by (inverse) iteration: a lower (upper) bound of the largest (smallest) eigenvalue, for messages."""
    x = arb_mat([[1 + arb(row) / 7] for row in range(matrix.nrows())])
    try:
        for _ in range(40):
            x = (matrix.solve(x) if inverse else matrix * x).mid()
            x = (x * (1 / largest(abs(entry) for entry in x.entries()))).mid()
    except ZeroDivisionError:  # singular as far as balls can tell
        return arb(0)
    turned = x.transpose()
    return (turned * matrix * x)[0, 0] / (turned * x)[0, 0]


FUNCTIONS: dict[str, Callable[..., Any]] = {  # of balls and of power series alike
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "sqrt": lambda x: x.sqrt(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "erf": lambda x: x.erf(),
    "arctan": lambda x: x.atan(),
    "tanh": lambda x: 1 - 2 / (1 + (2 * x).exp()),
    "sinh": lambda x: (x.exp() - (-x).exp()) / 2,
    "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": lambda x: (1 + x.exp()).log() if (x if isinstance(x, arb) else x[0]) < 0 else x + (1 + (-x).exp()).log(),
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
}


def function(tree: Tree) -> Callable[[Any], Any]:
    """The expression as a function of balls or power series."""
    match tree:
        case ("s",):
            return lambda x: x
        case ("pi",):
            return lambda x: arb.pi()
        case ("number", value):
            constant = ball(value)
            return lambda x: constant
        case ("**", base, exponent):
            power, f = exponent.numerator, function(base)
            return (lambda x: raised(f(x), power)) if exponent.denominator == 1 else (lambda x: raised(f(x).sqrt(), power))
        case (
            "log",
            ("+", ("number", 1), ("exp", argument)) | ("+", ("exp", argument), ("number", 1)),
        ):  # which cancels as it stands
            return function(("softplus", argument))
        case (name, argument):
            f, g = function(argument), FUNCTIONS[name]
            return lambda x: g(f(x))
        case (name, left, right):
            f, g, h = function(left), FUNCTIONS[name], function(right)
            return lambda x: g(f(x), h(x))
    raise ValueError(tree)


def raised(x: Any, power: int) -> Any:
    """x^power of a ball or a power series; Arb's own power of a ball about 0 is NaN."""
    return arb(0, 1) * x.abs_upper() ** power if isinstance(x, arb) and x.mid() == 0 and power > 0 else x**power


def derivatives(phi: Callable[[Any], Any], at: Any, order: int) -> list[Any]:
    """phi, phi', ..., phi^(order), order <= 3, on the ball ``at``; NaN where phi is not shown to be smooth."""
    try:
        found = phi(arb_series([at, arb(1)], order + 1)) + arb_series([arb(0)], order + 1)
    except (ValueError, ZeroDivisionError):  # a divisor that may be zero
        return [arb.nan()] * (order + 1)
    if found.prec <= order:  # a coefficient that is not known would read as an exact zero
        return [arb.nan()] * (order + 1)
    return [found[k] * (1, 1, 2, 6)[k] for k in range(order + 1)]


def derivative_at_most(phi: Callable[[Any], Any], order: int, bound: Fraction, reach: Any) -> tuple[bool, str]:
    """Whether |phi^(order)| <= bound on [-reach, reach] and phi is smooth there, and what was found.

    Branch and bound; on a box the value is enclosed directly, by the mean value form f(middle) + f'(box) (box - middle), and, where
    f' has one sign, by its values at both ends.
    """
    limit, boxes, at = ball(bound), [(-reach, reach)], arb(0)
    what = f"|phi^({order})|"
    for _ in range(BOXES):
        if not boxes:
            return bound >= 0, f"{what} is stated to be negative"
        low, high = boxes.pop()
        box, at = low.union(high), ((low + high) / 2).mid()
        values = derivatives(phi, box, order + 1)
        if all(value.is_finite() for value in values):
            middle = derivatives(phi, at, order)[order]
            if abs(values[order]) <= limit or abs(middle + values[order + 1] * (box - at)) <= limit:
                continue
            monotone = values[order + 1] > 0 or values[order + 1] < 0
            if monotone and all(abs(derivatives(phi, end, order)[order]) <= limit for end in (low, high)):
                continue
            if abs(middle) > limit:
                return False, f"{what} at {show(at)} is {show(abs(middle))}, stated at most {show(bound)}"
        boxes += [(low, at), (at, high)]
    return False, f"{what} is not shown to be at most {show(bound)} near {show(at)}"


def loss_gap(name: str, ridge: Any) -> Callable[[Any, Any], Any]:
    """loss(y, t) - min loss(., t) as a function of y and t, without cancellation where the minimum is 0; logistic: t = -1 or 1."""
    least = least_logistic(ridge) if name == "logistic" else arb(0)

    def gap(y: Any, t: Any) -> Any:
        u = y - t
        match name:
            case "log_cosh":
                return (2 * (u / 2).sinh() * (u / 2).sinh()).log1p() + ridge * u * u / 2
            case "pseudo_huber":
                return u * u / (1 + (1 + u * u).sqrt()) + ridge * u * u / 2
            case "logistic":
                return FUNCTIONS["softplus"](-t * y) + ridge * y * y / 2 - least
            case _:
                return u * u / 2

    return gap


def least_logistic(ridge: Any) -> Any:
    """A ball with a number at most min_v g, nearly it, g(v) = log(1 + e^-v) + ridge v^2/2, for every ridge > 0 in the ball.

    g is ridge-strongly convex, so min g >= g(v) - g'(v)^2/(2 ridge) at any v.
    """
    v, slope = near_logistic_minimizer(ridge)
    return FUNCTIONS["softplus"](-v) + ridge * v * v / 2 - slope * slope / (2 * ridge)


def logistic_minimizer_at_least(ridge: Any) -> Any:
    """A number below the zero of g', nearly it: g' rises by ridge at least, so the zero is within |g'(v)|/ridge of v."""
    v, slope = near_logistic_minimizer(ridge)
    return v - abs(slope) / ridge


def near_logistic_minimizer(ridge: Any) -> tuple[Any, Any]:
    """v near the zero of g', and g'(v). Newton from 0 climbs to the zero, because g' is concave on v >= 0."""
    v, sigmoid = arb(0), FUNCTIONS["sigmoid"]
    for _ in range(100):
        p = sigmoid(-v)
        v = (v - (ridge * v - p) / (ridge + p * (1 - p))).mid()
    return v, ridge * v - sigmoid(-v)
