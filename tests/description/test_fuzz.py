"""No request that can be made up from the description gets an answer that it does not have, and none a 5xx.

A short run here, of the same requests each time; ``make fuzz`` makes up new ones for half an hour
(SHUQIAO_TEST_FUZZ_SECONDS).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import granting
from tests.description import fuzzing
from tests.description.city import city
from tests.description.places import Places

_LONG = os.environ.get("SHUQIAO_TEST_FUZZ_SECONDS")
SECONDS = int(_LONG or "25")
"""For a client with every right; a quarter of it for one that may do nothing, and for nobody."""
SEED = None if _LONG else 20261124


@pytest.mark.timeout(3 * SECONDS + 900)
def test_whatever_is_asked_the_answer_is_a_described_one_and_no_failure(
    registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
    with city(registry_url, tmp_path, token_seconds=2 * SECONDS + 900) as made:
        known = Places(made).known()
        runs = ((SECONDS, made.everything), (SECONDS // 4, made.nothing), (SECONDS // 4, made.api.anyone))
        for seconds, reader in runs:
            run = fuzzing.fuzz(made, tmp_path, seconds, reader.token, known, SEED)
            if not run.good:
                pytest.fail(run.failures, pytrace=False)
