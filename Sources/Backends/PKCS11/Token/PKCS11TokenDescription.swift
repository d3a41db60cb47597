// What people are told of a token.

/// Which token this is, in its own words.
public struct PKCS11TokenDescription: Sendable, Equatable {
    /// The token's label.
    public let label: String
    /// Its manufacturer.
    public let manufacturer: String
    /// Its model.
    public let model: String
    /// Its serial number.
    public let serial: String
    /// How many calls are made on it at a time.
    public let sessions: Int

    init(_ info: TokenInfo, sessions: Int) {
        label = info.label
        manufacturer = info.manufacturer
        model = info.model
        serial = info.serial
        self.sessions = sessions
    }
}
