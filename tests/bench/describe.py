"""What the stub describes: a small item for each thing of the world that is asked for, in each API's shape."""
from tests.lib import wire

PAGE = 100


def _there(world, arn):
    return arn in world.resources


def _id(arn):
    return arn.rsplit("/", 1)[1]


def _of(world, kind):
    return [a for a, r in world.resources.items() if r.type == kind]


def _security_groups(world, request):
    known = {_id(a) for a in _of(world, "ec2:security-group")}
    wanted = [v for k, v in request.params.items() if k.startswith("Filter.1.Value.") and v in known]
    items = "".join(f"<item><groupId>{g}</groupId><groupName>{g}</groupName><ipPermissions/><tagSet/></item>" for g in wanted)
    return wire.xml_answer(request, f"<securityGroupInfo>{items}</securityGroupInfo>")


def _listed(kind, key, one, token_in, token_out, **members):
    def answer(world, request):
        if one in request.params:
            wanted = [a for a in _of(world, kind) if _id(a) == request.params[one]]
            return wire.json_answer(request, {key: [{one: _id(a), **members} for a in wanted]})
        start = int(request.params.get(token_in) or 0)
        size = min(int(request.params.get("MaxItems") or request.params.get("MaxResults")), 1000 if token_in[0] == "N" else PAGE)
        found = _of(world, kind)
        more = {token_out: str(start + size)} if start + size < len(found) else {}
        return wire.json_answer(request, {key: [{one: _id(a), **members} for a in found[start:start + size]], **more})
    return answer


def _balancing(parameter, key, one, untagged=False):
    """untagged: things that the world does not list, but that its rules and services use."""
    def answer(world, request):
        wanted = request.members(parameter)
        gone = [a for a in wanted if not untagged and not _there(world, a)]
        if gone:
            return wire.error_answer(request, 400, one.replace("Arn", "NotFound"), f"{gone[0]} not found")
        items = "".join(f"<member><{one}>{a}</{one}></member>" for a in wanted)
        return wire.xml_answer(request, f"<{key}>{items}</{key}>")
    return answer


def _clusters(world, request):
    return wire.json_answer(request, {"clusters": [{"clusterArn": a, "status": "ACTIVE"} for a in request.params["clusters"]],
                                      "failures": []})


def _services(world, request):
    wanted = [a for a in request.params["services"] if _there(world, a)]
    return wire.json_answer(request, {"services": [{"serviceArn": a, "status": "ACTIVE"} for a in wanted], "failures": []})


def _task_definition(world, request):
    arn = request.params["taskDefinition"]
    if not _there(world, arn):
        return wire.error_answer(request, 400, "ClientException", "Unable to describe task definition.")
    return wire.json_answer(request, {"taskDefinition": {"taskDefinitionArn": arn, "containerDefinitions": []}})


def _parameters(world, request):
    known = {a.split(":parameter", 1)[1] for a in _of(world, "ssm:parameter")}
    wanted = [n for n in request.params["ParameterFilters"][0]["Values"] if n in known]
    return wire.json_answer(request, {"Parameters": [{"Name": n, "Type": "String"} for n in wanted]})


def _log_groups(world, request):
    known = {a.split(":log-group:", 1)[1] for a in _of(world, "logs:log-group")}
    wanted = [n for n in request.params["logGroupIdentifiers"] if n in known]
    return wire.json_answer(request, {"logGroups": [{"logGroupName": n} for n in wanted]})


# Each is given the world and the request.
OPERATIONS = {
    "ec2:DescribeSecurityGroups": _security_groups,
    "elasticfilesystem:DescribeFileSystems":
        _listed("elasticfilesystem:file-system", "FileSystems", "FileSystemId", "Marker", "NextMarker", NumberOfMountTargets=0),
    "elasticfilesystem:DescribeAccessPoints":
        _listed("elasticfilesystem:access-point", "AccessPoints", "AccessPointId", "NextToken", "NextToken"),
    "elasticloadbalancing:DescribeLoadBalancers":
        _balancing("LoadBalancerArns", "LoadBalancers", "LoadBalancerArn", untagged=True),
    "elasticloadbalancing:DescribeListeners": _balancing("ListenerArns", "Listeners", "ListenerArn", untagged=True),
    "ecs:DescribeClusters": _clusters,
    "elasticloadbalancing:DescribeTargetGroups": _balancing("TargetGroupArns", "TargetGroups", "TargetGroupArn"),
    "elasticloadbalancing:DescribeRules": _balancing("RuleArns", "Rules", "RuleArn"),
    "ecs:DescribeServices": _services,
    "ecs:DescribeTaskDefinition": _task_definition,
    "ssm:DescribeParameters": _parameters,
    "logs:DescribeLogGroups": _log_groups,
}
