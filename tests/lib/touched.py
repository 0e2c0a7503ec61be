"""Who breaks if I change this, worked out from what boto3 shows: a witness that knows nothing of svcfs.

For each service all is collected that it stands on, forwards, thing by thing; turned around, that says for each thing
which services stand on it.
"""
import collections
import re


class Account:
    def __init__(self, aws, account, region):
        self.aws, self.account, self.region = aws, account, region
        self.stands_on = collections.defaultdict(set)   # ARN (or "mount-target/…") -> the same
        self.only_itself = collections.defaultdict(set) # the same, but who stands on it does not thereby stand on these
        self.tags = {}
        self._read_tags()
        for read in (self._groups, self._machines, self._balancers, self._ecs, self._files, self._databases):
            read()

    def _pages(self, client, operation, key, **parameters):
        for page in getattr(self.aws, client).get_paginator(operation).paginate(**parameters):
            yield from page[key]

    def _ec2(self, kind, identifier):
        return f"arn:aws:ec2:{self.region}:{self.account}:{kind}/{identifier}"

    def _uses(self, thing, *others):
        self.stands_on[thing].update(o for o in others if o and o != thing)

    def _read_tags(self):
        for item in self._pages("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList"):
            self.tags[item["ResourceARN"]] = {t["Key"]: t["Value"] for t in item["Tags"]}

    def _groups(self):
        for group in self._pages("ec2", "describe_security_groups", "SecurityGroups"):
            arn = self._ec2("security-group", group["GroupId"])
            self._uses(arn, self._ec2("vpc", group["VpcId"]))
            for rule in group["IpPermissions"] + group["IpPermissionsEgress"]:
                self._uses(arn, *(self._ec2("security-group", p["GroupId"]) for p in rule.get("UserIdGroupPairs", [])))
        for subnet in self._pages("ec2", "describe_subnets", "Subnets"):
            self._uses(self._ec2("subnet", subnet["SubnetId"]), self._ec2("vpc", subnet["VpcId"]))

    def _machines(self):
        for card in self._pages("ec2", "describe_network_interfaces", "NetworkInterfaces"):
            arn = self._ec2("network-interface", card["NetworkInterfaceId"])
            self._uses(arn, self._ec2("subnet", card["SubnetId"]), self._ec2("vpc", card["VpcId"]),
                       *(self._ec2("security-group", g["GroupId"]) for g in card["Groups"]))
            if card.get("Attachment", {}).get("InstanceId"):
                self._uses(arn, self._ec2("instance", card["Attachment"]["InstanceId"]))
        for reservation in self._pages("ec2", "describe_instances", "Reservations"):
            for machine in reservation["Instances"]:
                arn = self._ec2("instance", machine["InstanceId"])
                self._uses(arn, self._ec2("subnet", machine["SubnetId"]), self._ec2("vpc", machine["VpcId"]),
                           *(self._ec2("security-group", g["GroupId"]) for g in machine["SecurityGroups"]),
                           *(self._ec2("volume", d["Ebs"]["VolumeId"]) for d in machine["BlockDeviceMappings"]),
                           *(self._ec2("network-interface", c["NetworkInterfaceId"]) for c in machine["NetworkInterfaces"]))
        for volume in self._pages("ec2", "describe_volumes", "Volumes"):
            arn = self._ec2("volume", volume["VolumeId"])
            self.only_itself[arn].update(self._ec2("instance", a["InstanceId"]) for a in volume["Attachments"])

    @staticmethod
    def _targets(actions):
        for action in actions:
            yield action.get("TargetGroupArn")
            for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
                yield group["TargetGroupArn"]

    def _balancers(self):
        elb = self.aws.elbv2
        for balancer in self._pages("elbv2", "describe_load_balancers", "LoadBalancers"):
            arn = balancer["LoadBalancerArn"]
            self._uses(arn, self._ec2("vpc", balancer["VpcId"]),
                       *(self._ec2("security-group", g) for g in balancer.get("SecurityGroups", [])),
                       *(self._ec2("subnet", z["SubnetId"]) for z in balancer["AvailabilityZones"]))
            for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
                self._uses(listener["ListenerArn"], arn)
                for target in filter(None, self._targets(listener["DefaultActions"])):
                    self.only_itself[listener["ListenerArn"]].add(target)
                    self._uses(target, listener["ListenerArn"])
                for rule in self._pages("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
                    if not rule["IsDefault"]:
                        self._uses(rule["RuleArn"], listener["ListenerArn"], *self._targets(rule["Actions"]))
        for target in self._pages("elbv2", "describe_target_groups", "TargetGroups"):
            self._uses(target["TargetGroupArn"], self._ec2("vpc", target["VpcId"]), *target["LoadBalancerArns"])

    def _ecs(self):
        ecs, definitions = self.aws.ecs, set()
        for cluster in self._pages("ecs", "list_clusters", "clusterArns"):
            arns = list(self._pages("ecs", "list_services", "serviceArns", cluster=cluster))
            for start in range(0, len(arns), 10):
                for service in ecs.describe_services(cluster=cluster, services=arns[start:start + 10])["services"]:
                    network = service["networkConfiguration"]["awsvpcConfiguration"]
                    self._uses(service["serviceArn"], cluster, service["taskDefinition"],
                               *(b["targetGroupArn"] for b in service["loadBalancers"]),
                               *(self._ec2("security-group", g) for g in network["securityGroups"]),
                               *(self._ec2("subnet", s) for s in network["subnets"]))
        for family in self._pages("ecs", "list_task_definition_families", "families"):
            definitions.update(self._pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family))
        for arn in definitions:
            self._definition(arn, ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"])

    def _definition(self, arn, definition):
        here = f"{self.region}:{self.account}"
        self._uses(arn, definition.get("executionRoleArn"), definition.get("taskRoleArn"))
        for container in definition["containerDefinitions"]:
            image = re.match(rf"{self.account}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)", container["image"])
            if image:
                self._uses(arn, f"arn:aws:ecr:{image[1]}:{self.account}:repository/{image[2]}")
            for secret in container.get("secrets", []):
                origin = secret["valueFrom"]
                if ":secretsmanager:" in origin:
                    self._uses(arn, ":".join(origin.split(":")[:7]))
                else:
                    self._uses(arn, origin if origin.startswith("arn:") else f"arn:aws:ssm:{here}:parameter/{origin.lstrip('/')}")
            group = container.get("logConfiguration", {}).get("options", {}).get("awslogs-group")
            if group:
                self._uses(arn, f"arn:aws:logs:{here}:log-group:{group}")
        for volume in definition.get("volumes", []):
            files = volume.get("efsVolumeConfiguration")
            if files:
                self._uses(arn, f"arn:aws:elasticfilesystem:{here}:file-system/{files['fileSystemId']}")
                point = files.get("authorizationConfig", {}).get("accessPointId")
                if point:
                    self._uses(arn, f"arn:aws:elasticfilesystem:{here}:access-point/{point}")

    def _files(self):
        for point in self.aws.efs.describe_access_points()["AccessPoints"]:
            self._uses(point["AccessPointArn"],
                       f"arn:aws:elasticfilesystem:{self.region}:{self.account}:file-system/{point['FileSystemId']}")
        for system in self._pages("efs", "describe_file_systems", "FileSystems"):
            arn = system["FileSystemArn"]
            for target in self.aws.efs.describe_mount_targets(FileSystemId=system["FileSystemId"])["MountTargets"]:
                name = "mount-target/" + target["MountTargetId"]
                groups = self.aws.efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])
                self._uses(arn, name)
                self._uses(name, arn, self._ec2("subnet", target["SubnetId"]),
                           self._ec2("network-interface", target["NetworkInterfaceId"]),
                           *(self._ec2("security-group", g) for g in groups["SecurityGroups"]))
            if system.get("KmsKeyId", "").startswith("arn:"):
                self._uses(arn, system["KmsKeyId"])

    def _databases(self):
        rds = f"arn:aws:rds:{self.region}:{self.account}"
        for server in self._pages("rds", "describe_db_instances", "DBInstances"):
            arn, network = server["DBInstanceArn"], server.get("DBSubnetGroup") or {}
            self._uses(arn, *(self._ec2("security-group", g["VpcSecurityGroupId"]) for g in server["VpcSecurityGroups"]),
                       *(self._ec2("subnet", s["SubnetIdentifier"]) for s in network.get("Subnets", [])),
                       *(f"{rds}:pg:{g['DBParameterGroupName']}" for g in server["DBParameterGroups"]
                         if not g["DBParameterGroupName"].startswith("default")),
                       *(f"{rds}:og:{g['OptionGroupName']}" for g in server["OptionGroupMemberships"]
                         if not g["OptionGroupName"].startswith("default")))
            if network:
                self._uses(arn, f"{rds}:subgrp:{network['DBSubnetGroupName']}",
                           network.get("VpcId") and self._ec2("vpc", network["VpcId"]))
            if server.get("KmsKeyId", "").startswith("arn:"):
                self._uses(arn, server["KmsKeyId"])

    # What comes of it

    def _below(self, thing):
        """The thing and all that it stands on."""
        found, new = {thing}, [*self.stands_on.get(thing, ()), *self.only_itself.get(thing, ())]
        while new:
            other = new.pop()
            if other not in found:
                found.add(other)
                new += self.stands_on.get(other, ())
        return found

    def services(self):
        """{id: things that carry it}; {id: ids that it depends on}."""
        own, needs = collections.defaultdict(set), collections.defaultdict(set)
        for arn, tags in self.tags.items():
            service = tags.get("service-id")
            if service and "service-family" in tags:
                own[service].add(arn)
                for key, value in tags.items():
                    if re.fullmatch(r"service-dependency(-\d+)?", key):
                        needs[service].update(w.replace("=20", " ").replace("=3D", "=") for w in value.split(" ") if w)
        return own, needs

    def touched(self):
        """{thing: services that a change to it touches}."""
        own, needs = self.services()
        direct = collections.defaultdict(set)
        for service, things in own.items():
            for thing in things:
                for below in self._below(thing):
                    direct[below].add(service)
        dependents = collections.defaultdict(set)
        for service, others in needs.items():
            for other in others:
                dependents[other].add(service)
        return {thing: self._with_dependents(services, dependents) for thing, services in direct.items()}

    @staticmethod
    def _with_dependents(services, dependents):
        found, new = set(services), list(services)
        while new:
            for service in dependents.get(new.pop(), ()):
                if service not in found:
                    found.add(service)
                    new.append(service)
        return found
