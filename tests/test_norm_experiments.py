"""The figures of the pages on which norm wins: what is claimed is in the saved results, and small cases repeat them.

Counts of steps depend a little on rounding, which differs between machines, so that they are compared to a fifth.
"""

from __future__ import annotations

import pytest

from benchmarks.experiments import Case, Steps, cases, saved

SMALL = [case for case in cases() if case.small]


def found(problem: str, variant: str) -> Steps:
    (steps,) = (steps for steps in saved(problem) if steps.variant == variant)
    return steps


def test_the_results_of_all_cases_are_saved() -> None:
    names = {(case.problem, case.variant, tuple(case.norms)) for case in cases()}
    assert names == {(s.problem, s.variant, tuple(s.steps)) for name, _, _ in names for s in saved(name)}


@pytest.mark.parametrize("case", SMALL, ids=[f"{case.problem} {case.variant}" for case in SMALL])
def test_a_small_case_takes_the_steps_that_were_saved(case: Case) -> None:
    again, before = case.run(), found(case.problem, case.variant)
    for norm, counts in again.steps.items():
        for steps, saved_steps in zip(counts, before.steps[norm], strict=True):
            assert steps == pytest.approx(saved_steps, rel=0.2, abs=1)


def test_in_odd_units_linf_takes_a_twentieth_of_the_steps_of_l2() -> None:
    assert found("logistic", "signs").ratio("l2", "linf") >= 20
    assert found("logistic", "rotated").ratio("l2", "linf") < 1.1


def test_with_a_few_strong_directions_spectral_takes_a_twelfth_of_the_steps_of_l2() -> None:
    assert found("softmax", "0.5").ratio("l2", "spectral") >= 12
    assert found("softmax", "0").ratio("l2", "spectral") < 5


@pytest.mark.parametrize("gap", ["0.01", "0.0001"])
def test_on_a_grid_h1_takes_a_fiftieth_of_the_steps_of_l2_and_as_many_on_any_grid(gap: str) -> None:
    assert found("interface", f"200, {gap}").ratio("l2", "H1") >= 50
    counts = [found("interface", f"{size}, {gap}").steps["H1"][0] for size in (50, 100, 200, 400)]
    assert max(counts) <= min(counts) + 1


def test_for_white_noise_l2_wins() -> None:
    assert found("denoising", "200").ratio("l2", "H1") < 0.05
