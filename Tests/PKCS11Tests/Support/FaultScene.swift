// What the fault matrix works with: a wrapper on a token whose module misbehaves as told, and what was seen.

import CFaultControl
import CP11Kit
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

/// A wrapper that works, and the faults that it will meet.
struct FaultScene {
    let test: TestToken
    let faults: Faults
    let token: PKCS11Token
    let wrapper: PKCS11KeyWrapper

    /// - Parameters:
    ///   - managed: whether p11-kit stands between.
    ///   - isUsed: whether the token has been in use before the fault.
    ///   - adjust: changes the settings.
    init(
        _ kind: TokenKind, managed: Bool = false, isUsed: Bool = true,
        _ adjust: (inout PKCS11TokenSettings) -> Void = { _ in }
    ) async throws {
        test = try TestToken(kind, faulty: true, managed: managed)
        faults = try #require(test.faults)
        // The key is made by another owner of the module, in an earlier life.
        let maker = try test.open()
        try await maker.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        try await maker.close(deadline: soon)
        token = try test.open(adjust: adjust)
        wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "kek")
        if isUsed { try #require(await call() == "succeeds") }
    }

    /// Wraps and unwraps a key.
    /// - Returns: `succeeds`, or the code of the error.
    func call(deadline: Deadline = soon) async throws -> String {
        let key = SecretBytes(copying: UInt8(0)..<32)
        do {
            let blob = try await wrapper.wrap(key, associatedData: [1], deadline: deadline)
            try #require(try await wrapper.unwrap(blob, associatedData: [1], deadline: deadline) == key)
            return "succeeds"
        } catch let error as SecretError {
            return "`\(error.code.rawValue)`"
        }
    }

    /// The outcome that several calls have in common.
    func calls(_ count: Int) async throws -> String {
        var outcomes: Set<String> = []
        for _ in 0..<count { outcomes.insert(try await call()) }
        return outcomes.sorted().joined(separator: " or ")
    }

    /// Writes the PIN file.
    func setPIN(_ pin: String) throws { try test.folder.file("pin", pin) }

    /// Does work on the token from beside, through the real module's own session.
    func beside(_ body: @escaping @Sendable (Session, Connection) throws(TokenFailure) -> Void) async throws {
        try await token.perform("meddling", deadline: soon, body)
    }

    /// What must never have happened, whatever the fault.
    func expectOrder(_ fault: String) {
        #expect(faults[fault_shared_sessions] == 0, "\(fault): two threads used one session")
        #expect(faults[fault_hasty_finalize] == 0, "\(fault): C_Finalize with calls in flight")
        #expect(faults[fault_most_sessions] <= 31, "\(fault): more sessions than allowed")
    }
}

/// One line of the published table.
struct FaultRow: Equatable, Sendable {
    var fault: String
    /// The outcome of the call that meets the fault, of those after it, and of those after its end.
    var first: String
    var later: String
    var after: String
    /// How often `C_Login` and `C_Initialize` were called from the fault to the end.
    var logins: Int
    var initializations: Int

    var text: String { "| \(fault) | \(first) | \(later) | \(after) | \(logins) | \(initializations) |" }
}
