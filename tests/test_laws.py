"""The laws over the catalogue: every operation, in double and single precision, in every mode."""

from __future__ import annotations

import pytest

from tests import collection, laws
from tests.catalogue.instance import Instance

CATALOGUE = collection.catalogue()
SINGLE = [single for instance in CATALOGUE if (single := collection.in_single_precision(instance)) is not None]

each = pytest.mark.parametrize("instance", CATALOGUE, ids=repr)
each_single = pytest.mark.parametrize("instance", SINGLE, ids=repr)


def test_every_concrete_primitive_is_in_the_catalogue() -> None:
    missing = collection.missing_primitives(CATALOGUE)
    assert not missing, "add instances to tests/catalogue for: " + ", ".join(missing)


@each
def test_the_declared_output_type_is_the_type_of_the_output(instance: Instance) -> None:
    laws.output_type_law(instance)


@each
def test_derivatives_are_difference_quotients(instance: Instance) -> None:
    laws.derivative_law(instance)


@each
def test_derivatives_in_one_input_are_parts_of_the_derivative(instance: Instance) -> None:
    laws.partial_law(instance)


@each
def test_reverse_mode_is_the_transpose_of_forward_mode(instance: Instance) -> None:
    laws.linearization_law(instance)


@each
def test_transpose_rules_are_transposes(instance: Instance) -> None:
    laws.transposition_law(instance)


@each
def test_batching_is_stacking(instance: Instance) -> None:
    laws.batching_law(instance)


@each
def test_a_batch_may_be_of_one(instance: Instance) -> None:
    laws.batching_law(instance, size=1)


@each
def test_derivatives_batch(instance: Instance) -> None:
    laws.batched_derivative_law(instance)


@each
def test_an_empty_batch(instance: Instance) -> None:
    laws.empty_batch_law(instance)


@each
def test_forward_and_reverse_mode_batch(instance: Instance) -> None:
    laws.batched_modes_law(instance)


@each
def test_recording_and_running_is_running(instance: Instance) -> None:
    laws.recording_law(instance)


@each
def test_jit_changes_nothing(instance: Instance) -> None:
    laws.compiled_law(instance)


@each
def test_second_derivatives_agree_in_all_compositions(instance: Instance) -> None:
    laws.second_order_law(instance)


@each_single
def test_output_types_in_single_precision(instance: Instance) -> None:
    laws.output_type_law(instance)


@each_single
def test_derivatives_in_single_precision(instance: Instance) -> None:
    laws.linearization_law(instance)
    laws.derivative_law(instance)


@each_single
def test_transpose_rules_keep_single_precision(instance: Instance) -> None:
    laws.transposition_law(instance)
