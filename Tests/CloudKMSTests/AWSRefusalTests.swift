// What AWS KMS may answer, as its documentation says, from a server that is a fake: moto refuses little.

import CloudServers
import PosternProtocol
import Testing

@testable import CloudKMS

@Suite(.timeLimit(.minutes(10))) struct `Refusals of AWS KMS` {
    private static let secretMessage =
        "The request signature we calculated does not match. The Canonical String was secret-canary AAECAwQFBgc="
    private static let canaries = ["secret-canary", "AAECAwQF", "token-canary"]

    private func wrapper(_ server: LoopbackHTTPServer, attempts: Attempts = .brief) throws -> AWSKMSKeyWrapper {
        try .test(
            anyKey, keys(server.url).merging(["AWS_SESSION_TOKEN": "token-canary"]) { $1 }, attempts: attempts)
    }

    /// A blob that is whole, so that only the service decides.
    private let blob = WrappedBlob(.aws, keyID: anyKey, label: "", ciphertext: [1, 2, 3]).bytes

    @Test(arguments: [
        ("AccessDeniedException", "kms:Decrypt"), ("NotFoundException", "no such key"),
        ("DisabledException", "enable it"),
        ("KMSInvalidStateException", "waits to be deleted"), ("InvalidKeyUsageException", "SYMMETRIC_DEFAULT"),
        ("com.amazonaws.kms#DisabledException", "enable it"), ("SomethingNewException", "SomethingNewException"),
        ("ValidationException", "status 400"), ("InvalidGrantTokenException", "status 400"),
    ])
    func `what stands in the way is told at once, with what to do and none of AWS's words`(
        type: String, advice: String
    ) async throws {
        let server = try await LoopbackHTTPServer { _ in
            .json(400, #"{"__type":"\#(type)","message":"\#(Self.secretMessage)"}"#, [("x-amzn-RequestId", "req-1")])
        }
        let wrapper = try wrapper(server, attempts: .patient)
        await expectError(.keyUnavailable, containing: [advice, anyKey, "req-1"], without: Self.canaries) {
            try await wrapper.unwrap(blob, associatedData: [], deadline: soon)
        }
        #expect(server.requests.count == 1)
        let health = await wrapper.health(deadline: soon)
        #expect(!health.isReady)
        try await server.stop()
    }

    @Test func `who may not is named, where AWS says who it is`() async throws {
        let server = try await LoopbackHTTPServer { _ in
            .json(
                400,
                """
                {"__type":"AccessDeniedException","Message":"User: arn:aws:sts::111122223333:assumed-role/postern/pod is not \
                authorized to perform: kms:Encrypt on resource: \(anyKey) because secret-canary"}
                """)
        }
        await expectError(
            .keyUnavailable, containing: ["arn:aws:sts::111122223333:assumed-role/postern/pod may not"],
            without: Self.canaries
        ) {
            try await wrapper(server).wrap(sampleKey, associatedData: [], deadline: soon)
        }
        try await server.stop()
    }

    @Test(arguments: ["InvalidCiphertextException", "IncorrectKeyException"])
    func `a ciphertext that is refused is an integrity failure`(type: String) async throws {
        let server = try await LoopbackHTTPServer { _ in .json(400, #"{"__type":"\#(type)"}"#) }
        await expectError(.integrityFailure, containing: [anyKey, type]) {
            try await wrapper(server, attempts: .patient).unwrap(blob, associatedData: [], deadline: soon)
        }
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test(arguments: [
        "ThrottlingException", "RequestLimitExceeded", "KMSInternalException", "KeyUnavailableException",
        "DependencyTimeoutException",
    ])
    func `what goes on for longer than patience is told with when to come back`(type: String) async throws {
        let server = try await LoopbackHTTPServer { _ in .json(400, #"{"__type":"\#(type)"}"#) }
        let error = await expectError(.keyUnavailable, containing: [type]) {
            try await wrapper(server).wrap(sampleKey, associatedData: [], deadline: soon)
        }
        #expect(error?.retryAfterSeconds != nil)
        #expect(server.requests.count > 1)
        try await server.stop()
    }

    @Test func `damage is found without asking, and told also while AWS is away`() async throws {
        let server = try await LoopbackHTTPServer { _ in .hangUp }
        let wrapper = try wrapper(server)
        for position in blob.indices {
            var changed = blob
            changed[position] ^= 1
            await expectError(.integrityFailure) {
                try await wrapper.unwrap(changed, associatedData: [], deadline: soon)
            }
        }
        let long = WrappedBlob(.aws, keyID: anyKey, label: "", ciphertext: [UInt8](repeating: 1, count: 6_145)).bytes
        await expectError(.integrityFailure) { try await wrapper.unwrap(long, associatedData: [], deadline: soon) }
        #expect(server.requests.isEmpty)
        try await server.stop()
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"Plaintext":"AA=="}"#, #"{"Plaintext":"AA==","KeyId":"arn:aws:kms:x:1:key/other"}"#,
        #"{"Plaintext":"secret-canary","KeyId":"\#(anyKey)"}"#, #"{"KeyId":"\#(anyKey)"}"#,
        #"{"Plaintext":"AA==","Plaintext":"AA==","KeyId":"\#(anyKey)"}"#,
    ])
    func `an answer that makes no sense, or is of another key, is not believed`(answer: String) async throws {
        let server = try await LoopbackHTTPServer { _ in .json(200, answer) }
        await expectError(.keyUnavailable, containing: ["Is it AWS?"], without: Self.canaries) {
            try await wrapper(server).unwrap(blob, associatedData: [], deadline: soon)
        }
        try await server.stop()
    }

    @Test func `an alias whose answer names no key is not believed`() async throws {
        let server = try await LoopbackHTTPServer { _ in .json(200, #"{"KeyMetadata":{"Arn":"alias/x secret-canary"}}"#)
        }
        let wrapper = try AWSKMSKeyWrapper.test(
            "alias/x", keys(server.url).merging(["AWS_REGION": "eu-west-1"]) { $1 }, attempts: .brief)
        await expectError(.keyUnavailable, containing: ["alias/x", "Is it AWS?"], without: Self.canaries) {
            try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        }
        try await server.stop()
    }

    @Test func `an alias without a region says what to set`() async throws {
        await expectError(.invalidArgument, containing: ["AWS_REGION"]) { try AWSKMSKeyWrapper.test("alias/x", [:]) }
    }
}
