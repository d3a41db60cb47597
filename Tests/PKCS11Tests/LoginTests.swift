import CFaultControl
import CP11Kit
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct LoginTests {
    @Test(arguments: TokenKind.allCases)
    func `a wrong PIN is tried once, however many callers and keys there are`(kind: TokenKind) async throws {
        let test = try TestToken(kind, faulty: true)
        let faults = try #require(test.faults)
        try test.folder.file("pin", "wrong-4711")
        let modules = PKCS11Modules(reinitializeInterval: .zero)
        let tokens = [try test.open(modules), try test.open(modules)]
        let errors = await withTaskGroup(of: SecretError?.self) { group in
            for number in 0..<60 {
                group.addTask {
                    await #expect(throws: SecretError.self) {
                        try await tokens[number % 2].describe(deadline: soon)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(faults.calls(fault_Login) == 1)
        for case let error? in errors {
            #expect(error.code == .keyUnavailable)
            #expect(error.message.contains("refuses the PIN from the file"), "\(error)")
            #expect(error.message.contains("CKR_PIN_INCORRECT"))
            #expect(!error.message.contains("4711"))
        }

        // Another wrong one, and the right one.
        try test.folder.file("pin", "wrong-4712")
        for _ in 0..<5 { await #expect(throws: SecretError.self) { try await tokens[0].describe(deadline: soon) } }
        #expect(faults.calls(fault_Login) == 2)
        try test.folder.file("pin", TestToken.pin)
        for token in tokens { _ = try await token.describe(deadline: soon) }
        #expect(faults.calls(fault_Login) == 3)
    }

    @Test(arguments: TokenKind.allCases)
    func `a refused PIN is tried again after an operator reloads, and once for that`(kind: TokenKind) async throws {
        let test = try TestToken(kind, faulty: true)
        let faults = try #require(test.faults)
        let token = try test.open()
        faults.fail(fault_Login, with: CKR_PIN_LOCKED, times: 2)
        for tries in 1...2 {
            for _ in 0..<5 {
                let error = try await #require(throws: SecretError.self) { try await token.describe(deadline: soon) }
                #expect(error.message.contains("CKR_PIN_LOCKED"), "\(error)")
            }
            #expect(faults.calls(fault_Login) == tries)
            token.reload()
        }
        _ = try await token.describe(deadline: soon)
        #expect(faults.calls(fault_Login) == 3)
    }

    @Test func `a failed login that is not about the PIN may be tried again with it`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let faults = try #require(test.faults)
        let token = try test.open()
        faults.fail(fault_Login, with: CKR_FUNCTION_FAILED, times: 2)
        await #expect(throws: SecretError.self) { try await token.describe(deadline: soon) }
        _ = try await token.describe(deadline: soon)
        #expect(faults.calls(fault_Login) == 3)
    }

    @Test func `the source is read at each login, and the PIN kept nowhere`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let log = test.folder.path("runs")
        let script = "echo run >> \(log); cat \(test.pinFile)"
        let token = try test.open(pin: .command(["/bin/sh", "-c", script]))
        for expected in 1...3 {
            try #require(test.faults)[fault_lose_login] = 1
            _ = try await token.describe(deadline: soon)
            try await token.generateKey(.aes256, label: "k\(expected)", id: [1], deadline: soon)
            let runs = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count
            #expect(runs <= expected + 1)
        }
        #expect(try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count >= 3)
    }

    @Test func `a token that wants a PIN, and none configured, is an error that says so`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let settings = try PKCS11TokenSettings(test.uri(), module: test.module)
        let token = try PKCS11Token(settings, modules: PKCS11Modules())
        let error = try await #require(throws: SecretError.self) { try await token.describe(deadline: soon) }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("none is configured"), "\(error)")
        #expect(try #require(test.faults).calls(fault_Login) == 0)
    }

    @Test(arguments: [
        (CKF_USER_PIN_FINAL_TRY, "would lock itself"), (CKF_USER_PIN_LOCKED, "is locked"),
    ])
    func `no PIN is tried on a token that is locked or nearly so`(flag: UInt, why: String) async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let faults = try #require(test.faults)
        faults[fault_token_flags] = Int(flag)
        let token = try test.open()
        let error = try await #require(throws: SecretError.self) { try await token.describe(deadline: soon) }
        #expect(error.message.contains(why), "\(error)")
        #expect(faults.calls(fault_Login) == 0)
        faults[fault_token_flags] = 0
        _ = try await token.describe(deadline: soon)
    }
}
