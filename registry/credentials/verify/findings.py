"""The list of checks as it grows: what each is called when it passes, and how a failure is entered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from registry.credentials.refusal import Refused
from registry.credentials.verify.verdict import Check
from schemas.masking import printable

P = ParamSpec("P")
T = TypeVar("T")

PASSED: Mapping[str, Check] = {
    name: Check(name, True, "ok", zh, en)  # noqa: FBT003 - a field, not a switch
    for name, zh, en in (
        ("document", "文件可读，没有歧义", "the document can be read, in one way only"),
        ("context", "@context 正确", "the contexts are right and in order"),
        ("type", "类型正确", "the types are right"),
        ("id", "标识是网址", "the id is a URL"),
        ("issuer", "签发者写法正确", "the issuer is given as a URL"),
        ("texts", "名称与说明写法正确", "names and descriptions are texts"),
        ("subject", "凭证载有内容", "the credential has a subject with claims"),
        ("dates", "有效期写法正确", "the dates are moments with a zone, in order"),
        ("members", "其余成员写法正确", "the other members have types and ids"),
        ("status_entries", "状态条目写法正确", "the status entries are right"),
        ("proof", "签名写法正确", "the proof is of the right type, suite and purpose"),
        ("token", "JWS 头部正确", "the token's header is right"),
        ("disclosures", "披露内容与签名一致", "what is disclosed is what was signed"),
        ("signed_at", "签名时间合理", "the time of signing is not in the future"),
        ("key", "签名密钥属于签发者", "the key is the issuer's, by the trust list"),
        ("seal", "签名时印章有效、未撤销", "the seal held when it was signed, and was not revoked"),
        ("signature", "签名有效，内容未被改动", "the signature holds: nothing was changed"),
        ("schema", "内容符合证照类型的规定", "the content fits the licence type's schema"),
        ("resources", "引用的文件与摘要一致", "related resources have the digests given"),
        ("identifier", "证照标识正确，属于该机构", "the identifier is right and of this authority"),
        ("term", "在有效期内", "within its term"),
        ("revocation", "未被撤销或注销", "not revoked"),
        ("suspension", "未被暂扣", "not suspended"),
        ("message", "状态：有效", "state: valid"),
        ("latest", "是最新版本", "the newest version"),
        ("holder", "出示者的签名有效", "the holder's signature holds"),
        ("challenge", "应答了本次核验的随机数", "made for this very request"),
        ("presentation", "出示内容写法正确", "the presentation is of the right form"),
        ("credentials", "出示的凭证均有效", "every credential presented is valid"),
        ("pdf_signature", "PDF 签章有效，签章后未被改动", "the PDF's signature holds: nothing was changed after it"),
        ("pdf_seal", "PDF 签章与证照签发者一致", "the PDF is sealed by the licence's issuer"),
        ("attachment", "PDF 附有可核验的证照数据", "the PDF carries the credential"),
    )
}


class Findings:
    """Checks in the order in which they were made."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.failed: set[str] = set()

    def ask(self, name: str, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Make a check; its answer, or None when it did not pass."""
        try:
            answer = question(*args, **kwargs)
        except Refused as failure:
            self.fail(name, failure.code, failure.zh, failure.en)
            return None
        self.checks.append(PASSED[name])
        return answer

    def fail(self, name: str, code: str, zh: str, en: str) -> None:
        """Enter a check that did not pass."""
        self.failed.add(name)
        self.checks.append(Check(name, passed=False, code=code, zh=printable(zh), en=printable(en)))

    def skip(self, name: str, code: str, zh: str, en: str) -> None:
        """Enter a check that could not be made."""
        self.checks.append(Check(name, passed=None, code=code, zh=printable(zh), en=printable(en)))

    def passed(self, name: str) -> None:
        """Enter a check that passed."""
        self.checks.append(PASSED[name])
