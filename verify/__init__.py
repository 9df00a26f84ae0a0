"""Where mathematics and measurement meet: problems, certificates, checks, reports, the command line.

Start at ``verify.problem`` (``problem_from_mapping``, ``load_problem``), ``verify.verification`` (``verify``, ``certify_only``) and
``verify.certificate``. Hypothesis strategies for property-based tests are in ``verify.strategies``. Nothing is imported here, so
that commands which only print help answer at once.
"""
