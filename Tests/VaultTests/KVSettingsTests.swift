// What is set in Vault: on the mount, on secrets, in policies; and mounts and namespaces that are there or not.

import PosternProtocol
import TestPrograms
import Testing
import VaultServers

@testable import Vault

@Suite(.timeLimit(.minutes(5))) struct `What is set in Vault` {
    @Test func `cas_required on the mount makes a write without expectation an invalid argument`() async throws {
        try await withKV { backend, place in
            try await backend.put("a")
            try await place.api.must("POST", "\(place.mount)/config", #"{"cas_required":true}"#)
            await expectError(.invalidArgument, containing: "cas_required") { try await backend.put("a") }
            await expectError(.invalidArgument) { try await backend.put("new") }
            #expect(try await backend.put("a", expecting: 1).number == 2)
            #expect(try await backend.put("new", expecting: 0).number == 1)
            let error = await expectError(.conflict) { try await backend.put("a", expecting: 1) }
            #expect(error?.currentVersion == 2)
        }
    }

    @Test func `cas_required on a secret holds for that secret`() async throws {
        try await withKV { backend, place in
            try await place.kv("metadata", "put", "-cas-required=true", "a")
            await expectError(.invalidArgument, containing: "cas_required") { try await backend.put("a") }
            #expect(try await backend.put("a", expecting: 0).number == 1)
            #expect(try await backend.put("b").number == 1)
        }
    }

    @Test func `max_versions of the mount holds where a secret has none of its own`() async throws {
        try await withKV { backend, place in
            try await place.api.must("POST", "\(place.mount)/config", #"{"max_versions":2}"#)
            for _ in 1...4 { try await backend.put("a") }
            let described = try await backend.describe(SecretPath("a"), deadline: soon)
            #expect(described.versions.map(\.number) == [3, 4])
            await expectError(.notFound) { try await backend.get("a", 2) }
        }
    }

    @Test func `delete_version_after deletes by Vault's own clock`() async throws {
        try await withKV { backend, _ in
            let path = try SecretPath("a")
            try await backend.put("a", "stays")
            _ = try await backend.updateMetadata(
                path, MetadataChange(deleteVersionAfterSeconds: 3), deadline: soon)
            let written = try await backend.put("a", "goes")
            #expect(written.state == .available)
            #expect(written.deletesAt == written.createdAt.advanced(by: .seconds(3)))
            try await eventually("it deletes itself", within: .seconds(120)) {
                do {
                    return try await backend.get("a").info.number != 2
                } catch let error as SecretError where error.code == .versionDeleted {
                    return true
                }
            }
            let described = try await backend.describe(path, deadline: soon)
            #expect(described.versions.map(\.state) == [.available, .deleted])
            #expect(described.versions.last?.deletesAt == written.deletesAt)
            let error = await expectError(.conflict) { try await backend.put("a", expecting: 1) }
            #expect(error?.currentVersion == 2)
            // OpenBao lets the time begin anew where the setting still holds.
            try await backend.undelete(path, versions: [2], deadline: soon)
            let again = try await backend.describe(path, deadline: soon).versions.last?.deletesAt
            #expect(try again ?? .init(seconds: .max / 2_000_000) > #require(written.deletesAt))
            _ = try await backend.updateMetadata(path, MetadataChange(deleteVersionAfterSeconds: 0), deadline: soon)
            try await backend.delete(path, versions: [2], deadline: soon)
            try await backend.undelete(path, versions: [2], deadline: soon)
            #expect(try await backend.fields("a") == ["value=goes"])
            #expect(try await backend.get("a").info.deletesAt == nil)
        }
    }

    @Test func `delete_version_after can be taken back, and then nothing else changes`() async throws {
        try await withKV { backend, place in
            try await backend.put("a")
            for isChecked in [false, true] where !(isChecked && VaultProcess.isHashiCorp) {
                if isChecked {
                    try await place.api.must("POST", "\(place.mount)/config", #"{"metadata_cas_required":true}"#)
                }
                let set = MetadataChange(
                    maxVersions: 7, deleteVersionAfterSeconds: 60, casRequired: true, labels: ["k": "v"])
                _ = try await backend.updateMetadata(SecretPath("a"), set, deadline: soon)
                let back = MetadataChange(deleteVersionAfterSeconds: 0, labels: ["l": "v"])
                let changed = try await backend.updateMetadata(SecretPath("a"), back, deadline: soon)
                let expected = SecretMetadata(maxVersions: 7, casRequired: true, labels: ["k": "v", "l": "v"])
                #expect(changed.metadata == expected)
                #expect(try await backend.describe(SecretPath("a"), deadline: soon).metadata == expected)
            }
        }
    }

    @Test func `undeleting what is not deleted leaves its time as it is`() async throws {
        try await withKV { backend, place in
            try await place.kv("metadata", "put", "-delete-version-after=2h30m", "a")
            let written = try await backend.put("a")
            #expect(written.deletesAt == written.createdAt.advanced(by: .seconds(9_000)))
            try await backend.undelete(SecretPath("a"), versions: [1], deadline: soon)
            let described = try await backend.describe(SecretPath("a"), deadline: soon)
            #expect(described.versions == [written])
            #expect(described.metadata.deleteVersionAfterSeconds == 9_000)
            #expect(try await backend.get("a").info == written)
        }
    }

    @Test func `labels that Vault would refuse are refused before, and all others are taken`() async throws {
        try await withKV { backend, place in
            try await backend.put("a")
            let path = try SecretPath("a")
            for text in [
                "é 🔑", "e\u{301}", "~^|¬", "٣Ⅷ½", "\u{FFFD}", "ǅʰא", "(«—»)_", String(repeating: "v", count: 512),
            ] {
                let changed = try await backend.updateMetadata(
                    path, MetadataChange(labels: ["k": text]), deadline: soon)
                #expect(changed.metadata.labels == ["k": text])
            }
            for text in [
                "\u{A0}", "\u{200B}", "\u{3000}", "\u{E000}", "\u{378}", "\u{2028}", "a\tb", "\u{AD}", "\u{7F}",
            ] {
                await expectError(.invalidArgument) {
                    try await backend.updateMetadata(path, MetadataChange(labels: ["k": text]), deadline: soon)
                }
                await expectError(.invalidArgument) {
                    try await backend.updateMetadata(path, MetadataChange(labels: [text: "v"]), deadline: soon)
                }
                // So that the check here is Vault's own.
                let escaped = text.unicodeScalars.map { "\\u" + String(0x1_0000 + $0.value, radix: 16).dropFirst() }
                let theirs = try await place.api.call(
                    "PATCH", "\(place.mount)/metadata/a",
                    #"{"custom_metadata":{"k":"\#(escaped.joined())"}}"#, contentType: "application/merge-patch+json")
                #expect(theirs.status == 400)
            }
            // One that is not allowed can still be taken away.
            _ = try await backend.updateMetadata(path, MetadataChange(labels: ["\u{A0}": String?.none]), deadline: soon)
        }
    }

    @Test func `a mount that wants metadata changes checked gets them checked, and loses none`() async throws {
        try await withKV { backend, place in
            guard !VaultProcess.isHashiCorp else { return }
            try await place.api.must("POST", "\(place.mount)/config", #"{"metadata_cas_required":true}"#)
            try await backend.put("a")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<6 {
                    group.addTask {
                        _ = try await backend.updateMetadata(
                            SecretPath("a"), MetadataChange(labels: ["l\(number)": "v"]), deadline: soon)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await backend.get("a").labels.count == 6)
        }
    }

    @Test func `a label is the same however its name is composed`() async throws {
        try await withKV { backend, place in
            try await backend.put("a")
            let path = try SecretPath("a")
            let (one, two) = ("\u{E9}", "e\u{301}")
            for (name, value) in [(one, "1"), (two, "2"), (one, "3")] {
                let changed = try await backend.updateMetadata(
                    path, MetadataChange(labels: [name: value]), deadline: soon)
                #expect(changed.metadata.labels == [name: value])
            }
            // To Vault they are two, and others may have stored both.
            try await place.api.must(
                "POST", "\(place.mount)/metadata/a", #"{"custom_metadata":{"\u00e9":"x","e\u0301":"x"}}"#)
            #expect(try await backend.get("a").labels == [one: "x"])
        }
    }

    @Test func `a change of metadata that is empty changes nothing`() async throws {
        try await withKV { backend, _ in
            try await backend.put("a")
            let before = try await backend.describe(SecretPath("a"), deadline: soon)
            let after = try await backend.updateMetadata(SecretPath("a"), MetadataChange(), deadline: soon)
            #expect(after.metadata == before.metadata && after.versions == before.versions)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `Where secrets are in Vault` {
    /// Everything that a backend does.
    static let calls: [(String, @Sendable (VaultBackend) async throws -> Void)] = [
        ("read", { _ = try await $0.get("a") }),
        ("write", { try await $0.put("a") }),
        ("create", { try await $0.put("new", expecting: 0) }),
        ("delete", { try await $0.delete(SecretPath("a"), versions: [], deadline: soon) }),
        ("undelete", { try await $0.undelete(SecretPath("a"), versions: [1], deadline: soon) }),
        ("destroy", { try await $0.destroy(SecretPath("a"), versions: [1], deadline: soon) }),
        ("remove", { try await $0.remove(SecretPath("a"), deadline: soon) }),
        ("list", { _ = try await $0.keys() }),
        ("recursive list", { _ = try await $0.keys("a", recursive: true) }),
        ("describe", { _ = try await $0.describe(SecretPath("a"), deadline: soon) }),
        (
            "updateMetadata",
            { _ = try await $0.updateMetadata(SecretPath("a"), MetadataChange(maxVersions: 3), deadline: soon) }
        ),
    ]

    @Test func `can be a mount of several segments`() async throws {
        try await withKV("team-\(UInt32.random(in: 0 ... .max))/apps/kv") { backend, place in
            try await backend.put("a/b", "nested")
            #expect(try await place.shown("a/b") as? [String: String] == ["value": "nested"])
            #expect(try await backend.keys(recursive: true).entries == [.secret(SecretPath("a/b"))])
            for (_, call) in Self.calls.filter({ ["write", "delete", "undelete", "describe"].contains($0.0) }) {
                try await call(backend)
            }
            #expect(await backend.health(deadline: soon).isReady)
        }
    }

    @Test func `are told of by health: which server answers, and what each says of itself`() async throws {
        let api = try await DevServer.shared.api
        let mount = try await api.makeKV()
        let nobody = "http://127.0.0.1:\(try freePort())"
        let vault = try VaultUnderTest([nobody, api.address], mount: mount, token: api.token)
        let health = await vault.backend.health(deadline: soon)
        #expect(health.isReady)
        #expect(health.detail.contains("\(api.address) answers"))
        #expect(health.detail.contains("\(nobody) unreachable (it refuses connections)"))
        #expect(health.detail.contains(" active"))
        try await vault.close()
    }

    @Test func `can be a namespace`() async throws {
        guard !VaultProcess.isHashiCorp else { return }
        var api = try await DevServer.shared.api
        let name = "ns\(UInt32.random(in: 0 ... .max))"
        try await api.must("POST", "sys/namespaces/\(name)", "{}")
        api.namespace = name
        let place = KVPlace(api: api, mount: try await api.makeKV("secret"))
        let inside = try VaultUnderTest([api.address], mount: "secret", token: api.token) { $0.namespace = name }
        let outside = try VaultUnderTest([api.address], mount: "secret", token: api.token)
        try await inside.backend.put("only-inside", "x")
        #expect(try await place.shown("only-inside") as? [String: String] == ["value": "x"])
        await expectError(.notFound) { try await outside.backend.get("only-inside") }
        #expect(await inside.backend.health(deadline: soon).isReady)
        try await inside.close()
        try await outside.close()
    }

    @Test(arguments: ["nothing", "one"])
    func `that is no KV v2 mount is said for every call, and never looks like an absent secret`(
        kind: String
    ) async throws {
        let api = try await DevServer.shared.api
        let mount = "none-\(UInt32.random(in: 0 ... .max))/x"
        if kind == "one" {
            try await api.must("POST", "sys/mounts/\(mount)", #"{"type":"kv","options":{"version":"1"}}"#)
        }
        let vault = try VaultUnderTest([api.address], mount: mount, token: api.token)
        for (name, call) in Self.calls {
            // A store of version 1 cannot be told from an empty one where something is only looked for.
            guard kind == "nothing" || ["write", "create"].contains(name) else { continue }
            await expectError(.backendUnavailable, containing: mount, "init-vault.sh") { try await call(vault.backend) }
        }
        let health = await vault.backend.health(deadline: soon)
        #expect(!health.isReady && health.detail.contains(mount))
        try await vault.close()
    }

    @Test func `that is only just being mounted is waited for`() async throws {
        let api = try await DevServer.shared.api
        for round in 0..<5 {
            let mount = "fresh-\(round)-\(UInt32.random(in: 0 ... .max))"
            try await api.must("POST", "sys/mounts/\(mount)", #"{"type":"kv","options":{"version":"2"}}"#)
            let vault = try VaultUnderTest([api.address], mount: mount, token: api.token)
            #expect(try await vault.backend.put("a", expecting: 0).number == 1)
            try await vault.close()
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `A token in Vault` {
    @Test func `of a caller that may not do something is denied it, and the gateway's own is a fault of its policy`()
        async throws
    {
        try await withKV { backend, place in
            try await backend.put("a")
            let weak = try await place.api.makeToken(
                policy: #"path "\#(place.mount)/nothing" { capabilities = ["read"] }"#)
            let caller = VaultBackend(
                client: backend.mount.client, mount: place.mount, token: .given(SecretBytes(weak)))
            let own = try VaultUnderTest([place.api.address], mount: place.mount, token: weak)
            for (name, call) in `Where secrets are in Vault`.calls {
                let denied = await expectError(.permissionDenied, containing: "\"\(place.mount)/") {
                    try await call(caller)
                }
                #expect(denied?.message.contains("Postern's own") == false, "\(name)")
                await expectError(
                    .backendUnavailable, containing: "Postern's own policy in Vault lacks the capability",
                    "\"\(place.mount)/", "init-vault.sh"
                ) { try await call(own.backend) }
            }
            #expect(await !own.backend.health(deadline: soon).isReady)
            #expect(await backend.health(deadline: soon).isReady)
            try await own.close()
        }
    }

    @Test(arguments: [
        ("data", #"["create","update"]"#, "\"read\""), ("data", #"["read"]"#, "\"create\" and \"update\""),
        ("metadata", #"["read","list","delete"]"#, "\"patch\""),
        ("metadata", #"["read","patch","delete"]"#, "\"list\""),
        ("metadata", #"["read","list","patch"]"#, "\"delete\""),
        ("delete", #"["read"]"#, "\"update\""), ("config", "[]", "\"read\""),
    ])
    func `that lacks one capability is told which, and where`(
        part: String, capabilities: String, missing: String
    ) async throws {
        try await withKV { backend, place in
            try await backend.put("a")
            let all = #"["create","read","update","delete","list","patch"]"#
            let policy = ["data", "metadata", "delete", "undelete", "destroy", "config"].map { each in
                let path = each == "config" ? "\(place.mount)/config" : "\(place.mount)/\(each)/*"
                return #"path "\#(path)" { capabilities = \#(each == part ? capabilities : all) }"#
            }
            let token = try await place.api.makeToken(policy: policy.joined(separator: "\n"))
            let vault = try VaultUnderTest([place.api.address], mount: place.mount, token: token)
            var refusals: [String] = []
            for (_, call) in `Where secrets are in Vault`.calls {
                try await backend.put("a")
                do {
                    try await call(vault.backend)
                } catch let error as SecretError where error.code == .backendUnavailable {
                    refusals.append(error.message)
                } catch let error as SecretError
                    where [.versionDeleted, .versionDestroyed, .notFound].contains(error.code)
                {
                    continue
                }
            }
            let expected = "capability \(missing) on \"\(place.mount)/\(part)"
            #expect(!refusals.isEmpty && refusals.allSatisfy { $0.contains(expected) }, "\(refusals)")
            try await vault.close()
        }
    }

    @Test func `of a caller reads and writes what it may`() async throws {
        try await withKV { backend, place in
            try await backend.put("mine/a", "1")
            try await backend.put("other", "1")
            let token = try await place.api.makeToken(
                policy: """
                    path "\(place.mount)/data/mine/*" { capabilities = ["create", "read", "update"] }
                    path "\(place.mount)/metadata/mine/*" { capabilities = ["read"] }
                    """)
            let caller = VaultBackend(
                client: backend.mount.client, mount: place.mount, token: .given(SecretBytes(token)))
            #expect(try await caller.fields("mine/a") == ["value=1"])
            // The mount's settings are not the caller's to read; the gateway looks at them.
            #expect(try await caller.put("mine/a", "2").number == 2)
            await expectError(.permissionDenied) { try await caller.get("other") }
            await expectError(.permissionDenied) { try await caller.get("absent") }
        }
    }
}
