// Changing settings and labels.

import NIOCore
import PosternCoding
public import PosternProtocol

extension VaultBackend {
    /// Changes a secret's settings and labels, by a merge patch: changes that others make to other labels are kept.
    public func updateMetadata(
        _ path: SecretPath, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> SecretDescription {
        try deadline.check("changing the metadata of \(path)")
        for name in change.labels.keys where KVHistory.isKey(name) {
            throw SecretError(
                .invalidArgument,
                "Labels that start with \"\(KVHistory.prefix)\" are Postern's own in Vault; use another name.")
        }
        return try await changeMetadata(path, change, deadline: deadline).description(path, at: clock)
    }

    /// Changes a secret's settings and labels, and what Postern itself keeps beside the labels.
    /// - Parameter own: Postern's own custom metadata to set, or with nil to remove.
    /// - Returns: the metadata after the change.
    func changeMetadata(
        _ path: SecretPath, _ change: MetadataChange, own: [String: String?] = [:], deadline: Deadline
    ) async throws(SecretError) -> KVMetadata {
        try await uninterrupted { [self] () throws(SecretError) in
            var isChecked = false
            while true {
                let before = try await metadata(path, deadline: deadline)
                _ = try change.applied(to: before.settings)
                try Self.checkPrintable(change)
                var whole = change.spelled(as: before.settings)
                whole.labels.merge(own) { $1 }
                let patch = Self.patch(whole, over: isChecked ? before.metadataVersion : nil)
                switch try await sendChange(.patch(mount.url("metadata", path), patch), deadline: deadline) {
                case .success:
                    let after = try await metadata(path, deadline: deadline)
                    if let after = try await keepingVersions(path, after, change, deadline: deadline) { return after }
                case .absent: throw .notFound(path)
                // The server wants to be told which metadata is changed (OpenBao's `metadata_cas_required`).
                case .metadataCASRequired: isChecked = true
                // Others were faster.
                case .mismatch: break
                }
                try deadline.check("the metadata of \(path) could be changed: others keep changing it")
            }
        }
    }

    /// Makes versions stay for ever where that is wanted and the patch has not done it: OpenBao 2.7 takes no patch of
    /// `delete_version_after` to zero. A write of metadata does it, and keeps what it does not name; but it makes a secret that
    /// is not there, so it is told which metadata it is to change, where the server counts.
    /// - Returns: the metadata that there is now, or nil if others have changed it meanwhile.
    private func keepingVersions(
        _ path: SecretPath, _ secret: KVMetadata, _ change: MetadataChange, deadline: Deadline
    ) async throws(SecretError) -> KVMetadata? {
        guard change.deleteVersionAfterSeconds == 0, secret.settings.deleteVersionAfterSeconds != 0 else {
            return secret
        }
        let body = Self.patch(MetadataChange(deleteVersionAfterSeconds: 0), over: secret.metadataVersion)
        let request = VaultRequest.post(mount.url("metadata", path), body, isRepeatable: true)
        guard case .success = try await sendChange(request, deadline: deadline) else { return nil }
        return try await metadata(path, deadline: deadline)
    }

    private func sendChange(
        _ request: VaultRequest, deadline: Deadline
    ) async throws(SecretError) -> KVMount.Reply {
        do throws(VaultFailure) {
            return try await mount.send(request, deadline: deadline)
        } catch {
            throw error.error
        }
    }

    /// The merge patch (RFC 7396) of a change: what it does not name stays, and a label that is null goes.
    private static func patch(_ change: MetadataChange, over version: Int?) -> ByteBuffer {
        var members: [String] = []
        if let version { members.append("\"metadata_cas\":\(version)") }
        if let maximum = change.maxVersions { members.append("\"max_versions\":\(maximum)") }
        if let isRequired = change.casRequired { members.append("\"cas_required\":\(isRequired)") }
        if let seconds = change.deleteVersionAfterSeconds {
            members.append("\"delete_version_after\":\"\(seconds)s\"")
        }
        if !change.labels.isEmpty {
            let labels = change.labels.sorted { PayloadEncoding.precedes($0.key, $1.key) }.map { name, value in
                "\(quoted(name)):\(value.map(quoted) ?? "null")"
            }
            members.append("\"custom_metadata\":{\(labels.joined(separator: ","))}")
        }
        return ByteBuffer(string: "{\(members.joined(separator: ","))}")
    }

    private static func quoted(_ text: String) -> String {
        var buffer = ByteBuffer()
        JSONStrings.append(text.utf8, to: &buffer)
        return String(buffer: buffer)
    }

    /// Refuses what Vault would refuse: it takes letters, marks, numbers, punctuation, symbols and the plain space.
    private static func checkPrintable(_ change: MetadataChange) throws(SecretError) {
        for (name, value) in change.labels {
            guard let value else { continue }
            guard (name + value).unicodeScalars.allSatisfy(isPrintable) else {
                throw SecretError(
                    .invalidArgument,
                    "The label \"\(shown(name))\" has a character that Vault does not take in labels: only those that can "
                        + "be seen are allowed, and the plain space.")
            }
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber,
            .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
            true
        default: scalar == " "
        }
    }
}

extension MetadataChange {
    /// The same change, with labels' names in the bytes that the secret has them in: two that are equal as texts (an accent by
    /// itself or in one character) are two to Vault, and one to the gateway.
    fileprivate func spelled(as metadata: SecretMetadata) -> MetadataChange {
        var change = self
        change.labels = [:]
        for (name, value) in labels {
            change.labels.updateValue(value, forKey: metadata.labels.keys.first { $0 == name } ?? name)
        }
        return change
    }
}
