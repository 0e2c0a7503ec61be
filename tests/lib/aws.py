"""boto3 clients to an endpoint with dummy credentials: the witness, which asks moto and never svcfs."""
import boto3
from botocore.config import Config

REGION = "eu-central-1"
ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLEEXAMPLE12", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ACCOUNT = "123456789012"


class Aws:
    """Attribute access gives a client: aws.ec2, aws.elbv2, aws.resource_groups."""

    def __init__(self, url, region=REGION):
        if not url.startswith("http://127.0.0.1:"):
            raise ValueError("the laboratory speaks to 127.0.0.1 only")
        self.url, self.region = url, region
        self._session = boto3.session.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                                              region_name=region)
        self._clients = {}

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._clients:
            config = Config(retries={"max_attempts": 3}, connect_timeout=10, read_timeout=60, proxies={})
            self._clients[name] = self._session.client(name.replace("_", "-"), endpoint_url=self.url, config=config)
        return self._clients[name]

    @property
    def tagging(self):
        return self.resourcegroupstaggingapi

    def tagged(self, **tags):
        """{ARN: tags} of what carries these tags (with _ for - in the keys)."""
        filters = [{"Key": k.replace("_", "-"), "Values": [v]} for k, v in tags.items()]
        found = {}
        for page in self.tagging.get_paginator("get_resources").paginate(TagFilters=filters):
            for item in page["ResourceTagMappingList"]:
                found[item["ResourceARN"]] = {t["Key"]: t["Value"] for t in item["Tags"]}
        return found


def tags(**values):
    """[{"Key": …, "Value": …}] with _ for - in the keys."""
    return [{"Key": k.replace("_", "-"), "Value": v} for k, v in values.items()]


def ecs_tags(pairs):
    """The same as ECS spells them."""
    return [{"key": t["Key"], "value": t["Value"]} for t in pairs]
