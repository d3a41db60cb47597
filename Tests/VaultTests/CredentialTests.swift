// Credentials in files, and the names that go into paths.

import Foundation
import Glibc
import PosternProtocol
import Testing

@testable import Vault

@Suite struct `Credentials` {
    let folder: Folder

    init() throws {
        folder = try Folder()
    }

    func expectRefusal(_ text: String, _ body: () throws -> Void) {
        let failure = #expect(throws: LoginFailure.self) { try body() }
        #expect(failure?.isRefusal == true)
        #expect(failure?.error.message.contains(text) == true, "\(failure?.error.message ?? "")")
    }

    @Test func `are read without the line break at their end, through symbolic links`() throws {
        try folder.write("real", "secret \r\n\n")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("link"), withDestinationPath: folder.path("real"))
        #expect(try Credential(.file(folder.path("link")), "it").read() == SecretBytes("secret"))
        #expect(try Credential(.value(SecretBytes("secret")), "it").read() == SecretBytes("secret"))
    }

    @Test func `that cannot be read are refused saying why`() throws {
        expectRefusal("it in \(folder.path("none")) cannot be read: No such file") {
            _ = try Credential(.file(folder.path("none")), "it").read()
        }
        expectRefusal("not a regular file") { _ = try Credential(.file(folder.url.path), "it").read() }
        expectRefusal("is empty") { _ = try Credential(.file(folder.write("a", " \n")), "it").read() }
        expectRefusal("longer than 65536 bytes") {
            _ = try Credential(.file(folder.write("b", String(repeating: "x", count: 65_537))), "it").read()
        }
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        expectRefusal("not a regular file") { _ = try Credential(.file(folder.path("pipe")), "it").read() }
    }

    @Test(arguments: ["two words", "line\nbreak: x", "nul\0", "ümlaut"])
    func `that would break out of a header are refused, and not shown`(text: String) throws {
        let credential = Credential(.value(SecretBytes(text)), "the token")
        expectRefusal("is no token") { _ = try credential.readToken() }
        let failure = #expect(throws: LoginFailure.self) { _ = try credential.readToken() }
        #expect(failure?.error.message.contains(text) == false)
    }

    @Test func `in files are seen to change, each change once, and looked at no more often than asked`() throws {
        let path = try folder.write("token", "one")
        let credential = Credential(.file(path), "it")
        _ = try credential.read()
        let now = ContinuousClock.now
        #expect(!credential.hasChanged(at: now, interval: .seconds(1)))
        try folder.write("token", "two")
        #expect(!credential.hasChanged(at: now + .milliseconds(999), interval: .seconds(1)))
        #expect(credential.hasChanged(at: now + .milliseconds(1_000), interval: .seconds(1)))
        #expect(!credential.hasChanged(at: now + .seconds(5), interval: .seconds(1)))
        #expect(!credential.hasChanged(at: now + .seconds(5), interval: .zero))
        try FileManager.default.removeItem(atPath: path)
        #expect(credential.hasChanged(at: now + .seconds(6), interval: .zero))
        #expect(!credential.hasChanged(at: now + .seconds(7), interval: .zero))
        try folder.write("token", "three")
        #expect(credential.hasChanged(at: now + .seconds(8), interval: .zero))
        #expect(!Credential(.value(SecretBytes("x")), "it").hasChanged(at: now, interval: .zero))
    }

    @Test(arguments: ["approle", "/teams/billing/approle/", "a.b_c-D9"])
    func `have mounts of which the slashes around do not count`(text: String) throws {
        let trimmed = text.trimmingCharacters(in: ["/"])
        #expect(try MountPath(text, under: "auth").description == trimmed)
    }

    @Test(arguments: ["", "/", "a/../b", ".", "a b", "a?b", "a%2fb", "ü", "auth/approle"])
    func `do not take what is no mount`(text: String) {
        #expect(throws: SecretError.self) { try MountPath(text, under: "auth") }
    }

    @Test(arguments: ["", "a/b", "..", "a b", "a\n"])
    func `do not take what is no name`(text: String) {
        #expect(throws: SecretError.self) { try VaultName(text, "A role") }
    }

    @Test func `by certificate need a certificate and TLS`() throws {
        let authentication = VaultAuthentication.certificate()
        var options = VaultOptions(addresses: [try VaultAddress("https://vault:8200")])
        let error = #expect(throws: SecretError.self) { try authentication.method(options) }
        #expect(error?.message.contains("VAULT_CLIENT_CERT") == true)
        options.tls.clientCertificate = "client.pem"
        _ = try authentication.method(options)
        options.addresses.append(try VaultAddress("http://vault:8200"))
        #expect(throws: SecretError.self) { try authentication.method(options) }
    }
}
