"""A metrics page as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def samples(page: str) -> dict[str, float]:
    """Every sample, written `name` or `name{label="value",…}` with the labels in alphabetical order.

    Fails on a page that Prometheus would refuse or misread, and on names against our habits.
    """
    found: dict[str, float] = {}
    families = list(text_string_to_metric_families(page))
    assert len({family.name for family in families}) == len(families), "a family stands there twice"
    for family in families:
        assert family.type in ("counter", "gauge") and family.documentation.endswith("."), family
        for sample in family.samples:
            assert sample.name.startswith("nearcast_"), sample
            assert sample.name.endswith("_total") == (family.type == "counter"), sample
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            written = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert written not in found, f"{written} stands there twice"
            found[written] = sample.value
    return found
