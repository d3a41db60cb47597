// Keys in a token: decrypt, sign, wrap, unwrap, generate.

import CP11Kit
import PosternProtocol

extension Session {
    /// Decrypts in one go.
    func decrypt(
        _ input: [UInt8], key: CK_OBJECT_HANDLE, _ mechanism: Mechanism
    ) throws(PKCS11Error) -> SecretBytes {
        var input = input
        return try unsafe SecretBytes(capacity: input.count) { (output) throws(PKCS11Error) in
            var count = CK_ULONG(output.count)
            try unsafe mechanism.withMechanism { (mechanism) throws(PKCS11Error) in
                try ticket.call(.decryptInit) { unsafe functions.list.pointee.C_DecryptInit(handle, mechanism, key) }
                try ticket.call(.decrypt) {
                    unsafe functions.list.pointee.C_Decrypt(
                        handle, &input, UInt(input.count), Self.bytes(output), &count)
                }
            }
            return min(Int(count), output.count)
        }
    }

    /// Signs in one go.
    /// - Parameter capacity: the most bytes that a signature may have.
    func sign(
        _ input: [UInt8], key: CK_OBJECT_HANDLE, _ mechanism: Mechanism, capacity: Int
    ) throws(PKCS11Error) -> [UInt8] {
        var input = input
        var signature = [UInt8](repeating: 0, count: capacity)
        var count = CK_ULONG(capacity)
        try unsafe mechanism.withMechanism { (mechanism) throws(PKCS11Error) in
            try ticket.call(.signInit) { unsafe functions.list.pointee.C_SignInit(handle, mechanism, key) }
            try ticket.call(.sign) {
                unsafe functions.list.pointee.C_Sign(handle, &input, UInt(input.count), &signature, &count)
            }
        }
        return Array(signature.prefix(Int(count)))
    }

    /// Wraps a key of the token under another.
    /// - Parameter capacity: the most bytes that the wrapped key may have.
    func wrap(
        _ key: CK_OBJECT_HANDLE, under wrappingKey: CK_OBJECT_HANDLE, _ mechanism: Mechanism, capacity: Int
    ) throws(PKCS11Error) -> [UInt8] {
        var wrapped = [UInt8](repeating: 0, count: capacity)
        var count = CK_ULONG(capacity)
        try unsafe mechanism.withMechanism { (mechanism) throws(PKCS11Error) in
            try ticket.call(.wrapKey) {
                unsafe functions.list.pointee.C_WrapKey(handle, mechanism, wrappingKey, key, &wrapped, &count)
            }
        }
        return Array(wrapped.prefix(Int(count)))
    }

    /// Unwraps a key into the token.
    func unwrap(
        _ wrapped: [UInt8], under wrappingKey: CK_OBJECT_HANDLE, _ mechanism: Mechanism, as template: Template
    ) throws(PKCS11Error) -> CK_OBJECT_HANDLE {
        var wrapped = wrapped
        return try unsafe mechanism.withMechanism { (mechanism) throws(PKCS11Error) in
            try unsafe template.withAttributes { (attributes, count) throws(PKCS11Error) in
                var key: CK_OBJECT_HANDLE = 0
                try ticket.call(.unwrapKey) {
                    unsafe functions.list.pointee.C_UnwrapKey(
                        handle, mechanism, wrappingKey, &wrapped, UInt(wrapped.count), attributes, count, &key)
                }
                return key
            }
        }
    }

    /// Generates a secret key in the token.
    func generateKey(_ mechanism: Mechanism, _ template: Template) throws(PKCS11Error) -> CK_OBJECT_HANDLE {
        try unsafe mechanism.withMechanism { (mechanism) throws(PKCS11Error) in
            try unsafe template.withAttributes { (attributes, count) throws(PKCS11Error) in
                var key: CK_OBJECT_HANDLE = 0
                try ticket.call(.generateKey) {
                    unsafe functions.list.pointee.C_GenerateKey(handle, mechanism, attributes, count, &key)
                }
                return key
            }
        }
    }

    /// Generates a key pair in the token.
    func generateKeyPair(
        _ mechanism: Mechanism, publicKey: Template, privateKey: Template
    ) throws(PKCS11Error) -> (publicKey: CK_OBJECT_HANDLE, privateKey: CK_OBJECT_HANDLE) {
        try unsafe mechanism.withMechanism { (mechanism) throws(PKCS11Error) in
            try unsafe publicKey.withAttributes { (publicAttributes, publicCount) throws(PKCS11Error) in
                try unsafe privateKey.withAttributes { (privateAttributes, privateCount) throws(PKCS11Error) in
                    var pair: (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) = (0, 0)
                    try ticket.call(.generateKeyPair) {
                        unsafe functions.list.pointee.C_GenerateKeyPair(
                            handle, mechanism, publicAttributes, publicCount, privateAttributes, privateCount,
                            &pair.0, &pair.1)
                    }
                    return (pair.0, pair.1)
                }
            }
        }
    }
}
