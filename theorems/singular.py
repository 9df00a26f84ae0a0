"""When an infinite-width kernel is singular by a theorem: smallest eigenvalue exactly 0, whatever rounding would show.

Let g(x) be any feature of the network at x: an output f_theta(x) or a derivative of one in a parameter. NNGP and NTK on points
x_1..x_n are second moments of such features, so sum_i v_i g(x_i) = 0 for every theta and every feature makes v a null vector of
both.

1. Equal points: v = e_i - e_j.
2. No biases, phi odd: f(-x) = -f(x), v = e_i + e_j for opposite points. phi even: f(-x) = f(x), v = e_i - e_j.
3. No biases, phi(0) = 0, x_i = 0: f(x_i) = 0, v = e_i.
4. No biases, phi(ts) = t^k phi(s) for t > 0: f(tx) = t^K f(x), K = k^(L-1); v = t^K e_i - e_j for x_j = t x_i. If phi is odd
   or even (|s|, s^3) too, f(-tx) = -+ t^K f(x) by 2: opposite rays will do.
5. One hidden layer, no biases, phi(s) - phi(-s) = kappa s (ReLU, leaky ReLU, GELU, SiLU, softplus): the features of x are phi(w.x)
   and phi'(w.x) x, and g(x) - g(-x) = kappa w.x or kappa x is linear in x. Among more than rank{x_i} disjoint opposite pairs, one
   such difference is a combination of others. For homogeneous phi (ReLU) x and -t x will do: g(x) - g(-t x)/t is the same linear
   function. An even number n >= 6 of equispaced points on a circle has n/2 >= 3 > 2 pairs.
6. One hidden layer, no biases, phi(s) + phi(-s) constant (sigmoid): g(x) + g(-x) is the same for every x, so two disjoint opposite
   pairs are dependent.
7. phi a polynomial of degree p: f is a polynomial of degree D = p^(L-1) (homogeneous if phi is and there are no biases; f(0) = 0 if
   phi(0) = 0 and there are none), and more points than the dimension of that space, binomial(r + D, D), one less, or
   binomial(r + D - 1, D), are dependent; r = rank{x_i}.

Of the NTK alone where the first layer alone is trained and there are no biases, the features are the derivatives in W_1, of which
every one is c_1 delta_{1,j}(x) x_k, and f itself is none of them:

8. x_i = 0: they vanish, v = e_i, whatever phi and the depth are.
9. One hidden layer: they are multiples of phi'(w.x) x_k, the same for phi as for phi - phi(0). So 2, 4, 5 and 7 hold if phi -
   phi(0) is what they ask of phi: odd (sigmoid), homogeneous (1 + s^2), zero at 0 (always).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theorems.dual import DualActivation
from theorems.infinite_kernel import WideNetwork
from theorems.input_gram import InputGram

LARGEST_DEGREE = 10**6  # of a polynomial network whose dimension is worth computing


@dataclass(frozen=True)
class ExactZero:
    """Why the kernel is singular, and the points (indices from 0) that make it so."""

    reason: str
    points: tuple[int, ...]


def exact_zero(
    network: WideNetwork, gram: InputGram, tolerance: Fraction = Fraction(0), *, tangent: bool = False
) -> ExactZero | None:
    """The first of the reasons 1-7 that applies, to NNGP and NTK both, or None: then the kernel may still be singular.

    ``tangent``: of the NTK alone, for which 8 and 9 are reasons too. ``tolerance``: points within this relative distance of
    being equal, opposite or collinear count as such; the reason is then about neighboring points, not about these. With 0,
    the default, it is a theorem about the points given.
    """
    finders = (_equal, _mirrored, _vanishing, _collinear, _opposite_pairs, _complements, _polynomial)
    relation = _Relations(gram, tolerance)
    found = _first(finders, network, relation)
    if found is not None or not tangent or network.bias_scale or any(network.trained[1:]):
        return found
    for i in range(gram.points):
        if relation.zero(i):
            return ExactZero(f"point {i} is zero, the first layer alone is trained and there are no biases", (i,))
    if network.hidden_layers > 1:
        return None
    found = _first(finders, dataclasses.replace(network, activation=_shifted(network.activation)), relation)
    return None if found is None else ExactZero(f"the first layer alone is trained, and {found.reason}", found.points)


Finder = Callable[[WideNetwork, "_Relations"], ExactZero | None]


def _first(finders: tuple[Finder, ...], network: WideNetwork, relation: _Relations) -> ExactZero | None:
    return next((found for finder in finders if (found := finder(network, relation)) is not None), None)


def _shifted(phi: DualActivation) -> DualActivation:
    """What is known of phi - phi(0); its kernels are not asked."""
    return dataclasses.replace(
        phi,
        name=f"{phi.name}, less its value at 0,",
        parity=phi.parity or (-1 if phi.even_part_constant else 0),
        vanishes_at_zero=True,
        homogeneity=phi.shifted_homogeneity,
    )


@dataclass(frozen=True)
class _Relations:
    """Comparisons within a tolerance; a comparison that a ball leaves open is not made."""

    gram: InputGram
    tolerance: Fraction

    def pairs(self) -> Iterator[tuple[int, int]]:
        return ((i, j) for i in range(self.gram.points) for j in range(i))

    def _small(self, x: Any, scale: Any) -> bool:
        # Numerator and denominator, so that a ball meets integers only.
        square = self.tolerance**2
        return bool(x * square.denominator <= scale * square.numerator)

    def zero(self, i: int) -> bool:
        return bool(self.gram.inner[i, i] == 0)

    def equal(self, i: int, j: int) -> bool:
        return self._small(self.gram.distance[i, j], self.gram.inner[i, i])

    def opposite(self, i: int, j: int) -> bool:
        inner = self.gram.inner
        return self._small(inner[i, i] + inner[j, j] + 2 * inner[i, j], inner[i, i])

    def collinear(self, i: int, j: int) -> int:
        """1 or -1 for points on one ray or on opposite rays, 0 otherwise."""
        inner = self.gram.inner
        if self.zero(i) or self.zero(j) or not self._small(self.gram.area[i, j], inner[i, i] * inner[j, j]):
            return 0
        return 1 if inner[i, j] > 0 else -1 if inner[i, j] < 0 else 0


def _equal(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    for i, j in relation.pairs():
        if relation.equal(i, j):
            return ExactZero(f"points {j} and {i} are equal", (j, i))
    return None


def _mirrored(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    parity = network.activation.parity
    if network.bias_scale or not parity:
        return None
    name = "odd" if parity < 0 else "even"
    for i, j in relation.pairs():
        if relation.opposite(i, j):
            return ExactZero(
                f"{network.activation.name} is {name}, there are no biases, and points {j} and {i} are opposite", (j, i)
            )
    return None


def _vanishing(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    if network.bias_scale or not network.activation.vanishes_at_zero:
        return None
    for i in range(relation.gram.points):
        if relation.zero(i):
            return ExactZero(f"point {i} is zero, {network.activation.name} vanishes at 0 and there are no biases", (i,))
    return None


def _collinear(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    phi = network.activation
    if network.bias_scale or phi.homogeneity is None:
        return None
    for i, j in relation.pairs():
        side = relation.collinear(i, j)
        if side > 0 or (side < 0 and phi.parity):
            kind = "" if side > 0 else "odd and " if phi.parity < 0 else "even and "
            sign = "positive" if side > 0 else "negative"
            return ExactZero(
                f"{phi.name} is {kind}homogeneous, there are no biases, and point {i} is a {sign} multiple of point {j}", (j, i)
            )
    return None


def _opposite_pairs(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    phi = network.activation
    if network.bias_scale or network.hidden_layers != 1 or not phi.odd_part_linear:
        return None
    facing = (lambda i, j: relation.collinear(i, j) < 0) if phi.homogeneity == 1 else relation.opposite
    found = _disjoint_pairs(relation, facing)
    points = tuple(sorted(i for pair in found for i in pair))
    rank = relation.gram.rank(points)
    if len(found) <= rank:
        return None
    reason = (
        f"one hidden {phi.name} layer without biases, {phi.name}(s) - {phi.name}(-s) is a multiple of s, and the points have "
        f"{len(found)} opposite pairs of rank {rank}"
    )
    return ExactZero(reason, points)


def _complements(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    phi = network.activation
    if network.bias_scale or network.hidden_layers != 1 or not phi.even_part_constant:
        return None
    found = _disjoint_pairs(relation, relation.opposite)[:2]
    if len(found) < 2:
        return None
    reason = (
        f"one hidden {phi.name} layer without biases, {phi.name}(s) + {phi.name}(-s) is constant, and there are two opposite pairs"
    )
    return ExactZero(reason, tuple(sorted(i for pair in found for i in pair)))


def _disjoint_pairs(relation: _Relations, facing: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Pairs (j, i) of points that face each other, none of them zero and no point in two pairs."""
    found: list[tuple[int, int]] = []
    free = {i for i in range(relation.gram.points) if not relation.zero(i)}
    for i, j in relation.pairs():
        if i in free and j in free and facing(i, j):
            found.append((j, i))
            free -= {i, j}
    return found


def _polynomial(network: WideNetwork, relation: _Relations) -> ExactZero | None:
    phi, points = network.activation, relation.gram.points
    if phi.degree is None or phi.degree**network.hidden_layers > LARGEST_DEGREE:
        return None
    degree, everything = phi.degree**network.hidden_layers, tuple(range(points))
    rank = relation.gram.rank(everything)
    homogeneous = phi.homogeneity is not None and network.bias_scale == 0
    without = not homogeneous and phi.vanishes_at_zero and network.bias_scale == 0
    dimension = math.comb(rank + degree - 1, degree) if homogeneous and rank else math.comb(rank + degree, degree) - without
    if points <= dimension:
        return None
    kind = "homogeneous polynomials" if homogeneous else "polynomials without a constant term" if without else "polynomials"
    reason = f"the network is in the {kind} of degree {degree} on a space of dimension {rank}, of dimension {dimension} < {points}"
    return ExactZero(reason, everything)
