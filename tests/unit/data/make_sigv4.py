"""Writes sigv4.json: requests and what botocore makes of them in each of the three stages.

Run it with botocore installed: python3 make_sigv4.py > sigv4.json
"""
import datetime
import json
import sys
from unittest import mock

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2026, 11, 22, 12, 0, 0, tzinfo=datetime.timezone.utc)

CASES = [
    # name, service, region, method, path, query, headers, body, token
    ("vanilla", "service", "us-east-1", "GET", "/", "", {}, "", None),
    ("json", "ssm", "eu-central-1", "POST", "/", "",
     {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.PutParameter"},
     '{"Name":"/svcfs/n91bet54","Value":"ä"}', None),
    ("form", "ec2", "eu-central-1", "POST", "/", "",
     {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     "Action=DescribeVpcs&Version=2016-11-15", None),
    ("path-colon", "resource-groups", "eu-central-1", "GET",
     "/resources/arn%3Aaws%3Aresource-groups%3Aeu-central-1%3A123456789012%3Agroup%2Fa%20b/tags",
     "", {}, "", None),
    ("query-unsorted", "elasticfilesystem", "eu-central-1", "GET", "/2015-02-01/mount-targets",
     "MountTargetId=fsmt-1&FileSystemId=fs-1&MaxItems=10", {}, "", None),
    ("query-valueless", "elasticfilesystem", "eu-central-1", "GET", "/x", "b&a=&a=1&c", {}, "", None),
    ("query-repeated", "elasticfilesystem", "eu-central-1", "DELETE",
     "/2015-02-01/resource-tags/fs-1", "tagKeys=b&tagKeys=a%2Fb&tagKeys=a", {}, "", None),
    ("query-prefix", "elasticfilesystem", "eu-central-1", "GET", "/", "ab=1&a=2&a-b=3&a.b=4", {}, "", None),
    ("header-prefix", "service", "us-east-1", "POST", "/", "",
     {"X-Amz": "1", "X-Amz-A": "2", "X-Amz-A-B": "3", "Content-Type": "text/plain"}, "x", None),
    ("header-spaces", "service", "us-east-1", "POST", "/", "",
     {"Content-Type": "text/plain;   charset=utf-8 ", "X-Amz-Meta": "  a   b  "}, "x", None),
    ("dots", "service", "us-east-1", "GET", "/a/./b/../c//d/", "", {}, "", None),
    ("token", "sts", "us-east-1", "POST", "/", "",
     {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     "Action=GetCallerIdentity&Version=2011-06-15", "FwoGZXIvYXdzEXAMPLE/+=="),
    ("tilde", "service", "us-east-1", "GET", "/~a-b_c.d", "x=~a-b_c.d", {}, "", None),
]


def make(name, service, region, method, path, query, headers, body, token):
    url = "https://example.amazonaws.com:8443" + path + ("?" + query if query else "")
    request = AWSRequest(method=method, url=url, data=body.encode(), headers=dict(headers))
    signer = auth.SigV4Auth(Credentials(KEY_ID, SECRET, token), service, region)
    with mock.patch.object(auth, "get_current_datetime", lambda: NOW):
        signer.add_auth(request)
    canonical = signer.canonical_request(request)
    signed = {k: v for k, v in request.headers.items() if k != "Authorization"}
    del request.headers["Authorization"]
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    signed.setdefault("Host", "example.amazonaws.com:8443")
    signature = signer.signature(to_sign, request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return {
        "name": name, "service": service, "region": region, "method": method, "path": path,
        "query": query, "headers": [[k, v] for k, v in signed.items()], "body": body,
        "date": "20261122T120000Z", "key_id": KEY_ID, "secret": SECRET,
        "canonical_request": canonical, "string_to_sign": to_sign,
        "authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20261122/{region}/{service}/aws4_request, "
                         f"SignedHeaders={names}, Signature={signature}",
    }


json.dump([make(*case) for case in CASES], sys.stdout, indent=1, ensure_ascii=False)
print()
