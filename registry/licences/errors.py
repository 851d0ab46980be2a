"""What the services on licences refuse, with a stable code and a sentence in both languages."""

from __future__ import annotations


class LicenceServiceError(Exception):
    """Something cannot be done with a licence; ``code`` is stable, ``zh`` and ``en`` say why and what to do."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.code, self.zh, self.en = code, zh, en


class LicenceUnknown(LicenceServiceError):  # noqa: N818
    """There is no such licence."""

    def __init__(self, identifier: str) -> None:
        super().__init__("licence_unknown", f"没有证照 {identifier}", f"there is no licence {identifier}")


class FormNotOffered(LicenceServiceError):  # noqa: N818
    """A licence is not to be had in this form."""


class CopyRefused(LicenceServiceError):  # noqa: N818
    """No annotated copy is made of this licence, or this one cannot be changed."""


class CorrectionRefused(LicenceServiceError):  # noqa: N818
    """There is nothing to correct, or nothing to correct it with."""


class CredentialRefused(LicenceServiceError):  # noqa: N818
    """A client's credential is not signed, or its status is not changed."""
