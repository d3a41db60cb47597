// `postern keys init`: makes what a configured key needs before the gateway can use it, or says how to.

import ArgumentParser
import Foundation
import LocalKey
import PosternConfiguration
import PosternProtocol

extension KeysCommand {
    /// `postern keys init`.
    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the configured key-encryption keys that can be made here, and say how to make the others.",
            discussion: """
                Works on this machine, from the configuration, without a gateway. A key that is there is left alone. \
                After adding a key to a store in use, run `postern keys rewrap`.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let reports = try await reporting {
                let configuration = try options.load()
                guard configuration.envelope.enabled else {
                    throw SecretError(
                        .invalidArgument, "The configuration encrypts nothing: envelope.enabled is false.")
                }
                let preparation = KeyPreparation(configuration)
                var reports: [KeyPreparation.Report] = []
                for key in configuration.envelope.keys { reports.append(try await preparation.prepare(key)) }
                return reports
            }
            try output.print(reports) { reports in
                reports.map { "\($0.origin)=\($0.key): \($0.detail)" }.joined(separator: "\n")
            }
        }
    }
}

/// Prepares keys, by origin. The place to add what another origin needs.
struct KeyPreparation {
    /// What became of one key.
    struct Report: Encodable, Sendable {
        let origin: String
        let key: String
        /// The id that key records name it by, once it is there.
        let id: String?
        let created: Bool
        let detail: String
    }

    let configuration: GatewayConfiguration

    init(_ configuration: GatewayConfiguration) { self.configuration = configuration }

    /// Makes a key if it is missing and can be made here.
    func prepare(_ key: KeySetting) async throws -> Report {
        if key.origin == .file { return try await prepareFile(key.value) }
        return Report(
            origin: key.origin.rawValue, key: key.value, id: nil, created: false,
            detail: Self.advice(key.origin.rawValue))
    }

    private static func advice(_ origin: String) -> String {
        switch origin {
        case "transit":
            "make it in Vault or OpenBao: vault write -f MOUNT/keys/NAME type=aes256-gcm96; "
                + "the gateway's token needs encrypt and decrypt on it"
        default: "make it where it lives; the gateway uses it when it starts"
        }
    }

    private func prepareFile(_ path: String) async throws -> Report {
        let isMissing = !FileManager.default.fileExists(atPath: path)
        if isMissing, !hasOtherKey(than: path) {
            // Beside a store that holds domain keys, the only key is lost or misplaced, not yet to be made.
            try await refuseIfInUse(path)
        }
        let wrapper = try LocalFileKeyWrapper(path: path, createIfMissing: true)
        return Report(
            origin: "file", key: path, id: wrapper.descriptor.id, created: isMissing,
            detail: isMissing
                ? "made \(wrapper.descriptor.id); keep a copy in a safe place" : "there: \(wrapper.descriptor.id)")
    }

    /// Whether another configured key can open what is in the store already.
    private func hasOtherKey(than path: String) -> Bool {
        configuration.envelope.keys.contains { key in
            key.origin != .file || key.value != path && FileManager.default.fileExists(atPath: key.value)
        }
    }

    private func refuseIfInUse(_ path: String) async throws {
        switch configuration.backend.kind {
        case .sqlite:
            guard FileManager.default.fileExists(atPath: configuration.backend.sqlitePath) else { return }
            throw SecretError(
                .keyUnavailable,
                "The key file \(path) is missing, but there is a store, \(configuration.backend.sqlitePath). If its "
                    + "secrets are under a lost key, put that back; `postern serve` makes a key for an empty store.")
        default:
            throw SecretError(
                .keyUnavailable,
                "The key file \(path) is missing. `postern serve` makes it if the store is empty; if not, put it back.")
        }
    }
}
