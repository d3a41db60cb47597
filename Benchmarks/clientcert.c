/* Gives any OpenSSL client program a client certificate: every SSL_CTX it makes
   loads CLIENT_CERT and CLIENT_KEY (PEM paths) from the environment.
   h2load, which has no option for one, runs with this in LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/ssl.h>
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method) {
  static SSL_CTX *(*real)(const SSL_METHOD *);
  if (!real) real = (SSL_CTX * (*)(const SSL_METHOD *)) dlsym(RTLD_NEXT, "SSL_CTX_new");
  SSL_CTX *ctx = real(method);
  const char *cert = getenv("CLIENT_CERT"), *key = getenv("CLIENT_KEY");
  if (ctx && cert && key &&
      (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
       SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)) {
    fprintf(stderr, "clientcert: cannot load %s and %s\n", cert, key);
    exit(1);
  }
  return ctx;
}
