# The server of the compose stack, for HashiCorp Vault and OpenBao alike: one node with TLS and durable storage. A highly
# available one has three or five nodes, each with a retry_join stanza for the others.

storage "raft" {
  path    = "/var/lib/vault"
  node_id = "vault-1"
}

listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/etc/vault/tls/vault.pem"
  tls_key_file    = "/etc/vault/tls/vault.key"
  tls_min_version = "tls13"
}

api_addr     = "https://vault:8200"
cluster_addr = "https://vault:8201"

# HashiCorp Vault asks for this with raft storage, whose file is mapped into memory; OpenBao knows no other way, and
# warns that it does not know the setting. So neither needs IPC_LOCK, but the machine should have no unencrypted swap.
disable_mlock = true

# Here init-vault.sh unseals the server with a key from a file. In production the server should unseal itself with a key
# in an HSM or KMS, so that nobody holds what opens it; for example:
#
# seal "pkcs11" {
#   lib   = "/usr/lib/softhsm/libsofthsm2.so"
#   ...
# }

ui        = false
log_level = "info"
