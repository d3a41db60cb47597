import Foundation
import PosternClient
import TestPrograms
import Testing

/// The gateway through Python's grpcio, which is C-core.
@Suite(.timeLimit(.minutes(3))) struct StockClientTests {
    @Test(arguments: ["every_method", "deadline", "health", "reflection"])
    func `a stock client gets what the contract says`(name: String) async throws {
        try await withGateway { gateway in
            _ = try await gateway.python("stock.py", [name])
        }
    }

    @Test func `a refusal says in its details why, and where the audit log has it`() async throws {
        try await withGateway { gateway in
            let printed = try await gateway.python("stock.py", ["error_details"]).text.split(
                whereSeparator: \.isWhitespace)
            try #require(printed.count == 2)
            let index = try #require(UInt64(printed[1]))
            let record = try #require(try gateway.auditRecords().first { $0.index == index })
            #expect(record.record["request_id"]?.text == String(printed[0]))
            #expect(record.principal == "billing")
            #expect(record.outcome == "permission_denied")
        }
    }

    @Test func `thousands of names stream to a slow reader in order and whole`() async throws {
        try await withGateway { gateway in
            let count = 2_000
            try await gateway.client { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<32 {
                        group.addTask {
                            for number in stride(from: task, to: count, by: 32) {
                                let digits = String(number)
                                let name = String(repeating: "0", count: 5 - digits.count) + digits
                                try await client.put("llm/many/\(name)", "x")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            _ = try await gateway.python("stock.py", ["list", String(count)])
        }
    }

    @Test func `a health watch hears that the gateway goes down, and does not keep it from going`() async throws {
        try await withGateway(GatewaySettings(overrides: ["shutdown.grace=30s"])) { gateway in
            let log = gateway.directory.appending(path: "watch.log")
            let watch = try LiveProcess(
                try Places.python(), gateway.pythonArguments("stock.py", ["watch"]), errorFile: log)
            try await watch.wait(toSay: "SERVING\n")
            gateway.signal(SIGTERM)
            try await watch.wait(toSay: "NOT_SERVING\n")
            let start = ContinuousClock.now
            let ending = try await gateway.end(by: SIGTERM)
            #expect(ending.code == 0)
            #expect(start.duration(to: .now) < .seconds(20), "a watch alone must not use up the grace")
            _ = try await watch.ending()
        }
    }
}
