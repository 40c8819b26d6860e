#!/usr/bin/env bash
# Makes docs/screen.txt, the picture in the README, from a real conversation of three people.
# Needs tmux and a release build; everything stays on the loopback.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD/target/release/chatrpc
home=$(mktemp -d)
port=7421
socket=chatrpc-screen-$$
screen() { tmux -L "$socket" -f /dev/null "$@"; }
trap 'screen kill-server 2>/dev/null || true; kill "$nodeset" 2>/dev/null || true; rm -rf "$home"' EXIT

"$program" nodeset --listen "127.0.0.1:$port" >/dev/null 2>&1 &
nodeset=$!
sleep 0.5
join() {
    screen new-session -d -s "$1" -x 80 -y "$2" "exec env HOME=$home XDG_STATE_HOME=$home CHATRPC_NO_LAN=1 TERM=screen-256color \
        LANG=C.UTF-8 $program chat 127.0.0.1:$port -n $1 --ephemeral --config none --listen 127.0.0.1:0"
    sleep 1
}
say() { screen send-keys -t "=$1:" -l "$2"; screen send-keys -t "=$1:" Enter; sleep 0.3; }

join alice 24
join bob 24
join carol 24
say bob "alice: morning! did the failover test pass?"
say alice "yes, 3 of 3. details: https://example.org/runs/1842?tab=log&from=0"
say carol "/me packs the spare radio"
say carol "/msg alice the red one is broken, don't tell the captain"
say bob "你好世界, said the new antenna"
kill -KILL "$(screen list-panes -t =carol: -F '#{pane_pid}')"
say alice "then bring cable, please"
screen send-keys -t =alice: -l "and a fres"
sleep 0.5
screen capture-pane -p -t =alice: | sed 's/ *$//' > docs/screen.txt
cat docs/screen.txt
