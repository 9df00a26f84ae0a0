"""Floating point: what the machine does.

Start at ``numerics.network`` (architecture and parameter layout), ``numerics.training`` (gradient descent), ``numerics.snapshots``
(everything the theorems ask of a point).
"""
