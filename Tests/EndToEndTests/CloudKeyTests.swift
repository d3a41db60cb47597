// Gateways whose key-encryption keys are in AWS KMS (moto) and Google Cloud KMS (a fake).

import CloudServers
import Foundation
import PosternClient
import PosternProtocol
import TestPrograms
import Testing

@Suite(.timeLimit(.minutes(5))) struct CloudKeyTests {
    /// AWS with a key behind an alias, as a gateway sees it.
    private struct Cloud {
        let moto: MotoServer
        let proxy: Proxy
        let arn: String
        let alias: String

        init() async throws {
            moto = try await .shared
            proxy = try await Proxy(to: moto.url)
            arn = try await moto.makeKey()
            alias = "alias/\(UUID().uuidString)"
            try await moto.kms("CreateAlias", ["AliasName": alias, "TargetKeyId": arn])
        }

        /// What AWS's own tools would need too, and a home without any of their files.
        var environment: [String: String] {
            [
                "AWS_ENDPOINT_URL_KMS": proxy.url, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIATEST",
                "AWS_SECRET_ACCESS_KEY": "aws-canary", "HOME": "/nonexistent",
            ]
        }
    }

    @Test func `either cloud opens what both wrapped, and the other may be away at start`() async throws {
        let aws = try await Cloud()
        let google = try await FakeGoogle()
        let settings = GatewaySettings(
            overrides: ["envelope.keys=aws_kms=\(aws.alias),gcp_kms=\(FakeGoogle.key)"],
            environment: aws.environment.merging([
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": google.url,
                "GCE_METADATA_HOST": String(google.url.dropFirst("http://".count)),
            ]) { $1 })
        try await withGateway(settings) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "in two clouds") }
            #expect(aws.proxy.requests.contains { $0.text.contains(#""postern-domain":"llm""#) })

            _ = try await gateway.end(by: SIGTERM)
            try await aws.proxy.stop()
            try await gateway.start()
            #expect(gateway.log.contains("a key-encryption key cannot be used now"))
            #expect(try await gateway.client { try await $0.value("llm/a") } == "in two clouds")

            _ = try await gateway.end(by: SIGTERM)
            try await aws.proxy.start()
            try await google.stop()
            try await gateway.start()
            #expect(try await gateway.client { try await $0.value("llm/a") } == "in two clouds")
            #expect(!gateway.log.contains("canary"))
        }
        try await aws.proxy.stop()
    }

    @Test func `with its only key away a gateway starts, serves nothing it cannot open, and recovers`() async throws {
        let aws = try await Cloud()
        let settings = GatewaySettings(
            overrides: ["envelope.keys=aws_kms=\(aws.alias)"], environment: aws.environment)
        try await withGateway(settings) { gateway in
            try await gateway.client { _ = try await $0.put("llm/a", "behind AWS") }
            _ = try await gateway.end(by: SIGTERM)
            try await aws.proxy.stop()
            try await gateway.start()
            let refusal = try await gateway.refusal(as: "operator") { _ = try await $0.get("llm/a") }
            #expect(refusal.error.code == .keyUnavailable, "\(refusal)")
            try await aws.proxy.start()
            try await eventually("the secret is served again", within: .seconds(120)) {
                (try? await gateway.client { try await $0.value("llm/a") }) == "behind AWS"
            }
        }
        try await aws.proxy.stop()
    }
}
