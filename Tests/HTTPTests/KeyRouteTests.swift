import Envelope
import Foundation
import HTTPTypes
import PosternProtocol
import Testing

@testable import PosternHTTP

@Suite struct `The routes of keys` {
    private let stack: Stack

    init() async throws {
        stack = try Stack()
        _ = try await stack.keys.write(
            SecretPath("k/x"), Payload(value: SecretBytes("v")), expecting: nil, deadline: .after(.seconds(300)))
    }

    private func post(_ verb: String, _ body: String, key: String = Stack.adminKey) async throws -> Answer {
        try await stack.send(.post, "/admin/api/keys:\(verb)", body, key: key)
    }

    @Test func `show every member of what the register holds`() async throws {
        _ = try await post("destroy", #"{"domain":"k","confirmation":"k"}"#)
        let answer = try await stack.send(.get, "/admin/api/keys")
        let domain = try #require(answer.list("domains").first)
        #expect(
            domain.keys.sorted() == ["current", "destruction", "keys", "name", "next_rotation"])
        let kek = try #require(answer.list("keks").first)
        #expect(kek["configured"] as? Bool == true)
        // What a client decodes is what the engine says.
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let register = try decoder.decode(KeyRegister.self, from: Data(answer.text.utf8))
        #expect(register == (try await stack.keys.register(deadline: .after(.seconds(300)))))
    }

    @Test func `are for those only whom policy lets manage keys, and refusals are on record`() async throws {
        for (verb, body) in [
            ("verify", "{}"), ("rotate", #"{"domain":"k"}"#), ("rewrap", "{}"), ("reencrypt", "{}"),
            ("references", "{}"), ("retire", #"{"domain":"k","version":1}"#),
            ("destroy", #"{"domain":"k","confirmation":"k"}"#), ("approve-destroy", #"{"domain":"k"}"#),
        ] {
            let answer = try await post(verb, body, key: Stack.readerKey)
            #expect(answer.status == 403, "\(verb)")
            #expect(try stack.record(of: answer)["decision"] as? String == "deny")
        }
        #expect(try await stack.send(.get, "/admin/api/keys", key: Stack.readerKey).status == 403)
        #expect(try await stack.send(.get, "/admin/api/keys/jobs", key: Stack.readerKey).status == 403)
        #expect(try await stack.keys.jobs(deadline: .after(.seconds(300))).isEmpty)
    }

    @Test func `changes are recorded before and after, with what they concern`() async throws {
        let answer = try await post("rotate", #"{"domain":"k","reason":"quarterly","ticket":"T-1"}"#)
        #expect(answer.status == 200, "\(answer.text)")
        let records = try stack.records().filter { $0["action"] as? String == "key.rotate" }
        #expect(records.map { $0["phase"] as? String } == ["attempt", "outcome"])
        for record in records {
            #expect((record["detail"] as? [String: String])?["domain"] == "k")
            #expect(record["reason"] as? String == "quarterly")
        }
    }

    @Test(arguments: [
        ("rotate", "{}", 400), ("rotate", #"{"domain":"none"}"#, 404), ("rotate", #"{"domain":"k","x":1}"#, 400),
        ("rotate", #"{"domain":"../k"}"#, 400), ("rewrap", #"{"rate":-1}"#, 400), ("rewrap", #"{"prefix":"k"}"#, 400),
        ("reencrypt", #"{"prefix":"/"}"#, 400), ("retire", #"{"domain":"k"}"#, 400),
        ("retire", #"{"domain":"k","version":9}"#, 404), ("retire", #"{"domain":"k","version":1}"#, 400),
        ("destroy", #"{"domain":"k"}"#, 400), ("destroy", #"{"domain":"k","confirmation":"K"}"#, 400),
        ("approve-destroy", #"{"domain":"k"}"#, 409), ("verify", #"{"domain":"none"}"#, 404),
    ])
    func `bad requests are refused and change nothing`(verb: String, body: String, status: Int) async throws {
        let before = try await stack.keys.register(deadline: .after(.seconds(300)))
        let answer = try await post(verb, body)
        #expect(answer.status == status, "\(answer.text)")
        #expect(try await stack.keys.register(deadline: .after(.seconds(300))) == before)
    }
}
