"""An account of N services with ten resources each, as wp-containers makes them, and what svcfs must show of it.

The same world, changed by the same calls, is the same everywhere: the stub answers from one copy, the test compares the
mount with another. Everything is derived from numbers, nothing from chance or time.
"""
import dataclasses
import hashlib
import json

from tests.lib.aws import ACCOUNT, REGION

FAMILY_TAG, SERVICE_TAG = "service-family", "service-id"
CLUSTER = "wordpress"


def _hex(text, length):
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _letters(text, length):
    number, found = int(_hex(text, 32), 16), ""
    while len(found) < length:
        number, digit = divmod(number, 36)
        found += "0123456789abcdefghijklmnopqrstuvwxyz"[digit]
    return found


# What each service has: the service of the ARN, the type as a filter names it, and the rest of the ARN.
KINDS = (
    ("ec2", "security-group", lambda f, s: f"security-group/sg-{_hex(s + 'sg', 17)}"),
    ("elasticfilesystem", "file-system", lambda f, s: f"file-system/fs-{_hex(s + 'fs', 17)}"),
    ("elasticfilesystem", "access-point", lambda f, s: f"access-point/fsap-{_hex(s + 'ap', 17)}"),
    ("elasticloadbalancing", "targetgroup", lambda f, s: f"targetgroup/{s}-{_hex(s, 8)}/{_hex(s + 'tg', 16)}"),
    ("elasticloadbalancing", "listener-rule",
     lambda f, s: f"listener-rule/app/wp/{_hex(f, 16)}/{_hex(f + 'l', 16)}/{_hex(s + 'rule', 16)}"),
    ("ecs", "task-definition", lambda f, s: f"task-definition/{s}-{_hex(s, 8)}:1"),
    ("ecs", "service", lambda f, s: f"service/{CLUSTER}/{s}-{_hex(s, 8)}"),
    ("secretsmanager", "secret", lambda f, s: f"secret:{f}/{s}/Secret-{_letters(s + 'secret', 6)}"),
    ("ssm", "parameter", lambda f, s: f"parameter/wp/{f}/{s}"),
    ("logs", "log-group", lambda f, s: f"log-group:/ecs/{f}/{s}"),
)
OWNERS = ("it", "library", "physics", "press")


def arn_of(service, rest):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def place(arn):
    """(SERVICE, TYPE, ID) below resources/, for the ARNs of KINDS and what the stub makes."""
    _, _, service, _, _, rest = arn.split(":", 5)
    cut = min(i for i in (rest.find("/"), rest.find(":")) if i >= 0)
    name = rest[cut + 1:].replace("%", "%25").replace("+", "%2B").replace("/", "+")
    return service, rest[:cut], name


@dataclasses.dataclass
class Resource:
    arn: str
    tags: dict
    entry: bytes = None     # as GetResources writes it; made when asked for

    def __post_init__(self):
        self.service, kind, _ = place(self.arn)
        self.type = f"{self.service}:{kind}"    # as a filter names it

    def wire(self):
        if self.entry is None:
            tags = [{"Key": k, "Value": v} for k, v in self.tags.items()]
            self.entry = json.dumps({"ResourceARN": self.arn, "Tags": tags}, separators=(",", ":")).encode()
        return self.entry


class World:
    def __init__(self, services, families=5, managed=0):
        self.resources = {}                     # ARN -> Resource, in the order in which GetResources gives them
        self.services = {}                      # id -> family
        self.owned = {}                         # id -> ARNs
        self.families = [f"wp-{n}" for n in ("containers", "shared", "press", "library", "archive", "labs")][:families]
        self.families += [f"wp-{n}" for n in range(len(self.families), families)]
        self.records = {}                       # id -> record, for the managed ones
        self.version = 0                        # grows with every change
        for family in self.families:
            balancer = arn_of("elasticloadbalancing", f"loadbalancer/app/{family}/{_hex(family, 16)}")
            self.put(balancer, {FAMILY_TAG: family, "Name": family})
        for number in range(services):
            self.add_service(self.id_of(number), self._family_of(number), number < managed)

    @staticmethod
    def id_of(number):
        return "n" + _letters(f"service {number}", 7)

    def _family_of(self, number):
        """One large family, and small ones of a hundredth each."""
        return self.families[number % 100 if number % 100 < len(self.families) else 0]

    def _tags(self, family, service, kind):
        """Four to six, as tagging policies have it."""
        number = int(_hex(service + kind, 6), 16)
        tags = {FAMILY_TAG: family, SERVICE_TAG: service, "Name": f"{service}-{kind}", "owner": OWNERS[number % 4]}
        if number % 2:
            tags["cost-center"] = str(4000 + number % 100)
        if number % 3 == 0:
            tags["environment"] = "production"
        return tags

    # Changes. Each gives nothing and stands alone; what they touch is up to the caller to know.

    def put(self, arn, tags):
        """Makes a resource, or gives it these tags. It belongs to the service that its tags name."""
        self.remove(arn)
        self.resources[arn] = Resource(arn, dict(tags))
        if SERVICE_TAG in tags:
            self.services.setdefault(tags[SERVICE_TAG], tags[FAMILY_TAG])
            self.owned.setdefault(tags[SERVICE_TAG], []).append(arn)
        self.version += 1

    def remove(self, arn):
        gone = self.resources.pop(arn, None)
        service = gone.tags.get(SERVICE_TAG) if gone else None
        if service:
            self.owned[service].remove(arn)
            if not self.owned[service]:
                del self.owned[service], self.services[service]
        self.version += 1

    def tag(self, arn, key, value):
        """Sets one tag that is not one of our two; None takes it away."""
        tags = dict(self.resources[arn].tags)
        tags.pop(key, None) if value is None else tags.__setitem__(key, value)
        self.resources[arn] = Resource(arn, tags)
        self.version += 1

    def tag_all(self, key, value):
        for arn in self.resources:
            self.tag(arn, key, value)

    def add_service(self, service, family, managed=False):
        for name, kind, rest in KINDS:
            tags, path = self._tags(family, service, kind), rest(family, service)
            if managed:
                tags |= {"management-mode": "automatic", "svcfs:claim": _letters(service + "claim", 26)}
                if name == "ssm":
                    tags["svcfs:phase"], path = "ready", f"parameter/svcfs/{service}"
            self.put(arn_of(name, path), tags)
        if managed:
            self.records[service] = self._record(service, family)

    def remove_service(self, service):
        for arn in list(self.owned[service]):
            self.remove(arn)
        self.records.pop(service, None)

    def add_resource(self, service, number):
        """One more secret."""
        family = self.services[service]
        self.put(arn_of("secretsmanager", f"secret:{family}/{service}/more{number}-{_letters(f'{service}{number}', 6)}"),
                 self._tags(family, service, f"more{number}"))

    @staticmethod
    def _record(service, family):
        """The text of the parameter /svcfs/ID (provision/record.c): a finished service with its secret."""
        return json.dumps({"v": 1, "c": _letters(service + "claim", 26), "f": family, "p": "r", "n": 0, "w": "bench",
                           "h": "bench", "t": 1700000000000, "u": 1700000060000, "l": 60000, "g": 0, "m": 5,
                           "b": _hex(family + "blueprint", 16),
                           "s": [["Secret", "secret", {"n": f"{family}/{service}/Secret"},
                                  _letters(service + "secret", 6)]],
                           "o": {"url": f"https://{service}.ou.example.edu/"}}, separators=(",", ":"))

    # What a filter of GetResources finds

    def matching(self, filters, types):
        """filters: ((key, (values…)), …), all of which must hold; types: ("ec2:security-group", "ecs", …) or ()."""
        def fits(resource):
            tags = resource.tags
            if not all(k in tags and (not values or tags[k] in values) for k, values in filters):
                return False
            return not types or resource.type in types or resource.service in types
        return [r for r in self.resources.values() if fits(r)]

    def types(self):
        """{type: how many}, of what carries a family."""
        found = {}
        for resource in self.resources.values():
            found[resource.type] = found.get(resource.type, 0) + 1
        return found

    def pages(self):
        """What a whole sweep may cost: a chain a type."""
        return sum(-(-n // 100) for n in self.types().values())

    def __len__(self):
        return len(self.resources)

    # What the mount must show

    def ids(self, family):
        return {s for s, f in self.services.items() if f == family}

    def links(self, service):
        """families/F/ID/resources"""
        return {".".join(place(arn)) for arn in self.owned[service]}

    def listing(self, service, kind):
        """resources/SERVICE/TYPE"""
        return {p[2] for p in map(place, self.resources) if p[:2] == (service, kind)}
