"""What is certified before any weight is drawn: the numbers, the certificate, its factors, thresholds and steps.

Start at ``verify.apriori.prior`` (``prior_of``), ``verify.apriori.certificate`` (``certificate_of``) and
``verify.apriori.solve`` (``solve``).
"""
