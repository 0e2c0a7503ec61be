"""What moto answers differently from AWS, made right on the way.

One method for an operation, found by its name: `ssm_PutParameter` answers ssm:PutParameter and may ask moto by
`self._pass(request)`, or by further calls of its own. Everything else is passed on unchanged. Shapes are those of
botocore's models.

moto has no time: what takes AWS a while (a file system `creating`, a service DRAINING, an interface that still holds a
security group) is counted here in looks, so that no test needs to sleep. The counts are in Config.
"""
import collections
import dataclasses
import json
import re
import threading
import time
import uuid
import xml.etree.ElementTree as ElementTree
from urllib.parse import quote, urlencode

from . import wire
from .index import TagIndex


@dataclasses.dataclass
class Config:
    ecs_start_looks: int = 1         # DescribeServices that still show IN_PROGRESS
    ecs_drain_looks: int = 1         # … that show DRAINING after DeleteService
    efs_creating_looks: int = 1      # of file systems, mount targets and access points
    efs_deleting_looks: int = 1      # of mount targets
    sg_dependency_tries: int = 1     # DeleteSecurityGroup refused so often, for each group
    full_listeners: list = dataclasses.field(default_factory=list)   # ARNs: CreateRule says TooManyRules
    failing_services: dict = dataclasses.field(default_factory=dict) # name: why its tasks stop
    short_of_tasks: list = dataclasses.field(default_factory=list)   # names that run one task too few
    tag_lag_add: float = 0.0         # seconds until the tag index shows what was added
    tag_lag_remove: float = 0.0
    tag_hidden: list = dataclasses.field(default_factory=list)       # parts of ARNs that the index does not show (yet)
    rds_endpoints: dict = dataclasses.field(default_factory=dict)    # instance: (host, port)
    more_resources: dict = dataclasses.field(default_factory=dict)   # ARN: tags, what moto's tag index leaves out
    cloud_control: dict = dataclasses.field(default_factory=dict)    # TypeName: {identifier: properties}

    def change(self, values):
        known = {f.name for f in dataclasses.fields(self)}
        unknown = set(values) - known
        if unknown:
            raise ValueError(f"unknown settings {sorted(unknown)}")
        for key, value in values.items():
            setattr(self, key, value)


def _tag(element):
    return element.tag.rsplit("}", 1)[-1]


def find_all(root, name):
    return [e for e in root.iter() if _tag(e) == name]


def text_of(root, name):
    for e in root.iter():
        if _tag(e) == name:
            return e.text or ""
    return None


class Corrections:
    def __init__(self, proxy):
        self._proxy = proxy
        self._lock = threading.RLock()
        self._listener_locks = collections.defaultdict(threading.Lock)
        self.index = TagIndex(self)
        self._endpoints = {}
        self.config = Config()
        self.reset()

    def reset(self):
        with self._lock:
            # RDS endpoints belong to the laboratory, not to one account in it.
            self.config = Config(rds_endpoints=dict(self.config.rds_endpoints))
            self._looks = collections.Counter()     # (what, id) -> so far
            self._young = {}                        # (what, id) of what was made through the proxy -> looks left
            self._draining = {}                     # (cluster, name) -> looks left
            self._ecs_tokens = {}                   # (cluster, name) -> clientToken
            self._created = {}                      # ARN of a service -> when it was first looked at
            self._access_points = {}                # ClientToken -> id
            self._going_targets = {}                # mount target id -> (description, looks left)
            self.scheduled_secrets = set()          # ARNs
            self.index.reset()

    def stop(self):
        self.index.stop()

    def answer(self, request):
        fix = getattr(self, f"{request.service.replace('-', '_')}_{request.action}", None)
        return fix(request) if fix else self._pass(request)

    def _pass(self, request):
        return self._proxy.forward(request)

    # Calls of its own

    def call(self, service, region, action, params=None, method=None, path=None):
        """An operation at moto; gives the parsed answer (JSON value or XML root). Raises LookupError on failure."""
        params = params or {}
        headers = [("Host", "moto"), ("Authorization", f"AWS4-HMAC-SHA256 Credential=proxy/20260101/{region}/{service}"
                    "/aws4_request, SignedHeaders=host, Signature=0")]
        protocol = wire.PROTOCOLS[service]
        target, body = path or "/", b""
        if protocol in (wire.JSON, wire.REST_JSON):
            if method != "GET":
                body = json.dumps(params).encode()
            headers.append(("Content-Type", "application/x-amz-json-1.1" if protocol == wire.JSON else "application/json"))
            if protocol == wire.JSON:
                headers.append(("X-Amz-Target", wire.TARGET_PREFIX[service] + action))
        else:
            form = {"Action": action, "Version": wire.API_VERSION[service], **params}
            body = urlencode(form).encode()
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        answer = self._proxy.forward(wire.Request(method or "POST", target, headers, body))
        if not answer.ok:
            raise LookupError(f"{service}:{action}: {answer.code()}")
        if protocol in (wire.JSON, wire.REST_JSON):
            return answer.json()
        return ElementTree.fromstring(answer.body)

    def _looked(self, what, key):
        """Counts a look; the number of looks before this one."""
        with self._lock:
            before = self._looks[what, key]
            self._looks[what, key] += 1
            return before

    def _born(self, what, key, looks):
        with self._lock:
            self._young[what, key] = looks

    def _is_young(self, what, key, count=True):
        """Whether it is not ready yet; count: this is a look that brings it on."""
        with self._lock:
            left = self._young.get((what, key), 0)
            if count and left > 0:
                self._young[what, key] = left - 1
            return left > 0

    # Tagging and resource groups

    def tagging_GetResources(self, request):
        try:
            value = self.index.get_resources(request)
        except KeyError as error:
            return wire.error_answer(request, 400, "PaginationTokenExpiredException", f"token {error}")
        except ValueError as error:
            return wire.error_answer(request, 400, "InvalidParameterException", str(error))
        return wire.json_answer(request, value)

    def tagging_GetTagValues(self, request):
        """All values of a key, each once; moto gives one for each resource, over pages."""
        key = request.params.get("Key")
        values = {tags[key] for tags in self.index.visible(request.region).values() if key in tags}
        return wire.json_answer(request, {"PaginationToken": "", "TagValues": sorted(values)})

    @staticmethod
    def _group_name(request):
        named = request.params.get("Group") or request.params.get("GroupName") or ""
        return named.rsplit(":group/", 1)[-1]

    def _with_group_name(self, request):
        body = {**request.params, "GroupName": self._group_name(request)}
        body.pop("Group", None)
        changed = wire.Request(request.method, request.target, request.headers, json.dumps(body).encode())
        answer = self._pass(changed)
        if answer.status >= 400 and answer.code() in ("InternalFailure", "UnknownOperationException"):
            return self._group_missing(request)
        return answer

    resource_groups_GetGroup = _with_group_name
    resource_groups_GetGroupQuery = _with_group_name
    resource_groups_DeleteGroup = _with_group_name

    @staticmethod
    def _group_missing(request):
        return wire.error_answer(request, 404, "NotFoundException", "Cannot find the group.")

    def _tags_of_group(self, request):
        answer = self._pass(request)
        return self._group_missing(request) if answer.status >= 500 or answer.status == 400 and \
            answer.code() in ("InternalFailure", "UnknownOperationException") else answer

    resource_groups_GetTags = _tags_of_group
    resource_groups_Tag = _tags_of_group
    resource_groups_Untag = _tags_of_group

    def resource_groups_ListGroupResources(self, request):
        name = self._group_name(request)
        try:
            found = self.call("resource-groups", request.region, "GetGroupQuery", {"GroupName": name},
                              path="/get-group-query")
        except LookupError:
            return self._group_missing(request)
        query = json.loads((found["GroupQuery"].get("ResourceQuery") or {}).get("Query", "{}"))
        members = self.index.matching(request.region, query.get("TagFilters", []))
        start = int(request.params.get("NextToken") or 0)
        size = int(request.params.get("MaxResults") or 50)
        page = [{"ResourceArn": arn, "ResourceType": self.index.cloudformation_type(arn)} for arn, _ in members]
        value = {"Resources": [{"Identifier": i} for i in page[start:start + size]],
                 "ResourceIdentifiers": page[start:start + size], "QueryErrors": []}
        if start + size < len(page):
            value["NextToken"] = str(start + size)
        return wire.json_answer(request, value)

    # SSM

    def ssm_PutParameter(self, request):
        value = request.params.get("Value", "")
        tier = request.params.get("Tier", "Standard")
        if tier == "Standard" and len(value.encode()) > 4096:
            return wire.error_answer(request, 400, "ValidationException", "Standard tier parameters support a maximum "
                                     "parameter value of 4096 characters.")
        if "{{" in value:
            return wire.error_answer(request, 400, "ValidationException",
                                     "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.")
        return self._pass(request)

    def ssm_GetParametersByPath(self, request):
        """Pages by key: a deletion between two pages skips none."""
        size = int(request.params.get("MaxResults") or 10)
        if size > 10:
            return wire.error_answer(request, 400, "ValidationException", "MaxResults must be at most 10")
        body = {k: v for k, v in request.params.items() if k not in ("NextToken", "MaxResults")}
        parameters, token = [], None
        while True:
            page = dict(body, MaxResults=10, **({"NextToken": token} if token else {}))
            try:
                answer = self.call("ssm", request.region, "GetParametersByPath", page)
            except LookupError:
                return self._pass(request)  # its own error
            parameters += answer["Parameters"]
            token = answer.get("NextToken")
            if not token:
                break
        after = bytes.fromhex(request.params["NextToken"]).decode() if request.params.get("NextToken") else ""
        left = sorted((p for p in parameters if p["Name"] > after), key=lambda p: p["Name"])
        value = {"Parameters": left[:size]}
        if len(left) > size:
            value["NextToken"] = left[size - 1]["Name"].encode().hex()
        return wire.json_answer(request, value)

    # Secrets Manager

    def _secret_not_found_is_400(self, request):
        answer = self._pass(request)
        if answer.status == 404:
            answer.status = 400
        return answer

    secretsmanager_DescribeSecret = _secret_not_found_is_400
    secretsmanager_GetSecretValue = _secret_not_found_is_400
    secretsmanager_TagResource = _secret_not_found_is_400
    secretsmanager_UntagResource = _secret_not_found_is_400

    def secretsmanager_CreateSecret(self, request):
        answer = self._pass(request)
        if answer.code() == "ResourceExistsException":
            try:
                there = self.call("secretsmanager", request.region, "DescribeSecret",
                                  {"SecretId": request.params.get("Name")})
            except LookupError:
                return answer
            if there.get("DeletedDate"):
                return wire.error_answer(request, 400, "InvalidRequestException", "You can't create this secret because a "
                                         "secret with this name is already scheduled for deletion.")
        return answer

    def secretsmanager_DeleteSecret(self, request):
        answer = self._secret_not_found_is_400(request)
        if answer.ok and answer.json().get("ARN"):
            with self._lock:
                self.scheduled_secrets.add(answer.json()["ARN"])
        return answer

    def secretsmanager_RestoreSecret(self, request):
        answer = self._secret_not_found_is_400(request)
        if answer.ok:
            with self._lock:
                self.scheduled_secrets.discard(answer.json().get("ARN"))
        return answer

    # RDS

    def rds_DescribeDBInstances(self, request):
        """An instance's endpoint is the laboratory's MariaDB where the configuration says so."""
        answer = self._pass(request)
        if not answer.ok:
            return answer

        def replace(match):
            block = match.group(0)
            name = re.search(r"<DBInstanceIdentifier>([^<]*)</DBInstanceIdentifier>", block)
            endpoint = self.config.rds_endpoints.get(name.group(1)) if name else None
            if not endpoint:
                return block
            return re.sub(r"<Endpoint>.*?</Endpoint>", f"<Endpoint><Address>{endpoint[0]}</Address><Port>{endpoint[1]}"
                          "</Port><HostedZoneId>Z000</HostedZoneId></Endpoint>", block, flags=re.S)
        text = re.sub(r"<DBInstance>.*?</DBInstance>", replace, answer.body.decode(), flags=re.S)
        answer.body = text.encode()
        return answer

    # EC2

    def ec2_DeleteSecurityGroup(self, request):
        group = request.params.get("GroupId") or request.params.get("GroupName")
        if self._looked("sg-delete", group) < self.config.sg_dependency_tries:
            try:
                self.call("ec2", request.region, "DescribeSecurityGroups", {"GroupId.1": group})
            except LookupError:
                return self._pass(request)
            return wire.error_answer(request, 400, "DependencyViolation", f"resource {group} has a dependent object")
        return self._pass(request)

    # Load balancing

    def elasticloadbalancing_CreateTargetGroup(self, request):
        answer = self._pass(request)
        if answer.code() not in ("DuplicateTargetGroupName",):
            return answer
        try:
            root = self.call("elasticloadbalancing", request.region, "DescribeTargetGroups",
                             {"Names.member.1": request.params.get("Name", "")})
        except LookupError:
            return answer
        member = find_all(root, "member")[0]
        settings = ("Protocol", "Port", "VpcId", "TargetType", "HealthCheckPath", "HealthCheckProtocol",
                    "HealthCheckPort", "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds",
                    "HealthyThresholdCount", "UnhealthyThresholdCount", "ProtocolVersion")
        for name in settings:
            wanted, there = request.params.get(name), text_of(member, name)
            if wanted is not None and there is not None and wanted != there:
                return answer
        fields = "".join(f"<{_tag(e)}>{e.text or ''}</{_tag(e)}>" for e in member if not len(e))
        return wire.xml_answer(request, f"<TargetGroups><member>{fields}</member></TargetGroups>")

    def elasticloadbalancing_CreateRule(self, request):
        if request.params.get("ListenerArn") in self.config.full_listeners:
            return wire.error_answer(request, 400, "TooManyRules",
                                     "The maximum number of rules on the load balancer has been reached")
        return self._pass(request)

    def elasticloadbalancing_DescribeTags(self, request):
        for arn in request.members("ResourceArns"):
            missing = self._missing_balancer_part(request.region, arn)
            if missing:
                return wire.error_answer(request, 400, missing, f"{missing}: {arn}")
        return self._pass(request)

    def elasticloadbalancing_AddTags(self, request):
        """moto refuses the eleventh tag, unless all come at once: AWS takes fifty."""
        answer = self._pass(request)
        arns, form = request.members("ResourceArns"), request.params
        if answer.code() != "TooManyTags" or len(arns) != 1:
            return answer
        (_, tags), = self.index._tags_of(request.region, arns)
        new = {}
        for name, value in form.items():
            number = re.fullmatch(r"Tags\.member\.(\d+)\.Key", name)
            if number:
                new[value] = form.get(f"Tags.member.{number.group(1)}.Value", "")
        if len({**tags, **new}) > 50:
            return answer
        target = {"ResourceArns.member.1": arns[0]}
        self.call("elasticloadbalancing", request.region, "RemoveTags",
                  {**target, **{f"TagKeys.member.{i + 1}": key for i, key in enumerate(tags)}})
        whole = {**target}
        for i, (key, value) in enumerate({**tags, **new}.items()):
            whole |= {f"Tags.member.{i + 1}.Key": key, f"Tags.member.{i + 1}.Value": value}
        self.call("elasticloadbalancing", request.region, "AddTags", whole)
        return wire.xml_answer(request, "")

    def _missing_balancer_part(self, region, arn):
        """The error code where the thing is not there, else None."""
        part = arn.split(":", 5)[-1]
        if part.startswith("listener-rule/"):
            how = ("DescribeRules", "RuleArns.member.1", "RuleNotFound")
        elif part.startswith("listener/"):
            how = ("DescribeListeners", "ListenerArns.member.1", "ListenerNotFound")
        elif part.startswith("targetgroup/"):
            how = ("DescribeTargetGroups", "TargetGroupArns.member.1", "TargetGroupNotFound")
        elif part.startswith("loadbalancer/"):
            how = ("DescribeLoadBalancers", "LoadBalancerArns.member.1", "LoadBalancerNotFound")
        else:
            return "ValidationError"
        try:
            root = self.call("elasticloadbalancing", region, how[0], {how[1]: arn})
        except LookupError:
            return how[2]
        return None if find_all(root, "member") else how[2]

    # EFS

    def elasticfilesystem_CreateFileSystem(self, request):
        answer = self._pass(request)
        if answer.code() == "FileSystemAlreadyExists":
            token = request.params.get("CreationToken", "")
            there = self.call("elasticfilesystem", request.region, "DescribeFileSystems", method="GET",
                              path="/2015-02-01/file-systems?CreationToken=" + quote(token, safe=""))
            for system in there.get("FileSystems", []):
                return wire.error_answer(request, 409, "FileSystemAlreadyExists", f"File system '{system['FileSystemId']}'"
                                         f" already exists with creation token '{token}'",
                                         {"FileSystemId": system["FileSystemId"]})
        if answer.ok:
            self._creating(answer, "fs", "FileSystemId")
        return answer

    def _creating(self, answer, what, key):
        self._born(what, answer.json()[key], self.config.efs_creating_looks)
        self._state(answer, lambda v: v.update(LifeCycleState="creating"))

    @staticmethod
    def _state(answer, change):
        value = answer.json()
        change(value)
        answer.body = json.dumps(value).encode()

    def elasticfilesystem_DescribeFileSystems(self, request):
        answer = self._pass(request)
        if answer.ok:
            def change(value):
                for system in value.get("FileSystems", []):
                    if self._is_young("fs", system["FileSystemId"]):
                        system["LifeCycleState"] = "creating"
            self._state(answer, change)
        return answer

    def elasticfilesystem_DeleteFileSystem(self, request):
        identifier = request.rest_ids[0]
        with self._lock:
            going = any(d["FileSystemId"] == identifier for d, _ in self._going_targets.values())
        if going:
            return wire.error_answer(request, 409, "FileSystemInUse", f"File system {identifier} has mount targets")
        points = self.call("elasticfilesystem", request.region, "DescribeAccessPoints", method="GET",
                           path="/2015-02-01/access-points?FileSystemId=" + identifier)
        answer = self._pass(request)
        if answer.ok:
            for point in points.get("AccessPoints", []):  # moto's outlive their file system
                self.call("elasticfilesystem", request.region, "DeleteAccessPoint", method="DELETE",
                          path="/2015-02-01/access-points/" + point["AccessPointId"])
        return answer

    def elasticfilesystem_CreateMountTarget(self, request):
        system = request.params.get("FileSystemId", "")
        if self._is_young("fs", system, count=False):
            return wire.error_answer(request, 409, "IncorrectFileSystemLifeCycleState",
                                     f"File system {system} is not available")
        answer = self._pass(request)
        if answer.ok:
            self._creating(answer, "mt", "MountTargetId")
        return answer

    def elasticfilesystem_DescribeMountTargets(self, request):
        answer = self._pass(request)
        wanted = request.params
        with self._lock:
            going = [d for i, (d, _) in self._going_targets.items()
                     if i == wanted.get("MountTargetId") or d["FileSystemId"] == wanted.get("FileSystemId")]
            for description in going:
                identifier = description["MountTargetId"]
                left = self._going_targets[identifier][1] - 1
                self._going_targets[identifier] = (description, left)
                if left <= 0:
                    del self._going_targets[identifier]
        if going and not answer.ok and answer.code() == "MountTargetNotFound":
            return wire.json_answer(request, {"MountTargets": going})
        if answer.ok:
            def change(value):
                for target in value.get("MountTargets", []):
                    if self._is_young("mt", target["MountTargetId"]):
                        target["LifeCycleState"] = "creating"
                value["MountTargets"] = value.get("MountTargets", []) + going
            self._state(answer, change)
        return answer

    def elasticfilesystem_DeleteMountTarget(self, request):
        identifier = request.rest_ids[0]
        with self._lock:
            if identifier in self._going_targets:
                return wire.error_answer(request, 409, "IncorrectMountTargetState", f"{identifier} is being deleted")
        description = None
        try:
            description = self.call("elasticfilesystem", request.region, "DescribeMountTargets", method="GET",
                                    path="/2015-02-01/mount-targets?MountTargetId=" + identifier)["MountTargets"][0]
        except LookupError:
            pass
        answer = self._pass(request)
        if answer.ok and description and self.config.efs_deleting_looks > 0:
            with self._lock:
                self._going_targets[identifier] = (dict(description, LifeCycleState="deleting"),
                                                   self.config.efs_deleting_looks)
        return answer

    def elasticfilesystem_CreateAccessPoint(self, request):
        token = request.params.get("ClientToken", "")
        with self._lock:
            earlier = self._access_points.get(token)
            if earlier and self._has_access_point(request.region, earlier):
                return wire.error_answer(request, 409, "AccessPointAlreadyExists",
                                         f"Access point already exists with client token {token}",
                                         {"AccessPointId": earlier})
            answer = self._pass(request)
            if answer.ok:
                self._access_points[token] = answer.json()["AccessPointId"]
                self._creating(answer, "ap", "AccessPointId")
            return answer

    def _has_access_point(self, region, identifier):
        try:
            found = self.call("elasticfilesystem", region, "DescribeAccessPoints", method="GET",
                              path="/2015-02-01/access-points?AccessPointId=" + identifier)
        except LookupError:
            return False
        return bool(found.get("AccessPoints"))

    def elasticfilesystem_DescribeAccessPoints(self, request):
        answer = self._pass(request)
        if answer.ok:
            def change(value):
                for point in value.get("AccessPoints", []):
                    if self._is_young("ap", point["AccessPointId"]):
                        point["LifeCycleState"] = "creating"
            self._state(answer, change)
        return answer

    def elasticfilesystem_DeleteAccessPoint(self, request):
        if not self._has_access_point(request.region, request.rest_ids[0]):
            return wire.error_answer(request, 404, "AccessPointNotFound",
                                     f"Access Point {request.rest_ids[0]} does not exist.")
        return self._pass(request)

    def _tags_by_id(self, request):
        """moto takes only the id where AWS takes the ARN as well."""
        identifier = request.rest_ids[0].rsplit("/", 1)[-1]
        target = "/2015-02-01/resource-tags/" + identifier + ("?" + request.query if request.query else "")
        return self._pass(wire.Request(request.method, target, request.headers, request.body))

    elasticfilesystem_TagResource = _tags_by_id
    elasticfilesystem_UntagResource = _tags_by_id
    elasticfilesystem_ListTagsForResource = _tags_by_id

    # ECS

    @staticmethod
    def _short(name):
        return (name or "default").rsplit("/", 1)[-1]

    def _ecs_service(self, region, cluster, name):
        found = self.call("ecs", region, "DescribeServices",
                          {"cluster": cluster, "services": [name], "include": ["TAGS"]})
        return found["services"][0] if found["services"] else None

    def ecs_CreateService(self, request):
        cluster, name = self._short(request.params.get("cluster")), request.params.get("serviceName", "")
        token = request.params.get("clientToken")
        with self._lock:
            there = self._ecs_service(request.region, cluster, name)
            if there and there["status"] == "ACTIVE":
                if token and self._ecs_tokens.get((cluster, name)) == token:
                    return wire.json_answer(request, {"service": self._shown_service(there)})
                return wire.error_answer(request, 400, "InvalidParameterException",
                                         "Creation of service was not idempotent.")
            if (cluster, name) in self._draining:
                return wire.error_answer(request, 400, "InvalidParameterException",
                                         "Unable to Start a service that is still Draining.")
            answer = self._pass(request)
            if answer.ok:
                self._ecs_tokens[cluster, name] = token
                self._born("ecs", cluster + "/" + name, self.config.ecs_start_looks)
                self._state(answer, lambda v: v.update(service=self._shown_service(v["service"])))
            return answer

    def _shown_service(self, service, count=False):
        """The service as AWS would show it. count: this is a look that brings it on."""
        cluster, name = self._short(service.get("clusterArn")), service["serviceName"]
        wanted = service.get("desiredCount", 0)
        with self._lock:    # moto has none; it is the same at each look
            service.setdefault("createdAt", self._created.setdefault(service["serviceArn"], time.time()))
        if service["status"] != "ACTIVE":
            with self._lock:
                if (cluster, name) in self._draining:
                    service["status"] = "DRAINING"
                    self._draining[cluster, name] -= 1 if count else 0
                    if self._draining[cluster, name] <= 0:
                        del self._draining[cluster, name]
            service.update(runningCount=0, pendingCount=0)
            return service
        young = self._is_young("ecs", cluster + "/" + name, count)
        failing = self.config.failing_services.get(name)
        short = 1 if name in self.config.short_of_tasks else 0
        running = max(0, wanted - short) if not young and not failing else 0
        state = "FAILED" if failing else "IN_PROGRESS" if young else "COMPLETED"
        service.update(runningCount=running, pendingCount=max(0, wanted - running))
        for deployment in service.get("deployments", [])[:1]:
            deployment.update(rolloutState=state, runningCount=running, pendingCount=max(0, wanted - running),
                              desiredCount=wanted, failedTasks=3 if failing else 0,
                              rolloutStateReason=f"ECS deployment {deployment.get('id')} {state.lower()}.")
        service["events"] = self._events(service, state)
        return service

    @staticmethod
    def _events(service, state):
        base = service.get("createdAt") if isinstance(service.get("createdAt"), (int, float)) else time.time()
        name = service["serviceName"]
        told = [("has started 1 tasks: (task 0123).", "1")]
        if state == "COMPLETED":
            told.insert(0, ("has reached a steady state.", "2"))
        return [{"id": str(uuid.uuid5(uuid.NAMESPACE_URL, service["serviceArn"] + n)), "createdAt": base,
                 "message": f"(service {name}) {text}"} for text, n in told]

    def ecs_DescribeServices(self, request):
        if len(request.params.get("services", [])) > 10:
            return wire.error_answer(request, 400, "InvalidParameterException", "Services cannot have more than 10 elements")
        # moto keeps whether tags are wanted where requests share it: one without takes another's away. So all want them.
        body = json.dumps({**request.params, "include": ["TAGS"]}).encode()
        answer = self._pass(wire.Request(request.method, request.target, request.headers, body))
        if answer.ok:
            def change(value):
                for service in value.get("services", []):
                    self._shown_service(service, count=True)
                    if "TAGS" not in request.params.get("include", []):
                        service.pop("tags", None)
            self._state(answer, change)
        return answer

    # What moto does not have at all, or not the parameter of

    def cloudcontrolapi_GetResource(self, request):
        kind, identifier = request.params.get("TypeName"), request.params.get("Identifier")
        known = self.config.cloud_control.get(kind)
        if known is None:
            return wire.error_answer(request, 400, "UnsupportedActionException", f"{kind} does not support READ")
        if identifier not in known:
            return wire.error_answer(request, 400, "ResourceNotFoundException", f"{kind} {identifier} was not found")
        return wire.json_answer(request, {"TypeName": kind, "ResourceDescription": {
            "Identifier": identifier, "Properties": json.dumps(known[identifier])}})

    def ssm_DescribeParameters(self, request):
        """Pages as large as asked for, of 50 at most; moto's are of 10."""
        found, token = [], None
        while True:
            query = {**request.params, "NextToken": token} if token else {**request.params}
            query.pop("MaxResults", None)
            page = self.call("ssm", request.region, "DescribeParameters", query)
            found += page["Parameters"]
            token = page.get("NextToken")
            if not token:
                break
        start, size = int(request.params.get("NextToken") or 0), int(request.params.get("MaxResults") or 50)
        value = {"Parameters": found[start:start + size]}
        if start + size < len(found):
            value["NextToken"] = str(start + size)
        return wire.json_answer(request, value)

    def logs_DescribeLogGroups(self, request):
        wanted = request.params.get("logGroupIdentifiers")
        if wanted is None:
            return self._pass(request)
        found, token = [], None
        while True:
            query = {"nextToken": token} if token else {}
            page = self.call("logs", request.region, "DescribeLogGroups", query)
            found += [g for g in page["logGroups"] if g["logGroupName"] in wanted or g["arn"] in wanted]
            token = page.get("nextToken")
            if not token:
                return wire.json_answer(request, {"logGroups": found})

    def ecs_DeleteService(self, request):
        cluster, name = self._short(request.params.get("cluster")), self._short(request.params.get("service"))
        there = None
        try:
            there = self._ecs_service(request.region, cluster, name)
        except LookupError:
            pass
        if there and there["status"] != "ACTIVE":
            return wire.error_answer(request, 400, "ServiceNotActiveException", "Service was not ACTIVE.")
        answer = self._pass(request)
        if answer.ok:
            with self._lock:
                if self.config.ecs_drain_looks > 0:
                    self._draining[cluster, name] = self.config.ecs_drain_looks
            self._state(answer, lambda v: v["service"].update(status="DRAINING", runningCount=0))
        return answer

    def ecs_UpdateService(self, request):
        cluster, name = self._short(request.params.get("cluster")), self._short(request.params.get("service"))
        try:
            there = self._ecs_service(request.region, cluster, name)
        except LookupError:
            there = None
        if there and there["status"] != "ACTIVE":
            return wire.error_answer(request, 400, "ServiceNotActiveException", "Service was not ACTIVE.")
        return self._pass(request)

    def ecs_ListServices(self, request):
        """Only what is ACTIVE, in pages."""
        cluster = self._short(request.params.get("cluster"))
        answer = self._pass(wire.Request(request.method, request.target, request.headers,
                                         json.dumps({"cluster": cluster}).encode()))
        if not answer.ok:
            return answer
        arns = sorted(answer.json().get("serviceArns", []))
        live = [a for a in arns if self._ecs_service(request.region, cluster, a)["status"] == "ACTIVE"]
        size = int(request.params.get("maxResults") or 10)
        start = int(request.params.get("nextToken") or 0)
        value = {"serviceArns": live[start:start + size]}
        if start + size < len(live):
            value["nextToken"] = str(start + size)
        return wire.json_answer(request, value)

    def _task_arn(self, request, name):
        cluster = self._short(request.params.get("cluster"))
        return f"arn:aws:ecs:{request.region}:123456789012:task/{cluster}/{name.encode().hex()}"

    def ecs_ListTasks(self, request):
        name = self._short(request.params.get("serviceName"))
        if name in self.config.failing_services and request.params.get("desiredStatus") == "STOPPED":
            return wire.json_answer(request, {"taskArns": [self._task_arn(request, name)]})
        return self._pass(request)

    def ecs_DescribeTasks(self, request):
        wanted = {self._task_arn(request, n): (n, why) for n, why in self.config.failing_services.items()}
        found = [(a, *wanted[a]) for a in request.params.get("tasks", []) if a in wanted]
        if not found:
            return self._pass(request)
        return wire.json_answer(request, {"failures": [], "tasks": [
            {"taskArn": a, "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "group": f"service:{n}",
             "stopCode": "TaskFailedToStart", "stoppedReason": why, "stoppedAt": time.time(), "containers": []}
            for a, n, why in found]})
