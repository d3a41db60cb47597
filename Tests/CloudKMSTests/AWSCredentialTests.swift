// Where credentials for AWS come from, in which order, and how they are renewed.

import CloudServers
import Foundation
import NIOHTTP1
import PosternProtocol
import Synchronization
import Testing

@testable import CloudKMS

@Suite(.timeLimit(.minutes(10))) struct `Credentials for AWS` {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func find(_ variables: [String: String], attempts: Attempts = .brief) async throws -> AWSCredentials {
        let chain = try CredentialChain(
            AWSEnvironment(noAWS.merging(variables) { $1 }), region: "eu-west-1", http: .test(), attempts: attempts)
        return try #require(try await chain.credentials(deadline: soon))
    }

    private func refusal(
        _ variables: [String: String], _ code: SecretError.Code = .keyUnavailable, containing texts: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        await expectError(
            code, containing: texts, without: ["canary"], sourceLocation: sourceLocation
        ) { try await find(variables) }
    }

    // MARK: - The environment

    @Test func `the environment goes before all else`() async throws {
        try folder.file("credentials", "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n")
        let found = try await find([
            "AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s-canary", "AWS_SESSION_TOKEN": "t-canary",
            "AWS_SHARED_CREDENTIALS_FILE": folder.path("credentials"),
        ])
        #expect(found.accessKeyID == "ENV")
        #expect(found.sessionToken == SecretBytes("t-canary"))
        #expect(found.expiresAt == nil)
        await refusal(["AWS_ACCESS_KEY_ID": "ENV"], containing: ["AWS_SECRET_ACCESS_KEY"])
    }

    @Test func `without any, it says where it looked`() async {
        await refusal([:], containing: ["the environment", "the shared files", "the instance's metadata service"])
    }

    @Test func `credentials show neither secret nor token when they are printed`() async throws {
        let found = try await find([
            "AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s-canary", "AWS_SESSION_TOKEN": "t-canary",
        ])
        var dumped = ""
        dump(found, to: &dumped)
        #expect(!"\(found) \(String(reflecting: found)) \(dumped)".contains("canary"))
    }

    // MARK: - The shared files

    @Test func `the shared files give the profile that is meant, the credentials file before the config file`()
        async throws
    {
        try folder.file(
            "credentials",
            """
            # comment
            [default]
            aws_access_key_id=DEFAULT
            aws_secret_access_key=s1
            [ other ]
              aws_access_key_id = indented lines belong to what is above
            ; comment
            AWS_ACCESS_KEY_ID = OTHER
            aws_secret_access_key = a=b/c+d==
            aws_session_token =  t2\t\r
            """)
        try folder.file(
            "config",
            """
            [other]
            aws_access_key_id = NOT-A-PROFILE
            [profile other]
            aws_access_key_id = CONFIG
            region = eu-north-1
            [profile config-only]
            aws_access_key_id = CONFIG-ONLY
            aws_secret_access_key = s3
            [default]
            region = eu-south-1
            """)
        let files = [
            "AWS_SHARED_CREDENTIALS_FILE": folder.path("credentials"), "AWS_CONFIG_FILE": folder.path("config"),
        ]
        func find(_ profile: String) async throws -> AWSCredentials {
            try await self.find(files.merging(["AWS_PROFILE": profile]) { $1 })
        }
        #expect(try await self.find(files).accessKeyID == "DEFAULT")
        let other = try await find("other")
        #expect(other.accessKeyID == "OTHER")
        #expect(other.secretAccessKey == SecretBytes("a=b/c+d=="))
        #expect(other.sessionToken == SecretBytes("t2"))
        #expect(try await find("config-only").accessKeyID == "CONFIG-ONLY")
        await refusal(
            files.merging(["AWS_PROFILE": "nobody"]) { $1 }, containing: ["AWS_PROFILE names the profile nobody"])

        #expect(try AWSEnvironment(files).region() == "eu-south-1")
        #expect(try AWSEnvironment(files.merging(["AWS_PROFILE": "other"]) { $1 }).region() == "eu-north-1")
        #expect(try AWSEnvironment(files.merging(["AWS_DEFAULT_REGION": "us-east-1"]) { $1 }).region() == "us-east-1")
        #expect(throws: SecretError.self) { try AWSEnvironment(["AWS_REGION": "evil.test/"]).region() }
    }

    @Test func `the home folder has the files where nothing else is said`() async throws {
        try FileManager.default.createDirectory(atPath: folder.path(".aws"), withIntermediateDirectories: false)
        try folder.file(".aws/credentials", "[default]\naws_access_key_id=HOME\naws_secret_access_key=s\n")
        #expect(try await find(["HOME": folder.path]).accessKeyID == "HOME")
    }

    @Test(arguments: [
        ("source_profile = base\nrole_arn = arn:aws:iam::1:role/x", "source_profile"),
        ("credential_process = /bin/canary", "credential_process"), ("sso_session = x", "sso_session"),
        ("aws_access_key_id = A", "no aws_secret_access_key"),
    ])
    func `a profile that cannot be followed says so instead of giving way to another source`(
        profile: String, text: String
    ) async throws {
        try folder.file("config", "[default]\n\(profile)\n")
        await refusal(["AWS_CONFIG_FILE": folder.path("config")], containing: [text])
    }

    @Test func `files that cannot be read are told`() async throws {
        await refusal(["AWS_SHARED_CREDENTIALS_FILE": folder.path], containing: [folder.path, "cannot be read"])
        try folder.file("long", String(repeating: "#", count: 300_000))
        await refusal(["AWS_SHARED_CREDENTIALS_FILE": folder.path("long")], containing: ["longer than"])
    }

    @Test func `keys that were replaced in the file are used once AWS refuses the old ones`() async throws {
        func write(_ id: String) throws {
            try folder.file("credentials", "[default]\naws_access_key_id=\(id)\naws_secret_access_key=s\n")
        }
        let moto = try await MotoServer.shared
        let proxy = try await Proxy(to: moto.url)
        proxy.intervene { request in
            request.header("Authorization")?.contains("Credential=NEW/") == true
                ? nil : .json(400, #"{"__type":"UnrecognizedClientException"}"#)
        }
        try write("OLD")
        let wrapper = try AWSKMSKeyWrapper.test(
            try await moto.makeKey(),
            ["AWS_ENDPOINT_URL_KMS": proxy.url, "AWS_SHARED_CREDENTIALS_FILE": folder.path("credentials")])
        await expectError(.keyUnavailable, containing: ["does not accept the gateway's credentials"]) {
            try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        }
        #expect(proxy.requests.count == 2)
        try write("NEW")
        _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(proxy.requests.count == 4)
        try await proxy.stop()
    }

    // MARK: - Web identity

    @Test func `a token in a file is exchanged for a role's credentials, and they work`() async throws {
        let moto = try await MotoServer.shared
        let role = "arn:aws:iam::123456789012:role/postern"
        let token = try folder.file("token", "header.token-canary.signature\n")
        let proxy = try await Proxy(to: moto.url)
        let environment = [
            "AWS_ENDPOINT_URL": proxy.url, "AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": token,
        ]
        let found = try await find(environment, attempts: .patient)
        #expect(found.accessKeyID.hasPrefix("ASIA"))
        #expect(found.sessionToken != nil)
        #expect(try #require(found.expiresAt) > SystemWallClock().now())
        let asked = try #require(proxy.requests.first)
        #expect(asked.text.contains("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam"))
        #expect(asked.header("Authorization") == nil)

        let wrapper = try AWSKMSKeyWrapper.test(try await moto.makeKey(), environment)
        let blob = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: [], deadline: soon) == sampleKey)
        // One exchange for both calls.
        #expect(proxy.requests.filter { $0.text.contains("AssumeRole") }.count == 2)
        #expect(proxy.requests.last?.header("X-Amz-Security-Token") != nil)

        try folder.file(
            "config", "[default]\nrole_arn = \(role)\nweb_identity_token_file = \(token)\nrole_session_name = night\n")
        let profile = ["AWS_ENDPOINT_URL": proxy.url, "AWS_CONFIG_FILE": folder.path("config")]
        #expect(try await find(profile, attempts: .patient).accessKeyID.hasPrefix("ASIA"))
        #expect(proxy.requests.last?.text.contains("RoleSessionName=night") == true)
        try await proxy.stop()
    }

    @Test func `a token that is missing or refused says of which role and file`() async throws {
        let server = try await LoopbackHTTPServer { _ in
            .text(
                403,
                "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>token-canary</Message></Error></ErrorResponse>"
            )
        }
        let token = try folder.file("token", "token-canary")
        var environment = [
            "AWS_ENDPOINT_URL_STS": server.url, "AWS_ROLE_ARN": "arn:aws:iam::1:role/postern",
            "AWS_WEB_IDENTITY_TOKEN_FILE": token,
        ]
        await refusal(environment, containing: ["role/postern", token, "InvalidIdentityToken"])
        #expect(server.requests.count == 1)
        environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = folder.path("missing")
        await refusal(environment, containing: [folder.path("missing"), "is not there"])
        environment["AWS_ROLE_ARN"] = nil
        await refusal(environment, containing: ["AWS_ROLE_ARN is not"])
        try await server.stop()
    }

    // MARK: - Containers

    /// What an agent hands out.
    private static func answer(_ id: String, expires: String = "2099-01-01T00:00:00Z") -> String {
        """
        {"AccessKeyId":"\(id)","SecretAccessKey":"s-canary","Token":"t-canary","Expiration":"\(expires)","RoleArn":"r"}
        """
    }

    @Test func `a container's agent is asked with its token, from the file before the variable`() async throws {
        let agent = try await LoopbackHTTPServer { request in
            guard request.method == .GET, request.target == "/v1/credentials?x=1" else { return .text(404, "") }
            return request.header("Authorization") == "file-token"
                ? .json(200, Self.answer("CONTAINER")) : .text(401, "canary")
        }
        var environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url + "/v1/credentials?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "other",
        ]
        await refusal(environment, containing: ["status 401"])
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = try folder.file("token", "file-token\n")
        let found = try await find(environment)
        #expect(found.accessKeyID == "CONTAINER")
        #expect(found.expiresAt == Timestamp(seconds: 4_070_908_800))
        try await agent.stop()
    }

    @Test(arguments: [
        "http://169.254.169.254/x", "http://10.0.0.1/x", "http://credentials.test/x", "http://localhost.evil.test/x",
    ])
    func `an agent elsewhere than on this machine or where ECS and EKS have theirs is not asked by http`(
        url: String
    ) async {
        await refusal(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url], .invalidArgument, containing: ["must be https"])
    }

    @Test func `the agents of ECS and EKS are allowed`() throws {
        for url in ["http://169.254.170.2/x", "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/x"] {
            _ = try ServiceURL(url, from: "x", plainHosts: ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"])
        }
    }

    @Test(arguments: ["", "{}", "canary", #"{"AccessKeyId":"canary"}"#, #"{"Code":"AssumeRoleUnauthorizedAccess"}"#])
    func `an agent's nonsense is no credentials`(answer: String) async throws {
        let agent = try await LoopbackHTTPServer { _ in .json(200, answer) }
        await refusal(["AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url], containing: [agent.url])
        try await agent.stop()
    }

    // MARK: - Instances

    /// The metadata service of EC2, version 2, as documented: without a token from a PUT there is nothing.
    private func metadata(_ credentials: @escaping @Sendable () -> String) async throws -> LoopbackHTTPServer {
        try await LoopbackHTTPServer { request in
            if request.method == .PUT, request.target == "/latest/api/token" {
                let seconds = request.header("X-aws-ec2-metadata-token-ttl-seconds").flatMap { Int($0) } ?? 0
                return (1...21_600).contains(seconds) ? .text(200, "session-1") : .text(400, "")
            }
            guard request.method == .GET, request.header("X-aws-ec2-metadata-token") == "session-1" else {
                return .text(401, "")
            }
            switch request.target {
            case "/latest/meta-data/iam/security-credentials/": return .text(200, "postern-role")
            case "/latest/meta-data/iam/security-credentials/postern-role": return .text(200, credentials())
            default: return .text(404, "")
            }
        }
    }

    @Test func `an instance's role is asked for by version 2 of the metadata service`() async throws {
        let server = try await metadata {
            #"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"INSTANCE","SecretAccessKey":"s","Token":"t","#
                + #""Expiration":"2099-01-01T00:00:00Z"}"#
        }
        let found = try await find(
            ["AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url], attempts: .patient)
        #expect(found.accessKeyID == "INSTANCE")
        #expect(server.requests.map(\.method) == [.PUT, .GET, .GET])
        try await server.stop()
    }

    @Test func `moto's metadata service is understood too`() async throws {
        let found = try await find(
            [
                "AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": await MotoServer.shared.url,
            ], attempts: .patient)
        #expect(found.accessKeyID == "test-key")
    }

    @Test func `where no metadata service answers, it says what was looked for and what a container needs`()
        async throws
    {
        let silent = try await LoopbackHTTPServer { _ in .silence }
        await refusal(
            ["AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": silent.url],
            containing: ["the environment, the shared files", "hop limit", "did not answer in time"])
        try await silent.stop()
    }

    @Test func `an instance without a role says so`() async throws {
        let server = try await LoopbackHTTPServer { $0.method == .PUT ? .text(200, "t") : .text(404, "") }
        await refusal(
            ["AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url],
            containing: ["has no role"])
        try await server.stop()
    }

    // MARK: - Renewal

    @Test func `credentials that expire are renewed before they do, and calls go on`() async throws {
        let clock = TestClock(Timestamp(seconds: 1_893_456_000))
        let moto = try await MotoServer.shared
        let count = Mutex(0)
        let server = try await metadata {
            let number = count.withLock { count in
                count += 1
                return count
            }
            let expires = clock.now().advanced(by: .seconds(3_600)).description
            return
                #"{"Code":"Success","AccessKeyId":"ID\#(number)","SecretAccessKey":"s","Token":"t","Expiration":"\#(expires)"}"#
        }
        let proxy = try await Proxy(to: moto.url)
        let wrapper = try AWSKMSKeyWrapper.test(
            try await moto.makeKey(),
            [
                "AWS_ENDPOINT_URL_KMS": proxy.url, "AWS_EC2_METADATA_DISABLED": "false",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
            ], clock: clock, attempts: .brief)
        func used() async throws -> String {
            _ = try await wrapper.wrap(sampleKey, associatedData: [], deadline: soon)
            let header = proxy.requests.last?.header("Authorization") ?? ""
            return String(header.firstMatch(of: /Credential=(\w+)/)?.1 ?? "")
        }
        #expect(try await used() == "ID1")
        clock.advance(.seconds(3_000))
        #expect(try await used() == "ID1")
        clock.advance(.seconds(400))
        let end = soon
        while try await used() != "ID2" { try #require(!end.hasPassed) }

        let address = server.url
        // The metadata service is away: the last good ones are used until they expire, and then it is told.
        try await server.stop()
        clock.advance(.seconds(3_500))
        #expect(try await used() == "ID2")
        while !(await wrapper.health(deadline: soon).detail.contains(address)) { try #require(!end.hasPassed) }
        #expect(await wrapper.health(deadline: soon).isReady)
        clock.advance(.seconds(101))
        await expectError(.keyUnavailable, containing: [address]) { try await used() }
        try await proxy.stop()
    }
}
