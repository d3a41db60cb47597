import CFaultControl
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct FaultMatrixTests {
    @Test(arguments: [(TokenKind.softHSM, false), (.softHSM, true), (.nss, false)])
    func `every fault has the published outcome, and is over without a restart`(
        kind: TokenKind, managed: Bool
    ) async throws {
        var rows: [FaultRow] = []
        let faults = Fault.all.filter { !(managed && $0.isManagedAway) }
        for fault in faults { rows.append(try await observe(fault, on: kind, managed: managed)) }
        let observed = rows.map(\.text)
        if ProcessInfo.processInfo.environment["POSTERN_TEST_WRITE_REFERENCE"] != nil, kind == .softHSM, !managed {
            try rewrite(observed)
        }
        // Row by row, so that a difference is easy to see.
        let left = Set(Fault.all.map(\.description)).subtracting(faults.map(\.description))
        let published = try published().filter { row in !left.contains { row.hasPrefix("| \($0) |") } }
        #expect(published.count == observed.count)
        for (promised, seen) in zip(published, observed) { #expect(promised == seen) }
        for row in rows { #expect(row.after == "succeeds", "\(row.fault)") }
    }

    private func observe(_ fault: Fault, on kind: TokenKind, managed: Bool) async throws -> FaultRow {
        let scene = try await FaultScene(kind, managed: managed, isUsed: fault.isUsed) {
            $0.maximumStuckCalls = fault.maximumStuckCalls
        }
        try await fault.begin(scene)
        let logins = scene.faults.calls(fault_Login)
        let initializations = scene.faults.calls(fault_Initialize)
        let first = try await scene.call(deadline: .after(fault.patience))
        let later = try await scene.calls(5)
        try await fault.end?(scene)
        let after = try await scene.calls(5)
        scene.expectOrder("\(fault)")
        #expect(scene.token.stuckCalls == 0)
        return FaultRow(
            fault: "\(fault)", first: first, later: later, after: after,
            logins: scene.faults.calls(fault_Login) - logins,
            initializations: scene.faults.calls(fault_Initialize) - initializations)
    }

    // The lines of the table in docs/hsm-faults.md that are about the matrix.
    private static let start = "| fault |"

    private func document() -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/hsm-faults.md")
    }

    private func lines() throws -> [String] {
        try String(contentsOf: document(), encoding: .utf8).components(separatedBy: "\n")
    }

    private func table(in lines: [String]) throws -> Range<Int> {
        let start = try #require(lines.firstIndex { $0.hasPrefix(Self.start) }) + 2
        return start..<(lines[start...].firstIndex { !$0.hasPrefix("|") } ?? lines.endIndex)
    }

    private func published() throws -> [String] {
        let lines = try lines()
        return Array(lines[try table(in: lines)])
    }

    private func rewrite(_ rows: [String]) throws {
        var lines = try lines()
        lines.replaceSubrange(try table(in: lines), with: rows)
        try lines.joined(separator: "\n").write(to: document(), atomically: true, encoding: .utf8)
    }
}
