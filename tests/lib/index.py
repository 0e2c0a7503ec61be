"""GetResources as AWS answers it, from what moto knows.

moto's own pages break when something is made between two of them, and have no listeners, rules or groups. Here a first
page takes one whole look at moto, without any filter, adds what is missing, takes away what AWS would not show,
and filters; later pages come from that look. The lag of the real index, which is seconds to minutes in both
directions, is played from a history of such looks.
"""
import collections
import threading
import time
import uuid
from urllib.parse import quote

_TYPES = {  # of ARNs, to CloudFormation's, where no rule gives them
    "ec2:security-group": "AWS::EC2::SecurityGroup",
    "ecs:service": "AWS::ECS::Service", "ecs:cluster": "AWS::ECS::Cluster",
    "ecs:task-definition": "AWS::ECS::TaskDefinition",
    "elasticfilesystem:file-system": "AWS::EFS::FileSystem",
    "elasticfilesystem:access-point": "AWS::EFS::AccessPoint",
    "elasticloadbalancing:targetgroup": "AWS::ElasticLoadBalancingV2::TargetGroup",
    "elasticloadbalancing:listener-rule": "AWS::ElasticLoadBalancingV2::ListenerRule",
    "elasticloadbalancing:listener": "AWS::ElasticLoadBalancingV2::Listener",
    "elasticloadbalancing:loadbalancer": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "secretsmanager:secret": "AWS::SecretsManager::Secret",
    "rds:db": "AWS::RDS::DBInstance", "ssm:parameter": "AWS::SSM::Parameter",
}
_KEPT_TOKENS = 64
_HISTORY_STEP = 0.2


def arn_type(arn):
    """"service:type" of an ARN, as ResourceTypeFilters has it."""
    parts = arn.split(":", 5)
    return parts[2] + ":" + parts[5].split("/")[0].split(":")[0]


def matches_filters(tags, filters):
    for wanted in filters:
        values = wanted.get("Values") or []
        if wanted["Key"] not in tags or values and tags[wanted["Key"]] not in values:
            return False
    return True


class TagIndex:
    def __init__(self, corrections):
        self._up = corrections
        self._lock = threading.Lock()
        self._chains = collections.OrderedDict()
        self._history = {}      # region -> deque of (time, {arn: tags})
        self._watchers = {}
        self._stopping = threading.Event()

    def reset(self):
        with self._lock:
            self._chains.clear()
            self._history.clear()

    def stop(self):
        self._stopping.set()

    @staticmethod
    def cloudformation_type(arn):
        kind = arn_type(arn)
        return _TYPES.get(kind, "AWS::" + "::".join(p.title().replace("-", "") for p in kind.split(":")))

    # One look at everything

    def look(self, region):
        found = {}
        for arn, tags in self._moto(region) + self._balancers(region) + self._groups(region):
            found[arn] = tags
        found.update(self._up.config.more_resources)
        hidden = self._up.config.tag_hidden
        found = {arn: tags for arn, tags in found.items() if not any(part in arn for part in hidden)}
        with self._up._lock:
            for arn in self._up.scheduled_secrets:
                found.pop(arn, None)
        for arn in self._dead_services(region, found):
            found.pop(arn, None)
        return found

    def _moto(self, region):
        for _ in range(5):
            try:
                return self._moto_chain(region)
            except LookupError:
                pass  # something was made in between, straight at moto
        raise RuntimeError("moto's GetResources fails for good")

    def _moto_chain(self, region):
        found, token = [], ""
        while True:
            query = {"ResourcesPerPage": 100, "TagsPerPage": 500}
            if token:
                query["PaginationToken"] = token
            page = self._up.call("tagging", region, "GetResources", query)
            found += [(r["ResourceARN"], {t["Key"]: t["Value"] for t in r["Tags"]})
                      for r in page["ResourceTagMappingList"]]
            token = page.get("PaginationToken")
            if not token:
                return found

    def _elb(self, region, action, params, element):
        from .corrections import find_all, text_of
        root = self._up.call("elasticloadbalancing", region, action, params)
        return [m for m in (text_of(e, element) for e in find_all(root, "member")) if m], text_of(root, "NextMarker")

    def _balancers(self, region):
        """Listeners and rules with their tags."""
        arns = []
        try:
            balancers, _ = self._elb(region, "DescribeLoadBalancers", {}, "LoadBalancerArn")
            for balancer in dict.fromkeys(balancers):
                listeners, _ = self._elb(region, "DescribeListeners", {"LoadBalancerArn": balancer}, "ListenerArn")
                for listener in dict.fromkeys(listeners):
                    arns += [listener, *self._rules(region, listener)]
            return self._tags_of(region, arns)
        except LookupError:
            return []  # deleted while we looked

    def _rules(self, region, listener):
        found, marker = [], None
        while True:
            params = {"ListenerArn": listener, "PageSize": 400, **({"Marker": marker} if marker else {})}
            page, marker = self._elb(region, "DescribeRules", params, "RuleArn")
            found += dict.fromkeys(page)
            if not marker:
                return found

    def _tags_of(self, region, arns):
        from .corrections import find_all, text_of
        found = []
        for start in range(0, len(arns), 20):
            params = {f"ResourceArns.member.{i + 1}": a for i, a in enumerate(arns[start:start + 20])}
            root = self._up.call("elasticloadbalancing", region, "DescribeTags", params)
            for described in find_all(root, "member"):
                arn = text_of(described, "ResourceArn")
                if arn:
                    found.append((arn, {text_of(t, "Key"): text_of(t, "Value") or ""
                                        for t in find_all(described, "member") if text_of(t, "Key")}))
        return found

    def _groups(self, region):
        found = []
        for group in self._up.call("resource-groups", region, "ListGroups", path="/groups-list").get("Groups", []):
            try:
                tags = self._up.call("resource-groups", region, "GetTags", method="GET",
                                     path=f"/resources/{quote(group['GroupArn'], safe='')}/tags").get("Tags") or {}
            except LookupError:
                continue
            found.append((group["GroupArn"], tags))
        return found

    def _dead_services(self, region, found):
        """ECS services that moto shows for ever."""
        clusters = collections.defaultdict(list)
        for arn in found:
            if arn_type(arn) == "ecs:service":
                clusters[arn.split("/")[1]].append(arn)
        for cluster, arns in clusters.items():
            try:
                described = self._up.call("ecs", region, "DescribeServices", {"cluster": cluster, "services": arns,
                                                                                "include": ["TAGS"]})
            except LookupError:
                continue
            for service in described["services"]:
                draining = (cluster, service["serviceName"]) in self._up._draining
                if service["status"] != "ACTIVE" and not draining:
                    yield service["serviceArn"]

    # With lag

    def visible(self, region):
        config = self._up.config
        if not config.tag_lag_add and not config.tag_lag_remove:
            return self.look(region)
        now = time.monotonic()
        self._watch(region)
        current = self.look(region)
        with self._lock:
            history = list(self._history.get(region, ()))
        added_since = self._at(history, now - config.tag_lag_add, {})
        removed_since = self._at(history, now - config.tag_lag_remove, {})
        shown = {a: added_since[a] for a in current if a in added_since}
        for arn, tags in removed_since.items():
            if arn not in current:
                shown[arn] = tags
        return shown

    @staticmethod
    def _at(history, moment, default):
        last = default if history and history[0][0] > moment else (history[0][1] if history else default)
        for when, found in history:
            if when > moment:
                break
            last = found
        return last

    def _watch(self, region):
        with self._lock:
            if region in self._watchers:
                return
            self._watchers[region] = threading.Thread(target=self._watcher, args=(region,), daemon=True)
            self._watchers[region].start()

    def _watcher(self, region):
        while not self._stopping.wait(_HISTORY_STEP):
            try:
                found = self.look(region)
            except (LookupError, OSError, RuntimeError):
                continue
            with self._lock:
                history = self._history.setdefault(region, collections.deque(maxlen=3000))
                history.append((time.monotonic(), found))

    def prime(self, region):
        """Lets what is there count as long known. To be called before a lag is set."""
        with self._lock:
            self._history.setdefault(region, collections.deque(maxlen=3000)).append((0.0, {}))
        found = self.look(region)
        with self._lock:
            self._history[region][0] = (0.0, found)
        self._watch(region)

    # The operation

    def matching(self, region, filters, types=(), arns=()):
        found = self.visible(region)
        result = []
        for arn in sorted(found):
            tags = found[arn]
            if arns and arn not in arns or not arns and not tags:
                continue
            if types and not any(arn_type(arn) == t or arn.split(":")[2] == t for t in types):
                continue
            if matches_filters(tags, filters):
                result.append((arn, tags))
        return result

    def get_resources(self, request):
        params = request.params
        size = int(params.get("ResourcesPerPage") or 50)
        if not 1 <= size <= 100:
            raise ValueError("ResourcesPerPage must be between 1 and 100")
        token = params.get("PaginationToken")
        if token:
            name, _, offset = token.partition(":")
            with self._lock:
                chain = self._chains[name]
            start = int(offset)
        else:
            chain = self.matching(request.region, params.get("TagFilters") or [],
                                  params.get("ResourceTypeFilters") or [], params.get("ResourceARNList") or [])
            name, start = str(uuid.uuid4()), 0
            with self._lock:
                self._chains[name] = chain
                while len(self._chains) > _KEPT_TOKENS:
                    self._chains.popitem(last=False)
        page = chain[start:start + size]
        return {"PaginationToken": f"{name}:{start + size}" if start + size < len(chain) else "",
                "ResourceTagMappingList": [
                    {"ResourceARN": arn, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
                    for arn, tags in page]}
