"""Verification: is this document genuine, and may it be relied on now? Needs no network and no database.

``verify(document, trust, statuses, at)`` answers with a :class:`Verdict`: one outcome and the list of checks. It never
raises for anything that a document says.
"""

from registry.credentials.verify.documents import verify
from registry.credentials.verify.sources import NO_LISTS, FetchedList, KeptLists, StatusSource
from registry.credentials.verify.verdict import Check, Form, Outcome, Verdict

__all__ = [
    "NO_LISTS",
    "Check",
    "FetchedList",
    "Form",
    "KeptLists",
    "Outcome",
    "StatusSource",
    "Verdict",
    "verify",
]
