#!/bin/sh
# Python environments and engines, exactly as locked, from nothing but Python 3.11 or newer.
# Does nothing, and needs no network, when the locks have not changed and the folder has not moved.
set -eu
cd "$(dirname "$0")/../.."
here=$(pwd -P)
lock=$(cat requirements.lock emulation/localstack/requirements.lock emulation/native/bootstrap.lock \
    emulation/native/engines/*/jgo.lock.toml setup.cfg | cksum)
say() { echo "$*" >&2; }
has_moved() { [ -e .stack/home ] && [ "$(cat .stack/home)" != "$here" ]; }
is_done() { [ "$(cat .stack/ready 2>/dev/null)" = "$lock" ] && [ -x .venv/bin/python ] && ! has_moved; }
is_done && exit 0

if ! mkdir -p .stack 2>/dev/null || [ ! -w .stack ] || [ ! -w . ]; then
    say "cannot write to $here: put Hoist into a folder of your own, and try again there"
    exit 1
fi
python=
for name in ${PYTHON3:-} python3 python3.11 python3.12 python3.13; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    say "Hoist needs Python 3.11 or newer; say where it is: make up PYTHON3=/path/to/python3"
    exit 1
fi

# One at a time: a link is made in one step, and names who made it.
until ln -s "$$" .stack/setting-up 2>/dev/null; do
    other=$(readlink .stack/setting-up || true)
    if [ -z "$other" ] || kill -0 "$other" 2>/dev/null; then
        [ -n "${told:-}" ] || say "waiting for another setup of this folder (pid $other)"
        told=yes
        sleep 1
    else
        rm -f .stack/setting-up
    fi
done
finish() {
    code=$?
    rm -f .stack/setting-up
    [ "$code" -eq 0 ] || say "setup is not complete. Try again with: make up (what is here is kept)"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
is_done && exit 0

rm -f .stack/ready
! has_moved || rm -rf .venv .stack/localstack-venv # their scripts hold the old path
say "setting up: Python packages (about 110 MB), LocalStack (about 100 MB), engines (about 110 MB)"
export PIP_DISABLE_PIP_VERSION_CHECK=1
if ! [ -x .venv/bin/uv ]; then
    say "0/3 uv, which fetches packages"
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --no-deps --require-hashes \
        --requirement emulation/native/bootstrap.lock
fi
cp .venv/bin/uv .stack/uv # a sync removes what it does not list, itself too

# uv's own lines show what arrives; the list of everything it installed is left out.
uv() {
    VIRTUAL_ENV=$1 && shift
    code=$({ { env VIRTUAL_ENV="$VIRTUAL_ENV" .stack/uv "$@" 3>&- 2>&1 || echo $? >&3; } |
        sed -e '/^ [-+~] /d' -e '/^Using Python/d' -e 's/^ */      /' >&2; } 3>&1)
    return "${code:-0}"
}
say "1/3 Hoist's packages"
uv .venv pip sync --compile-bytecode --require-hashes requirements.lock
uv .venv pip install --no-deps --no-build-isolation --editable .
say "2/3 LocalStack's packages"
[ -x .stack/localstack-venv/bin/python ] || .venv/bin/python -m venv --without-pip .stack/localstack-venv
uv .stack/localstack-venv pip sync --compile-bytecode --require-hashes emulation/localstack/requirements.lock
say "3/3 engines"
.venv/bin/python -m emulation.native.engines
echo "$here" >.stack/home
echo "$lock" >.stack/ready
