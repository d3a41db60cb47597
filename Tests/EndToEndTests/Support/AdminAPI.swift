// The admin API through curl.

import Foundation
import TestPrograms

/// An answer of the admin API.
struct AdminAnswer: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: Data

    var text: String { String(decoding: body, as: UTF8.self) }
    func json() throws -> JSON { try JSON(parsing: body) }
    /// The stable code of a problem.
    func code() throws -> String? { try json()["code"]?.text }
}

extension GatewayUnderTest {
    /// Makes a request.
    /// - Parameters:
    ///   - path: sent as it is, dots and all.
    ///   - body: through standard input, so that no process list and no file of ours has it.
    ///   - key: the admin key; this gateway's if nil, none if empty.
    func admin(
        _ method: String, _ path: String, body: Data? = nil, headers: [String] = ["content-type: application/json"],
        key: String? = nil
    ) async throws -> AdminAnswer {
        var arguments = [
            "--silent", "--show-error", "--include", "--path-as-is", "--globoff", "--http1.1", "--max-time", "60",
            "--cacert", pki.file("ca.pem"), "--request", method, "--header", "expect:",
        ]
        switch key {
        case nil: arguments += ["--header", "@\(file("admin.header"))"]
        case "": break
        case let key?: arguments += ["--header", "authorization: Bearer \(key)"]
        }
        if body != nil {
            for header in headers { arguments += ["--header", header] }
            arguments += ["--data-binary", "@-"]
        }
        let result = try await mustRun(
            "curl", arguments + ["https://\(adminAddress)\(path)"], input: body ?? Data())
        return try Self.parse(result.output)
    }

    func admin(_ method: String, _ path: String, json: String) async throws -> AdminAnswer {
        try await admin(method, path, body: Data(json.utf8))
    }

    private static func parse(_ output: Data) throws -> AdminAnswer {
        guard let end = output.firstRange(of: Data("\r\n\r\n".utf8)) else {
            throw HarnessError(description: "curl printed no header: \(String(decoding: output, as: UTF8.self))")
        }
        let lines = String(decoding: output[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        return AdminAnswer(status: status, headers: headers, body: Data(output[end.upperBound...]))
    }
}
