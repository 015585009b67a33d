# shellcheck shell=bash
# What the commands in scripts/ share. Each sources it first: . "$(dirname "$0")/lib/common.sh"
# It changes to the root of the repository and puts Rust's tools on the PATH.
set -euo pipefail
script=$(realpath "$0")
program=${script##*/}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=/dev/null
[ ! -f "${HOME:-}/.cargo/env" ] || . "$HOME/.cargo/env"

# A message of the command.
say() { printf '%s: %s\n' "$program" "$*" >&2; }

# An error that ends the command.
die() { say "$*"; exit 1; }

# An error in how the command was called.
usage_error() { say "$*; see scripts/$program --help"; exit 2; }

# The heading of a long step.
heading() { printf '\n== %s\n' "$*" >&2; }

# Prints the comment at the top of the command and ends, if the first argument asks for help.
help_if_asked() {
    case "${1:-}" in
        -h|--help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"; exit 0 ;;
    esac
}

# cargo_tool CRATE VERSION [OPTION...]: installs a cargo subcommand into target/tools/bin, unless that version is there.
cargo_tool() {
    local crate=$1 version=$2
    [ "$("target/tools/bin/$crate" --version 2>/dev/null)" != "$crate $version" ] || return 0
    say "installing $crate $version into target/tools"
    cargo install --locked --quiet --root target/tools "$crate" --version "$version" "${@:3}"
}
