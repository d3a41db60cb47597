#!/usr/bin/env bash
# Issues the certificates of the compose stack with `postern pki`, and puts each where only its owner reads it. Run it as
# often as you like: it makes what is missing, and anew what has been there for RENEW_DAYS of its 90 days.
#
# A site with an authority of its own needs none of this: mount its certificates instead.
set -euo pipefail
umask 077

authority=${AUTHORITY_DIR:-/var/lib/authority}
trust=${TRUST_DIR:-/etc/postern/trust}
vault_tls=${VAULT_TLS_DIR:-/etc/vault/tls}
vault_data=${VAULT_DATA_DIR:-/var/lib/vault}
postern_tls=${POSTERN_TLS_DIR:-/etc/postern/tls}
clients=${CLIENTS_DIR:-/etc/postern/clients}
# USER:GROUP in numbers: what the server runs as in the images of both Vault and OpenBao, and what Postern runs as.
vault_owner=${VAULT_OWNER:-100:1000}
postern_owner=${POSTERN_OWNER:-10001:10001}
renew_days=${RENEW_DAYS:-60}

# Puts a file where another user reads it, whole or not at all. With no more rights than to change owners, the folder
# must stay this user's own.
hand_over() { # FROM TO OWNER MODE
    rm -f -- "$2.new"
    cp -- "$1" "$2.new"
    chmod "$4" "$2.new"
    chown "$3" "$2.new"
    mv -f -- "$2.new" "$2"
}

issue() { # NAME FOLDER OWNER [options of postern pki issue]
    local name=$1 folder=$2 owner=$3
    shift 3
    if [ -e "$folder/$name.key" ] && [ -e "$folder/$name.pem" ] &&
        [ -z "$(find "$folder/$name.pem" -mtime "+$renew_days")" ]; then
        return
    fi
    postern pki issue "$name" --directory "$authority" --days 90 --replace "$@"
    hand_over "$authority/$name.pem" "$folder/$name.pem" "$owner" 0644
    hand_over "$authority/$name.key" "$folder/$name.key" "$owner" 0600
    rm -f -- "$authority/$name.pem" "$authority/$name.key"
}

# Volumes are there already, and may belong to others.
for folder in "$authority" "$trust" "$vault_tls" "$vault_data" "$postern_tls" "$clients"; do
    [ -d "$folder" ] || install -d -m 0755 -- "$folder"
done
[ -e "$authority/ca.key" ] || postern pki init --directory "$authority" --name "Postern compose CA"
cmp -s -- "$authority/ca.pem" "$trust/ca.pem" || hand_over "$authority/ca.pem" "$trust/ca.pem" "$(id -u):$(id -g)" 0644

issue vault "$vault_tls" "$vault_owner" --server-dns vault localhost --server-ip 127.0.0.1
issue server "$postern_tls" "$postern_owner" --server-dns postern localhost --server-ip 127.0.0.1 ::1
for client in gateway billing rate-limiter operator; do
    issue "$client" "$clients" "$postern_owner" --spiffe "spiffe://compose.postern/$client"
done

# A new volume belongs to root; the server, which does not run as root, must write there.
if [ "$(stat -L -c %u:%g -- "$vault_data")" != "$vault_owner" ]; then
    chmod 0700 "$vault_data"
    chown "$vault_owner" "$vault_data"
fi
echo "certificates are in place"
