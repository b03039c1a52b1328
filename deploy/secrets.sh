#!/bin/sh
# Makes what compose.yaml keeps secret, once; what is there stays as it is. The files
# belong to the user 1000, as whom the containers run, and only that user reads them.
set -eu
umask 077
cd "$(dirname "$0")"

owner=1000
user=$(id -u)
if [ "$user" != "$owner" ] && [ "$user" != 0 ]; then
    echo "secrets.sh: run it as root, because the files must belong to user $owner" >&2
    exit 1
fi

mkdir -p secrets
for name in groundswell_secret kafka_password grafana_password; do
    file=secrets/$name
    if [ ! -e "$file" ]; then
        # Without a newline: Kafka takes the file as it is.
        od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file"
        chmod 400 "$file"
        echo "wrote deploy/$file"
    fi
done
[ "$user" != 0 ] || chown -R "$owner:$owner" secrets
