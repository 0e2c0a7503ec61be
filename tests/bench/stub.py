"""A stub of AWS for scale: ten thousand services answered faster than svcfs can ask, and every call counted.

moto answers a page in 8 ms and goes through all resources for each filter; here a page is a hundred ready entries, joined.
What it knows is little: what svcfs asks when it starts, sweeps and idles, the parameters of a claim, and secrets, which a
blueprint of the bench is made of. Anything else is an error that names itself.

A token names a chain, and a chain keeps the list with which it began: a change never gives a list that is half old. The
stub runs in a process of its own, so that its Python and the test's do not wait for each other; Account is the test's side
of it, with a second copy of the same world to compare with.
"""
import collections
import multiprocessing
import re
import socketserver
import threading
import uuid
from multiprocessing.managers import BaseManager

from tests.lib import process, wire
from tests.lib.aws import ACCOUNT

from . import describe
from .world import World, arn_of

PAGE = 100
CHAINS_KEPT = 256
_CLAIM = re.compile(r"/svcfs/[^/]+")


class Stub:
    """What is asked of the account, and the knobs of the test. All of it may be called from any thread."""

    def __init__(self, **world):
        self.world = World(**world)
        self._lock = threading.Lock()
        self._waiting = threading.Condition()
        self._parameters = {f"/svcfs/{service}": text for service, text in self.world.records.items()}
        self._secrets, self._groups = {}, {}
        self._delays, self._delayed = {}, collections.Counter()
        self._lists, self._lists_of = {}, -1    # filter -> list, of one version of the world
        self._chains = collections.OrderedDict()
        self._calls = []
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.stub = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    # The test's side

    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self):
        with self._waiting:
            self._delays = None
            self._waiting.notify_all()
        self._server.shutdown()

    def change(self, method, *arguments):
        with self._lock:
            getattr(self.world, method)(*arguments)

    def delay(self, operation, seconds):
        """From now on, and counted only then; "claim" is the PutParameter that makes a record. 0: none, and those that
        wait go on."""
        with self._waiting:
            self._delays[operation] = seconds
            self._waiting.notify_all()

    def delayed(self, operation):
        """How many wait now."""
        with self._waiting:
            return self._delayed[operation]

    def calls(self):
        """[(operation, detail)…] since the last forget(): of GetResources (filters, types, number of the page)."""
        with self._lock:
            return list(self._calls)

    def forget(self):
        with self._lock:
            self._calls = []

    # One request

    def answer(self, request):
        self._wait("claim" if self._is_claim(request) else request.operation)
        function = _OPERATIONS.get(request.operation)
        with self._lock:
            if request.operation != "tagging:GetResources":     # which notes more than its name
                self._calls.append((request.operation, None))
            if request.operation in describe.OPERATIONS:
                return describe.OPERATIONS[request.operation](self.world, request)
            if function is None:
                return wire.error_answer(request, 400, "UnknownOperationException", f"no {request.operation} in the stub")
            return function(self, request)

    def _wait(self, operation):
        with self._waiting:
            delay = self._delays and self._delays.get(operation)
            if delay:
                self._delayed[operation] += 1
                self._waiting.wait_for(lambda: not (self._delays and self._delays.get(operation)), delay)
                self._delayed[operation] -= 1

    @staticmethod
    def _is_claim(request):
        return request.operation == "ssm:PutParameter" and not request.params.get("Overwrite") \
            and _CLAIM.fullmatch(request.params.get("Name", ""))

    def _identity(self, request):
        return wire.xml_answer(request, f"<Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>AIDAEXAMPLE</UserId>"
                                        f"<Account>{ACCOUNT}</Account>")

    # The tag index

    def _list_of(self, filters, types):
        if self._lists_of != self.world.version:
            self._lists, self._lists_of = {}, self.world.version
        key = (filters, types)
        if key not in self._lists:
            self._lists[key] = [r.wire() for r in self.world.matching(filters, types)]
        return self._lists[key]

    def _get_resources(self, request):
        asked = request.params
        if "ResourceARNList" in asked:      # of what is known only because something uses it
            self._calls.append((request.operation, None))
            found = [self.world.resources[a] for a in asked["ResourceARNList"] if a in self.world.resources]
            return self._page([r.wire() for r in found], "")
        filters = tuple((f["Key"], tuple(f.get("Values", ()))) for f in asked.get("TagFilters", ()))
        types = tuple(asked.get("ResourceTypeFilters", ()))
        token = asked.get("PaginationToken")
        if token:
            chain, _, offset = token.partition(".")
            entries, start = self._chains.get(chain), int(offset)
            if entries is None:
                return wire.error_answer(request, 400, "PaginationTokenExpiredException", "the chain is forgotten")
        else:
            chain, entries, start = uuid.uuid4().hex, self._list_of(filters, types), 0
        self._calls.append((request.operation, (filters, types, start // PAGE)))
        end = start + min(asked.get("ResourcesPerPage", 50), PAGE)
        more = end < len(entries)
        if more:
            self._chains[chain] = entries
            while len(self._chains) > CHAINS_KEPT:
                self._chains.popitem(last=False)
        return self._page(entries[start:end], f"{chain}.{end}" if more else "")

    @staticmethod
    def _page(entries, token):
        body = b'{"PaginationToken":"%s","ResourceTagMappingList":[%s]}' % (token.encode(), b",".join(entries))
        return wire.Answer(200, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", wire.request_id())],
                           body)

    def _get_tag_values(self, request):
        values = {r.tags[request.params["Key"]] for r in self.world.resources.values() if request.params["Key"] in r.tags}
        return wire.json_answer(request, {"PaginationToken": "", "TagValues": sorted(values)})

    def _get_tag_keys(self, request):
        keys = {k for r in self.world.resources.values() for k in r.tags}
        return wire.json_answer(request, {"PaginationToken": "", "TagKeys": sorted(keys)})

    # Resource groups: those that svcfs makes

    def _list_groups(self, request):
        found = [{"GroupName": n, "GroupArn": g["arn"]} for n, g in self._groups.items()]
        return wire.json_answer(request, {"GroupIdentifiers": found, "Groups": []})

    def _create_group(self, request):
        name = request.params["Name"]
        if name in self._groups:
            return wire.error_answer(request, 400, "BadRequestException", "Cannot create group: group already exists")
        arn = arn_of("resource-groups", f"group/{name}")
        self._groups[name] = {"arn": arn, "query": request.params["ResourceQuery"], "tags": request.params.get("Tags", {})}
        return wire.json_answer(request, {"Group": {"GroupArn": arn, "Name": name}})

    def _group(self, request):
        name = request.params.get("Group") or request.params.get("GroupName")
        return self._groups.get((name or request.rest_ids[0]).rsplit("/", 1)[-1])

    def _on_group(self, request, give):
        group = self._group(request)
        if group is None:
            return wire.error_answer(request, 404, "NotFoundException", "no such group")
        return wire.json_answer(request, give(group))

    def _get_group_query(self, request):
        return self._on_group(request, lambda g: {"GroupQuery": {"GroupName": "", "ResourceQuery": g["query"]}})

    def _get_group_tags(self, request):
        return self._on_group(request, lambda g: {"Arn": g["arn"], "Tags": g["tags"]})

    def _delete_group(self, request):
        return self._on_group(request, lambda g: self._groups.pop(g["arn"].rsplit("/", 1)[-1]) and {})

    # Parameters

    def _put_parameter(self, request):
        name, tags = request.params["Name"], {t["Key"]: t["Value"] for t in request.params.get("Tags", ())}
        if name in self._parameters and not request.params.get("Overwrite"):
            return wire.error_answer(request, 400, "ParameterAlreadyExists", "The parameter already exists.")
        self._parameters[name] = request.params["Value"]
        if tags:
            self.world.put(arn_of("ssm", "parameter" + name), tags)
        return wire.json_answer(request, {"Version": 1, "Tier": "Standard"})

    def _get_parameter(self, request):
        name = request.params["Name"]
        if name not in self._parameters:
            return wire.error_answer(request, 400, "ParameterNotFound", "")
        return wire.json_answer(request, {"Parameter": self._parameter(name)})

    def _parameter(self, name):
        return {"Name": name, "Type": "String", "Value": self._parameters[name], "Version": 1}

    def _get_parameters(self, request):
        there, gone = [], []
        for name in request.params["Names"]:
            (there if name in self._parameters else gone).append(name)
        return wire.json_answer(request, {"Parameters": [self._parameter(n) for n in there], "InvalidParameters": gone})

    def _get_parameters_by_path(self, request):
        """The token is the last name: what comes and goes between two pages shifts nothing."""
        path, after = request.params["Path"].rstrip("/") + "/", request.params.get("NextToken", "")
        names = sorted(n for n in self._parameters if n.startswith(path) and n > after)
        page = names[:request.params.get("MaxResults", 10)]
        more = {"NextToken": page[-1]} if len(names) > len(page) else {}
        return wire.json_answer(request, {"Parameters": [self._parameter(n) for n in page], **more})

    def _forget_parameter(self, name):
        self.world.remove(arn_of("ssm", "parameter" + name))
        return self._parameters.pop(name, None)

    def _delete_parameter(self, request):
        if self._forget_parameter(request.params["Name"]) is None:
            return wire.error_answer(request, 400, "ParameterNotFound", "")
        return wire.json_answer(request, {})

    def _delete_parameters(self, request):
        done = [n for n in request.params["Names"] if self._forget_parameter(n) is not None]
        return wire.json_answer(request, {"DeletedParameters": done, "InvalidParameters": []})

    def _add_tags(self, request):
        arn = arn_of("ssm", "parameter" + request.params["ResourceId"])
        if arn not in self.world.resources:
            return wire.error_answer(request, 400, "InvalidResourceId", "")
        for tag in request.params["Tags"]:
            self.world.tag(arn, tag["Key"], tag["Value"])
        return wire.json_answer(request, {})

    # Secrets

    def _secret_arn(self, name):
        """Of a name or an ARN, or None."""
        if name.startswith("arn:"):
            return name if name in self.world.resources else None
        if name not in self._secrets:
            start = arn_of("secretsmanager", f"secret:{name}-")
            self._secrets[name] = next((a for a in self.world.resources if a.startswith(start)), None)
        arn = self._secrets[name]
        return arn if arn in self.world.resources else None

    def _random_password(self, request):
        return wire.json_answer(request, {"RandomPassword": uuid.uuid4().hex})

    def _create_secret(self, request):
        name = request.params["Name"]
        if self._secret_arn(name):
            return wire.error_answer(request, 400, "ResourceExistsException", "The secret already exists.")
        arn = arn_of("secretsmanager", f"secret:{name}-{uuid.uuid4().hex[:6]}")
        self._secrets[name] = arn
        self.world.put(arn, {t["Key"]: t["Value"] for t in request.params.get("Tags", ())})
        return wire.json_answer(request, {"ARN": arn, "Name": name})

    def _on_secret(self, request, give):
        arn = self._secret_arn(request.params["SecretId"])
        if arn is None:
            return wire.error_answer(request, 400, "ResourceNotFoundException", "Secrets Manager can't find the secret.")
        return wire.json_answer(request, give(arn))

    def _describe_secret(self, request):
        def describe(arn):
            tags = self.world.resources[arn].tags
            return {"ARN": arn, "Name": arn.split(":secret:")[1][:-7],
                    "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        return self._on_secret(request, describe)

    def _delete_secret(self, request):
        def delete(arn):
            self.world.remove(arn)
            return {"ARN": arn}
        return self._on_secret(request, delete)


_OPERATIONS = {
    "sts:GetCallerIdentity": Stub._identity,
    "tagging:GetResources": Stub._get_resources,
    "tagging:GetTagValues": Stub._get_tag_values,
    "tagging:GetTagKeys": Stub._get_tag_keys,
    "resource-groups:ListGroups": Stub._list_groups,
    "resource-groups:CreateGroup": Stub._create_group,
    "resource-groups:GetGroupQuery": Stub._get_group_query,
    "resource-groups:GetTags": Stub._get_group_tags,
    "resource-groups:DeleteGroup": Stub._delete_group,
    "ssm:PutParameter": Stub._put_parameter,
    "ssm:GetParameter": Stub._get_parameter,
    "ssm:GetParameters": Stub._get_parameters,
    "ssm:GetParametersByPath": Stub._get_parameters_by_path,
    "ssm:DeleteParameter": Stub._delete_parameter,
    "ssm:DeleteParameters": Stub._delete_parameters,
    "ssm:AddTagsToResource": Stub._add_tags,
    "secretsmanager:GetRandomPassword": Stub._random_password,
    "secretsmanager:CreateSecret": Stub._create_secret,
    "secretsmanager:DescribeSecret": Stub._describe_secret,
    "secretsmanager:DeleteSecret": Stub._delete_secret,
}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass    # a client that went away; a fault of the stub is a connection that ends, which the test sees


class _Connection(socketserver.StreamRequestHandler):
    """HTTP/1.1 as curl and botocore speak it: keep-alive, a length, no chunks. http.server would take longer to read the
    headers than the stub to answer."""
    disable_nagle_algorithm = True

    def handle(self):
        while request := self._read():
            answer = self.server.stub.answer(request)
            head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
            self.connection.sendall(f"HTTP/1.1 {answer.status} -\r\nContent-Length: {len(answer.body)}\r\n{head}\r\n"
                                    .encode("latin-1") + answer.body)

    def _read(self):
        first = self.rfile.readline().decode("latin-1").split()
        if len(first) != 3:
            return None
        headers, length = [], 0
        while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")):
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
            if name.lower() == "content-length":
                length = int(value)
        return wire.Request(first[0], first[1], headers, self.rfile.read(length))


class _Manager(BaseManager):
    pass


_Manager.register("Stub", Stub)


class Account:
    """The stub in a process of its own, and the same world here: `with Account(services=1000) as account`."""

    def __init__(self, **world):
        self.world = World(**world)
        # Not forked: the test has threads, and the child would hold their locks.
        self._manager = _Manager(ctx=multiprocessing.get_context("spawn"))
        self._manager.start(initializer=process.dies_with_parent)
        self._stub = self._manager.Stub(**world)
        self.url = self._stub.url()
        self.delay, self.delayed = self._stub.delay, self._stub.delayed
        self.calls, self.forget = self._stub.calls, self._stub.forget

    def change(self, method, *arguments):
        """One of World's changes, at both."""
        getattr(self.world, method)(*arguments)
        self._stub.change(method, *arguments)

    def counts(self):
        """{operation: how often}"""
        return collections.Counter(operation for operation, _ in self.calls())

    def chains(self):
        """{(filters, types): pages} of GetResources."""
        return collections.Counter(detail[:2] for operation, detail in self.calls() if detail is not None)

    def close(self):
        self._stub.stop()
        self._manager.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
