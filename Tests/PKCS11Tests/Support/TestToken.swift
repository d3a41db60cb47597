// Tokens for tests: each in a module of its own (a copy of the library, so that its state is its own too).

import CFaultControl
import CP11Kit
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

/// The two unrelated PKCS#11 implementations that everything is tried on.
enum TokenKind: String, CaseIterable, CustomTestStringConvertible {
    case softHSM = "SoftHSM 2"
    case nss = "NSS softokn"

    var testDescription: String { rawValue }

    var library: String {
        get throws {
            switch self {
            case .softHSM: try SoftHSM.library
            case .nss: try NSSSoftokn.library
            }
        }
    }
}

/// A token with a user PIN and nothing else on it.
final class TestToken: Sendable {
    let kind: TokenKind
    let folder: TemporaryFolder
    let label: String
    let pinFile: String
    let module: PKCS11ModuleLocation
    let faults: Faults?

    static let pin = "correct-horse-4711"

    /// Sets the variable once, early, so that setting it again changes nothing but its value.
    private static let prepared: Void = {
        setenv(SoftHSM.variable, "/nonexistent", 1)
        // The lock under which copies of the faulty module set it.
        atexit { unlink("/tmp/postern-environment-\(getpid())") }
    }()

    /// - Parameters:
    ///   - kind: which implementation.
    ///   - faulty: whether the module that misbehaves as told is to stand before it.
    ///   - managed: whether p11-kit does.
    init(_ kind: TokenKind, faulty: Bool = false, managed: Bool = false) throws {
        Self.prepared
        self.kind = kind
        folder = try TemporaryFolder()
        pinFile = try folder.file("pin", Self.pin)
        let real = try folder.copy(kind.library)
        var arguments: String?
        switch kind {
        case .softHSM:
            label = "token-\(UUID().uuidString.prefix(8))"
            let token = try SoftHSM(in: folder, label: label, pin: Self.pin)
            try folder.file("environment", "\(SoftHSM.variable)=\(token.configuration)")
        case .nss:
            label = "NSS Certificate DB"
            let database = folder.path("nss")
            try FileManager.default.createDirectory(atPath: database, withIntermediateDirectories: false)
            let text = "configdir='sql:\(database)' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
            arguments = text
            // In a copy of its own, since the module under test is to start from nothing.
            try NSSDatabase(library: folder.copy(kind.library, as: "setup.so"), arguments: text).setPIN(Self.pin)
        }
        // SoftHSM needs the faulty module in any case, to be told where its token is.
        faults = faulty || kind == .softHSM ? try Faults(in: folder, real: real) : nil
        // Copies of softokn share the libraries below it, and would lose them.
        if kind == .nss { faults?[fault_stays_up] = 1 }
        module = PKCS11ModuleLocation(
            .path(faults?.library ?? real), initArguments: arguments, isManaged: managed)
    }

    /// A URI with the token's name and these attributes.
    func uri(_ more: String = "") throws -> PKCS11URI {
        try PKCS11URI("pkcs11:token=\(PKCS11URI.encode(label.utf8))" + (more.isEmpty ? "" : ";\(more)"))
    }

    /// The token, with modules of its own unless some are given.
    func open(
        _ modules: PKCS11Modules = PKCS11Modules(reinitializeInterval: .zero), pin: PINSource? = nil,
        adjust: (inout PKCS11TokenSettings) -> Void = { _ in }
    ) throws -> PKCS11Token {
        var settings = try PKCS11TokenSettings(uri(), module: module, pin: pin ?? .file(pinFile))
        adjust(&settings)
        return try PKCS11Token(settings, modules: modules)
    }

    /// A new AES key `kek`, and a wrapper under it.
    func wrapper(
        _ kind: PKCS11KeyKind = .aes256, on token: PKCS11Token? = nil
    ) async throws -> PKCS11KeyWrapper {
        let token = try token ?? open()
        try await token.generateKey(kind, label: "kek", id: [1], deadline: soon)
        return try PKCS11KeyWrapper(token: token, key: uri("object=kek"), id: "pkcs11:test-kek")
    }
}

var soon: Deadline { .after(.seconds(240)) }

/// Waits until something is so.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let limit = soon
    while try await !condition() {
        try #require(!limit.hasPassed, "\(what) did not come to be")
        try await Task.sleep(for: .milliseconds(2))
    }
}
