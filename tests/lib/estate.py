"""A larger account: 200 services in 5 families that share clusters, load balancers, databases, groups, file systems
and images; laid with boto3. Who shares what goes by numbers, so that every kind of sharing occurs."""
from .aws import ACCOUNT, REGION, ecs_tags, tags

FAMILIES = ("web", "shop", "wiki", "blog", "lab")
SERVICES = 200


def _sg(aws, vpc, name, own=None):
    specifications = [{"ResourceType": "security-group", "Tags": tags(**own)}] if own else []
    return aws.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc,
                                         TagSpecifications=specifications)["GroupId"]


def _allow(aws, group, *others):
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": g} for g in others]}])


class Estate:
    def __init__(self, aws, services=SERVICES):
        self.aws, self.n = aws, services
        self._network()
        self._shared()
        self._databases()
        self.groups = []
        for number in range(services):
            self._service(number)
        self._machines()

    def own(self, number):
        return {"service_id": f"s{number:03}", "service_family": FAMILIES[number % len(FAMILIES)]}

    def _network(self):
        ec2 = self.aws.ec2
        self.vpcs = [ec2.create_vpc(CidrBlock=f"10.{i}.0.0/16")["Vpc"]["VpcId"] for i in (60, 61)]
        self.subnets = [ec2.create_subnet(VpcId=self.vpcs[i // 2], CidrBlock=f"10.{60 + i // 2}.{i}.0/24",
                                          AvailabilityZone=REGION + "ab"[i % 2])["Subnet"]["SubnetId"] for i in range(4)]

    def _shared(self):
        aws = self.aws
        self.clusters = ["estate-a", "estate-b", "estate-c"]
        for i, name in enumerate(self.clusters):
            aws.ecs.create_cluster(clusterName=name, tags=ecs_tags(tags(service_family=FAMILIES[i])) if i else [])
        self.front = _sg(aws, self.vpcs[0], "front")
        self.nfs = _sg(aws, self.vpcs[0], "nfs")
        self.balancers, self.listeners = [], []
        for i in range(3):
            made = aws.elbv2.create_load_balancer(Name=f"estate-{i}", Subnets=self.subnets[:2], SecurityGroups=[self.front],
                                                  **({"Tags": tags(service_family=FAMILIES[i])} if i else {}))
            self.balancers.append(made["LoadBalancers"][0]["LoadBalancerArn"])
        main = aws.elbv2.create_target_group(Name="main-site", Protocol="HTTP", Port=80, VpcId=self.vpcs[0],
                                             TargetType="ip", Tags=tags(service_id="main", service_family="web"))
        self.main = main["TargetGroups"][0]["TargetGroupArn"]
        for i, balancer in enumerate(self.balancers):
            action = {"Type": "forward", "TargetGroupArn": self.main} if i == 0 else \
                {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
            self.listeners.append(aws.elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80,
                                                            DefaultActions=[action])["Listeners"][0]["ListenerArn"])
        self.systems = [aws.efs.create_file_system(CreationToken=f"estate-{i}",
                                                   Tags=tags(service_family=FAMILIES[i]))["FileSystemId"] for i in range(2)]
        self.systems.append(aws.efs.create_file_system(CreationToken="estate-own", Tags=tags(**self.own(7)))["FileSystemId"])
        for i, system in enumerate(self.systems):
            group = _sg(aws, self.vpcs[0], f"mounts-{i}")
            for subnet in self.subnets[:2]:
                aws.efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[group])
        self.images = ["estate/php", "estate/node", "estate/java"]
        for name in self.images:
            aws.ecr.create_repository(repositoryName=name)
        aws.ssm.put_parameter(Name="/estate/settings", Value="x", Type="String")

    def _databases(self):
        aws = self.aws
        self.db_groups = [_sg(aws, self.vpcs[0], f"db-{i}") for i in range(2)]
        aws.rds.create_db_subnet_group(DBSubnetGroupName="estate", DBSubnetGroupDescription="x", SubnetIds=self.subnets[:2])
        for i, name in enumerate(("db-a", "db-b")):
            aws.rds.create_db_instance(DBInstanceIdentifier=name, Engine="mariadb", EngineVersion="10.11.8",
                                       DBInstanceClass="db.t3.small", AllocatedStorage=20, MasterUsername="admin",
                                       MasterUserPassword="a secret of the test", DBSubnetGroupName="estate",
                                       VpcSecurityGroupIds=[self.db_groups[i]],
                                       Tags=tags(service_id=name, service_family="lab"))

    def _needs(self, number):
        """service-dependency: databases, the neighbour now and then, and somebody who is not there."""
        needs = ["db-a"] if number % 3 == 0 else []
        needs += ["db-b"] if number % 7 == 0 else []
        needs += [f"s{number - 1:03}"] if number % 10 == 5 else []
        needs += ["nobody"] if number == 42 else []
        return {"service_dependency": " ".join(needs)} if needs else {}

    def _service(self, number):
        aws, own = self.aws, self.own(number)
        name = own["service_id"]
        pairs = tags(**own, **self._needs(number))
        group = _sg(aws, self.vpcs[0], name, own)
        self.groups.append(group)
        _allow(aws, group, self.front, *([self.groups[number - 1]] if number % 5 == 4 else []))
        target = aws.elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self.vpcs[0], TargetType="ip",
                                               Tags=tags(**own))["TargetGroups"][0]["TargetGroupArn"]
        aws.elbv2.create_rule(ListenerArn=self.listeners[number % 3], Priority=number + 1, Tags=tags(**own),
                              Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"{name}.example.edu"]}}],
                              Actions=[{"Type": "forward", "TargetGroupArn": target}])
        secret = aws.secretsmanager.create_secret(Name=f"{name}/db", SecretString="x",
                                                  Tags=tags(**own) if number % 2 else [])["ARN"]
        aws.ecs.register_task_definition(**self._definition(number, name, secret), tags=ecs_tags(tags(**own)))
        aws.ecs.create_service(
            cluster=self.clusters[number % 3], serviceName=name, taskDefinition=name, desiredCount=1, launchType="FARGATE",
            tags=ecs_tags(pairs), loadBalancers=[{"targetGroupArn": target, "containerName": "web", "containerPort": 80}],
            networkConfiguration={"awsvpcConfiguration": {
                "subnets": self.subnets[:1 + number % 2], "securityGroups": [group] + ([self.nfs] if number % 4 == 0 else [])}})

    def _definition(self, number, name, secret):
        container = {
            "name": "web", "memory": 256, "portMappings": [{"containerPort": 80}],
            "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{self.images[number % 3]}:1" if number % 9 else "nginx:1",
            "secrets": [{"name": "P", "valueFrom": secret + ":password::"},
                        {"name": "Q", "valueFrom": "/estate/settings"}][:1 + (number % 2)],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": f"/ecs/{FAMILIES[number % 5]}"}}}
        volumes = []
        if number % 4 == 0:
            volume = {"fileSystemId": self.systems[number % 8 // 4]}
            if number % 8 == 0:
                point = self.aws.efs.create_access_point(ClientToken=name, FileSystemId=self.systems[0])["AccessPointId"]
                volume.update(transitEncryption="ENABLED", authorizationConfig={"accessPointId": point})
            volumes = [{"name": "files", "efsVolumeConfiguration": volume}]
        return dict(family=name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
                    volumes=volumes, containerDefinitions=[container],
                    executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/execution",
                    **({"taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/task-{number % 5}"} if number % 2 else {}))

    def _machines(self):
        """Two instances: one a service's own, one that a family shares; in the other network."""
        ec2 = self.aws.ec2
        group = _sg(self.aws, self.vpcs[1], "machines")
        image = ec2.describe_images()["Images"][0]["ImageId"]
        for own in ({"service_id": "batch", "service_family": "lab"}, {"service_family": "lab"}):
            ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.small", SubnetId=self.subnets[2],
                              SecurityGroupIds=[group],
                              TagSpecifications=[{"ResourceType": "instance", "Tags": tags(**own)}])
