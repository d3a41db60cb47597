// Puts the layers together: command line over environment over file over defaults.

import Configuration

extension GatewayConfiguration {
    /// Loads and checks a configuration.
    ///
    /// The command line goes over the environment, which goes over the file. Environment names are `POSTERN_` and the
    /// key in capitals, as in `POSTERN_GRPC_LISTEN`, and besides `ADMIN_KEY` and the names that Vault's own tools read, as `VAULT_ADDR`; empty
    /// ones count as not set. Lists are written with commas there, named keys as `name:sha256`.
    /// - Parameters:
    ///   - file: the YAML file, if there is one. Relative paths, wherever they are given, start from its folder, or
    ///     from the working directory if there is no file.
    ///   - environment: environment variables; others than the names above are ignored, unless they start with `POSTERN_`.
    ///   - overrides: settings from the command line, each as `key=value`.
    ///   - isDevelopment: whether connections to Vault that nobody verifies are accepted.
    /// - Throws: everything that is wrong, with files, lines, keys and what is allowed.
    public static func load(
        file: String?, environment: [String: String] = [:], overrides: [String] = [],
        isDevelopment: Bool = false
    ) throws(ConfigurationProblems) -> GatewayConfiguration {
        let commandLine = Layer(overrides: overrides)
        let variables = Layer(environment: environment)
        let document = file.map { Layer(file: $0) } ?? Layer()
        let layers = [commandLine, variables, document]

        var problems = layers.flatMap(\.problems)
        for setting in Schema.settings where setting.isRequired && document.isReadable {
            guard !layers.contains(where: { $0.texts[setting.key] != nil || $0.faulty.contains(setting.key) }) else {
                continue
            }
            problems.append(Values.missing(setting.key, environmentName: setting.environmentName))
        }
        guard problems.isEmpty else { throw ConfigurationProblems(problems: problems) }

        let reader = ConfigReader(providers: [
            commandLine.provider(named: "command line"), variables.environmentProvider(),
            document.provider(named: file ?? "no file"), Layer.defaults.provider(named: "defaults"),
        ])
        let configuration = try GatewayConfiguration(Values(reader: reader, file: file))
        let contradictions = configuration.contradictions(isDevelopment: isDevelopment)
        guard contradictions.isEmpty else { throw ConfigurationProblems(problems: contradictions) }
        return configuration
    }
}

extension AnySetting {
    /// Whether it must be given.
    var isRequired: Bool {
        if case .isAnError = absence { true } else { false }
    }
}

extension Layer {
    /// What settings mean when nobody gives them.
    static var defaults: Layer {
        var layer = Layer()
        for setting in Schema.settings {
            if case .means(let text) = setting.absence { layer.texts[setting.key] = text }
        }
        return layer
    }

    /// The layer for the configuration reader; secrets are marked, so that the reader never shows them.
    func provider(named name: String) -> InMemoryProvider {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, text) in texts {
            values[AbsoluteConfigKey(ConfigKey(key))] = ConfigValue(
                .string(text), isSecret: Schema.byKey[key]?.isSecret ?? true)
        }
        return InMemoryProvider(name: name, values: values)
    }

    /// The layer as environment variables under their regular names.
    func environmentProvider() -> some ConfigProvider {
        var variables: [String: String] = [:]
        for (key, text) in texts {
            if let setting = Schema.byKey[key] { variables[setting.environmentName] = text }
        }
        let secrets = Set(Schema.settings.filter(\.isSecret).map(\.environmentName))
        return EnvironmentVariablesProvider(environmentVariables: variables, secretsSpecifier: .specific(secrets))
            .prefixKeys(with: "postern")
    }
}

/// Reads settings with their types from the layers.
struct Values {
    let reader: ConfigReader
    /// The folder that relative paths start from, with its slash; empty for the working directory.
    let folder: String

    init(reader: ConfigReader, file: String?) {
        self.reader = reader
        folder = file.flatMap { file in file.lastIndex(of: "/").map { String(file[...$0]) } } ?? ""
    }

    /// The value, if there is one.
    func find<Value>(_ setting: Setting<Value>) -> Value? {
        reader.string(forKey: ConfigKey(setting.key), isSecret: setting.kind.isSecret).flatMap(setting.kind.parse)
    }

    /// The value of a setting that has a default or is required.
    func get<Value>(_ setting: Setting<Value>) throws(ConfigurationProblems) -> Value {
        guard let value = find(setting) else {
            throw ConfigurationProblems(problems: [
                Self.missing(setting.key, environmentName: setting.erased.environmentName)
            ])
        }
        return value
    }

    /// The resolved path of a setting that has a default or is required.
    func get(_ setting: Setting<WrittenPath>) throws(ConfigurationProblems) -> String {
        resolve(try get(setting) as WrittenPath)
    }

    /// A server's private key, a path resolved.
    func get(
        _ setting: Setting<WrittenServerKey>
    ) throws(ConfigurationProblems) -> GatewayConfiguration.ServerKey {
        switch try get(setting) as WrittenServerKey {
        case .file(let path): .file(resolve(path))
        case .pkcs11(let uri): .pkcs11(uri)
        }
    }

    /// A path as the system understands it from the working directory.
    func resolve(_ path: WrittenPath) -> String {
        path.text.hasPrefix("/") ? path.text : folder + path.text
    }

    static func missing(_ key: String, environmentName: String) -> ConfigurationProblems.Problem {
        ConfigurationProblems.Problem(
            place: "", key: key, message: "it is required; set it in the file or by \(environmentName).")
    }
}
