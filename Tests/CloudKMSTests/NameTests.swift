// Names of keys, and addresses.

import PosternProtocol
import Testing

@testable import CloudKMS

@Suite struct `Names of keys` {
    private static let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    @Test(arguments: [
        (key, "eu-west-1", false),
        (
            "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", "us-gov-west-1",
            false
        ),
        ("arn:aws-cn:kms:cn-north-1:111122223333:alias/team/postern_1", "cn-north-1", true),
        ("alias/postern", nil, true),
    ])
    func `a key of AWS is named by its ARN, an alias or an alias's ARN`(
        text: String, region: String?, isAlias: Bool
    ) throws {
        let name = try AWSKMSKeyName(text)
        #expect(name.description == text)
        #expect(name.region == region)
        #expect(name.isAlias == isAlias)
    }

    @Test(arguments: [
        "", "postern", "alias/", "alias/a b", "1234abcd-12ab-34cd-56ef-1234567890ab", key + "/x", key + "\n",
        "arn:aws:s3:eu-west-1:111122223333:key/a", "arn:aws:kms::111122223333:key/a",
        "arn:aws:kms:eu-west-1.evil.test/:111122223333:key/a", "arn:aws:kms:eu-west-1:1111:key/a",
        "arn:aws:kms:eu-west-1:111122223333:key/", "arn:aws:kms:eu-west-1:111122223333:grant/a",
        "arn:aws:kms:eu-west-1:111122223333:key/a:b", "arn:gcp:kms:eu-west-1:111122223333:key/a",
    ])
    func `what names no key of AWS is refused`(text: String) {
        let error = #expect(throws: SecretError.self) { try AWSKMSKeyName(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: [
        "projects/p/locations/global/keyRings/r/cryptoKeys/k",
        "projects/example.org:p-1/locations/europe-west3/keyRings/ring_1/cryptoKeys/Key-2",
    ])
    func `a key of Google is named by its resource name`(text: String) throws {
        #expect(try GCPKMSKeyName(text).description == text)
    }

    @Test(arguments: [
        "", "k", "projects/p/locations/global/keyRings/r/cryptoKeys/", "projects/p/locations/global/keyRings/r",
        "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
        "projects/p/locations/../keyRings/r/cryptoKeys/k", "projects/p/locations/global/keyRings/r/cryptoKeys/k?x=1",
        "/projects/p/locations/global/keyRings/r/cryptoKeys/k", "projects/p/locations/global/keyrings/r/cryptoKeys/k",
    ])
    func `what names no key of Google is refused`(text: String) {
        let error = #expect(throws: SecretError.self) { try GCPKMSKeyName(text) }
        #expect(error?.code == .invalidArgument)
    }
}

@Suite struct `Addresses of services` {
    @Test(arguments: [
        (
            "https://kms.eu-west-1.amazonaws.com", "https://kms.eu-west-1.amazonaws.com", "kms.eu-west-1.amazonaws.com",
            "/"
        ),
        ("https://a.test:443/x?y=1", "https://a.test", "a.test", "/x?y=1"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000", "127.0.0.1:5000", "/"),
        ("http://[::1]:5000", "http://[::1]:5000", "[::1]:5000", "/"),
        ("http://localhost", "http://localhost", "localhost", "/"),
    ])
    func `an address is https, or http to this machine`(
        text: String, origin: String, authority: String, target: String
    ) throws {
        let url = try ServiceURL(text, from: "the test")
        #expect(url.origin == origin)
        #expect(url.authority == authority)
        #expect(url.target == target)
    }

    @Test(arguments: [
        "", "kms", "http://kms.test", "http://127.0.0.1.evil.test", "http://127.1.evil.test", "http://10.0.0.1",
        "ftp://a", "https://", "https://u:p@a.test", "https://a.test:0", "https://a.test/#x", "http://localhost.evil",
        "http://169.254.170.2",
    ])
    func `where somebody could listen, or what is no address, is refused`(text: String) {
        let error = #expect(throws: SecretError.self) { try ServiceURL(text, from: "the test") }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("the test is") == true)
    }

    @Test(arguments: [
        ("kms", "eu-west-1", "https://kms.eu-west-1.amazonaws.com", "https://kms-fips.eu-west-1.amazonaws.com"),
        ("sts", "eu-west-1", "https://sts.eu-west-1.amazonaws.com", "https://sts-fips.eu-west-1.amazonaws.com"),
        ("sts", "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com", "https://sts.us-gov-west-1.amazonaws.com"),
        (
            "kms", "cn-north-1", "https://kms.cn-north-1.amazonaws.com.cn",
            "https://kms-fips.cn-north-1.amazonaws.com.cn"
        ),
        ("kms", "us-iso-east-1", "https://kms.us-iso-east-1.c2s.ic.gov", "https://kms-fips.us-iso-east-1.c2s.ic.gov"),
        (
            "kms", "eusc-de-east-1", "https://kms.eusc-de-east-1.amazonaws.eu",
            "https://kms-fips.eusc-de-east-1.amazonaws.eu"
        ),
    ])
    func `each region has its own services`(service: String, region: String, plain: String, conforming: String) throws {
        #expect(try AWSEnvironment([:]).endpoint(service, region: region).origin == plain)
        let fips = AWSEnvironment(["AWS_USE_FIPS_ENDPOINT": "true"])
        #expect(try fips.endpoint(service, region: region).origin == conforming)
    }

    @Test func `an endpoint of one service goes before that of all, and has no path`() throws {
        let both = AWSEnvironment([
            "AWS_ENDPOINT_URL": "https://all.test", "AWS_ENDPOINT_URL_KMS": "https://kms.test:8443",
        ])
        #expect(try both.endpoint("kms", region: "x").origin == "https://kms.test:8443")
        #expect(try both.endpoint("sts", region: "x").origin == "https://all.test")
        #expect(throws: SecretError.self) {
            try AWSEnvironment(["AWS_ENDPOINT_URL": "https://all.test/kms"]).endpoint("kms", region: "x")
        }
    }
}
