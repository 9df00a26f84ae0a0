"""An instance as a short program: NumPy only, the data at the top, the record's formulas below, three numbers printed.

The formulas are printed from the record's expressions, so a script about a wrong constant computes with that constant.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import sympy
from sympy.printing.numpy import NumPyPrinter

from theorems.activations import activation
from theorems.grammar import S
from theorems.records import Claim, Theorem
from verify.falsify.promises import certifier, reference

_PRINTER = NumPyPrinter({"fully_qualified_modules": False, "allow_unknown_functions": True})
_OF_TWO = {sympy.Max: sympy.Function("maximum"), sympy.Min: sympy.Function("minimum")}

_HEAD = '''"""Theorem {theorem}, claim {claim}: {statement}

An instance found by overparam falsify. Prints the measured value, the bound, and how much of the bound is used
(above 1 by more than the rounding of doubles: the claim is violated). NumPy only.
"""

import math

import numpy as np
from numpy import exp, log, maximum, minimum, pi, sqrt

np.seterr(all="ignore")  # a constant that this claim does not use may be undefined
'''

_COMPOSITE = """
singular = np.array({singular!r})
quadratic = np.array({quadratic!r})
target = np.array({target!r})
beta, eta, R, steps_run = {beta!r}, {eta!r}, {radius!r}, {steps!r}
L, mu = {smoothness!r}, {mu!r}
weights, log_cosh, pseudo_huber, sine_squared = np.array({weights!r}), {log_cosh!r}, {pseudo_huber!r}, {sine_squared!r}
kink_place, kink_steepness = {place!r}, {steepness!r}
epsilon = {epsilon!r}
n, p = quadratic.shape[:2]


def F(theta):
    value = singular * theta[:n] + (quadratic @ theta) @ theta / 2
    value[0] -= kink_steepness * max(0.0, theta[0] - kink_place) ** 2 / 2
    return value


def DF(theta):
    jacobian = np.eye(n, p) * singular[:, None] + quadratic @ theta
    jacobian[0, 0] -= kink_steepness * max(0.0, theta[0] - kink_place)
    return jacobian


"""

_DESCENT = """def h(u):
    half = weights * u**2 / 2 + log_cosh * np.log1p(2 * np.sinh(u / 2) ** 2)
    return np.sum(half + pseudo_huber * u**2 / (1 + np.sqrt(1 + u**2)) + sine_squared * np.sin(u) ** 2)


def grad_h(u):
    return weights * u + log_cosh * np.tanh(u) + pseudo_huber * u / np.sqrt(1 + u**2) + sine_squared * np.sin(2 * u)


def error(gradient, theta):
    along = {along}
    length = np.linalg.norm(along)
    return {sign} * epsilon * (along / length if length > 0 else np.eye(p)[-1])


theta, gaps, lengths, slopes = np.zeros(p), [], [], []
for k in range(steps_run):
    u = F(theta) - target
    gradient = DF(theta).T @ grad_h(u)
    gaps.append(h(u))
    slopes.append(np.linalg.norm(gradient))
    move = eta * (gradient + error(gradient, theta))
    lengths.append(np.linalg.norm(move))
    theta = theta - move
gaps = np.array([*gaps, h(F(theta) - target)])
lengths, g = np.array(lengths), np.array(slopes)
residuals = np.sqrt(2 * gaps / mu)
s0, s, s_next, gap, gap_next = residuals[0], residuals[:-1], residuals[1:], gaps[:-1], gaps[1:]
r_next = np.cumsum(lengths)
r, remaining, summed = r_next - lengths, np.cumsum(lengths[::-1])[::-1], np.cumsum(eta * mu * s)
steps = np.arange(steps_run)
lambda_min_k = np.linalg.eigvalsh(DF(theta) @ DF(theta).T)[0]
residual_floor = {floor}
lambda0, lambda_max = singular.min() ** 2, singular.max() ** 2

"""

_TAIL = """
measured, bound = np.broadcast_arrays({measured}, {bound})
with np.errstate(all="ignore"):
    used, allowed = np.broadcast_arrays({used}, {allowed})
    ratio = np.where(allowed > 0, used / allowed, np.where({broken}, np.inf, 0.0))
at = {step}
print("measured", np.ravel(measured)[at])
print("bound", np.ravel(bound)[at])
print("ratio", np.ravel(ratio)[at])
"""

_ERRORS = {
    "none": ("0 * gradient", 0),
    "against": ("gradient", -1),
    "with": ("gradient", 1),
    "away": ("theta", 1),
    "aside": ("np.eye(p)[-1]", 1),
}


def code(expression: sympy.Expr) -> str:
    """The expression as NumPy code with the records' names; Max and Min as maximum and minimum of two."""
    for kind, of_two in _OF_TWO.items():  # SymPy's own way of printing them differs from version to version
        expression = expression.replace(kind, lambda *parts, of_two=of_two: reduce(of_two, parts))
    return str(_PRINTER.doprint(expression))


def head(theorem: Theorem, claim: Claim) -> str:
    """The program's title and imports."""
    return _HEAD.format(theorem=theorem.id, claim=claim.id, statement=claim.statement)


def constants(theorem: Theorem) -> str:
    """The record's constants, one assignment each."""
    above = certifier(theorem)
    items = [*(above.constants if above is not theorem else ()), *theorem.constants]
    return "".join(f"{item.name} = {code(item.expression)}  # {item.meaning}\n" for item in items)


def tail(claim: Claim, step: int) -> str:
    """The end of a program: both sides of the claim and how much of the bound is used."""
    measured, bound = code(claim.measured), code(claim.bound)
    base, earlier = reference(claim)
    used, allowed, broken = "measured", "bound", "measured > bound"
    if claim.lower:
        used, allowed, broken = "bound", "measured", "bound > measured"
    elif base is not None:
        used, allowed = ("{0} - bound", "{0} - measured") if earlier else ("measured - {0}", "bound - {0}")
        used, allowed = used.format(base.name), allowed.format(base.name)
    return _TAIL.format(measured=measured, bound=bound, used=used, allowed=allowed, broken=broken, step=step)


def composite_data(item: Any) -> str:
    """A composite instance's data, F and DF."""
    bowl, kink = item.bowl, item.kink
    return _COMPOSITE.format(
        singular=list(item.singular),
        quadratic=item.tensor.tolist(),
        target=list(item.target),
        beta=item.beta,
        eta=item.step_size,
        radius=item.radius,
        steps=item.steps,
        smoothness=bowl.smoothness,
        mu=bowl.mu,
        weights=list(bowl.weights),
        log_cosh=bowl.log_cosh,
        pseudo_huber=bowl.pseudo_huber,
        sine_squared=bowl.sine_squared,
        place=kink.place if kink else 0.0,
        steepness=kink.steepness if kink else 0.0,
        epsilon=item.epsilon,
    )


def composite_script(theorem: Theorem, item: Any, claim: Claim, step: int) -> str:
    """The program for a composite instance; ``step``: the k that is printed."""
    along, sign = _ERRORS[item.error]
    run = _DESCENT.replace("{along}", along).replace("{sign}", str(sign)).replace("{floor}", _floor(item))
    return head(theorem, claim) + composite_data(item) + run + constants(theorem) + tail(claim, step)


def _floor(item: Any) -> str:
    """sup F in closed form where it stays below the target (one parameter), as code for the residual there; else 0."""
    from verify.falsify.descent import greatest_value

    reach = greatest_value(item, float)
    if reach is None or not item.target[0] > reach:
        return "0.0"
    bend = "-quadratic[0, 0, 0]"
    if item.kink is None or item.singular[0] <= -item.tensor[0, 0, 0] * item.kink.place:
        return f"np.sqrt(2 * h(singular[0] ** 2 / (2 * {bend}) - target) / mu)  # sup F is below the target"
    slope = f"(singular[0] - ({bend}) * kink_place)"
    top = f"singular[0] * kink_place - ({bend}) * kink_place ** 2 / 2 + {slope} ** 2 / (2 * ({bend} + kink_steepness))"
    return f"np.sqrt(2 * h({top} - target) / mu)  # sup F is below the target"


_NEAREST = """lambda0 = singular.min() ** 2
newton_step = np.linalg.norm(target / singular)
{solution}
"""

_DECOUPLED = """
bends, roots = -quadratic[range(n), range(n), range(n)], []
for i in range(n):  # the root of smallest modulus of singular x - bend x^2/2 = target
    discriminant = singular[i] ** 2 - 2 * bends[i] * target[i]
    root = 2 * target[i] / (singular[i] + np.sqrt(discriminant)) if discriminant >= 0 else np.inf
    if i == 0 and kink_steepness > 0 and root > kink_place:  # beyond the kink the map bends harder
        slope, bend = singular[0] - bends[0] * kink_place, bends[0] + kink_steepness
        rest = target[0] - singular[0] * kink_place + bends[0] * kink_place**2 / 2
        discriminant = slope**2 - 2 * bend * rest
        root = kink_place + (slope - np.sqrt(discriminant)) / bend if discriminant >= 0 else np.inf
    roots.append(root)
distance = np.linalg.norm(roots)"""

_FORM = """
i, _, k = np.unravel_index(np.argmax(np.abs(quadratic)), quadratic.shape)  # F = A theta + w (v.theta)^2/2
v, w = quadratic[i, k] / quadratic[i, k, k], quadratic[:, k, k]
straight, curved = np.sum(v * target / singular), np.sum(v * w / singular)
discriminant = 1 + 2 * curved * straight
roots = [2 * straight / (1 + np.sqrt(discriminant)), -(1 + np.sqrt(discriminant)) / curved] if discriminant >= 0 else []
distance = min([np.linalg.norm((target - w * x**2 / 2) / singular) for x in roots], default=np.inf)"""


def nearest_script(theorem: Theorem, item: Any, claim: Claim, step: int) -> str:
    """The program for the nearest solution of a map."""
    solution = _DECOUPLED if item.is_decoupled else _FORM
    return head(theorem, claim) + composite_data(item) + _NEAREST.format(solution=solution) + constants(theorem) + tail(claim, step)


_PASSES = '''def phi(s):
    return {phi}


def slope(s):
    return {slope} + 0 * s


def run(theta):
    """Pre-activations (m, n) of every layer, and DF on the trained layers: (n, trained parameters)."""
    at, h, zs, hs, weights = 0, x, [], [], []
    for l in range(layers):
        rows, columns = sizes[l + 1], sizes[l]
        weights.append(theta[at : at + rows * columns].reshape(rows, columns))
        at += rows * columns
        hs.append(h)
        z = sigma_w / np.sqrt(columns) * weights[-1] @ h
        if sigma_b:
            z, at = z + sigma_b * theta[at : at + rows, None], at + rows
        zs.append(z)
        h = phi(z)
    delta, blocks = np.ones_like(zs[-1]), []
    for l in range(layers - 1, -1, -1):
        if trained[l]:
            parts = (sigma_w / np.sqrt(sizes[l]) * delta[:, None] * hs[l][None]).reshape(-1, n)
            blocks.insert(0, np.vstack([parts, sigma_b * delta]) if sigma_b else parts)
        if l:
            delta = slope(zs[l - 1]) * (sigma_w / np.sqrt(sizes[l]) * weights[l].T @ delta)
    return zs, alpha * np.vstack(blocks).T / np.sqrt(n)
'''

_NETWORK = """
sizes, sigma_w, sigma_b, alpha = {sizes!r}, {weight_scale!r}, {bias_scale!r}, {output_scale!r}
trained = {trained!r}
theta0 = np.array({theta!r})
displacement = np.array({displacement!r})
x = np.array({inputs!r}).T
n, layers = x.shape[1], len(sizes) - 1
# The recursion E1-E4 of overparam on the ball of radius R = {reach!r} |displacement|, in floats: constants of this network.
beta, D = {beta!r}, {drift!r}


{passes}

(z0, J0), (z1, J1) = run(theta0), run(theta0 + displacement)
rho = rbar = np.linalg.norm(displacement)
R = {reach!r} * rho
Lambda = (np.linalg.norm(J0, 2) + beta * R) ** 2
lambda_floor = max(np.sqrt(max(np.linalg.eigvalsh(J0 @ J0.T)[0], 0)) - beta * rbar, 0) ** 2
moved = [np.linalg.norm(b - a, axis=0) for a, b in zip(z0, z1)]
forward_ratio = max(d / D[l][i] for l in range(layers) for i, d in enumerate(moved[l]) if D[l][i] > 0)
jacobian_drift = np.linalg.norm(J1 - J0, 2)
kernel_drift = np.linalg.norm(J1 @ J1.T - J0 @ J0.T, 2)
lambda_min_k = max(np.linalg.eigvalsh(J1 @ J1.T)[0], 0)

"""


def network_script(theorem: Theorem, item: Any, claim: Claim, step: int) -> str:
    """The program for a displaced network. The recursion itself is not in it: its beta and D_l stand there as numbers."""
    from verify.falsify.displaced import bounds_in_floats

    a, bounds = item.architecture, bounds_in_floats(item)
    body = _NETWORK.format(
        sizes=a.sizes,
        weight_scale=a.weight_scale,
        bias_scale=a.bias_scale,
        output_scale=a.output_scale,
        trained=a.trained,
        theta=item.theta.tolist(),
        displacement=item.displacement.tolist(),
        inputs=item.inputs.tolist(),
        reach=item.reach,
        beta=float(bounds.beta),
        drift=[[float(x) for x in row] for row in bounds.forward_drift],
        passes=passes(item.activation),
    )
    return head(theorem, claim) + body + constants(theorem) + tail(claim, step)


def passes(name: str) -> str:
    """The forward and backward pass with an activation, as code; around it stand sizes, trained, sigma_w, sigma_b, alpha, x, n and
    layers."""
    chosen = activation(name)
    phi, slope = (_elementary(formula.subs(S, sympy.Symbol("s"))) for formula in (chosen.expression, chosen.derivative))
    return _PASSES.format(phi=phi, slope=slope)


def _elementary(expression: sympy.Expr) -> str:
    """The expression with NumPy's names; NumPy has no error function, the standard library has."""
    text = str(NumPyPrinter().doprint(expression)).replace("numpy.", "np.")
    return text.replace("math.erf(", "erf(").replace("erf(", "np.vectorize(math.erf)(")
