// Writes the reference file from the schema, so that it cannot be out of date.

extension GatewayConfiguration {
    /// Every setting with what it is for, what it may be, its default and its environment names, as YAML.
    public static var reference: String {
        var lines = [
            "# Every setting of Postern, with its default. Generated from the code: a test keeps it true.",
            "#",
            "# The command line (--set key=value) goes over the environment, the environment over this file.",
            "# The environment name of a setting is given after its purpose; lists have commas there. An empty",
            "# variable counts as not set. Relative paths start from this file's folder. Settings without a",
            "# default are shown as comments; those marked \"required\" must be given.",
        ]
        for section in Schema.sections {
            lines += ["", "# " + section.purpose, section.name + ":"]
            var open = [section.name]
            for setting in section.settings {
                let parts = setting.key.split(separator: ".").map(String.init)
                let folders = Array(parts.dropLast())
                if folders != open {
                    if folders.count > 1 { lines.append(indent(folders.count - 1) + folders[folders.count - 1] + ":") }
                    open = folders
                }
                lines += entry(setting, name: parts[parts.count - 1], indent: indent(folders.count))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func entry(_ setting: AnySetting, name: String, indent: String) -> [String] {
        let names = [setting.alias, setting.environmentName].compactMap { $0 }.joined(separator: " or ")
        var lines = [indent + "# " + setting.purpose, indent + "# Allowed: \(setting.allowed). [\(names)]"]
        switch setting.absence {
        case .means(let text):
            lines.append(indent + name + ": " + yaml(text, setting.shape))
        case .isFine(let example):
            lines.append(indent + "# " + name + (example.isEmpty ? ":" : ": " + yaml(example, setting.shape)))
        case .isAnError(let example):
            lines.append(indent + "# " + name + ": " + yaml(example, setting.shape) + "  # required")
        }
        return lines
    }

    private static func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }

    private static func yaml(_ text: String, _ shape: Shape) -> String {
        switch shape {
        case .list, .namedHashes, .namedValues, .mappings: text.isEmpty ? "[]" : "[\(text)]"
        case .plain: text
        // Versions and addresses with ports: other readers of YAML would take some of them for numbers.
        case .text: (text.utf8.last.map { (0x30...0x39).contains($0) } ?? true) ? "\"\(text)\"" : text
        }
    }
}
