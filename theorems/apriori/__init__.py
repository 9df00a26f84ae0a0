"""Before any weight is drawn: the constants of the theorems from sizes, moments and a probability of failure.

``blueprint`` says what is known; ``budget`` splits the probability of failure over the events; ``start`` bounds signals at
initialization; ``ball`` carries them to B(R), up to beta(x), a polynomial in |x|; ``data`` takes means over the points;
``eigenvalue`` is lambda0 as a hypothesis or by the matrix Chernoff bound; ``constants`` puts these together; ``threshold``
solves for widths and ``scale`` for output and label scales; ``display`` writes the formulas with their common factors named. What
is promised is stated in ``theorems.statements.apriori``.

Everything is written once against ``theorems.arithmetic`` and runs over doubles, balls and SymPy expressions.
"""
