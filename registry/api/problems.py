"""Every way in which a request can fail, with a stable ``type``, as problem details (RFC 9457).

Each type says whose fault it is: the caller's (correct the request), the hub's (try again, or tell its operator), a
source's (a department's data is wrong: trying again is of no use).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
Fault = Literal["caller", "hub", "source"]


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A row of the table of problems."""

    name: str
    status: int
    fault: Fault
    zh: str
    en: str
    advice_zh: str
    advice_en: str
    retry_after: int | None = None
    """Seconds after which the same request may succeed."""

    @property
    def address(self) -> str:
        """The stable ``type``: a reference that leads to this hub's page about it."""
        return f"/problems/{self.name}"


def _caller(name: str, status: int, zh: str, en: str, advice_zh: str, advice_en: str) -> ProblemType:
    return ProblemType(name, status, "caller", zh, en, advice_zh, advice_en)


INVALID_PARAMETER = _caller(
    "invalid-parameter", 400, "参数无效", "A parameter is not valid",
    "按 errors 中的说明更正参数后重试。", "Correct the parameters named in errors; each entry says what is expected.",
)  # fmt: skip
UNKNOWN_PARAMETER = _caller(
    "unknown-parameter", 400, "未知参数", "A parameter is not known here",
    "删除或更正该参数；detail 中列出允许的参数。", "Remove or correct it; the detail lists those allowed.",
)  # fmt: skip
INVALID_CURSOR = _caller(
    "invalid-cursor", 400, "游标无效", "The cursor is not valid here",
    "使用同一查询上一页返回的 next，不要修改；其他参数须与上一页相同。",
    "Send the next of the previous page unchanged, with the same other parameters; or start again without it.",
)  # fmt: skip
CURSOR_TOO_OLD = _caller(
    "cursor-too-old", 410, "游标早于保留的变更", "The changes after this cursor are no longer kept",
    "变更保留400天（登记库迁移后也须重新开始）。先以 after=end 取得新游标，再通读或导出全部记录，然后从该游标继续。",
    "Changes are kept for 400 days; a registry that was moved begins anew. Take a new cursor with after=end, then read "
    "or export the records, then follow from that cursor.",
)  # fmt: skip
INVALID_ENTITY_CODE = _caller(
    "invalid-entity-code", 400, "主体代码无效", "The entity's code is not valid",
    "核对18位统一社会信用代码（含校验位）。", "Check the code against its document: its check character does not fit.",
)  # fmt: skip
AMBIGUOUS_IDENTIFIER = ProblemType(
    "ambiguous-identifier", 409, "source",
    "旧标识对应多个主体", "Records give this old identifier to several enterprises",
    "改用 candidates 中的统一社会信用代码查询。", "Ask again with one of the codes in candidates.",
)  # fmt: skip
INVALID_REQUEST = _caller(
    "invalid-request", 400, "请求无效", "The request cannot be understood",
    "按接口说明更正请求。", "Correct the request as the OpenAPI description says.",
)  # fmt: skip
INVALID_CLIENT = _caller(
    "invalid-client", 401, "客户端未登记、已撤销，或其凭证有误、不是登记的认证方式",
    "The client is not known or revoked, its proof is wrong, or not one of the ways entered for it",
    "核对 client_id 与密钥、断言或证书（见 /docs/authentication），或联系数桥运营方。",
    "Check the id and the secret, assertion or certificate (/docs/authentication), or ask the hub's operator.",
)  # fmt: skip
TOO_MANY_ATTEMPTS = ProblemType(
    "too-many-attempts", 429, "caller", "请求令牌过于频繁", "Tokens are asked for too often, or with wrong proofs",
    "按 Retry-After 稍后重试；令牌在到期前可一直使用，请核对密钥或证书。",
    "Try again after Retry-After. A token is good until it expires; check the secret, key or certificate.", 30,
)  # fmt: skip
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests", 429, "caller", "请求过于频繁", "The client asks more often than it may",
    "按 Retry-After 稍后重试；RateLimit 头说明余量，批量数据请用批量接口。",
    "Try again after Retry-After; RateLimit tells what is left. For many records at once use the bulk interfaces.", 1,
)  # fmt: skip
ISSUER_UNAVAILABLE = ProblemType(
    "issuer-unavailable", 503, "hub", "外部令牌签发方暂不可用", "The external issuer's keys cannot be fetched now",
    "稍后按 Retry-After 重试；运营方须检查 SHUQIAO_TRUSTED_ISSUER。",
    "Try again after Retry-After; the operator has to look at SHUQIAO_TRUSTED_ISSUER.", 10,
)  # fmt: skip
INVALID_SCOPE = _caller(
    "invalid-scope", 400, "申请的范围未获授权", "A scope was asked for that the client does not have",
    "只申请已授权的范围，或不写 scope。", "Ask only for what is granted, or leave scope out to get all of it.",
)  # fmt: skip
UNAUTHENTICATED = _caller(
    "unauthenticated", 401, "缺少有效的访问令牌", "A valid access token is needed",
    "从 /api/v1/token 取得令牌，放入 Authorization: Bearer。",
    "Get one from /api/v1/token; send it as Authorization: Bearer.",
)  # fmt: skip
NOT_GRANTED = _caller(
    "not-granted", 403, "未获授权", "This is not granted to the client, or its token does not name it",
    "数据资源：按 /docs/grants 申请授权，批准后重新取令牌；其他：请运营方授予 detail 所列范围。",
    "A dataset: apply for a grant (/docs/grants), then get a new token. Else ask the operator for what detail names.",
)  # fmt: skip
PURPOSE_NOT_GRANTED = _caller(
    "purpose-not-granted", 403, "用途不在授权范围内", "The grant does not cover what the request is for",
    "以请求头 Access-Purpose（必要时 Case-Number）说明授权内的用途，或申请变更授权。",
    "State a granted purpose in Access-Purpose (and the case in Case-Number), or apply for the grant to be changed.",
)  # fmt: skip
QUOTA_USED_UP = _caller(
    "quota-used-up", 429, "当日调用次数已用完", "The grant's answers of this day are used up",
    "北京时间次日零时后重试（见 Retry-After），或申请提高授权的每日次数。",
    "Try again after midnight, China Standard Time (Retry-After), or apply for a grant with a higher daily quota.",
)  # fmt: skip
GRANT_REFUSED = _caller(
    "grant-refused", 409, "授权事项不能这样办理", "This cannot be done with the grant or request now",
    "reason 是稳定的代码；detail 说明原因。", "reason is a stable code; the detail says why.",
)  # fmt: skip
VERSION_ENDED = _caller(
    "version-ended", 410, "该数据规范版本已停止提供", "The grant's version of the schema is served no more",
    "按新版本调整程序，并请运营方将授权改为新版本。",
    "Move to the version that the detail names, and have the grant changed to it by the hub's operator.",
)  # fmt: skip
NOT_FOUND = _caller(
    "not-found", 404, "没有找到", "There is nothing here",
    "核对地址、数据集和主键。", "Check the address, the dataset and the key.",
)  # fmt: skip
METHOD_NOT_ALLOWED = _caller(
    "method-not-allowed", 405, "不支持该方法", "The method is not allowed here",
    "使用 Allow 头列出的方法。", "Use one of the methods in the Allow header.",
)  # fmt: skip
TOO_LONG = _caller(
    "request-too-long", 413, "请求过长", "The request is longer than the hub accepts",
    "缩短请求。", "Ask for less at once; the detail names the limit.",
)  # fmt: skip
MALFORMED_IDENTIFIER = _caller(
    "malformed-licence-identifier", 400, "证照标识格式有误", "This is no identifier of a licence",
    "证照标识形如 1.2.156.3005.2.<类型代码>.<颁发机构代码>.<流水号>.<版本号>.<校验位>（GB/T 36904）。",
    "Expected 1.2.156.3005.2.<type code>.<issuer code>.<serial>.<version>.<check character> (GB/T 36904).",
)  # fmt: skip
WRONG_CHECK_CHARACTER = _caller(
    "wrong-check-character", 400, "证照标识校验位不符", "The identifier's check character does not fit",
    "标识抄录有误：请核对证照上的标识，或扫描二维码。",
    "It was copied wrongly: compare it with the licence, or scan the QR code.",
)  # fmt: skip
NOT_ACCEPTABLE = _caller(
    "not-acceptable", 406, "没有所要求的形式", "There is no such form of this",
    "detail 和 forms 中列出可用的形式；用 Accept 头或 form 参数指定。",
    "The detail and forms list those that there are; name one in Accept or in the parameter form.",
)  # fmt: skip
UNSUPPORTED_MEDIA_TYPE = _caller(
    "unsupported-media-type", 415, "不支持该内容类型", "The body's media type is not known here",
    "使用 detail 中列出的 Content-Type。", "Use a Content-Type that the detail lists.",
)  # fmt: skip
INVALID_BODY = _caller(
    "invalid-body", 400, "请求体无效", "The body is not valid",
    "按 errors 中的说明更正请求体后重试。", "Correct the members named in errors; each entry says what is expected.",
)  # fmt: skip
DOCUMENT_REFUSED = _caller(
    "document-refused", 400, "文件无法读取", "The document cannot be read",
    "detail 说明原因；请提交未经改动的原始文件。", "The detail says why; send the original, as it was issued.",
)  # fmt: skip
CREDENTIAL_REFUSED = _caller(
    "credential-refused", 400, "凭证不能签发", "The credential cannot be issued",
    "按 detail 更正凭证后重试。", "Correct the credential as the detail says.",
)  # fmt: skip
LICENCE_NOT_VALID = _caller(
    "licence-not-valid", 409, "证照当前无效", "The licence is not valid now",
    "只有有效的现行版本可以制作加注件。", "Copies are made of the current version of a valid licence only.",
)  # fmt: skip
CONSENT_REQUIRED = _caller(
    "consent-required", 403, "未获企业授权", "The enterprise's consent does not cover this",
    "unmet 列出全部原因；请取得企业授权，或只查询已授权的数据项、用途。",
    "unmet has every reason: get the enterprise's consent, or ask for what it covers only.",
)  # fmt: skip
CREDIT_REFUSED = _caller(
    "credit-refused", 409, "公共信用事项不能这样办理", "This cannot be done with the case, match or consent now",
    "reason 是稳定的代码；detail 说明原因，unmet 列出全部未满足的条件。",
    "reason is a stable code; the detail says why, and unmet lists every condition that is not met.",
)  # fmt: skip
IDEMPOTENCY_KEY_REUSED = _caller(
    "idempotency-key-reused", 422, "Idempotency-Key 已用于另一请求", "The Idempotency-Key names another request",
    "每个新的请求使用新的 Idempotency-Key；重发须与首次完全相同。",
    "Give each new request a key of its own; what is sent again must be the same, byte by byte.",
)  # fmt: skip
ALREADY_DONE = _caller(
    "already-done", 409, "该请求已执行，答复已不可得", "The request was carried out; its answer is lost",
    "请查询结果；不要换用新的 Idempotency-Key 重发。", "Look at what it made; do not send it again under another key.",
)  # fmt: skip
STILL_UNDER_WAY = ProblemType(
    "still-under-way", 409, "caller", "同一请求正在执行", "The same request is still under way",
    "稍后按 Retry-After 以同一 Idempotency-Key 重试。", "Send it again after Retry-After, under the same key.", 2,
)  # fmt: skip
TOO_SLOW = _caller(
    "request-too-slow", 408, "请求发送过慢", "The request did not arrive in time",
    "检查网络后重试；detail 说明时限。", "Look at the network, then try again; the detail names the limit.",
)  # fmt: skip
TOO_MANY_EXPORTS = _caller(
    "too-many-exports", 429, "未到期的导出任务过多", "The client has too many exports that are not over",
    "继续或等待已有的导出任务；GET 同一地址可列出。", "Go on with one of them: GET on the same address lists them.",
)  # fmt: skip
EXPORT_ENDED = _caller(
    "export-ended", 410, "导出任务已失效", "The export is over",
    "重新开始导出；detail 说明原因。", "Begin a new export; the detail says why this one is over.",
)  # fmt: skip
SUBSCRIPTION_REFUSED = _caller(
    "subscription-refused", 409, "订阅当前不能这样处理", "This cannot be done with the subscription now",
    "reason 是稳定的代码；detail 说明原因。", "reason is a stable code; the detail says why.",
)  # fmt: skip
SIGNING_UNAVAILABLE = ProblemType(
    "signing-unavailable", 503, "hub", "暂不能签名", "The hub cannot sign now",
    "已签好的内容仍可读取；运营方须为接口配置主密钥 SHUQIAO_MASTER_KEY。",
    "What has been signed is still served; the operator has to give the API the master key (SHUQIAO_MASTER_KEY).", 60,
)  # fmt: skip
PERSONAL_UNAVAILABLE = ProblemType(
    "personal-unavailable", 503, "hub", "暂不能读取个人信息", "The hub cannot open personal values now",
    "其他数据仍可读取；运营方须为接口配置个人信息密钥环 SHUQIAO_PERSONAL_KEYS。",
    "Everything else is still served; the operator has to give the API the ring of keys (SHUQIAO_PERSONAL_KEYS).", 60,
)  # fmt: skip
DATABASE_UNAVAILABLE = ProblemType(
    "database-unavailable", 503, "hub", "登记库暂不可用", "The registry's database does not answer",
    "稍后按 Retry-After 重试；请求本身没有错误。", "Try again after Retry-After; nothing is wrong with the request.", 5,
)  # fmt: skip
NOT_LOGGED = ProblemType(
    "not-logged", 503, "hub", "访问无法留痕", "The access could not be put on record, so it is not answered",
    "稍后按 Retry-After 重试；已执行的操作请先查询结果。",
    "Try again after Retry-After; if the request changed something, look first whether it was done.", 5,
)  # fmt: skip
BUSY = ProblemType(
    "busy", 503, "hub", "系统繁忙", "The hub has more to do than it can do now",
    "稍后按 Retry-After 重试。", "Try again after Retry-After; nothing is wrong with the request.", 2,
)  # fmt: skip
TOOK_TOO_LONG = ProblemType(
    "took-too-long", 503, "hub", "查询超时", "The read took longer than the hub allows",
    "缩小查询：减小 limit，按 entity 或主键查询。", "Ask for less: a smaller limit, a filter by entity or key.", 10,
)  # fmt: skip
NOT_READY = ProblemType(
    "not-ready", 503, "hub", "服务未就绪", "The API cannot serve reads now",
    "查看 reasons；运营方可运行 shuqiao doctor。", "See reasons; the operator may run: shuqiao doctor.", 5,
)  # fmt: skip
INTERNAL = ProblemType(
    "internal-error", 500, "hub", "系统内部错误", "The hub failed in a way it did not expect",
    "请将 trace_id 告知数桥运营方。", "Tell the hub's operator the trace_id; nothing is wrong with the request.",
)  # fmt: skip

TYPES: Mapping[str, ProblemType] = {
    kind.name: kind
    for kind in (
        INVALID_PARAMETER, UNKNOWN_PARAMETER, INVALID_CURSOR, CURSOR_TOO_OLD, INVALID_ENTITY_CODE,
        AMBIGUOUS_IDENTIFIER, INVALID_REQUEST, INVALID_CLIENT, INVALID_SCOPE, UNAUTHENTICATED, NOT_GRANTED,
        PURPOSE_NOT_GRANTED, QUOTA_USED_UP, GRANT_REFUSED, VERSION_ENDED, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LONG,
        MALFORMED_IDENTIFIER, WRONG_CHECK_CHARACTER, NOT_ACCEPTABLE, UNSUPPORTED_MEDIA_TYPE, INVALID_BODY,
        DOCUMENT_REFUSED, CREDENTIAL_REFUSED, LICENCE_NOT_VALID, CREDIT_REFUSED, CONSENT_REQUIRED,
        SUBSCRIPTION_REFUSED, SIGNING_UNAVAILABLE, PERSONAL_UNAVAILABLE, DATABASE_UNAVAILABLE, NOT_LOGGED, BUSY,
        TOOK_TOO_LONG, NOT_READY, INTERNAL, TOO_MANY_ATTEMPTS, TOO_MANY_REQUESTS, ISSUER_UNAVAILABLE,
        IDEMPOTENCY_KEY_REUSED, ALREADY_DONE, STILL_UNDER_WAY, TOO_SLOW, TOO_MANY_EXPORTS, EXPORT_ENDED,
    )
}  # fmt: skip


class Problem(Exception):  # noqa: N818  (the RFC's own word)
    """Ends a request with problem details. ``zh`` and ``en`` say what happened this time."""

    def __init__(
        self,
        kind: ProblemType,
        zh: str = "",
        en: str = "",
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(en or kind.en)
        self.kind, self.zh, self.en = kind, zh or kind.zh, en or kind.en
        self.errors, self.headers, self.members = tuple(errors), dict(headers or {}), dict(members or {})


def parameter_error(place: str | Sequence[str | int], zh: str, en: str, *, where: str = "query") -> dict[str, str]:
    """One entry of ``errors``: which parameter, by JSON Pointer into the parameters of that part of the request.

    ``place``: its name, or the way to it from outside; none of it is the whole.
    """
    steps = (place,) if isinstance(place, str) else place
    escaped = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    return {"in": where, "pointer": f"#{escaped}", "detail": en, "detail_zh": zh}


def body(problem: Problem, path: str, trace_id: str) -> dict[str, Any]:
    """The members of the problem details."""
    kind = problem.kind
    members: dict[str, Any] = {
        "type": kind.address,
        "title": kind.en,
        "title_zh": kind.zh,
        "status": kind.status,
        "detail": problem.en,
        "detail_zh": problem.zh,
        "advice": kind.advice_en,
        "advice_zh": kind.advice_zh,
        "fault": kind.fault,
        "instance": path,
        "trace_id": trace_id,
    }
    if problem.errors:
        members["errors"] = list(problem.errors)
    return members | problem.members


def respond(request: Request, problem: Problem, media_type: str = MEDIA_TYPE) -> Response:
    """The answer to a request that ended in a problem."""
    headers = dict(problem.headers)
    if problem.kind.retry_after is not None:
        headers.setdefault("Retry-After", str(problem.kind.retry_after))
    if problem.kind is UNAUTHENTICATED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="shuqiao"')
    path = request.scope.get("raw_path", request.url.path.encode()).decode("ascii", "replace").partition("?")[0]
    trace_id = getattr(request.state, "trace_id", "")
    content = orjson.dumps(body(problem, path, trace_id))
    return Response(content, problem.kind.status, headers, media_type)
