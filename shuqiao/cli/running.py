"""One connector run from this terminal: plan, pull its parts, publish; telling how far it is."""

from __future__ import annotations

from connectors.manifest import Manifest
from registry.domain.batches import BatchReport
from shuqiao import ingest
from shuqiao.cli.progress import Say, telling
from shuqiao.ingest import PlannedBatch, PulledPart


def run(url: str, manifest: Manifest, *, full: bool) -> BatchReport:
    """Plan, pull and publish. Raises what the source and the registry raise."""
    with telling(f"{manifest.connector}: 准备 planning …") as say:
        planned = _pulled(url, manifest, say, full=full)
        say(f"{manifest.connector}: 发布 publishing batch {planned.batch_id} …")
        return ingest.publish(url, manifest, planned.batch_id)


def pull(url: str, manifest: Manifest, *, full: bool) -> tuple[PlannedBatch, PulledPart]:
    """Plan and pull into staging, and stop there; the batch, and what all its parts brought."""
    with telling(f"{manifest.connector}: 准备 planning …") as say:
        brought: list[PulledPart] = []
        planned = _pulled(url, manifest, say, full=full, brought=brought)
    total = PulledPart(
        accepted=sum(part.accepted for part in brought),
        refused=sum(part.refused for part in brought),
        deletes=sum(part.deletes for part in brought),
    )
    return planned, total


def _pulled(
    url: str, manifest: Manifest, say: Say, *, full: bool, brought: list[PulledPart] | None = None
) -> PlannedBatch:
    planned = ingest.plan(url, manifest, full=full)
    for place, (number, label) in enumerate(planned.parts, start=1):

        def progress(part: PulledPart, place: int = place, label: str = label) -> None:
            of = f"{place}/{len(planned.parts)}"
            say(f"{manifest.connector} {of} {label}: {part.pulled:,} 读取 pulled, {part.refused:,} 退回 refused")

        part = ingest.pull(url, manifest, planned.batch_id, number, progress)
        if brought is not None:
            brought.append(part)
    return planned
