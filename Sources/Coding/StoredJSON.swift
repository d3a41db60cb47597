// Postern's own small records in the store, as JSON in the field `value`, changed by compare-and-set.

import FoundationEssentials
package import PosternProtocol

/// Records under reserved paths.
package enum StoredJSON {
    /// Reads a record.
    /// - Returns: the record and its version in the store; nil where there is none, or it was deleted.
    package static func read<Value: Decodable>(
        _: Value.Type, _ path: SecretPath, from store: any SecretBackend, deadline: Deadline
    ) async throws(SecretError) -> (value: Value, version: Int)? {
        let stored: SecretVersion
        do {
            stored = try await store.read(path, version: nil, deadline: deadline)
        } catch  where error.code == .notFound {
            return nil
        }
        guard let bytes = stored.payload[Payload.valueField] else { throw damaged(path) }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return (
                try bytes.withUnsafeBytes { try decoder.decode(Value.self, from: Data($0)) }, stored.info.number
            )
        } catch {
            throw damaged(path)
        }
    }

    /// Writes a record.
    /// - Parameter version: the version in the store that it follows; 0 for none.
    /// - Returns: its own version.
    /// - Throws: `conflict` if another was written meanwhile.
    package static func write(
        _ value: some Encodable, _ path: SecretPath, after version: Int, to store: any SecretBackend, deadline: Deadline
    ) async throws(SecretError) -> Int {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let payload: Payload
        do {
            payload = try Payload(value: SecretBytes(copying: encoder.encode(value)))
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(.internalError, "\(path) could not be encoded.")
        }
        return try await store.write(path, payload, expecting: version, deadline: deadline).number
    }

    private static func damaged(_ path: SecretPath) -> SecretError {
        SecretError(
            .integrityFailure, "\(path) is not the record it should be. Restore it from a backup, or remove it.")
    }
}
