"""The instances of H1 and H2: what they declare is recomputed from explicit maps, sample by sample, and by another program."""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from theorems.arithmetic import FLOAT, BallArithmetic, working_precision
from theorems.catalogue import theorem
from verify.falsify import couplings, samples
from verify.falsify.families import family_of
from verify.falsify.priors import PriorPoint

H1, H2 = theorem("H1"), theorem("H2")
SEEDS = st.integers(0, 2**32 - 1)


def drawn(record, seed):
    family = family_of(record)
    (point,) = family.drawn(record, np.random.default_rng(seed), 1)
    return family.tried(record, [point])[1][0]


def memorizing(**changes):
    usual = samples.SampleInstance(3, 1, 1.0, 0.7, 1.5, 0.4, 0.5, 2, 0.1, 1.0, 6, 0.3, 0.05, 0, 0.0)
    return dataclasses.replace(usual, **changes)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("largest", [1.0, 0.3])
def test_a_memorized_sample_from_the_map_itself(share, largest) -> None:
    """All 6^3 samples of an explicit map with 6 + 2^6 parameters: derivative, Lipschitz constant, distance, and both losses."""
    item = memorizing(share=share, largest=largest)
    n, atoms = item.points, item.atoms
    patterns = np.array(list(itertools.product((-1.0, 1.0), repeat=atoms)))
    assert np.all(np.linalg.norm(item.beta * patterns, np.inf, axis=0) == item.beta)  # |Q_i|, a diagonal matrix
    known, _ = samples._known(H1, item, FLOAT)
    least = math.inf
    for sample in itertools.product(range(atoms), repeat=n):
        seen = np.isin(np.arange(atoms), sample)
        u = -item.distance * math.sqrt(share / n) * seen
        v = np.zeros(len(patterns))
        v[np.flatnonzero((patterns == np.where(seen, -1, 1)).all(axis=1))] = item.distance * math.sqrt(1 - share)
        assert u @ u + v @ v <= item.distance**2 * (1 + 1e-12)
        f = math.sqrt(item.kernel) * u + (v**2) @ (item.beta * patterns) / 2
        lift = item.distance * math.sqrt(item.kernel * share / n) + item.beta * item.distance**2 * (1 - share) / 2
        losses = np.clip(item.base + item.slope * (f + lift), 0, item.largest)
        assert losses[list(sample)].mean() == pytest.approx(float(known["empirical_risk"]), abs=1e-12)
        least = min(least, losses.mean())
    assert least == pytest.approx(float(known["risk"]), rel=1e-12)  # attained where all points of the sample differ


@settings(max_examples=40)
@given(st.sampled_from(samples.RARE), st.floats(-4, -0.05), st.floats(1, 9))
def test_what_is_rare_is_missed_often_enough(kind, failure, room) -> None:
    item = samples._instance(H1, PriorPoint(kind, (failure, room, 1.0)))
    chance = scipy.stats.binom.cdf(item.rare, item.points, item.probability)
    assert chance >= item.failure * (1 - 1e-9)
    known, _ = samples._known(H1, item, FLOAT)
    assert float(known["risk"]) == item.probability
    assert float(known["empirical_risk"]) == pytest.approx(item.rare / item.points)
    assert not samples._often(dataclasses.replace(item, probability=min(1 - 1e-9, item.probability * (1 + 2 * 10.0**-room) + 1e-9)))


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([H1, H2]))
def test_floats_and_balls_agree(seed, record) -> None:
    item, module = drawn(record, seed), samples if record is H1 else couplings
    if item is None:
        return
    floats = module._known(record, item, FLOAT)[0]
    with working_precision(256):
        balls = module._known(record, item, BallArithmetic(256))[0]
        for name, ball in balls.items():
            scale = 1 + abs(float(floats[name])) + (float(floats["Lip"]) * 1e3 if name == "input_slope" else 0.0)
            assert float(ball.mid()) == pytest.approx(float(floats[name]), rel=1e-9, abs=1e-12 * scale), name


@settings(max_examples=60)
@given(SEEDS)
def test_the_gains_bound_slopes_and_the_transport_bounds_means(seed) -> None:
    """H2 on drawn instances in 256 bits, where nothing is left to rounding."""
    item = drawn(H2, seed)
    with working_precision(256):
        known, margins = couplings._known(H2, item, BallArithmetic(256))
        assert known["input_slope"] <= known["Lip"]
        assert known["risk_difference"] <= known["transport"]
        assert margins["range"] >= 0 or margins["range"].contains(0)


def test_both_gains_are_needed_at_pi() -> None:
    """sin 11 x - sin 10 x, from a step of 1e-5 about pi: slope 21 and no less to nine digits."""
    item = couplings.PairInstance(1.0, (10.0, 1.0), 1.0, True, (math.pi - 5e-6,), 1e-5, -1.0, 0.0, 10.0)
    with working_precision(256):
        known = couplings._known(H2, item, BallArithmetic(256))[0]
    slope = (math.sin(11 * (math.pi + 5e-6)) - math.sin(10 * (math.pi + 5e-6))) / 5e-6  # of one half, at pi the value is 0
    assert float(known["Lip"].mid()) == 21
    assert float(known["input_slope"].mid()) == pytest.approx(21, rel=1e-8)
    assert abs(slope) == pytest.approx(21, rel=1e-8)


def test_the_instances_are_data(capsys) -> None:
    """Every number is a double or an integer, and the descriptions are lines."""
    for record in (H1, H2):
        family = family_of(record)
        for point in family.extremes(record)[::17]:
            item = family.tried(record, [point])[1][0]
            assert "\n" not in family.described(item)
            for value in family.as_json(item).values():
                flat = value if isinstance(value, tuple) else (value,)
                assert all(Fraction(number) == number for number in flat)
    assert capsys.readouterr().out == ""
