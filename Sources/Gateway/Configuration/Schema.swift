// All settings, by section, in the order of the reference file.

/// A section of the configuration.
struct Section: Sendable {
    /// Its name, the first part of its settings' keys.
    let name: String
    /// What it is about, in one line.
    let purpose: String
    let settings: [AnySetting]

    init(_ name: String, _ purpose: String, _ settings: [AnySetting]) {
        self.name = name
        self.purpose = purpose
        self.settings = settings
    }
}

/// The schema of the configuration.
enum Schema {
    /// What the environment names of settings start with.
    static let environmentPrefix = "POSTERN_"

    static let sections: [Section] = [
        GRPCSettings.section, AdminSettings.section, BackendSettings.section, EnvelopeSettings.section,
        MigrationSettings.section, CacheSettings.section, PolicySettings.section, AuditSettings.section,
        LimitSettings.section,
        LogSettings.section, ShutdownSettings.section,
    ]

    static let settings: [AnySetting] = sections.flatMap(\.settings)

    static let byKey: [String: AnySetting] = Dictionary(
        settings.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })

    /// Every folder of settings, as in `backend` and `backend.sqlite`, with the names directly in it.
    static let folders: [String: [String]] = {
        var folders: [String: [String]] = [:]
        for setting in settings {
            let parts = setting.key.split(separator: ".").map(String.init)
            for depth in parts.indices {
                let folder = parts[..<depth].joined(separator: ".")
                if folders[folder]?.contains(parts[depth]) != true { folders[folder, default: []].append(parts[depth]) }
            }
        }
        return folders
    }()

    /// What is wrong with a key that does not exist, and which do.
    static func unknownKey(_ key: String) -> String {
        var folder = key.split(separator: ".").dropLast().joined(separator: ".")
        while folders[folder] == nil {
            folder = folder.split(separator: ".").dropLast().joined(separator: ".")
        }
        let names = (folders[folder] ?? []).joined(separator: ", ")
        return "there is no such key; " + (folder.isEmpty ? "the sections are" : "\(folder) has") + " \(names)."
    }
}
