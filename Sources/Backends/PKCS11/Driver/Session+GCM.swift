// AES-GCM in a token. Tokens agree on the 48-byte parameters with `ulIvBits` (SP 800-38D with a 96-bit IV), and on
// little else: some take the given IV, some make their own and write it back, and not all size queries are right.

import CP11Kit
import PosternProtocol

/// What AES-GCM in a token gives.
struct GCMResult: Sendable {
    let iv: [UInt8]
    let ciphertextAndTag: [UInt8]
}

extension Session {
    private static let tagBytes = 16
    /// Room for the IV that a token may write back.
    private static let ivRoom = 16

    /// Encrypts under a key of the token.
    /// - Parameter iv: 12 bytes that the token uses unless it makes its own. All zero to ask it for that.
    /// - Returns: the IV that was used, and the ciphertext with the tag.
    func encryptGCM(
        _ plaintext: SecretBytes, key: CK_OBJECT_HANDLE, iv: [UInt8], associatedData: [UInt8]
    ) throws(PKCS11Error) -> GCMResult {
        var iv = iv + [UInt8](repeating: 0, count: Self.ivRoom - iv.count)
        var associatedData = associatedData
        var output = [UInt8](repeating: 0, count: plaintext.count + Self.tagBytes)
        var outputCount = CK_ULONG(output.count)
        var ivCount: UInt = 0
        try unsafe plaintext.withUnsafeBytes { (input) throws(PKCS11Error) in
            try unsafe withGCM(&iv, count: 12, &associatedData, used: &ivCount) { (mechanism) throws(PKCS11Error) in
                try ticket.call(.encryptInit) {
                    unsafe functions.list.pointee.C_EncryptInit(handle, mechanism, key)
                }
                try ticket.call(.encrypt) {
                    unsafe functions.list.pointee.C_Encrypt(
                        handle, Self.bytes(input), UInt(input.count), &output, &outputCount)
                }
            }
        }
        guard (1...UInt(Self.ivRoom)).contains(ivCount), outputCount == output.count else {
            throw PKCS11Error(.encrypt, ReturnValue(rawValue: CKR_DATA_LEN_RANGE))
        }
        return GCMResult(iv: Array(iv.prefix(Int(ivCount))), ciphertextAndTag: output)
    }

    /// Decrypts under a key of the token.
    func decryptGCM(
        _ sealed: GCMResult, key: CK_OBJECT_HANDLE, associatedData: [UInt8]
    ) throws(PKCS11Error) -> SecretBytes {
        var iv = sealed.iv
        var associatedData = associatedData
        var input = sealed.ciphertextAndTag
        var ivCount: UInt = 0
        let count = iv.count
        // Some tokens use the room of the tag too before they check it.
        return try unsafe SecretBytes(capacity: input.count) { (output) throws(PKCS11Error) in
            var outputCount = CK_ULONG(output.count)
            try unsafe withGCM(&iv, count: count, &associatedData, used: &ivCount) { (mechanism) throws(PKCS11Error) in
                try ticket.call(.decryptInit) {
                    unsafe functions.list.pointee.C_DecryptInit(handle, mechanism, key)
                }
                try ticket.call(.decrypt) {
                    unsafe functions.list.pointee.C_Decrypt(
                        handle, &input, UInt(input.count), Self.bytes(output), &outputCount)
                }
            }
            guard outputCount <= output.count - Self.tagBytes else {
                throw PKCS11Error(.decrypt, ReturnValue(rawValue: CKR_DATA_LEN_RANGE))
            }
            return Int(outputCount)
        }
    }

    private func withGCM(
        _ iv: inout [UInt8], count: Int, _ associatedData: inout [UInt8], used: inout UInt,
        _ body: (UnsafeMutablePointer<CK_MECHANISM>) throws(PKCS11Error) -> Void
    ) throws(PKCS11Error) {
        let associatedCount = associatedData.count
        used = try unsafe iv.withUnsafeMutableBufferPointer { (iv) throws(PKCS11Error) in
            try unsafe associatedData.withUnsafeMutableBufferPointer { (associated) throws(PKCS11Error) in
                var parameters = unsafe CK_GCM_PARAMS()
                unsafe parameters.pIv = iv.baseAddress
                unsafe parameters.ulIvLen = UInt(count)
                unsafe parameters.ulIvBits = UInt(count * 8)
                unsafe parameters.pAAD = associated.baseAddress
                unsafe parameters.ulAADLen = UInt(associatedCount)
                unsafe parameters.ulTagBits = UInt(Self.tagBytes * 8)
                try unsafe withUnsafeMutablePointer(to: &parameters) { (pointer) throws(PKCS11Error) in
                    var mechanism = unsafe CK_MECHANISM(
                        mechanism: UInt(CKM_AES_GCM), pParameter: UnsafeMutableRawPointer(pointer),
                        ulParameterLen: UInt(MemoryLayout<CK_GCM_PARAMS>.size))
                    try unsafe body(&mechanism)
                }
                return unsafe parameters.ulIvLen
            }
        }
    }

    static func bytes(_ buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        unsafe buffer.assumingMemoryBound(to: UInt8.self).baseAddress
    }

    /// C takes input through pointers that are not const; it does not write there.
    static func bytes(_ buffer: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        unsafe UnsafeMutablePointer(mutating: buffer.assumingMemoryBound(to: UInt8.self).baseAddress)
    }
}
