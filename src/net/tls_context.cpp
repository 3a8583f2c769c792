// SPDX-License-Identifier: Apache-2.0
#include "net/tls_context.hpp"

#include <openssl/err.h>

#include <cstring>
#include <string>

namespace hks::net {

namespace {

Error tls_error(const std::string& what, const std::string& file) {
    char reason[256] = "unknown reason";
    if (const unsigned long code = ERR_get_error(); code != 0)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return Error{Errc::validation_error, "The " + what + " " + file + " cannot be used (" + reason +
                                             "). Give readable PEM files of a certificate and its key."};
}

/// Of what the client offers only http/1.1 is spoken here; a client that offers none of it is refused.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                    unsigned int in_length, void*) {
    static constexpr unsigned char wanted[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* selected = nullptr;
    if (SSL_select_next_proto(&selected, out_length, wanted, sizeof wanted, in, in_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsFiles& files) {
    ERR_clear_error();
    auto result = std::make_unique<TlsContext>();
    result->context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* context = result->context_.get();
    if (context == nullptr) return tls_error("certificate", files.certificate);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
        return tls_error("certificate", files.certificate);
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return tls_error("key", files.key);
    return result;
}

SslPtr TlsContext::make_session(int fd) const {
    SslPtr ssl(SSL_new(context_.get()));
    if (ssl && SSL_set_fd(ssl.get(), fd) != 1) ssl.reset();
    if (ssl) SSL_set_accept_state(ssl.get());
    return ssl;
}

}  // namespace hks::net
