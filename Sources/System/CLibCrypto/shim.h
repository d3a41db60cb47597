// The part of OpenSSL's libcrypto that Postern uses: X.509 revocation lists (RFC 5280 §5).
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
