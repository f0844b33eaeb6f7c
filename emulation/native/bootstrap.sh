#!/bin/sh
# Python environments and engines, exactly as locked, from nothing but Python 3.11 or newer.
# Does nothing, and needs no network, when the locks have not changed.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .stack
lock=$(cat requirements.lock emulation/localstack/requirements.lock emulation/native/bootstrap.lock \
    emulation/native/engines/*/jgo.lock.toml setup.cfg | cksum)
[ "$(cat .stack/ready 2>/dev/null)" = "$lock" ] && [ -x .venv/bin/python ] && exit 0

python=
for name in ${PYTHON3:-} python3 python3.11 python3.12 python3.13; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "Hoist needs Python 3.11 or newer; say where it is: make up PYTHON3=/path/to/python3" >&2
    exit 1
fi

echo "setting up: Python packages (about 60 MB), LocalStack (about 100 MB), engines (about 180 MB)" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
export PIP_DISABLE_PIP_VERSION_CHECK=1
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --no-deps --require-hashes \
    --requirement emulation/native/bootstrap.lock
cp .venv/bin/uv .stack/uv # a sync removes what it does not list, itself too
uv() { VIRTUAL_ENV=$1 && shift && env VIRTUAL_ENV="$VIRTUAL_ENV" .stack/uv --quiet "$@"; }

echo "1/3 Hoist's packages" >&2
uv .venv pip sync --compile-bytecode --require-hashes requirements.lock
uv .venv pip install --no-deps --no-build-isolation --editable .
echo "2/3 LocalStack's packages" >&2
[ -x .stack/localstack-venv/bin/python ] || .venv/bin/python -m venv --without-pip .stack/localstack-venv
uv .stack/localstack-venv pip sync --compile-bytecode --require-hashes emulation/localstack/requirements.lock
echo "3/3 engines" >&2
.venv/bin/python -m emulation.native.engines
echo "$lock" >.stack/ready
