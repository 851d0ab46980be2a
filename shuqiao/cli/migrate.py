"""``shuqiao migrate``: bring the registry's database to this edition's tables."""

from __future__ import annotations

import typer

from shuqiao.cli.options import AsJson, with_examples


@with_examples("shuqiao migrate", "SHUQIAO_DATABASE_URL=postgresql://hub@db/registry shuqiao migrate --json")
def migrate(as_json: AsJson = False) -> None:  # noqa: FBT002
    """升级登记库 Create the registry's tables, or bring them to this edition; safe at every start."""
    from registry.storage.migrate import migrate as bring_up  # noqa: PLC0415
    from registry.storage.migrate import revisions  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.registry_address import database_url  # noqa: PLC0415

    url = database_url()
    before = revisions(url)[0]
    bring_up(url)
    after = revisions(url)[0]
    if as_json:
        output.json_document({"before": before, "after": after})
    elif before == after:
        typer.echo(f"已是最新 / already at {after}")
    else:
        typer.echo(f"已升级 / migrated {before or '-'} -> {after}")
