"""Settings of the whole test run: hypothesis draws the same examples every time, without a time limit on each."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "covector",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("covector")
