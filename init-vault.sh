#!/usr/bin/env bash
# Prepares a HashiCorp Vault or OpenBao server for Postern, from wherever it stands. `init-vault.sh --help` says how.
#
# It looks before it writes: what is right already is left alone, what is missing is made, and what is in the way is
# named. Secrets travel in variables, pipes and 0600 files, never on a command line.
set -euo pipefail
umask 077
# Ranges in patterns mean ASCII, and a long answer is not taken for multibyte characters.
export LC_ALL=C

# Taken out of the environment, so that no program started here inherits it.
token=${VAULT_TOKEN:-}
unset VAULT_TOKEN

usage() {
    cat <<'TEXT'
usage: init-vault.sh [options]

Prepares a HashiCorp Vault or OpenBao server for Postern: initialises and unseals it if asked to, then makes a KV v2
engine, a transit key, a least-privilege policy and a login. Run it as often as you like: it completes what is missing
and changes nothing that is right. Needs bash, curl and jq.

Prints on standard output only the lines to put into Postern's environment, progress on standard error:
    eval "$(init-vault.sh --credentials-dir DIR)"

Environment:
    VAULT_ADDR             the server, https://host:port (plain http only for this machine); required
    VAULT_TOKEN            a token that may do all this; not needed if --init-file has the root token
    VAULT_CACERT           the authority of the server's certificate, a PEM file (VAULT_CAPATH: a folder)
    VAULT_CLIENT_CERT      a client certificate to show, with VAULT_CLIENT_KEY
    VAULT_NAMESPACE        the namespace to work in; it must be there

Options; each with a value can be given as INIT_VAULT_NAME_OF_OPTION in the environment too:
    --init-file FILE       initialise a server that is not, and write its unseal keys and root token to FILE, which
                           must not exist; unseal a sealed server with the keys in it
    --shares N             how many unseal keys to make (1)
    --threshold N          how many of them unseal (1)
    --kv-mount PATH        the KV v2 engine (secret)
    --transit-mount PATH   the transit engine (transit)
    --transit-key NAME     the key that wraps Postern's keys (postern)
    --policy NAME          the policy (postern)
    --approle-mount PATH   the AppRole login (approle)
    --role NAME            the role in it (postern)
    --secret-id-ttl TTL    how long a secret id is good for (720h; 0 for ever; the server allows no more than its
                           longest lease, 768h unless it is tuned)
    --credentials-dir DIR  write the credentials to files in DIR, each 0600, and keep those there that still work;
                           without it they are printed, and each run issues new ones
    --wrap-ttl TTL         write a response-wrapped secret id instead, to be unwrapped once within TTL
    --token                a periodic token instead of an AppRole login
    --timeout SECONDS      how long all of it may take (120)
    --help                 this

Exit codes: 0 done · 1 unexpected answer · 64 wrong usage · 69 no answer in time, or sealed · 73 a file cannot be
written · 77 the token was refused · 78 something is in the way.
TEXT
}

readonly usage_error=64 unavailable=69 cannot_write=73 not_allowed=77 in_the_way=78
readonly token_period=86400

with_token= # whether --token was given

say() { printf '%s\n' "$*" >&2; }

die() { # CODE MESSAGE…
    local code=$1
    shift
    printf 'init-vault.sh: %s\n' "$*" >&2
    exit "$code"
}

# --- What is wanted ---------------------------------------------------------------------------------------------------

init_file=${INIT_VAULT_INIT_FILE:-}
shares=${INIT_VAULT_SHARES:-1}
threshold=${INIT_VAULT_THRESHOLD:-1}
kv_mount=${INIT_VAULT_KV_MOUNT:-secret}
transit_mount=${INIT_VAULT_TRANSIT_MOUNT:-transit}
transit_key=${INIT_VAULT_TRANSIT_KEY:-postern}
policy=${INIT_VAULT_POLICY:-postern}
approle_mount=${INIT_VAULT_APPROLE_MOUNT:-approle}
role=${INIT_VAULT_ROLE:-postern}
secret_id_ttl=${INIT_VAULT_SECRET_ID_TTL:-720h}
credentials=${INIT_VAULT_CREDENTIALS_DIR:-}
wrap_ttl=${INIT_VAULT_WRAP_TTL:-}
timeout=${INIT_VAULT_TIMEOUT:-120}

read_options() {
    local option value
    while [ $# -gt 0 ]; do
        option=$1
        shift
        case $option in
            --help | -h) usage; exit 0 ;;
            --token) with_token=yes; continue ;;
            --*=*) value=${option#*=}; option=${option%%=*} ;;
            --*)
                [ $# -gt 0 ] || die "$usage_error" "$option needs a value; --help says which options there are."
                value=$1
                shift
                ;;
            *) die "$usage_error" "\"$option\" is not an option; --help says which there are." ;;
        esac
        case $option in
            --init-file) init_file=$value ;;
            --shares) shares=$value ;;
            --threshold) threshold=$value ;;
            --kv-mount) kv_mount=$value ;;
            --transit-mount) transit_mount=$value ;;
            --transit-key) transit_key=$value ;;
            --policy) policy=$value ;;
            --approle-mount) approle_mount=$value ;;
            --role) role=$value ;;
            --secret-id-ttl) secret_id_ttl=$value ;;
            --credentials-dir) credentials=$value ;;
            --wrap-ttl) wrap_ttl=$value ;;
            --timeout) timeout=$value ;;
            *) die "$usage_error" "\"$option\" is not an option; --help says which there are." ;;
        esac
    done
}

must_match() { # WHAT VALUE PATTERN ADVICE
    [[ $2 =~ $3 ]] || die "$usage_error" "$1 is \"$2\", which will not do: $4"
}

seconds() { # TTL, prints it in seconds
    local number=${1%[smhd]}
    case $1 in
        *d) printf '%s' $((10#$number * 86400)) ;;
        *h) printf '%s' $((10#$number * 3600)) ;;
        *m) printf '%s' $((10#$number * 60)) ;;
        *) printf '%s' $((10#$number)) ;;
    esac
}

check_options() {
    local name='^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$' path='^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$'
    local lifetime='^[0-9]{1,7}[smhd]?$' count='^[1-9][0-9]{0,2}$'
    must_match --kv-mount "$kv_mount" "$path" "give a path as in secret or team/secret."
    must_match --transit-mount "$transit_mount" "$path" "give a path as in transit."
    must_match --approle-mount "$approle_mount" "$path" "give a path as in approle."
    must_match --transit-key "$transit_key" "$name" "give a name as in postern."
    must_match --role "$role" "$name" "give a name as in postern."
    # The server keeps policy names in lower case, and would answer with another name than it was given.
    must_match --policy "$policy" '^[a-z0-9_][a-z0-9._-]{0,127}$' "give a name as in postern, in lower case."
    must_match --shares "$shares" "$count" "give a number from 1 to 255."
    must_match --threshold "$threshold" "$count" "give a number from 1 to 255."
    must_match --timeout "$timeout" '^[1-9][0-9]{0,4}$' "give seconds, as in 120."
    must_match --secret-id-ttl "$secret_id_ttl" "$lifetime" "give a duration as in 720h."
    if [ "$shares" -gt 255 ] || [ "$threshold" -gt "$shares" ]; then
        die "$usage_error" "--shares $shares --threshold $threshold: at most 255 keys, and no more needed than made."
    fi
    if [ "$shares" -gt 1 ] && [ "$threshold" -lt 2 ]; then
        die "$usage_error" "With several keys --threshold must be at least 2, or each of them would unseal alone."
    fi
    if [ -n "$wrap_ttl" ]; then
        must_match --wrap-ttl "$wrap_ttl" "$lifetime" "give a duration as in 5m."
        [ -n "$credentials" ] || die "$usage_error" \
            "--wrap-ttl needs --credentials-dir: Postern reads the wrapped secret id from a file."
        [ -z "$with_token" ] || die "$usage_error" "--wrap-ttl and --token exclude each other."
    fi
    case $policy in
        root | default) die "$usage_error" "--policy $policy: that one is the server's own; choose another name." ;;
    esac

    local example=https://vault.example.org:8200 host='(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?'
    [ -n "${VAULT_ADDR:-}" ] || die "$usage_error" "Set VAULT_ADDR to the server's address, as in $example."
    address=${VAULT_ADDR%/}
    must_match VAULT_ADDR "$address" "^https?://$host\$" "give it as in $example."
    if [[ $address == http://* && ! $address =~ ^http://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?$ ]]; then
        die "$usage_error" \
            "VAULT_ADDR is $address: tokens and unseal keys would cross the network in the clear. Use https."
    fi
    if [ -n "${VAULT_NAMESPACE:-}" ]; then
        must_match VAULT_NAMESPACE "$VAULT_NAMESPACE" '^[A-Za-z0-9_][A-Za-z0-9._/-]*$' "give it as in team-a."
    fi
    if [[ $token =~ [^[:graph:]] ]]; then
        die "$usage_error" "VAULT_TOKEN has white space in it; is it the token alone?"
    fi
    local file
    for file in "${VAULT_CACERT:-}" "${VAULT_CAPATH:-}" "${VAULT_CLIENT_CERT:-}" "${VAULT_CLIENT_KEY:-}"; do
        [ -z "$file" ] || [ -r "$file" ] ||
            die "$usage_error" "$file cannot be read; VAULT_CACERT or its like names it."
    done
    local tool
    for tool in curl jq; do
        command -v "$tool" >/dev/null || die "$usage_error" "$tool is not installed."
    done
}

# --- Talking to the server --------------------------------------------------------------------------------------------

work=
status=000 # of the last answer; 000 if there was none
answer=    # its body
trouble=   # why there was none
failure=0  # curl's exit code

prepare_to_talk() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/init-vault.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
    connection=(--silent --show-error --globoff --proto '=http,https' --connect-timeout 10)
    [ -z "${VAULT_CACERT:-}" ] || connection+=(--cacert "$VAULT_CACERT")
    [ -z "${VAULT_CAPATH:-}" ] || connection+=(--capath "$VAULT_CAPATH")
    [ -z "${VAULT_CLIENT_CERT:-}" ] || connection+=(--cert "$VAULT_CLIENT_CERT")
    [ -z "${VAULT_CLIENT_KEY:-}" ] || connection+=(--key "$VAULT_CLIENT_KEY")
    write_headers
}

# What goes with each request: `system` for the server as a whole, `headers` with namespace and token.
write_headers() {
    printf '%s\n' 'X-Vault-Request: true' 'Content-Type: application/json' 'Expect:' >"$work/system"
    {
        cat "$work/system"
        [ -z "${VAULT_NAMESPACE:-}" ] || printf 'X-Vault-Namespace: %s\n' "$VAULT_NAMESPACE"
        [ -z "$token" ] || printf 'X-Vault-Token: %s\n' "$token"
    } >"$work/headers"
}

# Makes one request and sets status, answer, trouble and failure. Redirects are not followed: they would carry the token
# to wherever the answer says.
request() { # HEADERS METHOD PATH [JSON]
    local headers=$1 method=$2 path=$3 body=${4-} left=$((timeout - SECONDS)) text
    [ "$left" -gt 0 ] || die "$unavailable" "$address did not get it done within $timeout s. At last: $(last_words)."
    [ "$left" -lt 30 ] || left=30
    local arguments=("${connection[@]}" --max-time "$left" --request "$method" --header "@$headers"
        --write-out '%{http_code}' "$address/v1/$path")
    [ -z "$body" ] || arguments+=(--data-binary @-)
    failure=0
    # Whatever the server sends, no more than 1 MiB of it is kept. The status follows it.
    text=$(
        printf '%s' "$body" | curl --disable "${arguments[@]}" 2>"$work/trouble" | head -c 1048576 | tr -d '\0'
        exit "${PIPESTATUS[1]}"
    ) || failure=$?
    case $failure in
        0)
            status=${text: -3}
            answer=${text%???}
            trouble=
            ;;
        *)
            status=000
            answer=
            trouble=$(head -c 500 "$work/trouble" | tr -cd '[:print:]')
            # curl cannot write on when the limit is reached.
            [ "$failure" -ne 23 ] || trouble="it sent more than can be the answer"
            ;;
    esac
}

ask() { request "$work/headers" "$@"; }        # METHOD PATH [JSON]
ask_server() { request "$work/system" "$@"; } # the same, of the server as a whole

# Prints what a jq program finds in the answer, nothing for null.
found() { # PROGRAM [jq options…]
    local program=$1
    shift
    printf '%s' "$answer" | jq -r "$@" "($program) // empty" 2>/dev/null ||
        die 1 "$address answered something that is not what Vault or OpenBao answer."
}

# What the server said was wrong, on one line that is safe to print.
complaint() {
    local words
    words=$(printf '%s' "$answer" | jq -j '.errors // [] | join("; ")' 2>/dev/null |
        head -c 400 | tr -s '[:space:]' ' ' | tr -cd '[:print:]') || true
    printf '%s' "${words:-no reason given}"
}

# How the last request went.
last_words() {
    case $status in
        000) printf '%s' "${trouble:-nothing was asked}" ;;
        *) printf '%s' "$status, $(complaint)" ;;
    esac
}

# Ends the run because of the last answer.
give_up() { # WHAT WAS TRIED
    case $status in
        000) die "$unavailable" "$1: no answer from $address: $trouble." ;;
        401 | 403) die "$not_allowed" "$1: the server refused the token ($(complaint)). Use one that may do this." ;;
        307 | 308)
            die "$unavailable" \
                "$1: $address is a standby that sends clients elsewhere; set VAULT_ADDR to the active server."
            ;;
        429 | 5*) die "$unavailable" "$1: $address answered $status: $(complaint)." ;;
        *) die 1 "$1: $address answered $status: $(complaint)." ;;
    esac
}

must_succeed() { # WHAT WAS TRIED
    [[ $status == 2?? ]] || give_up "$1"
}

# --- The server: answering, initialised, unsealed, active -------------------------------------------------------------

await_server() {
    local told=
    while true; do
        # Every state of the server is answered with 200, so that whatever else comes is not from it.
        ask_server GET \
            'sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200&drsecondarycode=200'
        [ "$status" != 200 ] || break
        case $failure in
            51 | 58 | 59 | 60 | 77 | 82 | 83 | 90 | 91)
                die "$unavailable" \
                    "No trusted connection to $address: $trouble. VAULT_CACERT must name its certificate's authority."
                ;;
            *) [ -n "$told" ] || say "waiting for $address: $(last_words)" ;;
        esac
        told=yes
        sleep 0.5
    done
    is_initialised=$(found 'if .initialized == true then "yes" elif .initialized == false then "no" else null end')
    is_sealed=$(found 'if .sealed == true then "yes" elif .sealed == false then "no" else null end')
    [ -n "$is_initialised" ] && [ -n "$is_sealed" ] || die 1 "$address answers, but not as Vault or OpenBao do."
    ask_server GET sys/seal-status
    seal=$(found .type)
    seal=${seal//[^[:alnum:]_-]/}
}

initialise() {
    [ -n "$init_file" ] || die "$in_the_way" \
        "$address is not initialised. Give --init-file FILE to do that; the unseal keys and the root token go to FILE."
    [ ! -e "$init_file" ] || die "$in_the_way" \
        "$address is not initialised, but $init_file exists. It is of another server or former storage: move it away."
    local body kept directory
    directory=$(dirname -- "$init_file")
    if ! mkdir -p -- "$directory" 2>/dev/null || ! kept=$(mktemp "$directory/.init-vault.XXXXXX" 2>/dev/null); then
        die "$cannot_write" "$directory cannot be written; nothing was initialised."
    fi
    # A full disk shows now, while there is nothing to lose.
    if ! { head -c 16384 /dev/zero >"$kept" && sync "$kept"; } 2>/dev/null; then
        rm -f -- "$kept"
        die "$cannot_write" "$directory has no room; nothing was initialised."
    fi
    if [ "$seal" = shamir ]; then
        body=$(jq -nc --argjson n "$shares" --argjson t "$threshold" '{secret_shares: $n, secret_threshold: $t}')
    else
        body=$(jq -nc --argjson n "$shares" --argjson t "$threshold" '{recovery_shares: $n, recovery_threshold: $t}')
    fi
    ask_server PUT sys/init "$body"
    if [ "$status" != 200 ]; then
        rm -f -- "$kept"
        [ "$status" != 000 ] || die "$unavailable" \
            "No answer to the initialisation: $trouble. If the server is initialised now, its keys are lost:" \
            "empty its storage and start again."
        give_up "initialising"
    fi
    if ! { printf '%s\n' "$answer" >"$kept" && sync "$kept"; } 2>/dev/null; then
        die "$cannot_write" \
            "The unseal keys could not be written to $kept and are lost: empty the server's storage and start again."
    fi
    # A link, because it never replaces what came to be there meanwhile.
    ln -- "$kept" "$init_file" 2>/dev/null || die "$cannot_write" \
        "$init_file could not be made; the unseal keys and the root token are in $kept."
    rm -f -- "$kept"
    say "initialised $address; its unseal keys and root token are in $init_file"
    if [ "$seal" = shamir ]; then
        say "WARNING: $init_file has all that opens this server: $threshold of its $shares keys unseal it."
        say "WARNING: For production, let the server unseal itself with a KMS or HSM, or make several keys"
        say "WARNING: (--shares 5 --threshold 3) and give them to different people."
    else
        say "WARNING: $init_file has the recovery keys and the root token: move it to a safe place."
    fi
    # A token from the environment cannot be of a server that was just made.
    token=
    is_sealed=yes
}

unseal() {
    # A server with a seal of its own opens it when it can; await_active waits for that.
    [ "$seal" = shamir ] || return 0
    [ -n "$init_file" ] || die "$unavailable" "$address is sealed. Unseal it, or give --init-file FILE with its keys."
    [ -r "$init_file" ] || die "$unavailable" "$address is sealed, and there is no $init_file to have its keys."
    local keys key
    keys=$(jq -r '(.keys_base64 // .keys // [])[]' "$init_file" 2>/dev/null) || keys=
    [ -n "$keys" ] || die "$unavailable" "$address is sealed, and $init_file has no unseal keys. Unseal it another way."
    while IFS= read -r key; do
        ask_server PUT sys/unseal "$(printf '%s' "$key" | jq -Rc '{key: .}')"
        if [[ $status == 4?? ]]; then
            die "$in_the_way" "The keys in $init_file do not open $address: $(complaint)."
        fi
        must_succeed "unsealing"
        is_sealed=$(found 'if .sealed == false then "no" else "yes" end')
        [ "$is_sealed" = yes ] || break
    done <<<"$keys"
    [ "$is_sealed" = no ] || die "$unavailable" "$address is still sealed: it wants more keys than $init_file has."
    say "unsealed $address"
}

choose_token() {
    if [ -z "$token" ] && [ -n "$init_file" ] && [ -r "$init_file" ]; then
        token=$(jq -r '.root_token // empty' "$init_file" 2>/dev/null) || token=
    fi
    [ -n "$token" ] || die "$usage_error" \
        "Set VAULT_TOKEN to a token that may prepare $address${init_file:+; $init_file has none}."
    [[ ! $token =~ [^[:graph:]] ]] || die "$usage_error" "The root token in $init_file is not one."
    write_headers
}

# A server that was just unsealed takes a moment to elect itself; a refused token is refused at once.
await_active() {
    while true; do
        ask GET auth/token/lookup-self
        case $status in
            200) return ;;
            000 | 429 | 5*) sleep 0.3 ;;
            *) give_up "checking the token" ;;
        esac
    done
}

# --- Engines ----------------------------------------------------------------------------------------------------------

mounted() { # LIST PATH, prints type and version of what is mounted there
    ask GET "$1"
    must_succeed "listing what is mounted"
    # shellcheck disable=SC2016 # The $ is jq's.
    found '(.data // .)[$path] | if . then "\(.type) \(.options.version // "")" else null end' --arg path "$2/"
}

taken() { # PATH TYPE OPTION
    die "$in_the_way" "$1 is of type $(printf '%s' "${2% *}" | tr -cd '[:print:]'). Choose another path with $3."
}

prepare_kv() {
    local there
    there=$(mounted sys/mounts "$kv_mount")
    case $there in
        "kv 2") ;;
        "kv "*)
            die "$in_the_way" \
                "$kv_mount/ is a KV version 1 engine, and Postern needs version 2. Choose another path with" \
                "--kv-mount, or upgrade this one (vault kv enable-versioning $kv_mount), which changes how its other" \
                "users must ask."
            ;;
        "")
            ask POST "sys/mounts/$kv_mount" \
                '{"type":"kv","options":{"version":"2"},"description":"secrets behind Postern"}'
            must_succeed "making the KV v2 engine $kv_mount/"
            say "made the KV v2 engine $kv_mount/"
            ;;
        *) taken "$kv_mount/" "$there" --kv-mount ;;
    esac
    # A new version 2 engine first upgrades its storage, and refuses everything meanwhile.
    while true; do
        ask GET "$kv_mount/config"
        case $status in
            200) return ;;
            000 | 400 | 429 | 5*) sleep 0.3 ;;
            *) give_up "waiting for $kv_mount/ to be ready" ;;
        esac
    done
}

prepare_transit() {
    local there flaw
    there=$(mounted sys/mounts "$transit_mount")
    case $there in
        "transit "*) ;;
        "")
            ask POST "sys/mounts/$transit_mount" '{"type":"transit","description":"keys of Postern"}'
            must_succeed "making the transit engine $transit_mount/"
            say "made the transit engine $transit_mount/"
            ;;
        *) taken "$transit_mount/" "$there" --transit-mount ;;
    esac
    ask GET "$transit_mount/keys/$transit_key"
    if [ "$status" = 404 ]; then
        ask POST "$transit_mount/keys/$transit_key" \
            '{"type":"aes256-gcm96","exportable":false,"allow_plaintext_backup":false,"derived":false}'
        must_succeed "making the key $transit_mount/$transit_key"
        say "made the key $transit_mount/$transit_key"
        ask GET "$transit_mount/keys/$transit_key"
    fi
    must_succeed "reading the key $transit_mount/$transit_key"
    # None of these can be taken back from a key that has it.
    flaw=$(found '.data | if .type != "aes256-gcm96" then "is of type \(.type)" elif .exportable then "can be exported"
        elif .allow_plaintext_backup then "can be backed up in plaintext" elif .derived then "wants a context"
        else null end')
    [ -z "$flaw" ] || die "$in_the_way" \
        "The key $transit_mount/$transit_key $(printf '%s' "$flaw" | tr -cd '[:print:]'), so it is not one to protect" \
        "Postern's keys. Choose another name with --transit-key."
    flaw=$(found '.data.deletion_allowed == true')
    [ -z "$flaw" ] ||
        say "WARNING: the key $transit_mount/$transit_key may be deleted, and with it all that is under it"
}

# --- Rights -----------------------------------------------------------------------------------------------------------

# All that Postern may do. Calls that carry a client's own token use that token's rights, and need nothing here.
policy_text() {
    cat <<TEXT
# Postern's rights. Written by init-vault.sh, which puts back what is changed here.

# Secrets and their versions.
path "$kv_mount/data/*" { capabilities = ["create", "read", "update", "delete"] }
path "$kv_mount/delete/*" { capabilities = ["update"] }
path "$kv_mount/undelete/*" { capabilities = ["update"] }
path "$kv_mount/destroy/*" { capabilities = ["update"] }

# What is known about them, and their names.
path "$kv_mount/metadata/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
path "$kv_mount/metadata/" { capabilities = ["list"] }
path "$kv_mount/config" { capabilities = ["read"] }

# One key, to be used and not to be changed.
path "$transit_mount/keys/$transit_key" { capabilities = ["read"] }
path "$transit_mount/encrypt/$transit_key" { capabilities = ["update"] }
path "$transit_mount/decrypt/$transit_key" { capabilities = ["update"] }
path "$transit_mount/rewrap/$transit_key" { capabilities = ["update"] }

# Its own token.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
TEXT
}

prepare_policy() {
    local wanted there
    wanted=$(policy_text)
    ask GET "sys/policies/acl/$policy"
    [ "$status" = 404 ] || must_succeed "reading the policy $policy"
    there=
    [ "$status" = 404 ] || there=$(found '.data.policy')
    [ "$there" != "$wanted" ] || return 0
    ask PUT "sys/policies/acl/$policy" "$(printf '%s' "$wanted" | jq -Rsc '{policy: .}')"
    must_succeed "writing the policy $policy"
    say "wrote the policy $policy"
}

prepare_role() {
    local there wanted
    there=$(mounted sys/auth "$approle_mount")
    case $there in
        "approle "*) ;;
        "")
            ask POST "sys/auth/$approle_mount" '{"type":"approle","description":"how Postern logs in"}'
            must_succeed "enabling AppRole at $approle_mount/"
            say "enabled AppRole at $approle_mount/"
            ;;
        *) taken "auth/$approle_mount/" "$there" --approle-mount ;;
    esac
    # shellcheck disable=SC2016 # The $ are jq's.
    wanted=$(jq -nc --arg policy "$policy" --argjson ttl "$(seconds "$secret_id_ttl")" '{
        bind_secret_id: true, secret_id_num_uses: 0, secret_id_ttl: $ttl, token_policies: [$policy],
        token_no_default_policy: true, token_ttl: 3600, token_max_ttl: 86400, token_num_uses: 0}')
    ask GET "auth/$approle_mount/role/$role"
    [ "$status" = 404 ] || must_succeed "reading the role $role"
    # shellcheck disable=SC2016 # The $ are jq's.
    [ "$status" = 404 ] || there=$(found '.data as $there | all($wanted | to_entries[]; $there[.key] == .value)' \
        --argjson wanted "$wanted")
    if [ "$status" = 404 ] || [ -z "$there" ]; then
        ask POST "auth/$approle_mount/role/$role" "$wanted"
        must_succeed "writing the role $role"
        say "wrote the role $role"
    fi
    ask GET "auth/$approle_mount/role/$role/role-id"
    must_succeed "reading the id of the role $role"
    role_id=$(found '.data.role_id')
    must_be_plain "the role id" "$role_id"
}

# --- Credentials ------------------------------------------------------------------------------------------------------

# What the server gives goes into files and lines that others read: only what cannot be misread is taken.
must_be_plain() { # WHAT VALUE
    [[ $2 =~ ^[A-Za-z0-9._=+/-]{1,2048}$ ]] || die 1 "$address answered something that cannot be $1."
}

prepare_credentials() {
    [ -n "$credentials" ] || return 0
    mkdir -p -- "$credentials" 2>/dev/null && credentials=$(cd -- "$credentials" && pwd) && [ -w "$credentials" ] ||
        die "$cannot_write" "The credentials cannot be written to $credentials."
}

# Replaces a file as a whole, so that nobody reads half of it.
keep() { # NAME VALUE
    local new
    if ! new=$(mktemp "$credentials/.new.XXXXXX" 2>/dev/null) ||
        ! { printf '%s\n' "$2" >"$new" && mv -f -- "$new" "$credentials/$1"; } 2>/dev/null; then
        die "$cannot_write" "$credentials/$1 cannot be written."
    fi
    say "wrote $credentials/$1"
}

kept() { # NAME, prints what the file has
    if [ -n "$credentials" ] && [ -r "$credentials/$1" ]; then head -c 4096 "$credentials/$1" | tr -d '\r\n\0'; fi
}

# Prints a body of one member, with a value that must not be an argument.
body_of() { # NAME VALUE
    printf '%s' "$2" | jq -Rc --arg name "$1" '{($name): .}'
}

# A secret id that still works is kept until a third of its time is left.
secret_id_is_good() { # SECRET_ID
    local lifetime age
    lifetime=$(seconds "$secret_id_ttl")
    [ "$lifetime" -le 2764800 ] || lifetime=2764800
    age=$((lifetime * 2 / 3 / 60))
    [ -n "$1" ] || return 1
    [ "$lifetime" -eq 0 ] || [ -z "$(find "$credentials/secret-id" -mmin "+$age")" ] || return 1
    ask POST "auth/$approle_mount/role/$role/secret-id/lookup" "$(body_of secret_id "$1")"
    [ "$status" = 200 ] && [ -n "$(found '.data | has("secret_id_num_uses")')" ]
}

issue_secret_id() {
    secret_id=$(kept secret-id)
    if secret_id_is_good "$secret_id"; then return 0; fi
    ask POST "auth/$approle_mount/role/$role/secret-id" '{}'
    must_succeed "issuing a secret id for the role $role"
    secret_id=$(found '.data.secret_id')
    must_be_plain "a secret id" "$secret_id"
    if [ -n "$credentials" ]; then keep secret-id "$secret_id"; else say "issued a secret id"; fi
}

issue_wrapped_secret_id() {
    local headers=$work/wrapping
    { cat "$work/headers" && printf 'X-Vault-Wrap-TTL: %s\n' "$(seconds "$wrap_ttl")"; } >"$headers"
    request "$headers" POST "auth/$approle_mount/role/$role/secret-id" '{}'
    must_succeed "issuing a wrapped secret id for the role $role"
    local wrapped
    wrapped=$(found '.wrap_info.token')
    must_be_plain "a wrapping token" "$wrapped"
    keep wrapped-secret-id "$wrapped"
    say "it must be unwrapped within $wrap_ttl, and can be once"
}

token_is_good() { # TOKEN
    [ -n "$1" ] || return 1
    ask POST auth/token/lookup "$(body_of token "$1")"
    # shellcheck disable=SC2016 # The $ is jq's.
    [ "$status" = 200 ] && [ -n "$(found '.data | .policies == [$policy] and .period > 0 and .orphan' \
        --arg policy "$policy")" ]
}

issue_token() {
    service_token=$(kept token)
    if token_is_good "$service_token"; then return 0; fi
    # shellcheck disable=SC2016 # The $ are jq's.
    ask POST auth/token/create-orphan "$(jq -nc --arg policy "$policy" --arg period "${token_period}s" \
        '{policies: [$policy], no_default_policy: true, period: $period, renewable: true, display_name: "postern"}')"
    must_succeed "issuing a token"
    service_token=$(found '.auth.client_token')
    must_be_plain "a token" "$service_token"
    if [ -n "$credentials" ]; then keep token "$service_token"; else say "issued a token"; fi
    say "it lives for $((token_period / 3600)) h after each renewal"
}

# --- What Postern needs in its environment ----------------------------------------------------------------------------

export_line() { printf 'export %s=%q\n' "$1" "$2"; } # NAME VALUE

absolute() { # FILE
    case $1 in
        /*) printf '%s' "$1" ;;
        *) printf '%s/%s' "$PWD" "$1" ;;
    esac
}

print_environment() {
    export_line POSTERN_BACKEND_KIND vault
    export_line VAULT_ADDR "$address"
    [ -z "${VAULT_CACERT:-}" ] || export_line VAULT_CACERT "$(absolute "$VAULT_CACERT")"
    [ -z "${VAULT_CAPATH:-}" ] || export_line VAULT_CAPATH "$(absolute "$VAULT_CAPATH")"
    [ -z "${VAULT_NAMESPACE:-}" ] || export_line VAULT_NAMESPACE "$VAULT_NAMESPACE"
    export_line POSTERN_BACKEND_VAULT_MOUNT "$kv_mount"
    # Counts where envelope.enabled is true.
    export_line POSTERN_ENVELOPE_KEYS "transit=$transit_mount/$transit_key"
    if [ -n "$with_token" ]; then
        export_line POSTERN_BACKEND_VAULT_AUTH_METHOD token
        if [ -n "$credentials" ]; then
            export_line POSTERN_BACKEND_VAULT_TOKEN_FILE "$credentials/token"
        else
            export_line VAULT_TOKEN "$service_token"
        fi
        return
    fi
    export_line POSTERN_BACKEND_VAULT_AUTH_METHOD approle
    export_line POSTERN_BACKEND_VAULT_AUTH_MOUNT "$approle_mount"
    if [ -z "$credentials" ]; then
        export_line POSTERN_BACKEND_VAULT_AUTH_ROLE_ID "$role_id"
        export_line POSTERN_BACKEND_VAULT_AUTH_SECRET_ID "$secret_id"
        return
    fi
    export_line POSTERN_BACKEND_VAULT_AUTH_ROLE_ID_FILE "$credentials/role-id"
    if [ -n "$wrap_ttl" ]; then
        export_line POSTERN_BACKEND_VAULT_AUTH_WRAPPED_SECRET_ID_FILE "$credentials/wrapped-secret-id"
    else
        export_line POSTERN_BACKEND_VAULT_AUTH_SECRET_ID_FILE "$credentials/secret-id"
    fi
}

# --- All of it --------------------------------------------------------------------------------------------------------

read_options "$@"
check_options
SECONDS=0
prepare_to_talk
prepare_credentials
await_server
[ "$is_initialised" = yes ] || initialise
[ "$is_sealed" = no ] || unseal
choose_token
await_active
prepare_kv
prepare_transit
prepare_policy
if [ -n "$with_token" ]; then
    issue_token
else
    prepare_role
    if [ -n "$credentials" ] && [ "$(kept role-id)" != "$role_id" ]; then keep role-id "$role_id"; fi
    if [ -n "$wrap_ttl" ]; then issue_wrapped_secret_id; else issue_secret_id; fi
fi
say "$address is ready for Postern"
print_environment
