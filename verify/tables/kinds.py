"""The kinds of tables, one line each."""

from __future__ import annotations

from verify.tables.activation import KIND as ACTIVATION
from verify.tables.apriori import KIND as APRIORI
from verify.tables.kernels import KIND as KERNEL
from verify.tables.kind import Kind
from verify.tables.laws import KIND as LAW
from verify.tables.measured import KIND as MEASURED
from verify.tables.monte_carlo import KIND as MONTE_CARLO
from verify.tables.statements import KIND as THEOREM

__all__ = ["KINDS", "Kind"]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        ACTIVATION,
        LAW,
        KERNEL,
        THEOREM,
        APRIORI,
        MEASURED,
        MONTE_CARLO,
    )
}
