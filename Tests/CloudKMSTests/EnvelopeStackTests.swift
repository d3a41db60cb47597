// The whole stack: secrets in SQLite, under domain keys that AWS KMS wraps.

import CloudServers
import Envelope
import NIOPosix
import PosternProtocol
import SQLiteDev
import Testing

@testable import CloudKMS

@Suite(.timeLimit(.minutes(10))) struct `Envelope over SQLite with a key in AWS KMS` {
    @Test func `a domain key's domain is what CloudTrail shows`() async throws {
        let moto = try await MotoServer.shared
        let proxy = try await Proxy(to: moto.url)
        let folder = try TemporaryFolder()
        let sqlite = try await SQLiteBackend.open(path: folder.path("secrets.sqlite"))
        let wrapper = try AWSKMSKeyWrapper.test(
            try await moto.makeKey(), keys(proxy.url), label: DomainKeyBinding.domain(of:))
        let backend = try EnvelopeBackend(
            store: sqlite, keyWrappers: [wrapper], options: EnvelopeOptions(keyTimeout: .seconds(300)))
        _ = try await backend.write(
            SecretPath("llm/openai/api_key"), Payload(value: SecretBytes("canary")), expecting: nil, deadline: soon)
        #expect(proxy.requests.count == 1)
        #expect(proxy.requests.first?.text.contains(#""postern-domain":"llm""#) == true)
        #expect(await backend.health(deadline: soon).isReady)
        try await sqlite.close()
        try await proxy.stop()
    }
}
