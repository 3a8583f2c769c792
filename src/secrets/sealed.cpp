// SPDX-License-Identifier: Apache-2.0
#include "sealed.hpp"

#include <hks/core/ids.hpp>

#include <openssl/evp.h>

#include <memory>

namespace hks::secrets {

namespace {

constexpr size_t nonce_size = 12;
constexpr size_t tag_size = 16;

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Context make_context() {
    return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
}
const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

Error no_cipher() {
    return Error(Errc::internal, "AES-256-GCM failed in this OpenSSL. Check the OpenSSL that is installed.");
}

}  // namespace

Result<std::string> seal(std::string_view key, std::string_view clear, std::string_view associated) {
    auto context = make_context();
    std::string out(nonce_size + clear.size() + tag_size, '\0');
    random_bytes(out.data(), nonce_size);
    int size = 0;
    bool ok = key.size() == key_size && context != nullptr &&
              EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(out)) == 1 &&
              EVP_EncryptUpdate(context.get(), nullptr, &size, bytes(associated),
                                static_cast<int>(associated.size())) == 1 &&
              EVP_EncryptUpdate(context.get(), bytes(out) + nonce_size, &size, bytes(clear),
                                static_cast<int>(clear.size())) == 1 &&
              EVP_EncryptFinal_ex(context.get(), bytes(out) + nonce_size + clear.size(), &size) == 1 &&
              EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_size,
                                  bytes(out) + nonce_size + clear.size()) == 1;
    if (!ok) return no_cipher();
    return out;
}

Result<Clear> unseal(std::string_view key, std::string_view sealed, std::string_view associated) {
    Error refused(Errc::provider_error, "The sealed value does not open with this key.");
    if (sealed.size() < nonce_size + tag_size) return refused;
    auto context = make_context();
    size_t length = sealed.size() - nonce_size - tag_size;
    // One spare byte: OpenSSL wants a place to write to, even for nothing.
    std::string out(length + 1, '\0');
    std::string tag(sealed.substr(nonce_size + length));
    int size = 0;
    bool ready =
        key.size() == key_size && context != nullptr &&
        EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(sealed)) == 1 &&
        EVP_DecryptUpdate(context.get(), nullptr, &size, bytes(associated),
                          static_cast<int>(associated.size())) == 1 &&
        EVP_DecryptUpdate(context.get(), bytes(out), &size, bytes(sealed) + nonce_size,
                          static_cast<int>(length)) == 1 &&
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_size, bytes(tag)) == 1;
    bool authentic = ready && EVP_DecryptFinal_ex(context.get(), bytes(out) + length, &size) == 1;
    Clear clear;
    if (authentic) clear = Clear(std::string_view(out).substr(0, length));
    OPENSSL_cleanse(out.data(), out.size());
    if (!ready) return no_cipher();
    if (!authentic) return refused;
    return clear;
}

}  // namespace hks::secrets
