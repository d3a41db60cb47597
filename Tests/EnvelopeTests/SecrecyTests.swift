import BackendConformance
import Envelope
import Foundation
import PosternProtocol
import Testing

@Suite struct SecrecyTests {
    @Test func `nothing of a payload or a domain key is in the store in the clear`() async throws {
        let store = InMemoryBackend()
        let recorder = RecordingRandom()
        let envelope = try EnvelopeBackend(
            store: store, keyWrappers: [TestKeyWrapper()], options: .patient, random: recorder.source)
        let path = try SecretPath("llm/openai/api_key")
        for round in 1...3 {
            let payload = try Payload([
                .init(name: "canary-name", value: SecretBytes("canary-value-\(round)")),
                .init(name: "other", value: SecretBytes(String(repeating: "canary", count: 200))),
            ])
            _ = try await envelope.write(path, payload, expecting: nil, deadline: soon)
        }
        try await envelope.put("db", "canary-of-a-single-segment")
        let domainKeys = recorder.secrets
        #expect(domainKeys.count == 2)

        let stored = try await store.everything()
        #expect(stored.count == 6, "four versions and two key records")
        for version in stored {
            var bytes = Data("\(version.labels)".utf8)
            for field in version.payload.fields { bytes += Data(field.name.utf8) + Data(field.value.bytes) }
            for canary in [Data("canary".utf8)] + domainKeys.map({ $0.prefix(8) }) {
                #expect(bytes.range(of: canary) == nil, "\(version.path)")
                // Base64 at any of its three alignments, less the digits that neighbours change.
                for shift in 0..<3 {
                    let text = (Data(count: shift) + canary).base64EncodedData()
                    #expect(bytes.range(of: text.dropFirst(shift == 0 ? 0 : 4).prefix(6)) == nil, "\(version.path)")
                }
            }
        }
    }

    @Test func `all fields come back as they were, in their order`() async throws {
        let envelope = try EnvelopeBackend(store: InMemoryBackend(), keyWrappers: [TestKeyWrapper()], options: .patient)
        let payloads = try [
            Payload(value: SecretBytes("")),
            Payload(value: SecretBytes(copying: (0...255).map { UInt8($0) })),
            Payload([
                .init(name: "z", value: SecretBytes("1")), .init(name: "a", value: SecretBytes("")),
                .init(name: "naïve ✓", value: SecretBytes("3")),
                .init(name: "postern.envelope", value: SecretBytes("4")),
            ]),
            Payload((0..<256).map { .init(name: "f\(255 - $0)", value: SecretBytes("\($0)")) }),
            // Exactly as large as is allowed; the envelope's own bytes do not count.
            Payload(value: SecretBytes(copying: [UInt8](repeating: 7, count: Payload.defaultMaximumBytes - 5))),
        ]
        for payload in payloads {
            let path = try SecretPath("a/b")
            let written = try await envelope.write(path, payload, expecting: nil, deadline: soon)
            let read = try await envelope.read(path, version: written.number, deadline: soon)
            #expect(read.payload == payload)
            #expect(read.info == written)
        }
    }

    @Test func `one value written twice gives two unlike envelopes`() async throws {
        let store = InMemoryBackend()
        let envelope = try EnvelopeBackend(store: store, keyWrappers: [TestKeyWrapper()], options: .patient)
        for path in ["a/x", "a/x", "a/y"] { try await envelope.put(path, "the same") }
        let envelopes = try await store.everything().filter { !$0.path.isReserved }.map {
            $0.payload.fields[0].value.bytes
        }
        #expect(Set(envelopes.map { Array($0.suffix(24)) }).count == 3)
        #expect(Set(envelopes.map { Array($0[25..<57]) }).count == 3, "salts")
    }
}

/// Hands out the system's random bytes, and remembers those as long as keys.
private final class RecordingRandom: Sendable {
    private let seen = Log<Data>()

    var secrets: [Data] { seen.all.filter { $0.count == 32 } }

    var source: RandomSource {
        RandomSource { [seen] buffer in
            for index in buffer.indices { buffer[index] = .random(in: 0...255) }
            seen.append(Data(buffer))
        }
    }
}
