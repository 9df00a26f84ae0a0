"""Tables of constants: every row enclosed, with its formula, its exact inputs and where it comes from.

``grid`` reads what is wanted and spells out the cases; one module for each kind of table (``activation``, ``laws``, ``kernels``,
``statements``, ``apriori``, ``measured``, ``monte_carlo``) turns a case into entries, listed in ``kinds``; ``records`` makes rows
of them; ``formats`` writes. A row says of itself all that is needed to compute it again, which ``check`` does; ``published`` judges
decimals that others printed; ``standard`` holds the tables that are shipped.
"""
