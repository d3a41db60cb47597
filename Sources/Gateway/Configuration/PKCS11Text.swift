// Keys in HSMs as the configuration names them: `pkcs11:` URIs (RFC 7512), checked by form. What is in them is read where
// HSMs are used, since nothing here knows of any.

/// What a configuration wants of a `pkcs11:` URI.
enum PKCS11Text {
    /// Whether a text is meant as one.
    static func isURI(_ text: String) -> Bool { text.lowercased().hasPrefix("pkcs11:") }

    /// Whether a text says which key on which token, and through which module.
    static func namesKey(_ text: String) -> Bool {
        guard isURI(text), objection(text) == nil, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains(",")
        else { return false }
        let parts = text.dropFirst("pkcs11:".count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        func names(_ part: Substring, _ separator: Character) -> Set<Substring> {
            Set(part.split(separator: separator).map { $0.prefix { $0 != "=" } })
        }
        let path = names(parts[0], ";")
        let query = parts.count > 1 ? names(parts[1], "&") : []
        return !path.isDisjoint(with: ["object", "id"]) && !query.isDisjoint(with: ["module-path", "module-name"])
    }

    /// What is wrong with one that has a PIN in it, without the PIN.
    static func objection(_ text: String) -> String? {
        guard text.contains("pin-value") else { return nil }
        return "a pkcs11: URI has a PIN in it (pin-value), which ends up in backups and process lists. Name a file, an "
            + "environment variable or a command instead, as in pin-source=file:/run/secrets/pin, and change the PIN."
    }
}
