// The faults of the matrix: how each comes about, and how it ends.

import CFaultControl
import CP11Kit
import Foundation
import PosternProtocol
import SoftTokens

@testable import PosternPKCS11

/// A fault of an HSM, or of those who look after it.
struct Fault: Sendable, CustomStringConvertible {
    let description: String
    /// Whether the token has been in use before.
    var isUsed = true
    /// Whether p11-kit keeps it away where it manages the module.
    var isManagedAway = false
    /// How many calls that do not return are put up with.
    var maximumStuckCalls = 8
    /// How long the call that meets the fault may take: long enough to get into the module on a busy machine.
    var patience: Duration = .seconds(240)
    let begin: @Sendable (FaultScene) async throws -> Void
    /// Ends it; nil where it is over by itself.
    var end: (@Sendable (FaultScene) async throws -> Void)?

    private static let always = Int.max

    static let all: [Fault] = [
        Fault(description: "all sessions are lost (the token was reset)") { $0.faults[fault_lose_sessions] = 1 },
        Fault(description: "the user is logged out") { $0.faults[fault_lose_login] = 1 },
        Fault(description: "a session is lost just before it is used") {
            $0.faults.fail(fault_EncryptInit, with: CKR_SESSION_HANDLE_INVALID)
        },
        Fault(description: "an operation was left active on the session") {
            $0.faults.fail(fault_EncryptInit, with: CKR_OPERATION_ACTIVE)
        },
        Fault(description: "the key's handle is no longer good") {
            $0.faults.fail(fault_EncryptInit, with: CKR_KEY_HANDLE_INVALID)
        },
        Fault(description: "the key is missing", begin: { $0.faults[fault_keys_gone] = 1 }) {
            $0.faults[fault_keys_gone] = 0
        },
        Fault(
            description: "two keys have the label, when it is looked for",
            begin: { scene in
                try await scene.makeTwin()
                scene.faults[fault_lose_sessions] = 1
            },
            end: { try await $0.removeTwin() }),
        Fault(
            description: "the token is removed, and put back",
            begin: {
                $0.faults[fault_lose_sessions] = 1
                $0.faults[fault_removed] = 1
            }, end: { $0.faults[fault_removed] = 0 }),
        Fault(
            description: "the token is removed, and comes back in another slot",
            begin: {
                $0.faults[fault_lose_sessions] = 1
                $0.faults[fault_removed] = 1
            },
            end: {
                $0.faults[fault_slot_offset] = 1_000
                $0.faults[fault_removed] = 0
            }),
        Fault(
            description: "the HSM is absent at the start", isUsed: false, begin: { $0.faults[fault_removed] = 1 },
            end: { $0.faults[fault_removed] = 0 }),
        Fault(description: "the device is in error until the module is initialised again") {
            $0.faults[fault_broken] = 1
        },
        Fault(description: "the device stays in error", begin: { $0.faults[fault_broken] = 2 }) {
            $0.faults[fault_broken] = 0
        },
        Fault(description: "encrypting fails once, for no stated reason") {
            $0.faults.fail(fault_Encrypt, with: CKR_GENERAL_ERROR)
        },
        Fault(description: "decrypting fails once, for no stated reason") {
            $0.faults.fail(fault_Decrypt, with: CKR_GENERAL_ERROR)
        },
        Fault(description: "somebody else has stopped the module") {
            $0.faults.fail(fault_EncryptInit, with: CKR_CRYPTOKI_NOT_INITIALIZED)
        },
        Fault(
            description: "the PIN in its file is wrong, when a login is needed",
            begin: {
                try $0.setPIN("wrong-4711")
                $0.faults[fault_lose_sessions] = 1
            }, end: { try $0.setPIN(TestToken.pin) }),
        Fault(
            description: "the token says that the PIN is locked, until an operator reloads",
            begin: {
                $0.faults.fail(fault_Login, with: CKR_PIN_LOCKED)
                $0.faults[fault_lose_sessions] = 1
            }, end: { $0.token.reload() }),
        Fault(
            description: "one more wrong PIN would lock the token",
            begin: {
                $0.faults[fault_token_flags] = Int(CKF_USER_PIN_FINAL_TRY)
                $0.faults[fault_lose_sessions] = 1
            }, end: { $0.faults[fault_token_flags] = 0 }),
        Fault(
            description: "the user is logged out, and somebody else of the process logs in first",
            begin: {
                $0.faults[fault_login_twice] = 1
                $0.faults[fault_lose_login] = 1
            }, end: { $0.faults[fault_login_twice] = 0 }),
        Fault(
            description: "another part of the process has started the module and logged in", isUsed: false,
            isManagedAway: true,
            begin: { try await $0.startOther() }, end: { _ in }),
        Fault(
            description: "the PIN file is missing, when a login is needed",
            begin: {
                try FileManager.default.removeItem(atPath: $0.test.pinFile)
                $0.faults[fault_lose_sessions] = 1
            }, end: { try $0.setPIN(TestToken.pin) }),
        Fault(
            description: "other applications use all sessions of the token", isUsed: false,
            begin: { $0.faults.fail(fault_OpenSession, with: CKR_SESSION_COUNT, times: always) },
            end: { $0.faults.fail(fault_OpenSession, with: CKR_OK, times: 0) }),
        Fault(
            description: "other applications use all but the sessions that are open",
            begin: { $0.faults[fault_session_room] = $0.faults[fault_open_sessions] },
            end: { $0.faults[fault_session_room] = 0 }),
        Fault(
            description: "a call does not return", patience: .seconds(4), begin: { $0.faults.hold(fault_Encrypt) },
            end: { try await $0.release() }),
        Fault(
            description: "as many calls do not return as are put up with", maximumStuckCalls: 1, patience: .seconds(4),
            begin: { $0.faults.hold(fault_Encrypt) }, end: { try await $0.release() }),
        Fault(
            description: "logging in does not return", isUsed: false, patience: .seconds(4),
            begin: { $0.faults.hold(fault_Login) }, end: { try await $0.release() }),
        Fault(
            description: "a call does not return, and then the device is in error", patience: .seconds(4),
            begin: { scene in
                scene.faults.hold(fault_Encrypt)
                _ = try await scene.call(deadline: .after(.seconds(4)))
                scene.faults[fault_broken] = 1
            }, end: { try await $0.release() }),
        Fault(
            description: "the mechanism is switched off",
            begin: { $0.faults.fail(fault_EncryptInit, with: CKR_MECHANISM_INVALID, times: always) },
            end: { $0.faults.fail(fault_EncryptInit, with: CKR_OK, times: 0) }),
    ]
}

extension FaultScene {
    /// Lets the calls that are held return.
    func release() async throws {
        faults.release()
        try await eventually("the end of the stuck calls") { token.stuckCalls == 0 }
    }

    /// Opens the token once more, by an owner of the module who knows nothing of the other one.
    func startOther() async throws {
        let other = try test.open()
        _ = try await other.describe(deadline: soon)
    }

    private static let twin = Template([
        (UInt(CKA_CLASS), .number(UInt(CKO_SECRET_KEY))), (UInt(CKA_LABEL), .bytes(Array("kek".utf8))),
        (UInt(CKA_ID), .bytes([2])),
    ])

    /// Makes another key of the same label.
    func makeTwin() async throws {
        try await beside { (session, connection) throws(TokenFailure) in
            try tokenCall { () throws(PKCS11Error) in
                let writing = try Session.open(
                    session.functions, slot: connection.slot, forWriting: true, session.ticket)
                _ = try writing.generateKey(
                    .plain(UInt(CKM_AES_KEY_GEN)),
                    Template([
                        (UInt(CKA_TOKEN), .flag(true)), (UInt(CKA_PRIVATE), .flag(true)),
                        (UInt(CKA_LABEL), .bytes(Array("kek".utf8))), (UInt(CKA_ID), .bytes([2])),
                        (UInt(CKA_VALUE_LEN), .number(32)), (UInt(CKA_ENCRYPT), .flag(true)),
                        (UInt(CKA_DECRYPT), .flag(true)),
                    ]))
                try writing.close()
            }
        }
    }

    /// Removes it.
    func removeTwin() async throws {
        try await beside { (session, connection) throws(TokenFailure) in
            try tokenCall { () throws(PKCS11Error) in
                let writing = try Session.open(
                    session.functions, slot: connection.slot, forWriting: true, session.ticket)
                for key in try writing.find(Self.twin, limit: 5) { try writing.destroy(key) }
                try writing.close()
            }
        }
    }
}
