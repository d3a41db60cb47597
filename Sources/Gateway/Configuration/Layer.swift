// One place that settings come from, read and checked on its own: what is overridden is checked too.

/// The settings that one source gives.
struct Layer {
    /// The text of each setting, by key.
    var texts: [String: String] = [:]
    /// Keys with a problem, so that they are not called missing as well.
    var faulty: Set<String> = []
    /// False if the source could not be read at all, so that what it does not say is not known to be missing.
    var isReadable = true
    var problems: [ConfigurationProblems.Problem] = []

    /// Takes a text for a setting if it is allowed.
    mutating func take(_ text: String, for setting: AnySetting, at place: String) {
        if let problem = setting.problem(with: text) {
            report(problem, key: setting.key, at: place)
        } else {
            texts[setting.key] = text
        }
    }

    /// Notes a problem.
    mutating func report(_ message: String, key: String = "", at place: String) {
        faulty.insert(key)
        problems.append(ConfigurationProblems.Problem(place: place, key: key, message: message))
    }
}

extension Layer {
    /// Command line overrides, each as `key=value`.
    init(overrides: [String]) {
        let place = "--set"
        var seen = Set<String>()
        for override in overrides {
            guard let equals = override.firstIndex(of: "=") else {
                // What is no key=value could be a lone secret: it is not repeated.
                report("write key=value, as in --set grpc.listen=127.0.0.1:7443.", at: place)
                continue
            }
            let key = String(override[..<equals])
            let text = String(override[override.index(after: equals)...])
            guard let setting = Schema.byKey[key] else {
                report(Schema.unknownKey(key), key: key, at: place)
                continue
            }
            guard seen.insert(key).inserted else {
                report("it is given more than once.", key: key, at: place)
                continue
            }
            guard !setting.isSecret else {
                report(
                    "a secret may not be on the command line, where others can see it; "
                        + "set \(setting.alias ?? setting.environmentName) in the environment.", key: key, at: place)
                continue
            }
            take(text, for: setting, at: place)
        }
    }

    /// Environment variables. An empty one counts as not set.
    init(environment: [String: String]) {
        var known = Set<String>()
        for setting in Schema.settings {
            let names = [setting.alias, setting.environmentName].compactMap { $0 }
            known.formUnion(names)
            let given = names.compactMap { name in
                environment[name].flatMap { $0.isEmpty ? nil : (name: name, text: $0) }
            }
            if given.count > 1, given[0].text != given[1].text {
                report("\(given[1].name) says something else; set one of them.", key: setting.key, at: given[0].name)
            } else if let first = given.first {
                take(first.text, for: setting, at: first.name)
            }
        }
        for name in environment.keys.sorted() where name.hasPrefix(Schema.environmentPrefix) {
            guard !known.contains(name), !Self.isReserved(name) else { continue }
            report(
                "there is no setting of that name; names are POSTERN_SECTION_KEY, as in POSTERN_GRPC_LISTEN "
                    + "(config/reference.yaml lists them).", at: name)
        }
    }

    /// Whether an environment name means something besides settings.
    private static func isReserved(_ name: String) -> Bool {
        name == "POSTERN_CONFIG" || name.hasPrefix("POSTERN_TEST_") || name.hasPrefix("POSTERN_CLIENT_")
            || name.hasPrefix(GatewayConfiguration.targetEnvironmentPrefix)
    }
}
