import BackendConformance
import Crypto
import HTTPTypes
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `Admin keys` {
    @Test func `a short key, one that no header can carry, and a hash that is none are refused`() {
        #expect(throws: SecretError.self) { try AdminKeys.Entry(name: "a", key: SecretBytes("fifteen-chars-x")) }
        #expect(throws: SecretError.self) { try AdminKeys.Entry(name: "a", key: SecretBytes("sixteen chars xx")) }
        #expect(throws: SecretError.self) { try AdminKeys.Entry(name: "a", sha256: [1, 2, 3]) }
    }

    @Test func `names and keys are each used once`() throws {
        let key = try AdminKeys.Entry(name: "a", key: SecretBytes(Stack.adminKey))
        let twin = try AdminKeys.Entry(name: "b", key: SecretBytes(Stack.adminKey))
        let namesake = try AdminKeys.Entry(name: "a", key: SecretBytes(Stack.readerKey))
        #expect(throws: SecretError.self) { try AdminKeys([key, twin]) }
        #expect(throws: SecretError.self) { try AdminKeys([key, namesake]) }
    }

    @Test func `a key given by its hash opens`() throws {
        let hash = Array(SHA256.hash(data: Array(Stack.adminKey.utf8)))
        let keys = try AdminKeys([.init(name: "hashed", sha256: hash)])
        #expect(keys.name(of: Stack.adminKey) == "hashed")
        #expect(keys.name(of: Stack.adminKey + "x") == nil)
        #expect(keys.name(of: "") == nil)
    }
}

@Suite struct `Authentication` {
    @Test func `either header lets in`() async throws {
        let stack = try Stack()
        let answer = try await stack.send(
            .get, "/admin/api/secrets", key: nil, headers: [.xAdminKey: Stack.adminKey])
        #expect(answer.status == 200)
        let lower = try await stack.send(
            .get, "/admin/api/secrets", key: nil, headers: [.authorization: "bearer \(Stack.adminKey)"])
        #expect(lower.status == 200)
    }

    @Test(arguments: [
        HTTPFields(), [.authorization: "Bearer wrong-key-0123456789"], [.authorization: "Bearer "],
        [.authorization: "Basic \(Stack.adminKey)"], [.xAdminKey: "wrong-key-0123456789"],
        [.xAdminKey: Stack.adminKey + "x"],
    ])
    func `without a known key there is 401, a challenge and a record`(headers: HTTPFields) async throws {
        let stack = try Stack()
        let answer = try await stack.send(.get, "/admin/api/secrets", key: nil, headers: headers)
        #expect(answer.status == 401)
        #expect(answer.headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
        let record = try stack.record(of: answer)
        #expect(record["action"] as? String == "authenticate")
        #expect(record["outcome"] as? String == "unauthenticated")
        #expect(record["request_id"] as? String == answer.string("request_id"))
        #expect(!stack.logs.text.contains("wrong-key"))
        #expect(!answer.text.contains("wrong-key"))
    }

    @Test func `an address that fails too often is locked out for the minute, with the right key too`() async throws {
        let stack = try Stack { $0.failuresPerMinute = 3 }
        for _ in 0..<3 {
            #expect(try await stack.send(.get, "/admin/api/secrets", key: "wrong-key-0123456789").status == 401)
        }
        for _ in 0..<20 {
            let answer = try await stack.send(.get, "/admin/api/secrets")
            #expect(answer.status == 429)
            #expect(answer.headers[.retryAfter].flatMap { Int($0) }.map { (1...60).contains($0) } == true)
        }
        let records = try stack.records().map { $0["outcome"] as? String }
        #expect(records == ["unauthenticated", "unauthenticated", "unauthenticated", "rate_limited"])

        stack.clock.advance(by: .seconds(61))
        #expect(try await stack.send(.get, "/admin/api/secrets").status == 200)
        #expect(try await stack.send(.get, "/admin/api/secrets", key: "wrong-key-0123456789").status == 401)
        let last = try #require(try stack.records().last)
        #expect((last["detail"] as? [String: String])?["unrecorded_before"] == "19")
    }

    @Test func `a second person approves with another key`() async throws {
        let stack = try Stack()
        try await stack.put("app/a")
        let uri = "/admin/api/secrets/app/a:destroy"
        let body = #"{"versions":[1]}"#
        #expect(try await stack.send(.post, uri, body, key: Stack.readerKey).status == 403)
        let wrong = try await stack.send(
            .post, uri, body, key: Stack.readerKey, headers: [.posternApproverKey: "wrong-key-0123456789"])
        #expect(wrong.status == 401)
        let own = try await stack.send(
            .post, uri, body, key: Stack.readerKey, headers: [.posternApproverKey: Stack.readerKey])
        #expect(own.status == 400)
        let approved = try await stack.send(
            .post, uri, body, key: Stack.readerKey, headers: [.posternApproverKey: Stack.adminKey])
        #expect(approved.status == 200)
        #expect(try stack.record(of: approved)["approver"] as? String == "root")
    }

    @Test func `denied and absent look the same to who has no right`() async throws {
        let stack = try Stack()
        try await stack.put("other/there")
        func body(_ name: String) async throws -> String {
            let answer = try await stack.send(
                .post, "/admin/api/secrets/\(name):reveal", #"{"reason":"r"}"#, key: Stack.readerKey)
            #expect(answer.status == 403)
            return ["code", "title", "type", "detail"].map { answer.string($0) ?? "-" }.joined(separator: "|")
        }
        let there = try await body("other/there")
        let absent = try await body("other/gone!".replacing("!", with: "1"))
        #expect(there.replacing("other/there", with: "X") == absent.replacing("other/gone1", with: "X"))
    }

    @Test(arguments: [
        ("203.0.113.9", "203.0.113.9"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"), ("2001:db8::1", "2001:db8:0:0"),
        ("2001:db8:1:2::9", "2001:db8:1:2"), ("::1", "0:0:0:0"), ("fe80::1%eth0", "fe80:0:0:0"),
    ])
    func `failures count by IPv4 address and IPv6 network`(address: String, bucket: String) {
        #expect(Authenticator.bucket(of: address) == bucket)
    }
}

@Suite struct `The failure limiter` {
    private let clock = ManualClock()

    @Test func `counts addresses apart`() {
        let limiter = FailureLimiter(limit: 1, maximumAddresses: 10, clock: clock)
        #expect(limiter.judge("a", isRight: false) == .failed(unrecorded: 0))
        #expect(limiter.judge("a", isRight: true) == .limited(retryAfterSeconds: 60, isFirst: true))
        #expect(limiter.judge("a", isRight: true) == .limited(retryAfterSeconds: 60, isFirst: false))
        #expect(limiter.judge("b", isRight: true) == .admitted)
    }

    @Test func `a flood from many addresses neither grows the table nor the number of records`() {
        let limiter = FailureLimiter(limit: 2, maximumAddresses: 10, clock: clock)
        var recorded = 0
        for number in 0..<10_000 {
            switch limiter.judge("address-\(number)", isRight: false) {
            case .failed, .limited(_, isFirst: true): recorded += 1
            default: break
            }
        }
        #expect(recorded == 10 + 2 + 1)
        clock.advance(by: .seconds(61))
        #expect(limiter.judge("new", isRight: true) == .admitted)
    }

    @Test func `a clock that is set back locks nobody out`() {
        let limiter = FailureLimiter(limit: 1, maximumAddresses: 10, clock: clock)
        _ = limiter.judge("a", isRight: false)
        clock.advance(by: .seconds(-3_600))
        #expect(limiter.judge("a", isRight: true) == .admitted)
    }
}
