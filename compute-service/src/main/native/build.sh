#!/bin/sh
# Compiles the page shim and the supervisor into the given directory: build.sh OUTDIR
# Does nothing when both are newer than every source.
set -eu

out=${1:?usage: build.sh OUTDIR}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cc=${CC:-cc}
mkdir -p "$out"

# Is some file of this directory newer than what was built?
stale() {
    [ ! -f "$1" ] || [ -n "$(find "$here" -type f -newer "$1")" ]
}

if ! stale "$out/libebb_page_shim.so" && ! stale "$out/ebb-supervise"; then
    exit 0
fi

if ! command -v "$cc" >/dev/null 2>&1 ||
    ! printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | "$cc" -x c -fsyntax-only - 2>/dev/null; then
    echo "The page shim needs a C compiler and the C library's headers: apt-get install gcc libc6-dev (or set CC)" >&2
    exit 1
fi

flags='-std=gnu11 -O2 -Wall -Wextra -Werror -U_FORTIFY_SOURCE'
# shellcheck disable=SC2086
"$cc" $flags -fPIC -shared -pthread -fvisibility=hidden -o "$out/libebb_page_shim.so.tmp" \
    "$here/page_shim.c" "$here/arena.c" "$here/blocks.c" "$here/files.c" "$here/paths.c" "$here/agent.c" -ldl
# shellcheck disable=SC2086
"$cc" $flags -o "$out/ebb-supervise.tmp" "$here/ebb_supervise.c"
mv "$out/libebb_page_shim.so.tmp" "$out/libebb_page_shim.so"
mv "$out/ebb-supervise.tmp" "$out/ebb-supervise"
