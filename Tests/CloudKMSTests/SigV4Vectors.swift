// The published test vectors of AWS Signature Version 4: the signing test suite that AWS's own libraries share, in
// its variant that signs by headers. The names are those of its cases. All use the same credentials, date, region and
// service.

import Testing

/// One case of the suite.
struct SigV4Vector: CustomTestStringConvertible, Sendable {
    /// The case's name in the suite.
    let name: String
    /// Request line, headers and body.
    let request: String
    /// What the suite says that the headers to sign are.
    let signedHeaders: String
    /// What the suite says that the signature is.
    let signature: String
    var normalizesPath = true
    var sessionToken: String?
    var signsSessionToken = true
    /// Whether the body's hash is a header of its own.
    var hasContentHash = false

    var testDescription: String { name }
}

extension SigV4Vector {
    static let accessKeyID = "AKIDEXAMPLE"
    static let secretAccessKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    /// 2015-08-30T12:36:00Z
    static let seconds: Int64 = 1_440_938_160
    static let region = "us-east-1"
    static let service = "service"

    private static let shortToken =
        "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"

    private static let longToken =
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfp"
        + "SPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQ"
        + "DYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+s"
        + "cqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

    static let all: [SigV4Vector] = [
        SigV4Vector(
            name: "get-header-key-duplicate",
            request:
                "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value2\nMy-Header1:value2\nMy-Header1:value1",
            signedHeaders: "host;my-header1;x-amz-date",
            signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
        SigV4Vector(
            name: "get-header-value-multiline",
            request: "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value1\n  value2\n     value3",
            signedHeaders: "host;my-header1;x-amz-date",
            signature: "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"),
        SigV4Vector(
            name: "get-header-value-order",
            request:
                "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2",
            signedHeaders: "host;my-header1;x-amz-date",
            signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
        SigV4Vector(
            name: "get-header-value-trim",
            request: "GET / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1: value1\nMy-Header2: \"a   b   c\"",
            signedHeaders: "host;my-header1;my-header2;x-amz-date",
            signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        SigV4Vector(
            name: "get-relative-normalized",
            request: "GET /example/.. HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        SigV4Vector(
            name: "get-relative-relative-normalized",
            request: "GET /example1/example2/../.. HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        SigV4Vector(
            name: "get-relative-relative-unnormalized",
            request: "GET /example1/example2/../.. HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b", normalizesPath: false),
        SigV4Vector(
            name: "get-relative-unnormalized",
            request: "GET /example/.. HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282", normalizesPath: false),
        SigV4Vector(
            name: "get-slash-dot-slash-normalized",
            request: "GET /./ HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        SigV4Vector(
            name: "get-slash-dot-slash-unnormalized",
            request: "GET /./ HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145", normalizesPath: false),
        SigV4Vector(
            name: "get-slash-normalized",
            request: "GET // HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        SigV4Vector(
            name: "get-slash-pointless-dot-normalized",
            request: "GET /./example HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        SigV4Vector(
            name: "get-slash-pointless-dot-unnormalized",
            request: "GET /./example HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff", normalizesPath: false),
        SigV4Vector(
            name: "get-slash-unnormalized",
            request: "GET // HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e", normalizesPath: false),
        SigV4Vector(
            name: "get-slashes-normalized",
            request: "GET //example// HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        SigV4Vector(
            name: "get-slashes-unnormalized",
            request: "GET //example// HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5", normalizesPath: false),
        SigV4Vector(
            name: "get-space-normalized",
            request: "GET /example space/ HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        SigV4Vector(
            name: "get-space-unnormalized",
            request: "GET /example space/ HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", normalizesPath: false),
        SigV4Vector(
            name: "get-unreserved",
            request:
                "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        SigV4Vector(
            name: "get-utf8",
            request: "GET /ሴ HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        SigV4Vector(
            name: "get-vanilla-empty-query-key",
            request: "GET /?Param1=value1 HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        SigV4Vector(
            name: "get-vanilla-query-order-encoded",
            request: "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1 HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
        SigV4Vector(
            name: "get-vanilla-query-order-key-case",
            request: "GET /?Param2=value2&Param1=value1 HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        SigV4Vector(
            name: "get-vanilla-query-unreserved",
            request:
                "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        SigV4Vector(
            name: "get-vanilla-query",
            request: "GET / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        SigV4Vector(
            name: "get-vanilla-utf8-query",
            request: "GET /?ሴ=bar HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        SigV4Vector(
            name: "get-vanilla-with-session-token",
            request: "GET / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date;x-amz-security-token",
            signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8", sessionToken: shortToken),
        SigV4Vector(
            name: "get-vanilla",
            request: "GET / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        SigV4Vector(
            name: "post-header-key-case",
            request: "POST / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        SigV4Vector(
            name: "post-header-key-sort",
            request: "POST / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:value1",
            signedHeaders: "host;my-header1;x-amz-date",
            signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        SigV4Vector(
            name: "post-header-value-case",
            request: "POST / HTTP/1.1\nHost:example.amazonaws.com\nMy-Header1:VALUE1",
            signedHeaders: "host;my-header1;x-amz-date",
            signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
        SigV4Vector(
            name: "post-sts-header-after",
            request: "POST / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", sessionToken: longToken,
            signsSessionToken: false),
        SigV4Vector(
            name: "post-sts-header-before",
            request: "POST / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date;x-amz-security-token",
            signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead", sessionToken: longToken),
        SigV4Vector(
            name: "post-vanilla-empty-query-value",
            request: "POST /?Param1=value1 HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        SigV4Vector(
            name: "post-vanilla-query",
            request: "POST /?Param1=value1 HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        SigV4Vector(
            name: "post-vanilla",
            request: "POST / HTTP/1.1\nHost:example.amazonaws.com",
            signedHeaders: "host;x-amz-date",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        SigV4Vector(
            name: "post-x-www-form-urlencoded-parameters",
            request:
                "POST / HTTP/1.1\nContent-Type:application/x-www-form-urlencoded; charset=utf-8\nHost:example.amazonaws.com\nContent-Length:13\n\nParam1=value1",
            signedHeaders: "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            signature: "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422", hasContentHash: true),
        SigV4Vector(
            name: "post-x-www-form-urlencoded",
            request:
                "POST / HTTP/1.1\nContent-Type:application/x-www-form-urlencoded\nHost:example.amazonaws.com\nContent-Length:13\n\nParam1=value1",
            signedHeaders: "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b", hasContentHash: true),
    ]
}
