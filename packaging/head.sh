#!/bin/sh
# moby: one file that unpacks itself once and then only starts what it unpacked.
#   MOBY_DIST=FOLDER    where it is unpacked; otherwise /var/lib/moby/dist for root and ~/.cache/moby/dist for others
sha=@SHA256@
fail() { echo "moby: $1" >&2; exit 125; }

dist=${MOBY_DIST:-}
if [ -z "$dist" ]; then
    if [ -w /var/lib ]; then dist=/var/lib/moby/dist
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then dist=$XDG_CACHE_HOME/moby/dist
    elif [ -n "${HOME:-}" ]; then dist=$HOME/.cache/moby/dist
    else fail 'HOME is not set: name a folder to unpack into with MOBY_DIST'
    fi
fi
home=$dist/$sha

if [ ! -d "$home" ]; then (
    umask 077
    mkdir -p "$dist" || fail "cannot unpack into $dist: name another folder with MOBY_DIST"
    [ -O "$dist" ] || fail "$dist belongs to someone else: name another folder with MOBY_DIST"
    # The lock dies with its holder; whatever an earlier holder left half-made is rubbish.
    true 2>/dev/null 9>"$dist/lock" || fail "cannot write to $dist: name another folder with MOBY_DIST"
    exec 9>"$dist/lock"
    flock 9 || fail "cannot lock $dist/lock"
    [ ! -d "$home" ] || exit 0
    rm -rf "$dist"/*.part
    payload() { tail -n +@LINE@ "$0"; }
    [ "$(payload | sha256sum)" = "$sha  -" ] || fail "$0 is damaged: fetch it again"
    mkdir "$home.part" && payload | tar -xz -C "$home.part" --no-same-owner && mv "$home.part" "$home" || {
        rm -rf "$home.part"
        fail "cannot unpack into $dist: make room there, or name another folder with MOBY_DIST"
    }
) || exit; fi
[ -O "$home" ] && [ -O "$dist" ] || fail "$home belongs to someone else: name another folder with MOBY_DIST"
exec "$home/moby" "$@"
# What follows is a gzip-compressed tar archive.
