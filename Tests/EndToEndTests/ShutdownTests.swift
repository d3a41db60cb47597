import Foundation
import PosternClient
import PosternProtocol
import PosternWire
import Synchronization
import TestPrograms
import Testing

/// SIGTERM: what is under way ends, what is new is turned away, and none of it takes longer than it may.
@Suite(.timeLimit(.minutes(3))) struct ShutdownTests {
    @Test func `a call under way completes, and then the gateway is gone with exit code 0`() async throws {
        try await withGateway(GatewaySettings(overrides: ["shutdown.grace=60s"])) { gateway in
            try await Self.putMany(gateway, count: 400)
            let pages = Mutex(0)
            try await gateway.client { client in
                var request = Postern_V1_ListRequest()
                (request.prefix, request.pageSize) = ("many", 1)
                try await client.list(request) { _ in
                    // In the middle of the call.
                    if pages.withLock({
                        $0 += 1; return $0
                    }) == 3 {
                        gateway.signal(SIGTERM)
                    }
                }
            }
            #expect(pages.withLock { $0 } == 400)
            let ending = try await gateway.end(by: SIGTERM)
            #expect(!ending.wasSignalled && ending.code == 0)
            for address in [gateway.grpcAddress, gateway.adminAddress] {
                let port = address.split(separator: ":")[1]
                let script = "exec 3<>/dev/tcp/127.0.0.1/\(port)"
                #expect(try await run("bash", ["-c", script]).code != 0, "\(address) is closed")
            }
            #expect(try gateway.auditRecords().last?.action == "gateway.stop")
        }
    }

    @Test func `a call that never ends keeps the gateway no longer than its grace`() async throws {
        try await withGateway(GatewaySettings(overrides: ["shutdown.grace=1s"])) { gateway in
            try await Self.putMany(gateway, count: 3_00)
            let stuck = try LiveProcess(
                try Places.python(), gateway.pythonArguments("stock.py", ["stuck"]),
                errorFile: gateway.directory.appending(path: "stuck.log"))
            try await stuck.wait(toSay: "STUCK\n")
            let ending = try await gateway.end(by: SIGTERM, within: .seconds(20))
            #expect(!ending.wasSignalled && ending.code == 0)
            _ = try await stuck.ending()
        }
    }

    private static func putMany(_ gateway: GatewayUnderTest, count: Int) async throws {
        try await gateway.client { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<20 {
                    group.addTask {
                        for number in stride(from: task, to: count, by: 20) {
                            try await client.put("many/\(number)", "x")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
