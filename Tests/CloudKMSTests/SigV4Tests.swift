// Signatures: what AWS publishes, and what a server that checks them says.

import Crypto
import PosternProtocol
import Testing

@testable import CloudKMS

@Suite struct `AWS Signature Version 4` {
    @Test(arguments: SigV4Vector.all)
    func `a published case has its published signature`(vector: SigV4Vector) throws {
        var signer = SigV4Signer(region: SigV4Vector.region, service: SigV4Vector.service)
        signer.normalizesPath = vector.normalizesPath
        signer.signsSessionToken = vector.signsSessionToken
        let credentials = AWSCredentials(
            accessKeyID: SigV4Vector.accessKeyID, secretAccessKey: SecretBytes(SigV4Vector.secretAccessKey),
            sessionToken: vector.sessionToken.map { SecretBytes($0) })

        let added = signer.headers(
            for: try parse(vector), credentials: credentials, at: Timestamp(seconds: SigV4Vector.seconds))

        let authorization = try #require(added.first { $0.name == "Authorization" }?.value)
        #expect(
            authorization == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=\(vector.signedHeaders), Signature=\(vector.signature)")
        #expect(added.first { $0.name == "X-Amz-Date" }?.value == "20150830T123600Z")
        #expect(added.first { $0.name == "X-Amz-Security-Token" }?.value == vector.sessionToken)
    }

    @Test func `all cases of the suite are there`() {
        #expect(SigV4Vector.all.count == 38)
        #expect(Set(SigV4Vector.all.map(\.name)).count == 38)
    }

    /// Reads the suite's form of a request: lines, of which those that start with a space go on with a header's value.
    private func parse(_ vector: SigV4Vector) throws -> SigV4Signer.Request {
        var lines = vector.request.split(separator: "\n", omittingEmptySubsequences: false)
        let first = lines.removeFirst()
        let start = try #require(first.firstIndex(of: " "))
        let end = try #require(first.lastIndex(of: " "))
        var headers: [(name: String, value: String)] = []
        while let line = lines.first, !line.isEmpty {
            lines.removeFirst()
            if line.first == " " {
                headers[headers.count - 1].value += "\n" + line
            } else {
                let colon = try #require(line.firstIndex(of: ":"))
                headers.append((String(line[..<colon]), String(line[line.index(after: colon)...])))
            }
        }
        let body = Array(lines.dropFirst().joined(separator: "\n").utf8)
        if vector.hasContentHash { headers.append(("x-amz-content-sha256", SHA256.hash(data: body).hexadecimal)) }
        return SigV4Signer.Request(
            method: String(first[..<start]), target: String(first[first.index(after: start)..<end]), headers: headers,
            body: body)
    }
}
