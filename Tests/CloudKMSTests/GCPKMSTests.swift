// Google Cloud KMS, against a fake that does what the REST reference says.

import CloudServers
import Foundation
import KeyWrapperConformance
import NIOHTTP1
import NIOPosix
import PosternProtocol
import Testing

@testable import CloudKMS

extension GCPKMSKeyWrapper {
    /// A wrapper that talks to the fake alone.
    static func test(
        _ google: FakeGoogle, key: String = FakeGoogle.key, _ environment: [String: String] = [:],
        clock: any WallClock = SystemWallClock(), attempts: Attempts = .patient
    ) throws -> GCPKMSKeyWrapper {
        let base = [
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": google.url,
            "GCE_METADATA_HOST": String(google.url.dropFirst("http://".count)),
        ]
        return try GCPKMSKeyWrapper(
            GCPKMSKeyName(key), environment: base.merging(environment) { $1 },
            group: MultiThreadedEventLoopGroup.singleton, clock: clock, attempts: attempts)
    }
}

@Suite(.timeLimit(.minutes(10))) struct `A key in Google Cloud KMS` {
    @Test(arguments: KeyWrapperConformance.checks)
    func `it keeps the contract of key wrappers`(check: KeyWrapperCheck) async throws {
        try await check.run(
            on: KeyWrapperHarness("gcp-kms(fake)") {
                let google = try await FakeGoogle()
                return KeyWrapperHarness.Instance(
                    try GCPKMSKeyWrapper.test(google),
                    foreign: try GCPKMSKeyWrapper.test(google, key: FakeGoogle.otherKey),
                    reopen: { try GCPKMSKeyWrapper.test(google) }, close: { try await google.stop() })
            })
    }

    @Test func `its id is its resource name`() async throws {
        let google = try await FakeGoogle()
        #expect(
            try GCPKMSKeyWrapper.test(google).descriptor
                == KeyDescriptor(
                    id: FakeGoogle.key, algorithm: "GOOGLE_SYMMETRIC_ENCRYPTION", origin: "gcp-kms"))
        try await google.stop()
    }

    @Test func `Google authenticates ciphertext and binding, whatever the blob's own hash says`() async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        let blob = try WrappedBlob(
            try await wrapper.wrap(sampleKey, associatedData: [1], deadline: soon), of: .gcp, keyID: FakeGoogle.key)
        for position in blob.ciphertext.indices {
            var changed = blob.ciphertext
            changed[position] ^= 1
            let forged = WrappedBlob(.gcp, keyID: FakeGoogle.key, label: blob.label, ciphertext: changed).bytes
            await expectError(.integrityFailure, "byte \(position)") {
                try await wrapper.unwrap(forged, associatedData: [1], deadline: soon)
            }
        }
        await expectError(.integrityFailure) {
            try await wrapper.unwrap(blob.bytes, associatedData: [2], deadline: soon)
        }
        try await google.stop()
    }

    @Test func `every call carries the checksums of all that it sends`() async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [1], deadline: soon)
        _ = try await wrapper.unwrap(blob, associatedData: [1], deadline: soon)
        let bodies = try google.requests.filter { $0.method == .POST }.map {
            Set(try #require(JSONSerialization.jsonObject(with: Data($0.body)) as? [String: Any]).keys)
        }
        let binding = ["additionalAuthenticatedData", "additionalAuthenticatedDataCrc32c"]
        #expect(
            bodies == [
                Set(["plaintext", "plaintextCrc32c"] + binding), Set(["ciphertext", "ciphertextCrc32c"] + binding),
            ])
        try await google.stop()
    }

    /// What may happen to an answer on its way.
    struct Damage: Sendable, CustomTestStringConvertible {
        let operation: String
        let testDescription: String
        let change: @Sendable (String) -> String
    }

    private static let damages = [
        Damage(operation: "encrypt", testDescription: "the ciphertext") { flip("ciphertext", $0) },
        Damage(operation: "encrypt", testDescription: "the ciphertext's checksum") { flip("ciphertextCrc32c", $0) },
        Damage(operation: "encrypt", testDescription: "no checksum") { $0.replacing("ciphertextCrc32c", with: "x") },
        Damage(operation: "encrypt", testDescription: "a plaintext that is not said to have arrived whole") {
            $0.replacing("verifiedPlaintextCrc32c", with: "x")
        },
        Damage(operation: "encrypt", testDescription: "a plaintext that did not arrive whole") {
            $0.replacing(#""verifiedPlaintextCrc32c":true"#, with: #""verifiedPlaintextCrc32c":false"#)
        },
        Damage(operation: "encrypt", testDescription: "a binding that did not arrive whole") {
            $0.replacing(#"DataCrc32c":true"#, with: #"DataCrc32c":false"#)
        },
        Damage(operation: "decrypt", testDescription: "the plaintext") { flip("plaintext", $0) },
        Damage(operation: "decrypt", testDescription: "the plaintext's checksum") { flip("plaintextCrc32c", $0) },
        Damage(operation: "decrypt", testDescription: "no checksum") { $0.replacing("plaintextCrc32c", with: "x") },
    ]

    /// Changes the second character of a member's text.
    private static func flip(_ member: String, _ text: String) -> String {
        guard let start = text.firstRange(of: "\"\(member)\":\"")?.upperBound else { return text }
        let place = text.index(after: start)
        var changed = text
        changed.replaceSubrange(place...place, with: text[place] == "1" ? "2" : "1")
        return changed
    }

    @Test(arguments: damages)
    func `what was damaged on the way is asked for again, and never used`(damage: Damage) async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [1], deadline: soon)
        let before = google.kmsCalls
        func use(_ wrapper: GCPKMSKeyWrapper) async throws {
            if damage.operation == "encrypt" {
                let new = try await wrapper.wrap(sampleKey, associatedData: [1], deadline: soon)
                google.alter(nil)
                #expect(try await wrapper.unwrap(new, associatedData: [1], deadline: soon) == sampleKey)
            } else {
                #expect(try await wrapper.unwrap(blob, associatedData: [1], deadline: soon) == sampleKey)
            }
        }
        // Two answers arrive damaged.
        google.alter { request, text in
            request.target.hasSuffix(":" + damage.operation) && google.kmsCalls - before <= 2
                ? damage.change(text) : text
        }
        try await use(wrapper)
        #expect(google.kmsCalls == before + (damage.operation == "encrypt" ? 4 : 3))

        google.alter { request, text in
            request.target.hasSuffix(":" + damage.operation) ? damage.change(text) : text
        }
        let brief = try GCPKMSKeyWrapper.test(google, attempts: .brief)
        await expectError(.keyUnavailable, containing: ["checksums"]) { try await use(brief) }
        try await google.stop()
    }

    @Test func `what Google got damaged is sent again`() async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [1], deadline: soon)
        let message = "The checksum in field ciphertext_crc32c did not match the data in field ciphertext."
        let damaged = ServerAnswer.json(
            400, #"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"\#(message)"}}"#)
        google.intervene { request in
            request.target.hasSuffix(":decrypt") && google.requests.count { $0.target == request.target } <= 2
                ? damaged : nil
        }
        #expect(try await wrapper.unwrap(blob, associatedData: [1], deadline: soon) == sampleKey)
        try await google.stop()
    }

    @Test func `a key that is disabled, destroyed, gone or not for us says so, and works again once it may`()
        async throws
    {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        func expectRefused(_ text: String) async {
            let calls = google.kmsCalls
            await expectError(.keyUnavailable, containing: [text, FakeGoogle.key], without: ["canary"]) {
                try await wrapper.unwrap(blob, associatedData: [], deadline: soon)
            }
            #expect(google.kmsCalls == calls + 1)
            #expect(await wrapper.health(deadline: soon).isReady == false)
        }
        google.disable()
        await expectRefused("disabled")
        google.enable()
        #expect(try await wrapper.unwrap(blob, associatedData: [], deadline: soon) == sampleKey)
        google.permit(false)
        await expectRefused("roles/cloudkms.cryptoKeyEncrypterDecrypter")
        google.permit(true)
        #expect(await wrapper.health(deadline: soon).isReady)
        google.destroy()
        await expectRefused("destroyed")
        google.remove()
        await expectRefused("no such key")
        try await google.stop()
    }

    @Test func `a version older than the one that encrypts now is told, and still opens`() async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        let old = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(try await wrapper.needsRewrap(old, deadline: soon) == false)
        google.rotate()
        #expect(try await wrapper.needsRewrap(old, deadline: soon))
        #expect(try await wrapper.unwrap(old, associatedData: [], deadline: soon) == sampleKey)
        let new = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(try await wrapper.needsRewrap(new, deadline: soon) == false)
        await expectError(.integrityFailure) { try await wrapper.needsRewrap([1, 2, 3], deadline: soon) }
        try await google.stop()
    }

    @Test func `limits and passing failures are repeated until they succeed, or patience ends`() async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google)
        _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        let first = google.kmsCalls
        let answers: [ServerAnswer] = [
            .json(429, #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"canary"}}"#),
            .text(503, "<html>"),
            .hangUp, .raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), .json(200, "{}"), .json(200, "canary"),
        ]
        google.intervene { request in
            let call = google.kmsCalls - first
            return request.target.hasPrefix("/v1/projects/") && call <= answers.count ? answers[call - 1] : nil
        }
        _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(google.kmsCalls == first + answers.count + 1)

        google.intervene { $0.target.hasPrefix("/v1/projects/") ? answers[0] : nil }
        let error = await expectError(.keyUnavailable, containing: ["RESOURCE_EXHAUSTED"], without: ["canary"]) {
            try await GCPKMSKeyWrapper.test(google, attempts: .brief)
                .wrap(sampleKey, associatedData: [], deadline: soon)
        }
        #expect(error?.retryAfterSeconds != nil)
        try await google.stop()
    }

    @Test func `Google away: calls fail in time saying so`() async throws {
        let google = try await FakeGoogle()
        let wrapper = try GCPKMSKeyWrapper.test(google, attempts: .brief)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        let url = google.url
        try await google.stop()
        await expectError(.keyUnavailable, containing: [url, "refuses connections"]) {
            try await wrapper.unwrap(blob, associatedData: [], deadline: soon)
        }
    }
}
