"""The letters of the lemmas: real symbols without a sign, because every sign that a proof uses is one of its premises."""

from __future__ import annotations

import sympy


def real(name: str) -> sympy.Symbol:
    """A symbol for a real number."""
    return sympy.Symbol(name, real=True)


eta = real("eta")
mu = real("mu")
beta = real("beta")
bent = real("betap")  # beta'
kappa = real("kappa")
k0 = real("k0")
rho = real("rho")  # mu/L
z = real("z")  # sqrt(L/mu)
Lambda = real("Lambda")
sigma0 = real("sigma0")
sigma = real("sigma")  # sigma0 - beta r at the step at hand
sigma_bent = real("sigmap")  # sigma' = sigma0 - beta' r
s0 = real("s0")
s = real("s")
s_next = real("snext")
r = real("r")
d = real("d")
g = real("g")
v = real("v")  # |grad h|
x = real("x")
y = real("y")
w = real("w")
xi = real("xi")
tau = real("tau")
omega = real("omega")
q = real("q")
A = real("A")
b = real("b")
c = real("c")
D = real("D")
epsilon = real("epsilon")
