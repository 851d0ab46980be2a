"""A form of a licence as it was signed, or made now if nobody has asked for it before."""

from __future__ import annotations

from typing import Literal

import orjson

from registry.api.licences.representations import metadata_of
from registry.api.representations import now
from registry.api.state import ApiState
from registry.licences import forms
from registry.licences.storing import FORM, form_identity, signed_document
from registry.storage.reads import licences
from registry.storage.reads.pool import Row


async def body_of(state: ApiState, row: Row, name: Literal["vc", "jwt", "sd_jwt", "pdf", "metadata", "sm2"]) -> bytes:
    """A form, as it was signed; made now if nobody has asked for it before. Raises Problem."""
    licensing = state.licensing
    if name == "metadata":
        return orjson.dumps(metadata_of(row, licensing.types))
    stored = await licences.form(state.pool, row["id"], name)
    if stored is not None:
        return signed_document(FORM, form_identity(row["id"], name), stored.body)
    return await licensing.sign(
        lambda connection, keys: forms.form(
            connection, row["id"], name, keys, licensing.types, base=licensing.base, now=now()
        ),
        drawing=name == "pdf",
    )
