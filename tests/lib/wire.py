"""AWS's four protocols as far as the laboratory needs them.

Tells from a raw HTTP request which operation of which service it is, and writes errors as that service would. The
REST services have no operation in their requests, so their paths stand in a table (from botocore's models).
"""
import json
import re
import uuid
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

JSON, REST_JSON, QUERY, EC2 = "json", "rest-json", "query", "ec2"

PROTOCOLS = {
    "ssm": JSON, "ecs": JSON, "tagging": JSON, "secretsmanager": JSON, "servicequotas": JSON, "ecr": JSON, "logs": JSON,
    "cloudcontrolapi": JSON, "dynamodb": JSON, "sqs": JSON,
    "resource-groups": REST_JSON, "elasticfilesystem": REST_JSON, "lambda": REST_JSON,
    "elasticloadbalancing": QUERY, "rds": QUERY, "sts": QUERY, "iam": QUERY,
    "ec2": EC2,
}

TARGET_PREFIX = {
    "ssm": "AmazonSSM.", "ecs": "AmazonEC2ContainerServiceV20141113.",
    "tagging": "ResourceGroupsTaggingAPI_20170126.", "secretsmanager": "secretsmanager.",
    "ecr": "AmazonEC2ContainerRegistry_V20150921.", "logs": "Logs_20140328.", "cloudcontrolapi": "CloudApiService.",
}

API_VERSION = {"elasticloadbalancing": "2015-12-01", "rds": "2014-10-31", "sts": "2011-06-15", "ec2": "2016-11-15"}

_EFS = "/2015-02-01"
REST_OPERATIONS = {
    "elasticfilesystem": [(m, re.compile(_EFS + p + "$"), o) for m, p, o in (
        ("POST", "/file-systems", "CreateFileSystem"),
        ("GET", "/file-systems", "DescribeFileSystems"),
        ("DELETE", "/file-systems/([^/]+)", "DeleteFileSystem"),
        ("PUT", "/file-systems/([^/]+)", "UpdateFileSystem"),
        ("PUT", "/file-systems/([^/]+)/backup-policy", "PutBackupPolicy"),
        ("GET", "/file-systems/([^/]+)/backup-policy", "DescribeBackupPolicy"),
        ("PUT", "/file-systems/([^/]+)/policy", "PutFileSystemPolicy"),
        ("GET", "/file-systems/([^/]+)/policy", "DescribeFileSystemPolicy"),
        ("PUT", "/file-systems/([^/]+)/lifecycle-configuration", "PutLifecycleConfiguration"),
        ("GET", "/file-systems/([^/]+)/lifecycle-configuration", "DescribeLifecycleConfiguration"),
        ("PUT", "/file-systems/([^/]+)/protection", "UpdateFileSystemProtection"),
        ("POST", "/mount-targets", "CreateMountTarget"),
        ("GET", "/mount-targets", "DescribeMountTargets"),
        ("DELETE", "/mount-targets/([^/]+)", "DeleteMountTarget"),
        ("GET", "/mount-targets/([^/]+)/security-groups", "DescribeMountTargetSecurityGroups"),
        ("PUT", "/mount-targets/([^/]+)/security-groups", "ModifyMountTargetSecurityGroups"),
        ("POST", "/access-points", "CreateAccessPoint"),
        ("GET", "/access-points", "DescribeAccessPoints"),
        ("DELETE", "/access-points/([^/]+)", "DeleteAccessPoint"),
        ("POST", "/resource-tags/([^/]+)", "TagResource"),
        ("GET", "/resource-tags/([^/]+)", "ListTagsForResource"),
        ("DELETE", "/resource-tags/([^/]+)", "UntagResource"),
    )],
    "lambda": [(m, re.compile("/2015-03-31" + p + "$"), o) for m, p, o in (
        ("GET", "/functions/([^/]+)/configuration", "GetFunctionConfiguration"),
        ("GET", "/functions/([^/]+)", "GetFunction"),
        ("POST", "/functions", "CreateFunction"),
        ("DELETE", "/functions/([^/]+)", "DeleteFunction"),
    )],
    "resource-groups": [(m, re.compile(p + "$"), o) for m, p, o in (
        ("POST", "/groups", "CreateGroup"),
        ("POST", "/delete-group", "DeleteGroup"),
        ("POST", "/get-group", "GetGroup"),
        ("POST", "/get-group-query", "GetGroupQuery"),
        ("POST", "/get-group-configuration", "GetGroupConfiguration"),
        ("POST", "/groups-list", "ListGroups"),
        ("POST", "/list-group-resources", "ListGroupResources"),
        ("POST", "/update-group", "UpdateGroup"),
        ("POST", "/update-group-query", "UpdateGroupQuery"),
        ("POST", "/group-resources", "GroupResources"),
        ("POST", "/ungroup-resources", "UngroupResources"),
        ("POST", "/resources/search", "SearchResources"),
        ("GET", "/resources/([^/]+)/tags", "GetTags"),
        ("PUT", "/resources/([^/]+)/tags", "Tag"),
        ("PATCH", "/resources/([^/]+)/tags", "Untag"),
    )],
}

_SCOPE = re.compile(r"Credential=([^/,\s]+)/(\d+)/([^/]*)/([^/]*)/aws4_request")
# Of operations that change nothing, by the first word of their name.
_READ = re.compile(r"^(Get|List|Describe|Search|BatchGet)")


class Request:
    """One request as it came: raw for the record, and read for rules and corrections."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path, _, self.query = target.partition("?")
        scope = _SCOPE.search(self.header("authorization") or "")
        self.region = scope.group(3) if scope else "us-east-1"
        self.service = scope.group(4) if scope else "unsigned"
        self.protocol = PROTOCOLS.get(self.service)
        self.rest_ids = []
        self._params = None
        self.action = self._find_action()
        self.operation = f"{self.service}:{self.action}"

    def header(self, name):
        name = name.lower()
        for k, v in self.headers:
            if k.lower() == name:
                return v
        return None

    def _find_action(self):
        if self.protocol == JSON:
            return (self.header("x-amz-target") or "?").rsplit(".", 1)[-1]
        if self.protocol in (QUERY, EC2):
            return self.params.get("Action", "?")
        for method, pattern, operation in REST_OPERATIONS.get(self.service, ()):
            match = pattern.match(self.path)
            if method == self.method and match:
                self.rest_ids = [unquote(g) for g in match.groups()]
                return operation
        return "?"

    @property
    def params(self):
        """The parameters: the JSON body, or the form (and query string) as a flat dict."""
        if self._params is None:
            self._params = self._read_params()
        return self._params

    def _read_params(self):
        if self.protocol in (QUERY, EC2):
            pairs = parse_qsl(self.query, keep_blank_values=True)
            return dict(pairs + parse_qsl(self.body.decode(), keep_blank_values=True))
        found = dict(parse_qsl(self.query, keep_blank_values=True)) if self.protocol == REST_JSON else {}
        try:
            body = json.loads(self.body) if self.body else {}
        except ValueError:
            body = {}
        return {**found, **body} if isinstance(body, dict) else found

    def members(self, name):
        """A list parameter of the query protocol: Name.member.N (or Name.N of ec2)."""
        pattern = re.compile(re.escape(name) + r"\.(?:member\.)?(\d+)$")
        found = [(int(m.group(1)), v) for k, v in self.params.items() if (m := pattern.match(k))]
        return [v for _, v in sorted(found)]

    @property
    def is_write(self):
        return not _READ.match(self.action)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, list(headers), body

    @property
    def ok(self):
        return 200 <= self.status < 300

    def json(self):
        return json.loads(self.body) if self.body else {}

    def header(self, name):
        for k, v in self.headers:
            if k.lower() == name.lower():
                return v
        return None

    def code(self):
        """The AWS error code of a failed answer, or None."""
        if self.ok:
            return None
        text = self.body.decode("utf-8", "replace")
        named = self.header("x-amzn-errortype")
        if text.lstrip().startswith("<"):
            match = re.search(r"<Code>([^<]*)</Code>", text)
            return match.group(1) if match else named
        try:
            named = json.loads(text).get("__type") or named
        except ValueError:
            pass
        return named.split("#")[-1].split(":")[0] if named else None


def request_id():
    return str(uuid.uuid4())


def json_answer(request, value, status=200, headers=()):
    kind = "application/x-amz-json-1.1" if request.protocol == JSON else "application/json"
    return Answer(status, [("Content-Type", kind), ("x-amzn-RequestId", request_id()), *headers],
                  json.dumps(value).encode())


def xml_answer(request, inner, status=200):
    """A result of the query or ec2 protocol from ready XML."""
    rid = request_id()
    if request.protocol == EC2:
        text = f"<{request.action}Response><requestId>{rid}</requestId>{inner}</{request.action}Response>"
    else:
        text = (f"<{request.action}Response><{request.action}Result>{inner}</{request.action}Result>"
                f"<ResponseMetadata><RequestId>{rid}</RequestId></ResponseMetadata></{request.action}Response>")
    return Answer(status, [("Content-Type", "text/xml"), ("x-amzn-RequestId", rid)], text.encode())


def error_answer(request, status, code, message, extra=None, rid=None):
    """An error as the service of the request would write it. extra: further members of a JSON error."""
    rid = rid or request_id()
    if request.protocol in (JSON, REST_JSON):
        value = {"message": message, **(extra or {})}
        headers = [("x-amzn-RequestId", rid)]
        if request.protocol == JSON:
            value["__type"] = code
            headers.append(("Content-Type", "application/x-amz-json-1.1"))
        else:
            value.setdefault("ErrorCode", code)
            headers += [("x-amzn-errortype", code), ("Content-Type", "application/json")]
        return Answer(status, headers, json.dumps(value).encode())
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if request.protocol == EC2:
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{rid}</RequestID></Response>"
    else:
        text = (f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
                f"<RequestId>{rid}</RequestId></ErrorResponse>")
    return Answer(status, [("Content-Type", "text/xml"), ("x-amzn-RequestId", rid)], text.encode())
