// AWS KMS against moto, a server with AWS's APIs.

import CloudServers
import Crypto
import Foundation
import KeyWrapperConformance
import PosternProtocol
import Testing

@testable import CloudKMS

@Suite(.timeLimit(.minutes(10))) struct `A key in AWS KMS` {
    @Test(arguments: KeyWrapperConformance.checks)
    func `it keeps the contract of key wrappers`(check: KeyWrapperCheck) async throws {
        try await check.run(
            on: KeyWrapperHarness("aws-kms(moto)") {
                let moto = try await MotoServer.shared
                let (arn, other) = (try await moto.makeKey(), try await moto.makeKey())
                let wrapper = try AWSKMSKeyWrapper.test(arn, keys(moto.url))
                return KeyWrapperHarness.Instance(
                    wrapper, foreign: try AWSKMSKeyWrapper.test(other, keys(moto.url)),
                    reopen: { try AWSKMSKeyWrapper.test(arn, keys(moto.url)) }, close: { try await wrapper.close() })
            })
    }

    @Test func `its id is its ARN`() async throws {
        let arn = try await MotoServer.shared.makeKey()
        let wrapper = try AWSKMSKeyWrapper.test(arn, keys(await MotoServer.shared.url))
        #expect(wrapper.descriptor == KeyDescriptor(id: arn, algorithm: "SYMMETRIC_DEFAULT", origin: "aws-kms"))
    }

    @Test func `KMS authenticates the ciphertext, its context and its key, whatever the blob's own hash says`()
        async throws
    {
        let moto = try await MotoServer.shared
        let (arn, other) = (try await moto.makeKey(), try await moto.makeKey())
        let wrapper = try AWSKMSKeyWrapper.test(arn, keys(moto.url), label: { _ in "llm" })
        let blob = try WrappedBlob(
            try await wrapper.wrap(sampleKey, associatedData: [1], deadline: soon), of: .aws, keyID: arn)

        func expectRefused(_ label: String, _ ciphertext: [UInt8], _ codes: Set<SecretError.Code>) async throws {
            let forged = WrappedBlob(.aws, keyID: arn, label: label, ciphertext: ciphertext).bytes
            let error = await #expect(throws: SecretError.self) {
                try await wrapper.unwrap(forged, associatedData: [1], deadline: soon)
            }
            #expect(error.map { codes.contains($0.code) } == true, "\(error?.message ?? "")")
        }
        // moto's ciphertexts start with 36 bytes of the key's id; to a key it does not have it says
        // AccessDeniedException.
        for position in blob.ciphertext.indices where position >= 36 {
            var changed = blob.ciphertext
            changed[position] ^= 1
            try await expectRefused("llm", changed, [.integrityFailure])
        }
        try await expectRefused("billing", blob.ciphertext, [.integrityFailure])
        try await expectRefused("", blob.ciphertext, [.integrityFailure])
        try await expectRefused("llm", Array(blob.ciphertext.dropLast()), [.integrityFailure])
        let foreign = try WrappedBlob(
            try await AWSKMSKeyWrapper.test(other, keys(moto.url), label: { _ in "llm" })
                .wrap(sampleKey, associatedData: [1], deadline: soon), of: .aws, keyID: other)
        // AWS calls it IncorrectKeyException, moto AccessDeniedException.
        try await expectRefused("llm", foreign.ciphertext, [.integrityFailure, .keyUnavailable])
    }

    @Test func `CloudTrail is told the domain and a hash of the binding, and the key is pinned both ways`() async throws
    {
        let moto = try await MotoServer.shared
        let arn = try await moto.makeKey()
        let proxy = try await Proxy(to: moto.url)
        let wrapper = try AWSKMSKeyWrapper.test(arn, keys(proxy.url), label: { _ in "llm" })
        let binding = Array("the whole binding".utf8)
        let blob = try await wrapper.wrap(sampleKey, associatedData: binding, deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: binding, deadline: soon) == sampleKey)

        let requests = proxy.requests
        #expect(requests.map { $0.header("X-Amz-Target") } == ["TrentService.Encrypt", "TrentService.Decrypt"])
        for request in requests {
            let body = try #require(
                try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
            #expect(body["KeyId"] as? String == arn)
            #expect(body["EncryptionAlgorithm"] as? String == "SYMMETRIC_DEFAULT")
            #expect(
                body["EncryptionContext"] as? [String: String] == [
                    "postern-domain": "llm", "postern-binding": SHA256.hash(data: binding).hexadecimal,
                ])
            #expect(request.header("Authorization")?.contains("/eu-west-1/kms/aws4_request") == true)
        }
        try await proxy.stop()
    }

    @Test func `what was wrapped with one label opens when labels are no longer made so`() async throws {
        let moto = try await MotoServer.shared
        let arn = try await moto.makeKey()
        let before = try AWSKMSKeyWrapper.test(arn, keys(moto.url), label: { _ in "llm" })
        let blob = try await before.wrap(sampleKey, associatedData: [1], deadline: soon)
        let after = try AWSKMSKeyWrapper.test(arn, keys(moto.url), label: { _ in "another" })
        #expect(try await after.unwrap(blob, associatedData: [1], deadline: soon) == sampleKey)
    }

    @Test func `an alias stands for the key that it was of when it was first asked`() async throws {
        let moto = try await MotoServer.shared
        let (first, second) = (try await moto.makeKey(), try await moto.makeKey())
        let alias = "alias/\(UUID().uuidString)"
        try await moto.kms("CreateAlias", ["AliasName": alias, "TargetKeyId": first])
        let environment = keys(moto.url).merging(["AWS_REGION": "eu-west-1"]) { $1 }
        let wrapper = try AWSKMSKeyWrapper.test(alias, environment)
        #expect(wrapper.descriptor.id == alias)
        try await wrapper.resolve(deadline: soon)
        #expect(wrapper.descriptor.id == first)

        try await moto.kms("UpdateAlias", ["AliasName": alias, "TargetKeyId": second])
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(wrapper.descriptor.id == first)
        let later = try AWSKMSKeyWrapper.test(alias, environment)
        await expectError(.integrityFailure, containing: [first, second]) {
            try await later.unwrap(blob, associatedData: [], deadline: soon)
        }
        #expect(later.descriptor.id == second)
    }

    @Test func `while AWS is away an alias is nobody yet, and becomes its key once AWS is back`() async throws {
        let moto = try await MotoServer.shared
        let arn = try await moto.makeKey()
        let alias = arn.replacing(/:key\/.*/, with: ":alias/\(UUID().uuidString)")
        try await moto.kms("CreateAlias", ["AliasName": String(alias.split(separator: ":")[5]), "TargetKeyId": arn])
        let proxy = try await Proxy(to: moto.url)
        try await proxy.stop()
        let wrapper = try AWSKMSKeyWrapper.test(alias, keys(proxy.url), attempts: .brief)
        await expectError(.keyUnavailable, containing: ["refuses connections"]) {
            try await wrapper.resolve(deadline: soon)
        }
        await expectError(.keyUnavailable) { try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon) }
        #expect(await wrapper.health(deadline: soon).isReady == false)
        try await proxy.start()
        let end = soon
        while wrapper.descriptor.id == alias {
            try #require(!end.hasPassed)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(wrapper.descriptor.id == arn)
        try await proxy.stop()
    }

    @Test func `AWS away and back: calls fail in time saying so, and then work again without a restart`() async throws {
        let moto = try await MotoServer.shared
        let proxy = try await Proxy(to: moto.url)
        let wrapper = try AWSKMSKeyWrapper.test(try await moto.makeKey(), keys(proxy.url), attempts: .brief)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        try await proxy.stop()
        await expectError(.keyUnavailable, containing: ["AWS KMS at \(proxy.url)", "refuses connections"]) {
            try await wrapper.unwrap(blob, associatedData: [], deadline: soon)
        }
        #expect(await wrapper.health(deadline: soon).isReady == false)
        try await proxy.start()
        #expect(try await wrapper.unwrap(blob, associatedData: [], deadline: soon) == sampleKey)
        #expect(await wrapper.health(deadline: soon).isReady)
        try await proxy.stop()
    }

    @Test func `throttled calls and passing failures are repeated until they succeed`() async throws {
        let moto = try await MotoServer.shared
        let proxy = try await Proxy(to: moto.url)
        let wrapper = try AWSKMSKeyWrapper.test(try await moto.makeKey(), keys(proxy.url))
        let answers: [ServerAnswer] = [
            .json(400, #"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
            .json(500, #"{"__type":"com.amazonaws.kms#KMSInternalException"}"#), .hangUp,
            .json(503, #"{"__type":"DependencyTimeoutException"}"#), .text(502, "<html>"), .raw("nonsense\r\n\r\n"),
            .raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Ciph"),
        ]
        proxy.intervene { _ in
            let count = proxy.requests.count
            return count <= answers.count ? answers[count - 1] : nil
        }
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(proxy.requests.count == answers.count + 1)
        #expect(try await wrapper.unwrap(blob, associatedData: [], deadline: soon) == sampleKey)
        try await proxy.stop()
    }

    @Test func `a service that never answers is given up at the caller's deadline`() async throws {
        let silent = try await LoopbackHTTPServer { _ in .silence }
        let wrapper = try AWSKMSKeyWrapper.test(anyKey, keys(silent.url))
        await expectError(.keyUnavailable, containing: ["did not answer in time"]) {
            try await wrapper.wrap(sampleKey, associatedData: [], deadline: .after(.milliseconds(300)))
        }
        let task = Task {
            await expectError(.cancelled) { try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon) }
        }
        while silent.requests.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        _ = await task.value
        try await silent.stop()
    }
}

/// Signatures and rights as moto checks them, with the code of AWS's own library.
@Suite(.timeLimit(.minutes(10))) struct `Calls that AWS must accept` {
    @Test func `signed calls of who may are accepted, and all others told what is wrong`() async throws {
        let moto = try await MotoServer()
        let arn = try await moto.makeKey()
        try await moto.iam("CreateUser", ["UserName": "gateway"])
        let access = try await moto.iam("CreateAccessKey", ["UserName": "gateway"])
        let id = try #require(access.firstMatch(of: /<AccessKeyId>(.*?)</)?.1)
        let secret = try #require(access.firstMatch(of: /<SecretAccessKey>(.*?)</)?.1)
        let policy = """
            {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}]}
            """
        try await moto.iam(
            "PutUserPolicy", ["UserName": "gateway", "PolicyName": "kms", "PolicyDocument": policy])
        try await moto.requireAuthorization()

        func wrapper(_ secret: some StringProtocol, _ name: String = arn) throws -> AWSKMSKeyWrapper {
            try .test(
                name,
                [
                    "AWS_ENDPOINT_URL": moto.url, "AWS_ACCESS_KEY_ID": String(id),
                    "AWS_SECRET_ACCESS_KEY": String(secret),
                ])
        }
        let good = try wrapper(secret)
        let blob = try await good.wrap(sampleKey, associatedData: [1], deadline: soon)
        #expect(try await good.unwrap(blob, associatedData: [1], deadline: soon) == sampleKey)
        #expect(await good.health(deadline: soon).isReady)

        let wrong = String(secret.reversed())
        await expectError(.keyUnavailable, "wrong secret", without: [wrong, String(secret)]) {
            try await wrapper(wrong).wrap(sampleKey, associatedData: [], deadline: soon)
        }
        // DescribeKey is not among the rights.
        let alias = arn.replacing(/:key\/.*/, with: ":alias/postern")
        await expectError(.keyUnavailable, "no right", containing: ["DescribeKey"]) {
            try await wrapper(secret, alias).resolve(deadline: soon)
        }
    }
}

let anyKey = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
