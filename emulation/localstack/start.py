"""LocalStack, with every byte below its own stack's folder: several may run on one machine.

Run by LocalStack's own Python; LOCALSTACK_VOLUME_DIR says where.
"""

import os
from pathlib import Path

from localstack.runtime.main import main
from localstack.services.s3 import provider

if __name__ == "__main__":
    # A constant of 4.13.1, which no setting moves; stacks would share and empty each other's.
    provider.DEFAULT_S3_TMP_DIR = str(Path(os.environ["LOCALSTACK_VOLUME_DIR"]) / "s3")
    main()
