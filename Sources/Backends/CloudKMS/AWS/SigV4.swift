// AWS Signature Version 4, on swift-crypto's HMAC-SHA256. "Create a signed AWS API request" in AWS's IAM User Guide
// describes it; its published test vectors check it.

import Crypto
import PosternProtocol

/// Signs requests to one service in one region.
struct SigV4Signer: Sendable {
    private static let algorithm = "AWS4-HMAC-SHA256"

    let region: String
    let service: String
    /// Whether `.`, `..` and repeated slashes are taken out of the path, as all services but S3 do.
    var normalizesPath = true
    /// Whether a session token is signed too, as all services but a few do.
    var signsSessionToken = true

    /// What is signed.
    struct Request {
        let method: String
        /// Path and query.
        let target: String
        /// The headers to sign, `Host` among them; not those that signing adds.
        let headers: [(name: String, value: String)]
        let body: [UInt8]
    }

    /// The headers that make a request a signed one.
    /// - Parameter time: the time of day, which AWS accepts if it is no more than five minutes off.
    func headers(
        for request: Request, credentials: AWSCredentials, at time: Timestamp
    ) -> [(name: String, value: String)] {
        let timestamp = Self.basicFormat(time)
        let scope = "\(timestamp.prefix(8))/\(region)/\(service)/aws4_request"
        var added = [(name: "X-Amz-Date", value: timestamp)]
        var unsigned: [(name: String, value: String)] = []
        if let token = credentials.sessionToken {
            let header = (name: "X-Amz-Security-Token", value: token.text)
            if signsSessionToken { added.append(header) } else { unsigned.append(header) }
        }
        let canonical = canonicalRequest(request, headers: request.headers + added)
        let text = [
            Self.algorithm, timestamp, scope, SHA256.hash(data: Array(canonical.text.utf8)).hexadecimal,
        ].joined(separator: "\n")
        let signature = Self.mac(text, key(credentials.secretAccessKey, day: timestamp.prefix(8))).hexadecimal
        let authorization =
            "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope), "
            + "SignedHeaders=\(canonical.signedHeaders), Signature=\(signature)"
        return added + unsigned + [("Authorization", authorization)]
    }

    /// The request in the one form that both ends hash.
    private func canonicalRequest(
        _ request: Request, headers: [(name: String, value: String)]
    ) -> (text: String, signedHeaders: String) {
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var values: [String: [String]] = [:]
        for (name, value) in headers { values[name.lowercased(), default: []].append(Self.withoutExtraSpace(value)) }
        let names = values.keys.sorted()
        let signedHeaders = names.joined(separator: ";")
        var lines = [
            request.method, path(parts.first.map { Array($0.utf8) } ?? []), Self.query(parts.count > 1 ? parts[1] : ""),
        ]
        lines += names.map { "\($0):\((values[$0] ?? []).joined(separator: ","))" }
        lines += ["", signedHeaders, SHA256.hash(data: request.body).hexadecimal]
        return (lines.joined(separator: "\n"), signedHeaders)
    }

    private func path(_ path: [UInt8]) -> String {
        guard normalizesPath else { return FormText.encode(path, keeping: "/") }
        var segments: [ArraySlice<UInt8>] = []
        for segment in path.split(separator: UInt8(ascii: "/")) {
            switch String(decoding: segment, as: UTF8.self) {
            case ".": continue
            case "..": _ = segments.popLast()
            default: segments.append(segment)
            }
        }
        let isFolder = path.last == UInt8(ascii: "/") && !segments.isEmpty
        return "/" + segments.map { FormText.encode($0) }.joined(separator: "/") + (isFolder ? "/" : "")
    }

    private static func query(_ query: Substring) -> String {
        let pairs = query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                name: FormText.encode(FormText.decode(parts[0])),
                value: parts.count > 1 ? FormText.encode(FormText.decode(parts[1])) : ""
            )
        }
        return pairs.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    /// The key of a day, region and service.
    private func key(_ secret: SecretBytes, day: Substring) -> SymmetricKey {
        let prefix = Array("AWS4".utf8)
        let start = SecretBytes(capacity: prefix.count + secret.count) { target in
            target.copyBytes(from: prefix)
            secret.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: target[prefix.count...]).copyMemory(from: $0)
            }
            return target.count
        }
        return [String(day), region, service, "aws4_request"]
            .reduce(start.withUnsafeBytes { SymmetricKey(data: $0) }) { key, part in
                SymmetricKey(data: Self.mac(part, key))
            }
    }

    private static func mac(_ text: String, _ key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }

    /// ISO 8601 basic format to the second, UTC: `20150830T123600Z`.
    private static func basicFormat(_ time: Timestamp) -> String {
        String(time.description.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
    }

    /// Without white space at the ends, and with one space for each run of it within.
    private static func withoutExtraSpace(_ value: String) -> String {
        value.split { $0 == " " || $0 == "\t" || $0.isNewline }.joined(separator: " ")
    }
}
