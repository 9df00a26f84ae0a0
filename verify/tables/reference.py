"""Reference inputs: what `overparam table --theorem ID` takes for the quantities of a statement; round numbers, no one's network.

With them the convergence theorems apply: L/mu = 2, beta small against lambda0, a step of 1/8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verify.tables.grid import Block

REFERENCE = {
    "L": "1",
    "mu": "1/2",
    "eta": "1/8",
    "lambda0": "1/2",
    "lambda_max": "2",
    "beta": "1/100",
    "s0": "1",
    "R": "8",
    "Lambda": "3",
    "rbar": "4",
    "lambda_floor": "2/5",
    "epsilon": "1/10000",
    "steps": "100",
    "newton_step": "1",
    "q_target": "1",
    "M_2j": "2",
    "M_4j": "8",
    "n": "16",
    "p": "1/100",
    "m": "4096",
    "alpha": "1",
    "sigma_w": "1",
    "Lp": "1",
    "Lpp": "1",
    "gram": "1",
    "lambda_limit": "1/4",
    "S": "1",
    "m_mono": "1024",
    "m_0": "2048",
    "q": "1/2",
    "Lambda_first": "3",
    "scale": "2",
    "nearest": "2",
    "b": "1/2",
    "rho_loss": "1",
    "k0_mean": "1",
    "beta_mean": "1/100",
    "contraction": "1",
    "r_1": "1",
    "j": "1",
    "delta": "1/100",
    "distance": "1",
    "gain": "2",
    "gain_0": "1",
    "transport": "1/10",
}


def reference_grid(identifier: str) -> tuple[Block, ...]:
    """The grid of one statement at reference inputs; of formulas alone where it has a quantity without one.

    Raises InputError for an unknown statement, ProblemError for one that defines no constants.
    """
    from theorems.catalogue import theorem
    from verify.errors import ProblemError
    from verify.tables.grid import grid_from_mapping
    from verify.tables.statements import keys_of

    record = theorem(identifier)
    if not record.constants:
        raise ProblemError(f"theorem {identifier} defines no constants: there is nothing to tabulate")
    names = [key.name for key in keys_of(record) if key.name != "theorem"]
    known = {name: REFERENCE[name] for name in names if name in REFERENCE}
    block = {"theorem": identifier, "title": f"Theorem {identifier} at reference inputs"}
    given = {**block, **known} if len(known) == len(names) else {**block, "values": False}
    return grid_from_mapping({"table": [given]})
