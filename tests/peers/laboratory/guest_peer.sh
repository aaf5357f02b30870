#!/bin/sh
# In a guest: strongSwan with the kernel's ESP, and echoes, until a file `done` stands beside the guest's output.
#
#   guest_peer.sh DIRECTORY   strongswan.conf, swanctl.conf and `network`, a batch for ip, stand there; charon.log goes to the output
set -eu
here=$(dirname "$0")
modprobe -a esp4 esp6 xfrm_user
ip -batch "$1/network"
export STRONGSWAN_CONF="$1/strongswan.conf" SWANCTL_DIR="$1"
/usr/lib/ipsec/charon 2> "$KERNEL_LAB_OUT/charon.log" &
until [ -S "$1/vici" ]; do sleep 0.1; done
swanctl --load-all --noprompt --uri "unix://$1/vici" --file "$1/swanctl.conf"
/usr/bin/python3 -I "$here/echo.py" serve 0.0.0.0 &
until [ -e "$KERNEL_LAB_OUT/done" ]; do sleep 0.2; done
ip -s xfrm state
