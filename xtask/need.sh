# Installs what a script of this repository needs; sourced by `run` and `test`.
# shellcheck shell=sh

# need PACKAGE...: installs the Debian packages that are missing, and says so before it does.
need() {
    missing=
    for package in "$@"; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0

    if ! command -v apt-get >/dev/null 2>&1; then
        echo "This is not Debian: please install what matches$missing, if it is missing." >&2
        return 0
    fi

    as_root=
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "Missing:$missing. Install them as root: apt-get install$missing" >&2
            exit 1
        fi
        # Without a terminal nobody can type a password.
        as_root=sudo
        [ -t 0 ] || as_root='sudo -n'
    fi

    echo "Installing with ${as_root:+$as_root }apt-get:$missing" >&2
    # The lists are words to be split.
    # shellcheck disable=SC2086
    {
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >&2
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $missing </dev/null >&2
    }
}

# need_rust: finds cargo and what it needs to link.
need_rust() {
    command -v cargo >/dev/null 2>&1 || PATH="$PATH:$HOME/.cargo/bin"
    if ! command -v cargo >/dev/null 2>&1; then
        echo "Rust is missing: install it with rustup, then start this again." >&2
        exit 1
    fi
    command -v cc >/dev/null 2>&1 || need gcc libc6-dev
}
