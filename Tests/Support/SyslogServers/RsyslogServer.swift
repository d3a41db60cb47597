// Debian's rsyslog with a configuration of a test's own.

public import Foundation
import PosternPKI
public import TestPrograms

/// An rsyslog server on the loopback that writes the messages it is sent to a file.
public final class RsyslogServer: Sendable {
    /// How it listens.
    public enum Transport: String, Sendable, CaseIterable {
        case tcp
        case tls
        /// With a certificate asked of clients.
        case mutualTLS
    }

    /// Where Debian has it.
    public static let program = "/usr/sbin/rsyslogd"

    public let directory: URL
    public let port: Int
    public let transport: Transport
    /// The file with the messages.
    public var output: String { file("out") }
    public func file(_ name: String) -> String { directory.appending(path: name).path }

    public init(_ transport: Transport) throws {
        self.transport = transport
        directory = try makeTemporaryDirectory("rsyslog")
        port = try freePort()
        if transport != .tcp { try Self.issue(in: directory) }
        let security = """
            defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="\(file("ca.pem"))"
            defaultNetstreamDriverCertFile="\(file("server.pem"))" defaultNetstreamDriverKeyFile="\(file("server.key"))"
            """
        let stream = """
            StreamDriver.Name="ossl" StreamDriver.Mode="1"
            StreamDriver.AuthMode="\(transport == .mutualTLS ? "x509/certvalid" : "anon")"
            """
        try """
        global(workDirectory="\(directory.path)" maxMessageSize="512k" parser.escapeControlCharactersOnReceive="off"
            \(transport == .tcp ? "" : security))
        module(load="imtcp" \(transport == .tcp ? "" : stream))
        template(name="parts" type="string" string="%msg%\\t%pri%\\t%hostname%\\t%app-name%\\t%msgid%\\t%structured-data%\\n")
        action(type="omfile" file="\(output)" template="parts")
        input(type="imtcp" address="127.0.0.1" port="\(port)")

        """.write(toFile: file("rsyslog.conf"), atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Starts a process.
    public func start() async throws -> ServerProcess {
        // What the last one left there would keep this one from starting.
        try? FileManager.default.removeItem(atPath: file("pid"))
        let process = try ServerProcess(
            Self.program, ["-n", "-f", file("rsyslog.conf"), "-i", file("pid")], environment: [:],
            log: directory.appending(path: "log"))
        try await eventually("rsyslog listens") {
            try await run("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).code == 0
        }
        return process
    }

    /// Each message with its parts.
    public var messages: [[Substring]] {
        let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
    }

    /// What came of records in the JSON form.
    public var arrival: Arrival {
        Arrival(lines: messages.map { $0.first.map { $0.hasPrefix(" ") ? $0.dropFirst() : $0 } ?? "" })
    }

    private static func issue(in directory: URL) throws {
        func file(_ name: String) -> String { directory.appending(path: name).path }
        let authority = try CertificateAuthority.create(commonName: "Test CA")
        try authority.identity().write(certificateFile: file("ca.pem"), keyFile: file("ca.key"))
        try authority.issueServer(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
            .write(certificateFile: file("server.pem"), keyFile: file("server.key"))
        try authority.issueClient(spiffeID: "spiffe://test.postern/gateway")
            .write(certificateFile: file("client.pem"), keyFile: file("client.key"))
        let stranger = try CertificateAuthority.create(commonName: "Another CA")
        try stranger.identity().write(certificateFile: file("stranger.pem"), keyFile: file("stranger.key"))
    }
}
