// `postern pki`: a small certificate authority for development and for sites that have none.

import ArgumentParser
import Foundation
import PosternPKI
import PosternProtocol

/// `postern pki`.
struct PKICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pki", abstract: "Make a certificate authority, and issue certificates from it.",
        subcommands: [Initialise.self, Issue.self, Request.self])

    /// Where the authority is.
    struct DirectoryOptions: ParsableArguments {
        @Option(name: .long, help: "The folder of the authority and of what it issues.")
        var directory = "pki"

        var files: PKIFiles { PKIFiles(directory: directory) }
    }

    /// `postern pki init`.
    struct Initialise: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Make a certificate authority: ca.pem and ca.key.")

        @Option(name: .long, help: "The authority's name.")
        var name = "Postern CA"

        @Option(name: .long, help: "How many days it is valid.")
        var days = 3_650

        @OptionGroup var pki: DirectoryOptions

        func validate() throws { try checkDays(days) }

        func run() async throws {
            try await reporting {
                try pki.files.createDirectory()
                let authority = try CertificateAuthority.create(commonName: name, validity: .seconds(days * 86_400))
                try authority.identity().write(
                    certificateFile: pki.files.authority, keyFile: pki.files.authorityKey)
                print("wrote \(pki.files.authority) and \(pki.files.authorityKey)")
            }
        }
    }

    /// `postern pki issue`.
    struct Issue: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issue a certificate: NAME.pem and NAME.key.",
            discussion: """
                A server certificate with --server-dns and --server-ip, a client certificate with --spiffe or \
                --client-dns.
                """)

        @Argument(help: "What to call the files.")
        var name: String

        @Option(name: .long, parsing: .upToNextOption, help: "DNS names of a server.")
        var serverDns: [String] = []

        @Option(name: .long, parsing: .upToNextOption, help: "IP addresses of a server.")
        var serverIp: [String] = []

        @Option(name: .long, help: "The SPIFFE ID of a client.")
        var spiffe: String?

        @Option(name: .long, help: "The DNS name of a client.")
        var clientDns: String?

        @Option(name: .long, help: "How many days it is valid.")
        var days = 90

        @Flag(name: .long, help: "Replace files that are there already.")
        var replace = false

        @OptionGroup var pki: DirectoryOptions

        func validate() throws {
            try checkDays(days)
            let isServer = !serverDns.isEmpty || !serverIp.isEmpty
            let isClient = spiffe != nil || clientDns != nil
            guard isServer != isClient else {
                throw ValidationError("Say what it is for: --server-dns/--server-ip, or --spiffe/--client-dns.")
            }
            guard !name.isEmpty, !name.contains("/"), name != "ca" else {
                throw ValidationError("\"\(name)\" cannot name the files; choose another name.")
            }
        }

        func run() async throws {
            try await reporting {
                let authority = try pki.files.loadAuthority()
                let validity = Duration.seconds(days * 86_400)
                let issued =
                    serverDns.isEmpty && serverIp.isEmpty
                    ? try authority.issueClient(spiffeID: spiffe, dnsName: clientDns, validity: validity)
                    : try authority.issueServer(dnsNames: serverDns, ipAddresses: serverIp, validity: validity)
                try issued.write(
                    certificateFile: pki.files.certificate(of: name), keyFile: pki.files.key(of: name),
                    replacing: replace)
                print("wrote \(pki.files.certificate(of: name)), valid until \(issued.notAfter)")
            }
        }
    }
}

/// Refuses validities that make no sense, before they are multiplied.
private func checkDays(_ days: Int) throws {
    guard (1...36_500).contains(days) else { throw ValidationError("--days must be 1 to 36500.") }
}

/// The files of an authority and of what it issued.
struct PKIFiles {
    let directory: String

    var authority: String { "\(directory)/ca.pem" }
    var authorityKey: String { "\(directory)/ca.key" }
    func certificate(of name: String) -> String { "\(directory)/\(name).pem" }
    func key(of name: String) -> String { "\(directory)/\(name).key" }

    func createDirectory() throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    func loadAuthority() throws -> CertificateAuthority {
        guard let certificate = FileManager.default.contents(atPath: authority),
            let key = FileManager.default.contents(atPath: authorityKey)
        else {
            throw SecretError(
                .invalidArgument, "There is no authority in \(directory); make one with postern pki init.")
        }
        return try CertificateAuthority.load(
            certificatePEM: String(decoding: certificate, as: UTF8.self), keyPEM: SecretBytes(copying: key))
    }
}
