#!/bin/sh
# Builds the program that is given to others: target/release/chatrpc, without the paths of the computer
# and the name of the person that built it. Panics and assertions would carry them otherwise. No setting
# of cargo does this for everybody, since it has to name folders that are others on each computer.
set -eu

cd "$(dirname "$0")/.."
here=$(pwd -P)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)

# The last prefix that matches is the one that is taken: from the shortest to the longest.
flags="--remap-path-prefix=$HOME=~"
add() {
    # Words in this variable end with U+001F, so that a path may hold blanks.
    flags=$(printf '%s\037--remap-path-prefix=%s=%s' "$flags" "$1" "$2")
}
add "$sysroot" rust
add "$cargo_home" cargo
for folder in "$cargo_home"/registry/src/*/ "$cargo_home"/git/checkouts/*/; do
    [ -d "$folder" ] && add "${folder%/}" deps
done
add "$here" chatrpc
CARGO_ENCODED_RUSTFLAGS=$flags cargo build --release --locked --package chatrpc "$@"

program=${CARGO_TARGET_DIR:-target}/release/chatrpc
for path in "$here" "$cargo_home" "$HOME"; do
    # A home of / is in every path.
    [ "$path" = / ] && continue
    if grep -aqF -e "$path/" "$program"; then
        echo "error: $program holds the path $path" >&2
        exit 1
    fi
done
echo "$program"
