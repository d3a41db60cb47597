import CFaultControl
import CP11Kit
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

/// Calls that do not return. A deadline of some seconds is long enough to get into the module on a busy machine.
@Suite struct HangingCallTests {
    private let key = SecretBytes(copying: UInt8(0)..<32)
    private var short: Deadline { .after(.seconds(4)) }

    @Test(arguments: TokenKind.allCases)
    func `a call that hangs gives its caller up, and others go on`(kind: TokenKind) async throws {
        let scene = try await FaultScene(kind)
        scene.faults.hold(fault_Encrypt)
        let error = try await #require(throws: SecretError.self) {
            try await scene.wrapper.wrap(key, associatedData: [], deadline: short)
        }
        #expect(error.code == .deadlineExceeded)
        #expect(error.message.contains("C_Encrypt"), "\(error)")
        #expect(scene.token.stuckCalls == 1)
        #expect(try await scene.calls(20) == "succeeds")
        scene.faults.release()
        try await eventually("the end of the stuck call") { scene.token.stuckCalls == 0 }
        #expect(try await scene.calls(20) == "succeeds")
        scene.expectOrder("hanging")
    }

    @Test(arguments: TokenKind.allCases)
    func `when as many calls hang as are put up with, more are refused at once, until one returns`(
        kind: TokenKind
    ) async throws {
        let scene = try await FaultScene(kind) { $0.maximumStuckCalls = 3 }
        scene.faults.hold(fault_EncryptInit, times: 3)
        await withTaskGroup(of: SecretError.Code?.self) { group in
            for _ in 0..<3 {
                let deadline = short
                group.addTask {
                    let error = await #expect(throws: SecretError.self) {
                        try await scene.wrapper.wrap(key, associatedData: [], deadline: deadline)
                    }
                    return error?.code
                }
            }
            for await code in group { #expect(code == .deadlineExceeded) }
        }
        #expect(scene.token.stuckCalls == 3)
        let made = scene.faults.calls(fault_EncryptInit)
        let error = try await #require(throws: SecretError.self) {
            try await scene.wrapper.wrap(key, associatedData: [], deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("3 calls (C_EncryptInit) have not returned"), "\(error)")
        #expect(error.retryAfterSeconds != nil)
        #expect(scene.faults.calls(fault_EncryptInit) == made, "no further call was made")
        #expect(await scene.wrapper.health(deadline: soon).detail.contains("have not returned"))
        scene.faults.release()
        try await eventually("the end of the stuck calls") { scene.token.stuckCalls == 0 }
        #expect(try await scene.calls(20) == "succeeds")
    }

    @Test(arguments: [fault_Initialize, fault_GetSlotList, fault_OpenSession, fault_Login, fault_FindObjects])
    func `opening that hangs holds nobody up for longer than a deadline, and is over when it returns`(
        function: fault_function
    ) async throws {
        let scene = try await FaultScene(.softHSM, isUsed: false)
        scene.faults.hold(function)
        let first = try await scene.call(deadline: short)
        #expect(first == "`deadline_exceeded`")
        #expect(scene.token.stuckCalls == 1)
        if function != fault_FindObjects {
            // Whoever else wants to open it learns at once that it is not to be had.
            #expect(try await scene.call() == "`key_unavailable`")
        }
        scene.faults.release()
        try await eventually("the end of the stuck call") { scene.token.stuckCalls == 0 }
        #expect(try await scene.calls(5) == "succeeds")
        #expect(scene.faults.calls(fault_Login) == 2, "one to make the key, one after that")
        #expect(scene.faults.calls(fault_Initialize) == 2, "one to make the key, one after that")
    }

    @Test func `a module is not initialised again while a call is in it`() async throws {
        let scene = try await FaultScene(.softHSM)
        scene.faults.hold(fault_Encrypt)
        #expect(try await scene.call(deadline: short) == "`deadline_exceeded`")
        let initializations = scene.faults.calls(fault_Initialize)
        scene.faults[fault_broken] = 1
        let error = try await #require(throws: SecretError.self) {
            try await scene.wrapper.wrap(key, associatedData: [], deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("cannot be while a call (C_Encrypt) does not return"), "\(error)")
        #expect(error.message.contains("CKR_DEVICE_ERROR"), "\(error)")
        #expect(scene.faults.calls(fault_Initialize) == initializations)
        scene.faults.release()
        try await eventually("the end of the stuck call") { scene.token.stuckCalls == 0 }
        #expect(try await scene.calls(5) == "succeeds")
        #expect(scene.faults.calls(fault_Initialize) == initializations + 1)
        scene.expectOrder("re-initialising")
    }

    @Test func `a caller who gives up during a call is let go, and the call counts as stuck when it is late`()
        async throws
    {
        let scene = try await FaultScene(.softHSM)
        scene.faults.hold(fault_Encrypt)
        let task = Task { try await scene.wrapper.wrap(key, associatedData: [], deadline: soon) }
        try await eventually("the call") { scene.faults[fault_held] == 1 }
        task.cancel()
        let error = try await #require(throws: SecretError.self) { try await task.value }
        #expect(error.code == .cancelled)
        #expect(scene.faults[fault_held] == 1)
        #expect(scene.token.stuckCalls == 0)
        scene.faults.release()
        #expect(try await scene.calls(5) == "succeeds")
    }

    @Test func `who waits for a session gives up by deadline and by cancellation`() async throws {
        let scene = try await FaultScene(.softHSM) { $0.maximumSessions = 2 }
        let made = scene.faults.calls(fault_EncryptInit)
        scene.faults.hold(fault_Encrypt, times: 2)
        let busy = (0..<2).map { _ in Task { try await scene.call() } }
        try await eventually("the calls") { scene.faults[fault_held] == 2 }
        #expect(try await scene.call(deadline: .after(.milliseconds(200))) == "`deadline_exceeded`")
        let waiting = Task { try await scene.call() }
        try await eventually("the waiting call") { scene.token.waitingCalls == 1 }
        waiting.cancel()
        #expect(try await waiting.value == "`cancelled`")
        scene.faults.release()
        for task in busy { #expect(try await task.value == "succeeds") }
        #expect(try await scene.calls(5) == "succeeds")
        #expect(scene.faults.calls(fault_EncryptInit) == made + 7, "nothing was done for those who had given up")
        #expect(scene.faults[fault_most_sessions] <= 3)
    }
}
