// Requests whose answers are lost: whether they happened is found out, or said not to be known.

import NIOCore
import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

/// How an answer is lost.
enum Loss: CaseIterable, Sendable {
    case neverSent, cut, half, garbage, anothersPage, anotherVersion

    /// Whether the server has done what was asked.
    var happened: Bool { self != .neverSent }

    var fault: UnreliableProxy.Fault {
        switch self {
        case .neverSent: .cutBeforeRequest
        case .cut: .cutBeforeAnswer
        case .half: .halfAnswer
        case .garbage: .replaceAnswer("\u{1}\u{2}\u{3}\r\n\r\n")
        case .anothersPage:
            .replaceAnswer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>")
        case .anotherVersion:
            .replaceAnswer("HTTP/1.1 200 OK\r\nContent-Length: \(Self.other.utf8.count)\r\n\r\n\(Self.other)")
        }
    }

    private static let other = #"{"data":{"version":99,"created_time":"2026-11-24T00:00:00Z","destroyed":false}}"#
}

/// A backend behind a proxy, and the mount as others see it: they go past the proxy.
private func withInterruptions(
    _ body: (VaultBackend, UnreliableProxy, KVPlace) async throws -> Void
) async throws {
    let api = try await DevServer.shared.api
    let proxy = try await UnreliableProxy(to: api.address)
    let place = KVPlace(api: api, mount: try await api.makeKV())
    let vault = try VaultUnderTest([proxy.address], mount: place.mount, token: api.token)
    do {
        try await body(vault.backend, proxy, place)
    } catch {
        proxy.stop()
        try await vault.close()
        throw error
    }
    proxy.stop()
    try await vault.close()
}

@Suite(.timeLimit(.minutes(5))) struct `A write whose answer is lost` {
    @Test(arguments: Loss.allCases)
    func `is done once, and its version is returned`(loss: Loss) async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a", "1")
            proxy.script(loss.fault)
            let written = try await backend.put("a", "2", expecting: 1)
            #expect(written.number == 2)
            let described = try await backend.describe(SecretPath("a"), deadline: soon)
            #expect(described.currentVersion == 2)
            #expect(described.versions.last == written)
            #expect(try await backend.fields("a") == ["value=2"])
        }
    }

    @Test(arguments: Loss.allCases)
    func `is done once where nothing is expected too`(loss: Loss) async throws {
        try await withInterruptions { backend, proxy, _ in
            for number in 1...2 {
                // The mount's settings and the secret's metadata are asked for before.
                proxy.script(.none, .none, loss.fault)
                let written = try await backend.put("a", "\(number)")
                #expect(written.number == number)
            }
            #expect(try await backend.fields("a") == ["value=2"])
        }
    }

    @Test(arguments: [Loss.neverSent, .cut], [nil, 1])
    func `is settled however often its answer is lost`(loss: Loss, expecting: Int?) async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a", "1")
            if expecting == nil {
                proxy.script(.none, .none, loss.fault, loss.fault, loss.fault)
            } else {
                proxy.script(loss.fault, loss.fault, loss.fault)
            }
            #expect(try await backend.put("a", "2", expecting: expecting).number == 2)
            #expect(try await backend.fields("a") == ["value=2"])
        }
    }

    @Test func `loses to somebody who wrote before it was sent again`() async throws {
        try await withInterruptions { backend, proxy, place in
            try await backend.put("a", "1")
            proxy.script(.cutBeforeRequest, .holdRequest)
            async let lost = expectError(.conflict) { try await backend.put("a", "mine", expecting: 1) }
            try await eventually("it is sent again") { proxy.held == 1 }
            for value in ["theirs", "theirs too"] { try await place.kv("put", "a", "value=\(value)") }
            proxy.release()
            #expect(await lost?.currentVersion == 3)
            #expect(try await backend.fields("a", 2) == ["value=theirs"])
        }
    }

    @Test func `comes after somebody who wrote before it was sent again, where nothing is expected`() async throws {
        try await withInterruptions { backend, proxy, place in
            try await backend.put("a", "1")
            proxy.script(.none, .none, .cutBeforeRequest, .holdRequest)
            async let written = backend.put("a", "mine")
            try await eventually("it is sent again") { proxy.held == 1 }
            try await place.kv("put", "a", "value=theirs")
            proxy.release()
            let info = try await written
            #expect(info.number == 3)
            #expect(try await backend.fields("a", 2) == ["value=theirs"])
            #expect(try await backend.fields("a", 3) == ["value=mine"])
        }
    }

    @Test func `is recognised although others have written since`() async throws {
        try await withInterruptions { backend, proxy, place in
            try await backend.put("a", "1")
            proxy.script(.cutBeforeAnswer, .holdRequest)
            async let written = backend.put("a", ["z": "mine", "a": "\u{0}"], expecting: 1)
            try await eventually("it is sent again") { proxy.held == 1 }
            for value in ["theirs", "theirs too"] { try await place.kv("put", "a", "value=\(value)") }
            proxy.release()
            let info = try await written
            #expect(info.number == 2)
            #expect(try await backend.get("a", 2).info == info)
        }
    }

    @Test(arguments: [
        ["delete", "-versions=2", "a"], ["destroy", "-versions=2", "a"], ["metadata", "delete", "a"],
        ["metadata", "put", "-max-versions=1", "a"],
    ])
    func `is said to be unknown once its version cannot be looked at`(command: [String]) async throws {
        try await withInterruptions { backend, proxy, place in
            try await backend.put("a", "1")
            proxy.script(.cutBeforeAnswer, .holdRequest)
            async let unknown = expectError(.backendUnavailable, containing: "not known", "version 2") {
                try await backend.put("a", "2", expecting: 1)
            }
            try await eventually("it is sent again") { proxy.held == 1 }
            #expect(try await place.kv(command).code == 0)
            if command.contains("-max-versions=1") { try await place.kv("put", "a", "value=3") }
            proxy.release()
            _ = await unknown
        }
    }

    @Test func `is done again where the secret that it made has been removed`() async throws {
        try await withInterruptions { backend, proxy, place in
            proxy.script(.cutBeforeAnswer, .holdRequest)
            async let written = backend.put("a", "1", expecting: 0)
            try await eventually("it is sent again") { proxy.held == 1 }
            try await place.kv("metadata", "delete", "a")
            proxy.release()
            let info = try await written
            #expect(try await backend.get("a").info == info)
        }
    }

    @Test func `still conflicts where it expects what never was`() async throws {
        try await withInterruptions { backend, proxy, _ in
            for value in ["1", "2"] { try await backend.put("a", value) }
            proxy.script(.cutBeforeAnswer)
            let error = await expectError(.conflict) { try await backend.put("a", "x", expecting: 4) }
            #expect(error?.currentVersion == 2)
        }
    }

    @Test func `is said to be unknown when Vault stays away`() async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a", "1")
            proxy.script(.holdAnswer)
            let write = Task {
                try await backend.write(
                    SecretPath("a"), Payload(value: SecretBytes("2")), expecting: 1, deadline: .after(.seconds(3)))
            }
            try await eventually("it is done") { proxy.held == 1 }
            proxy.setDown(true)
            let error = await #expect(throws: SecretError.self) { _ = try await write.value }
            #expect([.backendUnavailable, .deadlineExceeded].contains(error?.code))
            #expect(error?.message.contains("not known whether a was written: if it was, it is version 2") == true)
            proxy.setDown(false)
        }
    }

    @Test func `that arrives behind its deadline has said so, and happens once`() async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a", "1")
            proxy.script(.holdRequest, .holdRequest, .holdRequest, .holdRequest)
            let error = await #expect(throws: SecretError.self) {
                try await backend.write(
                    SecretPath("a"), Payload(value: SecretBytes("2")), expecting: 1, deadline: .after(.seconds(1)))
            }
            #expect(error?.message.contains("version 2") == true)
            // However often it was sent in its time, nothing more is held back.
            proxy.script()
            proxy.release()
            try await eventually("it arrives") { try await backend.fields("a") == ["value=2"] }
            #expect(try await backend.put("a", "3").number == 3)
        }
    }

    @Test func `goes on for a while when its caller gives up, and then says that it is not known`() async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a", "1")
            proxy.script(.holdAnswer)
            let write = Task { try await backend.put("a", "2", expecting: 1) }
            try await eventually("it is done") { proxy.held == 1 }
            write.cancel()
            proxy.release()
            #expect(try await write.value.number == 2)

            proxy.script(.holdAnswer)
            let stuck = Task { try await backend.put("a", "3", expecting: 2) }
            try await eventually("it is done") { proxy.held == 1 }
            stuck.cancel()
            let error = await #expect(throws: SecretError.self) { _ = try await stuck.value }
            #expect(error?.code == .cancelled)
            #expect(error?.message.contains("version 3") == true)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `Another request whose answer is lost` {
    @Test(arguments: Loss.allCases.filter { $0 != .anothersPage })
    func `is made again: deletion, undeletion, destruction, metadata`(loss: Loss) async throws {
        try await withInterruptions { backend, proxy, _ in
            let path = try SecretPath("a")
            for value in ["1", "2"] { try await backend.put("a", value) }
            proxy.script(.none, loss.fault)
            try await backend.delete(path, versions: [1], deadline: soon)
            #expect(try await backend.describe(path, deadline: soon).versions.map(\.state) == [.deleted, .available])
            proxy.script(.none, loss.fault)
            try await backend.undelete(path, versions: [1], deadline: soon)
            proxy.script(.none, loss.fault)
            try await backend.destroy(path, versions: [2], deadline: soon)
            #expect(try await backend.describe(path, deadline: soon).versions.map(\.state) == [.available, .destroyed])
            proxy.script(.none, loss.fault)
            let changed = try await backend.updateMetadata(
                path, MetadataChange(maxVersions: 4, labels: ["k": "v"]), deadline: soon)
            #expect(changed.metadata == SecretMetadata(maxVersions: 4, labels: ["k": "v"]))
        }
    }

    @Test(arguments: Loss.allCases)
    func `is made again where it removes, unless the secret is gone`(loss: Loss) async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a")
            proxy.script(.none, loss.fault)
            try await backend.remove(SecretPath("a"), deadline: soon)
            await expectError(.notFound) { try await backend.describe(SecretPath("a"), deadline: soon) }
        }
    }

    @Test func `does not remove a secret that was made anew in between`() async throws {
        try await withInterruptions { backend, proxy, place in
            try await backend.put("a", "old")
            proxy.script(.none, .cutBeforeAnswer, .holdRequest)
            async let removed: Void = backend.remove(SecretPath("a"), deadline: soon)
            try await eventually("it is looked for") { proxy.held == 1 }
            try await place.kv("put", "a", "value=new")
            proxy.release()
            try await removed
            #expect(try await backend.fields("a") == ["value=new"])
        }
    }

    @Test(arguments: [UnreliableProxy.Fault.cutBeforeRequest, .cutBeforeAnswer, .halfAnswer])
    func `is made again where it reads`(fault: UnreliableProxy.Fault) async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a")
            proxy.script(fault)
            #expect(try await backend.fields("a") == ["value=v"])
            proxy.script(fault)
            #expect(try await backend.keys().entries == [.secret(SecretPath("a"))])
        }
    }

    @Test(arguments: [200, 404])
    func `that is another's page is not taken for Vault's word`(status: Int) async throws {
        try await withInterruptions { backend, proxy, _ in
            try await backend.put("a")
            let page = UnreliableProxy.Fault.replaceAnswer(
                "HTTP/1.1 \(status) Some Page\r\nContent-Length: 13\r\n\r\n<html></html>")
            let path = try SecretPath("a")
            let calls: [@Sendable () async throws -> Void] = [
                { _ = try await backend.get("a") }, { _ = try await backend.keys() },
                { _ = try await backend.describe(path, deadline: soon) },
            ]
            for call in calls {
                proxy.script(page)
                await expectError(.backendUnavailable, containing: "\(status)") { try await call() }
            }
            let changes: [@Sendable () async throws -> Void] = [
                { try await backend.delete(path, versions: [], deadline: soon) },
                { try await backend.undelete(path, versions: [1], deadline: soon) },
                { _ = try await backend.updateMetadata(path, MetadataChange(maxVersions: 3), deadline: soon) },
            ]
            for change in changes {
                proxy.script(.none, page)
                await expectError(.backendUnavailable, containing: "\(status)") { try await change() }
            }
            try await backend.undelete(path, versions: [1], deadline: soon)
            #expect(try await backend.fields("a") == ["value=v"])
        }
    }
}
