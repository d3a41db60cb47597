// The compose stack without a container engine: each service's own command, files and environment, with a folder for
// each volume, paths that lead there, and free ports of the loopback.

import Foundation
import TestPrograms
import VaultServers

/// A stack whose services run as processes of this machine.
final class LocalStack {
    let folder: URL
    let compose: ComposeFile
    let adminKey = UUID().uuidString
    /// Where the gateway serves people.
    let adminAddress: String
    /// Where the server is.
    let vaultAddress: String
    private let addresses: [(written: String, here: String)]
    private let dockerfile: Dockerfile

    /// - Parameter variables: of the compose file, besides ADMIN_KEY.
    init(variables: [String: String] = [:]) throws {
        folder = try makeTemporaryDirectory("compose")
        compose = try ComposeFile(variables: variables.merging(["ADMIN_KEY": adminKey]) { given, _ in given })
        dockerfile = try Dockerfile()
        func here() throws -> String { "127.0.0.1:\(try freePort())" }
        let (vault, cluster, grpc, admin) = (try here(), try here(), try here(), try here())
        (vaultAddress, adminAddress) = ("https://\(vault)", admin)
        addresses = [
            ("0.0.0.0:8200", vault), ("127.0.0.1:8200", vault), ("vault:8200", vault), ("0.0.0.0:8201", cluster),
            ("vault:8201", cluster), ("0.0.0.0:7443", grpc), ("postern:7443", grpc), ("0.0.0.0:8443", admin),
        ]
        for volume in compose.volumes { try makeFolder(self.volume(volume)) }
        try makeFolder(folder.appending(path: "bin"))
        try link("bin/vault", to: try VaultProcess.binary())
        for stage in ["postern", "init"] {
            for (name, source) in dockerfile.programs(stage) where !exists("bin/\(name)") {
                let isBuilt = source.hasPrefix("/")
                try link(
                    "bin/\(name)", to: isBuilt ? try Places.postern() : Places.package.appending(path: source).path)
            }
        }
        for service in compose.services.values { try makeRoot(of: service) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func file(_ name: String) -> String { folder.appending(path: name).path }
    func volume(_ name: String) -> URL { folder.appending(path: "volumes/\(name)") }

    private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

    private func makeFolder(_ url: URL) throws {
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    private func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: file(name), withDestinationPath: target)
    }

    // MARK: - What a service sees

    private func root(of service: ComposeFile.Service) -> String { file("roots/\(service.name)") }

    /// What the paths and addresses in a text of a service's are here.
    private func localised(_ text: String, for service: ComposeFile.Service) -> String {
        let targets = service.mounts.map(\.target).sorted { $0.count > $1.count }
        let placed = targets.reduce(text) { $0.replacing($1, with: root(of: service) + $1) }
        return addresses.reduce(placed) { $0.replacing($1.written, with: $1.here) }
    }

    /// Puts a link to each volume, and a copy of each file with the paths and addresses of here, where the service
    /// looks for it.
    private func makeRoot(of service: ComposeFile.Service) throws {
        for mount in service.mounts {
            let place = "roots/\(service.name)\(mount.target)"
            try makeFolder(folder.appending(path: place).deletingLastPathComponent())
            if mount.source.hasPrefix("./") {
                let source = Places.package.appending(path: String(mount.source.dropFirst(2)))
                try localised(try String(contentsOf: source, encoding: .utf8), for: service)
                    .write(toFile: file(place), atomically: true, encoding: .utf8)
            } else {
                try link(place, to: volume(mount.source).path)
                if let target = service.target, let mode = dockerfile.mode(of: mount.target, in: target) {
                    try FileManager.default.setAttributes(
                        [.posixPermissions: mode], ofItemAtPath: volume(mount.source).path)
                }
            }
        }
    }

    /// The command line of a service, its program among those of the stack.
    func commandLine(_ name: String, command: [String]? = nil) throws -> [String] {
        let service = try compose.service(name)
        var words = service.entrypoint ?? []
        if service.entrypoint == nil, let target = service.target { words = try dockerfile.entrypoint(target) }
        words += command ?? service.command
        return words.enumerated().map { index, word in
            index == 0 ? file("bin/\(word)") : localised(word, for: service)
        }
    }

    /// The environment of a service.
    func environment(_ name: String) throws -> [String: String] {
        let service = try compose.service(name)
        var environment = service.environment.mapValues { localised($0, for: service) }
        let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        environment["PATH"] = "\(file("bin")):\(inherited)"
        return environment
    }

    // MARK: - Running them

    /// Runs a service to its end.
    /// - Parameters:
    ///   - command: in place of the service's own, as `docker-compose run` takes one.
    ///   - launcher: a program and its arguments that start the service's.
    func run(
        _ name: String, command: [String]? = nil, environment: [String: String] = [:], launcher: [String] = []
    ) async throws -> Finished {
        let words = launcher + (try commandLine(name, command: command))
        return try await TestPrograms.run(
            words[0], Array(words.dropFirst()), environment: try self.environment(name).merging(environment) { $1 },
            in: folder)
    }

    /// Issues the certificates, for services that all run as this user.
    func issueCertificates() async throws -> Finished {
        let owner = "\(getuid()):\(getgid())"
        return try await run("certificates", environment: ["VAULT_OWNER": owner, "POSTERN_OWNER": owner])
    }

    /// Starts the server. It is stopped when what is returned goes.
    func startVault() throws -> VaultProcess {
        let words = try commandLine("vault")
        guard words[0] == file("bin/vault") else { throw HarnessError(description: "\(words) starts no server.") }
        return try VaultProcess(Array(words.dropFirst()), log: folder.appending(path: "vault.log"))
    }

    /// Asks a service as its container's health check does.
    func checkHealth(_ name: String, further: [String] = []) async throws -> Finished {
        let service = try compose.service(name)
        guard service.healthCheck.first == "CMD", service.healthCheck.count > 1 else {
            throw HarnessError(description: "\(name) has no health check that is a command.")
        }
        let words = service.healthCheck.dropFirst().map { localised($0, for: service) } + further
        return try await TestPrograms.run(
            file("bin/\(words[0])"), Array(words.dropFirst()), environment: try environment(name), in: folder)
    }
}
