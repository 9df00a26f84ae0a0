"""Trying the proofs: each step's evidence is put to the solver, to computer algebra or to random instances."""
