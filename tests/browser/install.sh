#!/bin/sh
# Puts in place what the browser tests need and is not there yet: Chromium with its driver (from
# the Debian or Ubuntu archive), and axe-core (from npm) in tests/browser/.tools. Safe to repeat;
# does nothing and asks nobody when all is there. Fails with a sentence when it cannot.
set -eu
cd "$(dirname "$0")"

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif has sudo && sudo -n true 2>/dev/null; then sudo -n "$@"
    else echo "install.sh: needs root for: $*" >&2; return 1
    fi
}

browser() { has chromium || has chromium-browser || has google-chrome; }

wanted=""
if ! browser || ! has chromedriver; then wanted="chromium chromium-driver fonts-dejavu-core"; fi
if ! has npm && [ ! -f .tools/node_modules/axe-core/axe.min.js ]; then wanted="$wanted npm"; fi
if [ -n "$wanted" ]; then
    has apt-get || { echo "install.sh: install by hand: $wanted" >&2; exit 1; }
    as_root apt-get update -qq
    # shellcheck disable=SC2086  # several words on purpose
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted
fi

if [ ! -f .tools/node_modules/axe-core/axe.min.js ]; then
    mkdir -p .tools
    npm install --prefix .tools --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
        "axe-core@^4.10"
fi
