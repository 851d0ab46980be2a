"""Secrets are made once, differ between stacks, and only their owner can read them."""

import json
import stat
from dataclasses import astuple
from pathlib import Path

from shuqiao.stack import secrets


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    assert secrets.load(tmp_path) == secrets.load(tmp_path)


def test_every_secret_differs_from_every_other_and_from_another_stacks(tmp_path: Path) -> None:
    made = [*astuple(secrets.load(tmp_path / "a")), *astuple(secrets.load(tmp_path / "b"))]

    assert len(set(made)) == len(made)
    assert min(map(len, made)) >= 16


def test_only_the_owner_can_read_the_file_also_after_somebody_loosened_it(tmp_path: Path) -> None:
    secrets.load(tmp_path)
    path = tmp_path / secrets.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    path.chmod(0o644)
    secrets.load(tmp_path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_that_a_newer_version_needs_is_added_and_the_others_stay(tmp_path: Path) -> None:
    before = secrets.load(tmp_path)
    path = tmp_path / secrets.FILE
    kept = json.loads(path.read_text())
    del kept["credit"]
    path.write_text(json.dumps(kept))

    after = secrets.load(tmp_path)

    assert (after.tax, after.postgres) == (before.tax, before.postgres)
    assert after.credit not in {"", before.credit}


def test_no_secret_shows_in_repr(tmp_path: Path) -> None:
    made = secrets.load(tmp_path)

    assert not any(secret in repr(made) for secret in astuple(made))
