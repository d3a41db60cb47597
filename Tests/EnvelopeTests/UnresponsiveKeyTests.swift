// A key-encryption key whose home does not answer at all, beside one that does.

import PosternProtocol
import Synchronization
import Testing

@testable import Envelope

/// A key wrapper that, when told to, answers nothing until its caller's deadline.
private final class HangingWrapper: KeyWrapper {
    let hangs = Mutex(false)
    private let key: TestKeyWrapper

    init(_ id: String) { key = TestKeyWrapper(id) }

    var descriptor: KeyDescriptor { key.descriptor }

    func wrap(_ key: SecretBytes, associatedData: [UInt8], deadline: Deadline) async throws(SecretError) -> [UInt8] {
        try await answer(deadline)
        return try await self.key.wrap(key, associatedData: associatedData, deadline: deadline)
    }

    func unwrap(
        _ blob: [UInt8], associatedData: [UInt8], deadline: Deadline
    ) async throws(SecretError) -> SecretBytes {
        try await answer(deadline)
        return try await key.unwrap(blob, associatedData: associatedData, deadline: deadline)
    }

    func health(deadline: Deadline) async -> BackendHealth {
        do throws(SecretError) {
            try await answer(deadline)
            return BackendHealth(isReady: true, detail: "ok")
        } catch {
            return BackendHealth(isReady: false, detail: error.message)
        }
    }

    private func answer(_ deadline: Deadline) async throws(SecretError) {
        try deadline.check("\(descriptor.id) was asked")
        guard hangs.withLock({ $0 }) else { return }
        // Cancelled is as good as late here.
        try? await Task.sleep(until: deadline.instant, clock: .continuous)
        throw SecretError(.deadlineExceeded, "The HSM did not answer.")
    }
}

@Suite struct `Keys that do not answer` {
    private let gateways = KeyGateways()
    private let hanging = HangingWrapper("hsm:hanging")
    private let other = HangingWrapper("file:other")

    @Test func `one that hangs leaves the next the time to open a domain key`() async throws {
        try await gateways.gateway([hanging, other]).put("a/x", "v")
        hanging.hangs.withLock { $0 = true }
        let reader = try gateways.gateway([hanging, other]) { $0.keyTimeout = .seconds(10) }
        #expect(try await reader.get("a/x") == "v")
    }

    @Test func `a check gives up on one that hangs, and says so`() async throws {
        try await gateways.gateway([hanging, other]).put("a/x", "v")
        hanging.hangs.withLock { $0 = true }
        let gateway = try gateways.gateway([hanging, other]) { $0.keyTimeout = .milliseconds(200) }
        let report = try await gateway.verify(domain: nil, deadline: .after(.seconds(86_400)))
        #expect(report.keks.map(\.ok) == [false, true])
        #expect(report.keks.first?.problem?.contains("did not answer") == true)
    }

    @Test func `a key that nothing is wrapped under yet is checked by using it`() async throws {
        let away = TestKeyWrapper("hsm:away")
        away.goDown()
        let gateway = try gateways.gateway([other, away])
        let report = try await gateway.verify(domain: nil, deadline: soon)
        #expect(report.keks.map(\.ok) == [true, false])
        #expect(report.keks.last?.problem?.contains("does not answer") == true)
        #expect(!report.isGood)
        away.comeBack()
        #expect(try await gateway.verify(domain: nil, deadline: soon).isGood)
    }
}
