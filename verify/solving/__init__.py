"""Which width, output scale or label scale is certified: ``overparam certify --solve``, at the start and a priori.

Start at ``verify.solving.solve`` (``solve``).
"""
