// A temporary directory, the openssl command, and certificates to try things on.

import Foundation
import PosternPKI
import PosternProtocol

/// A directory that is removed when the test is over.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let name = "postern-identity-" + UUID().uuidString
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    @discardableResult
    func file(_ name: String, _ content: String? = nil) throws -> String {
        let file = path + "/" + name
        if let content { try content.write(toFile: file, atomically: false, encoding: .utf8) }
        return file
    }
}

/// Runs the openssl command; a failure is an error that says what it printed.
@discardableResult
func openssl(_ arguments: String...) throws -> String {
    struct Failure: Error {
        let output: String
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(output: output) }
    return output
}

/// A clock that stands still.
struct FixedClock: WallClock {
    let time: Timestamp
    func now() -> Timestamp { time }
}

extension Timestamp {
    static var now: Timestamp { SystemWallClock().now() }
}

/// A CA kept by the openssl command: issues from requests, revokes, and makes revocation lists.
struct OpenSSLAuthority {
    let directory: TemporaryDirectory
    let certificate: String

    init(_ directory: TemporaryDirectory, commonName: String = "OpenSSL CA", keyUsage: String = "keyCertSign,cRLSign")
        throws
    {
        self.directory = directory
        try directory.file("index.txt", "")
        try directory.file("serial", "1000\n")
        try directory.file("crlnumber", "01\n")
        try directory.file(
            "ca.cnf",
            """
            [ca]
            default_ca = own
            [own]
            dir = \(directory.path)
            database = $dir/index.txt
            serial = $dir/serial
            crlnumber = $dir/crlnumber
            new_certs_dir = $dir
            certificate = $dir/ca.pem
            private_key = $dir/ca.key
            default_md = sha256
            default_days = 1
            default_crl_days = 30
            policy = any
            copy_extensions = copy
            unique_subject = no
            [any]
            commonName = optional
            """)
        certificate = directory.path + "/ca.pem"
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
            "-keyout", directory.path + "/ca.key", "-out", certificate, "-subj", "/CN=\(commonName)",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,\(keyUsage)")
    }

    /// Issues a certificate and gives its file.
    func issue(_ name: String, alternativeNames: String?) throws -> String {
        let request = directory.path + "/\(name).csr"
        let file = directory.path + "/\(name).pem"
        let key = directory.path + "/\(name).key"
        if let alternativeNames {
            try openssl(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                request,
                "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(alternativeNames)")
        } else {
            try openssl(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                request,
                "-subj", "/CN=\(name)")
        }
        try openssl(
            "ca", "-batch", "-notext", "-config", directory.path + "/ca.cnf", "-in", request, "-out", file)
        return file
    }

    func revoke(_ file: String) throws {
        try openssl("ca", "-config", directory.path + "/ca.cnf", "-revoke", file)
    }

    /// Makes a revocation list in PEM, with extensions as openssl's configuration writes them, and gives its file.
    func makeList(extensions: String = "") throws -> String {
        let file = directory.path + "/list.pem"
        let configuration = directory.path + "/list.cnf"
        let base = try String(contentsOfFile: directory.path + "/ca.cnf", encoding: .utf8)
        try "\(base)\n[extensions]\nauthorityKeyIdentifier=keyid\n\(extensions)\n"
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        try openssl("ca", "-gencrl", "-config", configuration, "-crlexts", "extensions", "-out", file)
        return file
    }

    /// A certificate file as DER bytes.
    func der(_ file: String) throws -> [UInt8] {
        try openssl("x509", "-in", file, "-outform", "DER", "-out", file + ".der")
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: file + ".der")))
    }
}
