// What key wrappers may tell of a domain key's binding, where the service that wraps it keeps a log.

/// The associated data with which domain keys are wrapped. docs/envelope-format.md describes it.
public enum DomainKeyBinding {
    /// The domain of the key that associated data is of.
    /// - Returns: nil if it is not of a domain key.
    public static func domain(of associatedData: [UInt8]) -> String? {
        associatedData.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            func text() -> String? {
                reader.take(UInt16.self).flatMap { reader.take(Int($0)) }.map { String(decoding: $0, as: UTF8.self) }
            }
            return text() == KeyringRecord.bindingName ? text() : nil
        }
    }
}
