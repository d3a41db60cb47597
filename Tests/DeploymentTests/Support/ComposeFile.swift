// docker-compose.yml and Dockerfile as tests read them.

import Foundation
import TestPrograms
import Yams

/// The compose file with its variables filled in.
struct ComposeFile {
    /// A volume or file that a service sees.
    struct Mount {
        /// A volume's name, or a path that starts from the repository if it starts with `./`.
        let source: String
        let target: String
        let isReadOnly: Bool
    }

    /// One service.
    struct Service {
        let name: String
        let image: String
        /// The stage of the Dockerfile that makes the image, if one does.
        let target: String?
        let entrypoint: [String]?
        let command: [String]
        let environment: [String: String]
        let mounts: [Mount]
        /// The services that it waits for, and what for.
        let dependencies: [String: String]
        let healthCheck: [String]
        /// Everything that the file says of it.
        let all: [String: Any]
    }

    let services: [String: Service]
    let volumes: Set<String>

    /// Reads it.
    /// - Parameter variables: what `${NAME…}` stands for; those that are missing have their defaults.
    init(variables: [String: String] = [:]) throws {
        let text = try String(contentsOf: Places.package.appending(path: "docker-compose.yml"), encoding: .utf8)
        guard let top = try Yams.load(yaml: text) as? [String: Any],
            let services = top["services"] as? [String: [String: Any]], let volumes = top["volumes"] as? [String: Any]
        else { throw HarnessError(description: "docker-compose.yml is not what it should be.") }
        self.volumes = Set(volumes.keys)
        self.services = try Dictionary(
            uniqueKeysWithValues: services.map { name, all in
                func filled(_ value: Any?) throws -> [String] {
                    try (value as? [Any] ?? []).map { try Self.fill("\($0)", variables) }
                }
                let environment = try (all["environment"] as? [String: Any] ?? [:]).mapValues {
                    try Self.fill("\($0)", variables)
                }
                let dependencies = (all["depends_on"] as? [String: [String: String]] ?? [:]).mapValues {
                    $0["condition"] ?? ""
                }
                let mounts = try filled(all["volumes"]).map { text in
                    let parts = text.split(separator: ":").map(String.init)
                    return Mount(source: parts[0], target: parts[1], isReadOnly: parts.dropFirst(2) == ["ro"])
                }
                return (
                    name,
                    Service(
                        name: name, image: try Self.fill(all["image"] as? String ?? "", variables),
                        target: (all["build"] as? [String: Any])?["target"] as? String,
                        entrypoint: all["entrypoint"] == nil ? nil : try filled(all["entrypoint"]),
                        command: try filled(all["command"]), environment: environment, mounts: mounts,
                        dependencies: dependencies,
                        healthCheck: try filled((all["healthcheck"] as? [String: Any])?["test"]), all: all)
                )
            })
    }

    /// A service that must be there.
    func service(_ name: String) throws -> Service {
        guard let service = services[name] else { throw HarnessError(description: "There is no service \(name).") }
        return service
    }

    /// Fills in `${NAME}`, `${NAME:-default}` and `${NAME:?complaint}`.
    static func fill(_ text: String, _ variables: [String: String]) throws -> String {
        var filled = ""
        var rest = text[...]
        while let match = rest.firstMatch(of: /\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}/) {
            let value = variables[String(match.1)] ?? ""
            let isComplaint = match.2 == ":?"
            guard !value.isEmpty || !isComplaint else { throw HarnessError(description: String(match.3 ?? "")) }
            filled += rest[..<match.range.lowerBound] + (value.isEmpty ? String(match.3 ?? "") : value)
            rest = rest[match.range.upperBound...]
        }
        return filled + rest
    }
}

/// The Dockerfile.
struct Dockerfile {
    private let lines: [String]

    init() throws {
        let text = try String(contentsOf: Places.package.appending(path: "Dockerfile"), encoding: .utf8)
        lines = text.replacing("\\\n", with: " ").split(separator: "\n").map(String.init)
    }

    /// The instructions of a stage.
    func stage(_ name: String) -> [String] {
        Array(
            lines.drop { !($0.hasPrefix("FROM ") && $0.hasSuffix(" AS \(name)")) }.dropFirst()
                .prefix { !$0.hasPrefix("FROM ") })
    }

    /// What a stage's image runs.
    func entrypoint(_ stage: String) throws -> [String] {
        guard let line = self.stage(stage).last(where: { $0.hasPrefix("ENTRYPOINT ") }) else {
            throw HarnessError(description: "The stage \(stage) has no entry point.")
        }
        return try JSONDecoder().decode([String].self, from: Data(line.dropFirst("ENTRYPOINT ".count).utf8))
    }

    /// What is copied into a stage's /usr/local/bin: names, and the files of the repository or what was built.
    func programs(_ stage: String) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: self.stage(stage).compactMap { line in
                line.wholeMatch(of: /COPY (?:--from=build )?(\S+) \/usr\/local\/bin\/(\S+)/).map {
                    (String($0.2), String($0.1))
                }
            })
    }

    /// The mode of a folder that a stage makes, which a new volume mounted there takes over.
    func mode(of folder: String, in stage: String) -> Int? {
        for command in self.stage(stage).flatMap({ $0.components(separatedBy: "&&") }) {
            let words = command.split(separator: " ").map(String.init)
            guard words.starts(with: ["install", "-d"]), words.contains(folder) else { continue }
            return words.firstIndex(of: "-m").flatMap { Int(words[$0 + 1], radix: 8) }
        }
        return nil
    }

    /// The Debian packages that a stage installs.
    func packages(_ stage: String) -> Set<String> {
        let installs = self.stage(stage).flatMap { $0.split(separator: "&&") }.filter {
            $0.contains("apt-get install")
        }
        return Set(
            installs.flatMap { $0.split(separator: " ") }.map(String.init).filter { !$0.hasPrefix("-") }
        ).subtracting(["RUN", "apt-get", "install"])
    }
}
