#!/usr/bin/env bash
# Makes what a timestamp authority (RFC 3161) needs in the folder $1: a CA, certificates, and OpenSSL's configuration.
#
#   ca.pem              the CA: what an auditor gives `openssl ts -verify` as -CAfile
#   tsa.pem             signs timestamps
#   expired.pem         did so until the year 2021
#   untrusted.pem       is of another CA, untrusted-ca.pem
#   server.pem          for HTTPS on 127.0.0.1 and localhost
#   tsa.cnf             for `openssl ts -reply`: section tsa stamps; section rejecting knows no digest in use
set -euo pipefail
folder=${1:?folder}
mkdir -p "$folder"
cd "$folder"

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null ||
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

authority() {
    key "$1"
    openssl req -x509 -new -key "$1.key" -sha256 -days 3650 -subj "/O=Example/CN=$1" -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# issue NAME CA EXTENSIONS START END
issue() {
    key "$1"
    openssl req -new -key "$1.key" -subj "/O=Example/CN=$1" -out "$1.csr"
    printf '%s\n' "[ext]" "basicConstraints = critical,CA:FALSE" "$3" > "$1.ext"
    openssl ca -batch -notext -config issue.cnf -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
        -extfile "$1.ext" -extensions ext -startdate "$4" -enddate "$5" 2>issue.log || { cat issue.log >&2; exit 1; }
    rm "$1.csr" "$1.ext"
}

cat > issue.cnf <<'CNF'
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
organizationName = optional
commonName = supplied
CNF
: > index.txt

stamping=$'keyUsage = critical,digitalSignature\nextendedKeyUsage = critical,timeStamping'
now=$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)
later=$(date -u -d '+5 years' +%Y%m%d%H%M%SZ)
authority ca
authority untrusted-ca
issue tsa ca "$stamping" "$now" "$later"
issue expired ca "$stamping" 20200101000000Z 20210101000000Z
issue untrusted untrusted-ca "$stamping" "$now" "$later"
issue server ca $'extendedKeyUsage = serverAuth\nsubjectAltName = IP:127.0.0.1,DNS:localhost' "$now" "$later"
rm -f issue.cnf issue.log index.txt* [0-9A-F]*.pem

# The policy is under the private enterprise number that RFC 5612 keeps for documentation.
cat > tsa.cnf <<CNF
[tsa]
serial = tsa.serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[rejecting]
serial = tsa.serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.1
digests = md5
CNF
[ -e tsa.serial ] || echo 01 > tsa.serial
