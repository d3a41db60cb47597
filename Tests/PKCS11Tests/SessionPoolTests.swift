import CFaultControl
import CP11Kit
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct SessionPoolTests {
    @Test(arguments: [
        // What the token says, what is configured, and how many sessions may be open at a time.
        (0, 4, 5), (-1, 4, 5), (1, 30, 1), (2, 30, 2), (6, 30, 6), (6, 3, 4), (1_000, 30, 31),
    ])
    func `no more sessions are open than the token and the configuration allow`(
        told: Int, configured: Int, allowed: Int
    ) async throws {
        let scene = try await FaultScene(.softHSM, isUsed: false) { $0.maximumSessions = configured }
        scene.faults[fault_told_sessions] = told
        scene.faults[fault_most_sessions] = 0
        try await storm(scene)
        #expect(scene.faults[fault_most_sessions] <= allowed)
        #expect(scene.faults[fault_most_calls] <= max(configured, 2))
        #expect(try await scene.token.describe(deadline: soon).sessions == max(min(configured, allowed - 1), 1))
        scene.expectOrder("a storm")
    }

    @Test func `limits below one are refused`() throws {
        let test = try TestToken(.softHSM)
        for (sessions, stuck) in [(0, 8), (-1, 8), (30, 0)] {
            let error = #expect(throws: SecretError.self) {
                try test.open {
                    $0.maximumSessions = sessions
                    $0.maximumStuckCalls = stuck
                }
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test(arguments: TokenKind.allCases)
    func `sessions are kept for the next call`(kind: TokenKind) async throws {
        let scene = try await FaultScene(kind)
        let opened = scene.faults.calls(fault_OpenSession)
        #expect(try await scene.calls(50) == "succeeds")
        #expect(scene.faults.calls(fault_OpenSession) == opened)
        #expect(scene.faults.calls(fault_Login) == 2, "one to make the key, one after that")
    }

    @Test(arguments: [CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_SESSION_HANDLE_INVALID])
    func `a session is closed after any error, unless it is gone`(answer: UInt) async throws {
        let scene = try await FaultScene(.softHSM)
        let open = scene.faults[fault_open_sessions]
        let closed = scene.faults.calls(fault_CloseSession)
        scene.faults.fail(fault_EncryptInit, with: answer)
        _ = try await scene.call()
        #expect(scene.faults.calls(fault_CloseSession) == closed + (answer == CKR_SESSION_HANDLE_INVALID ? 0 : 1))
        #expect(try await scene.calls(5) == "succeeds")
        #expect(scene.faults[fault_open_sessions] <= open + 1)
    }

    @Test(arguments: TokenKind.allCases)
    func `losing the sessions again and again under load breaks nothing`(kind: TokenKind) async throws {
        let scene = try await FaultScene(kind) { $0.maximumSessions = 6 }
        let saboteur = Task {
            while !Task.isCancelled {
                scene.faults[fault_lose_sessions] = 1
                try await Task.sleep(for: .milliseconds(5))
                scene.faults[fault_lose_login] = 1
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        // Calls may fail meanwhile, but only so.
        let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<200 { group.addTask { try await scene.call() } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        saboteur.cancel()
        _ = await saboteur.result
        scene.faults[fault_lose_sessions] = 0
        scene.faults[fault_lose_login] = 0
        #expect(outcomes.isSubset(of: ["succeeds", "`key_unavailable`"]))
        #expect(outcomes.contains("succeeds"))
        #expect(try await scene.calls(10) == "succeeds")
        #expect(scene.faults[fault_hasty_finalize] == 0)
    }

    private func storm(_ scene: FaultScene) async throws {
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<100 { group.addTask { try await scene.call() } }
            for try await outcome in group { #expect(outcome == "succeeds") }
        }
    }
}
