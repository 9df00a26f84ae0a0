"""What a rigorous certificate says about the float64 run of this program: Theorem A1, on the ball that covers most steps.

The document of the certificate states A1 on the certificate's own ball, which exceeds the path by ``enclosure.BALL_ROOM`` at most
and so has room for fewer steps: there the bound of the gradients' errors is a number that is given, and the checker re-derives
what follows from it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from verify.accuracy import SAFETY
from verify.certificate_record import Certificate
from verify.errors import ProblemError
from verify.floating_run import FloatingRun, NotCovered, guarantee
from verify.gradient_rounding import SQUARE, run_start
from verify.setup import Setup, Theta


@dataclass(frozen=True)
class RunGuarantee:
    """best: on the ball that covers most steps. on_ball: on the certificate's ball."""

    best: FloatingRun | NotCovered
    on_ball: FloatingRun | NotCovered


def run_guarantee(setup: Setup, theta: Theta, certificate: Certificate) -> RunGuarantee | None:
    """Theorem A1 for the run that continues from ``theta``, where the rigorous certificate holds; None for any other
    certificate."""
    witness, point = certificate.witness, certificate.point
    if witness is None or point is None or certificate.step_size is None:
        return None
    data = setup.dataset
    try:
        start = run_start(
            setup.architecture,
            setup.enclosed(theta),
            point,
            data.sample_weights,
            setup.minimizers,
            setup.offsets,
            setup.activation,
            setup.loss.name,
            certificate.step_size,
        )
    except ProblemError as error:  # sizes for which the rounding analysis is not made
        refused = NotCovered("error", str(error))
        return RunGuarantee(refused, refused)
    if start.loss not in SQUARE:  # measured at one point, hence a taint; the run's record says so
        slope_error = SAFETY * setup.loss_errors(setup.snapshot(theta))[1]
        start = dataclasses.replace(start, slope_error=slope_error, measured_ulps=setup.activation_ulps)
    else:
        start = dataclasses.replace(start, measured_ulps=setup.activation_ulps)
    best, on_ball = guarantee(start), guarantee(start, float(witness.given["R"]))
    # With the largest admissible step every larger ball is refused, and the search in floats may miss the one that is left.
    return RunGuarantee(on_ball if isinstance(best, NotCovered) else best, on_ball)
