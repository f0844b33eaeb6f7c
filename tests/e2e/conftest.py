"""Storage as only a test may see it: behind the service's back."""

import boto3
import pytest
from botocore.config import Config


@pytest.fixture(scope="session")
def s3(stack):
    return boto3.client(
        "s3",
        endpoint_url=stack.settings["AWS_ENDPOINT_URL"],
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )
