"""Whether botocore, given a captured request, computes the signature that it carries."""
import re
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import aws as awslib

_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
                            r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$")
_MUST_SIGN = {"host", "x-amz-date"}


def mismatch(request):
    """None, or why the request is not signed as botocore would sign it."""
    found = _AUTHORIZATION.match(request.header("authorization") or "")
    if not found:
        return f"{request.operation}: no proper Authorization: {request.header('authorization')!r}"
    key, day, region, service, signed, signature = found.groups()
    signed = signed.split(";")
    if signed != sorted(signed) or not _MUST_SIGN <= set(signed):
        return f"{request.operation}: SignedHeaders {signed}"
    unsigned = {k.lower() for k, _ in request.headers if k.lower().startswith("x-amz-")} - set(signed)
    if unsigned:
        return f"{request.operation}: not signed: {unsigned}"
    stamp = request.header("x-amz-date") or ""
    if not stamp.startswith(day):
        return f"{request.operation}: date {stamp} in scope {day}"
    if key != awslib.ACCESS_KEY:
        return f"{request.operation}: key {key}"
    expected = _signature(request, region, service, signed, stamp)
    if expected != signature:
        return f"{request.operation}: {request.method} {request.target}: {signature}, botocore has {expected}"
    return None


class _Signer(SigV4Auth):
    """botocore's, with the headers that the sender chose to sign; those that must be are checked above."""
    signed = ()

    def headers_to_sign(self, request):
        headers = super().headers_to_sign(request)
        for name in list(headers):
            if name not in self.signed:
                del headers[name]
        for name in self.signed:
            if name not in headers:
                headers[name] = request.headers.get(name, "")
        return headers


def _signature(request, region, service, signed, stamp):
    parts = urlsplit(request.target)
    url = f"http://{request.header('host')}{parts.path}"
    # Parsed and handed over as parameters, so that the canonical query is botocore's own doing.
    params = parse_qsl(parts.query, keep_blank_values=True)
    again = AWSRequest(method=request.method, url=url, data=request.body, params=params)
    for name, value in request.headers:
        if name.lower() in signed:
            again.headers[name] = value
    again.context["timestamp"] = stamp
    signer = _Signer(Credentials(awslib.ACCESS_KEY, awslib.SECRET_KEY, request.header("x-amz-security-token")), service, region)
    signer.signed = signed
    canonical = signer.canonical_request(again)
    return signer.signature(signer.string_to_sign(again, canonical), again)
