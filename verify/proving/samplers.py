"""The catalogue of samplers: the names that the proofs use, one line each."""

from __future__ import annotations

from verify.proving import (
    apriori_samplers,
    generalization_samplers,
    implicit_samplers,
    map_samplers,
    network_samplers,
    run_samplers,
)
from verify.proving.sampling import Sampler

SAMPLERS: dict[str, Sampler] = {
    "smallest singular value on a ball": map_samplers.smallest_singular_value,
    "remainder of the linearization": map_samplers.remainder,
    "smoothness of h": map_samplers.smoothness,
    "gradient of h against its gap": map_samplers.gradient_against_gap,
    "residual is Lipschitz": map_samplers.residual_is_lipschitz,
    "gradient of J against the gradient of h": map_samplers.gradient_of_composite,
    "restriction to the range": map_samplers.restriction_to_the_range,
    "inverse near a point": map_samplers.inverse_near_a_point,
    "gradient of J is Lipschitz": map_samplers.gradient_of_composite_is_lipschitz,
    "remainder of an inexact step": map_samplers.remainder_with_error,
    "descent of J": run_samplers.descent_of_objective,
    "whole and shortened steps of A": run_samplers.conserved_quantity("A"),
    "whole and shortened steps of A-square": run_samplers.conserved_quantity("A-square"),
    "whole and shortened steps of A+": run_samplers.conserved_quantity("A+"),
    "whole and shortened steps of A0": run_samplers.conserved_quantity("A0"),
    "whole and shortened steps of A1": run_samplers.inexact_run,
    "forward drift": network_samplers.forward_drift,
    "first derivative of the signals": network_samplers.first_derivative,
    "backward drift": network_samplers.backward_drift,
    "Jacobian is Lipschitz": network_samplers.jacobian_is_lipschitz,
    **implicit_samplers.SAMPLERS,
    "a-priori bounds at the start": apriori_samplers.bounds_at_start,
    "beta before drawing": apriori_samplers.beta_before_drawing,
    "summands of the first layer's kernel": apriori_samplers.matrix_chernoff,
    "bounds against the width": apriori_samplers.bounds_against_the_width,
    "bounds against the scales": apriori_samplers.bounds_against_the_scales,
    "Rademacher complexity of a translated class": generalization_samplers.translated_class,
    "Rademacher complexity of a linear class": generalization_samplers.linear_class,
    "Jacobian at a point is Lipschitz": generalization_samplers.jacobian_at_a_point,
    "remainder of the network at a point": generalization_samplers.remainder_at_a_point,
    "Lipschitz in the input": generalization_samplers.lipschitz_in_the_input,
    "difference of means under a coupling": generalization_samplers.difference_of_means,
}
