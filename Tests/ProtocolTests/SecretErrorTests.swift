import Foundation
import PosternProtocol
import Testing

@Suite struct SecretErrorTests {
    @Test(arguments: SecretError.Code.allCases)
    func `every code has a real HTTP error status and a real gRPC error status`(code: SecretError.Code) {
        #expect((400...599).contains(code.httpStatus))
        #expect((1...16).contains(code.grpcStatus))
        #expect(!code.rawValue.isEmpty)
    }

    @Test func `what a caller may retry unchanged is what HTTP and gRPC say so of`() {
        for code in SecretError.Code.allCases where [429, 503, 504].contains(code.httpStatus) {
            #expect(code.isTransient, "\(code)")
        }
    }

    @Test func `a conflict says which version is there`() throws {
        let path = try SecretPath("a/b")
        #expect(SecretError.conflict(path, expected: 2, current: 3).currentVersion == 3)
        #expect(SecretError.conflict(path, expected: 2, current: 0).message.contains("does not exist"))
    }

    @Test func `metadata changes keep what they do not name`() throws {
        let before = SecretMetadata(maxVersions: 3, casRequired: true, labels: ["a": "1", "b": "2"])
        let after = try MetadataChange(labels: ["a": String?.none, "c": "3"]).applied(to: before)
        #expect(after == SecretMetadata(maxVersions: 3, casRequired: true, labels: ["b": "2", "c": "3"]))
        for bad in [
            MetadataChange(maxVersions: -1), MetadataChange(deleteVersionAfterSeconds: -1),
            MetadataChange(labels: ["": "x"]), MetadataChange(labels: ["a": String(repeating: "v", count: 513)]),
        ] {
            #expect(throws: SecretError.self) { try bad.applied(to: before) }
        }
    }
}

@Suite struct ErrorDocumentTests {
    private static let grpcNames = [
        1: "CANCELLED", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND", 7: "PERMISSION_DENIED",
        8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED", 13: "INTERNAL", 14: "UNAVAILABLE",
        15: "DATA_LOSS", 16: "UNAUTHENTICATED",
    ]

    @Test(arguments: SecretError.Code.allCases)
    func `docs slash errors says of every code what the code does`(code: SecretError.Code) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let document = try String(contentsOf: root.appending(path: "docs/errors.md"), encoding: .utf8)
        let grpc = try #require(Self.grpcNames[code.grpcStatus])
        #expect(document.contains("| `\(code.rawValue)` | \(code.httpStatus) | \(grpc) |"))
    }
}
