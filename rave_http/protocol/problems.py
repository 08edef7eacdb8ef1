"""Problems: every error that a client sees, as RFC 9457 describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rave_core.errors import RaveError

MEDIA_TYPE: Final = "application/problem+json"
PLAIN_PROBLEMS: Final = "rave_plain_problems"
"""The attribute of ``req.context`` that is true where a problem is plain text, unless the client prefers a document."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem.

    Attributes:
        status: its HTTP status.
        title: what is wrong, the same for every problem of the kind.
        advice: what it means and what to do, for its page at ``/-/problems/{slug}``.
    """

    status: int
    title: str
    advice: str


PROBLEMS: Final[dict[str, Kind]] = {
    "bad-request": Kind(
        400,
        "The request can't be understood",
        "The request breaks the rules of HTTP or of this service; the detail says where. Mend it and ask again.",
    ),
    "bad-arguments": Kind(
        400,
        "The arguments do not fit the operation",
        "An argument is missing, unknown, given twice, or of the wrong type. Each of 'errors' names a "
        "parameter and the "
        "JSON Schema that it has to fit; the operation's description lists them all.",
    ),
    "unauthorized": Kind(
        401,
        "Credentials are needed, or those given are not valid",
        "Send an API key as 'Authorization: Bearer KEY'. Keys are made with 'rave key create', and may have "
        "been revoked "
        "or have expired.",
    ),
    "forbidden": Kind(
        403,
        "This is not permitted",
        "You may see this, but what you asked to do with it needs a permission that you do not have; the detail names "
        "it. Whoever runs the service grants permissions.",
    ),
    "cross-site": Kind(
        403,
        "A page of another site asked for this",
        "Your browser brings your identity, whichever page makes it ask. So pages of other sites get stored results "
        "only, and change nothing. Ask for it yourself, on the form of the operation; the setting 'cors_origins' names "
        "the sites whose pages may do so, too.",
    ),
    "not-found": Kind(
        404,
        "There is nothing here",
        "No operation, product or page has this address, or you may not see it. The catalog at '/' lists "
        "what there is.",
    ),
    "method-not-allowed": Kind(
        405,
        "This method does not apply here",
        "The header 'Allow' lists the methods that do.",
    ),
    "not-acceptable": Kind(
        406,
        "None of the forms that you accept can be made",
        "The result can't take any of the media types in 'Accept'; 'available' lists those that it can take.",
    ),
    "request-timeout": Kind(
        408,
        "The request did not arrive in time",
        "The service waited for the rest of the request, and then gave up. Send it again, at once and whole.",
    ),
    "conflict": Kind(
        409,
        "Something else is under way",
        "What you asked for contradicts something that is going on just now. Ask again a little later.",
    ),
    "document-conflict": Kind(
        409,
        "Another version of the document is the newest",
        "It was saved or deleted after you read it, and your change is not saved. 'version' is the newest version: "
        "read it, and save on top of that.",
    ),
    "cancelled": Kind(
        409,
        "The job was cancelled",
        "'by' names the user who stopped it. Ask the operation again to start it again: 'operation' has its URL.",
    ),
    "gone": Kind(
        410,
        "The product expired",
        "It was made and has expired, or its operation changed since. Ask the operation again: 'operation' "
        "has its URL.",
    ),
    "too-large": Kind(
        413,
        "The body is too large",
        "The service takes request bodies up to the limit named in the detail.",
    ),
    "uri-too-long": Kind(
        414,
        "The query is too long",
        "Send the arguments as a JSON object by POST instead.",
    ),
    "precondition-failed": Kind(
        412,
        "The product is not the one that you asked for",
        "It was made anew meanwhile: ask without 'If-Match' and 'If-Unmodified-Since' to get it as it is now.",
    ),
    "unsupported-media-type": Kind(
        415,
        "The body has a form that is not understood",
        "Send application/json or application/x-www-form-urlencoded.",
    ),
    "range-not-satisfiable": Kind(
        416,
        "The range lies outside of the product",
        "'Content-Range' tells how long the product is.",
    ),
    "misdirected": Kind(
        421,
        "The service has another name",
        "The header 'Host' names a host that the service does not answer for. Whoever runs it adds the name to the "
        "setting 'hosts', or sets 'url_base'.",
    ),
    "refused": Kind(
        422,
        "The operation refuses these arguments",
        "Each argument has the right type, but the analysis can't be made of them together; the detail, and each of "
        "'errors', says why. Mend them and ask again. The status is the one that the operation chose.",
    ),
    "too-many-requests": Kind(
        429,
        "You ask too often",
        "Wait as long as 'Retry-After' says. The detail names the limit. Results that are stored already cost nothing: "
        "limited are computing, and the connections and event streams that you have at once.",
    ),
    "operation-failed": Kind(
        500,
        "The operation failed",
        "The analysis itself raised an exception; its class and message are in the detail. The failure is "
        "remembered for "
        "a few seconds, so that the operation is not run again and again.",
    ),
    "internal-error": Kind(
        500,
        "The service failed",
        "This is a mistake of the service, not yours. Its log has the details under the request ID.",
    ),
    "busy": Kind(
        503,
        "Too much is being computed",
        "The queue of computations is full, or the service is shutting down. Ask again after the time in "
        "'Retry-After'.",
    ),
    "store-trouble": Kind(
        503,
        "A store is in trouble",
        "The service could not read or change what is stored just now; its log has the details under the request ID. "
        "Ask again after the time in 'Retry-After'.",
    ),
    "time-limit": Kind(
        504,
        "The computation took too long",
        "It was ended, or given up, at the time limit in the detail. Ask for less, or have the limit raised.",
    ),
    "not-kept": Kind(
        504,
        "There is no stored result",
        "You asked only for what is stored ('only-if-cached'), and nothing is. Ask without it to have it computed.",
    ),
}


class Problem(RaveError):
    """Ends a request with a problem.

    Attributes:
        slug: names its kind in `PROBLEMS`.
        detail: what is wrong this time.
        status: the HTTP status.
        errors: one for each wrong parameter: ``{"parameter", "detail", "schema"}``.
        headers: for the response.
        extensions: more members of the document.
    """

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        status: int | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail
        self.status = PROBLEMS[slug].status if status is None else status
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extensions = extensions

    def document(self, *, base: str = "", instance: str = "") -> dict[str, Any]:
        """The problem as a JSON object.

        Args:
            base: the prefix of every URL.
            instance: the requested path.
        """
        kind = PROBLEMS[self.slug]
        document: dict[str, Any] = {
            "type": f"{base}/-/problems/{self.slug}",
            "title": kind.title,
            "status": self.status,
            "detail": self.detail,
        }
        if instance:
            document["instance"] = instance
        if self.errors:
            document["errors"] = self.errors
        return document | self.extensions
