// The shared files of AWS's tools: `~/.aws/config` and `~/.aws/credentials`.

import PosternProtocol

/// One profile: what the credentials file says of it, and what the config file says besides.
struct AWSProfile: Sendable {
    /// Its name.
    let name: String
    /// Whether a file has it.
    let exists: Bool
    private let values: [String: SecretBytes]

    /// Reads a profile.
    /// - Parameter environment: says where the files are and which profile it is.
    /// - Throws: `key_unavailable` if a file is there but cannot be read.
    init(_ environment: AWSEnvironment) throws(SecretError) {
        let name = environment["AWS_PROFILE"] ?? "default"
        let home = environment["HOME"] ?? "/"
        let credentials = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? home + "/.aws/credentials"
        let config = environment["AWS_CONFIG_FILE"] ?? home + "/.aws/config"
        var found: [[String: SecretBytes]] = []
        if let text = try CredentialFile.read(credentials, "AWS's credentials file") {
            found += [Self.section([name], of: text)].compactMap { $0 }
        }
        if let text = try CredentialFile.read(config, "AWS's config file") {
            // Only the default profile may go without the word.
            let titles = ["profile \(name)"] + (name == "default" ? [name] : [])
            found += [Self.section(titles, of: text)].compactMap { $0 }
        }
        self.name = name
        exists = !found.isEmpty
        values = found.reduce(into: [:]) { values, section in values.merge(section) { first, _ in first } }
    }

    /// A value, or nil if it is not there or empty.
    func secret(_ key: String) -> SecretBytes? { values[key].flatMap { $0.count == 0 ? nil : $0 } }

    /// A value that is not secret.
    subscript(key: String) -> String? { secret(key)?.text }

    /// The values of a section, whatever it is called; nil if there is none.
    private static func section(_ titles: [String], of text: SecretBytes) -> [String: SecretBytes]? {
        text.withUnsafeBytes { bytes in
            var values: [String: SecretBytes]?
            var isInside = false
            for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
                // Lines that start with a space belong to the setting above: settings of single services, not needed
                // here.
                guard let first = line.first, first != 0x20, first != 0x09 else { continue }
                switch first {
                case UInt8(ascii: "#"), UInt8(ascii: ";"):
                    continue
                case UInt8(ascii: "["):
                    let end = line.firstIndex(of: UInt8(ascii: "]")) ?? line.endIndex
                    let words = String(decoding: line[line.index(after: line.startIndex)..<end], as: UTF8.self)
                        .split(separator: " ")
                    isInside = titles.contains(words.joined(separator: " "))
                    if isInside, values == nil { values = [:] }
                default:
                    guard isInside, let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
                    let key = String(decoding: line[..<equals].trimmed, as: UTF8.self).lowercased()
                    values?[key] = SecretBytes(copying: line[line.index(after: equals)...].trimmed)
                }
            }
            return values
        }
    }
}
