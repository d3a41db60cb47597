// The header in which a caller sends a token of the store's own, to be passed through to it.

import PosternGRPCTransport
import PosternProtocol

/// Reads the header. What is wrong with a token is said without any of it.
enum StoreCredentialHeader {
    static let name = "x-vault-token"
    static let maximumBytes = 4_096

    /// The token, if the caller sent one.
    /// - Throws: `invalid_argument` if it is none, or there are several: which of them counts must not be a guess.
    static func read(_ metadata: RPCMetadata) throws(SecretError) -> SecretBytes? {
        guard !metadata.isEmpty else { return nil }
        var values = metadata.values(name).makeIterator()
        guard let value = values.next() else { return nil }
        guard values.next() == nil else {
            throw SecretError(.invalidArgument, "The header \(name) came more than once; send one token.")
        }
        let token = SecretBytes(copying: value)
        guard (1...maximumBytes).contains(token.count), token.isVisibleASCII else {
            throw SecretError(
                .invalidArgument,
                "The header \(name) is not a token: it must be 1 to \(maximumBytes) visible ASCII "
                    + "characters.")
        }
        return token
    }
}
