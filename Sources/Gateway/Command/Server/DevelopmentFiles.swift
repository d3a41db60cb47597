// What `postern dev` keeps under .postern/: an authority, certificates, an admin key, a policy, a configuration.

import Crypto
import Foundation
import PosternPKI
import PosternProtocol

/// The files of a development gateway. Made once, then left as they are, so that they can be edited.
struct DevelopmentFiles {
    /// The clients that get a certificate: the principals of the sample policy.
    static let clients = ["gateway", "billing", "rate-limiter", "operator"]

    let directory: String

    private var pki: PKIFiles { PKIFiles(directory: "\(directory)/pki") }

    var grpcAddress: String { "127.0.0.1:7443" }
    var adminAddress: String { "127.0.0.1:8443" }
    var authority: String { pki.authority }
    func certificate(of name: String) -> String { pki.certificate(of: name) }
    func key(of name: String) -> String { pki.key(of: name) }
    var adminKey: String { "\(directory)/admin.key" }
    /// The admin key as an HTTP header, for curl's `-H @file`: so it shows in no process list.
    var adminHeader: String { "\(directory)/admin.header" }
    var policy: String { "\(directory)/policy.yaml" }
    var configuration: String { "\(directory)/postern.yaml" }
    var audit: String { "\(directory)/audit" }

    /// Makes what is missing.
    func prepare() throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try pki.createDirectory()
        if !exists(pki.authorityKey) {
            try CertificateAuthority.create(commonName: "Postern development CA").identity().write(
                certificateFile: pki.authority, keyFile: pki.authorityKey)
        }
        let authority = try pki.loadAuthority()
        if !exists(key(of: "server")) {
            try authority.issueServer(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1", "::1"]).write(
                certificateFile: certificate(of: "server"), keyFile: key(of: "server"))
        }
        for client in Self.clients where !exists(key(of: client)) {
            try authority.issueClient(spiffeID: "spiffe://dev.postern/\(client)").write(
                certificateFile: certificate(of: client), keyFile: key(of: client))
        }
        if !exists(adminKey) {
            let random = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
            let key = random.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
                "=", with: "")
            try write("Authorization: Bearer \(key)\n", to: adminHeader)
            try write("\(key)\n", to: adminKey)
        }
        if !exists(policy) { try write(Self.samplePolicy, to: policy) }
        if !exists(configuration) { try write(sampleConfiguration, to: configuration) }
    }

    /// The admin key.
    func readAdminKey() throws -> String {
        try String(contentsOfFile: adminKey, encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    private func write(_ text: String, to path: String) throws {
        let created = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard created else { throw SecretError(.internalError, "The file \(path) could not be written.") }
    }

    private var sampleConfiguration: String {
        """
        # A development gateway; `postern dev` made this file and reads it again. Every key: config/reference.yaml.
        # Paths are relative to this file's folder.
        grpc:
          listen: \(grpcAddress)
          certificate: pki/server.pem
          key: pki/server.key
          client_ca: pki/ca.pem
        admin:
          listen: \(adminAddress)
          certificate: pki/server.pem
          key_file: pki/server.key
        backend:
          kind: sqlite
          sqlite:
            path: secrets.sqlite
        envelope:
          key_file: kek
        policy:
          file: policy.yaml
        audit:
          directory: audit
        log:
          format: text

        """
    }

    private static let samplePolicy = """
        # Who may do what. Nothing is allowed that no rule allows, and deny wins.
        # Try it: postern policy explain gateway read llm/openai/api_key
        version: 1

        principals:
          gateway: { spiffe: "spiffe://dev.postern/gateway" }
          billing: { spiffe: "spiffe://dev.postern/billing" }
          rate-limiter: { spiffe: "spiffe://dev.postern/rate-limiter" }
          operator: { spiffe: "spiffe://dev.postern/operator" }
          admin: { admin_key: admin }

        groups:
          people: [operator, admin]

        rules:
          - id: gateway-reads-llm
            allow: [read, list, describe]
            to: [gateway]
            on: ["llm/**"]

          - id: billing-reads-its-own
            allow: [read, list, describe]
            to: [billing]
            on: ["billing/**"]

          - id: rate-limiter-reads-redis-password
            allow: [read]
            to: [rate-limiter]
            on: ["rate-limiter/redis/password"]

          - id: people-manage-everything
            allow: [all]
            to: ["@people"]
            on: ["**"]

          - id: people-look-at-policy-and-audit
            allow: [explain_policy, read_audit, manage_keys]
            to: ["@people"]

        """
}
