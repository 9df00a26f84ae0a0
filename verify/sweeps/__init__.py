"""Sweeps: many problems in parallel, with their results in one store that an interruption cannot harm.

Start at ``verify.sweeps.plan`` (``load_sweep``), ``verify.sweeps.store`` (``Store``) and ``verify.sweeps.runner`` (``run_sweep``).
"""
