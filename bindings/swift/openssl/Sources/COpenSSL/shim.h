// OpenSSL, with its macros as functions: Swift sees no macros that take arguments.
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

static inline long shim_set_host_name(SSL *ssl, const char *host) {
    return SSL_set_tlsext_host_name(ssl, host);
}

static inline long shim_require_tls12(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
