"""What ``make bench-matching`` claims, on a small city: no record gets into the wrong file by a rule, few are lost."""

from __future__ import annotations

from benchmarks import matching


def test_no_rule_merges_two_enterprises_and_nearly_all_are_found(registry_url: str) -> None:
    figures, by_kind = matching.measure(registry_url, 1500, seed=3)

    assert figures["wrong"] == 0
    assert figures["automatic"] > 0
    assert figures["recall"] >= 0.97
    assert by_kind["its name, spelt otherwise"]["right"] >= 0.7 * by_kind["its name, spelt otherwise"]["records"]
