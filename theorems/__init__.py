"""Exact mathematics: what is claimed, with which constants.

Start at ``theorems.catalogue`` (the statements), ``theorems.records`` (what a statement is), ``theorems.ball`` (constants of the
network on a ball), ``theorems.activations`` and ``theorems.losses`` (definitions with proved constants).
"""
