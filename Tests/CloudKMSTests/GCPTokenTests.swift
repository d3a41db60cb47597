// Access tokens of Google: from a service account's key, the metadata server, and identities of others.

import CloudServers
import Foundation
import PosternProtocol
import Testing

@testable import CloudKMS

@Suite(.timeLimit(.minutes(10))) struct `Access tokens of Google` {
    private let folder: TemporaryFolder
    private let google: FakeGoogle

    init() async throws {
        folder = try TemporaryFolder()
        google = try await FakeGoogle()
    }

    private func use(_ file: String, attempts: Attempts = .patient) async throws {
        let path = try folder.file("credentials.json", file)
        let wrapper = try GCPKMSKeyWrapper.test(
            google, ["GOOGLE_APPLICATION_CREDENTIALS": path, "GCE_METADATA_HOST": "127.0.0.1:1"], attempts: attempts)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: [], deadline: soon) == sampleKey)
    }

    private func refusal(
        _ file: String, _ code: SecretError.Code = .keyUnavailable, containing texts: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        await expectError(code, containing: texts, without: ["canary", "BEGIN"], sourceLocation: sourceLocation) {
            try await use(file, attempts: .brief)
        }
    }

    @Test func `a service account's key signs for a token, which is used until it expires`() async throws {
        try await use(google.serviceAccountFile)
        #expect(google.tokensGiven == 1)
        #expect(google.requests.map(\.target).first == "/token")
        try await google.stop()
    }

    @Test func `the metadata server gives the machine's own`() async throws {
        let wrapper = try GCPKMSKeyWrapper.test(google)
        _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(google.tokensGiven == 1)
        try await google.stop()
    }

    @Test func `what does not say that it is Google's metadata server is not believed`() async throws {
        google.intervene { request in
            request.target.hasPrefix("/computeMetadata/")
                ? .json(200, #"{"access_token":"canary","expires_in":3600}"#) : nil
        }
        await expectError(.keyUnavailable, containing: ["metadata server"], without: ["canary"]) {
            try await GCPKMSKeyWrapper.test(google, attempts: .brief)
                .wrap(sampleKey, associatedData: [], deadline: soon)
        }
        try await google.stop()
    }

    @Test func `a token is renewed before it expires, and when Google refuses it`() async throws {
        let clock = TestClock()
        let wrapper = try GCPKMSKeyWrapper.test(google, clock: clock)
        func wrap() async throws { _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon) }
        try await wrap()
        clock.advance(.seconds(3_000))
        try await wrap()
        #expect(google.tokensGiven == 1)
        clock.advance(.seconds(400))
        let end = soon
        while google.requests.last?.header("Authorization") != "Bearer ya29.canary-2" {
            try #require(!end.hasPassed)
            try await wrap()
        }
        google.revokeTokens()
        try await wrap()
        #expect(google.tokensGiven == 3)
        try await google.stop()
    }

    private func federated(_ source: String, impersonate: Bool) -> String {
        let impersonation =
            impersonate
            ? #""service_account_impersonation_url":"\#(google.url)/v1/projects/-/serviceAccounts/\#(FakeGoogle.account)"#
                + #":generateAccessToken","# : ""
        return """
            {"type":"external_account","audience":"\(FakeGoogle.audience)","token_url":"\(google.url)/v1/token",
             "subject_token_type":"urn:ietf:params:oauth:token-type:jwt",\(impersonation)
             "credential_source":\(source)}
            """
    }

    @Test(arguments: [false, true])
    func `another identity's token is exchanged, and for a service account's where one is named`(
        impersonate: Bool
    ) async throws {
        let file = try folder.file("token", FakeGoogle.subjectToken + "\n")
        try await use(federated(#"{"file":"\#(file)"}"#, impersonate: impersonate))
        let json = try folder.file("token.json", #"{"x":1,"id_token":"\#(FakeGoogle.subjectToken)"}"#)
        let format = #""format":{"type":"json","subject_token_field_name":"id_token"}"#
        try await use(federated(#"{"file":"\#(json)",\#(format)}"#, impersonate: impersonate))
        let url = #"{"url":"\#(google.url)/subject","headers":{"X-Why":"test"},\#(format)}"#
        try await use(federated(url, impersonate: impersonate))
        #expect(google.requests.contains { $0.target.contains("generateAccessToken") } == impersonate)
        try await google.stop()
    }

    @Test func `what is wrong with credentials is told, and none of them`() async throws {
        let good = google.serviceAccountFile
        await refusal(good.replacing("service_account", with: "authorized_user"), containing: ["authorized_user"])
        await refusal(good.replacing("client_email", with: "x"), containing: ["has no client_email"])
        await refusal(good.replacing("BEGIN PRIVATE KEY", with: "BEGIN CANARY KEY"), containing: ["not an RSA key"])
        await refusal(
            good.replacing(google.url.replacing("/", with: "\\/"), with: "http:\\/\\/evil.test"), .invalidArgument,
            containing: ["must be https"])
        await refusal("canary", containing: ["credentials.json is not a credentials file"])
        await refusal(good.replacing("key-1", with: "key-2"), containing: ["status 400", FakeGoogle.account])
        await refusal(federated(#"{"environment_id":"aws1"}"#, impersonate: false), containing: ["credential_source"])
        await refusal(
            federated(#"{"file":"\#(folder.path("none"))"}"#, impersonate: false), containing: ["is not there"])
        let wrong = try folder.file("wrong", "another-canary")
        await refusal(federated(#"{"file":"\#(wrong)"}"#, impersonate: false), containing: ["status 400", "pool"])
        await refusal(
            federated(#"{"url":"\#(google.url)/subject"}"#, impersonate: false), containing: ["status 403"])
        await expectError(.keyUnavailable, containing: ["/nowhere.json", "is not there"]) {
            try await GCPKMSKeyWrapper.test(
                google, ["GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json"], attempts: .brief
            ).wrap(sampleKey, associatedData: [], deadline: soon)
        }
        try await google.stop()
    }

    @Test func `a token that cannot go into a header, or has no lifetime, is none`() async throws {
        for answer in [
            #"{"access_token":"a b canary","expires_in":3600}"#, #"{"access_token":"canary"}"#, #"{"expires_in":3600}"#,
            #"{"access_token":"canary","expires_in":0}"#, "[]",
        ] {
            google.intervene { $0.target == "/token" ? .json(200, answer) : nil }
            await refusal(google.serviceAccountFile, containing: ["token"])
        }
        try await google.stop()
    }
}
