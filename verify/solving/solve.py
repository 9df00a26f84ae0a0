"""``overparam certify --solve``: the width, output scale or label scale that is certified, at the drawn weights and a priori.

Two answers to one question. At the actual initialization it is about the weights that network.seed draws; a priori it is about all
but a share ``failure_probability`` of the initializations, before any is drawn (``verify.apriori.solve``). Where one of them has no
answer its reason stands in its place.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from numerics.errors import NumericsError
from theorems.errors import InputError
from verify.data import Dataset, load_data
from verify.errors import ProblemError
from verify.fields import one_line, unwanted
from verify.problem import Problem
from verify.result import Verification
from verify.solving.factors import FactorTable, factor_table
from verify.solving.start import (
    WIDTH_CLOSE,
    Stage,
    StartAnswer,
    is_within,
    problem_at,
    solvable,
    solve_at_start,
    unseen,
)
from verify.unknowns import Unknown
from verify.verification import certify_only

if TYPE_CHECKING:
    from theorems.apriori.constants import Prior
    from verify.apriori.solve import AprioriSolution
    from verify.apriori.step import StepSolution

LEAST_LAMBDA0 = Fraction(1, 10**100)  # below it, and above its inverse, q leaves the range of doubles
MOST_MOVES = 8  # from the certified end to one where the certificate that was asked for is made
_NUMBER = re.compile(r"[0-9]{1,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,3})?|[0-9]{1,60}/[0-9]{1,60}")


@dataclass(frozen=True)
class Solved:
    """Both answers.

    start: the search at the actual initialization. verification: the product's certificate at its certified end, with the rigor
    that the problem asks for; None without one. prior: the a-priori answer, or None for the reason in ``prior_reason``. table: the
    factors of q at ``start.reference``; ``table_reason``: why it has no a-priori column. transfer: for a width whose step is left
    free, the steps that are certified a priori from a width on, with equal shares of the failure probability; or
    ``transfer_reason``, why there are none; both empty where that is not asked.
    """

    problem: Problem
    unknown: Unknown
    target: Fraction
    data: Dataset
    start: StartAnswer
    verification: Verification | None
    prior: AprioriSolution | None
    prior_reason: str
    table: FactorTable | None
    table_reason: str
    transfer: StepSolution | None = None
    transfer_reason: str = ""

    @property
    def status(self) -> int:
        """The exit status: 0 when both halves are certified, 3 when one has no answer."""
        return 0 if self.verification is not None and self.prior is not None and self.prior.certificate.certified else 3


def solve(
    problem: Problem,
    unknown: str,
    *,
    target: Fraction = Fraction(1),
    lambda0: Fraction | None = None,
    optimize: bool = False,
    stage: Stage = unseen,
) -> Solved:
    """Solve for ``unknown`` ("width", "output_scale" or "label_scale"), with everything else as in the problem.

    Arguments: ``target``, in (0, 1]: q < target is wanted. ``lambda0``, the hypothesis lambda_min(K_0) >= lambda0 of the
    a-priori side, at the problem's output scale. ``optimize``, whether its failure probability is split by a search. ``stage``,
    told what is being done.

    Raises ProblemError or InputError for a question without a meaning or a problem that cannot be prepared.
    """
    from theorems.apriori.constants import contradiction

    asked = solvable(problem, unknown, target)
    data = load_data(problem.data, problem.loss)
    start = solve_at_start(problem, data, asked, target, stage)
    start, verification = _certified(problem, start, target)
    stage("a priori")
    prior, prior_reason = _a_priori(problem, data, asked, target, lambda0, optimize)
    reference, table_reason = start.reference.problem, ""
    known: Prior | None = None
    try:
        known = _prior_at(reference, problem, lambda0, prior)
        table_reason = contradiction(known)
        known = None if table_reason else known
    except (InputError, ProblemError, NumericsError) as error:
        table_reason = one_line(error)
    certificate = verification.certificate if verification is not None else start.reference.certificate
    table = factor_table(certificate, known)
    transfer, transfer_reason = None, ""
    if asked == "width" and prior is not None and problem.training.step_size == "certified":
        transfer, transfer_reason = _transfer(problem, data, target, lambda0)
    return Solved(
        problem, asked, target, data, start, verification, prior, prior_reason, table, table_reason, transfer, transfer_reason
    )


def exact_number(key: str, text: str, wanted: str) -> Fraction:
    """A positive decimal such as 0.002 or 2e-3, or a quotient of integers such as 1/500, as the rational that it is.

    Raises ProblemError for anything else.
    """
    if not _NUMBER.fullmatch(text):
        raise unwanted(key, wanted, text)
    numerator, _, denominator = text.partition("/")
    if denominator and int(denominator) == 0:
        raise unwanted(key, wanted, text)
    value = Fraction(int(numerator), int(denominator)) if denominator else Fraction(text)
    if value <= 0:
        raise unwanted(key, wanted, text)
    return value


def target_of(text: str) -> Fraction:
    """The value of --target. Raises ProblemError unless it lies in (0, 1]."""
    wanted = "a number greater than 0 and at most 1, such as 0.5 or 1/2"
    value = exact_number("--target", text, wanted)
    if value > 1:
        raise unwanted("--target", wanted, text)
    return value


def lambda0_of(text: str) -> Fraction:
    """The value of --lambda0. Raises ProblemError unless it is a positive exact number, and one of the size of doubles."""
    wanted = "a positive number, such as 0.002, 2e-3 or 1/500"
    value = exact_number("--lambda0", text, wanted)
    if not LEAST_LAMBDA0 <= value <= 1 / LEAST_LAMBDA0:
        raise unwanted("--lambda0", f"{wanted}, between 1e-100 and 1e100", text)
    return value


def _certified(problem: Problem, start: StartAnswer, target: Fraction) -> tuple[StartAnswer, Verification | None]:
    """The certificate that the problem asks for, at the certified end of the search or just beyond; balls see less than floats."""
    if start.certified is None:
        return start, None
    place, reason = start.certified.place, ""
    for _ in range(MOST_MOVES):
        value, solved = problem_at(problem, start.unknown, place)
        verification = certify_only(solved)
        certificate = verification.certificate
        if is_within(certificate, target):
            reference = dataclasses.replace(start.certified, place=place, value=value, problem=solved, certificate=certificate)
            return dataclasses.replace(start, certified=reference, reference=reference), verification
        failure = certificate.failure
        reason = failure.detail if failure is not None else "q is not below the target"
        place += max(1, place // WIDTH_CLOSE) if start.unknown == "width" else 1
    text = (
        f"certified in floating point at {start.certified.value:g}, but there and beyond it not {certificate.rigor.value}: {reason}"
    )
    return dataclasses.replace(start, certified=None, reason=text), None


def _a_priori(
    problem: Problem, data: Dataset, unknown: Unknown, target: Fraction, lambda0: Fraction | None, optimize: bool
) -> tuple[AprioriSolution | None, str]:
    from verify.apriori import solve as apriori_solve

    try:
        return apriori_solve.solve(problem, data, unknown, lambda0=lambda0, optimize=optimize, target=target), ""
    except (InputError, ProblemError, NumericsError) as error:
        return None, one_line(error)


def _transfer(problem: Problem, data: Dataset, target: Fraction, lambda0: Fraction | None) -> tuple[StepSolution | None, str]:
    from verify.apriori.step import solve_largest_step

    try:
        return solve_largest_step(problem, data, lambda0=lambda0, target=target), ""
    except (InputError, ProblemError, NumericsError) as error:
        return None, one_line(error)


def _prior_at(reference: Problem, problem: Problem, lambda0: Fraction | None, solution: AprioriSolution | None) -> Prior:
    """What is known of the reference problem beforehand, with the budget of the solution.

    A hypothesis lambda0 grows with the square of the output scale.
    """
    from verify.apriori.prior import eigenvalue_of, prior_of

    data = load_data(reference.data, reference.loss)
    if lambda0 is not None:
        lambda0 *= (Fraction(reference.network.output_scale) / Fraction(problem.network.output_scale)) ** 2
    weights = None if solution is None else solution.budget.shares
    return prior_of(reference, data, eigenvalue=eigenvalue_of(reference, data, lambda0), weights=weights)
