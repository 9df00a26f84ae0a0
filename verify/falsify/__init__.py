"""The falsifier: looks for an instance that breaks a theorem, or comes nearest to it, and for constants that can be better.

``instances`` holds the problems, exact data; ``coordinates`` how a search moves among them; ``descent`` runs them in floats, many
at a time, and in balls; ``families`` says which instances test which theorem; ``search``, ``shrink``, ``mutants`` and ``scripts``
are the same for all families. A float only ever suggests: what is reported as a counterexample has been decided in balls.
"""
