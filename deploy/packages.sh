# shellcheck shell=bash disable=SC2034
# Debian packages, sourced by deploy/quickstart and tests/run. Nothing is asked of apt when all are there.

# To build: a C compiler, libclang for bindgen, the libraries under the signature checks.
BUILD_PACKAGES=(git ca-certificates gcc libc6-dev pkg-config libclang-dev nettle-dev libgmp-dev libgpgme-dev)

# To run: a server to push to, and gpgsm for X.509 signatures.
RUN_PACKAGES=(git openssh-server openssh-client gpgsm gpg-agent)

# To test: the other servers, a directory, the makers of keys, a clock that can be set, a C++ compiler for the fuzzer,
# and a counter of instructions.
TEST_PACKAGES=("${RUN_PACKAGES[@]}" gnupg dirmngr openssl gitolite3 nginx-light fcgiwrap faketime procps curl g++ valgrind
    slapd ldap-utils)

# need PACKAGE… : installs what is missing, saying what.
need() {
    local missing=() as_root=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "these packages are missing; install them as root, then start again:" >&2
            echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo -n)
    fi
    echo "installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq </dev/null
    # The services that come along (sshd, nginx, slapd) are wanted as programs: nothing is started on this machine.
    local deny=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$deny" ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin "$deny"
    fi
    local code=0
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null >/dev/null || code=$?
    [ -z "$ours" ] || "${as_root[@]}" rm -f "$deny"
    return "$code"
}
