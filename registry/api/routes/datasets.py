"""Datasets: what the registry holds, whose it is, how old it is."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from registry.api import models
from registry.api.access.security import DescribedDataset, KnownClient
from registry.api.parameters import IfNoneMatch
from registry.api.representations import UNCHANGED, dataset_summary, known_or, now, tag, without_age
from registry.api.state import state_of
from registry.storage.reads import datasets
from schemas import catalogue
from schemas.errors import SchemaError

router = APIRouter(tags=["datasets"])


@router.get("/datasets", response_model=models.DatasetList, responses=UNCHANGED)
async def listed(request: Request, caller: KnownClient, if_none_match: IfNoneMatch = None) -> Response:
    """The datasets that the client may read; an operator sees all. 资源目录."""
    at = now()
    known = (await state_of(request).datasets()).values()
    visible = list(known) if caller.operates else [found.dataset for found in caller.readable(known)]
    summaries = [dataset_summary(dataset, at) for dataset in visible]
    return known_or(tag(without_age(summaries)), if_none_match, visible, lambda: {"as_of": at, "datasets": summaries})


@router.get("/datasets/{dataset}", response_model=models.DatasetDetail, responses=UNCHANGED)  # noqa: FAST003
async def shown(request: Request, described: DescribedDataset, if_none_match: IfNoneMatch = None) -> Response:
    """One dataset with its schema. 单项资源."""
    at, found = now(), described.dataset
    refusals = await datasets.open_refusals(state_of(request).pool, found.id)
    summary = dataset_summary(found, at)
    more = {"open_refusals": refusals, "json_schema": _schema(found.schema)}
    mark = tag(without_age([summary]), more)
    return known_or(mark, if_none_match, [found], lambda: {"as_of": at, **summary, **more})


def _schema(reference: str) -> dict[str, object] | None:
    try:
        return catalogue.schema(reference)
    except SchemaError:
        return None
